"""Learn one target: compare candidates, choose, predict labelled rows out of fold, fit the final model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.prediction.calibration import Calibration, reliability
from dealwright.plan.prediction.candidates import BaseRate, CandidateSet, Model
from dealwright.plan.prediction.choice import Choice, choose
from dealwright.plan.prediction.design import Design, FeatureSchema
from dealwright.plan.prediction.validation import (
    NESTED_ROWS,
    Comparison,
    Labelled,
    OutOfFold,
    compare_forward,
    compare_in_folds,
    predict_out_of_fold,
    shuffled_folds,
)
from dealwright.stats.arrays import Bools, Floats
from dealwright.stats.metrics import Estimate, Target, estimates

MIN_ROWS = 50
MIN_CLASS_ROWS = 15
BASE_RATE_USED = ", base rate used"
_NESTED_ROWS_MEASURED = 1_000


@dataclass(frozen=True)
class Predictor:
    """What is kept of a target's champion: enough to predict it for any frame with the same columns."""

    candidate: str
    kind: Target
    schema: FeatureSchema
    model: Model
    calibration: Calibration = field(default_factory=Calibration)

    def predict(self, features: pl.DataFrame) -> tuple[Floats, list[str]]:
        """Return a probability or an amount per row, and notes on what the model had never seen.

        Raises
        ------
        InputError
            A column is missing or holds another kind of value than in training.
        """
        design, notes = self.schema.encode(features)
        return self.scored(design), notes

    def scored(self, design: Design) -> Floats:
        """Return a probability or an amount per encoded row."""
        predicted = self.model.predict(design)
        return self.calibration.apply(predicted) if self.kind == "probability" else predicted


@dataclass(frozen=True)
class Limits:
    """Rows beyond which a random sample is used, and how many folds."""

    choice_rows: int
    fit_rows: int
    folds: int


@dataclass(frozen=True)
class ForwardTest:
    """An earlier and a later set of labelled rows in which candidates prove themselves."""

    line: CandidateSet
    train: Labelled
    test: Labelled
    description: str
    # what buy-till-you-die expects of each later row (NaN without orders), to whose total predictions are
    # scaled; `None` for targets without a level
    level: Floats | None = None
    # which rows to train on are the most recent ones; `None` where all are of one moment
    recent: Bools | None = None
    # where the rows to test on stand among the labelled ones; `None` where they are not among them
    places: NDArray[np.intp] | None = None

    def compare(self, most_rows: int, rng: np.random.Generator) -> Comparison:
        """Fit every candidate on at most so many of the earlier rows, and predict the later ones."""
        rows = np.arange(len(self.train))
        if len(rows) > most_rows:
            rows = np.sort(rng.choice(len(rows), most_rows, replace=False))
        recent = None if self.recent is None else self.recent[rows]
        return compare_forward(self.line, self.train.take(rows), self.test, rng, recent)


@dataclass(frozen=True)
class Learned:
    """A target with its champion and everything that was measured on the way."""

    predictor: Predictor
    choice: Choice | None
    # calibrated predictions of the labelled rows by models that never saw them; `None` where no model was
    # fitted
    out_of_fold: Floats | None
    rows: NDArray[np.intp]  # the labelled rows that `out_of_fold` and the measures are about
    measures: dict[str, dict[str, Estimate]]
    forward_measures: dict[str, dict[str, Estimate]]
    comparison: Comparison | None  # the candidates on the rows the choice was made on
    card: dict[str, Any]


def learn(
    line: CandidateSet,
    schema: FeatureSchema,
    labelled: Labelled,
    limits: Limits,
    rng: np.random.Generator,
    *,
    forward: ForwardTest | None = None,
    every_row: bool = True,
) -> Learned:
    """Learn one target from its labelled rows.

    Parameters
    ----------
    forward
        Where there is time: candidates are chosen on these later rows; otherwise in shuffled folds.
    every_row
        Whether every labelled row needs an out-of-fold prediction; otherwise a sample of half of
        `Limits.choice_rows` is enough to measure and to calibrate.
    """
    obstacle = _obstacle(labelled.target, line.kind)
    if obstacle is not None:
        return without_model(schema, line.kind, labelled.target, obstacle)
    choice_rng, fold_rng, final_rng, measure_rng = rng.spawn(4)
    if forward is not None:
        comparison = forward.compare(limits.choice_rows, choice_rng)
        chosen_by = forward.description
        if forward.level is not None:
            comparison = _levelled(comparison, forward.level)
    else:
        sample = labelled.sample(limits.choice_rows, choice_rng)
        fold = shuffled_folds(len(sample), choice_rng, limits.folds)
        comparison = compare_in_folds(line, sample, fold, choice_rng)
        chosen_by = f"{limits.folds} shuffled folds"
    choice = choose(comparison.levelled(line), line, choice_rng)
    rows = np.arange(len(labelled))
    enough = limits.choice_rows // 2
    if not every_row and len(labelled) > enough:
        rows = np.sort(fold_rng.choice(len(labelled), enough, replace=False))
    measured = labelled.take(rows)
    fold = shuffled_folds(len(measured), fold_rng, limits.folds)
    predictions: dict[str, OutOfFold] = {}
    for name in dict.fromkeys([choice.champion, *line.baselines]):
        predictions[name] = predict_out_of_fold(
            line, name, measured, fold, most_rows=limits.fit_rows, rng=fold_rng,
            # where rows are only measured, a third of the models says enough
            nested_rows=NESTED_ROWS if every_row else _NESTED_ROWS_MEASURED,
        )  # fmt: skip
    own = predictions[choice.champion]
    final = labelled.sample(limits.fit_rows, final_rng)
    model = line.fit(choice.champion, final.design, final.target, final_rng)
    calibration = Calibration()
    if line.kind == "probability":
        calibration = Calibration.fitted(measured.target, own.raw)
        if forward is not None and forward.places is not None and comparison.raw is not None:
            spread = Calibration.fitted(comparison.target, comparison.raw[choice.champion])
            latest = labelled.take(forward.places)
            calibration = Calibration.ahead(spread, latest.target, model.predict(latest.design))
    predictor = Predictor(choice.champion, line.kind, schema, model, calibration)
    measures = {
        name: estimates(measured.target, p.calibrated, line.kind, measure_rng, block=fold)
        for name, p in predictions.items()
    }
    forward_measures = {}
    if forward is not None:
        forward_measures = {
            name: estimates(comparison.target, comparison.predictions[name], line.kind, measure_rng)
            for name in dict.fromkeys([choice.champion, *line.baselines])
        }
    card: dict[str, Any] = {
        "champion": choice.champion,
        "chosen_by": chosen_by,
        "tested": "forward in time" if forward is not None else "out of fold",
        "rows": len(labelled),
        "rows_fitted": len(final),
        "rows_measured": len(measured),
        "mean_target": float(labelled.target.mean()),
        "features": list(schema.names),
        "left_out": dict(schema.left_out),
        "choice": choice.to_dict(),
        "calibration": {"shift": predictor.calibration.shift, "slope": predictor.calibration.slope},
    }
    if line.kind == "probability":
        card["reliability"] = reliability(measured.target, own.calibrated)
    return Learned(predictor, choice, own.calibrated, rows, measures, forward_measures, comparison, card)


def without_model(schema: FeatureSchema, kind: Target, target: Floats, reason: str) -> Learned:
    """Return the base rate as the only thing that can be said, with the reason; NaN without any label.

    Where all labels agree, the base rate of a probability is that of Jeffreys' rule: no number of equal
    labels makes the next one certain.
    """
    mean = float(target.mean()) if len(target) else float("nan")
    if kind == "probability" and mean in (0.0, 1.0):
        mean = (float(target.sum()) + 0.5) / (len(target) + 1.0)
    card: dict[str, Any] = {
        "champion": "base_rate",
        "chosen_by": "nothing to choose from",
        "rows": len(target),
        "mean_target": mean,
        "choice": {"fallback": reason},
    }
    predictor = Predictor("base_rate", kind, FeatureSchema((), {}, {}, dict(schema.left_out)), BaseRate(mean))
    return Learned(predictor, None, None, np.arange(len(target)), {}, {}, None, card)


def _obstacle(target: Floats, kind: Target) -> str | None:
    """Say why a target cannot be learned, or ``None``."""
    if len(target) < MIN_ROWS:
        return f"only {len(target)} labelled rows: at least {MIN_ROWS} are needed{BASE_RATE_USED}"
    if target.min() == target.max():
        return f"every label is {target[0]:g}: nothing to tell apart{BASE_RATE_USED}"
    if kind != "amount":
        some = int(np.count_nonzero(target > 0))
        fewest = min(some, len(target) - some) if kind == "probability" else some
        if fewest < MIN_CLASS_ROWS:
            which = "of one class" if kind == "probability" else "with any spend"
            return (
                f"only {fewest} labelled rows {which}: at least {MIN_CLASS_ROWS} are needed{BASE_RATE_USED}"
            )
    return None


def _levelled(comparison: Comparison, level: Floats) -> Comparison:
    """Give every candidate the total that tonight's predictions will get, so that only the ranking counts."""
    if np.isfinite(level).sum() < MIN_ROWS or np.nansum(level) <= 0:
        return comparison
    scaled = {name: scaled_to_level(p, level) for name, p in comparison.predictions.items()}
    return Comparison(comparison.target, scaled)


def scaled_to_level(predicted: Floats, level: Floats) -> Floats:
    """Scale predictions of rows that have a level (not NaN) so that their total is that of the level."""
    has_level = np.isfinite(level)
    total = float(predicted[has_level].sum())
    if total <= 0:
        return predicted
    return np.asarray(np.where(has_level, predicted * (float(level[has_level].sum()) / total), predicted))
