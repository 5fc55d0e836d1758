"""Churn that hangs on interactions of few rows, for the predict benchmark; CatBoost beside ours in one run.

CatBoost (with pandas and plotly some 400 MB) is no dependency: `pip install catboost six` where it is
wanted; without it the tables have ours only.
"""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec

import numpy as np
import polars as pl

from dealwright.plan.prediction import PredictParams
from dealwright.schemas import AccountSchema, PlanInputs
from predict_references import CONSOLE, predict_inputs, probability_table, timed

Columns = dict[str, np.ndarray]


def interactions(seed: int) -> None:
    """Print ours, CatBoost's and the truth's own measures for each kind of table."""
    for name, make, rows in (
        ("telephone customers, rules of few rows", telephone, 3_333),
        ("pairs of columns", pairs, 4_000),
        ("three rules", rules, 3_000),
        ("no interaction", additive, 4_000),
    ):
        columns, chance = make(rows, np.random.default_rng(seed))
        label = np.random.default_rng(seed + 1).random(rows) < chance
        numeric = {k: v for k, v in columns.items() if v.dtype.kind == "f"}
        accounts = pl.DataFrame({"account_id": [f"P{k}" for k in range(rows)], **columns, "churned": label})
        schema = AccountSchema(
            numeric=tuple(numeric),
            categorical={k: None for k in columns if k not in numeric},
            has_churn_label=True,
        )
        inputs = PlanInputs(accounts, schema, datetime(2026, 1, 1))
        ours, seconds = timed(
            lambda data=inputs: predict_inputs(
                data, PredictParams(value_labels="none"), rng=np.random.default_rng(seed)
            )
        )
        actual = label.astype(np.float64)
        predicted = {"Dealwright": ours.frame["churn_probability"].to_numpy()}
        predicted |= catboost_out_of_fold(inputs, actual, seed)
        predicted["the true probability"] = chance
        CONSOLE.print(probability_table(f"{name}, n = {rows}, {seconds:.0f} s", actual, predicted))
        CONSOLE.print(f"  {ours.card['churn']['champion']}")


def catboost_out_of_fold(inputs: PlanInputs, actual: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Predict with CatBoost as it comes, five shuffled folds; nothing where it is not installed."""
    if find_spec("catboost") is None:
        CONSOLE.print("[yellow]catboost is not installed: nothing to compare with")
        return {}
    import pandas as pd
    from catboost import CatBoostClassifier  # type: ignore[import-not-found]
    from sklearn.model_selection import KFold

    categorical = list(inputs.schema.categorical)
    columns = {
        name: inputs.accounts[name].cast(pl.String).fill_null("").to_list()
        if name in categorical
        else inputs.accounts[name].cast(pl.Float64).to_numpy()
        for name in (*inputs.schema.numeric, *categorical)
    }
    frame = pd.DataFrame(columns)
    predicted = np.empty(len(actual))
    for train, test in KFold(5, shuffle=True, random_state=seed).split(frame):
        model = CatBoostClassifier(
            verbose=0, random_seed=seed, allow_writing_files=False, cat_features=categorical
        )
        model.fit(frame.iloc[train], actual[train])
        predicted[test] = model.predict_proba(frame.iloc[test])[:, 1]
    return {"CatBoost": predicted}


def telephone(n: int, rng: np.random.Generator) -> tuple[Columns, np.ndarray]:
    """Who pays a lot, calls abroad on a plan, or complains while paying little, leaves."""
    abroad, mailbox = rng.random(n) < 0.1, rng.random(n) < 0.28
    day, evening, night = (np.clip(rng.normal(m, 52, n), 0, 400) for m in (180, 200, 200))
    far, far_calls = np.clip(rng.normal(10.2, 2.8, n), 0, 20), rng.poisson(4.5, n).astype(float)
    complaints = rng.poisson(1.56, n).astype(float)
    bill = 0.17 * day + 0.085 * evening + 0.045 * night
    score = -3.6 + 0.012 * (day - 180) + 0.004 * (evening - 200) + 0.3 * (complaints - 1.5) * (complaints < 4)
    chance = 1 / (1 + np.exp(-score))
    chance = np.where((bill > 63) & ~mailbox, 0.9, chance)
    chance = np.where(abroad & ((far > 13.1) | (far_calls <= 2)), 0.97, chance)
    chance = np.where((complaints >= 4) & (bill < 50), 0.85, chance)
    columns = {
        "abroad": abroad.astype(float),
        "mailbox": mailbox.astype(float),
        "messages": np.where(mailbox, np.clip(rng.normal(29, 7, n), 4, 51).round(), 0.0),
        "day": day,
        "evening": evening,
        "night": night,
        "far": far,
        "far_calls": far_calls,
        "day_charge": day * 0.17,
        "evening_charge": evening * 0.085,
        "night_charge": night * 0.045,
        "complaints": complaints,
        "months": np.clip(rng.normal(101, 40, n), 1, 243),
        "state": rng.integers(0, 51, n).astype(str),
        "area": rng.choice(["408", "415", "510"], n),
    }
    return columns, np.clip(chance, 0.005, 0.99)


def pairs(n: int, rng: np.random.Generator) -> tuple[Columns, np.ndarray]:
    """Products of columns, weak effects of their own."""
    x = rng.normal(size=(n, 10))
    kind = rng.choice(["a", "b", "c", "d"], n)
    score = -1.2 + 0.5 * x[:, 0] - 0.4 * x[:, 1] + 1.2 * x[:, 0] * x[:, 1] + x[:, 2] * (kind == "b")
    score += -x[:, 3] * x[:, 4] + 1.6 * ((x[:, 5] > 0.5) & (x[:, 6] > 0.3))
    return {**{f"x{j}": x[:, j] for j in range(10)}, "kind": kind}, 1 / (1 + np.exp(-score))


def rules(n: int, rng: np.random.Generator) -> tuple[Columns, np.ndarray]:
    """Three rules of two or three columns each, everybody else stays."""
    tenure, silence = rng.integers(0, 60, n).astype(float), rng.exponential(1, n)
    spend, tickets, use = rng.gamma(2, 30, n), rng.integers(0, 6, n).astype(float), rng.random(n)
    contract, region = rng.choice(["month", "year", "two"], n), rng.integers(0, 12, n)
    chance = np.full(n, 0.06)
    chance = np.where((tenure < 12) & (contract == "month"), 0.45, chance)
    chance = np.where((spend > 90) & (tickets >= 2), 0.7, chance)
    chance = np.where((silence > 1.5) & (region < 3) & (use > 0.3), 0.8, chance)
    columns = {"tenure": tenure, "silence": silence, "spend": spend, "tickets": tickets, "use": use}
    return {
        **columns,
        "noise": rng.normal(size=n),
        "contract": contract,
        "region": region.astype(str),
    }, chance


def additive(n: int, rng: np.random.Generator) -> tuple[Columns, np.ndarray]:
    """No interaction at all: what flexible models lose to curves."""
    x = rng.normal(size=(n, 8))
    kind = rng.choice(["a", "b", "c", "d"], n)
    score = -1.2 + 0.8 * x[:, 0] - 0.4 * x[:, 1] + 0.5 * np.sin(2 * x[:, 2]) + 0.6 * (kind == "b")
    return {**{f"x{j}": x[:, j] for j in range(8)}, "kind": kind}, 1 / (1 + np.exp(-score))
