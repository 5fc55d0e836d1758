"""Turn the text of a table's columns into typed values; what cannot be turned is a problem of its row."""

from __future__ import annotations

from difflib import get_close_matches

import polars as pl

from dealwright.errors import InputError
from dealwright.intake.mapping import FileFormat, Source, TableMapping
from dealwright.intake.problems import Problems
from dealwright.intake.read import RawTable

_ISO_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
)
_LARGEST_AMOUNT = 999_999_999_999.0  # numeric(14,2)
_HINTED_VALUES = 100  # distinct wrong values that get a proposal of their own
_TRUE = ("true", "t", "yes", "y", "1", "active")
_FALSE = ("false", "f", "no", "n", "0", "inactive")


class Fields:
    """The fields of one table, read one by one; problems go into `problems`.

    Parameters
    ----------
    mapping
        Where each field comes from.
    raw
        The table as text.
    """

    def __init__(self, mapping: TableMapping, raw: RawTable) -> None:
        self.mapping = mapping
        self.raw = raw
        self.problems = Problems(raw.file, raw.lines)
        self._positions = {name: str(position) for position, name in reversed(list(enumerate(raw.header)))}

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.raw.frame.height

    def has(self, name: str) -> bool:
        """Tell whether the mapping says where a field comes from."""
        return name in self.mapping.fields

    def label(self, name: str) -> str:
        """What the user calls a field."""
        return self.mapping.fields[name].label if self.has(name) else name

    def raw_text(self, source: Source) -> pl.Series:
        """The text of a source, trimmed; null where there is nothing."""
        if source.constant is not None:
            return pl.Series([source.constant], dtype=pl.String).new_from_index(0, self.height)
        words = ["", *self.mapping.format.null_values]
        parts = []
        for column in source.columns:
            part = pl.col(self._positions[column.strip()]).str.strip_chars()
            parts.append(pl.when(part.is_in(words)).then(None).otherwise(part))
        joined = (
            parts[0]
            if len(parts) == 1
            else pl.concat_str(parts, separator=source.joined_by, ignore_nulls=True)
        )
        text = pl.when(joined != "").then(joined).otherwise(pl.lit(source.default, dtype=pl.String))
        return self.raw.frame.select(text.alias("text"))["text"]

    def text(self, name: str, *, required: bool = False) -> pl.Series:
        """A field as text; all null when it is not mapped."""
        if not self.has(name):
            return pl.Series(name, [None], dtype=pl.String).new_from_index(0, self.height)
        text = self.raw_text(self.mapping.fields[name])
        if required:
            self.problems.reject(
                text.is_null(), self.label(name), None, "empty", "fill it in: every row needs it"
            )
        return text

    def number(
        self,
        name: str,
        *,
        default: float | None = None,
        at_least: float | None = None,
        at_most: float = _LARGEST_AMOUNT,
        whole: bool = False,
    ) -> pl.Series:
        """A field as a finite number, null or `default` where there is nothing."""
        text = self.text(name)
        given = self.mapping.format
        value = _parse_numbers(text, given)
        column = self.label(name)
        wrong = text.is_not_null() & (value.is_null() | ~value.is_finite().fill_null(value=False))
        self.problems.reject(wrong, column, text, "not a number", _number_fix(given))
        value = pl.select(pl.when(wrong).then(None).otherwise(value)).to_series()
        if at_least == 0:
            self.problems.reject(
                value < 0, column, text, "negative", "write an amount of at least 0, or leave it empty"
            )
        elif at_least is not None:
            self.problems.reject(value < at_least, column, text, "too small", f"write at least {at_least:g}")
        self.problems.reject(
            value.abs() > at_most, column, text, "too large", f"write at most {at_most:,.0f}"
        )
        if whole:
            self.problems.reject(
                value != value.round(), column, text, "not a whole number", "write a whole number"
            )
        return value if default is None else value.fill_null(default)

    def moment(self, name: str, *, required: bool = False) -> pl.Series:
        """A field as a time in UTC."""
        text = self.text(name, required=required)
        value = _parse_moments(text, self.mapping.format)
        year = value.dt.year()
        wrong = text.is_not_null() & (value.is_null() | (year < 1900) | (year > 9999))
        formats = self.mapping.format.date_formats
        shown = " or ".join(formats) if formats else "2025-03-31 14:05:00"
        zone = self.mapping.format.time_zone
        self.problems.reject(
            wrong,
            self.label(name),
            text,
            "not a date that exists" + ("" if zone == "UTC" else f" in {zone}"),
            f"write it like {shown}, or set date_formats under [format] in the mapping",
        )
        return pl.select(pl.when(~wrong).then(value)).to_series()

    def flag(self, name: str, *, default: bool) -> pl.Series:
        """A field as true or false."""
        text = self.text(name)
        word = text.str.to_lowercase()
        value = pl.select(
            pl.when(word.is_in(_TRUE)).then(True).when(word.is_in(_FALSE)).then(False)
        ).to_series()
        wrong = text.is_not_null() & value.is_null()
        self.problems.reject(wrong, self.label(name), text, "neither yes nor no", "write true or false")
        return value.fill_null(default)

    def items(self, name: str) -> pl.Series:
        """A field as a list of texts."""
        text = self.text(name).fill_null("")
        separator = self.mapping.fields[name].separator if self.has(name) else ";"
        parts = text.str.split(separator).list.eval(pl.element().str.strip_chars())
        return parts.list.eval(pl.element().filter(pl.element() != "")).cast(pl.List(pl.String))

    def choice(
        self, text: pl.Series, allowed: tuple[str, ...], column: str, kind: str, fix: str
    ) -> pl.Series:
        """Check that a text is one of those allowed; the wrong ones become null."""
        wrong = text.is_not_null() & ~text.is_in(list(allowed))
        if not wrong.any():
            return text
        distinct = text.filter(wrong).unique(maintain_order=True)
        hints = {value: _nearest(value, allowed, fix) for value in distinct.head(_HINTED_VALUES)}
        fixes = text.replace_strict(hints, default=fix, return_dtype=pl.String)
        self.problems.reject(wrong, column, text, f"not {kind}", fixes)
        return pl.select(pl.when(~wrong).then(text)).to_series()

    def unique(self, name: str, ids: pl.Series, what: str = "duplicate: line {} has it already") -> None:
        """Reject the second and further rows of an id."""
        again = ids.is_not_null() & ~ids.is_first_distinct()
        if not again.any():
            return
        first = pl.DataFrame({"id": ids, "line": self.raw.lines}).unique("id", keep="first")
        lines = pl.DataFrame({"id": ids}).join(first, on="id", how="left", maintain_order="left")["line"]
        reason = pl.select(pl.format(what, lines.fill_null(0))).to_series()
        self.problems.reject(
            again, self.label(name), ids, reason, "remove one of the rows, or give it an id of its own"
        )


def _parse_numbers(text: pl.Series, given: FileFormat) -> pl.Series:
    if given.thousands:
        text = text.str.replace_all(given.thousands, "", literal=True)
    value = text.cast(pl.Float64, strict=False) if given.decimal == "." else None
    if value is not None and value.null_count() == text.null_count():
        return value
    plain = text.str.strip_chars("€$£¥ \u00a0")
    if given.decimal == ",":
        # a point is no decimal sign here: 1.5 must not be taken for one and a half
        plain = pl.select(pl.when(~plain.str.contains(".", literal=True)).then(plain)).to_series()
        plain = plain.str.replace(",", ".", literal=True)
    return plain.cast(pl.Float64, strict=False)


def _number_fix(given: FileFormat) -> str:
    example = "1234" + given.decimal + "50"
    return f"write it like {example}, or set decimal and thousands under [format] in the mapping"


def _parse_moments(text: pl.Series, given: FileFormat) -> pl.Series:
    """Try the formats in order until every text is read; times without a zone are taken in the mapping's."""
    target = pl.Datetime("us", "UTC")
    result = pl.Series(text.name, [None], dtype=target).new_from_index(0, len(text))
    for pattern in given.date_formats or _ISO_FORMATS:
        open_rows = result.is_null() & text.is_not_null()
        if not open_rows.any():
            break
        try:
            value = text.str.to_datetime(pattern, strict=False, time_unit="us")
        except pl.exceptions.PolarsError as error:
            raise InputError(f"the date format {pattern!r} of the mapping cannot be used: {error}") from None
        if value.dtype == pl.Datetime("us", None):
            value = value.dt.replace_time_zone(given.time_zone, ambiguous="earliest", non_existent="null")
        result = result.fill_null(value.dt.convert_time_zone("UTC").cast(target))
    return result


def _nearest(value: str, allowed: tuple[str, ...], otherwise: str) -> str:
    folded = {item.casefold(): item for item in allowed}
    near = get_close_matches(value.casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[near[0]]!r}?" if near else otherwise
