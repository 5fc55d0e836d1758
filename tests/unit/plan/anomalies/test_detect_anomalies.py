"""Planted spikes and silences are found, the reasons name them, and a row's score needs no other row."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.plan.anomalies import AnomalyParams, detect_anomalies
from dealwright.plan.anomalies.own_history import history_departures
from dealwright.plan.anomalies.stage import apply_anomalies, fit_anomalies
from dealwright.schemas import ANOMALY_COLUMNS, TIMESTAMP, AccountSchema, PlanInputs

AS_OF = datetime(2026, 6, 30)
DAYS = 540


def planted(n: int = 4000, seed: int = 0) -> tuple[PlanInputs, np.ndarray, np.ndarray]:
    """Buyers with their own rhythm; half a percent spike, half a percent fall silent."""
    rng = np.random.default_rng(seed)
    gap = np.exp(rng.normal(np.log(20.0), 0.7, n)).clip(3, 120)
    usual = np.exp(rng.normal(5.0, 1.0, n))
    left = np.where(rng.random(n) < 0.3, rng.uniform(0, DAYS - 200, n), DAYS)
    regular = rng.permutation(np.flatnonzero(gap < 25))[: 2 * (n // 200)]
    silent, spiking = regular[: regular.size // 2], regular[regular.size // 2 :]
    left[regular] = DAYS
    account, day = [], []
    for index in range(n):
        steps = rng.gamma(3.0, gap[index] / 3.0, int(DAYS / gap[index] * 2 + 20))
        days = np.cumsum(steps) - rng.random() * gap[index]
        until = DAYS - max(5 * gap[index], 45) if index in set(silent) else left[index]
        days = days[(days > 0) & (days < until)]
        account.append(np.full(days.size, index))
        day.append(days)
    account, day = np.concatenate(account), np.concatenate(day)
    amount = usual[account] * np.exp(rng.normal(0, 0.5, account.size))
    account = np.concatenate([account, spiking])
    day = np.concatenate([day, DAYS - rng.uniform(1, 25, spiking.size)])
    amount = np.concatenate([amount, usual[spiking] * 15])
    ids = np.array([f"a{index}" for index in range(n)])
    start = AS_OF - timedelta(days=DAYS)
    orders = pl.DataFrame({"account_id": ids[account], "day": day, "amount_eur": amount}).select(
        "account_id",
        (pl.lit(start) + pl.duration(microseconds=pl.col("day") * 86.4e9))
        .cast(TIMESTAMP)
        .alias("ordered_at"),
        "amount_eur",
    )
    accounts = pl.DataFrame(
        {
            "account_id": ids,
            "lifetime_eur": usual * 20 * np.exp(rng.normal(0, 0.5, n)),
            "sessions": rng.poisson(5, n).astype(float),
            "tier": rng.choice(["a", "b", "c"], n),
        }
    )
    schema = AccountSchema(numeric=("lifetime_eur", "sessions"), categorical={"tier": None})
    return PlanInputs(accounts, schema, AS_OF, orders=orders), silent, spiking


def run(inputs: PlanInputs, **changes):
    return detect_anomalies(
        inputs.accounts, AnomalyParams(**changes), orders=inputs.orders, schema=inputs.schema,
        as_of=inputs.as_of, rng=np.random.default_rng(1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def found():
    inputs, silent, spiking = planted()
    return inputs, silent, spiking, run(inputs)


def test_planted_anomalies_are_in_the_top_two_percent(found):
    inputs, silent, spiking, result = found
    score = result.frame["anomaly_score"].to_numpy()
    top = np.argsort(-score)[: inputs.accounts.height // 50]
    assert np.isin(np.concatenate([silent, spiking]), top).mean() >= 0.95
    forest_only = run(replace(inputs, orders=None)).frame["anomaly_score"].to_numpy()
    blind = np.argsort(-forest_only)[: inputs.accounts.height // 50]
    assert np.isin(np.concatenate([silent, spiking]), blind).mean() < 0.5


def test_the_frame_keeps_the_contract_and_the_reasons_name_the_cause(found):
    inputs, silent, spiking, result = found
    assert {name: result.frame.schema[name] for name in ANOMALY_COLUMNS} == ANOMALY_COLUMNS
    assert result.frame["account_id"].to_list() == inputs.accounts["account_id"].to_list()
    assert result.frame["anomaly_score"].is_between(0, 1).all()
    flagged = result.frame.with_row_index().filter("is_anomaly")
    assert flagged["anomaly_reasons"].list.len().min() >= 1
    assert result.frame.filter(~pl.col("is_anomaly"))["anomaly_reasons"].list.len().max() == 0
    reasons = dict(zip(flagged["index"], flagged["anomaly_reasons"].to_list(), strict=True))
    assert all(
        any("no order for" in text or "fewer" in text for text in reasons[k]) for k in silent if k in reasons
    )
    assert all(any("an order of" in text for text in reasons[k]) for k in spiking if k in reasons)


def test_a_row_is_scored_the_same_whoever_else_is_there(found):
    inputs, _, _, result = found
    params = AnomalyParams()
    departures = pl.concat(
        [
            inputs.accounts.select("account_id").join(
                history_departures(inputs.orders, AS_OF, window_days=30, min_orders=5, news_days=90),
                on="account_id", how="left", maintain_order="left",
            )
        ]
    ).fill_null(0.0)  # fmt: skip
    model = fit_anomalies(inputs, departures, params, rng=np.random.default_rng(1))
    whole, _ = apply_anomalies(model, inputs, departures, params)
    part = replace(inputs, accounts=inputs.accounts[10:20])
    alone, _ = apply_anomalies(model, part, departures[10:20], params)
    assert alone.equals(whole[10:20])
    assert result.model.threshold_z >= params.min_z


def test_an_odd_column_is_named():
    inputs, _, _ = planted(1000)
    accounts = inputs.accounts.with_columns(
        pl.when(pl.col("account_id") == "a7").then(900.0).otherwise(pl.col("sessions")).alias("sessions")
    )
    result = run(replace(inputs, accounts=accounts, orders=None))
    row = result.frame.row(7, named=True)
    assert row["is_anomaly"]
    assert any(text.startswith("sessions 900") for text in row["anomaly_reasons"])


def test_the_same_seed_gives_the_same_scores():
    inputs, _, _ = planted(600)
    assert run(inputs).frame.equals(run(inputs).frame)


@pytest.mark.parametrize("n", [0, 1, 30])
def test_few_accounts_are_judged_by_their_own_history_only(n):
    inputs, _, _ = planted(600)
    few = inputs.accounts.head(n)
    orders = inputs.orders.filter(pl.col("account_id").is_in(few["account_id"].to_list()))
    result = run(replace(inputs, accounts=few, orders=orders))
    assert result.frame.height == n
    assert result.frame.schema["anomaly_reasons"] == pl.List(pl.String)
    assert "fewer than 50 accounts" in result.summary()["notes"]


def test_columns_without_information_are_survived():
    n = 200
    accounts = pl.DataFrame(
        {"account_id": [str(k) for k in range(n)], "constant": 1.0, "empty": None, "word": ["same"] * n},
        schema_overrides={"empty": pl.Float64},
    )
    schema = AccountSchema(numeric=("constant", "empty"), categorical={"word": None})
    result = run(PlanInputs(accounts, schema, AS_OF))
    assert not result.frame["is_anomaly"].any()
    assert "no feature varies" in result.summary()["notes"]


def test_an_invoice_and_its_lines_are_equally_odd(found):
    inputs, _, _, whole = found
    thirds = pl.concat(
        inputs.orders.with_columns(
            pl.col("amount_eur").round(2) * share, ordered_at=pl.col("ordered_at").dt.truncate("1d")
        )
        for share in (0.5, 0.3, 0.2)
    ).sample(fraction=1.0, shuffle=True, seed=1)
    invoices = inputs.orders.with_columns(
        pl.col("amount_eur").round(2), ordered_at=pl.col("ordered_at").dt.truncate("1d")
    )
    by_line, by_invoice = (run(replace(inputs, orders=orders)).frame for orders in (thirds, invoices))
    assert by_line["is_anomaly"].equals(by_invoice["is_anomaly"])
    assert by_line["anomaly_reasons"].equals(by_invoice["anomaly_reasons"])
    assert by_line["anomaly_score"].to_numpy() == pytest.approx(
        by_invoice["anomaly_score"].to_numpy(), abs=1e-3
    )
    # the time of day changes next to nothing
    same = whole.frame["is_anomaly"] == by_invoice["is_anomaly"]
    assert same.mean() > 0.995
