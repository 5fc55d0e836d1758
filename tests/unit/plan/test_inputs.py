"""A stage takes frames as somebody has them: columns are known by name and type, rows by account_id."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pandas as pd
import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.channels import ChannelLimit, ChannelParams, allocate_channels
from dealwright.plan.inputs import align, gather_inputs, infer_schema
from dealwright.plan.params import PlanParams, on_the_companys_clock
from dealwright.plan.routing import RouteParams, route
from dealwright.plan.segments import segment
from dealwright.plan.staffing import ScheduleParams, schedule
from dealwright.schemas import TIMESTAMP, AccountSchema

ACCOUNTS = pl.DataFrame(
    {
        "account_id": ["A", "B"],
        "name": ["Bar Sol", "Bodega"],
        "tier": ["gold", None],
        "visits": [3, 4],
        "since": [date(2020, 1, 1), None],
        "vip": [True, False],
        "lat_deg": [41.0, 41.1],
        "lon_deg": [2.0, 2.1],
        "consent_field": [True, None],
        "churned": [True, False],
        "churn_probability": [0.1, 0.2],
    }
)


def test_columns_are_known_by_name_and_type() -> None:
    assert infer_schema(ACCOUNTS) == AccountSchema(
        numeric=("visits",),
        categorical={"tier": None, "vip": None},
        dates=("since",),
        consent=("field",),
        roles={"name": "name", "tier": "tier"},
        has_position=True,
        has_churn_label=True,
    )
    found = gather_inputs(ACCOUNTS).accounts
    assert found.schema["visits"] == pl.Float64
    assert found.schema["since"] == TIMESTAMP
    assert found["vip"].to_list() == ["true", "false"]


def test_a_schema_that_is_given_leaves_the_accounts_as_they_are() -> None:
    schema = AccountSchema(categorical={"tier": None})
    found = gather_inputs(ACCOUNTS, schema=schema, as_of=datetime(2026, 6, 30))
    assert found.schema is schema
    assert found.accounts is ACCOUNTS


def test_the_cut_off_is_the_midnight_after_the_latest_order_or_touch() -> None:
    orders = pl.DataFrame({"account_id": ["A"], "ordered_at": [datetime(2026, 6, 1, 18)]})
    touches = pl.DataFrame({"account_id": ["A"], "touched_at": [datetime(2026, 6, 29, 9)]})
    assert gather_inputs(ACCOUNTS, orders=orders).as_of == datetime(2026, 6, 2)
    assert gather_inputs(ACCOUNTS, orders=orders, touches=touches).as_of == datetime(2026, 6, 30)
    assert gather_inputs(ACCOUNTS).as_of == datetime.combine(date.today(), datetime.min.time())


def test_frames_of_pandas_do_as_well() -> None:
    frame = pd.DataFrame({"account_id": ["A", "B"], "predicted_value_eur": [1.0, 900.0]})
    assert segment(frame).frame["value_bucket"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"id": ["A"]}), "have no column 'account_id'"),
        (pl.DataFrame({"account_id": ["B", "A", "A", "B"]}), "'B' is missing or not unique"),
        (["A"], "a list is no data frame"),
    ],
)
def test_accounts_that_cannot_be_told_apart_are_refused(frame: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        gather_inputs(frame)


def test_rows_are_matched_by_account_and_missing_ones_are_null() -> None:
    ids = ACCOUNTS["account_id"]
    found = align(pl.DataFrame({"account_id": ["B", "X"], "x": [1, 2]}), ids, "x")
    assert found.rows() == [("A", None), ("B", 1)]
    with pytest.raises(InputError, match="no column 'y'"):
        align(found, ids, "y")
    with pytest.raises(InputError, match="two rows for one account"):
        align(pl.DataFrame({"account_id": ["B", "B"]}), ids)


def test_a_day_needs_accounts_and_representatives_only() -> None:
    reps = pl.DataFrame({"rep_id": ["R"], "home_lat_deg": [41.05], "home_lon_deg": [2.05]})
    accounts = ACCOUNTS.select("account_id", "lat_deg", "lon_deg").with_columns(
        expected_value_eur=pl.lit(500.0), rep_id=pl.lit("R")
    )
    params = RouteParams(iterations=50, extra_hour=False)
    assert sorted(route(accounts, reps, params).visits["account_id"]) == ["A", "B"]
    chosen = accounts.with_columns(channel=pl.Series(["field", "outbound_cc"]))
    assert route(chosen, reps, params).visits["account_id"].to_list() == ["A"]
    # what others find may be given apart, in any order, and counts
    decisions = pl.DataFrame({"account_id": ["B", "A"], "expected_value_eur": [400.0, 0.0]})
    apart = route(accounts, reps, params, decisions=decisions).visits
    assert apart.select("account_id", "value_eur").rows() == [("B", 400.0)]


def test_channels_need_the_chosen_actions_only() -> None:
    actions = pl.DataFrame(
        {
            "account_id": ["A", "B"],
            "action": ["visit", "visit"],
            "channel": ["field", "field"],
            "expected_value_eur": [10.0, 30.0],
        }
    )
    one = ChannelParams(limits={"field": ChannelLimit(capacity=1)})
    found = allocate_channels(ACCOUNTS.select("account_id"), actions, one)
    assert found.frame["channel"].to_list() == [None, "field"]
    assert found.table.filter(channel="field")["price_eur"].item() == pytest.approx(10.0)
    # with another channel to go to, nobody waits
    options = pl.DataFrame(
        {"account_id": ["A", "B"], "visit/field": [10.0, 30.0], "visit/outbound_cc": [9.0, None]}
    )
    found = allocate_channels(ACCOUNTS.select("account_id"), actions, one, options=options)
    assert found.frame["channel"].to_list() == ["outbound_cc", "field"]
    assert found.table.filter(channel="field")["price_eur"].item() == pytest.approx(1.0)
    with pytest.raises(InputError, match="'visit/fax' is no action on a channel"):
        allocate_channels(
            ACCOUNTS.select("account_id"), actions, options=options.rename({"visit/field": "visit/fax"})
        )


def test_calls_need_the_accounts_to_be_called_only() -> None:
    accounts = pl.DataFrame(
        {"account_id": ["A", "B"], "channel": ["outbound_cc", "field"], "expected_value_eur": [5.0, 9.0]}
    )
    found = schedule(accounts, params=ScheduleParams(runs=20), as_of=datetime(2026, 6, 29))
    assert found.calls["account_id"].to_list() == ["A"]


def test_the_companys_clock_is_the_mappings_where_no_catalogue_names_another() -> None:
    default = PlanParams()
    assert default.action.catalogue.time_zone == "Europe/Madrid"
    assert on_the_companys_clock(default, None) is default
    there = on_the_companys_clock(default, "America/New_York")
    assert there.action.catalogue.time_zone == "America/New_York"
    assert there.action.catalogue.actions == default.action.catalogue.actions
    own = replace(default.action.catalogue, time_zone="Asia/Tokyo", source="ours.toml")
    named = replace(default, action=replace(default.action, catalogue=own))
    assert on_the_companys_clock(named, "America/New_York") is named
