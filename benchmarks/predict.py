"""How good the *predict* stage is, beside what people use instead, on data with and without known truth.

``python3 do.py bench predict``, or ``python benchmarks/predict.py [TABLE ...]`` with tables out of telco,
cdnow, companies, interactions, campaign, barcelona, drift, mailing, small, noise and scale. Public data are
read from ``../shared/data`` by a declaration only and go through the plan's own reading and quality stage;
where they are absent, the table says so. Every reference is computed in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from rich.table import Table

from dealwright.plan.prediction import PredictParams
from dealwright.plan.quality import QualityParams, check_quality
from dealwright.schemas import AccountSchema, PlanInputs
from dealwright.stats.metrics import auc, calibration_error, spearman, total_bias
from dealwright.tables.plan_inputs import read_plan_inputs
from dealwright.tables.reader import Format, read_table
from predict_companies import companies
from predict_data_sets import campaign, drift, mailing, small
from predict_interactions import catboost_out_of_fold, interactions
from predict_references import (
    CONSOLE,
    boosted_classifier,
    chosen,
    intervals,
    out_of_fold,
    plain_logistic,
    predict_inputs,
    probability_table,
    timed,
    value_table,
)

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(TABLES), help=f"which of {', '.join(TABLES)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.seed)
        return
    CONSOLE.print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in options.tables or TABLES:
        if name == "scale":
            scale(options.sizes, options.seed)
        else:
            TABLES[name](options.seed)


def cleaned(inputs: PlanInputs) -> PlanInputs:
    """Take inputs through the plan's quality stage, as every run does."""
    return check_quality(inputs, QualityParams(), force=True).inputs


def telco(seed: int) -> None:
    """Churn of 7,043 telephone customers: labels as declared, out of fold."""
    source = DATA / "telco" / "telco_customer_churn.csv"
    if not source.exists():
        CONSOLE.print(f"[yellow]telco: {source} is absent, nothing measured")
        return
    inputs = cleaned(read_plan_inputs(source, schema=ROOT / "examples" / "telco.toml"))
    label = inputs.accounts["churned"].cast(pl.Float64).to_numpy()
    numeric = inputs.accounts.select(inputs.schema.numeric).to_numpy()
    ours, seconds = timed(lambda: predict_inputs(inputs, rng=np.random.default_rng(seed)))
    rows = {
        "Dealwright": ours.frame["churn_probability"].to_numpy(),
        **catboost_out_of_fold(inputs, label, seed),
        "gradient boosting, numeric columns": out_of_fold(boosted_classifier, numeric, label, seed),
        "logistic regression, numeric columns": out_of_fold(plain_logistic, numeric, label, seed),
        "base rate": np.full(len(label), label.mean()),
        "Dealwright, labels shuffled": shuffled_labels(inputs, label, seed),
    }
    table = probability_table(f"telco: churn, 5-fold, n = {len(label)}, {seconds:.0f} s", label, rows)
    table.add_row("target", "≥ 0.848", "", "≤ 0.413", "", "≤ 0.030", "")
    CONSOLE.print(table)
    intervals(ours, "churn")


def cdnow(seed: int) -> None:
    """Spend of 23,570 customers in January to June 1998, from their purchases in 1997."""
    source = DATA / "cdnow" / "CDNOW_master.txt"
    if not source.exists():
        CONSOLE.print(f"[yellow]cdnow: {source} is absent, nothing measured")
        return
    orders = read_table(source, Format(separator="whitespace")).frame
    customers = orders.select("customer_id").unique().sort("customer_id")
    past, future = (
        orders.filter(side) for side in (pl.col("date") < "19980101", pl.col("date") >= "19980101")
    )
    inputs = cleaned(read_plan_inputs(customers, schema=ROOT / "examples" / "cdnow.toml", orders=past))
    params = PredictParams(horizon_days=181, train_cut_off=datetime(1997, 7, 1))  # midnight after 30 June
    ours, seconds = timed(lambda: predict_inputs(inputs, params, rng=np.random.default_rng(seed)))
    actual = (
        customers.join(
            future.group_by("customer_id").agg(pl.col("dollar_value").cast(pl.Float64).sum().alias("spend")),
            on="customer_id",
            how="left",
            maintain_order="left",
        )["spend"]
        .fill_null(0.0)
        .to_numpy()
    )
    rows = {
        "Dealwright": ours.frame["predicted_value_eur"].to_numpy(),
        **spend_references(inputs, params, seed),
    }
    table = value_table(f"cdnow: spend in six months, n = {len(actual)}, {seconds:.0f} s", actual, rows)
    table.add_row("target", "≤ 57", "", "", "≥ 0.755", "within ±5 %", "")
    CONSOLE.print(table)
    silent = (actual == 0).astype(np.float64)
    CONSOLE.print(
        probability_table(
            "cdnow: no purchase in six months",
            silent,
            {"Dealwright": ours.frame["churn_probability"].to_numpy()},
        )
    )
    chosen(ours)
    total = ours.card["value"]["total"]
    CONSOLE.print(
        f"  total {total['value']:,.0f} [{total['low']:,.0f}, {total['high']:,.0f}], "
        f"{actual.sum():,.0f} were spent"
    )


def spend_references(inputs: PlanInputs, params: PredictParams, seed: int) -> dict[str, np.ndarray]:
    """Repeat the last period; boosting without recency; buy-till-you-die alone, without its past misses."""
    from dealwright.plan.prediction.features import snapshot
    from dealwright.plan.prediction.labels import labels_from_orders
    from dealwright.plan.prediction.ledger import Ledger
    from dealwright.plan.prediction.order_features import EXPECTED_SPEND, LAST_PERIOD

    ledger = Ledger.of(inputs.orders, inputs.accounts["account_id"])
    rng = np.random.default_rng(seed)
    then = snapshot(inputs, ledger, params.train_cut_off, params.horizon_days, rng)
    now = snapshot(inputs, ledger, inputs.as_of, params.horizon_days, rng)
    columns = [
        "orders.order_days",
        "orders.spend_eur",
        "orders.spend_per_order_day_eur",
        "orders.largest_order_day_eur",
    ]
    labels = labels_from_orders(
        ledger, then.cut_off, params.horizon_days, then.known, definition="silence", rhythm_factor=0.0
    )
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(random_state=seed)
    model.fit(then.features.select(columns).to_numpy(), labels.value_eur)
    return {
        "repeat the last period": now.features[LAST_PERIOD].to_numpy(),
        "gradient boosting without recency": model.predict(now.features.select(columns).to_numpy()),
        "MBG/CNBD-k + Gamma-Gamma": now.features[EXPECTED_SPEND].to_numpy(),
        "mean of the last period": np.full(inputs.accounts.height, labels.value_eur.mean()),
    }


def barcelona(seed: int) -> None:
    """Beside the true probability of every account, which no stage can read."""
    from dealwright.simulation.barcelona import BarcelonaParams, generate

    table = Table(title="generated worlds: against what then happened, ours beside the truth's own")
    for column in (
        "accounts",
        "seed",
        "AUC",
        "true AUC",
        "short",
        "Spearman",
        "true",
        "short",
        "bias",
        "ECE",
        "s",
    ):
        table.add_column(column, justify="right")
    for n, world_seed in ((3_200, seed), (3_200, seed + 1), (20_000, seed + 2), (50_000, seed + 3)):
        world = generate(BarcelonaParams(n=n), seed=world_seed)
        inputs = cleaned(world.inputs)
        ours, seconds = timed(lambda data=inputs: predict_inputs(data, rng=np.random.default_rng(seed)))
        truth = ours.frame.join(
            world.truth.unique("account_id"), on="account_id", how="left", maintain_order="left"
        ).drop_nulls("churned")
        left, spend = truth["churned"].cast(pl.Float64).to_numpy(), truth["future_spend_eur"].to_numpy()
        p, v = truth["churn_probability"].to_numpy(), truth["predicted_value_eur"].to_numpy()
        q, e = truth["churn_probability_right"].to_numpy(), truth["future_value_eur"].to_numpy()
        table.add_row(
            f"{n:,}", str(world_seed), f"{auc(left, p):.4f}", f"{auc(left, q):.4f}",
            f"{auc(left, q) - auc(left, p):.4f}", f"{spearman(spend, v):.4f}", f"{spearman(spend, e):.4f}",
            f"{spearman(spend, e) - spearman(spend, v):.4f}", f"{total_bias(spend, v):+.1%}",
            f"{calibration_error(left, p):.3f}", f"{seconds:.0f}",
        )  # fmt: skip
    table.add_row("target", "", "", "", "≤ 0.01", "", "", "≤ 0.03", "", "", "")
    CONSOLE.print(table)


def noise(seed: int) -> None:
    """Labels that have nothing to do with any column, 20 times: how often a model is used all the same."""
    rng = np.random.default_rng(seed)
    used = 0
    for _ in range(20):
        n = 1_500
        accounts = pl.DataFrame(
            {
                "account_id": [f"N{k}" for k in range(n)],
                **{f"x{j}": rng.normal(size=n) for j in range(10)},
                "group": rng.choice(["a", "b", "c"], n),
                "churned": rng.random(n) < 0.3,
            }
        )
        schema = AccountSchema(
            numeric=tuple(f"x{j}" for j in range(10)), categorical={"group": None}, has_churn_label=True
        )
        ours = predict_inputs(
            PlanInputs(accounts, schema, datetime(2026, 1, 1)), PredictParams(reasons=0), rng=rng
        )
        used += ours.card["churn"]["champion"] != "base_rate"
    CONSOLE.print(f"pure noise: a model was used in {used} of 20 tables (base rates, said so, in the others)")


def scale(sizes: list[int], seed: int) -> None:
    """Seconds and memory of the stage, each size in a process of its own."""
    table = Table(
        title="time and memory: 18 months of orders and touches, both targets, reasons for everybody"
    )
    for column in ("accounts", "order rows", "seconds", "CPU seconds", "µs per account", "peak GB"):
        table.add_column(column, justify="right")
    for size in sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(size), "--seed", str(seed)],
            check=True,
            stdout=subprocess.PIPE,
        )
        row = json.loads(done.stdout.splitlines()[-1])
        table.add_row(
            f"{size:,}", f"{row['orders']:,}", f"{row['seconds']:.1f}", f"{row['cpu_seconds']:.1f}",
            f"{row['seconds'] / size * 1e6:.0f}", f"{row['peak_gb']:.1f}",
        )  # fmt: skip
    CONSOLE.print(table)


def measure(size: int, seed: int) -> None:
    from dealwright.simulation.barcelona import BarcelonaParams, generate

    world = generate(BarcelonaParams(n=size), seed=seed)
    inputs = cleaned(world.inputs)
    inputs = replace(inputs, reps=None)
    del world
    cpu = time.process_time()
    _, seconds = timed(lambda: predict_inputs(inputs, rng=np.random.default_rng(seed)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    answer = {
        "orders": inputs.orders.height if inputs.orders is not None else 0,
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "peak_gb": peak,
    }
    print(json.dumps(answer))


def shuffled_labels(inputs: PlanInputs, label: np.ndarray, seed: int) -> np.ndarray:
    """Learn shuffled labels, and compare with those: nothing may be left."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(label))
    accounts = inputs.accounts.with_columns(pl.Series("churned", label[order] > 0))
    predicted = predict_inputs(replace(inputs, accounts=accounts), PredictParams(reasons=0), rng=rng)
    back = np.empty(len(label))
    back[order] = predicted.frame["churn_probability"].to_numpy()
    return back


TABLES: dict[str, Callable[[int], None]] = {
    "telco": telco,
    "cdnow": cdnow,
    "companies": companies,
    "interactions": interactions,
    "campaign": campaign,
    "barcelona": barcelona,
    "drift": drift,
    "mailing": mailing,
    "small": small,
    "noise": noise,
    "scale": lambda seed: scale([10_000], seed),
}

if __name__ == "__main__":
    main()
