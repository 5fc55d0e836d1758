"""On a generated company the chosen actions earn most of what is there to be earned, judged by the truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dealwright.plan.actions import ActionParams, choose_actions
from dealwright.plan.anomalies import detect_anomalies
from dealwright.plan.segments import segment
from dealwright.simulation.barcelona import BarcelonaParams, generate
from dealwright.simulation.response import with_channel


@pytest.fixture(scope="module")
def night():
    world = generate(BarcelonaParams(n=8000), seed=11)
    truth = world.truth
    data, accounts = world.inputs, world.inputs.accounts
    known = {"schema": data.schema, "as_of": data.as_of}
    past = {"orders": data.orders, "touches": data.touches, "history": data.history}
    predictions = truth.select(
        "account_id", "churn_probability", predicted_value_eur=pl.col("future_value_eur")
    )
    rng = np.random.default_rng(2)
    anomalies = detect_anomalies(accounts, orders=data.orders, rng=rng, **known)
    segments = segment(accounts, predictions, schema=data.schema, rng=rng)
    params = ActionParams(exploration_share=0.0, control_share=0.0)
    actions = choose_actions(
        accounts, predictions, segments.frame, params, anomalies=anomalies.frame, rng=rng, **past, **known
    )
    return world, anomalies, params.catalogue, actions


def true_values(world, catalogue):
    """Return the true expected value of every option, (accounts, options)."""
    truth, preferred = world.truth, world.inputs.accounts["preferred_channel"].to_numpy()
    spend, churn = (truth[name].to_numpy() for name in ("future_value_eur", "churn_probability"))
    if_kept = spend / np.maximum(1 - churn, 0.1)
    columns = []
    for action, channel in catalogue.options:
        value = if_kept if action.value.text == "value_if_kept_eur" else spend
        response = with_channel(truth[f"response_{action.name}"].to_numpy(), preferred == channel.name)
        increment = response - truth["response_nothing"].to_numpy()
        columns.append(increment * value * action.lever - action.cost_eur - channel.cost_eur)
    return np.column_stack(columns)


def test_the_plan_earns_most_of_what_an_oracle_earns(night):
    world, _, catalogue, actions = night
    value = true_values(world, catalogue)
    rows = np.arange(value.shape[0])
    permitted = actions.options.drop("account_id").select(pl.all().is_not_null()).to_numpy()
    best = np.where(permitted, value, -np.inf).max(axis=1)
    oracle = best[best > 0].sum()
    option = actions.choice.option
    earned = np.where(option >= 0, value[rows, option], 0.0).sum()
    assert earned >= 0.75 * oracle
    # the money that this costs, spent by falling churn probability instead
    names = [(action.name, channel.name) for action, channel in catalogue.options]
    call = names.index(("retention_call", "outbound_cc"))
    order = np.argsort(-world.truth["churn_probability"].to_numpy())
    order = order[permitted[order, call]]
    cost = actions.frame["cost_eur"].sum()
    called = order[: int(cost // 6.0)]
    assert earned >= 2 * value[called, call].sum()
    # what is promised is what comes, more or less
    assert actions.frame["expected_value_eur"].sum() == pytest.approx(earned, rel=0.35)


def test_effects_are_learned_for_every_action(night):
    *_, actions = night
    assert {found.source for found in actions.effects.evidence.values()} == {"learned"}
    assert actions.effects.propensity_source == "logged"
    assert (
        actions.frame.filter(pl.col("action") != "nothing")["effect_source"].str.starts_with("learned").all()
    )


def test_planted_spikes_and_odd_rows_are_near_the_top(night):
    world, anomalies, *_ = night
    kind = world.truth["anomaly"].to_numpy()
    score = anomalies.frame["anomaly_score"].to_numpy()
    top = np.argsort(-score)[: score.size // 50]
    assert np.isin(np.flatnonzero(kind == "spike"), top).mean() >= 0.9
    # customers who really went silent compete with the planted ones for these places
    left = world.truth["alive_probability"].to_numpy() < 0.05
    assert ((kind != "none") | left)[top].mean() >= 0.8
