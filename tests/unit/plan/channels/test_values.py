"""What a channel is worth to an account, what settles it, who waits and for how long: tables by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.channels import ChannelLimit, ChannelParams, allocate_channels
from dealwright.plan.channels.capacity import derive_capacities
from dealwright.plan.channels.commitments import (
    Commitments,
    promised_beyond,
    put_back,
    read_commitments,
    restrict,
    say_why_closed,
    without_settled,
)
from dealwright.plan.channels.kernels import decide, surplus_over_alternatives
from dealwright.plan.channels.option_values import (
    OptionValues,
    Urgency,
    find_urgent,
    read_options,
    value_channels,
    weigh,
)
from dealwright.plan.channels.prices import ONE_EACH, settle_prices
from dealwright.plan.channels.repair import _fitting, repair
from dealwright.plan.channels.stage import Channels, _first_explored, _let_go_first, _sla_of
from dealwright.plan.channels.waitlist import rank_waiting
from dealwright.schemas import CHANNELS, COMMITMENT_COLUMNS, AccountSchema, PlanInputs

AS_OF = datetime(2026, 6, 30)
NEVER = -np.inf
FIELD, CALL, INBOUND, ASSISTED, SELF = range(5)


def test_the_order_of_channels() -> None:
    assert CHANNELS == ("field", "outbound_cc", "inbound_cc", "ecom_assisted", "ecom_self")


# capacities


def capacities(
    limits: dict[str, ChannelLimit] | None = None, given: dict[str, float] | None = None, **columns: list[Any]
) -> list[tuple[float, str]]:
    reps = pl.DataFrame({"rep_id": ["a", "b", "c"], **columns}) if columns else None
    return [(item.contacts, item.source) for item in derive_capacities(reps, limits or {}, given or {}, 7)]


def test_what_the_run_found_comes_before_what_was_declared_and_that_before_people() -> None:
    nothing = (float("inf"), "no limit is known")
    assert capacities() == [nothing] * 5
    assert capacities(visits_per_day=[4, None, -2])[FIELD] == (11.0, "visits per day of 3 representatives")
    assert capacities(other=[1, 2, 3])[FIELD] == (21.0, "visits per day of 3 representatives")
    people = {"field": ChannelLimit(people=2), "ecom_self": ChannelLimit(people=1, handle_min=7)}
    found = capacities(people, visits_per_day=[4, 5, 6])
    # 2 people, 8 hours, 85 % of them, 50 minutes each; 1,440 minutes of 7
    assert found[FIELD] == (16.0, "2 people × 8 h, 15% shrinkage, 100% busy")
    assert found[SELF][0] == 205.0
    declared = {"field": ChannelLimit(people=2, capacity=3)}
    assert capacities(declared)[FIELD] == (3.0, "declared")
    known = capacities(declared, {"field": 4.5, "inbound_cc": 0.0})
    assert known[FIELD] == (4.5, "what the routes hold")
    assert known[INBOUND] == (0.0, "what the staff at work can do")
    whole = ChannelLimit(people=1, hours_per_day=1, shrinkage=0.1, occupancy=1, handle_min=5.4)
    # 54 minutes of 5.4 each, whatever the last digit
    assert capacities({"outbound_cc": whole})[CALL][0] == 10.0
    (_, call, *_) = derive_capacities(None, {"outbound_cc": ChannelLimit(capacity=10)}, {}, 7)
    assert call.minutes == 80.0


@pytest.mark.parametrize(
    ("limit", "fine"),
    [
        ({"capacity": 0}, True), ({"capacity": -1}, False), ({"shrinkage": 0.99}, True),
        ({"shrinkage": 1.0}, False), ({"occupancy": 1.0}, True), ({"occupancy": 1.01}, False),
        ({"occupancy": 0.0}, False), ({"handle_min": 0.1}, True), ({"handle_min": 0.0}, False),
        ({"people": 0}, True), ({"hours_per_day": float("inf")}, False), ({"sla_min": 0.0}, True),
    ],
)  # fmt: skip
def test_a_limit_is_refused_beyond_its_bounds(limit: dict[str, Any], fine: bool) -> None:
    if fine:
        capacities({"outbound_cc": ChannelLimit(**limit)})
        return
    with pytest.raises(InputError, match=f"channel.limits.outbound_cc.{next(iter(limit))} = "):
        capacities({"outbound_cc": ChannelLimit(**limit)})


def test_channels_are_known_by_name_and_capacities_not_negative() -> None:
    for limits, given in (({"fax": ChannelLimit()}, {}), ({}, {"fax": 1.0})):
        with pytest.raises(InputError, match="channel limits name 'fax'"):
            capacities(limits, given)
    with pytest.raises(InputError, match="capacity of field is -1"):
        capacities(given={"field": -1.0})


# options


IDS = pl.Series("account_id", ["a", "b", "c", "d"])


def known(any_action: bool = False) -> tuple[Any, np.ndarray, np.ndarray]:
    actions = pl.DataFrame(
        {
            "account_id": ["d", "c", "b", "a"], "action": ["nothing", "offer", "visit", "visit"],
            "channel": [None, "outbound_cc", "field", "field"], "expected_value_eur": [0.0, -4.0, 6.0, 5.0],
            "explore": [None, True, False, False],
        }
    )  # fmt: skip
    options = pl.DataFrame(
        {
            "account_id": IDS, "visit/field": [5.0, 6.0, 9.0, 9.0],
            "visit/outbound_cc": [2.0, None, 8.0, 9.0], "offer/outbound_cc": [3.0, 7.0, -4.0, 9.0],
            "offer/ecom_self": [-1.0, 0.0, 2.0, 9.0],
        }
    )  # fmt: skip
    found = read_options(IDS, actions, options)
    return (found, *value_channels(found, any_action=any_action))


def test_options_are_those_of_the_chosen_action_or_of_any() -> None:
    found, option, value = known()
    assert found.chosen.tolist() == [0, 0, 2, -1]
    assert found.explore.tolist() == [False, False, True, False]
    assert found.names == (
        ("visit", "field"), ("visit", "outbound_cc"), ("offer", "outbound_cc"), ("offer", "ecom_self"),
    )  # fmt: skip
    assert found.value_of(1).tolist() == [2.0, NEVER, 8.0, 9.0]
    # c was drawn for exploration: only what was drawn, at a loss too
    assert option[FIELD].tolist() == [0, 0, -1, -1]
    assert option[CALL].tolist() == [1, -1, 2, -1]
    assert option[SELF].tolist() == [-1] * 4
    assert value[CALL].tolist() == [2.0, NEVER, -4.0, NEVER]
    _, option, value = known(any_action=True)
    assert option[CALL].tolist() == [2, 2, 2, -1]
    assert value[CALL].tolist() == [3.0, 7.0, -4.0, NEVER]
    assert option[SELF].tolist() == [-1] * 4
    own = read_options(IDS[:2], found.frame[:2], None)
    assert own.names == (("visit", "field"),)
    assert own.value_of(0).tolist() == [5.0, 6.0]
    assert own.explore.tolist() == [False, False]
    plain = read_options(IDS[:2], found.frame[:2].drop("explore"), None)
    assert plain.explore.tolist() == [False, False]


def inputs(ids: pl.Series, preferred: list[str | None] | None = None) -> PlanInputs:
    frame = pl.DataFrame({"account_id": ids})
    if preferred is not None:
        frame = frame.with_columns(preferred_channel=pl.Series(preferred, dtype=pl.String))
    return PlanInputs(frame, AccountSchema(has_preferred_channel=preferred is not None), AS_OF)


def test_urgent_is_what_is_due_before_the_next_day_is_over() -> None:
    since = [AS_OF - timedelta(hours=30), AS_OF - timedelta(hours=2), AS_OF + timedelta(days=3)]
    waiting = pl.DataFrame({"account_id": ["b", "b", "c"], "waiting_since": since})
    sla = np.array([24.0, 53.9, 24.1, 1.0]) * 60
    wanted = np.array([True, True, True, False])
    found = find_urgent(inputs(IDS), sla, waiting, wanted)
    hour = 3_600_000_000
    assert ((found.since - found.since[0]) / hour).tolist() == [0.0, -30.0, 0.0, 0.0]
    assert ((found.due - found.since) / hour).tolist() == pytest.approx([24.0, 53.9, 24.1, 1.0])
    # 24 hours from tonight are the end of the next day
    assert found.urgent.tolist() == [False, True, False, False]
    earlier = find_urgent(inputs(IDS), sla - 1.0, None, wanted)
    assert earlier.urgent.tolist() == [True, False, False, False]
    with pytest.raises(InputError, match="waiting_since"):
        find_urgent(inputs(IDS), sla, waiting.drop("waiting_since"), wanted)


def test_weights_are_cents_with_a_bonus_for_the_preferred_channel_and_precedence() -> None:
    value = np.full((5, 4), NEVER)
    value[FIELD], value[CALL] = [5.0, 6.004, -3.0, 0.001], [NEVER, 2.0, NEVER, 1.0]
    option = np.where(np.isfinite(value), 0, -1)
    urgency = Urgency(np.zeros(4, np.int64), np.zeros(4, np.int64), np.array([False, False, True, False]))
    first = np.array([False, True, True, False])
    found = weigh(
        inputs(IDS, ["field", "outbound_cc", "field", None]), option, value, urgency,
        preference_factor=1.5, first=first,
    )  # fmt: skip
    assert found.cents[FIELD].tolist() == [750.0, 600.0, 1.0, 1.0]
    assert found.cents[CALL].tolist() == [NEVER, 300.0, NEVER, 100.0]
    # a due visit outweighs six of the largest values, an urgent one six of those with it
    due, urgent = 6 * 750.0, 6 * (6 * 750.0 + 750.0)
    precedence = found.weight[FIELD] - found.cents[FIELD]
    assert precedence.tolist() == [0.0, due, urgent, 0.0]
    plain = weigh(inputs(IDS), option, value, urgency, preference_factor=1.5, first=first)
    assert plain.cents[FIELD].tolist() == [500.0, 600.0, 1.0, 1.0]


def test_an_action_may_have_its_own_time() -> None:
    limits = derive_capacities(None, {"outbound_cc": ChannelLimit(sla_min=30)}, {}, 7)
    frame = pl.DataFrame({"action": ["a", "b", "a", "a"], "channel": ["outbound_cc", "field", None, "field"]})
    assert _sla_of(frame, limits, ChannelParams()).tolist() == [30.0, 7200.0, 0.0, 7200.0]
    own = ChannelParams(sla_by_action_min={"b": 5.0})
    assert _sla_of(frame, limits, own).tolist() == [30.0, 5.0, 0.0, 7200.0]


# commitments


def settled(*rows: tuple[str, str, str, str | None]) -> tuple[Commitments, Any]:
    found, option, value = known()
    frame = pl.DataFrame(list(rows), schema=COMMITMENT_COLUMNS, orient="row")
    return read_commitments(IDS, frame, found, option, value), (found, option, value)


def test_a_commitment_has_the_chosen_option_or_the_best_permitted_one() -> None:
    contacts, _ = settled(
        ("a", "outbound_cc", "promised", None), ("b", "outbound_cc", "due", None),
        ("c", "field", "closed", "no road"), ("d", "inbound_cc", "planned", None),
    )  # fmt: skip
    assert contacts.channel.tolist() == [CALL, CALL, FIELD, INBOUND]
    # of a the chosen action's option, though another one is worth more; of b the only one there is
    assert contacts.option.tolist() == [1, 2, 0, -1]
    assert contacts.value_eur.tolist() == [2.0, 7.0, 9.0, 0.0]
    assert (contacts.promised.tolist(), contacts.due.tolist()) == (
        [True, False, False, False], [False, True, False, False],
    )  # fmt: skip
    assert contacts.settled.tolist() == [True, False, False, True]
    assert contacts.closed.tolist() == [False, False, True, False]
    assert contacts.per_channel(contacts.settled).tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
    found, option, value = known()
    assert read_commitments(IDS, None, found, option, value).channel.tolist() == [-1] * 4


def test_what_is_settled_leaves_what_is_due_has_one_channel_and_what_is_closed_the_others() -> None:
    contacts, (found, option, value) = settled(
        ("a", "field", "closed", "far"), ("b", "outbound_cc", "due", None), ("c", "outbound_cc", "due", None),
    )  # fmt: skip
    wanted = np.array([True, True, True, False])
    left, worth, first = restrict(option, value, contacts, wanted, found.explore)
    assert first.tolist() == [False, True, False, False]  # what was drawn for exploration goes as it is
    assert left[FIELD].tolist() == [-1, -1, -1, -1]
    assert left[CALL].tolist() == [1, 2, 2, -1]
    assert worth[CALL].tolist() == [2.0, 7.0, -4.0, NEVER]
    assert option[FIELD].tolist() == [0, 0, -1, -1]  # what was given stays
    promised, _ = settled(("b", "field", "promised", None))
    left, worth, first = restrict(option, value, promised, wanted, found.explore)
    assert (left[:, 1] == -1).all()
    assert (worth[:, 1] == NEVER).all()
    assert not first.any()
    unwanted = restrict(option, value, contacts, np.zeros(4, dtype=bool), found.explore)[2]
    assert not unwanted.any()


def test_settled_contacts_are_put_back_at_what_they_are_worth() -> None:
    contacts, (_, option, value) = settled(
        ("a", "outbound_cc", "promised", None), ("d", "inbound_cc", "planned", None)
    )
    cents = np.where(np.isfinite(value), value * 100, NEVER)
    given = OptionValues(option, value, cents, cents.copy())
    values, choice = put_back(given, np.array([-1, FIELD, -1, -1]), contacts)
    assert choice.tolist() == [CALL, FIELD, -1, INBOUND]
    assert (values.option[CALL, 0], values.value_eur[CALL, 0], values.cents[CALL, 0]) == (1, 2.0, 200.0)
    assert (values.value_eur[INBOUND, 3], values.cents[INBOUND, 3], values.weight[INBOUND, 3]) == (0, 1, 1)
    assert given.cents[INBOUND, 3] == NEVER
    nobody, _ = settled()
    assert put_back(given, choice, nobody)[0] is given


def test_settled_contacts_take_their_part_of_each_capacity() -> None:
    contacts, _ = settled(
        ("a", "outbound_cc", "promised", None), ("b", "outbound_cc", "planned", None),
        ("c", "field", "promised", None), ("d", "field", "due", None),
    )  # fmt: skip
    limits = derive_capacities(
        None, {"outbound_cc": ChannelLimit(capacity=3), "field": ChannelLimit(capacity=1)}, {}, 7
    )
    one_each = np.array([item.contacts for item in limits])
    assert without_settled(limits, one_each, None, contacts).tolist() == [0.0, 1.0, *[np.inf] * 3]
    minutes = np.array([60.0, 20.0, 9.0, 9.0, 9.0])
    use = np.full((5, 4), 7.0)
    use[CALL] = [8.0, 5.0, 1.0, 1.0]
    # the field is full by contacts, whatever minutes are left
    assert without_settled(limits, minutes, use, contacts).tolist() == [0.0, 7.0, 9.0, 9.0, 9.0]
    assert without_settled(limits, minutes / 2, use, contacts)[CALL] == 0.0
    assert promised_beyond(limits, contacts) == []
    many, _ = settled(("c", "field", "promised", None), ("d", "field", "promised", None))
    assert promised_beyond(limits, many) == ["field: 2 contacts are promised, its capacity is 1"]


# the queue


def test_the_queue_is_urgent_by_due_moment_then_by_worth() -> None:
    value = np.full((5, 7), NEVER)
    value[FIELD] = [50.0, 10.0, 20.0, 99.0, 30.0, NEVER, 40.0]
    value[CALL] = [NEVER, 12.0, 20.0, NEVER, NEVER, NEVER, NEVER]
    values = OptionValues(np.zeros(value.shape, np.int64), value, value * 100, value * 100)
    now, day = 1_000, 86_400_000_000
    due = np.array([now + 2 * day, now + day, now, now, now + 9 * day, now, now + 3 * day])
    urgency = Urgency(np.full(7, now), due, np.array([False, True, True, True, False, False, False]))
    rows = np.array([0, 1, 2, 4, 5, 6])
    ids = pl.Series("account_id", list("abcdefg"))
    served = np.array([2.0, 0.0, 1.0, 1.0, 1.0])
    frame, order = rank_waiting(ids, rows, values, urgency, served_per_day=served, now=now)
    assert order.tolist() == [2, 1, 0, 6, 4, 5]
    assert frame["rank"].to_list() == [1, 2, 3, 4, 5, 6]
    assert frame["account_id"].to_list() == ["c", "b", "a", "g", "e", "f"]
    assert frame["channel"].to_list() == ["field", "outbound_cc", "field", "field", "field", None]
    assert frame["value_eur"].to_list() == [20.0, 12.0, 50.0, 40.0, 30.0, 0.0]
    assert frame["expected_wait_days"].to_list() == [1.0, None, 1.0, 2.0, 2.0, None]
    assert frame["in_time"].to_list() == [False, False, True, True, True, False]
    assert frame["urgent"].to_list() == [True, True, False, False, False, False]
    assert frame["reason"].to_list() == [
        "field is full: place 1 in its queue", "outbound_cc has no capacity",
        "field is full: place 2 in its queue", "field is full: place 3 in its queue",
        "field is full: place 4 in its queue", "no channel is allowed",
    ]  # fmt: skip
    told = say_why_closed(frame, pl.Series([None, None, "x", None, None, "its visit is not due"]))
    assert told["reason"].to_list()[2] == "field is full: place 2 in its queue"
    assert told["reason"].to_list()[5] == "its visit is not due"


# exploration


def test_explored_accounts_go_first_up_to_a_share_of_a_limited_channel() -> None:
    found, option, _ = known()
    found = replace(found, explore=np.array([True, True, True, True]))
    for capacity, share, count in ((4, 0.5, 2), (3, 0.5, 1), (1, 0.5, 0), (None, 0.5, 2)):
        limits = derive_capacities(
            None, {"field": ChannelLimit(capacity=capacity), "outbound_cc": ChannelLimit(capacity=0)}, {}, 7
        )
        drawn = _first_explored(found, option, limits, share, np.random.default_rng(0))
        assert len(drawn) == count
        assert set(drawn.tolist()) <= {0, 1}  # d is not wanted, c has no visit


def test_as_many_go_first_as_the_gain_allows() -> None:
    tried: list[int] = []

    def attempt(first: np.ndarray) -> Any:
        """Each account that goes first costs 3 EUR of 100."""
        tried.append(first.size)
        value = np.full((5, 1), 100.0 - 3.0 * first.size)
        solution = type("Found", (), {"choice": np.array([FIELD])})()
        return OptionValues(np.zeros((5, 1), np.int64), value, value, value), solution

    drawn = np.arange(8)
    for of_gain, spent, count in (
        (0.12, 0.0, 4),
        (0.12, 0.005, 4),
        (0.12, 0.015, 2),
        (0.0, 0.0, 0),
        (1.0, 0.0, 8),
    ):
        tried.clear()
        (values, _), given_up = _let_go_first(attempt, drawn, of_gain, spent)
        assert values.value_eur[FIELD, 0] == 100.0 - 3.0 * count
        assert given_up == pytest.approx(3.0 * count)
    assert tried == [0, 8]


# the frame


def test_channels_confidence_and_prices_of_a_small_company() -> None:
    """One visit: it is worth 30, 20 and 12; two could be called instead, for 26 and 15."""
    ids = pl.Series("account_id", ["a", "b", "c", "d"])
    actions = pl.DataFrame(
        {
            "account_id": ids, "action": ["visit"] * 3 + ["nothing"], "channel": ["field"] * 3 + [None],
            "expected_value_eur": [30.0, 20.0, 12.0, 0.0],
        }
    )  # fmt: skip
    options = pl.DataFrame(
        {
            "account_id": ids, "visit/field": [30.0, 20.0, 12.0, None],
            "visit/outbound_cc": [26.0, 15.0, None, None], "call/outbound_cc": [None, None, 50.0, None],
        }
    )  # fmt: skip
    limits = {"field": ChannelLimit(capacity=1), "outbound_cc": ChannelLimit(capacity=5)}
    found = allocate_channels(
        ids.to_frame(), actions, ChannelParams(limits=limits), options=options, as_of=AS_OF
    )
    frame = found.frame
    assert frame["channel"].to_list() == ["outbound_cc", "outbound_cc", "field", None]
    assert frame["second_channel"].to_list() == ["field", "field", None, None]
    assert frame["expected_value_eur"].to_list() == [26.0, 15.0, 12.0, 0.0]
    assert frame["urgent"].to_list() == [False] * 4
    table = {row["channel"]: row for row in found.table.to_dicts()}
    # a visit more would be that of b, who is worth 5 more there; demand is who would choose it at no price
    assert table["field"] == {
        "channel": "field", "demand": 3, "capacity": 1, "scheduled": 1, "backlog": 0, "sla_min": 7200.0,
        "sla_met": True, "price_eur": 5.0, "last_place_eur": 12.0, "capacity_source": "declared",
    }  # fmt: skip
    assert (table["outbound_cc"]["price_eur"], table["outbound_cc"]["scheduled"]) == (0.0, 2)
    # of c: 12 less the price of 5, against nothing, of 12
    assert frame["channel_confidence"].to_list()[2:] == [pytest.approx(7 / 12), None]
    assert frame["channel_confidence"].to_list()[:2] == [pytest.approx(1 / 26), pytest.approx(0.0)]
    assert (found.value_eur, found.gap_share, found.waitlist.height) == (53.0, 0.0, 0)
    none = allocate_channels(
        ids.to_frame(), actions, ChannelParams(limits={name: ChannelLimit(capacity=0) for name in CHANNELS}),
        options=options, as_of=AS_OF,
    )  # fmt: skip
    assert none.summary()["waiting"] == 3
    assert none.frame["waiting_for"].to_list() == ["field", "field", "field", None]
    assert none.frame["wait_rank"].to_list() == [1, 2, 3, None]
    assert none.frame["expected_value_eur"].to_list() == [30.0, 20.0, 12.0, 0.0]
    half = Channels(frame, found.table, found.waitlist, 50.0, 60.0, 0)
    assert half.gap_share == pytest.approx(0.2)
    assert replace(half, value_eur=0.0).gap_share == 0.0


def test_minutes_of_visits_are_their_own_and_the_way() -> None:
    """Visits of 20, 85 and an unknown number of minutes, 15 more for the way; 120 minutes are there."""
    accounts = pl.DataFrame({"account_id": ["a", "b", "c"], "visit_min": [20.0, 85.0, None]})
    actions = pl.DataFrame(
        {
            "account_id": ["a", "b", "c"], "action": ["visit"] * 3, "channel": ["field"] * 3,
            "expected_value_eur": [10.0, 30.0, 5.0],
        }
    )  # fmt: skip
    schema = AccountSchema(roles={"visit_min": "visit_min"})
    for minutes, reached in ((100, ["b"]), (135, ["a", "b"]), (184, ["a", "b"]), (185, ["a", "b", "c"])):
        limits = {"field": ChannelLimit(capacity=minutes, handle_min=1.0)}
        params = ChannelParams(limits=limits, consumption="minutes", way_min=15.0)
        found = allocate_channels(accounts, actions, params, schema=schema, as_of=AS_OF).frame
        assert found.filter(pl.col("channel") == "field")["account_id"].to_list() == reached


# prices and repair


def test_kernels_compare_with_the_best_other_choice() -> None:
    value = np.array([[9.0, 4.0, NEVER], [7.0, 6.0, -1.0]])
    prices = np.array([3.0, 1.0])
    assert surplus_over_alternatives(value, ONE_EACH, prices, 0).tolist() == [3.0, -1.0, NEVER]
    choice, worth, lead = decide(value, ONE_EACH, prices)
    assert (choice.tolist(), worth.tolist()) == ([0, 1, -1], [6.0, 5.0, 0.0])
    assert lead.tolist() == [0.0, 4.0, 2.0]
    use = np.array([[2.0, 1.0, 1.0], [1.0, 3.0, 1.0]])
    assert surplus_over_alternatives(value, use, prices, 0)[:2].tolist() == [3.0, 1.0]
    assert decide(value, use, prices)[1].tolist() == [6.0, 3.0, 0.0]


def test_prices_are_the_least_at_which_those_who_pay_more_fit() -> None:
    value = np.array([[9.0, 7.0, 4.0, 1.0]])
    for places, price in ((0, 9.0), (1, 7.0), (3, 1.0), (4, 0.0)):
        assert settle_prices(value, ONE_EACH, np.array([float(places)]), np.zeros(1)).tolist() == [price]
    use = np.array([[3.0, 1.0, 2.0, 1.0]])  # worth a minute: 3, 7, 2, 1
    for minutes, price in ((0.5, 7.0), (1.0, 3.0), (4.0, 2.0), (6.5, 1.0), (7.0, 0.0)):
        assert settle_prices(value, use, np.array([minutes]), np.zeros(1)).tolist() == [price]


def test_who_loses_least_a_minute_leaves_and_who_gains_most_moves_in() -> None:
    value = np.array([[9.0, 8.0, 6.0], [5.0, 7.5, 1.0]])
    use = np.array([[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]])
    none = np.zeros(2)
    # four minutes for three: the second loses half a euro by going to the other channel
    assert repair(value, use, np.array([4.0, 9.0]), none, np.zeros(3, np.int64)).tolist() == [0, 1, 0]
    assert repair(value, use, np.array([4.0, 0.0]), none, np.zeros(3, np.int64)).tolist() == [0, 0, -1]
    assert repair(value, use, np.array([6.0, 0.0]), none, np.full(3, -1)).tolist() == [0, 0, 0]
    take = np.array([5.0, 4.0, 3.0, 1.0])
    assert _fitting(take, np.array([0, 1, 2, 3]), 9.0).tolist() == [0, 1]
    assert _fitting(take, np.array([0, 1, 2, 3]), 8.0).tolist() == [0, 2]
    assert _fitting(take, np.array([0, 1, 2, 3]), 4.5).tolist() == [1]
