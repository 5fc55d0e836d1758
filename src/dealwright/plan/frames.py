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
from typing import Any, Protocol

import polars as pl

from dealwright.errors import InputError


class StageResult(Protocol):
    """What every stage returns: a frame by account and a flat summary of counts, metrics, fallbacks."""

    @property
    def frame(self) -> pl.DataFrame:
        """One row per account, in the order of the accounts."""
        ...

    def summary(self) -> Mapping[str, Any]:
        """Flat mapping of plain values (str, int, float, bool, None) for the trace, the KPIs and people."""
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
