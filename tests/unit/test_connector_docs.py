"""The code in docs/connectors.md is the example's, to the letter.

After a change of the example it is written anew by `python tests/unit/test_connector_docs.py`.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "connectors.md"
_PLACE = re.compile(r"<!-- from (?P<file>\S+): (?P<name>\S+) -->\n(?P<code>.*?)<!-- end -->", re.DOTALL)


def source_of(file: str, name: str) -> str:
    """The class, method or value of that name as it stands in the file."""
    text = (ROOT / file).read_text(encoding="utf-8")
    inside: ast.AST = ast.parse(text)
    for part in name.split("."):
        inside = next(node for node in ast.iter_child_nodes(inside) if part in _names(node))
    assert isinstance(inside, ast.stmt)
    lines = text.splitlines()[inside.lineno - 1 : inside.end_lineno]
    return textwrap.dedent("\n".join(lines))


def _names(node: ast.AST) -> set[str]:
    match node:
        case ast.ClassDef() | ast.FunctionDef():
            return {node.name}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def _block(place: re.Match[str]) -> str:
    code = source_of(place["file"], place["name"])
    return f"<!-- from {place['file']}: {place['name']} -->\n```python\n{code}\n```\n<!-- end -->"


def test_the_code_on_the_page_is_the_examples() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(_PLACE.findall(text)) >= 8
    assert _PLACE.sub(_block, text) == text, "run `python tests/unit/test_connector_docs.py`"


def test_the_page_has_no_python_that_is_not_the_examples() -> None:
    rest = _PLACE.sub("", PAGE.read_text(encoding="utf-8"))
    assert "```python" not in rest


if __name__ == "__main__":
    PAGE.write_text(_PLACE.sub(_block, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
