"""Which shifts to work on a day: explicit patterns with breaks, the cheapest that cover the demand.

The set-covering formulation of Dantzig (1954, "A comment on Edie's traffic delays at toll booths") over
explicit shifts, with the assignment of people to channels and the draining of waiting work in one model;
solved by SciPy's HiGHS. Among shifts of equal cost come first those of the fewest people, then those with the
fewest people at work at once, which spreads work that may wait over the day around the work that may not; and
each channel is worked as evenly as the shifts allow.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from dealwright.errors import InputError
from dealwright.plan.staffing.cut_off import Program, minimise
from dealwright.plan.staffing.demand import ChannelDemand, Floats, Ints
from dealwright.plan.staffing.missing import missing_min
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.shift_families import find_families

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# what an agent-interval weighs against a paid one: late work, work left at the end of the day, a queue
# without agents
_LATE: Final = 100
_LEFT: Final = 4_000
_UNANSWERED: Final = 10_000


# columns, their factors, and the limits of the sum
_Row: TypeAlias = tuple[Ints, Floats, float, float]


@dataclass(frozen=True)
class Group:
    """People who can be exchanged for one another."""

    channels: frozenset[str]  # what they can work on
    shifts: tuple[int, ...]  # indices of the shifts they may work
    size: int | None  # how many there are; None for as many as are needed
    least: int = 0  # how many of them work at least
    # how many more of them are there in each interval, on shifts that are given; empty for nobody
    present: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cover:
    """The shifts of a day."""

    count: Ints  # people per group and shift, shape (groups, shifts)
    assigned: Floats  # people at work per group, channel and interval
    # missing agents per channel and interval of a queue; of work that may wait, the agent-intervals then
    # overdue
    shortage: Floats
    # people's worth of work that may be interrupted, done between the contacts of queues, per channel and
    # interval
    between: Floats
    paid_min: int
    proven: bool  # whether no cheaper cover exists
    objective: float
    bound: float  # lower bound of the objective, as `objective` in paid minutes with shortage weighed in


@dataclass(frozen=True)
class SolvedCover:
    """A solution of the program of a day, and how good it is."""

    x: Floats
    proven: bool
    bound: float


SolvedCovers: TypeAlias = MutableMapping[str, SolvedCover]


def missing_hours(cover: Cover, demand: tuple[ChannelDemand, ...], params: ScheduleParams) -> float:
    """Return the hours of staff a cover lacks."""
    return missing_min(demand, cover.assigned.sum(axis=0) + cover.between, params) / 60.0


def cover_demand(
    demand: tuple[ChannelDemand, ...],
    groups: tuple[Group, ...],
    shifts: tuple[Shift, ...],
    params: ScheduleParams,
    solved: SolvedCovers | None = None,
) -> Cover:
    """Choose how many people of each group work each shift.

    Missing agents count so much more than paid time that they remain only where nobody is left.

    Parameters
    ----------
    solved
        Programs that were solved before: the same one is not solved again, a new one is added.
    """
    if not any(item.required.any() or item.due.any() for item in demand):
        return _empty(demand, groups, shifts, params)
    model = _Model(demand, groups, shifts, params)
    matrix, lower, upper = model.constraints()
    program = Program(model.cost(), matrix, lower, upper, model.most(), model.integrality())
    known: SolvedCovers = {} if solved is None else solved
    key = _fingerprint(model, program, params)
    if key not in known:
        known[key] = _solved(model, program, params)
    result = known[key]
    return model.read(result.x, proven=result.proven, bound=result.bound)


def _fingerprint(model: _Model, program: Program, params: ScheduleParams) -> str:
    """Return a key for all that `_solved` depends on."""
    matrix = program.matrix
    numbers = (
        program.cost, matrix.data, matrix.indices, matrix.indptr, program.lower, program.upper, program.most,
        program.integrality, model.first_of,
    )  # fmt: skip
    places = (model.columns, model.first_serve, model.first_short, model.peak, model.times, model.serve)
    found = hashlib.sha256(repr((places, model.drains(), params.max_seconds, params.fewest_at_once)).encode())
    for array in numbers:
        found.update(f"{array.dtype}{array.size}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _solved(model: _Model, program: Program, params: ScheduleParams) -> SolvedCover:
    result = minimise(program, params.max_seconds)
    if result.x is None:
        # it is always feasible to work nothing and miss everything: only the clock can stop it
        raise InputError(
            f"no shifts were found within schedule.max_seconds = {params.max_seconds}: allow more "
            "time or fewer shifts"
        )
    x = _spread(model, program, _prefer(model, program, result.x, params))
    return SolvedCover(x, result.proven, result.bound)


class _Model:
    """Columns, in this order.

    People per group and shift; people at work per group and channel, in each interval; work done between the
    contacts of a queue, per queue, group and channel; shortage per channel; the most people at work at once;
    and calls that each kind of customer is ready for, again in each interval.
    """

    def __init__(
        self,
        demand: tuple[ChannelDemand, ...],
        groups: tuple[Group, ...],
        shifts: tuple[Shift, ...],
        params: ScheduleParams,
    ) -> None:
        self.demand, self.groups, self.shifts, self.params = demand, groups, shifts, params
        self.families = [
            (g, family)
            for g, group in enumerate(groups)
            for family in find_families(shifts, group.shifts, params)
        ]
        # the column of each family, followed by those of its breaks
        self.first_of = np.cumsum([0, *(family.columns for _, family in self.families)])
        self.times = params.intervals
        self.serve = [
            (g, c)
            for g, group in enumerate(groups)
            for c, item in enumerate(demand)
            if item.channel in group.channels
        ]
        self.blend = [
            (queue, drain)
            for queue, (g, c) in enumerate(self.serve)
            for drain, (h, d) in enumerate(self.serve)
            if g == h and demand[c].idle.any() and demand[d].work.between_contacts
        ]
        self.windows = [
            (c, amount, np.flatnonzero(permitted))
            for c, item in enumerate(demand)
            for amount, permitted in item.windows or ()
        ]
        self.first_serve = int(self.first_of[-1])
        self.first_blend = self.first_serve + len(self.serve) * self.times
        self.first_short = self.first_blend + len(self.blend) * self.times
        self.peak = self.first_short + len(demand) * self.times
        self.first_window = self.peak + 1
        self.columns = self.first_window + sum(moments.size for *_, moments in self.windows)

    def cost(self) -> Floats:
        """Return what each column costs, in units of what all share, so that the objective is whole."""
        paid = np.array([family.paid_min for _, family in self.families], dtype=np.int64)
        self.unit = int(np.gcd.reduce(np.append(paid, 0))) or 1
        cost = np.zeros(self.columns)
        cost[self.first_of[:-1]] = paid // self.unit
        weight = np.full((len(self.demand), self.times), float(_UNANSWERED))
        for c, item in enumerate(self.demand):
            if item.work.kind == "drain":
                weight[c] = _LATE
                weight[c, -1] = _LEFT
        cost[self.first_short : self.peak] = np.ceil(weight.ravel() * self.params.interval_min / self.unit)
        return cost

    def integrality(self) -> Ints:
        """Whole people; whole shortage too, so that the solver may round its bound up."""
        whole = np.zeros(self.columns, dtype=np.int64)
        whole[: self.first_serve] = 1
        whole[self.first_short : self.first_window] = 1
        return whole

    def most(self) -> Floats:
        """Return the upper bounds of the columns."""
        most = np.full(self.columns, np.inf)
        for first, (g, family) in zip(self.first_of[:-1], self.families, strict=True):
            size = self.groups[g].size
            most[first : first + family.columns] = np.inf if size is None else size
        return most

    def constraints(self) -> tuple[csr_array, Floats, Floats]:
        """Return rows and limits: people at work, people per group, demand met, waiting work drained."""
        rows: list[_Row] = []
        everybody: list[list[tuple[Ints, Floats]]] = [[] for _ in range(self.times)]
        for g, group in enumerate(self.groups):
            own = [k for k, (owner, _) in enumerate(self.families) if owner == g]
            at_work = np.concatenate(
                [np.zeros((0, self.times)), *(self.families[k][1].effect() for k in own)]
            )
            index = np.concatenate(
                [np.arange(self.first_of[k], self.first_of[k + 1], dtype=np.int64) for k in own]
                or [np.zeros(0, dtype=np.int64)]
            )
            serving = [k for k, (owner, _) in enumerate(self.serve) if owner == g]
            for t in range(self.times):
                used = np.array([self.first_serve + k * self.times + t for k in serving], dtype=np.int64)
                there = np.flatnonzero(at_work[:, t])
                everybody[t].append((index[there], at_work[there, t]))
                rows.append(
                    (
                        np.append(used, index[there]),
                        np.append(np.ones(used.size), -at_work[there, t]),
                        -np.inf,
                        float(group.present[t]) if group.present else 0.0,
                    )
                )
            for k in own:
                rows += self._breaks(k)
            columns = self.first_of[own]
            if group.size is not None and columns.size:
                rows.append(
                    (columns, np.ones(columns.size), float(group.least) or -np.inf, float(group.size))
                )
        for parts in everybody:
            columns = np.concatenate([part[0] for part in parts] + [np.array([self.peak], dtype=np.int64)])
            effects = np.concatenate([part[1] for part in parts] + [np.array([-1.0])])
            rows.append((columns, effects, -np.inf, 0.0))
        for c, item in enumerate(self.demand):
            rows += self._queue(c, item) if item.work.kind == "queue" else self._drain(c, item)
        rows += self._between()
        matrix = _as_matrix(rows, self.columns)
        return matrix, np.array([row[2] for row in rows]), np.array([row[3] for row in rows])

    def _between(self) -> list[_Row]:
        """Return the rows that let a queue's idle time be used, no more of it than there is."""
        rows: list[_Row] = []
        for queue in sorted({queue for queue, _ in self.blend}):
            item = self.demand[self.serve[queue][1]]
            share = np.divide(item.idle, item.required, out=np.zeros(self.times), where=item.required > 0)
            own = [k for k, (other, _) in enumerate(self.blend) if other == queue]
            # an hour of somebody who waits for calls is worth what the queue's shrinkage and occupancy leave
            drains = [self.demand[self.serve[self.blend[k][1]][1]] for k in own]
            pace = np.array([other.work.pace / item.work.pace for other in drains])
            for t in range(self.times):
                used = np.array([self.first_blend + k * self.times + t for k in own], dtype=np.int64)
                columns = np.append(used, self.first_serve + queue * self.times + t)
                rows.append((columns, np.append(pace, -share[t]), -np.inf, 0.0))
        return rows

    def _breaks(self, k: int) -> list[_Row]:
        """Return the rows that give everybody of a family each of its breaks."""
        rows, first = [], int(self.first_of[k]) + 1
        for places in self.families[k][1].breaks:
            columns = np.append(np.arange(first, first + len(places)), self.first_of[k])
            rows.append((columns, np.append(np.ones(len(places)), -1.0), 0.0, 0.0))
            first += len(places)
        return rows

    def drains(self) -> list[int]:
        """Return the channels with work that may wait."""
        return [c for c, item in enumerate(self.demand) if item.work.kind == "drain" and item.arrived[-1] > 0]

    def serving(self, c: int, t: int) -> Ints:
        """Return the columns of the people on a channel in an interval."""
        return np.array(
            [
                self.first_serve + k * self.times + t
                for k, (_, channel) in enumerate(self.serve)
                if channel == c
            ],
            dtype=np.int64,
        )

    def _queue(self, c: int, item: ChannelDemand) -> list[_Row]:
        rows = []
        for t in np.flatnonzero(item.required):
            columns = np.append(self.serving(c, int(t)), self.first_short + c * self.times + t)
            rows.append((columns, np.ones(columns.size), float(item.required[t]), np.inf))
        return rows

    def _drain(self, c: int, item: ChannelDemand) -> list[_Row]:
        if item.arrived[-1] <= 0:
            return []
        rows: list[_Row] = []
        if item.windows is not None:
            rows += self._ready(c)
        done = np.zeros(0, dtype=np.int64)
        between = [k for k, (_, drain) in enumerate(self.blend) if self.serve[drain][1] == c]
        for t in range(self.times):
            now = self.serving(c, t)
            now = np.append(now, np.array([self.first_blend + k * self.times + t for k in between], np.int64))
            done = np.append(done, now)
            if item.due[t] > 0:
                columns = np.append(done, self.first_short + c * self.times + t)
                rows.append((columns, np.ones(columns.size), float(item.due[t]), np.inf))
            if item.arrived[t] < item.arrived[-1]:
                rows.append((done, np.ones(done.size), -np.inf, float(item.arrived[t])))
        return rows

    def _ready(self, c: int) -> list[_Row]:
        """Return the rows that make calls only while their customers may be called, and each once."""
        rows: list[_Row] = []
        of_moment: list[list[int]] = [[] for _ in range(self.times)]
        first = self.first_window
        for channel, amount, moments in self.windows:
            if channel == c:
                columns = np.arange(first, first + moments.size)
                rows.append((columns, np.ones(columns.size), -np.inf, amount))
                for column, t in zip(columns.tolist(), moments.tolist(), strict=True):
                    of_moment[t].append(column)
            first += moments.size
        for t in range(self.times):
            now = self.serving(c, t)
            columns = np.append(now, np.array(of_moment[t], dtype=np.int64))
            rows.append((columns, np.append(np.ones(now.size), -np.ones(len(of_moment[t]))), -np.inf, 0.0))
        return rows

    def read(self, x: Floats, *, proven: bool, bound: float) -> Cover:
        """Turn a solution into a cover."""
        count = np.zeros((len(self.groups), len(self.shifts)), dtype=np.int64)
        for k, (g, family) in enumerate(self.families):
            columns = np.round(x[self.first_of[k] : self.first_of[k + 1]]).astype(np.int64)
            for s in family.shifts_of(columns.tolist()):
                count[g, s] += 1
        assigned = np.zeros((len(self.groups), len(self.demand), self.times))
        for k, (g, c) in enumerate(self.serve):
            first = self.first_serve + k * self.times
            assigned[g, c] = x[first : first + self.times]
        shortage = np.round(x[self.first_short : self.peak]).reshape(len(self.demand), self.times)
        between = np.zeros((len(self.demand), self.times))
        for k, (_, drain) in enumerate(self.blend):
            first = self.first_blend + k * self.times
            between[self.serve[drain][1]] += x[first : first + self.times]
        paid = sum(int(count[:, s].sum()) * shift.paid_min for s, shift in enumerate(self.shifts))
        objective = float(
            self.cost() @ np.concatenate([np.round(x[: self.first_serve]), x[self.first_serve :]])
        )
        return Cover(
            count, assigned, shortage, between, paid, proven, objective * self.unit, bound * self.unit
        )


def _prefer(model: _Model, program: Program, x: Floats, params: ScheduleParams) -> Floats:
    """Among the shifts that cost no more, look for fewer people, then for fewer at work at once."""
    from scipy.sparse import csr_array, vstack

    people, at_once = np.zeros(model.columns), np.zeros(model.columns)
    people[model.first_of[:-1]] = 1.0
    at_once[model.peak] = 1.0
    most = program.most.copy()
    short = slice(model.first_short, model.peak)
    most[short] = np.round(x[short])
    spent = program.cost
    for cost in (people, at_once) if params.fewest_at_once else (people,):
        matrix = vstack([program.matrix, csr_array(spent[None, :])], format="csr")
        upper = np.append(program.upper, np.round(spent @ np.round(x)))
        program = Program(cost, matrix, np.append(program.lower, -np.inf), upper, most, program.integrality)
        found = minimise(program, params.max_seconds, thorough=False)
        x, spent = x if found.x is None else found.x, cost
    return x


def _spread(model: _Model, program: Program, x: Floats) -> Floats:
    """Keep the shifts, and let each channel's people change as little as possible over the day."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack, vstack

    drains = model.drains()
    if not drains:
        return x
    # one more column for each change from an interval to the next, at least as large as the change
    steps = len(drains) * (model.times - 1)
    rows: list[_Row] = []
    for k, c in enumerate(drains):
        for t in range(model.times - 1):
            before, after = model.serving(c, t), model.serving(c, t + 1)
            change = np.array([model.columns + k * (model.times - 1) + t], dtype=np.int64)
            for sign in (1.0, -1.0):
                factors = np.concatenate([np.full(after.size, sign), np.full(before.size, -sign), [-1.0]])
                rows.append((np.concatenate([after, before, change]), factors, -np.inf, 0.0))
    kept = program.integrality > 0
    low = np.concatenate([np.where(kept, np.round(x), 0.0), np.zeros(steps)])
    high = np.concatenate([np.where(kept, np.round(x), program.most), np.full(steps, np.inf)])
    wider = hstack([program.matrix, csr_array((program.matrix.shape[0], steps))], format="csr")
    slack = 1e-6  # what the solver of whole programs itself allows
    below, above = np.isfinite(program.upper), np.isfinite(program.lower)
    # SciPy's stubs know neither sparse rows nor a table of bounds here
    matrix: Any = vstack(
        [
            wider[np.flatnonzero(below)],
            -wider[np.flatnonzero(above)],
            _as_matrix(rows, model.columns + steps),
        ]
    )
    limits = np.concatenate(
        [program.upper[below] + slack, -program.lower[above] + slack, np.zeros(len(rows))]
    )
    bounds: Any = np.column_stack([low, high])
    cost = np.concatenate([np.zeros(model.columns), np.ones(steps)])
    result = linprog(cost, A_ub=matrix, b_ub=limits, bounds=bounds, method="highs-ds")
    if result.status != 0 or result.x is None:
        return x
    return np.asarray(result.x[: model.columns])


def _as_matrix(rows: list[_Row], columns: int) -> csr_array:
    from scipy.sparse import csr_array

    index = np.concatenate([row[0] for row in rows])
    start = np.cumsum([0, *(row[0].size for row in rows)])
    data = np.concatenate([row[1] for row in rows])
    return csr_array((data, index, start), shape=(len(rows), columns))


def _empty(
    demand: tuple[ChannelDemand, ...],
    groups: tuple[Group, ...],
    shifts: tuple[Shift, ...],
    params: ScheduleParams,
) -> Cover:
    return Cover(
        np.zeros((len(groups), len(shifts)), dtype=np.int64),
        np.zeros((len(groups), len(demand), params.intervals)),
        np.zeros((len(demand), params.intervals)),
        np.zeros((len(demand), params.intervals)),
        0,
        proven=True,
        objective=0.0,
        bound=0.0,
    )
