"""Four stages of the nightly plan with data frames of one's own: who leaves, who is visited, by whom, when.

Run it with ``python examples/four_stages.py``. Nothing is read from a file: each stage takes frames with
documented columns, and gives a frame by account that the next one may be given.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from dealwright import (
    PredictParams,
    RouteParams,
    TerritoryParams,
    draw_territories,
    predict,
    route,
    segment,
)

TONIGHT = datetime(2026, 6, 30)
N = 240


def draw_company(seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Draw accounts around two towns, a year and a half of their orders, and two representatives."""
    rng = np.random.default_rng(seed)
    town = rng.integers(0, 2, N)
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k:03d}" for k in range(N)],
            "branch": rng.choice(["bar", "hotel", "shop"], N),
            "seats": rng.integers(10, 200, N),
            "lat_deg": np.array([41.40, 41.55])[town] + rng.normal(0, 0.02, N),
            "lon_deg": np.array([2.15, 2.10])[town] + rng.normal(0, 0.02, N),
        }
    )
    rows = []
    for account_id, seats in accounts.select("account_id", "seats").iter_rows():
        day, gap = float(rng.uniform(0, 40)), float(rng.uniform(15, 60))
        leaves_after = 540 if rng.random() < 0.7 else float(rng.uniform(150, 500))
        while day < leaves_after:
            rows.append((account_id, TONIGHT - timedelta(days=540 - day), seats * float(rng.gamma(4, 0.5))))
            day += float(rng.gamma(4, gap / 4))
    orders = pl.DataFrame(rows, schema=["account_id", "ordered_at", "amount_eur"], orient="row")
    reps = pl.DataFrame(
        {"rep_id": ["Anna", "Bo"], "home_lat_deg": [41.40, 41.55], "home_lon_deg": [2.15, 2.10]}
    )
    return accounts, orders, reps


def main() -> None:
    accounts, orders, reps = draw_company()

    predictions = predict(
        accounts, PredictParams(horizon_days=90, folds=3), orders=orders, as_of=TONIGHT
    ).frame
    segments = segment(accounts, predictions).frame
    territories = draw_territories(accounts, reps, TerritoryParams(tolerance=0.05)).frame

    # a rule of one's own in the place of the stage *action*: a visit saves a tenth of what may be lost
    worth = predictions.select(
        "account_id", expected_value_eur=pl.col("churn_probability") * pl.col("predicted_value_eur") * 0.1
    )
    planned = route(
        accounts, reps, RouteParams(iterations=300), decisions=worth, territories=territories, as_of=TONIGHT
    )

    print(segments.group_by("segment").len("accounts").sort("segment"))
    print(planned.visits.select("rep_id", "stop", "account_id", "arrive_at", "value_eur"))
    print(f"{planned.visits.height} visits, {planned.days['distance_km'].sum():.0f} km")


if __name__ == "__main__":
    main()
