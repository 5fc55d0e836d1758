"""Stage *predict*: who will leave, and what each account will spend in the horizon.

Labels are columns somebody declared, or follow from the orders after an earlier cut-off. The candidates,
from the base rate to boosted trees, compete on rows they have not seen; what is used has beaten every
baseline and chance, or the stage says so and falls back.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.notebook import Summarised
from dealwright.plan.inputs import gather_inputs
from dealwright.plan.prediction.model_store import ModelStore
from dealwright.plan.prediction.params import PredictParams
from dealwright.schemas import PREDICTION_COLUMNS, AccountSchema, PlanInputs

_DTYPES: Any = dict(PREDICTION_COLUMNS)


@dataclass(frozen=True)
class Predictions(Summarised):
    """Churn probability and expected spend of every account, with reasons.

    Attributes
    ----------
    frame
        `PREDICTION_COLUMNS`, one row per account, in the order of the accounts; null where nothing is known:
        no labels, and no orders they could follow from.
    metrics
        Measures of what is used, ``churn_auc``, ``value_rmse`` …, on later rows where there is time, else out
        of fold; those of each baseline with its name appended. Where both are there, those out of fold have
        ``_in_folds`` appended.
    card
        The model card: labels, candidates, choice, intervals, baselines, fallbacks, notes; JSON-ready.
    """

    frame: pl.DataFrame
    metrics: Mapping[str, float | None]
    card: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())

    def summary(self) -> Mapping[str, Any]:
        """Return counts, champions, measures and fallbacks as one flat mapping."""
        flat: dict[str, Any] = {"accounts": self.frame.height}
        for target in ("churn", "value"):
            section = self.card[target]
            flat[f"{target}_model"] = section["champion"]
            flat[f"{target}_labels"] = section["labels"]
            flat[f"{target}_tested"] = section.get("tested")
            flat[f"{target}_fallback"] = section["choice"].get("fallback")
            flat[f"{target}_model_note"] = section.get("in_use", {}).get("note") or None
        flat["mean_churn_probability"] = self.frame["churn_probability"].mean()
        value = self.frame["predicted_value_eur"].drop_nulls()
        flat["total_predicted_value_eur"] = value.sum() if value.len() else None
        return {**flat, **self.metrics, "notes": "; ".join(self.notes)}


def predict(
    accounts: pl.DataFrame,
    params: PredictParams | None = None,
    *,
    orders: pl.DataFrame | None = None,
    touches: pl.DataFrame | None = None,
    history: pl.DataFrame | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,
    store: ModelStore | None = None,
    executor: Executor | None = None,
) -> Predictions:
    """Predict churn and value of every account.

    Parameters
    ----------
    accounts
        ``account_id``, features, and labels where there are any (``churned``, ``future_value_eur``).
    orders, touches
        `ORDER_COLUMNS`, `TOUCH_COLUMNS`.
    history
        Accounts as they were at earlier moments (``account_id``, ``snapshot_at`` and features).
    schema, as_of
        Which column is what, and the cut-off; by default both follow from the frames (`plan.inputs`).
    rng
        Of this stage; the same state gives the same predictions.
    store
        Where models are kept between runs; without one nothing is.
    executor
        Where accounts are predicted, a hundred thousand at a time; by default here.

    Raises
    ------
    InputError
        There is no account, a parameter names a column that is not there or was known too late, or the
        training cut-off leaves no room for its horizon.
    """
    from dealwright.plan.prediction.targets import Prediction

    params = params or PredictParams()
    inputs = gather_inputs(
        accounts, schema=schema, as_of=as_of, orders=orders, touches=touches, history=history
    )
    if inputs.accounts.height == 0:
        raise InputError("there are no accounts: nothing to predict (are all rows in rejected/?)")
    run = Prediction(inputs, params, rng or np.random.default_rng(0), store, executor)
    return _result(inputs, params, run.run())


def _result(inputs: PlanInputs, params: PredictParams, outcomes: Mapping[Any, Any]) -> Predictions:
    churn, value = outcomes["churn"], outcomes["value"]
    frame = pl.DataFrame(
        {
            "account_id": inputs.accounts["account_id"],
            "churn_probability": churn.predicted,
            "predicted_value_eur": value.predicted,
            "churn_reasons": churn.reasons,
            "value_reasons": value.reasons,
        },
    ).cast(_DTYPES)
    frame = frame.with_columns(pl.col("churn_probability", "predicted_value_eur").fill_nan(None))
    metrics: dict[str, float | None] = {}
    for target, outcome in (("churn", churn), ("value", value)):
        for key, measured in outcome.metrics.items():
            metrics[f"{target}_{key}"] = measured if np.isfinite(measured) else None
    notes = tuple(dict.fromkeys([*churn.notes, *value.notes]))
    card = {
        "as_of": inputs.as_of.isoformat(),
        "accounts": inputs.accounts.height,
        "horizon_days": params.horizon_days,
        "churn": churn.card,
        "value": value.card,
        "notes": list(notes),
    }
    return Predictions(frame, metrics, card, notes)
