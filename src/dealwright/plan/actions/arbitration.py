"""The choice: the best permitted option of every account, with a budget and room to explore."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.actions.randomisation import Randomisation
from dealwright.stats.arrays import Bools, Floats, Ints
from dealwright.toml import Amount, Count

NONE: Final = -1
"""Index of doing nothing among the options."""

_BISECTIONS: Final = 50
# exploration may take at most this share of a budget
_EXPLORATION_OF_BUDGET: Final = 0.2


@dataclass(frozen=True)
class OptionValues:
    """What is on offer; arrays of shape (accounts, options) or (options,)."""

    value_eur: NDArray[np.float32]  # expected value net of cost; −inf where the option is not permitted
    cost_eur: Floats  # cost per option
    contact: Floats  # 1 for options that make contact, else 0
    action: Ints  # index of the option's action

    def of(self, part: slice) -> OptionValues:
        """Return what is on offer to some accounts."""
        return replace(self, value_eur=self.value_eur[part])


@dataclass(frozen=True)
class Budget:
    """Limits of one run; None is no limit."""

    max_contacts: Count | None = None
    max_cost_eur: Amount | None = None


@dataclass(frozen=True)
class Choice:
    """What every account gets."""

    option: Ints  # index of the option, `NONE` for doing nothing
    best: Ints  # what it would have got without exploration and control group
    explore: Bools  # drawn for exploration (and not in the control group)
    # probability of `option` under control group, exploration and choice together
    option_propensity: Floats
    propensity: Floats  # the same of its action, on whatever channel
    propensity_nothing: Floats  # the same of doing nothing
    # what one more contact, or one more EUR of cost, would have earned
    price_contact_eur: float
    price_cost: float
    # the share really explored, less than asked for where the budget is tight or exploration would cost more
    # than it may
    exploration_share: float
    # what exploration gives up per account: the best option's value less that of the option drawn, both net
    # of the budget's prices; 0 where nothing was drawn
    exploration_cost_eur: Floats
    priced_out: Bools  # a better option than the one chosen was left for want of budget

    def of(self, part: slice) -> Choice:
        """Return what some accounts get."""
        by_account: dict[str, Any] = {
            name: item[part] for name, item in vars(self).items() if isinstance(item, np.ndarray)
        }
        return replace(self, **by_account)


def choose(values: OptionValues, randomisation: Randomisation, budget: Budget) -> Choice:
    """Choose for every account; nothing is chosen where no permitted option is worth more than its cost.

    With a budget every option is charged a price per contact or per EUR, the smallest at which the demand
    fits (Lagrangian relaxation, Everett 1963); what is then left is given to the accounts that gain most per
    unit.

    What exploration gives up stays within `Randomisation.exploration_of_gain` of what the accounts would
    bring without it: dear options are left out first, then fewer accounts explore.
    """
    accounts, options = values.value_eur.shape
    unconstrained = _best(values.value_eur, np.zeros(options))
    in_play = np.flatnonzero(~randomisation.control)
    best, price_contact, price_cost = _solve(values, unconstrained, in_play, budget)
    plan = _plan_exploration(values, randomisation, budget, best, _charge(values, price_contact, price_cost))
    explore, share, random_option, usable = plan
    if explore.any() and budget != Budget():
        spent_contacts, spent_cost = _used(values, random_option[explore])
        left = Budget(
            None if budget.max_contacts is None else max(budget.max_contacts - int(spent_contacts), 0),
            None if budget.max_cost_eur is None else max(budget.max_cost_eur - spent_cost, 0.0),
        )
        free = np.flatnonzero(~randomisation.control & ~explore)
        best, price_contact, price_cost = _solve(values, unconstrained, free, left)
    charge = _charge(values, price_contact, price_cost)
    option = np.where(explore, random_option, np.where(randomisation.control, NONE, best))
    regret = _net(values, best, charge) - _net(values, option, charge)
    by_chance = share / (usable.sum(axis=1) + 1.0)
    held = randomisation.control_share
    nothing = held + (1.0 - held) * (by_chance + (1.0 - share) * (best == NONE))
    rows = np.arange(accounts)
    drawable = np.hstack([usable, np.ones((accounts, 1), dtype=np.bool_)])
    of_option = (1.0 - held) * (by_chance * drawable[rows, option] + (1.0 - share) * (best == option))
    action = np.append(values.action, NONE)
    siblings = (usable & (values.action == action[option][:, None])).sum(axis=1)
    of_action = (1.0 - held) * (by_chance * siblings + (1.0 - share) * (action[best] == action[option]))
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
        np.where(explore, np.maximum(regret, 0.0), 0.0),
        (best != unconstrained) & ~explore & ~randomisation.control,
    )


def _solve(
    values: OptionValues, unconstrained: Ints, rows: Ints, budget: Budget
) -> tuple[Ints, float, float]:
    """Choose for some accounts within the budget, and for all others as they would fare at its prices."""
    if budget == Budget():
        return unconstrained, 0.0, 0.0
    within, price_contact, price_cost = _within_budget(
        replace(values, value_eur=values.value_eur[rows]), budget
    )
    best = _best(values.value_eur, _charge(values, price_contact, price_cost))
    best[rows] = within
    return best, price_contact, price_cost


def _charge(values: OptionValues, price_contact: float, price_cost: float) -> Floats:
    return price_contact * values.contact + price_cost * values.cost_eur


def _net(values: OptionValues, option: Ints, charge: Floats) -> Floats:
    """Value of one option per account, net of the budget's prices; doing nothing is worth 0."""
    if not values.value_eur.shape[1]:
        return np.zeros(option.size)
    worth = values.value_eur[np.arange(option.size), option].astype(np.float64) - charge[option]
    return np.where(option == NONE, 0.0, worth)


def _best(value: NDArray[np.float32], charge: Floats) -> Ints:
    """Return the option with the largest value after the charge, `NONE` where none is above 0."""
    if not value.size:
        return np.full(value.shape[0], NONE, dtype=np.int64)
    net = value - charge.astype(np.float32)
    best = net.argmax(axis=1)
    return np.where(np.take_along_axis(net, best[:, None], 1)[:, 0] > 0.0, best, NONE)


def _plan_exploration(
    values: OptionValues, randomisation: Randomisation, budget: Budget, best: Ints, charge: Floats
) -> tuple[Bools, float, Ints, Bools]:
    """Find who explores, with what probability, with which option, and among which options it is drawn.

    Options are admitted from the cheapest on, as long as exploring all of them is expected to stay within
    what exploration may cost. Then the share is cut where the accounts drawn would really exceed it.
    """
    usable = np.isfinite(values.value_eur) & randomisation.explorable
    in_play = ~randomisation.control
    gain = float(_net(values, best, np.zeros_like(charge))[in_play].sum())
    most = randomisation.exploration_of_gain * gain
    if randomisation.exploration_share <= 0.0 or most <= 0.0:
        nobody = np.zeros(best.size, dtype=np.bool_)
        return nobody, 0.0, np.full(best.size, NONE, dtype=np.int64), usable
    top = _net(values, best, charge)
    lost = np.where(usable, top[:, None] - (values.value_eur - charge), 0.0)
    for ceiling in np.unique(values.cost_eur[randomisation.explorable])[::-1]:
        among = usable & (values.cost_eur <= ceiling)
        each = (top + (lost * among).sum(axis=1)) / (among.sum(axis=1) + 1.0)
        usable = among
        if randomisation.exploration_share * float(each[in_play].sum()) <= most:
            break
    random_option = _random_option(usable, randomisation)
    regret = top - _net(values, random_option, charge)
    share = _affordable_share(values, randomisation, budget, random_option, regret=regret, most=most)
    return (randomisation.explore_draw < share) & in_play, share, random_option, usable


def _random_option(usable: Bools, randomisation: Randomisation) -> Ints:
    """Draw one of the usable options or nothing, each with the same probability."""
    count = usable.sum(axis=1)
    place = np.minimum(
        (randomisation.option_draw * (count + 1)).astype(np.int64), count
    )  # the last place is nothing
    found = np.full(count.size, NONE, dtype=np.int64)
    running = np.zeros(count.size, dtype=np.int64)
    for option in range(usable.shape[1]):
        found[usable[:, option] & (running == place) & (found == NONE)] = option
        running += usable[:, option]
    return found


def _used(values: OptionValues, option: Ints) -> tuple[float, float]:
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
    random_option: Ints,
    *,
    regret: Floats,
    most: float,
) -> float:
    """Reduce the share of exploration until it takes no more than its part of each budget and of the gain."""
    share = randomisation.exploration_share
    drawn = np.flatnonzero((randomisation.explore_draw < share) & ~randomisation.control)
    drawn = drawn[np.argsort(randomisation.explore_draw[drawn], kind="stable")]
    limits = [(most, regret[drawn])]
    for limit, unit in (
        (budget.max_contacts, values.contact),
        (budget.max_cost_eur, values.cost_eur),
    ):
        if limit is not None:
            limits.append((_EXPLORATION_OF_BUDGET * limit, np.append(unit, 0.0)[random_option[drawn]]))
    for bound, taken in limits:
        over = np.flatnonzero(np.cumsum(taken) > bound)
        if over.size:
            share = min(share, float(randomisation.explore_draw[drawn[over[0]]]))
    return share


def _within_budget(values: OptionValues, limit: Budget) -> tuple[Ints, float, float]:
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


def _smallest_price(values: OptionValues, unit: Floats, limit: float, other_charge: Floats) -> float:
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


def _trim(values: OptionValues, chosen: Ints, limit: Budget) -> Ints:
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


def _fill(values: OptionValues, chosen: Ints, limit: Budget) -> Ints:
    """Spend what the price left over on better options, those that gain most per unit first.

    Every round moves the accounts whose best upgrade fits, in order of what it gains per unit, until one does
    not fit; the next round leaves out upgrades as large as that one.
    """
    chosen = chosen.copy()
    rows = np.arange(chosen.size)
    contacts, cost = (np.append(unit, 0.0) for unit in (values.contact, values.cost_eur))
    room_contacts = np.inf if limit.max_contacts is None else limit.max_contacts - contacts[chosen].sum()
    room_cost = np.inf if limit.max_cost_eur is None else limit.max_cost_eur - cost[chosen].sum() + 1e-9
    unit = contacts if limit.max_cost_eur is None else cost
    while rows.size:
        value, now = values.value_eur[rows], chosen[rows]
        gain = value - np.where(now == NONE, 0.0, value[np.arange(rows.size), now])[:, None]
        more_contacts = contacts[:-1] - contacts[now][:, None]
        more_cost = cost[:-1] - cost[now][:, None]
        fits = (gain > 0) & (more_contacts <= room_contacts) & (more_cost <= room_cost)
        extra = np.maximum(unit[:-1] - unit[now][:, None], 1e-6)
        per_unit = np.where(fits, gain / extra, -np.inf)
        option = per_unit.argmax(axis=1)
        best = per_unit[np.arange(rows.size), option]
        order = np.flatnonzero(best > 0)
        order = order[np.argsort(-best[order], kind="stable")]
        used_contacts = np.cumsum(more_contacts[order, option[order]])
        used_cost = np.cumsum(more_cost[order, option[order]])
        over = np.flatnonzero((used_contacts > room_contacts) | (used_cost > room_cost))
        taken = order[: over[0]] if over.size else order
        if not taken.size:
            break
        chosen[rows[taken]] = option[taken]
        room_contacts -= used_contacts[taken.size - 1]
        room_cost -= used_cost[taken.size - 1]
        rows = rows[order]  # whoever gains nothing that fits now never will
    return chosen
