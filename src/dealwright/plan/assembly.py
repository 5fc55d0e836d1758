"""Put the results of the stages together: the accounts' table, key figures, drift against the last run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from dealwright.plan.action import Actions
from dealwright.plan.anomalies import Anomalies
from dealwright.plan.drift import Drift, compare, profile
from dealwright.plan.frames import StageResult
from dealwright.plan.predict import Predictions
from dealwright.plan.quality import Quality
from dealwright.schemas import (
    ACCOUNT_RESULT_COLUMNS,
    BACKLOG_COLUMNS,
    BRIEF_COLUMNS,
    CALL_COLUMNS,
    CHANNEL_COLUMNS,
    DISTANCE_ONLY_DAY_COLUMNS,
    LEFT_OUT_COLUMNS,
    SERVICE_LEVEL_COLUMNS,
    SHIFT_COLUMNS,
    TERRITORY_CURVE_COLUMNS,
    TERRITORY_TABLE_COLUMNS,
    UNPLACED_CALL_COLUMNS,
    VISIT_COLUMNS,
    WAITLIST_COLUMNS,
    WORKING_DAY_COLUMNS,
    Columns,
    PlanInputs,
)

# table of the run directory -> the stage whose result holds it, where, and its columns
TABLES: Final[Mapping[str, tuple[str, str, Columns]]] = {
    "territories": ("territory", "territories", TERRITORY_TABLE_COLUMNS),
    "territory_curve": ("territory", "curve", TERRITORY_CURVE_COLUMNS),
    "channels": ("channel", "table", CHANNEL_COLUMNS),
    "waitlist": ("channel", "waitlist", WAITLIST_COLUMNS),
    "visits": ("route", "visits", VISIT_COLUMNS),
    "rep_days": ("route", "days", WORKING_DAY_COLUMNS),
    "left_out": ("route", "left_out", LEFT_OUT_COLUMNS),
    "distance_only_visits": ("distance_only", "visits", VISIT_COLUMNS),
    "distance_only_days": ("distance_only", "days", DISTANCE_ONLY_DAY_COLUMNS),
    "shifts": ("schedule", "shifts", SHIFT_COLUMNS),
    "calls": ("schedule", "calls", CALL_COLUMNS),
    "calls_unplaced": ("schedule", "unplaced", UNPLACED_CALL_COLUMNS),
    "service_levels": ("schedule", "levels", SERVICE_LEVEL_COLUMNS),
    "backlog": ("schedule", "backlog", BACKLOG_COLUMNS),
    "briefs": ("brief", "briefs", BRIEF_COLUMNS),
}
# key figure -> the stage in whose summary it stands, and under which name
LATER_FIGURES: Final = {
    "territory_max_deviation_pct": ("territory", "max_deviation_pct"),
    "territory_mean_distance_km": ("territory", "mean_distance_km"),
    "contacts_scheduled": ("channel", "reached"),
    "contacts_value_eur": ("channel", "reached_value_eur"),
    "backlog": ("channel", "waiting"),
    "channel_gap_share": ("channel", "gap_share"),
    "visits": ("route", "visits"),
    "must_visits_missed": ("route", "must_visits_missed"),
    "visit_value_eur": ("route", "visit_value_eur"),
    "distance_km": ("route", "distance_km"),
    "travel_min": ("route", "travel_min"),
    "calls": ("schedule", "calls"),
    "calls_unplaced": ("schedule", "calls_unplaced"),
    "people": ("schedule", "people"),
    "shortage_h": ("schedule", "shortage_h"),
    "inbound_cc_sla_probability": ("schedule", "inbound_cc_sla_probability"),
}
# of all measures in the model card, those that judge what is used; the baselines' stay in the card
_MEASURES: Final = (
    "churn_auc", "churn_pr_auc", "churn_log_loss", "churn_brier", "churn_ece", "churn_lift", "value_rmse",
    "value_mae", "value_spearman", "value_gini", "value_total_bias",
)  # fmt: skip
_SCORES: Final = ("churn_probability", "predicted_value_eur", "anomaly_score", "nba_score")


def side_by_side(account_id: pl.Series, results: Mapping[str, StageResult]) -> pl.DataFrame:
    """Put the results of the stages beside each other; where two name a column, the later stage's counts.

    `ACCOUNT_RESULT_COLUMNS` come first, null where no stage has found them.
    """
    empty = pl.DataFrame(schema=ACCOUNT_RESULT_COLUMNS).clear(account_id.len())
    columns = {column.name: column for column in empty} | {"account_id": account_id}
    for name, result in results.items():
        frame = result.frame
        if not frame["account_id"].equals(account_id):
            raise AssertionError(f"the stage {name} returned other accounts, or in another order")
        columns |= {column.name: column for column in frame}
    return pl.DataFrame(list(columns.values()))


def measure_drift(
    data: PlanInputs,
    accounts: pl.DataFrame,
    metrics: Mapping[str, float | None],
    previous: Mapping[str, Any] | None,
    worse_by: float,
) -> tuple[Drift, dict[str, Any]]:
    """Compare this run's features and scores with the last run's, and describe them for the next."""
    numeric = data.schema.numeric
    features = data.accounts.select("account_id", *numeric, *data.schema.categorical)
    table = features.hstack(accounts.select(_SCORES))
    drift = compare(previous or {}, table, metrics, worse_by)
    watched = {name: metrics.get(name) for name in ("churn_auc", "value_spearman")}
    columns = profile(table, [*numeric, *_SCORES], list(data.schema.categorical))
    return drift, {"columns": columns, "metrics": watched}


def figures(
    quality: Quality,
    predictions: Predictions,
    anomalies: Anomalies,
    actions: Actions,
    drift: Drift,
    *,
    results: Mapping[str, StageResult],
) -> dict[str, Any]:
    """Collect the key figures of a run; nothing that depends on the clock."""
    chosen = actions.frame
    later = {name: place for name, place in LATER_FIGURES.items() if place[0] in results}
    accounts = chosen.height
    return {
        "accounts": accounts,
        "rejected_share": quality.rejected_share.get("accounts", 0.0),
        **{f"{name}_age_days": days for name, days in quality.freshness.items()},
        **{name: predictions.metrics.get(name) for name in _MEASURES},
        "mean_churn_probability": predictions.frame["churn_probability"].mean(),
        "predicted_value_eur": predictions.frame["predicted_value_eur"].sum(),
        "anomaly_share": anomalies.frame["is_anomaly"].mean(),
        "accounts_with_action": int((chosen["action"] != "nothing").sum()),
        "expected_value_eur": chosen["expected_value_eur"].sum(),
        "explore_share": chosen["explore"].mean(),
        "control_share": chosen["control"].mean(),
        "columns_drifted": int((drift.frame["level"] == "large").sum()),
        **{name: results[stage].summary().get(key) for name, (stage, key) in later.items()},
    }
