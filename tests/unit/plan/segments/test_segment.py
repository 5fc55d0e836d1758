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


def test_six_accounts_by_hand():
    """Thirds of 10, 20, …, 60 end at 20 and 40; one wallet for all, nine tenths of the way up."""
    result = run([10.0, 20.0, 30.0, 40.0, 50.0, 60.0], params=SegmentParams(peer_columns=()))
    assert result.model.value_edges == (20.0, 40.0)
    assert result.model.potential_edges == (55.0, 55.0)
    assert result.frame["value_bucket"].to_list() == [1, 1, 2, 2, 3, 3]
    assert result.frame["potential_bucket"].to_list() == [1] * 6
    assert result.frame["wallet_eur"].to_list() == [55.0] * 6
    assert result.frame["potential_eur"].to_list() == [45.0, 35.0, 25.0, 15.0, 5.0, 0.0]
    assert result.notes == (
        "no categorical column makes peers: potential is measured against all accounts",
        "so many accounts share one potential that some potential buckets are empty",
    )
    summary = dict(result.summary())
    assert summary.pop("notes") == "; ".join(result.notes)
    assert summary == {
        "accounts": 6, "peer_columns": "", "value_edge_1": 20.0, "value_edge_2": 40.0,
        "potential_edge_1": 55.0, "potential_edge_2": 55.0,
        "segment_automate": 2, "segment_maintain": 2, "segment_protect": 2,
    }  # fmt: skip


def test_the_summary_names_the_largest_segment_first_and_counts_those_not_known():
    grid = SegmentParams(names=(("Low",), ("High",)), peer_columns=())
    result = run([1.0, 1.0, 1.0, 5.0, None, None], params=grid)
    counts = {name: n for name, n in result.summary().items() if name.startswith("segment_")}
    assert list(counts.items()) == [("segment_low", 3), ("segment_not_known", 2), ("segment_high", 1)]


def test_a_grid_may_have_any_size_and_its_edges_are_as_many_as_it_takes():
    names = tuple(tuple(f"{row}{column}" for column in range(4)) for row in range(2))
    tiers = [tier for tier in "abcd" for _ in range(60)]
    values = [float(10 ** (1 + "abcd".index(tier))) for tier in tiers]
    known = run(values, tiers, SegmentParams(names=names))
    assert known.model.value_edges == (100.0,)
    assert known.model.potential_edges == (10.0, 100.0, 1000.0)
    assert known.frame["segment"].unique(maintain_order=True).to_list() == ["00", "01", "12", "13"]
    nobody = run([None, None], params=SegmentParams(names=names))
    assert nobody.model.value_edges == (0.0,)
    assert nobody.model.potential_edges == (0.0, 0.0, 0.0)


def explained(values, column):
    """Share of the variance of log value between the groups, less one per cent for every hundredth group."""
    logs = np.log1p(np.array(values))
    groups = {name: logs[[own == name for own in column]] for name in dict.fromkeys(column)}
    within = sum(group.size * group.var() for group in groups.values()) / logs.size
    return 1 - within / logs.var() - len(groups) / logs.size


@pytest.mark.parametrize("levels", [1, 2, 3, 50, 51])
def test_peers_come_from_columns_of_two_to_fifty_levels(levels):
    tiers = [f"t{k % levels}" for k in range(2000)]
    result = run([float(100 * (1 + k % levels)) for k in range(2000)], tiers)
    assert result.model.peer_columns == (("tier",) if 2 <= levels <= 50 else ())


def test_a_column_makes_peers_where_it_explains_half_a_percent():
    """The more of the 200 accounts have the tier that goes with their value, the more it explains."""
    values = [10.0, 20.0] * 100
    used = []
    for agreeing in range(0, 52, 4):
        tiers = ["a", "b"] * (agreeing // 2) + ["a", "a", "b", "b"] * ((200 - agreeing) // 4)
        used.append(run(values, tiers).model.peer_columns == ("tier",))
        assert used[-1] == (explained(values, tiers) >= 0.005), agreeing
    assert used == sorted(used)
    assert len(set(used)) == 2


def test_the_three_columns_that_explain_most_make_peers_the_strongest_first():
    rng = np.random.default_rng(8)
    columns = {name: rng.choice(["x", "y"], 400).tolist() for name in ("d", "a", "c", "b")}
    effects = {"d": 0.2, "a": 0.8, "c": 0.4, "b": 1.6}
    logs = sum(effects[name] * (np.array(columns[name]) == "x") for name in columns)
    accounts = pl.DataFrame({"account_id": [f"a{k}" for k in range(400)], **columns})
    values = np.exp(logs) * 100.0
    result = segment(accounts, accounts.select("account_id", predicted_value_eur=values))
    shares = {name: explained(values, columns[name]) for name in columns}
    assert all(share >= 0.005 for share in shares.values())
    assert result.model.peer_columns == tuple(sorted(shares, key=lambda name: -shares[name])[:3])
    # the groups of all three columns are large enough: the wallet is that of the narrowest
    own = result.frame.with_columns(accounts, value=values).filter(b="x", a="y", c="x")
    assert own["wallet_eur"].unique().to_list() == pytest.approx([np.quantile(own["value"], 0.9)])
