"""Previews: what a step of a playbook says, before anybody gets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.bootstrap import App
from arsync.channel.contract import Envelope
from arsync.channel.mime import compose
from arsync.cli.context import ConnectionOption, opened
from arsync.cli.output import flat, say
from arsync.domain.chase import ChaseFacts, Intent, Letterhead, Rendered, Seller
from arsync.domain.clock import SystemClock, local_date
from arsync.domain.policy import Playbook, Step
from arsync.errors import Ambiguous, ConfigurationError, NotFound, Rejected, UsageError
from arsync.playbook.drafts import described, letterhead_for
from arsync.playbook.facts import gather
from arsync.playbook.preview import intended, sample
from arsync.playbook.problems import nearest
from arsync.render import locales, render
from arsync.render.wording import at_home
from arsync.store.connections import Connection

_KINDS: Final = (".html", ".txt", ".eml")
_NOBODY: Final = "nobody@example.invalid"


def register(program: typer.Typer) -> None:
    """Adds the preview to the group of playbooks."""
    (group,) = (found.typer_instance for found in program.registered_groups if found.name == "playbook")
    assert group is not None
    group.command("preview")(preview)


def preview(
    context: typer.Context,
    step: Annotated[str, typer.Argument(help="The step's name.")],
    playbook: Annotated[str | None, typer.Option(help="A name or file; default: as configured.")] = None,
    customer: Annotated[str | None, typer.Option(help="A customer of the cache; default: one made up.")] = None,
    connection: ConnectionOption = None,
    locale: Annotated[str | None, typer.Option(help="Default: the customer's.")] = None,
    instead: Annotated[
        bool, typer.Option("--instead", help="What the step is where an e-mail reaches nobody.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A file: .html, .txt or .eml. Default: print the text.")] = None,
) -> None:
    """Renders a step for a customer, whether or not it is due; never sends."""
    if out is not None and out.suffix not in _KINDS:
        raise UsageError(f"--out {out}: the name ends in .html, .txt or .eml")
    with opened(context) as app:
        named = playbook or app.settings.defaults.playbook
        if playbook is None and connection is not None:
            named = app.settings.company(connection).playbook
        chosen, templates = app.playbook(named)
        one = _in_place(_step(chosen, step)) if instead else _step(chosen, step)
        if customer is None:
            now = SystemClock().now()
            seller = _seller(app)
            intent, letterhead = sample(one, seller, locale or seller.locale, local_date(now, seller.timezone))
        else:
            intent, letterhead, now = _of_customer(app, one, customer, connection)
        if locale is not None:
            # A script for our own people is in the seller's language.
            own = replace(letterhead.seller, locale=locale) if one.is_task else letterhead.seller
            letterhead = replace(letterhead, locale=locale, seller=own)
        _check_locale(one, letterhead.locale, templates)
        rendered = render(intent, letterhead, templates)
    if out is None:
        say(f"Subject: {rendered.subject}", style="bold")
        say()
        say(rendered.text.rstrip())
        return
    out.write_bytes(_as_file(out.suffix, rendered, intent, letterhead, now))
    say(flat(f"wrote {out}: {one.id} of {chosen.name} to {letterhead.payer_name}; nothing was sent"))


def _step(playbook: Playbook, name: str) -> Step:
    found = next((step for step in playbook.steps if step.id == name), None)
    if found is not None:
        return found
    near = nearest(name, [step.id for step in playbook.steps])
    steps = ", ".join(step.id for step in playbook.steps) or "none"
    hint = f"did you mean {near!r}? " if near else ""
    raise NotFound(f"{playbook.name} has no step {name!r} ({hint}there are: {steps})")


def _in_place(step: Step) -> Step:
    if step.instead is None:
        raise NotFound(
            f"nothing takes the place of {step.id} where its e-mail reaches nobody: its step has no `instead`"
        )
    return step.in_place_of_mail(step.instead)


def _check_locale(step: Step, locale: str, templates: Path) -> None:
    there = sorted(locales(step.template, templates))
    if locale.replace("_", "-").split("-")[0] not in there and locale not in there:
        raise NotFound(f"{step.template} is not there in {locale} (there is: {', '.join(there)})")


def _seller(app: App) -> Seller:
    """The company of `[defaults]`; where it says nothing, one made up."""
    company = app.settings.defaults
    sender = app.settings.delivery.sender or "Your company <accounts@example.com>"
    return Seller(
        name=company.company_name or "Your company",
        timezone=company.timezone or "UTC",
        locale=at_home(company.locale, company.country),
        reply_to=company.reply_to or sender,
        sender=sender,
        legal_footer=company.legal_footer,
        color=company.brand.color,
        bank_details=dict(company.bank_details) or {"EUR": "Your company\nIBAN DE00 0000 0000 0000 0000 00"},
        logo=company.brand.logo or "",
        font=company.brand.font or "",
    )


def _of_customer(app: App, step: Step, customer: str, connection: str | None) -> tuple[Intent, Letterhead, datetime]:
    found: list[tuple[Connection, ChaseFacts, date, datetime]] = []
    for linked in app.linked([connection] if connection else ()):
        policy = app.policy(linked)
        try:
            now = app.clock.now()
        except ConfigurationError:
            now = linked.synced_at or SystemClock().now()  # a rehearsal that has ended
        with app.store.reading() as work:
            gathered = gather(work, linked, policy, now=now)
        today = local_date(now, policy.seller.timezone)
        found += [(linked, facts, today, now) for facts in gathered.facts if any(item.balance for item in facts.items)]
    wanted = customer.casefold()
    fitting = [one for one in found if one[1].payer_name.casefold() == wanted] or [
        one for one in found if wanted in one[1].payer_name.casefold()
    ]
    names = sorted({flat(f"{one[1].payer_name} ({one[0].name})") for one in fitting})
    if not fitting:
        near = nearest(customer, {one[1].payer_name.lower() for one in found})
        hint = f" (did you mean {near!r}?)" if near else ""
        raise NotFound(f"no customer {customer!r} has anything open{hint}")
    if len(names) > 1:
        raise Ambiguous(f"{customer!r} may be {', '.join(names[:5])}: name one, or add --connection")
    linked, facts, today, now = max(fitting, key=lambda one: sum(item.balance.amount for item in one[1].items))
    policy = app.policy(linked)
    with app.store.reading() as work:
        (intent,) = described(work, linked.id, policy, [intended(step, facts, today)])
        return intent, letterhead_for(work, linked.id, policy, facts, intent, today), now


def _as_file(suffix: str, rendered: Rendered, intent: Intent, letterhead: Letterhead, now: datetime) -> bytes:
    if suffix == ".html":
        return rendered.html.encode()
    if suffix == ".txt":
        return f"Subject: {rendered.subject}\n\n{rendered.text}".encode()
    mailboxes = tuple(contact.email for contact in intent.recipients if contact.email)
    envelope = Envelope(
        message_id="preview",
        sender=letterhead.seller.sender or _NOBODY,
        reply_to=letterhead.seller.reply_to or _NOBODY,
        to=mailboxes or (_NOBODY,),
        cc=(),
        bcc=(),
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        at=now,
        language=letterhead.locale,
    )
    try:
        return compose(envelope).as_bytes()
    except Rejected:
        return compose(replace(envelope, to=(_NOBODY,))).as_bytes()
