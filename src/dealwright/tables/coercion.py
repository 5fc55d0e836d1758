"""Turn the columns of a raw table into text, numbers, moments, days, yes/no, minutes, lists and time zones.

How numbers and dates are written follows from all cells of a column; where they leave it open, from the other
columns of the file; where those do too, `AmbiguousError` asks. A cell that cannot be read is null and marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache
from math import inf
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.tables.reader import RawTable, as_text

# letters in two parts, as macOS writes them, and blanks that nobody sees: what looks the same is the same
_UNSEEN: Final = "[\u0300-\u036f\u200b\u2060\ufeff]"
_BLANKS: Final = " \t\n\r\u00a0\u200b\u202f\u2060\ufeff"
_MISSING: Final = (
    "NA N/A n/a #N/A na NULL Null null None none NaN nan NAN <NA> NaT - -- – — ? \\N".split()  # noqa: SIM905
)
YES: Final = frozenset(
    "true t yes y 1 on x active ja j wahr sí si s verdadero oui o vrai sim verdadeiro".split()  # noqa: SIM905
)
NO: Final = frozenset("false f no n 0 off inactive nein falsch falso non faux não nao".split())  # noqa: SIM905
_ENGLISH: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_OTHER_MONTHS: Final = (
    "januar jänner enero ene janvier janv janeiro",
    "februar febrero février fevrier févr fevr fév fevereiro fev",
    "märz maerz mär mrz marzo mars março marco",
    "abril abr avril avr",
    "mai mayo maio",
    "juni junio juin junho",
    "juli julio juillet juil julho",
    "agosto ago août aout",
    "sept septiembre setiembre septembre setembro set",
    "oktober okt octubre octobre outubro out",
    "noviembre novembre novembro",
    "dezember dez diciembre dic décembre decembre déc dezembro",
)
_MONTHS: Final = {
    word: number
    for number, (name, others) in enumerate(zip(_ENGLISH, _OTHER_MONTHS, strict=True), 1)
    for word in (name.lower(), name.lower()[:3], *others.split())
}
_CURRENCY: Final = (
    r"(?:[€£¥₹₽₺₩₪₴฿]|(?:US|R|A|C|NZ|HK|S)?\$|(?i:EUR|EUROS?|USD|GBP|CHF|JPY|CNY|SEK|NOK|DKK|PLN|CZK|HUF|RON"
    r"|BGN|TRY|INR|BRL|MXN|ARS|CLP|COP|PEN|AUD|NZD|CAD|SGD|HKD|ZAR|ILS|AED|kr|zł|kč|ft|lei|s?fr|rs)\.?)"
)
_NUMBER: Final = (
    rf"^(?P<open>\()?\s*(?P<s1>[+−–-])?\s*(?:{_CURRENCY}\s*)?(?P<s2>[+−–-])?\s*"
    r"(?P<digits>[.,]?\d(?:[\d.,'’\s]*\d)?)(?P<exp>[eE][+-]?\d+)?\s*(?P<percent>%)?"
    rf"\s*(?:{_CURRENCY})?\s*(?P<s3>[−–-])?\s*(?P<close>\))?$"
)
_BETWEEN: Final = r"(?:\s*[-/.,]\s*|\s+(?:de\s+)?)"
_DATE: Final = (
    rf"^(?:\p{{L}}+\.?,\s*)?(?P<a>\d{{4}}|\d{{1,2}}|\p{{L}}{{3,}})(?:st|nd|rd|th|er|º)?(?P<sep>{_BETWEEN})"
    rf"(?P<b>\d{{1,2}}|\p{{L}}{{3,}})(?:st|nd|rd|th)?\.?{_BETWEEN}(?P<c>\d{{4}}|\d{{1,2}})"
    r"(?:(?:T|,?\s+(?:[–-]\s+)?)(?P<h>\d{1,2})[:.h]?(?P<m>\d{2})(?:[:.]?(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?\s*[Mm]\.?)?(?:\s*Uhr)?"
    r"\s*(?:(?P<utc>Z|UTC|GMT)|(?P<east>[+-])(?P<zh>\d{2}):?(?P<zm>\d{2})?)?)?$"
)
_CLOCK: Final = (
    r"^(?:1899-12-3[01][ T])?(?P<h>\d{1,2})(?P<colon>[:h])?(?P<m>\d{2})?(?::\d{2}(?:\.\d+)?)?"
    r"(?:\s*(?P<half>[AaPp])\.?\s*[Mm]\.?)?$"
)
_MOMENT: Final = pl.Datetime("us")
Source = str | pl.Series
_Proofs = tuple[pl.Series, pl.Series]


class AmbiguousError(InputError):
    """A column can be read in two ways; the message says what to write under [format]."""


@dataclass(frozen=True)
class Parsed:
    """A column that was read: null where missing or failed; `failed` marks cells that cannot be read."""

    values: pl.Series
    failed: pl.Series


class Coercion:
    """Reads the columns of one raw table.

    Every method takes the name of a column, or text that was put together from several.

    Attributes
    ----------
    found
        How the numbers or dates of each column that was read are written: "1.234,56", "dd.mm.yyyy".
    missing
        How often each word for missing stands in each column; empty cells are not counted.
    """

    def __init__(self, raw: RawTable) -> None:
        self.found: dict[str, str] = {}
        self.missing: dict[str, dict[str, int]] = {}
        self._raw, self._format = raw, raw.format
        words = _MISSING if raw.format.null_values is None else map(str.strip, raw.format.null_values)
        self._words = sorted({*words, ""})
        zone = _zones().get(raw.format.time_zone.lower())
        if zone is None:
            unknown = UnknownNameError("time_zone", raw.format.time_zone, _zones().values())
            raise InputError(f"{raw.file}: {unknown} (under [format])")
        self._zone = zone
        for pattern in raw.format.date_formats:
            if not _reads_dates(pattern):
                why = "writes no day, month and year: write one like %d.%m.%Y"
                raise InputError(f"{raw.file}: the date format {pattern!r} under [format] {why}")

    @property
    def clock(self) -> str:
        """The clock that naive results show, by its proper name."""
        return self._zone

    def cleaned(self, column: str) -> pl.Series:
        """Return a column as text without blanks around it, null for the words that mean missing."""
        text = as_text(self._raw.frame[column]).str.strip_chars()
        if text.str.contains(_UNSEEN).any():
            text = text.str.normalize("NFC").str.strip_chars(_BLANKS)
        gone = text.is_in(self._words)
        if not gone.any():
            return text
        counts = text.filter(gone).value_counts().filter(pl.nth(0) != "").sort(pl.nth(1), descending=True)
        self.missing[column] = dict(counts.iter_rows())
        return text.set(gone, None)

    def text(self, source: Source) -> Parsed:
        """Read text."""
        text = as_text(self._column(source))
        return _parsed(text, text)

    def number(self, source: Source, *, high: float = inf) -> Parsed:
        """Read numbers; `high` says what is plausible (a share, a latitude); nothing is rejected for it."""
        column = self._column(source)
        if column.dtype == pl.String:
            number = self._plain_number(column)
            if number is None:
                number = self._written_number(column, high)
        elif column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
            number = column.cast(pl.Float64)
        else:
            number = _nulls(column, pl.Float64)
        failed = column.is_not_null() & (number.is_null() | number.is_infinite())
        finite = number.set(number.is_infinite() | number.is_nan(), None)
        return Parsed(finite, failed)  # NaN is missing

    def moment(self, source: Source, *, utc: bool) -> Parsed:
        """Read moments: in UTC, or naive, on the clock of the format's time zone."""
        column = self._column(source)
        return _parsed(column, self._moments(column, "utc" if utc else "naive"))

    def on_local_clock(self, moment: datetime) -> datetime:
        """Return what the clock of the format's time zone shows then; without an offset it is on it."""
        if moment.tzinfo is None:
            return moment
        return moment.astimezone(ZoneInfo(self._zone)).replace(tzinfo=None)

    def day(self, source: Source) -> Parsed:
        """Read days; of a moment the day on the clock of the format's time zone."""
        column = self._column(source)
        return _parsed(column, self._moments(column, "day"))

    def days(self, source: Source, separator: str = ";") -> Parsed:
        """Read lists of days."""
        lists = self.texts(source, separator).values
        parts = lists.to_frame("part").with_row_index("row").explode("part")
        days = self._moments(parts["part"].alias(lists.name), "day")
        whole = parts.select("row", days.alias("day")).group_by("row", maintain_order=True).agg("day")["day"]
        failed = whole.list.eval(pl.element().is_null()).list.any() & lists.is_not_null()
        return Parsed(whole.set(failed | lists.is_null(), None).alias(lists.name), failed)

    def texts(self, source: Source, separator: str = ";") -> Parsed:
        """Read lists of texts."""
        column = self._column(source)
        if isinstance(column.dtype, pl.List):
            lists = column.cast(pl.List(pl.String))
        else:
            lists = as_text(column).str.split(separator)
        part = pl.element().str.strip_chars()
        lists = lists.list.eval(part.filter(part != ""))
        lists = lists.set(lists.list.len() == 0, None)
        return _parsed(lists, lists)

    def flag(self, source: Source) -> Parsed:
        """Read yes or no."""
        column = self._column(source)
        if column.dtype == pl.Boolean:
            return _parsed(column, column)
        words = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
        text = as_text(column).str.to_lowercase().str.replace(r"^([01])\.0+$", "$1")
        return _parsed(column, text.replace_strict(words, default=None, return_dtype=pl.Boolean))

    def minutes(self, source: Source) -> Parsed:
        """Read minutes after midnight: 540, 09:00, 9:00 AM, a spreadsheet's time; at most 2880."""
        column = self._column(source)
        kind = column.dtype
        if kind == pl.Time:
            value = column.dt.hour().cast(pl.Float64) * 60 + column.dt.minute()
        elif isinstance(
            kind, pl.Datetime
        ):  # the first days of a spreadsheet's calendar; libraries differ by one
            since = (column.dt.replace_time_zone(None) - datetime(1899, 12, 31)).dt.total_minutes()
            value = (since + 1440 * (since < 0).cast(pl.Int64)).cast(pl.Float64)
        elif kind == pl.Duration:
            value = column.dt.total_minutes().cast(pl.Float64)
        elif kind == pl.String:
            value = column.cast(pl.Float64, strict=False).fill_null(_clock_minutes(column))
        else:
            value = self.number(column).values
        if (value != value.round()).any() and (value.max() or 0) <= 2:  # type: ignore[operator]
            value = (value * 1440).round()  # parts of a day, as spreadsheets hold times
        good = value.is_between(0, 2880) & (value == value.round())
        return _parsed(column, value.set(~good, None).cast(pl.Int64))

    def zone(self, source: Source) -> Parsed:
        """Read names of time zones, in any case."""
        column = self._column(source)
        names = as_text(column).str.to_lowercase().str.replace_all(" ", "_")
        return _parsed(column, names.replace_strict(_zones(), default=None, return_dtype=pl.String))

    def _column(self, source: Source) -> pl.Series:
        """Return a column with its own type, or as cleaned text."""
        if isinstance(source, str):
            column = self._raw.frame[source]
            if column.dtype in (pl.String, pl.Categorical, pl.Enum):
                return self.cleaned(source)
            source = column
        if source.dtype != pl.String:
            return source.fill_nan(None) if source.dtype.is_float() else source
        text = source.str.strip_chars()
        return text.set(text == "", None)

    def _ambiguous(self, name: str, cells: list[str], why: str) -> AmbiguousError:
        column = (
            as_text(self._raw.frame[name]) if name in self._raw.frame.columns else pl.Series(dtype=pl.String)
        )
        places = []
        for cell in cells:
            rows = (column.str.strip_chars() == cell).arg_true()
            rows = rows if len(rows) else column.str.contains(cell, literal=True).arg_true()
            places.append(f"{cell} (line {self._raw.lines[rows[0]]})" if len(rows) else cell)
        what = f"{self._raw.file}, column {name!r}: {' and '.join(places)}"
        return AmbiguousError(f"{what} {why} under [format]")

    def _elsewhere(self, name: str, like: str, prove: Callable[[pl.Series], _Proofs]) -> list[int]:
        """Count what the other columns of cells like this prove; nothing if they contradict each other."""
        counts = [0, 0]
        for column in self._raw.frame.select(pl.col(pl.String).exclude(name)).iter_columns():
            text = column.str.strip_chars()
            sample = text.filter(~text.is_in(self._words)).head(1000).str.contains(like)
            if 2 * int(sample.sum()) >= max(len(sample), 1):
                counts = [count + int(proof.sum()) for count, proof in zip(counts, prove(text), strict=True)]
        return [0, 0] if all(counts) else counts

    # numbers

    def _plain_number(self, text: pl.Series) -> pl.Series | None:
        """Cast numbers that need no sign, or prove the decimal point; None if there are others."""
        if self._format.decimal == "," or self._format.thousands == ".":
            return None
        number = text.cast(pl.Float64, strict=False)
        if number.null_count() > text.null_count():
            return None
        pointed = text.filter(text.str.contains(".", literal=True))
        typed = self._raw.frame.schema.get(text.name, pl.String) != pl.String
        if len(pointed) and not typed and self._format.decimal is None and self._format.thousands is None:
            grouped = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
            if all(part.str.contains(grouped).all() for part in (pointed.head(1000), pointed)):
                return None
        if len(pointed):
            self.found[text.name] = "1234.56"
        return number

    def _written_number(self, text: pl.Series, high: float) -> pl.Series:
        """Read numbers as people write them, with the decimal sign that the column proves."""
        parts = _number_parts(text)
        sign = self._format.decimal or self._decimal_sign(text, parts["body"], high)
        other = "," if sign == "." else "."
        valid = parts["body"].str.contains(_grammar(sign, self._format.thousands))
        minus = pl.col("s1", "s2", "s3").is_in(["-", "−", "–"]).fill_null(value=False)
        number = parts.select(
            pl.col("body").str.replace_all(f"[{other}']", "").str.replace(sign, ".", literal=True)
            .cast(pl.Float64, strict=False)
            * pl.when(pl.sum_horizontal(minus, pl.col("open").is_not_null()) > 0).then(-1).otherwise(1)
            / pl.when(pl.col("percent").is_not_null() & (high <= 1)).then(100).otherwise(1)
        ).to_series()  # fmt: skip
        groups = text.filter(valid).str.extract(rf"\d([{other}'’\s])\d\d\d").drop_nulls()
        self.found[text.name] = f"1{groups[0] if len(groups) else ''}234{sign}56"
        return number.set(~valid.fill_null(value=False), None)

    def _decimal_sign(self, text: pl.Series, body: pl.Series, high: float) -> str:
        """Tell whether the column, else the file, has a decimal point or a decimal comma."""
        used = [sign for sign in ".," if body.str.contains(sign, literal=True).any()]
        proofs = self._sign_proofs(body)
        points, commas = (int(proof.sum()) for proof in proofs)
        if points == commas and (points or len(used) == 2):
            signs = proofs if points else (body.str.contains(sign, literal=True) for sign in used)
            cells = [text[_first(mask)] for mask in signs]
            why = 'contradict each other: write decimal = "," or decimal = "."'
            raise self._ambiguous(text.name, cells, why)
        if not used:
            return "."
        if points == commas and high >= 1000:  # else there is no room for thousands
            points, commas = self._elsewhere(
                text.name, _NUMBER, lambda column: self._sign_proofs(_number_parts(column)["body"])
            )
            if points == commas and (used == [","] or self._format.separator != ","):
                sign, other = used[0], "," if used == ["."] else "."
                row = _first(body.str.contains(sign, literal=True))
                why = f'may have thousands or decimals: write decimal = "{other}" (it is '
                why += f'{body[row].replace(sign, "")}) or decimal = "{sign}"'
                raise self._ambiguous(text.name, [text[row]], why)
        return used[0] if points == commas else "." if points > commas else ","

    def _sign_proofs(self, body: pl.Series) -> _Proofs:
        """Mark the numbers that can only have a decimal point, and those that can only have a comma."""
        point = body.str.contains(_grammar(".", self._format.thousands))
        comma = body.str.contains(_grammar(",", self._format.thousands))
        return point & ~comma, comma & ~point

    # dates and times

    def _moments(self, column: pl.Series, kind: str) -> pl.Series:
        """Read moments as `kind` says: in UTC, naive on the local clock, or the local day."""

        def local(clock: pl.Expr) -> pl.Expr:
            return clock.dt.replace_time_zone(self._zone, ambiguous="earliest", non_existent="null")

        clock, zoned = pl.col("clock"), pl.col("offset").is_not_null()
        instant = (clock - pl.duration(minutes="offset")).dt.replace_time_zone("UTC")
        shown = instant.dt.convert_time_zone(self._zone).dt.replace_time_zone(None)
        # a day whose midnight the clocks skip begins an hour later
        there = local(clock).fill_null(
            local(pl.when(clock.dt.time() == time()).then(clock.dt.offset_by("1h")))
        )
        value = {
            "utc": pl.when(zoned).then(instant).otherwise(there.dt.convert_time_zone("UTC")),
            "naive": pl.when(zoned).then(shown).when(there.is_not_null()).then(clock),
            "day": pl.when(zoned).then(shown).otherwise(clock).dt.date(),
        }[kind]
        possible = pl.when(clock.dt.year().is_between(1900, 9999)).then(clock)
        return self._clocks(column).with_columns(possible).select(value).to_series().alias(column.name)

    def _clocks(self, column: pl.Series) -> pl.DataFrame:
        """Read what clocks show, and their offset from UTC in minutes where the column says it."""
        kind = column.dtype
        if kind == pl.String:
            return self._written_clocks(column)
        offset: pl.Expr | pl.Series = pl.lit(None, dtype=pl.Int32)
        if isinstance(kind, pl.Datetime) and kind.time_zone:
            column, offset = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None), pl.lit(0)
        if kind.is_numeric():
            instant = _since_1970(column)
            clock = instant.fill_null(_serial(column))
            offset = (
                instant.to_frame("since").select(pl.when(pl.col("since").is_not_null()).then(0)).to_series()
            )
        elif isinstance(kind, pl.Datetime) or kind == pl.Date:
            clock = column.cast(_MOMENT)
        else:
            clock = _nulls(column, _MOMENT)
        return clock.to_frame("clock").with_columns(offset.alias("offset"))

    def _written_clocks(self, text: pl.Series) -> pl.DataFrame:
        """Read text by the declared patterns or the ISO one of its first cell, the rest by its parts."""
        declared = self._format.date_formats
        known = pl.DataFrame({"text": text, "clock": _nulls(text, _MOMENT), "offset": _nulls(text, pl.Int32)})
        first = (text.drop_nulls().head(1).to_list() or [""])[0]
        if not declared and re.fullmatch(r"\d{5}([.,]\d+)?", first):
            serial = text.str.replace(",", ".").cast(pl.Float64, strict=False)
            if serial.null_count() == text.null_count():
                self.found[text.name] = "days since 1899-12-30"
                return known.with_columns(clock=_serial(serial))
        if not declared and re.fullmatch(r"\d{10}(\d{3}){0,3}", first):
            instant = _since_1970(text.cast(pl.Float64, strict=False))
            if instant.null_count() == text.null_count():
                self.found[text.name] = "time since 1970, in UTC"
                return known.with_columns(clock=instant, offset=pl.lit(0, pl.Int32))
        for pattern in declared or _iso_pattern(first):
            value = text.str.to_datetime(pattern, strict=False, time_unit="us")
            new = known["clock"].is_null() & (value.dt.year() >= 1900)
            if value.dtype != _MOMENT:
                value = value.dt.replace_time_zone(None)
                known = known.with_columns(offset=pl.when(new).then(0).otherwise("offset"))
            known = known.with_columns(clock=pl.when(new).then(value).otherwise("clock"))
        rest = text.filter(known["clock"].is_null()).drop_nulls().unique(maintain_order=True)
        if known["clock"].count():
            self.found[text.name] = " or ".join(declared) or "yyyy-mm-dd"
        # patterns that read no cell at all are meant for other columns
        if len(rest) and not (declared and known["clock"].count()):
            parts = self._dates_by_parts(rest).with_columns(text=rest)
            known = known.join(parts, on="text", how="left", maintain_order="left")
            known = known.with_columns(
                pl.col("clock", "offset").fill_null(pl.col("clock_right", "offset_right"))
            )
        return known

    def _dates_by_parts(self, text: pl.Series) -> pl.DataFrame:
        """Read dates of three parts: year first, a month's name, day before month, or month before day."""
        parts, given = _date_parts(text), self._format.date_order
        numbers = parts["kind"] == "numbers"
        order: str | None = given
        if order is None and not self._format.date_formats and numbers.any():
            order = self._order(text.filter(numbers), parts.filter(numbers))
        a, b, c, month, year = pl.col("a"), pl.col("b"), pl.col("c"), pl.col("month"), _year("c")
        orders = {"dmy": (year, b, a), "mdy": (year, a, b), "ymd": (_year("a"), b, c)}
        ways = {
            "year": (a, month.fill_null(b), c),
            "name": (year, month, a.fill_null(b)),
            "points": orders[given or "dmy"],
            **({"numbers": orders[order]} if order else {}),
        }
        date = pl.coalesce(
            pl.when(pl.col("kind") == kind)
            .then(pl.format("{}-{}-{}", *way).str.to_date("%Y-%m-%d", strict=False))
            for kind, way in ways.items()
        )  # fmt: skip
        found = parts.select(clock=date.cast(_MOMENT) + pl.duration(microseconds="time"), offset="offset")
        for row in parts.filter(found["clock"].is_not_null()).head(1).iter_rows(named=True):
            shapes = {"dmy": "dd{0}mm{0}yyyy", "mdy": "mm{0}dd{0}yyyy", "ymd": "yy{0}mm{0}dd"}
            shapes |= {"year": "yyyy-mm-dd", "name": "dd mmm yyyy", "points": shapes[given or "dmy"]}
            self.found.setdefault(
                text.name, shapes.get(row["kind"], shapes[order or "dmy"]).format(row["sep"].strip())
            )
        return found

    def _order(self, text: pl.Series, parts: pl.DataFrame) -> str:
        """Tell in which order day, month and year stand, from all dates written as numbers alone."""
        a, b, c = parts["a"], parts["b"], parts["c"]
        proofs = _order_proofs(parts)
        days, months = (int(proof.sum()) for proof in proofs)
        if (parts["c_len"] == 2).all():
            if int((a > 31).sum()) > max(days, months):
                return "ymd"
            # years of two digits may come first: then the last part varies more than the first
            if (b <= 12).all() and (c <= 31).all() and c.n_unique() > a.n_unique():
                why = 'may begin or end with the year: write date_order = "ymd" (or "dmy", "mdy")'
                raise self._ambiguous(text.name, [text[0]], why)
        cells, why = [text[_first(proof)] for proof in proofs], "contradict each other"
        either = a.is_between(1, 12) & b.is_between(1, 12) & (a != b)
        if days == months == 0 and either.any():
            days, months = self._elsewhere(text.name, _DATE, lambda other: _order_proofs(_date_parts(other)))
            row = _first(either)
            first, second = a[row], b[row]
            why = f"may be {first} {_ENGLISH[second - 1]} or {_ENGLISH[first - 1]} {second}"
            cells, why = [text[row]], f"{why}, and no day in the file is above 12"
        elif days == months == 0:
            return "dmy"
        if days == months:
            raise self._ambiguous(text.name, cells, f'{why}: write date_order = "dmy" (or "mdy")')
        return "dmy" if days > months else "mdy"


def _parsed(column: pl.Series, values: pl.Series) -> Parsed:
    return Parsed(values, column.is_not_null() & values.is_null())


def _first(mask: pl.Series) -> int:
    return int(mask.arg_max() or 0)


def _nulls(like: pl.Series, kind: pl.DataType | type[pl.DataType]) -> pl.Series:
    return pl.repeat(None, len(like), dtype=kind, eager=True).alias(like.name)


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() - {"localtime", "Factory"}}


@cache
def _grammar(decimal: str, thousands: str | None) -> str:
    """Describe a number with this decimal sign; blanks and apostrophes stand as apostrophes."""
    if thousands == decimal:
        return r"^\d+$"
    other = "," if decimal == "." else "."
    marks = (other, "'") if thousands is None else (re.sub(r"[\s’]", "'", thousands),) if thousands else ()
    groups = "".join(
        rf"|[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|[1-9]\d?(?:{mark}\d\d)*{mark}\d{{3}}"
        for mark in map(re.escape, marks)
    )
    fraction = rf"(?:{re.escape(decimal)}\d+)"
    return rf"^(?:(?:\d+{groups}){fraction}?|(?:\d+{fraction}?|{fraction})(?:[eE][+-]?\d+)?)$"


def _number_parts(text: pl.Series) -> pl.DataFrame:
    """Split numbers into signs, digits (as `body`: blanks and apostrophes as apostrophes) and per cent."""
    text = text.str.replace(r",(?:--?|[–—])(\D*)$", ",00${1}")  # a price without cents: 5,-
    parts = text.str.extract_groups(_NUMBER).struct.unnest()
    minus = pl.sum_horizontal(pl.col("s1", "s2", "s3").is_not_null(), pl.col("open").is_not_null())
    body = pl.col("digits").str.replace_all(r"[\s’]", "'") + pl.col("exp").fill_null("")
    paired = pl.col("open").is_null() == pl.col("close").is_null()
    return parts.with_columns(body=pl.when(paired & (minus <= 1)).then(body))


def _reads_dates(pattern: str) -> bool:
    sample = pl.Series([datetime(2025, 8, 3)]).dt.replace_time_zone("UTC")
    try:
        text = sample.dt.to_string(pattern.replace("%#z", "%z"))
        return bool((text.str.to_datetime(pattern).dt.date() == sample.dt.date()).all())
    except pl.exceptions.PolarsError:
        return False


def _clock_minutes(text: pl.Series) -> pl.Series:
    parts = text.str.extract_groups(_CLOCK).struct.unnest()
    minute, told = pl.col("m").cast(pl.Int64).fill_null(0), pl.col("colon", "half").is_not_null()
    value = pl.when(pl.any_horizontal(told) & (minute < 60)).then(_hour() * 60 + minute)
    return parts.select(value.cast(pl.Float64)).to_series()


def _hour() -> pl.Expr:
    """Return the hour that ``h`` and ``half`` (a, p, or null on a clock of 24 hours) show."""
    h, half = pl.col("h").cast(pl.Int64), pl.col("half").str.to_lowercase()
    return (
        pl.when(half.is_null())
        .then(h)
        .when(h.is_between(1, 12))
        .then(h % 12 + 12 * (half == "p").cast(pl.Int64))
    )


def _serial(number: pl.Series) -> pl.Series:
    """Read a spreadsheet's days since 1899-12-30, and dates like 20250803, where they are plausible."""
    n = pl.col("n")
    days = pl.when(n.is_between(20_000, 80_000)).then((n - 25_569) * 86_400_000).round().cast(pl.Int64)
    whole = pl.when(n.is_between(19_000_101, 99_991_231) & (n == n.round())).then(n).cast(pl.Int64)
    read = whole.cast(pl.String).str.to_date("%Y%m%d", strict=False).cast(_MOMENT)
    return (
        number.cast(pl.Float64)
        .to_frame("n")
        .select(days.cast(pl.Datetime("ms")).cast(_MOMENT).fill_null(read))
        .to_series()
    )


def _since_1970(number: pl.Series) -> pl.Series:
    """Read what programs count from 1970 in seconds, or in thousandths, millionths or billionths of one.

    Only moments after 2001-09-09, from which on seconds have ten digits: fewer may as well be something else.
    """
    n = pl.col("n")
    micros = pl.coalesce(
        pl.when(n.is_between(1e9 * per_second, 4.1e9 * per_second)).then(n / per_second * 1e6)
        for per_second in (1, 1e3, 1e6, 1e9)
    )
    return (
        number.cast(pl.Float64).to_frame("n").select(micros.round().cast(pl.Int64).cast(_MOMENT)).to_series()
    )


def _iso_pattern(first: str) -> list[str]:
    """Return the strptime pattern of a text if it is an ISO date or time."""
    iso = r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?)?"
    if not (found := re.fullmatch(iso, first)):
        return []
    pieces = ("{0}%H:%M", ":%S", "%.f", "%#z")
    return [
        "%Y-%m-%d"
        + "".join(piece.format(part) for piece, part in zip(pieces, found.groups(), strict=True) if part)
    ]


def _year(name: str) -> pl.Expr:
    year, digits = pl.col(name), pl.col(f"{name}_len")
    century = pl.when(year < 69).then(2000).otherwise(1900)
    return pl.when(digits == 4).then(year).when(digits == 2).then(year + century)


def _date_parts(text: pl.Series) -> pl.DataFrame:
    """Split dates into their three parts, the month by name, the time of day and the offset."""
    text = text.str.replace(r"^(\d{4})(\d\d)(\d\d)(T|\s|$)", "${1}-${2}-${3}${4}")
    parts = text.str.extract_groups(_DATE).struct.unnest()
    month = pl.coalesce(
        pl.col("a", "b").str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.Int64)
    )
    hour, minute, second = _hour(), pl.col("m").cast(pl.Int64), pl.col("s").cast(pl.Int64).fill_null(0)
    micro = pl.col("f").str.pad_end(6, "0").str.head(6).cast(pl.Int64).fill_null(0)
    since = pl.when((hour < 24) & (minute < 60) & (second < 60)).then(
        ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
    )
    shift = pl.col("zh").cast(pl.Int32) * 60 + pl.col("zm").cast(pl.Int32).fill_null(0)
    return parts.select(
        pl.col("a", "b", "c").cast(pl.Int64, strict=False),
        pl.col("a", "c").str.len_chars().name.suffix("_len"),
        "sep",
        month=month,
        kind=pl.when(pl.col("a").str.contains(r"^\d{4}$")).then(pl.lit("year"))
        .when(month.is_not_null()).then(pl.lit("name"))
        .when(pl.concat_str("a", "b").str.contains(r"\D")).then(None)
        .when(pl.col("sep").str.contains(".", literal=True)).then(pl.lit("points"))
        .when(pl.col("sep").is_not_null()).then(pl.lit("numbers")),
        time=pl.when(pl.col("h").is_null()).then(0).otherwise(since),
        offset=pl.when(pl.col("utc").is_not_null()).then(0)
        .when(pl.col("east") == "-").then(-shift).otherwise(shift),
    )  # fmt: skip


def _order_proofs(parts: pl.DataFrame) -> _Proofs:
    """Mark the dates that can only begin with the day, and those that can only begin with the month."""
    a, b = (parts[name].set((parts["kind"] != "numbers").fill_null(value=True), None) for name in "ab")
    return a.is_between(13, 31) & (b <= 12), b.is_between(13, 31) & (a <= 12)
