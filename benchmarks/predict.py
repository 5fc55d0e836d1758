"""How good the *predict* stage is, beside what people use instead, on data with and without known truth.

``python3 do.py bench predict``, or ``python benchmarks/predict.py [TABLE ...]`` with tables out of telco,
cdnow, barcelona, drift, mailing, small, noise and scale. Public data are read from ``../shared/data`` by a
declaration only and go through the plan's own reading and quality stage; where they are absent, the table
says so. Every reference is computed in the same run.
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
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from dealwright.inputs import TIMESTAMP, AccountSchema, PlanInputs
from dealwright.intake.accounts import load_table, read_plan_inputs
from dealwright.plan.predict import Predictions, PredictParams, predict
from dealwright.plan.prediction.metrics import (
    CHURN_MEASURES,
    VALUE_MEASURES,
    auc,
    calibration_error,
    spearman,
    total_bias,
)
from dealwright.plan.quality import QualityParams, check

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
CONSOLE = Console(width=150)


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
    return check(inputs, QualityParams(), force=True).inputs


def telco(seed: int) -> None:
    """Churn of 7,043 telephone customers: labels as declared, out of fold."""
    source = DATA / "telco" / "telco_customer_churn.csv"
    if not source.exists():
        CONSOLE.print(f"[yellow]telco: {source} is absent, nothing measured")
        return
    inputs = cleaned(read_plan_inputs(source, schema=ROOT / "examples" / "telco.toml"))
    label = inputs.accounts["churned"].cast(pl.Float64).to_numpy()
    numeric = inputs.accounts.select(inputs.schema.numeric).to_numpy()
    ours, seconds = timed(lambda: predict(inputs, rng=np.random.default_rng(seed)))
    rows = {
        "Dealwright": ours.frame["churn_probability"].to_numpy(),
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
    orders = load_table(source, "orders", "whitespace")
    customers = orders.select("customer_id").unique().sort("customer_id")
    past, future = (
        orders.filter(side) for side in (pl.col("date") < "19980101", pl.col("date") >= "19980101")
    )
    inputs = cleaned(read_plan_inputs(customers, schema=ROOT / "examples" / "cdnow.toml", orders=past))
    params = PredictParams(horizon_days=181, train_cut_off=datetime(1997, 7, 1))  # midnight after 30 June
    ours, seconds = timed(lambda: predict(inputs, params, rng=np.random.default_rng(seed)))
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


def spend_references(inputs: PlanInputs, params: PredictParams, seed: int) -> dict[str, np.ndarray]:
    """Repeat the last period; boosting without recency; buy-till-you-die alone."""
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
        "BG/NBD + Gamma-Gamma": now.features[EXPECTED_SPEND].to_numpy(),
        "mean of the last period": np.full(inputs.accounts.height, labels.value_eur.mean()),
    }


def barcelona(seed: int) -> None:
    """Beside the true probability of every account, which no stage can read."""
    from dealwright.world.barcelona import BarcelonaParams, generate

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
        ours, seconds = timed(lambda data=inputs: predict(data, rng=np.random.default_rng(seed)))
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


def drift(seed: int) -> None:
    """Rows ordered in time whose law changes: what shuffled folds promise, what the next months bring."""
    rng = np.random.default_rng(seed)
    n, months = 24_000, 24
    month = np.sort(rng.integers(0, months, n))
    x = rng.normal(size=(n, 6)) + 0.05 * month[:, None] * np.array([1, 0, 0, 0, 0, 0])
    turn = np.clip((month - 6) / 14, 0, 1)  # the second column's effect turns round
    score = -1.2 + 0.8 * x[:, 1] * (1 - 2 * turn) + 0.9 * x[:, 2] + 0.06 * month
    label = rng.random(n) < 1 / (1 + np.exp(-score))
    begin = datetime(2024, 1, 1)
    accounts = pl.DataFrame(
        {
            "account_id": [f"D{k}" for k in range(n)],
            **{f"x{j}": x[:, j] for j in range(6)},
            "seen_at": pl.Series([begin + timedelta(days=30 * int(m)) for m in month], dtype=TIMESTAMP),
            # the last three months are to be predicted: their labels are kept for the end
            "churned": pl.Series(label).zip_with(
                pl.Series(month < months - 3), pl.Series([None], dtype=pl.Boolean)
            ),
        }
    )
    schema = AccountSchema(
        numeric=tuple(f"x{j}" for j in range(6)), dates=("seen_at",), has_churn_label=True,
        known_from={"seen_at": "always"},
    )  # fmt: skip
    inputs = PlanInputs(accounts, schema, begin + timedelta(days=30 * months))
    ours = predict(inputs, PredictParams(observed_at="seen_at"), rng=np.random.default_rng(seed))
    later = month >= months - 3
    actual = label[later].astype(np.float64)
    table = Table(title=f"ordered in time with a strong drift, n = {n}: AUC of churn")
    table.add_column("")
    table.add_column("AUC", justify="right")
    table.add_row("promised by shuffled folds", f"{ours.metrics['churn_auc']:.3f}")
    table.add_row("promised by our forward test (last 3/10)", f"{ours.metrics['churn_auc_forward']:.3f}")
    table.add_row(
        "the three months after", f"{auc(actual, ours.frame['churn_probability'].to_numpy()[later]):.3f}"
    )
    CONSOLE.print(table)
    for note in ours.notes:
        CONSOLE.print(f"  said: {note}")


def mailing(seed: int) -> None:
    """A randomised mailing, one in a hundred buys: the column that matters most is who was written to."""
    rng = np.random.default_rng(seed)
    n = 40_000
    recency, history = rng.integers(1, 13, n).astype(np.float64), rng.lognormal(4.8, 1.0, n)
    newbie, letter = rng.random(n) < 0.5, rng.choice(["none", "catalogue", "sale"], n)
    channel = rng.choice(["web", "phone", "both"], n, p=[0.44, 0.44, 0.12])
    score = -5.2 - 0.07 * recency + 0.25 * np.log(history / 100) + 0.4 * (channel == "both") - 0.2 * newbie
    score += np.select([letter == "catalogue", letter == "sale"], [0.9 + 0.5 * ~newbie, 0.5], 0.0)
    chance = 1 / (1 + np.exp(-score))
    bought = rng.random(n) < chance
    spend = np.where(bought, rng.gamma(1.2, 90.0, n), 0.0)
    accounts = pl.DataFrame(
        {
            "account_id": [f"M{k}" for k in range(n)],
            "recency": recency,
            "history": history,
            "newbie": newbie.astype(np.float64),
            "letter": letter,
            "channel": channel,
            "churned": ~bought,
            "future_value_eur": spend,
        }
    )
    schema = AccountSchema(
        numeric=("recency", "history", "newbie"),
        categorical={"letter": None, "channel": None},
        has_churn_label=True,
        has_value_label=True,
    )
    inputs = PlanInputs(accounts, schema, datetime(2026, 1, 1))
    ours, seconds = timed(lambda: predict(inputs, rng=np.random.default_rng(seed)))
    encoded = np.column_stack(
        [
            recency,
            history,
            newbie,
            letter == "catalogue",
            letter == "sale",
            channel == "both",
            channel == "web",
        ]
    ).astype(np.float64)
    answered = bought.astype(np.float64)
    rows = {
        "Dealwright": 1 - ours.frame["churn_probability"].to_numpy(),
        "gradient boosting": out_of_fold(boosted_classifier, encoded, answered, seed),
        "logistic regression": out_of_fold(plain_logistic, encoded, answered, seed),
        "the true probability": chance,
    }
    CONSOLE.print(
        probability_table(
            f"randomised mailing: buys ({bought.mean():.1%}), n = {n}, {seconds:.0f} s", answered, rows
        )
    )
    rows = {
        "Dealwright": ours.frame["predicted_value_eur"].to_numpy(),
        "gradient boosting": out_of_fold(boosted_regressor, encoded, spend, seed),
        "the true expectation": chance * 108.0,
        "mean": np.full(n, spend.mean()),
    }
    CONSOLE.print(value_table("randomised mailing: spend", spend, rows))
    chosen(ours)


def small(seed: int) -> None:
    """Real tables of a few hundred rows (they come with scikit-learn)."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    for load, name, target in (
        (load_breast_cancer, "breast cancer (malignant)", "churned"),
        (load_diabetes, "diabetes (progression)", "future_value_eur"),
    ):
        data = load()
        columns = {str(column): data.data[:, j] for j, column in enumerate(data.feature_names)}
        label = data.target == 0 if target == "churned" else data.target.astype(np.float64)
        ids = [f"R{k}" for k in range(len(label))]
        inputs = PlanInputs(
            pl.DataFrame({"account_id": ids, **columns, target: label}),
            AccountSchema(
                numeric=tuple(columns),
                has_churn_label=target == "churned",
                has_value_label=target != "churned",
            ),
            datetime(2026, 1, 1),
        )
        ours, seconds = timed(lambda data=inputs: predict(data, rng=np.random.default_rng(seed)))
        actual = np.asarray(label, dtype=np.float64)
        if target == "churned":
            rows = {
                "Dealwright": ours.frame["churn_probability"].to_numpy(),
                "gradient boosting": out_of_fold(boosted_classifier, data.data, actual, seed),
                "logistic regression": out_of_fold(plain_logistic, data.data, actual, seed),
            }
            CONSOLE.print(probability_table(f"{name}, n = {len(actual)}, {seconds:.0f} s", actual, rows))
        else:
            rows = {
                "Dealwright": ours.frame["predicted_value_eur"].to_numpy(),
                "gradient boosting": out_of_fold(boosted_regressor, data.data, actual, seed),
                "mean": np.full(len(actual), actual.mean()),
            }
            CONSOLE.print(value_table(f"{name}, n = {len(actual)}, {seconds:.0f} s", actual, rows))


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
        ours = predict(PlanInputs(accounts, schema, datetime(2026, 1, 1)), PredictParams(reasons=0), rng=rng)
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
    from dealwright.world.barcelona import BarcelonaParams, generate

    world = generate(BarcelonaParams(n=size), seed=seed)
    inputs = cleaned(world.inputs)
    inputs = replace(inputs, reps=None)
    del world
    cpu = time.process_time()
    _, seconds = timed(lambda: predict(inputs, rng=np.random.default_rng(seed)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    answer = {
        "orders": inputs.orders.height if inputs.orders is not None else 0,
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "peak_gb": peak,
    }
    print(json.dumps(answer))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    return work(), time.perf_counter() - begin


def out_of_fold(make: Callable[[], Any], x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Predict with an estimator as it comes, five shuffled folds."""
    from sklearn.model_selection import KFold

    predicted = np.empty(len(y))
    for train, test in KFold(5, shuffle=True, random_state=seed).split(x):
        model = make().fit(x[train], y[train])
        probability = hasattr(model, "predict_proba")
        predicted[test] = model.predict_proba(x[test])[:, 1] if probability else model.predict(x[test])
    return predicted


def boosted_classifier() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0)


def boosted_regressor() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(random_state=0)


def plain_logistic() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1_000))


def shuffled_labels(inputs: PlanInputs, label: np.ndarray, seed: int) -> np.ndarray:
    """Learn shuffled labels, and compare with those: nothing may be left."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(label))
    accounts = inputs.accounts.with_columns(pl.Series("churned", label[order] > 0))
    predicted = predict(replace(inputs, accounts=accounts), PredictParams(reasons=0), rng=rng)
    back = np.empty(len(label))
    back[order] = predicted.frame["churn_probability"].to_numpy()
    return back


def probability_table(title: str, actual: np.ndarray, rows: dict[str, np.ndarray]) -> Table:
    return measured_table(title, actual, rows, CHURN_MEASURES)


def value_table(title: str, actual: np.ndarray, rows: dict[str, np.ndarray]) -> Table:
    return measured_table(title, actual, rows, VALUE_MEASURES)


def measured_table(title: str, actual: np.ndarray, rows: dict[str, np.ndarray], measures: Any) -> Table:
    table = Table(title=title)
    table.add_column("")
    for name in measures:
        table.add_column(name, justify="right")
    for name, predicted in rows.items():
        table.add_row(name, *(shown(measure(actual, predicted), key) for key, measure in measures.items()))
    return table


def shown(value: float, measure: str) -> str:
    if measure == "total_bias":
        return f"{value:+.1%}"
    return f"{value:.2f}" if measure in ("rmse", "mae", "lift") else f"{value:.4f}"


def intervals(ours: Predictions, target: str) -> None:
    section = ours.card[target]
    measured: Iterable[tuple[str, dict[str, float]]] = section["measures"][section["champion"]].items()
    CONSOLE.print(
        f"  {section['champion']}, chosen by {section['chosen_by']}: "
        + ", ".join(f"{name} {e['value']:.4f} [{e['low']:.4f}, {e['high']:.4f}]" for name, e in measured)
    )


def chosen(ours: Predictions) -> None:
    for target in ("churn", "value"):
        section = ours.card[target]
        CONSOLE.print(
            f"  {target}: {section['champion']}, {section['chosen_by']}; level {section.get('level')}"
        )


TABLES: dict[str, Callable[[int], None]] = {
    "telco": telco,
    "cdnow": cdnow,
    "barcelona": barcelona,
    "drift": drift,
    "mailing": mailing,
    "small": small,
    "noise": noise,
    "scale": lambda seed: scale([10_000], seed),
}

if __name__ == "__main__":
    main()
