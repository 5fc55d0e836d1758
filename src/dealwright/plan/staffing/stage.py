"""The stage *schedule*: from contact-centre demand to staff, shifts, a named roster, and the call list."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.notebook import Summarised
from dealwright.plan.actions.catalogue import Catalogue
from dealwright.plan.actions.catalogue_file import default_catalogue
from dealwright.plan.inputs import align, gather_inputs, working_days
from dealwright.plan.staffing.activities import IDLE
from dealwright.plan.staffing.backlog import forecast_backlog
from dealwright.plan.staffing.call_list import (
    CALLING,
    CallList,
    CallWindows,
    find_call_windows,
    honour_call_backs,
    list_calls,
    missed_calls,
)
from dealwright.plan.staffing.clock import shifts_of_day, skipped_intervals
from dealwright.plan.staffing.demand import ChannelDemand, forecast_contacts, measure_demand
from dealwright.plan.staffing.hours import CONTACTS, READY, use_of_hours
from dealwright.plan.staffing.levels import judge_levels
from dealwright.plan.staffing.params import DEFAULT_WORK, ScheduleParams
from dealwright.plan.staffing.patterns import Shift, expand_patterns
from dealwright.plan.staffing.roster import Person, Roster, group_staff, name_people, read_staff
from dealwright.plan.staffing.shifts import Cover, SolvedCovers, cover_demand, missing_hours
from dealwright.plan.staffing.workforce import CHANNELS, Workforce, put_to_work
from dealwright.schemas import (
    CALL_BACK_COLUMNS,
    CENTRE_WORK_COLUMNS,
    SHIFT_COLUMNS,
    AccountSchema,
    PlanInputs,
    conform,
)

_WHO: Final = {"rep_id": pl.String, "rep_name": pl.String, "kind": pl.Int64, "work": pl.Int64}
_TIMES: Final = {name: kind for name, kind in SHIFT_COLUMNS.items() if name not in (*_WHO, "channels")}
_MOST_ROUNDS: Final = 6  # of shifts and calls, until every call has a place


@dataclass(frozen=True)
class Schedule(Summarised):
    """Result of *schedule*.

    Attributes
    ----------
    frame
        One row per account: ``call_rep_id``, ``call_at`` and ``call_note``, which says why a call is not on
        the list; empty for accounts that are not to be called.
    shifts
        `SHIFT_COLUMNS`: who works when.
    calls, unplaced
        `CALL_COLUMNS` and `UNPLACED_CALL_COLUMNS`: the call list, and the calls that found no place.
    levels
        `SERVICE_LEVEL_COLUMNS`: per day, channel and interval contacts, staff needed and there, service level
        by formula and simulated.
    backlog
        `BACKLOG_COLUMNS`: per channel and working day what arrives, what can be done, what is left.
    sla_probability
        Channel -> probability that a day keeps its service level: of a queue's contacts, or of work that may
        wait, the target's share is dealt with in time.
    sla_probability_all, sla_probability_error
        Probability that one day keeps those of all channels, and its standard error: no digit below it means
        anything.
    capacities
        Channel -> contacts a day the staff at work can make for the plan, beside work that came in and may
        wait.
    carry_over
        Channel -> contacts that came in and are left at the end of the first day.
    proven
        Whether shifts and roster are optimal.
    shortage_h
        Hours of missing staff.
    hours
        `STAFF_HOURS_COLUMNS`: what the paid hours go into; they add up to all of them.
    cost_eur
        Of the paid hours.
    work, call_windows
        `CENTRE_WORK_COLUMNS`: who works on what in which interval; `CALL_WINDOW_COLUMNS`: when the accounts
        of the call list may be called.
    notes
        What users should know.
    """

    frame: pl.DataFrame
    shifts: pl.DataFrame
    calls: pl.DataFrame
    unplaced: pl.DataFrame
    levels: pl.DataFrame
    backlog: pl.DataFrame
    sla_probability: Mapping[str, float]
    sla_probability_all: float
    sla_probability_error: float
    capacities: Mapping[str, float]
    carry_over: Mapping[str, float]
    proven: bool
    shortage_h: float
    hours: pl.DataFrame
    cost_eur: float
    wishes: int
    wishes_granted: int
    work: pl.DataFrame
    call_windows: pl.DataFrame
    notes: tuple[str, ...] = ()

    def summary(self) -> Mapping[str, Any]:
        """Return the key figures."""
        return {
            "people": self.shifts["rep_id"].n_unique(),
            "shifts": self.shifts.height,
            "paid_h": round(float(self.shifts["paid_min"].sum()) / 60.0, 2),
            "work_h": round(self.work_h, 2),
            "occupancy": round(self.occupancy, 4) if self.occupancy is not None else None,
            "staff_cost_eur": round(self.cost_eur, 2),
            "workplaces": self.workplaces,
            "shortage_h": round(self.shortage_h, 2),
            "calls": self.calls.height,
            "call_backs": int(self.calls["call_back"].sum()),
            "calls_unplaced": self.unplaced.height,
            **{f"{name}_sla_probability": share for name, share in self.sla_probability.items()},
            "sla_probability": None if math.isnan(self.sla_probability_all) else self.sla_probability_all,
            "sla_probability_error": self.sla_probability_error,
            **{f"{name}_capacity": number for name, number in self.capacities.items()},
            **{f"{name}_carry_over": round(number, 2) for name, number in self.carry_over.items()},
            "wishes": self.wishes,
            "wishes_granted": self.wishes_granted,
            "proven_optimal": self.proven,
            "notes": "; ".join(self.notes),
        }

    @property
    def work_h(self) -> float:
        """Return the hours spent on contacts."""
        return float(self.hours.filter(pl.col("used_for") == CONTACTS)["hours"].sum())

    @property
    def occupancy(self) -> float | None:
        """Return which share of the time of those available is spent on contacts; None without anybody."""
        available = float(self.hours.filter(pl.col("used_for").is_in([CONTACTS, READY]))["hours"].sum())
        return self.work_h / available if available > 0 else None

    @property
    def workplaces(self) -> int:
        """Return how many people are at work at once at most."""
        at_work = self.levels.group_by("start_at").agg(pl.col("scheduled").sum())
        return max(at_work["scheduled"].to_list(), default=0)

    def to_frame(self) -> pl.DataFrame:
        """Return `shifts`."""
        return self.shifts


def schedule(
    accounts: pl.DataFrame,
    decisions: pl.DataFrame | None = None,
    params: ScheduleParams | None = None,
    *,
    staff: pl.DataFrame | None = None,
    arrivals: pl.DataFrame | None = None,
    call_backs: pl.DataFrame | None = None,
    carried: Mapping[str, float] | None = None,
    touches: pl.DataFrame | None = None,
    catalogue: Catalogue | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
    solved: SolvedCovers | None = None,
) -> Schedule:
    """Staff the contact centre and list its calls.

    Parameters
    ----------
    accounts
        ``account_id``; of the roles, ``inbound_calls``, ``time_zone``, ``opens_min`` and ``closes_min`` are
        read.
    decisions
        ``account_id``, ``channel`` (who is on ``outbound_cc`` is called), ``expected_value_eur`` and, where
        some come first, ``urgent``. By default columns of the accounts.
    staff
        `STAFF_COLUMNS`; without it the plan says how many people are needed, and numbers them.
    arrivals
        `ARRIVAL_COLUMNS`: a forecast of contacts.
    call_backs
        `CALL_BACK_COLUMNS`: promised calls.
    carried
        Channel -> contacts left over from the day before (`Schedule.carry_over`).
    touches
        `TOUCH_COLUMNS`: what usually arrives, for the forecast of the backlog.
    catalogue
        Its quiet hours and time zone say when calls are allowed; by default the built-in one.
    schema, as_of
        Which column is what, and the cut-off; by default both follow from the frames.
    rng
        Draws the simulated days.
    executor
        Where the days are simulated; by default threads.
    solved
        Shifts that were found before: of a day on which nothing they depend on has changed they are taken
        over, the others are added.

    Raises
    ------
    InputError
        Impossible parameters, staff, forecast or promises; the message names what to change.
    """
    params = params or ScheduleParams()
    inputs = gather_inputs(accounts, schema=schema, as_of=as_of, touches=touches)
    catalogue = catalogue or default_catalogue()
    chosen = _read_decisions(inputs, decisions)
    people = read_staff(staff, params)
    days, shifts = working_days(inputs.as_of, params), expand_patterns(params)
    on_day, usable = zip(*(shifts_of_day(day, shifts, catalogue.time_zone) for day in days), strict=True)
    grouped = [group_staff(people, day, *found) for day, *found in zip(days, on_day, usable, strict=True)]
    members = [who for _, who in grouped]
    gap_days = [(day - days[0]).days for day in days]
    promised = conform(call_backs, CALL_BACK_COLUMNS, "account_id", "at")
    windows = find_call_windows(inputs, chosen, catalogue, promised, days=days, params=params)
    for _ in range(_MOST_ROUNDS):
        demands = _demands(
            inputs, chosen, catalogue, days, params, arrivals=arrivals, carried=carried or {}, windows=windows
        )
        covers = [
            cover_demand(demand, groups, its_shifts, params, solved)
            for demand, (groups, _), its_shifts in zip(demands, grouped, on_day, strict=True)
        ]
        roster = name_people(covers, members, people, on_day, params=params, gap_days=gap_days)
        force = put_to_work(roster, covers, members, people, shifts=on_day, demand=demands[0], params=params)
        force = honour_call_backs(force, promised, days, params)
        calls = list_calls(inputs, chosen, catalogue, promised, force=force, days=days, params=params)
        # people are whole and calls too: as many people as are needed leave no call without a place
        more = missed_calls(windows, calls.possible) if people is None else None
        if more is None:
            break
        windows = more
    seed = int((rng or np.random.default_rng(0)).integers(2**31))
    levels = judge_levels(demands, force, days, params, seed, executor=executor)
    backlog, carry_over = forecast_backlog(inputs, demands, force, days, params)
    notes = _notes(people, demands, roster, covers, shifts=shifts, days=days, params=params)
    shift_frame = _shift_frame(roster, people, on_day, force, days)
    return Schedule(
        _by_account(inputs, calls),
        shift_frame,
        calls.calls,
        calls.unplaced,
        levels.table,
        backlog,
        levels.probability,
        levels.all_kept,
        levels.error,
        _room_for_the_plan(force, demands[0], params),
        carry_over,
        roster.proven and all(cover.proven for cover in covers),
        sum(missing_hours(cover, demand, params) for cover, demand in zip(covers, demands, strict=True)),
        use_of_hours(demands, force, float(shift_frame["paid_min"].sum()) / 60.0, params),
        float(shift_frame["paid_min"].sum()) / 60.0 * params.cost_eur_per_h,
        roster.wishes,
        roster.granted,
        _work_frame(force, days, params),
        calls.windows,
        notes,
    )


def _read_decisions(inputs: PlanInputs, decisions: pl.DataFrame | None) -> pl.DataFrame:
    """Return ``channel``, ``expected_value_eur`` and ``urgent`` in the order of the accounts."""
    known = inputs.accounts if decisions is None else decisions
    found = align(known, inputs.accounts["account_id"], "channel", "expected_value_eur")
    urgent = pl.col("urgent").fill_null(value=False) if "urgent" in found.columns else pl.lit(value=False)
    return found.select("channel", pl.col("expected_value_eur").cast(pl.Float64), urgent=urgent)


def _demands(
    inputs: PlanInputs,
    chosen: pl.DataFrame,
    catalogue: Catalogue,
    days: tuple[date, ...],
    params: ScheduleParams,
    *,
    arrivals: pl.DataFrame | None,
    carried: Mapping[str, float],
    windows: tuple[CallWindows, ...],
) -> list[tuple[ChannelDemand, ...]]:
    """Return the work of every channel, per day."""
    counts = dict(chosen["channel"].drop_nulls().value_counts().iter_rows())
    demands = []
    for index in range(len(days)):
        # what the plan itself does, and what was left over, is for the first day
        own = {name: float(counts.get(name, 0)) for name in DEFAULT_WORK} if index == 0 else {}
        kinds, number = windows[index]
        contacts = forecast_contacts(
            inputs, own, arrivals, carried if index == 0 else {}, params,
            skipped=skipped_intervals(days[index], params, catalogue.time_zone),
        )  # fmt: skip
        demands.append(
            tuple(
                measure_demand(
                    name,
                    *contacts[name],
                    params=params,
                    windows=list(zip(number.tolist(), kinds, strict=True)) if name == CALLING else None,
                )
                for name in DEFAULT_WORK
            )
        )
    return demands


def _room_for_the_plan(
    force: Workforce, demand: tuple[ChannelDemand, ...], params: ScheduleParams
) -> dict[str, float]:
    """Return what work that came in leaves to the plan on the first day; a queue is not counted off."""
    arrived = {
        item.channel: float(item.contacts.sum()) - item.own for item in demand if item.work.kind == "drain"
    }
    return {
        name: max(most - float(np.ceil(arrived.get(name, 0.0))), 0.0)
        for name, most in force.contacts_per_day(0, params).items()
    }


def _shift_frame(
    roster: Roster,
    people: tuple[Person, ...] | None,
    shifts: Sequence[Sequence[Shift]],
    force: Workforce,
    days: tuple[date, ...],
) -> pl.DataFrame:
    """Return `SHIFT_COLUMNS`; the times of a shift, and who works on what, are few and are written once."""
    kinds: dict[tuple[int, int], int] = {}
    works: dict[tuple[str, ...], int] = {}
    channels = [force.channels_of(day) for day in range(len(days))]
    who: list[tuple[str, str, int, int]] = []
    for assignment in roster.assignments:
        rep_id = force.rep_id(assignment.person)
        name = rep_id if people is None else people[assignment.person].name
        kind = kinds.setdefault((assignment.day, assignment.shift), len(kinds))
        work = works.setdefault(tuple(channels[assignment.day][assignment.person]), len(works))
        who.append((rep_id, name, kind, work))
    times = [_times(shifts[day][shift], days[day]) for day, shift in kinds]
    named = pl.DataFrame(who, schema=_WHO, orient="row")
    work_of = pl.Series("channels", [list(work) for work in works], SHIFT_COLUMNS["channels"])
    columns = [
        *named.select("rep_id", "rep_name"),
        *pl.DataFrame(times, schema=_TIMES, orient="row")[named["kind"]],
        work_of.gather(named["work"]),
    ]
    return pl.DataFrame(columns).select(*SHIFT_COLUMNS)


def _times(shift: Shift, day: date) -> tuple[object, ...]:
    lunch = [None, None] if shift.lunch is None else [_at(day, minute) for minute in shift.lunch]
    breaks = [_at(day, start) for start, _ in shift.breaks]
    length = shift.breaks[0][1] - shift.breaks[0][0] if shift.breaks else 0
    return (
        day, shift.pattern, _at(day, shift.start_min), _at(day, shift.end_min), *lunch, breaks, length,
        shift.paid_min,
    )  # fmt: skip


def _work_frame(force: Workforce, days: tuple[date, ...], params: ScheduleParams) -> pl.DataFrame:
    """Return `CENTRE_WORK_COLUMNS`."""
    parts = [pl.DataFrame(schema=CENTRE_WORK_COLUMNS)]
    names, channels = pl.Series(force.rep_ids, dtype=pl.String), pl.Series(CHANNELS)
    for index, day in enumerate(days):
        moments = pl.Series(
            [_at(day, params.opens_min + t * params.interval_min) for t in range(params.intervals)]
        )
        activity, between = force.activity[index], force.between[index]
        row, own_t = np.nonzero(activity != IDLE)
        between_c, between_t = np.nonzero(between > 0)
        nobody = names.clear(between_t.size)
        found: dict[str, Any] = {
            "rep_id": names.gather(force.people[index][row]).append(nobody),
            "day": pl.repeat(day, row.size + between_t.size, eager=True),
            "start_at": moments.gather(np.concatenate([own_t, between_t])),
            "channel": channels.gather(np.concatenate([activity[row, own_t], between_c])),
            "people": np.concatenate([np.ones(row.size), between[between_c, between_t]]),
        }
        parts.append(pl.DataFrame(found, schema=CENTRE_WORK_COLUMNS))
    return pl.concat(parts)


def _by_account(inputs: PlanInputs, calls: CallList) -> pl.DataFrame:
    placed = calls.calls.select("account_id", call_rep_id="rep_id", call_at="start_at")
    missed = calls.unplaced.select("account_id", call_note="reason")
    return (
        inputs.accounts.select("account_id")
        .join(placed, on="account_id", how="left", maintain_order="left")
        .join(missed, on="account_id", how="left", maintain_order="left")
    )


def _notes(
    people: tuple[Person, ...] | None,
    demands: list[tuple[ChannelDemand, ...]],
    roster: Roster,
    covers: list[Cover],
    *,
    shifts: tuple[Shift, ...],
    days: tuple[date, ...],
    params: ScheduleParams,
) -> tuple[str, ...]:
    notes = [f"{item.channel}: {item.source}" for item in demands[0]]
    if people is None:
        notes.append("no staff was given: the people are numbered, as many as are needed")
    elif not people:
        notes.append("the staff is empty: nobody works, and all work is left over")
    for cover, demand, day in zip(covers, demands, days, strict=True):
        missing = missing_hours(cover, demand, params)
        if missing > 0:
            notes.append(f"{day}: {missing:.1f} hours of staff are missing")
        if not cover.proven:
            gap = (cover.objective - cover.bound) / max(cover.objective, 1.0)
            notes.append(f"{day}: the shifts may be up to {gap:.1%} too many (max_seconds)")
    for index, _, shift, count in roster.unfilled:
        start = f"{shifts[shift].start_min // 60:02d}:{shifts[shift].start_min % 60:02d}"
        notes.append(f"{days[index]}: nobody can take {count} shift(s) from {start} (contracts, rest)")
    return tuple(notes)


def _at(day: date, minute: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute)
