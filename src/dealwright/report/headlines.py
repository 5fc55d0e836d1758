"""The plan in a few sentences and figures, for somebody with one minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dealwright.report.plan_sections import channel_words

# figure -> how it is told below its number, and how the number is written
_TILES: Final[Mapping[str, tuple[str, str]]] = {
    "expected_value_eur": ("expected gain of the actions", "€"),
    "contacts_scheduled": ("contacts today, over all channels", "0"),
    "visits": ("visits by representatives", "0"),
    "calls": ("calls on the list", "0"),
    "backlog": ("accounts that have to wait", "0"),
    "inbound_cc_sla_probability": ("chance of keeping the service level", "%"),
}


def tiles(values: Mapping[str, float | None]) -> list[dict[str, str]]:
    """Return the main figures that are known, written out."""
    return [
        {"value": _write(float(value), form), "words": words}
        for name, (words, form) in _TILES.items()
        if (value := values.get(name)) is not None
    ]


def sentences(
    values: Mapping[str, float | None],
    channels: Sequence[Mapping[str, Any]],
    routes: Mapping[str, Any] | None,
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
    """
    accounts, acted, gain = (
        values.get(name) for name in ("accounts", "accounts_with_action", "expected_value_eur")
    )
    if accounts is not None and acted is not None and gain is not None:
        yield (
            f"{acted:,.0f} of {accounts:,.0f} accounts get an action, which together are expected to bring "
            f"{_write(gain, '€')} after their costs."
        )
    full = [row for row in channels if row["backlog"] and row["price_eur"] > 0]
    if full:
        tightest = max(full, key=lambda row: float(row["price_eur"]))
        yield (
            f"{tightest['backlog']:,} accounts wait for the channel “{channel_words(tightest['channel'])}”; "
            f"one more contact there would bring €{tightest['price_eur']:,.2f}."
        )
    if routes and routes["compared"]:
        yield (
            f"The {routes['stops']:,} visits chosen by value bring {_write(routes['value_eur'], '€')} on "
            f"{routes['distance_km']:,.0f} km. Planned by distance only, the same days would make "
            f"{routes['other_stops']:,} visits on {routes['other_distance_km']:,.0f} km and bring "
            f"{_write(routes['other_value_eur'], '€')}."
        )


def _write(value: float, form: str) -> str:
    if form == "€":
        return f"{'−' if round(value) < 0 else ''}€{abs(value):,.0f}"
    if form == "%":
        return f"{value:.1%}"
    return f"{value:,.0f}"
