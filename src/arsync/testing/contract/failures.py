"""Clauses on reading over a bad line: whole, or the right error, and no secret in it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Final

import pytest

from arsync.connector import Connector, NoteDraft, NoteTarget, Resource, TargetKind
from arsync.errors import ArsyncError, ConnectorError, Malformed, Reauthorise, RetryLater
from arsync.testing.contract.alone import only_what_is_injected
from arsync.testing.contract.held import Held
from arsync.testing.contract.source import Ability, Fault, Source

Reading = Callable[[Connector], object]


def _reads(source: Source, cursor: str) -> dict[str, Reading]:
    """Each way to read, complete."""
    bill = source.owed()[0]
    return {
        "company": lambda connector: connector.company(),
        "watermark": lambda connector: connector.watermark(),
        "backfill": lambda connector: list(connector.backfill(Resource.INVOICES, since=source.since, cursor=None)),
        "delta": lambda connector: list(connector.delta(cursor)),
        "refresh": lambda connector: list(connector.refresh([bill.customer_id], cursor=cursor)),
        "records": lambda connector: list(connector.records(Resource.INVOICES, [bill.remote_id])),
    }


#: what a fault that does not end makes of a read
_LASTING: Final[dict[Fault, tuple[type[ConnectorError], ...]]] = {
    Fault.THROTTLED: (RetryLater,),
    Fault.DOWN: (RetryLater,),
    Fault.TRUNCATED: (RetryLater, Malformed),
    Fault.SILENT: (RetryLater,),
    Fault.CUT_BEFORE: (RetryLater,),
    Fault.CUT_AFTER: (RetryLater,),
    Fault.EXPIRED: (Reauthorise,),
}


class Failures:
    """A read under a fault is whole, or it raises what the worker must do next; it is never silently a part."""

    def test_throttling_that_lasts_comes_later(self, source: Source) -> None:
        self._lasts(source, Fault.THROTTLED)

    def test_a_server_that_stays_down_is_asked_later(self, source: Source) -> None:
        self._lasts(source, Fault.DOWN)

    def test_an_answer_cut_in_half_is_never_taken_for_whole(self, source: Source) -> None:
        self._lasts(source, Fault.TRUNCATED)

    def test_a_line_that_stays_silent_is_tried_later(self, source: Source) -> None:
        self._lasts(source, Fault.SILENT, only=("delta",))

    def test_a_line_that_keeps_breaking_is_tried_later(self, source: Source) -> None:
        self._lasts(source, Fault.CUT_BEFORE)
        self._lasts(source, Fault.CUT_AFTER, only=("backfill", "delta"))

    def test_a_consent_that_has_ended_asks_for_a_person(self, source: Source) -> None:
        source.needs(Ability.TOKENS)
        self._lasts(source, Fault.EXPIRED)

    def _lasts(self, source: Source, fault: Fault, *, only: tuple[str, ...] = ()) -> None:
        source.needs(fault)
        cursor = source.connector().watermark()
        for name, read in _reads(source, cursor).items():
            if only and name not in only:
                continue
            connector = source.connector()
            source.fault(fault)
            with pytest.raises(ConnectorError) as told:
                read(connector)
            source.calm()
            assert isinstance(told.value, _LASTING[fault]), f"{name}, {fault}: {type(told.value).__name__}"
            if isinstance(told.value, RetryLater):
                assert told.value.after > 0, f"{name}, {fault}: come back after how long?"

    def test_a_fault_that_passes_costs_no_record(self, source: Source) -> None:
        """Each fault once, in the midst of a backfill: what raises is repeated from the last cursor, as arsync does."""
        faults = [one for one in Fault if one not in source.cannot and one is not Fault.SILENT]
        if not faults:
            source.needs(*Fault)
        for number, fault in enumerate(faults):
            held, cursor = Held(), None
            source.fault(fault, times=1, skip=number % 2)
            for _ in range(3):
                try:
                    for page in source.connector().backfill(Resource.INVOICES, since=source.since, cursor=cursor):
                        held.take([page])
                        cursor = page.cursor
                    break
                except ConnectorError as error:
                    assert isinstance(error, _LASTING[fault]), f"{fault}: {type(error).__name__}"
            source.calm()
            held.must_agree(source)

    def test_a_token_that_has_ended_is_renewed_once(self, source: Source) -> None:
        source.needs(Ability.TOKENS, Fault.EXPIRED)
        connector = source.connector()
        connector.company()
        before = source.renewals()
        source.fault(Fault.EXPIRED, times=1)
        connector.company()
        assert source.renewals() - before == 1

    def test_no_secret_is_told(self, source: Source, caplog: pytest.LogCaptureFixture) -> None:
        """Not in errors and what they chain, not in what a connector prints as, not in the log."""
        caplog.set_level(0)
        cursor = source.connector().watermark()
        reads = _reads(source, cursor)
        bill = source.owed()[0]
        note = NoteDraft(NoteTarget(TargetKind.INVOICE, bill.remote_id), "text [arsync:s]", "[arsync:s]", "key-s")
        said: list[str] = []
        for fault in [one for one in Fault if one not in source.cannot and one is not Fault.SILENT]:
            for writes in (False, True):
                if writes and Ability.NOTES in source.cannot:
                    continue
                connector = source.connector()
                source.fault(fault, writes=writes)
                try:
                    if writes:
                        connector.write_note(note)
                    else:
                        reads["backfill"](connector)
                except ArsyncError as error:
                    said += ["".join(traceback.format_exception(error)), repr(error), repr(error.args)]
                source.calm()
                said += [repr(connector), str(connector), repr(getattr(connector, "__dict__", ""))]
        said.append(caplog.text)
        secrets = source.secrets()
        for secret in secrets:
            assert secret, "an empty secret proves nothing"
            assert not [text for text in said if secret in text], "a token or a key is told"

    def test_the_connector_uses_only_what_it_was_given(self, source: Source) -> None:
        """Its session and its clock: no connection, no wait and no time of its own."""
        connector = source.connector()
        bill = source.owed()[0]
        with only_what_is_injected(connector, source.sessions()):
            cursor = connector.watermark()
            for read in _reads(source, cursor).values():
                read(connector)
            if Ability.NOTES not in source.cannot:
                target = NoteTarget(TargetKind.INVOICE, bill.remote_id)
                connector.write_note(NoteDraft(target, "text [arsync:a]", "[arsync:a]", "key-a"))
                connector.find_note(target, "[arsync:a]")
