"""Scores that do not boast: what few outcomes may say, and what later ones must prove."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.dimensions import Dimension
from dealwright.learn import LearnParams, TrainResult, count_statistics, score, train
from dealwright.learn.backtest import Backtest, PreparedTable, RowTerms, backtest, calibrate_forward
from dealwright.learn.findings import check_reliability, rank_features
from dealwright.learn.lead_model import fit_win_model
from dealwright.learn.model import Calibration
from dealwright.learn.outcomes import tabulate_outcomes
from dealwright.learn.score import Scores
from dealwright.learn.shrinkage import SPREADS, expect_spread, fit_prior_strength
from dealwright.stats.metrics import area_under_curve, measure_probabilities

QUICK = LearnParams(permutations=199, bootstrap=50)
SOURCE = Dimension("source", ("web", "fair"))
TRAITS = pl.DataFrame({"agent_id": [1, 2, 3], "rating": [3.0, 4.0, 5.0]})


def outcomes(won: list[bool], sources: list[str] | None = None) -> pl.DataFrame:
    """Return outcomes of three agents in turn, from the web and the fair in turn unless given."""
    start = datetime(2080, 1, 1, tzinfo=UTC)
    n = len(won)
    return pl.DataFrame(
        {
            "assignment_id": range(1, n + 1),
            "agent_id": [1 + i % 3 for i in range(n)],
            "assigned_at": [start + timedelta(hours=i) for i in range(n)],
            "known_at": [start + timedelta(hours=i, minutes=30) for i in range(n)],
            "won": won,
            "contacted": [True] * n,
            "base_revenue": [100.0 if win else None for win in won],
            "package_revenue": [10.0 if win else None for win in won],
            "source": sources or ["web" if i % 2 else "fair" for i in range(n)],
        },
        schema_overrides={"base_revenue": pl.Float64, "package_revenue": pl.Float64, "won": pl.Boolean},
    )


def learned(frame: pl.DataFrame) -> tuple[TrainResult, Scores]:
    """Train, and score a lead from the web, one from the fair and one of which nothing is known."""
    result = train(frame, TRAITS, [SOURCE], QUICK)
    leads = pl.DataFrame({"source": ["web", "fair", None]}, schema={"source": pl.String})
    return result, score(result.model, count_statistics(frame, result.model, [1, 2, 3]), TRAITS, leads)


@pytest.mark.parametrize(
    ("wins", "count"), [(1, 1), (2, 2), (3, 3), (4, 4), (10, 10), (80, 80), (0, 1), (0, 4), (0, 80)]
)
def test_nothing_but_wins_or_losses_gives_the_mean_of_the_uniform_prior(wins: int, count: int) -> None:
    result, scores = learned(outcomes([wins > 0] * count))
    assert scores.win_probability == pytest.approx(np.full((3, 3), (wins + 1) / (count + 2)), abs=2e-3)
    # so wide is the interval of a beta distribution's mean, on the scale of log-odds
    sd = 1 / math.sqrt((wins + 1) * (count - wins + 1) / (count + 2))
    half = np.log(scores.high / (1 - scores.high)) - np.log(scores.low / (1 - scores.low))
    assert (half / 2 >= 1.64 * sd).all()
    assert (half / 2 <= 1.64 * 1.6 * sd).all()
    believed = result.agents.filter(pl.col("known") > 0)
    assert believed["rate"].to_numpy() == pytest.approx((wins + 1) / (count + 2), abs=2e-3)


@pytest.mark.parametrize(("every", "count"), [(100, 200), (500, 1000)])
def test_rare_wins_stay_rare(every: int, count: int) -> None:
    """Two wins must not become ten, nor none."""
    _, scores = learned(outcomes([i % every == every // 2 for i in range(count)]))
    assert (scores.win_probability >= 1 / count).all()
    assert (scores.win_probability <= 4 / count).all()
    assert (scores.low < 2 / count).all()
    assert (scores.high > 2 / count).all()


@pytest.mark.parametrize("won", [True, False])
def test_a_value_that_was_seen_once_moves_a_score_a_little(won: bool) -> None:
    _, scores = learned(outcomes([*([True, False] * 50), won], [*(["web"] * 100), "fair"]))
    web, fair, _ = scores.win_probability[:, 0]
    assert web == pytest.approx(0.5, abs=0.02)
    assert 0.03 < (fair - web if won else web - fair) < 0.12


def test_two_outcomes_do_not_make_a_strong_effect_likely() -> None:
    """One win from the fair and one loss from the web: next to nothing is known of the two."""
    _, scores = learned(outcomes([True, False]))
    assert scores.win_probability[1, 0] == pytest.approx(0.55, abs=0.04)
    # and a clear effect is kept
    _, scores = learned(outcomes([True, False] * 60))
    assert scores.win_probability[1, 0] > 0.95


def test_many_outcomes_outweigh_the_prior() -> None:
    rng = np.random.default_rng(1)
    won = rng.random(20_000) < 0.3
    codes = rng.integers(0, 2, (20_000, 1))
    model = fit_win_model(codes, won.astype(float), (np.array([0.5, 0.5]),))
    assert 1 / (1 + math.exp(-model.bias)) == pytest.approx(won.mean(), abs=1e-3)
    assert np.abs(model.weights[0]).max() < 0.05
    assert 1.0 < model.variance * 20_000 * 0.21 < 2.0  # of a rate, and of two


def test_what_is_averaged_over_is_part_of_the_variance() -> None:
    codes, won = np.array([[0]] * 6 + [[1]] * 6), np.array([1.0] * 5 + [0.0] * 6 + [1.0])
    shares = (np.array([0.5, 0.5]),)
    narrow, wide, both = (
        fit_win_model(codes, won, shares, prior_sds=sds) for sds in ((0.1,), (1.6,), (0.1, 1.6))
    )
    apart = wide.weights[0][0] - narrow.weights[0][0]
    share = (both.weights[0][0] - narrow.weights[0][0]) / apart
    assert 0.1 < share < 0.95
    within = share * wide.variance + (1 - share) * narrow.variance
    assert both.variance == pytest.approx(within + share * (1 - share) * apart**2, rel=1e-3)


def test_the_spread_to_expect_is_that_of_the_agents() -> None:
    rng = np.random.default_rng(2)
    for sd in (0.0, 0.3, 0.6):
        p = 1 / (1 + np.exp(-rng.normal(0, sd, 400)))
        won = rng.binomial(200, p).astype(float)
        assert expect_spread(np.full(400, 200.0), won, np.full(400, 0.5)) == pytest.approx(sd**2, abs=0.06)
    nothing = float(np.mean(np.square(SPREADS)))
    assert expect_spread(np.zeros(3), np.zeros(3), np.full(3, 0.5)) == pytest.approx(nothing)
    assert expect_spread(np.ones(3), np.ones(3), np.full(3, 0.5)) == pytest.approx(nothing, rel=0.2)


def test_the_interval_allows_for_agents_who_may_differ_all_the_same() -> None:
    """Too little data is no proof that agents are alike."""
    frame = outcomes([True, True, False, True, False] * 6)
    result, _ = learned(frame)
    assert result.evidence.verdict == "too little data"
    assert not result.model.agents_differ
    lead = fit_win_model(
        np.array([[i % 2] for i in range(30)]), frame["won"].to_numpy().astype(float), (np.full(2, 0.5),)
    )
    assert result.model.calibration.logit_variance > lead.variance + 0.05


def logits(n: int, seed: int, slope: float, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits, and outcomes whose true logit is ``shift + slope * logit``."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0.3, 1.5, n)
    won = rng.random(n) < 1 / (1 + np.exp(-(shift + slope * logit)))
    return logit, won.astype(float)


ENDS = (100, 200, 300, 400, 500)


def test_a_map_goes_to_work_only_where_it_has_proved_better() -> None:
    used = sum(not calibrate_forward(*logits(500, s, 1.0), ENDS, 0.0)[1].is_identity for s in range(100))
    assert used <= 8
    for slope, shift in ((0.4, 0.0), (1.0, -1.0)):
        used = 0
        for seed in range(20):
            _, found = calibrate_forward(*logits(500, seed, slope, shift), ENDS, 0.2)
            used += not found.is_identity
            assert found.logit_variance == 0.2
        assert used >= 18, (slope, shift)


def test_the_map_of_all_blocks_is_the_one_that_serves() -> None:
    logit, won = logits(500, 3, 0.4)
    _, found = calibrate_forward(logit, won, ENDS, 0.0)
    assert found.slope == pytest.approx(0.4, abs=0.15)
    assert found.intercept == pytest.approx(0.0, abs=0.2)


def test_wins_alone_bend_nothing() -> None:
    """Where all are won, the boldest map has the lowest log loss."""
    probability, found = calibrate_forward(np.full(500, 2.0), np.ones(500), ENDS, 0.0)
    assert found.is_identity
    assert probability == pytest.approx(np.full(500, 1 / (1 + math.exp(-2.0))))


@pytest.mark.parametrize("block", range(5))
def test_no_block_is_calibrated_by_its_own_outcomes(block: int) -> None:
    """Turning a block's outcomes round changes the probabilities of later blocks only."""
    logit, won = logits(500, 4, 0.4)
    before, _ = calibrate_forward(logit, won, ENDS, 0.0)
    turned = won.copy()
    turned[100 * block : 100 * (block + 1)] = 1 - turned[100 * block : 100 * (block + 1)]
    after, _ = calibrate_forward(logit, turned, ENDS, 0.0)
    assert (after[: 100 * (block + 1)] == before[: 100 * (block + 1)]).all()
    raw = 1 / (1 + np.exp(-logit))
    assert before[:200] == pytest.approx(raw[:200])  # nothing could have proved itself before
    assert np.abs(before[300:] - raw[300:]).max() > 0.05


def test_a_constant_has_an_auc_of_one_half_within_refits() -> None:
    """The win rate rises from block to block, and the constant with it."""
    rng = np.random.default_rng(5)
    block = np.repeat(np.arange(5), 200)
    rate = np.array([0.2, 0.35, 0.5, 0.65, 0.8])[block]
    won = (rng.random(1000) < rate).astype(float)
    found = measure_probabilities(won, rate, 50, rng, block).auc
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert area_under_curve(won, rate).value > 0.7
    # and what tells leads apart within a refit keeps its AUC
    skill = rng.normal(0, 1, 1000)
    won = (rng.random(1000) < 1 / (1 + np.exp(-skill))).astype(float)
    within, pooled = area_under_curve(won, skill, block), area_under_curve(won, skill)
    assert within.value == pytest.approx(pooled.value, abs=0.02)
    assert within.high - within.low == pytest.approx(pooled.high - pooled.low, rel=0.15)
    # a block without a loss has no pair to compare
    alone = np.append(won[:200], 1.0), np.append(skill[:200], -9.0), np.repeat([0, 1], [200, 1])
    assert area_under_curve(*alone) == area_under_curve(won[:200], skill[:200])


def test_the_metrics_of_one_rate_for_all_are_those_of_a_constant() -> None:
    won = [bool(x) for x in np.random.default_rng(6).random(400) < np.linspace(0.2, 0.8, 400)]
    result, _ = learned(outcomes(won))
    base = result.evidence.metrics["base_rate"]
    assert (base.auc.value, base.auc.low, base.auc.high) == pytest.approx((0.5, 0.5, 0.5))
    # and so are those of a model that knows nothing of its leads
    blind = train(outcomes(won), TRAITS, [], QUICK)
    assert blind.out_of_time is not None
    assert blind.out_of_time.auc.value == pytest.approx(0.5)


def test_one_rate_for_all_is_shrunk_as_the_model_is() -> None:
    """After 30 wins in a row, 31 of 32; a rate of 1 would make one loss cost everything."""
    frame = outcomes([*([True] * 30), *([False] * 30)])
    prepared = PreparedTable(tabulate_outcomes(frame, [SOURCE], [1, 2, 3]), np.random.default_rng(0))
    tested = backtest(prepared, TRAITS, LearnParams(folds=2))
    assert tested is not None
    assert tested.base_rate == pytest.approx(np.repeat([31 / 32, 31 / 47], 15))
    assert tested.block.tolist() == [0] * 15 + [1] * 15


def test_a_block_of_one_outcome_is_predicted_as_well() -> None:
    frame = outcomes([bool(i % 3) for i in range(60)])
    prepared = PreparedTable(tabulate_outcomes(frame, [SOURCE], [1, 2, 3]), np.random.default_rng(0))
    tested = backtest(prepared, TRAITS, LearnParams(folds=30))
    assert tested is not None
    assert tested.rows.tolist() == list(range(30, 60))
    assert (np.bincount(tested.block) == 1).sum() > 20


def test_a_features_importance_is_the_log_loss_that_shuffling_it_costs() -> None:
    rng = np.random.default_rng(7)
    part, noise = rng.normal(0, 1.5, 4000), rng.normal(0, 0.01, 4000)
    won = (rng.random(4000) < 1 / (1 + np.exp(-part))).astype(float)
    terms = RowTerms(("source", "rating"), np.zeros(4000), np.column_stack([part, noise]), 1)
    tested = Backtest(np.arange(4000), won, np.full(4000, 0.5), terms, (4000,))
    found = rank_features(tested, Calibration(), QUICK, rng)
    assert found["feature"].to_list() == ["source", "rating"]
    assert found["kind"].to_list() == ["lead", "trait"]

    def loss(logit: np.ndarray) -> float:
        return float(np.mean(np.log1p(np.exp(-np.where(won > 0, logit, -logit)))))

    cost = np.mean([loss(rng.permutation(part)) for _ in range(200)]) - loss(part)
    assert found["importance"][0] == pytest.approx(cost, rel=0.05)
    assert found["low"][0] < cost < found["high"][0]
    assert found["importance"][1] == pytest.approx(0, abs=0.001)


def test_blocks_count_by_their_pairs() -> None:
    won = np.array([1.0, 0.0, *([1.0] * 3), *([0.0] * 3)])
    score_of = np.array([0.9, 0.1, *([0.2] * 3), *([0.7] * 3)])
    # one pair, ordered; nine pairs, all the wrong way round
    assert area_under_curve(won, score_of, np.array([0, 0, *([1] * 6)])).value == pytest.approx(0.1)


@pytest.mark.parametrize("n", [40, 400, 30_000])
def test_whether_probabilities_held_is_told_at_its_level(n: int) -> None:
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.beta(2, 3, n)
        held += check_reliability((rng.random(n) < p).astype(float), p, rng).held
    assert 34 <= held <= 40
    rng = np.random.default_rng(7)
    p = rng.beta(2, 3, n)
    found = check_reliability((rng.random(n) < p).astype(float), np.clip(p + 0.35, 0, 1), rng)
    assert not found.held
    assert found.p_value == 0.001
    assert found.predicted - found.observed == pytest.approx(0.34, abs=0.15)
    assert found.text.startswith("The probabilities did not hold: ")
    assert f"{n:,} later outcomes were won" in found.text
    assert "(p ≤ 0.001). Read the scores as an order, not as chances." in found.text


def test_with_many_outcomes_a_small_error_is_one() -> None:
    rng = np.random.default_rng(9)
    p = rng.uniform(0.1, 0.9, 30_000)
    assert not check_reliability((rng.random(30_000) < p - 0.02).astype(float), p, rng).held


def test_the_summary_says_whether_the_probabilities_held() -> None:
    rng = np.random.default_rng(8)
    result, _ = learned(outcomes([bool(x) for x in rng.random(300) < 0.4]))
    assert result.reliability is not None
    assert result.reliability.held
    assert result.reliability.outcomes == 150
    assert "The probabilities held: " in result.summary()
    assert result.model.metrics["reliability"]["held"] is True
    few, _ = learned(outcomes([True, False] * 10))
    assert few.reliability is None
    assert "cannot be told yet" in few.summary()
    # whoever learned from good years is not right in a bad one
    turned, _ = learned(outcomes([bool(x) for x in rng.random(600) < np.repeat([0.9, 0.2], 300)]))
    assert turned.reliability is not None
    assert not turned.reliability.held
    assert "did not hold" in turned.summary()
    assert ("is now at work" in turned.summary()) != turned.model.calibration.is_identity


@pytest.mark.parametrize("count", [10.0, 40.0])
def test_agents_who_won_all_and_nothing_have_a_uniform_prior(count: float) -> None:
    known, won, mean = np.full(2, count), np.array([count, 0.0]), np.full(2, 0.5)
    assert fit_prior_strength(known, won, mean) == pytest.approx(2.0, rel=0.01)
