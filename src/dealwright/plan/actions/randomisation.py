"""Who is drawn for what: the control group, exploration, and draws that stay an account's own."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl

from dealwright.stats.arrays import Bools, Floats


@dataclass(frozen=True)
class Randomisation:
    """Who is drawn for what, before anything is chosen."""

    control: Bools  # in the global control group
    # uniform numbers: drawn for exploration where below the share; which option then
    explore_draw: Floats
    option_draw: Floats
    # the probabilities of the two
    control_share: float
    exploration_share: float
    explorable: Bools  # options that may be explored, shape (options,)
    # exploration may give up at most this share of what the accounts would bring without it
    exploration_of_gain: float = 1.0


def draw_randomisation(
    account_id: pl.Series,
    *,
    draw: str,
    campaign: str,
    exploration_share: float,
    control_share: float,
    explorable: Bools,
    exploration_of_gain: float,
) -> Randomisation:
    """Draw the control group and the accounts that explore.

    Parameters
    ----------
    draw : names this run's exploration; another name draws other accounts.
    campaign : names the control group, which stays the same from run to run.
    """
    explored = exploration_share > 0
    explore_draw = stable_uniform(account_id, f"explore:{draw}") if explored else np.ones(account_id.len())
    option_draw = np.zeros(account_id.len())
    drawn = np.flatnonzero(explore_draw < exploration_share)
    option_draw[drawn] = stable_uniform(account_id.gather(drawn), f"option:{draw}")
    in_control = stable_uniform(account_id, f"control:{campaign}") < control_share
    return Randomisation(
        in_control,
        explore_draw,
        option_draw,
        control_share,
        exploration_share,
        explorable,
        exploration_of_gain,
    )


def stable_uniform(account_ids: pl.Series, salt: str) -> Floats:
    """Return one number in [0, 1) per account that depends on its id and the salt only."""
    key = blake2b(salt.encode(), digest_size=32).digest()
    digests = b"".join(
        blake2b(account_id.encode(), digest_size=8, key=key).digest() for account_id in account_ids.to_list()
    )
    # 53 bits are all a double holds
    return (np.frombuffer(digests, dtype="<u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53
