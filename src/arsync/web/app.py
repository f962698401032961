"""The desk as an ASGI application."""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware

from arsync.bootstrap import App
from arsync.render.wording import at_home
from arsync.web import assets, hooks
from arsync.web.access import Open
from arsync.web.entry import Entry
from arsync.web.faults import HANDLERS
from arsync.web.figures import Figures
from arsync.web.headers import Doorman
from arsync.web.health import healthz
from arsync.web.look import Look
from arsync.web.pages import (
    approvals,
    audit,
    calls,
    connections,
    customer,
    customers,
    letters,
    login,
    messages,
    playbooks,
    replies,
    reports,
    simulating,
    statements,
    today,
)
from arsync.web.routes import Declared, endpoint
from arsync.web.sheets import Sheets
from arsync.web.site import Site, hosts

#: Every address there is. A new page or hook adds its module's `ROUTES` here.
ROUTES: Final[list[Declared]] = [
    endpoint("/healthz", healthz, methods=["GET"], access=Open("tells nothing but that it answers")),
    endpoint("/static/{name}", assets.asset, methods=["GET"], access=Open("the same for everybody, and public")),
    *hooks.ROUTES,
    *login.ROUTES,
    *today.ROUTES,
    *customers.ROUTES,
    *customer.ROUTES,
    *approvals.ROUTES,
    *calls.ROUTES,
    *letters.ROUTES,
    *messages.ROUTES,
    *replies.ROUTES,
    *statements.ROUTES,
    *playbooks.ROUTES,
    *simulating.ROUTES,
    *reports.ROUTES,
    *connections.ROUTES,
    *audit.ROUTES,
]


def create(app: App) -> Starlette:
    """The desk of that installation; ConfigurationError where its settings do not say how it is reached."""
    lying = assets.load()
    defaults = app.settings.defaults
    encrypted = (app.settings.serve.public_url or "").startswith("https://")
    site = Site(
        app=app,
        look=Look(locale=at_home(defaults.locale, defaults.country), assets=lying),
        assets=lying,
        hosts=hosts(app),
        encrypted=encrypted,
        entry=Entry(app, encrypted=encrypted),
        figures=Figures(app),
        sheets=Sheets(),
    )
    desk = Starlette(routes=list(ROUTES), middleware=[Middleware(Doorman, site=site)], exception_handlers=HANDLERS)
    desk.state.site = site
    return desk
