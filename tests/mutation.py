"""Change a module's code in one small place at a time and see whether its tests notice.

``python3 do.py mutate src/dealwright/tables/returns.py tests/unit/tables`` tries a sample of changes, each in
a copy of the package, and prints those that nobody noticed: each is a value that no test holds. The module
may be an SQL file of the desk; a change that the server refuses as no valid SQL does not count. Without TESTS
those run that ``tests/support/mutation_tests.py`` names for the module.
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
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from mutation_tests import noticing  # noqa: E402
from sql_mutants import Mutant, sql_mutants  # noqa: E402

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


# of psycopg, in a test's output: what a function's body names is looked up only when it runs
NO_VALID_SQL = ("UndefinedFunction", "UndefinedColumn", "DatatypeMismatch", "AmbiguousColumn", "SyntaxError")


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

    tree = ast.parse(source)
    # what only refuses a mistake made elsewhere: `strict` of zip and cast changes no value
    guards = {
        id(keyword.value)
        for keyword in ast.walk(tree)
        if isinstance(keyword, ast.keyword) and keyword.arg == "strict"
    }
    for node in ast.walk(tree):
        if id(node) in guards:
            continue
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
    parser.add_argument("tests", nargs="*")
    parser.add_argument("--sample", type=int, default=40, help="changes to try (0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    path = options.module.resolve().relative_to(ROOT)
    tests = options.tests or list(noticing(path))
    if not tests:
        parser.error(f"name the tests of {path}, or add them to tests/support/mutation_tests.py")
    source = (ROOT / path).read_text(encoding="utf-8")
    is_sql = path.suffix == ".sql"
    found = sorted(set((sql_mutants if is_sql else mutants)(source)), key=lambda m: (m.start, m.end, m.new))
    random.Random(options.seed).shuffle(found)
    sample = options.sample or len(found)
    if is_sql:
        with sql_server() as accepts:
            found = _first(found, sample, lambda mutant: accepts(_changed(source, mutant)))
    found = sorted(found[:sample], key=lambda mutant: mutant.start)
    with tempfile.TemporaryDirectory() as name:
        copies: Queue[Path] = Queue()
        for job in range(options.jobs):
            shutil.copytree(ROOT / "src", Path(name) / str(job) / "src")
            copies.put(Path(name) / str(job))

        def noticed(content: str, patience_s: float) -> bool | None:
            """Tell whether the tests notice the change; None where it turns out to be no valid SQL."""
            copy = copies.get()
            try:
                (copy / path).write_text(content, encoding="utf-8")
                output = _failure(copy, tests, patience_s)
                if is_sql and any(f"psycopg.errors.{name}" in output for name in NO_VALID_SQL):
                    return None
                return bool(output)
            finally:
                copies.put(copy)

        began = time.monotonic()
        if noticed(source, 600) is not False:
            print("the tests fail without any change: mend them first", file=sys.stderr)
            return 2
        patience_s = 30 + 2 * (time.monotonic() - began)
        answers = []
        with ThreadPoolExecutor(options.jobs) as pool:
            tried = pool.map(lambda mutant: noticed(_changed(source, mutant), patience_s), found)
            for mutant, seen in zip(found, tried, strict=True):
                answers.append(seen)
                if seen is False:
                    line = source.splitlines()[mutant.line - 1].strip()
                    old = " ".join(source.encode()[mutant.start : mutant.end].decode().split())
                    print(
                        f"{path}:{mutant.line}: {old!r} -> {mutant.new!r} went unnoticed: {line}", flush=True
                    )
    viable = [seen for seen in answers if seen is not None]
    share = f"{sum(viable) / len(viable):.0%}" if viable else "none was valid"
    print(f"{path}: {sum(viable)} of {len(viable)} changes noticed ({share}, seed {options.seed})")
    return 0


def _first(found: list[Mutant], n: int, fits: Callable[[Mutant], bool]) -> list[Mutant]:
    kept: list[Mutant] = []
    for mutant in found:
        if len(kept) == n:
            break
        if fits(mutant):
            kept.append(mutant)
    return kept


@contextmanager
def sql_server() -> Iterator[Callable[[str], bool]]:
    """Start a server with a desk and return a function that tells whether it takes a file of functions."""
    import psycopg
    from servers import start_test_server, stop_test_server

    from dealwright.desk.database import Database
    from dealwright.desk.edition import find_vector
    from dealwright.desk.migrations import migrate

    def accepts(text: str) -> bool:
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(
                    f"SET LOCAL search_path = dealwright, dealwright_engine, {vector}".encode()
                )
                connection.execute(text.replace("@vector_schema@", vector).encode())
        except psycopg.Error:
            return False
        return True

    with tempfile.TemporaryDirectory() as home:
        server = start_test_server(Path(home), {"fsync": "off"})
        try:
            server.create_database("mutants")
            with Database.open(server.url_of("mutants"), server.home) as database:
                with database.connect() as connection:
                    migrate(connection)
                with database.connect() as connection:
                    vector = find_vector(connection)
                    yield accepts
        finally:
            stop_test_server(server)


def _changed(source: str, mutant: Mutant) -> str:
    content = source.encode()
    return (content[: mutant.start] + mutant.new.encode() + content[mutant.end :]).decode()


def _failure(copy: Path, tests: list[str], patience_s: float) -> str:
    """Run the tests against a copy of the package; what they said if one failed, or took too long."""
    command = [
        *(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header"),
        *("-p", "no_shrinking"),
        # by a signal, so that the run still stops the server it has started
        *(f"--basetemp={copy / 'tmp'}", f"--timeout={patience_s:.0f}", "--timeout-method=signal", *tests),
    ]
    python_path = os.pathsep.join((str(copy / "src"), str(ROOT / "tests" / "support")))
    env = {**os.environ, "PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return f"{done.stdout}\n" if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main())
