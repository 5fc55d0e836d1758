"""The allocation fits, is proven optimal where one unit is consumed; otherwise its gap is certified."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dealwright.plan.channels import allocation
from dealwright.plan.channels.allocation import allocate
from dealwright.plan.channels.certificate import certify
from dealwright.plan.channels.kernels import measure
from dealwright.plan.channels.prices import ONE_EACH, settle_prices, upper_bound
from dealwright.plan.flow import allocate_by_flow

VALUES = hnp.arrays(
    np.float64,
    st.tuples(st.just(3), st.integers(0, 25)),
    elements=st.one_of(
        st.just(-np.inf), st.sampled_from([-5.0, 0.0, 1.0, 7.0]), st.integers(-50, 50).map(float)
    ),
)
CAPACITIES = hnp.arrays(
    np.float64, 3, elements=st.one_of(st.just(np.inf), st.integers(0, 12).map(float), st.just(2.7))
)


def best_by_matching(value: np.ndarray, capacity: np.ndarray) -> float:
    """One column per place: an assignment problem, solved by SciPy's own algorithm."""
    from scipy.optimize import linear_sum_assignment

    n = value.shape[1]
    places = np.minimum(np.floor(capacity), n).astype(int)
    columns = [
        np.where(np.isfinite(row) & (row > 0), row, 0.0)
        for row, k in zip(value, places, strict=True)
        for _ in range(k)
    ]
    if not columns or not n:
        return 0.0
    gain = np.column_stack([*columns, *[np.zeros(n)] * n])
    rows, chosen = linear_sum_assignment(gain, maximize=True)
    return float(gain[rows, chosen].sum())


@settings(deadline=None, max_examples=120)
@given(VALUES, CAPACITIES)
def test_the_allocation_fits_and_is_the_best_there_is(value, capacity):
    result = allocate(value, capacity)
    load, total = measure(value, ONE_EACH, result.choice)
    chosen = result.choice >= 0
    assert (load <= capacity).all()
    assert (
        value[result.choice[chosen], np.flatnonzero(chosen)] > 0
    ).all()  # never what is forbidden or worthless
    assert total == result.value == best_by_matching(value, capacity)
    assert result.bound == total
    assert result.gap == 0


def gain(value, choice, moves) -> float:
    """What moves bring; each account moves once, from where it is."""
    assert len({account for account, _, _ in moves}) == len(moves)
    total = 0.0
    for account, start, to in moves:
        assert choice[account] == start
        total += (value[to, account] if to >= 0 else 0.0) - (value[start, account] if start >= 0 else 0.0)
    return total


@settings(deadline=None, max_examples=60)
@given(VALUES, hnp.arrays(np.float64, 3, elements=st.integers(0, 10).map(float)))
def test_a_price_is_what_one_more_place_is_worth(value, capacity):
    result = allocate(value, capacity)
    proof = certify(value, capacity, result.choice)
    assert proof is not None
    for c in range(3):
        assert gain(value, result.choice, proof.moves_for_one_more[c]) == result.prices[c]
        if np.isfinite(result.last_prices[c]):
            assert gain(value, result.choice, proof.moves_without_last[c]) == -result.last_prices[c]
        more = capacity.copy()
        more[c] += 1
        assert best_by_matching(value, more) - result.value == pytest.approx(result.prices[c])
        if capacity[c] >= 1 and np.isfinite(result.last_prices[c]):
            less = capacity.copy()
            less[c] -= 1
            assert result.value - best_by_matching(value, less) == pytest.approx(result.last_prices[c])


@settings(deadline=None, max_examples=60)
@given(VALUES, CAPACITIES, st.integers(0, 2**31))
def test_with_minutes_it_fits_and_the_gap_holds(value, capacity, seed):
    from scipy.optimize import Bounds, LinearConstraint, milp

    use = np.random.default_rng(seed).uniform(0.5, 3.0, value.shape)
    result = allocate(value, capacity, use)
    load, total = measure(value, use, result.choice)
    assert (load <= capacity + 1e-9).all()
    n = value.shape[1]
    if not n:
        return
    usable = np.isfinite(value) & (value > 0)
    finite = np.flatnonzero(np.isfinite(capacity))
    limits = [LinearConstraint(np.kron(np.ones((1, 3)), np.eye(n)), ub=1)]
    for c in finite:
        row = np.zeros(3 * n)
        row[c * n : (c + 1) * n] = use[c]
        limits.append(LinearConstraint(row[None], ub=capacity[c]))
    best = milp(
        -np.where(usable, value, 0.0).ravel(), constraints=limits, integrality=np.ones(3 * n),
        bounds=Bounds(0, usable.ravel().astype(float)),
    )  # fmt: skip
    assert total <= -best.fun + 1e-6
    assert -best.fun <= result.bound + 1e-6 * max(result.bound, 1.0)


def large(n: int, seed: int, *, tied: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    fit = np.array([2.2, 1.2, 0.9, 0.4])[:, None] * np.exp(rng.normal(0, 0.5, (4, n)))
    value = np.floor(rng.lognormal(3, 1, n) * fit * 100 - np.array([4500, 600, 400, 20])[:, None])
    value[rng.random((4, n)) < 0.1] = -np.inf
    return (np.round(value / 2000) * 2000 if tied else value), np.floor(
        np.array([0.02, 0.1, 0.08, np.inf]) * n
    )


@pytest.mark.parametrize("tied", [False, True])
def test_it_equals_the_minimum_cost_flow_over_all_accounts(tied):
    value, capacity = large(12_000, 1, tied=tied)
    result = allocate(value, capacity)
    assert result.value == measure(value, ONE_EACH, allocate_by_flow(value, capacity))[1]
    assert result.gap == 0


def test_many_accounts_go_through_a_sample_and_are_proven():
    value, capacity = large(120_000, 2, tied=False)
    order = np.argsort(value[0])  # a file sorted by value must not mislead the sample
    result = allocate(value[:, order], capacity)
    assert result.gap == 0
    assert result.contested < 120_000
    with_minutes = allocate(value, capacity * 5, np.random.default_rng(0).uniform(3, 9, value.shape))
    assert 0 <= with_minutes.gap < 1e-4 * with_minutes.bound


@pytest.mark.parametrize("minutes", [False, True])
def test_prices_of_many_accounts_begin_with_those_of_a_sample(monkeypatch, minutes):
    value, capacity = large(100_000, 2, tied=False)
    use = np.random.default_rng(0).uniform(3, 9, value.shape) if minutes else ONE_EACH
    capacity = np.floor(capacity) * (6 if minutes else 1)
    seen = []

    def counted(value, use, capacity, prices, **options):
        found = settle_prices(value, use, capacity, prices, **options)
        seen.append((value.shape[1], float(capacity[0]), prices.copy(), found))
        return found

    monkeypatch.setattr(allocation, "settle_prices", counted)
    prices = allocation._find_prices(value, use, capacity)
    sample, every = seen
    assert sample[:2] == (20_000, pytest.approx(capacity[0] / 5))
    assert every[:2] == (100_000, capacity[0])
    assert sample[2].tolist() == [0.0] * 4
    assert every[2].tolist() == sample[3].tolist()
    assert prices == pytest.approx(settle_prices(value, use, capacity, np.zeros(4)), rel=1e-3)
    few = allocation._find_prices(value[:, :80_000], use[:, :80_000], capacity)
    assert seen[-1][0] == 80_000
    assert few.shape == (4,)


def test_a_wrong_allocation_gets_no_certificate():
    value = np.array([[5.0, 9.0]])
    assert certify(value, np.array([1.0]), np.array([0, -1])) is None
    proof = certify(value, np.array([1.0]), np.array([-1, 0]))
    assert proof is not None
    assert (proof.one_more[0], proof.last_one[0]) == (5.0, 9.0)
    assert upper_bound(value, ONE_EACH, np.array([1.0]), np.array([5.0])) == 9.0


def test_nothing_and_nobody():
    for value in (np.zeros((2, 0)), np.full((2, 3), -np.inf)):
        result = allocate(value, np.array([1.0, np.inf]))
        assert result.value == 0
        assert (result.choice == -1).all()
    assert allocate_by_flow(np.zeros((2, 0)), np.array([1.0, np.inf])).tolist() == []
    assert allocate_by_flow(np.array([[0.0, 2.0]]), np.array([np.inf])).tolist() == [-1, 0]
    full = allocate(np.array([[3.0, 4.0]]), np.array([0.0]))
    assert full.prices[0] == 4.0
    assert full.value == 0


def test_a_channel_worth_nothing_is_never_given() -> None:
    forbidden = -np.inf
    value = np.full((3, 9), forbidden)
    value[:, 2] = [1.0, 0.0, 1.0]
    value[2, 7:] = 1.0
    result = allocate(value, np.array([0.0, np.inf, 2.7]))
    assert result.value == 2.0
    assert (value[result.choice[result.choice >= 0], np.flatnonzero(result.choice >= 0)] > 0).all()


def test_an_account_that_fills_a_channel_to_its_last_unit_fits() -> None:
    value, use = np.array([[5.0], [3.0]]), np.array([[60.0], [1.0]])
    assert allocate(value, np.array([60.0, 1.0]), use).choice.tolist() == [0]
    assert allocate(value, np.array([59.9, 1.0]), use).choice.tolist() == [1]
    assert allocate(value, np.array([59.9, 0.9]), use).choice.tolist() == [-1]
