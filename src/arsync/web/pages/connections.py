"""Companies: whether they can be read, how long their consents last, what could not be read; linked and parted from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from arsync.bootstrap import App, linking
from arsync.connector import Consent, Reachable
from arsync.domain.roles import Role
from arsync.domain.states import Health
from arsync.errors import NotFound, Rejected, UsageError
from arsync.store import connections, grants, reminders
from arsync.store.connections import Connection
from arsync.store.grants import Grant
from arsync.store.reminders import Answer
from arsync.web import consenting
from arsync.web.access import Needs, Reach
from arsync.web.consenting import ANSWER, Held
from arsync.web.routes import act, of_company, page
from arsync.web.visit import Visit
from arsync.worker.jobs import held_lock

_RECORDS: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One company, as the list has it."""

    one: Connection
    grant: Grant
    quarantined: int

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look."""
        return self.one.health is Health.OK and not self.quarantined


@dataclass(frozen=True, slots=True)
class Way:
    """A provider by whose page a company can be let in; `wrong` says why it cannot from here."""

    provider: str
    wrong: str


def list_connections(visit: Visit) -> Response:
    """The companies of whoever asks; those that were parted from for who sees every company."""
    with visit.app.store.reading() as work:
        known, broken = grants.grants(work), connections.quarantined_count(work)
        every = connections.connections(work) if _sees_all(visit) else list(visit.companies)
    lines = [Line(one, known[one.grant_id], broken.get(one.id, 0)) for one in every]
    may_link = _sees_all(visit) and visit.may("admin")
    return visit.render("connections.html", lines=lines, ways=_ways(visit) if may_link else [])


def connection(visit: Visit) -> Response:
    """One company: its consent, its own reminders, and what could not be read of it."""
    one = _company(visit)
    asked = visit.query.get("page", "1")
    number = max(int(asked), 1) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1
    with visit.app.store.reading() as work:
        grant = grants.grants(work)[one.grant_id]
        count = connections.quarantined_count(work).get(one.id, 0)
        records = connections.quarantined(work, one.id, first=(number - 1) * _RECORDS, most=_RECORDS)
        answer = reminders.answered(work, one.id)
    return visit.render(
        "connection.html", one=one, grant=grant, count=count, records=records, number=number,
        is_last=number * _RECORDS >= count, reminders=_standing(visit.app, one, answer),
        asks=linking.is_unanswered(visit.app, one) or answer is not None, timezone=visit.app.timezone(one),
    )  # fmt: skip


def _company(visit: Visit) -> Connection:
    assert visit.company is not None
    return visit.company


def _sees_all(visit: Visit) -> bool:
    return visit.person is not None and visit.person.companies is None


def _standing(app: App, one: Connection, answer: Answer | None) -> str:
    """Whether it reminds its customers itself, and who says so."""
    if app.settings.company(one.name).reminders == "off":
        return "off, as the settings say"
    if one.reminders_on is not None:
        return f"{'on' if one.reminders_on else 'off'}, as it tells itself"
    if answer is not None:
        return f"{'on' if answer.reminds else 'off'}, as {answer.author} said"
    return "not known"


# --- what a person says and does --------------------------------------------------------------------------------------


def answer_reminders(visit: Visit) -> Response:
    """Keeps whether the company sends reminders itself."""
    one = _company(visit)
    said = visit.form.get("reminds", "")
    if said not in ("on", "off"):
        raise UsageError("say whether its own reminders are on or off")
    linking.keep_answer(visit.app, one.name, reminds=said == "on", author=visit.author)
    return visit.see(f"/connections/{one.name}")


def ask_to_disconnect(visit: Visit) -> Response:
    """Tells what a disconnection does, and asks for it."""
    one = _company(visit)
    with visit.app.store.reading() as work:
        others = grants.connections_of(work, one.grant_id)
    stay = [other for other in others if other.id != one.id and other.health is not Health.DISCONNECTED]
    seen = {one.id for one in visit.companies}
    return visit.render("disconnect.html", one=one, stay=[other for other in stay if other.id in seen])


def disconnect(visit: Visit) -> Response:
    """Nothing is read, written or sent for the company any more; its data stay."""
    one = _company(visit)
    lease = held_lock(visit.app.store, visit.app.clock, [one])
    try:
        parted = linking.disconnect(visit.app, one, author=visit.author)
    finally:
        lease.drop()
    if parted.untold is not None:
        raise Rejected(
            f"{one.name} is disconnected, but {one.provider} could not be told: {parted.untold}; tell it by "
            f"`arsync disconnect {one.name}`"
        )
    return visit.see("/connections")


# --- the way in -------------------------------------------------------------------------------------------------------


def _ways(visit: Visit) -> list[Way]:
    found = []
    for provider in sorted(visit.app.settings.connectors):
        consent = visit.app.consent(provider)
        if consent is not None:
            here = consenting.leads_here(consent, visit.site)
            found.append(Way(provider, "" if here else f"{provider}.redirect_uri"))
    return found


def _consent(visit: Visit, provider: str) -> Consent:
    consent = visit.app.consent(provider) if provider in visit.app.settings.connectors else None
    if consent is None:
        raise NotFound(f"a provider {provider!r} that asks for consent")
    if not consenting.leads_here(consent, visit.site):
        raise UsageError(
            f"{provider}.redirect_uri is {consent.redirect_uri}: to link from the desk it must be the desk's own "
            f"address with {ANSWER}, here and in the list of your app at {provider}"
        )
    return consent


def consent_page(visit: Visit) -> Response:
    """What will be asked for, and the way to the vendor's page."""
    provider = str(visit.named["provider"])
    consent = _consent(visit, provider)
    address = consenting.address(consent, provider, kept=visit.kept, now=visit.now)
    return visit.render("consent.html", provider=provider, consent=consent, address=address)


def consent_answer(visit: Visit) -> Response:
    """What the vendor's page sent back: the companies that it opens, to choose from. Nothing is kept yet."""
    back = consenting.came(visit.query, kept=visit.kept, now=visit.now)
    consent = _consent(visit, back.provider)
    pair = consent.exchange(back.code, verifier=back.verifier if consent.proves else None)
    there = consent.companies(pair.access_token, back.others)
    if not there:
        raise Rejected("the consent opens no company: pick at least one on the vendor's page")
    held = consenting.seal(
        visit.app, Held(back.provider, pair, back.others), kept=visit.kept, now=visit.now
    )  # fmt: skip
    return visit.render("consented.html", provider=back.provider, there=_named(visit, back.provider, there), held=held)


def _named(visit: Visit, provider: str, there: tuple[Reachable, ...]) -> list[Mapping[str, Any]]:
    """The companies with what is known of them here."""
    with visit.app.store.reading() as work:
        known = {one.external_id: one for one in connections.connections(work) if one.provider == provider}
    return [
        {
            "id": one.external_id,
            "name": one.name or (known[one.external_id].company_name if one.external_id in known else ""),
            "known": known.get(one.external_id),
        }
        for one in there
    ]


def link(visit: Visit) -> Response:
    """Links the companies that were chosen, or gives known ones their new consent."""
    held = consenting.unseal(visit.app, visit.form.get("held", ""), kept=visit.kept, now=visit.now)
    wanted = set(visit.form.get("company", "").split("\n")) - {""}
    if not wanted:
        raise UsageError("no company was chosen: nothing was linked")

    def pick(there: tuple[Reachable, ...]) -> list[Reachable]:
        return [one for one in there if one.external_id in wanted]

    done = linking.link(visit.app, held.provider, held.pair, pick=pick, told=held.others, author=visit.author)
    if done.failed:
        told = "; ".join(f"{one.name or one.external_id} was not linked: {why}" for one, why in done.failed)
        raise Rejected(told)
    return visit.see(f"/connections/{done.linked[0].name}" if len(done.linked) == 1 else "/connections")


_ADMIN: Final = Needs(Role.ADMIN, Reach.EVERYTHING)
_ADMIN_OF_IT: Final = Needs(Role.ADMIN, of_company)
ROUTES = [
    page("/connections", list_connections, access=Needs(Role.VIEWER, Reach.THEIRS)),
    page(ANSWER, consent_answer, access=_ADMIN),
    page("/link/{provider}", consent_page, access=_ADMIN),
    act("/link", link, access=_ADMIN),
    page("/connections/{company}", connection, access=Needs(Role.VIEWER, of_company)),
    act("/connections/{company}/reminders", answer_reminders, access=_ADMIN_OF_IT),
    page("/connections/{company}/disconnect", ask_to_disconnect, access=_ADMIN_OF_IT),
    act("/connections/{company}/disconnect", disconnect, access=_ADMIN_OF_IT),
]
