"""A mailbox is read from where the last reading ended; each mail is taken in the commit that moves the place on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from arsync.domain.clock import Clock
from arsync.domain.replies import MailKind
from arsync.inbox.imap import Fetched, Mailbox
from arsync.inbox.intake import Bookmark, Taken, take_or_refuse
from arsync.inbox.mail import read, refuse
from arsync.inbox.matching import Front
from arsync.store import connections, replies
from arsync.store.engine import Store


@dataclass(slots=True)
class Polled:
    """What was read."""

    taken: list[Taken] = field(default_factory=list)
    known: int = 0  # were taken before

    def note(self, one: Taken) -> None:
        """Files what became of one mail."""
        if one.reply_id is None:
            self.known += 1
        else:
            self.taken.append(one)

    @property
    def told(self) -> str:
        """What was read, in a few words."""
        kinds = [one.kind for one in self.taken]
        counted = [f"{kinds.count(kind)} {kind.value.replace('_', ' ')}" for kind in MailKind if kind in kinds]
        known = f", {self.known} known before" if self.known else ""
        return f"{len(kinds)} new{' (' * bool(counted)}{', '.join(counted)}{')' * bool(counted)}{known}"


def poll(
    store: Store, mailbox: Mailbox, fronts: Sequence[Front], clock: Clock, *, beat: Callable[[], None] = lambda: None
) -> Polled:
    """Takes every mail that came since the last reading, or on the first one since this installation exists.

    RetryLater or Barred where the server does not let it be read; what was taken until then stays taken.
    """
    done = Polled()
    with store.reading() as work:
        place = replies.place(work, mailbox.name)
        founded = connections.installation(work).created_at
    with mailbox.opened() as folder:
        same = place is not None and place.uid_validity == folder.uid_validity
        last = place.last_uid if place is not None and same else 0
        if not same:
            with store.working() as work:
                replies.move_place(work, mailbox.name, uid_validity=folder.uid_validity, last_uid=0)
                work.commit()
        # Servers compare days of their own timezone.
        for fetched in folder.fetch(folder.after(last, since=(founded - timedelta(days=1)).date())):
            beat()
            mark = Bookmark(mailbox.name, folder.uid_validity, fetched.uid)
            done.note(_take(store, fetched, f"{mailbox.name} {fetched.uid}", fronts, clock, mark))
    with store.working() as work:
        replies.polled(work, mailbox.name, now=clock.now())
        work.commit()
    return done


def _take(
    store: Store, fetched: Fetched, origin: str, fronts: Sequence[Front], clock: Clock, mark: Bookmark
) -> Taken:  # fmt: skip
    mail = read(fetched.raw, size=fetched.size)
    if fetched.headers_only:
        mail = refuse(mail, fetched.raw or origin.encode(), "the mail server did not hand over its text")
    return take_or_refuse(store, mail, fetched.raw, origin=origin, fronts=fronts, clock=clock, bookmark=mark)
