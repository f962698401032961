"""A template that is wrong, or wants too much, ends as an error that names its file and line; and it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.render.samples import TEMPLATES, intent, letterhead

from arsync.errors import ConfigurationError, TemplateError
from arsync.render import render


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A copy of the shipped templates, to be spoilt."""
    for path in TEMPLATES.iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    return tmp_path


def spoil(templates: Path, body: str, name: str = "firm.en.txt.j2") -> None:
    (templates / name).write_text(f"Subject: x\n\n{body}\n")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{{ demanded[0].nunber }}", "nunber"),
        ("{{ no_such_name }}", "no_such_name"),
        ("{% if %}", "Expected an expression"),
        ("{{ demanded | shuffle }}", "shuffle"),
        ("{{ 1 // 0 }}", "zero"),
        ("{{ demanded[99].number }}", ""),
        ("{{ 'a' * 999999999 }}", r"\* is only for numbers"),
        ("{{ 9 ** 9 ** 9 }}", r"\*\*"),
        ("{{ '%999999999d' % 1 }}", "% is only for numbers"),
        ("{{ '{:>999999999}'.format('') }}", "not safely callable"),
        ("{{ 'a'.center(999999999) }}", "not safely callable"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ locale.__class__ }}", "unsafe"),
        ("{{ range(10) }}", "range"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "itself without end"),
        ("{% include 'firm.en.txt.j2' %}", "itself without end"),
        ("{{ 9999999 | days_from_today }}", "no number of days"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(templates: Path, body: str, reason: str) -> None:
    spoil(templates, body)
    with pytest.raises(TemplateError, match=rf"firm\.en\.txt\.j2, line \d+: .*{reason}") as caught:
        render(intent(), letterhead(), templates)
    assert isinstance(caught.value, ConfigurationError)


def test_the_line_is_that_of_the_mistake(templates: Path) -> None:
    spoil(templates, "fine\nfine\n{{ demanded[0].nunber }}")
    with pytest.raises(TemplateError, match="line 5:"):
        render(intent(), letterhead(), templates)


DOUBLED = "".join("{% set x = x ~ x %}\n" for _ in range(60))
BLOCKS = "".join("{% set x %}{{ x }}{{ x }}{% endset %}\n" for _ in range(60))
JOINS = "".join("{% set x = [x, x] | join %}\n" for _ in range(60))
SUMS = "".join("{% set x = x + x %}\n" for _ in range(60))
LOOPS = "{% set letters = 'abcdefghijklmnopqrstuvwxyz' %}" + "".join(f"{{% for l{n} in letters %}}" for n in range(9))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{% set x = 'ab' %}" + DOUBLED, "characters"),
        ("{% set x = 'ab' %}" + BLOCKS, "characters"),
        ("{% set x = 'ab' %}" + JOINS, "characters"),
        ("{% set x = 'ab' %}" + SUMS, "characters"),
        (LOOPS + "{% endfor %}" * 9, "turns of its loops"),
        (LOOPS + "{{ letters }}" + "{% endfor %}" * 9, "characters|turns"),
    ],
    ids=["concatenation", "blocks", "joins", "sums", "empty loops", "loops that write"],
)
@pytest.mark.parametrize("name", ["firm.en.txt.j2", "firm.en.html.j2"])
def test_a_template_that_wants_too_much_ends(templates: Path, body: str, reason: str, name: str) -> None:
    spoil(templates, body, name)
    with pytest.raises(TemplateError, match=rf"{name}.*more than .*({reason})"):
        render(intent(), letterhead(), templates)


def test_a_text_template_begins_with_its_subject(templates: Path) -> None:
    (templates / "firm.en.txt.j2").write_text("Hello\n")
    with pytest.raises(TemplateError, match=r"firm\.en\.txt\.j2, line 1: it must begin with 'Subject: '"):
        render(intent(), letterhead(), templates)
    (templates / "firm.en.txt.j2").write_text("Subject:   \nHello\n")
    with pytest.raises(TemplateError, match="the subject is empty"):
        render(intent(), letterhead(), templates)


def test_a_missing_partial_is_named(templates: Path) -> None:
    (templates / "_items.html.j2").unlink()
    with pytest.raises(TemplateError, match=r"_items\.html\.j2"):
        render(intent(), letterhead(), templates)


def test_a_changed_template_is_read_again(templates: Path) -> None:
    before = render(intent(), letterhead(), templates)
    spoil(templates, "Something else, said at length.")
    after = render(intent(), letterhead(), templates)
    assert before.text != after.text == "Something else, said at length.\n"
