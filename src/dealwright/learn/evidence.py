"""Evidence: what the data can support, in numbers and in words, before any model is believed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dealwright.learn.backtest import Backtest, PreparedTable, backtest
from dealwright.learn.fit import AgentTerms
from dealwright.learn.homogeneity import EffectTest, compare_agents
from dealwright.learn.metrics import Estimate, Metrics, mean_with_interval, measure, row_log_loss
from dealwright.learn.outcomes import tabulate_outcomes
from dealwright.learn.params import LearnParams
from dealwright.learn.slots import FloatArray
from dealwright.learn.wording import describe_numbers, describe_verdict
from dealwright.stats.links import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from dealwright.dimensions import Dimension
    from dealwright.learn.homogeneity import Homogeneity

_PLAIN_FIELDS = (
    "verdict", "p_value", "revenue_p_value", "revenue_alone", "outcomes", "agents", "power",
    "needed_outcomes", "worthwhile_sd", "target_power", "alpha", "permutations", "chi2", "chi2_df",
    "chi2_p_value", "plain_chi2", "plain_df", "plain_p_value", "plain_outcomes",
)  # fmt: skip

Verdict = Literal["agents differ", "no evidence that agents differ", "too little data"]


@dataclass(frozen=True)
class Evidence:
    """What the data can support.

    Attributes
    ----------
    verdict
        ``agents differ``, ``no evidence that agents differ`` or ``too little data``.
    differ_in
        What their win rates differ in: ``overall``, and dimensions; empty unless agents differ.
    p_value
        Of the hypothesis that all agents win alike, by shuffling outcomes among comparable leads.
    revenue_differ_in, revenue_p_value
        The same for the money a win brings: ``base_revenue``, ``package_revenue``. A finding of its own,
        that does not change the verdict, which is about winning.
    revenue_alone
        Whether agents may be told apart by revenue where their win rates cannot be told apart.
    outcomes, agents
        Outcomes known (pending ones are none), and agents who have any.
    power
        Probability that this test, on these outcomes, finds a spread of ``LearnParams.worthwhile_sd``
        between agents.
    needed_outcomes
        Outcomes in all that would find that spread with probability ``target_power``, the same agents
        sharing them as now; 0 once agents differ.
    metrics
        Out of time, for ``base_rate``, ``lead_only`` and ``lead_agent``; empty where there are too few
        outcomes.
    log_loss_gain
        How much lower the log loss gets by knowing the agent (paired, out of time); None where there is none.
    """

    verdict: Verdict
    differ_in: tuple[str, ...]
    p_value: float
    revenue_differ_in: tuple[str, ...]
    revenue_p_value: float
    revenue_alone: bool
    outcomes: int
    agents: int
    power: float
    needed_outcomes: int
    worthwhile_sd: float
    target_power: float
    alpha: float
    permutations: int
    chi2: float
    chi2_df: int
    chi2_p_value: float
    plain_chi2: float
    plain_df: int
    plain_p_value: float
    plain_outcomes: int
    tests: tuple[EffectTest, ...]
    revenue_tests: tuple[EffectTest, ...]
    metrics: dict[str, Metrics]
    log_loss_gain: Estimate | None

    @property
    def agents_differ(self) -> bool:
        """Whether agents are found to win at different rates."""
        return self.verdict == "agents differ"

    @property
    def terms(self) -> AgentTerms:
        """The agent terms a model may carry."""
        money = self.agents_differ or self.revenue_alone
        return AgentTerms(
            win=self.agents_differ,
            base_revenue=money and "base_revenue" in self.revenue_differ_in,
            package_revenue=money and "package_revenue" in self.revenue_differ_in,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-serialisable values."""
        plain = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        return {
            **plain,
            "differ_in": list(self.differ_in),
            "revenue_differ_in": list(self.revenue_differ_in),
            "tests": [asdict(test) for test in self.tests],
            "revenue_tests": [asdict(test) for test in self.revenue_tests],
            "metrics": {name: metrics.to_dict() for name, metrics in self.metrics.items()},
            "log_loss_gain": None if self.log_loss_gain is None else self.log_loss_gain.to_dict(),
            "text": self.text,
        }

    @property
    def text(self) -> str:
        """The verdict in a sentence or two, for everybody."""
        return describe_verdict(self)

    def summary(self) -> str:
        """Return the verdict with its numbers, a few lines."""
        return describe_numbers(self)


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
    agents = len(np.unique(known.agent))
    rate = float(known.won.mean()) if len(known) else 0.0
    information = len(known) * rate * (1 - rate) / max(agents, 1)
    metrics, gain = _measure_backtest(tested, params, rng)
    verdict = _decide(result, agents, information, params)
    return Evidence(
        verdict=verdict,
        differ_in=_passing(result.tests, params.alpha) if verdict == "agents differ" else (),
        p_value=result.p_value,
        revenue_differ_in=_passing(result.revenue_tests, params.alpha),
        revenue_p_value=result.revenue_p_value,
        revenue_alone=params.revenue_alone,
        outcomes=len(known),
        agents=agents,
        power=find_power(params.worthwhile_sd, agents, information, params.alpha),
        needed_outcomes=0 if verdict == "agents differ" else find_needed_outcomes(params, agents, rate),
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


def _decide(result: Homogeneity, agents: int, information: float, params: LearnParams) -> Verdict:
    if result.p_value <= params.alpha:
        return "agents differ"
    if find_power(params.large_sd, agents, information, params.alpha) < params.least_power:
        return "too little data"
    return "no evidence that agents differ"


def find_power(effect_sd: float, agents: int, information: float, alpha: float) -> float:
    """Probability of finding agents whose log-odds spread with this standard deviation.

    With equally many outcomes each, the sum of squared standardised residuals over agents is chi-squared,
    stretched by ``1 + effect_sd^2 * information``, where information is outcomes per agent times p (1 - p)
    (the variance of a sum of residuals under a normal random effect, to first order).
    """
    from scipy.stats import chi2

    if agents < 2:
        return 0.0
    return float(chi2.sf(chi2.isf(alpha, agents - 1) / (1.0 + effect_sd**2 * information), agents - 1))


def find_needed_outcomes(params: LearnParams, agents: int, rate: float) -> int:
    """Outcomes in all at which `find_power` reaches the target for the spread worth finding.

    Assumes the same agents, sharing outcomes equally, and the win rate seen so far (1/2 where none was seen).
    """
    from scipy.stats import chi2

    agents = max(agents, 2)
    spread = rate * (1 - rate) if 0 < rate < 1 else 0.25
    stretch = chi2.isf(params.alpha, agents - 1) / chi2.isf(params.target_power, agents - 1)
    return int(np.ceil((stretch - 1.0) / params.worthwhile_sd**2 / spread * agents))


def _measure_backtest(
    tested: Backtest | None, params: LearnParams, rng: np.random.Generator
) -> tuple[dict[str, Metrics], Estimate | None]:
    if tested is None or not 0 < tested.won.sum() < len(tested):
        return {}, None
    predictions: dict[str, FloatArray] = {
        "base_rate": tested.base_rate,
        "lead_only": sigmoid(tested.terms.lead_logit),
        "lead_agent": sigmoid(tested.terms.full_logit),
    }
    metrics = {name: measure(tested.won, p, params.bootstrap, rng) for name, p in predictions.items()}
    difference = row_log_loss(tested.won, predictions["lead_only"]) - row_log_loss(
        tested.won, predictions["lead_agent"]
    )
    return metrics, mean_with_interval(difference, params.bootstrap, rng)
