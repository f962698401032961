"""Loads a CSV file of invoices into a running sandbox, as a company of either vendor.

python -m arsync.sandbox.load invoices.csv --as xero --column number=case_id --column total=amount
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from arsync.sandbox.invoice_file import COLUMNS, FileError, Form, Problem, Written, read
from arsync.sandbox.launch import SandboxControl


@dataclass(slots=True)
class Loaded:
    """What came of a file: the company's card, how many invoices it has now, and the lines that were left out."""

    card: dict[str, Any]
    invoices: int = 0
    problems: list[Problem] = field(default_factory=list)


def load(control: SandboxControl, provider: str, path: Path, form: Form, **order: Any) -> Loaded:
    """A new company with the file's invoices; a line that is wrong, or that the vendor refuses, stops no other.

    Raises FileError, before there is a company, where the file as a whole is wrong.
    """
    lines = read(path, form)
    first = next(lines, None)
    done = Loaded(control.create_company(provider, invoices=0, customers=0, **order))
    customers: dict[tuple[str, str], str] = {}
    while first is not None:
        if isinstance(first, Problem):
            done.problems.append(first)
        else:
            try:
                _enter(control, done.card, first, customers)
                done.invoices += 1
            except RuntimeError as refusal:
                done.problems.append(Problem(first.line, str(refusal)))
        first = next(lines, None)
    return done


def _enter(
    control: SandboxControl, card: Mapping[str, Any], one: Written, customers: dict[tuple[str, str], str]
) -> None:
    company = card["id"]
    currency = one.currency or card["currency"]
    payer = (one.customer, currency)
    if payer not in customers:
        # A customer trades in one currency: a second one is another customer.
        again = any(name == one.customer for name, _ in customers)
        person = {"name": f"{one.customer} ({currency})" if again else one.customer, "currency": currency}
        person |= {"email": one.email} if one.email else {}
        customers[payer] = control.act(company, "new_customer", **person)["customer"]
    invoice = control.act(
        company,
        "new_invoice",
        customer=customers[payer],
        amount=str(one.total),
        date=str(one.issued),
        due_date=str(one.due),
        number=one.number,
        reference=one.reference,
    )["invoice"]
    applied = min(one.paid, one.total)
    if applied:
        control.act(company, "pay", invoice=invoice, amount=str(applied), date=str(one.paid_on))
    if one.paid > applied:
        rest = {"amount": str(one.paid - applied), "date": str(one.paid_on)}
        control.act(company, "pay_unapplied", customer=customers[payer], **rest)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the company's card as JSON, and each line that was left out; 0 where any was loaded."""
    options = _options().parse_args(argv)
    columns = dict(options.column)
    form = Form(columns, dates=options.dates, decimal=options.decimal, terms=options.terms)
    order = {"name": options.name or options.file.stem, "currency": options.currency}
    try:
        with SandboxControl(options.url) as control:
            done = load(control, options.vendor, options.file, form, **order)
    except (FileError, RuntimeError, requests.RequestException) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for problem in done.problems:
        sys.stderr.write(f"{options.file}, {problem}\n")
    left_out = f", {len(done.problems)} lines left out" if done.problems else ""
    sys.stderr.write(f"{done.invoices} invoices loaded{left_out}\n")
    sys.stdout.write(json.dumps(done.card) + "\n")
    return 0 if done.invoices else 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m arsync.sandbox.load", description="Loads a CSV file of invoices into a running sandbox."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--as", dest="vendor", choices=("quickbooks", "xero"), required=True)
    parser.add_argument("--url", default="http://127.0.0.1:8700", help="the sandbox (default: %(default)s)")
    parser.add_argument(
        "--column", type=_pair, action="append", default=[], metavar="WHAT=NAME",
        help=f"the file's name for one of {', '.join(COLUMNS)}; may be repeated",
    )  # fmt: skip
    parser.add_argument("--dates", default="%Y-%m-%d", help="the form of its days (default: 2026-03-31)")
    parser.add_argument("--decimal", choices=(".", ","), default=".", help="its decimal mark")
    parser.add_argument("--terms", type=int, default=30, help="days until due, where it does not say")
    parser.add_argument("--name", help="the company's name (default: the file's)")
    parser.add_argument("--currency", default="USD", help="the company's currency (default: %(default)s)")
    return parser


def _pair(text: str) -> tuple[str, str]:
    what, equals, name = text.partition("=")
    if what not in COLUMNS or not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r}: WHAT=NAME, with WHAT one of {', '.join(COLUMNS)}")
    return what, name


if __name__ == "__main__":
    sys.exit(main())
