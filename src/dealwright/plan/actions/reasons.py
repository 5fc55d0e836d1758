"""A dictionary of reason texts: a million accounts share a few hundred texts, each stored once."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.stats.arrays import Floats

PERMITTED: Final = 0


class ReasonTexts:
    """Gives every text a code; code 0 means that nothing stands against."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._limits: dict[int, str] = {}

    def code(self, text: str, limit: str = "") -> int:
        """Return the code of a text, a new one for a new text.

        Parameters
        ----------
        limit
            What would have to give way, in two or three words, where a rule stands against an option that
            would do otherwise.
        """
        code = self._codes.setdefault(text, len(self._codes) + 1)
        if limit:
            self._limits[code] = limit
        return code

    def limits(self, codes: NDArray[np.int32]) -> pl.Series:
        """Return the limits of codes; null for texts without one."""
        table = [self._limits.get(code) for code in range(len(self._codes) + 1)]
        return pl.Series(table, dtype=pl.String).gather(pl.Series(codes.ravel()))

    def codes_of_days(self, pattern: str, days: Floats, most: int, limit: str = "") -> NDArray[np.int32]:
        """Return codes of a pattern with ``{days}`` filled in with whole days from 0 to `most`.

        NaN gives 0.
        """
        table = np.array(
            [self.code(pattern.replace("{days}", str(day)), limit) for day in range(most + 1)], dtype=np.int32
        )
        known = np.isfinite(days)
        whole = np.where(known, days, 0.0).astype(np.int64)
        return np.where(known, table[np.clip(whole, 0, most)], PERMITTED).astype(np.int32)

    def texts(self, codes: NDArray[np.int32]) -> pl.Series:
        """Return the texts of codes; 0 gives null. The strings are shared, not copied."""
        table = pl.Series([None, *self._codes], dtype=pl.String)
        return table.gather(pl.Series(codes.ravel()))
