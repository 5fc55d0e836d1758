"""Nobody is dropped: who is not reached today waits, ranked, with the wait to expect."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.channels.kernels import Floats, Ints
from dealwright.plan.channels.option_values import DAY, OptionValues, Urgency
from dealwright.schemas import CHANNELS, TIMESTAMP, WAITLIST_COLUMNS


def rank_waiting(
    account_id: pl.Series,
    rows: Ints,
    values: OptionValues,
    urgency: Urgency,
    *,
    served_per_day: Floats,
    now: int,
) -> tuple[pl.DataFrame, Ints]:
    """Return the waitlist and the row of each entry.

    The wait to expect is the place in the queue over what the channel serves in a day, if nobody with
    precedence joins.

    Parameters
    ----------
    rows
        The accounts that wait.
    served_per_day
        Contacts per channel.
    """
    weight = values.weight[:, rows]
    wish = np.where(np.isfinite(weight).any(axis=0), weight.argmax(axis=0), -1)
    value = np.where(wish >= 0, values.value_eur[wish, rows], 0.0)
    order = np.lexsort((rows, -weight.max(axis=0, initial=-np.inf), urgency.due[rows], ~urgency.urgent[rows]))
    order = _by_value_unless_urgent(rows, weight, urgency, order)
    rows, wish, value = rows[order], wish[order], value[order]
    place = np.zeros(rows.size, dtype=np.int64)
    for c in range(len(CHANNELS)):
        place[wish == c] = np.arange(1, np.count_nonzero(wish == c) + 1)
    per_day = np.append(served_per_day, 0.0)[wish]
    with np.errstate(divide="ignore"):
        days = np.where(per_day > 0, np.ceil(place / np.maximum(per_day, 1e-12)), np.inf)
    day = DAY.total_seconds() * 1e6
    in_time = now + days * day < urgency.due[rows]
    names = pl.Series([*CHANNELS, None], dtype=pl.String).gather(np.where(wish < 0, len(CHANNELS), wish))
    frame = pl.DataFrame(
        {
            "rank": np.arange(1, rows.size + 1),
            "account_id": account_id.gather(rows),
            "channel": names,
            "value_eur": value,
            "urgent": urgency.urgent[rows],
            "waiting_since": pl.Series(urgency.since[rows]).cast(TIMESTAMP),
            "due_at": pl.Series(urgency.due[rows]).cast(TIMESTAMP),
            "place": place,
            "expected_wait_days": pl.Series(np.where(np.isfinite(days), days, np.nan)).fill_nan(None),
            "in_time": in_time,
        }
    ).with_columns(
        pl.when(pl.col("channel").is_null())
        .then(pl.lit("no channel is allowed"))
        .when(pl.col("expected_wait_days").is_null())
        .then(pl.format("{} has no capacity", "channel"))
        .otherwise(pl.format("{} is full: place {} in its queue", "channel", "place"))
        .alias("reason")
    )
    return frame.select(pl.col(name).cast(kind) for name, kind in WAITLIST_COLUMNS.items()), rows


def _by_value_unless_urgent(rows: Ints, weight: Floats, urgency: Urgency, order: Ints) -> Ints:
    """Keep urgent accounts by their due moment, and order the others by what they are worth."""
    urgent: NDArray[np.bool_] = urgency.urgent[rows][order]
    rest = order[~urgent]
    best = weight.max(axis=0, initial=-np.inf)
    return np.concatenate([order[urgent], rest[np.lexsort((rest, -best[rest]))]])
