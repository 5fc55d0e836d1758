"""Values of the contact centre: demand, people, calls and simulated days, by hand or played a second time."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.inputs import working_days
from dealwright.plan.staffing.activities import IDLE
from dealwright.plan.staffing.backlog import carried_over, forecast_backlog
from dealwright.plan.staffing.call_list import _calls, distinct_windows, honour_call_backs, missed_calls
from dealwright.plan.staffing.calls import Slots, cut_slots
from dealwright.plan.staffing.demand import (
    ChannelDemand,
    daily_profile,
    drain_intervals,
    forecast_contacts,
    measure_demand,
)
from dealwright.plan.staffing.erlang import required_agents, scheduled_agents
from dealwright.plan.staffing.levels import _games, _play, _runs, judge_levels
from dealwright.plan.staffing.params import DEFAULT_WORK, ScheduleParams, Work
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.roster import Person, Roster, RosterShift
from dealwright.plan.staffing.shifts import Cover
from dealwright.plan.staffing.simulation import chance, chance_error, simulate_backlog, simulate_queue
from dealwright.plan.staffing.workforce import Workforce, callers, put_to_work
from dealwright.schemas import ARRIVAL_COLUMNS, TIMESTAMP, TOUCH_COLUMNS, AccountSchema, PlanInputs

AS_OF = datetime(2026, 7, 3)  # a Friday
MONDAY = date(2026, 7, 6)
# four hours, an interval an hour
SHORT = ScheduleParams(opens_min=540, closes_min=780, interval_min=60)
INBOUND, OUTBOUND, MESSAGES = DEFAULT_WORK


def inputs(**columns: list[object]) -> PlanInputs:
    accounts = pl.DataFrame({"account_id": ["a", "b"], **columns})
    roles = {"inbound_calls": "inbound_calls"} if "inbound_calls" in columns else {}
    return PlanInputs(accounts, AccountSchema(roles=roles), AS_OF)


def arrivals(*rows: tuple[str, int, float]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=ARRIVAL_COLUMNS, orient="row")


def force(*activity: list[list[int]], skills: tuple[frozenset[str], ...] | None = None) -> Workforce:
    """Return people with their activity by interval, one table per day."""
    days = [np.array(rows, dtype=np.int64) for rows in activity]
    count = max(len(rows) for rows in days)
    return Workforce(
        tuple(f"p{k}" for k in range(count)), skills or (frozenset(DEFAULT_WORK),) * count,
        tuple(np.arange(len(rows)) for rows in days), tuple(days),
        tuple(np.zeros((3, rows.shape[1])) for rows in days),
    )  # fmt: skip


# demand


def test_the_days_of_a_plan_are_the_working_days_after_the_cut_off() -> None:
    assert working_days(AS_OF, replace(SHORT, days=2)) == (MONDAY, MONDAY + timedelta(days=1))
    saturday = replace(SHORT, weekdays=(5,), days=2)
    assert working_days(AS_OF, saturday) == (date(2026, 7, 4), date(2026, 7, 11))
    assert working_days(AS_OF, replace(SHORT, first_day=datetime(2026, 7, 3))) == (date(2026, 7, 3),)


def test_contacts_come_from_the_forecast_else_from_past_calls_and_what_is_left_over_first() -> None:
    given = inputs(inbound_calls=[100.0, -5.0])
    params = replace(SHORT, inbound_days=70.0, weekdays=(0, 1, 2, 3, 4))
    found = forecast_contacts(given, {OUTBOUND: 7.0, INBOUND: 9.0}, None, {OUTBOUND: 2.5}, params)
    # a hundred calls in ten weeks are two on each working day
    assert found[INBOUND][0] == pytest.approx(2.0 * daily_profile(params))
    assert found[INBOUND][1:] == (0.0, "the accounts' incoming calls")
    assert found[OUTBOUND][0].tolist() == [2.5, 0.0, 0.0, 0.0]
    assert found[OUTBOUND][1:] == (7.0, "the plan's own contacts, and 2.5 carried over")
    assert found[MESSAGES][0].tolist() == [0.0] * 4
    assert found[MESSAGES][1:] == (0.0, "nothing is known to arrive")
    forecast = arrivals((MESSAGES, 540, 3.0), (MESSAGES, 540, 1.0), (MESSAGES, 600, 8.0), (INBOUND, 660, 5.0))
    found = forecast_contacts(given, {MESSAGES: 1.0}, forecast, {}, params)
    assert found[MESSAGES][0].tolist() == [4.0, 8.0, 0.0, 0.0]
    assert found[MESSAGES][2] == "the forecast given, and the plan's own"
    assert found[INBOUND][0].tolist() == [0.0, 0.0, 5.0, 0.0]
    # a row of two hours is spread over both of its intervals
    wide = arrivals((MESSAGES, 540, 10.0), (MESSAGES, 660, 4.0))
    assert forecast_contacts(given, {}, wide, {}, params)[MESSAGES][0].tolist() == [5.0, 5.0, 2.0, 2.0]
    gone = np.array([True, False, False, False])
    found = forecast_contacts(given, {}, forecast, {MESSAGES: 2.0}, params, skipped=gone)
    assert found[MESSAGES][0].tolist() == [0.0, 10.0, 0.0, 0.0]
    for wrong in ({"field": 1.0}, {MESSAGES: -1.0}, {MESSAGES: math.inf}):
        with pytest.raises(InputError, match="carried-over work"):
            forecast_contacts(given, {}, None, wrong, params)
    for start in (480, 539, 781):
        with pytest.raises(InputError, match=f"at {start} minutes after midnight, outside"):
            forecast_contacts(given, {}, arrivals((MESSAGES, start, 1.0)), {}, params)


def test_a_day_is_shared_out_by_the_weights_of_its_hours() -> None:
    hours = tuple(float(k) for k in range(24))
    params = replace(SHORT, hours=hours)
    # in the middle of an hour its own weight counts, between two hours their mean
    assert daily_profile(params) == pytest.approx(np.array([9, 10, 11, 12]) / 42)
    half = daily_profile(replace(params, interval_min=30))
    assert half == pytest.approx(np.array([8.75, 9.25, 9.75, 10.25, 10.75, 11.25, 11.75, 12.25]) / 84)
    assert daily_profile(replace(params, hours=(1.0, *[0.0] * 23))).tolist() == [0.25] * 4


def test_a_queue_needs_in_each_interval_what_erlang_says() -> None:
    contacts = np.array([0.0, 40.0, 90.0, 40.0])
    found = measure_demand(INBOUND, contacts, 0.0, "x", params=SHORT)
    work = Work()
    agents = [required_agents(calls * 6.0 / 60.0, work) for calls in contacts]
    assert found.required.tolist() == scheduled_agents(np.array(agents), 0.3).tolist()
    assert found.required.tolist() == [math.ceil(n / 0.7) for n in agents]
    # of a scheduled hour .7 · .85 is spent on contacts at most
    assert found.idle == pytest.approx(found.required - contacts * 0.1 / (0.7 * 0.85))
    assert (found.due.tolist(), found.arrived.tolist(), found.windows) == ([0.0] * 4, [0.0] * 4, None)


def test_work_that_may_wait_is_due_when_its_time_is_over_and_the_plans_own_by_the_evening() -> None:
    params = replace(
        SHORT, work={MESSAGES: Work("drain", 6.0, max_occupancy=0.5, shrinkage=0.0, drain_h=2.0)}
    )
    assert drain_intervals(params.work_of(MESSAGES), params) == 2
    assert drain_intervals(Work("drain", drain_h=0.1), params) == 1
    found = measure_demand(MESSAGES, np.array([10.0, 20.0, 0.0, 5.0]), 15.0, "x", params=params)
    # a contact is a fifth of an hour; what came within an hour is done by the end of the next one
    assert found.due == pytest.approx([0.0, 2.0, 6.0, 10.0])
    assert found.arrived == pytest.approx([5.0, 9.0, 9.0, 10.0])
    assert found.contacts.tolist() == [25.0, 20.0, 0.0, 5.0]
    assert found.own == 15.0
    morning = np.array([True, True, False, False])
    windows = [(3.0, morning), (2.0, np.zeros(4, dtype=bool))]
    found = measure_demand(
        MESSAGES, np.array([10.0, 0.0, 0.0, 0.0]), 5.0, "x", params=params, windows=windows
    )
    assert found.arrived == pytest.approx([2.6] * 4)  # nobody need come in for who cannot be called
    assert found.due == pytest.approx([0.0, 2.0, 2.0, 2.6])
    assert found.windows is not None
    assert [amount for amount, _ in found.windows] == pytest.approx([0.6, 2.0])
    assert [kind.tolist() for _, kind in found.windows] == [morning.tolist(), [True] * 4]


# people


def test_those_at_work_make_as_many_contacts_as_their_time_holds() -> None:
    team = force([[0, 1, 1, IDLE], [2, 2, 1, 1]])
    params = replace(SHORT, work={OUTBOUND: Work("drain", 9.0, max_occupancy=0.9, shrinkage=0.25)})
    assert team.scheduled(0).tolist() == [[1, 0, 0, 0], [0, 1, 2, 1], [1, 1, 0, 0]]
    assert team.channels_of(0) == {0: [INBOUND, OUTBOUND], 1: [OUTBOUND, MESSAGES]}
    contacts = team.contacts_per_day(0, params)
    assert contacts[OUTBOUND] == math.floor(4 * 60 * 0.75 * 0.9 / 9.0)
    assert contacts[INBOUND] == math.floor(60 * 0.7 * 0.85 / 6.0)
    between = replace(team, between=(np.array([[0.0] * 4, [0.0] * 4, [0.5, 0.5, 0.0, 0.0]]),))
    assert between.contacts_per_day(0, params)[MESSAGES] == math.floor(3 * 60 * 0.75 * 0.9 / 10.0)
    people, on_calls = callers(team, OUTBOUND)[0]
    assert people.tolist() == [0, 1]
    assert on_calls.tolist() == [[False, True, True, False], [False, False, True, True]]


def test_everybody_on_the_roster_gets_work_and_who_is_missing_does_no_messages() -> None:
    """Two are meant to answer calls, one is found: half of the messages between calls are done."""
    shift = Shift("s", 540, 660, 120, None, ())
    demand = [
        ChannelDemand(name, DEFAULT_WORK[name], *(np.zeros(4),) * 5, None, "x")
        for name in (INBOUND, MESSAGES)
    ]
    assigned = np.zeros((1, 2, 4))
    assigned[0, 0, :2] = 2.0
    cover = Cover.__new__(Cover)
    object.__setattr__(cover, "assigned", assigned)
    object.__setattr__(cover, "between", np.array([[0.0] * 4, [0.0] * 4, [0.8, 0.4, 0.0, 0.0]]))
    roster = Roster.__new__(Roster)
    object.__setattr__(roster, "assignments", (RosterShift(0, 1, 0, 0),))
    staff = tuple(Person.__new__(Person) for _ in range(2))
    for name, person in zip(("anna", "ben"), staff, strict=True):
        object.__setattr__(person, "rep_id", name)
        object.__setattr__(person, "channels", frozenset({INBOUND}))
    found = put_to_work(roster, [cover], [((0, 1),)], staff, shifts=[[shift]], demand=demand, params=SHORT)
    assert found.rep_ids == ("anna", "ben")
    assert found.people[0].tolist() == [1]
    assert found.activity[0].tolist() == [[0, 0, IDLE, IDLE]]
    assert found.between[0][2].tolist() == [0.4, 0.2, 0.0, 0.0]
    unnamed = put_to_work(roster, [cover], [((0, 1),)], None, shifts=[[shift]], demand=demand, params=SHORT)
    assert unnamed.rep_ids == ("agent 001", "agent 002")
    # who is there beyond what is wanted does what the group is able to do
    object.__setattr__(cover, "assigned", np.zeros((1, 2, 4)))
    for place, item in enumerate(demand):
        for person in staff:
            object.__setattr__(person, "channels", frozenset({item.channel}))
        spare = put_to_work(
            roster, [cover], [((0, 1),)], staff, shifts=[[shift]], demand=demand, params=SHORT
        )
        assert spare.activity[0].tolist() == [[place, place, IDLE, IDLE]]


# calls


@pytest.mark.parametrize(("spacing_min", "handle_min"), [(14.0, 8.0), (9.5, 9.5), (20.25, 7.75), (61.0, 5.0)])
def test_calls_are_cut_one_after_the_other(spacing_min: float, handle_min: float) -> None:
    params = ScheduleParams(opens_min=540, closes_min=1140, interval_min=15)
    rng = np.random.default_rng(3)
    activity = [np.repeat(rng.random((7, 10)) < 0.6, 4, axis=1) for _ in range(3)]
    activity[1][2:4] = activity[1][2]  # shifts that are alike
    expected: list[tuple[int, int, int]] = []
    rest = 0.0
    for day, on in enumerate(activity):
        for person, present in enumerate(on):
            places = [t for t, here in enumerate(present) if here]
            minutes = 15 * len(places)
            count = int(minutes / spacing_min + 1e-9)
            rest += minutes / spacing_min - count
            if rest >= 1 - 1e-9 and (count + 1) * handle_min <= minutes:
                count, rest = count + 1, rest - 1
            apart, free_from = min(spacing_min, minutes / max(count, 1)), 0.0
            for k in range(count):
                place = places[min(int(k * apart // 15), len(places) - 1)]
                begin = int(540 + place * 15 + k * apart % 15)
                if place + 1 == 40 or not present[place + 1]:  # it ends with the time on calls, if it can
                    begin = max(min(begin, int(540 + (place + 1) * 15 - handle_min)), 540 + place * 15)
                begin = max(begin, math.ceil(free_from))
                expected.append((day, begin, person))
                free_from = begin + handle_min
    found = cut_slots(activity, spacing_min, handle_min, params)
    assert len(expected) > 50
    table = list(zip(found.day.tolist(), found.start_min.tolist(), found.person.tolist(), strict=True))
    assert table == sorted(expected)
    nobody = cut_slots([np.zeros((2, 40), dtype=np.bool_)], spacing_min, handle_min, params)
    assert nobody.day.size == 0


def test_a_call_says_who_when_until_when_and_what_time_it_is_there() -> None:
    slots = Slots(*(np.array(values) for values in ([0, 1], [555, 600], [0, 0])))
    assert (slots.day.size, slots.start_min.tolist()) == (2, [555, 600])
    found = _calls(
        pl.Series(["a", "b", "c"]), np.array([5.0, 6.0, 7.0]), np.array([1, -1, 0]), slots,
        pl.Series(["Europe/London", "Europe/Madrid", "Europe/Madrid"]), promised=1,
        rep_of=lambda day, place: f"r{day}{place}", days=[MONDAY, MONDAY + timedelta(days=1)],
        handle_min=8.0, company="Europe/Madrid",
    )  # fmt: skip
    assert found.rows() == [
        ("r00", "c", OUTBOUND, datetime(2026, 7, 6, 9, 15), datetime(2026, 7, 6, 9, 23),
         datetime(2026, 7, 6, 9, 15), 3, 7.0, False),
        ("r10", "a", OUTBOUND, datetime(2026, 7, 7, 10, 0), datetime(2026, 7, 7, 10, 8),
         datetime(2026, 7, 7, 9, 0), 1, 5.0, True),
    ]  # fmt: skip


def test_rare_windows_count_with_the_frequent_one_most_like_them() -> None:
    kinds = np.eye(60, 60, dtype=bool)
    kinds[:, 0] = True
    number = np.arange(60, 0, -1).astype(float)
    found, total = distinct_windows(np.concatenate([kinds, kinds[:1]]), np.append(number, 5.0))
    assert len(found) == 40
    assert total.sum() == number.sum() + 5.0
    assert total[0] == 65.0 + number[40:].sum()  # all are like the first in one hour, and the first is first
    empty = distinct_windows(np.zeros((0, 4), dtype=bool), np.zeros(0))
    assert (len(empty[0]), len(empty[1])) == (0, 0)


def test_a_missed_call_counts_once_more_on_the_first_day_it_may_be_made() -> None:
    morning, evening = np.array([1, 1, 0, 0], dtype=bool), np.array([0, 0, 0, 1], dtype=bool)
    day = (np.stack([morning, evening]), np.array([3.0, 2.0]))
    never = np.zeros((2, 4), dtype=bool)
    assert missed_calls([day, day], [never]) is None
    second = never.copy()
    second[1] = evening
    both = np.stack([morning, morning])
    found = missed_calls([day, day], [second, both, never])
    assert found is not None
    assert [number.tolist() for _, number in found] == [[4.0, 2.0], [3.0, 3.0]]
    assert day[1].tolist() == [3.0, 2.0]


def test_at_a_promised_moment_somebody_calls_first_who_promised_then_whose_work_may_wait() -> None:
    promised = pl.DataFrame(
        {"account_id": ["a"], "at": [datetime(2026, 7, 6, 10, 30)], "rep_id": [None]},
        schema={"account_id": pl.String, "at": TIMESTAMP, "rep_id": pl.String},
    )
    queue, calls, messages = range(3)
    team = force([[queue] * 4, [messages] * 4, [IDLE] * 4])
    found = honour_call_backs(team, promised, [MONDAY], SHORT).activity[0]
    assert found[:, 1].tolist() == [queue, calls, IDLE]
    assert found[:, 0].tolist() == [queue, messages, IDLE]
    own = honour_call_backs(team, promised.with_columns(rep_id=pl.lit("p0")), [MONDAY], SHORT).activity[0]
    assert own[:, 1].tolist() == [calls, messages, IDLE]
    # somebody calls already, but two are promised
    busy = force([[queue] * 4, [messages] * 4, [calls] * 4])
    assert honour_call_backs(busy, promised, [MONDAY], SHORT).activity[0][:, 1].tolist() == [0, 2, 1]
    two = pl.concat([promised, promised])
    assert honour_call_backs(busy, two, [MONDAY], SHORT).activity[0][:, 1].tolist() == [0, 1, 1]
    unskilled = replace(
        team, skills=(frozenset(DEFAULT_WORK), frozenset({MESSAGES}), frozenset(DEFAULT_WORK))
    )
    assert honour_call_backs(unskilled, promised, [MONDAY], SHORT).activity[0][:, 1].tolist() == [1, 2, IDLE]


# simulated days


def played_again(contacts, agents, *, interval, handle, within, patience, runs, seed):
    """Play a queue's day person by person; return answered in time and all, by interval, and the waits."""
    rng = np.random.default_rng(seed)
    times, most = len(contacts), max(agents)
    in_time, came, waits, lost = np.zeros(times), np.zeros(times), [], 0

    def there(k: int, at: float) -> float:
        """Return when a person can begin from a moment on."""
        t = int(at // interval)
        if t >= times:
            return at if k < agents[-1] else math.inf
        for later in range(t, times):
            if k < agents[later]:
                return max(at, later * interval)
        return math.inf

    for _ in range(runs):
        free = [0.0] * most
        moments = sorted(
            t * interval + rng.random() * interval
            for t in range(times)
            for _ in range(rng.poisson(contacts[t]))
        )
        for at in moments:
            begins = [there(k, max(at, free[k])) for k in range(most)]
            k = int(np.argmin(begins))
            wait = begins[k] - at
            came[int(at // interval)] += 1
            if not math.isfinite(wait) or (patience and wait > rng.exponential(patience)):
                lost += 1
                continue
            free[k] = begins[k] + rng.exponential(handle)
            waits.append(wait)
            in_time[int(at // interval)] += wait <= within
    return in_time / came, came / runs, lost / came.sum(), np.mean(waits)


@pytest.mark.parametrize("patience", [None, 4.0])
def test_a_day_of_changing_staff_is_the_one_played_person_by_person(patience: float | None) -> None:
    contacts, agents = np.array([12.0, 6.0, 15.0, 9.0]), np.array([3, 1, 2, 2])
    options = {"handle_min": 6.0, "within_min": 1.0, "patience_min": patience}
    found = simulate_queue(contacts, agents, interval_min=30.0, runs=20_000, seed=1, **options)
    level, came, lost, wait = played_again(
        contacts,
        agents.tolist(),
        interval=30.0,
        handle=6.0,
        within=1.0,
        patience=patience,
        runs=3_000,
        seed=2,
    )
    assert found.in_time / found.came == pytest.approx(level, abs=0.025)
    assert found.came / 20_000 == pytest.approx(contacts, rel=0.02)
    assert came == pytest.approx(contacts, rel=0.05)
    assert found.abandoned == pytest.approx(lost, abs=0.015)
    assert found.mean_wait_min == pytest.approx(wait, rel=0.06)
    assert found.share.mean() == pytest.approx((level @ contacts) / contacts.sum(), abs=0.03)


def test_a_chance_is_jeffreys_and_its_error_that_of_a_share() -> None:
    kept = np.array([True] * 3 + [False])
    assert chance(kept) == 3.5 / 5
    assert chance_error(kept) == pytest.approx(math.sqrt(0.7 * 0.3 / 5))


def test_the_plans_own_contacts_are_made_with_what_time_is_left() -> None:
    """Messages of 100 minutes take 100 of 160; of own calls of 6 minutes each, ten fit on average."""
    share = simulate_backlog(
        np.array([0.0, 0.0]), 400.0, np.array([600.0, 600.0]), handle_min=6.0, drain_intervals=1, runs=300,
        seed=1,
    )  # fmt: skip
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    both = simulate_backlog(
        np.array([100.0, 0.0]), 100.0, np.array([600.0, 300.0]), handle_min=6.0, drain_intervals=2,
        runs=4_000, seed=1,
    )  # fmt: skip
    assert both.mean() == pytest.approx((100 + 50) / 200, abs=0.01)


def test_fewer_days_are_played_of_a_large_centre() -> None:
    def of(contacts: float, agents: int, kind: str = "queue", runs: int = 0) -> int:
        work = Work(kind="drain") if kind == "drain" else Work()
        item = ChannelDemand("x", work, np.array([contacts, 0.0]), *(np.zeros(2),) * 4, None, "x")
        return _runs(item, np.array([1, agents]), replace(SHORT, runs=runs))

    assert of(100.0, 10) == 40_000
    assert of(1_000.0, 100) == 10_000
    assert of(1e6, 10_000) == 20
    assert of(1e6, 10_000, "drain") == 40_000
    assert of(100.0, 10, runs=500) == of(100.0, 10, "drain", 500) == 500
    assert of(0.0, 0) == 40_000


def test_the_table_of_levels_says_when_who_is_there_and_how_busy() -> None:
    work = {INBOUND: Work(shrinkage=0.0, patience_min=5.0)}
    params = replace(SHORT, work=work, runs=3_000)
    demand = tuple(
        measure_demand(name, np.array(contacts), own, "x", params=params)
        for name, contacts, own in ((INBOUND, [20.0, 40.0, 0.0, 0.0], 0.0), (OUTBOUND, [0.0] * 4, 0.0))
    )
    team = force([[0, 0, IDLE, IDLE], [0, 0, 0, IDLE], [IDLE, 0, IDLE, IDLE]])
    found = judge_levels([demand], team, [MONDAY], params, seed=5)
    table = found.table
    assert table["channel"].unique().to_list() == [INBOUND]  # nothing to do on the other
    assert table["start_at"].to_list() == [datetime(2026, 7, 6, hour) for hour in (9, 10, 11, 12)]
    assert table["scheduled"].to_list() == [2, 3, 1, 0]
    assert table["available"].to_list() == [2, 3, 1, 0]
    assert table["occupancy"].to_list() == [1.0, 1.0, 0.0, None]
    assert table["service_level"].to_list()[2:] == [1.0, 1.0]
    assert table["simulated_service_level"].to_list()[2:] == [None, None]
    assert found.probability == {INBOUND: found.all_kept}
    again = simulate_queue(
        np.array([20.0, 40.0, 0.0, 0.0]), np.array([2, 3, 1, 0]), interval_min=60.0, handle_min=6.0,
        within_min=1 / 3, patience_min=5.0, runs=20_000, seed=9,
    )  # fmt: skip
    assert found.all_kept == pytest.approx(chance(again.kept(0.8)), abs=0.03)
    assert found.error == pytest.approx(math.sqrt(found.all_kept * (1 - found.all_kept) / 3_001))
    played = again.in_time[:2] / again.came[:2]
    assert table["simulated_service_level"].to_list()[:2] == pytest.approx(played.tolist(), abs=0.03)


def test_what_is_left_over_goes_on_day_by_day_and_the_plans_own_is_not_handed_on() -> None:
    """Messages take 10 minutes of which 0.675 of an hour is worked: four an hour, four hours a day."""
    params = replace(SHORT, forecast_days=2, days=2)
    messages = DEFAULT_WORK[MESSAGES]
    days = working_days(AS_OF, params)
    queue = ChannelDemand(INBOUND, Work(), *(np.zeros(4),) * 5, None, "x")

    def demand(contacts: float, own: float) -> tuple[ChannelDemand, ...]:
        arriving = np.array([contacts + own, 0.0, 0.0, 0.0])
        return queue, ChannelDemand(MESSAGES, messages, arriving, *(np.zeros(4),) * 4, None, "x", own)

    team = force([[2] * 4], [[2] * 4])
    capacity = math.floor(4 * 60 * 0.75 * 0.9 / 10)
    assert capacity == 16
    given = inputs()
    table, left = forecast_backlog(given, [demand(20.0, 3.0), demand(18.0, 0.0)], team, days, params)
    assert left == {MESSAGES: 4.0}  # seven are left, three of them the plan's own
    assert carried_over(table) == left
    assert table["backlog"].to_list() == [7.0, 9.0, 11.0, 13.0]
    assert table["of_plan"].to_list() == [3.0, 3.0, 3.0, 3.0]
    assert table["planned"].to_list() == [True, True, False, False]
    assert table["day"].to_list() == [MONDAY + timedelta(days=k) for k in range(4)]
    assert table.columns[-1] == "wait_days"
    assert table["wait_days"].to_list() == pytest.approx([7 / 16, 9 / 16, 11 / 16, 13 / 16])
    touches = pl.DataFrame(
        [("a", AS_OF - timedelta(days=day), MESSAGES) for day in (1, 10, 27, 29) for _ in range(60)],
        schema=["account_id", "touched_at", "channel"], orient="row",
    )  # fmt: skip
    assert "touched_at" in TOUCH_COLUMNS
    usual, _ = forecast_backlog(
        replace(given, touches=touches), [demand(20.0, 3.0), demand(18.0, 0.0)], team, days, params
    )
    # 180 in the last four weeks are nine on a working day
    assert usual["arriving"].to_list() == [23.0, 18.0, 9.0, 9.0]
    assert usual["backlog"].to_list() == [7.0, 9.0, 2.0, 0.0]
    assert usual["of_plan"].to_list() == [3.0, 3.0, 2.0, 0.0]

    nobody = force([[IDLE] * 4], [[IDLE] * 4])
    table, _ = forecast_backlog(given, [demand(0.0, 0.0), demand(5.0, 0.0)], nobody, days, params)
    # without work nobody waits; with work and without people nobody knows how long
    assert table["wait_days"].to_list() == [0.0, None, None, None]


@pytest.mark.parametrize(("people", "kept"), [(225, False), (300, True)])
def test_messages_are_kept_up_with_where_people_have_the_time(people: int, kept: bool) -> None:
    """2,500 messages of six minutes in an hour, of which eight in ten are to be done in it."""
    work = Work("drain", 6.0, target_share=0.8, shrinkage=0.25, drain_h=1.0)
    contacts = np.array([2500.0, 0.0, 0.0, 0.0])
    item = ChannelDemand(MESSAGES, work, contacts, *(np.zeros(4),) * 4, None, "x")
    there = np.array([people, 0, 0, 0]), np.zeros(4)
    good = _play(*_games(item, *there, runs=400, seed=3, params=SHORT)).kept
    # 225 people have two thirds of the minutes it takes, 300 nine tenths
    assert (good.mean() > 0.9) if kept else (good.mean() < 0.1)
    own = replace(item, contacts=np.array([5000.0, 0.0, 0.0, 0.0]), own=2500.0)
    # the plan's own as many come after: half of all, and more, is not done
    assert _play(*_games(own, *there, runs=400, seed=3, params=SHORT)).kept.mean() < 0.05
