"""What competes, what is said of it and what is kept: formulas and thresholds by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.prediction import PredictParams, trees
from dealwright.plan.prediction.candidates import (
    BaseRate,
    Blend,
    CandidateSet,
    Probability,
    Rules,
    Scaled,
    TwoPart,
    blended,
    candidate_set,
    inverse_logit,
)
from dealwright.plan.prediction.cases import Cases, declared_cases, time_trial
from dealwright.plan.prediction.champion import NewerLabels, _beats, _unfit
from dealwright.plan.prediction.choice import Choice
from dealwright.plan.prediction.design import Design, FeatureSchema, concatenated
from dealwright.plan.prediction.learning import (
    ForwardTest,
    Learned,
    Predictor,
    _levelled,
    _obstacle,
    scaled_to_level,
    without_model,
)
from dealwright.plan.prediction.reasons import Explainer, _plain, _score
from dealwright.plan.prediction.sources import kind_of, refuse_late_features, with_chosen_features
from dealwright.plan.prediction.targets import _of_new_accounts, drift_notes, finite, metrics_of, skill_of
from dealwright.plan.prediction.validation import Comparison, Labelled, predict_out_of_fold
from dealwright.schemas import AccountSchema, PlanInputs
from dealwright.stats.metrics import Estimate

NAN = float("nan")
AS_OF = datetime(2026, 7, 1)
RNG = np.random.default_rng(0)


def numbers(*columns: list[float]) -> Design:
    return Design(np.array(columns, dtype=np.float32).T, np.empty((len(columns[0]), 0), np.int16), ())


def codes(column: list[int], count: int) -> Design:
    return Design(np.empty((len(column), 0), np.float32), np.array(column, np.int16)[:, None], (count,))


# candidates


def test_rules_are_the_mean_of_a_cell_and_of_twenty_rows_of_everybody() -> None:
    """Fifths of the first column, two values of the second; a missing value is a cell of its own."""
    first, second = [*map(float, range(10)), NAN], [0.0, 1.0] * 5 + [1.0]
    target = np.array([5.0, 1.0, 0.0, 2.0, 0.0, 0.0, 7.0, 0.0, 3.0, 4.0, 0.0])
    rules = Rules.fitted(numbers(first, second), target, (0, 1))
    assert rules.edges[0] == pytest.approx([1.8, 3.6, 5.4, 7.2])
    assert rules.edges[1].tolist() == [0.0, 1.0]
    mean = target.mean()
    probe = numbers([0.5, 0.5, 8.0, NAN, 1.0], [0.0, 1.0, 0.0, 1.0, NAN])
    expected = [(5.0 + 20 * mean) / 21, (1.0 + 20 * mean) / 21, (3.0 + 20 * mean) / 21]
    assert rules.predict(probe) == pytest.approx([*expected, (0.0 + 20 * mean) / 21, mean])
    empty = Rules.fitted(numbers([NAN] * 3), np.array([1.0, 2.0, 3.0]), (0,))
    assert empty.predict(numbers([NAN, 1.0])) == pytest.approx([2.0, 2.0])


def test_a_column_that_is_a_probability_is_taken_as_it_is() -> None:
    design = numbers([0.2, NAN, NAN, 0.9])
    found = Probability.fitted(design, np.array([1.0, 1.0, 0.0, 0.0]), 0)
    # two rows of their own, one of everybody's
    assert found.missing == pytest.approx((1.0 + 0.5) / 3)
    assert found.predict(design) == pytest.approx([0.2, 0.5, 0.5, 0.9])


def test_two_parts_are_multiplied_and_blends_are_means_on_their_scale() -> None:
    design = numbers([1.0, 2.0])
    assert TwoPart(BaseRate(0.25), BaseRate(80.0)).predict(design).tolist() == [20.0, 20.0]
    assert Blend((BaseRate(2.0), BaseRate(5.0)), "spend").predict(design).tolist() == [3.5, 3.5]
    odds = Blend((BaseRate(0.5), BaseRate(0.9)), "probability").predict(design)
    assert odds == pytest.approx([0.75, 0.75])  # the root of odds of 1 and 9 is 3
    assert blended([np.array([0.2])], "probability") == pytest.approx([0.2])
    assert inverse_logit(np.array([-99.0, 99.0])) == pytest.approx(
        [1 / (1 + np.exp(13.8)), 1 / (1 + np.exp(-13.8))]
    )


def test_who_competes_for_which_target() -> None:
    schema = FeatureSchema(("last", "till", "x"), {})
    known = {"last_period": "last", "buy_till_you_die": "till", "absent": "gone"}

    def names(kind: Any, *, ahead: bool, rules: tuple[str, ...] = ("x", "gone")) -> tuple[Any, Any, Any]:
        line = candidate_set(schema, kind, rules, known, ahead=ahead)
        return set(line.fits) - {"base_rate"}, dict(line.blends), set(line.baselines)

    simple = {"rfm_rules", "last_period", "buy_till_you_die"}
    baselines = {"base_rate", "rfm_rules", "last_period"}
    logits = {"logit", "spline_logit", "boosting"}
    blend = {"blend": ("spline_logit", "boosting")}
    assert names("probability", ahead=False) == (simple | logits, blend, baselines)
    assert names("probability", ahead=True) == (simple | logits | {"plain_logit"}, blend, baselines)
    spend = simple | {"tweedie", "spline_tweedie", "two_part", "boosting"}
    of_rhythm = {"blend_buy_till_you_die": ("tweedie", "buy_till_you_die")}
    for ahead, first in ((True, "tweedie"), (False, "spline_tweedie")):
        expected = {"blend": (first, "boosting"), **of_rhythm}
        assert names("spend", ahead=ahead) == (spend, expected, baselines)
    amount = simple | {"spline", "boosting"}
    assert names("amount", ahead=True) == (amount, {"blend": ("spline", "boosting")}, baselines)
    assert names("amount", ahead=True, rules=("gone",))[0] == amount - {"rfm_rules"}
    nothing = candidate_set(FeatureSchema((), {}), "spend", (), {}, ahead=True)
    assert (list(nothing.fits), nothing.blends, nothing.baselines) == (["base_rate"], {}, ("base_rate",))
    model = candidate_set(schema, "spend", (), known, ahead=True).fits["last_period"](
        numbers([2.0, 4.0], [0.0, 0.0], [0.0, 0.0]), np.array([1.0, 2.0]), RNG
    )
    assert model == Scaled(0, 0.5, 3.0)


def test_equal_labels_are_the_base_rate_and_a_blend_fits_its_members() -> None:
    line = CandidateSet(
        "spend", {name: lambda *_, mean=mean: BaseRate(mean) for name, mean in (("a", 2.0), ("b", 5.0))},
        {"both": ("a", "b")}, (),
    )  # fmt: skip
    design = numbers([1.0, 2.0])
    assert line.fit("both", design, np.array([3.0, 3.0]), RNG) == BaseRate(3.0)
    assert line.fit("both", design, np.array([3.0, 4.0]), RNG).predict(design).tolist() == [3.5, 3.5]
    assert line.fit("b", design, np.array([3.0, 4.0]), RNG) == BaseRate(5.0)


# designs


def test_designs_of_one_schema_are_put_below_each_other() -> None:
    one = Design(np.array([[1.0]], np.float32), np.array([[-1]], np.int16), (2,))
    two = Design(np.array([[3.0]], np.float32), np.array([[2]], np.int16), (2,))
    both = concatenated([one, two])
    assert both.numeric.tolist() == [[1.0], [3.0]]
    assert both.codes.tolist() == [[-1], [2]]
    assert both.level_counts == (2,)


def test_levels_of_ten_rows_are_learned_and_texts_that_name_rows_are_not() -> None:
    def levels(values: list[str | None]) -> FeatureSchema:
        return FeatureSchema.learned_from(pl.DataFrame({"c": values}))

    found = levels(["b"] * 10 + ["a"] * 11 + ["few"] * 9 + [None])
    assert (found.levels, found.rare) == ({"c": ("a", "b")}, {"c": ("few",)})
    assert levels(["a"] * 9 + ["b"] * 9).left_out["c"].startswith("too few rows per category")
    # sixty levels are kept at most, the most frequent ones
    many = levels([f"{k:02}" for k in range(61) for _ in range(10 + (k == 60))])
    assert len(many.levels["c"]) == 60
    assert "60" in many.levels["c"]
    assert many.rare["c"] == ("59",)
    # more than sixty different ones, and more than half of the rows
    names = [f"{k:03}" for k in range(61)]
    assert levels([*names, *["000"] * 61]).levels == {"c": ("000",)}
    assert "c" in levels([*names, *["000"] * 60]).left_out
    assert levels([*names[:60], *["000"] * 9]).levels == {"c": ("000",)}


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pl.Series([None, None], dtype=pl.Float64), "every value is missing"),
        (pl.Series([1e39, None]), "no finite value"), (pl.Series([2.0, 2.0]), "constant"),
        (pl.Series([2.0, 2.0, 1e39]), "constant"), (pl.Series([2.0, None]), None),
        (pl.Series([1.0, 2.0]), None), (pl.Series([True, True]), "constant"),
    ],
)  # fmt: skip
def test_columns_that_say_nothing_are_left_out(column: pl.Series, why: str | None) -> None:
    found = FeatureSchema.learned_from(column.alias("x").to_frame())
    assert found.left_out == ({} if why is None else {"x": why})


def test_a_category_never_seen_is_named_up_to_five() -> None:
    schema = FeatureSchema((), {"c": ("a", "b")}, {"c": ("r",)})
    design, notes = schema.encode(pl.DataFrame({"c": ["b", "r", "x", None, *"vwyzu"]}))
    assert design.codes[:, 0].tolist() == [1, 2, 2, -1, 2, 2, 2, 2, 2]
    said = "column 'c': 6 rows hold a category the model has never seen ('u', 'v', 'w', 'x', 'y', …)"
    assert notes == [f"{said}; treated as 'other'"]
    assert schema.encode(pl.DataFrame({"c": [*"vwxyz"]}))[1][0].endswith("'z'); treated as 'other'")


# trees


def test_edges_lie_between_values_and_between_quantiles_of_many() -> None:
    assert trees._edges(np.array([3.0, 1.0, np.nan, 1.0])).tolist() == [2.0]
    assert trees._edges(np.array([np.nan])).tolist() == []
    few = np.arange(63.0)
    assert trees._edges(few).tolist() == (few[:-1] + 0.5).tolist()
    many = np.random.default_rng(1).normal(size=500)
    places = np.quantile(many, np.arange(64) / 63)
    assert trees._edges(many) == pytest.approx((places[1:] + places[:-1]) / 2)
    assert trees._binned(np.array([[0.5], [1.5], [np.nan], [1.0]]), (np.array([1.0]),)).tolist() == [
        [1, 2, 0, 1]
    ]


def test_categories_are_indicators_or_their_shrunken_mean_label() -> None:
    found = trees._level_means(np.array([0, 0, 2, -1]), np.array([1.0, 0.0, 1.0, 0.0]), 3)
    # twenty rows of everybody's mean beside those of the level
    expected = [(1 + 10) / 22, 0.5, (1 + 10) / 21, 0.5, (0 + 10) / 21]
    assert found == pytest.approx(expected)
    assert trees._numbers_and_indicators(codes([0, 8, -1], 8)).shape == (3, 10)
    assert trees._numbers_and_indicators(codes([0, 8, -1], 9)).shape == (3, 0)
    shown = trees._numbers_and_indicators(codes([0, 2, -1], 2))
    assert shown.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


# learning


@pytest.mark.parametrize(
    ("labels", "kind", "said"),
    [
        ([0.0] * 30 + [1.0] * 19, "probability", "only 49 labelled rows: at least 50"),
        ([1.0] * 50, "probability", "every label is 1: nothing"),
        ([0.0] * 36 + [1.0] * 14, "probability", "only 14 labelled rows of one class: at least 15"),
        ([1.0] * 36 + [0.0] * 14, "probability", "only 14 labelled rows of one class: at least 15"),
        ([0.0] * 36 + [5.0] * 14, "spend", "only 14 labelled rows with any spend: at least 15"),
        ([0.0] * 35 + [1.0] * 15, "probability", None), ([5.0] * 48 + [0.0] * 2, "spend", None),
        ([0.0] * 49 + [5.0], "amount", None),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_said(labels: list[float], kind: Any, said: str | None) -> None:
    found = _obstacle(np.array(labels), kind)
    assert (found or "").startswith(said or "")
    assert (found is None) == (said is None)


def test_a_base_rate_of_equal_labels_is_not_certain() -> None:
    def rate(labels: list[float], kind: Any = "probability") -> float:
        return without_model(FeatureSchema((), {}), kind, np.array(labels), "why").predictor.model.mean

    assert rate([1.0] * 4) == pytest.approx(4.5 / 5)
    assert rate([0.0] * 4) == pytest.approx(0.5 / 5)
    assert rate([0.0, 1.0, 1.0]) == pytest.approx(2 / 3)
    assert rate([0.0] * 4, "spend") == 0.0
    assert np.isnan(rate([]))


def test_predictions_with_a_level_get_its_total_and_the_others_stay() -> None:
    level = np.array([10.0, NAN, 20.0])
    assert scaled_to_level(np.array([1.0, 7.0, 4.0]), level).tolist() == [6.0, 7.0, 24.0]
    assert scaled_to_level(np.array([0.0, 7.0, 0.0]), level).tolist() == [0.0, 7.0, 0.0]
    given = Comparison(np.ones(50), {"a": np.full(50, 2.0)})
    assert _levelled(given, np.full(50, 3.0)).predictions["a"].tolist() == [3.0] * 50
    assert _levelled(given, np.append(np.full(49, 3.0), NAN)) is given
    assert _levelled(given, np.zeros(50)) is given


def test_a_forward_test_is_fitted_on_at_most_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    train = Labelled(numbers([*map(float, range(9))]), np.arange(9.0))
    test = ForwardTest(CandidateSet("spend", {}, {}, ()), train, train, "", recent=np.arange(9) > 6)
    seen: list[Any] = []
    monkeypatch.setattr(
        "dealwright.plan.prediction.learning.compare_forward", lambda *given: seen.append(given)
    )
    for most in (9, 4):
        test.compare(most, np.random.default_rng(0))
        fitted, recent = seen[-1][1], seen[-1][4]
        assert len(fitted) == most
        assert (np.diff(fitted.target) > 0).all()
        assert recent.tolist() == (fitted.target > 6).tolist()


def test_with_a_pair_of_folds_left_out_each_is_calibrated_by_the_other() -> None:
    """A model is the mean label it saw, so that every prediction says which rows those were."""
    fold = np.arange(40) % 4
    target = np.array([0.0, 1.0] * 20)
    rows = Labelled(numbers([0.0] * 40), target)
    line = CandidateSet("amount", {"mean": lambda _d, y, _r: BaseRate(float(y.mean()))}, {}, ())
    target += fold * 10.0
    found = predict_out_of_fold(line, "mean", rows, fold, most_rows=99, rng=np.random.default_rng(0))
    for k in range(4):
        assert found.raw[fold == k] == pytest.approx(target[fold != k].mean())
    paired = predict_out_of_fold(
        line, "mean", rows, fold, most_rows=99, rng=np.random.default_rng(0), nested_rows=39
    )
    for k in range(4):
        others = ~np.isin(fold, [0, 1] if k < 2 else [2, 3])
        assert paired.raw[fold == k] == pytest.approx(target[others].mean())


# what is said and kept


def learned(**parts: Any) -> Learned:
    choice = Choice("trees", "trees", None, {"base_rate": {"loss": 0.5}, "trees": {"loss": 0.4}}, 0.0)
    given = {
        "predictor": Predictor("trees", "probability", FeatureSchema(("x",), {}), BaseRate(0.5)),
        "choice": choice, "out_of_fold": None, "rows": np.arange(0), "measures": {}, "forward_measures": {},
        "comparison": None, "card": {"champion": "trees"},
    }  # fmt: skip
    return Learned(**(given | parts))


def estimate(value: float) -> Estimate:
    return Estimate(value, value, value)


def test_measures_are_those_of_later_rows_where_there_are_any() -> None:
    folds = {"trees": {"auc": estimate(0.8)}, "base_rate": {"auc": estimate(0.5)}}
    ahead = {"trees": {"auc": estimate(0.7)}}
    assert metrics_of(learned(measures=folds)) == {"auc": 0.8, "auc_base_rate": 0.5}
    assert metrics_of(learned(measures=folds, forward_measures=ahead)) == {
        "auc_in_folds": 0.8, "auc_base_rate_in_folds": 0.5, "auc": 0.7,
    }  # fmt: skip
    assert skill_of(learned()) == pytest.approx(0.2)
    assert skill_of(learned(choice=None)) == 0.0
    choice = learned().choice
    assert choice is not None
    perfect = {"base_rate": {"loss": 0.0}, "trees": {"loss": 0.0}}
    assert skill_of(learned(choice=replace(choice, table=perfect))) == 0.0


@pytest.mark.parametrize(("ahead", "warned"), [(0.76, True), (0.78, False), (0.9, False), (None, False)])
def test_a_ranking_that_is_worse_forward_in_time_is_named(ahead: float | None, warned: bool) -> None:
    forward = {} if ahead is None else {"trees": {"auc": estimate(ahead), "gini": estimate(0.1)}}
    folds = {"trees": {"auc": estimate(0.8), "gini": estimate(0.5)}}
    found = drift_notes("churn", learned(measures=folds, forward_measures=forward))
    words = f"churn: forward in time the auc is {ahead}0, in shuffled folds 0.800: expect the former"
    assert found == ([words] if warned else [])
    if ahead is not None:
        assert (
            "the gini is 0.100, in shuffled folds 0.500"
            in drift_notes("value", learned(measures=folds, forward_measures=forward))[0]
        )


def test_what_json_does_not_know_is_nothing() -> None:
    given = {"a": NAN, "b": [1.0, float("inf"), (2, NAN)], 3: "x"}
    assert finite(given) == {"a": None, "b": [1.0, None, [2, None]], "3": "x"}


def test_accounts_that_never_ordered_cannot_leave_and_are_no_better_than_the_median_buyer() -> None:
    predicted, new = np.array([1.0, 3.0, 8.0, 9.0, 2.0]), np.array([False, False, False, True, True])
    assert _of_new_accounts("value", predicted, new).tolist() == [1.0, 3.0, 8.0, 3.0, 2.0]
    assert np.isnan(_of_new_accounts("churn", predicted, new)).tolist() == new.tolist()
    assert _of_new_accounts("value", predicted, np.ones(5, dtype=bool)) is predicted


def test_only_the_features_that_were_asked_for_are_used() -> None:
    schema = AccountSchema(
        numeric=("a", "b"), categorical={"c": ("x",), "d": None}, dates=("e", "f", "g"),
        has_preferred_channel=True,
    )  # fmt: skip
    inputs = PlanInputs(pl.DataFrame(), schema, AS_OF)
    found = with_chosen_features(inputs, PredictParams(features=("b", "c", "e"), observed_at="g")).schema
    assert (found.numeric, found.categorical, found.dates) == (("b",), {"c": ("x",)}, ("e", "g"))
    assert not found.has_preferred_channel
    assert with_chosen_features(inputs, PredictParams()) is inputs
    for wrong in (PredictParams(features=("z",)), PredictParams(observed_at="a")):
        with pytest.raises(UnknownNameError):
            with_chosen_features(inputs, wrong)
    refuse_late_features(PredictParams(features=("a",)), ("b",), AS_OF, AS_OF)
    with pytest.raises(InputError, match="column 'b' holds what was known at 2026-07-01"):
        refuse_late_features(PredictParams(features=("a", "b")), ("b",), AS_OF, AS_OF)
    assert [kind_of("value", np.array(y)) for y in ([0.0, 1.0], [-1.0, 1.0], [])] == [
        "spend",
        "amount",
        "spend",
    ]
    assert kind_of("churn", np.array([-1.0])) == "probability"


def test_a_champion_stays_unless_it_is_beaten_or_cannot_be_used() -> None:
    champion = Predictor("trees", "probability", FeatureSchema(("x",), {}), BaseRate(0.5))
    card = {
        "horizon_days": 90, "labels": "orders", "definition": "rhythm", "labels_until": "2026-01-01",
        "skill": 0.1,
    }  # fmt: skip
    new = {**card, "columns": ["x"], "skill": 0.1, "choice": {"fallback": "too few"}}
    assert _unfit(champion, card, champion, new) is None
    assert "another kind" in str(_unfit(replace(champion, kind="spend"), card, champion, new))
    for key, value in (("horizon_days", 91), ("labels", "declared"), ("definition", "alive")):
        assert "another horizon" in str(_unfit(champion, {**card, key: value}, champion, new))
    assert "needs column 'x'" in str(_unfit(champion, card, champion, {**new, "columns": ["y"]}))
    assert _beats(champion, card, learned(), new, None)[0] is False
    assert _beats(champion, card, learned(), {**new, "skill": 0.11}, None) == (
        True, "skill over the base rate 0.1100 against 0.1000 on unseen rows",
    )  # fmt: skip
    assert _beats(champion, card, learned(choice=None), {**new, "skill": 9.0}, None) == (
        False, "the challenger is only a base rate (too few)",
    )  # fmt: skip
    # on labels newer than the champion both predict, and their losses count
    label = np.array([0.0, 1.0] * 10)
    rows = pl.DataFrame({"x": np.arange(20.0)})
    better, worse = np.where(label > 0, 0.9, 0.1), np.where(label > 0, 0.1, 0.9)
    for predicted, wins in ((better, True), (worse, False)):
        newer = NewerLabels(rows, label, predicted, "2026-01-01")
        won, words = _beats(champion, card, learned(), {**new, "skill": 9.0}, newer)
        assert won is wins
        assert words.startswith("on 20 newer labels: ")
    older = NewerLabels(rows, label, worse, "2025-12-31")
    assert _beats(champion, card, learned(), {**new, "skill": 9.0}, older)[0] is True


# cases


def test_cases_are_the_labelled_rows_and_the_last_three_tenths_prove_them() -> None:
    features = pl.DataFrame({"x": np.arange(12.0)})
    label = pl.Series([None, *[float(k % 2) for k in range(11)]])
    cases = declared_cases(features, label)
    assert cases.rows.tolist() == list(range(1, 12))
    assert len(cases) == 11
    part = Cases(features, np.arange(12.0), np.arange(12), np.arange(12.0) * 2).take(np.array([3, 5]))
    assert (part.target.tolist(), part.rows.tolist(), part.level_eur.tolist()) == ([3, 5], [3, 5], [6, 10])
    at = pl.Series("at", [datetime(2026, 1, 1 + k) if k != 4 else None for k in range(12)])
    trial = time_trial(cases, at)
    assert trial is not None
    assert trial.description == "fitted on the first 7 rows by at, tested on the last 3"
    assert trial.later.rows.tolist() == [9, 10, 11]
    assert trial.earlier.rows.tolist() == [1, 2, 3, 5, 6, 7, 8]
    assert trial.recent is not None
    assert trial.recent.tolist() == [False] * 5 + [True] * 2
    assert trial.places is not None
    assert cases.rows[trial.places].tolist() == [9, 10, 11]
    assert time_trial(cases, pl.Series("at", [None] * 12, dtype=pl.Datetime)) is None
    assert time_trial(cases, pl.Series("at", [AS_OF] * 12)) is None


# reasons


def test_reasons_are_values_and_effects_strongest_first() -> None:
    schema = FeatureSchema(("orders.order_days", "size"), {"tier": ("a", "b")})
    n = 12
    design = Design(
        np.column_stack([np.arange(n), np.full(n, 1234.5678)]).astype(np.float32),
        np.array([[0], [1], [2], [-1]] * 3, np.int16), (2,),
    )  # fmt: skip
    effects = np.array([[0.2, -0.05, 0.04]] * n)
    stand_in = SimpleNamespace(contributions=lambda part: effects[: len(part)], intercept=-20.0)
    explainer = Explainer(schema, "probability", stand_in, 1.0)  # type: ignore[arg-type]
    found = explainer.reasons(design, 3)
    assert found[3].to_list() == [
        "days with an order 3: odds of leaving ×1.2", "size 1230.0: odds of leaving ×0.95",
    ]  # fmt: skip
    assert explainer.reasons(design, 1)[0].to_list() == ["days with an order 0: odds of leaving ×1.2"]
    effects[:] = [0.0, 0.0, 3.0]
    spend = replace(explainer, kind="spend").reasons(design.take(np.arange(4)), 2)
    assert spend.to_list() == [[f"tier {name}: spend ×20.0"] for name in ("a", "b", "other", "unknown")]
    effects[:] = [2.0, -1.99, 2.5]
    amount = replace(explainer, kind="amount").reasons(design, 3)
    assert amount[0].to_list() == ["tier a: +2.5 EUR", "days with an order 0: +2.0 EUR"]
    assert _score(np.array([0.0, 2.0]), "spend") == pytest.approx(np.log([1e-3, 2.0]))
    assert _score(np.array([0.5]), "probability") == pytest.approx([0.0])
    assert [_plain(name) for name in ("orders.own_gap_days", "my.own", "touches.count")] == [
        "own gap days", "my.own", "count",
    ]  # fmt: skip
