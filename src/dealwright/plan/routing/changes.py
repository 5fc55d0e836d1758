"""A planned day changed by hand: what one asks for, whether it can be driven, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Any, Final, TypeAlias

import polars as pl

from dealwright.errors import InputError, RefusedChangeError
from dealwright.notebook import Summarised
from dealwright.plan.routing.day import FieldDay, Terms, ask, clock
from dealwright.plan.routing.job import MINUTE
from dealwright.plan.routing.limits import PROMISE, SHIFT, WINDOW, WORTH, Obstacle
from dealwright.plan.routing.outcome import PlannedDays
from dealwright.plan.routing.refusal import (
    ABSENCE,
    NOT_VISITED,
    OTHER_DAY,
    find_obstacle,
)
from dealwright.plan.routing.requests import DAY_MIN
from dealwright.schemas import VISIT_COLUMNS, WORKING_DAY_COLUMNS

_ACCOUNT, _START = (list(VISIT_COLUMNS).index(name) for name in ("account_id", "start_at"))
CANCELLED: Final = "left out"
UNPLACED_COLUMNS: Final = {  # visits of the plan that the changed day does not make
    "account_id": pl.String,
    "rep_id": pl.String,  # who was to make it
    "value_eur": pl.Float64,
    "limit": pl.String,
    "reason": pl.String,
}


@dataclass(frozen=True)
class Move:
    """A visit goes to a representative and a moment; of an account that is not visited, it is added.

    Attributes
    ----------
    begin_min
        Minutes after midnight; without it, where the way costs least.
    """

    account_id: str
    rep_id: str
    begin_min: int | None = None


@dataclass(frozen=True)
class LeaveOut:
    """A visit is not made: cancelled, or not wanted."""

    account_id: str


@dataclass(frozen=True)
class Pin:
    """A visit stays with its representative when the rest is planned again.

    Attributes
    ----------
    with_moment
        Whether it stays at its moment, too.
    """

    account_id: str
    with_moment: bool = False


@dataclass(frozen=True)
class Absent:
    """A representative begins no visit from a moment on, such as one who is ill."""

    rep_id: str
    from_min: int = 0


@dataclass(frozen=True)
class Overrun:
    """A visit takes longer than planned."""

    account_id: str
    extra_min: int


@dataclass(frozen=True)
class NewShift:
    """A representative works at other times."""

    rep_id: str
    start_min: int
    end_min: int


@dataclass(frozen=True)
class Replan:
    """The rest was planned again.

    Attributes
    ----------
    orders
        Representative -> the accounts visited now, in order.
    begun_s
        Account -> when its visit began, in seconds after midnight; it stands.
    """

    orders: Mapping[str, tuple[str, ...]]
    begun_s: Mapping[str, int] = field(default_factory=dict)


Change: TypeAlias = Move | LeaveOut | Pin | Absent | Overrun | NewShift | Replan


@dataclass(frozen=True)
class DayFigures:
    """What a day is worth and what it takes.

    Attributes
    ----------
    cost_eur
        Of travel, as the routes count it.
    """

    visits: int
    value_eur: float
    travel_min: float
    distance_km: float
    cost_eur: float

    def minus(self, other: DayFigures) -> DayFigures:
        """Return the difference."""
        return DayFigures(
            *(getattr(self, name) - getattr(other, name) for name in DayFigures.__dataclass_fields__)
        )

    @property
    def net_eur(self) -> float:
        """The value less the cost of travel."""
        return self.value_eur - self.cost_eur


@dataclass(frozen=True)
class Draft:
    """A day under change: which visits are made by whom in which order, and on which terms."""

    orders: Mapping[str, tuple[str, ...]]
    terms: Terms
    absent: Mapping[str, int]
    unplaced: Mapping[str, tuple[str, Obstacle]]

    def rep_of(self, account_id: str) -> str:
        """Return who visits an account.

        Raises
        ------
        RefusedChangeError
            Nobody does.
        """
        for rep_id, order in self.orders.items():
            if account_id in order:
                return rep_id
        raise RefusedChangeError(NOT_VISITED, f"nobody visits {account_id} on this day: add it first")


@dataclass(frozen=True)
class ChangedDay(Summarised):
    """Result of `change_day`.

    Attributes
    ----------
    visits, days
        `VISIT_COLUMNS` and `WORKING_DAY_COLUMNS` of the day.
    unplaced
        `UNPLACED_COLUMNS`: visits of the plan, or added ones, that are not made.
    pinned
        Accounts whose visit stays where it is when the rest is planned again.
    touched
        Representatives whose day differs from the plan.
    figures, planned
        Of the changed day, and of the day as it was planned.
    draft
        What further changes build on.
    """

    visits: pl.DataFrame
    days: pl.DataFrame
    unplaced: pl.DataFrame
    pinned: frozenset[str]
    touched: frozenset[str]
    figures: DayFigures
    planned: DayFigures
    draft: Draft

    @property
    def difference(self) -> DayFigures:
        """What the changes bring and take."""
        return self.figures.minus(self.planned)

    def summary(self) -> Mapping[str, Any]:
        """Return the key figures, and how they differ from the plan's."""
        return {**vars(self.figures), **{f"{name}_more": x for name, x in vars(self.difference).items()}}

    def to_frame(self) -> pl.DataFrame:
        """Return `visits`."""
        return self.visits


def change_day(day: FieldDay, changes: Sequence[Change]) -> ChangedDay:
    """Change a day as planned, one change after the other, each checked on what those before it left.

    What somebody asks for (a move, an added visit) is refused where it cannot be driven. What simply is the
    case (an overrun, an absence, a shift that ends earlier) is not: the visits that no longer fit fall out,
    the least valuable first, and are named.

    Raises
    ------
    RefusedChangeError
        A limit does not allow a change.
    NotFoundError
        An account or representative is none of the run's.
    """
    driven: dict[str, PlannedDays] = {}
    draft = Draft(day.orders(), Terms(), {}, {})
    for change in changes:
        draft = _STEPS[type(change)](day, draft, change)
    former = day.orders()
    touched = frozenset(
        rep_id
        for rep_id, order in draft.orders.items()
        if order != former.get(rep_id, ())
        or rep_id in draft.terms.shift
        or any(account in draft.terms.begin_s or account in draft.terms.extra_min for account in order)
    )
    for rep_id in sorted(touched):
        found = _drive(day, draft.terms, rep_id, draft.orders[rep_id])
        if isinstance(found, Obstacle):  # never: each step was checked
            raise RefusedChangeError(*found)
        driven[rep_id] = found
    return _gather(day, draft, touched, driven)


def _gather(
    day: FieldDay, draft: Draft, touched: frozenset[str], driven: Mapping[str, PlannedDays]
) -> ChangedDay:
    new_visits = [row for planned in driven.values() for row in planned.visits]
    new_days = [row for planned in driven.values() for row in planned.days]
    visits = pl.concat(
        [
            day.visits.filter(~pl.col("rep_id").is_in(list(touched))),
            pl.DataFrame(new_visits, schema=VISIT_COLUMNS, orient="row"),
        ]
    ).sort("rep_id", "day", "stop")
    days = pl.concat(
        [
            day.days.filter(~pl.col("rep_id").is_in(list(touched))),
            pl.DataFrame(new_days, schema=WORKING_DAY_COLUMNS, orient="row").with_columns(
                pl.col("extra_hour_eur", "extra_visit_eur").fill_nan(None)
            ),
        ]
    ).sort("rep_id", "day")
    worth = dict(day.requests.select("account_id", "value_eur").rows())
    unplaced = pl.DataFrame(
        [(account, rep, worth.get(account), *why) for account, (rep, why) in draft.unplaced.items()],
        schema=UNPLACED_COLUMNS,
        orient="row",
    )
    return ChangedDay(
        visits,
        days,
        unplaced,
        draft.terms.added,
        touched,
        figures_of(days, day),
        figures_of(day.days, day),
        draft,
    )


def figures_of(days: pl.DataFrame, day: FieldDay) -> DayFigures:
    """Add up the days of the representatives."""
    km, minutes = float(days["distance_km"].sum()), float(days["travel_min"].sum())
    params = day.params
    cost = km * params.cost_eur_per_km + minutes / 60 * params.cost_eur_per_h
    return DayFigures(int(days["stops"].sum()), float(days["value_eur"].sum()), minutes, km, cost)


def _drive(day: FieldDay, terms: Terms, rep_id: str, order: Sequence[str]) -> PlannedDays | Obstacle:
    """Return a representative's day with its moments, or the limit that it breaks."""
    question = ask(day, [day.rep(rep_id)], order, terms)
    plan = question.time(0, order)
    if plan is None:
        return find_obstacle(question, 0, order, terms)
    return question.rows(plan)


def begins_s(day: FieldDay, draft: Draft, rep_id: str) -> dict[str, int]:
    """Return when a representative begins each visit, in seconds after midnight."""
    found = _drive(day, draft.terms, rep_id, draft.orders[rep_id])
    if isinstance(found, Obstacle):
        raise RefusedChangeError(*found)
    return {row[_ACCOUNT]: _second(day, row) for row in found.visits}


def _second(day: FieldDay, row: tuple[Any, ...]) -> int:
    start: datetime = row[_START]
    return round((start - datetime.combine(day.day, time())).total_seconds())


def _require_allowed(day: FieldDay, draft: Draft, change: Move) -> None:
    """Refuse a move that no order of the day allows."""
    account, rep_id, begin = change.account_id, change.rep_id, change.begin_min
    rep = draft.terms.shift_of(day.rep(rep_id))
    # says whether the account is known, and somewhere
    visit = ask(day, [rep], [account], replace(draft.terms, begin_s={})).job.visits.row(0, named=True)
    if account in day.other_days:
        on = day.other_days[account].isoformat()
        raise RefusedChangeError(OTHER_DAY, f"{account} is visited on {on} already")
    if visit["pinned"] and visit["rep_id"] != rep_id:
        raise RefusedChangeError(PROMISE, f"{account} was promised a visit of {visit['rep_id']}")
    if begin is None:
        return
    if visit["begin_min"] not in (None, begin):
        raise RefusedChangeError(PROMISE, f"the appointment of {account} is at {clock(visit['begin_min'])}")
    opens, latest = visit["opens_min"], visit["closes_min"] - visit["visit_min"]
    if not opens <= begin <= latest:
        raise RefusedChangeError(
            WINDOW,
            f"{account} is open from {clock(opens)} to {clock(visit['closes_min'])} and the visit takes "
            f"{visit['visit_min']:g} min: it may begin from {clock(opens)} to {clock(latest)}, not at "
            f"{clock(begin)}",
        )
    if not rep.shift_start_min <= begin <= rep.shift_end_min:
        shift = f"{clock(rep.shift_start_min)} to {clock(rep.shift_end_min)}"
        raise RefusedChangeError(
            SHIFT, f"the shift of {rep_id} is from {shift}: {clock(begin)} is outside it"
        )


def _move(day: FieldDay, draft: Draft, change: Move) -> Draft:
    account, rep_id, begin = change.account_id, change.rep_id, change.begin_min
    _require_allowed(day, draft, change)
    _require_present(draft, rep_id, begin)
    orders = {name: tuple(a for a in order if a != account) for name, order in draft.orders.items()}
    fixed = {name: at for name, at in draft.terms.begin_s.items() if name != account}
    if begin is not None:
        fixed[account] = begin * MINUTE
    terms = replace(draft.terms, begin_s=fixed, added=draft.terms.added | {account})
    place = _cheapest_place(day, draft, terms, change, orders[rep_id])
    if place is None:
        place = _natural_place(day, replace(draft, orders=orders), rep_id, begin)
        order = (*orders[rep_id][:place], account, *orders[rep_id][place:])
        found = _drive(day, terms, rep_id, order)
        gone = f"{rep_id} is absent from {clock(draft.absent.get(rep_id, 0))}"
        raise RefusedChangeError(*(found if isinstance(found, Obstacle) else (ABSENCE, gone)))
    orders[rep_id] = (*orders[rep_id][:place], account, *orders[rep_id][place:])
    left = {name: why for name, why in draft.unplaced.items() if name != account}
    return replace(draft, orders=orders, terms=terms, unplaced=left)


def _cheapest_place(
    day: FieldDay, draft: Draft, terms: Terms, change: Move, order: tuple[str, ...]
) -> int | None:
    """Return where in the order a visit costs least; None where it fits nowhere."""
    best: tuple[float, int] | None = None
    for place in range(len(order) + 1):
        found = _drive(day, terms, change.rep_id, (*order[:place], change.account_id, *order[place:]))
        if isinstance(found, Obstacle) or _begins_after_absence(day, draft, change.rep_id, found):
            continue
        figures = figures_of(pl.DataFrame(found.days, schema=WORKING_DAY_COLUMNS, orient="row"), day)
        cost = figures.cost_eur if figures.cost_eur > 0 else figures.travel_min
        if best is None or cost < best[0] - 1e-9:
            best = (cost, place)
    return None if best is None else best[1]


def _require_present(draft: Draft, rep_id: str, begin: float | None) -> None:
    gone = draft.absent.get(rep_id)
    if gone is not None and (begin is None or begin >= gone):
        raise RefusedChangeError(ABSENCE, f"{rep_id} is absent from {clock(gone)}")


def _begins_after_absence(day: FieldDay, draft: Draft, rep_id: str, found: PlannedDays) -> bool:
    gone = draft.absent.get(rep_id)
    return gone is not None and any(_second(day, row) >= gone * MINUTE for row in found.visits)


def _natural_place(day: FieldDay, draft: Draft, rep_id: str, begin: float | None) -> int:
    """Return where in the order a visit of this moment stands."""
    if begin is None:
        return len(draft.orders[rep_id])
    begins = begins_s(day, draft, rep_id)
    return sum(begins[account] < begin * MINUTE for account in draft.orders[rep_id])


def _leave_out(_day: FieldDay, draft: Draft, change: LeaveOut) -> Draft:
    rep_id = draft.rep_of(change.account_id)
    return _without(draft, rep_id, change.account_id, Obstacle(CANCELLED, "somebody decided so"))


def _without(draft: Draft, rep_id: str, account: str, why: Obstacle) -> Draft:
    order = tuple(name for name in draft.orders[rep_id] if name != account)
    fixed = {name: at for name, at in draft.terms.begin_s.items() if name != account}
    terms = replace(draft.terms, begin_s=fixed, added=draft.terms.added - {account})
    return replace(
        draft,
        orders={**draft.orders, rep_id: order},
        terms=terms,
        unplaced={**draft.unplaced, account: (rep_id, why)},
    )


def _pin(day: FieldDay, draft: Draft, change: Pin) -> Draft:
    account = change.account_id
    rep_id = draft.rep_of(account)
    terms = replace(draft.terms, added=draft.terms.added | {account})
    if change.with_moment:
        begin = begins_s(day, draft, rep_id)[account]
        terms = replace(terms, begin_s={**terms.begin_s, account: begin})
    return replace(draft, terms=terms)


def _absent(day: FieldDay, draft: Draft, change: Absent) -> Draft:
    day.rep(change.rep_id)
    begins = begins_s(day, draft, change.rep_id)
    why = Obstacle(ABSENCE, f"{change.rep_id} is absent from {clock(change.from_min)}")
    for account, begin in begins.items():
        if begin >= change.from_min * MINUTE:
            draft = _without(draft, change.rep_id, account, why)
    return _fit(day, replace(draft, absent={**draft.absent, change.rep_id: change.from_min}), change.rep_id)


def _overrun(day: FieldDay, draft: Draft, change: Overrun) -> Draft:
    if not 0 < change.extra_min <= DAY_MIN:
        raise InputError(
            f"extra_min = {change.extra_min}: say by how many minutes (1 to {DAY_MIN}) it is longer"
        )
    rep_id = draft.rep_of(change.account_id)
    begin = begins_s(day, draft, rep_id)[change.account_id]
    extra = draft.terms.extra_min.get(change.account_id, 0.0) + change.extra_min
    # it is under way, or will be: it stands where it is
    terms = replace(
        draft.terms,
        extra_min={**draft.terms.extra_min, change.account_id: extra},
        begin_s={**draft.terms.begin_s, change.account_id: begin},
        added=draft.terms.added | {change.account_id},
    )
    return _fit(day, replace(draft, terms=terms), rep_id, stays=change.account_id)


def _new_shift(day: FieldDay, draft: Draft, change: NewShift) -> Draft:
    rep = day.rep(change.rep_id)
    if not 0 <= change.start_min < change.end_min <= 2 * DAY_MIN:
        raise InputError(
            f"a shift from {change.start_min} to {change.end_min} minutes after midnight: "
            "let it end after it begins"
        )
    terms = replace(draft.terms, shift={**draft.terms.shift, rep.rep_id: (change.start_min, change.end_min)})
    return _fit(day, replace(draft, terms=terms), rep.rep_id)


def _fit(day: FieldDay, draft: Draft, rep_id: str, stays: str | None = None) -> Draft:
    """Let visits fall out until the others fit: first those that nobody pinned, the least valuable first."""
    worth = dict(day.requests.select("account_id", "value_eur").rows())
    while True:
        order = draft.orders[rep_id]
        found = _drive(day, draft.terms, rep_id, order)
        if not isinstance(found, Obstacle):
            return draft
        free = [account for account in order if account != stays] or list(order)
        free = [account for account in free if account not in draft.terms.added] or free
        free.sort(key=lambda account: (worth.get(account, 0.0), account))
        enough = (
            account
            for account in free
            if not isinstance(
                _drive(day, draft.terms, rep_id, [name for name in order if name != account]), Obstacle
            )
        )
        draft = _without(draft, rep_id, next(enough, free[0]), found)


def _replan(day: FieldDay, draft: Draft, change: Replan) -> Draft:
    orders = {**draft.orders, **{rep_id: tuple(order) for rep_id, order in change.orders.items()}}
    made = {account for order in orders.values() for account in order}
    if len(made) != sum(map(len, orders.values())):
        raise InputError("an account is visited twice: plan the rest again")
    terms = replace(draft.terms, begin_s={**draft.terms.begin_s, **change.begun_s})
    draft = replace(draft, terms=terms)
    for rep_id in change.orders:
        found = _drive(day, draft.terms, rep_id, orders[rep_id])
        if isinstance(found, Obstacle):
            raise RefusedChangeError(*found)
        if _begins_after_absence(day, draft, rep_id, found):
            raise RefusedChangeError(ABSENCE, f"{rep_id} is absent from {clock(draft.absent[rep_id])}")
    left = {name: why for name, why in draft.unplaced.items() if name not in made}
    for rep_id, order in draft.orders.items():
        for account in order:
            if account not in made:
                why = Obstacle(WORTH, "others bring more now that the rest was planned again")
                left[account] = (rep_id, why)
    return replace(draft, orders=orders, unplaced=left)


_STEPS: Final[Mapping[type[Any], Callable[[FieldDay, Draft, Any], Draft]]] = {
    Move: _move, LeaveOut: _leave_out, Pin: _pin, Absent: _absent, Overrun: _overrun, NewShift: _new_shift,
    Replan: _replan,
}  # fmt: skip
