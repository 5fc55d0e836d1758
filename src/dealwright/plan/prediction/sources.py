"""Where labels come from, which columns may be used, and who competes: decided, or refused by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.prediction.candidates import CandidateSet, candidate_set
from dealwright.plan.prediction.design import FeatureSchema
from dealwright.plan.prediction.order_features import (
    EXPECTED_SPEND,
    LAST_PERIOD,
    PROBABILITY_SILENT,
    RFM_COLUMNS,
)
from dealwright.plan.prediction.params import PredictParams
from dealwright.schemas import CHURNED, FUTURE_VALUE, PlanInputs
from dealwright.stats.arrays import Floats
from dealwright.stats.metrics import Target

TargetName = Literal["churn", "value"]
TARGETS: tuple[TargetName, ...] = ("churn", "value")
LABEL_COLUMNS = {"churn": CHURNED, "value": FUTURE_VALUE}


def label_source(target: TargetName, inputs: PlanInputs, params: PredictParams) -> str:
    """Return ``declared``, ``orders`` or ``none``.

    Raises
    ------
    InputError
        The source asked for is not there.
    """
    schema = inputs.schema
    declared = schema.has_churn_label if target == "churn" else schema.has_value_label
    has_orders = inputs.scan("orders") is not None
    asked = params.churn_labels if target == "churn" else params.value_labels
    if asked == "declared" and not declared:
        raise InputError(
            f"{target}_labels = 'declared', but no account column is declared as {LABEL_COLUMNS[target]!r}: "
            "name it in the mapping, or use 'orders'"
        )
    if asked == "orders" and not has_orders:
        raise InputError(f"{target}_labels = 'orders', but there are no orders: give them, or declare labels")
    if asked != "auto":
        return asked
    if declared:
        return "declared"
    return "orders" if has_orders else "none"


def with_chosen_features(inputs: PlanInputs, params: PredictParams) -> PlanInputs:
    """Return the inputs with the schema reduced to `PredictParams.features`, where they are given.

    Raises
    ------
    UnknownNameError
        A feature, or `observed_at`, is not a column of its kind.
    """
    schema = inputs.schema
    if params.observed_at is not None and params.observed_at not in schema.dates:
        raise UnknownNameError("date column for observed_at", params.observed_at, schema.dates)
    if params.features is None:
        return inputs
    for name in params.features:
        if name not in schema.features:
            raise UnknownNameError("feature", name, schema.features)
    keep = {*params.features, params.observed_at}
    chosen = replace(
        schema,
        numeric=tuple(name for name in schema.numeric if name in keep),
        categorical={name: values for name, values in schema.categorical.items() if name in keep},
        dates=tuple(name for name in schema.dates if name in keep),
        has_preferred_channel=False,
    )
    return inputs.having(schema=chosen)


def refuse_late_features(
    params: PredictParams, refused: tuple[str, ...], cut_off: datetime, as_of: datetime
) -> None:
    """Refuse a feature that was asked for by name but holds what was known only after the cut-off."""
    late = [name for name in params.features or () if name in refused]
    if late:
        raise InputError(
            f"column {late[0]!r} holds what was known at {as_of:%Y-%m-%d}, later than the cut-off "
            f"{cut_off:%Y-%m-%d} of the training cases: leave it out of features, declare known_from for it, "
            "or give a history of snapshots"
        )


def kind_of(target: TargetName, labels: Floats) -> Target:
    """Return what kind of target the labels are: a value that can be negative is an amount, else a spend."""
    if target == "churn":
        return "probability"
    return "amount" if len(labels) and labels.min() < 0 else "spend"


def candidates_for(target: TargetName, kind: Target, schema: FeatureSchema, *, ahead: bool) -> CandidateSet:
    """Return who competes, given the features at hand; `ahead` as in `candidates.line_up`."""
    if target == "churn":
        known = {"buy_till_you_die": PROBABILITY_SILENT}
    else:
        known = {"last_period": LAST_PERIOD, "buy_till_you_die": EXPECTED_SPEND}
    return candidate_set(schema, kind, RFM_COLUMNS, known, ahead=ahead)
