"""Training and evidence on small and degenerate histories: an answer or a clear refusal, never a surprise."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.dimensions import Dimension
from dealwright.errors import EvidenceError, InputError, UnknownNameError
from dealwright.learn import LearnParams, MatchModel, build_outcomes, count_statistics, evidence, score, train
from dealwright.learn.backtest import PreparedTable, backtest
from dealwright.learn.outcomes import Outcomes, tabulate_outcomes
from dealwright.learn.train import TrainResult
from dealwright.simulation.astra import AstraParams, AstraWorld, generate_astra

QUICK = LearnParams(permutations=199, bootstrap=100)


def history(effects: str = "none", n: int = 900, seed: int = 3) -> tuple[AstraWorld, Outcomes]:
    world = generate_astra(AstraParams(n_assignments=n, effects=effects, seed=seed))  # type: ignore[arg-type]
    return world, build_outcomes(world.history())


def train_on(outcomes: pl.DataFrame, world: AstraWorld, traits: pl.DataFrame, seed: int = 0) -> TrainResult:
    return train(outcomes, traits, world.truth.dimensions, QUICK, seed=seed)


def test_the_model_has_the_keys_the_desk_reads() -> None:
    world, past = history("strong", 3000)
    result = train_on(past.frame, world, past.traits)
    model = json.loads(json.dumps(result.model.to_dict()))
    slots = 1 + sum(len(d.values) for d in world.truth.dimensions)
    assert {len(model[k]) for k in ("prior_strength", "value_share", "affinity_weight")} == {slots}
    # the whole of the leads, then how they are divided among each dimension's values
    begins = np.cumsum([0, 1, *(len(d.values) for d in world.truth.dimensions)])[:-1]
    assert np.add.reduceat(model["value_share"], begins) == pytest.approx(np.ones(len(begins)))
    assert model["kind"] == "value"
    assert model["agents_differ"] is True
    assert model["evidence"]["verdict"] == "agents differ"
    assert model["outcomes"] == past.frame["won"].is_not_null().sum()
    assert model["as_of"].startswith("2081")
    assert set(model["calibration"]) == {"slope", "intercept", "logit_variance"}
    assert (
        model["metrics"]["out_of_time"]["log_loss"]["low"]
        < model["metrics"]["out_of_time"]["log_loss"]["high"]
    )
    assert MatchModel.from_dict(model).to_dict() == result.model.to_dict()


def test_findings_have_their_columns_and_intervals() -> None:
    world, past = history("strong", 3000)
    result = train_on(past.frame, world, past.traits)
    importance = result.feature_importance
    assert importance.columns == ["feature", "kind", "importance", "low", "high"]
    assert importance["importance"].is_sorted(descending=True)
    assert set(importance["kind"]) == {"lead", "agent", "trait"}
    assert (importance["low"] <= importance["high"]).all()
    curve = result.calibration_curve
    assert curve["predicted"].is_sorted()
    assert curve["outcomes"].sum() == result.out_of_time.outcomes  # type: ignore[union-attr]
    agents = result.agents
    assert agents.height == 30
    assert ((agents["low"] < agents["rate"]) & (agents["rate"] < agents["high"])).all()
    assert agents["known"].sum() == result.model.outcomes
    assert agents["won"].sum() == past.frame["won"].sum()
    assert "Agents differ" in result.summary()


def test_without_evidence_the_model_tells_no_agents_apart() -> None:
    world, past = history("none")
    result = train_on(past.frame, world, past.traits)
    assert result.evidence.verdict == "no evidence that agents differ"
    assert result.model.agents_differ is False
    assert set(result.model.affinity_weight) == {0.0}
    assert result.evidence.needed_outcomes > 900
    statistics = count_statistics(past.frame, result.model, past.traits["agent_id"].to_list())
    leads = world.leads(50, np.random.default_rng(0)).frame
    assert np.ptp(score(result.model, statistics, past.traits, leads).value, axis=1).max() == 0


def test_the_same_seed_gives_the_same_model() -> None:
    world, past = history("weak", 1500)
    first, second = (
        train_on(past.frame.sample(fraction=1, shuffle=True, seed=s), world, past.traits) for s in (1, 2)
    )
    first_model, second_model = first.model.to_dict(), second.model.to_dict()
    for model in (first_model, second_model):
        model.pop("trained_at")
    assert first_model == second_model


def test_the_backtest_never_sees_the_future() -> None:
    """Turning all later outcomes round changes no prediction of the first block."""
    world, past = history("strong", 1500)
    rng = np.random.default_rng(0)
    table = tabulate_outcomes(past.frame, world.truth.dimensions)
    tested = backtest(PreparedTable(table, rng), past.traits, QUICK)
    assert tested is not None
    first = tested.rows[: tested.block_ends[0]]
    start = table.assigned_us[first[0]]
    turned = past.frame.with_columns(
        won=pl.when(pl.col("known_at").dt.epoch("us") >= int(start)).then(~pl.col("won")).otherwise("won")
    )
    again = backtest(
        PreparedTable(tabulate_outcomes(turned, world.truth.dimensions), np.random.default_rng(0)),
        past.traits,
        QUICK,
    )
    assert again is not None
    # the very first lead of the block had no chance to see any of the block's outcomes
    assert again.terms.full_logit[0] == pytest.approx(tested.terms.full_logit[0])
    assert again.terms.lead_logit[: len(first)] == pytest.approx(tested.terms.lead_logit[: len(first)])
    assert again.base_rate[: len(first)] == pytest.approx(tested.base_rate[: len(first)])


def test_nothing_known_is_refused_with_the_way_out() -> None:
    world, past = history(n=50)
    nothing = past.frame.with_columns(
        won=pl.lit(None, dtype=pl.Boolean), known_at=pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    )
    with pytest.raises(EvidenceError, match="no outcome is known"):
        train_on(nothing, world, past.traits)
    assert evidence(nothing, past.traits, world.truth.dimensions, QUICK).verdict == "too little data"
    with pytest.raises(InputError, match="'won'"):
        train_on(past.frame.drop("won"), world, past.traits)
    with pytest.raises(UnknownNameError, match="destination 'Marss'"):
        train_on(past.frame.with_columns(destination=pl.lit("Marss")), world, past.traits)


@pytest.mark.parametrize(
    "case", ["one outcome", "all won", "all lost", "one agent", "no revenue", "no traits", "no values"]
)
def test_degenerate_histories_are_trained_on_quietly(case: str) -> None:
    world, past = history(n=200)
    outcomes, traits = past.frame, past.traits
    if case == "one outcome":
        outcomes = outcomes.filter(pl.col("won").is_not_null()).head(1)
    elif case in {"all won", "all lost"}:
        outcomes = outcomes.with_columns(won=pl.when(pl.col("won").is_not_null()).then(case == "all won"))
    elif case == "one agent":
        outcomes = outcomes.with_columns(agent_id=pl.lit(1, dtype=pl.Int64))
    elif case == "no revenue":
        outcomes = outcomes.with_columns(
            base_revenue=pl.lit(None, dtype=pl.Float64), package_revenue=pl.lit(None, dtype=pl.Float64)
        )
    elif case == "no traits":
        traits = traits.with_columns(rating=None, years_of_service=pl.lit(8.0))
    else:
        outcomes = outcomes.with_columns(
            pl.lit(None, dtype=pl.String).alias(d.name) for d in world.truth.dimensions
        )
    result = train_on(outcomes, world, traits)
    assert result.evidence.verdict != "agents differ"
    statistics = count_statistics(outcomes, result.model, traits["agent_id"].to_list())
    scores = score(result.model, statistics, traits, world.leads(20, np.random.default_rng(0)).frame)
    assert np.isfinite(scores.value).all()
    assert ((scores.low <= scores.win_probability) & (scores.win_probability <= scores.high)).all()
    json.dumps(result.model.to_dict(), allow_nan=False)
    assert result.summary()


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="alpha must lie"):
        LearnParams(alpha=0)
    with pytest.raises(InputError, match="at least 100"):
        LearnParams(permutations=50)
    with pytest.raises(InputError, match="folds"):
        LearnParams(folds=0)


def test_outcomes_follow_from_the_bookings() -> None:
    world = generate_astra(AstraParams(n_assignments=300, seed=5))
    past = world.history()
    outcomes = build_outcomes(past).frame
    joined = past.assignments.join(
        past.bookings.rename({"external_id": "booking"}),
        left_on="external_id",
        right_on="assignment_external_id",
        how="left",
    ).with_columns(assignment_id=pl.col("external_id").cast(pl.Int64))
    checked = outcomes.join(
        joined.select("assignment_id", "status", "completed_at", "cancelled_at"), on="assignment_id"
    )
    assert checked.height == 300
    for row in checked.iter_rows(named=True):
        if row["status"] == "confirmed":
            assert row["won"] is True
            assert row["known_at"] == row["completed_at"]
            assert row["base_revenue"] > 0
        elif row["status"] == "cancelled":
            assert row["won"] is False
            assert row["known_at"] == row["cancelled_at"]
            assert row["base_revenue"] is None
        elif row["status"] == "pending":
            assert row["won"] is None
            assert row["known_at"] is None
        elif row["won"] is None:
            last = past.assignments["assigned_at"].max()
            assert row["assigned_at"] + timedelta(days=7) > last - timedelta(days=1)
        else:
            assert row["won"] is False
            assert row["contacted"] is False
            assert row["known_at"] == row["assigned_at"] + timedelta(days=7)


def test_outcomes_as_of_a_moment_leave_out_what_came_later() -> None:
    world = generate_astra(AstraParams(n_assignments=600, seed=6, median_settle_hours=60.0))
    moment = datetime(2081, 3, 1, tzinfo=UTC)
    outcomes = build_outcomes(world.history(), as_of=moment).frame
    assert outcomes["assigned_at"].max() <= moment
    assert outcomes["known_at"].max() <= moment
    everything = build_outcomes(world.history()).frame
    later = everything.filter((pl.col("assigned_at") <= moment) & (pl.col("known_at") > moment))
    assert later.height > 10
    assert (
        outcomes.filter(pl.col("assignment_id").is_in(later["assignment_id"].implode()))["won"].null_count()
        == later.height
    )


def test_ids_that_are_no_numbers_are_numbered() -> None:
    world = generate_astra(AstraParams(n_assignments=40, seed=1))
    past = world.history()
    named = type(past)(
        dimensions=(Dimension("lead_source", ("Organic", "Bought")),),
        agents=past.agents.with_columns(pl.col("external_id").str.replace("^", "agent-")),
        assignments=past.assignments.with_columns(pl.col("agent_external_id").str.replace("^", "agent-")),
        bookings=past.bookings,
    )
    outcomes = build_outcomes(named)
    assert outcomes.agents["agent_id"].to_list() == list(range(1, 31))
    assert outcomes.frame["agent_id"].null_count() == 0
    assert outcomes.frame.columns[-1] == "lead_source"


def test_an_unknown_outcome_is_neither_won_nor_lost() -> None:
    past = generate_astra(AstraParams(n_assignments=300, seed=5)).history()
    booked = past.bookings["assignment_external_id"].to_list()
    never = next(name for name in past.assignments["external_id"] if name not in booked)
    unknown = [booked[0], never]
    flagged = pl.col("external_id").is_in(unknown)
    outcomes = build_outcomes(
        replace(past, assignments=past.assignments.with_columns(outcome_unknown=flagged))
    )
    rows = outcomes.frame.filter(pl.col("assignment_id").is_in([int(name) for name in unknown]))
    assert rows.select("known_at", "won", "base_revenue").null_count().row(0) == (2, 2, 2)
    assert rows["contacted"].to_list() == [True, True]
    others = build_outcomes(past).frame.join(rows, on="assignment_id", how="anti")
    assert_frame_equal(outcomes.frame.join(rows, on="assignment_id", how="anti"), others)
