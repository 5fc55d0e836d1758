"""When a process that serves looks for garbage: only among what it has made lately."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

_EVERYTHING_AFTER_S = 3600.0
_OLDEST = 2


class Collection:
    """Keeps full collections short: what outlived one is not looked through again for an hour.

    What was imported, and what was read of a night, stays for long, and a full collection over all of it
    halts every request for more than a tenth of a second. Only cycles wait for the hour: anything else is
    freed as soon as it is let go, as ever.

    Parameters
    ----------
    now_s
        Seconds that only grow.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._all_seen_s = now_s()

    def begin(self) -> None:
        """Collect once, and keep what is there."""
        gc.collect()
        gc.freeze()
        gc.callbacks.append(self.collected)

    def collected(self, phase: str, found: Mapping[str, int]) -> None:
        """Keep what a full collection left, or let the next one see everything (a callback of ``gc``)."""
        if phase != "stop" or found["generation"] != _OLDEST:
            return
        if self._now_s() - self._all_seen_s < _EVERYTHING_AFTER_S:
            gc.freeze()
        else:
            # the next full collection sees everything
            gc.unfreeze()
            self._all_seen_s = self._now_s()
