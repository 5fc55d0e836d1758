"""Which options (action by channel) each account may get, and why not.

Conditions, consent, fatigue, quiet hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.conditions import Expression
from dealwright.errors import UnknownNameError
from dealwright.plan.actions.catalogue import DAYS, Action, Catalogue, Channel
from dealwright.plan.actions.facts import consents
from dealwright.plan.actions.fatigue import TouchLog
from dealwright.plan.actions.reasons import PERMITTED, ReasonTexts
from dealwright.schemas import TIMESTAMP, PlanInputs
from dealwright.stats.arrays import Bools, Floats, Ints

# limits of contact: an account without action might have one if they gave way
CONSENT: Final = "consent"
REST: Final = "rest between contacts"
QUIET: Final = "quiet days"
_MOST_MOVES: Final = 60  # quiet spells passed before a channel counts as closed for good


@dataclass(frozen=True)
class Eligibility:
    """Who may get what, and from when."""

    codes: NDArray[np.int32]  # of `ReasonTexts`, shape (accounts, options), 0 where permitted
    zone: Ints  # index of each account's time zone into `contact_from`
    # per time zone, per channel name: the first permitted moment, on the company's clock
    contact_from: tuple[dict[str, datetime], ...]

    @property
    def permitted(self) -> Bools:
        """Shape (accounts, options)."""
        permitted: Bools = self.codes == PERMITTED
        return permitted

    def of(self, part: slice) -> Eligibility:
        """Return who of some accounts may get what."""
        return Eligibility(self.codes[part], self.zone[part], self.contact_from)


def check_catalogue(catalogue: Catalogue, facts: pl.DataFrame, notes: list[str]) -> dict[str, str]:
    """Check every expression against the data; return actions that cannot be offered, with the reason.

    Raises
    ------
    InputError
        When an action that is not optional reads a column the data lack, or an expression does not fit the
        types.
    """
    unavailable = {}
    for action in catalogue.actions:
        missing = sorted(action.columns - set(facts.columns))
        if missing and action.optional:
            unavailable[action.name] = f"the data have no {', '.join(missing)}"
            notes.append(f"{action.name} is not offered: {unavailable[action.name]}")
            continue
        for condition in action.requires:
            condition.check(facts.schema, boolean=True)
        action.value.check(facts.schema, boolean=False)
    return unavailable


def find_eligible(
    inputs: PlanInputs,
    catalogue: Catalogue,
    facts: pl.DataFrame,
    log: TouchLog,
    *,
    unavailable: dict[str, str],
    texts: ReasonTexts,
    horizon_days: int,
) -> Eligibility:
    """Apply every rule to every account; the first rule that stands against an option gives the reason.

    Parameters
    ----------
    facts : see `facts.account_facts`.
    unavailable : actions that cannot be offered at all, with the reason.
    texts : collects the reasons.
    horizon_days : the plan covers so many days; a channel that stays closed longer is out.
    """
    accounts, options = facts.height, catalogue.options
    codes = np.zeros((accounts, len(options)), dtype=np.int32)
    zone, contact_from = _contact_moments(inputs, catalogue)
    last_contact = log.days_since_contact()
    by_channel = {
        channel.name: _channel_codes(inputs, catalogue, channel, log, last_contact=last_contact, texts=texts)
        for channel in catalogue.channels
    }
    closed_after = inputs.as_of + timedelta(days=horizon_days)
    for channel in catalogue.channels:
        for index, moments in enumerate(contact_from):
            if moments[channel.name] > closed_after:
                text = texts.code(
                    f"{channel.name} is quiet until {moments[channel.name]:%Y-%m-%d %H:%M}", QUIET
                )
                _put(by_channel[channel.name], zone == index, text)
    by_action = {
        action.name: _action_codes(action, facts, log, unavailable.get(action.name), texts)
        for action in catalogue.actions
    }
    for position, (action, channel) in enumerate(options):
        of_action = by_action[action.name]
        codes[:, position] = np.where(of_action != PERMITTED, of_action, by_channel[channel.name])
    return Eligibility(codes, zone, contact_from)


def _action_codes(
    action: Action, facts: pl.DataFrame, log: TouchLog, unavailable: str | None, texts: ReasonTexts
) -> NDArray[np.int32]:
    codes = np.zeros(facts.height, dtype=np.int32)
    if unavailable is not None:
        codes[:] = texts.code(unavailable)
        return codes
    for condition in action.requires:
        holds = facts.select(holds=condition.expr)["holds"].fill_null(value=False)
        # a constant condition has one row for all
        met = np.broadcast_to(holds.to_numpy(), facts.height)
        for name, unknown in _unknown(facts, condition):
            _put(codes, ~met & unknown, texts.code(f"needs {condition.text}; {name} is not known"))
        _put(codes, ~met, texts.code(f"needs {condition.text}"))
    for name, unknown in _unknown(facts, action.value):
        _put(codes, unknown, texts.code(f"what it is worth is not known: {name} is not known"))
    if action.suppress.rejections:
        answered = "refused" if log.rejection_known else "not answered"
        limit = action.suppress
        refused = texts.code(f"{answered} {limit.rejections} times in a row, resting {limit.days} days", REST)
        _put(codes, log.suppressed(action), refused)
    if action.cooldown_days:
        days = log.days_since_action(action)
        resting = np.where(days < action.cooldown_days, days, np.nan)
        found = texts.codes_of_days(
            f"tried {{days}} days ago (cool-down {action.cooldown_days} days)",
            resting,
            action.cooldown_days,
            REST,
        )
        np.copyto(codes, found, where=codes == PERMITTED)
    return codes


def _unknown(facts: pl.DataFrame, expression: Expression) -> Iterator[tuple[str, Bools]]:
    """Yield the columns an expression reads that are not known of some accounts, and of which."""
    value = facts.select(value=expression.expr)["value"]
    missing = np.broadcast_to(value.is_null().to_numpy(), facts.height)
    for name in sorted(expression.columns & set(facts.columns)) if missing.any() else ():
        unknown = facts[name].is_null()
        if unknown.any():
            yield name, missing & unknown.to_numpy()


def _channel_codes(
    inputs: PlanInputs,
    catalogue: Catalogue,
    channel: Channel,
    log: TouchLog,
    *,
    last_contact: Floats,
    texts: ReasonTexts,
) -> NDArray[np.int32]:
    codes = np.zeros(inputs.accounts.height, dtype=np.int32)
    if channel.consent:
        given = consents(inputs, channel.name)
        if given is not None:
            _put(codes, ~given.to_numpy(), texts.code(f"no consent to {channel.name}", CONSENT))
    if not channel.contact:
        return codes
    if catalogue.fatigue.min_gap_days:
        close = np.where(last_contact < catalogue.fatigue.min_gap_days, last_contact, np.nan)
        found = texts.codes_of_days(
            f"contacted {{days}} days ago (at least {catalogue.fatigue.min_gap_days} days between contacts)",
            close,
            catalogue.fatigue.min_gap_days,
            REST,
        )
        np.copyto(codes, found, where=codes == PERMITTED)
    for name, caps in ((None, catalogue.fatigue.caps), (channel.name, channel.caps)):
        for cap in caps:
            # the new contact counts too
            full = log.contacts_within(cap, name) + 1 > cap.contacts
            way = f" on {name}" if name else ""
            text = texts.code(f"already contacted{way} {cap.contacts} times in {cap.days} days", REST)
            _put(codes, full, text)
    return codes


def _put(codes: NDArray[np.int32], where: Bools, code: int) -> None:
    codes[where & (codes == PERMITTED)] = code


def _contact_moments(
    inputs: PlanInputs, catalogue: Catalogue
) -> tuple[Ints, tuple[dict[str, datetime], ...]]:
    """Find, for every time zone among the accounts and every channel, the first moment that is not quiet."""
    column = inputs.schema.role("time_zone")
    accounts = inputs.accounts.height
    if column is None:
        zones, index = [catalogue.time_zone], np.zeros(accounts, dtype=np.int64)
    else:
        names = inputs.accounts[column].cast(pl.String).fill_null(catalogue.time_zone)
        zones = names.unique().sort().to_list() or [catalogue.time_zone]
        index = names.replace_strict(zones, list(range(len(zones))), return_dtype=pl.Int64).to_numpy()
    return index, tuple(
        {
            channel.name: _first_permitted(inputs.as_of, channel, catalogue.time_zone, zone)
            for channel in catalogue.channels
        }
        for zone in zones
    )


def _first_permitted(as_of: datetime, channel: Channel, company_zone: str, account_zone: str) -> datetime:
    home = ZoneInfo(company_zone)
    moment = as_of.replace(tzinfo=home).astimezone(ZoneInfo(account_zone))
    for _ in range(_MOST_MOVES):
        moved = _leave_quiet(moment, channel)
        if moved == moment:
            break
        moment = moved
    else:
        moment += timedelta(days=3650)
    return moment.astimezone(home).replace(tzinfo=None)


def _leave_quiet(moment: datetime, channel: Channel) -> datetime:
    """Move to the end of the quiet spell the moment is in, if it is in one."""
    midnight = datetime.combine(moment.date(), time(0), tzinfo=moment.tzinfo)
    if DAYS[moment.weekday()] in channel.quiet_days:
        return midnight + timedelta(days=1)
    clock = moment.timetz().replace(tzinfo=None)
    for start, end in channel.quiet_hours:
        if start <= end and start <= clock < end:
            return datetime.combine(moment.date(), end, tzinfo=moment.tzinfo)
        if start > end and clock >= start:
            return datetime.combine(moment.date() + timedelta(days=1), end, tzinfo=moment.tzinfo)
        if start > end and clock < end:
            return datetime.combine(moment.date(), end, tzinfo=moment.tzinfo)
    return moment


def contact_moments(eligibility: Eligibility, channels: pl.Series) -> pl.Series:
    """From when each account may be contacted on its chosen channel, null where none was chosen."""
    result = pl.Series("contact_from", [None], dtype=TIMESTAMP).new_from_index(0, channels.len())
    for index, moments in enumerate(eligibility.contact_from):
        found = channels.replace_strict(
            list(moments), list(moments.values()), default=None, return_dtype=TIMESTAMP
        )
        result = result.zip_with(pl.Series(eligibility.zone != index), found)
    return result.alias("contact_from")


def check_touch_names(inputs: PlanInputs, catalogue: Catalogue, notes: list[str]) -> None:
    """Say which actions of the touches the catalogue does not know.

    They count as contacts and teach nothing.
    """
    touches = inputs.scan("touches")
    if touches is None:
        return
    known = ["nothing", *(action.name for action in catalogue.actions)]
    notes.extend(
        f"touches: {UnknownNameError('action', name, known)}; counted as contacts only"
        for name in touches.select("action").drop_nulls().unique().collect()["action"].sort().to_list()
        if name not in known
    )
