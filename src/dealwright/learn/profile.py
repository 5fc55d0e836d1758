"""Profiles: an agent as a vector of standardised traits and shrunken affinities, from the agent's statistics.

A lead's win logit is an inner product of its query vector with the agent's profile, so the desk ranks
with one vector operation, and element k explains ``profile[k] * query[k]`` of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.learn.slots import slot_groups
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.links import logit, sigmoid

if TYPE_CHECKING:
    from dealwright.learn.model import MatchModel, Trait
    from dealwright.learn.statistics import AgentStatistics


MIX_PRIOR = 10.0
"""Outcomes that everybody's mix of values is worth in an agent's own mix."""


@dataclass(frozen=True)
class Profiles:
    """Profile of every agent."""

    agent_ids: Ints  # shape (agents,)
    vector: Floats  # shape (agents, traits + slots): standardised traits, then affinities (log-odds)
    variance: Floats  # shape (agents, slots): posterior variance of each affinity
    # shape (agents,): shrunken ratio of the agent's revenue to what the lead-only model expects
    base_ratio: Floats
    package_ratio: Floats


def spread_unknown(known: Floats, counted: Floats, value_share: Floats, groups: tuple[slice, ...]) -> Floats:
    """Spread the outcomes whose value is unknown over the slots of that dimension, by the agent's own mix.

    What is not in a dimension's slots but in slot 0 belongs to leads without a value there. Left out, they
    would mislead: where a value is only recorded with the booking, all leads that were never reached lack
    it, and every agent would look better value by value than overall. An agent's mix is its outcomes by
    value plus `MIX_PRIOR` outcomes of everybody's mix.

    Parameters
    ----------
    known, counted
        Shape (agents, slots): outcomes known, and what to spread: those, the won ones or the expected ones.
    value_share
        Shape (slots,).
    """
    spread = counted.copy()
    for group in groups[1:]:
        with_value = known[:, group].sum(axis=1, keepdims=True)
        mix = (known[:, group] + MIX_PRIOR * value_share[group]) / (with_value + MIX_PRIOR)
        unknown = counted[:, :1] - counted[:, group].sum(axis=1, keepdims=True)
        spread[:, group] += mix * np.maximum(unknown, 0.0)
    return spread


def compute_affinities(
    *, known: Floats, won: Floats, expected: Floats, prior_strength: Floats, prior_mean: float
) -> tuple[Floats, Floats]:
    """Return shrunken affinities and their posterior variances, both of the shape (agents, slots).

    Overall, the posterior mean of a beta-binomial model whose prior has the mean ``mu = expected / known``
    (what the agent's leads would have given with an average agent) and the strength ``m``: ``(won + m mu) /
    (known + m)``, as a difference of log-odds to ``mu``. A dimension's slot does the same with ``mu`` moved
    by the agent's overall affinity, so that it holds only what is particular to that value. Source: Efron &
    Morris (1975), "Data Analysis Using Stein's Estimator and Its Generalizations"; Casella (1985), "An
    Introduction to Empirical Bayes Data Analysis". The variance on the logit scale is the delta method's,
    ``1 / ((known + m) mu (1 - mu))``.

    Parameters
    ----------
    known, won, expected
        Shape (agents, slots), from `spread_unknown`; the first column is the agent overall.
    prior_strength
        Shape (slots,).
    prior_mean
        Win probability that stands in for ``mu`` where nothing is known.
    """
    seen = known > 0
    mean = np.clip(np.where(seen, expected / np.where(seen, known, 1.0), prior_mean), 1e-6, 1 - 1e-6)
    affinity = np.zeros_like(known)
    for slots in (slice(0, 1), slice(1, None)):
        if slots.start:
            moved = np.clip(sigmoid(logit(mean[:, slots]) + affinity[:, :1]), 1e-6, 1 - 1e-6)
            mean[:, slots] = np.where(seen[:, slots], moved, mean[:, slots])
        mu, strength = mean[:, slots], prior_strength[slots]
        posterior = (won[:, slots] + strength * mu) / (known[:, slots] + strength)
        affinity[:, slots] = np.where(seen[:, slots], logit(posterior) - logit(mu), 0.0)
    variance = 1.0 / ((known + prior_strength) * mean * (1.0 - mean))
    return affinity, variance


def build_profiles(model: MatchModel, statistics: AgentStatistics, traits: pl.DataFrame) -> Profiles:
    """Compute every agent's profile.

    Parameters
    ----------
    traits
        ``agent_id`` and one numeric column per trait of the model; a missing agent, column or value counts as
        average.
    """
    shares = np.array(model.value_share)
    affinity, variance = compute_affinities(
        known=spread_unknown(statistics.known, statistics.known, shares, model.groups),
        won=spread_unknown(statistics.known, statistics.won, shares, model.groups),
        expected=spread_unknown(statistics.known, statistics.expected, shares, model.groups),
        prior_strength=np.array(model.prior_strength),
        prior_mean=float(sigmoid(model.lead_bias)),
    )
    ratio = {}
    for name, strength in (
        ("base", model.revenue.base_prior_strength),
        ("package", model.revenue.package_prior_strength),
    ):
        total, expected = getattr(statistics, f"{name}_sum"), getattr(statistics, f"{name}_expected")
        # with no prior strength and nothing sold, the ratio is the average agent's
        ratio[name] = np.where(
            expected + strength > 0, (total + strength) / np.maximum(expected + strength, 1e-300), 1.0
        )
    return Profiles(
        agent_ids=statistics.agent_ids,
        vector=np.hstack([standardise_traits(model.traits, statistics.agent_ids, traits), affinity]),
        variance=variance,
        base_ratio=ratio["base"],
        package_ratio=ratio["package"],
    )


def standardise_traits(described: tuple[Trait, ...], agent_ids: Ints, traits: pl.DataFrame) -> Floats:
    """Return ``(value - mean) / sd`` per agent and trait; 0 where unknown."""
    matched = pl.DataFrame({"agent_id": agent_ids}).join(
        traits, on="agent_id", how="left", maintain_order="left"
    )
    columns = [
        ((matched[trait.name].cast(pl.Float64) - trait.mean) / trait.sd).fill_null(0.0).to_numpy()
        if trait.name in matched.columns and trait.sd > 0
        else np.zeros(len(agent_ids))
        for trait in described
    ]
    return np.column_stack(columns) if columns else np.zeros((len(agent_ids), 0))


def query_weights(model: MatchModel, codes: Ints) -> Floats:
    """Return the affinity part of each lead's query, shape (leads, slots): weights where its values match."""
    groups = slot_groups(model.dimensions)
    weight = np.array(model.affinity_weight)
    query = np.zeros((len(codes), len(weight)))
    query[:, 0] = weight[0]
    rows = np.arange(len(codes))
    for j, group in enumerate(groups[1:]):
        seen = codes[:, j] >= 0
        slot = group.start + codes[seen, j]
        query[rows[seen], slot] = weight[slot]
    return query
