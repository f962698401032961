"""Counts over time as a picture: bars side by side, in SVG. The same counts give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 960
_HEIGHT: Final = 360
_LEFT: Final = 56
_RIGHT: Final = 16
_TOP: Final = 72
_BOTTOM: Final = 48
#: Told apart by lightness as well, for who sees no colours; the dark ones are for a dark page.
_FILLS: Final = (("#1f4e79", "#8ab4f8"), ("#e08a1e", "#fbc475"), ("#5a8f5a", "#a8d5a2"))
_LABELS: Final = 10
_LABEL: Final = 70  # how wide one is
_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Series:
    """The counts of one thing, one for each label."""

    name: str
    counts: tuple[int, ...]


def bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """A whole SVG document, readable on light and dark pages; ValueError where a series has another length."""
    if any(len(one.counts) != len(labels) for one in series):
        raise ValueError("every series has a count for each label")
    most = _rounded_up(max((count for one in series for count in one.counts), default=0))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_told(labels, series))}</desc>",
        _style(len(series)),
        f'<rect class="page" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="ink" x="{_LEFT}" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
        *_legend(series),
        *_grid(most),
        *_drawn(labels, series, most),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _told(labels: Sequence[str], series: Sequence[Series]) -> str:
    """The picture in words, for who cannot see it."""
    return ". ".join(
        f"{one.name}: " + ", ".join(f"{label} {count}" for label, count in zip(labels, one.counts, strict=True))
        for one in series
    )


def _style(number: int) -> str:
    light = "".join(f".s{place}{{fill:{_fill(place)[0]}}}" for place in range(number))
    dark = "".join(f".s{place}{{fill:{_fill(place)[1]}}}" for place in range(number))
    return (
        "<style>.page{fill:#fff}.ink{fill:#222}.line{stroke:#ddd}" + light + "@media (prefers-color-scheme:dark)"
        "{.page{fill:#1b1b1b}.ink{fill:#eee}.line{stroke:#444}" + dark + "}</style>"
    )


def _fill(place: int) -> tuple[str, str]:
    return _FILLS[place % len(_FILLS)]


def _legend(series: Sequence[Series]) -> list[str]:
    drawn = []
    x = _LEFT
    for place, one in enumerate(series):
        said = f"{one.name}: {sum(one.counts)}"
        drawn.append(f'<rect class="s{place}" x="{x}" y="40" width="12" height="12"/>')
        drawn.append(f'<text class="ink" x="{x + 18}" y="51">{escape(said)}</text>')
        x += 34 + 7 * len(said)
    return drawn


def _grid(most: int) -> list[str]:
    drawn = []
    for line in range(_LINES + 1):
        y = _height(most * line, most * _LINES)
        drawn.append(f'<line class="line" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>')
        count = f"{most * line // _LINES}"
        drawn.append(f'<text class="ink" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{count}</text>')
    return drawn


def _drawn(labels: Sequence[str], series: Sequence[Series], most: int) -> list[str]:
    drawn = []
    room = _WIDTH - _LEFT - _RIGHT
    every = -(-len(labels) // _LABELS)
    floor = _HEIGHT - _BOTTOM
    for number, label in enumerate(labels):
        left = _LEFT + room * number // len(labels)
        wide = room * (number + 1) // len(labels) - room * number // len(labels)
        bar = max(1, (wide - max(2, wide // 5)) // max(1, len(series)))
        for place, one in enumerate(series):
            count = one.counts[number]
            y = _height(count, most)
            told = escape(f"{label}, {one.name}: {count}")
            drawn.append(
                f'<rect class="s{place}" x="{left + place * bar}" y="{y}" width="{bar}" height="{floor - y}">'
                f"<title>{told}</title></rect>"
            )
        if number % every == 0 and left + _LABEL <= _WIDTH:
            drawn.append(f'<text class="ink" x="{left}" y="{floor + 20}" font-size="11">{escape(label)}</text>')
    return drawn


def _height(count: int, most: int) -> int:
    """Where a bar of that count ends, from the top."""
    floor = _HEIGHT - _BOTTOM
    return floor - (floor - _TOP) * count // most


def _rounded_up(most: int) -> int:
    """The least round number of at least that, which the lines divide."""
    unit = _LINES
    while True:
        for factor in (1, 2, 3, 5):
            if unit * factor >= most:
                return unit * factor
        unit *= 10
