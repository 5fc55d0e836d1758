"""Every message that pages and the summary can show, found in the code and in the templates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import dealwright

_ONE = frozenset({"mark", "_", "text"})
_SEVERAL = frozenset({"texts", "several"})


def messages_in_use() -> set[str | tuple[str, str]]:
    """Return messages, and pairs of one and several, that the catalogues must translate."""
    from dealwright.plan.kpis import KPIS

    figures = {item.label for item in KPIS if item.group}
    return {*_in_code(), *_in_templates(), *figures}


def _in_code() -> Iterator[str | tuple[str, str]]:
    package = Path(dealwright.__file__).parent
    for path in [file for folder in ("report", "web", "cli") for file in (package / folder).glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            if name in _ONE and len(texts) == 1:
                yield texts[0]
            elif name in _SEVERAL and len(texts) >= 2:
                yield texts[0], texts[1]


def _in_templates() -> Iterator[str | tuple[str, str]]:
    from jinja2 import nodes

    from dealwright.report.format import Format
    from dealwright.report.pages import environment

    made = environment(Format())
    files = [
        file
        for package in ("dealwright.report", "dealwright.web")
        for file in (resources.files(package) / "templates").iterdir()
        if file.name.endswith(".html")
    ]
    for file in files:
        for call in made.parse(file.read_text(encoding="utf-8")).find_all(nodes.Call):
            name = getattr(call.node, "name", getattr(call.node, "attr", ""))
            texts = [
                arg.value for arg in call.args if isinstance(arg, nodes.Const) and isinstance(arg.value, str)
            ]
            if name in _ONE and texts:
                yield texts[0]
            elif name in _SEVERAL and len(texts) >= 2:
                yield texts[0], texts[1]
