"""Where vendors and the mail provider post to. Each post is checked, kept in one short transaction and answered; what
it leads to is done behind, by a worker or the next run. Nothing of it is ever told but numbers and a reason."""

from __future__ import annotations

from arsync.web.hooks import mail, vendors
from arsync.web.routes import Declared

ROUTES: list[Declared] = [*mail.ROUTES, *vendors.ROUTES]
