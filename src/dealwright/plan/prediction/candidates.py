"""The models that compete: what each learns, and how it predicts.

From the plainest to the most flexible: `BaseRate`, `Rules` (recency-frequency-monetary cells), `Scaled`
(one column taken as it is: the spend of the last period, or buy-till-you-die), additive splines, boosted
trees, two parts (whether × how much), and `Blend`s. Each predicts on the natural scale (probability, EUR)
from a `Design`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.prediction.additive import AdditiveModel, Loss
from dealwright.plan.prediction.design import Design, FeatureSchema
from dealwright.plan.prediction.trees import SymmetricTrees
from dealwright.stats.arrays import Floats
from dealwright.stats.links import logit, sigmoid
from dealwright.stats.metrics import Target

FEW_ROWS = 1_000  # fits on fewer are mostly steps of the interpreter: no work for a thread of their own
_RIDGE_ROWS = 10.0  # penalty of the additive models, in rows
# applied to another time than it was fitted at, a curve meets values it has rarely seen: it must be stiff
_STIFF_RIDGE_ROWS = 1_000.0
_STIFF_RIDGE_SHARE = 0.1  # of the rows at most
_ADDITIVE_ROWS = 30_000  # some 300 coefficients need no more; beyond it a random sample is taken
_CELL_ROWS = 20.0  # rows' worth of base rate in every cell of the rules
_ODDS_LIMIT = 13.8  # logits stay within ±13.8: probabilities within 1e-6 and 1 - 1e-6


class Model(Protocol):
    """A fitted candidate."""

    def predict(self, design: Design) -> Floats:
        """Return the probability or the amount of each row."""
        ...


Fit = Callable[[Design, Floats, np.random.Generator], Model]


def inverse_logit(score: Floats) -> Floats:
    """Return the probabilities of log odds, bounded so that none is quite 0 or 1."""
    return sigmoid(np.clip(score, -_ODDS_LIMIT, _ODDS_LIMIT))


@dataclass(frozen=True, slots=True)
class BaseRate:
    """Everybody gets the mean."""

    mean: float

    def predict(self, design: Design) -> Floats:
        """Return the mean for every row."""
        return np.full(len(design), self.mean)


@dataclass(frozen=True, slots=True)
class Rules:
    """Recency, frequency and monetary value in fifths, the mean of each cell shrunk to the overall mean.

    After A. M. Hughes (1994), Strategic Database Marketing: the table every marketing department knows.
    """

    columns: tuple[int, ...]
    edges: tuple[Floats, ...]
    table: Floats

    @classmethod
    def fitted(cls, design: Design, target: Floats, columns: tuple[int, ...]) -> Self:
        """Learn quintile edges and cell means; a missing value has a cell of its own."""
        edges = tuple(_fifths(design.numeric[:, j]) for j in columns)
        model = cls(columns, edges, np.empty(0))
        cell, size = model._cells(design), int(np.prod([len(edge) + 2 for edge in edges]))
        rows = np.bincount(cell, minlength=size)
        total = np.bincount(cell, weights=target, minlength=size)
        return cls(columns, edges, (total + _CELL_ROWS * target.mean()) / (rows + _CELL_ROWS))

    def predict(self, design: Design) -> Floats:
        """Return the mean of each row's cell."""
        return np.asarray(self.table[self._cells(design)])

    def _cells(self, design: Design) -> NDArray[np.intp]:
        cell = np.zeros(len(design), dtype=np.intp)
        for j, edge in zip(self.columns, self.edges, strict=True):
            column = design.numeric[:, j]
            place = np.where(np.isnan(column), len(edge) + 1, np.searchsorted(edge, column, side="left"))
            cell = cell * (len(edge) + 2) + place
        return cell


def _fifths(column: NDArray[np.float32]) -> Floats:
    present = column[~np.isnan(column)]
    return np.unique(np.quantile(present, [0.2, 0.4, 0.6, 0.8])) if len(present) else np.empty(0)


@dataclass(frozen=True, slots=True)
class Scaled:
    """One column times a constant; missing counts as the column's mean."""

    column: int
    factor: float
    missing: float

    @classmethod
    def fitted(cls, design: Design, target: Floats, column: int) -> Self:
        """Choose the constant so that the totals agree."""
        values = design.numeric[:, column].astype(np.float64)
        missing = float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
        total = float(np.nan_to_num(values, nan=missing).sum())
        return cls(column, float(target.sum()) / total if total > 0 else 0.0, missing)

    def predict(self, design: Design) -> Floats:
        """Return the scaled column."""
        values = np.nan_to_num(design.numeric[:, self.column].astype(np.float64), nan=self.missing)
        return np.asarray(self.factor * values)


@dataclass(frozen=True, slots=True)
class Probability:
    """One column that is a probability, as it is; missing counts as the mean label of those rows."""

    column: int
    missing: float

    @classmethod
    def fitted(cls, design: Design, target: Floats, column: int) -> Self:
        """Learn what to say where the column is missing."""
        absent = np.isnan(design.numeric[:, column])
        return cls(column, float((target[absent].sum() + target.mean()) / (absent.sum() + 1)))

    def predict(self, design: Design) -> Floats:
        """Return the column."""
        return np.nan_to_num(design.numeric[:, self.column].astype(np.float64), nan=self.missing)


@dataclass(frozen=True, slots=True)
class TwoPart:
    """Whether anything is spent times how much, where something is (hurdle model: J. G. Cragg 1971)."""

    whether: Model
    amount: Model

    def predict(self, design: Design) -> Floats:
        """Return the product of both parts."""
        return self.whether.predict(design) * self.amount.predict(design)


@dataclass(frozen=True, slots=True)
class Blend:
    """Mean of several models: of log odds for probabilities, of amounts otherwise."""

    members: tuple[Model, ...]
    kind: Target

    def predict(self, design: Design) -> Floats:
        """Return the blended prediction."""
        return blended([member.predict(design) for member in self.members], self.kind)


def blended(predictions: list[Floats], kind: Target) -> Floats:
    """Return the mean of several models' predictions on the scale of `Blend`."""
    if kind == "probability":
        return inverse_logit(np.mean([logit(p) for p in predictions], axis=0))
    return np.asarray(np.mean(predictions, axis=0))


@dataclass(frozen=True)
class CandidateSet:
    """Who competes for one target."""

    kind: Target
    fits: Mapping[str, Fit]  # candidate -> how it is fitted, plainest first
    blends: Mapping[str, tuple[str, ...]]  # further candidate -> the names of its members among `fits`
    baselines: tuple[str, ...]  # names among `fits` a champion has to beat

    def fit(self, name: str, design: Design, target: Floats, rng: np.random.Generator) -> Model:
        """Fit the candidate called `name`, or the members of the blend of that name.

        Where all labels are equal there is nothing to fit: every candidate is the base rate.
        """
        if target.min() == target.max():
            return BaseRate(float(target[0]))
        if name in self.fits:
            return self.fits[name](design, target, rng)
        members = tuple(self.fits[member](design, target, rng) for member in self.blends[name])
        return Blend(members, self.kind)


def candidate_set(
    schema: FeatureSchema, kind: Target, rules: tuple[str, ...], known: Mapping[str, str], *, ahead: bool
) -> CandidateSet:
    """Return the candidates for a kind of target.

    Parameters
    ----------
    schema
        The features at hand.
    rules
        Names of the recency, frequency and monetary columns; those not in the schema are passed over.
    known
        Candidate -> the column it takes as it is (``last_period``, ``buy_till_you_die``), where in the
        schema.
    ahead
        Whether models are applied to a later time than the one they are fitted at.
    """
    place = {name: j for j, name in enumerate(schema.numeric)}
    fits: dict[str, Fit] = {"base_rate": lambda _design, target, _rng: BaseRate(float(target.mean()))}
    cells = tuple(place[name] for name in rules if name in place)
    if cells:
        fits["rfm_rules"] = lambda design, target, _rng: Rules.fitted(design, target, cells)
    for name, column in known.items():
        if column in place:
            fits[name] = _as_it_is(kind, place[column])
    baselines = tuple(name for name in fits if name != "buy_till_you_die")
    if not schema.names:
        return CandidateSet(kind, fits, {}, baselines)
    blends: dict[str, tuple[str, ...]] = {}
    if kind == "probability":
        fits["logit"] = _additive("logistic", ahead=ahead, knots=2)  # where positives are too few for curves
        if ahead:
            fits["plain_logit"] = _additive("logistic", ahead=False, knots=2, plain=True)
        fits["spline_logit"] = _additive("logistic", ahead=ahead)
        fits["boosting"] = lambda design, target, rng: SymmetricTrees.fitted(design, target, kind, rng)
        blends["blend"] = ("spline_logit", "boosting")
    elif kind == "spend":
        fits["tweedie"] = _additive("tweedie", ahead=ahead, knots=2)
        fits["spline_tweedie"] = _additive("tweedie", ahead=ahead)
        fits["two_part"] = _two_part(ahead=ahead)
        fits["boosting"] = lambda design, target, rng: SymmetricTrees.fitted(design, target, kind, rng)
        blends["blend"] = ("tweedie" if ahead else "spline_tweedie", "boosting")
        if "buy_till_you_die" in fits:
            blends["blend_buy_till_you_die"] = ("tweedie", "buy_till_you_die")
    else:
        fits["spline"] = _additive("squared", ahead=ahead)
        fits["boosting"] = lambda design, target, rng: SymmetricTrees.fitted(design, target, kind, rng)
        blends["blend"] = ("spline", "boosting")
    return CandidateSet(kind, fits, blends, baselines)


def _as_it_is(kind: Target, column: int) -> Fit:
    if kind == "probability":
        return lambda design, target, _rng: Probability.fitted(design, target, column)
    return lambda design, target, _rng: Scaled.fitted(design, target, column)


def _additive(loss: Loss, *, ahead: bool, knots: int = 5, plain: bool = False) -> Fit:
    def fit(design: Design, target: Floats, rng: np.random.Generator) -> Model:
        if len(target) > _ADDITIVE_ROWS:
            rows = rng.choice(len(target), _ADDITIVE_ROWS, replace=False)
            design, target = design.take(rows), target[rows]
        stiff = max(_RIDGE_ROWS, min(_STIFF_RIDGE_ROWS, _STIFF_RIDGE_SHARE * len(target)))
        return AdditiveModel.fitted(
            design, target, loss=loss, penalty=stiff if ahead else _RIDGE_ROWS, knots=knots, plain=plain
        )

    return fit


def _two_part(*, ahead: bool) -> Fit:
    whether, amount = _additive("logistic", ahead=ahead), _additive("gamma", ahead=ahead)

    def fit(design: Design, target: Floats, rng: np.random.Generator) -> Model:
        spent = target > 0
        if spent.all():
            return amount(design, target, rng)
        return TwoPart(
            whether(design, spent.astype(np.float64), rng), amount(design.take(spent), target[spent], rng)
        )

    return fit
