"""Territories by size, beside mini-batch k-means on the same accounts in the same run.

    python benchmarks/territory.py --sizes 3200x20,100000x100,1000000x200

Towns of very different sizes over a country. The workload is time (visits and travel), or time and value in
equal parts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from sklearn.cluster import MiniBatchKMeans

import targets
from dealwright.plan.territories import TerritoryParams, draw_territories
from dealwright.plan.territories.cells import Plane
from dealwright.schemas import AccountSchema, PlanInputs

TARGET_ACCOUNTS: Final = 1_000_000
TARGET_TERRITORIES: Final = 200
TARGET_S: Final = 20.0
TARGET_DEVIATION_PCT: Final = 1.0
MEASURES: Final = {"time": 0.0, "time and value": 0.5}  # weight of value


def country(accounts: int, reps: int, seed: int) -> PlanInputs:
    """Draw towns of very different sizes over a country, with gamma-distributed visit lengths."""
    rng = np.random.default_rng(seed)
    towns = 300
    centre = np.c_[rng.uniform(36.5, 43.2, towns), rng.uniform(-8.5, 2.8, towns)]
    size = rng.pareto(1.1, towns) + 0.05
    size /= size.sum()
    town = rng.choice(towns, accounts, p=size)
    at = centre[town] + rng.normal(size=(accounts, 2)) * (0.04 + 0.25 * np.sqrt(size[town]))[:, None]
    home = centre[rng.choice(towns, reps, p=size)] + rng.normal(0, 0.2, (reps, 2))
    frame = pl.DataFrame(
        {
            "account_id": pl.select(pl.format("A{}", pl.int_range(accounts))).to_series(),
            "lat_deg": at[:, 0],
            "lon_deg": at[:, 1],
            "visit_min": rng.gamma(2.0, 15.0, accounts),
        }
    )
    homes = pl.DataFrame(
        {
            "rep_id": [f"R{k}" for k in range(reps)],
            "home_lat_deg": home[:, 0],
            "home_lon_deg": home[:, 1],
        }
    )
    schema = AccountSchema(has_position=True, roles={"visit_min": "visit_min"})
    return PlanInputs(frame, schema, datetime(2026, 6, 30), reps=homes)


def by_kmeans(inputs: PlanInputs, k: int) -> tuple[float, float]:
    """Return the largest deviation and the mean distance in km of k-means territories."""
    lat, lon = inputs.accounts["lat_deg"].to_numpy(), inputs.accounts["lon_deg"].to_numpy()
    km, load = Plane.around(lat, lon).project(lat, lon), inputs.accounts["visit_min"].to_numpy()
    model = MiniBatchKMeans(k, n_init=1, random_state=0, batch_size=4096).fit(km)
    loads = np.bincount(model.labels_, load, minlength=k)
    away = np.hypot(*(km - model.cluster_centers_[model.labels_]).T)
    return 100 * float(np.abs(loads / loads.mean() - 1).max()), float(np.average(away, weights=load))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="3200x20,100000x100,1000000x200", help="accounts x territories")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    print(f"{targets.machine()}; median of {args.repeat} run(s)")
    lines = []
    heads = f"{'s':>7}{'cpu s':>7}{'max dev %':>11}{'CV %':>7}{'km':>7}{'PP':>6}{'contig.':>9}"
    print(f"{'accounts':>9}{'k':>5} {'method':<18}{heads}")
    for size in args.sizes.split(","):
        accounts, k = map(int, size.split("x"))
        inputs = country(accounts, k, seed=1)
        value = np.random.default_rng(2).lognormal(5.0, 1.5, accounts)
        predictions = inputs.accounts.select("account_id", predicted_value_eur=pl.Series(value))
        for measure, weight in MEASURES.items():
            params = TerritoryParams(value_weight=weight)
            seconds, processor = [], []
            for _ in range(args.repeat):
                clock, work = time.perf_counter(), time.process_time()
                result = draw_territories(
                    inputs.accounts, inputs.reps, params, predictions=predictions, schema=inputs.schema
                )
                seconds.append(time.perf_counter() - clock)
                processor.append(time.process_time() - work)
            figures = result.summary()
            if accounts >= TARGET_ACCOUNTS and k >= TARGET_TERRITORIES:
                what, off = (
                    f"{accounts:,} accounts in {k} territories, {measure}",
                    figures["max_deviation_pct"],
                )
                lines += [
                    targets.at_most(what, statistics.median(seconds), TARGET_S, " s", digits=1),
                    targets.at_most(f"{what}, largest deviation", off, TARGET_DEVIATION_PCT, " %"),
                ]
            print(
                f"{accounts:>9,}{k:>5} {measure:<18}{statistics.median(seconds):>7.1f}"
                f"{statistics.median(processor):>7.1f}"
                f"{figures['max_deviation_pct']:>11.2f}{figures['workload_cv_pct']:>7.2f}"
                f"{figures['mean_distance_km']:>7.2f}{figures['polsby_popper']:>6.2f}{figures['contiguity']:>9.3f}",
                flush=True,
            )
        clock, work = time.perf_counter(), time.process_time()
        deviation, distance = by_kmeans(inputs, k)
        spent = f"{time.perf_counter() - clock:>7.1f}{time.process_time() - work:>7.1f}"
        print(
            f"{'':>14} {'mini-batch k-means':<18}{spent}{deviation:>11.2f}{'':>7}{distance:>7.2f}",
            flush=True,
        )
    print("", *lines or ["no target is about these sizes"], sep="\n")


if __name__ == "__main__":
    main()
