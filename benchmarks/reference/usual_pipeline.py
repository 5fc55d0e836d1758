"""The usual nightly pipeline, written from its description, to compare `dealwright plan` with.

Boosted trees for churn (300, depth 3, rate .05) and for potential (500), an Isolation Forest, segments by
quantiles, a weighted score, k-means into as many territories as there are representatives, representatives
matched to them by the Hungarian method, and greedy routes by score. No calibration, no check on rows a model
has not seen, no channels, capacities, windows, shifts, briefs or maps.

``python benchmarks/reference/usual_pipeline.py TABLES OUT`` reads ``accounts``, ``orders`` and ``reps`` as
Parquet files from one folder and writes three tables into the other.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, IsolationForest

AS_OF = datetime(2026, 6, 30)
HORIZON_DAYS = 90
NUMBERS = (
    "employees", "lifetime_value_eur", "digital_engagement", "inbound_calls_90d", "connect_rate",
    "web_sessions_30d", "abandoned_carts_30d", "ecom_orders_90d", "support_tickets_90d", "csat",
    "recent_issue", "touches_90d",
)  # fmt: skip
WORDS = ("tier", "industry", "product_interest")
VISITS, SPEED_KMH, VISIT_MIN, DAY_MIN = 10, 30.0, 30.0, 480.0


def main(tables: Path, out: Path) -> None:
    accounts = (
        pl.read_parquet(tables / "accounts.parquet")
        .drop_nulls("account_id")
        .unique("account_id", keep="first")
    ).sort("account_id")
    orders = pl.read_parquet(tables / "orders.parquet").drop_nulls()
    reps = pl.read_parquet(tables / "reps.parquet")
    cut_off = AS_OF - timedelta(days=HORIZON_DAYS)
    # labels: what happened after an earlier cut-off; features: what was known then
    then, now = features(accounts, orders, cut_off), features(accounts, orders, AS_OF)
    later = (
        orders.filter(pl.col("ordered_at") > cut_off).group_by("account_id").agg(pl.col("amount_eur").sum())
    )
    spend = accounts.join(later, on="account_id", how="left", maintain_order="left")["amount_eur"].fill_null(
        0.0
    )
    churned = (spend == 0).to_numpy().astype(int)
    churn_model = GradientBoostingClassifier(
        n_estimators=300, max_depth=3, learning_rate=0.05, random_state=0
    )
    churn = churn_model.fit(then, churned).predict_proba(now)[:, 1]
    potential_model = GradientBoostingRegressor(
        n_estimators=500, max_depth=3, learning_rate=0.05, random_state=0
    )
    potential = np.maximum(potential_model.fit(then, spend.to_numpy()).predict(now), 0.0)
    odd = IsolationForest(n_estimators=200, contamination=0.02, random_state=0).fit(now).predict(now) < 0
    z = lambda x: (x - x.mean()) / (x.std() or 1.0)  # noqa: E731
    engagement = np.nan_to_num(accounts["digital_engagement"].cast(pl.Float64).fill_null(0.0).to_numpy())
    score = 0.4 * z(potential) + 0.4 * z(churn) + 0.2 * z(engagement)
    bucket = np.searchsorted(np.quantile(potential, [0.25, 0.5, 0.75]), potential)
    territory, rep = territories(accounts, reps)
    frame = accounts.select("account_id").with_columns(
        churn=pl.Series(churn), potential_eur=pl.Series(potential), is_anomaly=pl.Series(odd),
        score=pl.Series(score), bucket=pl.Series(bucket), territory=pl.Series(territory),
        rep_id=pl.Series(rep),
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(out / "accounts.parquet")
    routes(accounts, reps, frame).write_parquet(out / "visits.parquet")
    frame.group_by("bucket").agg(pl.len(), pl.col("churn").mean()).sort("bucket").write_csv(
        out / "segments.csv"
    )


def features(accounts: pl.DataFrame, orders: pl.DataFrame, moment: datetime) -> np.ndarray:
    """Return numbers, one column per word, and recency, frequency and money until a moment."""
    known = orders.filter(pl.col("ordered_at") <= moment)
    recent = pl.col("ordered_at") > moment - timedelta(days=HORIZON_DAYS)
    history = known.group_by("account_id").agg(
        recency=(pl.lit(moment) - pl.col("ordered_at").max()).dt.total_days(),
        frequency=pl.len(),
        money=pl.col("amount_eur").sum(),
        orders_90d=recent.sum(),
        money_90d=pl.col("amount_eur").filter(recent).sum(),
    )
    table = accounts.join(history, on="account_id", how="left", maintain_order="left").select(
        *(pl.col(name).cast(pl.Float64) for name in NUMBERS),
        pl.col("recency").fill_null(999),
        pl.col("frequency", "money", "orders_90d", "money_90d").fill_null(0),
    )  # fmt: skip
    dummies = accounts.select(
        pl.col(name).cast(pl.String).fill_null("unknown") for name in WORDS
    ).to_dummies()
    numbers = np.nan_to_num(table.to_numpy().astype(np.float64), nan=-1.0, posinf=0.0, neginf=0.0)
    return np.hstack([numbers, dummies.to_numpy()])


def territories(accounts: pl.DataFrame, reps: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Cluster positions and match the representatives to the clusters by distance."""
    where = accounts.select(
        pl.col("lat_deg", "lon_deg").cast(pl.Float64).fill_null(strategy="mean")
    ).to_numpy()
    clusters = KMeans(n_clusters=reps.height, n_init=10, random_state=0).fit(where)
    homes = reps.select("home_lat_deg", "home_lon_deg").to_numpy()
    distance = np.linalg.norm(clusters.cluster_centers_[:, None] - homes[None], axis=2)
    cluster, rep = linear_sum_assignment(distance)
    of_cluster = np.empty(reps.height, dtype=int)
    of_cluster[cluster] = rep
    return clusters.labels_, reps["rep_id"].to_numpy()[of_cluster[clusters.labels_]]


def routes(accounts: pl.DataFrame, reps: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Visit each representative's best accounts by score, in order of the nearest next."""
    joined = (
        accounts.select("account_id", "lat_deg", "lon_deg")
        .hstack(frame.select("score", "rep_id"))
        .drop_nulls()
    )
    rows = []
    for rep_id, lat, lon in reps.select("rep_id", "home_lat_deg", "home_lon_deg").iter_rows():
        best = joined.filter(pl.col("rep_id") == rep_id).sort("score", descending=True).head(VISITS)
        left, here, clock = list(best.select("account_id", "lat_deg", "lon_deg").iter_rows()), (lat, lon), 0.0
        while left:
            km = [
                111.2 * np.hypot(a - here[0], (o - here[1]) * np.cos(np.radians(a))) * 1.3 for _, a, o in left
            ]
            k = int(np.argmin(km))
            clock += km[k] / SPEED_KMH * 60 + VISIT_MIN
            if clock > DAY_MIN:
                break
            account_id, *here = left.pop(k)
            rows.append((rep_id, len(rows) + 1, account_id, clock, km[k]))
    return pl.DataFrame(rows, schema=["rep_id", "stop", "account_id", "leave_min", "km"], orient="row")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
