"""Change a module's code in one small place at a time and see whether its tests notice.

``python3 do.py mutate src/dealwright/tables/returns.py tests/unit/tables`` tries a sample of changes, each in
a copy of the package, and prints those that nobody noticed: each is a value that no test holds.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[1]
OPERATORS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.Add: ("+", "-"), ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.And: ("and", "or"), ast.Or: ("or", "and"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
NAMES = {
    "any": "all", "all": "any", "first": "last", "head": "tail", "is_null": "is_not_null",
    "is_not_null": "is_null",
    "any_horizontal": "all_horizontal", "all_horizontal": "any_horizontal", "max": "min", "min": "max",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: the text from `start` to `end` of a module becomes `new`."""

    start: int
    end: int
    new: str
    line: int


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every small change of a module that could be a mistake; messages and types are left alone."""
    offsets = [0]
    for line in source.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    text = source.encode()

    def at(line: int, column: int) -> int:
        return offsets[line - 1] + column

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        return at(node.lineno, node.col_offset), at(node.end_lineno or 0, node.end_col_offset or 0)

    def between(left: ast.expr, right: ast.expr, operator: ast.AST) -> Iterator[Mutant]:
        old, new = OPERATORS.get(type(operator), ("", ""))
        first, last = span(left)[1], span(right)[0]
        place = text.find(old.encode(), first, last) if old else -1
        if place >= 0:
            yield Mutant(place, place + len(old), new, left.end_lineno or left.lineno)

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
                yield from between(left, right, operator)
        elif isinstance(node, ast.BinOp) and not _is_type(node):
            yield from between(node.left, node.right, node.op)
        elif isinstance(node, ast.BoolOp):
            yield from between(node.values[0], node.values[1], node.op)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            start, _ = span(node)
            yield Mutant(start, span(node.operand)[0], "", node.lineno)
        elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
            value = not node.value if isinstance(node.value, bool) else node.value + 1
            yield Mutant(*span(node), repr(value), node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NAMES:
            end = span(node.func)[1]
            name = node.func.attr
            yield Mutant(end - len(name), end, NAMES[name], node.func.end_lineno or node.lineno)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield Mutant(*span(node), "pass", node.lineno)


def _is_type(node: ast.BinOp) -> bool:
    """Tell whether it is a union of types rather than arithmetic."""
    sides = [ast.unparse(side) for side in (node.left, node.right)]
    return isinstance(node.op, ast.BitOr) and any(side == "None" or side[:1].isupper() for side in sides)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--sample", type=int, default=40, help="changes to try (0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    path = options.module.resolve().relative_to(ROOT)
    source = (ROOT / path).read_text(encoding="utf-8")
    found = sorted(set(mutants(source)), key=lambda mutant: (mutant.start, mutant.new))
    if 0 < options.sample < len(found):
        found = sorted(random.Random(options.seed).sample(found, options.sample), key=lambda m: m.start)
    with tempfile.TemporaryDirectory() as name:
        copies: Queue[Path] = Queue()
        for job in range(options.jobs):
            shutil.copytree(ROOT / "src", Path(name) / str(job) / "src")
            copies.put(Path(name) / str(job))

        def noticed(content: str) -> bool:
            copy = copies.get()
            try:
                (copy / path).write_text(content, encoding="utf-8")
                return _fails(copy, options.tests)
            finally:
                copies.put(copy)

        if noticed(source):
            print("the tests fail without any change: mend them first", file=sys.stderr)
            return 2
        with ThreadPoolExecutor(options.jobs) as pool:
            answers = list(pool.map(lambda mutant: noticed(_changed(source, mutant)), found))
    for mutant, seen in zip(found, answers, strict=True):
        if not seen:
            line = source.splitlines()[mutant.line - 1].strip()
            old = source.encode()[mutant.start : mutant.end].decode()
            print(f"{path}:{mutant.line}: {old!r} -> {mutant.new!r} went unnoticed: {line}")
    print(f"{path}: {sum(answers)} of {len(answers)} changes noticed ({sum(answers) / len(answers):.0%})")
    return 0


def _changed(source: str, mutant: Mutant) -> str:
    content = source.encode()
    return (content[: mutant.start] + mutant.new.encode() + content[mutant.end :]).decode()


def _fails(copy: Path, tests: list[str]) -> bool:
    """Run the tests against a copy of the package; a run that hangs has noticed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
    env = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False, timeout=300)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
