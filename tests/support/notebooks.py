"""Run a notebook's cells in order, without a kernel; as a script, write what they show into the notebook.

``python tests/support/notebooks.py examples/floor.ipynb`` renews the outputs that are committed.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dealwright.desk.server import stop_server


def run_notebook(path: Path) -> list[list[dict[str, Any]]]:
    """Return the outputs of each code cell, as the notebook's format has them."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown: list[list[dict[str, Any]]] = []
    for number, cell in enumerate(code_cells(read_notebook(path))):
        outputs: list[dict[str, Any]] = []
        names["display"] = _display(outputs)
        printed = io.StringIO()
        tree = ast.parse("".join(cell["source"]), f"{path.name}[{number}]")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, f"{path.name}[{number}]", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), f"{path.name}[{number}]", "eval"), names)
                if value is not None:
                    names["display"](value)
        if printed.getvalue():
            outputs.insert(0, {"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
        shown.append(outputs)
    return shown


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook as its JSON."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells that run."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _display(outputs: list[dict[str, Any]]) -> Callable[[Any], None]:
    def display(value: Any) -> None:
        data = {"text/plain": _lines(repr(value)[:200])}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = _lines(value._repr_html_())
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})

    return display


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        notebook = read_notebook(path)
        with tempfile.TemporaryDirectory() as work:
            os.chdir(work)
            for cell, outputs in zip(code_cells(notebook), run_notebook(path), strict=True):
                cell["outputs"] = outputs
            os.chdir(path.parent)
            for running in Path(work).rglob("postmaster.pid"):
                stop_server(running.parents[1])
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
