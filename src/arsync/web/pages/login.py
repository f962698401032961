"""Coming and going."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response

from arsync.domain.roles import Role
from arsync.web.access import Needs, Open, Reach
from arsync.web.routes import act, page
from arsync.web.threads import PASSWORDS
from arsync.web.visit import Visit


def login(visit: Visit) -> Response:
    """Asks who it is."""
    to = _inside(visit.query.get("to", "/"))
    if visit.person is not None:
        return visit.see(to)
    return visit.render("login.html", to=to, wrong=False, name="")


def log_in(visit: Visit) -> Response:
    """Lets in who knows the password."""
    entry = visit.site.entry
    if entry.by_proxy:
        raise HTTPException(403)
    to, name = _inside(visit.form.get("to", "/")), visit.form.get("name", "")
    token = entry.log_in(visit.request, name, visit.form.get("password", ""))
    if token is None:
        return visit.render("login.html", status=401, to=to, wrong=True, name=name)
    visit.kept = token
    answer = visit.see(to)
    entry.keep(answer, token)
    return answer


def log_out(visit: Visit) -> Response:
    """Ends the session; what the browser kept of the desk is thrown away."""
    visit.site.entry.log_out(visit.kept, visit.person)
    answer = visit.see("/login")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def _inside(path: str) -> str:
    """The path where it is one of ours: nobody is sent elsewhere."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours and "\\" not in path else "/"


ROUTES = [
    page("/login", login, access=Open("it asks who comes")),
    act("/login", log_in, access=Open("name and password, counted"), lane=PASSWORDS),
    act("/logout", log_out, access=Needs(Role.VIEWER, Reach.THEIRS)),
]
