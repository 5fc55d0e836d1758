"""The shared vocabulary of the stages: what each result must offer to the next one.

A stage is a function ``stage(inputs…, params, *, rng) -> result``: `params` a frozen dataclass whose fields
all have defaults, `rng` the stage's own ``numpy.random.Generator``, the result a frozen dataclass. Result
frames hold one row per account, keyed by ``account_id``, **in the order of the accounts**.

* ``plan.predict.predict(inputs, params, *, rng, store=None)``: `PREDICTION_COLUMNS`
* ``plan.anomalies.detect(inputs, params, *, rng)``: `ANOMALY_COLUMNS`
* ``plan.segment.segment(predictions, inputs, params, *, rng)``: `SEGMENT_COLUMNS`
* ``plan.action.choose_actions(inputs, predictions, segments, anomalies, params, *, rng)``: `ACTION_COLUMNS`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import polars as pl

from dealwright.errors import InputError

PREDICTION_COLUMNS: Final = {
    "account_id": pl.String,
    "churn_probability": pl.Float64,
    "predicted_value_eur": pl.Float64,  # expected spend in the horizon
    "churn_reasons": pl.List(pl.String),  # strongest first, ready to be read
    "value_reasons": pl.List(pl.String),
}
ANOMALY_COLUMNS: Final = {
    "account_id": pl.String,
    "anomaly_score": pl.Float64,  # in [0, 1], higher is odder
    "is_anomaly": pl.Boolean,
    "anomaly_reasons": pl.List(pl.String),
}
SEGMENT_COLUMNS: Final = {
    "account_id": pl.String,
    "value_bucket": pl.Int64,  # 1 lowest
    "potential_bucket": pl.Int64,
    "segment": pl.String,
}
ACTION_COLUMNS: Final = {
    "account_id": pl.String,
    "nba_score": pl.Float64,
    "action": pl.String,  # one of the catalogue's; "nothing" is one
    "channel": pl.String,  # best allowed channel for the action; null for "nothing"
    "expected_value_eur": pl.Float64,
    "runner_up": pl.String,
    "reasons": pl.List(pl.String),
    "excluded": pl.List(pl.String),  # "upsell: contacted 3 days ago (cool-down 14 days)"
    "explore": pl.Boolean,  # drawn for exploration: the action is a random eligible one
    "control": pl.Boolean,  # in the global control group: always "nothing"
    "propensity": pl.Float64,  # probability with which the logged action was drawn
}


class StageResult(Protocol):
    """What every stage returns: a frame by account and a flat summary of counts, metrics, fallbacks."""

    @property
    def frame(self) -> pl.DataFrame:
        """One row per account, in the order of the accounts."""
        ...

    def summary(self) -> Mapping[str, Any]:
        """Flat mapping of plain values (str, int, float, bool, None) for the trace, the KPIs and people."""
        ...


class PredictionResult(StageResult, Protocol):
    """Result of *predict*."""

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """Out-of-fold measures, e.g. ``churn_auc``, ``churn_log_loss``, ``value_rmse``, ``value_gini``."""
        ...

    @property
    def card(self) -> Mapping[str, Any]:
        """Model card, JSON-ready: candidates, intervals, baselines, champion, fallbacks."""
        ...


@dataclass(frozen=True)
class StoredModel:
    """A fitted model as a store keeps it; `card` is JSON-ready."""

    name: str
    version: str
    model: Any
    card: Mapping[str, Any]


class OutdatedModelError(InputError):
    """A kept model was written with other versions of the libraries: another one is trained."""


class ModelStore(Protocol):
    """Keeps fitted models by name and version; where and how is the caller's business, never a stage's."""

    def champion(self, name: str) -> StoredModel | None:
        """Return the promoted version, or ``None`` where there is none yet.

        Raises
        ------
        OutdatedModelError
            It was written with other versions of the libraries.
        """
        ...

    def save(self, name: str, model: Any, card: Mapping[str, Any]) -> str:
        """Keep a fitted model and return its version (a hash of its content, so equal models share it)."""
        ...

    def promote(self, name: str, version: str) -> None:
        """Make a saved version the champion."""
        ...
