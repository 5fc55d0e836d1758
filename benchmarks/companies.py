"""Draws companies whose day in the field is planned: clusters, homes, costs of the way, opening hours."""

from __future__ import annotations

import numpy as np

from dealwright.plan.routing.problem import Problem, Shift

SPEED_KM_H = 60.0
MINUTE = 60  # ticks are seconds


def draw_company(seed: int) -> Problem:
    """Draw one day of one to four representatives with their own homes, with 20 to 150 accounts.

    Some clusters of accounts lie so far away that none of their visits pays the way alone.
    """
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(20, 151)), int(rng.integers(1, 5))
    clusters = int(rng.integers(1, 9))
    middle = rng.normal(0.0, rng.choice([10.0, 30.0, 80.0]), (clusters, 2))
    far = rng.random(clusters) < 0.2
    middle[far] *= 150.0 / np.maximum(np.hypot(*middle[far].T), 1.0)[:, None]
    accounts = middle[rng.integers(0, clusters, n)] + rng.normal(0.0, rng.choice([2.0, 8.0]), (n, 2))
    homes = middle[rng.integers(0, clusters, m)] + rng.normal(0.0, 10.0, (m, 2))
    places = np.concatenate([accounts, homes])
    km = 1.3 * np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    travel = np.ceil(km / SPEED_KM_H * 60 * MINUTE).astype(np.int64)
    service = rng.choice([15, 30, 45, 60], n) * MINUTE
    opens = rng.choice([480, 540, 600, 780], n) * MINUTE
    width = rng.choice([120, 240, 600], n, p=[0.3, 0.3, 0.4]) * MINUTE
    start = int(rng.choice([480, 510, 540])) * MINUTE
    length = int(rng.choice([420, 480, 540])) * MINUTE
    return Problem(
        travel=travel,
        cost_eur=km * rng.choice([0.1, 0.3, 0.6]),
        service=service,
        opens=opens,
        latest_start=np.maximum(opens, opens + width - service),
        value_eur=np.round(rng.lognormal(np.log(rng.choice([10.0, 40.0, 120.0])), 0.8, n), 2),
        must=np.zeros(n, dtype=np.bool_),
        allowed=np.ones((n, m), dtype=np.bool_),
        shifts=tuple(
            Shift(f"representative {r + 1}", n + r, n + r, start, start + length, int(rng.integers(6, 15)))
            for r in range(m)
        ),
    )
