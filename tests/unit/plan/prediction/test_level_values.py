"""The total to expect, computed again: seasons by an F test, windows by hand, errors by their formula."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from order_books import AS_OF
from scipy.integrate import quad
from scipy.stats import f as f_law

from dealwright.errors import EvidenceError
from dealwright.plan.prediction import level
from dealwright.plan.prediction.ledger import Ledger, OrderDays
from dealwright.plan.prediction.level import Level, Season, Window, expected_spend, monthly_totals
from dealwright.schemas import TIMESTAMP

MONTH = 365.25 / 12


def ledger(*orders: tuple[str, float, float]) -> Ledger:
    """Return orders given as account, days before the cut-off, amount."""
    frame = pl.DataFrame(
        [(name, AS_OF - timedelta(days=day), amount) for name, day, amount in orders],
        schema={"account_id": pl.String, "ordered_at": TIMESTAMP, "amount_eur": pl.Float64},
        orient="row",
    )
    return Ledger.of(frame, pl.Series("account_id", sorted({name for name, _, _ in orders}), pl.String))


def days(*accounts: list[tuple[float, float]]) -> OrderDays:
    """Return each account's days, oldest first, as age and spend."""
    starts = np.cumsum([0, *(len(lines) for lines in accounts)])[:-1]
    ages, spend = np.array([line for lines in accounts for line in lines]).reshape(-1, 2).T
    return OrderDays(np.arange(len(accounts)), starts, ages, spend, len(accounts))


# months and seasons


def test_a_month_is_the_mean_of_who_was_there_without_first_orders() -> None:
    totals = monthly_totals(
        ledger(
            ("a", 200, 500.0), ("a", 130, 50.0), ("a", 70, 5.0), ("a", 40, 20.0), ("a", 10, 30.0),
            # what follows within a day of the first order is a part of it
            ("b", 45, 70.0), ("b", 44.5, 100.0), ("b", 44, 1_000.0), ("b", 20, 10.0),
        ),
        AS_OF,
    )  # fmt: skip
    # the fourth month has no order: what was before is not looked at
    assert np.exp(totals) == pytest.approx([(30 + 10) / 2, 20.0, 5.0])


def test_only_whole_months_count() -> None:
    orders = (("a", 3 * MONTH - 0.01, 7.0), ("a", 40, 20.0), ("a", 5, 10.0))
    assert np.exp(monthly_totals(ledger(*orders), AS_OF)) == pytest.approx([10.0, 20.0])
    longer = (("a", 3 * MONTH + 0.01, 7.0), ("a", 75, 2.0), *orders[1:])
    assert np.exp(monthly_totals(ledger(*longer), AS_OF)) == pytest.approx([10.0, 20.0, 2.0])
    assert len(monthly_totals(ledger(("a", -1, 3.0)), AS_OF)) == 0


def waves(age: np.ndarray, harmonics: int) -> np.ndarray:
    turns = [2 * np.pi * k * age / 365.25 for k in range(1, harmonics + 1)]
    return np.column_stack([np.ones(len(age)), *(wave(turn) for turn in turns for wave in (np.cos, np.sin))])


def season_of(monkeypatch: pytest.MonkeyPatch, log_total: np.ndarray) -> Season:
    monkeypatch.setattr(level, "monthly_totals", lambda *_: log_total)
    return Season.of(ledger(), AS_OF)


def test_a_wave_of_the_year_is_found_beside_a_trend(monkeypatch: pytest.MonkeyPatch) -> None:
    age = (np.arange(30) + 0.5) * MONTH
    t = age / 900
    true = [0.3, -0.2, 0.1, 0.15]
    noise = 1e-4 * np.random.default_rng(0).normal(size=30)
    series = 5.0 + 0.4 * t - 0.3 * t**2 + waves(age, 2)[:, 1:] @ true + noise
    assert season_of(monkeypatch, series).waves == pytest.approx(true, abs=1e-3)
    assert season_of(monkeypatch, series[:20]) == Season()
    assert season_of(monkeypatch, series[:21]).waves == pytest.approx(true, abs=2e-2)
    # a third harmonic is the finest that is looked for
    fourth = waves(age, 4)[:, 1:] @ [3.0, 2.0, 0.5, 0.4, 0.1, 0.1, 0.03, 0.03]
    assert len(season_of(monkeypatch, fourth).waves) == 6


@pytest.mark.parametrize("n", [21, 30])
def test_a_season_must_be_significant_at_one_per_cent(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """By the F test of a model with trend, square and wave against one without the wave."""
    age = (np.arange(n) + 0.5) * MONTH
    noise = np.random.default_rng(3).normal(size=n)
    trend = np.column_stack([np.ones(n), age, age**2])
    wider = np.column_stack([trend, waves(age, 1)[:, 1:]])
    found = []
    for size in np.linspace(0.2, 2.5, 70):
        series = size * np.cos(2 * np.pi * age / 365.25) + noise
        rest = [
            np.sum((series - design @ np.linalg.lstsq(design / 1e4, series)[0] / 1e4) ** 2)
            for design in (trend, wider)
        ]
        p = f_law.sf((rest[0] - rest[1]) / 2 / (rest[1] / (n - 5)), 2, n - 5)
        found.append(p)
        assert bool(season_of(monkeypatch, series).waves) == (p <= 0.01)
    # the line between both is met closely
    assert min(p for p in found if p > 0.01) < 0.0115
    assert max(p for p in found if p <= 0.01) > 0.0085


def test_factors_compare_the_horizon_with_the_own_past() -> None:
    season = Season((0.5, -0.3, 0.2, 0.4))

    def strength(age: float) -> float:
        return float(np.exp(waves(np.array([age]), 2)[0, 1:] @ season.waves))

    def mean(newest: float, oldest: float) -> float:
        return quad(strength, newest, oldest, limit=200)[0] / (oldest - newest)

    ages = np.array([400.0, 100.0, 5.0])
    for shift in (0.0, 130.0):
        expected = [mean(shift - 90, shift) / mean(shift, shift + age) for age in (400, 100, 28)]
        assert season.factors(ages, 90.0, shift) == pytest.approx(expected, rel=0.01)
        # whoever is new is compared with four weeks, also where nobody has been there for longer
        assert season.factors(ages[2:], 90.0, shift) == pytest.approx(expected[2:], rel=0.01)
    assert Season().factors(ages, 90.0).tolist() == [1.0, 1.0, 1.0]
    logs = np.log([strength(age) for age in np.linspace(0, 365.25, 2_000, endpoint=False)])
    assert season.swings == pytest.approx(logs.std())
    stub = SimpleNamespace(expected_spend=lambda _history, horizon: np.array([10.0, 20.0]) * horizon)
    book = days([(100.0, 1.0), (3.0, 1.0)], [(400.0, 1.0)])
    assert expected_spend(book, 90, season, stub, 130.0) == pytest.approx(
        season.factors(np.array([100.0, 400.0]), 90, 130.0) * [900.0, 1_800.0]
    )


# windows


def cut_offs(monkeypatch: pytest.MonkeyPatch, reach: int, horizon: int, season: Season) -> list[object]:
    """Return days before today, length, shift and share of history of each window that is looked at."""

    def seen(_ledger, cut_off, length, _season, past):
        found.append(((AS_OF - cut_off).days, length, past[0], pytest.approx(past[1])))
        return Window(cut_off, 1.0, 1.0, 0.0, past[1], length)

    found: list[object] = []
    monkeypatch.setattr(level, "_window", seen)
    book = ledger(("a", reach, 1.0), ("a", 1, 1.0))
    windows = level._windows(book, AS_OF, horizon, season, np.random.default_rng(0))
    assert len(windows) == len(found)
    return found


@pytest.mark.parametrize(
    ("reach", "horizon", "season", "length", "count"),
    [
        (270, 180, (), 180, 1),  # half a horizon of history is the least
        (269, 180, (), 89, 2),  # otherwise a third of the history is the window
        (84, 180, (), 28, 2),
        (83, 180, (), 0, 0),
        (58, 30, (), 30, 1),
        (57, 30, (), 0, 0),
        (2_000, 180, (), 180, 3),
        (545, 180, (0.1, 0.1), 180, 1),  # with a season each window has a year before it
        (544, 180, (0.1, 0.1), 180, 0),
        (2_000, 1_000, (0.1, 0.1), 1_000, 1),
    ],
)
def test_windows_go_back_as_far_as_their_history_allows(
    monkeypatch, reach, horizon, season, length, count
) -> None:
    found = cut_offs(monkeypatch, reach, horizon, Season(season))
    assert found == [(k * length, length, k * length, 1 - k * length / reach) for k in range(1, count + 1)]


def test_no_order_is_no_window() -> None:
    nobody = ledger(("a", -5, 1.0)).until(AS_OF)
    assert level._windows(nobody, AS_OF, 90, Season(), np.random.default_rng(0)) == ()


def test_a_window_holds_the_expected_total_against_the_actual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expected 10 and 30, actual 0 and 60: after scaling by 60 / 40, the surprises are −15 and 15."""
    book = ledger(
        ("a", 150, 5.0), ("b", 140, 5.0), ("b", 90, 20.0), ("b", 60, 40.0), ("a", 59, 9.0), ("c", 80, 1_000.0)
    )
    cut_off, expected, asked = AS_OF - timedelta(days=100), np.array([10.0, 30.0]), []

    def spend(*given):
        asked.append((given[1], given[4]))
        return expected

    monkeypatch.setattr(level, "fit_buy_till_you_die", lambda *_: None)
    monkeypatch.setattr(level, "expected_spend", spend)

    def window(length: int) -> Window | None:
        past = (100, 0.4, np.random.default_rng(0))
        return level._window(book, cut_off, length, Season(), past)

    assert window(40) == Window(cut_off, 40.0, 60.0, pytest.approx(2 * 15**2 / 60**2), 0.4, 40)
    assert asked == [(40, 100.0)]
    assert window(5) is None  # nothing was spent
    expected = np.zeros(2)
    assert window(40) is None

    def fail(*_):
        raise EvidenceError("too few")

    monkeypatch.setattr(level, "fit_buy_till_you_die", fail)
    assert window(40) is None


def test_the_most_is_twice_the_best_pace_so_far() -> None:
    """A horizon of 60 days; a part of one counts as four weeks at least."""
    book = days(
        [(100.0, 10.0), (70.0, 20.0), (10.0, 50.0)],  # 50 in one, and 30 in the 40 days before: 45
        [(65.0, 7.0)],  # in a part of 5 days
        [(60.0, 3.0)],  # exactly a horizon ago is the one before
        [(120.0, 9.0), (59.0, 1.0)],
        [(130.0, 90.0)],
    )
    expected = [50.0, 7 * 60 / 28, 3 * 60 / 28, 9 * 60 / 28, 90 * 60 / 28]
    assert level._pace(book, 60) == pytest.approx(sum(expected))
    assert level._pace(days(), 60) == 0.0


# the level


def test_months_that_resemble_the_month_before_do_not_average_out() -> None:
    series = np.array([1.0, 1.4, 1.5, 1.2, 0.9, 1.1, 1.6])
    month = np.arange(7)
    rest = series - np.polyval(np.polyfit(month, series, 1), month)
    alike = sum(rest[k] * rest[k + 1] for k in range(6)) / sum(rest**2)
    assert alike > 0.05
    assert level._swings(series) == pytest.approx(np.sqrt(alike * sum(rest**2) / 5))
    assert level._swings(series[:5]) == 0.0
    assert level._swings(np.array([1.0, 1.4, 1.9, 1.8, 1.4, 1.1])) > 0.0
    assert level._swings(np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0])) == 0.0


def learned(monkeypatch, windows: tuple[Window, ...], season=(), months=(), horizon=90) -> Level:
    monkeypatch.setattr(level, "_windows", lambda *_: windows)
    monkeypatch.setattr(level, "monthly_totals", lambda *_: np.array(months))
    monkeypatch.setattr(Season, "of", classmethod(lambda cls, *_: cls(season)))
    return level.learn_level(ledger(("a", 30, 8.0), ("a", 2, 3.0)), AS_OF, horizon, np.random.default_rng(0))


def windows_of(*misses: float, length: int = 90) -> tuple[Window, ...]:
    return tuple(
        Window(AS_OF, 100.0, 100.0 * float(np.exp(miss)), 0.01 * k, 1 - 0.3 * k, length)
        for k, miss in enumerate(misses, start=1)
    )


def test_without_a_window_the_total_is_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    found = learned(monkeypatch, ())
    # 11 in the 30 days that there were: twice the pace of a horizon
    assert (found.factor, found.spread, found.most_eur) == (1.0, 0.3, pytest.approx(2 * 11 * 90 / 29))
    assert learned(monkeypatch, (), season=(0.6, 0.0)).spread == pytest.approx(
        np.hypot(0.3, 0.25 * 0.6 / np.sqrt(2))
    )
    months = [1.0, 1.4, 1.5, 1.2, 0.9, 1.1, 1.6]
    assert learned(monkeypatch, (), months=months).spread == pytest.approx(
        np.hypot(0.3, level._swings(np.array(months)))
    )


@pytest.mark.parametrize("misses", [(0.3, -0.1, 0.5), (0.1, 0.12), (0.4,)])
@pytest.mark.parametrize("length", [90, 60])
def test_misses_are_shrunk_by_what_is_known_of_their_errors(monkeypatch, misses, length) -> None:
    """As a normal mean with a prior, whose spread is an estimate out of the misses and two earlier ones."""
    found = learned(monkeypatch, windows_of(*misses, length=length), season=(0.2, 0.0))
    n, noise = len(misses), [0.01 * k for k in range(1, len(misses) + 1)]
    beyond_noise = sum((m - np.mean(misses)) ** 2 for m in misses) - sum(noise) * (n - 1) / n
    spread = (2 * 0.08**2 + max(0.0, beyond_noise)) / (n + 1)
    swings = (0.25 * 0.2) ** 2 / 2
    shorter = [(0.2 * 0.3 * k) ** 2 for k in range(1, n + 1)]
    weights = [1 / (spread + swings + own + less) for own, less in zip(noise, shorter, strict=True)]
    precision = sum(weights) + 1 / 0.15**2
    bias = sum(w * m for w, m in zip(weights, misses, strict=True)) / precision
    variance = 1 / precision + spread + swings + 0.01
    if length == 60:  # a third of the horizon is untested
        variance += (0.3 / 3) ** 2
    assert found.factor == pytest.approx(np.exp(bias))
    assert found.spread == pytest.approx(np.sqrt(variance))
    assert len(found.windows) == n


def test_a_level_is_learned_from_at_most_so_many_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(level, "_BACKTEST_ROWS", 3)
    monkeypatch.setattr(level, "_windows", lambda book, *_: seen.append(book.accounts) or ())
    book = ledger(*((name, 40.0, 10.0) for name in "abcde"))
    found = level.learn_level(book, AS_OF, 90, np.random.default_rng(0))
    assert seen == [3]
    assert found.most_eur == pytest.approx(5 * 2 * 10.0 * 90 / 39)  # of all accounts


def test_a_level_as_plain_values() -> None:
    found = Level(1.1, 0.2, 300.0, (Window(AS_OF, 10.0, 12.0, 0.01, 0.5, 90),)).to_dict()
    assert found == {
        "factor": 1.1,
        "spread": 0.2,
        "most_eur": 300.0,
        "windows": [{"cut_off": AS_OF.isoformat(), "expected_eur": 10.0, "actual_eur": 12.0}],
    }
