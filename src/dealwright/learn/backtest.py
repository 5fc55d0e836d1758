"""Out-of-time predictions: what the model would have said on the day, knowing only what was known then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dealwright.learn.asof import AsOfCounter
from dealwright.learn.fit import AgentTerms, affinities_as_of, fit_match_model
from dealwright.learn.lead_model import PRIOR_OUTCOMES, LeadModel
from dealwright.learn.model import Calibration, MatchModel
from dealwright.learn.outcomes import OutcomeTable, fill_unknown, value_shares
from dealwright.learn.profile import standardise_traits
from dealwright.learn.slots import weights_in_order
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.glm import fit_glm
from dealwright.stats.links import sigmoid
from dealwright.stats.metrics import row_log_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from dealwright.learn.params import LearnParams

_LEAST_OUTCOMES = 60
_MANY_OUTCOMES = 200_000
_LEAST_OF_EACH = 10
_Z_95 = 1.644854  # one-sided


@dataclass(frozen=True)
class RowTerms:
    """The parts of each row's logit, before calibration."""

    # `destination` for the lead's part, `agent` and `agent x destination` for affinities, traits by name
    names: tuple[str, ...]
    lead_bias: Floats  # shape (rows,)
    parts: Floats  # shape (rows, names)
    n_lead: int  # how many of the parts belong to the lead alone; they come first

    @property
    def lead_logit(self) -> Floats:
        """What the lead alone promises."""
        result: Floats = self.lead_bias + self.parts[:, : self.n_lead].sum(axis=1)
        return result

    @property
    def full_logit(self) -> Floats:
        """Lead and agent together."""
        result: Floats = self.lead_bias + self.parts.sum(axis=1)
        return result


@dataclass(frozen=True)
class Backtest:
    """Out-of-time predictions of the later outcomes, pooled over the blocks."""

    rows: Ints  # positions in the table
    won: Floats
    base_rate: Floats  # win rate of everything known before the row's block, shrunk as the model's is
    terms: RowTerms  # the parts of each row's logit
    block_ends: tuple[int, ...]  # where each block ends within the rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def block(self) -> Ints:
        """Block of each row, shape (rows,): predictions of one block come from one fit."""
        return np.searchsorted(np.array(self.block_ends), np.arange(len(self)), side="right")

    def without_agents(self) -> Backtest:
        """Return the predictions of the lead-only model."""
        lead = slice(0, self.terms.n_lead)
        terms = replace(self.terms, names=self.terms.names[lead], parts=self.terms.parts[:, lead])
        return replace(self, terms=terms)


class PreparedTable:
    """A table with its as-of sums and filled-in values, prepared once for several fits."""

    def __init__(self, table: OutcomeTable, rng: np.random.Generator) -> None:
        self.table = table
        self.codes = fill_unknown(table, value_shares(table), rng)
        self.counter = AsOfCounter(table, self.codes)

    def fit(self, traits: pl.DataFrame, terms: AgentTerms, before_us: int | None = None) -> MatchModel:
        """Fit to all outcomes, or to those known before a moment."""
        table = self.table
        if before_us is not None:
            table = replace(table, settled=table.settled & (table.known_us < before_us))
        return fit_match_model(table, traits, terms, counter=self.counter, codes=self.codes)

    def predict(self, model: MatchModel, traits: pl.DataFrame) -> RowTerms:
        """Split the model's logit of every row, with agent statistics as of the row's assignment."""
        dimensions = self.table.dimensions
        weights = weights_in_order(dimensions, model.lead_weights)
        lead = LeadModel(model.lead_bias, tuple(weights), 0.0)
        shares = tuple(np.array(model.value_share[group]) for group in model.groups[1:])
        affinity = affinities_as_of(
            self.table,
            self.counter,
            self.codes,
            lead,
            prior_strength=np.array(model.prior_strength),
            shares=shares,
        )
        query = np.array([model.affinity_weight[group.start] for group in model.groups])
        trait = standardise_traits(model.traits, self.table.agent_ids, traits)[self.table.agent]
        trait_weight = np.array([t.weight for t in model.traits])
        by_value = [weight[self.codes[:, j]] for j, weight in enumerate(weights)]
        names = [d.name for d in dimensions]
        return RowTerms(
            names=(*names, *(t.name for t in model.traits), "agent", *(f"agent x {name}" for name in names)),
            lead_bias=np.full(len(self.table), model.lead_bias),
            parts=np.column_stack([*by_value, trait * trait_weight, affinity * query]),
            n_lead=len(names),
        )


def backtest(
    prepared: PreparedTable, traits: pl.DataFrame, params: LearnParams, terms: AgentTerms | None = None
) -> Backtest | None:
    """Predict each later block of outcomes from models fitted to what was known before the block began.

    Rolling-origin evaluation (Tashman 2000, "Out-of-sample tests of forecasting accuracy"). Models are
    refitted per block; agents' statistics move on within it, as they do at the desk.

    Returns
    -------
    The pooled predictions, or None where there are too few outcomes to split.
    """
    table = prepared.table
    settled = np.flatnonzero(table.settled)
    if len(settled) < _LEAST_OUTCOMES:
        return None
    folds = params.folds if len(settled) <= _MANY_OUTCOMES else min(params.folds, 2)
    position = np.linspace(params.first_share, 1.0, folds + 1)[:-1] * len(settled)
    starts = table.assigned_us[settled[position.astype(np.int64)]]
    ends = np.append(starts[1:], np.iinfo(np.int64).max)
    rows, base, pieces = [], [], []
    for start, end in zip(starts, ends, strict=True):
        earlier = table.settled & (table.known_us < start)
        block = settled[(table.assigned_us[settled] >= start) & (table.assigned_us[settled] < end)]
        won = table.won[earlier]
        if len(block) == 0 or len(won) == 0:
            continue
        model = prepared.fit(traits, terms or AgentTerms(), before_us=int(start))
        predicted = prepared.predict(model, traits)
        rows.append(block)
        rate = (won.sum() + PRIOR_OUTCOMES / 2.0) / (len(won) + PRIOR_OUTCOMES)
        base.append(np.full(len(block), rate))
        pieces.append(predicted)
    if not rows:
        return None
    names = max((piece.names for piece in pieces), key=len)
    return Backtest(
        rows=np.concatenate(rows),
        won=table.won[np.concatenate(rows)],
        base_rate=np.concatenate(base),
        terms=RowTerms(
            names=names,
            lead_bias=np.concatenate([p.lead_bias[r] for p, r in zip(pieces, rows, strict=True)]),
            parts=np.concatenate([_align(p, names)[r] for p, r in zip(pieces, rows, strict=True)]),
            n_lead=pieces[0].n_lead,
        ),
        block_ends=tuple(np.cumsum([len(r) for r in rows]).tolist()),
    )


def _align(piece: RowTerms, names: tuple[str, ...]) -> Floats:
    """Give a block's parts the columns of the pooled result; a term its model lacks is 0."""
    columns = dict(zip(piece.names, piece.parts.T, strict=True))
    nothing = np.zeros(len(piece.parts))
    return np.column_stack([columns.get(name, nothing) for name in names])


def calibrate_forward(
    logit: Floats, won: Floats, block_ends: Sequence[int], logit_variance: float
) -> tuple[Floats, Calibration]:
    """Calibrate each block of out-of-time logits by the blocks before it, where that has proved better.

    A map that was fitted to the outcomes it is judged on would always look better. So every block gets the
    map fitted to the blocks before it, and a map goes to work only when such forward predictions have had a
    lower log loss than the logits as they are, beyond chance (one-sided, 5 %).

    Parameters
    ----------
    block_ends
        Where each block ends within the rows.

    Returns
    -------
    The probability of each row, and the calibration for what comes next.
    """
    used = sigmoid(logit)
    raw_loss = row_log_losses(won, used)
    gain = np.zeros(len(won))
    calibration = as_it_is = Calibration(logit_variance=logit_variance)
    start = 0
    for k, stop in enumerate(block_ends):
        rows = slice(start, stop)
        if k:
            used[rows] = calibrated(calibration, logit[rows])
            candidate = fit_calibration(logit[:start], won[:start], logit_variance)
            gain[rows] = raw_loss[rows] - row_log_losses(won[rows], calibrated(candidate, logit[rows]))
            judged = slice(block_ends[0], stop)
            proved = _has_both(won[judged]) and is_above_zero(gain[judged])
            calibration = fit_calibration(logit[:stop], won[:stop], logit_variance) if proved else as_it_is
        start = stop
    return used, calibration


def _has_both(won: Floats) -> bool:
    """Whether there are wins and losses enough: where all are won, the boldest prediction looks the best."""
    return bool(min(won.sum(), (1.0 - won).sum()) >= _LEAST_OF_EACH)


def is_above_zero(value: Floats) -> bool:
    """Whether the mean of a value over outcomes is above 0 beyond chance (one-sided, 5 %)."""
    return bool(value.mean() > _Z_95 * value.std(ddof=1) / np.sqrt(len(value)))


def fit_calibration(logit: Floats, won: Floats, logit_variance: float) -> Calibration:
    """Fit slope and intercept to out-of-time logits (Platt 1999; Cox 1958, "Two further applications").

    Their priors, slope 1 +- 0.25 and intercept 0 +- 0.5, keep a short record from bending the probabilities.
    """
    fit = fit_glm(
        np.column_stack([logit, np.ones(len(logit))]),
        won,
        family="binomial",
        prior_mean=np.array([1.0, 0.0]),
        prior_precision=np.array([16.0, 4.0]),
    )
    slope, intercept = fit.weights
    return Calibration(float(np.clip(slope, 0.2, 2.0)), float(intercept), logit_variance)


def calibrated(calibration: Calibration, logit: Floats) -> Floats:
    """Return the calibrated probability."""
    return sigmoid(calibration.intercept + calibration.slope * logit)
