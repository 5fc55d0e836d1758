"""Stage *predict*: who will leave, and what each account will spend in the horizon.

Labels are columns somebody declared, or follow from the orders after an earlier cut-off. The candidates,
from the base rate to boosted trees, compete on rows they have not seen; what is used has beaten every
baseline and chance, or the stage says so and falls back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.frames import ModelStore
from dealwright.schemas import PREDICTION_COLUMNS, PlanInputs

Floats = NDArray[np.float64]
_DTYPES: Any = dict(PREDICTION_COLUMNS)
LabelSource = Literal["auto", "declared", "orders", "none"]
ChurnDefinition = Literal["rhythm", "silence", "alive"]


@dataclass(frozen=True)
class PredictParams:
    """How to predict.

    Attributes
    ----------
    horizon_days
        How far ahead churn and spend look.
    churn_labels, value_labels
        Where labels come from; ``auto`` takes declared ones, else orders, else none.
    churn_definition
        With orders: ``rhythm`` (no order in the horizon, and silent beyond the account's own rhythm),
        ``silence`` (no order in the horizon), ``alive`` (no label: 1 − P(alive) of BG/NBD as it is).
    rhythm_factor
        Own mean gaps an account must be silent for to count as churned.
    train_cut_off
        Moment at which training cases are described; by default one horizon before the run's cut-off.
    label_cut_off
        Moment at which accounts with declared labels are described; by default the run's cut-off.
    observed_at
        Date column of the accounts by which rows with declared labels are ordered in time, if they are.
    features
        The accounts' own columns to use; by default all the schema names.
    reasons
        How many reasons each account gets at most, per target; 0 for none.
    folds
        Of cross-validation.
    most_choice_rows, most_fit_rows
        Beyond this many labelled rows a random sample is used to choose the candidate, to fit the final
        model.
    """

    horizon_days: int = 180
    churn_labels: LabelSource = "auto"
    value_labels: LabelSource = "auto"
    churn_definition: ChurnDefinition = "rhythm"
    rhythm_factor: float = 1.0
    train_cut_off: datetime | None = None
    label_cut_off: datetime | None = None
    observed_at: str | None = None
    features: tuple[str, ...] | None = None
    reasons: int = 3
    folds: int = 5
    most_choice_rows: int = 20_000
    most_fit_rows: int = 100_000

    def __post_init__(self) -> None:
        """Refuse impossible parameters.

        Raises
        ------
        InputError
            Naming the parameter.
        """
        for name, choices in (
            ("churn_labels", get_args(LabelSource)),
            ("value_labels", get_args(LabelSource)),
            ("churn_definition", get_args(ChurnDefinition)),
        ):
            if getattr(self, name) not in choices:
                raise UnknownNameError(name, getattr(self, name), choices)
        if self.horizon_days < 1:
            raise InputError(f"horizon_days = {self.horizon_days}: use at least 1")
        if not 3 <= self.folds <= 20:  # calibration needs a third fold: neither predicted nor learned from
            raise InputError(f"folds = {self.folds}: use 3 to 20")
        if self.rhythm_factor < 0:
            raise InputError(f"rhythm_factor = {self.rhythm_factor}: use 0 or more")
        if min(self.most_choice_rows, self.most_fit_rows) < 100:
            raise InputError("most_choice_rows and most_fit_rows: use at least 100")
        if self.reasons < 0:
            raise InputError(f"reasons = {self.reasons}: use 0 or more")


@dataclass(frozen=True)
class Predictions:
    """Churn probability and expected spend of every account, with reasons.

    Attributes
    ----------
    frame
        `frames.PREDICTION_COLUMNS`, one row per account, in the order of the accounts.
    metrics
        Out-of-fold measures of what is used, ``churn_auc``, ``value_rmse`` …; those of each baseline with its
        name appended, and those of the forward test with ``_forward``.
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
            flat[f"{target}_fallback"] = section["choice"].get("fallback")
            flat[f"{target}_model_note"] = section.get("in_use", {}).get("note") or None
        flat["mean_churn_probability"] = self.frame["churn_probability"].mean()
        flat["total_predicted_value_eur"] = self.frame["predicted_value_eur"].sum()
        return {**flat, **self.metrics, "notes": "; ".join(self.notes)}


def predict(
    inputs: PlanInputs,
    params: PredictParams | None = None,
    *,
    rng: np.random.Generator,
    store: ModelStore | None = None,
) -> Predictions:
    """Predict churn and value of every account.

    Parameters
    ----------
    rng
        Of this stage; the same state gives the same predictions.
    store
        Where models are kept between runs; without one nothing is.

    Raises
    ------
    InputError
        There is no account, a parameter names a column that is not there or was known too late, or the
        training cut-off leaves no room for its horizon.
    """
    from dealwright.plan.prediction.stage import Prediction

    params = params or PredictParams()
    if inputs.accounts.height == 0:
        raise InputError("there are no accounts: nothing to predict (are all rows in rejected/?)")
    return _result(inputs, params, Prediction(inputs, params, rng, store).run())


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
