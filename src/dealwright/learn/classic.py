"""The nine weights of the classic Match Score, learned the way they were published.

A logistic regression without intercept on percentile-ranked features of past assignments. The revenue feature
is that of the assignment itself, so it is zero unless the assignment was won: the outcome leaks into it. That
is why the weight of revenue dwarfs all others, and why the accuracy in time says nothing. It is here to
reproduce what people are used to, and it is not the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.errors import EvidenceError
from dealwright.stats.glm import fit_glm

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSIC_WEIGHTS = (
    "rating_score",
    "experience_score",
    "revenue_score",
    "dest_expertise_score",
    "lead_conversion_score",
    "communication_score",
    "requirements_score",
    "recency_score",
    "availability_score",
)
_RECENT = timedelta(days=30)
_LUXURY_DEPARTMENT = "Luxury Voyages"


@dataclass(frozen=True)
class ClassicResult:
    """Weights of the classic Match Score."""

    # logistic regression coefficients by feature name; only their ratios matter to the score
    weights: Mapping[str, float]
    # past assignments learned from, and how many of them were won
    assignments: int
    won: int

    def summary(self) -> str:
        """List the weights, the largest first."""
        order = sorted(self.weights.items(), key=lambda item: -abs(item[1]))
        return "\n".join(
            [
                f"{self.assignments:,} assignments, {self.won:,} won",
                *(f"{name}: {weight:+.3f}" for name, weight in order),
            ]
        )


def fit_classic_weights(outcomes: pl.DataFrame, agents: pl.DataFrame) -> ClassicResult:
    """Learn the classic weights from all assignments.

    Parameters
    ----------
    outcomes
        Columns of `schemas.OUTCOME_COLUMNS`, one per dimension, and ``requirements`` if there are any; the
        features look for the dimensions ``destination``, ``lead_source`` and ``communication_method``.
    agents
        ``agent_id, rating, years_of_service, department, open, capacity``.

    Raises
    ------
    EvidenceError
        Not both won and other assignments.
    """
    table = outcomes.join(agents, on="agent_id", how="inner", maintain_order="left").with_columns(
        won=pl.col("won").fill_null(value=False)
    )
    won = table["won"].to_numpy()
    if not 0 < won.sum() < len(won):
        raise EvidenceError(
            "the classic weights need assignments that were won and others that were not: "
            f"there are {int(won.sum())} won of {len(won)}"
        )
    features = classic_features(table).select(
        # requirements stay 0 or 1, as in the score itself
        pl.col(name) if name == "requirements_score" else _percent_rank(name)
        for name in CLASSIC_WEIGHTS
    )
    # as published: the ridge penalty of a library that penalises by default
    fit = fit_glm(features.to_numpy(), won.astype(np.float64), family="binomial", prior_precision=1.0)
    weights = {name: float(weight) for name, weight in zip(CLASSIC_WEIGHTS, fit.weights, strict=True)}
    return ClassicResult(weights, len(won), int(won.sum()))


def classic_features(table: pl.DataFrame) -> pl.DataFrame:
    """Compute the nine features of past assignments, joined with their agents, before ranking.

    An agent's figures count its whole history, as published; a denominator of 0 gives 0, availability 1.
    """
    won = pl.col("won")
    latest = table.filter(won)["known_at"].max()
    recent = won & (pl.col("known_at") >= pl.lit(latest) - _RECENT)
    wins = won.sum().over("agent_id")
    luxury = pl.lit(0.0)
    if "requirements" in table.columns:
        wanted = (
            pl.col("requirements")
            .str.to_lowercase()
            .str.contains("luxury", literal=True)
            .fill_null(value=False)
        )
        luxury = (wanted & (pl.col("department") == _LUXURY_DEPARTMENT).fill_null(value=False)).cast(
            pl.Float64
        )
    return table.select(
        rating_score=pl.col("rating").fill_null(-np.inf),
        experience_score=pl.col("years_of_service").fill_null(-np.inf),
        revenue_score=pl.when(won)
        .then(pl.col("base_revenue").fill_null(0.0) + pl.col("package_revenue").fill_null(0.0))
        .otherwise(0.0),
        dest_expertise_score=_share(table, "destination", wins),
        lead_conversion_score=_share(table, "lead_source", None),
        communication_score=_share(table, "communication_method", None),
        requirements_score=luxury,
        recency_score=_ratio(recent.sum().over("agent_id"), wins),
        availability_score=pl.when(pl.col("capacity") > 0)
        .then(1.0 - pl.col("open") / pl.col("capacity"))
        .otherwise(1.0),
    )


def _share(table: pl.DataFrame, dimension: str, denominator: pl.Expr | None) -> pl.Expr:
    """Wins of the agent with the row's value, over a denominator or its assignments with that value."""
    if dimension not in table.columns:
        return pl.lit(0.0)
    of_value = pl.col("won").sum().over("agent_id", dimension)
    share = _ratio(of_value, pl.len().over("agent_id", dimension) if denominator is None else denominator)
    return pl.when(pl.col(dimension).is_not_null()).then(share).otherwise(0.0)


def _ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    return pl.when(denominator > 0).then(numerator / denominator).otherwise(0.0)


def _percent_rank(name: str) -> pl.Expr:
    """SQL's ``percent_rank``: (rank - 1) / (n - 1), ties share the lowest rank."""
    return ((pl.col(name).rank("min") - 1) / (pl.len() - 1).clip(lower_bound=1)).cast(pl.Float64).alias(name)
