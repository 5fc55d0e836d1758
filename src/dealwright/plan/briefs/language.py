"""How a language writes money, shares, dates and the names of actions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any, Final

from dealwright.wording import write_number, write_share

LANGUAGES: Final = ("en", "es")
_MONTHS: Final = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "es": ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"),
}
_COUNTRIES: Final = {"en": "en_GB", "es": "es_ES"}
_REMEMBERED: Final = 40_000  # more than a batch of briefs has of any one kind
_SWAP: Final = str.maketrans(",.", ".,")


def filters(
    language: str, labels: Mapping[str, str], currency: str = "EUR"
) -> dict[str, Callable[[Any], str]]:
    """Return the filters of a language: ``eur, number, share, in_ten, days, day, clock, label``.

    `eur` writes an amount of the tables, whatever `currency` they are in.
    """
    spanish = language == "es"
    sign_of = _sign_of(currency, language)
    months = _MONTHS[language]

    def number(value: float) -> str:
        text = write_number(value, 0 if float(value).is_integer() or abs(value) >= 100 else 1)
        return text.translate(_SWAP) if spanish else text

    # each is said twice, as Markdown and as HTML, batch by batch
    @lru_cache(maxsize=_REMEMBERED)
    def eur(value: float) -> str:
        text = f"{abs(value):,.0f}"
        sign = "-" if value < 0 and text != "0" else ""
        return f"{sign}{text.translate(_SWAP)} {sign_of}" if spanish else f"{sign}{sign_of}{text}"

    def share(value: float) -> str:
        text = write_share(value)
        return f"{text[:-1].translate(_SWAP)} %" if spanish else text

    def days(value: int) -> str:
        one, several = ("día", "días") if spanish else ("day", "days")
        return f"{value} {one if value == 1 else several}"

    @lru_cache(maxsize=_REMEMBERED)
    def day(value: date) -> str:
        return f"{value.day} {months[value.month - 1]} {value.year}"

    @lru_cache(maxsize=_REMEMBERED)
    def clock(value: datetime) -> str:
        return f"{value.hour:02}:{value.minute:02}"

    def label(value: object) -> str:
        text = str(value)
        return labels.get(text, text.replace("_", " "))

    return {
        "eur": eur, "number": number, "share": share, "days": days, "day": day, "clock": clock,
        "label": label, "in_ten": partial(in_ten, spanish=spanish),
    }  # fmt: skip


def _sign_of(currency: str, language: str) -> str:
    """Return the sign of a currency; most runs are in euros, and need no locale read for that."""
    if currency == "EUR":
        return "€"
    from babel.numbers import get_currency_symbol

    return get_currency_symbol(currency, _COUNTRIES[language])


def in_ten(value: float, *, spanish: bool = False) -> str:
    """Say a probability the way people count: 4 in 10, 1 in 17."""
    joint = " de cada " if spanish else " in "
    if value >= 0.95:
        return f"{'más de ' if spanish else 'more than '}9{joint}10"
    if value >= 0.095:
        return f"{math.floor(value * 10 + 0.5)}{joint}10"
    if value < 0.01:
        return f"{'menos de ' if spanish else 'fewer than '}1{joint}100"
    many = round(1 / value)
    return f"1{joint}{many if many < 20 else round(many, -1)}"
