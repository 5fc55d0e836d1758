"""What the choice of actions stands on, by hand or by scikit-learn: scores, features, learners of effects."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from dealwright.errors import InputError
from dealwright.plan.actions.arbitration import NONE, Choice, OptionValues
from dealwright.plan.actions.catalogue import ContactCap
from dealwright.plan.actions.catalogue_file import default_catalogue, parse_catalogue
from dealwright.plan.actions.design_matrix import fit_design_matrix
from dealwright.plan.actions.eligibility import Eligibility
from dealwright.plan.actions.explanation import excluded_actions, runner_ups
from dealwright.plan.actions.fatigue import read_touches
from dealwright.plan.actions.learners import (
    Blend,
    Effect,
    LearningTask,
    Nuisance,
    Trial,
    doubly_robust_scores,
    fit_effects,
)
from dealwright.plan.actions.linear_models import Linear, fit_logistic, ridge_path
from dealwright.plan.actions.point_in_time import (
    ORDER_FEATURES,
    TOUCH_FEATURES,
    PointInTimeFeatures,
    PointInTimeReader,
    past_touches,
)
from dealwright.plan.actions.reasons import ReasonTexts
from dealwright.plan.actions.score import ScoreParams, apply_score, fit_score, missing_components
from dealwright.schemas import ORDER_COLUMNS, TIMESTAMP, AccountSchema, PlanInputs

AS_OF = datetime(2026, 7, 1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# linear models


def columns(n: int, seed: int) -> np.ndarray:
    """Return a constant, two numbers, two channels and the preferred flag."""
    rng = np.random.default_rng(seed)
    channel = rng.integers(0, 2, n)
    parts = [
        np.ones(n),
        rng.normal(size=n),
        rng.normal(size=n),
        channel == 0,
        channel == 1,
        rng.random(n) < 0.3,
    ]
    return np.column_stack(parts).astype(np.float32)


@pytest.mark.parametrize("penalty_c", [1.0, 0.05])
def test_a_deviation_from_another_score_is_what_is_shrunk(penalty_c: float) -> None:
    X = columns(600, 1)
    other = Linear(np.array([0.2, 0.5, 0.0]), np.zeros(2), 0.0, -0.3)
    base = X[:, :3] @ other.account + other.intercept + 0.7
    rng = np.random.default_rng(2)
    y = (rng.random(600) < sigmoid(base + 0.6 * X[:, 2] - 0.5 * X[:, 3] + 0.4 * X[:, 5])).astype(float)

    def badness(w: np.ndarray) -> float:
        eta = base + X @ w
        return -(y * eta - np.logaddexp(0, eta)).sum() + 0.5 * (w[1:] ** 2).sum() / penalty_c

    best = minimize(badness, np.zeros(6)).x
    found = fit_logistic(X, y, channels=2, penalty_c=penalty_c, offset=(other, 0.7))
    assert found.account == pytest.approx(best[:3] + other.account, abs=0.02)
    assert found.channel == pytest.approx(best[3:5], abs=0.02)
    assert found.preferred == pytest.approx(best[5], abs=0.02)
    assert found.intercept == pytest.approx(-0.3 + 0.7)
    scores = found.on_accounts(X[:, :3]) + found.on_channel(X[:, 4].astype(np.int64), X[:, 5].astype(float))
    assert scores == pytest.approx(base + X @ best, abs=0.05)
    # no channel adds nothing but the preference
    assert found.on_channel(np.array([-1]), np.array([1.0]))[0] == pytest.approx(found.preferred)


def test_one_outcome_alone_gives_its_rate_half_an_observation_towards_the_middle() -> None:
    X = columns(9, 3)
    found = fit_logistic(X, np.ones(9), channels=2)
    assert sigmoid(found.intercept) == pytest.approx(9.5 / 10)
    assert (found.account.size, found.channel.size, found.preferred) == (3, 2, 0.0)
    nobody = fit_logistic(X[:0], np.zeros(0), channels=2)
    assert sigmoid(nobody.intercept) == pytest.approx(0.5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_ridge_of_an_effect_is_that_of_scikit_learn(weighted: bool) -> None:
    X = columns(300, 4)
    rng = np.random.default_rng(5)
    target = X @ [0.0, 1.0, -2.0, 0.5, 0.0, 1.0] + rng.normal(size=300)
    weight = rng.choice([1.0, 4.0], 300) if weighted else None
    for alpha in (1.0, 50.0):
        found = ridge_path(X, target, channels=2, weight=weight).solve(alpha)
        theirs = Ridge(alpha=alpha).fit(X, target, sample_weight=weight)
        ours = np.concatenate([found.account, found.channel, [found.preferred]])
        assert ours[1:] == pytest.approx(theirs.coef_[1:], abs=1e-3)
        assert found.intercept + found.account[0] == pytest.approx(theirs.intercept_, abs=1e-3)


# learners


def task(n: int = 900, seed: int = 6) -> LearningTask:
    rng = np.random.default_rng(seed)
    X = columns(n, seed)
    kind = rng.integers(0, 3, n)
    fold = rng.integers(0, 3, n)
    response = (rng.random(n) < sigmoid(-0.5 + 0.8 * (kind == 0) * X[:, 1])).astype(float)
    trial = Trial(
        X[:, :3], X[:, 4].astype(np.int64), X[:, 5].astype(float), kind == 0, kind == 1, response,
        rng.uniform(0.2, 0.6, n), fold,
    )  # fmt: skip
    models = tuple(
        (
            Linear(rng.normal(size=3) / 5, rng.normal(size=2) / 5, 0.1, 0.0),
            Linear(rng.normal(size=3) / 5, np.zeros(0), 0.0, 0.0),
        )
        for _ in range(6)
    )  # fmt: skip
    nuisance = Nuisance(models[:3], models[3:])
    predicted = tuple(nuisance.predict(trial, left_out) for left_out in (0, 1, 2, None))
    scores = tuple(doubly_robust_scores(trial, *pair, 0.02) for pair in predicted)
    flat = Linear(np.zeros(3), np.zeros(2), 0.0, -1.0)
    return LearningTask(
        trial, 2, trial.columns(2), scores, predicted, nuisance, ((flat, 0.1),) * 4, (flat,) * 4, 0.04, 0.02
    )


def test_a_doubly_robust_score_by_hand() -> None:
    trial = Trial(
        np.ones((4, 1), np.float32), np.zeros(4, np.int64), np.zeros(4), np.array([True, True, False, False]),
        np.array([False, False, True, False]), np.array([1.0, 0.0, 1.0, 1.0]),
        np.array([0.5, 0.01, 0.25, 0.5]), np.zeros(4, np.int64),
    )  # fmt: skip
    found = doubly_robust_scores(trial, np.full(4, 0.3), np.full(4, 0.2), 0.1)
    assert found == pytest.approx([0.1 + 0.7 / 0.5, 0.1 - 0.3 / 0.1, 0.1 - 0.8 / 0.25, 0.1])


def test_a_row_is_predicted_by_models_that_saw_neither_its_fold_nor_the_one_left_out() -> None:
    """Each model says its own number: 1 to 3 are fitted without a fold, 4 to 6 on one alone."""
    fold = np.array([0, 1, 2])
    trial = Trial(
        np.ones((3, 1), np.float32), np.array([-1, 0, 1]), np.zeros(3), *(np.ones(3, bool),) * 2, np.ones(3),
        np.ones(3), fold,
    )  # fmt: skip

    def model(level: float) -> tuple[Linear, Linear]:
        return Linear(np.array([level]), np.array([10.0, 20.0]), 0.0, 0.0), Linear(
            np.array([-level]), np.zeros(0), 0.0, 0.0
        )

    nuisance = Nuisance(tuple(model(k) for k in (1, 2, 3)), tuple(model(k) for k in (4, 5, 6)))
    treated, control = nuisance.predict(trial, None)
    assert treated == pytest.approx(sigmoid(np.array([1.0, 12.0, 23.0])))
    assert control == pytest.approx(sigmoid(-np.array([1.0, 2.0, 3.0])))
    # with fold 0 left out, rows of fold 1 may only be predicted from fold 2, and the other way round
    assert nuisance.predict(trial, 0)[1] == pytest.approx(sigmoid(-np.array([1.0, 6.0, 5.0])))
    assert nuisance.predict(trial, 1)[1] == pytest.approx(sigmoid(-np.array([6.0, 2.0, 4.0])))


@pytest.mark.parametrize("left_out", [None, 1])
def test_each_learner_is_the_regression_it_says(left_out: int | None) -> None:
    shared = task()
    trial, X = shared.trial, shared.columns
    slot = 3 if left_out is None else left_out
    used = np.ones(900, dtype=bool) if left_out is None else trial.fold != left_out

    (average,) = fit_effects("average", shared, left_out)
    scores = shared.scores[slot][used]
    error = scores.var() / scores.size
    expected = (scores.mean() / error + 0.04 / 0.02**2) / (1 / error + 1 / 0.02**2)
    assert average.treated.intercept == pytest.approx(expected, rel=1e-6)
    assert average.increment(trial.phi[:2], trial.channel[:2], trial.preferred[:2]) == pytest.approx(
        [expected] * 2
    )

    on_treated, on_untouched = used & trial.treated, used & trial.untouched
    with_action, without = shared.predicted[slot]
    fits = []
    for rows, effect in (
        (on_treated, trial.response - without), (on_untouched, with_action - trial.response),
    ):  # fmt: skip
        fits.append(Ridge(alpha=1e3).fit(X[rows], effect[rows]).predict(X))
    share = on_treated.sum() / (on_treated.sum() + on_untouched.sum())
    found = fit_effects("X", shared, left_out)[1].increment(trial.phi, trial.channel, trial.preferred)
    assert found == pytest.approx(np.clip((1 - share) * fits[0] + share * fits[1], -1, 1), abs=1e-4)

    informative = trial.treated | trial.untouched
    rows = used & (informative | (np.arange(900) % 4 == 0))
    weight = np.where(informative, 1.0, 4.0)
    theirs = Ridge(alpha=1e4).fit(X[rows], shared.scores[slot][rows], sample_weight=weight[rows]).predict(X)
    found = fit_effects("doubly robust", shared, left_out)[1].increment(
        trial.phi, trial.channel, trial.preferred
    )
    assert found == pytest.approx(np.clip(theirs, -1, 1), abs=1e-3)

    (t_effect,) = fit_effects("T", shared, left_out)
    if left_out is None:
        own = fit_logistic(X[trial.treated], trial.response[trial.treated], channels=2)
        alone = fit_logistic(trial.phi[trial.untouched], trial.response[trial.untouched], channels=0)
        assert t_effect.treated.account == pytest.approx(own.account)
        assert t_effect.control is not None
        assert t_effect.control.account == pytest.approx(alone.account)
    else:
        assert (t_effect.treated, t_effect.control) == shared.nuisance.without[left_out]

    s_effects = fit_effects("S", shared, left_out)
    own = fit_logistic(
        X[on_treated], trial.response[on_treated], channels=2, penalty_c=0.2, offset=shared.pooled[slot]
    )
    assert s_effects[1].treated.account == pytest.approx(own.account)
    assert s_effects[1].control is shared.control[slot]


def test_an_effect_is_the_difference_of_two_probabilities_or_linear_and_a_blend_adds_them_up() -> None:
    phi = np.array([[1.0, 2.0]], dtype=np.float32)
    treated, control = (
        Linear(np.array([0.1, 0.2]), np.array([0.5]), 0.3, 0.4),
        Linear(np.array([0.0, -0.1]), np.zeros(0), 0.0, 0.2),
    )
    both, linear = Effect("T", treated, control), Effect("X", treated, None)
    channel, liked = np.array([0]), np.array([1.0])
    line = 0.1 + 0.4 + 0.4 + 0.5 + 0.3
    assert both.increment(phi, channel, liked) == pytest.approx([sigmoid(line) - sigmoid(0.0)])
    assert linear.increment(phi, channel, liked) == [1.0]  # clipped
    assert linear.increment(phi, np.array([-1]), np.array([0.0])) == pytest.approx([0.9])
    blend = Blend(((0.25, both), (0.75, linear)))
    found = blend.combine(blend.account_scores(phi), channel, liked)
    assert found == pytest.approx([0.25 * (sigmoid(line) - 0.5) + 0.75])


# the composite score


def test_the_score_is_six_z_scores_with_their_weights() -> None:
    rng = np.random.default_rng(7)
    n = 50
    facts = pl.DataFrame(
        {
            "value_bucket": rng.integers(1, 4, n), "potential_bucket": rng.integers(1, 4, n),
            "churn_probability": rng.random(n), "days_since_contact": [None, *rng.gamma(1.0, 90.0, n - 1)],
            "potential_eur": [1e9, *rng.gamma(1.0, 900.0, n - 1)], "support_tickets": rng.poisson(1.0, n),
            "csat": rng.uniform(1, 5, n), "recent_issue": rng.random(n) < 0.2,
        }
    )  # fmt: skip
    params = ScoreParams(most_z=2.0)
    scale = fit_score(facts, params)
    found = apply_score(facts, scale, params)
    assert missing_components(scale) == ("digital_engagement",)

    def z(values, most=2.0):
        known = values[np.isfinite(values)]
        score = np.clip((values - known.mean()) / known.std(), -most, most)
        return np.where(np.isfinite(score), score, 0.0)

    def fact(name, log=False):
        values = facts[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return z(np.log1p(values) if log else values)

    expected = {
        "segment": 0.1 * z(fact("value_bucket") + fact("potential_bucket")),
        "churn": 0.3 * z(fact("churn_probability")),
        "recency": 0.1 * z(fact("days_since_contact", log=True)),
        "potential": 0.3 * z(fact("potential_eur", log=True)),
        "digital_engagement": np.zeros(n),
        "support_friction": 0.1 * z(fact("support_tickets", log=True) - fact("csat") + fact("recent_issue")),
    }
    for name, contribution in expected.items():
        assert found[f"nba_{name}"].to_numpy() == pytest.approx(contribution), name
    assert found["nba_score"].to_numpy() == pytest.approx(sum(expected.values()))
    with pytest.raises(InputError, match="chrun"):
        fit_score(facts, ScoreParams(weights={"chrun": 1.0}))
    constant = fit_score(facts.with_columns(churn_probability=pl.lit(0.5)), params)
    assert "churn" in missing_components(constant)


# features


def test_a_design_matrix_is_piecewise_linear_with_gaps_and_frequent_levels() -> None:
    n = 1000
    values = np.append(np.linspace(0.0, 1.0, n - 10), [np.nan] * 10)
    numbers = np.column_stack([values, np.full(n, 3.0), np.arange(n) % 4 == 0, np.full(n, np.nan)])
    tier = ["a"] * 600 + ["b"] * 390 + ["c"] * 5 + ["d"] * 4 + [None]
    nothing = pl.Series("preferred_channel", [None] * n, dtype=pl.String)
    features = PointInTimeFeatures(
        numbers, ("x", "same", "half", "empty"), pl.DataFrame({"tier": tier}), nothing
    )
    matrix = fit_design_matrix(features)
    assert matrix.kept.tolist() == [0, 2]
    assert matrix.gaps.tolist() == [0]
    assert matrix.levels == (("tier", ("a", "b", "c")),)
    known = np.clip(values[:-10], *np.quantile(values[:-10], [0.005, 0.995]))
    standard = (known - np.median(known)) / known.std()
    assert matrix.knots[0] == pytest.approx(
        (np.quantile(known, [0.2, 0.5, 0.8]) - np.median(known)) / known.std()
    )
    assert matrix.knots[1] == ()  # a second of two values has no other slope
    found = matrix.encode(features)
    assert found.shape == (n, matrix.width)
    assert matrix.width == 1 + 2 + 3 + 1 + 3
    assert (found[:, 0] == 1).all()
    assert found[:-10, 1] == pytest.approx(standard, abs=1e-5)
    assert (found[-10:, 1] == 0).all()
    for k, knot in enumerate(matrix.knots[0]):
        assert found[:-10, 3 + k] == pytest.approx(np.maximum(standard - knot, 0.0), abs=1e-5)
    assert found[:, 6].tolist() == [0.0] * (n - 10) + [1.0] * 10
    assert found[:, 7:].sum(axis=0).tolist() == [600.0, 390.0, 5.0]


def events(name: str, *rows: tuple[str, float, object]) -> pl.DataFrame:
    return pl.DataFrame(
        [(account, AS_OF - timedelta(days=days), value) for account, days, value in rows],
        schema={
            "account_id": pl.String,
            name: TIMESTAMP,
            "value": pl.Float64 if name == "ordered_at" else pl.String,
        },
        orient="row",
    )


def test_orders_and_contacts_as_of_a_moment_by_hand() -> None:
    """One ordered 130, 100 and 10 days before the cut-off, the other one once; gaps of 30 and 90 days."""
    orders = events("ordered_at", ("a", 130, 10.0), ("a", 100, 30.0), ("a", 10, 50.0), ("b", 5, -7.0))
    orders = orders.rename({"value": "amount_eur"}).cast({"amount_eur": ORDER_COLUMNS["amount_eur"]})
    contacts = events("touched_at", ("a", 40, "x"), ("a", 20, "x"), ("a", 0, "x")).drop("value")
    accounts = pl.DataFrame({"account_id": ["a", "b", "c"]})
    reader = PointInTimeReader(PlanInputs(accounts, AccountSchema(), AS_OF, orders=orders), contacts)
    found = reader.tonight()
    assert found.number_names == (*ORDER_FEATURES, *TOUCH_FEATURES)
    own = (120 + 2 * 60) / (2 + 2)
    prior = (0 + 2 * 60) / 2
    expected = [
        [10, np.log1p(3), np.log(own), 10 / own, np.log1p(30), np.sqrt(1)],
        [5, np.log1p(1), np.log(prior), 5 / prior, 0.0, np.sqrt(1)],
    ]
    assert found.numbers[:2, :6] == pytest.approx(np.array(expected))
    assert found.numbers[2, 1] == 0.0
    assert np.isnan(found.numbers[2, [0, 2, 3, 4]]).all()
    # a contact at the very moment does not count yet; who was never contacted was long ago
    assert found.numbers[0, 6:].tolist() == pytest.approx([np.log1p(20), 1.0])
    assert found.numbers[1, 7] == 0.0
    assert found.numbers[1, 6] == found.numbers[2, 6] > np.log1p(365)
    at = pl.Series([AS_OF - timedelta(days=day) for day in (100, 99, 39)], dtype=TIMESTAMP)
    earlier = reader.earlier(np.array([0, 0, 0]), at)
    assert earlier.numbers[:, 1] == pytest.approx(np.log1p([1, 2, 2]))
    assert earlier.numbers[:, 0].tolist() == [30.0, 1.0, 61.0]
    assert earlier.numbers[2, 6:].tolist() == pytest.approx([0.0 + np.log1p(1), 1.0])
    assert reader.account_rows(pl.Series(["c", "z", "a"])).tolist() == [2, -1, 0]


def test_touches_learned_from_have_an_answer_a_moment_and_a_channel_unless_nothing_was_done() -> None:
    touches = pl.DataFrame(
        {
            "account_id": ["a"] * 5, "touched_at": [AS_OF, AS_OF, None, AS_OF, AS_OF],
            "channel": ["field", None, "field", None, "field"],
            "action": ["visit", "nothing", "visit", "visit", "visit"],
            "response": [True, False, True, True, None],
        },
        schema_overrides={"touched_at": TIMESTAMP},
    )  # fmt: skip
    accounts = pl.DataFrame({"account_id": ["a"]})
    given = PlanInputs(accounts, AccountSchema(), AS_OF, touches=touches)
    found = past_touches(given)
    assert found["action"].to_list() == ["visit", "nothing"]
    assert found["propensity"].to_list() == [None, None]
    assert past_touches(PlanInputs(accounts, AccountSchema(), AS_OF)).height == 0


def test_fatigue_counts_contacts_within_days_and_refusals_in_a_row() -> None:
    catalogue = default_catalogue()
    action = next(item for item in catalogue.actions if item.suppress.rejections > 1)
    days, least = action.suppress.days, action.suppress.rejections
    rows = []
    # refused as often as it takes, the last time just within the days; b answered yes in between; c long ago
    rows += [("a", days - 1 + k, "outbound_cc", action.name, False) for k in range(least)]
    rows += [("b", 1 + k, "outbound_cc", action.name, k == 1) for k in range(least + 1)]
    rows += [("c", days + k, "outbound_cc", action.name, False) for k in range(least)]
    rows += [("d", 2, "ecom_self", "nothing", False), ("d", 3, None, "other", True)]
    touches = pl.DataFrame(
        [(name, AS_OF - timedelta(days=day), channel, what, yes) for name, day, channel, what, yes in rows],
        schema={"account_id": pl.String, "touched_at": TIMESTAMP, "channel": pl.String, "action": pl.String,
                "response": pl.Boolean},
        orient="row",
    )  # fmt: skip
    accounts = pl.DataFrame({"account_id": ["a", "b", "c", "d"]})
    log = read_touches(PlanInputs(accounts, AccountSchema(), AS_OF, touches=touches), catalogue)
    assert log.suppressed(action).tolist() == [True, False, False, False]
    assert not log.rejection_known
    assert log.days_since_action(action)[:3].tolist() == [days - 1, 1.0, days]
    assert np.isnan(log.days_since_action(action)[3])
    assert log.days_since_contact().tolist() == [days - 1, 1.0, days, 3.0]
    assert log.contacts_within(ContactCap(9, 3)).tolist() == [0, 2, 0, 0]
    assert log.contacts_within(ContactCap(9, 4), "outbound_cc").tolist() == [0, min(least + 1, 3), 0, 0]


def test_what_stands_against_each_other_action_and_which_is_the_runner_up() -> None:
    """Two channels of the first action, one of the second, none permitted of the third."""
    actions = [("visit", '"field", "outbound_cc"'), ("call", '"outbound_cc"'), ("offer", '"field"')]
    catalogue = parse_catalogue(
        "[channels.field]\ncost_eur = 10\n[channels.outbound_cc]\ncost_eur = 1\n"
        + "".join(
            f"[actions.{name}]\nchannels = [{channels}]\nlever = 0.1\n"
            "prior_response = 0.2\nprior_uplift = 0.1\n"
            for name, channels in actions
        ),
        "x",
    )
    of_action = np.array([0, 0, 1, 2])
    assert [action.name for action, _ in catalogue.options] == ["visit", "visit", "call", "offer"]
    value = np.array(
        [
            [12.34, 3.0, 5.06, -np.inf],  # a visit; a call is worth less
            [1.0, 2.0, -1234.5, -np.inf],  # nothing was chosen
            [30.0, -np.inf, 25.0, -np.inf],  # the cheaper one, for want of budget
            [1.0, 1.0, 1.0, -np.inf],  # explored
            [1.0, 1.0, 1.0, -np.inf],  # in the control group
        ],
        dtype=np.float32,
    )
    values = OptionValues(value, np.array([10.0, 1.0, 1.0, 10.0]), np.ones(4), of_action)
    option = np.array([0, NONE, 2, 1, NONE])
    nobody = np.zeros(5, dtype=bool)
    choice = Choice(
        option, option, np.array([False, False, False, True, False]), *(np.ones(5),) * 3, 0.0, 0.0, 0.1,
        np.zeros(5), nobody,
    )  # fmt: skip
    name, worth = runner_ups(catalogue, values, choice, of_action)
    assert name.to_list() == ["call", "visit", "visit", "call", "visit"]
    assert worth.tolist() == pytest.approx([5.06, 2.0, 30.0, 1.0, 1.0], rel=1e-6)
    alone = OptionValues(value[:2, [0, 1, 2, 3]] * [1, 1, -1, 1], values.cost_eur, values.contact, of_action)
    one = Choice(
        option[:2], option[:2], nobody[:2], *(np.ones(2),) * 3, 0.0, 0.0, 0.1, np.zeros(2), nobody[:2]
    )
    # a call at a loss is no runner-up: doing nothing is
    assert runner_ups(catalogue, alone, one, of_action)[0].to_list()[0] == "nothing"
    texts = ReasonTexts()
    codes = np.zeros((5, 4), dtype=np.int32)
    codes[:, 3] = texts.code("no consent to field")
    control = np.array([False] * 4 + [True])
    found = excluded_actions(
        catalogue=catalogue, eligibility=Eligibility(codes, np.zeros(5, dtype=np.int64), ({},)),
        values=values, choice=choice, control=control, of_action=of_action, texts=texts,
    )  # fmt: skip
    assert found.to_list() == [
        ["call: 5.1 EUR by outbound_cc", "offer: no consent to field"],
        [
            "visit: not worth its share of the budget",
            "call: -1,234 EUR by outbound_cc",
            "offer: no consent to field",
        ],
        ["visit: not worth its share of the budget", "offer: no consent to field"],
        ["call: another choice was drawn for exploration", "offer: no consent to field"],
        ["visit: in the control group", "call: in the control group", "offer: in the control group"],
    ]
