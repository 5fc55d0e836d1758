"""Files, options and words that no program should be given, always the same for a seed.

Each is a good one that was spoiled: a document of TOML with a value of another kind, a table with a cell that
is none, a command with an option too many. `Spoiler` draws them; what must come of them says the test.
"""

from __future__ import annotations

import io
import json
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import polars as pl
import tomli_w

_TEXTS: tuple[str, ...] = (
    *("", " ", "x", "0", "-1", "1", "1.5", "1e400", "-1e400", "NaN", "inf", "null", "None", "true", "[]"),
    *("{}", "99999999999999999999", "2**64", "1,2", "1.234,56", "0x1F", "\u0661", "½", "1 000", "--", "%"),
    *("%s%n", "2026-13-45", "2026-02-30 25:61", "0000-00-00", "0001-01-01", "9999-12-31T23:59:59-12:00"),
    *("31/31/2026", "2026-01-01", "99:99", "24:01", "-00:30", "Mars/Phobos", "Europe/Nowhere", "a" * 600),
    *("a" * 70_000, "'; drop table lead; --", "../../nowhere", "nowhere.csv", "\u202e", "\x1b[31m"),
    *("\u00e9\u0301", "\ufeff", "${7*7}", "<script>", "=1+1", '"', "'", "a\tb", "a\nb", "a;b", "Ünknown"),
    *("\U0001f680", "\ufffd"),
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    *_TEXTS, *(True, False, 0, -1, 1, 2, 10**6, 2**31, 2**63 - 1, -(2**63), 0.5, -0.0, -1.5, 1e-320, 1e308),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [[]], [1, "a"], [{}], {"x": 1}, {"": {}}),
    *(["a", "a"], date(2026, 1, 1), time(8), datetime(2026, 1, 1, 8), {"column": 1}, {"value": []}),
    ["x"] * 300,
)  # fmt: skip
_BYTES = (
    b"\0",
    b"\xff",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b'"',
    b"'",
    b"\r",
    b"\n",
    b",",
    b";",
    b"=",
    b"[",
    b"]",
    b"\x1a",
)


@dataclass(frozen=True)
class Spoiler:
    """Spoils good inputs."""

    rng: random.Random

    def document(self, good: str) -> bytes:
        """Return a document of TOML with something wrong in it, or many things."""
        kind = self.rng.random()
        if kind < 0.25:
            return self._bytes(good.encode())
        tree = tomllib.loads(good)
        for _ in range(self.rng.choice((1, 1, 1, 2, 4))):
            self._change(tree)
        return tomli_w.dumps(tree).encode("utf-8", "replace")

    def text(self, good: str) -> str:
        """Return a text of JSON with something wrong in it."""
        if self.rng.random() < 0.3:
            return self._bytes(good.encode()).decode("utf-8", "replace").replace("\0", "?")
        tree = json.loads(good)
        for _ in range(self.rng.choice((1, 1, 2))):
            self._change(tree)
        return json.dumps(tree, default=str)

    def table(self, good: pl.DataFrame) -> tuple[str, bytes]:
        """Return the ending and the content of a file that holds a table with something wrong in it."""
        columns, rows = list(good.columns), [list(map(_written, row)) for row in good.rows()]
        for _ in range(self.rng.choice((1, 1, 2, 5))):
            self._spoil_cells(columns, rows)
        if self.rng.random() < 0.25:
            return "parquet", self._parquet(columns, rows)
        content = self._csv(columns, rows)
        return "csv", self._bytes(content) if self.rng.random() < 0.2 else content

    def words(self, options: Sequence[Option], arguments: int, *, refused: bool = False) -> list[str]:
        """Return what follows a command: options of its own and others, with values of every kind."""
        rng, found = self.rng, []
        for option in options:
            if rng.random() < (0.7 if option.required else 0.25):
                found.append(rng.choice(option.names))
                if not option.is_flag and rng.random() < 0.95:
                    found.append(self.word())
        found += [self.word() for _ in range(max(0, arguments + rng.choice((0, 0, 0, 0, -1, 1))))]
        if refused or rng.random() < 0.1:
            found.insert(
                rng.randint(0, len(found)), rng.choice(("--nothing", "--no-json", "-z", "--=", "---"))
            )
        return found

    def word(self) -> str:
        """Return a word of a command line: whatever a shell can hand over."""
        return self.rng.choice([text for text in _TEXTS if "\0" not in text and len(text) < 1000])

    def _value(self) -> Any:
        return deepcopy(self.rng.choice(_VALUES))  # of which the next change may be one

    def _change(self, tree: Any) -> None:
        """Change one place of a document, taken at random from all of them."""
        rng = self.rng
        places = list(_places(tree))
        if not places:
            return
        holder, key = rng.choice(places)
        kind = rng.random()
        if isinstance(holder, list):
            holder[key] = self._value()
        elif kind < 0.15:
            del holder[key]
        elif kind < 0.35:
            holder[rng.choice((f"{key}x", key[:-1] or "y", key.upper(), rng.choice(_TEXTS)))] = holder.pop(
                key
            )
        elif kind < 0.45:
            holder[rng.choice(_TEXTS)] = self._value()
        else:
            holder[key] = self._value()

    def _spoil_cells(self, columns: list[str], rows: list[list[str]]) -> None:
        rng = self.rng
        at, text = rng.randrange(len(columns)), rng.choice(_TEXTS)
        kind = rng.random() if rows else 0.5
        if kind < 0.1:  # a whole column
            for row in rows:
                row[at : at + 1] = [text]
        elif kind < 0.2:
            del columns[at]
            columns.insert(at, rng.choice((text, *columns, "other")))
        elif kind < 0.25 and len(columns) > 1:
            for line in (columns, *rows):
                del line[at : at + 1]
        elif kind < 0.3:
            rows.append(list(rng.choice(rows)))
        elif kind < 0.33:
            rows.clear()
        elif kind < 0.38:  # a row too short, or too long
            row = rng.choice(rows)
            row[:] = row[: len(row) // 2] if rng.random() < 0.5 else [*row, *row]
        elif rows:
            rng.choice(rows)[at : at + 1] = [text]

    def _csv(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
        sign = self.rng.choice(",,,,;\t|")
        quote = self.rng.random() < 0.9

        def cell(text: str) -> str:
            return '"' + text.replace('"', '""') + '"' if quote and set(text) & set('",;\t|\n\r') else text

        lines = [sign.join(map(cell, line)) for line in (columns, *rows)]
        text = self.rng.choice(("\n", "\n", "\r\n", "\r")).join(lines) + "\n"
        return text.encode(self.rng.choice(("utf-8", "utf-8", "utf-16", "cp1252")), "replace")

    def _parquet(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
        rng = self.rng
        names = list(dict.fromkeys(columns))
        frame = pl.DataFrame(
            {name: [row[at] if at < len(row) else None for row in rows] for at, name in enumerate(names)},
            schema=dict.fromkeys(names, pl.String),
        )
        name = rng.choice(names)
        height = frame.height
        odd = (
            pl.Series(name, [rng.choice((None, b"\xff", b"x")) for _ in range(height)], dtype=pl.Binary),
            pl.Series(name, [[1, None]] * height, dtype=pl.List(pl.Int64)),
            pl.Series(name, [{"a": 1}] * height, dtype=pl.Struct({"a": pl.Int64})),
            pl.Series(name, [float("nan")] * height, dtype=pl.Float64),
            pl.Series(name, [2**63 - 1] * height, dtype=pl.Int64),
            pl.Series(name, [None] * height, dtype=pl.Null),
            pl.Series(name, [True] * height, dtype=pl.Boolean),
            pl.Series(name, [datetime(2026, 1, 1)] * height, dtype=pl.Datetime("ns")),
            pl.Series(name, [date(9999, 12, 31)] * height, dtype=pl.Date),
            pl.Series(name, [time(8)] * height, dtype=pl.Time),
            pl.Series(name, ["1.10"] * height, dtype=pl.String).cast(pl.Decimal(10, 2)),
        )
        if rng.random() < 0.6:
            frame = frame.with_columns(rng.choice(odd))
        stream = io.BytesIO()
        frame.write_parquet(stream)
        content = stream.getvalue()
        return self._bytes(content) if rng.random() < 0.15 else content

    def _bytes(self, content: bytes) -> bytes:
        rng, changed = self.rng, bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(len(changed) + 1)
            kind = rng.random()
            if kind < 0.2:
                del changed[at:]
            elif kind < 0.6:
                changed[at:at] = rng.choice(_BYTES)
            elif kind < 0.8:
                del changed[at : at + rng.randint(1, 20)]
            else:
                changed[at : at + 1] = bytes([rng.randrange(256)])
        return bytes(changed)


@dataclass(frozen=True)
class Option:
    """An option of a command."""

    names: Sequence[str]
    is_flag: bool
    required: bool


@dataclass(frozen=True)
class CommandLine:
    """A command: its words, its options, and how many arguments it takes."""

    words: Sequence[str]
    options: Sequence[Option]
    arguments: int


def commands(command: Any, words: Sequence[str] = ()) -> Iterator[CommandLine]:
    """Yield every command of a command line, with what it takes."""
    for name, part in getattr(command, "commands", {}).items():
        yield from commands(part, [*words, name])
    options = [
        Option(part.opts, bool(getattr(part, "is_flag", False)), part.required)
        for part in command.params
        if part.param_type_name == "option"
    ]
    yield CommandLine(words, options, sum(part.param_type_name == "argument" for part in command.params))


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield tree, key
        yield from _places(value)


def _written(cell: object) -> str:
    return "" if cell is None else str(cell)
