"""Programs solved near their relaxation first, against SciPy's solver on the whole of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from dealwright.plan.staffing.cut_off import Program, minimise


def draw_program(seed: int) -> Program:
    """Cover demand, with some equalities and columns that need not be whole and cost nothing."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(2, 6)), int(rng.integers(2, 9))
    matrix = rng.integers(0, 4, (rows, columns)).astype(float)
    cost = rng.integers(1, 12, columns).astype(float)
    integrality = np.ones(columns, dtype=np.int64)
    free = rng.random(columns) < 0.25
    cost[free], integrality[free] = 0.0, 0
    lower = rng.integers(0, 30, rows).astype(float)
    upper = np.where(rng.random(rows) < 0.2, lower, np.inf)
    most = np.where(rng.random(columns) < 0.3, rng.integers(1, 6, columns), np.inf)
    return Program(cost, csr_array(matrix), lower, upper, most, integrality)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_the_best_is_that_of_the_whole_program(seed: int) -> None:
    program = draw_program(seed)
    whole = milp(
        program.cost,
        constraints=LinearConstraint(program.matrix, program.lower, program.upper),
        integrality=program.integrality,
        bounds=Bounds(0, program.most),
    )
    found = minimise(program, 20.0)
    if whole.x is None:
        assert found.x is None
        return
    assert found.x is not None
    assert found.proven
    assert program.cost @ found.x == pytest.approx(whole.fun)
    assert found.bound <= whole.fun + 1e-6
    made = program.matrix @ found.x
    assert (made >= program.lower - 1e-6).all()
    assert (made <= program.upper + 1e-6).all()
    assert (found.x <= program.most + 1e-6).all()


def test_a_program_whose_best_is_far_from_its_relaxation_is_solved_too() -> None:
    # 2 x + y = 7: relaxed, x alone makes 3.5; whole, the dear y has to make the odd one
    program = Program(
        cost=np.array([1.0, 100.0]),
        matrix=csr_array(np.array([[2.0, 1.0]])),
        lower=np.array([7.0]),
        upper=np.array([7.0]),
        most=np.array([np.inf, np.inf]),
        integrality=np.ones(2, dtype=np.int64),
    )
    found = minimise(program, 20.0)
    assert found.x is not None
    assert np.round(found.x).tolist() == [3, 1]
    assert found.proven
    assert found.bound == pytest.approx(103)
