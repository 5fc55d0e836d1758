"""Companies whose orders follow a known law: from clockwork to random, whatever makes totals hard to foresee.

Each is generated beyond the cut-off, so that what was foreseen can be held against what then happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.schemas import TIMESTAMP

Floats = NDArray[np.float64]

AS_OF: Final = datetime(2026, 7, 1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Company:
    """How the accounts of a company order.

    Attributes
    ----------
    days
        How far the orders reach back.
    gap_days
        Mean days between two orders of an account: lowest and highest.
    regularity
        Shape of the gaps' gamma distribution: 1 is random, 1,000 is clockwork.
    leaving
        Share of the accounts that leave in a year.
    clock
        Whether orders carry a time of day.
    returned
        Share of the orders given back within three weeks.
    season
        How much more is ordered in the best month than on average.
    joining
        Share of the accounts that first order during the time observed; the others were there before.
    branch_days
        A new branch with a third of the accounts opened so many days before the cut-off.
    growth
        By how much an account's orders grow in a year.
    """

    accounts: int = 400
    days: int = 540
    gap_days: tuple[float, float] = (14.0, 60.0)
    regularity: float = 1.0
    leaving: float = 0.0
    clock: bool = False
    returned: float = 0.0
    season: float = 0.0
    joining: float = 0.3
    branch_days: int | None = None
    growth: float = 0.0
    amount_spread: float = 0.5


FAMILY: Final = {
    "clockwork": Company(regularity=1_000.0, joining=0.0),
    "clockwork with a clock": Company(regularity=1_000.0, joining=0.0, clock=True),
    "clockwork, a fifth leaves": Company(regularity=1_000.0, leaving=0.2, clock=True),
    "regular": Company(regularity=8.0, leaving=0.15),
    "regular with a clock": Company(regularity=8.0, leaving=0.15, clock=True),
    "random": Company(leaving=0.25),
    "random with a clock": Company(leaving=0.25, clock=True),
    "random, rare": Company(gap_days=(60.0, 300.0), leaving=0.3, days=900),
    "random, unequal": Company(gap_days=(7.0, 200.0), leaving=0.3, amount_spread=1.2),
    "returns": Company(regularity=3.0, leaving=0.2, returned=0.15, clock=True),
    "seasons": Company(regularity=3.0, leaving=0.1, season=0.5, days=900),
    "seasons, one year": Company(regularity=3.0, leaving=0.1, season=0.5, days=450),
    "new branch": Company(regularity=3.0, leaving=0.15, branch_days=120),
    "new branch, clockwork": Company(regularity=1_000.0, branch_days=120, joining=0.0),
    "newcomers": Company(regularity=2.0, leaving=0.3, joining=0.9),
    "growing": Company(regularity=3.0, leaving=0.1, growth=0.4),
    "short history": Company(regularity=3.0, leaving=0.2, days=230),
    "one-time buyers": Company(gap_days=(20.0, 400.0), leaving=0.8, joining=0.9),
}


def generate_orders(company: Company, horizon_days: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return accounts, and orders from before the cut-off until the end of the horizon after it."""
    rng = np.random.default_rng(seed)
    n = company.accounts
    low, high = company.gap_days
    gap = np.exp(rng.uniform(np.log(low), np.log(high), n))
    size = rng.lognormal(4.5, company.amount_spread, n)
    start = np.where(rng.random(n) < company.joining, rng.uniform(-company.days, 0, n), -company.days)
    if company.branch_days is not None:
        young = rng.random(n) < 1 / 3
        start = np.where(young, rng.uniform(-company.branch_days, -company.branch_days + 60, n), start)
    stop = np.full(n, np.inf)
    if company.leaving:
        rate = -np.log1p(-company.leaving) / 365.0
        stop = start + rng.exponential(1 / rate, n)
    rows: list[NDArray[np.float64]] = []
    # who was there before orders were kept does not order first on the first day
    at = start + np.where(start <= -company.days, rng.uniform(0, 1, n), 0.0) * gap
    alive = np.flatnonzero(at < np.minimum(stop, horizon_days))
    first = np.ones(n, dtype=bool)
    while len(alive):
        now = at[alive]
        kept = np.ones(len(alive), dtype=bool)
        if company.season:
            wave = 1.0 + company.season * np.cos(2 * np.pi * (now + 60) / 365.25)
            kept = rng.random(len(alive)) < wave / (1.0 + company.season)
        kept |= first[alive] & (start[alive] > -company.days)
        first[alive[kept]] = False
        amount = size[alive] * rng.gamma(6.0, 1 / 6.0, len(alive)) * (1 + company.growth) ** (now / 365.0)
        rows.append(np.column_stack([alive, now, amount])[kept])
        back = kept & (rng.random(len(alive)) < company.returned)
        rows.append(np.column_stack([alive, now + rng.uniform(2, 21, len(alive)), -amount])[back])
        step = gap[alive] * rng.gamma(company.regularity, 1 / company.regularity, len(alive))
        if company.season:
            step /= 1.0 + company.season
        at[alive] = now + step
        alive = alive[at[alive] < np.minimum(stop[alive], horizon_days)]
    table = np.concatenate(rows)
    table = table[table[:, 1] < horizon_days]
    moment = np.floor(table[:, 1])
    if company.clock:  # shops order in the morning, some in the evening
        moment = moment + rng.choice([9.5, 12.0, 17.25], len(table)) / 24.0
    orders = (
        pl.DataFrame(
            {
                "account_id": pl.Series(table[:, 0].astype(np.int64)).cast(pl.String),
                "ordered_at": pl.Series((moment * 86_400_000_000).astype(np.int64)) + _us(AS_OF),
                "amount_eur": np.round(table[:, 2], 2),
            }
        )
        .with_columns(pl.col("ordered_at").cast(TIMESTAMP))
        .sort("ordered_at", "account_id")
    )
    past = orders.filter(pl.col("ordered_at") <= AS_OF)
    return past.select("account_id").unique().sort("account_id"), orders


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1)) // timedelta(microseconds=1)
