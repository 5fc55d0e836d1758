"""Prize-collecting routes by ruin and recreate, compiled.

Strings of neighbouring stops are removed (Christiaens & Vanden Berghe 2020, "Slack Induction by String
Removals", section 5.1), visits are put back where ``gain^alpha / shift`` is largest (Vansteenwegen et al.
2009, "Iterated local search for the team orienteering problem with time windows", section 3.1, with a random
exponent and noise instead of their fixed square), and the result is accepted by simulated annealing. A far
cluster in which no visit alone pays for the drive is entered by inserting one of them at a loss first.
Feasibility of an insertion takes constant time by the forward time slack of Savelsbergh (1992); a lunch
break on a leg is one more wait with a latest moment. A break during the drive home is not taken on the road
where the day ends while it could still begin: then it is taken at home, and the day is over.

Compiling takes longer the more arrays a function is handed, and the more it does with slices: what belongs
together lies in one array, and copies are loops. No function makes an array, so that references need not be
counted. Times are whole numbers held as floats, of which processors compare several at once.
"""

# ruff: noqa: NPY002  numba compiles only this generator, one per thread; every call seeds it
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.compiled import compiled_lean, compiled_or_not, compiled_part, written_out
from dealwright.plan.routing.problem import Bools, Floats, Ints

FAR = 1e15
GREEDY_EXPONENT = 2.0  # of the gain, where nothing is drawn
NOISE = 0.3  # by which a visit's value is weighed up or down in an iteration
DARING_SHARE = 0.1  # of the iterations that begin with a visit which alone does not pay for its drive
CHEAPEST_EVERY = 3  # changes of a route, after which legs are chosen by cost and not by delay
STRING_LENGTH = 10  # of a removed string at most (Christiaens & Vanden Berghe 2020, table 3)

# rows of `Data.visit`, of `Data.shift` and of `Data.place`
SERVICE, OPENS, CLOSES, VALUE = range(4)
START, END, LUNCH_FROM, LUNCH_TO, LUNCH_LENGTH = range(5)
START_PLACE, END_PLACE, MOST_VISITS = range(3)
# rows of `State.time` and of `State.head`
ARRIVE, BEGIN, SLACK = range(3)
LENGTH, LUNCH_LEG, VERSION = range(3)
# rows of `Insertions.leg` and of `Insertions.effect`
LEG, BEHIND = range(2)
DELAY, ADDED, RATIO = range(3)


class Data(NamedTuple):
    """The problem, as the compiled functions read it."""

    # (2, N, N): from place to place, and the same transposed, so that both are read in order
    travel: NDArray[np.int32]
    cost: Floats
    visit: Floats  # (4, n): length, between which moments it may begin, value
    allowed: Bools  # (m, n), only where the visit alone is feasible
    near: Ints  # (n, n) visits by distance
    # (m, 5): start, end, and the break: between which moments it begins, and its length, -1 without one
    shift: Floats
    place: Ints  # (m, 3): where shifts start and end, and the most visits


class State(NamedTuple):
    """The routes under construction, as the compiled functions change them."""

    stop: Ints  # (m, longest + 1)
    # (m, 3, longest + 1): arrival at each stop and, after the last one, at the end; when the visit begins;
    # how much later it may begin
    time: Floats
    # (m + 1, 3): stops; the leg of the break, -1 without one; a number that changes with the route. The last
    # row counts these numbers.
    head: Ints
    route_of: Ints  # (n,), -1 for a visit that is not made


class Insertions(NamedTuple):
    """Best insertion of every visit into every route."""

    leg: Ints  # (m, 2, n): before which stop, -1 if it fits nowhere; 1 if the break moves behind it
    # (m, 3, n): delay, added cost, and gain per tick of delay, 0 where nothing fits or nothing is gained
    effect: Floats
    version: Ints  # (m,) the route's, for which this is valid


@compiled_part
def lunch_end(left: float, travel: float, earliest: float, latest: float, length: float) -> float:
    """Return the arrival after a leg with the break in it, or `FAR` if the break comes too late."""
    if left > latest:
        return FAR
    return max(left + travel, earliest) + length


@compiled_part
def home_with_lunch(left: float, travel: float, earliest: float, latest: float, length: float) -> float:
    """Return the arrival at home where the break is on the last leg, or waits there."""
    if left + travel <= latest:
        return left + travel
    return lunch_end(left, travel, earliest, latest, length)


@compiled_part
def time_route(data: Data, state: State, r: int) -> bool:
    """Recompute arrivals and slacks of a route; return whether it can be driven."""
    travel, visit, shift = data.travel, data.visit, data.shift
    stop, time = state.stop, state.time
    count, lunch_leg, last = state.head[r, LENGTH], state.head[r, LUNCH_LEG], data.place[r, END_PLACE]
    lunch_from, lunch_to, lunch_length = shift[r, LUNCH_FROM], shift[r, LUNCH_TO], shift[r, LUNCH_LENGTH]
    left = shift[r, START]
    place = data.place[r, START_PLACE]
    fine = True
    for i in range(count + 1):
        to = stop[r, i] if i < count else last
        way = float(travel[0, place, to])
        if i == lunch_leg:
            if i == count:
                reached = home_with_lunch(left, way, lunch_from, lunch_to, lunch_length)
            else:
                reached = lunch_end(left, way, lunch_from, lunch_to, lunch_length)
            if reached >= FAR:
                return False
        else:
            reached = left + way
        time[r, ARRIVE, i] = reached
        if i == count:
            break
        time[r, BEGIN, i] = max(reached, visit[OPENS, to])
        if time[r, BEGIN, i] > visit[CLOSES, to]:
            fine = False
        left = time[r, BEGIN, i] + visit[SERVICE, to]
        place = to
    time[r, BEGIN, count] = time[r, ARRIVE, count]
    time[r, SLACK, count] = shift[r, END] - time[r, ARRIVE, count]
    fine = fine and time[r, SLACK, count] >= 0.0
    for i in range(count - 1, -1, -1):
        j = stop[r, i]
        room = time[r, BEGIN, i + 1] - time[r, ARRIVE, i + 1] + time[r, SLACK, i + 1]
        left = time[r, BEGIN, i] + visit[SERVICE, j]
        if lunch_leg == i + 1 == count:
            way = float(travel[0, j, last])
            on_the_road = min(lunch_to, shift[r, END] - lunch_length - way)
            at_home = min(lunch_to, shift[r, END]) - way
            room = max(on_the_road, at_home) - left
        elif lunch_leg == i + 1:
            # what is waited for the break to begin can be used before it
            room += max(0.0, lunch_from - left - float(travel[0, j, stop[r, i + 1]]))
            room = min(room, lunch_to - left)
        time[r, SLACK, i] = min(room, visit[CLOSES, j] - time[r, BEGIN, i])
    return fine


@compiled_lean
def place_lunch(data: Data, state: State, r: int) -> bool:
    """Put the break on the leg that lets the day end earliest; return whether the route can be driven."""
    if data.shift[r, LUNCH_LENGTH] < 0.0:
        state.head[r, LUNCH_LEG] = -1
        return time_route(data, state, r)
    best = -1
    best_end = FAR
    count = state.head[r, LENGTH]
    for leg in range(count + 1):
        state.head[r, LUNCH_LEG] = leg
        if time_route(data, state, r) and state.time[r, ARRIVE, count] < best_end:
            best_end = state.time[r, ARRIVE, count]
            best = leg
    state.head[r, LUNCH_LEG] = max(best, 0)
    return time_route(data, state, r) and best >= 0


@compiled_lean
def rate_route(data: Data, state: State, known: Insertions, r: int) -> None:  # noqa: C901, PLR0912, PLR0915  a call costs more than a pass
    """Find for every visit its leg of a route, of least delay or least cost, and its gain.

    Legs are in the outer loop and visits in the inner one, which has no branches: processors take several
    visits at once. What is found for visits that are made elsewhere is for when they are not.
    """
    version = state.head[r, VERSION]
    if known.version[r] == version:
        return
    known.version[r] = version
    travel, cost, visit, shift, allowed = data.travel, data.cost, data.visit, data.shift, data.allowed
    stop, time, leg, effect = state.stop, state.time, known.leg, known.effect
    first, last = data.place[r, START_PLACE], data.place[r, END_PLACE]
    lunch_from, lunch_to, lunch_length = shift[r, LUNCH_FROM], shift[r, LUNCH_TO], shift[r, LUNCH_LENGTH]
    count, lunch_leg = state.head[r, LENGTH], state.head[r, LUNCH_LEG]
    n = visit.shape[1]
    for j in range(n):
        leg[r, LEG, j] = -1
        leg[r, BEHIND, j] = 0
        effect[r, DELAY, j] = FAR
        effect[r, ADDED, j] = FAR
        effect[r, RATIO, j] = 0.0
    if count >= data.place[r, MOST_VISITS]:
        return
    # the fastest connection is not always the cheapest: now and then the leg is chosen by cost
    cheapest = version % CHEAPEST_EVERY == 0
    before, left = first, shift[r, START]
    for i in range(count + 1):
        after = stop[r, i] if i < count else last
        arrive = time[r, ARRIVE, i]
        room = time[r, BEGIN, i] - arrive + time[r, SLACK, i]
        saved = cost[0, before, after] if count > 0 else 0.0
        if i == lunch_leg:
            for j in range(n):
                closes, opens, service = visit[CLOSES, j], visit[OPENS, j], visit[SERVICE, j]
                out, on = float(travel[0, before, j]), float(travel[1, after, j])
                reached = left + out
                if reached > closes:
                    continue
                later, behind = FAR, 0
                reached_after = lunch_end(left, out, lunch_from, lunch_to, lunch_length)
                if reached_after <= closes:
                    later = max(reached_after, opens) + service + on - arrive
                left_j = max(reached, opens) + service
                if i == count:
                    there = home_with_lunch(left_j, on, lunch_from, lunch_to, lunch_length)
                else:
                    there = lunch_end(left_j, on, lunch_from, lunch_to, lunch_length)
                if there - arrive < later:
                    later, behind = there - arrive, 1
                key = cost[0, before, j] + cost[1, after, j] - saved if cheapest else later
                equal = key == effect[r, ADDED, j] and later < effect[r, DELAY, j]
                better = key < effect[r, ADDED, j] or equal
                if better and later <= room:
                    leg[r, LEG, j], leg[r, BEHIND, j] = i, behind
                    effect[r, DELAY, j], effect[r, ADDED, j] = later, key
        else:
            for j in range(n):
                reached = left + travel[0, before, j]
                later = max(reached, visit[OPENS, j]) + visit[SERVICE, j] + travel[1, after, j] - arrive
                key = cost[0, before, j] + cost[1, after, j] - saved if cheapest else later
                equal = (key == effect[r, ADDED, j]) & (later < effect[r, DELAY, j])
                better = (key < effect[r, ADDED, j]) | equal
                better = better & (reached <= visit[CLOSES, j]) & (later <= room)
                leg[r, LEG, j] = i if better else leg[r, LEG, j]
                leg[r, BEHIND, j] = 0 if better else leg[r, BEHIND, j]
                effect[r, DELAY, j] = later if better else effect[r, DELAY, j]
                effect[r, ADDED, j] = key if better else effect[r, ADDED, j]
        if i < count:
            before = after
            left = time[r, BEGIN, i] + visit[SERVICE, before]
    for j in range(n):
        i = leg[r, LEG, j]
        if i < 0:
            continue
        if not allowed[r, j]:
            leg[r, LEG, j] = -1
            continue
        before = stop[r, i - 1] if i > 0 else first
        after = stop[r, i] if i < count else last
        added = cost[0, before, j] + cost[0, j, after] - (cost[0, before, after] if count > 0 else 0.0)
        effect[r, ADDED, j] = added
        if visit[VALUE, j] > added:
            # a break that moves can even let the route end earlier: such a delay counts as none
            effect[r, RATIO, j] = (visit[VALUE, j] - added) / (max(effect[r, DELAY, j], 0.0) + 1.0)


@compiled_lean
def insert(data: Data, state: State, known: Insertions, j: int, r: int) -> float:
    """Put a visit into a route where it is known to fit best; return what it gains."""
    stop, head = state.stop, state.head
    leg, behind = known.leg[r, LEG, j], known.leg[r, BEHIND, j]
    for i in range(head[r, LENGTH], leg, -1):
        stop[r, i] = stop[r, i - 1]
    stop[r, leg] = j
    head[r, LENGTH] += 1
    state.route_of[j] = r
    if head[r, LUNCH_LEG] > leg or (head[r, LUNCH_LEG] == leg and behind == 1):
        head[r, LUNCH_LEG] += 1
    time_route(data, state, r)
    touch(state, r)
    return float(data.visit[VALUE, j] - known.effect[r, ADDED, j])


@compiled_or_not
def touch(state: State, r: int) -> None:
    """Mark a route as changed, so that what was computed for it is not used again."""
    last = state.head.shape[0] - 1
    state.head[last, VERSION] += 1
    state.head[r, VERSION] = state.head[last, VERSION]


@compiled_or_not
def route_cost(data: Data, state: State, r: int) -> float:
    """Sum the cost of a route's legs."""
    count = state.head[r, LENGTH]
    if count == 0:
        return 0.0
    total = data.cost[0, data.place[r, START_PLACE], state.stop[r, 0]]
    for i in range(count - 1):
        total += data.cost[0, state.stop[r, i], state.stop[r, i + 1]]
    return float(total + data.cost[0, state.stop[r, count - 1], data.place[r, END_PLACE]])


@compiled_or_not
def remove_stops(data: Data, state: State, r: int, first: int, number: int) -> float:
    """Take consecutive stops out of a route; return the value they had, less the cost they saved."""
    before = route_cost(data, state, r)
    lost = 0.0
    count = state.head[r, LENGTH]
    for i in range(first, first + number):
        state.route_of[state.stop[r, i]] = -1
        lost += data.visit[VALUE, state.stop[r, i]]
    for i in range(first + number, count):
        state.stop[r, i - number] = state.stop[r, i]
    state.head[r, LENGTH] = count - number
    return lost - (before - route_cost(data, state, r))


@written_out
def draw(below: int) -> int:
    """Return a whole number from 0 on (`randint` takes a second to compile)."""
    return int(np.random.random() * below)


@written_out
def ruin(data: Data, state: State, touched: Bools) -> tuple[float, bool]:
    """Remove strings of stops from neighbouring routes; return the loss, and whether all can be driven."""
    m, n = data.allowed.shape
    for r in range(m):
        touched[r] = False
    lost = 0.0
    fine = True
    wanted = 1 + draw(min(m, 3))
    seed = draw(n)
    done = 0
    for k in range(n):
        visit = data.near[seed, k]
        r = state.route_of[visit]
        if r < 0 or touched[r]:
            continue
        count = state.head[r, LENGTH]
        number = 1 + draw(min(count, STRING_LENGTH))
        at = 0
        while state.stop[r, at] != visit:
            at += 1
        low = max(0, at - number + 1)
        high = min(at, count - number)
        first = low + draw(high - low + 1)
        lost += remove_stops(data, state, r, first, number)
        fine = place_lunch(data, state, r) and fine
        touch(state, r)
        touched[r] = True
        done += 1
        if done == wanted:
            break
    return lost, fine


@written_out
def dare_somewhere(data: Data, state: State, known: Insertions) -> float:
    """Insert a random visit that alone does not pay for its drive, so that its neighbours may.

    Return what it gains, below 0; 0 where there is none.
    """
    m, n = data.allowed.shape
    first, r = draw(n), draw(m)
    rate_route(data, state, known, r)
    for k in range(n):
        j = (first + k) % n
        if (
            state.route_of[j] < 0
            and known.leg[r, LEG, j] >= 0
            and known.effect[r, RATIO, j] <= 0.0
            and data.visit[VALUE, j] > 0.0
        ):
            return insert(data, state, known, j, r)
    return 0.0


@written_out
def score_route(data: Data, state: State, known: Insertions, score: Floats, r: int) -> None:
    """Score every visit that is not made for a route.

    `score` has a row for each route, one for what visits are weighed with, and in its last columns the best
    score of each row and whose it is.
    """
    m, n = data.allowed.shape
    rate_route(data, state, known, r)
    ratio, route_of = known.effect, state.route_of
    best, chosen = 0.0, -1
    for j in range(n):
        value = score[m, j] * ratio[r, RATIO, j] if route_of[j] < 0 else 0.0
        score[r, j] = value
        if value > best:
            best, chosen = value, j
    score[r, n], score[r, n + 1] = best, chosen


@written_out
def recreate(data: Data, state: State, known: Insertions, score: Floats, alpha: float, noise: float) -> float:  # noqa: PLR0917  numba takes no keyword-only arguments
    """Insert visits until none that gains anything fits; return the gain."""
    m, n = data.allowed.shape
    gain = 0.0
    for j in range(n):
        if state.route_of[j] < 0:
            score[m, j] = data.visit[VALUE, j] ** (alpha - 1.0) * (
                1.0 - noise + 2.0 * noise * np.random.random()
            )
    chosen, j = m, -1
    while True:
        best, last = 0.0, chosen
        chosen = m
        for r in range(m):
            # at first every route; then that which has changed, and those that have lost their best visit
            if last in (m, r) or int(score[r, n + 1]) == j:
                score_route(data, state, known, score, r)
            if score[r, n] > best:
                best, chosen = score[r, n], r
        if chosen == m:
            return gain
        j = int(score[chosen, n + 1])
        gain += insert(data, state, known, j, chosen)


@compiled_or_not
def copy_state(source: State, target: State) -> None:
    """Copy the routes, but not the counter of versions, which never goes back."""
    for j in range(source.route_of.shape[0]):
        target.route_of[j] = source.route_of[j]
    for r in range(source.head.shape[0] - 1):
        if target.head[r, VERSION] == source.head[r, VERSION]:
            continue
        for k in range(3):
            target.head[r, k] = source.head[r, k]
        for i in range(source.head[r, LENGTH] + 1):
            target.stop[r, i] = source.stop[r, i]
            for k in range(3):
                target.time[r, k, i] = source.time[r, k, i]


@compiled_lean
def anneal(  # noqa: PLR0917  numba takes no keyword-only arguments
    data: Data, state: State, saved: State, best: State, known: Insertions, score: Floats, worth: Floats,
    touched: Bools, iterations: int, seed: int,
    hot: float, cold: float, begin: float, end: float,
) -> None:  # fmt: skip
    """Ruin, recreate and accept for a number of iterations; with none, insert what gains anything, greedily.

    `worth` holds the objective of `state` and of `best` and is changed in place; the temperature falls
    geometrically from `hot` to `cold`, of which this call covers the part from `begin` to `end`, in [0, 1].
    `touched` is room for a mark per route.
    """
    np.random.seed(seed)
    copy_state(state, saved)
    # greedy insertion is a pass of the same loop: a second call of `recreate` would be compiled a second time
    for k in range(max(iterations, 1)):
        before, lost, fine = worth[0], 0.0, True
        alpha, noise = GREEDY_EXPONENT, 0.0
        if iterations > 0:
            lost, fine = ruin(data, state, touched)
        if fine and iterations > 0:
            alpha, noise = 1.0 + 2.0 * np.random.random(), NOISE
            if np.random.random() < DARING_SHARE:
                worth[0] += dare_somewhere(data, state, known)
        if fine:
            worth[0] += recreate(data, state, known, score, alpha, noise) - lost
        if iterations == 0:
            return
        if fine and worth[0] > worth[1] + 1e-9:
            worth[1] = worth[0]
            copy_state(state, best)
        temperature = hot * (cold / hot) ** (begin + (end - begin) * k / iterations)
        if not fine or before - worth[0] > -temperature * np.log(np.random.random() + 1e-300):
            worth[0] = before
            copy_state(saved, state)
        else:
            copy_state(state, saved)
