"""The plan in a few sentences, for somebody with one minute; the report and the terminal say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dealwright.plan.channels.capacity import FROM_ROUTES
from dealwright.report.format import Format
from dealwright.report.people import Person


def day_sentence(channels: Sequence[Mapping[str, Any]], waiting: int, form: Format) -> str:
    """Say what is scheduled, by kind of contact, and how many accounts wait.

    Parameters
    ----------
    channels
        Rows of the table *channels*.
    waiting
        Accounts that wait, over all channels.
    """
    count = {row["channel"]: int(row["scheduled"]) for row in channels}
    visits, calls = count.pop("field", 0), count.pop("outbound_cc", 0)
    parts = [
        form.texts("%(count)s visit", "%(count)s visits", visits),
        form.texts("%(count)s call", "%(count)s calls", calls),
        form.texts("%(count)s other contact", "%(count)s other contacts", sum(count.values())),
    ]
    said = form.text("Scheduled: %(visits)s, %(calls)s and %(others)s.",
                     visits=parts[0], calls=parts[1], others=parts[2])  # fmt: skip
    if waiting:
        said += " " + form.texts("%(count)s account waits.", "%(count)s accounts wait.", waiting)
    return said


def sentences(
    values: Mapping[str, float | None],
    channels: Sequence[Mapping[str, Any]],
    one_more: Sequence[Mapping[str, Any]] = (),
    people: Mapping[str, Person] | None = None,
    form: Format | None = None,
) -> Iterator[str]:
    """Yield what the plan decided, and where a bottleneck is.

    Parameters
    ----------
    values
        Key figures by name.
    channels
        Rows of the table *channels*.
    one_more
        Rows of the table *one_more*.
    """
    form = form or Format()
    accounts, acted, gain = (
        values.get(name) for name in ("accounts", "accounts_with_action", "expected_value_eur")
    )
    if accounts is not None and acted is not None and gain is not None:
        yield form.text(
            "%(acted)s of %(accounts)s accounts get an action. Together the actions are expected to bring "
            "%(gain)s after their costs.",
            acted=form.number(acted), accounts=form.number(accounts), gain=form.money(gain),
        )  # fmt: skip
    today, waits = values.get("contacts_value_eur"), values.get("waiting_value_eur")
    if today is not None and waits is not None and values.get("backlog"):
        yield form.text(
            "Of this, %(today)s comes from the contacts scheduled, and %(waits)s from accounts that wait.",
            today=form.money(today), waits=form.money(waits),
        )  # fmt: skip
    full = [row for row in channels if row["backlog"] and row["price_eur"] > 0]
    if full:
        tightest = max(full, key=lambda row: float(row["price_eur"]))
        number = form.number(tightest["backlog"])
        # who visits them is limited by days and travel: only planning again says what more would bring
        yield (
            form.text(
                "%(count)s accounts wait for the channel “%(channel)s”; one more contact there would bring "
                "%(gain)s.",
                count=number, channel=form.label(tightest["channel"]),
                gain=form.money(tightest["price_eur"], cents=True),
            )
            if tightest.get("capacity_source") != FROM_ROUTES
            else form.texts("%(count)s account waits for a visit.", "%(count)s accounts wait for a visit.",
                            tightest["backlog"])
        )  # fmt: skip
    gains = [row for row in one_more if row["gain_eur"] > 0]
    if gains:
        best = max(gains, key=lambda row: float(row["gain_eur"]))
        yield form.text(
            "Of all resources, one more %(resource)s (%(whose)s) would bring most: %(gain)s, found by "
            "planning again with it.",
            resource=form.label(best["resource"]), whose=whose_words(best["whose"], people or {}, form),
            gain=form.money(best["gain_eur"]),
        )  # fmt: skip


def whose_words(whose: str | None, people: Mapping[str, Person], form: Format) -> str:
    """Return for whom a resource is: a person's name, or a channel."""
    known = people.get(whose or "")
    return form.label(whose) if known is None else known.name
