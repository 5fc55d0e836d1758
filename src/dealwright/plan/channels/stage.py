"""The stage *channel*: each account gets at most one channel a day, for the largest value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.notebook import Summarised
from dealwright.plan.channels.capacity import Capacity, derive_capacities
from dealwright.plan.channels.commitments import (
    promised_beyond,
    put_back,
    read_commitments,
    restrict,
    say_why_closed,
    without_settled,
)
from dealwright.plan.channels.kernels import Floats, Ints, decide
from dealwright.plan.channels.option_values import (
    ActionOptions,
    OptionValues,
    find_urgent,
    read_options,
    value_channels,
    weigh,
)
from dealwright.plan.channels.params import DEFAULT_LIMITS, ChannelParams
from dealwright.plan.channels.precedence import Solution, solve, worth
from dealwright.plan.channels.prices import ONE_EACH
from dealwright.plan.channels.waitlist import rank_waiting
from dealwright.plan.inputs import gather_inputs
from dealwright.schemas import CHANNEL_COLUMNS, CHANNELS, AccountSchema, PlanInputs

_CENTS: Final = 100.0
_OF_GAIN: Final = 0.02  # what exploration may give up of the gain, as in the catalogue of actions


@dataclass(frozen=True)
class Channels(Summarised):
    """Result of *channel*.

    Attributes
    ----------
    frame
        One row per account: ``channel`` (null: none today), ``channel_confidence`` (share of its value that
        the second choice would lose, after prices, in [0, 1]), ``second_channel``, ``expected_value_eur`` on
        its channel, ``action`` (where another one took its place), ``urgent``, ``promised`` (agreed before),
        ``due`` (its visit comes round), ``channel_note`` (which channel is closed, and why),
        ``waiting_for``, ``wait_rank``, ``expected_wait_days``, ``wait_reason``.
    table
        `CHANNEL_COLUMNS`, one row per channel.
    waitlist
        `WAITLIST_COLUMNS`: the accounts that are to be reached and are not today, ranked.
    value_eur, bound_eur
        What the allocation is worth, preferences included, and what no allocation can exceed.
    contested
        Accounts decided by the flow after the prices.
    exploration_cost_eur
        What is given up because accounts drawn for exploration go first.
    notes
        What users should know.
    """

    frame: pl.DataFrame
    table: pl.DataFrame
    waitlist: pl.DataFrame
    value_eur: float
    bound_eur: float
    contested: int
    exploration_cost_eur: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def gap_share(self) -> float:
        """Return by what share of itself the value could be larger at most; 0 is proven optimal."""
        missing = max(self.bound_eur - self.value_eur, 0.0)
        return missing / self.value_eur if self.value_eur > 0 else 0.0

    def summary(self) -> Mapping[str, Any]:
        """Return counts, prices and the proof."""
        rows = {row["channel"]: row for row in self.table.iter_rows(named=True)}
        return {
            "reached": int(self.table["scheduled"].sum()),
            "reached_value_eur": float(
                self.frame.filter(pl.col("channel").is_not_null())["expected_value_eur"].sum()
            ),
            "waiting": self.waitlist.height,
            "urgent_waiting": int(self.waitlist["urgent"].sum()),
            "late": int((~self.waitlist["in_time"]).sum()),
            **{f"{name}_scheduled": row["scheduled"] for name, row in rows.items()},
            **{f"{name}_backlog": row["backlog"] for name, row in rows.items()},
            **{f"{name}_price_eur": row["price_eur"] for name, row in rows.items()},
            "sla_met": bool(self.table["sla_met"].all()),
            "allocated_value_eur": round(self.value_eur, 2),
            "bound_eur": round(self.bound_eur, 2),
            "gap_share": self.gap_share,
            "decided_by_flow": self.contested,
            "exploration_cost_eur": round(self.exploration_cost_eur, 2),
            "notes": "; ".join(self.notes),
        }

    def to_frame(self) -> pl.DataFrame:
        """Return `table`."""
        return self.table


def allocate_channels(
    accounts: pl.DataFrame,
    actions: pl.DataFrame,
    params: ChannelParams | None = None,
    *,
    options: pl.DataFrame | None = None,
    reps: pl.DataFrame | None = None,
    capacities: Mapping[str, float] | None = None,
    waiting: pl.DataFrame | None = None,
    commitments: pl.DataFrame | None = None,
    days: Mapping[str, int] | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,
) -> Channels:
    """Allocate every account that is to be reached to at most one channel.

    Parameters
    ----------
    accounts
        ``account_id``, ``preferred_channel`` where it is known, and the role ``visit_min``.
    actions
        ``account_id``, ``action`` (``nothing`` where nobody is to be contacted), ``channel``,
        ``expected_value_eur`` and, where some were drawn for exploration, ``explore`` and
        ``exploration_cost_eur``, what that already gives up.
    options
        ``account_id``, and one column per option, named ``ACTION/CHANNEL``: what it is worth, null where it
        is not permitted (consent, fatigue, rules). By default every account has its own action only, on its
        channel.
    reps
        The representatives, whose visits per day limit the field.
    rng
        Draws which explored accounts go first where there are too many.
    capacities
        Channel -> contacts a day, where the run knows better than the parameters.
    waiting
        The last run's waitlist (`PREVIOUS_WAITLIST_COLUMNS`).
    commitments
        `COMMITMENT_COLUMNS`: what is settled before, such as promised contacts.
    days
        Channel -> working days its capacity is for, where that is more than one.
    schema, as_of
        Which column is what, and the cut-off; by default it follows from names and types, and is today.

    Raises
    ------
    InputError
        Impossible parameters, capacities or waitlist.
    """
    params = params or ChannelParams()
    inputs = gather_inputs(accounts, schema=schema, as_of=as_of, reps=reps)
    limits = derive_capacities(inputs.reps, params.limits, capacities or {}, params.visits_per_day)
    account_id = inputs.accounts["account_id"]
    known = read_options(account_id, actions, options)
    option, value = value_channels(known, any_action=params.actions == "any")
    contacts = read_commitments(account_id, commitments, known, option, value)
    wanted = known.chosen >= 0
    urgency = find_urgent(inputs, _sla_of(known.frame, limits, params), waiting, wanted)
    wanted &= ~contacts.settled
    option, value, due = restrict(option, value, contacts, wanted, known.explore)
    use, capacity = _consumption(inputs, limits, params)
    unit = np.array([1.0 if use is None else float(item.limit.handle_min or 1.0) for item in limits])
    left = without_settled(limits, capacity, use, contacts)

    def attempt(explored_first: NDArray[np.int64]) -> tuple[OptionValues, Solution]:
        first = due.copy()
        first[explored_first] = True
        values = weigh(
            inputs, option, value, urgency, preference_factor=params.preference_factor, first=first
        )
        return values, solve(values, left, use, unit)

    drawn = _first_explored(known, option, limits, params.exploration_share, rng or np.random.default_rng(0))
    spent = float(actions.get_column("exploration_cost_eur", default=pl.Series([0.0])).sum())
    of_gain = _OF_GAIN if params.exploration_of_gain is None else params.exploration_of_gain
    (values, solved), exploration_cost = _let_go_first(attempt, drawn, of_gain, spent)
    values, choice = put_back(values, solved.choice, contacts)
    served = np.bincount(choice[choice >= 0], minlength=len(CHANNELS)).astype(np.float64)
    per_day = served if use is not None else np.where(np.isfinite(capacity), capacity, wanted.size)
    per_day = per_day / np.array([(days or {}).get(name, 1) for name in CHANNELS])
    now = int(np.datetime64(inputs.as_of, "us").astype(np.int64))
    unreached = np.flatnonzero(wanted & (choice < 0))
    waitlist, order = rank_waiting(account_id, unreached, values, urgency, served_per_day=per_day, now=now)
    waitlist = say_why_closed(waitlist, contacts.why.gather(order))
    frame = _by_account(known, values, solved.weight_prices, choice, use).with_columns(
        urgent=urgency.urgent,
        promised=contacts.promised,
        due=due | (contacts.planned & contacts.why.is_not_null().to_numpy()),
        channel_note=pl.when(pl.Series(contacts.closed)).then(
            pl.format("not {}: {}", pl.Series(CHANNELS).gather(np.maximum(contacts.channel, 0)), contacts.why)
        ),
        channel_confidence=pl.when(pl.Series(contacts.promised)).then(1.0).otherwise("channel_confidence"),
    )
    frame = _add_waits(frame, waitlist, order)
    table = _by_channel(values, limits, solved=solved, served=served, waitlist=waitlist)
    reached = np.flatnonzero(choice >= 0)
    total = float(values.cents[choice[reached], reached].sum()) / _CENTS
    notes = [f"{item.channel}: {item.source}" for item in limits if not np.isfinite(item.contacts)]
    notes += promised_beyond(limits, contacts)
    return Channels(
        frame, table, waitlist, total, total + solved.gap_cents / _CENTS, solved.contested, exploration_cost,
        tuple(notes),
    )  # fmt: skip


def _sla_of(actions: pl.DataFrame, limits: tuple[Capacity, ...], params: ChannelParams) -> Floats:
    """Return the minutes within which each account is to be reached: its action's, or its channel's."""
    by_channel = {item.channel: float(item.limit.sla_min or 0.0) for item in limits}
    channel = actions["channel"].replace_strict(by_channel, default=0.0, return_dtype=pl.Float64)
    if not params.sla_by_action_min:
        return channel.to_numpy()
    by_action = actions["action"].replace_strict(
        dict(params.sla_by_action_min), default=None, return_dtype=pl.Float64
    )
    return by_action.fill_null(channel).to_numpy()


def _first_explored(
    known: ActionOptions, option: Ints, limits: tuple[Capacity, ...], share: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw which explored accounts go first, in which order, where there is a limit.

    Their value must not decide what is learned from them.
    """
    explored: NDArray[np.int64] = rng.permutation(np.flatnonzero(known.explore & (known.chosen >= 0)))
    first = np.zeros(known.explore.size, dtype=np.bool_)
    for place, limit in enumerate(limits):
        of_channel = explored[option[place, explored] >= 0]
        most = of_channel.size if np.isinf(limit.contacts) else int(share * limit.contacts)
        first[of_channel[:most]] = True
    return explored[first[explored]]


def _let_go_first(
    attempt: Callable[[NDArray[np.int64]], tuple[OptionValues, Solution]],
    drawn: NDArray[np.int64],
    of_gain: float,
    spent_eur: float,
) -> tuple[tuple[OptionValues, Solution], float]:
    """Let as many drawn accounts go first, in their order, as exploration may still cost.

    Return the values, the solution, and what is given up in EUR.
    """
    best = attempt(drawn[:0])
    without = worth(best[0], best[1].choice)
    left = max(of_gain * without - spent_eur, 0.0)
    count = drawn.size
    while count:
        found = attempt(drawn[:count])
        cost = without - worth(found[0], found[1].choice)
        if cost <= left + 1 / _CENTS:
            return found, max(cost, 0.0)
        count //= 2  # in coarse steps: one place more then hardly ever changes who goes first
    return best, 0.0


def _consumption(
    inputs: PlanInputs, limits: tuple[Capacity, ...], params: ChannelParams
) -> tuple[Floats | None, Floats]:
    """Return what each account takes of each channel (None: one contact), and how much there is."""
    if params.consumption == "unit":
        return None, np.array([item.contacts for item in limits])
    use = np.empty((len(limits), inputs.accounts.height))
    for place, item in enumerate(limits):
        use[place] = float(item.limit.handle_min or 1.0)
    visit = inputs.schema.role("visit_min")
    if visit is not None:
        usual = float(DEFAULT_LIMITS["field"].handle_min or 1.0) - params.way_min
        minutes = inputs.accounts[visit].cast(pl.Float64).fill_null(usual).to_numpy() + params.way_min
        use[CHANNELS.index("field")] = np.maximum(minutes, 1.0)
    return use, np.array([item.minutes for item in limits])


def _by_account(
    known: ActionOptions,
    values: OptionValues,
    prices: Floats,
    choice: Ints,
    use: Floats | None,
) -> pl.DataFrame:
    """Put channel, confidence and what the channel is worth side by side, one row per account."""
    rows = np.arange(choice.size)
    got = choice >= 0
    place = np.maximum(choice, 0)
    names = pl.Series([*CHANNELS, None], dtype=pl.String)
    worth = values.weight - (prices[:, None] if use is None else prices[:, None] * use)
    others = worth.copy()
    others[place[got], rows[got]] = -np.inf
    second = np.where(others.max(axis=0) > 0, others.argmax(axis=0), len(CHANNELS))
    lead = worth[place, rows] - np.maximum(others.max(axis=0), 0.0)
    cents = np.where(got, values.cents[place, rows], 1.0)
    confidence = np.where(got, np.clip(lead / cents, 0.0, 1.0), np.nan)
    option = np.where(got, values.option[place, rows], -1)
    action = pl.Series([*(action for action, _ in known.names), None], dtype=pl.String).gather(
        np.where(option < 0, len(known.names), option)
    )
    value = np.where(got, values.value_eur[place, rows], known.frame["expected_value_eur"].to_numpy())
    return pl.DataFrame(
        {
            "account_id": known.frame["account_id"],
            "channel": names.gather(np.where(got, choice, len(CHANNELS))),
            "channel_confidence": pl.Series(confidence).fill_nan(None),
            "second_channel": names.gather(np.where(got, second, len(CHANNELS))),
            "action": action.fill_null(known.frame["action"]),
            "expected_value_eur": value,
        }
    )


def _add_waits(frame: pl.DataFrame, waitlist: pl.DataFrame, waiting_rows: Ints) -> pl.DataFrame:
    """Add what each account waits for, at which place, and how long."""
    wait = waitlist.select(
        pl.Series("row", waiting_rows),
        waiting_for="channel",
        wait_rank="rank",
        expected_wait_days="expected_wait_days",
        wait_reason="reason",
    )
    return (
        frame.with_row_index("row")
        .cast({"row": pl.Int64})
        .join(wait, on="row", how="left", maintain_order="left")
        .drop("row")
    )


def _by_channel(
    values: OptionValues,
    limits: tuple[Capacity, ...],
    *,
    solved: Solution,
    served: Floats,
    waitlist: pl.DataFrame,
) -> pl.DataFrame:
    """Return `CHANNEL_COLUMNS`."""
    wish = decide(values.cents, ONE_EACH, np.zeros(len(limits)))[0]
    demand = np.bincount(wish[wish >= 0], minlength=len(limits))
    backlog = dict(waitlist["channel"].drop_nulls().value_counts().iter_rows())
    late = set(waitlist.filter(~pl.col("in_time"))["channel"].drop_nulls())
    rows = [
        (
            item.channel,
            int(demand[c]),
            int(item.contacts) if np.isfinite(item.contacts) else None,
            int(served[c]),
            int(backlog.get(item.channel, 0)),
            item.limit.sla_min,
            item.channel not in late,
            float(solved.one_more[c]),
            float(solved.last_one[c]) if np.isfinite(solved.last_one[c]) else None,
            item.source,
        )
        for c, item in enumerate(limits)
    ]
    return pl.DataFrame(rows, schema=CHANNEL_COLUMNS, orient="row")
