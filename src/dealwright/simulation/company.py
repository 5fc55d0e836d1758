"""The accounts of the synthetic field-sales company: who they are, how they feel, and how they buy.

Every array has one element per account of a chunk, so that a million accounts never exist as Python objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.schemas import CHANNELS
from dealwright.simulation.purchasing import Rhythm
from dealwright.simulation.response import Situation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TIERS: Final = ("bronze", "silver", "gold", "platinum")
INDUSTRIES: Final = (
    "hospitality", "food retail", "fashion retail", "healthcare", "construction", "manufacturing",
    "professional services", "education",
)  # fmt: skip
INTERESTS: Final = ("core", "premium", "services", "accessories")
_INDUSTRY_RATE = np.array([0.30, 0.45, -0.05, 0.10, -0.15, 0.0, -0.35, -0.40])
_INDUSTRY_AMOUNT = np.array([-0.10, -0.25, 0.0, 0.25, 0.35, 0.40, -0.05, -0.15])
# share buying at random, somewhat regularly, like clockwork
_INDUSTRY_RHYTHM = np.array(
    [
        [0.3, 0.4, 0.3],
        [0.2, 0.3, 0.5],
        [0.5, 0.4, 0.1],
        [0.3, 0.4, 0.3],
        [0.6, 0.3, 0.1],
        [0.4, 0.4, 0.2],
        [0.5, 0.3, 0.2],
        [0.5, 0.4, 0.1],
    ]
)
_MOOD_MEMORY: Final = 0.92  # correlation of satisfaction and engagement half a year apart
TYPICAL_HAZARD: Final = 0.00040  # leaving per day: 7 % in half a year
WINDOW_DAYS: Final = 548  # 18 months of orders and touches


@dataclass(frozen=True)
class BarcelonaParams:
    """What company to draw.

    Attributes
    ----------
    n
        Number of accounts.
    reps
        Number of field representatives; by default one for 160 accounts, at least 2 and at most 200.
    as_of
        The cut-off: orders and touches cover the 18 months before it, the truth the horizon after it.
    horizon_days
        Length of the future whose churn and value are the truth.
    touches_per_account
        Mean number of logged decisions (a quarter of them "nothing") per account over the window.
    missing_share
        Scales how many cells are empty; 1 is realistic (12 % of satisfaction scores), 0 leaves none empty.
    polygon
        Corners (lat, lon) of the land to stay in; empty for the whole region.
    """

    n: int = 3200
    reps: int | None = None
    as_of: datetime = datetime(2026, 6, 30)
    horizon_days: int = 180
    touches_per_account: float = 3.0
    missing_share: float = 1.0
    polygon: tuple[tuple[float, float], ...] = ()


class Season:
    """Business time: days since the window's start, stretched by the season (August dips, December peaks)."""

    def __init__(self, as_of: datetime, horizon_days: int) -> None:
        before = 500
        days = np.arange(-before, WINDOW_DAYS + horizon_days + 2)
        start = as_of - timedelta(days=WINDOW_DAYS)
        dates = np.datetime64(start.date()) + days
        month = dates.astype("datetime64[M]").astype(np.int64) % 12
        pace = np.array([0.92, 0.96, 1.02, 1.04, 1.06, 1.06, 0.98, 0.72, 1.02, 1.06, 1.06, 1.10])[month]
        self._day = days.astype(np.float64)
        clock = np.concatenate([[0.0], np.cumsum(pace)[:-1]])
        self._clock = clock - clock[before]

    def clock(self, day: Floats | float) -> Floats:
        """Turn calendar days since the window's start into business time."""
        return np.asarray(np.interp(day, self._day, self._clock))

    def day(self, clock: Floats) -> Floats:
        """Turn business time back into calendar days since the window's start."""
        return np.asarray(np.interp(clock, self._clock, self._day))


@dataclass(frozen=True)
class Mood:
    """What is measured of each account at one moment; it moves slowly."""

    engagement: Floats
    csat: Floats
    tickets: Floats
    issue: Bools
    inbound_calls: Floats
    web_sessions: Floats
    carts: Floats
    ecom_orders: Floats

    @property
    def risk(self) -> Floats:
        """Logarithm of the hazard of leaving that these measures bring."""
        return np.asarray(
            0.50 * (3.7 - self.csat)
            + 0.22 * np.minimum(self.tickets, 4.0)
            + 0.55 * self.issue
            - 0.25 * (self.engagement - 50.0) / 20.0
        )


@dataclass(frozen=True)
class Company:
    """A chunk of accounts with everything that is fixed about them.

    Attributes
    ----------
    since
        Day of the first order, in days since the window's start (negative: before it).
    mean_order_eur
        Mean amount of an order.
    moods
        At the start, at the training cut-off (a horizon before the run's), and at the run's cut-off.
    consent
        Shape (n, 5), by `CHANNELS`.
    """

    tier: Ints
    industry: Ints
    interest: Ints
    employees: Floats
    connect_rate: Floats
    preferred: Ints
    consent: Bools
    since: Floats
    mean_order_eur: Floats
    rhythm: Rhythm
    moods: tuple[Mood, Mood, Mood]

    def situation(self, mood: Mood, overdue: Floats) -> Situation:
        """Describe every account at the moment of a mood, for the responses to actions."""
        return Situation(
            tier=self.tier,
            log_size=np.log(self.employees / 20.0),
            engagement=(mood.engagement - 50.0) / 20.0,
            risk=mood.risk - 0.2 * self.tier,
            issue=mood.issue,
            tickets=mood.tickets,
            interest=self.interest,
            overdue=overdue,
            rate=self.rhythm.rate,
        )


def draw_company(n: int, rng: np.random.Generator, season: Season) -> Company:
    """Draw `n` accounts."""
    tier = rng.choice(4, size=n, p=[0.45, 0.32, 0.17, 0.06])
    industry = rng.choice(8, size=n, p=[0.22, 0.15, 0.13, 0.12, 0.12, 0.11, 0.10, 0.05])
    interest = rng.choice(4, size=n, p=[0.46, 0.22, 0.18, 0.14])
    employees = np.ceil(np.exp(rng.normal(2.6, 0.9, n) + 0.3 * tier))
    log_size = np.log(employees / 20.0)
    satisfaction, engagement = rng.normal(size=n), rng.normal(size=n)
    moods = []
    for step in range(3):
        if step:
            fresh = np.sqrt(1 - _MOOD_MEMORY**2)
            satisfaction = _MOOD_MEMORY * satisfaction + fresh * rng.normal(size=n)
            engagement = _MOOD_MEMORY * engagement + fresh * rng.normal(size=n)
        moods.append(_measure(satisfaction, engagement, rng))
    rate = np.exp(
        np.log(1 / 36.0) + 0.28 * tier + 0.16 * log_size + _INDUSTRY_RATE[industry] + rng.normal(0, 0.35, n)
    )
    draw = rng.random(n)
    edges = np.cumsum(_INDUSTRY_RHYTHM, axis=1)[industry]
    stages = np.where(draw < edges[:, 0], 1, np.where(draw < edges[:, 1], 2, 4))
    # three in four were customers before the window; the others joined at some point within it
    since = np.where(
        rng.random(n) < 0.75, -rng.exponential(900.0, n) - 1.0, rng.random(n) * (WINDOW_DAYS - 14)
    )
    hazard = np.stack([TYPICAL_HAZARD * np.exp(mood.risk - 0.2 * tier) for mood in moods], axis=1)
    # who was a customer before starts with an unseen order some time before the window opens
    start = np.where(since < 0, -60.0 - rng.random(n) / rate, season.clock(since))
    mean_order = np.exp(
        4.7 + 0.30 * tier + 0.25 * log_size + _INDUSTRY_AMOUNT[industry] + rng.normal(0, 0.35, n)
    )
    likes = np.array([0.26, 0.24, 0.14, 0.16, 0.20])
    tilt = np.stack([0.3 * tier, 0 * tier, 0 * tier, 0.4 * engagement, 0.8 * engagement], axis=1)
    weight = likes * np.exp(tilt)
    preferred = (np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1) < rng.random((n, 1))).sum(
        axis=1
    )
    preferred = np.minimum(preferred, len(CHANNELS) - 1)
    consent = rng.random((n, len(CHANNELS))) < np.array([0.95, 0.86, 0.97, 0.88, 0.92])
    consent[np.arange(n), preferred] |= rng.random(n) < 0.9
    connect_rate = np.round(1.0 / (1.0 + np.exp(-rng.normal(0.2 + 0.3 * engagement, 0.6))), 3)
    return Company(
        tier, industry, interest, employees, connect_rate, preferred, consent, since, mean_order,
        Rhythm(rate, stages, hazard, start), (moods[0], moods[1], moods[2]),
    )  # fmt: skip


def _measure(satisfaction: Floats, engagement: Floats, rng: np.random.Generator) -> Mood:
    """Draw what a company's systems show of how satisfied and how engaged its accounts are."""
    n = satisfaction.size
    score = np.clip(50.0 + 18.0 * engagement + rng.normal(0, 5.0, n), 0.0, 100.0)
    tickets = rng.poisson(np.exp(-0.3 - 0.55 * satisfaction)).astype(np.float64)
    sessions = rng.poisson(np.exp(1.6 + 0.5 * engagement)).astype(np.float64)
    return Mood(
        engagement=np.round(score, 1),
        csat=np.clip(np.round(2 * (3.7 + 0.75 * satisfaction + rng.normal(0, 0.35, n))) / 2, 1.0, 5.0),
        tickets=tickets,
        issue=rng.random(n) < 1.0 / (1.0 + np.exp(2.3 + 1.1 * satisfaction - 0.3 * tickets)),
        inbound_calls=rng.poisson(0.6 + 0.5 * tickets).astype(np.float64),
        web_sessions=sessions,
        carts=rng.binomial(sessions.astype(np.int64), 0.12).astype(np.float64),
        ecom_orders=rng.poisson(np.exp(-0.6 + 0.7 * engagement)).astype(np.float64),
    )
