"""Effects learned from touches with a known truth: found, or stated, and never leaking."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

from dealwright.plan.actions import ActionParams, choose_actions
from dealwright.plan.actions.catalogue_file import parse_catalogue
from dealwright.plan.actions.effect_learning import EffectParams
from dealwright.plan.actions.effects import apply_effects, learn_effects
from dealwright.plan.actions.fatigue import read_touches
from dealwright.plan.actions.learners import SETTINGS
from dealwright.plan.actions.linear_models import Linear, fit_logistic, fit_shares
from dealwright.plan.actions.point_in_time import PointInTimeReader
from dealwright.schemas import TIMESTAMP, AccountSchema, PlanInputs
from dealwright.stats.links import sigmoid

AS_OF = datetime(2026, 6, 30)
CATALOGUE = parse_catalogue(
    """
[channels.outbound_cc]
cost_eur = 2.0
[channels.ecom_self]
cost_eur = 0.1
prior_factor = 0.5
[actions.offer]
channels = ["outbound_cc", "ecom_self"]
lever = 0.1
prior_response = 0.2
prior_uplift = 0.1
[actions.call]
channels = ["outbound_cc"]
lever = 0.1
prior_response = 0.2
prior_uplift = 0.05
""",
    "test.toml",
)


def mailing(n=12_000, seed=0, *, logged=True, control=True, known="always"):
    """Draw touches by a policy that depends on the account.

    The offer works for the young, the call for nobody.
    """
    rng = np.random.default_rng(seed)
    age, gold = rng.uniform(0, 1, n), rng.random(n) < 0.3
    weight = np.column_stack([np.full(n, 1.0), 0.5 + age, np.full(n, 0.7)])
    if not control:
        weight[:, 0] = 0.0
    policy = weight / weight.sum(axis=1, keepdims=True)
    arm = (np.cumsum(policy, axis=1) < rng.random((n, 1))).sum(axis=1)
    base = -1.5 + 1.0 * age + 0.5 * gold
    probability = sigmoid(np.column_stack([base, base + 1.2 - 2.4 * age, base]))
    response = rng.random(n) < probability[np.arange(n), arm]
    ids = [f"a{k}" for k in range(n)]
    accounts = pl.DataFrame({"account_id": ids, "age": age, "tier": np.where(gold, "gold", "silver")})
    touches = pl.DataFrame(
        {
            "account_id": ids,
            "touched_at": [AS_OF - timedelta(days=float(day)) for day in rng.uniform(1, 300, n)],
            "channel": [None if k == 0 else "outbound_cc" for k in arm],
            "action": np.array(["nothing", "offer", "call"])[arm],
            "response": response,
        },
        schema_overrides={"touched_at": TIMESTAMP, "channel": pl.String},
    )
    if logged:
        touches = touches.with_columns(propensity=policy[np.arange(n), arm])
    schema = AccountSchema(
        numeric=("age",),
        categorical={"tier": None},
        known_from={"age": known, "tier": known} if known else {},
    )
    truth = probability[:, 1:] - probability[:, :1]
    return PlanInputs(accounts, schema, AS_OF, touches=touches), truth, (probability, arm, policy)


def learn(inputs, **changes):
    log = read_touches(inputs, CATALOGUE)
    # the time since contact says nothing in these worlds
    reader = PointInTimeReader(inputs, log.contacts.clear())
    model = learn_effects(inputs, CATALOGUE, reader, EffectParams(**changes), rng=np.random.default_rng(0))
    return model, apply_effects(model, reader, inputs.accounts.height)


@pytest.mark.parametrize("logged", [True, False])
def test_the_effect_is_found_although_the_policy_was_not_random(logged):
    inputs, truth, _ = mailing(logged=logged)
    model, found = learn(inputs)
    offer = found.increment[:, 0]
    assert model.evidence["offer"].source == "learned"
    assert model.propensity_source == ("logged" if logged else "estimated")
    assert np.corrcoef(offer, truth[:, 0])[0, 1] > 0.9
    assert np.sqrt(((offer - truth[:, 0]) ** 2).mean()) < 0.04
    assert abs(found.increment[:, 2]).mean() < 0.03  # the call does nothing
    assert model.evidence["offer"].mean_increment == pytest.approx(truth[:, 0].mean(), abs=0.03)
    assert set(model.evidence["offer"].losses) == set(SETTINGS)
    assert min(model.evidence["offer"].losses.values()) < -0.001  # better than one effect for all


def test_an_untried_channel_follows_the_priors_proportion():
    inputs, _, _ = mailing()
    model, found = learn(inputs)
    assert model.evidence["offer"].untried == ("ecom_self",)
    told = model.source(*CATALOGUE.options[1])
    assert "not tried enough" in told
    assert found.increment[:, 1] == pytest.approx(0.5 * found.increment[:, 0], abs=0.03)


def test_without_anyone_left_alone_the_increment_is_the_stated_share():
    inputs, _, (probability, _, _) = mailing(control=False)
    model, found = learn(inputs)
    assert model.evidence["offer"].source == "rate learned, increment stated"
    assert "increment from the stated prior" in model.source(*CATALOGUE.options[0])
    assert np.corrcoef(found.increment[:, 0], probability[:, 1])[0, 1] > 0.85
    assert found.increment[:, 0].mean() == pytest.approx(0.5 * probability[:, 1].mean(), rel=0.1)


@pytest.mark.parametrize("n", [0, 5, 400])
def test_too_few_touches_leave_the_stated_priors(n):
    inputs, _, _ = mailing(max(n, 2))
    inputs = replace(inputs, touches=inputs.touches.head(n))
    model, found = learn(inputs)
    assert {evidence.source for evidence in model.evidence.values()} == {"stated"}
    assert model.source(*CATALOGUE.options[0]) == "stated prior"
    assert found.increment[:, 0] == pytest.approx(0.1)
    assert found.increment[:, 1] == pytest.approx(0.05)


def test_touches_to_which_next_to_nobody_responded_leave_the_stated_prior():
    inputs, _, _ = mailing(6000)
    few = pl.col("response") & (pl.int_range(pl.len()) < 150)
    inputs = replace(inputs, touches=inputs.touches.with_columns(response=few))
    model, found = learn(inputs)
    for action in ("offer", "call"):
        evidence = model.evidence[action]
        assert evidence.source == "stated"
        assert 0 < evidence.responses < 30 < 300 < evidence.treated
    assert found.increment[:, 0] == pytest.approx(0.1)
    assert found.increment[:, 2] == pytest.approx(0.05)


def test_the_number_of_cores_changes_no_bit():
    inputs, _, _ = mailing()
    more = {f"x{k}": np.random.default_rng(k).normal(size=12_000) for k in range(40)}  # many to add up
    names = ("age", *more)
    schema = replace(inputs.schema, numeric=names, known_from=dict.fromkeys((*names, "tier"), "always"))
    inputs = replace(
        inputs,
        accounts=inputs.accounts.with_columns(**{n: pl.Series(v) for n, v in more.items()}),
        schema=schema,
    )
    predictions = inputs.accounts.select(
        "account_id", churn_probability=pl.lit(0.3), predicted_value_eur=pl.col("age") * 1000
    )
    frames = []
    for cores in (1, 4):
        with threadpool_limits(cores):
            frames.append(
                choose_actions(
                    inputs.accounts, predictions, params=ActionParams(catalogue=CATALOGUE),
                    touches=inputs.touches, schema=inputs.schema, as_of=inputs.as_of,
                ).frame
            )  # fmt: skip
    assert frames[0].equals(frames[1])
    assert frames[0]["effect_source"].str.starts_with("learned from").any()


def test_a_column_of_the_present_does_not_describe_the_past():
    inputs, _, _ = mailing(known=None)
    model, found = learn(inputs)
    assert model.left_out == ("age", "tier")
    assert np.ptp(found.increment[:, 0]) < 1e-6  # nothing is known that could tell the accounts apart
    snapshots = inputs.accounts.with_columns(snapshot_at=pl.lit(AS_OF - timedelta(days=400), TIMESTAMP))
    model, found = learn(replace(inputs, history=snapshots))
    assert model.left_out == ()
    assert np.ptp(found.increment[:, 0]) > 0.2


def test_nothing_after_a_touch_changes_what_is_known_at_it():
    inputs, _, _ = mailing(400)
    rng = np.random.default_rng(3)
    orders = pl.DataFrame(
        {
            "account_id": [f"a{k}" for k in rng.integers(0, 400, 3000)],
            "ordered_at": [AS_OF - timedelta(days=float(day)) for day in rng.uniform(0, 300, 3000)],
            "amount_eur": rng.gamma(2, 20, 3000),
        },
        schema_overrides={"ordered_at": TIMESTAMP},
    )
    early = AS_OF - timedelta(days=100)
    shuffled = orders.with_columns(
        pl.when(pl.col("ordered_at") >= early)
        .then(pl.lit(AS_OF))
        .otherwise("ordered_at")
        .alias("ordered_at"),
        pl.when(pl.col("ordered_at") >= early).then(pl.lit(1e6)).otherwise("amount_eur").alias("amount_eur"),
    )
    at = pl.Series([early] * 400, dtype=TIMESTAMP)
    described = []
    for changed in (orders, shuffled):
        with_orders = replace(inputs, orders=changed)
        reader = PointInTimeReader(with_orders, read_touches(inputs, CATALOGUE).contacts)
        described.append(reader.earlier(np.arange(400), at).numbers)
        names = reader.earlier(np.arange(400), at).number_names
    # the mean gap of all accounts is a global number, fitted on everything
    fitted = [names.index(name) for name in ("mean gap in days", "overdue")]
    kept = np.setdiff1d(np.arange(len(names)), fitted)
    np.testing.assert_allclose(described[0][:, kept], described[1][:, kept], rtol=1e-6)


def test_a_touch_does_not_count_itself_as_an_earlier_contact():
    inputs, _, _ = mailing(2000)
    log = read_touches(inputs, CATALOGUE)
    reader = PointInTimeReader(inputs, log.contacts)
    known = reader.earlier(np.arange(2000), inputs.touches["touched_at"])
    assert np.ptp(known.numbers[:, known.number_names.index("days since contact")]) == 0


def test_the_newton_solver_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    columns = np.hstack([np.ones((2000, 1)), rng.normal(size=(2000, 6))]).astype(np.float32)
    response = (rng.random(2000) < sigmoid(columns @ rng.normal(size=7))).astype(float)
    mine = fit_logistic(columns, response, channels=0, penalty_c=0.05)
    theirs = LogisticRegression(C=0.05, tol=1e-8).fit(columns[:, 1:], response)
    assert mine.account[1:] == pytest.approx(theirs.coef_[0], abs=2e-3)
    assert mine.account[0] == pytest.approx(theirs.intercept_[0], abs=2e-3)
    # the deviation from a score that is already right is nothing
    again = fit_logistic(columns, response, channels=0, penalty_c=1e-4, offset=(mine, 0.0))
    assert again.account == pytest.approx(mine.account, abs=0.01)
    one_sided = fit_logistic(columns, np.zeros(2000), channels=0)
    assert sigmoid(one_sided.on_accounts(columns)).max() < 0.001
    assert isinstance(one_sided, Linear)


def test_shares_of_several_choices_agree_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    columns = np.hstack([np.ones((3000, 1)), rng.normal(size=(3000, 4))]).astype(np.float32)
    score = columns @ rng.normal(size=(5, 3))
    chosen = (score + rng.gumbel(size=score.shape)).argmax(axis=1)
    mine = fit_shares(columns, chosen, 3)(columns)
    theirs = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000).fit(columns, chosen).predict_proba(columns)
    assert mine == pytest.approx(theirs, abs=2e-3)
    assert mine.sum(axis=1) == pytest.approx(np.ones(3000))
