"""Turn columns of any type into the four kinds the plan knows: numbers, moments, yes/no and text.

Each function returns the converted column and a mask of the cells that hold something but could not be
converted; blanks and NaN are missing, never an error.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from dealwright.schemas import TIMESTAMP

_YES: Final = ("true", "yes", "y", "1", "1.0", "t", "sí", "si")
_NO: Final = ("false", "no", "n", "0", "0.0", "f")
_MOMENT_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")
_DAY_FORMATS: Final = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d")


def as_text(column: pl.Series) -> pl.Series:
    """Return text without blanks around it; empty is missing, and whole floats lose their ".0"."""
    if column.dtype.is_float():
        whole = column.is_null() | (column == column.round(0)) | ~column.is_finite()
        if whole.all() and column.is_finite().fill_null(value=True).all():
            column = column.cast(pl.Int64)
    text = column.cast(pl.String).str.strip_chars()
    if (text == "").any():
        return text.set(text == "", None)
    # nothing to strip: the column as it came, so that millions of ids are not held twice
    return column if column.dtype == pl.String and text.equals(column) else text


def as_number(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return Float64; NaN is missing, infinities stay for the caller to judge."""
    if column.dtype == pl.Float64 or column.dtype.is_numeric() or column.dtype == pl.Boolean:
        number, given = column.cast(pl.Float64), column
    elif column.dtype == pl.Null:
        number, given = pl.Series(column.name, [None] * len(column), dtype=pl.Float64), column
    elif column.dtype == pl.String or column.dtype in (pl.Categorical, pl.Enum):
        given = as_text(column)
        number = given.cast(pl.Float64, strict=False)
    else:
        number, given = pl.Series(column.name, [None] * len(column), dtype=pl.Float64), column
    failed = number.is_null() & given.is_not_null()
    return (number.fill_nan(None) if number.is_nan().any() else number), failed


def as_moment(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return naive timestamps from dates, timestamps (the clock they show), ISO text or yyyymmdd."""
    kind = column.dtype
    if kind == TIMESTAMP:
        moment, given = column, column
    elif isinstance(kind, pl.Datetime):
        moment, given = column.dt.replace_time_zone(None).cast(TIMESTAMP), column
    elif kind == pl.Date:
        moment, given = column.cast(TIMESTAMP), column
    elif kind.is_integer() or kind.is_float() or kind == pl.String:
        given = as_text(column)
        # a zone at the end is cut off: times are what the company's clocks show
        text = given.str.replace(r"(Z|[+-]\d\d:?\d\d)$", "") if kind == pl.String else given
        found = [text.str.to_datetime(form, strict=False, time_unit="us") for form in _MOMENT_FORMATS]
        found += [text.str.to_date(form, strict=False).cast(TIMESTAMP) for form in _DAY_FORMATS]
        moment = pl.select(pl.coalesce(found)).to_series().alias(column.name)
    else:
        moment, given = pl.Series(column.name, [None] * len(column), dtype=TIMESTAMP), column
    return moment, moment.is_null() & given.is_not_null()


def as_flag(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return Boolean from true/false, yes/no, y/n, 1/0."""
    if column.dtype == pl.Boolean:
        return column, pl.Series([False]).new_from_index(0, len(column))
    text = as_text(column).str.to_lowercase()
    flag = (
        pl.select(
            pl.when(text.is_in(_YES))
            .then(statement=True)
            .when(text.is_in(_NO))
            .then(statement=False)
            .otherwise(None)
        )
        .to_series()
        .alias(column.name)
    )
    return flag.cast(pl.Boolean), flag.is_null() & text.is_not_null()
