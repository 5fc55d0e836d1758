"""The nightly plan's tables: clean frames under canonical names, and every row that was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import (
    NOTHING,
    ORDER_COLUMNS,
    TOUCH_COLUMNS,
    TOUCH_OPTIONAL,
    AccountSchema,
    Intake,
    PlanInputs,
    TableReport,
    joined_reports,
)
from dealwright.stored import StoredTable
from dealwright.tables.accounts import account_schema, complete, feature_kinds, read_accounts
from dealwright.tables.fields import TABLES
from dealwright.tables.mapping import (
    PLAN_TABLES,
    CompanyMap,
    Source,
    read_mapping,
)
from dealwright.tables.reader import Format, RawTable, read_part
from dealwright.tables.returns import net_returns
from dealwright.tables.sources import Sources
from dealwright.tables.validation import Rows

# in which tables are told of
_ORDER: Final = (
    "orders", "touches", "accounts", "history", "reps", "staff", "promises", "frequencies", "call_backs",
    "arrivals",
)  # fmt: skip
_WHOLE_ROWS: Final = 3_000_000  # of a Parquet table that may be whole in memory as it came
_PART_ROWS: Final = 500_000  # of a longer one, which are judged at a time
_AS_TEXT: Final = ("text", "texts", "zone")  # kinds whose cells are read one by one, whatever the others hold
_TIMES: Final = {"orders": "ordered_at", "touches": "touched_at", "history": "snapshot_at"}


def read_plan_inputs(
    accounts: Any = None,
    *,
    schema: Path | str | CompanyMap | None = None,
    directory: Path | str | None = None,
    further_touches: pl.DataFrame | None = None,
    as_of: datetime | None = None,
    **tables: Any,
) -> PlanInputs:
    """Read what the plan needs.

    Parameters
    ----------
    accounts, tables
        A path (CSV and its kin, JSON Lines, Parquet, a workbook) or any dataframe that narwhals knows
        (Polars, pandas, PyArrow, …); `tables` are ``orders``, ``touches``, ``reps``, ``history``, ``staff``,
        ``promises``, ``frequencies``, ``call_backs`` and ``arrivals``. Without accounts they follow from the
        orders.
    schema
        A mapping or its TOML file; without one the columns are recognised by their canonical names and types.
    directory
        Where the files are that the mapping names; those given here replace one each.
    further_touches
        The desk's finished tasks (`Desk.tasks.touches()`), to count beside the touches.
    as_of
        The cut-off; by default the mapping's, else the midnight after the latest order or touch, else
        today's; not before the latest of `further_touches`.

    Raises
    ------
    InputError
        A file or column is missing or cannot be read; the message names it and the fix.
    """
    for name in tables:
        if name not in PLAN_TABLES:
            raise InputError(str(UnknownNameError("table", name, PLAN_TABLES)))
    company = read_mapping(schema) if isinstance(schema, str | Path) else schema or CompanyMap()
    given = {"accounts": accounts, **tables}
    sources = Sources(company, None if directory is None else Path(directory), given)
    if "accounts" not in company.tables:
        company = complete(company, sources)
        sources.company = company
    return _Reader(company, sources).inputs(as_of, further_touches)


@dataclass(frozen=True)
class Parts:
    """A table that is read part by part."""

    rows: pl.LazyFrame
    height: int
    format: Format
    file: str

    def __iter__(self) -> Iterator[tuple[RawTable, bool]]:
        """Yield the parts in order, and whether each is the last; all are about equally long."""
        count = -(-self.height // _PART_ROWS)
        edges = [self.height * k // count for k in range(count + 1)]
        for start, stop in pairwise(edges):
            yield self.read(start, stop), stop == self.height

    def read(self, start: int, stop: int) -> RawTable:
        """Read the rows from one place to another."""
        return read_part(self.rows, start, stop - start, self.format, self.file)


class _Reader:
    """Reads the tables one after the other, each checked against those before it."""

    def __init__(self, company: CompanyMap, sources: Sources) -> None:
        self.company = company
        self.sources = sources
        self.rows: dict[str, Rows] = {}
        self.parts: dict[str, Parts] = {}

    def inputs(self, as_of: datetime | None, further_touches: pl.DataFrame | None) -> PlanInputs:
        self.parts = {name: parts for name in _TIMES if (parts := self._parts(name)) is not None}
        for name in ("orders", "touches"):
            if self.sources.has(name) and name not in self.parts:
                self._read(name)
        cut_off = as_of or self.company.as_of or self._latest(further_touches)
        if not cut_off.year > 1900:
            raise InputError(f"the cut-off {cut_off} cannot be right: set as_of")
        self.rows["accounts"] = accounts = read_accounts(self.company, self.sources)
        cut_off = accounts.coercion.on_local_clock(cut_off)
        schema = account_schema(self.company, accounts, cut_off)
        for name in ("history", "reps", "staff", "promises", "frequencies", "call_backs", "arrivals"):
            if self.sources.has(name) and name not in self.parts:
                self._read(name, schema)
        frames, intake = self._judged(schema, cut_off)
        if not frames["accounts"].height:
            self._refuse_empty(accounts)
        # times that carry no zone are of UTC where nobody says otherwise: that names no company's clock
        zone = accounts.coercion.clock
        inputs = PlanInputs(
            schema=schema, as_of=cut_off, intake=intake, time_zone=None if zone == "UTC" else zone, **frames
        )
        return inputs if further_touches is None else add_touches(inputs, further_touches)

    def _judged(self, schema: AccountSchema, cut_off: datetime) -> tuple[dict[str, Any], Intake]:
        """Judge all tables; return what is usable, and what became of them."""
        frames: dict[str, Any] = {}
        reports: dict[str, TableReport] = {}
        problems: dict[str, pl.DataFrame] = {}
        for name in list(self.parts):
            found = self._read_parts(name, schema, cut_off)
            if found is None:
                self._read(name, schema)
            else:
                frames[name], reports[name], problems[name] = found
        for name, rows in self.rows.items():
            self._judge(name, rows, cut_off)
            frames[name] = rows.clean()
            if name == "orders":
                frames[name] = net_returns(frames[name], rows)
        reports |= {name: rows.report() for name, rows in self.rows.items()}
        problems |= {name: rows.problems() for name, rows in self.rows.items()}
        order = [name for name in _ORDER if name in reports]
        said = pl.concat(problems[name] for name in order)
        return {name: frames[name] for name in order}, Intake({name: reports[name] for name in order}, said)

    def _refuse_empty(self, accounts: Rows) -> None:
        problems = accounts.problems().filter(pl.col("level") == "rejected")
        if problems.is_empty():
            raise InputError(f"{accounts.original.file} has no rows: give at least one account")
        worst = problems.group_by("column", "reason", "fix").len().sort("len", descending=True)
        column, reason, fix, count = worst.row(0)
        raise InputError(
            f"{accounts.original.file}: no usable account: {count:,} have {column!r} {reason}; {fix}"
        )

    # one table

    def _read(self, name: str, schema: AccountSchema | None = None) -> None:
        """Read a whole table."""
        self.rows[name] = self._read_rows(name, schema)

    def _read_rows(
        self, name: str, schema: AccountSchema | None, part: RawTable | None = None, *, end: bool = True
    ) -> Rows:
        """Read a table's fields, or those of a part; those that are optional and not there are left out."""
        table, said = TABLES[name], self.company.table(name)
        sources = self._fields(name, (part or self.sources.raw(name)).frame.columns)
        wanted = {column: f"{name}.{f}" for f, s in sources.items() for column in s.columns}
        rows = self.sources.rows(name, wanted, part, end=end)
        for field, source in sources.items():
            spec = table.fields[field]
            words = said.words.get(field)
            if words is None:
                rows.read(field, spec, source)
                continue
            rows.read(field, replace(spec, one_of=()), source)
            given = rows.frame[field]
            known = given.str.to_lowercase().replace_strict(dict(words), default=None, return_dtype=pl.String)
            translated = known.fill_null(given).alias(field)
            if spec.one_of:
                translated = rows.choose(translated, spec.one_of, source.label, given)
            rows.frame = rows.frame.with_columns(translated)
        if schema is not None and name == "history":
            self._snapshots(rows, schema)
        return rows

    def _fields(self, name: str, raw: list[str]) -> dict[str, Source]:
        """Return where each field of a table comes from, of those that are to be read."""
        table, said = TABLES[name], self.company.table(name)
        sources = {
            field: said.fields.get(field, Source((field,)))
            for field, spec in table.fields.items()
            if spec.needed or spec.present or field in said.fields or field in raw
        }
        if name == "history" and "account_id" not in said.fields:  # snapshots call the id as the accounts do
            own = self.company.table("accounts").fields["id"]
            sources["account_id"] = own if set(own.columns) <= set(raw) else sources["account_id"]
        return sources

    # part by part

    def _parts(self, name: str) -> Parts | None:
        """Say how a large Parquet table is read part by part; None where it must be seen as a whole.

        That is so where numbers or times are text: how they are written follows from all cells of a column.
        """
        rows = self.sources.data_set(name)
        if rows is None:
            return None
        try:
            columns, height = rows.collect_schema(), rows.select(pl.len()).collect().item()
            fields = self._fields(name, columns.names())
        except (pl.exceptions.PolarsError, OSError):
            return None  # the reader says what is wrong
        if height <= _WHOLE_ROWS or any(kind.is_nested() for kind in columns.dtypes()):
            return None
        kinds = {field: TABLES[name].fields[field].kind for field in fields}
        cells = [(kinds[field], source.columns) for field, source in fields.items()]
        if name == "history":
            cells += [(kind.kind, (feature,)) for feature, kind in feature_kinds(self.company).items()]
        for kind, used in cells:
            if kind in _AS_TEXT:
                continue
            if any(columns.get(column) in (pl.String, pl.Categorical, pl.Enum) for column in used):
                return None
        source = self.sources.given.get(name, self.company.table(name).file)
        return Parts(rows, int(height), self.company.table(name).format, Path(str(source)).name)

    def _read_parts(
        self, name: str, schema: AccountSchema, cut_off: datetime
    ) -> tuple[pl.DataFrame | StoredTable, TableReport, pl.DataFrame] | None:
        """Read and judge a table part by part; None where that is not possible after all.

        What is kept goes back to the disk: it is read when a stage needs it.
        """
        table: pl.DataFrame | StoredTable
        table, reports, problems, returned = StoredTable(), [], [], False
        missing: dict[str, Counter[str]] = {}
        try:
            for part, end in self.parts[name]:
                rows = self._read_rows(name, schema, part, end=end)
                self._judge(name, rows, cut_off)
                kept = rows.clean()
                table.add(kept)
                returned |= name == "orders" and bool((kept["amount_eur"] < 0).any())
                for column, words in rows.coercion.missing.items():
                    missing.setdefault(column, Counter()).update(words)
                rows.coercion.missing.clear()
                if not end:
                    rows.forget_notes()
                    reports.append(rows.report())
                    problems.append(rows.problems())
        except InputError:  # what is true of a part need not be of the whole
            return None
        if returned:  # what is given back may stand in another part than its order
            table = net_returns(table.collect(), rows)
        rows.coercion.missing.update({column: dict(words.most_common()) for column, words in missing.items()})
        return table, joined_reports([*reports, rows.report()]), pl.concat([*problems, rows.problems()])

    def _days(self, name: str) -> Iterator[pl.Series]:
        """Yield the days of a table's rows, as they are needed for the cut-off."""
        if name in self.rows:
            yield self.rows[name].frame[_TIMES[name]].dt.date()
        elif name in self.parts:
            for part, end in self.parts[name]:
                yield self._read_rows(name, None, part, end=end).frame[_TIMES[name]].dt.date()

    def _snapshots(self, rows: Rows, schema: AccountSchema) -> None:
        """Read the features that a table of earlier snapshots has."""
        kinds = feature_kinds(self.company)
        absent = [name for name in schema.features if name not in rows.raw.frame.columns]
        for name in schema.features:
            if name not in absent:
                rows.read(name, kinds[name], Source((name,)))
        if absent:
            rows.note(
                absent[0], 0, f"not in the history: {', '.join(absent)}", "add the column to learn from it",
                level="warning",
            )  # fmt: skip

    # what rows must agree with

    def _judge(self, name: str, rows: Rows, as_of: datetime) -> None:
        """Check the rows of a table against the cut-off and the other tables, and against themselves."""
        if name == "accounts":
            return
        table, frame = TABLES[name], rows.frame
        if name in _TIMES:
            late = frame[_TIMES[name]] > as_of
            fix = f"mend the date, or set --as-of later than {as_of}"
            rows.reject(late, rows.label(_TIMES[name]), "after the cut-off", fix, frame[_TIMES[name]])
        if table.unique is not None:
            rows.once(table.unique, frame[table.unique], table.again)
        for field, spec in table.fields.items():
            if field in frame.columns and spec.refers == "accounts":
                rows.refer(field, frame[field], self.rows["accounts"], "account")
            elif field in frame.columns and spec.refers == "reps":
                self._refer_reps(field, rows)
        check = {"touches": _judge_touches, "reps": _judge_reps, "orders": self._judge_orders,
                 "frequencies": _judge_frequencies, "staff": _judge_staff}.get(name)  # fmt: skip
        if check is not None:
            check(rows)

    def _refer_reps(self, field: str, rows: Rows) -> None:
        if "reps" in self.rows:
            rows.refer(field, rows.frame[field], self.rows["reps"], "representative")
            return
        rows.reject(
            rows.frame[field].is_not_null(), rows.label(field), "no such representative",
            "give the representatives, or leave it empty", rows.frame[field],
        )  # fmt: skip

    def _judge_orders(self, rows: Rows) -> None:
        if self.company.table("orders").returns == "reject":
            amount = rows.frame["amount_eur"]
            fix = 'net returns off the order they belong to, or write returns = "net" under [orders]'
            rows.reject(amount < 0, rows.label("amount_eur"), "negative", fix, amount)

    def _latest(self, further_touches: pl.DataFrame | None) -> datetime:
        """Return the midnight after the latest order or touch that is not in the future, or today's."""
        today = datetime.combine(date.today(), time.min)
        found: list[datetime] = []
        for name in ("orders", "touches"):
            for days in self._days(name):
                newest = days.filter(days < today.date()).max()
                if isinstance(newest, date):
                    found.append(datetime.combine(newest, time.min) + timedelta(days=1))
        cut_off = max(found, default=today)
        if further_touches is None:
            return cut_off
        past = further_touches["touched_at"].filter(further_touches["touched_at"].dt.date() <= date.today())
        latest = past.max()
        return max(cut_off, latest) if isinstance(latest, datetime) else cut_off


def _judge_touches(rows: Rows) -> None:
    channel, action = rows.frame["channel"], rows.frame["action"]
    rows.reject(
        channel.is_null() & (action != NOTHING) & rows.good, rows.label("channel"), "empty",
        f"name the channel; only the action {NOTHING!r} has none",
    )  # fmt: skip


def _judge_reps(rows: Rows) -> None:
    frame = rows.frame
    zero = (frame["home_lat_deg"] == 0) & (frame["home_lon_deg"] == 0)
    rows.reject(
        zero, rows.label("home_lat_deg"), "position 0, 0 is in the Atlantic", "give the position of the home"
    )
    if {"shift_start_min", "shift_end_min"} <= set(frame.columns):
        # a shift of the night ends on the next day; one of more than 16 hours is a mistake
        length = frame["shift_end_min"] - frame["shift_start_min"]
        wrong = (length < 0) & (length + 24 * 60 > 16 * 60)
        fix = "correct shift_start_min or shift_end_min"
        rows.reject(
            wrong, rows.label("shift_end_min"), "the shift ends before it starts", fix, frame["shift_end_min"]
        )


def _judge_frequencies(rows: Rows) -> None:
    given = [rows.frame[name].is_not_null() for name in ("every_days", "due") if name in rows.frame.columns]
    empty = pl.Series([True]).new_from_index(0, rows.height)
    for column in given:
        empty &= ~column
    fix = "give every_days, or the day when it is due"
    rows.reject(empty & rows.good, rows.label("every_days"), "empty, as is due", fix)


def _judge_staff(rows: Rows) -> None:
    if {"from_min", "to_min"} <= set(rows.frame.columns):
        wrong = rows.frame["to_min"] == rows.frame["from_min"]
        rows.reject(
            wrong,
            rows.label("to_min"),
            "the same as from_min",
            "correct from_min or to_min",
            rows.frame["to_min"],
        )


def add_touches(inputs: PlanInputs, touches: pl.DataFrame) -> PlanInputs:
    """Put the desk's finished tasks beside the touches of the user's own systems.

    Rows later than the cut-off are left out: they are not known yet. Rows that the user's table has as well
    (because it was exported from the desk) count once.

    Parameters
    ----------
    touches
        `dealwright.schemas.TOUCH_COLUMNS` and optional ones.
    """
    same = ["account_id", "touched_at", "channel", "action"]
    names = [*TOUCH_COLUMNS, *(name for name in TOUCH_OPTIONAL if name in touches.columns)]
    past = touches.filter(pl.col("touched_at") <= inputs.as_of).select(names)
    known = past.filter(pl.col("account_id").is_in(inputs.accounts["account_id"].implode()))
    if known.height < past.height:
        strange = past.height - known.height
        inputs = inputs.having(intake=inputs.intake.noted(
            "touches", "the desk", "account_id", strange, "finished tasks of accounts not in the table",
            "add the accounts, if their tasks are to count",
        ))  # fmt: skip
    own = inputs.touches
    if own is None:
        return inputs.having(touches=known)
    fresh = known.join(
        own.select(same).unique(), on=same, how="anti", nulls_equal=True, maintain_order="left"
    )
    return inputs.having(touches=pl.concat([own, fresh], how="diagonal"))


__all__ = ["ORDER_COLUMNS", "add_touches", "read_plan_inputs"]
