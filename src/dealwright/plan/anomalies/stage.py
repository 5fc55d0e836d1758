"""Accounts that look odd: against all accounts (Isolation Forest) and against their own history (orders).

Fitted on a sample, applied row by row; each odd row says what makes it odd.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.notebook import Summarised
from dealwright.parallel import parallel_map
from dealwright.plan.anomalies.features import (
    CATEGORY_RARITY,
    NORMAL_MAD,
    account_features,
    category_shares,
    robust_scale,
    scale_robustly,
)
from dealwright.plan.anomalies.forest import IsolationForest
from dealwright.plan.anomalies.own_history import RESIDUALS, history_departures
from dealwright.plan.anomalies.params import AnomalyParams
from dealwright.plan.inputs import gather_inputs
from dealwright.plan.partitions import apply, partitions
from dealwright.schemas import AccountSchema, PlanInputs
from dealwright.stats.arrays import Bools, Floats
from dealwright.wording import count_of

_QUANTILES: Final = 2001
_TWO_SIGMA: Final = 0.97725
_BLOCK_ROWS: Final = 20_000


@dataclass(frozen=True)
class AnomalyModel:
    """The fitted global numbers; applying them to a row needs no other row."""

    features: tuple[str, ...]  # names of the forest's features, in its order
    # robust centre and scale of each
    centre: Floats
    scale: Floats
    shares: Mapping[str, Mapping[str, float]]  # category -> share, for each categorical column
    residual_scale: Mapping[str, float]  # spread of each own-history residual over accounts, at least 1
    forest: IsolationForest | None
    # quantiles of the forest's score and of the largest scaled deviation of a single feature, which turn them
    # into z-scores
    forest_quantiles: Floats
    extreme_quantiles: Floats
    quantiles: Floats  # quantiles of the combined z-score, which turn it into a score in [0, 1]
    threshold_z: float  # flagged from here


@dataclass(frozen=True)
class Anomalies(Summarised):
    """Result of *anomalies*: `frame` has the columns of `ANOMALY_COLUMNS`."""

    frame: pl.DataFrame
    model: AnomalyModel
    notes: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> Mapping[str, Any]:
        """Return counts, the threshold and what was left out."""
        flagged = int(self.frame["is_anomaly"].sum())
        return {
            "accounts": self.frame.height,
            "anomalies": flagged,
            "anomaly_share": flagged / max(self.frame.height, 1),
            "threshold_z": round(self.model.threshold_z, 4),
            "features": len(self.model.features),
            **{f"anomalies_{name}": count for name, count in self.counts.items()},
            "notes": "; ".join(self.notes),
        }


def detect_anomalies(
    accounts: pl.DataFrame,
    params: AnomalyParams | None = None,
    *,
    orders: pl.DataFrame | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
) -> Anomalies:
    """Find unusual accounts and say why.

    The score of an account is the largest of its z-scores: of the Isolation Forest's score (Liu, Ting & Zhou
    2008) on robustly scaled features and of the most deviating feature, both by their upper tails, and of
    each departure from its own order history.

    Parameters
    ----------
    accounts : ``account_id`` and features.
    orders : `ORDER_COLUMNS`; without them accounts are compared with each other only.
    schema, as_of : which column is what, and the cut-off; by default both follow from the frames.
    rng : draws the sample and seeds the forest.
    executor : where accounts are scored, a hundred thousand at a time; by default here.
    """
    params = params or AnomalyParams()
    inputs = gather_inputs(accounts, schema=schema, as_of=as_of, orders=orders)
    notes: list[str] = []
    departures = _departures(inputs, params, notes)
    model = fit_anomalies(inputs, departures, params, rng=rng or np.random.default_rng(0))
    if model.forest is None:
        notes.append(
            "no feature varies"
            if not model.features and inputs.accounts.height >= params.min_accounts
            else f"fewer than {params.min_accounts} accounts: compared with their own history only"
        )
    frame, counts = apply_anomalies(model, inputs, departures, params, executor)
    return Anomalies(frame, model, tuple(notes), counts)


def fit_anomalies(
    inputs: PlanInputs, departures: pl.DataFrame, params: AnomalyParams, *, rng: np.random.Generator
) -> AnomalyModel:
    """Fit scales, the forest and the quantiles of the combined score on a sample of the accounts."""
    accounts = inputs.accounts
    if accounts.height > params.sample:
        rows = np.sort(rng.choice(accounts.height, size=params.sample, replace=False))
        accounts = accounts[rows]
        departures = departures[rows]
    shares = category_shares(accounts, tuple(inputs.schema.categorical))
    names, raw = account_features(accounts, inputs, shares)
    centre, scale = robust_scale(raw)
    varies = scale > 0
    names = tuple(name for name, keep in zip(names, varies, strict=True) if keep)
    centre, scale = centre[varies], scale[varies]
    residual_scale = {
        name: max(1.0, NORMAL_MAD * _median_above_zero(departures[name].to_numpy())) for name in RESIDUALS
    }
    forest, forest_quantiles, extreme_quantiles = None, np.zeros(_QUANTILES), np.zeros(_QUANTILES)
    z = _residual_z(departures, residual_scale).max(axis=1, initial=0.0)
    if names and accounts.height >= params.min_accounts:
        scaled = scale_robustly(raw[:, varies], centre, scale)
        forest = IsolationForest.fitted(scaled, params.trees, rng)
        scores = _forest_scores(forest, scaled)
        forest_quantiles = np.quantile(scores, np.linspace(0, 1, _QUANTILES))
        extreme = _extreme(scaled)
        extreme_quantiles = np.quantile(extreme, np.linspace(0, 1, _QUANTILES))
        z = np.maximum(z, _tail_z(scores, forest_quantiles))
        z = np.maximum(z, _tail_z(extreme, extreme_quantiles))
    quantiles = np.quantile(z, np.linspace(0, 1, _QUANTILES)) if z.size else np.zeros(_QUANTILES)
    threshold = max(params.min_z, float(np.quantile(z, 1 - params.share)) if z.size else 0.0)
    return AnomalyModel(
        names,
        centre,
        scale,
        shares,
        residual_scale,
        forest,
        forest_quantiles,
        extreme_quantiles,
        quantiles,
        threshold,
    )


def apply_anomalies(
    model: AnomalyModel,
    inputs: PlanInputs,
    departures: pl.DataFrame,
    params: AnomalyParams,
    executor: Executor | None = None,
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Score every account; the second result counts the flagged ones by what gave them away."""
    frames, counts = [], Counter[str](own_history=0, among_accounts=0)
    parts = [
        (PlanInputs(inputs.accounts[part], inputs.schema, inputs.as_of), departures[part])
        for part in partitions(inputs.accounts.height)
    ]
    for frame, found in apply(partial(_apply, model, params), parts, executor):
        frames.append(frame)
        counts.update(found)
    return pl.concat(frames), dict(counts)


def _apply(
    model: AnomalyModel, params: AnomalyParams, part: tuple[PlanInputs, pl.DataFrame]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Score some accounts."""
    inputs, departures = part
    accounts = inputs.accounts
    names, raw = account_features(accounts, inputs, model.shares)
    kept = [names.index(name) for name in model.features]
    scaled = scale_robustly(raw[:, kept], model.centre, model.scale)
    residual_z = _residual_z(departures, model.residual_scale)
    forest_z = np.zeros(accounts.height)
    if model.forest is not None and accounts.height:
        forest_z = np.maximum(
            _tail_z(_forest_scores(model.forest, scaled), model.forest_quantiles),
            _tail_z(_extreme(scaled), model.extreme_quantiles),
        )
    own_z = residual_z.max(axis=1, initial=0.0)
    z = np.maximum(own_z, forest_z)
    flagged = z >= model.threshold_z
    reasons = _reasons(
        model,
        raw=raw[:, kept],
        scaled=scaled,
        departures=departures,
        residual_z=residual_z,
        forest_z=forest_z,
        flagged=flagged,
        most=params.reasons,
    )
    frame = pl.DataFrame(
        {
            "account_id": accounts["account_id"],
            "anomaly_score": _score(z, model.quantiles),
            "is_anomaly": flagged,
            "anomaly_reasons": reasons,
        },
        schema_overrides={"anomaly_score": pl.Float64, "is_anomaly": pl.Boolean},
    )
    by_history = flagged & (own_z >= forest_z)
    counts = {"own_history": int(by_history.sum()), "among_accounts": int((flagged & ~by_history).sum())}
    return frame, counts


def _departures(inputs: PlanInputs, params: AnomalyParams, notes: list[str]) -> pl.DataFrame:
    """Own-history residuals, aligned with the accounts; zeros where there is no verdict."""
    ids = inputs.accounts.select("account_id")
    orders = inputs.orders
    if orders is None or orders.is_empty():
        notes.append("no orders: accounts are compared with each other only")
        return ids.with_columns(**{name: pl.lit(0.0) for name in RESIDUALS})
    found = history_departures(
        orders,
        inputs.as_of,
        window_days=params.window_days,
        min_orders=params.min_orders,
        news_days=params.news_days,
    )
    return ids.join(found, on="account_id", how="left", maintain_order="left").with_columns(
        pl.col(RESIDUALS).fill_null(0.0)
    )


def _forest_scores(forest: IsolationForest, scaled: NDArray[np.float32]) -> Floats:
    """Score blocks of rows side by side: each row's sum is over the trees in their order."""
    blocks = np.array_split(scaled, max(1, -(-len(scaled) // _BLOCK_ROWS)))
    return np.concatenate(parallel_map(forest.scores, blocks))


def _tail_z(scores: Floats, quantiles: Floats) -> Floats:
    """Turn a score into a z-score by its upper tail: 0 at the median, 2 where a normal has its 2 (97.7 %).

    Spreads around the median would make much of the long tails such scores have; ranks would make nothing of
    a value that is far beyond all others.
    """
    median, high = np.interp([0.5, _TWO_SIGMA], np.linspace(0, 1, _QUANTILES), quantiles)
    z: Floats = 2.0 * (scores - median) / max(high - median, 1e-9)
    return z


def _extreme(scaled: NDArray[np.float32]) -> Floats:
    """Largest deviation of a single feature.

    A forest whose trees see few rows often misses the one wild value.
    """
    largest: Floats = np.abs(scaled).max(axis=1, initial=0.0).astype(np.float64)
    return largest


def _median_above_zero(values: Floats) -> float:
    positive = values[values > 0]
    return float(np.median(positive)) if positive.size else 0.0


def _residual_z(departures: pl.DataFrame, scale: Mapping[str, float]) -> Floats:
    return np.column_stack([departures[name].to_numpy() / scale[name] for name in RESIDUALS])


def _score(z: Floats, quantiles: Floats) -> Floats:
    """Share of the fitted accounts that are less odd.

    Beyond the oddest of them an exponential tail keeps the order.
    """
    inside = np.interp(z, quantiles, np.linspace(0.0, 1.0 - 1.0 / _QUANTILES, _QUANTILES))
    spread = max(float(quantiles[-1] - quantiles[-1 - _QUANTILES // 100]), 1e-12)
    tail = 1.0 - np.exp(-np.clip((z - quantiles[-1]) / spread, 0.0, 25.0)) / _QUANTILES
    score: Floats = np.where(z > quantiles[-1], tail, inside)
    return score


def _reasons(
    model: AnomalyModel,
    *,
    raw: Floats,
    scaled: NDArray[np.float32],
    departures: pl.DataFrame,
    residual_z: Floats,
    forest_z: Floats,
    flagged: Bools,
    most: int,
) -> pl.Series:
    """Strongest first; empty for accounts that are not flagged."""
    rows = np.flatnonzero(flagged)
    texts: list[list[str]] = [[] for _ in range(rows.size)]
    history = departures[rows].to_dicts() if rows.size else []
    for position, row in enumerate(rows):
        weighed = [
            (z, _history_reason(name, history[position]))
            for name, z in zip(RESIDUALS, residual_z[row], strict=True)
            if z >= model.threshold_z / 2
        ]
        if forest_z[row] >= model.threshold_z / 2:
            # sinh undoes the compression: a plain robust z-score
            for column in np.argsort(-np.abs(scaled[row]))[:most]:
                z = float(np.sinh(scaled[row, column]))
                if abs(z) >= 1.0:
                    # what is odd in a feature never outranks the account's own history, which is told first
                    weighed.append(
                        (min(abs(z), 1e6) / 1e7, _feature_reason(model, column, raw[row, column], z))
                    )
        weighed.sort(key=lambda item: -item[0])
        texts[position] = [text for _, text in weighed[:most]] or [
            "an unusual combination of ordinary values"
        ]
    of_row = np.full(flagged.size, rows.size)
    of_row[rows] = np.arange(rows.size)
    return pl.Series("anomaly_reasons", [*texts, []], dtype=pl.List(pl.String))[of_row]


def _history_reason(name: str, row: Mapping[str, Any]) -> str:
    if name == "amount_spike":
        return f"an order of {row['window_amount_eur']:,.0f} EUR, usually {row['usual_amount_eur']:,.0f} EUR"
    if name == "silence":
        return f"no order for {row['silent_days']:.0f} days, usually every {row['usual_gap_days']:.0f} days"
    direction = "more" if name == "order_burst" else "fewer"
    lately = count_of(row["window_orders"], "order")
    return f"{lately} lately, {direction} than its usual {row['usual_orders']:.1f}"


def _feature_reason(model: AnomalyModel, column: int, value: float, z: float) -> str:
    name = model.features[column]
    if name.startswith(CATEGORY_RARITY):
        return f"rare {name.removeprefix(CATEGORY_RARITY)} ({np.exp(-value):.2%} of accounts)"
    side = "above" if z > 0 else "below"
    return f"{name} {value:,.6g}, far {side} the typical {model.centre[column]:,.6g} (z {z:+.1f})"
