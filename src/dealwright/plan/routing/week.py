"""Visits that come round: which of them fall into the planned days, and on which days they may be made."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from dealwright.plan.routing.params import RouteParams
from dealwright.plan.routing.problem import Bools
from dealwright.schemas import FREQUENCY_COLUMNS, conform


def spread(
    requests: pl.DataFrame, frequencies: pl.DataFrame | None, days: tuple[date, ...], params: RouteParams
) -> tuple[pl.DataFrame, Bools, pl.DataFrame]:
    """Turn accounts into single visits, each with the days on which it may be made.

    A visit is due one interval after the last one. It may be made up to `RouteParams.due_slack_days` earlier
    or later; one that is overdue may be made on any day and is worth more, in proportion to how many
    intervals it waits. An account that is due several times in the planned days gives as many visits,
    each with days of its own, so that they keep their distance. A due date without an interval is a last day,
    and any day until then will do. An account without either may be visited on any day, once.

    Returns
    -------
    tuple
        The visits (the columns of the requests; values of overdue ones raised), the allowed days of shape
        (visits, days), and the accounts that are not due with the day when they are (``row``, ``due``).
    """
    rhythms = conform(frequencies, FREQUENCY_COLUMNS, "account_id")
    frame = requests.join(rhythms, on="account_id", how="left", maintain_order="left")
    # most are visited on any day
    at_any_time = pl.all_horizontal(pl.col("every_days", "due", "day").is_null())
    free = frame.select(at_any_time).to_series().to_numpy()
    rows: list[int] = []
    factors: list[float] = []
    masks: list[Bools] = []
    early: list[tuple[int, date]] = []
    ordinal = np.array([day.toordinal() for day in days])
    bound = np.flatnonzero(~free)
    rhythm = frame.select("every_days", "last_visit", "due", "day", "must")[bound].iter_rows()
    for k, (every, last, due, pinned, must) in zip(bound.tolist(), rhythm, strict=True):
        if pinned is not None:
            rows.append(k)
            factors.append(1.0)
            masks.append(ordinal == pinned.toordinal())
            continue
        moments = _due_days(every, last, due, ordinal)
        found = 0
        for moment in moments:
            mask, factor = _allowed(moment, every, ordinal, params)
            if mask.any():
                rows.append(k)
                factors.append(factor)
                masks.append(mask)
                found += 1
        if not found and must:
            rows.append(k)
            factors.append(1.0)
            masks.append(np.ones(len(days), dtype=np.bool_))
        elif not found:
            first = moments[0]
            assert first is not None  # noqa: S101  without a moment every day is allowed
            early.append((int(frame["row"][k]), date.fromordinal(int(first))))
    anywhen = np.flatnonzero(free)
    of_visit = np.concatenate([np.array(rows, dtype=np.int64), anywhen])
    order = np.argsort(of_visit, kind="stable")
    of_visit = of_visit[order]
    factor_of = np.concatenate([np.array(factors, dtype=np.float64), np.ones(anywhen.size)])[order]
    own = np.array(masks, dtype=np.bool_).reshape(-1, len(days))
    allowed = np.concatenate([own, np.ones((anywhen.size, len(days)), dtype=np.bool_)])[order]
    visits = requests[of_visit].with_columns(pl.col("value_eur") * pl.Series(factor_of))
    later = pl.DataFrame(early, schema={"row": pl.Int64, "due": pl.Date}, orient="row")
    return visits, _disjoint(of_visit, allowed), later


def _due_days(
    every: float | None, last: date | None, due: date | None, ordinal: np.ndarray
) -> list[float | None]:
    """Return when (ordinals) visits fall due in the planned days; the next time if none does."""
    if every is None:
        return [None if due is None else float(due.toordinal())]
    begin, end = float(ordinal[0]), float(ordinal[-1])
    first = begin if last is None else last.toordinal() + every
    if due is not None:
        first = float(due.toordinal())
    moments: list[float | None] = [first]
    # after an overdue visit the rhythm starts again with the visit that makes up for it
    following = max(first, begin) + every
    while following <= end + 0.5:
        moments.append(following)
        following += every
    return moments


def _allowed(
    moment: float | None, every: float | None, ordinal: np.ndarray, params: RouteParams
) -> tuple[Bools, float]:
    """Return the days on which a visit may be made, and the factor of its value."""
    if moment is None:
        return np.ones(ordinal.shape[0], dtype=np.bool_), 1.0
    waited = float(ordinal[0]) - moment
    if waited > 0:
        intervals = min(1.0, waited / every) if every else 1.0
        return np.ones(ordinal.shape[0], dtype=np.bool_), 1.0 + (params.overdue_factor - 1.0) * intervals
    if every is None:
        return np.asarray(ordinal <= moment), 1.0
    slack = min(params.due_slack_days, (every - 1) / 2 if every > 1 else 0.0)
    return np.asarray(np.abs(ordinal - moment) <= max(slack, 0.5)), 1.0


def _disjoint(rows: np.ndarray, allowed: Bools) -> Bools:
    """Give every day to one visit of an account only: where the days of two overlap, they are split."""
    result = allowed.copy()
    for row in np.unique(rows[np.flatnonzero(np.diff(rows) == 0)]):
        mine = np.flatnonzero(rows == row)
        for day in range(allowed.shape[1]):
            candidates = mine[allowed[mine, day]]
            if candidates.size > 1:
                # the visit with the fewest days has the first claim
                keep = min(candidates, key=lambda visit: (int(result[visit].sum()), int(visit)))
                result[candidates, day] = False
                result[keep, day] = True
    return result
