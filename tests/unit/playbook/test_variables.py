"""A name that no message has is found when its playbook is loaded: with its file, its line and the nearest."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from arsync.playbook import variables
from arsync.playbook.problems import Problems
from arsync.render.view import MessageView

TEMPLATES = Path(__file__).parents[3] / "playbooks" / "templates"
DOCS = Path(__file__).parents[3] / "docs"


def lint(folder: Path, text: str, name: str = "x.en.html.j2") -> list[str]:
    (folder / name).write_text(text)
    problems = Problems("p.yaml")
    variables.check(folder / name, folder, variables.words_of(folder / "_words.en.j2"), problems)
    return [str(problem).removeprefix(f"{folder.name}/") for problem in problems.by_line()]


@pytest.fixture(autouse=True)
def parts(tmp_path: Path) -> None:
    (tmp_path / "_words.en.j2").write_text('{% set greeting = "Hello {}," %}')
    (tmp_path / "_layout.j2").write_text(
        "<h1>{% block headline %}{% endblock %}</h1>{% block body %}{{ payre }}{% endblock %}{{ seller.name }}"
    )
    (tmp_path / "_items.j2").write_text(
        "{% macro row(item) %}{{ item.number }} {{ item.balanse }}{% endmacro %}"
        "{% for item in demanded %}{{ row(item) }}{% endfor %}"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n{{ payre }}", "x.en.html.j2:2: there is no variable 'payre' (did you mean 'payer'?)"),
        ("{{ seller.nmae }}", "x.en.html.j2:1: there is no variable 'seller.nmae' (did you mean 'name'?)"),
        ("{% if false %}{{ payre }}{% endif %}", "1: there is no variable 'payre' (did you mean 'payer'?)"),
        ("{% for i in demanded %}\n{{ i.nunber }}{% endfor %}", "2: there is no variable 'i.nunber'"),
        ("{{ demanded[0].dew_on }}", "1: there is no variable 'demanded[0].dew_on' (did you mean 'due_on'?)"),
        ("{{ (demanded | first).nunber }}", "1: there is no variable 'it.nunber' (did you mean 'number'?)"),
        ("{{ demanded | map(attribute='nunber') | join }}", "1: there is no variable 'nunber' in what demanded lists"),
        ("{{ demanded.number }}", "variable 'demanded.number': demanded is a list (did you mean 'number'?)"),
        ("{{ payer.name }}", "1: there is no variable 'payer.name': payer is text"),
        ("{{ sender.singature }}", "1: there is no variable 'sender.singature' (did you mean 'signature'?)"),
        ("{% set s = seller %}{{ s.colour }}", "1: there is no variable 's.colour' (did you mean 'color'?)"),
        ("{% for a, b in [(payer, demanded)] %}{{ c }}{% endfor %}", "1: there is no variable 'c'"),
        ("{% for x in payer %}{{ x }}{% endfor %}", "1: payer is no list"),
        ("{{ words.greating | fill(payer) }}", "1: there is no variable 'words.greating' (did you mean 'greeting'?)"),
        ("{{ payer | uper }}", "1: there is no filter 'uper' (did you mean 'upper'?)"),
        ("{% if payer is defind %}{% endif %}", "1: there is no test 'defind' (did you mean 'defined'?)"),
        ("{{ 'x' | fill(payre) }}", "1: there is no variable 'payre' (did you mean 'payer'?)"),
        ("{% macro m(a) %}{{ a.nunber }}{% endmacro %}{% for i in listed %}{{ m(i) }}{% endfor %}", "'a.nunber'"),
        ("{% macro m() %}{{ payre }}{% endmacro %}", "1: there is no variable 'payre'"),
        ("{% include '_items.j2' %}", "_items.j2:1: there is no variable 'item.balanse' (did you mean 'balance'?)"),
        ("{% extends '_layout.j2' %}{% block body %}{{ payr }}{% endblock %}", "x.en.html.j2:1: there is no"),
        ("{% extends '_layout.j2' %}\n{% block hedline %}{% endblock %}", "2: no layout has a place for"),
        ("{{ range(3) }}", "1: there is no variable 'range'"),
        ("{{ loop.index }}", "1: there is no variable 'loop'"),
        ("{% for i in demanded %}{{ loop.indx }}{% endfor %}", "variable 'loop.indx' (did you mean 'index'?)"),
    ],
)  # fmt: skip
def test_a_name_that_no_message_has_is_found_with_its_place_and_the_nearest(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert any(expected in found for found in lint(tmp_path, text)), lint(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ payer }} {{ words.greeting | fill(greeted) }} {{ 7 | days_from_today }}",
        "{% for item in demanded %}{{ loop.index }} {{ item.number }}{% else %}{{ today }}{% endfor %}",
        "{% for title, items in [(payer, demanded), (today, listed)] %}{{ title }}{% for i in items %}{{ i.number }}"
        "{% endfor %}{% endfor %}",
        "{% set x %}{{ payer }}{% endset %}{{ x }}",
        "{% with a = seller %}{{ a.name }}{% endwith %}",
        "{% macro m(item, more='') %}{{ item.number }}{{ more }}{% endmacro %}{{ m(demanded[0], more=payer) }}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ payer }}{% endcall %}",
        "{% if sender %}{{ sender.name }}{% endif %}{{ sender.name if sender else seller.name }}",
        "{% extends '_layout.j2' %}{% block headline %}{{ super() }}{{ payer }}{% endblock %}"
        "{% block body %}{{ self.headline() }}{% endblock %}",
        "{{ totals | join(', ') }}{{ demanded | length }}{{ (bank | first).currency }}{{ seller['name'] }}",
        "{{ people | map(attribute='name') | join }}{{ demanded | selectattr('total') | list | length }}",
    ],
)
def test_what_a_message_has_is_no_problem(tmp_path: Path, text: str) -> None:
    assert [said for said in lint(tmp_path, text) if said.startswith("x.")] == []


def test_a_problem_of_a_part_is_told_once_however_many_templates_use_it(tmp_path: Path) -> None:
    problems = Problems("p.yaml")
    for name in ("a.en.html.j2", "b.en.html.j2"):
        (tmp_path / name).write_text("{% include '_items.j2' %}{% include '_items.j2' %}")
        variables.check(tmp_path / name, tmp_path, frozenset(), problems)
    assert len(problems.by_line()) == 1


def test_a_template_that_includes_itself_is_walked_to_an_end(tmp_path: Path) -> None:
    text = "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}{% include 'x.en.html.j2' %}"
    assert lint(tmp_path, text) == []


def test_every_variable_of_a_message_is_documented() -> None:
    page = (DOCS / "playbooks.md").read_text().partition("## Templates")[2]
    written = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`\n]+)`", page))))
    names = {name for name in variables.message() if name not in ("day", "locale")}
    names |= {f for kind in variables.message().values() for f in (kind.fields or (kind.of and kind.of.fields) or {})}
    assert names <= written
    assert {one.name for one in fields(MessageView)} <= set(variables.message())
