"""Erlang's numbers agree with published ones and with another library, and with the day simulated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.staffing import ScheduleParams, ShiftPattern, Work
from dealwright.plan.staffing import shifts as shifts_module
from dealwright.plan.staffing.demand import measure_demand
from dealwright.plan.staffing.erlang import (
    _answered_with_patience,
    _waits,
    erlang_b,
    required_agents,
    scheduled_agents,
    service_level,
)
from dealwright.plan.staffing.patterns import Shift, expand_patterns
from dealwright.plan.staffing.roster import group_staff, name_people, read_staff
from dealwright.plan.staffing.shift_families import find_families
from dealwright.plan.staffing.shifts import Group, cover_demand, missing_hours
from dealwright.plan.staffing.simulation import chance, simulate_queue

# traffic in erlangs that a group blocks 1 % of: the classic Erlang B table
ERLANG_B_1_PERCENT = {1: 0.0101, 2: 0.153, 5: 1.36, 10: 4.46, 20: 12.0, 50: 37.9, 100: 84.1}


@pytest.mark.parametrize(("agents", "load"), ERLANG_B_1_PERCENT.items())
def test_erlang_b_agrees_with_the_published_table(agents, load):
    assert erlang_b(agents, load) == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize(
    ("agents", "load", "waits"), [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 8.0, 0.4092), (5, 4.0, 0.5541)]
)
def test_erlang_c_agrees_with_published_values(agents, load, waits):
    assert _waits(agents, load, erlang_b(agents, load)) == pytest.approx(waits, abs=5e-5)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 900),
    st.floats(0.5, 15),
    st.floats(5, 120),
    st.floats(0.5, 0.95),
    st.floats(0.5, 1.0),
    st.just(0.0) | st.floats(0.001, 0.5),  # a share too small to be meant is a matter of rounding only
)
def test_required_staff_agrees_with_pyworkforce(contacts, handle, within, target, busy, shrinkage):
    from pyworkforce.queuing import ErlangC

    work = Work(
        handle_min=handle, target_share=target, within_s=within, max_occupancy=busy, shrinkage=shrinkage
    )
    oracle = ErlangC(transactions=contacts, aht=handle, asa=within / 60, interval=30, shrinkage=shrinkage)
    theirs = oracle.required_positions(service_level=target, max_occupancy=busy)
    load = contacts * handle / 30
    assume(abs(load / busy - round(load / busy)) > 1e-9)  # whole but for rounding: either number is right
    # the oracle starts counting at round(load + 1) and never looks whether fewer would do
    ours = max(required_agents(load, work), round(load + 1))
    assert ours == theirs["raw_positions"]
    assert scheduled_agents(np.array([ours]), shrinkage)[0] == theirs["positions"]
    assert service_level(ours, load, handle, within / 60) == pytest.approx(theirs["service_level"], abs=1e-6)
    assert _waits(ours, load, erlang_b(ours, load)) == pytest.approx(theirs["waiting_probability"], abs=1e-6)


@pytest.mark.parametrize(
    ("agents", "load", "patience"), [(10, 10.0, 3.0), (5, 9.0, 1.0), (40, 36.0, 2.0), (3, 0.5, 10.0)]
)
def test_erlang_a_agrees_with_its_birth_and_death_chain(agents, load, patience):
    handle = 3.0
    chain = [1.0]
    for k in range(1, 600):
        chain.append(chain[-1] * load / handle / (min(k, agents) / handle + max(k - agents, 0) / patience))
    share = np.array(chain) / sum(chain)
    lost = (np.maximum(np.arange(600) - agents, 0) * share).sum() / patience / (load / handle)
    assert _answered_with_patience(agents, load, handle, 0.0, patience)[1] == pytest.approx(lost, abs=1e-6)
    at_once = share[:agents].sum()
    assert service_level(agents, load, handle, 0.0, patience) == pytest.approx(at_once, abs=1e-6)


def test_patience_without_end_is_erlang_c():
    assert service_level(12, 10.0, 3.0, 1 / 3, 1e7) == pytest.approx(
        service_level(12, 10.0, 3.0, 1 / 3), abs=1e-4
    )
    impatient = Work(handle_min=3, patience_min=2.0, max_occupancy=1.0)
    assert required_agents(30.0, impatient) < required_agents(30.0, Work(handle_min=3, max_occupancy=1.0))


@pytest.mark.parametrize("patience", [None, 3.0])
def test_a_long_steady_day_behaves_as_the_formulas_say(patience):
    played = simulate_queue(
        np.full(400, 50.0), np.full(400, 12), interval_min=15, handle_min=3, within_min=1 / 3,
        patience_min=patience, runs=20, seed=1,
    )  # fmt: skip
    assert played.share.mean() == pytest.approx(service_level(12, 10.0, 3, 1 / 3, patience), abs=0.015)
    if patience is None:
        assert played.mean_wait_min == pytest.approx(
            _waits(12, 10.0, erlang_b(12, 10.0)) * 3 / (12 - 10.0), rel=0.08
        )
        assert played.abandoned == 0
    else:
        assert played.abandoned == pytest.approx(_answered_with_patience(12, 10.0, 3, 0.0, 3.0)[1], abs=0.004)


def test_no_agents_answer_nobody_and_nobody_calling_keeps_every_promise():
    options = {
        "interval_min": 15,
        "handle_min": 3,
        "within_min": 0.3,
        "patience_min": None,
        "runs": 5,
        "seed": 0,
    }
    assert simulate_queue(np.full(4, 9.0), np.zeros(4, dtype=np.int64), **options).share.max() == 0
    # five good days of five do not make the sixth certain: (5 + ½) / (5 + 1)
    quiet = simulate_queue(np.zeros(4), np.zeros(4, dtype=np.int64), **options)
    assert quiet.share.min() == 1
    assert chance(quiet.kept(0.8)) == pytest.approx(5.5 / 6)
    assert service_level(0, 1.0, 3, 0.3) == 0
    assert required_agents(0.0, Work()) == 0


SMALL = ScheduleParams(
    opens_min=540, closes_min=780, interval_min=30, patterns=(
        ShiftPattern("two", 120, break_min=30, break_windows=((30, 60),)),
        ShiftPattern("four", 240, starts=(0, 1440, 60), break_min=30, break_windows=((60, 120),)),
    ),
    work={"outbound_cc": Work(kind="drain", handle_min=30, max_occupancy=1.0, shrinkage=0.0, drain_h=1.0)},
)  # fmt: skip


def test_shifts_are_as_few_as_a_complete_search_finds():
    from itertools import product

    shifts = expand_patterns(SMALL)
    on = np.array([shift.works(SMALL) for shift in shifts]).astype(int)
    rng = np.random.default_rng(4)
    everybody = (Group(frozenset({"inbound_cc"}), tuple(range(len(shifts))), None),)
    for _ in range(4):
        contacts = np.where(rng.random(8) < 0.5, rng.integers(1, 4, 8), 0).astype(float)
        demand = measure_demand("inbound_cc", contacts, 0.0, "", params=SMALL)
        short = demand.required.clip(max=1)  # a small search: one person at a time
        demand = type(demand)(**{**demand.__dict__, "required": short})
        cover = cover_demand((demand,), everybody, shifts, SMALL)
        paid = np.array([shift.paid_min for shift in shifts])
        best = (
            min(
                int(paid @ np.array(counts))
                for counts in product(range(2), repeat=len(shifts))
                if (np.array(counts) @ on >= short).all()
            )
            if len(shifts) <= 16
            else None
        )
        assert cover.proven
        assert (cover.count[0] @ on >= short).all()
        assert best is None or cover.paid_min == best


def test_breaks_placed_per_family_give_the_shifts_of_the_whole_product():
    params = ScheduleParams()
    shifts = expand_patterns(params)
    families = find_families(shifts, range(len(shifts)), params)
    assert sum(family.columns for family in families) < len(shifts) / 2
    seen = []
    for family in families:
        for place, index in family.shift_of.items():
            effect = family.effect()
            first = np.cumsum([1, *(len(places) for places in family.breaks)])
            rows = [0, *(int(first[k]) + at for k, at in enumerate(place))]
            assert (effect[rows].sum(axis=0) == shifts[index].works(params)).all()
            counts = np.zeros(family.columns, dtype=int)
            counts[rows] = 1
            assert family.shifts_of(counts.tolist()) == [index]
            seen.append(index)
    assert sorted(seen) == list(range(len(shifts)))


def test_work_that_may_wait_is_done_when_it_is_there_and_before_it_is_due():
    contacts = np.array([0, 4, 0, 0, 0, 0, 0, 0.0])
    demand = measure_demand("outbound_cc", contacts, 0.0, "", params=SMALL)
    assert demand.due.tolist() == [0, 0, 4, 4, 4, 4, 4, 4]  # within an hour: two intervals
    shifts = expand_patterns(SMALL)
    cover = cover_demand(
        (demand,), (Group(frozenset({"outbound_cc"}), tuple(range(len(shifts))), None),), shifts, SMALL
    )
    done = np.cumsum(cover.assigned[0, 0])
    assert done[0] == pytest.approx(0, abs=1e-5)
    assert done[2] >= 4 - 1e-5
    assert missing_hours(cover, (demand,), SMALL) == 0


def test_too_few_people_are_named_as_missing_and_not_hidden():
    demand = measure_demand("inbound_cc", np.full(8, 20.0), 0.0, "", params=SMALL)
    shifts = expand_patterns(SMALL)
    cover = cover_demand(
        (demand,), (Group(frozenset({"inbound_cc"}), tuple(range(len(shifts))), 1),), shifts, SMALL
    )
    assert cover.count.sum() == 1
    there = sum(shift.works(SMALL).sum() * n for shift, n in zip(shifts, cover.count[0], strict=True))
    assert missing_hours(cover, (demand,), SMALL) == pytest.approx((demand.required.sum() - there) / 2)


def test_shifts_that_were_found_are_taken_over_only_where_nothing_has_changed(monkeypatch):
    def covered(contacts, params=SMALL, people=None, channel="inbound_cc"):
        demand = measure_demand(channel, np.full(8, contacts), 0.0, "", params=params)
        shifts = expand_patterns(params)
        group = Group(frozenset({channel}), tuple(range(len(shifts))), people)
        again, alone = (cover_demand((demand,), (group,), shifts, params, kept) for kept in (solved, None))
        assert (again.count == alone.count).all()
        assert again.assigned == pytest.approx(alone.assigned)
        assert (again.proven, again.objective, again.bound) == (alone.proven, alone.objective, alone.bound)
        return len(solved)

    solved = {}
    assert covered(20.0) == 1
    assert covered(20.0) == 1
    assert covered(40.0) == 2
    assert covered(20.0, people=1) == 3
    assert covered(20.0, channel="outbound_cc") == 4
    assert covered(20.0, replace(SMALL, fewest_at_once=False)) == 5
    monkeypatch.setattr(shifts_module, "minimise", lambda *_, **__: pytest.fail("solved again"))
    monkeypatch.setattr(shifts_module, "_spread", lambda *_: pytest.fail("spread again"))
    demand = measure_demand("inbound_cc", np.full(8, 20.0), 0.0, "", params=SMALL)
    shifts = expand_patterns(SMALL)
    everybody = Group(frozenset({"inbound_cc"}), tuple(range(len(shifts))), None)
    assert cover_demand((demand,), (everybody,), shifts, SMALL, solved).proven


def test_a_roster_keeps_skills_hours_rest_and_wishes():
    from datetime import date

    staff = pl.DataFrame(
        {
            "rep_id": ["a", "b", "c"],
            "skills": [["inbound_cc"], ["inbound_cc"], ["outbound_cc"]],
            "hours_per_week": [4.0, 40.0, 40.0],
            "wish_start_min": [660, 540, None],
            "days_off": [[], [date(2026, 7, 2)], []],
        }
    )
    people = read_staff(staff, SMALL)
    shifts = expand_patterns(SMALL)
    days = [date(2026, 7, 1), date(2026, 7, 2)]
    demand = measure_demand("inbound_cc", np.array([1.0, 0, 0, 0, 1.0, 0, 0, 0]), 0.0, "", params=SMALL)
    one = type(demand)(**{**demand.__dict__, "required": (demand.required > 0).astype(np.int64)})
    grouped = [group_staff(people, day, shifts) for day in days]
    covers = [cover_demand((one,), groups, shifts, SMALL) for groups, _ in grouped]
    roster = name_people(
        covers, [who for _, who in grouped], people, [shifts, shifts], params=SMALL, gap_days=[0, 1]
    )
    assert roster.proven
    for assignment in roster.assignments:
        person = people[assignment.person]
        assert "inbound_cc" in person.channels
        assert days[assignment.day] not in person.days_off
    hours = {k: sum(shifts[p.shift].paid_min for p in roster.assignments if p.person == k) for k in range(3)}
    assert hours[0] <= 240
    assert hours[2] == 0
    placed = len(roster.assignments) + sum(count for *_, count in roster.unfilled)
    assert placed == sum(int(cover.count.sum()) for cover in covers)


def test_a_pattern_that_the_parameters_do_not_have_is_named():
    staff = pl.DataFrame({"rep_id": ["x"], "patterns": [["night"]]})
    with pytest.raises(InputError, match="staff, x: unknown shift pattern 'night'"):
        read_staff(staff, SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interval_min": 7}, "interval_min = 7"),
        ({"opens_min": 800}, "opening hours must begin and end at multiples of 30"),
        ({"opens_min": 1500}, "opening hours in minutes after midnight"),
        ({"opens_min": 780}, "both 780: give 0 and 1440"),
        ({"work": {"fax": Work()}}, "'fax'"),
        ({"weekdays": ()}, "weekdays"),
        ({"patterns": ()}, "patterns is empty"),
        ({"hours": (0.0,) * 24}, "24 weights"),
    ],
)
def test_a_mistake_in_the_parameters_is_named(change, message):
    from dataclasses import replace

    with pytest.raises(InputError, match=message):
        replace(SMALL, **change)


def test_a_service_level_that_no_staff_keeps_is_refused():
    with pytest.raises(InputError, match="target_share = 1: no staff answers everybody in time"):
        Work(target_share=1.0)
    assert Work(target_share=1.0, patience_min=3.0).target_share == 1.0  # who hangs up is not waited for


def test_no_shift_that_fits_is_an_error_that_says_so():
    with pytest.raises(InputError, match=r"no shift of schedule\.patterns fits"):
        expand_patterns(ScheduleParams(opens_min=540, closes_min=600))


@pytest.mark.parametrize(
    ("start", "end", "may"),
    [
        (0, 240, True), (120, 360, True), (150, 390, False), (1200, 1440, False), (1320, 1440, True),
        (600, 840, False), (1320, 1560, True), (1320, 1800, True), (1320, 1830, False),
    ],
)  # fmt: skip
def test_who_works_from_evening_to_morning_works_both_ends_of_a_day(start: int, end: int, may: bool) -> None:
    staff = pl.DataFrame({"rep_id": ["N"], "from_min": [1320], "to_min": [360]})
    people = read_staff(staff, ScheduleParams())
    assert people is not None
    assert people[0].may_work(Shift("any", start, end, end - start, None, ())) is may
