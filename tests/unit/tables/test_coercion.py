"""Turning columns into types: the whole column says how numbers and dates are written, else it asks."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.tables.coercion import AmbiguousError, Coercion, Parsed
from dealwright.tables.reader import Format, RawTable

FAILED: Literal["failed"] = "failed"
NAN, INF = float("nan"), float("inf")


def coercion(given: Format = Format(), /, **columns: Any) -> Coercion:  # noqa: B008
    frame = pl.DataFrame({name: pl.Series(name, cells) for name, cells in columns.items()})
    lines = pl.int_range(2, frame.height + 2, eager=True)
    return Coercion(RawTable("orders.csv", frame, lines, (), given, ()))


def cells(parsed: Parsed) -> list[Any]:
    """Return the values, with the mark for those that could not be read."""
    assert parsed.values.filter(parsed.failed).null_count() == parsed.failed.sum()
    assert parsed.failed.null_count() == 0
    pairs = zip(parsed.values.to_list(), parsed.failed, strict=True)
    return [FAILED if failed else value for value, failed in pairs]


# numbers


@pytest.mark.parametrize(
    ("texts", "numbers", "found"),
    [
        (["1234.5", "2", "+5", "-5", "1e3", "1.5E-2", ".5"], [1234.5, 2, 5, -5, 1e3, 0.015, 0.5], "1234.56"),
        (["2", "1000"], [2, 1000], None),
        (["1,234.50", "1,234", "-1,234,567.8"], [1234.5, 1234, -1234567.8], "1,234.56"),
        (["1.234,50", "1.234", "-1.234.567,8"], [1234.5, 1234, -1234567.8], "1.234,56"),
        (["1 234,5", "1\u00a0234", "1\u202f234", "1\u2009234 567"], [1234.5, 1234, 1234, 1234567],
         "1 234,56"),
        (["1'234.50", "1’234"], [1234.5, 1234], "1'234.56"),
        (["1 234", "7"], [1234, 7], "1 234.56"),
        (["1,23,456.00", "12,345"], [123456, 12345], "1,234.56"),
        (["5-", "(1,234.50)", "−3", "+2"], [-5, -1234.5, -3, 2], "1,234.56"),
        (["€ 1.200,50", "1.200,50 €", "-€ 3", "€ -3", "1,5-"], [1200.5, 1200.5, -3, -3, -1.5], "1.234,56"),
        (["$1,200", "US$ 3.5", "CHF 5", "5 kr", "3 zł", "R$2", "7 EUR"], [1200, 3.5, 5, 5, 3, 2, 7],
         "1,234.56"),
        (["5,-", "4,– €", "3,50"], [5, 4, 3.5], "1234,56"),
        (["12,5 %", "3%", "7"], [12.5, 3, 7], "1234,56"),
        (["0,123", "1,234"], [0.123, 1.234], "1234,56"),
        (["1234,567"], [1234.567], "1234,56"),
        (["1.234.567", "1.234"], [1234567, 1234], "1.234,56"),
        (["1'234.567"], [1234.567], "1'234.56"),
    ],
)  # fmt: skip
def test_numbers_are_read_as_the_column_writes_them(
    texts: list[str], numbers: list[float], found: str | None
) -> None:
    read = coercion(x=texts)
    assert cells(read.number("x")) == numbers
    assert read.found.get("x") == found


@pytest.mark.parametrize(
    "text",
    ["x", "1-2", "5 5", "--5", "(5", "5)", "(-5)", "-5-", "1.2.3", "12 34", "1,2345,678.5", "5 5 EUR", "1 e5",
     "2025-01-02", "0x10", "1_000"],
)  # fmt: skip
def test_what_is_no_number_fails(text: str) -> None:
    assert cells(coercion(x=["1.5", text, "2.25"]).number("x")) == [1.5, FAILED, 2.25]


def test_the_minority_of_a_column_fails() -> None:
    assert cells(coercion(x=["2.5", "2,5", "3.5", "1,234"]).number("x")) == [2.5, FAILED, 3.5, 1234]
    commas = coercion(x=["2,5", "2.5", "3,5", "1.234", "4,5", "1.5e3"])
    assert cells(commas.number("x")) == [2.5, FAILED, 3.5, 1234, 4.5, FAILED]


def test_columns_may_have_signs_of_their_own() -> None:
    read = coercion(x=["2.5", "3"], y=["2,5", "3"])
    assert cells(read.number("x")) == [2.5, 3]
    assert cells(read.number("y")) == [2.5, 3]


def test_the_file_decides_what_a_column_leaves_open() -> None:
    assert cells(coercion(x=["1.234"], y=["2,5"], z=["a"]).number("x")) == [1234]
    assert cells(coercion(x=["1.234"], y=["2.5"]).number("x")) == [1.234]
    assert cells(coercion(x=["1,234"], y=["2.5"]).number("x")) == [1234]
    # words for missing do not keep a column from being asked, nor does text answer
    assert cells(coercion(x=["1.234"] * 3, y=["NA", "-", "2,5"]).number("x")) == [1234] * 3
    with pytest.raises(AmbiguousError):
        coercion(x=["1.234"] * 3, y=["a", "b", "2,5"]).number("x")
    with pytest.raises(AmbiguousError):
        coercion(x=["1.234"], y=["2,5"], z=["2.5"]).number("x")


def test_the_separator_and_the_range_decide_what_the_file_leaves_open() -> None:
    assert cells(coercion(Format(separator=","), x=["1.234", "5.678"]).number("x")) == [1.234, 5.678]
    assert cells(coercion(x=["52.512", "13.405"]).number("x", high=90)) == [52.512, 13.405]
    assert cells(coercion(x=["52,512"]).number("x", high=90)) == [52.512]
    assert cells(coercion(x=["1.234"]).number("x", high=999)) == [1.234]
    with pytest.raises(AmbiguousError):
        coercion(x=["1.234"]).number("x", high=1000)
    # the range is a hint: whether it holds is not judged here
    assert cells(coercion(x=["99.5"]).number("x", high=90)) == [99.5]


@pytest.mark.parametrize(
    ("texts", "given", "message"),
    [
        (["7", "1.234"], Format(separator=";"),
         '1.234 (line 3) may have thousands or decimals: write decimal = "," (it is 1234) or decimal = "."'),
        (["-1,234"], Format(separator=","),
         '-1,234 (line 2) may have thousands or decimals: write decimal = "." (it is 1234) or decimal = ","'),
        (["1", "2.5", "2,5"], Format(),
         '2.5 (line 3) and 2,5 (line 4) contradict each other: write decimal = "," or decimal = "."'),
        (["1.234", "1,234"], Format(separator=","),
         '1.234 (line 2) and 1,234 (line 3) contradict each other: write decimal = "," or decimal = "."'),
    ],
)  # fmt: skip
def test_an_open_number_is_asked_about(texts: list[str], given: Format, message: str) -> None:
    whole = f"orders.csv, column 'x': {message} under [format]"
    with pytest.raises(AmbiguousError, match=f"^{re.escape(whole)}$"):
        coercion(given, x=texts).number("x")


@pytest.mark.parametrize(
    ("given", "texts", "numbers"),
    [
        (Format(decimal=","), ["1.234", "1,5", "1.5"], [1234, 1.5, FAILED]),
        (Format(decimal="."), ["1.234", "1,234", "1,5"], [1.234, 1234, FAILED]),
        (Format(thousands="."), ["1.234", "1,234"], [1234, 1.234]),
        (Format(thousands=","), ["1.234", "1,234"], [1.234, 1234]),
        (Format(thousands=""), ["1,234"], [1.234]),
        (Format(thousands=""), ["1.234"], [1.234]),
        (Format(thousands=".", decimal=","), ["1.234"], [1234]),
        (Format(thousands=","), ["1.234", "1,5"], [1.234, FAILED]),
        (Format(thousands="'"), ["1'234", "1.234"], [1234, 1.234]),
        (Format(thousands=" ", decimal=","), ["1 234,5", "1.234"], [1234.5, FAILED]),
    ],
)
def test_declared_signs_win(given: Format, texts: list[str], numbers: list[Any]) -> None:
    assert cells(coercion(given, x=texts).number("x")) == numbers


def test_per_cent_is_a_share_only_where_a_share_is_wanted() -> None:
    read = coercion(x=["12,5 %", "0,5"])
    assert cells(read.number("x", high=1)) == [0.125, 0.5]
    assert cells(read.number("x", high=100)) == [12.5, 0.5]


def test_nan_is_missing_and_infinity_is_no_number() -> None:
    assert cells(coercion(x=["nan", "inf", "-Infinity", "1e999", None]).number("x")) == [
        None,
        FAILED,
        FAILED,
        FAILED,
        None,
    ]
    assert cells(coercion(x=[NAN, INF, 1.0, None]).number("x")) == [None, FAILED, 1.0, None]
    assert cells(coercion(Format(null_values=("?",)), x=["nan", "?", "1"]).number("x")) == [None, None, 1.0]


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ([1, None], [1.0, None]),
        ([True, False], [1.0, 0.0]),
        ([Decimal("1.50"), None], [1.5, None]),
        (pl.Series(["1,5", "-"], dtype=pl.Categorical), [1.5, None]),
        ([None, None], [None, None]),
        ([date(2025, 1, 1), None], [FAILED, None]),
    ],
)
def test_typed_columns_become_numbers(column: Any, numbers: list[Any]) -> None:
    assert cells(coercion(x=column).number("x")) == numbers


def test_text_made_of_a_typed_column_has_a_decimal_point() -> None:
    read = coercion(x=[1.234, None])
    assert cells(read.number(read.cleaned("x").fill_null("5.678"))) == [1.234, 5.678]


# days and moments


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["2025-08-03"], "yyyy-mm-dd"),
        (["2025-8-3"], "yyyy-mm-dd"),
        (["20250803"], "yyyy-mm-dd"),
        (["2025/08/03", "2025.08.03"], "yyyy-mm-dd"),
        (["03.08.2025", "3.8.25", "3. 8. 2025"], "dd.mm.yyyy"),
        (["03/08/2025", "25/08/2025"], "dd/mm/yyyy"),
        (["8/3/2025", "08/25/2025"], "mm/dd/yyyy"),
        (["03-08-25", "25-08-25", "26-08-25"], "dd-mm-yyyy"),
        (["3 Aug 2025", "03-Aug-25", "3. August 2025", "3rd August, 2025", "Sun, 3 Aug 2025"], "dd mmm yyyy"),
        (["Aug 3, 2025", "August 3rd 2025", "aug. 3, 2025"], "dd mmm yyyy"),
        (["3 de agosto de 2025", "3 août 2025", "3 ago. 2025"], "dd mmm yyyy"),
        (["45872"], "days since 1899-12-30"),
        (["1754222400"], "time since 1970, in UTC"),
        (["1754222400000", "1754222400123"], "time since 1970, in UTC"),
        (["1754222400000000"], "time since 1970, in UTC"),
        (["1754222400000000000"], "time since 1970, in UTC"),
    ],
)  # fmt: skip
def test_days_are_read_as_the_column_writes_them(texts: list[str], found: str) -> None:
    read = coercion(x=texts)
    assert cells(read.day("x"))[0] == date(2025, 8, 3)
    assert not read.day("x").failed.any()
    assert all(day == date(2025, 8, 3) for day in read.day("x").values if day.day == 3)
    assert read.found["x"] == found


MONTHS = (
    "January Januar enero janvier janeiro", "Feb Februar febrero février fevereiro",
    "Mar März marzo mars março", "Apr April abril avril abril", "May Mai mayo mai maio",
    "June Juni junio juin junho",
    "July Juli julio juillet julho", "Aug August agosto août agosto",
    "Sept September septiembre septembre setembro", "Oct Oktober octubre octobre outubro",
    "Nov November noviembre novembre novembro", "Dec Dez diciembre décembre dezembro",
)  # fmt: skip


@pytest.mark.parametrize("number", range(1, 13))
def test_months_have_names_in_five_languages(number: int) -> None:
    words = MONTHS[number - 1].split()
    assert cells(coercion(x=[f"5 {word} 2025" for word in words]).day("x")) == [date(2025, number, 5)] * 5
    assert (
        cells(coercion(x=[f"{word.upper()} 5, 2025" for word in words]).day("x"))
        == [date(2025, number, 5)] * 5
    )
    assert cells(coercion(x=[f"2025-{word}-05" for word in words]).day("x")) == [date(2025, number, 5)] * 5


@pytest.mark.parametrize(
    "text",
    ["x", "2025-02-30", "2025-13-01", "2025-08", "31.04.2025", "1899-12-31", "0025-01-01", "2025-08-03 24:00",
     "2025-08-03 12:60", "2025-08-03 13:05 PM", "2025-08-03 0:05 AM", "3 Foo 2025", "12345",
     "123/4/2025", "1/2/123"],
)  # fmt: skip
def test_what_is_no_day_fails(text: str) -> None:
    assert cells(coercion(x=["2025-08-03", text]).day("x")) == [date(2025, 8, 3), FAILED]
    assert cells(coercion(x=["03.08.2025", text]).day("x")) == [date(2025, 8, 3), FAILED]


def test_two_digits_are_the_years_about_now() -> None:
    assert cells(coercion(x=["01.01.68", "01.01.69"]).day("x")) == [date(2068, 1, 1), date(1969, 1, 1)]


def test_the_minority_of_a_column_has_no_day() -> None:
    days = ["13/08/2025", "14/08/2025", "08/15/2025", "03/08/2025"]
    assert cells(coercion(x=days).day("x")) == [
        date(2025, 8, 13),
        date(2025, 8, 14),
        FAILED,
        date(2025, 8, 3),
    ]
    days = ["13/08/2025", "08/14/2025", "08/15/2025", "08/03/2025"]
    assert cells(coercion(x=days).day("x")) == [
        FAILED,
        date(2025, 8, 14),
        date(2025, 8, 15),
        date(2025, 8, 3),
    ]


def test_the_file_decides_the_order_that_a_column_leaves_open() -> None:
    assert cells(coercion(x=["03/08/2025"], y=["25/08/2025"]).day("x")) == [date(2025, 8, 3)]
    assert cells(coercion(x=["03/08/2025"], y=["08/25/2025 10:00"]).day("x")) == [date(2025, 3, 8)]
    with pytest.raises(AmbiguousError):
        coercion(x=["03/08/2025"], y=["08/25/2025"], z=["25/08/2025"]).day("x")
    with pytest.raises(AmbiguousError):  # points say nothing about slashes
        coercion(x=["03/08/2025"], y=["25.08.2025"]).day("x")
    assert cells(coercion(x=["05/05/2025", "45/99/2025"]).day("x")) == [date(2025, 5, 5), FAILED]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["05/05/2025", "03/04/2025"],
         ("03/04/2025 (line 3) may be 3 April or March 4, and no day in the file is above 12: "
         'write "dmy" (or "mdy")')),
        (["03/04/2025", "25/08/2025", "08/25/2025"],
         '25/08/2025 (line 3) and 08/25/2025 (line 4) contradict each other: write "dmy" (or "mdy")'),
        (["25/08/03", "25/08/04"],
         '25/08/03 (line 2) may begin or end with the year: write "ymd" (or "dmy", "mdy")'),
    ],
)  # fmt: skip
def test_an_open_day_is_asked_about(texts: list[str], message: str) -> None:
    message = message.replace("write", "write date_order =")
    with pytest.raises(
        AmbiguousError, match=f"^orders.csv, column 'x': {re.escape(message)} under .format.$"
    ):
        coercion(x=texts).day("x")
    with pytest.raises(AmbiguousError, match=re.escape("(line 2)")):
        coercion(x=[";".join(texts)]).days("x")


def test_days_of_one_digit_more_prove_the_order() -> None:
    assert cells(coercion(x=["12/11/2025", "13/12/2025"]).day("x")) == [
        date(2025, 11, 12),
        date(2025, 12, 13),
    ]
    assert cells(coercion(x=["12/11/2025", "12/13/2025"]).day("x")) == [
        date(2025, 12, 11),
        date(2025, 12, 13),
    ]
    assert cells(coercion(x=["12/11/2025", "31/12/2025"]).day("x")) == [
        date(2025, 11, 12),
        date(2025, 12, 31),
    ]
    with pytest.raises(AmbiguousError):  # a day 32 proves nothing, nor does a month 13
        coercion(x=["12/11/2025", "32/12/2025", "12/32/2025", "13/13/2025"]).day("x")
    with pytest.raises(AmbiguousError):
        coercion(x=["12/11/2025", "12/11/2025", "0/11/2025"]).day("x")


def test_years_of_two_digits_at_the_end() -> None:
    assert cells(coercion(x=["03/08/25", "14/08/25"]).day("x")) == [date(2025, 8, 3), date(2025, 8, 14)]
    # the last part varies more, but 32 is no day, and 13 no month
    assert cells(coercion(x=["13/08/25", "13/08/32"]).day("x")) == [date(2025, 8, 13), date(2032, 8, 13)]
    assert cells(coercion(x=["01/13/25", "01/13/26"]).day("x")) == [date(2025, 1, 13), date(2026, 1, 13)]
    for texts in (["13/08/25", "13/08/31"], ["13/12/25", "13/12/26"]):
        with pytest.raises(AmbiguousError, match="may begin or end with the year"):
            coercion(x=texts).day("x")


def test_a_declared_order_wins() -> None:
    for order, day in (("dmy", date(2003, 4, 5)), ("mdy", date(2005, 3, 4)), ("ymd", date(2003, 4, 5))):
        text = {"dmy": "05/04/03", "mdy": "03/04/05", "ymd": "03/04/05"}[order]
        assert cells(coercion(Format(date_order=order), x=[text]).day("x")) == [day]  # type: ignore[arg-type]
    assert cells(coercion(Format(date_order="mdy"), x=["25/08/2025"]).day("x")) == [FAILED]
    assert (
        cells(coercion(Format(date_order="ymd"), x=["25.08.03", "2025-08-03"]).day("x"))
        == [date(2025, 8, 3)] * 2
    )
    assert cells(coercion(x=["99/12/31", "98/11/30"]).day("x")) == [date(1999, 12, 31), date(1998, 11, 30)]


def test_declared_patterns_win_in_the_columns_they_are_meant_for() -> None:
    given = Format(date_formats=("%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y-%m-%dT%H:%M%z"), time_zone="Europe/Berlin")
    read = coercion(
        given,
        x=["03.08.2025 14:05", "03.08.2025", "2025-08-03", "2025-08-03T14:05+0000"],
        y=["2025-08-03", "08/13/2025", "20250803", "x"],
    )
    assert cells(read.moment("x", utc=False)) == [
        datetime(2025, 8, 3, 14, 5),
        datetime(2025, 8, 3),
        FAILED,
        datetime(2025, 8, 3, 16, 5),
    ]
    # no cell of y is written so: it is not meant, but no order is guessed against the declaration
    assert cells(read.day("y")) == [date(2025, 8, 3), FAILED, date(2025, 8, 3), FAILED]
    with pytest.raises(InputError, match=r"^orders.csv: the date format '%Q' under \[format\] writes no day"):
        coercion(Format(date_formats=("%d.%m.%Y", "%Q")), x=["a"])
    with pytest.raises(InputError, match=r"'%d\.%m' under"):
        coercion(Format(date_formats=("%d.%m",)), x=["a"])
    coercion(Format(date_formats=("%Y-%m-%d %H:%M:%S%.f%#z",)), x=["a"])


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("2025-08-03", (0, 0)),
        ("2025-08-03 14:05", (14, 5)),
        ("2025-08-03T14:05:30", (14, 5, 30)),
        ("2025-08-03 14:05:30.25", (14, 5, 30, 250_000)),
        ("2025-08-03 14:05:30,1234567", (14, 5, 30, 123_456)),
        ("20250803T140530", (14, 5, 30)),
        ("03.08.2025 14:05 Uhr", (14, 5)),
        ("03.08.2025, 14.05", (14, 5)),
        ("3 Aug 2025 - 14:05", (14, 5)),
        ("3 Aug 2025 2:05 PM", (14, 5)),
        ("3 Aug 2025 12:05 a.m.", (0, 5)),
        ("3 Aug 2025 12:05 p. m.", (12, 5)),
        ("3 Aug 2025 1:05 am", (1, 5)),
        ("45872.5", (12, 0)),
    ],
)
def test_times_of_the_day_are_read(text: str, clock: tuple[int, ...]) -> None:
    expected = datetime(2025, 8, 3, *clock)
    read = coercion(x=[text], y=["03.08.2025"])
    assert cells(read.moment("x", utc=False)) == [expected]
    assert cells(read.moment("x", utc=True)) == [expected.replace(tzinfo=UTC)]
    assert cells(read.day("x")) == [date(2025, 8, 3)]


@pytest.mark.parametrize("offset", ["Z", "+00:00", "UTC", "-0430", "+02", " +02:00"])
def test_offsets_are_honoured(offset: str) -> None:
    minutes = {"-0430": -270, "+02": 120, " +02:00": 120}.get(offset, 0)
    texts = ["2025-08-03 23:30", f"2025-08-03 23:30:00{offset}", f"2025-08-03T23:30:00.5{offset}"]
    instant = datetime(2025, 8, 3, 23, 30, tzinfo=UTC) - timedelta(minutes=minutes)
    half = timedelta(seconds=0.5)
    for order in (1, -1):  # the first cell decides which way is tried first
        read = coercion(Format(time_zone="europe/berlin"), x=texts[::order])
        utc = [datetime(2025, 8, 3, 21, 30, tzinfo=UTC), instant, instant + half]
        assert cells(read.moment("x", utc=True)) == utc[::order]
        local = [(moment + timedelta(hours=2)).replace(tzinfo=None) for moment in utc]
        assert cells(read.moment("x", utc=False)) == local[::order]
        assert cells(read.day("x")) == [moment.date() for moment in local][::order]


def test_clock_changes() -> None:
    texts = ["2025-03-30 02:30:00", "2025-10-26 02:30:00", "2025-03-30 03:00:00"]
    read = coercion(Format(time_zone="Europe/Berlin"), x=texts)
    utc = [datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 3, 30, 1, tzinfo=UTC)]
    assert cells(read.moment("x", utc=True)) == [FAILED, *utc]
    assert cells(read.moment("x", utc=False)) == [
        FAILED,
        datetime(2025, 10, 26, 2, 30),
        datetime(2025, 3, 30, 3),
    ]
    assert cells(read.day("x")) == [date(2025, 3, 30), date(2025, 10, 26), date(2025, 3, 30)]
    # a day whose midnight does not exist is a day all the same
    south = coercion(Format(time_zone="America/Sao_Paulo"), x=["2018-11-04"])
    assert cells(south.moment("x", utc=True)) == [datetime(2018, 11, 4, 3, tzinfo=UTC)]
    assert cells(south.moment("x", utc=False)) == [datetime(2018, 11, 4)]


def test_what_counts_from_1970_is_an_instant_on_whatever_clock() -> None:
    given = Format(time_zone="Europe/Berlin")
    written = coercion(given, x=["1754222400", "1754222401"], half=["1754222400", "2025-08-03"])
    assert cells(written.moment("x", utc=True))[0] == datetime(2025, 8, 3, 12, tzinfo=UTC)
    assert cells(written.moment("x", utc=False))[0] == datetime(2025, 8, 3, 14)
    assert cells(written.moment("half", utc=False)) == [FAILED, datetime(2025, 8, 3)]
    typed = coercion(
        given, s=[1754222400, None], ms=[1754222400500, 999_999_999], ns=[1.7542224e18, 5e9], days=[45872, 1]
    )
    assert cells(typed.moment("s", utc=True)) == [datetime(2025, 8, 3, 12, tzinfo=UTC), None]
    assert cells(typed.moment("ms", utc=False)) == [datetime(2025, 8, 3, 14, 0, 0, 500_000), FAILED]
    assert cells(typed.moment("ns", utc=True)) == [datetime(2025, 8, 3, 12, tzinfo=UTC), FAILED]
    assert cells(typed.moment("days", utc=False)) == [datetime(2025, 8, 3), FAILED]


def test_typed_columns_become_moments() -> None:
    given = Format(time_zone="Europe/Berlin")
    aware = pl.Series([datetime(2025, 8, 3, 12), None]).dt.replace_time_zone("America/New_York")
    read = coercion(
        given, aware=aware, naive=[datetime(2025, 8, 3, 12), datetime(1800, 1, 1)],
        day=[date(2025, 8, 3), None], serial=[45872.25, 20250803.0], whole=[20250803, 12], flag=[True, None],
        clock=[time(9), None],
    )  # fmt: skip
    at = {name: cells(read.moment(name, utc=False)) for name in read._raw.frame.columns}
    assert at["aware"] == [datetime(2025, 8, 3, 18), None]
    assert at["naive"] == [datetime(2025, 8, 3, 12), FAILED]
    assert at["day"] == [datetime(2025, 8, 3), None]
    assert at["serial"] == [datetime(2025, 8, 3, 6), datetime(2025, 8, 3)]
    assert at["whole"] == [datetime(2025, 8, 3), FAILED]
    assert at["flag"] == at["clock"] == [FAILED, None]
    assert cells(read.moment("aware", utc=True)) == [datetime(2025, 8, 3, 16, tzinfo=UTC), None]
    assert cells(read.moment("naive", utc=True))[0] == datetime(2025, 8, 3, 10, tzinfo=UTC)
    assert read.moment("naive", utc=True).values.dtype == pl.Datetime("us", "UTC")
    assert read.moment("aware", utc=False).values.dtype == pl.Datetime("us")


@pytest.mark.parametrize(
    ("number", "day"),
    [
        (19_999.0, None), (20_000.0, date(1954, 10, 3)), (80_000.0, date(2119, 1, 11)), (80_000.5, None),
        (19_000_100.0, None), (19_000_101.0, date(1900, 1, 1)), (20250803.5, None),
        (99_991_231.0, date(9999, 12, 31)), (99_991_232.0, None), (20250230.0, None), (NAN, None),
    ],
)  # fmt: skip
def test_numbers_are_days_only_where_that_is_plausible(number: float, day: date | None) -> None:
    wanted = [None if number != number else day or FAILED]
    assert cells(coercion(x=[number]).day("x")) == wanted


def test_days_are_those_of_four_digits() -> None:
    days = [date(1900, 1, 1), date(9999, 12, 31)]
    assert cells(coercion(x=[day.isoformat() for day in days]).day("x")) == days
    assert cells(coercion(x=[f"{day:%d.%m.%Y}" for day in days]).day("x")) == days
    assert cells(coercion(x=[datetime(1900, 1, 1), datetime(9999, 12, 31)]).day("x")) == days


def test_an_unknown_time_zone_of_the_format_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown time_zone 'Europe/Berlim': did you mean 'Europe/Berlin'"):
        coercion(Format(time_zone="Europe/Berlim"), x=["a"])


# the other kinds


def test_text_is_stripped_and_written_as_people_write_it() -> None:
    read = coercion(
        text=[" a ", "\u00a0", "b c", ""], number=[1.0, 2.5, NAN, None], whole=[7, 8, None, 9],
        at=[datetime(2025, 8, 3), datetime(2025, 8, 3, 1, 2, 3), None, None], day=[datetime(2025, 8, 3)] * 4,
        zoned=pl.Series([datetime(2025, 8, 3)] * 4).dt.replace_time_zone("UTC"),
        flag=[True, False, None, None],
        many=[["a", "b"], [], None, ["c"]], exact=[Decimal("12.00"), Decimal("12.50"), None, None],
        kind=pl.Series(["a", "NA", None, "b"], dtype=pl.Categorical),
    )  # fmt: skip
    texts = {name: cells(read.text(name)) for name in read._raw.frame.columns}
    assert texts == {
        "text": ["a", None, "b c", None],
        "number": ["1", "2.5", None, None],
        "whole": ["7", "8", None, "9"],
        "at": ["2025-08-03T00:00:00", "2025-08-03T01:02:03", None, None],
        "day": ["2025-08-03"] * 4,
        "zoned": ["2025-08-03T00:00:00+00:00"] * 4,
        "flag": ["true", "false", None, None],
        "many": ["a;b", None, None, "c"],
        "exact": ["12", "12.50", None, None],
        "kind": ["a", None, None, "b"],
    }
    assert all(read.text(name).values.dtype == pl.String for name in texts)
    assert cells(read.text(pl.Series("given", [" a ", "", "-", None]))) == ["a", None, "-", None]


def test_words_for_missing_are_missing_and_counted() -> None:
    words = "NA N/A n/a #N/A na NULL Null null None none NaN nan NAN <NA> NaT - -- – — ? \\N".split()  # noqa: SIM905
    read = coercion(x=[*words, "", " NA ", "a", None], y=["1"] * (len(words) + 3) + ["-"])
    assert cells(read.text("x")) == [None] * (len(words) + 2) + ["a", None]
    assert cells(read.number("y"))[-1] is None
    assert read.missing == {"x": dict.fromkeys(words, 1) | {"NA": 2}, "y": {"-": 1}}
    assert next(iter(read.missing["x"])) == "NA"
    other = coercion(Format(null_values=("k. A.",)), x=["NA", " k. A. ", ""])
    assert cells(other.text("x")) == ["NA", None, None]
    assert other.missing == {"x": {"k. A.": 1}}


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("true Yes Y t 1 1.0 on ja J si sí Oui sim wahr verdadero vrai verdadeiro x", True),
        ("FALSE no N f 0 0.0 off Nein non não nao falsch falso faux", False),
    ],
)
def test_yes_and_no_in_five_languages(words: str, flag: bool) -> None:
    assert cells(coercion(x=words.split()).flag("x")) == [flag] * len(words.split())


def test_what_is_neither_yes_nor_no_fails() -> None:
    assert cells(coercion(x=["maybe", "2", "-", None]).flag("x")) == [FAILED, FAILED, None, None]
    assert cells(coercion(x=[1.0, 0.0, 2.0, NAN]).flag("x")) == [True, False, FAILED, None]
    assert cells(coercion(x=[True, None]).flag("x")) == [True, None]


@pytest.mark.parametrize(
    ("column", "minutes"),
    [
        (["540", "09:00", "9:00 AM", "9 pm", "9h", "9h30", "12:15 am", "12:15 PM", "25:30", "2880", "48:00"],
         [540, 540, 540, 1260, 540, 570, 15, 735, 1530, 2880, 2880]),
        (["2881", "48:01", "9:60", "13:00 pm", "0 am", "-5", "540.5", "x", "?", "2025-08-03 09:00", "540.0"],
         [FAILED] * 8 + [None, FAILED, 540]),
        (["1899-12-31 09:30:00", "1899-12-30T17:00:00"], [570, 1020]),
        (["0.375", "0.5"], [540, 720]),
        ([0.375, 1.0, 0.0, 0.3958333333], [540, 1440, 0, 570]),
        ([0.375, 2.0], [540, 2880]),  # parts of two days at most
        ([0.375, 2.1], [FAILED, FAILED]),
        ([540.0, 1.0, NAN], [540, 1, None]),
        ([540, None], [540, None]),
        ([time(9, 30), None], [570, None]),
        ([timedelta(hours=25), None], [1500, None]),
        ([datetime(1899, 12, 31, 9, 30), datetime(1899, 12, 31), datetime(1899, 12, 30, 17)], [570, 0, 1020]),
        ([datetime(1900, 1, 1, 1, 30), datetime(2025, 8, 3, 9, 30)], [1530, FAILED]),
    ],
)  # fmt: skip
def test_minutes_after_midnight(column: Any, minutes: list[Any]) -> None:
    parsed = coercion(x=column).minutes("x")
    assert cells(parsed) == minutes
    assert parsed.values.dtype == pl.Int64


def test_lists_of_texts_and_days() -> None:
    read = coercion(
        x=["a; b;;c ", ";", "-", None],
        y=[["a ", "b"], [], None, ["c"]],
        d=["03.08.2025;25.12.2025", "03.08.2025; x", "-", "3.8.2025"],
        e=[[date(2025, 8, 3)], [], None, None],
    )
    assert cells(read.texts("x")) == [["a", "b", "c"], None, None, None]
    assert cells(read.texts("y")) == [["a", "b"], None, None, ["c"]]
    assert cells(read.texts(pl.Series(["a|b"]), separator="|")) == [["a", "b"]]
    assert cells(read.days("d")) == [[date(2025, 8, 3), date(2025, 12, 25)], FAILED, None, [date(2025, 8, 3)]]
    assert cells(read.days("e")) == [[date(2025, 8, 3)], None, None, None]
    assert read.days("d").values.dtype == pl.List(pl.Date)
    assert read.texts("x").values.dtype == pl.List(pl.String)


def test_names_of_time_zones() -> None:
    zones = ["europe/berlin", "America/New York", "utc", "Mars/Phobos", "NA", None]
    assert cells(coercion(x=zones).zone("x")) == [
        "Europe/Berlin",
        "America/New_York",
        "UTC",
        FAILED,
        None,
        None,
    ]


def test_an_empty_table_has_every_kind() -> None:
    read = coercion(x=pl.Series([], dtype=pl.String))
    kinds = [read.text, read.number, read.day, read.flag, read.minutes, read.texts, read.days, read.zone]
    assert all(len(kind("x").values) == len(kind("x").failed) == 0 for kind in kinds)
    assert len(read.moment("x", utc=True).values) == 0
