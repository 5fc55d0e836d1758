"""Contact fatigue: who was contacted how often, when the same thing was last tried, and who said no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.plan.actions.catalogue import Action, Catalogue, ContactCap
from dealwright.plan.actions.facts import days_before
from dealwright.schemas import NOTHING, TIMESTAMP, PlanInputs
from dealwright.stats.arrays import Bools, Floats, Ints

_TOUCHES: Final[dict[str, Any]] = {
    "account_id": pl.String,
    "touched_at": TIMESTAMP,
    "days_ago": pl.Float64,
    "channel": pl.String,
    "action": pl.String,
    "no": pl.Boolean,
}


@dataclass(frozen=True)
class TouchLog:
    """Past touches, as the rules read them."""

    account_ids: pl.DataFrame  # in the order of the accounts
    # one row per touch other than doing nothing: `account_id`, `touched_at`, `days_ago`, `channel`, `action`,
    # `no` (refused; where the data do not say, not answered)
    touches: pl.DataFrame
    # the touches on channels by which the company makes contact (an unknown channel counts as one)
    contacts: pl.DataFrame
    rejection_known: bool  # whether refusals were recorded as such

    def contacts_within(self, cap: ContactCap, channel: str | None = None) -> Ints:
        """Count each account's contacts in the cap's days, over all channels or on one."""
        rows = self.contacts.filter(pl.col("days_ago") < cap.days)
        if channel is not None:
            rows = rows.filter(pl.col("channel") == channel)
        return self._aligned(rows.group_by("account_id").agg(n=pl.len().cast(pl.Int64)), 0).to_numpy()

    def days_since_contact(self) -> Floats:
        """Days since the last contact of any kind, NaN where there was none."""
        last = self.contacts.group_by("account_id").agg(n=pl.col("days_ago").min())
        return self._aligned(last, None).cast(pl.Float64).fill_null(np.nan).to_numpy()

    def days_since_action(self, action: Action) -> Floats:
        """Days since the action was last tried, NaN where it never was."""
        rows = self.touches.filter(pl.col("action") == action.name)
        last = rows.group_by("account_id").agg(n=pl.col("days_ago").min())
        return self._aligned(last, None).cast(pl.Float64).fill_null(np.nan).to_numpy()

    def suppressed(self, action: Action) -> Bools:
        """Tell where the last tries of the action were refused in a row, the latest of them recently."""
        rows = self.touches.filter(pl.col("action") == action.name).sort("account_id", "days_ago")
        # a row of refusals ends where something else than a refusal was the answer
        refusals = rows.group_by("account_id", maintain_order=True).agg(
            n=(pl.col("no").cast(pl.Int8).cum_min().sum() >= action.suppress.rejections)
            & (pl.col("days_ago").first() < action.suppress.days)
        )
        return self._aligned(refusals, default=False).to_numpy()

    def _aligned(self, found: pl.DataFrame, default: float | bool | None) -> pl.Series:
        column = self.account_ids.join(found, on="account_id", how="left", maintain_order="left")["n"]
        return column if default is None else column.fill_null(default)


def read_touches(inputs: PlanInputs, catalogue: Catalogue) -> TouchLog:
    """Prepare the past touches for the rules.

    A touch of an action or on a channel that the catalogue does not know still counts as a contact.
    """
    ids = inputs.accounts.select("account_id")
    made = inputs.touches
    if made is None:
        empty = pl.DataFrame(schema=_TOUCHES)
        return TouchLog(ids, empty, empty, rejection_known=False)
    known = "rejected" in made.columns
    refused = pl.col("rejected") if known else ~pl.col("response")
    touches = (
        made.lazy()
        .filter(pl.col("action").ne_missing(pl.lit(NOTHING)))
        .select(
            "account_id",
            "touched_at",
            "channel",
            "action",
            days_ago=days_before(pl.col("touched_at"), inputs.as_of),
            no=refused.fill_null(value=False),
        )
        .select(list(_TOUCHES))
        .collect()
    )
    silent = [channel.name for channel in catalogue.channels if not channel.contact]
    contacts = touches.filter(~pl.col("channel").is_in(silent).fill_null(value=False))
    return TouchLog(ids, touches, contacts, known)
