"""How often somebody may ask: token buckets, one for each of them, in this process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_BUCKETS = 10_000


class RateLimit:
    """Lets each of many through so many times a second on average, and a burst at once.

    Parameters
    ----------
    rate_per_s, burst
        What each may do.
    clock
        Seconds that only go forward.
    """

    def __init__(self, rate_per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate_per_s, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, who: str, cost: float = 1.0) -> int:
        """Take from somebody's bucket; return 0, or after how many seconds to try again when it is empty."""
        now = self._clock()
        left, since = self._buckets.get(who, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        if left < cost:
            return max(1, math.ceil((cost - left) / self._rate))
        self._buckets[who] = (left - cost, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return 0

    def is_empty(self, who: str) -> bool:
        """Whether somebody would have to wait; nothing is taken."""
        left, since = self._buckets.get(who, (self._burst, 0.0))
        return left + (self._clock() - since) * self._rate < 1.0
