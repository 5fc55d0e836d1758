"""Predictions for rows a model has not seen: shuffled folds, and train-before-test where there is time.

Folds are drawn without looking at the labels, so changing a row's label cannot change in which fold it is,
and are always shuffled: cut in file order, rows that are ordered in time would be predicted from another
time than their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from operator import call
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dealwright.parallel import parallel_map
from dealwright.plan.prediction.calibration import Calibration
from dealwright.plan.prediction.candidates import FEW_ROWS, CandidateSet, Model, blended
from dealwright.plan.prediction.design import Design, concatenated
from dealwright.stats.arrays import Bools, Floats, Ints
from dealwright.stats.metrics import row_losses

T = TypeVar("T")
Rows = NDArray[np.intp]

FOLDS = 5
NESTED_ROWS = 15_000  # up to this many rows every pair of folds gets a model of its own


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows with a label: their design and the label."""

    design: Design
    target: Floats

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: Rows | Bools) -> Labelled:
        """Return some of the rows."""
        return Labelled(self.design.take(rows), self.target[rows])

    def sample(self, size: int, rng: np.random.Generator) -> Labelled:
        """Return at most `size` rows, drawn at random, in their order."""
        if len(self) <= size:
            return self
        return self.take(np.sort(rng.choice(len(self), size, replace=False)))


@dataclass(frozen=True)
class Comparison:
    """Every candidate's predictions for the same unseen rows."""

    target: Floats  # labels of those rows
    predictions: dict[str, Floats]  # candidate -> its predictions
    raw: dict[str, Floats] | None = None  # the same before they were calibrated, where they were

    def levelled(self, line: CandidateSet) -> Comparison:
        """Return the comparison by which candidates are chosen.

        A level that jumps between earlier and later rows is nobody's merit, and that of tonight comes from
        the latest rows whoever is chosen: where predictions were calibrated ahead, each candidate gets the
        level and the spread that suit the later rows best, so that what it tells apart counts.
        """
        if self.raw is None or line.kind != "probability":
            return self
        alike = {
            name: Calibration.fitted(self.target, p).apply(p) if np.ptp(p) > 0 else _rate(self.target)
            for name, p in self.raw.items()
        }
        return Comparison(self.target, alike, self.raw)

    def losses(self, line: CandidateSet) -> dict[str, Floats]:
        """Return each candidate's loss on each row."""
        return {name: row_losses(self.target, p, line.kind) for name, p in self.predictions.items()}


@dataclass(frozen=True)
class OutOfFold:
    """Predictions by models that never saw the row, before and after calibration by others' labels only."""

    raw: Floats
    calibrated: Floats


def _rate(target: Floats) -> Floats:
    return np.full(len(target), target.mean())


def shuffled_folds(n: int, rng: np.random.Generator, folds: int = FOLDS) -> Rows:
    """Return the fold of each row: sizes differ by one at most, labels play no part."""
    return rng.permutation(n) % folds


def compare_in_folds(line: CandidateSet, rows: Labelled, fold: Rows, rng: np.random.Generator) -> Comparison:
    """Predict every row by every candidate from the other folds."""
    predictions = {name: np.empty(len(rows)) for name in line.fits}
    jobs = [(name, k) for name in line.fits for k in np.unique(fold)]

    def fitted(name: str, k: int, seed: np.random.Generator) -> Floats:
        train = rows.take(fold != k)
        return line.fit(name, train.design, train.target, seed).predict(rows.design.take(fold == k))

    seeds = zip(jobs, rng.spawn(len(jobs)), strict=True)
    results = _fit_all([partial(fitted, *job, seed) for job, seed in seeds], len(rows))
    for (name, k), predicted in zip(jobs, results, strict=True):
        predictions[name][fold == k] = predicted
    return Comparison(rows.target, _with_blends(line, predictions))


def compare_forward(
    line: CandidateSet, train: Labelled, test: Labelled, rng: np.random.Generator, recent: Bools | None = None
) -> Comparison:
    """Predict later rows by every candidate from earlier ones.

    Parameters
    ----------
    recent
        Which of the earlier rows are their most recent ones. Where they are given, probabilities are
        calibrated as those of tonight will be: spread by what models of the other rows say of them, level by
        theirs (`Calibration.ahead`). Where a level jumps, candidates would else be chosen by it alone.
    """
    names = [*line.fits, *line.blends]
    level = recent is not None and line.kind == "probability" and 0 < np.count_nonzero(recent) < len(train)
    parts = [(train, test.design)]
    if level and recent is not None:
        latest = train.take(recent)
        both = concatenated([test.design, latest.design])
        parts = [(train, both), (train.take(~recent), latest.design)]

    def fitted(name: str, part: tuple[Labelled, Design], seed: np.random.Generator) -> Floats:
        return line.fit(name, part[0].design, part[0].target, seed).predict(part[1])

    jobs = [(name, part) for part in parts for name in line.fits]
    seeds = zip(jobs, rng.spawn(len(jobs)), strict=True)
    results = _fit_all([partial(fitted, *job, seed) for job, seed in seeds], len(train))
    found = dict(zip(line.fits, results[: len(line.fits)], strict=True))
    raw = _with_blends(line, found)
    if not level:
        return Comparison(test.target, raw)
    before = _with_blends(line, dict(zip(line.fits, results[len(line.fits) :], strict=True)))
    n, predictions = len(test), {}
    for name in names:
        spread = Calibration.fitted(latest.target, before[name])
        calibration = Calibration.ahead(spread, latest.target, raw[name][n:])
        predictions[name] = calibration.apply(raw[name][:n])
    return Comparison(test.target, predictions, {name: raw[name][:n] for name in names})


def _fit_all(fits: Sequence[Callable[[], T]], rows: int) -> list[T]:
    return parallel_map(call, fits, worthwhile=rows >= FEW_ROWS)


def _with_blends(line: CandidateSet, predictions: dict[str, Floats]) -> dict[str, Floats]:
    for name, members in line.blends.items():
        predictions[name] = blended([predictions[member] for member in members], line.kind)
    return predictions


def split_by_time(moment: Ints, later_share: float = 0.3) -> tuple[Rows, Rows]:
    """Split rows into earlier and later ones; rows of one moment stay together, on the later side."""
    edge = np.quantile(moment, 1.0 - later_share, method="higher")
    return np.flatnonzero(moment < edge), np.flatnonzero(moment >= edge)


def predict_out_of_fold(
    line: CandidateSet,
    name: str,
    rows: Labelled,
    fold: Rows,
    *,
    most_rows: int,
    rng: np.random.Generator,
    nested_rows: int = NESTED_ROWS,
) -> OutOfFold:
    """Predict every row from the others, calibrated, without its own label having any influence.

    The calibration of a fold is fitted on predictions by models that saw neither that fold nor the rows
    they predict: up to `nested_rows` one model per fold and one per pair of folds, beyond it one model per
    two folds, which calibrates each of them by the other. Only probabilities are calibrated.
    """
    folds = [int(k) for k in np.unique(fold)]
    raw, calibrated = np.empty(len(rows)), np.empty(len(rows))
    left_out: list[tuple[int, ...]]
    if len(rows) > nested_rows:
        left_out = _pairs(folds)
    elif line.kind != "probability":
        left_out = [(k,) for k in folds]
    else:
        left_out = [*((k,) for k in folds), *combinations(folds, 2)]

    def fit_without(without: tuple[int, ...], seed: np.random.Generator) -> Model:
        train = rows.take(~np.isin(fold, without)).sample(most_rows, seed)
        return line.fit(name, train.design, train.target, seed)

    seeds = zip(left_out, rng.spawn(len(left_out)), strict=True)
    fitted = _fit_all([partial(fit_without, *job) for job in seeds], len(rows))
    models = dict(zip(left_out, fitted, strict=True))
    for k in folds:
        test = fold == k
        own = next(without for without in left_out if k in without)  # one that leaves out k alone, if any
        raw[test] = models[own].predict(rows.design.take(test))
        # models that saw neither fold k nor the rows j they predict
        checks = {
            next(j for j in without if j != k): model
            for without, model in models.items()
            if len(without) == 2 and k in without and (own == without or len(own) == 1)
        }
        if not checks or line.kind != "probability":
            calibrated[test] = raw[test]
            continue
        held_out = [model.predict(rows.design.take(fold == j)) for j, model in checks.items()]
        labels = [rows.target[fold == j] for j in checks]
        calibration = Calibration.fitted(np.concatenate(labels), np.concatenate(held_out))
        calibrated[test] = calibration.apply(raw[test])
    return OutOfFold(raw, calibrated)


def _pairs(folds: list[int]) -> list[tuple[int, ...]]:
    """Return every fold with another one; where their number is odd, the last one with the first again."""
    pairs: list[tuple[int, ...]] = list(zip(folds[::2], folds[1::2], strict=False))
    return [*pairs, (folds[-1], folds[0])] if len(folds) % 2 else pairs
