"""What if there were more or fewer people, visits or hours: the same tables with that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError
from dealwright.plan.routing.params import RouteParams
from dealwright.schemas import REP_OPTIONAL, PlanInputs

_DAY_MIN: Final = 24 * 60


@dataclass(frozen=True)
class InputChanges:
    """How the people of a night are changed to see what it would bring.

    Attributes
    ----------
    visits_per_day
        So many visits a day more for each representative; negative: fewer.
    shift_end_min
        So many minutes the shift of each representative ends later; negative: earlier.
    more_representatives, more_staff
        Ids of those whom each additional person is like: home, shift and skills are theirs.
    without_representatives, without_staff
        Ids of those who are not there.
    """

    visits_per_day: int = 0
    shift_end_min: int = 0
    more_representatives: tuple[str, ...] = ()
    without_representatives: tuple[str, ...] = ()
    more_staff: tuple[str, ...] = ()
    without_staff: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return any(getattr(self, item.name) for item in fields(self))

    def table(self) -> dict[str, Any]:
        """Return what is changed, for a file."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value
        }


def with_changes(inputs: PlanInputs, changes: InputChanges, route: RouteParams) -> PlanInputs:
    """Return the inputs of a night with these changes.

    Parameters
    ----------
    route
        What holds for representatives without visits or hours of their own.

    Raises
    ------
    InputError
        Somebody is not in the tables, nobody would be left, or a shift would end before it begins.
    """
    reps, staff = inputs.reps, inputs.staff
    in_the_field = (
        changes.visits_per_day, changes.shift_end_min, changes.more_representatives,
        changes.without_representatives,
    )  # fmt: skip
    if any(in_the_field):
        if reps is None or reps.is_empty():
            raise InputError("there are no representatives to change: the tables name none")
        reps = _people(reps, changes.more_representatives, changes.without_representatives, "representative")
        reps = _with_visits(_with_hours(reps, changes.shift_end_min, route), changes.visits_per_day, route)
    if changes.more_staff or changes.without_staff:
        if staff is None or staff.is_empty():
            raise InputError(
                "there is no staff to change: give a table of staff, or limit the channel's contacts a day"
            )
        staff = _people(staff, changes.more_staff, changes.without_staff, "person of the contact centre")
    return inputs.having(reps=reps, staff=staff)


def _people(people: pl.DataFrame, more: tuple[str, ...], without: tuple[str, ...], what: str) -> pl.DataFrame:
    known = set(people["rep_id"])
    missing = next((name for name in (*more, *without) if name not in known), None)
    if missing is not None:
        raise InputError(f"there is no {what} {missing!r} in the tables: name one who is")
    added = [people]
    for number, like in enumerate(more, start=1):
        row = people.filter(pl.col("rep_id") == like).head(1)
        row = row.with_columns(rep_id=pl.lit(f"{like} (+{number})"))
        if "rep_name" in row.columns:
            row = row.with_columns(rep_name=pl.col("rep_name") + f" (+{number})")
        added.append(row)
    left = pl.concat(added).filter(~pl.col("rep_id").is_in(list(without)))
    if left.is_empty():
        raise InputError(f"no {what} would be left: keep one")
    return left


def _own(reps: pl.DataFrame, name: str, default: int) -> pl.Expr:
    own = pl.col(name) if name in reps.columns else pl.lit(None)
    return own.cast(REP_OPTIONAL[name]).fill_null(default)


def _with_visits(reps: pl.DataFrame, more: int, route: RouteParams) -> pl.DataFrame:
    if not more:
        return reps
    visits = (_own(reps, "visits_per_day", route.visits_per_day) + more).clip(lower_bound=0)
    return reps.with_columns(visits_per_day=visits)


def _with_hours(reps: pl.DataFrame, later_min: int, route: RouteParams) -> pl.DataFrame:
    if not later_min:
        return reps
    start = _own(reps, "shift_start_min", route.shift_start_min)
    # a shift past midnight ends before it begins
    end = _own(reps, "shift_end_min", route.shift_end_min)
    length = pl.when(end > start).then(end - start).otherwise(end - start + _DAY_MIN) + later_min
    if reps.select(((length <= 0) | (length >= _DAY_MIN)).any()).item():
        raise InputError(
            f"a shift that ends {later_min} minutes later has no hours, or more than a day: change it by less"
        )
    return reps.with_columns(shift_start_min=start, shift_end_min=(start + length) % _DAY_MIN)


def read_changes(raw: Mapping[str, Any] | InputChanges | None) -> InputChanges | None:
    """Return changes as a file or a request says them; None where nothing is changed."""
    if raw is None or isinstance(raw, InputChanges):
        return raw or None
    from dealwright.toml import convert

    return convert(dict(raw), InputChanges, "changes") or None
