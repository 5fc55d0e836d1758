"""One table on its way in: cells become typed columns, and what is wrong names its row, reason and fix.

Every row is judged here, once. A row with a problem is rejected; a warning or note keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from math import inf
from typing import Final, Literal

import numpy as np
import polars as pl

from dealwright.conditions import Expression
from dealwright.errors import InputError
from dealwright.schemas import PROBLEM_COLUMNS, TableReport
from dealwright.stats.arrays import Bools
from dealwright.tables.coercion import Coercion, Parsed
from dealwright.tables.fields import LARGEST_AMOUNT, POLARS_TYPES, TABLES, WHAT, Field
from dealwright.tables.mapping import Source, TableMap
from dealwright.tables.reader import Format, RaggedRow, RawTable, as_text

Level = Literal["rejected", "warning", "note"]
Words = pl.Series | str

_HINTED: Final = 100  # distinct wrong values that get a proposal of their own
_CONTROL: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_TOP_LINES: Final = 20  # where a header may stand below a title
_CERTAIN: Final = 5  # cells that must fail before a whole column is called wrongly mapped
_TOTALS: Final = r"(?i)^(grand\s+)?(sub)?(total(s|e|en|es)?|totaux|sum|summe|suma|somme|soma|(end|gesamt)summe|gesamt|total\s+ge(ne)?ral)\s*:?$"  # noqa: E501  one pattern

_ON_THE_DESK = ("agents", "assignments", "bookings", "leads")  # whose texts are held to its bounds


class Rows:
    """The rows of one table.

    Parameters
    ----------
    mapping
        Where each field comes from.
    raw
        The table as it came, with the columns of its lookups.
    totals
        Whether its last rows may be totals.

    Attributes
    ----------
    frame
        The typed columns read so far; no row is missing before `good`.
    left_out
        Rows that the mapping's ``where`` left out.
    """

    def __init__(self, mapping: TableMap, raw: RawTable, *, totals: bool = True) -> None:
        self.mapping = mapping
        self.original = raw
        self.left_out = 0
        self.used: set[str] = set()
        at = pl.int_range(raw.frame.height, eager=True)
        if raw.frame.width:
            empty = raw.frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
            at = at.filter(~empty)
        if mapping.where is not None:
            kept = self._matches(raw.frame[at], mapping.where)
            self.left_out = at.len() - int(kept.sum())
            at = at.filter(kept)
        whole = at.len() == raw.frame.height
        self.at = at
        self.raw = raw if whole else replace(raw, frame=raw.frame[at], lines=raw.lines.gather(at))
        self.height = at.len()
        self.coercion = Coercion(self.raw)
        self.frame = pl.DataFrame()
        self.bad: Bools = np.zeros(self.height, dtype=np.bool_)
        self._ignored = np.zeros(self.height, dtype=np.bool_)
        self._own = np.zeros(self.height, dtype=np.bool_)  # rejected for a reason of their own
        self._problems: list[pl.DataFrame] = []
        if totals:
            self._reject_totals()

    @property
    def _declared(self) -> bool:
        """Whether a mapping says which columns are meant, rather than our own names."""
        return self.mapping.table in (*TABLES, "accounts")

    # cells

    def has(self, name: str) -> bool:
        """Tell whether the mapping says where a field comes from."""
        return name in self.mapping.fields

    def label(self, name: str) -> str:
        """Return what the user calls a field."""
        return self.mapping.fields[name].label if self.has(name) else name

    def text_of(self, source: Source) -> str | pl.Series:
        """Return the column of a source, or the text put together from its columns; a constant as it is."""
        self.used.update(source.columns)
        if source.constant is not None:
            return pl.Series(source.label, [source.constant], dtype=pl.String).new_from_index(0, self.height)
        if len(source.columns) == 1:
            return source.columns[0]
        parts = [self.coercion.cleaned(column).alias(str(k)) for k, column in enumerate(source.columns)]
        joined = pl.concat_str(pl.all(), separator=source.joined_by, ignore_nulls=True)
        text = pl.when(joined != "").then(joined).alias(source.label)
        return pl.DataFrame(parts).select(text).to_series()

    def read(
        self, name: str, field: Field, source: Source | None = None, *, into: str | None = None
    ) -> pl.Series:
        """Read a field into `frame`; cells that cannot be used become null, and their rows are rejected.

        Parameters
        ----------
        source
            Where it comes from; by default what the mapping says.
        into
            The column's name in `frame`; None: that of the field.

        Raises
        ------
        InputError
            Most of the cells cannot be read: then the mapping is wrong, not the rows.
        """
        column = into or field.named or name
        source = source or self.mapping.fields.get(name)
        if source is None:
            values = pl.Series(column, [field.default], dtype=POLARS_TYPES[field.kind])
            values = values.new_from_index(0, self.height)
        else:
            values = self._checked(name, field, source)
        if field.kind in ("texts", "days"):
            values = values.fill_null([])
        values = values.alias(column).rechunk()
        self.frame = self.frame.with_columns(values) if self.frame.width else values.to_frame()
        return values

    def parsed(self, kind: str, source: Source, high: float = inf) -> tuple[Parsed, str | pl.Series]:
        """Read the cells of a source as a kind, without judging them; empty ones get its default.

        Above `high` a number is not plausible.
        """
        given = self.text_of(source)
        if source.constant is not None:
            found = self._alone(kind, source, source.constant)
            values, failed = found.values, found.failed
            every = values.new_from_index(0, self.height), failed.new_from_index(0, self.height)
            return Parsed(*every), given
        found = _read_as(kind, self.coercion, given, source.separator, high)
        if source.default is not None:
            alone = self._alone(kind, source, source.default)
            empty = found.values.is_null() & ~found.failed
            other = alone.values.new_from_index(0, self.height)
            values = other.zip_with(empty, found.values).alias(source.label)
            found = Parsed(values, found.failed | (empty & alone.failed[0]))
        return found, given

    def _alone(self, kind: str, source: Source, word: str) -> Parsed:
        """Read what the mapping itself holds, which is not written the way the file is."""
        cell = pl.Series(source.label, [word], dtype=pl.String)
        raw = RawTable(
            self.original.file, cell.to_frame(), pl.Series([0]), (),
            Format(decimal=".", time_zone=self.original.format.time_zone), (),
        )  # fmt: skip
        return _read_as(kind, Coercion(raw), cell, source.separator, inf)

    def _checked(self, name: str, field: Field, source: Source) -> pl.Series:
        label = source.label
        found, given = self.parsed(field.kind, source, field.high)
        values, failed = found.values, found.failed
        what, fix = WHAT[field.kind]
        if failed.any():
            self._refuse_column(name, label, failed, given, what, fix)
            self.reject(failed, label, f"not {what}", field.fix or fix, given)
        if field.kind == "whole":
            broken = ((values != values.round(0)) | (values.abs() >= 2.0**63)).fill_null(value=False)
            self.reject(broken, label, f"not {what}", fix, given)
            values = values.set(broken, None).cast(pl.Int64)
        if field.kind in ("number", "whole", "minutes"):
            values = self._in_range(values, field, label, given)
        if field.kind == "moment":
            odd = (~values.dt.year().is_between(1970, 2199)).fill_null(value=False)
            self.reject(odd, label, "not from 1970 to 2199", "look at the year", given)
            values = values.set(odd, None)
        if field.kind in ("text", "texts") and self.mapping.table in _ON_THE_DESK:
            values = self._bounded(values, name, label)
        if field.one_of and field.kind == "text":
            values = self.choose(values, field.one_of, label, given)
        elif field.one_of:
            other = values.list.eval(~pl.element().is_in(list(field.one_of))).list.any()
            self.reject(other, label, f"not among {', '.join(field.one_of)}", "use one of these", given)
        if field.needed:
            empty = values.is_null() & ~failed & ~pl.Series(self.bad, dtype=pl.Boolean)
            key, fix = f"{self.mapping.table}.{name}", "fill it in"
            if self._declared:
                fix += f', or give it a default: {key} = {{ column = "{label}", default = … }}'
            self.reject(empty, label, "empty", fix)
        return values if field.default is None else values.fill_null(field.default)

    def _bounded(self, values: pl.Series, name: str, label: str) -> pl.Series:
        """Hold text to the desk's bounds: a line end within a name is a space."""
        if values.dtype != pl.String:
            return self._bounded_lists(values, label)
        longest = 100_000 if name == "requirements" else 500
        if name != "requirements":
            values = values.str.replace_all(r"[\t\n\v\f\r\x85]+", " ")
        odd = values.str.contains(_CONTROL).fill_null(value=False)
        self.reject(odd, label, "holds a control character", "write plain text")
        long = (values.str.len_chars() > longest).fill_null(value=False)
        self.reject(long, label, f"longer than {longest:,} characters", "shorten it")
        return values.set(odd | long, None)

    def _bounded_lists(self, values: pl.Series, label: str) -> pl.Series:
        """Hold lists of texts to the desk's bounds."""
        items = values.list.eval(pl.element().str.contains(_CONTROL) | (pl.element().str.len_chars() > 500))
        odd = items.list.any().fill_null(value=False)
        self.reject(
            odd, label, "an item is longer than 500 characters or holds a control character", "shorten it"
        )
        many = (values.list.len() > 1000).fill_null(value=False)
        self.reject(many, label, "more than 1,000 items", "keep those that leads ask for")
        return values.set(odd | many, None)

    def _in_range(self, values: pl.Series, field: Field, label: str, given: str | pl.Series) -> pl.Series:
        low, high = field.low, field.high
        under = (values <= low) if field.above else (values < low)
        over = values > high
        if not (under.any() or over.any()):
            return values
        if low == 0 and high >= LARGEST_AMOUNT:
            reasons = ("not above 0" if field.above else "negative", "too large")
        elif field.above:
            reasons = (f"not above {_figure(low)}", f"above {_figure(high)}")
        else:
            reasons = (
                (f"not from {_figure(low)} to {_figure(high)}",) * 2
                if high < LARGEST_AMOUNT
                else (f"below {_figure(low)}", "too large")
            )
        for mask, reason in zip((under, over), reasons, strict=True):
            self.reject(mask, label, reason, field.fix, given)
        return values.set((under | over).fill_null(value=False), None)

    def choose(
        self, values: pl.Series, allowed: Iterable[str], label: str, given: str | pl.Series | None = None,
        *, what: str | None = None, fix: str = "", level: Level = "rejected",
    ) -> pl.Series:  # fmt: skip
        """Keep the values that are allowed; other rows are rejected, with the nearest one."""
        names = list(allowed)
        wrong = values.is_not_null() & ~values.is_in(names)
        if not wrong.any():
            return values
        what = what or f"not {'an' if label[:1].lower() in 'aeiou' else 'a'} {label}"
        folded = {name.casefold(): name for name in names}
        otherwise = fix or f"use one of: {', '.join(names)}"
        hints = {}
        for value in values.filter(wrong).unique(maintain_order=True).head(_HINTED):
            near = get_close_matches(value.casefold(), folded, n=1, cutoff=0.6)
            hints[value] = f"did you mean {folded[near[0]]!r}?" if near else otherwise
        fixes = values.replace_strict(hints, default=otherwise, return_dtype=pl.String)
        self.reject(wrong, label, what, fixes, values if given is None else given, level=level)
        return values.set(wrong, None)

    # rows

    def refer(self, name: str, ids: pl.Series, target: Rows, kind: str) -> None:
        """Reject the rows that name a record that does not exist, or that was itself rejected."""
        key = target.frame.columns[0]
        known = target.frame[key]
        # rows of a record mostly stand together, and a part of a log names few of all records: what is asked
        # is looked for among the records, not each row in a table of all of them
        named = ids.drop_nulls().rle().struct.field("value").unique()
        kept = known.filter(target.good)
        unknown = named.filter(~named.is_in(kept.filter(kept.is_in(named.implode())).implode()))
        if unknown.is_empty():
            return
        missing = ids.is_in(unknown.implode()).fill_null(value=False)
        there = pl.DataFrame({"id": known, "line": target.raw.lines})
        there = there.filter(pl.col("id").is_in(unknown.implode())).unique("id", keep="first")
        line = ids.to_frame("id").join(there, on="id", how="left", maintain_order="left")["line"]
        label, file = self.label(name), target.original.file
        self.reject(
            missing & line.is_null(),
            label,
            f"no such {kind}",
            f"correct the id, or add the {kind} to {file}",
            ids,
        )
        rejected = missing & line.is_not_null()
        if rejected.any():
            fix = pl.select(
                pl.format("mend line {} of {} first", line.fill_null(0), pl.lit(file))
            ).to_series()
            self.reject(rejected, label, f"its {kind} was rejected", fix, ids, own=False)

    def once(self, name: str, ids: pl.Series, fix: str, reason: str = "line {} has it already") -> None:
        """Reject the second and further rows of an id; a row that is rejected already takes no id."""
        ids = ids.set(~self.good, None)
        again = ids.is_not_null() & ~ids.is_first_distinct()
        if not again.any():
            return
        first = pl.DataFrame({"id": ids, "line": self.raw.lines}).unique("id", keep="first")
        lines = ids.to_frame("id").join(first, on="id", how="left", maintain_order="left")["line"]
        said = pl.select(pl.format(f"duplicate: {reason}", lines.fill_null(0))).to_series()
        self.reject(again, self.label(name), said, fix, ids)

    def keep_first(self, name: str, filled: Iterable[str] = ()) -> None:
        """Ignore rows that name no record, and those of a record that is named before.

        Where cells of a record are empty in some rows, the first row with all of `filled` stands for it.
        """
        ids = self.parsed("text", self.mapping.fields[name])[0].values.alias("id")
        gaps = pl.Series("gaps", np.zeros(self.height, dtype=np.int64))
        for field in filled:
            gaps += self.parsed("text", self.mapping.fields[field])[0].values.is_null().cast(pl.Int64)
        first = (
            pl.DataFrame([ids, gaps.alias("gaps")])
            .with_row_index("row")
            .filter(pl.col("id").is_not_null())
            .sort("gaps", maintain_order=True)
            .unique("id", keep="first")["row"]
        )
        self.defer()
        self.ignore(~pl.int_range(self.height, eager=True).is_in(first.implode()))

    def defer(self) -> None:
        """Leave the rows that no table can use to the table that this one shares its file with."""
        self.original = replace(self.original, ragged=())
        self._problems.clear()
        self.bad[:] = self._own[:] = False

    def ignore(self, mask: pl.Series) -> None:
        """Say nothing about the rows of `mask`, from here on: they are no records of this table."""
        self._ignored |= mask.fill_null(value=False).to_numpy()

    def reject(
        self, mask: pl.Series, label: str, reason: Words, fix: Words, given: str | pl.Series | None = None,
        *, level: Level = "rejected", own: bool = True,
    ) -> None:  # fmt: skip
        """Reject (or warn of) the rows of a mask; nulls in it count as fine.

        Parameters
        ----------
        label
            The column, as the user calls it.
        given
            What the cells hold: a column, or a series.
        own
            Whether the fault is the row's own, rather than that of a row it refers to.
        """
        at = (mask.fill_null(value=False) & ~pl.Series(self._ignored, dtype=pl.Boolean)).arg_true()
        if not at.len():
            return
        if level == "rejected":
            self.bad[at.to_numpy()] = True
            self._own[at.to_numpy()] |= own

        def chosen(item: Words | None) -> pl.Series:
            if isinstance(item, pl.Series):
                return _copied(_shown(item.gather(at)))
            return pl.Series([item], dtype=pl.String).new_from_index(0, at.len())

        cells = self.raw.frame[given] if isinstance(given, str) and given in self.raw.frame.columns else given
        self._problems.append(
            pl.DataFrame(
                {
                    "row": at.cast(pl.Int64),
                    "line": self.raw.lines.gather(at).cast(pl.Int64),
                    "column": chosen(label),
                    "value": chosen(cells if isinstance(cells, pl.Series) else None),
                    "level": chosen(level),
                    "rows": pl.repeat(1, at.len(), dtype=pl.Int64, eager=True),
                    "reason": chosen(reason),
                    "fix": chosen(fix),
                }
            )
        )

    def note(self, label: str, rows: int, reason: str, fix: str, *, level: Level = "note") -> None:
        """Say something about a whole column; no row is lost by it."""
        said = {"row": -1, "line": None, "column": label, "value": None, "level": level, "rows": rows}
        schema = {"row": pl.Int64, **{k: v for k, v in PROBLEM_COLUMNS.items() if k not in ("table", "file")}}
        self._problems.append(pl.DataFrame([{**said, "reason": reason, "fix": fix}], schema=schema))

    def forget_notes(self) -> None:
        """Forget what was said about whole columns: another part of the table says it."""
        self._problems = [frame.filter(pl.col("row") >= 0) for frame in self._problems]

    @property
    def good(self) -> pl.Series:
        """Which rows are kept."""
        return ~pl.Series(self.bad | self._ignored, dtype=pl.Boolean)

    def clean(self) -> pl.DataFrame:
        """Return the typed rows that are kept."""
        good = self.good
        return self.frame if good.all() else self.frame.filter(good)

    # what is reported

    def problems(self) -> pl.DataFrame:
        """Return `PROBLEM_COLUMNS`, in the order of the file."""
        for column, words in self.coercion.missing.items():
            if not words:
                continue
            said = ", ".join(f"{word} ({count:,})" for word, count in words.items())
            self.note(column, sum(words.values()), f"read as missing: {said}", "set null_values if it is not")
        self.coercion.missing.clear()
        ragged = [
            {
                "line": row.line,
                "column": "(row)",
                "value": " | ".join(row.cells),
                "level": "rejected",
                "rows": 1,
                "reason": self._why(row),
                "fix": "mend the line, or leave it out"
                if row.reason
                else "put a field that holds the separator in quotes, or add the missing ones",
            }
            for row in self.original.ragged
        ]
        kinds = {name: kind for name, kind in PROBLEM_COLUMNS.items() if name not in ("table", "file")}
        found = [pl.DataFrame(ragged, schema=kinds)]
        found += [
            frame.select(pl.col(name).cast(kind) for name, kind in kinds.items()) for frame in self._problems
        ]
        return (
            pl.concat(found)
            .sort("line", maintain_order=True, nulls_last=True)
            .select(
                pl.lit(self.mapping.table).alias("table"), pl.lit(self.original.file).alias("file"), pl.all()
            )
        )

    def report(self) -> TableReport:
        """Say what became of the table."""
        bad = int(self.bad.sum())
        real = self.height - int((self._ignored & ~self.bad).sum())
        told = self.coercion.found.items()
        return TableReport(
            table=self.mapping.table,
            file=self.original.file,
            rows=real + len(self.original.ragged),
            kept=real - bad,
            left_out=self.left_out,
            follow_on=bad - int(self._own.sum()),
            rejected=self._rejected(),
            found=(*self.original.found, *(f"{column}: {how}" for column, how in told)),
            undeclared=tuple(name for name in self.original.frame.columns if name not in self.used),
        )

    def _rejected(self) -> pl.DataFrame:
        """Return the rejected rows as they came, with the reason in one more column."""
        names = self.original.frame.columns
        reason = "reason"
        while reason in names:
            reason += "_"
        wrong = [frame.filter(pl.col("level") == "rejected") for frame in self._problems]
        found = pl.concat([f for f in wrong if f.height]) if any(f.height for f in wrong) else None
        schema = {**dict.fromkeys(names, pl.String), reason: pl.String}
        parts = []
        if found is not None:
            said = pl.format("line {}, {}: {} ({})", "line", "column", "reason", "fix").str.join("; ")
            by_row = found.group_by("row", maintain_order=True).agg(
                said.alias(reason), pl.col("line").first()
            )
            rows = self.at.gather(by_row["row"])
            cells = self.original.cells(rows.to_list()).select(names)
            cells = pl.DataFrame([_copied(column) for column in cells.get_columns()])
            parts.append(cells.with_columns(by_row[reason], by_row["line"].alias("\0line")))
        if self.original.ragged:
            parts.append(self._ragged(names, reason))
        if not parts:
            return pl.DataFrame(schema=schema)
        return pl.concat(parts).sort("\0line", maintain_order=True).drop("\0line")

    def _ragged(self, names: list[str], reason: str) -> pl.DataFrame:
        rows = []
        for row in self.original.ragged:
            cells = [*row.cells[: len(names) - 1], " | ".join(row.cells[len(names) - 1 :])]
            cells += [""] * (len(names) - len(cells))
            rows.append((*cells[: len(names)], f"line {row.line}: {self._why(row)}", row.line))
        schema = {**dict.fromkeys(names, pl.String), reason: pl.String, "\0line": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _why(self, row: RaggedRow) -> str:
        return row.reason or f"{len(row.cells)} fields instead of {self.original.frame.width}"

    # inside

    def _refuse_column(  # noqa: PLR0917
        self, name: str, label: str, failed: pl.Series, given: str | pl.Series, what: str, fix: str
    ) -> None:
        """Refuse a column of which most cells cannot be read."""
        cells = self.raw.frame[given] if isinstance(given, str) else given
        filled, count = cells.len() - cells.null_count(), int(failed.sum())
        if count < _CERTAIN or count <= 0.5 * filled or not self._declared:
            return
        row = int(failed.arg_true()[0])
        raise InputError(
            f"{self.original.file}, column {label!r}: it is mapped to {self.mapping.table}.{name}, but "
            f"{count:,} of its {filled:,} cells are not {what} (line {self.raw.lines[row]} holds "
            f"{str(cells[row])!r}): {fix}, name another column in the mapping, or declare how it is written "
            "under [format]"
        )

    def _matches(self, frame: pl.DataFrame, where: Expression) -> pl.Series:
        """Evaluate ``where``; columns of text that hold numbers only can be compared with numbers."""
        self.used.update(where.columns)
        numbers = [
            pl.col(name).cast(pl.Float64)
            for name in sorted(where.columns)
            if name in frame.columns and frame[name].dtype == pl.String and name not in where.texts
            and frame[name].cast(pl.Float64, strict=False).null_count() == frame[name].null_count()
        ]  # fmt: skip
        for candidate in (frame, frame.with_columns(numbers)):
            try:
                where.check(candidate.schema, boolean=True)
                return candidate.select(where.expr.alias("kept"))["kept"].fill_null(value=False)
            except (InputError, pl.exceptions.PolarsError) as error:
                failure = error
        raise InputError(str(failure)) from None

    def _reject_totals(self) -> None:
        """Reject a row of totals at the end of a file, and look at it no further."""
        texts = [name for name, kind in self.raw.frame.schema.items() if kind == pl.String][:3]
        tail = self.raw.frame.tail(3)
        if not texts or self.height < 2:
            return
        first = pl.coalesce(pl.col(texts).str.strip_chars().replace("", None))
        gaps = pl.any_horizontal(pl.all().is_null()) if tail.width > 2 else pl.lit(value=True)
        total = tail.select(first.str.contains(_TOTALS) & gaps).to_series()
        found = pl.Series(np.zeros(self.height, dtype=np.bool_))
        at = total.fill_null(value=False).arg_true() + (self.height - tail.height)
        if at.len():
            found = found.scatter(at, values=True)
            self.reject(found, "(row)", "looks like a row of totals", "delete it; totals are not data")
            self.ignore(found)


def _read_as(kind: str, read: Coercion, given: str | pl.Series, separator: str, high: float) -> Parsed:
    """Read cells as a kind."""
    match kind:
        case "number" | "whole":
            return read.number(given, high=high)
        case "moment" | "local":
            return read.moment(given, utc=kind == "moment")
        case "texts" | "days":
            return getattr(read, kind)(given, separator=separator)  # type: ignore[no-any-return]
        case _:
            return getattr(read, kind)(given)  # type: ignore[no-any-return]


def _figure(bound: float) -> str:
    return f"{bound:,.0f}" if abs(bound) >= 1e6 else f"{bound:g}"


def _shown(cells: pl.Series) -> pl.Series:
    """Write cells as text, for a message."""
    if isinstance(cells.dtype, pl.List):
        return cells.cast(pl.List(pl.String)).list.join("; ")
    try:
        return cells.cast(pl.String, strict=False)
    except pl.exceptions.PolarsError:  # durations
        return as_text(cells)


def _copied(texts: pl.Series) -> pl.Series:
    """Return texts that stand alone: a few rows of a column would keep all of its texts in memory."""
    return texts + "" if texts.dtype == pl.String else texts


def _header_below(raw: RawTable, wanted: Iterable[str]) -> int | None:
    """Return the line among the first ones that names all the wanted columns."""
    top = raw.cells(range(min(_TOP_LINES, raw.frame.height)))
    rows = [*zip(raw.lines, top.iter_rows(), strict=False)]
    rows += [(row.line, row.cells) for row in raw.ragged[:_TOP_LINES]]
    for line, cells in sorted(rows, key=lambda row: row[0]):
        words = {word.strip(' "') for cell in filter(None, cells) for word in re.split(r"[,;|\t]", cell)}
        if words.issuperset(wanted):
            return int(line)
    return None


def find_columns(
    raw: RawTable, wanted: Mapping[str, str], others: Mapping[str, Iterable[str]] | None = None
) -> None:
    """Refuse a table that lacks a wanted column, and say what it may be called or where it is.

    Parameters
    ----------
    wanted
        Column -> the key of the mapping that asks for it, empty where that is none.
    others
        Further files -> their columns: where two files are swapped, that is said.
    """
    columns = raw.frame.columns
    missing = [name for name in wanted if name not in columns]
    if not missing:
        return
    name, folded = missing[0], {column.casefold(): column for column in columns}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    others = {file: names for file, names in (others or {}).items() if file != raw.file}
    elsewhere = next((file for file, names in others.items() if set(missing) <= set(names)), None)
    if (line := _header_below(raw, wanted)) is not None:
        hint = f"line {line} looks like the header: delete the lines above it"
    elif near and (elsewhere is None or len(missing) == 1):
        hint = f"did you mean {folded[near[0]]!r}?"
    elif len(columns) == 1 and (
        re.search(r"[,;|\t]", columns[0]) or all(map(columns[0].__contains__, missing))
    ):
        hint = "the whole header was read as one column: set separator under [format]"
    else:
        hint = f"the columns are {', '.join(columns)}"
        hint += f" ({elsewhere} has it: are the two files swapped?)" if elsewhere else ""
    key = f" ({wanted[name]} in the mapping)" if wanted[name] else ""
    raise InputError(f"{raw.file}: no column {name!r}{key}: {hint}")
