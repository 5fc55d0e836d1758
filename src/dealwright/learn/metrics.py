"""How good probabilities are: log loss, Brier score, AUC, calibration error, each with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dealwright.learn.slots import FloatArray, IntArray
from dealwright.stats.special import midranks

_GROUPS = 1000
_Z_95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return it as JSON-serialisable values."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Metrics:
    """Metrics of one set of probabilities.

    ``auc`` compares only outcomes predicted by one fit, and is 0.5 where all its probabilities are equal;
    ``ece`` is the expected calibration error over ten bins of equally many outcomes (Naeini, Cooper &
    Hauskrecht 2015).
    """

    outcomes: int
    log_loss: Estimate
    brier: Estimate
    auc: Estimate
    ece: Estimate

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON-serialisable values."""
        return {
            "outcomes": self.outcomes,
            **{name: getattr(self, name).to_dict() for name in ("log_loss", "brier", "auc", "ece")},
        }


def row_log_loss(won: FloatArray, probability: FloatArray) -> FloatArray:
    """Return each outcome's log loss, in nats."""
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    result: FloatArray = -(won * np.log(p) + (1 - won) * np.log1p(-p))
    return result


def measure(
    won: FloatArray,
    probability: FloatArray,
    resamples: int,
    rng: np.random.Generator,
    block: IntArray | None = None,
) -> Metrics:
    """Measure probabilities against what happened.

    Intervals are bootstrap percentiles over outcomes (over random groups of them where there are more than
    a thousand), for the AUC DeLong's (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44).

    Parameters
    ----------
    block
        Number of the fit that each probability comes from, where there were several.
    """
    bins = bin_equally(probability)
    columns = np.zeros((len(won), 2 + 10))
    columns[:, 0] = row_log_loss(won, probability)
    columns[:, 1] = (won - probability) ** 2
    columns[np.arange(len(won)), 2 + bins] = probability - won
    point, resampled = _resample_means(columns, resamples, rng)
    log_loss, brier = (_percentiles(point[k], resampled[:, k]) for k in (0, 1))
    ece = _percentiles(float(np.abs(point[2:]).sum()), np.abs(resampled[:, 2:]).sum(axis=1))
    return Metrics(len(won), log_loss, brier, area_under_curve(won, probability, block), ece)


def bin_equally(probability: FloatArray, bins: int = 10) -> IntArray:
    """Return the bin of each probability, bins of equally many; equal probabilities share one."""
    edges = np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(edges, probability, side="right")


def mean_with_interval(value: FloatArray, resamples: int, rng: np.random.Generator) -> Estimate:
    """Mean of a value over outcomes, for example a paired difference of log losses."""
    point, resampled = _resample_means(value[:, None], resamples, rng)
    return _percentiles(point[0], resampled[:, 0])


def area_under_curve(won: FloatArray, probability: FloatArray, block: IntArray | None = None) -> Estimate:
    """Return the AUC with DeLong's interval, from midranks (Sun & Xu 2014, IEEE Signal Process. Lett. 21).

    Of several blocks, pairs of a win and a loss are compared within each: the fits differ in level, and a win
    rate that rises with time would let a constant, refitted, look as if it told leads apart.
    """
    if block is None:
        block = np.zeros(len(won), dtype=np.int64)
    parts = [_pairs(won[block == k], probability[block == k]) for k in np.unique(block)]
    pairs = np.array([part[0] for part in parts])
    if not pairs.sum():
        return Estimate(0.5, 0.0, 1.0)
    share = pairs / pairs.sum()
    auc = float(share @ np.array([part[1] for part in parts]))
    half = _Z_95 * float(np.sqrt(share**2 @ np.array([part[2] for part in parts])))
    return Estimate(auc, max(0.0, auc - half), min(1.0, auc + half))


def _pairs(won: FloatArray, probability: FloatArray) -> tuple[int, float, float]:
    """Count pairs of a win and a loss; return also their AUC and its variance."""
    wins, losses = probability[won > 0], probability[won <= 0]
    m, n = len(wins), len(losses)
    if m == 0 or n == 0:
        return 0, 0.5, 0.0
    everything = midranks(np.concatenate([wins, losses]))
    by_win = (everything[:m] - midranks(wins)) / n
    by_loss = 1.0 - (everything[m:] - midranks(losses)) / m
    variance = (by_win.var(ddof=1) / m if m > 1 else 0.25) + (by_loss.var(ddof=1) / n if n > 1 else 0.25)
    return m * n, float(by_win.mean()), float(variance)


def calibration_error(won: FloatArray, probability: FloatArray, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equally many outcomes."""
    order = np.argsort(probability, kind="stable")
    difference = (probability - won)[order]
    cuts = np.linspace(0, len(won), bins + 1).astype(np.int64)[:-1]
    return float(np.abs(np.add.reduceat(difference, cuts)).sum() / len(won))


def _resample_means(
    columns: FloatArray, resamples: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return the columns' means and their bootstrap replicates, shape (resamples, columns)."""
    n = len(columns)
    groups = min(n, _GROUPS)
    group = rng.permutation(n) % groups if n > groups else np.arange(n)
    totals = np.column_stack([np.bincount(group, column, minlength=groups) for column in columns.T])
    size = np.bincount(group, minlength=groups)
    weights = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples)
    return columns.mean(axis=0), (weights @ totals) / (weights @ size)[:, None]


def _percentiles(point: float, resampled: FloatArray) -> Estimate:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(float(point), float(low), float(high))
