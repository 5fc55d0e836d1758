"""What the columns of one table hold and may mean, and which words of a status mean what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from dealwright.tables.coercion import NO, YES, AmbiguousError
from dealwright.tables.mapping import Source, TableMap
from dealwright.tables.reader import RawTable
from dealwright.tables.validation import Rows
from dealwright.tables.vocabulary import (
    Meaning,
    language,
    matching,
    meanings,
    plain,
    plain_headers,
    serving,
)

Kind = Literal["text", "number", "moment", "flag", "empty"]

_SAMPLE: Final = 2000  # distinct cells that tell what kind a column is
_MOSTLY, _ALMOST = 0.9, 0.98
_FITS: Final[Mapping[str, tuple[Kind, ...]]] = {  # section of the vocabulary -> what such a column holds
    "key": ("text", "number", "flag"),
    "text": ("text", "flag"),
    "moment": ("moment",),
    "number": ("number", "flag"),
    "minutes": ("number", "text", "moment"),
    "flag": ("flag",),
    "plain": ("text", "number", "flag", "moment"),
}


@dataclass(frozen=True)
class Column:
    """A column: what it holds, the distinct cells as text, the share that is filled, what it may mean.

    `is_key`: hardly any two rows share a cell, so that it may be the id of a table with a few rows too many.
    """

    name: str
    kind: Kind
    values: pl.Series
    filled: float
    is_key: bool
    meaning: Meaning | None

    @property
    def means(self) -> str:
        """The name of what it means, or nothing."""
        return self.meaning.name if self.meaning else ""

    @property
    def score(self) -> float:
        """How sure it is that it means this."""
        return self.meaning.score if self.meaning else 0.0

    def holds(self, values: pl.Series) -> float:
        """Return the share of some distinct values that are among its own."""
        return int(values.is_in(self.values.implode()).sum()) / max(values.len(), 1)


class Table:
    """A file, or a sheet of a workbook, with a guess at every column.

    Attributes
    ----------
    settings
        What must be said of how it is written, each with the doubt about it.
    unclear
        Columns of dates in which day and month cannot be told apart.
    used
        The columns that the draft has a use for.
    """

    def __init__(self, file: str, raw: RawTable, given: Mapping[str, Any]) -> None:
        self.file = file
        self.sheet: str | None = given.get("sheet")
        self.label = f"{file}, sheet {self.sheet!r}" if self.sheet else file
        self.settings: dict[str, tuple[Any, str]] = {key: (value, "") for key, value in given.items()}
        self.unclear: list[str] = []
        self.used: set[str] = set()
        self.rows = Rows(TableMap(file), raw)
        self.height = int(self.rows.good.sum())
        self.headers = plain_headers(raw.frame.columns)
        self.language = language(self.headers.values())
        self.columns = {name: self._guess(name) for name in raw.frame.columns}

    # columns by what they mean

    def first(self, *names: str) -> str | None:
        """Return the column of the first of these meanings that one has; of several the surest one."""
        for name in names:
            if found := [column for column in self.columns.values() if column.means == name]:
                return max(found, key=lambda column: (column.score, column.filled)).name
        return None

    def every(self, *names: str) -> list[str]:
        """Return all columns with one of these meanings."""
        return [column.name for column in self.columns.values() if column.means in names]

    def of(self, role: str, field: str) -> str | None:
        """Return the column for a field of a role."""
        return self.first(*serving(role, field))

    @property
    def start(self) -> str | None:
        """The column that says when a lead was given to its owner; else a date that every row has."""
        names = serving("assignments", "assigned_at")
        filled = [
            name for name in names if (column := self.first(name)) and self.columns[column].filled >= 0.5
        ]
        unknown = [
            c for c in self.columns.values() if c.kind == "moment" and not c.meaning and c.filled > _MOSTLY
        ]
        named = self.first(*filled, *names)
        return named or next((c.name for c in sorted(unknown, key=lambda c: -c.filled)), None)

    @cached_property
    def called(self) -> str | None:
        """The role that the name of the file or sheet speaks of."""
        return matching("tables", self.sheet or Path(self.file).stem)

    # cells

    def text(self, *names: str) -> pl.Series:
        """Return columns as clean text, joined by blanks; rows of totals are left out."""
        return self.rows.parsed("text", Source(names))[0].values.filter(self.rows.good)

    def read(self, kind: str, name: str) -> pl.Series:
        """Return a column as moments, numbers or yes/no."""
        return self.rows.parsed(kind, Source((name,)))[0].values.filter(self.rows.good)

    def is_unique(self, *names: str) -> bool:
        """Tell whether every row has a text of its own."""
        text = self.text(*names)
        return text.n_unique() == text.len() and not text.null_count()

    def key_for(self, values: pl.Series, header: str = "") -> tuple[float, list[str]]:
        """Find the unique column that holds most of some distinct values: their share, and the column."""
        keys = [([c.name], c.values) for c in self.columns.values() if c.is_key and c.kind != "moment"]
        first, last = self.first("first_name"), self.first("last_name")
        if first and last:
            keys.append(([first, last], self.text(first, last).drop_nulls()))
        best: tuple[float, bool, list[str]] = (0.0, False, [])
        for names, known in keys:
            share = round(float(values.is_in(known.implode()).sum()) / max(values.len(), 1), 3)
            best = max(best, (share, self.headers[names[0]] == plain(header), names))
        return best[0], best[2]

    def declare(self, key: str, value: Any, why: str) -> None:
        """Fix how the file is written, with the doubt about it."""
        self.settings[key] = (value, why)
        self.rows = self.written(key, value)

    def written(self, key: str, value: Any) -> Rows:
        """Return the rows as they would be if the file was written so."""
        raw = self.rows.original
        return Rows(TableMap(self.file), replace(raw, format=replace(raw.format, **{key: value})))

    # guesses

    def _guess(self, name: str) -> Column:
        cells = self.text(name).drop_nulls()
        values = cells.unique(maintain_order=True).alias(name)
        guesses = meanings(self.headers[name])
        kind = self._kind(name, values, guesses)
        meaning = next((guess for guess in guesses if _fits(guess, kind, values)), None)
        is_key = 0 < values.len() >= _ALMOST * cells.len()
        return Column(name, kind, values, cells.len() / max(self.height, 1), is_key, meaning)

    def _kind(self, name: str, values: pl.Series, guesses: Sequence[Meaning]) -> Kind:
        held = self.rows.raw.frame[name].dtype
        some = values.head(_SAMPLE)
        if values.is_empty():
            return "empty"
        if held.is_temporal():
            return "moment"
        if values.len() <= 2 and self._readable("flag", some) == 1:
            return "flag"
        looks = some.str.contains(r"\d\D+\d+\D+\d|\p{L}{3}.*\d\d").sum() > _MOSTLY * some.len()
        dated = (
            bool(guesses) and guesses[0].section == "moment"
        )  # 20260131 is a number, and 46053 a day in Excel
        if (looks or dated) and self._readable("moment", some) > _MOSTLY:
            return "moment"
        return "number" if self._readable("number", some) > _MOSTLY else "text"

    def _readable(self, kind: str, some: pl.Series) -> float:
        """Return the share of cells that can be read as a kind; declare how they are written if unclear."""
        rows, name = self.rows, some.name
        try:
            read = {"flag": rows.coercion.flag, "number": rows.coercion.number}.get(kind)
            failed = (read(some) if read else rows.coercion.moment(some, utc=True)).failed
        except AmbiguousError:
            try:  # the whole column may tell
                failed = rows.parsed(kind, Source((name,)))[0].failed
            except AmbiguousError as error:
                if kind == "moment":
                    self.unclear.append(name)
                else:
                    sign = "." if self.language == "English" else ","
                    why = str(error).partition(": ")[2].partition(": write")[0]
                    why = f"{name}: {why}; this is usual where headers are {self.language}"
                    self.declare("decimal", sign, why)
                return 1.0
        return 1 - float(failed.sum()) / failed.len()


def _fits(guess: Meaning, kind: Kind, values: pl.Series) -> bool:
    """Tell whether contents allow a meaning: owners may be numbers, a label may have a word too many."""
    if kind == "number" and guess.name in ("owner", "customer"):
        return guess.score >= 1
    return kind in _FITS[guess.section] or (guess.name == "churned" and kind == "text" and values.len() <= 4)


# statuses


def count(number: int, word: str) -> str:
    """Write a number of things: 1 row, 2 rows."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def outcomes(table: Table, column: str | None) -> int:
    """Count which of won and lost the words of a column can tell."""
    if column is None:
        return 0
    if table.columns[column].kind == "flag":
        return 1
    return len(
        {matching("statuses", word) for word in table.columns[column].values.head(100)}
        & {"confirmed", "cancelled"}
    )


def status_columns(table: Table, most: int) -> list[str]:
    """Return the column that says best what became of a lead, with a second one where only both tell.

    Some products leave a lost lead in its stage, and say in another column that it is not active any more.
    """
    few = [name for name in table.every("status") if table.columns[name].values.len() <= most]
    names = few or table.every("is_won") or table.every("status")
    best = max(
        names, key=lambda name: (outcomes(table, name), table.columns[name].score, table.columns[name].filled)
    )
    other = table.first("is_closed" if table.columns[best].kind == "flag" else "active")
    tells = "cancelled" in {matching("statuses", word) for word in table.columns[best].values.head(most)}
    return [best] if other is None or tells or table.columns[other].kind != "flag" else [best, other]


def sort_words(table: Table, columns: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Sort the words of a status by what they mean: status -> words, and status -> what was guessed of them.

    A word nobody knows is judged by its rows: marked or dated as won, or as lost; otherwise it is still open.
    """
    told = pl.DataFrame({"word": table.text(*columns), "first": table.text(columns[0]), **_signs(table)})
    if table.columns[columns[0]].kind == "flag":
        told = told.with_columns(yes=table.read("flag", columns[0]).cast(pl.Float64))
    words: dict[str, list[str]] = {}
    guessed: dict[str, list[str]] = {}
    groups = told.drop_nulls("word").group_by(
        pl.col("word").str.to_lowercase().alias("_"), maintain_order=True
    )
    counted = groups.agg(
        pl.col("word", "first").mode().min(), pl.exclude("word", "first").mean() > 0.5, rows=pl.len()
    )  # fmt: skip
    for row in counted.sort("rows", descending=True, maintain_order=True).iter_rows(named=True):
        status, why = _status_of(row, joined=len(columns) > 1)
        words.setdefault(status, []).append(row["word"])
        if why:
            guessed.setdefault(status, []).append(f"{row['word']!r} ({count(row['rows'], 'row')}) {why}")
    return words, guessed


def _signs(table: Table) -> dict[str, pl.Series]:
    """Return what else says, of each row, whether it was won, lost, closed, or is active."""
    signs: dict[str, pl.Series] = {}
    for name in ("is_won", "is_closed", "active"):
        if column := table.first(name):
            signs[name] = table.read("flag", column).cast(pl.Float64)
    reason = next((name for name, header in table.headers.items() if _REASON & set(header.split())), None)
    for name, column in (
        ("won_at", table.first("won_at")),
        ("lost_at", table.first("lost_at")),
        ("reason", reason),
    ):
        if column:
            signs[name] = table.text(column).is_not_null().cast(pl.Float64)
    return signs


_REASON: Final = {"reason", "motivo", "razon", "verlustgrund", "motif", "raison"}


def _status_of(row: Mapping[str, Any], *, joined: bool) -> tuple[str, str]:
    """Return what a word means, and why it is thought to where the word itself does not say."""
    status, flagged = matching("statuses", row["first"]), "yes" in row
    if joined and status != "confirmed":
        over = row["is_closed"] if flagged else row["active"] is False
        return ("cancelled" if over and not row.get("is_won") else "confirmed" if over else "pending"), ""
    if flagged:
        doubt = "is taken for lost, but such leads may be open still"
        return ("confirmed", "") if row["yes"] else ("cancelled", doubt)
    if status is not None:
        return status, ""
    if row.get("is_won") or row.get("won_at"):
        return "confirmed", "is taken for won: most of its rows are marked or dated as won"
    if row.get("lost_at") or row.get("reason") or (row.get("is_closed") and "is_won" in row):
        return "cancelled", "is taken for lost: most of its rows are marked, dated or explained as lost"
    return "pending", "is not known, and taken for still open"


def gives_away(values: pl.Series, outcome: pl.Series) -> bool:
    """Tell whether a column follows from the outcome: filled once settled, or one outcome for each value."""
    frame = pl.DataFrame({"value": values, "outcome": outcome}).drop_nulls("outcome")
    settled = frame.filter(pl.col("outcome").is_in(["confirmed", "cancelled"]))
    waiting = frame.filter(pl.col("outcome") == "pending")["value"]
    filled = settled["value"].count()
    if waiting.len() >= 20 and waiting.count() < 0.05 * waiting.len() and filled > 0.05 * settled.height:
        return True
    counts = settled.group_by("value", "outcome").len().group_by("value").agg(pl.col("len").max())["len"]
    if settled.height < max(50, 10 * counts.len()):
        return False
    commonest = int(settled["outcome"].value_counts(sort=True)["count"][0])
    return bool(counts.sum() > 0.97 * settled.height and commonest < 0.9 * settled.height)


def yes_word(words: Iterable[str]) -> str | None:
    """Return the word of a label that says that a customer has left."""
    for word in sorted(words):
        folded = word.casefold()
        said = folded not in NO and any(meaning.name == "churned" for meaning in meanings(plain(word)))
        if said or folded in YES - {"active"}:
            return word
    return None
