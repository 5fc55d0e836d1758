"""How good predictions are: measures with an interval each, ties counted fairly.

The intervals of `estimates` are delete-a-group jackknife intervals [1]_: the measure is computed without each
of 20 random groups of rows; no resampling, no assumption on the measure. Those of `measure_probabilities` and
`mean_with_interval` are bootstrap percentiles, for the AUC DeLong's [4]_: the evidence is judged on them.

References
----------
.. [1] P. S. Kott (2001), The delete-a-group jackknife, Journal of Official Statistics 17(4).
.. [2] B. Jørgensen (1987), Exponential dispersion models, JRSS B 49(2): unit deviance of the Tweedie family.
.. [3] C. Guo et al. (2017), On calibration of modern neural networks, ICML: expected calibration error
(here with
   bins of equal counts).
.. [4] E. R. DeLong, D. M. DeLong & D. L. Clarke-Pearson (1988), Comparing the areas under correlated ROC
   curves, Biometrics 44; from midranks: X. Sun & W. Xu (2014), IEEE Signal Processing Letters 21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dealwright.stats.arrays import Bools, Floats, Ints
from dealwright.stats.special import midranks

Measure = Callable[[Floats, Floats], float]
Target = Literal["probability", "spend", "amount"]

_GROUPS = 20
_T_95 = 2.093024054408263  # 97.5 % quantile of Student's t with 19 degrees of freedom, one less than groups
_JACKKNIFE_ROWS = 10_000
_BINS = 10
_TOP_SHARE = 0.1
_BOOTSTRAP_GROUPS = 1000
SHOWN = 0.9  # coverage of the intervals that people see
_Z_SHOWN = 1.644854  # two-sided, of the normal distribution
_SMALLEST = 1e-6  # probabilities closer to 0 or 1 count as this
_SMALLEST_SPEND = 1e-3  # of the mean: a spend is never impossible


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with its interval (`low`, `high`)."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return it as JSON-serialisable values."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class ProbabilityMetrics:
    """Metrics of one set of probabilities.

    ``auc`` compares only outcomes predicted by one fit, and is 0.5 where all its probabilities are equal;
    ``ece`` is the expected calibration error [3]_ over ten bins of equally many outcomes.
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


def row_log_losses(target: Floats, probability: Floats) -> Floats:
    """Return each row's log loss, in nats."""
    p = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(-(target * np.log(p) + (1 - target) * np.log1p(-p)))


def row_losses(target: Floats, predicted: Floats, kind: Target) -> Floats:
    """Return the proper loss of each row, by which models are compared.

    Log loss of a probability; unit Tweedie deviance (power 1.5, [2]_) of a spend ≥ 0; squared error of an
    amount.
    """
    if kind == "probability":
        return row_log_losses(target, predicted)
    if kind == "amount":
        return np.asarray((target - predicted) ** 2)
    floor = _SMALLEST_SPEND * max(float(target.mean()), 1e-12)
    root = np.sqrt(np.maximum(predicted, floor))
    return np.asarray(4.0 * (target / root + root - 2.0 * np.sqrt(target)))


def auc(target: Floats, predicted: Floats) -> float:
    """P(a positive is ranked above a negative): area under the ROC curve, ties count half; NaN: one class."""
    positive = target > 0
    n_1, n_0 = int(positive.sum()), int((~positive).sum())
    if n_1 == 0 or n_0 == 0:
        return float("nan")
    ranks = midranks(predicted)
    return float((ranks[positive].sum() - n_1 * (n_1 + 1) / 2) / (n_1 * n_0))


def average_precision(target: Floats, predicted: Floats) -> float:
    """Area under the precision-recall curve (its step-wise integral); NaN with one class."""
    total = target.sum()
    if total == 0 or total == len(target):
        return float("nan")
    order = np.argsort(-predicted, kind="stable")
    hits, scores = np.cumsum(target[order]), predicted[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    gained = np.diff(hits[last_of_tie], prepend=0.0)
    return float((gained * hits[last_of_tie] / (last_of_tie + 1)).sum() / total)


def log_loss(target: Floats, predicted: Floats) -> float:
    """Mean negative log likelihood of the labels."""
    return float(row_log_losses(target, predicted).mean())


def brier(target: Floats, predicted: Floats) -> float:
    """Mean squared difference between label and probability."""
    return float(((target - predicted) ** 2).mean())


def bin_equally(predicted: Floats, bins: int = _BINS) -> Ints:
    """Return the bin of each prediction, bins of equally many; equal predictions share one."""
    edges = np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, predicted, side="right"), dtype=np.int64)


def calibration_error(target: Floats, predicted: Floats, bins: int = _BINS) -> float:
    """Expected calibration error [3]_ over bins of equal counts."""
    gap = np.bincount(bin_equally(predicted, bins), weights=target - predicted, minlength=bins)
    return float(np.abs(gap).sum() / len(target))


def lift(target: Floats, predicted: Floats) -> float:
    """Mean of the target in the top tenth over its overall mean; rows tied at the edge count in part."""
    mean = float(target.mean())
    if mean <= 0:
        return float("nan")
    places = max(_TOP_SHARE * len(target), 1.0)
    edge = np.partition(predicted, len(predicted) - int(np.ceil(places)))[
        len(predicted) - int(np.ceil(places))
    ]
    above, level = predicted > edge, predicted == edge
    total = target[above].sum() + (places - above.sum()) * target[level].mean()
    return float(total / places / mean)


def rmse(target: Floats, predicted: Floats) -> float:
    """Root mean squared error, in the target's unit."""
    return float(np.sqrt(((target - predicted) ** 2).mean()))


def mae(target: Floats, predicted: Floats) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.abs(target - predicted).mean())


def spearman(target: Floats, predicted: Floats) -> float:
    """Spearman's rank correlation; NaN where either side is constant."""
    a, b = midranks(target), midranks(predicted)
    spread = a.std() * b.std()
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else float("nan")


def normalised_gini(target: Floats, predicted: Floats) -> float:
    """Gini of the target by predicted order over that by perfect order; ties count as in random order."""
    centred = target - target.mean()
    perfect = float(centred @ midranks(target))
    return float(centred @ midranks(predicted)) / perfect if perfect > 0 else float("nan")


def total_bias(target: Floats, predicted: Floats) -> float:
    """Predicted total over actual total, minus one; NaN where the actual total is not positive."""
    total = float(target.sum())
    return float(predicted.sum()) / total - 1.0 if total > 0 else float("nan")


CHURN_MEASURES: Mapping[str, Measure] = {
    "auc": auc,
    "pr_auc": average_precision,
    "log_loss": log_loss,
    "brier": brier,
    "ece": calibration_error,
    "lift": lift,
}
VALUE_MEASURES: Mapping[str, Measure] = {
    "rmse": rmse,
    "mae": mae,
    "spearman": spearman,
    "gini": normalised_gini,
    "total_bias": total_bias,
    "lift": lift,
}


_RANGES = {
    **dict.fromkeys(("auc", "pr_auc", "brier", "ece"), (0.0, 1.0)),
    **dict.fromkeys(("log_loss", "lift", "rmse", "mae"), (0.0, np.inf)),
    "spearman": (-1.0, 1.0),
}


_RANKINGS = ("auc", "pr_auc", "lift", "spearman", "gini")


def _within(measure: Measure, block: NDArray[np.intp]) -> Callable[[Floats, Floats, Bools], float]:
    """Return a measure of ranking as its mean over blocks of rows that one model predicted each.

    Models differ in level; compared across them, a constant that is fitted anew to each block's complement
    would rank rows, and backwards.
    """
    blocks = [block == k for k in np.unique(block)]

    def mean(target: Floats, predicted: Floats, rows: Bools) -> float:
        inside = [member & rows for member in blocks]
        values = np.array([measure(target[part], predicted[part]) for part in inside if part.any()])
        sizes = np.array([np.count_nonzero(part) for part in inside if part.any()])
        known = np.isfinite(values)
        return float(sizes[known] @ values[known] / sizes[known].sum()) if known.any() else float("nan")

    return mean


def measures_for(kind: Target) -> Mapping[str, Measure]:
    """Return the measures of a kind of target, by name."""
    return CHURN_MEASURES if kind == "probability" else VALUE_MEASURES


def estimates(
    target: Floats,
    predicted: Floats,
    kind: Target,
    rng: np.random.Generator,
    block: NDArray[np.intp] | None = None,
) -> dict[str, Estimate]:
    """Return every measure of the kind with its 95 % interval; the interval is NaN below 40 rows.

    Parameters
    ----------
    block
        Which model each row was predicted by, where there were several: rankings are compared within each.
    """
    measures = {
        name: _within(measure, block)
        if block is not None and name in _RANKINGS
        else partial(_of_rows, measure)
        for name, measure in measures_for(kind).items()
    }
    everything = np.ones(len(target), dtype=bool)
    values = {name: measure(target, predicted, everything) for name, measure in measures.items()}
    if len(target) < 2 * _GROUPS:
        return {name: Estimate(value, float("nan"), float("nan")) for name, value in values.items()}
    # the error shrinks with the root of the rows: a sample of many rows tells it as well
    order = rng.permutation(len(target))
    few = min(len(target), _JACKKNIFE_ROWS)
    shrink = np.sqrt(few / len(target))
    group = np.full(len(target), -1)
    group[order[:few]] = np.arange(few) % _GROUPS
    rest = [(group >= 0) & (group != g) for g in range(_GROUPS)]
    one_model = np.zeros(len(target), dtype=np.intp)
    left_out = {}
    for name, measure in measures.items():
        model = one_model if block is None or name not in _RANKINGS else block
        found = _without_each_group(target, predicted, group, model, name)
        if found is None:
            found = np.array([measure(target, predicted, rows) for rows in rest])
        left_out[name] = found
    result = {}
    for name, value in values.items():
        squares = ((left_out[name] - left_out[name].mean()) ** 2).sum()
        error = shrink * float(np.sqrt((_GROUPS - 1) / _GROUPS * squares))
        low, high = _RANGES.get(name, (-np.inf, np.inf))
        result[name] = Estimate(value, max(low, value - _T_95 * error), min(high, value + _T_95 * error))
    return result


def _without_each_group(
    target: Floats, predicted: Floats, group: Ints, block: NDArray[np.intp], measure: str
) -> Floats | None:
    """Return a mean or a measure of ranking without the rows of each group, all groups at once.

    Rows of group −1 do not count. ``None`` for a measure that is neither.
    """
    counted = group >= 0
    target, predicted, group, block = target[counted], predicted[counted], group[counted], block[counted]
    if measure in _ROW_LOSSES:
        loss = _ROW_LOSSES[measure](target, predicted)
        total, rows = np.bincount(group, loss, _GROUPS), np.bincount(group, minlength=_GROUPS)
        mean = (total.sum() - total) / (rows.sum() - rows)
        return np.asarray(np.sqrt(np.maximum(mean, 0.0)) if measure == "rmse" else mean)
    if measure not in _BY_RANK:
        return None
    value, weight = np.zeros(_GROUPS), np.zeros(_GROUPS)
    for k in np.unique(block):
        part = block == k
        inside = _BY_RANK[measure](target[part], predicted[part], group[part])
        known = np.isfinite(inside)
        rows = np.count_nonzero(part) - np.bincount(group[part], minlength=_GROUPS)
        value[known] += (inside * rows)[known]
        weight[known] += rows[known]
    with np.errstate(invalid="ignore"):
        return value / weight


def _ranks_without(x: Floats, group: Ints) -> Floats:
    """Return rows × groups: the midrank of each row among those not of the group."""
    _, place = np.unique(x, return_inverse=True)
    ties = int(place.max(initial=-1)) + 1
    rows = np.bincount(place * _GROUPS + group, minlength=ties * _GROUPS).reshape(ties, _GROUPS)
    rest = rows.sum(axis=1, keepdims=True) - rows
    return np.asarray((np.cumsum(rest, axis=0) - 0.5 * (rest - 1.0))[place])


def _others(group: Ints) -> Floats:
    return np.asarray(group[:, None] != np.arange(_GROUPS), dtype=np.float64)


def _aucs_without(target: Floats, predicted: Floats, group: Ints) -> Floats:
    others = _others(group)
    won = others[target > 0]
    n_1 = won.sum(axis=0)
    n_0 = others.sum(axis=0) - n_1
    ranks = (_ranks_without(predicted, group)[target > 0] * won).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((ranks - n_1 * (n_1 + 1) / 2) / (n_1 * n_0))


def _spearmans_without(target: Floats, predicted: Floats, group: Ints) -> Floats:
    others = _others(group)
    rows = np.maximum(others.sum(axis=0), 1.0)
    # midranks of n rows have the mean (n + 1) / 2
    a, b = (others * (_ranks_without(x, group) - (rows + 1.0) / 2.0) for x in (target, predicted))
    spread = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, (a * b).sum(axis=0) / spread, np.nan)


def _ginis_without(target: Floats, predicted: Floats, group: Ints) -> Floats:
    others = _others(group)
    centred = others * (target[:, None] - target @ others / np.maximum(others.sum(axis=0), 1.0))
    perfect = (centred * _ranks_without(target, group)).sum(axis=0)
    own = (centred * _ranks_without(predicted, group)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(perfect > 0, own / perfect, np.nan)


_BY_RANK: Mapping[str, Callable[[Floats, Floats, Ints], Floats]] = {
    "auc": _aucs_without,
    "spearman": _spearmans_without,
    "gini": _ginis_without,
}
_ROW_LOSSES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "log_loss": row_log_losses,
    "brier": lambda target, predicted: (target - predicted) ** 2,
    "rmse": lambda target, predicted: (target - predicted) ** 2,
    "mae": lambda target, predicted: np.abs(target - predicted),
}


def _of_rows(measure: Measure, target: Floats, predicted: Floats, rows: Bools) -> float:
    return measure(target[rows], predicted[rows])


def measure_probabilities(
    won: Floats, probability: Floats, resamples: int, rng: np.random.Generator, block: Ints | None = None
) -> ProbabilityMetrics:
    """Measure probabilities against what happened.

    The 90 % intervals are bootstrap percentiles over outcomes (over random groups of them where there are
    more than a thousand), for the AUC DeLong's [4]_.

    Parameters
    ----------
    block
        Number of the fit that each probability comes from, where there were several.
    """
    bins = bin_equally(probability)
    columns = np.zeros((len(won), 2 + _BINS))
    columns[:, 0] = row_log_losses(won, probability)
    columns[:, 1] = (won - probability) ** 2
    columns[np.arange(len(won)), 2 + bins] = probability - won
    point, resampled = _resample_means(columns, resamples, rng)
    log_loss, brier = (_percentiles(point[k], resampled[:, k], SHOWN) for k in (0, 1))
    ece = _percentiles(float(np.abs(point[2:]).sum()), np.abs(resampled[:, 2:]).sum(axis=1), SHOWN)
    # noise adds to it, also in a resample: where there is none, all resamples are above
    ece = replace(ece, low=min(ece.low, ece.value))
    return ProbabilityMetrics(len(won), log_loss, brier, area_under_curve(won, probability, block), ece)


def mean_with_interval(
    value: Floats, resamples: int, rng: np.random.Generator, coverage: float = 0.95
) -> Estimate:
    """Mean of a value over outcomes, for example a paired difference of log losses."""
    point, resampled = _resample_means(value[:, None], resamples, rng)
    return _percentiles(point[0], resampled[:, 0], coverage)


def area_under_curve(won: Floats, probability: Floats, block: Ints | None = None) -> Estimate:
    """Return the AUC with DeLong's 90 % interval [4]_.

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
    half = _Z_SHOWN * float(np.sqrt(share**2 @ np.array([part[2] for part in parts])))
    return Estimate(auc, max(0.0, auc - half), min(1.0, auc + half))


def _pairs(won: Floats, probability: Floats) -> tuple[int, float, float]:
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


def _resample_means(columns: Floats, resamples: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the columns' means and their bootstrap replicates, shape (resamples, columns)."""
    n = len(columns)
    groups = min(n, _BOOTSTRAP_GROUPS)
    group = rng.permutation(n) % groups if n > groups else np.arange(n)
    totals = np.column_stack([np.bincount(group, column, minlength=groups) for column in columns.T])
    size = np.bincount(group, minlength=groups)
    weights = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples)
    return columns.mean(axis=0), (weights @ totals) / (weights @ size)[:, None]


def _percentiles(point: float, resampled: Floats, coverage: float) -> Estimate:
    low, high = np.quantile(resampled, [(1 - coverage) / 2, (1 + coverage) / 2])
    return Estimate(float(point), float(low), float(high))
