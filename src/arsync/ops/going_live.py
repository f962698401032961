"""Who is let in while going live: each name in `delivery.only` is to be somebody's."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from arsync.ops.finding import Finding, warn
from arsync.resources import bundled
from arsync.settings import Settings
from arsync.store import connections, finding, tags
from arsync.store.engine import Work
from arsync.store.finding import FoundCustomer


def examine_going_live(settings: Settings, work: Work) -> Iterator[Finding]:
    """Names that nothing has, with the nearest that there is; a warning each. Looks at nothing that is not narrowed."""
    only, there = settings.delivery.only, connections.connections(work)
    yield from _unknown("connections", only.connections, {one.name for one in there}, "connection has that name")
    shelves = (settings.playbook_folder, bundled("playbooks"))
    playbooks = {path.stem for folder in shelves for path in folder.glob("*.yaml")}
    yield from _unknown("playbooks", only.playbooks, playbooks, "playbook has that name")
    if only.tags:
        used = {tag for one in there for these in tags.of_connection(work, one.id).values() for tag in these}
        yield from _unknown("tags", [tags.normal(tag) for tag in only.tags], used, "customer has that tag")
    if only.customers and any(one.synced_at for one in there):
        yield from _customers(only.customers, finding.every_customer(work))


def _customers(names: Collection[str], known: Collection[FoundCustomer]) -> Iterator[Finding]:
    payers: dict[str, FoundCustomer] = {}
    branches: dict[str, FoundCustomer] = {}
    for one in known:
        those = payers if one.payer_id == one.customer_id else branches
        those |= {one.name.casefold(): one, one.customer_id.casefold(): one}
    by_id = {(one.connection_id, one.customer_id): one.name for one in known}
    for name in names:
        branch = branches.get(name.casefold())
        if name.casefold() in payers:
            continue
        if branch is None:
            there = {one.name for one in payers.values()}
            yield from _unknown("customers", [name], there, "customer has that name or id")
            continue
        payer = by_id.get((branch.connection_id, branch.payer_id), branch.payer_id)
        said = f"delivery.only.customers: {name} is not written to, for {payer} pays its invoices"
        yield warn("delivery", said, f"name {payer} instead")


def _unknown(key: str, names: Collection[str], known: Collection[str], who: str) -> Iterator[Finding]:
    for name in names:
        if name not in known:
            near = {one.casefold(): one for one in known}
            meant = get_close_matches(name.casefold(), near, n=1)
            mend = f"write {near[meant[0]]}" if meant else "correct it or take it out"
            yield warn("delivery", f"delivery.only.{key}: no {who}: {name}", f"{mend}; until then it lets nobody in")
