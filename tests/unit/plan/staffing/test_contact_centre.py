"""A contact centre is staffed for its work: who is needed, what they do, and how sure the day is."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import combinations_with_replacement, pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.staffing import Schedule, ScheduleParams, ShiftPattern, Work, schedule
from dealwright.plan.staffing.activities import assign_activities
from dealwright.plan.staffing.calls import cut_slots
from dealwright.plan.staffing.demand import ChannelDemand, measure_demand
from dealwright.plan.staffing.params import DEFAULT_WORK
from dealwright.plan.staffing.patterns import Shift, expand_patterns
from dealwright.plan.staffing.roster import group_staff, name_people, read_staff
from dealwright.plan.staffing.shifts import Cover, Group, cover_demand
from dealwright.plan.staffing.simulation import chance, simulate_backlog

AS_OF = datetime(2026, 6, 30, 18)
QUICK = ScheduleParams(interval_min=30, runs=200, forecast_days=0)


def centre(
    calls: int = 0,
    emails: int = 0,
    params: ScheduleParams = QUICK,
    inbound: float = 0.0,
    **frames: pl.DataFrame,
) -> Schedule:
    """Staff a centre with so many calls and messages of the plan, and calls that come in."""
    channel = ["outbound_cc"] * calls + ["ecom_assisted"] * emails
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k:03d}" for k in range(len(channel))] or ["none"],
            "channel": channel or [None],
            "expected_value_eur": [float(100 - k % 50) for k in range(max(len(channel), 1))],
        },
        schema_overrides={"channel": pl.String},
    )
    if inbound:
        hours = range(params.opens_min, params.ends_min, 60)
        frames["arrivals"] = pl.DataFrame(
            {"channel": "inbound_cc", "start_min": [h % 1440 for h in hours], "contacts": inbound}
        )
    return schedule(accounts, None, params, as_of=AS_OF, **frames)


def cover_of(*demand: ChannelDemand, params: ScheduleParams) -> tuple[Cover, np.ndarray]:
    shifts = expand_patterns(params)
    everybody = (Group(frozenset(DEFAULT_WORK), tuple(range(len(shifts))), None),)
    cover = cover_demand(demand, everybody, shifts, params)
    return cover, np.array([shift.works(params) for shift in shifts]).T @ cover.count[0]


def test_of_shifts_that_cost_the_same_the_fewest_people_and_workplaces_are_taken() -> None:
    # 60 hours of work at any time: long shifts spread over the day do it with 8 people, short ones with 16
    params = ScheduleParams(
        opens_min=480, closes_min=1200, interval_min=60,
        patterns=tuple(ShiftPattern(f"{h} h", 60 * h, starts=(0, 1440, 60)) for h in (8, 4)),
        work={"ecom_assisted": Work("drain", handle_min=60, max_occupancy=1.0, shrinkage=0.0, drain_h=12)},
    )  # fmt: skip
    messages = measure_demand("ecom_assisted", np.zeros(12), 60.0, "", params=params)
    cover, at_work = cover_of(messages, params=params)
    assert cover.proven
    assert cover.paid_min == 60 * 60
    assert cover.count.sum() == 8
    # of seven shifts of eight hours and one of four, tried in every combination
    hours = np.arange(12)
    eights, fours = (
        [((hours >= first) & (hours < first + length)).astype(int) for first in range(13 - length)]
        for length in (8, 4)
    )
    least = min(
        int((sum(chosen) + short).max())
        for chosen in combinations_with_replacement(eights, 7)
        for short in fours
    )
    assert at_work.max() == least


def test_messages_are_answered_between_calls_where_they_may_be_laid_aside() -> None:
    calls = centre(inbound=12.0)
    both = centre(inbound=12.0, emails=20)
    assert both.shifts["paid_min"].sum() == calls.shifts["paid_min"].sum()
    assert both.capacities["ecom_assisted"] >= 20
    patient = {"ecom_assisted": Work("drain", handle_min=10, max_occupancy=0.9, shrinkage=0.25, drain_h=4)}
    apart = centre(inbound=12.0, emails=20, params=ScheduleParams(interval_min=30, runs=200, work=patient))
    assert apart.shifts["paid_min"].sum() > calls.shifts["paid_min"].sum()
    with pytest.raises(InputError, match="between_contacts is for work that may wait"):
        Work(between_contacts=True)


def test_time_between_calls_is_used_up_to_the_occupancy_of_the_queue_and_no_further() -> None:
    params = ScheduleParams(interval_min=30)
    calls = measure_demand("inbound_cc", np.full(20, 6.0), 0.0, "", params=params)
    work = params.work_of("inbound_cc")
    # what is left of the required people beside 6 calls of 6 minutes in half an hour, at full occupancy
    assert calls.idle == pytest.approx(calls.required - 6 * 6 / 30 / (0.7 * 0.85))
    messages = measure_demand("ecom_assisted", np.zeros(20), 400.0, "", params=params)
    cover, _ = cover_of(calls, messages, params=params)
    pace = params.work_of("ecom_assisted").pace / work.pace
    used, there = cover.between[1] * pace, cover.assigned[0, 0]
    assert (used <= calls.idle / calls.required * there + 1e-5).all()
    done = cover.between[1].sum() + cover.assigned[0, 1].sum()
    assert done == pytest.approx(messages.arrived[-1], abs=1e-3) or done > messages.arrived[-1]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_as_many_people_as_are_needed_leave_no_call_without_a_place(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    opens = rng.integers(8, 18, n) * 60.0
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(n)],
            "opens_min": opens,
            "closes_min": opens + rng.integers(1, 6, n) * 60.0,
            "channel": "outbound_cc",
            "expected_value_eur": rng.random(n) * 100,
        }
    )
    at = AS_OF.replace(hour=11, minute=0) + timedelta(days=1)
    promised = pl.DataFrame({"account_id": ["A0", "A1", "A2"][: min(n, 3)], "at": [at] * min(n, 3)})
    found = schedule(accounts, None, QUICK, as_of=AS_OF, call_backs=promised)
    assert set(found.unplaced["reason"]) <= {
        "no hour in which a call is allowed while the contact centre is open"
    }
    assert found.calls.filter("call_back").height == promised.height
    assert found.calls["account_id"].is_unique().all()
    assert found.shortage_h == 0
    for _, own in found.calls.sort("start_at").group_by("rep_id"):
        assert (own["end_at"].shift(1) <= own["start_at"]).drop_nulls().all()


def test_calls_of_two_kinds_of_hours_need_people_in_both() -> None:
    params = ScheduleParams(interval_min=30)
    morning, evening = np.arange(20) < 4, np.arange(20) >= 16
    windows = [(10.0, morning), (10.0, evening)]
    calls = measure_demand("outbound_cc", np.zeros(20), 20.0, "", params=params, windows=windows)
    cover, _ = cover_of(calls, params=params)
    per_call = 8 / (0.7 * 0.85) / 30
    done = cover.assigned[0, 0]
    assert done[morning].sum() == pytest.approx(10 * per_call, abs=1e-4)
    assert done[evening].sum() == pytest.approx(10 * per_call, abs=1e-4)
    assert done.sum() == pytest.approx(20 * per_call, abs=1e-4)


def test_nobody_comes_in_for_customers_who_cannot_be_called() -> None:
    params = ScheduleParams(interval_min=30)
    never = [(50.0, np.zeros(20, dtype=np.bool_))]
    calls = measure_demand("outbound_cc", np.zeros(20), 50.0, "", params=params, windows=never)
    assert cover_of(calls, params=params)[0].count.sum() == 0


def test_whole_people_do_what_fractions_of_them_would() -> None:
    rng = np.random.default_rng(1)
    wanted = np.zeros((1, 2, 40))
    wanted[0, 1] = rng.random(40) * 3
    on = np.ones((5, 40), dtype=np.bool_)
    can, queue = np.ones((1, 2), dtype=np.bool_), np.array([True, False])
    wanted[0, 0] = 2.0
    activity = assign_activities(on, np.zeros(5, dtype=np.int64), wanted, can, queue)
    there = np.stack([(activity == c).sum(axis=0) for c in range(2)])
    assert (there[0] >= 2).all()
    # who is left over does work that may wait as well, so that never less is done than wanted
    assert (np.cumsum(there[1]) >= np.cumsum(wanted[0, 1]) - 0.5 - 1e-9).all()


def test_time_too_short_for_one_more_call_adds_up_over_people() -> None:
    # three people with 50 minutes each: 3.57 calls each at one in 14 minutes, 10 in all and not 9
    activity = [np.ones((3, 5), dtype=np.bool_)]
    params = ScheduleParams(interval_min=10, opens_min=600, closes_min=650)
    slots = cut_slots(activity, 14.0, 8.0, params)
    assert slots.day.size == 10
    for person in range(3):
        own = np.sort(slots.start_min[slots.person == person])
        assert (np.diff(own) >= 8).all()
        assert own[-1] + 8 <= 650


def test_what_hours_are_used_for_adds_up_to_what_is_paid() -> None:
    found = centre(calls=30, emails=40, inbound=10.0)
    paid_h = found.shifts["paid_min"].sum() / 60
    assert found.hours["hours"].sum() == pytest.approx(paid_h)
    assert found.hours["hours"].min() > 0
    contacts = dict(found.hours.filter(used_for="contacts").select("channel", "hours").iter_rows())
    # 100 calls of 6 minutes in ten hours, 30 of 8 and 40 messages of 10
    expected = {"inbound_cc": 100 * 6 / 60, "outbound_cc": 30 * 8 / 60, "ecom_assisted": 40 * 10 / 60}
    assert contacts == pytest.approx(expected)
    figures = found.summary()
    assert figures["work_h"] == pytest.approx(sum(contacts.values()), abs=0.01)
    assert figures["staff_cost_eur"] == pytest.approx(paid_h * 25.0)
    waiting = found.hours.filter(used_for="ready for the next contact")["hours"].sum()
    assert figures["occupancy"] == pytest.approx(found.work_h / (found.work_h + waiting), abs=1e-4)
    at_once = found.levels.group_by("start_at").agg(pl.col("scheduled").sum())["scheduled"].max()
    assert figures["workplaces"] == at_once
    dearer = centre(
        calls=30, emails=40, inbound=10.0,
        params=ScheduleParams(interval_min=30, runs=200, forecast_days=0, cost_eur_per_h=30.0),
    )  # fmt: skip
    assert dearer.cost_eur == pytest.approx(found.cost_eur * 1.2)


def test_the_chance_covers_every_channel_on_the_same_day() -> None:
    found = centre(calls=30, emails=40, inbound=10.0)
    assert set(found.sla_probability) == {"inbound_cc", "outbound_cc", "ecom_assisted"}
    assert found.sla_probability_all <= min(found.sla_probability.values())
    # on days drawn independently for each channel at least the product is expected
    product = np.prod(list(found.sla_probability.values()))
    assert found.sla_probability_all == pytest.approx(product, abs=0.1)
    nobody = centre(calls=30, emails=40, inbound=10.0, staff=pl.DataFrame({"rep_id": []}))
    assert nobody.sla_probability_all == pytest.approx(0.5 / 201)


def test_as_many_days_are_simulated_as_the_digits_need() -> None:
    found = centre(emails=10, inbound=3.0, params=ScheduleParams(interval_min=30, forecast_days=0))
    assert 0 < found.sla_probability_error <= 0.0025  # a quarter of a per cent
    few = centre(emails=10, inbound=3.0)
    assert few.sla_probability_error > found.sla_probability_error


def test_a_backlog_of_one_interval_is_done_as_often_as_its_work_fits() -> None:
    # exponential handling of exactly one contact of the plan's own: done with probability 1 - e^(-t/h)
    share = simulate_backlog(
        np.zeros(2), 1.0, np.array([4.0, 2.0]), handle_min=6.0, drain_intervals=1, runs=40_000, seed=3
    )
    assert chance(share >= 1.0) == pytest.approx(1 - np.exp(-1.0), abs=0.01)


def test_messages_are_late_where_they_are_done_after_their_time() -> None:
    options = {"own": 0.0, "handle_min": 6.0, "runs": 400, "seed": 3}
    contacts = np.array([50.0, 0, 0, 0])
    # all of the first interval's work is done in the third
    late = simulate_backlog(contacts, capacity_min=np.array([0, 0, 900.0, 0]), drain_intervals=2, **options)
    assert late.max() == 0
    in_time = simulate_backlog(
        contacts, capacity_min=np.array([0, 0, 900.0, 0]), drain_intervals=3, **options
    )
    assert in_time.min() == 1
    half = simulate_backlog(contacts, capacity_min=np.array([0, 150.0, 0, 0]), drain_intervals=2, **options)
    assert half.mean() == pytest.approx(0.5, abs=0.02)


NIGHT = ScheduleParams(
    opens_min=960, closes_min=60, interval_min=30, runs=200, forecast_days=0,
    work={"inbound_cc": Work(max_occupancy=1.0, shrinkage=0.0)},
)  # fmt: skip


def test_a_centre_that_closes_after_midnight_is_staffed_until_it_closes() -> None:
    assert NIGHT.intervals == 18
    found = centre(inbound=6.0, params=NIGHT)
    first, last = datetime(2026, 7, 1, 16), datetime(2026, 7, 2, 1)
    levels = found.levels.filter(channel="inbound_cc")
    assert (levels["start_at"].min(), levels["start_at"].max()) == (first, last - timedelta(minutes=30))
    assert (levels["scheduled"] >= levels["required"]).all()
    assert (levels["required"] > 0).all()
    assert found.shifts["day"].unique().to_list() == [date(2026, 7, 1)]
    assert found.shifts["end_at"].max() == last
    assert levels["contacts"].sum() == pytest.approx(9 * 6.0)


def test_contacts_forecast_for_after_midnight_come_after_midnight() -> None:
    arrivals = pl.DataFrame(
        {"channel": "inbound_cc", "start_min": [1410, 0, 30], "contacts": [4.0, 2.0, 8.0]}
    )
    levels = centre(params=NIGHT, arrivals=arrivals).levels.filter(channel="inbound_cc")
    by_start = dict(levels.select("start_at", "contacts").iter_rows())
    assert by_start[datetime(2026, 7, 2, 0, 30)] == pytest.approx(8.0)


def test_a_call_promised_for_after_midnight_belongs_to_the_evening_before() -> None:
    at = datetime(2026, 7, 2, 0, 30)
    found = centre(
        calls=2, params=NIGHT, inbound=6.0,
        call_backs=pl.DataFrame({"account_id": ["A001"], "at": [at], "rep_id": ["agent 001"]}),
    )  # fmt: skip
    back = found.calls.filter("call_back")
    assert back["account_id"].to_list() == ["A001"]
    assert abs(back["start_at"][0] - at) <= timedelta(minutes=15)


@pytest.mark.parametrize(
    ("from_min", "to_min", "may"),
    [(None, None, True), (1320, 420, True), (0, 1440, True), (1320, 1440, False), (0, 420, False)],
)
def test_hours_of_staff_reach_into_the_next_morning(
    from_min: int | None, to_min: int | None, may: bool
) -> None:
    staff = pl.DataFrame(
        {"rep_id": ["N"], "from_min": [from_min], "to_min": [to_min]},
        schema_overrides={"from_min": pl.Int64, "to_min": pl.Int64},
    )
    people = read_staff(staff, NIGHT)
    assert people is not None
    assert people[0].may_work(Shift("any", 1320, 1800, 480, None, ())) is may


def test_who_works_late_has_rested_before_an_early_shift() -> None:
    params = ScheduleParams(
        opens_min=0, closes_min=1440, interval_min=60, min_rest_h=11,
        patterns=(ShiftPattern("four", 240, starts=(0, 1440, 60)),),
        work={"inbound_cc": Work(max_occupancy=1.0, shrinkage=0.0)},
    )  # fmt: skip
    shifts = expand_patterns(params)
    people = read_staff(pl.DataFrame({"rep_id": ["a"]}), params)
    days = [date(2026, 7, 1), date(2026, 7, 2)]

    def roster(end_h: int, start_h: int) -> int:
        """Return how many of a late shift and the next day's early one one person gets."""
        covers = []
        for first in (end_h * 60 - 240, start_h * 60):
            count = np.zeros((1, len(shifts)), dtype=np.int64)
            count[0, [s.start_min for s in shifts].index(first)] = 1
            nothing = np.zeros((3, params.intervals))
            covers.append(Cover(count, nothing[None], nothing, nothing, 240, True, 0.0, 0.0))
        grouped = [group_staff(people, day, shifts) for day in days]
        found = name_people(
            covers, [who for _, who in grouped], people, [shifts, shifts], params=params, gap_days=[0, 1]
        )
        assert len(found.assignments) + sum(n for *_, n in found.unfilled) == 2
        return len(found.assignments)

    assert roster(22, 8) == 1  # ten hours of rest
    assert roster(22, 9) == 2  # eleven


def test_breaks_do_not_overlap_lunch_or_one_another() -> None:
    params = ScheduleParams(
        patterns=(
            ShiftPattern(
                "full", 510, lunch_min=30, lunch_window=(60, 300), break_windows=((60, 300), (60, 405))
            ),
        ),
        interval_min=30,
    )
    shifts = expand_patterns(params)
    assert shifts
    for shift in shifts:
        assert shift.lunch is not None
        pauses = sorted([shift.lunch, *shift.breaks])
        assert all(before[1] <= after[0] for before, after in pairwise(pauses))
