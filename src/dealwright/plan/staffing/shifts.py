"""Which shifts to work on a day: explicit patterns with breaks, the least paid time that covers the demand.

The set-covering formulation of Dantzig (1954, "A comment on Edie's traffic delays at toll booths") over
explicit shifts, with the assignment of people to channels and the draining of waiting work in one model;
solved by SciPy's HiGHS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from dealwright.errors import InputError
from dealwright.plan.staffing.cut_off import Program, minimise
from dealwright.plan.staffing.demand import ChannelDemand, Floats, Ints
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


@dataclass(frozen=True)
class Group:
    """People who can be exchanged for one another.

    Attributes
    ----------
    channels
        What they can work on.
    shifts
        Indices of the shifts they may work.
    size
        How many there are; None for as many as are needed.
    """

    channels: frozenset[str]
    shifts: tuple[int, ...]
    size: int | None


@dataclass(frozen=True)
class Cover:
    """The shifts of a day.

    Attributes
    ----------
    count
        People per group and shift, shape (groups, shifts).
    assigned
        People at work per group, channel and interval.
    shortage
        Missing agents per channel and interval of a queue; of work that may wait, the agent-intervals then
        overdue.
    proven
        Whether no cheaper cover exists.
    bound
        Lower bound of the objective, as `objective` in paid minutes with shortage weighed in.
    """

    count: Ints
    assigned: Floats
    shortage: Floats
    paid_min: int
    proven: bool
    objective: float
    bound: float


def missing_hours(cover: Cover, demand: tuple[ChannelDemand, ...], params: ScheduleParams) -> float:
    """Return the hours of staff a cover lacks: of queues in every interval, else what is left at the end."""
    missing = [
        short[-1] if item.work.kind == "drain" else short.sum()
        for item, short in zip(demand, cover.shortage, strict=True)
    ]
    return float(sum(missing)) * params.interval_min / 60.0


def cover_demand(
    demand: tuple[ChannelDemand, ...],
    groups: tuple[Group, ...],
    shifts: tuple[Shift, ...],
    params: ScheduleParams,
) -> Cover:
    """Choose how many people of each group work each shift.

    Missing agents count so much more than paid time that they remain only where nobody is left.
    """
    if not any(item.required.any() or item.due.any() for item in demand):
        return _empty(demand, groups, shifts, params)
    model = _Model(demand, groups, shifts, params)
    matrix, lower, upper = model.constraints()
    program = Program(model.cost(), matrix, lower, upper, model.most(), model.integrality())
    result = minimise(program, params.max_seconds)
    if result.x is None:
        # it is always feasible to work nothing and miss everything: only the clock can stop it
        raise InputError(
            f"no shifts were found within schedule.max_seconds = {params.max_seconds}: allow more "
            "time or fewer shifts"
        )
    return model.read(result.x, proven=result.proven, bound=result.bound)


class _Model:
    """Columns: people per group and shift; per group, channel, interval; shortage per channel, interval."""

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
        self.first_serve = int(self.first_of[-1])
        self.first_short = self.first_serve + len(self.serve) * self.times
        self.columns = self.first_short + len(demand) * self.times

    def cost(self) -> Floats:
        """Paid time in units of what all shifts share, so that the objective is whole."""
        paid = np.array([family.paid_min for _, family in self.families], dtype=np.int64)
        self.unit = int(np.gcd.reduce(np.append(paid, 0))) or 1
        cost = np.zeros(self.columns)
        cost[self.first_of[:-1]] = paid // self.unit
        weight = np.full((len(self.demand), self.times), float(_UNANSWERED))
        for c, item in enumerate(self.demand):
            if item.work.kind == "drain":
                weight[c] = _LATE
                weight[c, -1] = _LEFT
        cost[self.first_short :] = np.ceil(weight.ravel() * self.params.interval_min / self.unit)
        return cost

    def integrality(self) -> Ints:
        """Whole people; whole shortage too, so that the solver may round its bound up."""
        whole = np.zeros(self.columns, dtype=np.int64)
        whole[: self.first_serve] = 1
        whole[self.first_short :] = 1
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
        from scipy.sparse import csr_array

        rows: list[tuple[Ints, Floats, float, float]] = []
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
                rows.append(
                    (
                        np.append(used, index[there]),
                        np.append(np.ones(used.size), -at_work[there, t]),
                        -np.inf,
                        0.0,
                    )
                )
            for k in own:
                rows += self._breaks(k)
            columns = self.first_of[own]
            if group.size is not None and columns.size:
                rows.append((columns, np.ones(columns.size), -np.inf, float(group.size)))
        for c, item in enumerate(self.demand):
            rows += self._queue(c, item) if item.work.kind == "queue" else self._drain(c, item)
        columns = np.concatenate([row[0] for row in rows])
        start = np.cumsum([0, *(row[0].size for row in rows)])
        data = np.concatenate([row[1] for row in rows])
        matrix = csr_array((data, columns, start), shape=(len(rows), self.columns))
        return matrix, np.array([row[2] for row in rows]), np.array([row[3] for row in rows])

    def _breaks(self, k: int) -> list[tuple[Ints, Floats, float, float]]:
        """Return the rows that give everybody of a family each of its breaks."""
        rows, first = [], int(self.first_of[k]) + 1
        for places in self.families[k][1].breaks:
            columns = np.append(np.arange(first, first + len(places)), self.first_of[k])
            rows.append((columns, np.append(np.ones(len(places)), -1.0), 0.0, 0.0))
            first += len(places)
        return rows

    def _serving(self, c: int, t: int) -> Ints:
        return np.array(
            [
                self.first_serve + k * self.times + t
                for k, (_, channel) in enumerate(self.serve)
                if channel == c
            ],
            dtype=np.int64,
        )

    def _queue(self, c: int, item: ChannelDemand) -> list[tuple[Ints, Floats, float, float]]:
        rows = []
        for t in np.flatnonzero(item.required):
            columns = np.append(self._serving(c, int(t)), self.first_short + c * self.times + t)
            rows.append((columns, np.ones(columns.size), float(item.required[t]), np.inf))
        return rows

    def _drain(self, c: int, item: ChannelDemand) -> list[tuple[Ints, Floats, float, float]]:
        if item.arrived[-1] <= 0:
            return []
        rows, done = [], np.zeros(0, dtype=np.int64)
        for t in range(self.times):
            now = self._serving(c, t)
            done = np.append(done, now)
            if np.isfinite(item.most[t]):
                rows.append((now, np.ones(now.size), -np.inf, float(item.most[t])))
            if item.due[t] > 0:
                columns = np.append(done, self.first_short + c * self.times + t)
                rows.append((columns, np.ones(columns.size), float(item.due[t]), np.inf))
            if item.arrived[t] < item.arrived[-1]:
                rows.append((done, np.ones(done.size), -np.inf, float(item.arrived[t])))
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
        shortage = np.round(x[self.first_short :]).reshape(len(self.demand), self.times)
        paid = sum(int(count[:, s].sum()) * shift.paid_min for s, shift in enumerate(self.shifts))
        objective = float(
            self.cost() @ np.concatenate([np.round(x[: self.first_serve]), x[self.first_serve :]])
        )
        return Cover(count, assigned, shortage, paid, proven, objective * self.unit, bound * self.unit)


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
        0,
        proven=True,
        objective=0.0,
        bound=0.0,
    )
