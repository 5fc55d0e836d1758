"""How figures, money, dates and words are written, and that every message has its translation."""

from __future__ import annotations

from datetime import date, datetime
from importlib import resources

import pytest
from babel.numbers import format_decimal
from messages import messages_in_use

from dealwright.errors import InputError
from dealwright.report.format import LANGUAGES, Format, format_of, rounded

EN, ES = Format(), Format("es_ES")
NBSP = "\u00a0"


def test_money_is_written_in_whole_units_or_to_the_smallest() -> None:
    assert [EN.money(value) for value in (1234.4, 1234.6, -5.2, 0.0)] == ["€1,234", "€1,235", "-€5", "€0"]
    assert EN.money(1234.5, cents=True) == "€1,234.50"
    assert ES.money(12345.5, cents=True) == f"12.345,50{NBSP}€"
    assert Format("en_US", "USD").money(1234.5, cents=True) == "$1,234.50"


def test_a_currency_without_decimals_has_none() -> None:
    yen = Format("en_US", "JPY")
    assert yen.money(1234.4) == "¥1,234"
    assert yen.money(1234.4, cents=True) == "¥1,234"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert EN.money(-0.4) == "€0"
    assert EN.number(-0.04, 1) == "0.0"
    assert EN.percent(-0.04) == "0.0%"
    assert str(rounded(-0.4)) == "0.0"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_not_known_says_so(value: float | None) -> None:
    assert {EN.money(value), EN.number(value), EN.share(value), EN.percent(value), EN.duration(value)} == {
        "not known"
    }
    assert ES.money(value) == "no se sabe"
    assert rounded(value) is None
    assert EN.day(None) == EN.clock(None) == EN.moment(None) == EN.label(None) == "–"


def test_only_nothing_is_0_per_cent_and_only_all_is_100() -> None:
    shares = [EN.share(value) for value in (0.0, 0.004, 0.5, 0.996, 1.0)]
    assert shares == ["0%", "<1%", "50%", ">99%", "100%"]
    assert EN.share(0.99996, 1) == ">99.9%"
    assert ES.share(0.1234, 1) == f"12,3{NBSP}%"


@pytest.mark.parametrize("locale", ["en_GB", "en_IN", "en_ZA", "es_ES", "es_MX", "es_CR"])
def test_numbers_are_written_as_babel_writes_them(locale: str) -> None:
    form = Format(locale)
    for value in (0.0, -0.5, 7.25, 999.95, -1234.5, 12345.678, 1e6, -98765432.1):
        for digits in (0, 1, 3):
            pattern = "#,##0" + (f".{'0' * digits}" if digits else "")
            expected = format_decimal(rounded(value, digits), pattern, locale=locale)
            assert form.number(value, digits) == expected


def test_every_unit_of_a_key_figure_has_its_form() -> None:
    assert EN.unit(0.1234, "share") == "12.3%"
    assert EN.unit(0.85, "share", 0) == "85%"
    assert EN.unit(56.54, "percent") == "56.5%"
    assert EN.unit(11019.4, "eur") == "€11,019"
    assert EN.unit(272.4, "km") == "272 km"
    assert EN.unit(0.3, "days") == "0.3 days"
    assert EN.unit(1.0, "days") == "1.0 day"
    assert ES.unit(64.0, "hours") == "64,0 h"
    assert EN.unit(0.93876, "score") == "0.939"
    assert EN.unit(None, "eur") == "not known"


def test_dates_clocks_and_durations() -> None:
    moment = datetime(2026, 7, 1, 9, 5)
    assert EN.day(moment) == "Wednesday, 1 July 2026"
    assert ES.day(date(2026, 7, 1)) == "miércoles, 1 de julio de 2026"
    assert EN.short_day(moment) == "1 Jul 2026"
    assert EN.clock(moment) == "09:05"
    assert EN.moment(moment) == "1 Jul 2026, 09:05"
    assert EN.moment(datetime(2026, 7, 1)) == "1 Jul 2026"
    assert [EN.duration(value) for value in (0, 45, 60, 90.4)] == ["0 min", "45 min", "1 h", "1 h 30 min"]


def test_words_are_people_s_and_translated() -> None:
    assert EN.label("outbound_cc") == "call"
    assert EN.label("my_own_action") == "my own action"
    assert ES.label("win_back") == "recuperación del cliente"
    assert ES.texts("%(count)s day", "%(count)s days", 2) == "2 días"


@pytest.mark.parametrize(
    ("locale", "currency", "named"),
    [("xx", "EUR", "en_GB"), ("de_DE", "EUR", "es"), ("en_GB", "EURO", "USD"), ("", "EUR", "en_GB")],
)
def test_what_does_not_exist_is_refused_with_what_does(locale: str, currency: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        format_of(locale, currency)


def test_a_language_alone_has_a_country() -> None:
    assert format_of("es").locale == "es_ES"
    assert format_of("en").locale == "en_GB"
    assert format_of("en-US", "usd") == Format("en_US", "USD")


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_message_is_translated_and_nothing_else(language: str) -> None:
    from babel.messages.pofile import read_po

    place = resources.files("dealwright.report") / "locales" / f"{language}.po"
    with place.open("rb") as stream:
        known = {item.id: item.string for item in read_po(stream) if item.id}
    used = messages_in_use()
    assert used - set(known) == set()
    assert set(known) - used == set()
    for message, translated in known.items():
        parts = (
            zip(message, translated, strict=True) if isinstance(message, tuple) else [(message, translated)]
        )
        for before, after in parts:
            assert after, message
            assert _fields(before) == _fields(after), message


def _fields(text: str) -> set[str]:
    import re

    return set(re.findall(r"%\((\w+)\)s", text))
