"""The template files a playbook uses: which locales they come in, and what they hold."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from jinja2 import TemplateSyntaxError, meta

from arsync.domain.policy import Playbook
from arsync.playbook import variables
from arsync.playbook.problems import Problems, nearest

#: Every template comes in this locale; others may follow, each for all templates of a playbook.
REQUIRED_LOCALE: Final = "en"
KINDS: Final = ("html", "txt")
_FILE: Final = re.compile(
    r"(?P<template>[a-z0-9-]+)\.(?P<locale>[a-z]{2,3}(?:[-_][A-Za-z0-9]+)*)\.(?P<kind>html|txt)\.j2"
)


def known(folder: Path) -> dict[str, set[tuple[str, str]]]:
    """Each template in a folder with the (locale, kind) it comes in; empty where there is no such folder."""
    found: dict[str, set[tuple[str, str]]] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir()):
        if match := _FILE.fullmatch(path.name):
            found.setdefault(match["template"], set()).add((match["locale"], match["kind"]))
    return found


def locales(playbook: Playbook, folder: Path) -> frozenset[str]:
    """The locales in which every template of the playbook is there, as HTML and as text."""
    files = known(folder)
    used = {template for step in playbook.steps for template in step.templates}
    if playbook.statements is not None:
        used.update(playbook.statements.step.templates)
    if playbook.apology is not None:
        used.add(playbook.apology.template)
    candidates = {locale for template in used for locale, _ in files.get(template, ())}
    complete = {(locale, kind) for locale in candidates for kind in KINDS}
    for template in used:
        complete &= files.get(template, set())
    return frozenset(locale for locale in candidates if all((locale, kind) in complete for kind in KINDS))


def check(names: Iterable[str], folder: Path, problems: Problems, lines: dict[str, int]) -> list[Path]:
    """The files of those templates in every locale found; a missing one, or one that cannot be read, is a problem."""
    names = sorted(set(names))
    files = known(folder)
    wanted = {REQUIRED_LOCALE} | {locale for name in names for locale, _ in files.get(name, ())}
    used: list[Path] = []
    for name in names:
        for locale in sorted(wanted):
            for kind in KINDS:
                path = folder / f"{name}.{locale}.{kind}.j2"
                if path.is_file():
                    used.append(path)
                else:
                    problems.add(lines[name], f"template {name!r} has no file {folder.name}/{path.name}")
    # The words that all templates of a language share are given to them while they are rendered.
    shared = [path for locale in sorted(wanted) if (path := folder / f"_words.{locale}.j2").is_file()]
    whole = _with_parts([*used, *shared], folder, problems)
    _check_names(used, folder, problems)
    return whole


def digest(paths: Iterable[Path], folder: Path) -> list[list[str]]:
    """Name and hash of each file, in order of the names."""
    return [[str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()] for path in sorted(paths)]


def _check_names(used: Iterable[Path], folder: Path, problems: Problems) -> None:
    """Every name in the templates is one that a rendering has; all languages have the same words."""
    languages = {match["locale"] for path in used if (match := _FILE.fullmatch(path.name))}
    words = {language: variables.words_of(folder / f"_words.{language}.j2") for language in languages}
    every = frozenset[str]().union(*words.values())
    for language, own in sorted(words.items()):
        for missing in sorted(every - own):
            said = f"the word {missing!r} is missing: other languages have it"
            problems.add(1, said, nearest(missing, own), file=f"{folder.name}/_words.{language}.j2", once=True)
    for path in used:
        match = _FILE.fullmatch(path.name)
        assert match
        variables.check(path, folder, every, problems)


def _with_parts(used: Iterable[Path], folder: Path, problems: Problems) -> list[Path]:
    """The files and those they extend, include or import, each once."""
    files: dict[Path, None] = {}
    queue = deque(used)
    while queue:
        path = queue.popleft()
        if path in files:
            continue
        files[path] = None
        where = f"{folder.name}/{path.name}"
        try:
            text = path.read_text(encoding="utf-8")
            parts = list(meta.find_referenced_templates(variables.parsed(text).tree))
        except TemplateSyntaxError as error:
            problems.add(error.lineno, f"not a template: {error.message}", file=where)
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.add(1, f"cannot be read: {error}", file=where)
            continue
        except RecursionError:
            problems.add(1, "not a template: nested too deeply", file=where)
            continue
        if _FILE.fullmatch(path.name) and path.name.endswith(".txt.j2") and not _has_subject(text):
            problems.add(1, "the first line must be the subject: 'Subject: ...'", file=where)
        for part in parts:
            if part is None:
                # Which file it will be is known only when it is rendered: any of them may be.
                queue.extend(sorted(folder.glob("*.j2")))
            elif (folder / part).is_file() and (folder / part).resolve().is_relative_to(folder.resolve()):
                queue.append(folder / part)
            else:
                problems.add(1, f"refers to {part!r}, which is not in {folder.name}/", file=where)
    return list(files)


def _has_subject(text: str) -> bool:
    first = text.split("\n", 1)[0]
    return first.startswith("Subject:") and bool(first.removeprefix("Subject:").strip())
