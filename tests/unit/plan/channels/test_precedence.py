"""Who goes first gets a place before whoever is worth more; prices are those of one contact more or less."""

from __future__ import annotations

import numpy as np
import pytest

from dealwright.plan.channels.option_values import OptionValues
from dealwright.plan.channels.precedence import solve, worth

FIRST = 1e9  # cents above any value


def values(eur: list[list[float]], *, first: tuple[int, ...] = ()) -> OptionValues:
    """Return the values of channels by account, some accounts with precedence."""
    money = np.array(eur)
    cents = np.where(np.isfinite(money), np.rint(money * 100), -np.inf)
    weight = cents.copy()
    weight[:, list(first)] += FIRST
    return OptionValues(np.zeros(money.shape, dtype=np.int64), money, cents, weight)


def minutes(like: OptionValues, length: float = 1.0) -> np.ndarray:
    return np.full(like.cents.shape, length)


@pytest.mark.parametrize("by_minutes", [False, True])
def test_one_place_goes_to_whoever_goes_first(by_minutes: bool) -> None:
    options = values([[1.0, 1_000.0]], first=(0,))
    use = minutes(options) if by_minutes else None
    found = solve(options, np.array([1.0]), use, np.array([1.0]))
    assert found.choice.tolist() == [0, -1]
    assert worth(options, found.choice) == 1.0
    assert found.one_more[0] == pytest.approx(1_000.0)
    assert found.last_one[0] == pytest.approx(1.0)


def test_those_without_precedence_get_what_is_left_and_no_more() -> None:
    # one hour; who goes first takes 20 minutes of it, which leaves room for one of the others
    options = values([[1.0, 50.0, 40.0]], first=(0,))
    use = np.array([[20.0, 30.0, 30.0]])
    found = solve(options, np.array([60.0]), use, np.array([30.0]))
    assert found.choice.tolist() == [0, 0, -1]
    # a contact more is 30 minutes more, enough for the third; one fewer leaves ten minutes to nobody
    assert found.one_more[0] == pytest.approx(40.0)
    assert found.last_one[0] == pytest.approx(50.0)
    assert found.contested == 0
    assert found.weight_prices[0] > 0  # of those who wait for their turn, in cents a minute
    # nothing is left: not even a minute
    use = np.array([[60.0, 1.0, 1.0]])
    assert solve(options, np.array([60.0]), use, np.array([1.0])).choice.tolist() == [0, -1, -1]


def test_where_there_is_room_one_more_is_worth_nothing() -> None:
    options = values([[5.0, 7.0], [-np.inf, -np.inf]])
    found = solve(options, np.array([60.0, 60.0]), minutes(options, 20.0), np.array([20.0, 20.0]))
    assert found.choice.tolist() == [0, 0]
    assert found.one_more.tolist() == [0.0, 0.0]
    assert found.last_one.tolist() == [0.0, np.inf]  # nobody has a place on the second
    full = solve(options, np.array([40.0, 0.0]), minutes(options, 20.0), np.array([20.0, 20.0]))
    # exactly full: the last place is worth the cheaper of the two, another one nothing
    assert full.one_more.tolist() == [0.0, 0.0]
    assert full.last_one[0] == pytest.approx(5.0)


def test_nobody_without_an_option_is_given_a_channel() -> None:
    options = values([[5.0, -np.inf, 2.0]], first=(2,))
    for use in (None, minutes(options)):
        found = solve(options, np.array([9.0]), use, np.array([1.0]))
        assert found.choice.tolist() == [0, -1, 0]


def test_a_place_more_moves_somebody_from_another_channel() -> None:
    # the first account is on the second channel for lack of a place on the first
    options = values([[30.0, 40.0], [25.0, 1.0]])
    found = solve(options, np.array([1.0, 1.0]), None, np.array([1.0, 1.0]))
    assert found.choice.tolist() == [1, 0]
    assert found.one_more.tolist() == pytest.approx([5.0, 0.0])
    assert found.last_one.tolist() == pytest.approx([40.0, 25.0])
    assert found.gap_cents == 0.0
