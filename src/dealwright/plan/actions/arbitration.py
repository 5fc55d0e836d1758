"""The choice: the best permitted option of every account, with a budget and room to explore."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.actions.randomisation import Randomisation
from dealwright.toml import Amount, Count

NONE: Final = -1
"""Index of doing nothing among the options."""

_BISECTIONS: Final = 50
_UPGRADES: Final = 5000  # looked at one by one once the price is found
# exploration may take at most this share of a budget
_EXPLORATION_OF_BUDGET: Final = 0.2


@dataclass(frozen=True)
class OptionValues:
    """What is on offer; arrays of shape (accounts, options) or (options,).

    Attributes
    ----------
    value_eur : expected value net of cost; −inf where the option is not permitted.
    cost_eur : cost per option.
    contact : 1 for options that make contact, else 0.
    action : index of the option's action.
    """

    value_eur: NDArray[np.float32]
    cost_eur: NDArray[np.float64]
    contact: NDArray[np.float64]
    action: NDArray[np.int64]


@dataclass(frozen=True)
class Budget:
    """Limits of one run; None is no limit."""

    max_contacts: Count | None = None
    max_cost_eur: Amount | None = None


@dataclass(frozen=True)
class Choice:
    """What every account gets.

    Attributes
    ----------
    option : index of the option, `NONE` for doing nothing.
    best : what it would have got without exploration and control group.
    explore : drawn for exploration (and not in the control group).
    option_propensity : probability of `option` under control group, exploration and choice together.
    propensity : the same of its action, on whatever channel.
    propensity_nothing : the same of doing nothing.
    price_contact_eur, price_cost : what one more contact, or one more EUR of cost, would have earned.
    exploration_share : the share really explored, less than asked for where the budget is tight.
    priced_out : a better option than the one chosen was left for want of budget.
    """

    option: NDArray[np.int64]
    best: NDArray[np.int64]
    explore: NDArray[np.bool_]
    option_propensity: NDArray[np.float64]
    propensity: NDArray[np.float64]
    propensity_nothing: NDArray[np.float64]
    price_contact_eur: float
    price_cost: float
    exploration_share: float
    priced_out: NDArray[np.bool_]


def choose(values: OptionValues, randomisation: Randomisation, budget: Budget) -> Choice:
    """Choose for every account; nothing is chosen where no permitted option is worth more than its cost.

    With a budget every option is charged a price per contact or per EUR, the smallest at which the demand
    fits (Lagrangian relaxation, Everett 1963); what is then left is given to the accounts that gain most per
    unit.
    """
    accounts, options = values.value_eur.shape
    random_option, count = _random_option(values, randomisation)
    share = _affordable_share(values, randomisation, budget, random_option)
    explore = (randomisation.explore_draw < share) & ~randomisation.control
    free = ~explore & ~randomisation.control
    spent_contacts, spent_cost = _used(values, random_option[explore])
    best = np.full(accounts, NONE, dtype=np.int64)
    price_contact, price_cost = 0.0, 0.0
    unconstrained = _best(values.value_eur, np.zeros(options))
    if budget.max_contacts is None and budget.max_cost_eur is None:
        best = unconstrained
    else:
        rows = np.flatnonzero(free)
        limit = Budget(
            None if budget.max_contacts is None else max(budget.max_contacts - int(spent_contacts), 0),
            None if budget.max_cost_eur is None else max(budget.max_cost_eur - spent_cost, 0.0),
        )
        best[rows], price_contact, price_cost = _within_budget(
            replace(values, value_eur=values.value_eur[rows]), limit
        )
        # what the others would have got at these prices
        others = np.flatnonzero(~free)
        best[others] = _best(
            values.value_eur[others],
            price_contact * values.contact + price_cost * values.cost_eur,
        )
    option = np.where(explore, random_option, np.where(randomisation.control, NONE, best))
    by_chance = share / (count + 1.0)
    in_play = 1.0 - randomisation.control_share
    nothing = randomisation.control_share + in_play * (by_chance + (1.0 - share) * (best == NONE))
    of_option = in_play * (
        by_chance * _is_explorable(option, randomisation) + (1.0 - share) * (best == option)
    )
    action = np.append(values.action, NONE)
    usable = np.isfinite(values.value_eur) & randomisation.explorable
    siblings = (usable & (values.action == action[option][:, None])).sum(axis=1)
    of_action = in_play * (by_chance * siblings + (1.0 - share) * (action[best] == action[option]))
    return Choice(
        option,
        best,
        explore,
        np.where(option == NONE, nothing, of_option),
        np.where(option == NONE, nothing, of_action),
        nothing,
        price_contact,
        price_cost,
        share,
        (best != unconstrained) & free,
    )


def _best(value: NDArray[np.float32], charge: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the option with the largest value after the charge, `NONE` where none is above 0."""
    if not value.size:
        return np.full(value.shape[0], NONE, dtype=np.int64)
    net = value - charge.astype(np.float32)
    best = net.argmax(axis=1)
    return np.where(np.take_along_axis(net, best[:, None], 1)[:, 0] > 0.0, best, NONE)


def _random_option(
    values: OptionValues, randomisation: Randomisation
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw one of the permitted options or nothing, all alike.

    The second result is the number of permitted options.
    """
    usable = np.isfinite(values.value_eur) & randomisation.explorable
    count = usable.sum(axis=1)
    place = np.minimum(
        (randomisation.option_draw * (count + 1)).astype(np.int64), count
    )  # the last place is nothing
    found = np.full(count.size, NONE, dtype=np.int64)
    running = np.zeros(count.size, dtype=np.int64)
    for option in range(usable.shape[1]):
        found[usable[:, option] & (running == place) & (found == NONE)] = option
        running += usable[:, option]
    return found, count


def _is_explorable(option: NDArray[np.int64], randomisation: Randomisation) -> NDArray[np.bool_]:
    return np.append(randomisation.explorable, True)[option]


def _used(values: OptionValues, option: NDArray[np.int64]) -> tuple[float, float]:
    """Contacts and cost of options."""
    contacts, cost = (
        np.append(values.contact, 0.0)[option],
        np.append(values.cost_eur, 0.0)[option],
    )
    return float(contacts.sum()), float(cost.sum())


def _affordable_share(
    values: OptionValues,
    randomisation: Randomisation,
    budget: Budget,
    random_option: NDArray[np.int64],
) -> float:
    """Reduce the share of exploration until it takes no more than its part of the budget."""
    share = randomisation.exploration_share
    drawn = np.flatnonzero((randomisation.explore_draw < share) & ~randomisation.control)
    drawn = drawn[np.argsort(randomisation.explore_draw[drawn], kind="stable")]
    for limit, unit in (
        (budget.max_contacts, values.contact),
        (budget.max_cost_eur, values.cost_eur),
    ):
        if limit is not None:
            running = np.cumsum(np.append(unit, 0.0)[random_option[drawn]])
            over = np.flatnonzero(running > _EXPLORATION_OF_BUDGET * limit)
            if over.size:
                share = min(share, float(randomisation.explore_draw[drawn[over[0]]]))
    return share


def _within_budget(values: OptionValues, limit: Budget) -> tuple[NDArray[np.int64], float, float]:
    """Find prices at which the demand fits both limits.

    Return the choice and the prices per contact and per EUR.
    """
    rows = values.value_eur.shape[0]
    if not rows:
        return np.full(0, NONE, dtype=np.int64), 0.0, 0.0
    price_contact = price_cost = 0.0
    # two limits: each price in turn, the other one held; the pair settles after a few rounds
    for _ in range(1 if limit.max_contacts is None or limit.max_cost_eur is None else 4):
        if limit.max_contacts is not None:
            price_contact = _smallest_price(
                values,
                values.contact,
                float(limit.max_contacts),
                price_cost * values.cost_eur,
            )
        if limit.max_cost_eur is not None:
            price_cost = _smallest_price(
                values,
                values.cost_eur,
                limit.max_cost_eur,
                price_contact * values.contact,
            )
    charge = price_contact * values.contact + price_cost * values.cost_eur
    chosen = _trim(values, _best(values.value_eur, charge), limit)
    return _fill(values, chosen, limit), price_contact, price_cost


def _smallest_price(
    values: OptionValues, unit: NDArray[np.float64], limit: float, other_charge: NDArray[np.float64]
) -> float:
    """Bisect for the price per unit at which the demand no longer exceeds the limit."""

    def demand(price: float) -> float:
        return float(np.append(unit, 0.0)[_best(values.value_eur, price * unit + other_charge)].sum())

    if demand(0.0) <= limit:
        return 0.0
    positive = unit[unit > 0]
    finite = values.value_eur[np.isfinite(values.value_eur)]
    low, high = 0.0, float(finite.max() / positive.min()) + 1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if demand(middle) > limit else (low, middle)
        if high - low < 1e-6 * max(high, 1e-3):
            break
    return high


def _trim(values: OptionValues, chosen: NDArray[np.int64], limit: Budget) -> NDArray[np.int64]:
    """Make sure of the limits where equal values made the demand jump at the price."""
    chosen = chosen.copy()
    for bound, unit in (
        (limit.max_contacts, values.contact),
        (limit.max_cost_eur, values.cost_eur),
    ):
        if bound is None:
            continue
        use = np.append(unit, 0.0)[chosen]
        users = np.flatnonzero(use > 0)
        gain = values.value_eur[users, chosen[users]] / use[users]
        order = users[np.argsort(-gain, kind="stable")]
        chosen[order[np.cumsum(use[order]) > bound + 1e-9]] = NONE
    return chosen


def _fill(values: OptionValues, chosen: NDArray[np.int64], limit: Budget) -> NDArray[np.int64]:
    """Spend what the price left over on better options, those that gain most per unit first."""
    rows, options = values.value_eur.shape
    contacts, cost = (np.append(unit, 0.0) for unit in (values.contact, values.cost_eur))
    room_contacts = np.inf if limit.max_contacts is None else limit.max_contacts - contacts[chosen].sum()
    room_cost = np.inf if limit.max_cost_eur is None else limit.max_cost_eur - cost[chosen].sum()
    now = np.where(chosen == NONE, 0.0, values.value_eur[np.arange(rows), chosen]).astype(np.float32)
    gain = values.value_eur - now[:, None]
    unit = contacts if limit.max_cost_eur is None else cost
    extra = unit[:-1][None, :] - unit[chosen][:, None]
    per_unit = np.where(gain > 0, gain / np.maximum(extra, 1e-6), -np.inf).ravel()
    most = min(_UPGRADES, per_unit.size)
    best = np.argpartition(-per_unit, most - 1)[:most]
    best = best[per_unit[best] > 0]
    chosen = chosen.copy()
    done: set[int] = set()
    for place in best[np.argsort(-per_unit[best], kind="stable")]:
        row, option = divmod(int(place), options)
        more_contacts = contacts[option] - contacts[chosen[row]]
        more_cost = cost[option] - cost[chosen[row]]
        if row not in done and more_contacts <= room_contacts and more_cost <= room_cost + 1e-9:
            done.add(row)
            chosen[row] = option
            room_contacts -= more_contacts
            room_cost -= more_cost
    return chosen
