"""Prize-collecting routes by ruin and recreate, compiled.

Strings of neighbouring stops are removed (Christiaens & Vanden Berghe 2020, "Slack Induction by String
Removals", section 5.1), visits are put back where ``gain^alpha / shift`` is largest (Vansteenwegen et al.
2009, "Iterated local search for the team orienteering problem with time windows", section 3.1, with a random
exponent and noise instead of their fixed square), and the result is accepted by simulated annealing. A far
cluster none of whose visits pays the way alone is entered by daring one of them first.
Feasibility of an insertion takes constant time by the forward time slack of Savelsbergh (1992); a lunch break
on a leg is one more wait with a latest moment. A break on the way home is not taken on the road where the day
ends while it could still begin: then it is taken at home, and the day is over.
"""

# ruff: noqa: NPY002  numba compiles only this generator, one per thread; every call seeds it
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dealwright.plan.compiled import compiled, compiled_part
from dealwright.plan.routing.problem import Bools, Floats, Ints

FAR = 1 << 60
DARING_SHARE = 0.1  # of the iterations that begin with a visit which does not pay its way alone
CHEAPEST_EVERY = 3  # changes of a route, after which legs are chosen by cost and not by delay
STRING_LENGTH = 10  # of a removed string at most (Christiaens & Vanden Berghe 2020, table 3)


class Data(NamedTuple):
    """The problem, as the compiled functions read it."""

    travel: Ints
    cost: Floats
    service: Ints
    opens: Ints
    closes: Ints
    value: Floats
    allowed: Bools  # (n, m), only where the visit alone is feasible
    near: Ints  # (n, n) visits by distance
    start_place: Ints
    end_place: Ints
    shift_start: Ints
    shift_end: Ints
    max_visits: Ints
    lunch_from: Ints
    lunch_to: Ints
    lunch_length: Ints  # -1: no break


class State(NamedTuple):
    """The routes under construction, as the compiled functions change them."""

    stop: Ints  # (m, longest)
    length: Ints  # (m,)
    arrive: Ints  # (m, longest + 1), the last one at the end of the shift's way
    begin: Ints
    slack: Ints  # how much later a stop may begin
    lunch_leg: Ints  # (m,), -1 without a break
    route_of: Ints  # (n,), -1 for a visit that is not made
    version: Ints  # (m + 1,), changes with the route; the last one counts


class Insertions(NamedTuple):
    """Best insertion of every visit into every route, valid while `version` is the route's."""

    leg: Ints  # -1: fits nowhere
    behind: Ints  # 1 if the break moves behind the new stop
    delay: Ints
    added: Floats  # cost
    ratio: Floats  # gain per tick of delay; 0 where nothing fits or nothing is gained
    version: Ints


@compiled_part
def lunch_end(left: int, travel: int, earliest: int, latest: int, length: int) -> int:
    """Return the arrival after a leg with the break in it, or `FAR` if the break comes too late."""
    if left > latest:
        return FAR
    return max(left + travel, earliest) + length


@compiled_part
def home_with_lunch(left: int, travel: int, earliest: int, latest: int, length: int) -> int:
    """Return the arrival at home where the break is on the last leg, or waits there."""
    if left + travel <= latest:
        return left + travel
    return lunch_end(left, travel, earliest, latest, length)


@compiled_part
def time_route(data: Data, state: State, r: int) -> bool:
    """Recompute arrivals and slacks of a route; return whether it can be driven."""
    # local names: reading a field counts a reference, which is too dear inside the loops
    travel, service, opens, closes = data.travel, data.service, data.opens, data.closes
    stop, arrive, begin, slack = state.stop[r], state.arrive[r], state.begin[r], state.slack[r]
    lunch_from, lunch_to, lunch_length = data.lunch_from[r], data.lunch_to[r], data.lunch_length[r]
    count, lunch_leg, last = state.length[r], state.lunch_leg[r], data.end_place[r]
    left = data.shift_start[r]
    place = data.start_place[r]
    fine = True
    for i in range(count + 1):
        to = stop[i] if i < count else last
        if i == lunch_leg:
            if i == count:
                reached = home_with_lunch(left, travel[place, to], lunch_from, lunch_to, lunch_length)
            else:
                reached = lunch_end(left, travel[place, to], lunch_from, lunch_to, lunch_length)
            if reached >= FAR:
                return False
        else:
            reached = left + travel[place, to]
        arrive[i] = reached
        if i == count:
            break
        begin[i] = max(reached, opens[to])
        if begin[i] > closes[to]:
            fine = False
        left = begin[i] + service[to]
        place = to
    begin[count] = arrive[count]
    slack[count] = data.shift_end[r] - arrive[count]
    fine = fine and slack[count] >= 0
    for i in range(count - 1, -1, -1):
        visit = stop[i]
        room = begin[i + 1] - arrive[i + 1] + slack[i + 1]
        left = begin[i] + service[visit]
        if lunch_leg == i + 1 == count:
            way = travel[visit, last]
            on_the_road = min(lunch_to, data.shift_end[r] - lunch_length - way)
            at_home = min(lunch_to, data.shift_end[r]) - way
            room = max(on_the_road, at_home) - left
        elif lunch_leg == i + 1:
            # what is waited for the break to begin can be used before it
            room += max(0, lunch_from - left - travel[visit, stop[i + 1]])
            room = min(room, lunch_to - left)
        slack[i] = min(room, closes[visit] - begin[i])
    return fine


@compiled
def place_lunch(data: Data, state: State, r: int) -> bool:
    """Put the break on the leg that lets the day end earliest; return whether the route can be driven."""
    if data.lunch_length[r] < 0:
        state.lunch_leg[r] = -1
        return time_route(data, state, r)
    best = -1
    best_end = FAR
    for leg in range(state.length[r] + 1):
        state.lunch_leg[r] = leg
        if time_route(data, state, r) and state.arrive[r, state.length[r]] < best_end:
            best_end = state.arrive[r, state.length[r]]
            best = leg
    state.lunch_leg[r] = max(best, 0)
    return time_route(data, state, r) and best >= 0


@compiled
def rate_route(data: Data, state: State, known: Insertions, r: int) -> None:  # noqa: C901, PLR0912, PLR0915  a call costs more than a pass
    """Find for every visit that is not made its leg of a route, of least delay or least cost, and its gain.

    One call for all visits: handing a function that many arrays costs more than the search for one visit.
    """
    travel, service, cost, value = data.travel, data.service, data.cost, data.value
    opens, closes, allowed = data.opens, data.closes, data.allowed
    stop, arrive, begin, slack = state.stop[r], state.arrive[r], state.begin[r], state.slack[r]
    lunch_from, lunch_to, lunch_length = data.lunch_from[r], data.lunch_to[r], data.lunch_length[r]
    first, last, start, route_of = data.start_place[r], data.end_place[r], data.shift_start[r], state.route_of
    count, lunch_leg, version = state.length[r], state.lunch_leg[r], state.version[r]
    full = count >= data.max_visits[r]
    # the shortest way in time is not always the cheapest: now and then the leg is chosen by cost
    cheapest = version % CHEAPEST_EVERY == 0
    for j in range(route_of.shape[0]):
        if route_of[j] >= 0 or known.version[j, r] == version:
            continue
        known.version[j, r] = version
        known.ratio[j, r] = 0.0
        known.leg[j, r] = -1
        if full or not allowed[j, r]:
            continue
        opens_j, closes_j, service_j = opens[j], closes[j], service[j]
        leg, delay, behind, least = -1, FAR, 0, np.inf
        before, left = first, start
        for i in range(count + 1):
            reached = left + travel[before, j]
            if reached > closes_j:
                break  # later legs are left later still
            after = stop[i] if i < count else last
            room = begin[i] - arrive[i] + slack[i]
            later, moved = FAR, 0
            if lunch_leg != i:
                later = max(reached, opens_j) + service_j + travel[j, after] - arrive[i]
            else:
                reached_after = lunch_end(left, travel[before, j], lunch_from, lunch_to, lunch_length)
                if reached_after <= closes_j:
                    later = max(reached_after, opens_j) + service_j + travel[j, after] - arrive[i]
                left_j = max(reached, opens_j) + service_j
                if i == count:
                    there = home_with_lunch(left_j, travel[j, after], lunch_from, lunch_to, lunch_length)
                else:
                    there = lunch_end(left_j, travel[j, after], lunch_from, lunch_to, lunch_length)
                if there - arrive[i] < later:
                    later, moved = there - arrive[i], 1
            if later <= room:
                detour = 0.0
                if cheapest:
                    detour = cost[before, j] + cost[j, after] - (0.0 if count == 0 else cost[before, after])
                if detour < least or (detour == least and later < delay):
                    leg, delay, behind, least = i, later, moved, detour
            if i < count:
                before = after
                left = begin[i] + service[before]
        if leg < 0:
            continue
        before = stop[leg - 1] if leg > 0 else first
        after = stop[leg] if leg < count else last
        added = cost[before, j] + cost[j, after] - (0.0 if count == 0 else cost[before, after])
        known.leg[j, r] = leg
        known.behind[j, r] = behind
        known.added[j, r] = added
        known.delay[j, r] = delay
        if value[j] > added:
            # a break that moves can even let the route end earlier: such a delay counts as none
            known.ratio[j, r] = (value[j] - added) / (float(max(delay, 0)) + 1.0)


@compiled
def insert(data: Data, state: State, j: int, r: int, leg: int, behind: int) -> None:  # noqa: PLR0917  numba
    """Put a visit into a route."""
    for i in range(state.length[r], leg, -1):
        state.stop[r, i] = state.stop[r, i - 1]
    state.stop[r, leg] = j
    state.length[r] += 1
    state.route_of[j] = r
    if state.lunch_leg[r] > leg or (state.lunch_leg[r] == leg and behind == 1):
        state.lunch_leg[r] += 1
    time_route(data, state, r)
    touch(state, r)


@compiled
def touch(state: State, r: int) -> None:
    """Mark a route as changed, so that what was computed for it is not used again."""
    state.version[-1] += 1
    state.version[r] = state.version[-1]


@compiled
def route_cost(data: Data, state: State, r: int) -> float:
    """Sum the cost of a route's legs."""
    count = state.length[r]
    if count == 0:
        return 0.0
    total = data.cost[data.start_place[r], state.stop[r, 0]]
    for i in range(count - 1):
        total += data.cost[state.stop[r, i], state.stop[r, i + 1]]
    return float(total + data.cost[state.stop[r, count - 1], data.end_place[r]])


@compiled
def remove_stops(data: Data, state: State, r: int, first: int, number: int) -> float:
    """Take consecutive stops out of a route; return the value they had, less the cost they saved."""
    before = route_cost(data, state, r)
    lost = 0.0
    count = state.length[r]
    for i in range(first, first + number):
        state.route_of[state.stop[r, i]] = -1
        lost += data.value[state.stop[r, i]]
    for i in range(first + number, count):
        state.stop[r, i - number] = state.stop[r, i]
    state.length[r] = count - number
    return lost - (before - route_cost(data, state, r))


@compiled_part
def ruin(data: Data, state: State, touched: Bools) -> tuple[float, bool]:
    """Remove strings of stops from neighbouring routes; return the loss, and whether all can be driven."""
    n, m = data.allowed.shape
    touched[:] = False
    lost = 0.0
    fine = True
    wanted = 1 + np.random.randint(0, min(m, 3))
    seed = np.random.randint(0, n)
    done = 0
    for k in range(n):
        visit = data.near[seed, k]
        r = state.route_of[visit]
        if r < 0 or touched[r]:
            continue
        count = state.length[r]
        number = 1 + np.random.randint(0, min(count, STRING_LENGTH))
        at = 0
        while state.stop[r, at] != visit:
            at += 1
        low = max(0, at - number + 1)
        high = min(at, count - number)
        first = low + np.random.randint(0, high - low + 1)
        lost += remove_stops(data, state, r, first, number)
        fine = place_lunch(data, state, r) and fine
        touch(state, r)
        touched[r] = True
        done += 1
        if done == wanted:
            break
    return lost, fine


@compiled
def dare(data: Data, state: State, known: Insertions, j: int, r: int) -> float:
    """Insert a visit that does not pay its way alone, so that its neighbours may; return what it gains (< 0).

    The insertions of the route must be known.
    """
    gain = data.value[j] - known.added[j, r]
    insert(data, state, j, r, known.leg[j, r], known.behind[j, r])
    return float(gain)


@compiled_part
def dare_somewhere(data: Data, state: State, known: Insertions) -> float:
    """Dare with a random visit that fits into a random route but does not pay its way."""
    n, m = data.allowed.shape
    first, r = np.random.randint(0, n), np.random.randint(0, m)
    rate_route(data, state, known, r)
    for k in range(n):
        j = (first + k) % n
        if (
            state.route_of[j] < 0
            and known.leg[j, r] >= 0
            and known.ratio[j, r] <= 0.0
            and data.value[j] > 0.0
        ):
            return dare(data, state, known, j, r)
    return 0.0


@compiled
def recreate(  # noqa: C901, PLR0917  numba takes no keyword-only arguments
    data: Data, state: State, known: Insertions, power: Floats, score: Floats, alpha: float, noise: float
) -> float:
    """Insert visits until none that gains anything fits; return the gain."""
    n, m = data.allowed.shape
    route_of, value, ratio, added = state.route_of, data.value, known.ratio, known.added
    gain = 0.0
    for r in range(m):
        rate_route(data, state, known, r)
    for j in range(n):
        if route_of[j] < 0:
            power[j] = value[j] ** (alpha - 1.0) * (1.0 - noise + 2.0 * noise * np.random.random())
            for r in range(m):
                score[j, r] = power[j] * ratio[j, r]
    # a plain -1 is a type of its own to numba, for which it would compile all that is called
    nobody = int(np.int64(-1))
    while True:
        best, best_j, best_r = 0.0, nobody, nobody
        for j in range(n):
            if route_of[j] < 0:
                for r in range(m):
                    if score[j, r] > best:
                        best, best_j, best_r = score[j, r], j, r
        if best_j < 0:
            return gain
        gain += value[best_j] - added[best_j, best_r]
        insert(data, state, best_j, best_r, known.leg[best_j, best_r], known.behind[best_j, best_r])
        rate_route(data, state, known, best_r)
        for j in range(n):
            if route_of[j] < 0:
                score[j, best_r] = power[j] * ratio[j, best_r]


@compiled
def copy_state(source: State, target: State) -> None:
    """Copy the routes, but not the counter of versions, which never goes back."""
    # element by element: for slices numba compiles an error message, which takes longer than all of this
    for j in range(source.route_of.shape[0]):
        target.route_of[j] = source.route_of[j]
    for r in range(source.length.shape[0]):
        if target.version[r] == source.version[r]:
            continue
        count = source.length[r]
        target.length[r] = count
        target.lunch_leg[r] = source.lunch_leg[r]
        target.version[r] = source.version[r]
        for i in range(count):
            target.stop[r, i] = source.stop[r, i]
        for i in range(count + 1):
            target.arrive[r, i] = source.arrive[r, i]
            target.begin[r, i] = source.begin[r, i]
            target.slack[r, i] = source.slack[r, i]


@compiled
def anneal(  # noqa: PLR0917  numba takes no keyword-only arguments
    data: Data, state: State, saved: State, best: State, known: Insertions, worth: Floats,
    iterations: int, seed: int,
    hot: float, cold: float, begin: float, end: float,
) -> None:  # fmt: skip
    """Ruin, recreate and accept for a number of iterations.

    `worth` holds the objective of `state` and of `best` and is changed in place; the temperature falls
    geometrically from `hot` to `cold`, of which this call covers the part from `begin` to `end`, in [0, 1].
    """
    np.random.seed(seed)
    n, m = data.allowed.shape
    touched = np.zeros(m, np.bool_)
    power = np.zeros(n)
    score = np.zeros((n, m))
    copy_state(state, saved)
    for k in range(iterations):
        temperature = hot * (cold / hot) ** (begin + (end - begin) * k / iterations)
        before = worth[0]
        lost, fine = ruin(data, state, touched)
        if fine:
            alpha = 1.0 + 2.0 * np.random.random()
            if np.random.random() < DARING_SHARE:
                worth[0] += dare_somewhere(data, state, known)
            worth[0] += recreate(data, state, known, power, score, alpha, 0.3) - lost
        if fine and worth[0] > worth[1] + 1e-9:
            worth[1] = worth[0]
            copy_state(state, best)
        if not fine or before - worth[0] > -temperature * np.log(np.random.random() + 1e-300):
            worth[0] = before
            copy_state(saved, state)
        else:
            copy_state(state, saved)
