"""The synthetic company: its truth is really the truth, its people are on land, and it never leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.runs.schema_text import schema_toml
from dealwright.schemas import CHANNELS, ORDER_COLUMNS, REP_COLUMNS, TOUCH_COLUMNS
from dealwright.simulation.barcelona import BROKEN, BarcelonaParams, BarcelonaWorld, generate
from dealwright.simulation.geography import in_the_sea, on_land
from dealwright.simulation.purchasing import (
    Rhythm,
    alive_probability,
    draw_deaths,
    expected_orders,
    order_probability,
    simulate,
)
from dealwright.simulation.response import ACTION_CHANNELS
from dealwright.tables.mapping import parse_mapping
from dealwright.tables.plan_inputs import read_plan_inputs

_COLUMN_OF = {
    "duplicate id": "account_id", "no id": "account_id", "position": "lat_deg",
    "infinite value": "lifetime_value_eur", "future date": "customer_since",
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> BarcelonaWorld:
    return generate(BarcelonaParams(n=20_000), seed=5)


def test_the_same_seed_gives_the_same_company_and_another_does_not() -> None:
    params = BarcelonaParams(n=300)
    first, again, other = (generate(params, seed=seed) for seed in (1, 1, 2))
    for name in ("accounts", "orders", "touches", "reps", "history"):
        assert getattr(first.inputs, name).equals(getattr(again.inputs, name), null_equal=True)
    assert first.truth.equals(again.truth)
    assert not first.truth.equals(other.truth)


def test_nobody_lives_in_the_sea(world: BarcelonaWorld) -> None:
    people = world.inputs.accounts
    assert on_land(people["lat_deg"].to_numpy(), people["lon_deg"].to_numpy()).all()
    reps = world.inputs.reps
    assert reps is not None
    assert not in_the_sea(reps["home_lat_deg"].to_numpy(), reps["home_lon_deg"].to_numpy()).any()
    # the mask itself: three places at sea, three on land
    sea = np.array([[41.37, 2.21], [41.25, 2.05], [41.44, 2.30]])
    land = np.array([[41.392, 2.163], [41.546, 2.108], [41.30, 2.05]])
    assert in_the_sea(sea[:, 0], sea[:, 1]).all()
    assert not in_the_sea(land[:, 0], land[:, 1]).any()


def test_a_polygon_keeps_everybody_inside() -> None:
    corners = ((41.38, 2.10), (41.38, 2.17), (41.43, 2.17), (41.43, 2.10))
    world = generate(BarcelonaParams(n=200, polygon=corners), seed=1)
    lat, lon = world.inputs.accounts["lat_deg"], world.inputs.accounts["lon_deg"]
    assert lat.is_between(41.38, 41.43).all()
    assert lon.is_between(2.10, 2.17).all()
    with pytest.raises(InputError, match="draw it larger"):
        generate(BarcelonaParams(n=50, polygon=((40.0, 2.0), (40.0, 2.1), (40.1, 2.1))), seed=1)


def test_the_truth_is_calibrated_against_what_then_happened(world: BarcelonaWorld) -> None:
    truth = world.truth.filter(pl.col("anomaly") == "none").with_columns(
        decile=pl.col("churn_probability").rank("ordinal") * 10 // (world.truth.height + 1)
    )
    by_decile = truth.group_by("decile").agg(
        pl.len(), pl.col("churn_probability").mean().alias("said"), pl.col("churned").mean().alias("was")
    )
    error = (by_decile["was"] - by_decile["said"]).abs()
    noise = (by_decile["said"] * (1 - by_decile["said"]) / by_decile["len"]).sqrt()
    assert (error < 4 * noise + 0.003).all(), by_decile
    assert truth["future_value_eur"].sum() == pytest.approx(truth["future_spend_eur"].sum(), rel=0.03)


@settings(max_examples=12, deadline=None)
@given(
    k=st.sampled_from([1, 2, 4]),
    interval=st.floats(8, 90),
    half_year_loss=st.floats(0.02, 0.5),
    seed=st.integers(0, 10_000),
)
def test_closed_forms_agree_with_simulation(
    k: int, interval: float, half_year_loss: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n = 20_000
    hazard = -np.log1p(-half_year_loss) / 180 * np.array([0.7, 1.0, 1.3])
    rhythm = Rhythm(np.full(n, 1 / interval), np.full(n, k), np.tile(hazard, (n, 1)), np.full(n, 0.0))
    death = draw_deaths(rhythm, 300.0, 480.0, rng)
    purchases = simulate(rhythm, death, 660.0, rng)
    past = purchases.at < 480.0
    last = np.zeros(n)
    last[purchases.customer[past]] = purchases.at[past]
    silent = 480.0 - last
    later = np.bincount(purchases.customer[~past], minlength=n)
    alive = alive_probability(rhythm, silent, 180.0)
    error = 5 * np.sqrt(0.25 / n)
    assert alive.mean() == pytest.approx((death > 480.0).mean(), abs=error)
    assert (alive * order_probability(rhythm, silent, 180.0)).mean() == pytest.approx(
        (later > 0).mean(), abs=error
    )
    assert (alive * expected_orders(rhythm, silent, 180.0)).mean() == pytest.approx(
        later.mean(), abs=5 * later.std() / np.sqrt(n)
    )


def test_frames_have_the_agreed_shape_and_no_truth(world: BarcelonaWorld) -> None:
    inputs = world.inputs
    assert inputs.orders is not None
    assert inputs.touches is not None
    assert inputs.reps is not None
    for frame, columns in (
        (inputs.orders, ORDER_COLUMNS),
        (inputs.touches, TOUCH_COLUMNS),
        (inputs.reps, REP_COLUMNS),
    ):
        assert {name: frame.schema[name] for name in columns} == columns
    assert set(inputs.schema.features) <= set(inputs.accounts.columns)
    assert set(inputs.schema.roles.values()) <= set(inputs.accounts.columns)
    hidden = set(world.truth.columns) - {"account_id"}
    for frame in (inputs.accounts, inputs.orders, inputs.touches, inputs.history):
        assert frame is not None
        assert not hidden & set(frame.columns)
    assert (inputs.orders["ordered_at"] < inputs.as_of).all()
    assert (inputs.touches["touched_at"] < inputs.as_of).all()
    assert inputs.history is not None
    assert (inputs.history["snapshot_at"] < inputs.as_of).all()


def test_touches_respect_consent_and_log_the_true_propensity(world: BarcelonaWorld) -> None:
    touches = world.inputs.touches
    assert touches is not None
    assert touches["propensity"].is_between(0.0, 1.0, closed="right").all()
    assert touches.filter(pl.col("action") == "nothing")["channel"].is_null().all()
    real = touches.filter(pl.col("action") != "nothing")
    for (action,), rows in real.group_by("action"):
        assert set(rows["channel"].unique()) <= set(ACTION_CHANNELS[str(action)])
    consents = world.inputs.accounts.select("account_id", *(f"consent_{name}" for name in CHANNELS))
    joined = real.join(consents, on="account_id")
    for channel in CHANNELS:
        refused = joined.filter(pl.col("channel") == channel)[f"consent_{channel}"] == False  # noqa: E712  three-valued
        assert not refused.any()
    # inverse propensities of an action add up to the number of decisions in which it was possible
    weight = (1 / touches.filter(pl.col("action") == "nothing")["propensity"]).sum()
    assert weight == pytest.approx(touches.height, rel=0.05)


def test_responses_follow_the_truth_and_actions_have_effects(world: BarcelonaWorld) -> None:
    truth = world.truth.select(pl.selectors.starts_with("response_"))
    assert all(truth[name].is_between(0.0, 1.0).all() for name in truth.columns)
    best = truth.select(pl.max_horizontal(pl.all().exclude("response_nothing")) - pl.col("response_nothing"))
    assert best.to_series().mean() > 0.03
    assert (truth["response_retention_call"] < truth["response_nothing"]).mean() > 0.2  # sleeping dogs exist


def test_anomalies_are_planted_and_cells_are_missing(world: BarcelonaWorld) -> None:
    kinds = dict(world.truth["anomaly"].value_counts().iter_rows())
    assert {"none", "spike", "silent", "odd"} == set(kinds)
    assert 0.004 < 1 - kinds["none"] / world.truth.height < 0.05
    accounts = world.inputs.accounts
    assert accounts["csat"].null_count() > 0.05 * accounts.height


def test_the_exported_tables_are_the_sound_ones_but_for_the_rows_that_are_flagged(
    world: BarcelonaWorld,
) -> None:
    company = parse_mapping(schema_toml(world.inputs.schema))
    read = read_plan_inputs(**world.tables, schema=company, as_of=world.inputs.as_of)
    assert read.schema == world.inputs.schema
    broken = world.truth["broken"]
    assert set(broken.drop_nulls()) == set(BROKEN)
    assert read.accounts.equals(world.inputs.accounts.filter(broken.is_null()).select(read.accounts.columns))
    report = read.intake.tables["accounts"]
    assert (report.rows, report.rejected.height) == (20_000, broken.count())
    reasons = read.intake.problems.filter(table="accounts", level="rejected")
    assert reasons.select("line", "column").rows() == [
        (row + 1, _COLUMN_OF[kind]) for row, kind in enumerate(broken) if kind is not None
    ]
    for name in ("orders", "touches", "history"):
        kept, drawn = getattr(read, name), getattr(world.inputs, name)
        rejected = read.intake.tables[name].rejected
        assert kept.height + rejected.height == drawn.height
        assert kept.join(drawn, on=kept.columns, how="anti", nulls_equal=True).is_empty()
        assert 0 < rejected.height < 0.01 * drawn.height


def test_small_and_impossible_sizes() -> None:
    one = generate(BarcelonaParams(n=1), seed=1)
    assert one.inputs.accounts.height == 1
    for wrong in (BarcelonaParams(n=0), replace(BarcelonaParams(), reps=0), BarcelonaParams(horizon_days=5)):
        with pytest.raises(InputError):
            generate(wrong, seed=1)
