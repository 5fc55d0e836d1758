"""Whether agents differ beyond chance, once the leads they were given are accounted for.

The outcomes are shuffled among comparable leads (same time, same promise), many times; agents differ if
their actual results are more unlike than nearly all shuffled ones. That holds its level whatever the
outcomes' distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dealwright.learn.lead_model import design_matrix, fit_amount_model, fit_win_model
from dealwright.learn.outcomes import value_shares
from dealwright.stats.arrays import Bools, Floats, Ints
from dealwright.stats.links import sigmoid
from dealwright.stats.special import chi2_tail

if TYPE_CHECKING:
    from dealwright.learn.outcomes import OutcomeTable

STRATUM_ROWS = 50
"""Outcomes are shuffled within strata of this many comparable leads."""

REVENUE_TESTS = ("base_revenue", "package_revenue")

EFFECT_SD = 0.3
"""Spread of log-odds between agents that the test is most sensitive to."""

_RATIO_SD = 0.1
_LEAST_WINS = 30
_LEAST_PERMUTATIONS = 119


@dataclass(frozen=True)
class EffectTest:
    """Test of one way in which agents may differ."""

    # `overall`, the name of a dimension (an agent's win rate depends on its value), `base_revenue` or
    # `package_revenue`
    name: str
    outcomes: int  # how many outcomes it is based on
    p_value: float  # share of shuffles at least as extreme, this test alone
    # the same, corrected for looking at several tests (Westfall & Young 1993, "Resampling-Based Multiple
    # Testing", single-step maxT)
    adjusted_p_value: float


@dataclass(frozen=True)
class Homogeneity:
    """All tests together."""

    # whether agents win at different rates: each test, and all together
    tests: tuple[EffectTest, ...]
    p_value: float
    # whether their wins bring different amounts
    revenue_tests: tuple[EffectTest, ...]
    revenue_p_value: float
    permutations: int
    # Pearson's statistic of wins against the wins expected from the leads, over agents, with its textbook
    # p-value
    chi2: float
    chi2_df: int
    chi2_p_value: float
    # the plain contingency test of confirmed against cancelled bookings by agent, blind to case mix,
    # no-contacts left out: for comparison with what people compute by hand
    plain_chi2: float
    plain_df: int
    plain_p_value: float
    plain_outcomes: int


def compare_agents(table: OutcomeTable, permutations: int, rng: np.random.Generator) -> Homogeneity:
    """Test whether agents differ in win rate, in win rate by value of a dimension, or in revenue.

    Residuals of a lead-only model are summed by agent (and value). The statistic is the score against
    agents whose log-odds vary normally, ``sum U^2 / (1 + t^2 V)`` (as in Commenges & Jacqmin-Gadda 1997,
    JRSS B 59), with U the sum of residuals and V its variance. Residuals are shuffled within strata of time
    and predicted probability and then made orthogonal to the lead-only model again (Freedman & Lane 1983,
    JBES 1), so that an agent's particular mix of leads gives no false alarm.
    """
    known = table.take(table.settled)
    permutations = int(
        np.clip(5e7 / max(len(known), 1), min(_LEAST_PERMUTATIONS, permutations), permutations)
    )
    wins, money = _Family([], [], []), _Family([], [], [])
    chi2 = df = 0.0
    if len(known) and len(np.unique(known.agent)) > 1 and 0 < known.won.sum() < len(known):
        for rows, dimensions in _split_by_unknown(known):
            part = known.take(rows)
            statistics, pearson = _shuffle(_win_sample(part), dimensions, permutations, rng)
            if dimensions[0] == -1:
                chi2, df = pearson
            names = ["overall" if j < 0 else table.dimensions[j].name for j in dimensions]
            wins.add(names, len(part), statistics)
        for name in REVENUE_TESTS:
            amount = getattr(known, name)
            part = known.take((known.won > 0) & np.isfinite(amount))
            earned = getattr(part, name)
            if len(part) >= _LEAST_WINS and np.ptp(earned) > 0:
                statistics, _ = _shuffle(_money_sample(part, earned), [-1], permutations, rng)
                money.add([name], len(part), statistics)
    p_value, win_tests = wins.combine()
    revenue_p_value, revenue_tests = money.combine()
    plain, plain_df = _plain_chi2(known)
    return Homogeneity(
        tests=win_tests,
        p_value=p_value,
        revenue_tests=revenue_tests,
        revenue_p_value=revenue_p_value,
        permutations=permutations,
        chi2=chi2,
        chi2_df=int(df),
        chi2_p_value=_chi2_tail(chi2, df),
        plain_chi2=plain,
        plain_df=plain_df,
        plain_p_value=_chi2_tail(plain, plain_df),
        plain_outcomes=int(known.contacted.sum()),
    )


def _chi2_tail(statistic: float, df: float) -> float:
    return chi2_tail(statistic, df) if df > 0 else 1.0


@dataclass
class _Family:
    """Statistics of tests that answer one question together: row 0 is the data, the others are shuffles."""

    names: list[str]
    counts: list[int]
    columns: list[Floats]

    def add(self, names: list[str], count: int, statistics: Floats) -> None:
        self.names += names
        self.counts += [count] * len(names)
        self.columns += list(statistics.T)

    def combine(self) -> tuple[float, tuple[EffectTest, ...]]:
        """Return the p-value of all together, and each test."""
        if not self.columns:
            return 1.0, ()
        # cube roots of sums of squares are nearly normal (Wilson & Hilferty 1931), on one scale; mean and sd
        # include the data's row: all rows are exchangeable when agents are alike
        root = np.cbrt(np.column_stack(self.columns))
        z = (root - root.mean(axis=0)) / np.maximum(root.std(axis=0), 1e-12)
        largest = z.max(axis=1)
        tests = tuple(
            EffectTest(
                name,
                count,
                float(np.mean(z[:, k] >= z[0, k] - 1e-12)),
                float(np.mean(largest >= z[0, k] - 1e-12)),
            )
            for k, (name, count) in enumerate(zip(self.names, self.counts, strict=True))
        )
        return float(np.mean(largest >= largest[0] - 1e-12)), tests


def _split_by_unknown(known: OutcomeTable) -> list[tuple[Bools, list[int]]]:
    """Group the tests by their rows: all for the overall test (-1), those with a value for a dimension."""
    groups: dict[bytes, tuple[Bools, list[int]]] = {}
    everything = np.ones(len(known), dtype=bool)
    groups[everything.tobytes()] = (everything, [-1])
    for j, dimension in enumerate(known.dimensions):
        rows = known.codes[:, j] >= 0
        if len(dimension.values) > 1 and 0 < known.won[rows].sum() < rows.sum():
            groups.setdefault(rows.tobytes(), (rows, []))[1].append(j)
    return list(groups.values())


@dataclass(frozen=True)
class _Sample:
    """Residuals with their variances, and the lead-only model they must stay orthogonal to."""

    table: OutcomeTable
    residual: Floats
    variance: Floats
    predicted: Floats
    X: Floats
    n_lead_columns: int
    effect_variance: float


def _win_sample(part: OutcomeTable) -> _Sample:
    shares = value_shares(part)
    # next to no shrinkage: shrunken weights would leave a trace of the case mix in the residuals
    model = fit_win_model(part.codes, part.won, shares, prior_sds=(10.0,))
    p = sigmoid(model.predict_linear(part.codes))
    X = _design_with_own_mix(part, shares)
    return _Sample(part, part.won - p, p * (1 - p), p, X, _count_lead_columns(shares), EFFECT_SD**2)


def _money_sample(part: OutcomeTable, money: Floats) -> _Sample:
    shares = value_shares(part)
    model = fit_amount_model(part.codes, money, shares)
    expected = np.exp(model.predict_linear(part.codes))
    residual = money / expected - 1.0
    sd = max(float(residual.std()), 1e-9)
    ones = np.ones(len(part))
    X, n_lead_columns = _design_with_own_mix(part, shares), _count_lead_columns(shares)
    return _Sample(part, residual / sd, ones, expected, X, n_lead_columns, (_RATIO_SD / sd) ** 2)


def _count_lead_columns(shares: tuple[Floats, ...]) -> int:
    return 1 + sum(len(share) for share in shares)


def _design_with_own_mix(part: OutcomeTable, shares: tuple[Floats, ...]) -> Floats:
    """Return the design matrix with columns for what an unknown value may be: the same agent's mix of values.

    A value that is only recorded with the booking is unknown where nobody was reached. Who gets leads that
    are harder to reach has more of those, and must not seem the worse for it: so the residuals of outcomes
    with an unknown value are made orthogonal to what their agents usually get. These columns are separate
    from those of known values, because the effect of a value among leads that were reached is another than
    among all.
    """
    X = design_matrix(part.codes, shares)
    columns = [X]
    n_agents = len(part.agent_ids)
    start = 1
    for j, share in enumerate(shares):
        unknown = part.codes[:, j] < 0
        block = X[:, start : start + len(share)]
        start += len(share)
        if unknown.any() and not unknown.all():
            seen = np.maximum(np.bincount(part.agent[~unknown], minlength=n_agents), 1)
            total = [
                np.bincount(part.agent[~unknown], value[~unknown], minlength=n_agents) for value in block.T
            ]
            mix = np.column_stack(total) / seen[:, None]
            columns.append(np.where(unknown[:, None], mix[part.agent], 0.0))
    return np.hstack(columns)


def _shuffle(
    sample: _Sample, dimensions: list[int], permutations: int, rng: np.random.Generator
) -> tuple[Floats, tuple[float, float]]:
    """Compute the statistics of the data (row 0) and of every shuffle, one column per test.

    Also return Pearson's statistic over agents and its degrees of freedom.
    """
    part, n = sample.table, len(sample.table)
    order = _order_by_stratum(sample.predicted, rng)
    agent, codes = part.agent[order], part.codes[order]
    residual, variance, X = sample.residual[order], sample.variance[order], sample.X[order]
    WX = X * variance[:, None]
    # columns beyond those of the lead-only model have a standard normal prior: few outcomes move them little
    prior = np.diag(np.arange(X.shape[1]) >= sample.n_lead_columns).astype(np.float64)
    inverse = np.linalg.pinv(X.T @ WX + prior)

    n_agents = len(part.agent_ids)
    cells, widths = [], []
    for j in dimensions:
        width = 1 if j < 0 else len(part.dimensions[j].values)
        cells.append(agent if j < 0 else agent * width + codes[:, j])
        widths.append(width)
    V: list[Floats] = [
        np.bincount(cell, variance, minlength=n_agents * w).astype(np.float64)
        for cell, w in zip(cells, widths, strict=True)
    ]
    ZWX = [
        np.column_stack([np.bincount(cell, WX[:, k], minlength=n_agents * w) for k in range(X.shape[1])])
        for cell, w in zip(cells, widths, strict=True)
    ]

    result = np.empty((permutations + 1, len(dimensions)))
    whole = n // STRATUM_ROWS * STRATUM_ROWS
    shuffled = residual
    pearson = (0.0, 0.0)
    for i in range(permutations + 1):
        if i:
            body = rng.permuted(residual[:whole].reshape(-1, STRATUM_ROWS), axis=1).ravel()
            shuffled = np.concatenate([body, rng.permutation(residual[whole:])])
        coefficient = inverse @ (shuffled @ X)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            U = np.bincount(cell, shuffled, minlength=n_agents * width) - ZWX[k] @ coefficient
            if width > 1:
                U = _remove_agent_level(U, V[k], width)
            elif i == 0:
                some = V[k] > 0
                pearson = (float(np.sum(U[some] ** 2 / V[k][some])), float(some.sum() - 1))
            result[i, k] = np.sum(U**2 / (1.0 + sample.effect_variance * V[k]))
    return result, pearson


def _remove_agent_level(U: Floats, V: Floats, width: int) -> Floats:
    """Take an agent's overall deviation out of its deviations by value."""
    by_value, variance = U.reshape(-1, width), V.reshape(-1, width)
    total = np.maximum(variance.sum(axis=1, keepdims=True), 1e-12)
    left: Floats = by_value - variance / total * by_value.sum(axis=1, keepdims=True)
    return left.ravel()


def _order_by_stratum(predicted: Floats, rng: np.random.Generator) -> Ints:
    """Order rows (given in time order) so that runs of `STRATUM_ROWS` are alike in time and in prediction."""
    n = len(predicted)
    blocks = int(np.clip(np.sqrt(n / STRATUM_ROWS), 1, 30))
    block = np.arange(n) * blocks // max(n, 1)
    return np.lexsort((rng.random(n), predicted, block))


def _plain_chi2(known: OutcomeTable) -> tuple[float, int]:
    """Pearson's test of the table agents x (confirmed, cancelled), no-contacts left out."""
    rows = known.contacted
    n = np.bincount(known.agent[rows], minlength=len(known.agent_ids)).astype(np.float64)
    won = np.bincount(known.agent[rows], known.won[rows], minlength=len(known.agent_ids))[n > 0]
    n = n[n > 0]
    if len(n) < 2 or won.sum() in {0.0, n.sum()}:
        return 0.0, 0
    rate = won.sum() / n.sum()
    return float(np.sum((won - n * rate) ** 2 / (n * rate * (1 - rate)))), len(n) - 1
