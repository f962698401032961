"""The reports of the pages are those of the commands, with the same limits."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest
from typer.main import get_command
from typer.models import OptionInfo

from arsync.cli.app import program
from arsync.errors import UsageError
from arsync.report.catalogue import REPORTS, Number

#: A page has rows on it: a command prints as many as somebody asks for.
_ONLY_ON_PAGES = {"top"}


def asked(name: str) -> dict[str, tuple[Any, OptionInfo]]:
    """The command's options: what each is by default, and how it was declared."""
    group: Any = get_command(program)
    told = inspect.signature(group.commands["report"].commands[name].callback, eval_str=True).parameters
    return {
        key: (one.default, found[0])
        for key, one in told.items()
        if (found := [part for part in get_args(one.annotation)[1:] if isinstance(part, OptionInfo)])
    }


def test_every_report_has_its_page() -> None:
    group: Any = get_command(program)
    assert set(group.commands["report"].commands) == set(REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_asks_what_the_command_asks(name: str) -> None:
    known = asked(name)
    for key, number in REPORTS[name].numbers.items():
        default, option = known[key]
        assert (number.least, number.most) == (option.min, number.most if key in _ONLY_ON_PAGES else option.max)
        assert default in (number.usual, None)
    levels = REPORTS[name].by
    if "by" in known:
        default, _option = known["by"]
        assert (default.value, {one.value for one in type(default)}) == (levels[0], set(levels))
    else:
        assert levels == ()


def test_what_is_not_said_is_the_usual_and_what_cannot_be_is_refused() -> None:
    """
    steps: paid within 14 (1 to 90) of the steps of 365 days
    """
    steps = REPORTS["steps"]
    assert steps.choice({}).numbers == {"within": 14, "days": 365}
    assert steps.choice({"within": " 7 ", "days": ""}).numbers == {"within": 7, "days": 365}
    for wrong in ("0", "91", "-1", "seven", "²", "1.5"):
        with pytest.raises(UsageError, match=r"within .*: a number from 1 to 90"):
            steps.choice({"within": wrong})
    assert REPORTS["aging"].choice({"by": "customer"}).by == "customer"
    with pytest.raises(UsageError, match="there is payer, customer"):
        REPORTS["aging"].choice({"by": "owner"})
    assert REPORTS["cei"].numbers["months"] == Number("Months", 3, 36)
