"""Read the plan's tables (Parquet, CSV or any dataframe) under canonical column names.

What a cell may hold is checked by the plan's quality stage; here a table either can be read or cannot.
"""

from __future__ import annotations

import io
import re
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.intake.declaration import Declaration, Label, TableDeclaration, read_declaration
from dealwright.intake.further_touches import add_touches, latest_touch
from dealwright.schemas import (
    ACCOUNT_ROLES,
    CHANNELS,
    CHURNED,
    FUTURE_VALUE,
    PREFERRED_CHANNEL,
    AccountSchema,
    PlanInputs,
    consent_column,
)

_FEW_VALUES: Final = 50  # undeclared text with at most so many values is a category


def read_plan_inputs(
    accounts: Any,
    *,
    schema: Path | str | Declaration | None = None,
    orders: Any = None,
    touches: Any = None,
    reps: Any = None,
    history: Any = None,
    staff: Any = None,
    promises: Any = None,
    frequencies: Any = None,
    call_backs: Any = None,
    arrivals: Any = None,
    further_touches: pl.DataFrame | None = None,
    as_of: datetime | None = None,
) -> PlanInputs:
    """Read what the plan needs.

    Parameters
    ----------
    accounts, orders, touches, reps, history, staff, promises, frequencies, call_backs, arrivals
        A path (``.parquet``, ``.csv``, ``.tsv``, ``.txt``) or any dataframe that narwhals knows (Polars,
        pandas, PyArrow, …).
    schema
        A declaration or its TOML file; without one the columns are recognised by their canonical names and
        types.
    further_touches
        The desk's finished tasks (`Desk.tasks.touches()`), to count beside `touches`.
    as_of
        The cut-off; by default the declaration's, else the midnight after the latest order or touch, else
        today's; not before the latest of `further_touches`.

    Raises
    ------
    InputError
        A file or column is missing or cannot be read; the message names it and the fix.
    """
    declared = read_declaration(Path(schema)) if isinstance(schema, str | Path) else schema
    table = load_table(
        accounts, "accounts", declared.separator if declared else ",", declared.header if declared else ()
    )
    declaration = declared or recognise(table)
    frame, account_schema = _rename_accounts(table, declaration)
    frames: dict[str, pl.DataFrame | None] = {}
    given = {
        "orders": orders, "touches": touches, "reps": reps, "history": history, "staff": staff,
        "promises": promises, "frequencies": frequencies, "call_backs": call_backs, "arrivals": arrivals,
    }  # fmt: skip
    for name, source in given.items():
        frames[name] = None if source is None else _named_table(source, name, declaration)
    if frames["history"] is not None and declaration.id in frames["history"].columns:
        frames["history"] = frames["history"].rename(
            {declaration.id: "account_id"} if declaration.id != "account_id" else {}
        )
    cut_off = as_of or declaration.as_of
    if cut_off is None:
        reported = None if further_touches is None else latest_touch(further_touches)
        cut_off = max(moment for moment in (_latest(frames), reported) if moment is not None)
    inputs = PlanInputs(frame, account_schema, cut_off, **frames)
    return inputs if further_touches is None else add_touches(inputs, further_touches)


def load_table(source: Any, what: str, separator: str = ",", header: tuple[str, ...] = ()) -> pl.DataFrame:
    """Load one table; text files come as text, so that the quality stage can name what it cannot read."""
    if isinstance(source, str | Path):
        return _load_file(Path(source), what, separator, header)
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    import narwhals as nw

    try:
        native = nw.from_native(source, eager_only=True)
    except TypeError:
        raise InputError(
            f"{what}: a {type(source).__name__} is no dataframe; give a path, or a Polars or pandas one"
        ) from None
    try:
        frame: pl.DataFrame = native.to_polars()
    except ImportError:  # pandas text columns need PyArrow; without it they go value by value
        frame = pl.DataFrame([_by_value(column) for column in native.iter_columns()])
    return frame


def _by_value(column: Any) -> pl.Series:
    """Convert one narwhals column value by value, with its missing values."""
    missing = column.is_null().to_list()
    values = [None if gone else value for value, gone in zip(column.to_list(), missing, strict=True)]
    return pl.Series(column.name, values, strict=False)


def recognise(table: pl.DataFrame) -> Declaration:
    """Declare the columns of a table by canonical names and types, where the user declared nothing."""
    names = set(table.columns)
    if "account_id" not in names:
        raise InputError(
            f"accounts: {UnknownNameError('column', 'account_id', table.columns)}; or declare the columns "
            "in a file for --schema"
        )
    typed = _sniff(table)
    labels: dict[str, Label] = {name: Label(name) for name in (CHURNED, FUTURE_VALUE) if name in names}
    consent = {name: consent_column(name) for name in CHANNELS if consent_column(name) in names}
    special = {"account_id", "lat_deg", "lon_deg", "name", "rep_id", "time_zone", PREFERRED_CHANNEL, *labels}
    special |= {"visit_min", "opens_min", "closes_min", *consent.values()}
    numeric: list[str] = []
    categorical: dict[str, tuple[str, ...] | None] = {}
    dates: list[str] = []
    for name, kind in typed.schema.items():
        if name in special:
            continue
        if kind.is_numeric() or kind == pl.Boolean:
            numeric.append(name)
        elif kind.is_temporal():
            dates.append(name)
        elif kind in (pl.String, pl.Categorical, pl.Enum) and typed[name].n_unique() <= _FEW_VALUES:
            categorical[name] = None
    return Declaration(
        file="accounts",
        id="account_id",
        latitude="lat_deg" if {"lat_deg", "lon_deg"} <= names else None,
        longitude="lon_deg" if {"lat_deg", "lon_deg"} <= names else None,
        numeric=tuple(numeric),
        categorical=categorical,
        dates=tuple(dates),
        labels=labels,
        consent=consent,
        preferred_channel=PREFERRED_CHANNEL if PREFERRED_CHANNEL in names else None,
        roles={role: role for role in ACCOUNT_ROLES if role in names},
    )


def _sniff(table: pl.DataFrame) -> pl.DataFrame:
    """Guess the types of text columns from their content."""
    texts = [
        name
        for name, kind in table.schema.items()
        if kind == pl.String and table[name].null_count() < table.height
    ]
    if not texts or table.is_empty():
        return table
    buffer = io.BytesIO()
    table.select(texts).head(20_000).write_csv(buffer)
    guessed = pl.read_csv(buffer.getvalue(), infer_schema_length=None, try_parse_dates=True)
    return table.head(20_000).with_columns(guessed.get_columns())


def _load_file(path: Path, what: str, separator: str, header: tuple[str, ...]) -> pl.DataFrame:
    if not path.exists():
        raise InputError(f"{what}: no file {path}; check the path")
    if path.is_dir():
        raise InputError(f"{what}: {path} is a folder; give the file in it")
    ending = path.suffix.lower()
    try:
        if ending in (".parquet", ".pq"):
            return pl.read_parquet(path)
        if ending in (".csv", ".tsv", ".txt"):
            return _load_text(path, "\t" if ending == ".tsv" and separator == "," else separator, header)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{what}: cannot read {path.name}: {reason}") from None
    raise InputError(
        f"{what}: {path.name} has an unknown ending {ending!r}; give .parquet, .csv, .tsv or .txt"
    )


def _load_text(path: Path, separator: str, header: tuple[str, ...]) -> pl.DataFrame:
    """Load delimited text as text; a row with too many or too few fields is an error that names its line."""
    content = path.read_bytes()
    if not content.strip():
        raise InputError(f"{path.name} is empty: it needs a header line with the column names, and rows")
    if separator == "whitespace":
        content = re.sub(rb"[ \t]+", b" ", re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", content))
        separator = " "
    content = content.replace(b"\r\n", b"\n")
    _check_widths(content, separator, path.name)
    frame = pl.read_csv(
        io.BytesIO(content), separator=separator, infer_schema=False, has_header=not header,
        new_columns=list(header) or None,
    )  # fmt: skip
    repeated = [name for name in frame.columns if re.fullmatch(r".+_duplicated_\d+", name)]
    if repeated:
        name = repeated[0].rsplit("_duplicated_", 1)[0]
        raise InputError(f"{path.name}, line 1: the column {name!r} appears more than once; rename one")
    return frame.rename(str.strip)


def _check_widths(content: bytes, separator: str, file: str) -> None:
    """Compare the number of fields of each line with the header's, where no quotes make that ambiguous."""
    if b'"' in content:
        return
    import numpy as np

    data = np.frombuffer(content.rstrip(b"\n"), dtype=np.uint8)
    newlines = np.flatnonzero(data == 10)
    marks = np.flatnonzero(data == ord(separator))
    edges = np.searchsorted(marks, np.concatenate([newlines, [data.size]]))
    widths = np.diff(edges, prepend=0)
    starts = np.concatenate([[0], newlines + 1])
    filled = np.concatenate([newlines, [data.size]]) - starts > 0
    wrong = np.flatnonzero((widths != widths[0]) & filled)
    if wrong.size:
        line = int(wrong[0])
        more = f" (and {wrong.size - 1:,} more lines)" if wrong.size > 1 else ""
        raise InputError(
            f"{file}, line {line + 1}: {widths[line] + 1} fields where the header has {widths[0] + 1}{more}; "
            f'put text that holds {separator!r} in quotes ("), or set separator in the schema file'
        )


def _rename_accounts(table: pl.DataFrame, declaration: Declaration) -> tuple[pl.DataFrame, AccountSchema]:
    """Give the role columns their canonical names; the label becomes yes or no."""
    said = declaration
    canonical: dict[str, str] = {"account_id": said.id}
    if said.latitude and said.longitude:
        canonical |= {"lat_deg": said.latitude, "lon_deg": said.longitude}
    canonical |= {name: label.column for name, label in said.labels.items()}
    canonical |= {consent_column(channel): column for channel, column in said.consent.items()}
    if said.preferred_channel:
        canonical[PREFERRED_CHANNEL] = said.preferred_channel
    features = [*said.numeric, *said.categorical, *said.dates]
    for name in (*canonical.values(), *features, *said.roles.values()):
        if name not in table.columns:
            raise InputError(f"accounts: {UnknownNameError('column', name, table.columns)} ({said.file})")
    clash = [name for name, source in canonical.items() if name in features and source != name]
    if clash:
        raise InputError(
            f"accounts: the feature {clash[0]!r} has the name the plan gives to {canonical[clash[0]]!r}; "
            "rename it"
        )
    label = said.labels.get(CHURNED)
    made = []
    for name, source in canonical.items():
        column = pl.col(source)
        if label is not None and name == CHURNED and label.positive is not None:
            if table.height and not (table[source].cast(pl.String) == label.positive).any():
                raise InputError(
                    f"accounts: no row has {source} = {label.positive!r} ({said.file}: labels.churned.is); "
                    f"there are {', '.join(map(repr, table[source].cast(pl.String).unique().sort().head(5)))}"
                )
            column = column.cast(pl.String) == label.positive
        made.append(column.alias(name))
    # a column may play a role and be a feature too: features keep their own names
    kept = [
        name
        for name in table.columns
        if name not in canonical and (name not in canonical.values() or name in features)
    ]
    renamed = {source: name for name, source in canonical.items()}
    schema = AccountSchema(
        numeric=said.numeric,
        categorical=said.categorical,
        dates=said.dates,
        dates_ahead=said.dates_ahead,
        consent=tuple(said.consent),
        roles={
            role: column if column in kept or column in canonical else renamed[column]
            for role, column in said.roles.items()
        },
        known_from=said.known_from,
        has_position=said.latitude is not None,
        has_churn_label=CHURNED in said.labels,
        has_value_label=FUTURE_VALUE in said.labels,
        has_preferred_channel=said.preferred_channel is not None,
    )
    return table.select(*made, *kept), schema


def _named_table(source: Any, name: str, declaration: Declaration) -> pl.DataFrame:
    """Load a further table under its canonical column names, with channel and action words translated."""
    said: TableDeclaration = declaration.table(name)
    frame = load_table(source, name, said.separator, said.header)
    for wanted, column in said.columns.items():
        if column not in frame.columns:
            raise InputError(
                f"{name}: {UnknownNameError('column', column, frame.columns)} "
                f"({declaration.file}: [{name}] {wanted})"
            )
    taken = set(said.columns.values())
    frame = frame.drop([n for n in said.columns if n in frame.columns and n not in taken])
    frame = frame.rename({column: wanted for wanted, column in said.columns.items()})
    return frame.with_columns(
        pl.col(column).cast(pl.String).replace(words)
        for column, words in said.words.items()
        if column in frame.columns
    )


def _latest(frames: dict[str, pl.DataFrame | None]) -> datetime:
    """Return the midnight after the latest order or touch that is not in the future, or today's."""
    today = datetime.combine(date.today(), time.min)
    found: list[datetime] = []
    for name, column in (("orders", "ordered_at"), ("touches", "touched_at")):
        frame = frames[name]
        if frame is None or column not in frame.columns:
            continue
        day = frame[column]
        if not day.dtype.is_temporal():
            text = day.cast(pl.String).str.slice(0, 10)
            parsed = [text.str.to_date(form, strict=False) for form in ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d")]
            day = pl.select(pl.coalesce(parsed)).to_series()
        newest = day.cast(pl.Date).filter(day.cast(pl.Date) < today.date()).max()
        if isinstance(newest, date):
            found.append(datetime.combine(newest, time.min) + timedelta(days=1))
    return max(found, default=today)
