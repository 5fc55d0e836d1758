"""Draws that stay an account's own, run after run: a hash of its id and a salt, not its place."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


def stable_uniform(account_ids: pl.Series, salt: str) -> NDArray[np.float64]:
    """Return one number in [0, 1) per account that depends on its id and the salt only."""
    key = blake2b(salt.encode(), digest_size=32).digest()
    digests = b"".join(
        blake2b(account_id.encode(), digest_size=8, key=key).digest() for account_id in account_ids.to_list()
    )
    # 53 bits are all a double holds
    return (np.frombuffer(digests, dtype="<u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53
