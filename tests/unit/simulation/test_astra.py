"""The synthetic agency does what its parameters say, and its truth is the truth of what it generates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import AGENT_COLUMNS, ASSIGNMENT_COLUMNS, BOOKING_COLUMNS
from dealwright.simulation.assigning import assign_batches_optimally, assign_leads
from dealwright.simulation.astra import AstraParams, generate_astra
from dealwright.simulation.astra_truth import WorldDimension

SHARED = Path("../shared/data/astra")


def test_frames_are_those_of_the_contract() -> None:
    world = generate_astra(AstraParams(n_assignments=500, effects="weak", seed=1))
    past = world.history()
    names = [d.name for d in past.dimensions]
    for frame, columns in (
        (past.agents, list(AGENT_COLUMNS)),
        (past.assignments, [*ASSIGNMENT_COLUMNS, *names]),
        (past.bookings, list(BOOKING_COLUMNS)),
    ):
        assert frame.columns == columns
    kinds = {**AGENT_COLUMNS, **ASSIGNMENT_COLUMNS, **BOOKING_COLUMNS}
    for frame in (past.agents, past.assignments, past.bookings):
        for name, dtype in frame.schema.items():
            assert dtype == kinds.get(name, pl.String), name


def test_rates_are_those_asked_for() -> None:
    params = AstraParams(
        n_agents=50, n_assignments=40_000, seed=2, follow_up_failure_rate=0.2, pending_share=0.1
    )
    world = generate_astra(params)
    assert world.bookings.height / 40_000 == pytest.approx(0.8, abs=0.01)
    status = world.bookings["status"]
    assert (status == "pending").mean() == pytest.approx(0.1, abs=0.005)
    settled = status.filter(status != "pending")
    assert (settled == "cancelled").mean() == pytest.approx(0.24, abs=0.06)
    pending = world.bookings.filter(pl.col("status") == "pending")
    assert pending["completed_at"].null_count() == pending.height
    assert world.bookings.select(
        (pl.col("base_revenue") + pl.col("package_revenue") == pl.col("total_revenue")).all()
    ).item()
    without = world.assignments.join(
        world.bookings, left_on="external_id", right_on="assignment_external_id", how="anti"
    )
    assert without["destination"].null_count() == without.height
    assert without["lead_source"].null_count() == 0


def test_past_wins_follow_the_truth() -> None:
    world = generate_astra(
        AstraParams(n_agents=10, n_assignments=60_000, effects="strong", seed=3, pending_share=0.0)
    )
    booked = world.assignments.join(
        world.bookings.drop("external_id"), left_on="external_id", right_on="assignment_external_id"
    ).filter(pl.col("status") != "pending")
    codes = np.column_stack(
        [
            booked[d.name]
            .replace_strict(list(d.values), list(range(len(d.values))), return_dtype=pl.Int64)
            .to_numpy()
            for d in world.truth.dimensions
        ]
    )
    agent = booked["agent_external_id"].cast(pl.Int64).to_numpy() - 1
    truth = 1 / (1 + np.exp(-world.truth.confirm_logit(codes, agent)))
    won = (booked["status"] == "confirmed").to_numpy()
    for a in range(10):
        own = agent == a
        assert won[own].mean() == pytest.approx(truth[own].mean(), abs=4 * 0.5 / np.sqrt(own.sum()))
    sure = won & (truth > 0)
    expected = world.truth.expected_revenue(codes[sure], agent[sure])
    assert booked.filter(pl.Series(sure))["total_revenue"].mean() == pytest.approx(expected.mean(), rel=0.003)


def test_one_agent_each_agrees_with_all_agents() -> None:
    world = generate_astra(AstraParams(n_agents=7, n_assignments=10, effects="strong", seed=4))
    leads = world.leads(200, np.random.default_rng(0))
    agents = np.random.default_rng(1).integers(0, 7, 200)
    rows = np.arange(200)
    for function in (world.truth.win_probability, world.truth.expected_revenue, world.truth.confirm_logit):
        assert function(leads.codes)[rows, agents] == pytest.approx(function(leads.codes, agents))
    drawn = np.mean(
        [world.truth.draw_wins(leads, agents, np.random.default_rng(s)) for s in range(400)], axis=0
    )
    assert np.abs(drawn - world.truth.win_probability(leads.codes, agents)).max() < 0.13


def test_no_effects_means_that_agents_are_all_alike() -> None:
    world = generate_astra(AstraParams(effects="none", seed=5))
    leads = world.leads(100, np.random.default_rng(0))
    assert np.ptp(world.truth.win_probability(leads.codes), axis=1).max() == 0
    assert np.ptp(world.truth.expected_revenue(leads.codes), axis=1).max() == 0


def test_case_mix_misleads_only_where_it_is_skewed() -> None:
    """With skew, win rates of agents who are all alike differ far beyond chance; without, they do not."""
    spread = []
    for skew in (0.0, 1.0):
        world = generate_astra(AstraParams(n_assignments=30_000, seed=6, case_mix_skew=skew))
        joined = world.assignments.join(
            world.bookings.drop("external_id"), left_on="external_id", right_on="assignment_external_id"
        ).filter(pl.col("status") != "pending")
        rates = joined.group_by("agent_external_id").agg(
            p=(pl.col("status") == "confirmed").mean(), n=pl.len()
        )
        p = (joined["status"] == "confirmed").mean()
        assert isinstance(p, float)
        spread.append(float((rates["n"] * (rates["p"] - p) ** 2).sum() / (p * (1 - p))))
    assert spread[0] < 60
    assert spread[1] > 150


def test_the_same_seed_gives_the_same_agency() -> None:
    first, second = (generate_astra(AstraParams(n_assignments=300, effects="weak", seed=7)) for _ in range(2))
    assert first.bookings.equals(second.bookings)
    assert first.assignments.equals(second.assignments)
    other = generate_astra(AstraParams(n_assignments=300, effects="weak", seed=8))
    assert not first.assignments.equals(other.assignments)


def test_files_have_the_columns_of_the_agency(tmp_path: Path) -> None:
    paths = generate_astra(AstraParams(n_assignments=100)).write(tmp_path / "agency")
    assert [path.name for path in paths] == [
        "space_travel_agents.csv",
        "assignment_history.csv",
        "bookings.csv",
    ]
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there")
    for path in paths:
        assert pl.read_csv(path).columns == pl.read_csv(SHARED / path.name).columns


def test_other_dimensions_are_written_too(tmp_path: Path) -> None:
    dimensions = (
        WorldDimension("region", ("north", "south")),
        WorldDimension("cabin", ("inner", "outer"), (), "booking"),
    )
    world = generate_astra(AstraParams(n_assignments=50, dimensions=dimensions))
    _, assignments, bookings = (pl.read_csv(path) for path in world.write(tmp_path))
    assert "Region" in assignments.columns
    assert "Cabin" in bookings.columns
    assert world.leads(3, np.random.default_rng(0)).frame.columns == ["customer_name", "region", "cabin"]


def test_bad_parameters_name_the_fix() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'strong'"):
        AstraParams(effects="stron")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1 agent"):
        AstraParams(n_agents=0)
    with pytest.raises(InputError, match="pending_share"):
        AstraParams(pending_share=1.0)
    with pytest.raises(InputError, match="2 values but 3 frequencies"):
        WorldDimension("d", ("a", "b"), (1.0, 1.0, 1.0))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["random", "workload", "score"]), st.floats(0.5, 30))
def test_no_agent_goes_past_capacity(seed: int, rule: str, sharpness: float) -> None:
    rng = np.random.default_rng(seed)
    capacity = rng.integers(0, 3, 4)
    arrival = np.sort(rng.uniform(0, 10, 40))
    duration = rng.exponential(2.0, 40)
    value = rng.random((40, 4))
    run = assign_leads(
        rule,
        capacity,
        arrival,
        duration,
        rng=rng,
        score=value,
        sharpness=sharpness,  # type: ignore[arg-type]
    )
    for i in range(40):
        open_now = [k for k in range(i) if run.agent[k] >= 0 and arrival[k] + duration[k] > arrival[i]]
        held = np.bincount(run.agent[open_now], minlength=4) if open_now else np.zeros(4)
        assert (held <= capacity).all()
        if run.agent[i] < 0:
            assert (held == capacity).all()
        else:
            assert held[run.agent[i]] < capacity[run.agent[i]]


def test_no_policy_beats_the_best_assignment() -> None:
    rng = np.random.default_rng(0)
    value, capacity = rng.random((60, 5)), np.full(5, 4)
    batch = np.repeat(np.arange(4), 15)
    best = assign_batches_optimally(value, capacity, batch)
    assert (np.bincount(batch[best.agent >= 0] * 5 + best.agent[best.agent >= 0]) <= 4).all()
    assert best.unassigned == 0
    arrival = batch * 24.0 + np.tile(np.arange(15) * 0.5, 4)
    duration = 24.0 * (batch + 1) - arrival - 0.01
    totals = {
        sharpness: assign_leads(
            "score", capacity, arrival, duration, rng=rng, score=value, sharpness=sharpness
        ).total(value)
        for sharpness in (1.0, 20.0, np.inf)
    }
    random = assign_leads("random", capacity, arrival, duration, rng=rng).total(value)
    assert all(random < total <= best.total(value) for total in totals.values())
    with pytest.raises(InputError, match="needs scores"):
        assign_leads("score", capacity, arrival, duration, rng=rng)
