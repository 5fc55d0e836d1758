"""What the report says of routes: each day beside the day without value, and who is left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import polars as pl

from dealwright.report.brief_files import file_name
from dealwright.report.maps import in_words

_MOST_ROWS: Final = 200
_MOST_NAMED: Final = 10
# file of a representative's day -> how its link is called
_FILES: Final = {"maps": ("html", "map"), "briefs": ("html", "briefs"), "calendars": ("ics", "calendar")}


def route_tables(files: Collection[str], tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Return what the template needs of routes.

    Parameters
    ----------
    files
        Of the run's maps, briefs and calendars: what is there is linked.
    tables
        ``rep_days``, ``distance_only_days``, ``distance_only_visits`` and ``left_out``.
    """
    days, other = tables["rep_days"], tables["distance_only_days"]
    if days.is_empty():
        return {
            "rep_days": [],
            "route_totals": None,
            "left_out": [],
            "left_out_why": [],
        }
    joined = days.join(
        other.select("rep_id", "day", *(pl.col(name).alias(f"other_{name}") for name in _COMPARED)),
        on=["rep_id", "day"], how="left", maintain_order="left",
    )  # fmt: skip
    rows = joined.head(_MOST_ROWS).to_dicts()
    for row in rows:
        row["links"] = _links(files, row["rep_id"], row["day"])
    return {
        "rep_days": rows,
        "route_rows_cut": max(days.height - _MOST_ROWS, 0),
        "several_days": days["day"].n_unique() > 1,
        "route_day": in_words(days["day"][0]),
        "route_totals": _totals(joined, tables["distance_only_visits"], compared=not other.is_empty()),
        **_left_out(tables["left_out"]),
    }


_COMPARED: Final = ("stops", "value_eur", "distance_km")


def _totals(joined: pl.DataFrame, visits: pl.DataFrame, *, compared: bool) -> dict[str, Any]:
    """Add the days up, and say how many times the value of the day without value they bring."""
    sums = joined.select(
        pl.col(*_COMPARED, *(f"other_{name}" for name in _COMPARED), "travel_min").fill_nan(None).sum()
    ).row(0, named=True)
    found: dict[str, Any] = {**sums, "compared": compared, "times": None, "pay": None}
    if compared and sums["other_value_eur"] > 0:
        found["times"] = sums["value_eur"] / sums["other_value_eur"]
    if compared:
        found["pay"] = visits.filter(pl.col("value_eur") > 0).height
    return found


def _left_out(left_out: pl.DataFrame) -> dict[str, Any]:
    """Name the most valuable accounts that are left out; count those whose visit would bring nothing."""
    named = left_out.filter((pl.col("value_eur") > 0) | pl.col("must"))
    rest = pl.concat([named.slice(_MOST_NAMED), left_out.filter(pl.col("value_eur") <= 0, ~pl.col("must"))])
    # reasons name accounts and sums: only those that many share are worth counting
    shared = rest.group_by("reason").len("accounts").filter(pl.col("accounts") > 1)
    counted = int(shared["accounts"].sum())
    why = shared.sort("accounts", "reason", descending=[True, False]).head(_MOST_NAMED).to_dicts()
    if rest.height > counted:
        why.append({"reason": "other reasons, see left_out.parquet", "accounts": rest.height - counted})
    return {"left_out": named.head(_MOST_NAMED).to_dicts(), "left_out_why": why}


def _links(files: Collection[str], rep_id: str, day: Any) -> list[tuple[str, str]]:
    """Return address and word of each file of a representative's day."""
    name = file_name(rep_id, day)
    return [
        (f"{place}/{name}.{ending}", word)
        for place, (ending, word) in _FILES.items()
        if f"{place}/{name}.{ending}" in files
    ]
