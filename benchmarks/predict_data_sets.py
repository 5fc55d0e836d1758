"""Further data sets for the predict benchmark: drifting in time, campaigns, small bundled ones."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from rich.table import Table

from dealwright.plan.prediction import PredictParams
from dealwright.schemas import TIMESTAMP, AccountSchema, PlanInputs
from dealwright.stats.metrics import auc, calibration_error
from predict_references import (
    CONSOLE,
    boosted_classifier,
    boosted_regressor,
    chosen,
    out_of_fold,
    plain_logistic,
    predict_inputs,
    probability_table,
    timed,
    value_table,
)


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
    ours = predict_inputs(inputs, PredictParams(observed_at="seen_at"), rng=np.random.default_rng(seed))
    later = month >= months - 3
    actual = label[later].astype(np.float64)
    table = Table(title=f"ordered in time with a strong drift, n = {n}: AUC of churn")
    table.add_column("")
    table.add_column("AUC", justify="right")
    table.add_row("promised by shuffled folds", f"{ours.metrics['churn_auc_in_folds']:.3f}")
    table.add_row("promised by our forward test (last 3/10)", f"{ours.metrics['churn_auc']:.3f}")
    table.add_row(
        "the three months after", f"{auc(actual, ours.frame['churn_probability'].to_numpy()[later]):.3f}"
    )
    CONSOLE.print(table)
    for note in ours.notes:
        CONSOLE.print(f"  said: {note}")


def campaign(seed: int) -> None:
    """A bank's calls over thirty months: rates fall, few are called later, and more of those agree.

    The later rows are beyond what the earlier ones show of the rates; a plain logistic regression, which
    follows a line for ever, is hard to beat there, and shuffled folds do not know that.
    """
    rng = np.random.default_rng(seed)
    n = 12_000
    u = np.sort(rng.random(n))
    month = np.where(u < 0.7, u / 0.7 * 8, 8 + (u - 0.7) / 0.3 * 22).astype(int)
    rate = np.maximum(4.9 - np.where(month < 6, 0.02 * month, 0.55 * (month - 5)), 0.7) + rng.normal(
        0, 0.05, n
    )
    mood = rng.normal(-40, 4, 30)[month]
    job = rng.choice(["office", "craft", "retired", "student", "manager"], n, p=[0.4, 0.3, 0.1, 0.05, 0.15])
    phone = np.where(rng.random(n) < np.where(month < 3, 0.9, 0.15), "home", "mobile")
    before = rng.random(n) < np.where(month < 8, 0.05, 0.35)
    agreed = before & (rng.random(n) < 0.3)
    calls = np.minimum(rng.geometric(0.4, n), 8).astype(np.float64)
    score = (
        -2.9 - 0.27 * (rate - 4.9) + 1.9 * agreed + 0.4 * np.isin(job, ["student", "retired"]) - 0.1 * calls
    )
    score += -0.4 * (phone == "home") + 0.25 * rng.normal(size=30)[month]
    label = rng.random(n) < 1 / (1 + np.exp(-score))
    last = np.where(before, np.where(agreed, "agreed", "refused"), "none")
    accounts = pl.DataFrame(
        {
            "account_id": [f"B{k}" for k in range(n)],
            "rate": rate,
            "mood": mood,
            "calls": calls,
            "job": job,
            "phone": phone,
            "last": last,
            "seen_at": pl.Series(
                [datetime(2024, 1, 1) + timedelta(days=30 * int(m)) for m in month], dtype=TIMESTAMP
            ),
            "churned": label,
        }
    )
    categorical = ("job", "phone", "last")
    schema = AccountSchema(
        numeric=("rate", "mood", "calls"), categorical=dict.fromkeys(categorical), dates=("seen_at",),
        has_churn_label=True,
    )  # fmt: skip
    inputs = PlanInputs(accounts, schema, datetime(2026, 12, 1))
    params = PredictParams(observed_at="seen_at", value_labels="none")
    ours, seconds = timed(lambda: predict_inputs(inputs, params, rng=np.random.default_rng(seed)))
    later = month >= np.quantile(month, 0.7, method="higher")
    encoded = np.column_stack(
        [accounts.select(schema.numeric).to_numpy(), accounts.select(categorical).to_dummies().to_numpy()]
    )
    actual = label.astype(np.float64)
    table = Table(title=f"a campaign in time order, n = {n}, {seconds:.0f} s: the last three tenths")
    for column in ("", "AUC", "calibration error"):
        table.add_column(column, justify="right")
    for name, make in (("logistic regression", plain_logistic), ("gradient boosting", boosted_classifier)):
        predicted = make().fit(encoded[~later], actual[~later]).predict_proba(encoded[later])[:, 1]
        table.add_row(
            name, f"{auc(actual[later], predicted):.3f}", f"{calibration_error(actual[later], predicted):.3f}"
        )
    table.add_row(
        f"Dealwright ({ours.card['churn']['champion']})", f"{ours.metrics['churn_auc']:.3f}",
        f"{ours.metrics['churn_ece']:.3f}",
    )  # fmt: skip
    table.add_row(
        "Dealwright in shuffled folds", f"{ours.metrics['churn_auc_in_folds']:.3f}",
        f"{ours.metrics['churn_ece_in_folds']:.3f}",
    )  # fmt: skip
    CONSOLE.print(table)


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
    ours, seconds = timed(lambda: predict_inputs(inputs, rng=np.random.default_rng(seed)))
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
        ours, seconds = timed(lambda data=inputs: predict_inputs(data, rng=np.random.default_rng(seed)))
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
