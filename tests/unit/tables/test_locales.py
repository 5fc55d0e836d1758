"""A table written in any locale is read back equal, or the reader asks, and reads it equal once told.

The suite tries 200 tables; ``DEALWRIGHT_EXAMPLES=2000`` tries more.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dealwright.tables.coercion import AmbiguousError, Coercion
from dealwright.tables.reader import Format, RawTable, read_table

EXAMPLES = int(os.environ.get("DEALWRIGHT_EXAMPLES", "200"))
MISSING = ["", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "NaN", "nan", "NaT", "-", "–", "?", "\\N"]
YES_NO = [
    ("true", "false"),
    ("Ja", "Nein"),
    ("1", "0"),
    ("sí", "no"),
    ("OUI", "NON"),
    ("sim", "não"),
    ("x", "n"),
]
CURRENCIES = ["{}", "€ {}", "{} €", "${}", "{} kr", "CHF {}", "EUR{}"]
# how a date is written, and the order that has to be declared where all days are below 13
DATES = {
    "%Y-%m-%d": None, "%Y/%m/%d": None, "%Y%m%d": None, "%d.%m.%Y": None, "%d.%m.%y": None, "%d %b %Y": None,
    "%B %d, %Y": None, "%d/%m/%Y": "dmy", "%m/%d/%Y": "mdy", "%d-%m-%Y": "dmy", "%d/%m/%y": "dmy",
    "%m/%d/%y": "mdy",
}  # fmt: skip
TIMES = [" %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p"]


@dataclass(frozen=True)
class Locale:
    separator: str
    encoding: str
    bom: bytes
    line_end: str
    decimal: str
    thousands: str
    currency: str
    date: str
    time: str
    yes_no: tuple[str, str]
    missing: list[str]
    quote_all: bool
    blank_lines: bool


@dataclass(frozen=True)
class Row:
    name: str | None
    amount: tuple[int, int] | None  # digits and how many of them are decimals
    share: tuple[int, int] | None
    day: date | None
    at: datetime | None
    flag: bool | None


@st.composite
def locales(draw: st.DrawFn) -> Locale:
    separator = draw(st.sampled_from(",;\t|"))
    encoding, bom = draw(
        st.sampled_from(
            [
                ("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("cp1252", b""), ("utf-16-le", b""),
                ("utf-16-be", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"),
            ]
        )
    )  # fmt: skip
    decimal = draw(st.sampled_from(".,"))
    groups = ["", "'", " ", "\u00a0", "." if decimal == "," else ","]
    if separator == ",":  # there 1.234 alone is taken to have a decimal point
        groups = [sign for sign in groups if sign != "."]
    if encoding != "cp1252":
        groups.append("\u202f")
    return Locale(
        separator, encoding, bom, draw(st.sampled_from(["\n", "\r\n", "\r"])), decimal,
        draw(st.sampled_from(groups)), draw(st.sampled_from(CURRENCIES)),
        draw(st.sampled_from(sorted(DATES))), draw(st.sampled_from(TIMES)), draw(st.sampled_from(YES_NO)),
        draw(st.lists(st.sampled_from(MISSING), min_size=1, max_size=3)),
        draw(st.booleans()), draw(st.booleans()),
    )  # fmt: skip


NUMBERS = st.tuples(st.integers(-9_999_999, 9_999_999), st.integers(0, 4)) | st.tuples(
    st.integers(1_000, 9_999), st.sampled_from([0, 3])
)
DAYS = st.dates(date(1990, 1, 1), date(2049, 12, 31)) | st.builds(
    date, st.just(2025), st.integers(1, 12), st.integers(1, 12)
)
TEXTS = st.text(alphabet='abZ ,;|\t"\nüßñ€’', max_size=8)
ROWS = st.builds(
    Row,
    name=st.none() | TEXTS,
    amount=st.none() | NUMBERS,
    share=st.none() | st.tuples(st.integers(0, 1000), st.just(3)),
    day=st.none() | DAYS,
    at=st.none() | st.builds(datetime.combine, DAYS, st.times().map(lambda t: t.replace(microsecond=0))),
    flag=st.none() | st.booleans(),
)


def number(digits: int, decimals: int, locale: Locale) -> str:
    whole, _, fraction = f"{abs(digits) / 10**decimals:,.{decimals}f}".partition(".")
    text = whole.replace(",", locale.thousands) + (locale.decimal + fraction if fraction else "")
    return ("-" if digits < 0 else "") + text


def write(rows: list[Row], locale: Locale) -> tuple[bytes, list[int]]:
    """Write the table; return its bytes and the line on which each row starts."""
    words = iter(locale.missing * (6 * len(rows) + 1))

    def cell(text: str | None) -> str:
        return next(words) if text is None else text

    table = [
        ["id", "Name, full" if locale.separator != "," else "Name", " amount ", "share", "day", "at", "flag"]
    ]
    for number_, row in enumerate(rows):
        table.append([
            f"K{number_:03}",
            cell(row.name),
            cell(None if row.amount is None else locale.currency.format(number(*row.amount, locale))),
            cell(None if row.share is None else number(*row.share, locale)),
            cell(None if row.day is None else row.day.strftime(locale.date)),
            cell(None if row.at is None else row.at.strftime(locale.date + locale.time)),
            cell(None if row.flag is None else locale.yes_no[not row.flag]),
        ])  # fmt: skip
    lines, texts, line = [], [], 1
    for cells in table:
        out = io.StringIO()
        quoting = csv.QUOTE_ALL if locale.quote_all else csv.QUOTE_MINIMAL
        csv.writer(out, delimiter=locale.separator, lineterminator="\n", quoting=quoting).writerow(cells)
        text = out.getvalue()[:-1]
        lines.append(line)
        texts.append(text + (locale.line_end if locale.blank_lines else ""))
        line += 1 + text.count("\n") + locale.blank_lines
    return locale.bom + locale.line_end.join(texts).encode(locale.encoding), lines[1:]


def read(raw: RawTable) -> dict[str, list[Any]]:
    coercion = Coercion(raw)
    columns = {
        "id": coercion.text("id"),
        "name": coercion.text(raw.frame.columns[1]),
        "amount": coercion.number("amount"),
        "share": coercion.number("share", high=1),
        "day": coercion.day("day"),
        "at": coercion.moment("at", utc=False),
        "flag": coercion.flag("flag"),
    }
    utc = coercion.moment("at", utc=True).values
    assert utc.dt.replace_time_zone(None).equals(columns["at"].values)
    assert not any(parsed.failed.any() for parsed in columns.values())
    return {name: parsed.values.to_list() for name, parsed in columns.items()}


def expected(rows: list[Row], locale: Locale) -> dict[str, list[Any]]:
    def moment(at: datetime) -> datetime:
        return at if "%S" in locale.time else at.replace(second=0)

    names = [None if row.name is None else row.name.strip() for row in rows]
    return {
        "id": [f"K{number_:03}" for number_ in range(len(rows))],
        "name": [None if name in {*MISSING, None} else name for name in names],
        "amount": [None if row.amount is None else row.amount[0] / 10 ** row.amount[1] for row in rows],
        "share": [None if row.share is None else row.share[0] / 10 ** row.share[1] for row in rows],
        "day": [row.day for row in rows],
        "at": [None if row.at is None else moment(row.at) for row in rows],
        "flag": [row.flag for row in rows],
    }


def numbers_leave_it_open(rows: list[Row], locale: Locale) -> bool:
    """Tell whether the other decimal sign gives every amount a meaning too."""
    texts = [number(abs(row.amount[0]), row.amount[1], locale) for row in rows if row.amount]
    signed = [text for text in texts if "." in text or "," in text]
    return bool(signed) and all(
        len(text) <= 7 and text[-4] in ".," and text[0] != "0" and text[:-4].isdigit() for text in signed
    )


def dates_leave_it_open(rows: list[Row], locale: Locale) -> bool:
    """Tell whether day and month, or day and year, may change places in every date."""
    days = [d for row in rows for d in (row.day, row.at) if d is not None]
    swap = all(d.day <= 12 for d in days) and any(d.day != d.month for d in days)
    if locale.date[-1] == "y":  # the first part as the year, the last as the day
        columns = [[row.day for row in rows if row.day], [row.at for row in rows if row.at]]
        middle = [[d.day if locale.date.startswith("%m") else d.month for d in column] for column in columns]
        swap = swap or any(
            column and all(part <= 12 for part in parts) and all(1 <= d.year % 100 <= 31 for d in column)
            for column, parts in zip(columns, middle, strict=True)
        )
    return swap


@pytest.mark.timeout(1800)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(ROWS, min_size=1, max_size=12), locale=locales())
def test_a_table_in_any_locale_is_read_back_equal(tmp_path: Path, rows: list[Row], locale: Locale) -> None:
    content, lines = write(rows, locale)
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    told = Format()
    if locale.encoding == "cp1252" and not content.decode("utf-8", "ignore").isascii():
        told = replace(told, encoding="cp1252")  # by chance some of it is valid UTF-8
    for _ in range(3):
        raw = read_table(path, told)
        assert raw.lines.to_list() == lines
        assert raw.format.separator == locale.separator
        try:
            got = read(raw)
            break
        except AmbiguousError as question:
            event("asked")
            if "decimal" in str(question):
                assert told.decimal is None
                assert numbers_leave_it_open(rows, locale)
                told = replace(told, decimal=locale.decimal)
            else:
                assert told.date_order is None
                assert DATES[locale.date] is not None
                assert dates_leave_it_open(rows, locale)
                told = replace(told, date_order=DATES[locale.date])
    assert got == expected(rows, locale)
    cells = raw.cells(range(len(rows)))
    assert cells["id"].to_list() == got["id"]
    assert cells.dtypes == [pl.String] * 7
