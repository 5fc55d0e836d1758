"""Evidence: what the data can support, before any model is believed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dealwright.learn.backtest import Backtest, PreparedTable, backtest
from dealwright.learn.homogeneity import EFFECT_SD, compare_agents
from dealwright.learn.outcomes import tabulate_outcomes
from dealwright.learn.params import LearnParams
from dealwright.learn.verdict import Evidence, Verdict
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.links import sigmoid
from dealwright.stats.metrics import (
    Estimate,
    ProbabilityMetrics,
    mean_with_interval,
    measure_probabilities,
    row_log_losses,
)
from dealwright.stats.special import chi2_quantile, chi2_tail, find_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from dealwright.dimensions import Dimension
    from dealwright.learn.homogeneity import EffectTest, Homogeneity

_MANY_AGENTS = 100


def evidence(
    outcomes: pl.DataFrame,
    traits: pl.DataFrame,
    dimensions: Sequence[Dimension],
    params: LearnParams | None = None,
    *,
    seed: int = 0,
) -> Evidence:
    """Find out what the outcomes can support.

    Parameters
    ----------
    outcomes
        Columns of `schemas.OUTCOME_COLUMNS` and one per dimension.
    traits
        ``agent_id`` and one numeric column per trait.
    """
    params = params or LearnParams()
    rng = np.random.default_rng(seed)
    prepared = PreparedTable(tabulate_outcomes(outcomes, dimensions, traits["agent_id"].to_list()), rng)
    return judge(prepared, backtest(prepared, traits, params), params, rng)


def judge(
    prepared: PreparedTable, tested: Backtest | None, params: LearnParams, rng: np.random.Generator
) -> Evidence:
    """Put the tests and the out-of-time metrics together into a verdict."""
    known = prepared.table.take(prepared.table.settled)
    result = compare_agents(prepared.table, params.permutations, rng)
    each = np.bincount(known.agent)
    each = each[each > 0]
    rate = float(known.won.mean()) if len(known) else 0.0
    information = each.astype(np.float64) * rate * (1 - rate)
    metrics, gain = _measure_backtest(tested, params, rng)
    verdict = _decide(result, information, params)
    return Evidence(
        verdict=verdict,
        differ_in=_passing(result.tests, params.alpha) if verdict == "agents differ" else (),
        p_value=result.p_value,
        revenue_differ_in=_passing(result.revenue_tests, params.alpha),
        revenue_p_value=result.revenue_p_value,
        revenue_alone=params.revenue_alone,
        outcomes=len(known),
        wins=int(known.won.sum()),
        agents=len(each),
        power=find_power(params.worthwhile_sd, information, params.alpha),
        needed_outcomes=0 if verdict == "agents differ" else find_needed_outcomes(params, each, rate),
        worthwhile_sd=params.worthwhile_sd,
        target_power=params.target_power,
        alpha=params.alpha,
        permutations=result.permutations,
        chi2=result.chi2,
        chi2_df=result.chi2_df,
        chi2_p_value=result.chi2_p_value,
        plain_chi2=result.plain_chi2,
        plain_df=result.plain_df,
        plain_p_value=result.plain_p_value,
        plain_outcomes=result.plain_outcomes,
        tests=result.tests,
        revenue_tests=result.revenue_tests,
        metrics=metrics,
        log_loss_gain=gain,
    )


def _passing(tests: tuple[EffectTest, ...], alpha: float) -> tuple[str, ...]:
    return tuple(test.name for test in tests if test.adjusted_p_value <= alpha)


def _decide(result: Homogeneity, information: Floats, params: LearnParams) -> Verdict:
    if result.p_value <= params.alpha:
        return "agents differ"
    if find_power(params.large_sd, information, params.alpha) < params.least_power:
        return "too little data"
    return "no evidence that agents differ"


def find_power(effect_sd: float, information: Floats, alpha: float) -> float:
    """Probability of finding agents whose log-odds spread with this standard deviation.

    The test's statistic is a weighted sum of squared residuals over agents. With and without a spread it is
    approximated by a multiple of chi-squared with the same mean and variance (Satterthwaite 1946, "An
    Approximate Distribution of Estimates of Variance Components"). That is exact where agents share the
    outcomes equally, and no number of outcomes of one agent makes up for the others having none.

    Parameters
    ----------
    information
        Of each agent: outcomes times p (1 - p), the variance of the sum of its residuals.
    """
    v = information[information > 0]
    if len(v) < 2:
        return 0.0
    scale, df = _match_chi2(0.0, v)
    scale_apart, df_apart = _match_chi2(effect_sd, v)
    return chi2_tail(chi2_quantile(alpha, df) * scale / scale_apart, df_apart)


def _match_chi2(effect_sd: float, v: Floats) -> tuple[float, float]:
    """Return scale and degrees of freedom of the statistic when agents spread with a standard deviation."""
    weight = 1.0 / (1.0 + EFFECT_SD**2 * v)
    if len(v) > _MANY_AGENTS:
        part = weight * v * (1.0 + effect_sd**2 * v) * (1.0 - v / v.sum())
        mean, variance = part.sum(), 2.0 * (part**2).sum()
    else:
        # residuals are measured from the average of all agents, which ties them together
        covariance = np.diag(v) - np.outer(v, v) / v.sum()
        covariance += effect_sd**2 * covariance @ covariance
        weighted = np.sqrt(np.outer(weight, weight)) * covariance
        mean, variance = np.trace(weighted), 2.0 * (weighted**2).sum()
    return float(variance / (2.0 * mean)), float(2.0 * mean**2 / variance)


def find_needed_outcomes(params: LearnParams, each: Ints, rate: float) -> int | None:
    """Outcomes in all at which `find_power` reaches the target for the spread worth finding.

    Assumes the same agents, sharing outcomes as they do now, and the win rate seen so far.

    Returns
    -------
    None where no number of such outcomes would do: fewer than two agents have any, or all are wins or losses.
    """
    share = each[each > 0] / max(each.sum(), 1)
    if len(share) < 2 or not 0 < rate < 1:
        return None

    def lack(log_outcomes: float) -> float:
        information = np.exp(log_outcomes) * rate * (1 - rate) * share
        return params.target_power - find_power(params.worthwhile_sd, information, params.alpha)

    return int(np.ceil(np.exp(find_root(lack, 0.0, math.log(1e15), 1e-6)) - 1e-3))


def _measure_backtest(
    tested: Backtest | None, params: LearnParams, rng: np.random.Generator
) -> tuple[dict[str, ProbabilityMetrics], Estimate | None]:
    if tested is None or not 0 < tested.won.sum() < len(tested):
        return {}, None
    predictions: dict[str, Floats] = {
        "base_rate": tested.base_rate,
        "lead_only": sigmoid(tested.terms.lead_logit),
        "lead_agent": sigmoid(tested.terms.full_logit),
    }
    metrics = {
        name: measure_probabilities(tested.won, p, params.bootstrap, rng, tested.block)
        for name, p in predictions.items()
    }
    difference = row_log_losses(tested.won, predictions["lead_only"]) - row_log_losses(
        tested.won, predictions["lead_agent"]
    )
    return metrics, mean_with_interval(difference, params.bootstrap, rng)
