"""How figures, dates and words are written for people: one locale and one currency for a whole run.

Babel writes numbers, money and dates; words come from ``locales/*.po``, one catalogue for report, accounts,
maps, calendars and the printed summary. What is rounded is rounded here, before it is compared with anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from dealwright.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from babel import Locale

DEFAULT_LOCALE: Final = "en_GB"
DEFAULT_CURRENCY: Final = "EUR"
LANGUAGES: Final = ("en", "es")
# which of a language's countries is meant where none is named
_HOME: Final = {"en": "en_GB", "es": "es_ES"}
_SIGNS: Final = {"hours": "h", "km": "km"}
_REMEMBERED: Final = 4096


def mark(text: str) -> str:
    """Return a text as it is; the catalogue has its translation."""
    return text


def several(one: str, more: str) -> tuple[str, str]:
    """Return a message for one and for several as it is; the catalogue has its translation."""
    return one, more


# what the plan's own words are called by people; the left side is what tables hold
WORDS: Final[Mapping[str, str]] = {
    "field": mark("visit"), "outbound_cc": mark("call"), "inbound_cc": mark("when they call"),
    "ecom_assisted": mark("online, assisted"), "ecom_self": mark("online, self-service"),
    "visit": mark("visit"), "retention_call": mark("retention call"), "upsell": mark("upsell"),
    "cross_sell": mark("cross-sell"), "win_back": mark("win-back"),
    "service_recovery": mark("service recovery"), "reorder_reminder": mark("reorder reminder"),
    "nothing": mark("no action"),
    "churn": mark("churn"), "segment": mark("segment"), "recency": mark("recency"),
    "potential": mark("potential"), "digital_engagement": mark("digital engagement"),
    "support_friction": mark("support friction"),
    "waits": mark("waits"), "no time for its call": mark("no time for its call"),
    "reached on another channel": mark("reached on another channel"), "no action": mark("no action"),
    "visit a day": mark("visit a day"), "hour of shift": mark("hour of shift"),
    "representative": mark("representative"), "agent": mark("agent"), "contact": mark("contact"),
    "contact a day": mark("contact a day"), "visits a day": mark("visits a day"), "shift": mark("shift"),
    "visits a day and shift": mark("visits a day and shift"), "opening hours": mark("opening hours"),
    "worth less than its way": mark("costs more than it brings"),
    "number of candidates": mark("number of candidates"), "territory": mark("territory"),
    "position": mark("no position"), "no road": mark("no road"),
    "promised day or representative": mark("promised day or representative"),
    "not due yet": mark("not due yet"), "no representative": mark("no representative"),
    "consent": mark("consent"), "rest between contacts": mark("rest between contacts"),
    "quiet days": mark("quiet days"), "contacts a day": mark("contacts a day"), "skills": mark("skills"),
    "hours of agents": mark("hours of agents"), "no channel": mark("no channel"),
    "contacts": mark("contacts"), "ready for the next contact": mark("ready for the next contact"),
    "as planned": mark("as planned"), "one person fewer": mark("one person fewer"),
    "answering level": mark("answering level"), "occupancy at most": mark("highest occupancy"),
    "busy and quiet hours": mark("busy and quiet hours"),
    "deadline of work that may wait": mark("deadline of work that may wait"),
    "when customers may be called": mark("when customers may be called"),
    "breaks and lunch": mark("breaks and lunch"), "length of shifts": mark("length of shifts"),
    "rest between shifts": mark("rest between shifts"),
    "training, meetings, absence": mark("training, meetings, absence"), "paid breaks": mark("paid breaks"),
    "accounts": mark("accounts"), "orders": mark("orders"), "touches": mark("contacts"),
    "history": mark("history"), "reps": mark("representatives"), "staff": mark("contact centre staff"),
    "stable": mark("stable"), "moderate": mark("moderate"), "large": mark("large"),
    "new": mark("new"), "gone": mark("gone"), "action": mark("action"), "channel": mark("channel"),
    "Grow": mark("Grow"), "Develop": mark("Develop"),
    "Automate": mark("Automate"), "Protect": mark("Protect"), "Maintain": mark("Maintain"),
}  # fmt: skip


def rounded(value: float | None, digits: int = 0) -> float | None:
    """Return a figure as it is shown: rounded, without a negative zero; ``None`` where it is not known."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) + 0.0


@dataclass(frozen=True)
class Format:
    """One way to write everything that a page shows."""

    locale: str = DEFAULT_LOCALE  # as Babel knows it, such as `en_GB` or `es_ES`
    currency: str = DEFAULT_CURRENCY  # ISO 4217, such as `EUR`

    @cached_property
    def language(self) -> str:
        """The language, as HTML's ``lang``."""
        return self.locale.partition("_")[0]

    @property
    def direction(self) -> str:
        """Which way the language is written, as HTML's ``dir``: ``ltr`` or ``rtl``."""
        from babel import Locale

        return str(Locale.parse(self.locale).text_direction)

    @property
    def tag(self) -> str:
        """The locale as browsers know it: ``en-GB``."""
        return self.locale.replace("_", "-")

    # words

    def text(self, message: str, **values: object) -> str:
        """Return a message in the language, with its ``%(name)s`` filled in."""
        found = _messages(self.language).get(message) or message
        return found % values if values else found

    def texts(self, one: str, several: str, number: float, **values: object) -> str:
        """Return a message with a number in the right form; ``%(count)s`` is the number, written."""
        found = _messages(self.language).get((one, several))
        chosen = (found or (one, several))[0 if number == 1 else 1]
        return chosen % {"count": self.number(number), **values}

    def label(self, name: str | None) -> str:
        """Return how people call an action, a channel, a limit or another of the plan's words."""
        if name is None:
            return "–"
        known = WORDS.get(name)
        return self.text(known) if known is not None else self.text(name.replace("_", " "))

    @property
    def not_known(self) -> str:
        """What stands where a figure is not known."""
        return self.text("not known")

    # figures

    def money(self, value: float | None, *, cents: bool = False) -> str:
        """Write an amount: whole units, or to the smallest unit of the currency."""
        if value is None or not math.isfinite(value):
            return self.not_known
        return _money(float(value), cents, self.locale, self.currency)

    def number(self, value: float | None, digits: int = 0) -> str:
        """Write a number with as many digits behind the point."""
        shown = rounded(value, digits)
        return self.not_known if shown is None else _number(shown, digits, self.locale)

    def share(self, value: float | None, digits: int = 0) -> str:
        """Write a share in per cent; only nothing is 0 %, and only all is 100 %.

        Anything between that rounds to one of them is written as a bound: ``<1%``, ``>99.9%``.
        """
        if value is None or not math.isfinite(value):
            return self.not_known
        return _share(float(value), digits, self.locale)

    def percent(self, value: float | None, digits: int = 1) -> str:
        """Write what is given in per cent already."""
        return self.not_known if value is None or not math.isfinite(value) else self._percent(value, digits)

    def _percent(self, value: float, digits: int) -> str:
        return _percent(round(value, digits) / 100.0 + 0.0, digits, self.locale)

    def unit(self, value: float | None, unit: str, digits: int | None = None) -> str:
        """Write a key figure in its unit (`plan.kpis.Unit`)."""
        if unit in ("share", "percent", "eur", "count"):
            write: dict[str, Callable[[float | None], str]] = {
                "percent": self.percent, "eur": self.money, "count": self.number,
            }  # fmt: skip
            return write[unit](value) if unit in write else self.share(value, 1 if digits is None else digits)
        if value is None or not math.isfinite(value):
            return self.not_known
        places = {"hours": 1, "days": 1, "km": 0, "score": 3}.get(unit, 0 if float(value).is_integer() else 3)
        text = self.number(value, places)
        if unit == "days":
            return self.texts("%(count)s day", "%(count)s days", value, count=text)
        return f"{text} {_SIGNS[unit]}" if unit in _SIGNS else text

    # moments

    def day(self, value: date | None) -> str:
        """Write a date in full: ``Wednesday, 1 July 2026``."""
        return "–" if value is None else _date(_only_date(value), "full", self.locale)

    def short_day(self, value: date | None) -> str:
        """Write a date in short: ``1 Jul 2026``."""
        return "–" if value is None else _date(_only_date(value), "medium", self.locale)

    def clock(self, value: datetime | None) -> str:
        """Write the time of a day, as the locale does."""
        return "–" if value is None else _clock(value.hour, value.minute, self.locale)

    def moment(self, value: datetime | None) -> str:
        """Write a moment, without its time where that is midnight."""
        if value is None:
            return "–"
        midnight = (value.hour, value.minute) == (0, 0)
        return self.short_day(value) if midnight else f"{self.short_day(value)}, {self.clock(value)}"

    def duration(self, minutes: float | None) -> str:
        """Write a duration: ``45 min``, ``1 h 30 min``."""
        whole = rounded(minutes)
        if whole is None:
            return self.not_known
        hours, rest = divmod(int(whole), 60)
        parts = [f"{self.number(hours)} h"] if hours else []
        return " ".join([*parts, f"{rest} min"] if rest or not hours else parts)

    @property
    def babel(self) -> Locale:
        """The locale of Babel."""
        return _locale(self.locale)


def format_of(locale: str = DEFAULT_LOCALE, currency: str = DEFAULT_CURRENCY) -> Format:
    """Return the format of a locale and a currency, both checked.

    Raises
    ------
    InputError
        The locale or the currency does not exist, or there is no catalogue of its language.
    """
    from babel import UnknownLocaleError
    from babel.numbers import is_currency

    name = _HOME.get(locale, locale).replace("-", "_")
    try:
        found = _locale(name)
    except (UnknownLocaleError, ValueError, TypeError):
        raise InputError(f"locale {locale!r} is not known; name one such as en_GB, en_US or es_ES") from None
    if found.language not in LANGUAGES:
        raise UnknownNameError("language of the locale", found.language, LANGUAGES)
    if not is_currency(currency.upper()):
        raise InputError(f"currency {currency!r} is not known; name its ISO code, such as EUR, USD or JPY")
    return Format(str(found), currency.upper())


@lru_cache(maxsize=_REMEMBERED)
def _clock(hour: int, minute: int, locale: str) -> str:
    from babel.dates import format_time

    return str(format_time(time(hour, minute), "short", locale=_locale(locale)))


@lru_cache(maxsize=32)
def _locale(name: str) -> Locale:
    from babel import Locale

    return Locale.parse(name)


@lru_cache
def _messages(language: str) -> Mapping[Any, Any]:
    """Return the catalogue of a language: message, or (one, several), -> translation."""
    from babel.messages.pofile import read_po

    place = resources.files("dealwright.report") / "locales" / f"{language}.po"
    if not place.is_file():
        return {}
    with place.open("rb") as stream:
        return {message.id: message.string for message in read_po(stream) if message.id}


@lru_cache(maxsize=_REMEMBERED)
def _money(value: float, cents: bool, locale: str, currency: str) -> str:
    from babel.numbers import format_currency, get_currency_precision

    digits = get_currency_precision(currency) if cents else 0
    standard = _locale(locale).currency_formats["standard"].pattern
    pattern = re.sub(r"0\.0+", "0." + "0" * digits if digits else "0", standard)
    shown = round(value, digits) + 0.0
    return format_currency(shown, currency, pattern, locale=locale, currency_digits=False)


@lru_cache(maxsize=_REMEMBERED)
def _number(value: float, digits: int, locale: str) -> str:
    # Babel's signs without its way through patterns and decimals, which takes fifty times as long
    return f"{value:,.{digits}f}".translate(_number_signs(locale))


@lru_cache(maxsize=32)
def _number_signs(locale: str) -> dict[int, str]:
    """Return what a locale writes for the signs of Python's numbers."""
    from babel.numbers import get_decimal_symbol, get_group_symbol, get_minus_sign_symbol

    return str.maketrans(
        {
            ".": get_decimal_symbol(locale), ",": get_group_symbol(locale),
            "-": get_minus_sign_symbol(locale),
        }
    )  # fmt: skip


@lru_cache(maxsize=_REMEMBERED)
def _percent(value: float, digits: int, locale: str) -> str:
    from babel.numbers import format_percent

    pattern = _locale(locale).percent_formats[None].pattern
    return format_percent(value, _with_digits(pattern, digits), locale=locale)


def _with_digits(pattern: str, digits: int) -> str:
    """Return a pattern of whole numbers with digits behind the point."""
    return re.sub(r"0(?!.*0)", "0." + "0" * digits if digits else "0", pattern, count=1)


def _share(value: float, digits: int, locale: str) -> str:
    step = 10.0**-digits
    shown = round(100.0 * value, digits)
    if value > 0 and shown <= 0:
        return f"<{_percent(step / 100.0, digits, locale)}"
    if value < 1 and shown >= 100:
        return f">{_percent(1.0 - step / 100.0, digits, locale)}"
    return _percent(shown / 100.0 + 0.0, digits, locale)


@lru_cache(maxsize=_REMEMBERED)
def _date(value: date, form: str, locale: str) -> str:
    from babel.dates import format_date

    return format_date(value, form, locale=locale)


def _only_date(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value
