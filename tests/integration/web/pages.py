"""An answer as a person sees it: its words, its links, its forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Form:
    """A form: where it goes, and what is in its fields."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    """An answer."""

    status: int
    headers: Any
    source: str
    text: str = ""
    title: str = ""
    links: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)

    @property
    def to(self) -> str:
        """Where it sends the browser on to."""
        return str(self.headers.get("location", ""))

    @property
    def token(self) -> str:
        """What its forms carry."""
        return next(form.fields["token"] for form in self.forms if "token" in form.fields)

    def form(self, action: str) -> Form:
        """The form that goes there."""
        return next(form for form in self.forms if form.action == action)


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.words: list[str] = []
        self.place: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.place.append(tag)
        match tag:
            case "a" if "href" in named:
                self.page.links.append(named["href"])
            case "form":
                self.page.forms.append(Form(named.get("action", ""), named.get("method", "get")))
            case "input" if named.get("type") == "checkbox" and "checked" not in named:
                pass  # nobody has ticked it
            case "input" | "select" | "textarea" if self.page.forms and "name" in named:
                self.page.forms[-1].fields.setdefault(named["name"], named.get("value", ""))
            case "title":
                self.words.append("")

    def handle_data(self, data: str) -> None:
        if self.place and self.place[-1] == "title" and not self.page.title:
            self.page.title = data.strip()
        self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        while self.place and self.place.pop() != tag:
            pass


def read(answer: Any) -> Page:
    """An answer, read."""
    page = Page(answer.status_code, answer.headers, answer.text)
    reader = _Reader(page)
    reader.feed(answer.text)
    page.text = " ".join(" ".join(reader.words).split())
    return page
