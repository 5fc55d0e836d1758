"""The plan's reasons as people say them: names instead of columns, in the run's format and language.

The stages give reasons in a few fixed forms, in English and with raw figures
(``retention_call: needs churn_probability >= 0.2``). Each form has its message here. What has no form here is
left as it is, but for the names of columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

import polars as pl

from dealwright.plan.briefs.phrases import Phrases, load_phrases
from dealwright.report.format import Format, mark, several

_N: Final = r"[-+]?\d[\d,]*(?:\.\d+)?"
_DISPLACED: Final = rf" \((?P<money>{_N}) EUR\) and change the cost of travel by (?P<change>{_N}) EUR"
_SIGNS: Final = {
    ">=": mark("at least"), "<=": mark("at most"), ">": mark("more than"), "<": mark("less than"),
    "==": mark("exactly"), "!=": mark("other than"), "=": mark("exactly"),
}  # fmt: skip
# by far the most frequent: a run has hundreds of thousands of them, which are taken apart without a
# pattern. What stands between a feature and its factor, how the factor is written, and what is said of a
# feature with a figure and without one.
_FACTORS: Final = (
    (": odds of leaving ×", "odds",
     mark("%(name)s %(n)s: leaving is %(odds)s"), mark("%(name)s: leaving is %(odds)s")),
    (": spend ×", "n2",
     mark("%(name)s %(n)s: expected spend ×%(n2)s"), mark("%(name)s: expected spend ×%(n2)s")),
)  # fmt: skip
# a group's name says how it is written: money, n (a number), share, name (of a column), label, sentence
_FORMS: Final = (
    (rf"(?P<money>{_N}) EUR by (?P<label>\w+)", mark("%(money)s by %(label)s")),
    (r"no consent to (?P<label>\w+)", mark("no consent to %(label)s")),
    (r"in the control group: never contacted", mark("in the control group: never contacted")),
    (r"in the control group", mark("in the control group")),
    (r"drawn for exploration: a permitted choice at random",
     mark("drawn at random among what is permitted, to learn what works")),
    (r"no permitted action is worth more than its cost \(within the budget\)",
     mark("no permitted action is worth more than its cost")),
    (rf"(?P<label>\w+) is full: place (?P<n>{_N}) in its queue",
     mark("%(label)s is full: place %(n)s in its queue")),
    (rf"would displace (?P<id>.+?) and (?P<id2>.+?){_DISPLACED}",
     mark("would take the place of %(id)s and %(id2)s (%(money)s); cost of travel %(change)s")),
    (rf"would displace (?P<id>.+?){_DISPLACED}",
     mark("would take the place of %(id)s (%(money)s); cost of travel %(change)s")),
    (rf"no order for (?P<n>{_N}) days, usually every (?P<n2>{_N}) days",
     mark("no order for %(n)s days, usually every %(n2)s days")),
    (rf"an order of (?P<money>{_N}) EUR, usually (?P<money2>{_N}) EUR",
     mark("an order of %(money)s, usually %(money2)s")),
    (rf"(?P<n>{_N}) orders? lately, fewer than its usual (?P<n2>{_N})",
     mark("orders lately: %(n)s, fewer than the usual %(n2)s")),
    (rf"(?P<n>{_N}) orders? lately, more than its usual (?P<n2>{_N})",
     mark("orders lately: %(n)s, more than the usual %(n2)s")),
    (rf"(?P<name>.+?) (?P<n>{_N}), far above the typical (?P<n2>{_N})(?: \(z .+\))?",
     mark("%(name)s %(n)s, far above the typical %(n2)s")),
    (rf"(?P<name>.+?) (?P<n>{_N}), far below the typical (?P<n2>{_N})(?: \(z .+\))?",
     mark("%(name)s %(n)s, far below the typical %(n2)s")),
)  # fmt: skip
# what stands at the beginning of a notice; the rest names files and options, which pages leave out
_NOTICES: Final = (
    (r"no staff was given",
     several("No roster of the contact centre is known: one numbered person is planned.",
             "No roster of the contact centre is known: as many numbered people are planned as are needed.")),
    (r"no limit is known for",
     several("A channel has no known limit: as many contacts are scheduled as pay.",
             "Some channels have no known limit: as many contacts are scheduled as pay.")),
    (rf"(?P<n>{_N}) accounts? gets? an action drawn at random",
     several("%(n)s account gets an action drawn at random, to learn what works; it may not pay.",
             "%(n)s accounts get an action drawn at random, to learn what works; some may not pay.")),
    (rf"(?P<n>{_N}) accounts? (?:are|is) left alone as a control group",
     several("%(n)s account is left alone as a control group, drawn at random.",
             "%(n)s accounts are left alone as a control group, drawn at random.")),
    (rf"(?P<n>{_N}) rows? of (?P<label>\w+) (?:were|was) rejected",
     several("%(n)s row of the table “%(label)s” was rejected; the reason is under “Data quality”.",
             "%(n)s rows of the table “%(label)s” were rejected; the reasons are under “Data quality”.")),
    (rf"(?P<n>{_N}) accounts? gets? another representative; to keep .+ cost (?P<amount>\S+) a month more",
     several("%(n)s account gets a new representative; keeping the old one costs %(amount)s a month.",
             "%(n)s accounts get a new representative; keeping the old one costs %(amount)s a month.")),
    (rf"(?P<n>{_N}) accounts? gets? another representative",
     several("%(n)s account gets a new representative.",
             "%(n)s accounts get a new representative.")),
)  # fmt: skip
_ASIDE: Final = re.compile(r" \([^()]*\.(?:parquet|csv|json)[^()]*\)")
_TECHNICAL: Final = re.compile(r"--\w|\[\w+\.\w+\]|\.(?:parquet|toml|csv|json)\b|\bin the parameters\b")
_TECHNICAL_WORDS: Final = re.compile(
    r"(?:,? (?:give|set|see|name) )?--[\w-]+|\[\w+\.\w+\]|\w+\.(?:parquet|toml|csv|json)"
)
_NEEDS: Final = re.compile(rf"needs (?P<name>\w+) (?P<sign>[<>=!]+) (?P<n>{_N})")
_UNKNOWN: Final = re.compile(r"(?P<name>\w+) is not known")
_FIGURE: Final = re.compile(_N)
_LISTED: Final = re.compile(r"(?P<action>\w+): (?P<why>.+)")
_VALUE: Final = re.compile(rf"(?P<money>{_N}) EUR by (?P<channel>\w+)")
_AMOUNT: Final = re.compile(rf"(?P<money>{_N}) EUR\b|[−-]?€\d[\d,]*(?:\.\d+)?")
_COLUMN: Final = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
# what stands at the end of a column's name is not part of what people call it
_UNITS: Final = re.compile(r"_(eur|min|km|pct|deg)$")
_SAID_BY_THE_CARD: Final = "^(?:answers |effect: |runner-up: )"

_NAMES: Final[Mapping[str, str]] = {
    "churn_probability": mark("churn probability"), "days_since_order": mark("days since the last order"),
    "days since last order": mark("days since the last order"),
    "days with an order": mark("days with an order"),
    "days since first order": mark("days since the first order"),
    "spend per order day in EUR": mark("spend per order day"),
    "spend in the last period in EUR": mark("spend in the last period"),
    "recent_issue": mark("recent issue"), "touches": mark("contacts"),
    "share of touches answered": mark("share of contacts answered"),
    "lifetime_value_eur": mark("lifetime value"), "web_sessions_30d": mark("web sessions in 30 days"),
    "abandoned_carts_30d": mark("abandoned carts in 30 days"),
    "ecom_orders_90d": mark("online orders in 90 days"),
    "support_tickets_90d": mark("support tickets in 90 days"),
    "inbound_calls_90d": mark("inbound calls in 90 days"),
}  # fmt: skip
_LIKELY: Final = (
    (0.5, mark("much less likely")), (0.95, mark("less likely")), (1.05, mark("about as likely")),
    (2.0, mark("more likely")),
)  # fmt: skip
_SHARES: Final = frozenset({"churn_probability"})
_REMEMBERED: Final = 100_000  # reasons in words


class Reasons:
    """The reasons of a run, in its format.

    Parameters
    ----------
    form
        How figures and words are written.
    """

    def __init__(self, form: Format) -> None:
        self._form = form
        self._written: dict[tuple[str, str], str] = {}
        self._said: dict[str, str] = {}
        self._features: dict[str, dict[str, str]] = {}

    @cached_property
    def _forms(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile(pattern), self._form.text(message)) for pattern, message in _FORMS]

    @cached_property
    def _factors(self) -> list[tuple[str, str, str, str]]:
        say = self._form.text
        return [(middle, factor, say(figure), say(plain)) for middle, factor, figure, plain in _FACTORS]

    @cached_property
    def _phrases(self) -> Phrases | None:
        return load_phrases(self._form.language, ())

    @cached_property
    def _notices(self) -> list[tuple[re.Pattern[str], tuple[str, str]]]:
        return [(re.compile(pattern), message) for pattern, message in _NOTICES]

    def name(self, column: str) -> str:
        """Return what people call a column."""
        known = _NAMES.get(column)
        if known is not None:
            return self._form.text(known)
        return _UNITS.sub("", column).replace("_", " ")

    def say(self, reason: str) -> str:
        """Return a reason for people."""
        known = self._said.get(reason)  # many accounts have the same one
        if known is None:
            if len(self._said) >= _REMEMBERED:  # and as many have one of their own
                self._said.clear()
            known = self._said[reason] = self._put(reason)
        return known

    def _put(self, reason: str) -> str:
        """Put a reason in words."""
        if reason.startswith("needs "):
            return "; ".join(self._need(part) for part in reason.split("; "))
        for middle, factor, with_figure, without in self._factors:
            feature, found_middle, text = reason.rpartition(middle)
            if found_middle and feature and _FIGURE.fullmatch(text):
                values = self._feature_and_figure(feature)
                message = with_figure if "n" in values else without
                return message % {**values, factor: self._write(factor, text)}
        for pattern, message in self._forms:
            found = pattern.fullmatch(reason)
            if found is not None:
                return message % {name: self._write(name, text) for name, text in found.groupdict().items()}
        if self._phrases is not None:
            # the briefs know more forms, of single accounts
            reason = self._phrases.say(reason)
        plain = self.amounts(reason)
        return _COLUMN.sub(lambda found: self.name(found[0]), plain)

    def notice(self, text: str) -> str:
        """Return a notice for people: what there is to know, without files, columns and options."""
        for pattern, message in self._notices:
            found = pattern.match(text)
            if found is not None:
                number = float(found.groupdict().get("n", "2").replace(",", ""))
                values = {name: self._write(name, part) for name, part in found.groupdict().items()}
                return self._form.texts(*message, number, **values)
        told = _ASIDE.sub("", text)
        kept = [part for part in told.split("; ") if not _TECHNICAL.search(part)]
        told = "; ".join(kept) if kept else _TECHNICAL_WORDS.sub("", told)
        return self.say(told[:1].upper() + told[1:])

    def amounts(self, text: str) -> str:
        """Return a sentence of the plan with its amounts in the format of the run."""
        return _AMOUNT.sub(
            lambda found: self._amount(found[0]) if found["money"] is None else self._money(found["money"]),
            text,
        )

    def said_on_card(self, reasons: pl.Series) -> pl.Series:
        """Return whether the card says each of the reasons already, with its figures."""
        return reasons.str.contains(_SAID_BY_THE_CARD)

    def option(self, listed: str) -> dict[str, object]:
        """Take an entry of ``excluded`` apart: action, why it was not chosen, and what it would bring."""
        found = _LISTED.fullmatch(listed)
        if found is None:
            return {"action": "", "why": self.say(listed), "value": None}
        brings = _VALUE.fullmatch(found["why"])
        if brings is None:
            return {"action": self._form.label(found["action"]), "why": self.say(found["why"]), "value": None}
        value = float(brings["money"].replace(",", ""))
        channel = self._form.label(brings["channel"])
        why = self._form.text("costs more than it brings") if value <= 0 else self._form.text("brings less")
        return {
            "action": self._form.label(found["action"]), "why": f"{why} ({channel})", "value": value,
        }  # fmt: skip

    def _need(self, part: str) -> str:
        found = _NEEDS.fullmatch(part)
        if found is not None:
            value = float(found["n"].replace(",", ""))
            shown = self._form.share(value) if found["name"] in _SHARES else self._number(found["n"])
            sign = self._form.text(_SIGNS.get(found["sign"], found["sign"]))
            return self._form.text(
                "needs: %(name)s %(sign)s %(n)s", name=self.name(found["name"]), sign=sign, n=shown
            )
        found = _UNKNOWN.fullmatch(part)
        if found is not None:
            return self._form.text("%(name)s is not known", name=self.name(found["name"]))
        return part if part.startswith("needs ") else self.say(part)

    def _write(self, group: str, text: str) -> str:
        kind = group.rstrip("2")
        known = self._written.get((kind, text))
        if known is None:
            known = self._written[kind, text] = self._writers.get(kind, str)(text)
        return known

    @cached_property
    def _writers(self) -> Mapping[str, Callable[[str], str]]:
        return {
            "amount": self._amount, "change": self._change, "odds": self._odds,
            "money": self._money, "n": self._number, "name": self._feature, "label": self._form.label,
        }  # fmt: skip

    def _feature_and_figure(self, text: str) -> dict[str, str]:
        """Write a feature, and the figure behind it where there is one."""
        known = self._features.get(text)
        if known is None:
            name, _, figure = text.rpartition(" ")
            if name and _FIGURE.fullmatch(figure):
                known = {"name": self._write("name", name), "n": self._write("n", figure)}
            else:
                known = {"name": self._write("name", text)}
            if len(self._features) >= _REMEMBERED:
                self._features.clear()
            self._features[text] = known
        return known

    def _feature(self, text: str) -> str:
        """Write a column and, behind it, a value that is a word."""
        if text in _NAMES or " " not in text:
            return self.name(text)
        name, value = next(
            ((known, text.removeprefix(known).strip()) for known in _NAMES if text.startswith(f"{known} ")),
            tuple(text.split(" ", 1)) if "_" in text.split(" ", 1)[0] else (text, ""),
        )
        value = self._form.not_known if value == "unknown" else value
        return f"{self.name(name)} {value}".strip()

    def _money(self, text: str) -> str:
        return self._form.money(float(text.replace(",", "")), cents=True)

    def _change(self, text: str) -> str:
        """Write by how much an amount changes, always with its sign."""
        shown = self._money(text)
        return f"+{shown}" if re.search(r"[1-9]", shown) and not shown.startswith("-") else shown

    def _odds(self, text: str) -> str:
        """Say how much more or less likely something becomes; odds are a model's word."""
        factor = float(text.replace(",", ""))
        for bound, message in _LIKELY:
            if factor < bound:
                return self._form.text(message)
        return self._form.text("much more likely")

    def _amount(self, text: str) -> str:
        """Write an amount that the plan has written in its own way: ``€1,200``."""
        return self._form.money(float(re.sub(r"[^\d.-]", "", text.replace("−", "-"))))

    def _number(self, text: str) -> str:
        value = float(text.replace(",", ""))
        places = len(text.partition(".")[2].rstrip("0"))
        sign = "+" if text.startswith("+") else ""
        return sign + self._form.number(value, min(places, 3))
