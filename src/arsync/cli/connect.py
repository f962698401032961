"""Letting arsync into companies, and out again: connect, disconnect."""

from __future__ import annotations

import secrets
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer

from arsync.acts.locking import locked
from arsync.bootstrap import App, linking
from arsync.bootstrap.linking import Linked
from arsync.cli.browser import Callback, Told, is_here, read_answer
from arsync.cli.context import Author, author_or_me, opened
from arsync.cli.output import complain, flat, say
from arsync.cli.source import Said, keep_answer
from arsync.connector import Consent, Reachable, TokenPair
from arsync.connector.oauth import challenge
from arsync.domain.states import Health
from arsync.errors import Rejected, UsageError
from arsync.store import connections, grants
from arsync.store.connections import Connection

#: seconds that a person has on the consent page
_WAIT: Final = 300.0


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(connect)
    program.command()(disconnect)


def connect(
    context: typer.Context,
    provider: Annotated[str, typer.Argument(help="quickbooks or xero")],
    name: Annotated[str | None, typer.Option(help="What to call it; default: as in arsync.toml.")] = None,
    company: Annotated[
        list[str] | None, typer.Option(help="A company to link, by id or name; may be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Link every company that the consent opens.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    paste: Annotated[bool, typer.Option("--paste", help="Paste the address that the browser ends on.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the consent.")] = _WAIT,
    client_credentials: Annotated[
        bool, typer.Option("--client-credentials", help="The app is its own consent (a Xero custom connection).")
    ] = False,
    refresh_token: Annotated[
        str | None, typer.Option(envvar="ARSYNC_REFRESH_TOKEN", help="A token that you have already.")
    ] = None,
    external_id: Annotated[
        str | None, typer.Option(help="With a token: the realm id (QuickBooks) or tenant id (Xero).")
    ] = None,
    reminders: Annotated[
        Said | None, typer.Option(help="Whether the company sends reminders itself, where it does not tell.")
    ] = None,
    author: Author = None,
) -> None:
    """Links companies by your consent on the vendor's page, or by a refresh token that you have."""
    linking.check_name(name)
    with opened(context) as app:
        app.connector_settings(provider)
        consent = app.consent(provider)
        wanted = linking.expected(app, provider, name)
        if consent is None or refresh_token:
            if external_id is None:
                raise UsageError("--external-id is missing: which company it is")
            _refuse_another(name, wanted, external_id)
            one = linking.link_by_token(
                app, provider, refresh_token=refresh_token or "", external_id=external_id, name=name,
                author=author_or_me(author),
            )  # fmt: skip
            _tell(Linked([one]), consent)
            _ask_of_reminders(app, [one], reminders, author)
            return
        if external_id is not None:
            raise UsageError("--external-id needs --refresh-token (or ARSYNC_REFRESH_TOKEN); by consent: --company")
        told: Mapping[str, str] = {}
        if client_credentials:
            pair = consent.own()
        else:
            pair, told = _consented(app, consent, browser=not no_browser, paste=paste, wait=wait)
        picker = _Picker(app, provider, name=name, wanted=wanted, company=company or (), every=yes)
        done = linking.link(app, provider, pair, pick=picker.pick, told=told, name=name, author=author_or_me(author))
        _tell(done, consent)
        _ask_of_reminders(app, done.linked, reminders, author)
    if done.failed:
        raise typer.Exit(1)


def _refuse_another(name: str | None, wanted: str | None, given: str) -> None:
    if wanted is not None and wanted != given:
        raise UsageError(f"another company is called {name!r} already ({wanted}; this is {given}): nothing was linked")


# --- the consent ------------------------------------------------------------------------------------------------


def _consented(
    app: App, consent: Consent, *, browser: bool, paste: bool, wait: float
) -> tuple[TokenPair, Mapping[str, str]]:
    """Sends a person to the consent page, and makes tokens of the answer."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64) if consent.proves else None
    address = consent.address(state=state, challenge=challenge(verifier) if verifier else None)
    by_hand = paste or not is_here(consent.redirect_uri)
    callback = None if by_hand else Callback(consent.redirect_uri, state)
    try:
        say(f"arsync will read {consent.reads}, and write {consent.writes}; nothing else.")
        say(f"It asks for the scopes: {consent.scopes}")
        say("Consent here, as somebody who may:")
        say(address)
        if browser and not by_hand:
            webbrowser.open(address)
        answer = callback.wait(app.clock, wait) if callback else _pasted(state, consent.redirect_uri)
    finally:
        if callback:
            callback.close()
    return consent.exchange(answer.code, verifier=verifier), answer.others


def _pasted(state: str, redirect_uri: str) -> Told:
    """The address that the browser ended on; asked three times at most."""
    for _ in range(3):
        # Not shown: the address holds the code, and terminals are recorded.
        address = typer.prompt(
            f"The address that the browser ends on ({redirect_uri}?...)", hide_input=sys.stdin.isatty()
        )
        try:
            return read_answer(address, state=state, redirect_uri=redirect_uri)
        except (UsageError, ValueError) as error:
            complain(str(error) if isinstance(error, UsageError) else "that is no address")
    raise UsageError("no address that could be used: nothing was linked")


class _Picker:
    """Which of the companies that a consent opens are linked."""

    def __init__(
        self, app: App, provider: str, *, name: str | None, wanted: str | None, company: Sequence[str], every: bool
    ) -> None:
        self._name, self._wanted, self._company, self._every = name, wanted, company, every
        configured = {own.external_id for own in app.settings.connections.values() if own.provider == provider}
        with app.store.reading() as work:
            linked = {one.external_id for one in connections.connections(work) if one.provider == provider}
        self._known = configured | linked

    def pick(self, there: tuple[Reachable, ...]) -> list[Reachable]:
        """Those named; else the one that --name means; else all, the only one, the known ones, or as one answers."""
        if not there:
            raise Rejected("the consent opens no company: pick at least one on the consent page")
        if self._company:
            return [self._named(one, there) for one in self._company]
        if self._wanted is not None:
            found = [one for one in there if one.external_id == self._wanted]
            if not found:
                opened = ", ".join(_called(one) for one in there)
                raise UsageError(
                    f"{self._name} is the company {self._wanted}, and this consent is for {opened}: nothing was linked"
                )
            return found
        if self._every or len(there) == 1:
            return list(there)
        known = [one for one in there if one.external_id in self._known]
        if sys.stdin.isatty():
            return _asked(there, known)
        if known:
            return known
        raise UsageError(
            "the consent opens several companies: pick by --company, or take all by --yes: "
            + ", ".join(_called(one) for one in there)
        )

    def _named(self, text: str, there: Sequence[Reachable]) -> Reachable:
        found = [one for one in there if text in (one.external_id, one.name)]
        if len(found) != 1:
            opened = ", ".join(_called(one) for one in there)
            raise UsageError(f"--company {text}: {'more than one' if found else 'none'} of {opened}")
        return found[0]


def _called(one: Reachable) -> str:
    return flat(f"{one.name} ({one.external_id})" if one.name else one.external_id)


def _asked(there: Sequence[Reachable], known: Sequence[Reachable]) -> list[Reachable]:
    for number, one in enumerate(there, 1):
        say(f"{number:>3}  {_called(one)}{'  (known)' if one in known else ''}")
    numbers = [str(there.index(one) + 1) for one in known or there]
    while True:
        answer = typer.prompt("Link which? Numbers", default=",".join(numbers))
        picked = [part.strip() for part in answer.split(",") if part.strip()]
        if picked and all(part.isdigit() and 1 <= int(part) <= len(there) for part in picked):
            return [there[number - 1] for number in sorted({int(part) for part in picked})]
        complain(f"numbers from 1 to {len(there)}, apart by commas")


def _tell(done: Linked, consent: Consent | None) -> None:
    for one in done.linked:
        say(flat(f"{one.name}: {one.company_name} ({one.provider} {one.external_id}), {one.base_currency}"))
    if consent is not None:
        say(f"arsync will read {consent.reads}, and write {consent.writes}; nothing else.")
    else:
        say("arsync will read customers, invoices, payments and credits, and write notes; nothing else.")
    for one in done.renewed:
        say(f"{one.name} lives by this consent as well from now on")
    for company, why in done.failed:
        complain(f"{_called(company)} was not linked: {why}")
    for one in done.linked:
        say(f"next: arsync {'backfill' if one.health is Health.RECOVERING else 'sync'} {one.name}")


def _ask_of_reminders(app: App, those: Sequence[Connection], said: Said | None, author: str | None) -> None:
    """Once of a company that does not tell it: whether it reminds its customers itself. Nothing goes out before."""
    for one in those:
        if said is not None and one.reminders_on is None:
            keep_answer(app, one.name, said, author_or_me(author))
        elif linking.is_unanswered(app, one):
            answer = _of_reminders(one) if sys.stdin.isatty() else None
            if answer is not None:
                keep_answer(app, one.name, answer, author_or_me(author))
            else:
                say(f"nothing goes out from {one.name} before somebody has looked whether it sends reminders itself,")
                say(f"and has said so: arsync reminders {one.name} off (or on)")


def _of_reminders(one: Connection) -> Said | None:
    say(f"{one.provider} does not tell whether {flat(one.company_name)} sends payment reminders itself: look there.")
    while True:
        answer = typer.prompt("Its own reminders are (on, off, later)", default="later").strip().lower()
        if answer in (*Said, "later"):
            return None if answer == "later" else Said(answer)
        complain("on, off or later")


# --- the way out -----------------------------------------------------------------------------


def disconnect(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="CONNECTION")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    author: Author = None,
) -> None:
    """Ends arsync's way into one company. Its data stay; nothing is read, written or sent for it any more."""
    with opened(context) as app, locked(app, app.linked([name])):
        with app.store.reading() as work:
            one = connections.connection(work, name)
            others = _others(grants.connections_of(work, one.grant_id), one)
        keeps = f" {', '.join(others)} stay connected." if others else ""
        if not yes and not typer.confirm(f"Disconnect {one.name} ({flat(one.company_name)})?{keeps}"):
            raise UsageError("nothing was changed")
        parted = linking.disconnect(app, one, author=author_or_me(author))
    say(f"{name} is disconnected: nothing is read, written or sent for it any more; its data stay")
    if parted.untold is not None:
        complain(f"{one.provider} could not be told: {parted.untold}; run it again")
        raise typer.Exit(1)
    if parted.whole:
        say("it was the last company of its consent, which is ended as well")
    say(f"arsync connect {one.provider} resumes it")


def _others(every: Sequence[Connection], but: Connection) -> list[str]:
    return [one.name for one in every if one.id != but.id and one.health is not Health.DISCONNECTED]
