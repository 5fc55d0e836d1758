"""What the Isolation Forest looks at: an account as numbers on one robust scale."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.schemas import PlanInputs
from dealwright.stats.arrays import Floats

NORMAL_MAD: Final = 1.4826
"""Turns a median absolute deviation into the standard deviation of a normal distribution."""

CATEGORY_RARITY: Final = "rarity of "
"""What the name of a feature begins with that says how rare a category is."""

_DAY_US: Final = 86_400_000_000


def category_shares(accounts: pl.DataFrame, columns: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Share of the accounts with each value of each column, where it is known."""
    shares: dict[str, dict[str, float]] = {}
    for name in columns:
        counts = accounts[name].cast(pl.String).drop_nulls().value_counts()
        total = max(int(counts["count"].sum()), 1)
        shares[name] = {value: count / total for value, count in counts.iter_rows()}
    return shares


def account_features(
    accounts: pl.DataFrame, inputs: PlanInputs, shares: Mapping[str, Mapping[str, float]]
) -> tuple[tuple[str, ...], Floats]:
    """Numeric columns, dates as days before the cut-off, and how rare each category is (-ln share)."""
    as_of: datetime = inputs.as_of
    expressions = [pl.col(name).cast(pl.Float64) for name in inputs.schema.numeric]
    expressions += [
        ((pl.lit(as_of) - pl.col(name)).dt.total_microseconds() / _DAY_US).alias(f"days since {name}")
        for name in inputs.schema.dates
    ]
    for name, known in shares.items():
        rarest = min(known.values(), default=1.0)
        expressions.append(
            pl.when(pl.col(name).is_not_null())
            .then(
                -pl.col(name)
                .cast(pl.String)
                .replace_strict(list(known), list(known.values()), default=rarest, return_dtype=pl.Float64)
                .log()
            )
            .alias(CATEGORY_RARITY + name)
        )
    if not expressions:
        return (), np.zeros((accounts.height, 0))
    table = accounts.select(expressions)
    return tuple(table.columns), table.fill_null(np.nan).to_numpy().astype(np.float64, copy=False)


def robust_scale(raw: Floats) -> tuple[Floats, Floats]:
    """Median and spread of each column; 0 for a column that does not vary (or is all missing)."""
    centre = np.zeros(raw.shape[1])
    scale = np.zeros(raw.shape[1])
    for column in range(raw.shape[1]):
        known = raw[np.isfinite(raw[:, column]), column]
        if not known.size:
            continue
        centre[column] = np.median(known)
        deviations = np.abs(known - centre[column])
        # where more than half of the values are equal the median deviation is 0: then the mean deviation
        # (times sqrt(pi/2))
        scale[column] = NORMAL_MAD * np.median(deviations) or np.sqrt(np.pi / 2) * deviations.mean()
    return centre, scale


def scale_robustly(raw: Floats, centre: Floats, scale: Floats) -> NDArray[np.float32]:
    """Robust z-scores, arsinh-compressed so that long tails do not take all the forest's cuts.

    Missing is typical.
    """
    z = np.arcsinh((raw - centre) / scale)
    return np.nan_to_num(z, nan=0.0, posinf=50.0, neginf=-50.0).astype(np.float32)
