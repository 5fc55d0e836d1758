"""Agent statistics: what is known of every agent's outcomes, counted from scratch.

The desk keeps the same numbers incrementally in SQL; this is the recount they are checked against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.learn.slots import encode_values, gather_weights, slot_groups, slot_names, weights_in_order
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.links import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealwright.dimensions import Dimension
    from dealwright.learn.model import AmountModel, MatchModel


@dataclass(frozen=True)
class AgentStatistics:
    """Counts over the outcomes known so far (won or lost), per agent and slot."""

    agent_ids: Ints  # shape (agents,), ascending
    # shape (agents, slots): outcomes known, won, and the sum of their lead-only win probabilities. A
    # dimension's slot counts the outcomes whose value matches.
    known: Floats
    won: Floats
    expected: Floats
    # shape (agents,): money of the won outcomes, and what the revenue model expected of them
    base_sum: Floats
    base_expected: Floats
    package_sum: Floats
    package_expected: Floats

    def to_frame(self, dimensions: Sequence[Dimension]) -> pl.DataFrame:
        """Return one row per agent and slot (``agent_id, slot, slot_name, known, won, expected``)."""
        names = slot_names(dimensions)
        agents, slots = self.known.shape
        return pl.DataFrame(
            {
                "agent_id": np.repeat(self.agent_ids, slots),
                "slot": np.tile(np.arange(slots), agents),
                "slot_name": np.tile(np.array(names, dtype=object), agents).tolist(),
                "known": self.known.ravel(),
                "won": self.won.ravel(),
                "expected": self.expected.ravel(),
            }
        )


def lead_logit(model: MatchModel, codes: Ints) -> Floats:
    """Return the lead-only logit, before calibration, of leads coded by `encode_values`."""
    return model.lead_bias + gather_weights(codes, weights_in_order(model.dimensions, model.lead_weights))


def expected_amount(amount: AmountModel, dimensions: Sequence[Dimension], codes: Ints) -> Floats:
    """Return the expected money given won of leads coded by `encode_values`."""
    result: Floats = np.exp(amount.bias + gather_weights(codes, weights_in_order(dimensions, amount.weights)))
    return result


def count_statistics(
    outcomes: pl.DataFrame, model: MatchModel, agent_ids: Sequence[int] | Ints | None = None
) -> AgentStatistics:
    """Count the statistics of every agent from scratch.

    Parameters
    ----------
    outcomes
        Columns of `schemas.OUTCOME_COLUMNS` and one per dimension; rows whose ``won`` is null (pending) are
        left out.
    model
        Gives the lead-only probabilities and the expected revenues.
    agent_ids
        Agents to count, also those without any outcome; by default those that occur.
    """
    known = outcomes.filter(pl.col("won").is_not_null())
    ids = np.unique(np.asarray(agent_ids if agent_ids is not None else outcomes["agent_id"], dtype=np.int64))
    known = known.filter(pl.col("agent_id").is_in(ids.tolist()))
    agent = np.searchsorted(ids, known["agent_id"].to_numpy())
    codes = encode_values(known, model.dimensions)
    won = known["won"].to_numpy().astype(np.float64)
    expected = sigmoid(lead_logit(model, codes))
    groups = slot_groups(model.dimensions)

    shape = (len(ids), groups[-1].stop)
    counted = {"known": np.zeros(shape), "won": np.zeros(shape), "expected": np.zeros(shape)}
    for name, weight in (("known", None), ("won", won), ("expected", expected)):
        counted[name][:, 0] = np.bincount(agent, weight, minlength=len(ids))
        for j, group in enumerate(groups[1:]):
            seen = codes[:, j] >= 0
            width = group.stop - group.start
            cell = agent[seen] * width + codes[seen, j]
            cell_weight = None if weight is None else weight[seen]
            counted[name][:, group] = np.bincount(cell, cell_weight, minlength=len(ids) * width).reshape(
                -1, width
            )

    win = won > 0
    money: dict[str, Floats] = {}
    for name, amount in (("base", model.revenue.base), ("package", model.revenue.package)):
        column = known[f"{name}_revenue"].cast(pl.Float64)
        # a won outcome whose amount is unknown says nothing about the agent's ratio
        seen = win & column.is_not_null().to_numpy()
        amounts = expected_amount(amount, model.dimensions, codes[seen])
        total = np.bincount(agent[seen], column.fill_null(0.0).to_numpy()[seen], minlength=len(ids))
        expected_total = np.bincount(agent[seen], amounts, minlength=len(ids))
        money[f"{name}_sum"] = total.astype(np.float64)
        money[f"{name}_expected"] = expected_total.astype(np.float64)
    return AgentStatistics(agent_ids=ids, **counted, **money)
