"""How far features and scores moved since the last run: the population stability index.

PSI = Σ (pᵢ − qᵢ) · ln(pᵢ / qᵢ) over the last run's tenths and a bin of missing values (Siddiqi, *Credit Risk
Scorecards*, 2006, ch. 9; below 0.1 is usually called stable, above 0.25 large). It fires easily on large
tables, so it is shown, and becomes an alarm only together with a labelled metric that got worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.schemas import PlanInputs

MODERATE: Final = 0.10
LARGE: Final = 0.25
_FLOOR: Final = 1e-4  # an empty bin counts as this share
_MAX_CATEGORIES: Final = 50
_SCORES: Final = ("churn_probability", "predicted_value_eur", "anomaly_score", "nba_score")


@dataclass(frozen=True)
class Drift:
    """Drift against the last run."""

    # `column`, `psi`, `level` (stable, moderate, large), the largest first; empty without a last run
    frame: pl.DataFrame
    alarm: bool  # whether something moved much *and* a labelled metric got worse
    message: str  # what to make of it


def profile(frame: pl.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> dict[str, Any]:
    """Describe columns by bins and shares, JSON-ready, so that a later run can be compared with this one."""
    result: dict[str, Any] = {}
    for name in numeric:
        values = frame[name].drop_nulls().to_numpy()
        if values.size:
            edges = np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9)))
            result[name] = {"edges": edges.tolist(), "shares": _numeric_shares(frame[name], edges)}
    for name in categorical:
        counts = (
            frame[name].drop_nulls().value_counts(sort=True).sort("count", name, descending=[True, False])
        )
        known = counts[name].head(_MAX_CATEGORIES).to_list()
        result[name] = {"values": known, "shares": _category_shares(frame[name], known)}
    return result


def compare(
    previous: Mapping[str, Any], frame: pl.DataFrame, metrics: Mapping[str, float | None], worse_by: float
) -> Drift:
    """Compare the columns of a frame with the profile of the last run.

    Parameters
    ----------
    previous
        ``columns`` (of `profile`) and ``metrics`` of the last run.
    frame
        This run's features and scores.
    metrics
        This run's labelled metrics; ``churn_auc`` and ``value_spearman`` are looked at.
    worse_by
        A loss of more than this in one of them makes large drift an alarm.
    """
    rows = []
    for name, was in previous.get("columns", {}).items():
        if name not in frame.columns:
            continue
        if "edges" in was:
            now = _numeric_shares(frame[name].cast(pl.Float64), np.asarray(was["edges"]))
        else:
            now = _category_shares(frame[name].cast(pl.String), was["values"])
        psi = population_stability(was["shares"], now)
        rows.append((name, psi, "large" if psi >= LARGE else "moderate" if psi >= MODERATE else "stable"))
    table = pl.DataFrame(
        rows, schema={"column": pl.String, "psi": pl.Float64, "level": pl.String}, orient="row"
    )
    table = table.sort("psi", "column", descending=[True, False])
    before = previous.get("metrics", {})
    fell = [
        f"{name} fell from {before[name]:.3f} to {metrics[name]:.3f}"
        for name in ("churn_auc", "value_spearman")
        if before.get(name) is not None
        and metrics.get(name) is not None
        and before[name] - metrics[name] > worse_by
    ]
    moved = table.filter(pl.col("level") == "large")["column"].to_list()
    alarm = bool(moved and fell)
    if alarm:
        message = (
            f"{', '.join(moved[:3])} moved and {'; '.join(fell)}: look at the data before using the plan"
        )
    elif moved:
        message = f"{', '.join(moved[:3])} moved, but no labelled metric got worse: shown, not an alarm"
    elif rows:
        message = "no column moved much since the last run"
    else:
        message = "no last run to compare with"
    return Drift(table, alarm, message)


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


def population_stability(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the population stability index of two distributions over the same bins."""
    p, q = (np.maximum(np.asarray(shares, dtype=np.float64), _FLOOR) for shares in (actual, expected))
    return float(np.sum((p - q) * np.log(p / q)))


def _numeric_shares(column: pl.Series, edges: np.ndarray[Any, Any]) -> list[float]:
    """Return the share of each bin (edges belong to the bin below them) and, last, of missing values."""
    values = column.drop_nulls().to_numpy()
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return [float(count) / max(len(column), 1) for count in (*counts, column.null_count())]


def _category_shares(column: pl.Series, values: Sequence[str]) -> list[float]:
    """Return the share of each value, of all others, and of missing values."""
    counts = dict(column.value_counts().iter_rows())
    known = [counts.get(value, 0) for value in values]
    missing = column.null_count()
    other = len(column) - sum(known) - missing
    return [count / max(len(column), 1) for count in (*known, other, missing)]
