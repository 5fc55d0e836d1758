"""The choice: never at a loss, within every budget, with the propensities it really has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dealwright.plan.actions.arbitration import NONE, Budget, OptionValues, choose
from dealwright.plan.actions.randomisation import Randomisation, stable_uniform


def offers(value, cost=(1.0, 5.0, 0.0), contact=(1.0, 1.0, 0.0)) -> OptionValues:
    return OptionValues(
        np.asarray(value, dtype=np.float32), np.array(cost), np.array(contact), np.array([0, 0, 1])
    )


def randomisation(n, control=0.0, exploration=0.0, seed=0) -> Randomisation:
    rng = np.random.default_rng(seed)
    return Randomisation(
        rng.random(n) < control, rng.random(n), rng.random(n), control, exploration, np.ones(3, dtype=bool)
    )


VALUES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 40), st.just(3)),
    elements=st.one_of(st.just(-np.inf), st.sampled_from([0.0, 1.0, 2.5]), st.floats(-50, 50, width=32)),
)


@settings(deadline=None, max_examples=150)
@given(
    VALUES, st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.4]),
    st.one_of(st.none(), st.integers(0, 20)), st.one_of(st.none(), st.floats(0, 60)),
)  # fmt: skip
def test_invariants_hold_for_any_values_and_budget(value, control, exploration, max_contacts, max_cost):
    given_offers = offers(value)
    draw = randomisation(len(value), control, exploration)
    choice = choose(given_offers, draw, Budget(max_contacts, max_cost))
    chosen = choice.option != NONE
    taken = given_offers.value_eur[np.arange(len(value)), choice.option]
    assert np.isfinite(taken[chosen]).all()  # what is not permitted is never chosen, not even for exploration
    assert (taken[chosen & ~choice.explore] > 0).all()  # nothing is done at a loss
    assert not chosen[draw.control].any()
    contacts = np.append(given_offers.contact, 0.0)[choice.option].sum()
    cost = np.append(given_offers.cost_eur, 0.0)[choice.option].sum()
    assert max_contacts is None or contacts <= max_contacts
    assert max_cost is None or cost <= max_cost + 1e-6
    assert ((choice.propensity > 0) & (choice.propensity <= 1 + 1e-12)).all()
    if max_contacts is None and max_cost is None:
        positive = (np.asarray(value) > 0).any(axis=1) if len(value) else np.zeros(0, dtype=bool)
        free = ~choice.explore & ~draw.control
        assert (chosen[free] == positive[free]).all()


def test_a_contact_budget_keeps_the_most_valuable():
    value = np.full((100, 3), -np.inf)
    value[:, 0] = np.arange(100)
    choice = choose(offers(value), randomisation(100), Budget(max_contacts=10))
    assert np.flatnonzero(choice.option == 0).tolist() == list(range(90, 100))
    assert 88 < choice.price_contact_eur <= 90


def test_a_money_budget_earns_almost_what_the_best_plan_earns():
    from scipy.optimize import Bounds, LinearConstraint, milp

    rng = np.random.default_rng(3)
    n, cost = 60, np.array([1.0, 5.0, 2.0])
    value = np.column_stack([rng.gamma(1.0, 2.0, n), rng.gamma(1.0, 8.0, n), rng.gamma(1.0, 4.0, n)]) - 1.0
    choice = choose(offers(value, cost), randomisation(n), Budget(max_cost_eur=60.0))
    earned = np.where(choice.option == NONE, 0.0, value[np.arange(n), choice.option]).sum()
    rows = np.kron(np.eye(n), np.ones(3))
    best = milp(
        -value.ravel(),
        constraints=[LinearConstraint(rows, ub=1), LinearConstraint(np.tile(cost, n)[None], ub=60.0)],
        integrality=np.ones(3 * n),
        bounds=Bounds(0, 1),
    )
    assert earned >= -0.97 * best.fun


def test_propensities_are_the_frequencies_of_many_draws():
    value = np.array([[3.0, 1.0, -2.0], [-1.0, -np.inf, -np.inf], [2.0, -np.inf, 5.0]])
    n = 60_000
    big = np.repeat(value, n, axis=0)
    choice = choose(offers(big), randomisation(3 * n, 0.1, 0.3, seed=5), Budget())
    for account in range(3):
        rows = slice(account * n, (account + 1) * n)
        for option in (NONE, 0, 1, 2):
            hit = choice.option[rows] == option
            if hit.any():
                assert choice.option_propensity[rows][hit][0] == pytest.approx(hit.mean(), abs=0.006)
        for options in ((NONE,), (0, 1), (2,)):  # the actions
            hit = np.isin(choice.option[rows], options)
            if hit.any():
                assert choice.propensity[rows][hit] == pytest.approx(hit.mean(), abs=0.006)
        nothing = (choice.option[rows] == NONE).mean()
        assert choice.propensity_nothing[rows][0] == pytest.approx(nothing, abs=0.006)


@pytest.mark.parametrize(
    "budget", [Budget(max_contacts=10_000), Budget(max_cost_eur=10_000.0), Budget(10_000, 10_000.0)]
)
def test_equal_values_get_the_whole_budget(budget):
    value = np.full((20_000, 3), [7.0, -np.inf, -np.inf])
    choice = choose(offers(value), randomisation(20_000), budget)
    assert (choice.option == 0).sum() == 10_000


def test_exploration_takes_at_most_its_part_of_a_budget():
    choice = choose(
        offers(np.full((5000, 3), [7.0, 7.0, -np.inf])), randomisation(5000, exploration=0.5), Budget(100)
    )
    assert (choice.option != NONE).sum() == 100
    assert (choice.option[choice.explore] != NONE).sum() == 20


def test_dear_options_are_not_drawn_while_cheap_ones_cost_all_that_exploration_may():
    # what costs 5 loses 20 against the best; what costs 1 loses 1; nothing loses 10
    value = np.full((20_000, 3), [9.0, -10.0, 10.0])
    draw = replace(randomisation(20_000, exploration=0.04), exploration_of_gain=0.02)
    choice = choose(offers(value), draw, Budget())
    assert set(choice.option[choice.explore]) == {NONE, 0, 2}
    assert choice.exploration_share == 0.04
    assert choice.exploration_cost_eur.sum() <= 0.02 * 10 * 20_000
    lost = 10.0 - np.append(value[0], 0.0)[choice.option[choice.explore]]
    assert choice.exploration_cost_eur[choice.explore] == pytest.approx(lost)
    # one of three (two options and nothing), and the best of all the others
    by_chance = 0.04 / 3
    assert choice.option_propensity[choice.option == 0][0] == pytest.approx(by_chance)
    assert choice.option_propensity[choice.option == 2][0] == pytest.approx(by_chance + 0.96)


def test_draws_depend_on_id_and_salt_only():
    ids = pl.Series([f"account {k}" for k in range(20_000)])
    first = stable_uniform(ids, "control:a")
    assert (stable_uniform(ids.reverse(), "control:a")[::-1] == first).all()
    assert abs(first.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(first, stable_uniform(ids, "control:b"))[0, 1]) < 0.03
    assert first[0] == pytest.approx(stable_uniform(pl.Series(["account 0"]), "control:a")[0])


def test_both_budgets_bind_and_each_has_its_price():
    """Contacts are few and money is short: the prices of both count, each by what an option takes of it."""
    rng = np.random.default_rng(5)
    value = rng.uniform(1, 60, (400, 3))
    choice = choose(offers(value), randomisation(400), Budget(max_contacts=150, max_cost_eur=400.0))
    taken = np.append([1.0, 5.0, 0.0], 0.0)[choice.option]
    contacts = np.append([1.0, 1.0, 0.0], 0.0)[choice.option]
    assert 145 <= contacts.sum() <= 150
    assert 385 <= taken.sum() <= 400
    assert choice.price_contact_eur > 0
    assert choice.price_cost > 0
    # nobody would rather have something else at these prices, but for the few that fill up the budgets
    charge = choice.price_contact_eur * np.array([1.0, 1.0, 0.0]) + choice.price_cost * np.array(
        [1.0, 5.0, 0.0]
    )
    best = np.where((value - charge).max(axis=1) > 0, (value - charge).argmax(axis=1), NONE)
    assert np.mean(best != choice.option) < 0.02
