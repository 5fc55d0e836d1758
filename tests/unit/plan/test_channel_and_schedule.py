"""*channel* and *schedule* on a generated company: nobody is dropped, nothing forbidden happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.actions import ActionParams, Actions, choose_actions
from dealwright.plan.channels import ChannelLimit, ChannelParams, allocate_channels
from dealwright.plan.commitments import commitment_frame
from dealwright.plan.quality import QualityParams, check_quality
from dealwright.plan.segments import segment
from dealwright.plan.staffing import ScheduleParams, Work, schedule
from dealwright.plan.staffing.calls import is_quiet
from dealwright.schemas import CHANNELS, CLOSED, DUE, PROMISED, PlanInputs
from dealwright.simulation.barcelona import BarcelonaParams, generate


@pytest.fixture(scope="module")
def night() -> tuple[PlanInputs, Actions]:
    rng = np.random.default_rng(5)
    inputs = check_quality(generate(BarcelonaParams(n=500), seed=3).inputs, QualityParams(), rng=rng).inputs
    n = inputs.accounts.height
    predictions = pl.DataFrame(
        {
            "account_id": inputs.accounts["account_id"],
            "churn_probability": rng.beta(1, 3, n),
            "predicted_value_eur": rng.lognormal(7.0, 1, n),
        }
    )
    segments = segment(inputs.accounts, predictions, schema=inputs.schema)
    actions = choose_actions(
        inputs.accounts, predictions, segments.frame, orders=inputs.orders, touches=inputs.touches,
        history=inputs.history, schema=inputs.schema, as_of=inputs.as_of, rng=rng,
    )  # fmt: skip
    return inputs, actions


def allocate(night, params, **options):
    inputs, actions = night
    return allocate_channels(
        inputs.accounts, actions.frame, params, options=actions.options, reps=inputs.reps,
        schema=inputs.schema, as_of=inputs.as_of, **options,
    )  # fmt: skip


def run(night, commitments=None, **options):
    return allocate(night, ChannelParams(**options), commitments=commitments)


TIGHT = {name: ChannelLimit(capacity=k) for name, k in zip(CHANNELS, (5, 8, 10, 20, 30), strict=True)}


def test_every_account_is_reached_or_waits_and_capacities_hold(night):
    inputs, actions = night
    result = run(night, limits=TIGHT)
    wanted = actions.choice.option >= 0
    reached = result.frame["channel"].is_not_null().to_numpy()
    waiting = result.frame["wait_rank"].is_not_null().to_numpy()
    assert (reached ^ waiting)[wanted].all()
    assert not (reached | waiting)[~wanted].any()
    assert (result.table["scheduled"] <= result.table["capacity"]).all()
    assert result.gap_share == 0
    assert result.waitlist["rank"].to_list() == list(range(1, result.waitlist.height + 1))
    assert result.waitlist["urgent"].to_list() == sorted(result.waitlist["urgent"], reverse=True)
    assert result.table["backlog"].sum() == result.waitlist.height
    assert result.frame["account_id"].equals(inputs.accounts["account_id"])
    confidence = result.frame["channel_confidence"].drop_nulls()
    assert confidence.is_between(0, 1).all()
    assert confidence.len() == reached.sum()


def test_only_permitted_channels_of_the_chosen_action_are_used(night):
    inputs, actions = night
    result = run(night, limits=TIGHT)
    names = zip(actions.frame["action"], result.frame["channel"], strict=True)
    for row, (action, channel) in enumerate(names):
        if channel is not None:
            assert actions.options[f"{action}/{channel}"][row] is not None
            consent = inputs.accounts[f"consent_{channel}"][row]
            needs = actions.effects.catalogue.channel(channel).consent
            assert consent or not needs


def test_another_action_is_offered_only_where_that_is_asked_for(night):
    _, actions = night
    same, other = run(night, limits=TIGHT), run(night, limits=TIGHT, actions="any")
    assert same.frame["action"].equals(actions.frame["action"])
    assert (other.frame["action"] != actions.frame["action"]).any()
    assert other.value_eur >= same.value_eur


def test_without_limits_everybody_gets_the_best_channel(night):
    result = run(night, limits={"field": ChannelLimit(capacity=10_000)})
    assert result.waitlist.is_empty()
    assert result.table["price_eur"].to_list() == [0.0] * 5
    assert any("no limit is known" in note for note in result.notes)


@pytest.mark.parametrize("consumption", ["unit", "minutes"])
def test_a_price_is_the_money_that_one_more_contact_brings(night, consumption):
    """Without the bonus for preferred channels, and less what whoever takes it brought elsewhere."""
    options = {"consumption": consumption, "preference_factor": 1.5, "exploration_share": 0.0}

    def solved(name=None, more=0):
        limits = {
            key: ChannelLimit(capacity=limit.capacity + more * (key == name)) for key, limit in TIGHT.items()
        }
        found = run(night, limits=limits, **options)
        reached = found.frame.filter(pl.col("channel").is_not_null())["expected_value_eur"].sum()
        return found.table, reached

    table, now = solved()
    for row in table.filter(pl.col("backlog") > 0).iter_rows(named=True):
        price = solved(row["channel"], 1)[1] - now
        last = now - solved(row["channel"], -1)[1]
        assert row["price_eur"] == pytest.approx(max(price, 0.0), rel=0.01, abs=0.01)
        assert row["last_place_eur"] == pytest.approx(last, rel=0.01, abs=0.01)
    assert table["price_eur"].max() > 1.0


def explored_calls(*, value, explored_value=1.0, spent=0.0, places=100, explored=40):
    """1,000 accounts to be called, of whom some were drawn for exploration; return who is, and the result."""
    accounts = pl.DataFrame({"account_id": [f"A{i:04}" for i in range(1000)]})
    drawn = np.arange(1000) % (1000 // explored) == 0
    actions = accounts.with_columns(
        pl.Series("expected_value_eur", np.where(drawn, explored_value, value)),
        action=pl.lit("call"), channel=pl.lit("outbound_cc"), explore=pl.Series(drawn),
        exploration_cost_eur=pl.Series(np.where(drawn, spent, 0.0)),
    )  # fmt: skip
    found = allocate_channels(
        accounts, actions, ChannelParams(limits={"outbound_cc": ChannelLimit(capacity=places)}),
        rng=np.random.default_rng(1),
    )  # fmt: skip
    called = found.frame["channel"].is_not_null().to_numpy()
    return called & drawn, called, found


def test_exploration_takes_dear_places_only_within_its_share_of_the_gain():
    value = np.linspace(100.0, 10.0, 1000)
    explored, called, found = explored_calls(value=value)
    others = np.where(np.arange(1000) % 25 == 0, 1.0, value)
    without = np.sort(others)[-100:].sum()
    with_them = others[called].sum()
    assert 1 <= explored.sum() < 20  # 20 places would be its share of the capacity
    assert without - with_them == pytest.approx(found.exploration_cost_eur)
    assert found.exploration_cost_eur <= 0.02 * without
    assert found.summary()["exploration_cost_eur"] == pytest.approx(found.exploration_cost_eur, abs=0.01)


def test_what_the_actions_gave_up_for_exploration_is_gone():
    value = np.linspace(100.0, 10.0, 1000)
    none_left, _, found = explored_calls(value=value, spent=10.0)  # 400 EUR of 9,600
    assert none_left.sum() == 0
    assert found.exploration_cost_eur == 0.0


def test_where_places_are_cheap_all_of_its_share_goes_to_exploration():
    explored, _, found = explored_calls(value=np.full(1000, 1.0), explored_value=0.99)
    assert explored.sum() == 20
    assert found.exploration_cost_eur == pytest.approx(0.2)


def test_who_is_urgent_comes_before_who_is_due_and_both_before_value():
    as_of = datetime(2026, 6, 30)
    accounts = pl.DataFrame({"account_id": ["urgent", "due", "dear"]})
    worth = pl.Series("expected_value_eur", [1.0, 1000.0, 5000.0])
    actions = accounts.with_columns(worth, action=pl.lit("visit"), channel=pl.lit("field"))
    waiting = pl.DataFrame({"account_id": ["urgent"], "waiting_since": [as_of - timedelta(days=30)]})
    for places, reached in ((1, ["urgent"]), (2, ["urgent", "due"]), (3, ["urgent", "due", "dear"])):
        found = allocate_channels(
            accounts, actions, ChannelParams(limits={"field": ChannelLimit(capacity=places)}),
            waiting=waiting, commitments=commitment_frame(pl.Series(["due"]), "field", DUE), as_of=as_of,
        )  # fmt: skip
        assert found.frame.filter(pl.col("channel") == "field")["account_id"].to_list() == reached
        price = found.table.filter(channel="field")["price_eur"].item()
        assert price == pytest.approx({1: 1000.0, 2: 5000.0, 3: 0.0}[places])


def test_a_preference_is_no_money():
    n = 30
    accounts = pl.DataFrame({"account_id": [f"{k:02}" for k in range(n)], "preferred_channel": ["field"] * n})
    worth = [100.0 + k for k in range(n)]
    actions = accounts.select("account_id", action=pl.lit("visit"), channel=pl.lit("field")).with_columns(
        expected_value_eur=pl.Series(worth)
    )
    options = accounts.select(
        "account_id", pl.Series("visit/field", worth), pl.Series("visit/outbound_cc", [90.0] * n)
    )
    limits = {"field": ChannelLimit(capacity=3), "outbound_cc": ChannelLimit(capacity=5)}
    table = allocate_channels(accounts, actions, ChannelParams(limits=limits), options=options).table
    prices = dict(table.select("channel", "price_eur").iter_rows())
    # 129, 128 and 127 have the visits; five of the others are called for 90; the next visit is worth 126
    assert prices["field"] == pytest.approx(126.0)
    assert prices["outbound_cc"] == pytest.approx(90.0)
    limits["outbound_cc"] = ChannelLimit(capacity=27)
    table = allocate_channels(accounts, actions, ChannelParams(limits=limits), options=options).table
    # everybody is reached now: one more visit replaces a call
    assert dict(table.select("channel", "price_eur").iter_rows())["field"] == pytest.approx(36.0)


def test_capacity_zero_leaves_a_waitlist_with_the_reason(night):
    result = run(night, limits={name: ChannelLimit(capacity=0) for name in CHANNELS})
    assert result.frame["channel"].null_count() == result.frame.height
    assert result.waitlist["reason"].str.contains("has no capacity").all()
    assert result.waitlist["expected_wait_days"].null_count() == result.waitlist.height
    assert not result.summary()["sla_met"]
    assert (result.table.filter(pl.col("backlog") > 0)["price_eur"] > 0).all()


def test_who_has_waited_too_long_goes_first(night):
    inputs, _ = night
    first = run(night, limits=TIGHT)
    late = first.waitlist.filter(pl.col("channel").is_not_null() & (pl.col("value_eur") > 0)).tail(3)
    waiting = late.select("account_id", waiting_since=pl.lit(inputs.as_of - timedelta(days=30)))
    again = allocate(night, ChannelParams(limits=TIGHT), waiting=waiting)
    reached = again.frame.filter(pl.col("account_id").is_in(late["account_id"].implode()))["channel"]
    assert reached.null_count() == 0
    assert again.value_eur < first.value_eur  # precedence has its price


def test_capacity_follows_from_people(night):
    people = {
        "outbound_cc": ChannelLimit(people=2, hours_per_day=5, shrinkage=0.2, occupancy=0.5, handle_min=10)
    }
    table = run(night, limits=people).table
    assert (
        table.filter(pl.col("channel") == "outbound_cc")["capacity"].item() == 24
    )  # 2 × 300 × 0.8 × 0.5 / 10


def test_minutes_per_account_are_certified(night):
    result = run(night, limits=TIGHT, consumption="minutes")
    assert 0 <= result.gap_share < 0.2
    assert result.bound_eur >= result.value_eur


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": {"fax": ChannelLimit()}}, "'fax'"),
        ({"limits": {"field": ChannelLimit(capacity=-1)}}, "capacity = -1"),
        ({"limits": {"field": ChannelLimit(shrinkage=1.0)}}, "shrinkage = 1.0"),
        ({"preference_factor": 0.5}, "preference_factor"),
    ],
)
def test_a_mistake_in_the_limits_is_named(night, options, message):
    with pytest.raises(InputError, match=message):
        run(night, **options)


QUICK = ScheduleParams(interval_min=30, runs=40)
STAFF = pl.DataFrame(
    {
        "rep_id": [f"P{k}" for k in range(10)],
        "skills": [["inbound_cc"]] * 3 + [["outbound_cc", "ecom_assisted"]] * 4 + [None] * 3,
    },
    schema_overrides={"skills": pl.List(pl.String)},
)


def plan(night, params=QUICK, **options):
    inputs = night[0]
    return schedule(
        inputs.accounts, run(night).frame, params, touches=inputs.touches, schema=inputs.schema,
        as_of=inputs.as_of, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def staffed(night):
    at = night[0].as_of.replace(hour=11) + timedelta(days=1)
    promised = pl.DataFrame(
        {"account_id": [night[0].accounts["account_id"][7]], "at": [at], "rep_id": ["P4"]}
    )
    return plan(night, staff=STAFF, call_backs=promised)


def test_shifts_are_worked_by_people_with_the_skills_once_a_day(staffed):
    assert staffed.shifts.select("rep_id", "day").is_unique().all()
    skills = dict(zip(STAFF["rep_id"], STAFF["skills"].to_list(), strict=True))
    for rep_id, channels in staffed.shifts.select("rep_id", "channels").iter_rows():
        assert skills[rep_id] is None or set(channels) <= set(skills[rep_id])
    assert (staffed.shifts["end_at"] > staffed.shifts["start_at"]).all()


def test_calls_are_made_by_people_at_work_one_at_a_time_in_permitted_hours(night, staffed):
    inputs, actions = night
    calls = staffed.calls.join(
        staffed.shifts.select("rep_id", "day", shift_start="start_at", shift_end="end_at"),
        left_on=["rep_id", pl.col("start_at").dt.date()],
        right_on=["rep_id", "day"],
        how="left",
    )
    assert calls.height > 0
    assert (calls["start_at"] >= calls["shift_start"]).all()
    assert (calls["end_at"] <= calls["shift_end"]).all()
    for _, own in calls.sort("start_at").group_by("rep_id"):
        assert (own["end_at"].shift(1) <= own["start_at"]).drop_nulls().all()
    rules = actions.effects.catalogue.channel("outbound_cc")
    hours = inputs.accounts.select("account_id", "opens_min", "closes_min")
    for row in calls.filter(~pl.col("call_back")).join(hours, on="account_id").iter_rows(named=True):
        assert not is_quiet(row["local_start_at"], rules)
        minute = row["local_start_at"].hour * 60 + row["local_start_at"].minute
        assert (row["opens_min"] or 0) <= minute < (row["closes_min"] or 1440)


def test_every_account_to_be_called_is_on_the_list_once_or_named_with_the_reason(night, staffed):
    to_call = set(run(night).frame.filter(pl.col("channel") == "outbound_cc")["account_id"])
    listed, left = staffed.calls["account_id"].to_list(), staffed.unplaced["account_id"].to_list()
    assert len(set(listed + left)) == len(listed + left)
    assert to_call <= set(listed + left)
    assert (staffed.unplaced["reason"].str.len_chars() > 0).all()


def test_a_promised_call_is_made_by_whoever_promised_it(night, staffed):
    at = night[0].as_of.replace(hour=11) + timedelta(days=1)
    promised = staffed.calls.filter("call_back")
    assert promised.select("rep_id", "account_id").row(0) == ("P4", night[0].accounts["account_id"][7])
    assert abs(promised["start_at"][0] - at) <= timedelta(minutes=15)


def test_without_staff_the_plan_says_how_many_people_are_needed(night):
    result = plan(night)
    assert result.shortage_h == 0
    assert result.shifts["rep_id"].str.starts_with("agent").all()
    queue = result.levels.filter(pl.col("channel") == "inbound_cc")
    assert (queue["scheduled"] >= queue["required"]).all()
    assert result.sla_probability["inbound_cc"] > 0.5
    assert max(result.carry_over.values()) <= 3  # people are whole, work is not


def test_nobody_at_work_is_a_plan_with_reasons(night):
    result = plan(night, staff=STAFF.head(0))
    assert result.shifts.is_empty()
    assert result.calls.is_empty()
    assert result.unplaced["reason"].unique().to_list() == ["nobody is on calls"]
    assert result.shortage_h > 0
    tonight = result.backlog.filter("planned", pl.col("channel") == "outbound_cc").row(0, named=True)
    assert tonight["backlog"] == tonight["of_plan"] == result.unplaced.height
    assert result.carry_over["outbound_cc"] == 0  # the next night plans these accounts again
    assert any("staff is empty" in note for note in result.notes)


def test_a_time_zone_far_away_has_its_own_hours(night):
    inputs, actions = night
    far = inputs.accounts.with_columns(zone=pl.lit("America/New_York"))
    roles = {**inputs.schema.roles, "time_zone": "zone"}
    abroad = replace(inputs, accounts=far, schema=replace(inputs.schema, roles=roles))
    result = plan((abroad, actions), staff=STAFF)
    assert result.calls["start_at"].dt.hour().min() >= 15  # nine o'clock there
    assert (result.calls["local_start_at"].dt.hour() >= 9).all()


def test_a_forecast_counts_and_one_outside_the_opening_hours_is_refused(night):
    forecast = pl.DataFrame(
        {"channel": ["inbound_cc"] * 2, "start_min": [600, 660], "contacts": [30.0, 60.0]}
    )
    levels = plan(night, arrivals=forecast).levels.filter(pl.col("channel") == "inbound_cc")
    by_hour = levels.group_by(pl.col("start_at").dt.hour()).agg(pl.col("contacts").sum())
    assert dict(by_hour.iter_rows())[10] == pytest.approx(30.0)
    assert dict(by_hour.iter_rows())[11] == pytest.approx(60.0)
    with pytest.raises(InputError, match="outside the opening hours"):
        plan(night, arrivals=forecast.with_columns(start_min=pl.lit(120)))


def test_the_same_seed_gives_the_same_schedule(night):
    once, twice = plan(night, staff=STAFF), plan(night, staff=STAFF)
    for name in ("shifts", "calls", "levels", "backlog", "unplaced"):
        assert getattr(once, name).equals(getattr(twice, name))


def test_left_over_work_grows_without_people_and_is_forecast(night):
    params = replace(QUICK, work={"ecom_assisted": Work(kind="drain", handle_min=10, drain_h=4)})
    backlog = plan(night, params, staff=STAFF.head(0), carried={"ecom_assisted": 12.0}).backlog
    emails = backlog.filter(pl.col("channel") == "ecom_assisted")
    assert emails["planned"].to_list() == [True, *[False] * 5]
    assert emails["backlog"][0] >= 12
    assert emails["backlog"].is_sorted()
    assert emails["day"].min() > datetime(2000, 1, 1).date()


def test_what_is_settled_comes_first_once_and_the_rest_stays_optimal(night):
    ids = night[0].accounts["account_id"]
    free = run(night, limits=TIGHT)
    waits = free.waitlist.filter(channel="field")["account_id"].head(4)
    settled = pl.concat(
        [
            commitment_frame(waits.head(2), "field", PROMISED),
            commitment_frame(ids.slice(3, 2), "outbound_cc", PROMISED),
            commitment_frame(waits.slice(2, 1), "field", DUE),
            commitment_frame(waits.slice(3, 1), "field", CLOSED, pl.Series(["the bridge is down"])),
        ]
    )
    result = run(night, limits=TIGHT, commitments=settled)
    of = {row["account_id"]: row for row in result.frame.iter_rows(named=True)}
    for name in waits.head(2):
        assert (of[name]["channel"], of[name]["promised"], of[name]["channel_confidence"]) == (
            "field",
            True,
            1.0,
        )
    assert {of[name]["channel"] for name in ids.slice(3, 2)} == {"outbound_cc"}
    assert (of[waits[2]]["channel"], of[waits[2]]["due"]) == ("field", True)
    assert of[waits[3]]["channel"] != "field"
    assert of[waits[3]]["channel_note"] == "not field: the bridge is down"
    table = result.table
    assert (table["scheduled"] <= table["capacity"]).all()
    assert result.gap_share == 0
    assert result.value_eur <= free.value_eur + 0.05  # what is settled can only cost
    nothing = run(night, limits=TIGHT, commitments=settled.head(0))
    assert nothing.frame.equals(free.frame)


def test_more_promises_than_capacity_are_kept_and_said(night):
    ids = night[0].accounts["account_id"].head(30)
    result = run(
        night,
        limits={"field": ChannelLimit(capacity=10)},
        commitments=commitment_frame(ids, "field", PROMISED),
    )
    assert result.table.filter(channel="field").select("capacity", "scheduled").row(0) == (10, 30)
    assert "field: 30 contacts are promised, its capacity is 10" in result.notes


def test_who_has_no_action_for_want_of_consent_gets_one_worth_as_much_with_it():
    inputs = generate(BarcelonaParams(n=300), seed=3).inputs
    inputs = check_quality(inputs, QualityParams(), rng=np.random.default_rng(5)).inputs
    value = pl.Series(np.random.default_rng(6).lognormal(5.5, 1, inputs.accounts.height))
    predictions = inputs.accounts.select("account_id", churn_probability=0.3, predicted_value_eur=value)
    # nobody may be contacted but by what needs nobody
    held_to = {f"consent_{name}": pl.lit(value=name == "ecom_self") for name in CHANNELS}
    inputs = replace(inputs, accounts=inputs.accounts.with_columns(**held_to))

    def actions(accounts):
        return choose_actions(
            accounts, predictions, orders=inputs.orders, touches=inputs.touches, schema=inputs.schema,
            params=ActionParams(exploration_share=0.0), as_of=inputs.as_of, rng=np.random.default_rng(5),
        ).frame  # fmt: skip

    now = actions(inputs.accounts)
    given = actions(
        inputs.accounts.with_columns(pl.lit(value=True).alias(f"consent_{name}") for name in CHANNELS)
    )
    held = now["withheld_by"].eq("consent").fill_null(value=False)
    assert 0 < held.sum() < now["action"].eq("nothing").sum()
    assert set(now.filter(held)["action"]) == {"nothing"}
    assert not now.filter(held)["control"].any()
    better = given["expected_value_eur"] > 0
    assert better.filter(held).all()
    assert given.filter(held)["expected_value_eur"].to_numpy() == pytest.approx(
        now.filter(held)["withheld_eur"].to_numpy(), rel=1e-4
    )
    # whom no limit holds gets no action with every consent either
    free = now["action"].eq("nothing") & now["withheld_by"].is_null()
    assert not better.filter(free).any()
