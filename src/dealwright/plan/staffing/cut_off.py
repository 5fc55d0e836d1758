"""Whole-number programs whose best value lies next to that of their linear relaxation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUND: Final = 1e-6
_WIDER: Final = 0.01  # of the relaxation's value: how far above it the second try looks

_FEW_NODES: Final = 5  # of a search that need not be thorough


@dataclass(frozen=True)
class Program:
    """Minimise ``cost @ x`` with ``lower <= matrix @ x <= upper`` and ``0 <= x <= most``."""

    cost: Floats
    matrix: csr_array
    lower: Floats
    upper: Floats
    most: Floats
    # 1 for columns that must be whole, else 0. Every column that costs anything is whole and costs a whole
    # number, so that the objective is whole.
    integrality: Ints


@dataclass(frozen=True)
class Solution:
    """The best solution found, or ``None`` if the time was over before there was any."""

    x: Floats | None
    proven: bool
    bound: float  # no solution is below it


def minimise(program: Program, seconds: float, *, thorough: bool = True) -> Solution:
    """Look for a solution just above the linear relaxation first, and everywhere only if there is none.

    No solution is better than the relaxation, rounded up. If only solutions up to a cut-off are wanted, a
    whole column whose reduced cost alone would lift the relaxation above it must be 0 (reduced cost fixing,
    Nemhauser & Wolsey 1988, *Integer and Combinatorial Optimization*, II.5.1), and the cut-off is one more
    row. Nothing that is as good is lost, so that what is found is as proven as without.

    Parameters
    ----------
    thorough
        Whether to search until the best is found. Otherwise only a little, always the same, and only just
        above the relaxation.
    """
    deadline = time.monotonic() + seconds
    relaxed = _relax(program, seconds)
    if relaxed is None:
        return _solve(program, np.inf, program.most, deadline - time.monotonic())
    value, reduced = relaxed
    least = float(np.ceil(value - _ROUND))
    cut_offs = (least, least + np.ceil(_WIDER * abs(least)), *((np.inf,) if thorough else ()))
    for cut_off in cut_offs:
        most = np.where((program.integrality > 0) & (reduced > cut_off - value + _ROUND), 0.0, program.most)
        left = deadline - time.monotonic()
        found = _solve(program, cut_off, most, left if np.isinf(cut_off) else left / 2, thorough=thorough)
        if found.x is not None:
            break
    return Solution(found.x, found.proven, max(found.bound, least))


def _relax(program: Program, seconds: float) -> tuple[float, Floats] | None:
    """Return the value of the linear relaxation and its reduced costs; ``None`` without one."""
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    same = program.lower == program.upper
    below, above = np.isfinite(program.upper) & ~same, np.isfinite(program.lower) & ~same
    # SciPy's stubs know neither sparse rows nor a table of bounds here
    matrix: Any = program.matrix
    bounds: Any = np.column_stack([np.zeros(program.cost.size), program.most])
    rows: Any = vstack([matrix[np.flatnonzero(below)], -matrix[np.flatnonzero(above)]])
    result = linprog(
        program.cost,
        A_ub=rows,
        b_ub=np.concatenate([program.upper[below], -program.lower[above]]),
        A_eq=matrix[np.flatnonzero(same)],
        b_eq=program.lower[same],
        bounds=bounds,
        method="highs-ds",
        options={"time_limit": seconds},
    )
    if result.status != 0 or result.fun is None:
        return None
    return float(result.fun), np.asarray(result.lower.marginals)


def _solve(
    program: Program, cut_off: float, most: Floats, seconds: float, *, thorough: bool = True
) -> Solution:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, vstack

    rows = [LinearConstraint(program.matrix, program.lower, program.upper)]
    if np.isfinite(cut_off):
        matrix = vstack([program.matrix, csr_array(program.cost[None, :])])
        rows = [
            LinearConstraint(matrix, np.append(program.lower, -np.inf), np.append(program.upper, cut_off))
        ]
    result: Any = milp(
        program.cost,
        constraints=rows,
        integrality=program.integrality,
        bounds=Bounds(0, most),
        options={
            "time_limit": max(seconds, 0.1),
            "mip_rel_gap": 0.0,
            **({} if thorough else {"node_limit": _FEW_NODES}),
        },
    )
    return Solution(result.x, result.status == 0, float(result.mip_dual_bound or 0.0))
