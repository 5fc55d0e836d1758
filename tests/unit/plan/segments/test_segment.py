"""Segments: fitted edges, stable at ties, named; a bucket depends on the account's own numbers only."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.segments import SegmentParams, segment
from dealwright.plan.segments.stage import apply_segments
from dealwright.schemas import SEGMENT_COLUMNS


def run(values, tiers=None, params=None):
    n = len(values)
    accounts = pl.DataFrame(
        {"account_id": [f"a{k}" for k in range(n)], "tier": tiers if tiers is not None else ["x"] * n},
        schema_overrides={"tier": pl.String},
    )
    values = pl.Series("predicted_value_eur", values, dtype=pl.Float64)
    return segment(accounts, accounts.select("account_id", values), params)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.0, 0.1, 1.0, 5.0, 5.0, 100.0]), min_size=1, max_size=80))
def test_equal_values_share_a_bucket_and_larger_ones_are_never_lower(values):
    frame = run(values).frame.with_columns(value=pl.Series(values))
    assert frame.group_by("value").agg(pl.col("value_bucket").n_unique())["value_bucket"].max() == 1
    ordered = frame.sort("value")["value_bucket"]
    assert ordered.is_sorted()
    assert frame["value_bucket"].is_between(1, 3).all()


def test_the_grid_is_named_and_the_contract_kept():
    rng = np.random.default_rng(0)
    tiers = rng.choice(["big", "mid", "small"], 3000)
    values = rng.gamma(2.0, 100.0, 3000) * np.select([tiers == "big", tiers == "mid"], [10.0, 3.0], 1.0)
    result = run(values, tiers)
    assert {name: result.frame.schema[name] for name in SEGMENT_COLUMNS} == SEGMENT_COLUMNS
    assert result.model.peer_columns == ("tier",)
    assert set(result.frame["segment"]) <= {"Protect", "Grow", "Develop", "Maintain", "Automate"}
    rich = result.frame.filter((pl.col("value_bucket") == 3) & (pl.col("potential_bucket") == 3))
    assert set(rich["segment"]) == {"Grow"}
    poor = result.frame.filter((pl.col("value_bucket") == 1) & (pl.col("potential_bucket") == 1))
    assert set(poor["segment"]) == {"Automate"}
    # what big accounts' peers spend is what a big account could spend
    wallet = (
        result.frame.with_columns(tier=pl.Series(tiers)).group_by("tier").agg(pl.col("wallet_eur").first())
    )
    assert wallet.sort("wallet_eur")["tier"].to_list() == ["small", "mid", "big"]


def test_a_bucket_depends_on_the_account_alone():
    rng = np.random.default_rng(1)
    values = rng.gamma(1.0, 50.0, 500)
    result = run(values)
    table = pl.DataFrame({"account_id": ["new"], "tier": ["never seen"], "value_eur": [values[7]]})
    alone = apply_segments(result.model, table, SegmentParams())
    assert alone["value_bucket"].item() == result.frame["value_bucket"][7]
    assert alone["wallet_eur"].item() == pytest.approx(np.quantile(values, 0.9))


@pytest.mark.parametrize(
    "values", [[], [3.0], [None, 2.0], [0.0] * 20, [-5.0, float("nan"), 3.0], [None] * 3]
)
def test_degenerate_values_are_bucketed_too(values):
    result = run(values)
    assert result.frame.height == len(values)
    unknown = [value is None or value != value for value in values]
    for name in ("value_bucket", "potential_bucket", "segment", "wallet_eur", "potential_eur"):
        assert result.frame[name].is_null().to_list() == unknown


def test_bad_parameters_are_named():
    with pytest.raises(InputError, match="one row per value bucket"):
        run([1.0, 2.0], params=SegmentParams(names=(("a", "b"), ("c",))))
    with pytest.raises(InputError, match="'teir' is not a categorical column; use: tier"):
        run([1.0, 2.0], params=SegmentParams(peer_columns=("teir",)))


@pytest.mark.parametrize(("members", "own"), [(30, True), (29, False)])
@pytest.mark.parametrize("tier", ["few", None])
def test_a_wallet_is_that_of_peers_from_the_stated_number_on(members, own, tier):
    """Accounts whose column is empty are peers of one another."""
    values = [0.0, *np.linspace(900.0, 1100.0, members - 1), *([10.0] * 400), *([50.0] * 400)]
    tiers = [tier] * members + ["many"] * 400 + ["more"] * 400
    params = SegmentParams(min_peers=30)
    result = run(values, tiers, params)
    assert result.model.peer_columns == ("tier",)
    peers = values[:members] if own else values
    wallet = float(np.quantile(peers, params.wallet_quantile))
    # who has spent nothing could spend all of it
    assert result.frame["potential_eur"][0] == pytest.approx(wallet)


def test_each_cell_of_the_grid_has_the_name_that_stands_in_it():
    """Rows are the value, columns the potential, both from low to high."""
    rng = np.random.default_rng(4)
    tiers = rng.choice(["a", "b", "c"], 900)
    values = rng.gamma(2.0, 50.0, 900) * np.select([tiers == "a", tiers == "b"], [1.0, 6.0], 30.0)
    params = SegmentParams(names=(("11", "12", "13"), ("21", "22", "23"), ("31", "32", "33")))
    frame = run(values, tiers, params).frame
    assert frame["value_bucket"].n_unique() == 3
    assert frame["potential_bucket"].n_unique() > 1
    named = frame.select(pl.format("{}{}", "value_bucket", "potential_bucket")).to_series()
    assert named.to_list() == frame["segment"].to_list()


def test_what_could_be_spent_and_is_not_is_never_below_zero():
    values = [0.0, 40.0, 100.0, 1000.0] * 20
    result = run(values).frame.with_columns(value=pl.Series(values))
    wallet = result["wallet_eur"][0]
    assert result["potential_eur"].to_list() == [max(wallet - value, 0.0) for value in values]


def test_who_is_not_known_has_no_segment_and_that_is_said():
    known = run([1.0, 2.0, 3.0] * 10)
    assert not any("not known" in note for note in known.notes)
    some = run([1.0, 2.0, None] * 10)
    assert any(note.startswith("the value of 10 accounts is not known") for note in some.notes)
    assert some.frame["segment"].null_count() == 10
