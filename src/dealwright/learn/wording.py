"""The evidence in words: what the verdict means, and the numbers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dealwright.learn.evidence import Evidence


def describe_verdict(evidence: Evidence) -> str:
    """Say the verdict in a few sentences, for everybody."""
    return f"{_describe_winning(evidence)}{_describe_revenue(evidence)}"


def _describe_revenue(evidence: Evidence) -> str:
    if not evidence.revenue_differ_in:
        return ""
    kinds = " and ".join(name.replace("_revenue", "") for name in evidence.revenue_differ_in)
    used = evidence.terms.base_revenue or evidence.terms.package_revenue
    use = "and the model uses it" if used else "which the model does not use (parameter revenue_alone)"
    p = f"p = {evidence.revenue_p_value:.3f}"
    return f" What a win brings does differ between agents ({kinds} revenue, {p}), {use}."


def _describe_winning(evidence: Evidence) -> str:
    seen = f"{evidence.outcomes:,} outcomes of {evidence.agents} agents"
    if evidence.verdict == "agents differ":
        where = ", ".join(
            "win rate" if n == "overall" else f"by {n.replace('_', ' ')}" for n in evidence.differ_in
        )
        return f"Agents differ beyond chance (p = {evidence.p_value:.3f}, {seen}) in: {where}."
    spread = (
        "a spread worth acting on (one agent in six winning at "
        f"{np.exp(evidence.worthwhile_sd):.2f} times the average agent's odds or better)"
    )
    needed = (
        f"To find {spread} with {evidence.target_power:.0%} certainty takes about "
        f"{evidence.needed_outcomes:,} outcomes, shared by the same agents."
        if evidence.needed_outcomes > evidence.outcomes
        else f"There are enough outcomes to have found {spread}."
    )
    if evidence.verdict == "too little data":
        return f"Too little data: {seen} cannot show whether agents differ. {needed}"
    return (
        f"No evidence that agents differ (p = {evidence.p_value:.2f}, {seen}): "
        f"their results vary as much as luck and the leads they were given make them vary. {needed}"
    )


def describe_numbers(evidence: Evidence) -> str:
    """Say the verdict and list the numbers behind it."""
    expected = (
        f"Wins against those expected from the leads: chi2 = {evidence.chi2:.1f} on {evidence.chi2_df} df "
        f"(p = {evidence.chi2_p_value:.2f})."
    )
    plain = (
        f"Confirmed against cancelled bookings, leads ignored: chi2 = {evidence.plain_chi2:.1f} on "
        f"{evidence.plain_df} df (p = {evidence.plain_p_value:.2f}, {evidence.plain_outcomes:,} bookings)."
    )
    lines = [describe_verdict(evidence), expected, plain]
    lines += [
        f"{test.name}: p = {test.p_value:.3f}, corrected for {len(tests)} tests "
        f"{test.adjusted_p_value:.3f} ({test.outcomes:,} outcomes)"
        for tests in (evidence.tests, evidence.revenue_tests)
        for test in tests
    ]
    lines += [
        f"{name.replace('_', ' ')}, out of time: "
        f"log loss {m.log_loss}, AUC {m.auc}, Brier {m.brier}, ECE {m.ece}"
        for name, m in evidence.metrics.items()
    ]
    if evidence.log_loss_gain is not None:
        lines.append(f"Log loss gained by knowing the agent: {evidence.log_loss_gain}")
    return "\n".join(lines)
