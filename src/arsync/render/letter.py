"""A step's message becomes a letter: the same template's words, its invoices as a table, in a window envelope."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from arsync.domain.chase import Intent, Letterhead, Rendered
from arsync.render.message import Told, tell
from arsync.render.paper import typeset, words_of
from arsync.render.stationery import sheet_values, window_lines
from arsync.render.view import ItemView, MessageView
from arsync.render.wording import counted, fill, fonts_of, one_line

#: In place of the parts that paper sets in its own way. The letters are from a private plane: no value holds them.
_ITEMS, _PAY, _CLOSING = "\ue000items\ue000", "\ue000pay\ue000", "\ue000closing\ue000"
_PARTS: Final = {
    "_items.txt.j2": f"\n\n{_ITEMS}\n\n",
    "_payment.txt.j2": f"\n\n{_PAY}\n\n",
    "_closing.txt.j2": f"\n\n{_CLOSING}\n",
    "_habit.txt.j2": "",
}
_ITEMS_OF_ONE_LETTER: Final = 400


def letter_values(
    intent: Intent, letterhead: Letterhead, templates: Path, edited: Rendered | None = None
) -> dict[str, Any]:
    """What the sheet prints; TemplateError naming file and line where the step's template is wrong. What a person has
    `edited` is printed as it stands."""
    told = tell(intent, letterhead, templates, _PARTS)
    view, seller = told.view, letterhead.seller
    words = words_of(told.language.partition("_")[0].partition("-")[0])
    person = intent.recipients[0].name if len(intent.recipients) == 1 else ""
    subject = edited.subject if edited else told.subject
    sheet = sheet_values(
        seller, view.locale, words, title=_title(subject, view.seller.name), today=view.today, quote=view.remittance,
        window=window_lines(letterhead.payer_name, intent.address, intent.country, seller, person),
        currencies=tuple(account.currency for account in view.bank),
    )  # fmt: skip
    return {
        **sheet,
        "info": [[words["date"], view.today], [words["reply"], view.seller.reply_to]],
        "parts": _parts(told.rest) if edited is None else [{"kind": "plain", "text": edited.text}],
        "head": [_word(told, "invoice"), _word(told, "due"), _word(told, "open_balance")],
        "items": [_item(item, told) for item in view.demanded],
        "totals": [[_word(told, "total"), total] for total in view.totals],
        "groups": _groups(told),
        "unapplied": fill(_word(told, "unapplied"), view.unapplied) if view.unapplied else "",
        "signature": [_word(told, "regards"), *_signed(view)],
        "questions": fill(words["questions"], view.seller.reply_to),
        "links": [[item.number, item.pay_link] for item in view.demanded[:5] if item.pay_link],
    }


def _title(subject: str, seller: str) -> str:
    """The subject; who writes stands at the head of the sheet already."""
    return subject.removesuffix(f" – {seller}")


def letter_pdf(letters: Sequence[dict[str, Any]], fonts: str = "", mark: str = "") -> bytes:
    """Letters in one file to be printed, each on its own sheets with its own page numbers; the `mark` lies across each
    of them."""
    numbered = [{**letter, "end": f"end-{place}"} for place, letter in enumerate(letters)]
    return typeset("letters", {"letters": numbered, "mark": mark}, fonts_of(fonts))


def _parts(text: str) -> list[dict[str, str]]:
    """The paragraphs, with a place for what paper sets in its own way."""
    parts = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        plain = block.strip()
        kind = {_ITEMS: "items", _PAY: "pay", _CLOSING: "closing"}.get(plain)
        if kind:
            parts.append({"kind": kind, "text": ""})
        elif plain:
            parts.append({"kind": "text", "text": "\n".join(line.strip() for line in plain.splitlines())})
    return parts


def _word(told: Told, name: str) -> str:
    """One of the words that the language's templates share; empty where nobody wrote it."""
    return str(told.values["words"].get(name, ""))


def _item(item: ItemView, told: Told) -> dict[str, str]:
    more = [fill(_word(told, "issued_on"), item.issued_on)]
    if item.reference:
        more.append(fill(_word(told, "your_reference"), item.reference))
    if item.customer:
        more.append(fill(_word(told, "billed_to"), item.customer))
    if item.purpose:
        more.append(fill(_word(told, "purpose"), item.purpose))
    if item.disputed:
        more.append(fill(_word(told, "disputed"), item.disputed))
    late = item.days_late
    if late is None:
        due, told_late = _word(told, "no_due_date"), ""
    else:
        due = item.due_on or ""
        forms = told.values["words"].get("days_late" if late > 0 else "due_in", ["{}", "{}"])
        told_late = _word(told, "due_today") if late == 0 else counted(forms, abs(late))
    return {
        "number": item.number,
        "more": " · ".join(more),
        "due": due,
        "late": told_late,
        "is_late": "yes" if late is not None and late > 0 else "",
        "balance": item.balance,
        "of": fill(_word(told, "of_total"), item.total) if item.total else "",
    }


def _groups(told: Told) -> list[dict[str, Any]]:
    view = told.view
    named = ((_word(told, "recently_due"), view.recently_due), (_word(told, "not_due"), view.not_due))
    return [
        {"title": title, "items": [_item(item, told) for item in items[:_ITEMS_OF_ONE_LETTER]]}
        for title, items in named
        if items
    ]


def _signed(view: MessageView) -> list[str]:
    if view.sender is None:
        return [view.seller.name]
    return [one_line(line) for line in (*view.sender.signature, view.seller.name)]
