"""Each departure from an account's own history equals the stated formula, written here in plain Python."""

from __future__ import annotations

import itertools
import math
from datetime import datetime, timedelta
from statistics import mean, median, variance

import numpy as np
import polars as pl
import pytest

from dealwright.plan.anomalies.own_history import history_departures
from dealwright.schemas import TIMESTAMP

AS_OF = datetime(2026, 6, 30)
WINDOW, LEAST, NEWS = 30.0, 5, 120.0


def book(*accounts: list[tuple[float, float | None]]) -> pl.DataFrame:
    """Return orders, of each account the days before the cut-off and the amounts."""
    return pl.DataFrame(
        [
            (f"a{k}", AS_OF - timedelta(days=days), amount)
            for k, orders in enumerate(accounts)
            for days, amount in orders
        ],
        schema={"account_id": pl.String, "ordered_at": TIMESTAMP, "amount_eur": pl.Float64},
        orient="row",
    )


def departures(orders: pl.DataFrame) -> list[dict[str, float]]:
    found = history_departures(orders, AS_OF, window_days=WINDOW, min_orders=LEAST, news_days=NEWS)
    return found.sort("account_id").to_dicts()


def spread(values: list[float], pooled: float) -> float:
    """Return the own spread, shrunk as if five orders more had the pooled one, and at least 0.15."""
    own = (len(values) - 1) * variance(values) if len(values) > 1 else 0.0
    return max(math.sqrt((own + 5.0 * pooled**2) / (len(values) - 1 + 5.0)), 0.15)


def expected(orders: list[tuple[float, float]], pooled_log: float, pooled_gap: float) -> dict[str, float]:
    days = sorted((day for day, _ in orders), reverse=True)
    recent = [amount for day, amount in orders if day < WINDOW]
    earlier = [math.log(amount) for day, amount in orders if day >= WINDOW]
    gaps = [before - after for before, after in itertools.pairwise(days)]
    usual_gap, silent = mean(gaps), days[-1]

    usual_orders = len(earlier) / (days[0] - WINDOW) * WINDOW
    burst = 2.0 * (math.sqrt(len(recent) + 0.375) - math.sqrt(usual_orders + 0.375))

    spike = 0.0
    if recent:
        wide = spread(earlier, pooled_log) * math.sqrt(1.0 + 1.0 / len(earlier))
        spike = max(math.log(max(recent)) - mean(earlier), 0.0) / wide
        spike = math.sqrt(max(spike**2 - 2.0 * math.log(len(recent)), 0.0))

    gap_spread = spread([math.log(gap) for gap in gaps], pooled_gap)
    # 1/k + 1/(2 k²) = v, solved for k
    shape = max(np.roots([gap_spread**2, -1.0, -0.5]))
    root = (silent / usual_gap) ** (1.0 / 3.0)
    standard = (root - (1.0 - 1.0 / (9.0 * shape))) / math.sqrt(1.0 / (9.0 * shape))
    silence = max(standard / math.sqrt(1.0 + root**2 / len(gaps)), 0.0)
    longest = usual_gap * (1.0 - 1.0 / (9.0 * shape) + 1.96 * math.sqrt(1.0 / (9.0 * shape))) ** 3
    return {
        "amount_spike": spike,
        "order_burst": max(burst, 0.0),
        "order_drop": max(-burst, 0.0) if silent <= WINDOW + NEWS else 0.0,
        "silence": silence if silent - longest <= NEWS else 0.0,
        "usual_orders": usual_orders,
        "usual_amount_eur": math.exp(mean(earlier)),
        "usual_gap_days": usual_gap,
        "silent_days": silent,
        "window_orders": len(recent),
    }


def buyer(rng: np.random.Generator, until: float) -> list[tuple[float, float]]:
    days = until + np.cumsum(rng.integers(3, 25, rng.integers(7, 14))).astype(float)
    return [(float(day), float(round(rng.lognormal(4.0, 0.7), 2))) for day in days]


@pytest.mark.parametrize("seed", range(6))
def test_each_departure_is_its_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    buyers = [buyer(rng, until) for until in (0.0, 0.0, 15.0, 40.0, 90.0, 140.0, 160.0, 400.0)]
    # one bought twelve times in the window, and one for very much
    buyers.append([(float(day), 50.0) for day in (*range(1, 25, 2), 40, 70, 100, 160, 200, 240)])
    buyers.append([(5.0, 5000.0), *((20.0 * k, 50.0 + k) for k in range(2, 12))])
    logs = [[math.log(amount) for day, amount in orders if day >= WINDOW] for orders in buyers]
    judged = [k for k, earlier in enumerate(logs) if len(earlier) >= LEAST]
    gaps = []
    for orders in buyers:
        days = sorted(day for day, _ in orders)
        gaps.append([math.log(b - a) for a, b in itertools.pairwise(days)])
    pooled_log = median(math.sqrt(variance(logs[k])) for k in judged)
    pooled_gap = median(math.sqrt(variance(gaps[k])) for k in judged)
    found = departures(book(*buyers))
    assert sorted(row["account_id"] for row in found) == sorted(f"a{k}" for k in judged)
    for row in found:
        wanted = expected(buyers[int(row["account_id"][1:])], pooled_log, pooled_gap)
        assert {name: row[name] for name in wanted} == pytest.approx(wanted, abs=1e-9), row["account_id"]


def test_a_clock_without_spread_takes_the_least_spread_there_is() -> None:
    """Every ten days for 100 EUR, then once for 200 EUR; nobody's amounts or gaps differ."""
    orders = [(10.0 * k, 100.0) for k in range(3, 12)]
    (row,) = departures(book([(20.0, 200.0), *orders]))
    # where all spreads are 0 the assumed one, 0.6, counts as five orders
    usual = math.sqrt(5 * 0.36 / 13)
    assert row["amount_spike"] == pytest.approx(math.log(2.0) / (usual * math.sqrt(1 + 1 / 9)))
    assert row["silent_days"] == 20.0
    assert row["usual_gap_days"] == pytest.approx(10.0)


def test_what_was_bought_on_one_day_is_one_purchase_and_its_day_ends_at_the_cut_off() -> None:
    """An order right at the cut-off is of day 0, one up to a day before of day 1."""
    lines = [(0.0, 7.0), (0.3, 60.0), (0.9, 40.0), (1.0, 100.0), (1.1, 5.0)]
    found = departures(book([*lines, *((30.0 * k, 100.0) for k in range(1, 8))]))[0]
    assert found["window_orders"] == 3
    assert found["silent_days"] == 0.0
    assert found["window_amount_eur"] == pytest.approx(200.0)


def test_no_amount_and_a_return_are_purchases_without_an_amount() -> None:
    orders = [(10.0, None), (20.0, -50.0), (25.0, float("nan")), *((30.0 * k, 80.0) for k in range(1, 8))]
    (found,) = departures(book(orders))
    assert found["window_orders"] == 3
    assert found["window_amount_eur"] is None
    assert found["amount_spike"] == 0.0
    assert found["usual_amount_eur"] == pytest.approx(80.0)


@pytest.mark.parametrize(("earlier", "judged"), [(4, 0), (5, 1)])
def test_a_verdict_takes_the_stated_number_of_earlier_orders(earlier: int, judged: int) -> None:
    orders = [(5.0, 10.0), *((30.0 + 10.0 * k, 10.0) for k in range(earlier))]
    assert len(departures(book(orders))) == judged
