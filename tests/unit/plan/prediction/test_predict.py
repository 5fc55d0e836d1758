"""The stage as a whole: nothing leaks, baselines and chance must be beaten, bad input gets an answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.prediction import PredictParams, predict
from dealwright.schemas import PREDICTION_COLUMNS, TIMESTAMP, AccountSchema, PlanInputs

AS_OF = datetime(2026, 7, 1)


def declared(n=400, seed=0, **columns):
    """Accounts whose churn follows from `x` and `group`; `columns` replace or add some."""
    rng = np.random.default_rng(seed)
    x, group = rng.normal(size=n), rng.choice(["a", "b", "c"], n)
    churned = rng.random(n) < 1 / (1 + np.exp(1.0 - 1.8 * x - 1.2 * (group == "b")))
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(n)],
            "x": x,
            "noise": rng.normal(size=n),
            "group": group,
            "churned": churned,
        }
    ).with_columns(**columns)
    schema = AccountSchema(numeric=("x", "noise"), categorical={"group": None}, has_churn_label=True)
    return PlanInputs(accounts, schema, AS_OF)


def ordered(n=400, seed=0, extra_days=0):
    """Accounts with orders over 18 months (and `extra_days` beyond); some stop."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        gap, size = rng.uniform(15, 70), rng.gamma(4.0, 20.0)
        stops = rng.uniform(100, 540) if rng.random() < 0.4 else 10_000
        day = rng.uniform(0, 60)
        while day < min(540 + extra_days, stops):
            rows.append((f"A{k}", AS_OF - timedelta(days=540 - day), size * rng.gamma(4.0, 0.25)))
            day += rng.gamma(4.0, gap / 4)
    orders = pl.DataFrame(
        rows,
        schema={"account_id": pl.String, "ordered_at": TIMESTAMP, "amount_eur": pl.Float64},
        orient="row",
    )
    accounts = pl.DataFrame({"account_id": [f"A{k}" for k in range(n)], "size": rng.normal(size=n)})
    return PlanInputs(accounts, AccountSchema(numeric=("size",)), AS_OF, orders=orders)


def run(inputs, seed=1, store=None, **params):
    return predict(
        inputs.accounts, PredictParams(**{"reasons": 0, **params}),
        orders=inputs.orders, touches=inputs.touches, history=inputs.history,
        schema=inputs.schema, as_of=inputs.as_of, rng=np.random.default_rng(seed), store=store,
    )  # fmt: skip


@pytest.fixture(scope="module")
def from_orders():
    inputs = ordered()
    return inputs, run(inputs, reasons=3)


@pytest.fixture(scope="module")
def from_labels():
    inputs = declared()
    return inputs, run(inputs, reasons=3)


def test_the_frame_is_what_the_next_stages_read(from_orders, from_labels):
    for inputs, result in (from_orders, from_labels):
        assert dict(result.frame.schema) == PREDICTION_COLUMNS
        assert result.frame["account_id"].equals(inputs.accounts["account_id"])
        assert result.frame["churn_probability"].is_between(0, 1).all()
        assert (result.frame["predicted_value_eur"].drop_nulls() >= 0).all()
        json.dumps(result.card, allow_nan=False)
        assert all(isinstance(v, str | int | float | bool | None) for v in result.summary().values())


def test_learns_from_labels_and_says_how_well(from_labels):
    _, result = from_labels
    assert result.card["churn"]["champion"] not in ("base_rate", "rfm_rules")
    assert result.metrics["churn_auc"] > 0.75 > 0.6 > result.metrics["churn_auc_base_rate"]
    section = result.card["churn"]["measures"][result.card["churn"]["champion"]]
    assert section["auc"]["low"] < section["auc"]["value"] < section["auc"]["high"]
    assert section["log_loss"]["value"] < result.card["churn"]["measures"]["base_rate"]["log_loss"]["value"]
    assert result.card["value"]["choice"]["fallback"] == "there are no labels and no orders: not known"


def test_learns_from_orders_forward_in_time(from_orders):
    inputs, result = from_orders
    last = inputs.accounts.join(
        inputs.orders.group_by("account_id").agg(pl.col("ordered_at").max()), on="account_id", how="left"
    )["ordered_at"]
    silent = (pl.Series([AS_OF] * len(last)) - last).dt.total_days() > 200
    p = result.frame["churn_probability"]
    assert p.filter(silent).mean() > 0.8 > 0.45 > p.filter(~silent).mean()
    assert "tested on the 180 days after 2026-01-02" in result.card["churn"]["chosen_by"]
    assert result.metrics["value_spearman"] > 0.6
    assert result.card["value"]["level"]["source"] == "buy_till_you_die"


def test_reasons_are_sentences_about_what_drives_the_prediction(from_labels, from_orders):
    inputs, result = from_labels
    first = result.frame["churn_reasons"].list.first().drop_nulls()
    assert (first.str.starts_with("x ") | first.str.starts_with("group ")).mean() > 0.95
    extreme = inputs.accounts["x"].arg_max()
    assert result.frame["churn_reasons"][extreme][0].startswith("x ")
    assert "odds of leaving ×" in result.frame["churn_reasons"][extreme][0]
    assert result.card["churn"]["reasons_fidelity"] > 0.8
    texts = from_orders[1].frame["value_reasons"].explode().drop_nulls()
    assert texts.str.contains(r"spend ×[\d.]+$").all()


def test_nothing_after_the_cut_off_changes_a_prediction(from_orders):
    inputs, before = from_orders
    longer = ordered(extra_days=300).orders  # the same draw would differ: take only what is later
    later = longer.filter(pl.col("ordered_at") > AS_OF)
    rng = np.random.default_rng(9)
    shuffled = later.with_columns(
        later["account_id"].gather(rng.permutation(later.height)), pl.col("amount_eur") * 100
    )
    assert later.height > 100
    for future in (later, shuffled):
        after = run(replace(inputs, orders=pl.concat([inputs.orders, future])), reasons=3)
        assert after.frame.equals(before.frame)


def test_features_at_a_training_cut_off_know_nothing_later():
    from dealwright.plan.prediction.features import snapshot
    from dealwright.plan.prediction.ledger import Ledger

    inputs = ordered(n=120)
    cut_off = AS_OF - timedelta(days=180)
    later = inputs.orders["ordered_at"] > cut_off
    turned = inputs.orders.with_columns(
        pl.when(later).then(pl.col("amount_eur") * 7 + 1).otherwise(pl.col("amount_eur")).alias("amount_eur")
    ).filter(~later | (pl.int_range(pl.len()) % 2 == 0))
    frames = [
        snapshot(
            inputs, Ledger.of(orders, inputs.accounts["account_id"]), cut_off, 180, np.random.default_rng(0)
        ).features
        for orders in (inputs.orders, turned, inputs.orders.filter(~later))
    ]
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])


@pytest.mark.parametrize("row", [0, 123, 399])
def test_a_row_never_sees_its_own_label(from_labels, row):
    inputs, before = from_labels
    flipped = inputs.accounts["churned"].to_list()
    flipped[row] = not flipped[row]
    after = run(replace(inputs, accounts=inputs.accounts.with_columns(pl.Series("churned", flipped))))
    assert after.card["churn"]["champion"] == before.card["churn"]["champion"]
    mine, mine_after = (r.frame["churn_probability"][row] for r in (before, after))
    assert mine == mine_after
    assert not before.frame["churn_probability"].equals(after.frame["churn_probability"])  # others do


def test_the_same_seed_gives_the_same_predictions(from_labels):
    inputs, before = from_labels
    assert run(inputs, reasons=3).frame.equals(before.frame)


def test_a_column_known_later_is_refused_by_name():
    inputs = ordered(n=150)
    result = run(inputs)
    assert any("2026-01-02: size" in note for note in result.notes)
    assert "size" not in result.card["churn"]["features"]
    with pytest.raises(InputError, match="column 'size' holds what was known at 2026-07-01"):
        run(inputs, features=("size",))
    known = replace(inputs, schema=replace(inputs.schema, known_from={"size": "always"}))
    assert "size" in run(known).card["churn"]["features"]
    since = replace(inputs, schema=replace(inputs.schema, known_from={"size": datetime(2026, 5, 1)}))
    assert "size" not in run(since).card["churn"]["features"]


def test_history_describes_accounts_as_they_were():
    inputs = ordered(n=150)
    snapshots = inputs.accounts.select(
        "account_id",
        pl.lit(AS_OF - timedelta(days=200), TIMESTAMP).alias("snapshot_at"),
        pl.col("size") * 2,
    )
    assert "size" in run(replace(inputs, history=snapshots)).card["churn"]["features"]


def test_pure_noise_falls_back_to_the_base_rate_and_says_so():
    rng = np.random.default_rng(3)
    inputs = declared(churned=pl.Series(rng.random(400) < 0.3))
    result = run(inputs)
    assert result.card["churn"]["champion"] == "base_rate"
    assert "does not beat base_rate beyond chance" in result.card["churn"]["choice"]["fallback"]
    assert any("beyond chance" in note for note in result.notes)
    assert result.frame["churn_probability"].std() < 0.02


@pytest.mark.parametrize(
    ("columns", "said", "rate"),
    [
        ({"churned": pl.Series([True] * 400)}, "every label is 1: nothing to tell apart", 400.5 / 401),
        ({"churned": pl.Series([True] * 5 + [False] * 395)}, "only 5 labelled rows of one class", 5 / 400),
        ({"churned": pl.Series([None] * 400, dtype=pl.Boolean)}, "no account has a label: not known", None),
        ({"churned": pl.Series([True, False] * 10 + [None] * 380)}, "only 20 labelled rows", 0.5),
    ],
)
def test_labels_that_teach_nothing_are_answered_with_a_stated_fallback(columns, said, rate):
    result = run(declared(**columns))
    assert said in result.card["churn"]["choice"]["fallback"]
    assert result.frame["churn_probability"].n_unique() == 1
    found = result.frame["churn_probability"][0]
    assert found == (None if rate is None else pytest.approx(rate))


def test_useless_columns_are_left_out_with_the_reason():
    inputs = declared(
        noise=pl.lit(None, pl.Float64),
        constant=pl.lit(3.0),
        wild=pl.Series([1e39, -1e39, 1e300] * 133 + [1.0]),
        huge=pl.Series([1e39, 1e300, None, -1e50] * 100),
        name=pl.Series([f"name {k}" for k in range(400)]),
    )
    schema = replace(
        inputs.schema,
        numeric=("x", "noise", "constant", "wild", "huge"),
        categorical={"group": None, "name": None},
    )
    section = run(replace(inputs, schema=schema)).card["churn"]
    assert section["left_out"]["noise"] == "every value is missing"
    assert section["left_out"]["constant"] == "constant"
    assert section["left_out"]["huge"] == "no finite value"
    assert "identifier" in section["left_out"]["name"]
    assert section["features"] == ["x", "wild", "group"] or section["features"] == ["x", "group"]


def test_an_unknown_category_is_scored_and_said():
    inputs = declared()
    unlabelled = pl.int_range(pl.len()) >= 380
    accounts = inputs.accounts.with_columns(
        pl.when(unlabelled).then(None).otherwise(pl.col("churned")).alias("churned"),
        pl.when(unlabelled).then(pl.lit("new")).otherwise(pl.col("group")).alias("group"),
    )
    result = run(replace(inputs, accounts=accounts))
    assert any("'group': 20 rows hold a category the model has never seen ('new')" in n for n in result.notes)
    assert result.frame["churn_probability"].tail(20).is_between(0, 1).all()


def test_no_row_one_row_and_no_orders():
    with pytest.raises(InputError, match="no accounts"):
        run(replace(declared(), accounts=declared().accounts.head(0)))
    one = run(replace(declared(), accounts=declared().accounts.head(1)), reasons=3)
    assert one.frame.height == 1
    assert "only 1 labelled rows" in one.card["churn"]["choice"]["fallback"]
    alone = ordered(n=30)
    nothing = run(replace(alone, orders=alone.orders.head(0)))
    assert nothing.card["value"]["choice"]["fallback"] == "there are no labels and no orders: not known"


def test_orders_that_do_not_reach_back_leave_buy_till_you_die():
    inputs = ordered()
    short = replace(inputs, orders=inputs.orders.filter(pl.col("ordered_at") > AS_OF - timedelta(days=150)))
    result = run(short)
    assert result.card["churn"]["champion"] == "buy_till_you_die"
    assert "give older orders or a shorter horizon" in result.card["churn"]["choice"]["fallback"]
    assert result.frame["churn_probability"].n_unique() > 50
    assert result.frame["predicted_value_eur"].sum() > 0


def test_alive_means_the_probability_of_buy_till_you_die(from_orders):
    inputs, _ = from_orders
    result = run(inputs, churn_definition="alive")
    assert result.card["churn"]["champion"] == "buy_till_you_die"
    assert result.card["churn"]["choice"]["fallback"] is None


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"horizon_days": 0}, "horizon_days"),
        ({"folds": 1}, "folds"),
        ({"churn_definition": "rythm"}, "did you mean 'rhythm'"),
        ({"train_cut_off": datetime(2026, 5, 1)}, "take an earlier cut-off or a shorter horizon"),
        ({"churn_labels": "declared"}, "no account column is declared as 'churned'"),
        ({"features": ("sice",)}, "did you mean 'size'"),
    ],
)
def test_impossible_parameters_name_the_fix(params, said):
    with pytest.raises(InputError, match=said):
        run(ordered(n=60), **params)


def test_observed_at_orders_the_rows_and_is_no_feature():
    n = 600
    rng = np.random.default_rng(5)
    day = np.sort(rng.integers(0, 300, n))
    x = rng.normal(size=n)
    turning = np.where(day < 200, 2.0, -2.0)  # the law turns round within the last third
    inputs = declared(
        n=n,
        x=pl.Series(x),
        churned=pl.Series(rng.random(n) < 1 / (1 + np.exp(-turning * x))),
        seen_at=pl.Series([AS_OF - timedelta(days=400 - int(d)) for d in day], dtype=TIMESTAMP),
    )
    schema = replace(inputs.schema, dates=("seen_at",))
    result = run(replace(inputs, schema=schema), observed_at="seen_at")
    assert result.card["churn"]["champion"] == "base_rate"  # shuffled folds would have seen an AUC far above
    assert "seen_at" in result.card["churn"]["chosen_by"]
    with pytest.raises(UnknownNameError, match="did you mean 'seen_at'"):
        run(replace(inputs, schema=schema), observed_at="seen")


def dated(day, churned, **columns):
    """Accounts with declared labels, observed on a day after the start of 2024."""
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(len(day))],
            "seen_at": pl.Series(
                [datetime(2024, 1, 1) + timedelta(days=int(d)) for d in day], dtype=TIMESTAMP
            ),
            "churned": churned,
            **columns,
        }
    )
    schema = AccountSchema(numeric=tuple(columns), dates=("seen_at",), has_churn_label=True)
    return PlanInputs(accounts, schema, AS_OF)


def test_what_is_said_of_a_model_is_what_later_rows_say():
    rng = np.random.default_rng(5)
    month, size = np.arange(2_400) // 80, rng.random(2_400)
    share = rng.choice([0.08, 0.5], 30)[month]  # months are learned by heart; on later ones only size helps
    logit = np.log(share / (1 - share)) + 2.4 * (size - 0.5)
    inputs = dated(month * 30, rng.random(2_400) < 1 / (1 + np.exp(-logit)), month=month, size=size)
    result = run(inputs, observed_at="seen_at", value_labels="none")
    card, metrics = result.card["churn"], result.metrics
    forward = card["forward_measures"][card["champion"]]
    assert metrics["churn_auc"] == forward["auc"]["value"]
    assert metrics["churn_ece"] == forward["ece"]["value"]
    # what size alone can tell, by the true law within each month; folds promise more
    assert forward["auc"]["low"] <= 0.67 <= forward["auc"]["high"]
    assert metrics["churn_auc"] > 0.6
    assert metrics["churn_auc_in_folds"] == card["measures"][card["champion"]]["auc"]["value"]
    assert result.summary()["churn_tested"] == "forward in time"
    assert metrics["churn_auc_base_rate"] == metrics["churn_auc_base_rate_in_folds"] == 0.5


def test_one_rate_for_all_ranks_nobody(from_labels, from_orders):
    for _, result in (from_labels, from_orders):
        row = result.card["churn"]["measures"]["base_rate"]
        assert (row["auc"]["value"], row["auc"]["low"], row["auc"]["high"]) == (0.5, 0.5, 0.5)
        assert row["lift"]["value"] == pytest.approx(1.0)
    assert from_orders[1].card["value"]["measures"]["base_rate"]["gini"]["value"] == pytest.approx(0.0)
    assert from_labels[1].summary()["churn_tested"] == "out of fold"
    assert not [name for name in from_labels[1].metrics if name.endswith("_in_folds")]


def test_a_rate_that_jumped_is_that_of_the_latest_rows():
    rng = np.random.default_rng(6)
    day = np.sort(rng.integers(0, 300, 3_000))
    x = rng.normal(size=3_000)
    chance = 1 / (1 + np.exp(-(x + np.where(day < 100, -3.0, -0.5))))
    churned = pl.Series(rng.random(3_000) < chance)
    today = np.arange(3_000) >= 2_700  # not known yet
    labels = churned.zip_with(pl.Series(~today), pl.Series([None], dtype=pl.Boolean))
    result = run(dated(day, labels, x=x), observed_at="seen_at", value_labels="none")
    predicted = result.frame["churn_probability"].to_numpy()[today]
    assert predicted.mean() == pytest.approx(chance[today].mean(), abs=0.04)  # over all rows: half of it
    assert result.metrics["churn_ece"] < 0.08


def test_a_trend_that_goes_on_is_followed_by_a_straight_line():
    rng = np.random.default_rng(7)
    day = np.sort(rng.integers(0, 300, 4_000))
    rate = 5.0 - day / 60.0 + rng.normal(0, 0.3, 4_000)  # an interest rate that keeps falling
    other = rng.normal(size=4_000)
    churned = rng.random(4_000) < 1 / (1 + np.exp(-(2.0 - 1.2 * rate + 0.4 * other)))
    result = run(dated(day, churned, rate=rate, other=other), observed_at="seen_at", value_labels="none")
    assert result.card["churn"]["champion"] in ("plain_logit", "logit")
    table = result.card["churn"]["choice"]["candidates"]
    assert table["plain_logit"]["loss"] < table["boosting"]["loss"]


def test_who_never_ordered_cannot_leave_and_is_no_better_than_the_median_buyer():
    inputs = ordered(n=150)
    new = pl.DataFrame({"account_id": ["N1", "N2"], "size": [3.0, -3.0]})
    result = run(replace(inputs, accounts=pl.concat([inputs.accounts, new])), reasons=2)
    frame = result.frame
    buyers, never = frame[:150], frame[150:]
    assert never["churn_probability"].to_list() == [None, None]
    assert never["churn_reasons"].to_list() == [[], []]
    assert buyers["churn_probability"].null_count() == 0
    assert (never["predicted_value_eur"] <= buyers["predicted_value_eur"].median()).all()
    assert "2 accounts never ordered: whether they will stop is not known" in result.notes
    assert "2 accounts never ordered: expected to spend no more than the median buyer" in result.notes
    # the others are what they are without them
    alone = run(inputs, reasons=2).frame
    assert buyers["predicted_value_eur"].to_list() == pytest.approx(
        alone["predicted_value_eur"].to_list(), rel=0.2
    )
