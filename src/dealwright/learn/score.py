"""Reference of the desk's ranking in NumPy: win probability with interval, and expected revenue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dealwright.learn.profile import build_profiles, query_weights
from dealwright.learn.slots import encode_values
from dealwright.learn.statistics import expected_amount, lead_logit
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.links import sigmoid

if TYPE_CHECKING:
    import polars as pl

    from dealwright.learn.model import MatchModel
    from dealwright.learn.statistics import AgentStatistics

Z_90 = 1.6449
"""Half-width of a 90 % interval of the standard normal distribution."""


@dataclass(frozen=True)
class Scores:
    """Scores of every lead with every agent; all arrays but ``agent_ids`` have the shape (leads, agents).

    ``low`` and ``high`` bound the win probability with 90 % confidence; ``expected_revenue`` is given a win.
    """

    agent_ids: Ints
    win_probability: Floats
    low: Floats
    high: Floats
    expected_revenue: Floats

    @property
    def value(self) -> Floats:
        """Win probability x expected revenue."""
        return self.win_probability * self.expected_revenue


def score(
    model: MatchModel, statistics: AgentStatistics, traits: pl.DataFrame, leads: pl.DataFrame
) -> Scores:
    """Score leads with all agents of the statistics.

    Parameters
    ----------
    traits
        ``agent_id`` and one column per trait.
    leads
        One column per dimension, null where unknown.
    """
    codes = encode_values(leads, model.dimensions)
    profiles = build_profiles(model, statistics, traits)
    n_agents, n_traits = len(profiles.agent_ids), len(model.traits)
    calibration = model.calibration
    lead = lead_logit(model, codes)[:, None]
    base = expected_amount(model.revenue.base, model.dimensions, codes)[:, None]
    package = expected_amount(model.revenue.package, model.dimensions, codes)[:, None]
    if model.agents_differ:
        affinity_query = query_weights(model, codes)
        trait_query = np.tile([trait.weight for trait in model.traits], (len(codes), 1)).reshape(
            len(codes), n_traits
        )
        agent = np.hstack([trait_query, affinity_query]) @ profiles.vector.T
        agent_variance = affinity_query**2 @ profiles.variance.T
        revenue = base * profiles.base_ratio + package * profiles.package_ratio
    else:
        agent = np.zeros((len(codes), n_agents))
        agent_variance = agent
        revenue = np.broadcast_to(base + package, agent.shape)
    final = calibration.intercept + calibration.slope * (lead + agent)
    half = Z_90 * np.sqrt(calibration.logit_variance + calibration.slope**2 * agent_variance)
    return Scores(
        agent_ids=profiles.agent_ids,
        win_probability=sigmoid(final),
        low=sigmoid(final - half),
        high=sigmoid(final + half),
        expected_revenue=np.ascontiguousarray(revenue),
    )
