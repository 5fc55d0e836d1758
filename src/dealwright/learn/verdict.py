"""The verdict on what the data can support, and how it is said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dealwright.learn.fit import AgentTerms
from dealwright.wording import count_of, describe_p

if TYPE_CHECKING:
    from dealwright.learn.homogeneity import EffectTest
    from dealwright.stats.metrics import Estimate, ProbabilityMetrics

_PLAIN_FIELDS = (
    "verdict", "p_value", "revenue_p_value", "revenue_alone", "outcomes", "wins", "agents", "power",
    "needed_outcomes", "worthwhile_sd", "target_power", "alpha", "permutations", "chi2", "chi2_df",
    "chi2_p_value", "plain_chi2", "plain_df", "plain_p_value", "plain_outcomes",
)  # fmt: skip

Verdict = Literal["agents differ", "no evidence that agents differ", "too little data"]


@dataclass(frozen=True)
class Evidence:
    """What the data can support."""

    verdict: Verdict  # `agents differ`, `no evidence that agents differ` or `too little data`
    # what their win rates differ in: `overall`, and dimensions; empty unless agents differ
    differ_in: tuple[str, ...]
    # of the hypothesis that all agents win alike, by shuffling outcomes among comparable leads
    p_value: float
    # the same for the money a win brings: `base_revenue`, `package_revenue`. A finding of its own, that does
    # not change the verdict, which is about winning.
    revenue_differ_in: tuple[str, ...]
    revenue_p_value: float
    # whether agents may be told apart by revenue where their win rates cannot be told apart
    revenue_alone: bool
    # outcomes known (pending ones are none), how many of them are wins, and agents who have any
    outcomes: int
    wins: int
    agents: int
    # probability that this test, on these outcomes, finds a spread of `LearnParams.worthwhile_sd` between
    # agents
    power: float
    # outcomes in all that would find that spread with probability `target_power`, the same agents sharing
    # them as now; 0 once agents differ, None where no number of the same kind would: there is one agent, or
    # nothing but wins or losses
    needed_outcomes: int | None
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
    # out of time, for `base_rate`, `lead_only` and `lead_agent`, each fitted anew before every block; empty
    # where there are too few outcomes
    metrics: dict[str, ProbabilityMetrics]
    # how much lower the log loss gets by knowing the agent (paired, out of time); None where there is none
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
        return f"{_describe_winning(self)}{_describe_revenue(self)}"

    def summary(self) -> str:
        """Return the verdict with its numbers, a few lines."""
        return "\n".join([self.text, *_describe_tests(self), *_describe_metrics(self)])


def _describe_revenue(evidence: Evidence) -> str:
    if not evidence.revenue_differ_in:
        return ""
    kinds = " and ".join(name.replace("_revenue", "") for name in evidence.revenue_differ_in)
    used = evidence.terms.base_revenue or evidence.terms.package_revenue
    use = "and the model uses it" if used else "which the model does not use (parameter revenue_alone)"
    p = describe_p(evidence.revenue_p_value, evidence.permutations)
    return f" What a win brings does differ between agents ({kinds} revenue, {p}), {use}."


def _describe_winning(evidence: Evidence) -> str:
    seen = f"{count_of(evidence.outcomes, 'outcome')} of {count_of(evidence.agents, 'agent')}"
    p = describe_p(evidence.p_value, evidence.permutations)
    if evidence.verdict == "agents differ":
        where = ", ".join(
            "win rate" if n == "overall" else f"by {n.replace('_', ' ')}" for n in evidence.differ_in
        )
        return f"Agents differ beyond chance ({p}, {seen}) in: {where}."
    if evidence.needed_outcomes is None:
        return f"Too little data: {_describe_what_is_missing(evidence)}"
    spread = (
        "a spread worth acting on (one agent in six winning at "
        f"{np.exp(evidence.worthwhile_sd):.2f} times the average agent's odds or better)"
    )
    needed = (
        f"To find {spread} with {evidence.target_power:.0%} certainty takes about "
        f"{evidence.needed_outcomes:,} outcomes, shared by the same agents as now."
        if evidence.needed_outcomes > evidence.outcomes
        else f"There are enough outcomes to have found {spread}."
    )
    if evidence.verdict == "too little data":
        return f"Too little data: {seen} cannot show whether agents differ. {needed}"
    return (
        f"No evidence that agents differ ({p}, {seen}): "
        f"their results vary as much as luck and the leads they were given make them vary. {needed}"
    )


def _describe_what_is_missing(evidence: Evidence) -> str:
    """Say what to bring where more outcomes of the same kind would show nothing."""
    n = evidence.outcomes
    if n == 0:
        return "no outcome is known yet."
    only = {1: "the only outcome is", 2: "both outcomes are"}.get(n, f"all {n:,} outcomes are")
    parts = []
    if evidence.agents == 1:
        parts.append(
            f"{only} of one agent, and there is nobody to compare with. It takes outcomes of other agents: "
            "more of the same agent show nothing."
        )
    if evidence.wins == n:
        parts.append(
            f"{only} {'a win' if n == 1 else 'wins'}, and no loss is among them, as in a table of sales. "
            "It takes the losses as well: more wins show nothing."
        )
    elif evidence.wins == 0:
        parts.append(
            f"{only} {'a loss' if n == 1 else 'losses'}, and no win is among them. "
            "It takes the wins as well: more losses show nothing."
        )
    first, *others = parts
    return " ".join([first, *(f"And {other}" for other in others)])


def _describe_tests(evidence: Evidence) -> list[str]:
    lines = []
    if evidence.chi2_df:
        lines.append(
            f"Wins against those expected from the leads: chi2 = {evidence.chi2:.1f} "
            f"on {evidence.chi2_df} df ({describe_p(evidence.chi2_p_value)})."
        )
    if evidence.plain_df:
        lines.append(
            f"Confirmed against cancelled bookings, leads ignored: chi2 = {evidence.plain_chi2:.1f} on "
            f"{evidence.plain_df} df ({describe_p(evidence.plain_p_value)}, "
            f"{count_of(evidence.plain_outcomes, 'booking')})."
        )
    return lines + [
        f"{test.name}: {describe_p(test.p_value, evidence.permutations)}, corrected for "
        f"{count_of(len(tests), 'test')} {describe_p(test.adjusted_p_value, evidence.permutations)} "
        f"({count_of(test.outcomes, 'outcome')})"
        for tests in (evidence.tests, evidence.revenue_tests)
        for test in tests
    ]


def _describe_metrics(evidence: Evidence) -> list[str]:
    lines = [
        f"{name.replace('_', ' ')}, out of time: "
        f"log loss {m.log_loss}, AUC {m.auc}, Brier {m.brier}, ECE {m.ece}"
        for name, m in evidence.metrics.items()
    ]
    if evidence.log_loss_gain is not None:
        lines.append(f"Log loss gained by knowing the agent: {evidence.log_loss_gain}")
    return lines
