"""A template that is wrong, or wants too much, ends as an error that names its file and line; and it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.render.samples import TEMPLATES, intent, letterhead

from arsync.errors import ConfigurationError, TemplateError
from arsync.render import render


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A copy of the shipped templates, to be spoilt."""
    for path in TEMPLATES.iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    return tmp_path


def spoil(templates: Path, body: str, name: str = "firm.en.txt.j2") -> None:
    (templates / name).write_text(f"Subject: x\n\n{body}\n")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{{ demanded[0].nunber }}", "nunber"),
        ("{{ no_such_name }}", "no_such_name"),
        ("{% if %}", "Expected an expression"),
        ("{{ demanded | shuffle }}", "shuffle"),
        ("{{ 1 // 0 }}", "zero"),
        ("{{ demanded[99].number }}", ""),
        ("{{ 'a' * 999999999 }}", r"\* is only for numbers"),
        ("{{ 9 ** 9 ** 9 }}", r"\*\*"),
        ("{{ '%999999999d' % 1 }}", "% is only for numbers"),
        ("{{ '{:>999999999}'.format('') }}", "not safely callable"),
        ("{{ 'a'.center(999999999) }}", "not safely callable"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ locale.__class__ }}", "unsafe"),
        ("{{ range(10) }}", "range"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "itself without end"),
        ("{% include 'firm.en.txt.j2' %}", "itself without end"),
        ("{{ 9999999 | days_from_today }}", "no number of days"),
        ("{{ demanded }}", "not a tuple"),
        ("{{ demanded[1].total }}", "nothing to print"),
        ("{{ payer ~ demanded[1].total }}", "nothing to print"),
        ("{{ [payer, demanded] | join }}", "not a tuple"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(templates: Path, body: str, reason: str) -> None:
    spoil(templates, body)
    with pytest.raises(TemplateError, match=rf"firm\.en\.txt\.j2, line \d+: .*{reason}") as caught:
        render(intent(), letterhead(), templates)
    assert isinstance(caught.value, ConfigurationError)


def test_the_line_is_that_of_the_mistake(templates: Path) -> None:
    spoil(templates, "fine\nfine\n{{ demanded[0].nunber }}")
    with pytest.raises(TemplateError, match="line 5:"):
        render(intent(), letterhead(), templates)


DOUBLED = "".join("{% set x = x ~ x %}\n" for _ in range(60))
BLOCKS = "".join("{% set x %}{{ x }}{{ x }}{% endset %}\n" for _ in range(60))
JOINS = "".join("{% set x = [x, x] | join %}\n" for _ in range(60))
SUMS = "".join("{% set x = x + x %}\n" for _ in range(60))
LISTS = "".join("{% set x = [x, x] %}\n" for _ in range(60))
MACROS = "{% macro m0() %}{% endmacro %}" + "".join(
    f"{{% macro m{n} () %}}{{{{ m{n - 1}() }}}}{{{{ m{n - 1}() }}}}{{% endmacro %}}" for n in range(1, 60)
) + "{% set y = m59() %}"  # fmt: skip
WIDE = "{% set s = 'a' %}" + "{% set s = s ~ s %}" * 15  # 32,768 letters
LOOPS = "{% set letters = 'abcdefghijklmnopqrstuvwxyz' %}" + "".join(f"{{% for l{n} in letters %}}" for n in range(9))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{% set x = 'ab' %}" + DOUBLED, "characters"),
        ("{% set x = 'ab' %}" + BLOCKS, "characters"),
        ("{% set x = 'ab' %}" + JOINS, "characters"),
        ("{% set x = 'ab' %}" + SUMS, "characters"),
        (LOOPS + "{% endfor %}" * 9, "units of work"),
        (LOOPS + "{{ letters }}" + "{% endfor %}" * 9, "characters|units of work"),
        ("{% set x = ['a'] %}" + LISTS + "{{ x | length }}", "elements"),
        ("{% set x = ['a'] %}{% set y = ['a'] %}" + LISTS + LISTS.replace("x", "y") + "{{ x == y }}", "elements"),
        (MACROS, "units of work"),
        (WIDE + "{% for a in s %}{% set t = s[1:] %}{% endfor %}", "units of work"),
        (WIDE + "{% for a in s %}{% set t = s | upper %}{% endfor %}", "units of work"),
        (WIDE + "{% for a in s %}{% if s ~ 'x' == s %}{% endif %}{% endfor %}", "units of work"),
        (WIDE + "{% for a in s %}{% if 'aab' in s %}{% endif %}{% endfor %}", "units of work"),
        (WIDE + "{{ s | list | map('beside', s) | list | length }}", "units of work"),
        (WIDE + "{{ s | list | select('in', s) | list | length }}", "units of work"),
    ],
    ids=[
        "concatenation", "blocks", "joins", "sums", "empty loops", "loops that write", "lists of lists",
        "lists compared", "macros that call macros", "slices", "filters in a loop", "comparisons in a loop",
        "searches in a loop", "mapped filters", "mapped tests",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["firm.en.txt.j2", "firm.en.html.j2"])
def test_a_template_that_wants_too_much_ends(templates: Path, body: str, reason: str, name: str) -> None:
    spoil(templates, body, name)
    with pytest.raises(TemplateError, match=rf"{name}.*more than .*({reason})"):
        render(intent(), letterhead(), templates)


@pytest.mark.parametrize(
    "body",
    [
        "".join(f"{{% for a{n} in demanded %}}" for n in range(30)) + "{% endfor %}" * 30,
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    ],
    ids=["loops", "brackets"],
)
def test_a_template_nested_beyond_what_python_bears_is_named(templates: Path, body: str) -> None:
    spoil(templates, body)
    with pytest.raises(TemplateError, match=r"firm\.en\.txt\.j2.*nested too deeply"):
        render(intent(), letterhead(), templates)


def test_a_file_larger_than_any_template_is_not_read(templates: Path) -> None:
    spoil(templates, "a" * 300_001)
    with pytest.raises(TemplateError, match=r"firm\.en\.txt\.j2, line 1: longer than 300,000 characters"):
        render(intent(), letterhead(), templates)


@pytest.mark.parametrize("opened", ["<div>", "<b><i>", "</x><div>"])
def test_html_nested_beyond_what_a_mail_program_bears_is_refused_before_it_is_styled(
    templates: Path, opened: str
) -> None:
    spoil(templates, "{% set s = '" + opened + "' %}" + "{% set s = s ~ s %}" * 15 + "{{ s }}", "firm.en.html.j2")
    source = (templates / "firm.en.html.j2").read_text().replace("{{ s }}", "{% for x in demanded %}X{% endfor %}")
    (templates / "firm.en.html.j2").write_text(source.replace("X", opened * 300))
    with pytest.raises(TemplateError, match=r"firm\.en\.html\.j2: .* deep"):
        render(intent(), letterhead(), templates)


@pytest.mark.parametrize(("name", "one", "other"), [("txt", "HTML", "text"), ("html", "text", "HTML")])
def test_the_text_and_the_html_of_a_message_say_the_same_amounts(
    templates: Path, name: str, one: str, other: str
) -> None:
    spoil(templates, "Please pay.", f"firm.en.{name}.j2")
    said = rf"firm\.en: its {one} says €1,545\.50 and its {other} does not"
    with pytest.raises(TemplateError, match=said):
        render(intent(), letterhead(), templates)


def test_a_text_template_begins_with_its_subject(templates: Path) -> None:
    (templates / "firm.en.txt.j2").write_text("Hello\n")
    with pytest.raises(TemplateError, match=r"firm\.en\.txt\.j2, line 1: it must begin with 'Subject: '"):
        render(intent(), letterhead(), templates)
    (templates / "firm.en.txt.j2").write_text("Subject:   \nHello\n")
    with pytest.raises(TemplateError, match="the subject is empty"):
        render(intent(), letterhead(), templates)


def test_a_missing_partial_is_named(templates: Path) -> None:
    (templates / "_items.html.j2").unlink()
    with pytest.raises(TemplateError, match=r"_items\.html\.j2"):
        render(intent(), letterhead(), templates)


def test_a_changed_template_is_read_again(templates: Path) -> None:
    before = render(intent(), letterhead(), templates)
    spoil(templates, "Something else, said at length.")
    spoil(templates, "Something else, said at length.", "firm.en.html.j2")
    after = render(intent(), letterhead(), templates)
    assert before.text != after.text == "Something else, said at length.\n"
