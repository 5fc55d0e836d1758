"""Fits the match model to outcomes: lead model, prior strengths, query weights, revenue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.learn.asof import AsOfCounter
from dealwright.learn.lead_model import LeadModel, fit_amount_model, fit_win_model
from dealwright.learn.model import (
    FIXED_RATIO,
    FULL_SHRINKAGE,
    AmountModel,
    Calibration,
    MatchModel,
    RevenueModel,
    Trait,
)
from dealwright.learn.outcomes import value_shares
from dealwright.learn.profile import compute_affinities, spread_unknown, standardise_traits
from dealwright.learn.shrinkage import (
    expect_spread,
    fit_prior_strength,
    fit_ratio_strength,
    fit_value_strength,
)
from dealwright.learn.slots import slot_groups, weights_by_dimension
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.glm import fit_glm
from dealwright.stats.links import logit, sigmoid

if TYPE_CHECKING:
    from dealwright.learn.outcomes import OutcomeTable

_AFFINITY_PRECISION = 16.0
_TRAIT_PRECISION = 100.0


@dataclass(frozen=True)
class AgentTerms:
    """Which agent terms the evidence allows the model to carry."""

    win: bool = True
    base_revenue: bool = True
    package_revenue: bool = True

    @property
    def any(self) -> bool:
        """Whether the model tells agents apart at all."""
        return self.win or self.base_revenue or self.package_revenue


def fit_match_model(
    table: OutcomeTable, traits: pl.DataFrame, terms: AgentTerms, *, counter: AsOfCounter, codes: Ints
) -> MatchModel:
    """Fit a match model, not yet calibrated, to the settled outcomes of a table.

    Parameters
    ----------
    traits
        ``agent_id`` and one numeric column per trait.
    counter, codes
        As-of sums of the table's rows, and their values with the unknown ones filled in. The counter may
        see more outcomes than the table has settled: a row only ever sees what was known before it.
    """
    known = table.take(table.settled)
    shares = value_shares(known)
    lead = fit_win_model(known.codes, known.won, shares)
    groups = slot_groups(table.dimensions)
    n_slots = groups[-1].stop
    strength = np.full(n_slots, FULL_SHRINKAGE)
    affinity_weight = np.zeros(n_slots)
    trait_list: tuple[Trait, ...] = ()
    spread = 0.0
    if not terms.win:
        n, won, expected = (column[:, 0] for column in spread_counts(known, lead, shares))
        spread = expect_spread(n, won, expected / np.maximum(n, 1e-12))
    else:
        strength = _fit_strengths(known, lead, shares)
        trait_list = _describe_traits(traits)
        rows = np.flatnonzero(table.settled)
        affinity = affinities_as_of(table, counter, codes, lead, prior_strength=strength, shares=shares)[rows]
        standard = standardise_traits(trait_list, table.agent_ids, traits)[table.agent[rows]]
        trait_weight, group_weight = _fit_query(
            lead.predict_linear(codes[rows]), standard, affinity, known.won
        )
        trait_list = tuple(
            Trait(trait.name, trait.mean, trait.sd, float(weight))
            for trait, weight in zip(trait_list, trait_weight, strict=True)
        )
        for group, weight in zip(groups, group_weight, strict=True):
            # an element that never moves needs no weight either
            affinity_weight[group] = weight if strength[group.start] < FULL_SHRINKAGE else 0.0
    return MatchModel(
        dimensions=table.dimensions,
        lead_bias=lead.bias,
        lead_weights=weights_by_dimension(table.dimensions, lead.weights),
        traits=trait_list,
        prior_strength=tuple(strength.tolist()),
        value_share=tuple(np.concatenate([[1.0], *shares]).tolist()),
        affinity_weight=tuple(affinity_weight.tolist()),
        calibration=Calibration(logit_variance=lead.variance + spread),
        revenue=_fit_revenue(known, shares, terms),
        agents_differ=terms.any,
    )


def affinities_as_of(
    table: OutcomeTable,
    counter: AsOfCounter,
    codes: Ints,
    lead: LeadModel,
    *,
    prior_strength: Floats,
    shares: tuple[Floats, ...],
) -> Floats:
    """Compute the affinities of each row's agent as known before it: (rows, 1 + dimensions), else 0."""
    expected = sigmoid(lead.predict_linear(table.codes))
    groups = slot_groups(table.dimensions)
    known, won, expected = counter.count([np.ones(len(table)), table.won, expected], shares, codes)
    affinity, _ = compute_affinities(
        known=known,
        won=won,
        expected=expected,
        prior_strength=np.array([prior_strength[group.start] for group in groups]),
        prior_mean=float(sigmoid(lead.bias)),
    )
    return affinity


def count_slots(known: OutcomeTable, value: Floats) -> Floats:
    """Sum a value of the outcomes per agent and slot; rows with an unknown value count in slot 0 only."""
    n_agents = len(known.agent_ids)
    columns = [np.bincount(known.agent, value, minlength=n_agents)[:, None]]
    for j, dimension in enumerate(known.dimensions):
        width = len(dimension.values)
        seen = known.codes[:, j] >= 0
        cell = known.agent[seen] * width + known.codes[seen, j]
        columns.append(np.bincount(cell, value[seen], minlength=n_agents * width).reshape(n_agents, width))
    return np.hstack(columns).astype(np.float64)


def spread_counts(
    known: OutcomeTable, lead: LeadModel, shares: tuple[Floats, ...]
) -> tuple[Floats, Floats, Floats]:
    """Count outcomes known, won and expected per agent and slot, those with an unknown value spread."""
    groups = slot_groups(known.dimensions)
    value_share = np.concatenate([[1.0], *shares])
    known_by_slot = count_slots(known, np.ones(len(known)))
    n, won, expected = (
        spread_unknown(known_by_slot, counted, value_share, groups)
        for counted in (
            known_by_slot,
            count_slots(known, known.won),
            count_slots(known, sigmoid(lead.predict_linear(known.codes))),
        )
    )
    return n, won, expected


def _fit_strengths(known: OutcomeTable, lead: LeadModel, shares: tuple[Floats, ...]) -> Floats:
    """Prior strength per slot: first overall, then per dimension given the shrunken overall level."""
    groups = slot_groups(known.dimensions)
    n, won, expected = spread_counts(known, lead, shares)
    mean = expected / np.maximum(n, 1e-12)
    strength = np.full(groups[-1].stop, FULL_SHRINKAGE)
    strength[0] = fit_prior_strength(n[:, 0], won[:, 0], mean[:, 0])
    level, _ = compute_affinities(
        known=n, won=won, expected=expected, prior_strength=strength, prior_mean=float(sigmoid(lead.bias))
    )
    moved = sigmoid(logit(mean) + level[:, :1])
    for group in groups[1:]:
        if group.stop - group.start > 1:
            strength[group] = fit_value_strength(n[:, group], won[:, group], moved[:, group], strength[0])
    return strength


def _fit_query(lead_logit: Floats, traits: Floats, affinity: Floats, won: Floats) -> tuple[Floats, Floats]:
    """Weigh traits and affinities by logistic regression on as-of features, offset by the lead logit.

    Affinities are posterior means already, so their weights' prior is centred at 1 (Efron & Morris 1975); a
    trait has to earn its weight from 0.
    """
    X = np.hstack([traits, affinity])
    n_traits = traits.shape[1]
    prior_mean = np.concatenate([np.zeros(n_traits), np.ones(affinity.shape[1])])
    precision = np.concatenate(
        [np.full(n_traits, _TRAIT_PRECISION), np.full(affinity.shape[1], _AFFINITY_PRECISION)]
    )
    fit = fit_glm(
        X, won, family="binomial", offset=lead_logit, prior_mean=prior_mean, prior_precision=precision
    )
    return fit.weights[:n_traits], np.clip(fit.weights[n_traits:], 0.0, 2.0)


def _describe_traits(traits: pl.DataFrame) -> tuple[Trait, ...]:
    """Return the numeric traits that vary, with their mean and standard deviation over agents."""
    found = []
    for name in traits.columns:
        if name == "agent_id" or not traits[name].dtype.is_numeric():
            continue
        column = traits[name].cast(pl.Float64).drop_nulls().to_numpy()
        if len(column) > 1 and column.std() > 0:
            found.append(Trait(name, float(column.mean()), float(column.std(ddof=1)), 0.0))
    return tuple(found)


def _fit_revenue(known: OutcomeTable, shares: tuple[Floats, ...], terms: AgentTerms) -> RevenueModel:
    amounts, strengths = [], []
    for name, allowed in (("base_revenue", terms.base_revenue), ("package_revenue", terms.package_revenue)):
        money = getattr(known, name)
        rows = (known.won > 0) & np.isfinite(money)
        model = fit_amount_model(known.codes[rows], money[rows], shares)
        nothing = not rows.any() or money[rows].sum() <= 0
        # a package that never earned anything adds next to nothing; without any money, each win counts as 1
        bias = -30.0 if nothing and name == "package_revenue" else model.bias
        amounts.append(AmountModel(bias, weights_by_dimension(known.dimensions, model.weights)))
        strength = FIXED_RATIO
        if allowed and not nothing:
            expected = np.exp(model.predict_linear(known.codes[rows]))
            n_agents = len(known.agent_ids)
            strength = fit_ratio_strength(
                np.bincount(known.agent[rows], money[rows], minlength=n_agents).astype(np.float64),
                np.bincount(known.agent[rows], expected, minlength=n_agents).astype(np.float64),
                float(np.sum((money[rows] - expected) ** 2) / np.sum(expected)),
            )
        strengths.append(strength)
    return RevenueModel(amounts[0], amounts[1], strengths[0], strengths[1])
