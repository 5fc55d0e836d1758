"""The calls that fit are the most important ones, found as an assignment would find them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dealwright.plan.staffing.call_flow import fit_calls


def by_assignment(kind: NDArray[np.int64], possible: NDArray[np.bool_], room: NDArray[np.int64]) -> set[int]:
    """Return who is called: one column per slot, and one each for not being called."""
    slots = np.repeat(np.arange(room.size), room)
    weight = 2.0 ** -np.arange(kind.size)
    gain = np.where(possible[kind][:, slots], weight[:, None], -1.0)
    table = np.hstack([gain, np.zeros((kind.size, kind.size))])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return {int(row) for row, column in zip(rows, columns, strict=True) if column < slots.size}


@settings(deadline=None)  # OR-Tools is imported by the first example
@given(st.data())
def test_the_most_important_callees_that_fit_are_called(data: st.DataObject) -> None:
    kinds, intervals = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    possible = rng.random((kinds, intervals)) < 0.5
    room = rng.integers(1, 4, intervals)
    kind = rng.integers(0, kinds, data.draw(st.integers(1, 14)))

    called, number = fit_calls(kind, possible, room)

    assert set(np.flatnonzero(called).tolist()) == by_assignment(kind, possible, room)
    assert number.sum(axis=1).tolist() == np.bincount(kind[called], minlength=kinds).tolist()
    assert (number.sum(axis=0) <= room).all()
    assert not number[~possible].any()


def test_calls_are_made_as_early_as_they_can_be() -> None:
    possible = np.array([[True, True, True], [True, False, False]])
    called, number = fit_calls(np.array([0, 0, 1]), possible, np.array([2, 2, 2]))
    assert called.all()
    assert number.tolist() == [[1, 1, 0], [1, 0, 0]]


def test_nobody_is_called_where_no_moment_is_free_for_them() -> None:
    called, number = fit_calls(np.array([0, 0]), np.zeros((1, 2), dtype=np.bool_), np.array([1, 1]))
    assert not called.any()
    assert not number.any()


def test_a_long_list_takes_the_most_important_calls() -> None:
    kind = np.tile(np.array([0, 1]), 50_000)
    possible = np.array([[True, True], [False, True]])
    called, number = fit_calls(kind, possible, np.array([700, 300]))
    # the first interval takes only the one kind: each other place goes to whoever comes first
    assert number.sum() == 1_000
    assert np.flatnonzero(called & (kind == 1)).max() == 599
    assert np.flatnonzero(called & (kind == 0)).max() == 1_398
