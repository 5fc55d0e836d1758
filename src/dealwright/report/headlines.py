"""The plan in a few sentences and figures, for somebody with one minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dealwright.plan.channels.capacity import FROM_ROUTES
from dealwright.plan.kpis import definition_of
from dealwright.report.plan_sections import channel_words
from dealwright.wording import count_of, write_eur

# figure -> how it is described below its number
_TILES: Final[Mapping[str, str]] = {
    "expected_value_eur": "expected gain of the actions",
    "contacts_scheduled": "contacts today, over all channels",
    "visits": "visits by representatives",
    "calls": "calls on the list",
    "backlog": "accounts that have to wait",
    "sla_probability": "chance of keeping all service levels",
}


def tiles(values: Mapping[str, float | None]) -> list[dict[str, str]]:
    """Return the main figures that are known, written out."""
    return [
        {"value": definition_of(name).write(float(value)), "words": words}
        for name, words in _TILES.items()
        if (value := values.get(name)) is not None
    ]


def sentences(
    values: Mapping[str, float | None],
    channels: Sequence[Mapping[str, Any]],
    routes: Mapping[str, Any] | None,
    one_more: Sequence[Mapping[str, Any]] = (),
) -> Iterator[str]:
    """Yield what the plan decided, where a bottleneck is, and what knowing the value of a visit brings.

    Parameters
    ----------
    values
        Key figures by name.
    channels
        Rows of the table *channels*.
    routes
        Totals of `route_rows.route_tables`.
    one_more
        Rows of the table *one_more*.
    """
    accounts, acted, gain = (
        values.get(name) for name in ("accounts", "accounts_with_action", "expected_value_eur")
    )
    if accounts is not None and acted is not None and gain is not None:
        yield (
            f"{acted:,.0f} of {accounts:,.0f} accounts get an action, which together are expected to bring "
            f"{write_eur(gain)} after their costs{_split(values)}."
        )
    full = [row for row in channels if row["backlog"] and row["price_eur"] > 0]
    if full:
        tightest = max(full, key=lambda row: float(row["price_eur"]))
        yield (
            f"{tightest['backlog']:,} accounts wait for the channel “{channel_words(tightest['channel'])}”; "
            f"one more contact there would bring {write_eur(tightest['price_eur'], 2)}."
            if tightest.get("capacity_source") != FROM_ROUTES
            # who visits them is limited by days and ways: only planning again says what more would bring
            else f"{tightest['backlog']:,} accounts wait for a visit."
        )
    gains = [row for row in one_more if row["gain_eur"] > 0]
    if gains:
        best = max(gains, key=lambda row: float(row["gain_eur"]))
        yield (
            f"Of all resources, one more {best['resource']} ({channel_words(best['whose'])}) would bring "
            f"most: {write_eur(best['gain_eur'])}, planned again with it."
        )
    if routes and routes["compared"]:
        yield (
            f"The {routes['stops']:,} visits chosen by value bring {write_eur(routes['value_eur'])} on "
            f"{routes['distance_km']:,.0f} km. Planned by distance only, the same days would make "
            f"{routes['other_stops']:,} visits on {routes['other_distance_km']:,.0f} km and bring "
            f"{write_eur(routes['other_value_eur'])}."
        )


def _split(values: Mapping[str, float | None]) -> str:
    """Say which part of the gain is scheduled today, and which waits; nothing where nobody waits."""
    contacts, today, waits, waiting = (
        values.get(name)
        for name in ("contacts_scheduled", "contacts_value_eur", "waiting_value_eur", "backlog")
    )
    if contacts is None or today is None or waits is None or not waiting:
        return ""
    return (
        f": {write_eur(today)} from the {count_of(round(contacts), 'contact')} scheduled, {write_eur(waits)} "
        f"from the {count_of(round(waiting), 'account')} that wait{'s' if waiting == 1 else ''}"
    )
