"""How much all accounts together will spend: buy-till-you-die, its season, and what its past errors teach.

A ranking is learned, a total is not: it drifts. It is expected from the accounts' own rhythms, corrected for
the time of the year where two years of orders show one, and for what the same expectation missed at earlier
cut-offs. The misses also say how wide the interval is. What the accounts have ever spent bounds it.

References
----------
.. [1] W. James & C. Stein (1961), Estimation with quadratic loss: a mean error of few windows is shrunk.
.. [2] A. C. Harvey (1989), Forecasting, structural time series models and the Kalman filter: trigonometric
   seasonals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np
from scipy.special import fdtrc

from dealwright.errors import EvidenceError
from dealwright.plan.prediction.btyd import BuyTillYouDie, fit_buy_till_you_die
from dealwright.plan.prediction.ledger import DAY_US, Ledger, OrderDays, microseconds
from dealwright.stats.arrays import Floats

YEAR_DAYS = 365.25
_BINS_A_YEAR = 12
_BIN_DAYS = YEAR_DAYS / _BINS_A_YEAR
_SEASON_BINS = 21  # less than a year and three quarters cannot tell a season from a trend
_HARMONICS = 3
_SIGNIFICANCE = 0.01
_MOST_WINDOWS = 3
_MIN_DAYS = 28
_BACKTEST_ROWS = 20_000
# log errors of a total before any was seen: what every window misses alike, what each misses by its luck
_PRIOR_BIAS = 0.15
_PRIOR_SPREAD = 0.08
_PRIOR_WINDOWS = 2.0
_UNTESTED_SPREAD = 0.3
_SHORTER_HISTORY = (
    0.2  # a window that had none of today's history says nothing about today's misses beyond this
)
_SEASON_ERROR = 0.25  # of the season's swings: how exactly two or three years show them
_MOST_TIMES_EVER = 2.0
_Z_95 = 1.96


@dataclass(frozen=True)
class Season:
    """How spend depends on the time of the year: 1 on average, by days before (negative: after) a cut-off."""

    # coefficients of cosines and sines of the year on the log scale; empty where no season can be shown
    waves: tuple[float, ...] = ()

    @classmethod
    def of(cls, ledger: Ledger, cut_off: datetime) -> Self:
        """Learn it from what accounts spent by month, if waves of a year explain it."""
        log_total = monthly_totals(ledger, cut_off)
        n = len(log_total)
        if n < _SEASON_BINS:
            return cls()
        age = np.asarray((np.arange(n) + 0.5) * _BIN_DAYS, dtype=np.float64)
        t = age / age[-1]
        trend = np.column_stack([np.ones(n), t, t**2])
        best: tuple[float, ...] = ()
        before = trend
        for harmonic in range(1, _HARMONICS + 1):
            wider = np.column_stack([before, _waves(age, harmonic)])
            left, right = _residual(before, log_total), _residual(wider, log_total)
            gain = (left - right) / 2.0 / max(right / (n - wider.shape[1]), 1e-12)
            if fdtrc(2, n - wider.shape[1], gain) > _SIGNIFICANCE:
                break
            before = wider
            weights, *_ = np.linalg.lstsq(wider, log_total, rcond=None)
            best = tuple(float(weight) for weight in weights[3:])
        return cls(best)

    @property
    def swings(self) -> float:
        """Standard deviation of the season's logarithm over a year."""
        return float(np.sqrt(sum(weight**2 for weight in self.waves) / 2.0))

    def factors(self, age_day: Floats, horizon_days: float, shift_days: float = 0.0) -> Floats:
        """Return how the horizon compares with each account's own time so far.

        Parameters
        ----------
        age_day
            Days from the first order to the cut-off.
        shift_days
            How long before the cut-off that the season was learned at this one is.
        """
        if not self.waves:
            return np.ones(len(age_day))
        ahead = self._mean(shift_days - horizon_days, shift_days)
        # who is new is new in this season: of a few days little can be said
        known = np.maximum(age_day, _MIN_DAYS).astype(np.intp)
        days = np.arange(known.max(initial=0) + 1.0)
        past = np.cumsum(self._level(days + shift_days)) / (days + 1.0)
        return np.asarray(ahead / past[known])

    def _mean(self, newest: float, oldest: float) -> float:
        return float(self._level(np.linspace(newest, oldest, 100)).mean())

    def _level(self, age: Floats) -> Floats:
        score = np.zeros(len(age))
        for h in range(len(self.waves) // 2):
            score += _waves(age, h + 1) @ np.array(self.waves[2 * h : 2 * h + 2])
        return np.asarray(np.exp(score))


@dataclass(frozen=True)
class Window:
    """One earlier horizon: what its total was expected to be, and what it was."""

    cut_off: datetime
    expected_eur: float
    actual_eur: float
    noise: float  # variance of the log ratio of both, from how unlike accounts are
    history_share: float  # how much of today's history there was
    days: int  # how long it is

    @property
    def miss(self) -> float:
        """Log of actual over expected."""
        return float(np.log(self.actual_eur / self.expected_eur))


@dataclass(frozen=True)
class Level:
    """The total to expect."""

    factor: float  # by which what buy-till-you-die expects is multiplied
    spread: float  # standard deviation of the total's log error
    most_eur: float  # what the accounts' own past allows at most
    windows: tuple[Window, ...] = field(default=())

    def total(self, expected_eur: float) -> tuple[float, float, float]:
        """Return the expected total with its 95 % interval."""
        value = min(expected_eur * self.factor, self.most_eur)
        reach = float(np.exp(_Z_95 * self.spread))
        return value, value / reach, value * reach

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "factor": self.factor,
            "spread": self.spread,
            "most_eur": self.most_eur,
            "windows": [
                {"cut_off": w.cut_off.isoformat(), "expected_eur": w.expected_eur, "actual_eur": w.actual_eur}
                for w in self.windows
            ],
        }


def learn_level(ledger: Ledger, as_of: datetime, horizon_days: int, rng: np.random.Generator) -> Level:
    """Hold what buy-till-you-die expected at earlier cut-offs against what then happened."""
    book = ledger.by_day(as_of)
    most = _MOST_TIMES_EVER * _pace(book, horizon_days)
    if ledger.accounts > _BACKTEST_ROWS:
        ledger = ledger.restricted(np.sort(rng.choice(ledger.accounts, _BACKTEST_ROWS, replace=False)))
    season = Season.of(ledger, as_of)
    windows = _windows(ledger, as_of, horizon_days, season, rng)
    log_total = monthly_totals(ledger, as_of)
    swings = _SEASON_ERROR * season.swings if season.waves else _swings(log_total)
    if not windows:
        return Level(1.0, float(np.hypot(_UNTESTED_SPREAD, swings)), most)
    misses = np.array([w.miss for w in windows])
    noise = np.array([w.noise for w in windows])
    own = ((misses - misses.mean()) ** 2).sum() - noise.sum() * (1.0 - 1.0 / len(misses))
    spread = (_PRIOR_WINDOWS * _PRIOR_SPREAD**2 + max(own, 0.0)) / (_PRIOR_WINDOWS + len(misses) - 1.0)
    shorter = np.array([_SHORTER_HISTORY * (1.0 - w.history_share) for w in windows])
    weight = 1.0 / (spread + swings**2 + noise + shorter**2)
    precision = weight.sum() + 1.0 / _PRIOR_BIAS**2
    bias = float(weight @ misses / precision)
    # shorter windows than the horizon leave a part of it untested
    untested = _UNTESTED_SPREAD * (1.0 - windows[0].days / horizon_days)
    variance = 1.0 / precision + spread + swings**2 + untested**2 + float(noise[0])
    return Level(float(np.exp(bias)), float(np.sqrt(variance)), most, windows)


def expected_spend(
    book: OrderDays, horizon_days: float, season: Season, model: BuyTillYouDie, shift_days: float = 0.0
) -> Floats:
    """Return what each account that has ordered is expected to spend in the horizon."""
    history = book.order_history()
    factors = season.factors(history.age_day, horizon_days, shift_days)
    return np.asarray(model.expected_spend(history, horizon_days) * factors)


def monthly_totals(ledger: Ledger, cut_off: datetime) -> Floats:
    """Return the logarithm of what an account spent in each month before the cut-off, newest first.

    First orders are left out: how many come is no matter of the season of those who are there. A month is a
    twelfth of a year. Only whole months count, and only as far back as every month has spend.
    """
    past = ledger.until(cut_off)
    if len(past.at) == 0:
        return np.empty(0)
    age = (microseconds(cut_off) - past.at) / DAY_US
    begin = np.flatnonzero(np.diff(past.row.astype(np.int64), prepend=-1))
    joined = age[begin]
    later = age < np.repeat(joined, np.diff(begin, append=len(age))) - 1.0
    whole = int(age.max() / _BIN_DAYS)
    month = (age[later] / _BIN_DAYS).astype(np.intp)
    totals = np.bincount(month, weights=past.amount_eur[later], minlength=whole + 1)[:whole]
    there = np.array([np.count_nonzero(joined >= (k + 1) * _BIN_DAYS) for k in range(whole)])
    gaps = np.flatnonzero(totals <= 0)
    known = slice(0, gaps[0]) if len(gaps) else slice(None)
    return np.asarray(np.log(totals[known] / there[known]))


def _windows(
    ledger: Ledger, as_of: datetime, horizon_days: int, season: Season, rng: np.random.Generator
) -> tuple[Window, ...]:
    first = ledger.first
    if first is None:
        return ()
    reach = (as_of - first).days
    days = horizon_days if reach >= horizon_days + max(_MIN_DAYS, horizon_days // 2) else reach // 3
    if days < _MIN_DAYS:
        return ()
    least = max(_MIN_DAYS, days // 2)
    if season.waves:  # rates out of a part of the year are those of a season
        least = max(least, round(YEAR_DAYS))
    found = []
    for k in range(1, _MOST_WINDOWS + 1):
        cut_off = as_of - timedelta(days=k * days)
        if (cut_off - first).days < least:
            break
        share = (cut_off - first).days / reach
        window = _window(ledger, cut_off, days, season, (k * days, share, rng))
        if window is not None:
            found.append(window)
    return tuple(found)


def _window(
    ledger: Ledger, cut_off: datetime, days: int, season: Season, past: tuple[int, float, np.random.Generator]
) -> Window | None:
    shift_days, history_share, rng = past
    book = ledger.by_day(cut_off)
    try:
        model = fit_buy_till_you_die(book.order_history(), rng)
    except EvidenceError:
        return None
    expected = expected_spend(book, days, season, model, float(shift_days))
    _, spent = ledger.spend_between(cut_off, cut_off + timedelta(days=days))
    actual = spent[book.rows]
    if actual.sum() <= 0 or expected.sum() <= 0:
        return None
    surprise = actual - expected * (actual.sum() / expected.sum())
    noise = float((surprise**2).sum()) / float(actual.sum()) ** 2
    return Window(cut_off, float(expected.sum()), float(actual.sum()), noise, history_share, days)


def _pace(book: OrderDays, horizon_days: int) -> float:
    """Return what the accounts would spend in a horizon at the pace of their best one so far, added up."""
    best = np.zeros(len(book))
    oldest = book.age_day[book.starts] if len(book) else np.empty(0)
    for k in range(int(oldest.max(initial=0.0)) // horizon_days + 1):
        inside = (book.age_day >= k * horizon_days) & (book.age_day < (k + 1) * horizon_days)
        known = np.clip(oldest - k * horizon_days, _MIN_DAYS, horizon_days)
        best = np.maximum(best, book.total(np.where(inside, book.spend_eur, 0.0)) * horizon_days / known)
    return float(best.sum())


def _swings(log_total: Floats) -> float:
    """Return how far months swing about their trend where one is like the next.

    Such swings do not average out in a horizon: a season, which less than two years cannot show to be one.
    """
    n = len(log_total)
    if n < 6:
        return 0.0
    t = np.arange(n) / n
    design = np.column_stack([np.ones(n), t])
    weights, *_ = np.linalg.lstsq(design, log_total, rcond=None)
    rest = log_total - design @ weights
    alike = float(rest[1:] @ rest[:-1]) / max(float(rest @ rest), 1e-12)
    return float(np.sqrt(max(alike, 0.0) * float(rest @ rest) / (n - 2)))


def _waves(age: Floats, harmonic: int) -> Floats:
    turn = 2.0 * np.pi * harmonic * age / YEAR_DAYS
    return np.column_stack([np.cos(turn), np.sin(turn)])


def _residual(design: Floats, y: Floats) -> float:
    weights, *_ = np.linalg.lstsq(design, y, rcond=None)
    return float(((y - design @ weights) ** 2).sum())
