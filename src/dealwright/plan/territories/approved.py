"""Territories that somebody has approved: what a night keeps as it was given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from dealwright.schemas import APPROVED_TERRITORY_COLUMNS, conform
from dealwright.stats.arrays import Ints


@dataclass(frozen=True)
class ApprovedTerritories:
    """Who has which account, as it was approved.

    Attributes
    ----------
    name, effective_from
        What people call it, and since when it is in force.
    frame
        `APPROVED_TERRITORY_COLUMNS`; the account is null for a territory without accounts.
    """

    name: str
    effective_from: date
    frame: pl.DataFrame

    def __post_init__(self) -> None:
        """Take the columns that are read."""
        object.__setattr__(
            self, "frame", conform(self.frame, APPROVED_TERRITORY_COLUMNS, "account_id", "territory")
        )

    @property
    def holders(self) -> dict[str, str | None]:
        """Territory -> who has it."""
        return dict(
            self.frame.unique("territory").sort("territory").select("territory", "rep_id").iter_rows()
        )

    def label(self, account_id: pl.Series) -> Ints:
        """Return the number of each account's territory in the order of `holders`, -1 for none."""
        number = {name: k for k, name in enumerate(self.holders)}
        known = self.frame.drop_nulls("account_id").unique("account_id", keep="last")
        territory = dict(known.select("account_id", "territory").iter_rows())
        found = account_id.replace_strict(territory, default=None, return_dtype=pl.String)
        return found.replace_strict(number, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
