"""Whatever is killed or suspended whenever: no message twice, nothing lost, exactly one note per target.

A night is traced once, so that every commit and every outbound request has a number. Then it is ended before and after
each of them in turn, started again, and counted where the messages and notes arrived.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.acceptance.nights import (
    CALLS,
    FILE,
    LETTERS,
    MAIL,
    MAIL_WITH_FEED,
    NOTES,
    WAYS,
    Effect,
    Night,
    Nursery,
    Way,
)

from arsync.domain.states import Health
from arsync.outbox import send, writeback

Point = tuple[str, int]
TOKEN = "oauth2/v1/tokens/bearer"
_SHARES = 2


# --- what a night does -------------------------------------------------------------------------------------------


class Traces:
    """The effects of a whole night, each way; traced when first asked for."""

    def __init__(self, folder: Path, nursery: Nursery, eve: Path) -> None:
        self._folder, self._nursery, self._eve = folder, nursery, eve
        self._known: dict[str, list[Effect]] = {}

    def of(self, way: Way) -> list[Effect]:
        if way.name not in self._known:
            with Night.prepared(self._folder / way.name, way, self._nursery, copy_of=self._eve) as night:
                self._known[way.name] = night.trace()
                everything_went_out(night)
                assert night.run() == 0
                everything_went_out(night)  # the second night adds nothing
        return self._known[way.name]


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery, eve: Path) -> Traces:
    return Traces(tmp_path_factory.mktemp("whole"), nursery, eve)


def everything_went_out(night: Night) -> None:
    assert night.letters() == LETTERS
    assert Counter(message.state.value for message in night.messages()) == {"accepted": len(LETTERS) + CALLS}
    assert_notes(night)
    assert sum(night.notes().values()) == NOTES


def assert_notes(night: Night) -> None:
    """Each accepted message has exactly one note at each of its targets, and there is no other."""
    assert night.notes() == night.owed_notes()
    assert set(night.notes().values()) <= {1}


def requests(effects: Sequence[Effect], words: str) -> list[int]:
    return [effect.number for effect in effects if words in effect.what]


def every_point(effects: Sequence[Effect]) -> list[Point]:
    return [(moment, effect.number) for effect in effects for moment in ("before", "after")]


# --- kills -------------------------------------------------------------------------------------------------------


def kill_and_recover(folder: Path, way: Way, nursery: Nursery, eve: Path, effects: list[Effect], point: Point) -> str:
    """One trial; what came of it in a word: `unknown`, `consent` or `whole`."""
    moment, number = point
    with Night.prepared(folder, way, nursery, copy_of=eve) as night:
        assert night.run("--kill", f"{moment}:{number}") == -9, night.said
        night.recover()
        outcome = "whole"
        if point in lost_consent(effects):
            outcome = "consent"
            assert_waits_for_consent(night)
            night.consent_again("quickbooks")
            night.recover()
        seen = may_be_unknown(way, effects, point)
        if seen is None:
            everything_went_out(night)
            assert night.statuses[-1] == 0, night.said
            return outcome
        assert_one_unknown(night, seen=seen)
        return "unknown"


def lost_consent(effects: Sequence[Effect]) -> set[Point]:
    """QuickBooks ends the old refresh token at once: dead between its answer and our commit, only a person helps."""
    (request,) = requests(effects, TOKEN)
    return {("after", request), ("before", request + 1)}


def assert_waits_for_consent(night: Night) -> None:
    """A clear state and a sentence; the other company's night went on."""
    assert night.health("quickbooks") is Health.REAUTHORISE
    assert "our-quickbooks is reauthorise: The consent has ended: a person must connect again" in night.said
    assert "Traceback" not in night.said
    assert night.letters() == Counter(["accounts@eastman.example", "accounts@foster.example"])
    assert_notes(night)


def may_be_unknown(way: Way, effects: Sequence[Effect], point: Point) -> bool | None:
    """Whether the provider saw the message that nobody can know about; None where there is none.

    Nothing tells a message whose worker died between the gate and the first byte from one whose answer was lost, unless
    the provider can be asked: then only the former stays unknown. A folder can always be asked.
    """
    for request in requests(effects, "mail/send"):
        if point in (("after", request - 1), ("before", request)):
            return False
        if point in (("after", request), ("before", request + 1)) and not way.activity:
            return True
    return None


def assert_one_unknown(night: Night, *, seen: bool) -> None:
    states = Counter(message.state.value for message in night.messages())
    assert states == {"unknown": 1, "accepted": len(LETTERS) + CALLS - 1}
    (unknown,) = [message for message in night.messages() if message.state == "unknown"]
    missing = LETTERS - night.letters()
    assert sum(missing.values()) == (0 if seen else 1)
    assert all(address in unknown.recipients[0] for address in missing)
    assert set(night.letters().values()) == {1}
    assert_notes(night)
    assert night.statuses[-1] == 1
    assert "nobody knows whether it went out" in night.said


def sweep(
    folder: Path, way: Way, nursery: Nursery, eve: Path, effects: list[Effect], points: Sequence[Point]
) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for point in points:
        trial = folder / f"{point[0]}-{point[1]}"
        try:
            outcomes[kill_and_recover(trial, way, nursery, eve, effects, point)] += 1
        except AssertionError as error:
            what = next(effect.what for effect in effects if effect.number == point[1])
            raise AssertionError(f"killed {point[0]} {point[1]} ({what}), {way.name}: {error}") from error
        shutil.rmtree(trial)
    return outcomes


def sample(way: Way, effects: list[Effect], mail_effects: list[Effect]) -> list[Point]:
    """Before and after a message, a note and a token of each kind; of the rest every so many."""
    mails = requests(effects, "mail/send")
    chosen = [(moment, number) for number in mails[:1] for moment in ("before", "after")]
    if way is MAIL:
        notes = [*requests(effects, "attachable")[:1], *requests(effects, "/History")[-1:]]
        chosen += [(moment, number) for number in notes for moment in ("before", "after")]
        chosen += [("after", number) for number in requests(effects, "token")]
        chosen += every_point(effects)[5::241]
    if way is FILE:
        gate = requests(mail_effects, "mail/send")[0] - 1  # up to there both nights have the same effects
        chosen += [("after", gate), ("before", gate + 1), *every_point(effects)[3::193]]
    return list(dict.fromkeys(chosen))


@pytest.mark.parametrize("share", [0, *(pytest.param(share, marks=pytest.mark.long) for share in range(1, _SHARES))])
@pytest.mark.parametrize(
    "way", [FILE, MAIL, pytest.param(MAIL_WITH_FEED, marks=pytest.mark.long)], ids=lambda way: way.name
)
def test_a_kill_at_a_sample_of_the_effects(
    tmp_path: Path, nursery: Nursery, eve: Path, traces: Traces, way: Way, share: int
) -> None:
    effects = traces.of(way)
    points = sample(way, effects, traces.of(MAIL))
    points = points[share * len(points) // _SHARES : (share + 1) * len(points) // _SHARES]
    outcomes = sweep(tmp_path, way, nursery, eve, effects, points)
    assert outcomes.total() == len(points) > 0


@pytest.mark.long
@pytest.mark.parametrize("share", range(8))
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_kill_before_and_after_every_effect(
    tmp_path: Path,
    nursery: Nursery,
    eve: Path,
    traces: Traces,
    way: Way,
    share: int,
) -> None:
    effects = traces.of(way)
    points = every_point(effects)[share::8]
    outcomes = sweep(tmp_path, way, nursery, eve, effects, points)
    sys.stdout.write(f"{way.name} {share}: {len(points)} kills of {2 * len(effects)}: {dict(outcomes)}\n")
    assert outcomes.total() == len(points)


@pytest.mark.parametrize("wanted", ["after", pytest.param("before", marks=pytest.mark.long)])
def test_where_quickbooks_lets_the_old_token_live_a_lost_refresh_heals_by_itself(
    tmp_path: Path, nursery: Nursery, eve: Path, traces: Traces, wanted: str
) -> None:
    switches = {"quickbooks.old_refresh_token": "24h"}
    ((moment, number),) = (point for point in lost_consent(traces.of(FILE)) if point[0] == wanted)
    with Night.prepared(tmp_path / moment, FILE, nursery, copy_of=eve, **switches) as night:
        assert night.run("--kill", f"{moment}:{number}") == -9
        night.recover()
        assert night.statuses == [-9, 0], night.said
        everything_went_out(night)


@pytest.mark.long
def test_the_traced_run_is_a_command_of_its_own(tmp_path: Path, nursery: Nursery, eve: Path, traces: Traces) -> None:
    """`python -m arsync.testing.trace`: its log ends where the process did, and its exit status is that of the run."""
    with Night.prepared(tmp_path / "office", FILE, nursery, copy_of=eve) as night:
        log = tmp_path / "effects.log"
        command = [sys.executable, "-m", "arsync.testing.trace", "--config", str(night.office.config)]
        killed = subprocess.run(
            [*command, "--log", str(log), "--kill", "before:20", "run"], check=False, capture_output=True, timeout=60
        )
        assert killed.returncode == -9
        lines = log.read_text(encoding="utf-8").splitlines()
        assert lines[-1] == "20 before commit"
        assert len(lines) == 39, "nineteen effects whole, and the twentieth begun"
        night.office.sandbox.advance(400)
        whole = subprocess.run([*command, "run"], check=False, capture_output=True, timeout=60)
        assert whole.returncode == 0, whole.stderr
        everything_went_out(night)


# --- suspensions -------------------------------------------------------------------------------------------------


def freeze_and_go_on(
    folder: Path, way: Way, nurseries: tuple[Nursery, Nursery], eve: Path, point: Point, *, real_seconds: float = 0.0
) -> Night:
    """
    the first night stands still; a quarter of an hour later, past every lease, a second night does all there is to do;
    the first wakes and goes on as if no time had passed; a third settles what is left
    """
    first, second = nurseries
    with Night.prepared(folder, way, first, copy_of=eve) as night:
        child, stopped, _ = night.begin("--freeze", f"{point[0]}:{point[1]}")
        began = time.monotonic()
        assert stopped == 19, "it stands still"
        night.office.sandbox.advance(15 * 60)
        other = Night(night.office, way, second)
        other.recover()
        before = night.letters()
        # The guards of the first byte count real seconds, for they guard real bytes.
        time.sleep(max(0.0, real_seconds - (time.monotonic() - began)))
        first.go_on(child)
        assert night.letters() == before or real_seconds == 0.0, "who slept past its lease sends nothing"
        other.recover()
        assert set(night.letters().values()) == {1}
        assert_notes(night)
        assert "Traceback" not in night.said
        everything_went_out(night)
        return night


def confirmed(effects: Sequence[Effect]) -> Point:
    """Right after the first message was confirmed: its next effect is the gate's commit."""
    return ("after", requests(effects, "mail/send")[0] - 2)


def claimed(effects: Sequence[Effect]) -> Point:
    """Right before the payers are read again, for which the messages were claimed."""
    return ("before", requests(effects, "/batch")[1])


def syncing(effects: Sequence[Effect]) -> Point:
    return ("after", requests(effects, "/cdc")[0])


@pytest.mark.parametrize(
    "place",
    [pytest.param(syncing, marks=pytest.mark.long), claimed, pytest.param(confirmed, marks=pytest.mark.long)],
    ids=["syncing", "claimed", "confirmed"],
)
def test_who_was_suspended_past_its_lease_sends_nothing(
    tmp_path: Path,
    nursery: Nursery,
    another_nursery: Nursery,
    eve: Path,
    traces: Traces,
    place: Callable[[Sequence[Effect]], Point],
) -> None:
    freeze_and_go_on(tmp_path / "office", MAIL, (nursery, another_nursery), eve, place(traces.of(MAIL)))


def test_who_was_suspended_behind_the_gate_finds_out_before_its_first_byte(
    tmp_path: Path, nursery: Nursery, another_nursery: Nursery, eve: Path, traces: Traces
) -> None:
    """The second night calls the message unknown; the first, awake, knows that nothing left; the third sends it."""
    request = requests(traces.of(MAIL), "mail/send")[0]
    freeze_and_go_on(
        tmp_path / "office", MAIL, (nursery, another_nursery), eve, ("before", request),
        real_seconds=send.FIRST_BYTE + 0.5,
    )  # fmt: skip


@pytest.mark.long
def test_who_was_suspended_while_the_answer_came_settles_the_message_after_all(
    tmp_path: Path, nursery: Nursery, another_nursery: Nursery, eve: Path, traces: Traces
) -> None:
    """The second night calls it unknown; the first wakes with the provider's answer in hand, which is evidence."""
    request = requests(traces.of(MAIL), "mail/send")[0]
    freeze_and_go_on(tmp_path / "office", MAIL, (nursery, another_nursery), eve, ("after", request))


@pytest.mark.long
@pytest.mark.parametrize("vendor", ["attachable", "/History"])
@pytest.mark.parametrize(
    ("moment", "step"), [("after", -1), ("before", 0), ("after", 0)], ids=["claimed", "before", "after"]
)
def test_who_was_suspended_before_a_note_does_not_write_it_again(
    tmp_path: Path,
    nursery: Nursery,
    another_nursery: Nursery,
    eve: Path,
    traces: Traces,
    vendor: str,
    moment: str,
    step: int,
) -> None:
    request = requests(traces.of(FILE), vendor)[1]
    freeze_and_go_on(
        tmp_path / "office", FILE, (nursery, another_nursery), eve, (moment, request + step),
        real_seconds=writeback.FIRST_BYTE + 1.0,
    )  # fmt: skip


@pytest.mark.long
def test_who_was_suspended_anywhere_doubles_nothing(
    tmp_path: Path, nursery: Nursery, another_nursery: Nursery, eve: Path, traces: Traces
) -> None:
    """After every eighth effect but between a note's claim and its answer, which the test above has."""
    effects = traces.of(MAIL_WITH_FEED)
    written = [*requests(effects, "attachable"), *requests(effects, "/History")]
    notes = {number - step for number in written for step in (0, 1)}
    for effect in effects[::8]:
        if effect.number in notes or "token" in effect.what:
            continue
        folder = tmp_path / str(effect.number)
        freeze_and_go_on(folder, MAIL_WITH_FEED, (nursery, another_nursery), eve, ("after", effect.number),
                         real_seconds=send.FIRST_BYTE + 0.5)  # fmt: skip
