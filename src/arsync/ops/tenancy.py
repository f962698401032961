"""Many companies in one installation: that the settings speak of those there are, and for whom one collects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from arsync.ops.finding import Finding, some, warn
from arsync.settings import Settings

#: Whoever collects what others are owed is a third party, to whom the law says more than to the creditor.
THIRD_PARTY: Final = (
    "you collect here for somebody else: many countries want a licence for that, and bind how and how often you may "
    "write and call (in the USA, where consumers owe: Regulation F)"
)


def examine_tenancy(settings: Settings, linked: Sequence[str]) -> Iterator[Finding]:
    """Sections of the settings that nobody lives by, and companies for which somebody else collects."""
    for name in settings.connections:
        if name not in linked:
            yield warn("connections", f"connection.{name} is configured, not connected", "run `arsync connect`")
    used = {own.group for own in settings.connections.values()}
    for group in settings.groups:
        if group not in used:
            mend = f'say `group = "{group}"` in a company\'s section, or take it out'
            yield warn("settings", f"no company is in [group.{group}]: it holds for nobody", mend)
    yield from _for_others(settings, linked)


def _for_others(settings: Settings, linked: Sequence[str]) -> Iterator[Finding]:
    others = {name: one for name in linked if (one := settings.company(name)).collecting_for_others == "on"}
    if not others:
        return
    yield warn("law", f"{some(list(others))}: {THIRD_PARTY}", "ask somebody who knows the law where they owe")
    silent = [name for name, company in others.items() if not company.legal_footer]
    if silent:
        said = f"{some(silent)}: collected for somebody else, and no message says who you are and for whom"
        yield warn("law", said, "say it in `legal_footer`")
