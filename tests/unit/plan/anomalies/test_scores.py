"""What the score, its scales and its reasons are, by hand: the forest aside, everything is arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from dealwright.plan.anomalies import AnomalyParams, detect_anomalies
from dealwright.plan.anomalies.features import account_features, category_shares, robust_scale, scale_robustly
from dealwright.plan.anomalies.own_history import RESIDUALS
from dealwright.plan.anomalies.stage import _QUANTILES, AnomalyModel, _reasons, _score, _tail_z
from dealwright.schemas import TIMESTAMP, AccountSchema, PlanInputs

AS_OF = datetime(2026, 6, 30)


def test_an_account_in_numbers() -> None:
    """Days before the cut-off, and minus the logarithm of a category's share; what is new is the rarest."""
    accounts = pl.DataFrame(
        {
            "account_id": ["a", "b", "c", "d", "e"],
            "spend": [1.0, None, 3.0, 4.0, 5.0],
            "since": [AS_OF - timedelta(days=days) for days in (1, 2, 3, 4, 36)],
            "tier": ["x", "x", "x", "y", None],
        },
        schema_overrides={"since": TIMESTAMP},
    )
    schema = AccountSchema(numeric=("spend",), dates=("since",), categorical={"tier": None})
    inputs = PlanInputs(accounts, schema, AS_OF)
    shares = category_shares(accounts, ("tier",))
    assert shares == {"tier": {"x": 0.75, "y": 0.25}}
    names, raw = account_features(accounts, inputs, shares)
    assert names == ("spend", "days since since", "rarity of tier")
    assert raw[:, 0].tolist()[::2] == [1.0, 3.0, 5.0]
    assert np.isnan(raw[1, 0])
    assert raw[:, 1].tolist() == [1.0, 2.0, 3.0, 4.0, 36.0]
    assert np.exp(-raw[:4, 2]) == pytest.approx([0.75, 0.75, 0.75, 0.25])
    assert np.isnan(raw[4, 2])
    new = accounts.with_columns(tier=pl.lit("z"))
    assert np.exp(-account_features(new, inputs, shares)[1][:, 2]) == pytest.approx([0.25] * 5)
    nothing = account_features(accounts, PlanInputs(accounts, AccountSchema(), AS_OF), {})
    assert (nothing[0], nothing[1].shape) == ((), (5, 0))


def test_scales_are_those_of_a_normal_whatever_the_tail() -> None:
    normal = norm.ppf((np.arange(2001) + 0.5) / 2001) * 3.0 + 10.0
    normal[-5:] = 1e9
    mostly_equal = np.array([4.0] * 1500 + [5.0] * 501)
    raw = np.column_stack([normal, mostly_equal, np.full(2001, np.nan), np.full(2001, 7.0)])
    centre, scale = robust_scale(raw)
    assert centre == pytest.approx([10.0, 4.0, 0.0, 7.0], abs=0.01)
    assert scale == pytest.approx([3.0, np.sqrt(np.pi / 2) * 501 / 2001, 0.0, 0.0], abs=0.01)
    far = scale_robustly(np.array([[16.0], [np.nan], [np.inf], [-np.inf]]), centre[:1], scale[:1])
    # a missing value is typical
    assert far.ravel() == pytest.approx([np.arcsinh(2.0), 0.0, 50.0, -50.0], abs=0.01)


def test_a_score_becomes_the_z_score_of_its_upper_tail() -> None:
    """Of scores that are normal it is the z-score above the median, however they are shifted and scaled."""
    z = np.linspace(-1.0, 3.0, 9)
    of_normal = norm.ppf(np.linspace(0.0001, 0.9999, _QUANTILES))
    assert _tail_z(5.0 + 7.0 * z, 5.0 + 7.0 * of_normal) == pytest.approx(z, abs=0.02)
    # equal scores are nothing to stand out from, and what is beyond them is far
    assert _tail_z(np.array([0.5, 0.6]), np.full(_QUANTILES, 0.5)).tolist() == pytest.approx([0.0, 2e8])


def test_the_score_is_the_share_that_is_less_odd_and_goes_on_beyond_the_oddest() -> None:
    quantiles = np.linspace(0.0, 4.0, _QUANTILES)
    last = 1.0 / _QUANTILES
    inside = _score(np.array([-1.0, 0.0, 1.0, 2.0, 4.0]), quantiles)
    assert inside == pytest.approx(np.array([0.0, 0.0, 0.25, 0.5, 1.0]) * (1 - last))
    # beyond the oddest by as much as the last hundredth spans, then by far
    spread = 4.0 * 20 / 2000
    beyond = _score(np.array([4.0 + spread, 4.0 + 2 * spread, 1e9]), quantiles)
    assert 1.0 - beyond == pytest.approx(last * np.exp([-1.0, -2.0, -25.0]), rel=1e-3)


def crowd(n: int = 100) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    return pl.DataFrame(
        {
            "account_id": [f"a{k}" for k in range(n)],
            "spend": rng.normal(100.0, 10.0, n).round(1),
            "visits": rng.normal(50.0, 5.0, n).round(1),
        }
    )


def history(account: str, days: Iterable[int], amounts: Iterable[float] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (account, AS_OF - timedelta(days=int(day)), amount)
            for day, amount in zip(
                days, amounts if amounts is not None else itertools.repeat(100.0), strict=False
            )
        ],
        schema={"account_id": pl.String, "ordered_at": TIMESTAMP, "amount_eur": pl.Float64},
        orient="row",
    )


def usual_orders() -> pl.DataFrame:
    """Return those of everybody but the first few accounts: about every three weeks, about 100 EUR."""
    rng = np.random.default_rng(6)
    return pl.concat(
        history(
            f"a{k}", rng.integers(-13, 7) + rng.integers(14, 28, 10).cumsum(), rng.lognormal(4.6, 0.2, 10)
        )
        for k in range(6, 100)
    )


def test_a_reason_tells_value_side_and_what_is_typical() -> None:
    accounts = crowd().with_columns(
        spend=pl.when(pl.col("account_id") == "a3").then(400.0).otherwise("spend"),
        visits=pl.when(pl.col("account_id") == "a4").then(5.0).otherwise("visits"),
    )
    result = detect_anomalies(accounts, AnomalyParams(share=0.02))
    rows = {row["account_id"]: row for row in result.frame.to_dicts()}
    assert {name for name, row in rows.items() if row["is_anomaly"]} == {"a3", "a4"}
    for name, column, side in (("a3", "spend", "above"), ("a4", "visits", "below")):
        known = accounts[column].to_numpy()
        centre = np.median(known)
        z = (known[int(name[1:])] - centre) / (1.4826 * np.median(np.abs(known - centre)))
        value = f"{known[int(name[1:])]:,.6g}"
        first = rows[name]["anomaly_reasons"][0]
        assert first == f"{column} {value}, far {side} the typical {centre:,.6g} (z {z:+.1f})"
    assert dict(result.summary()) == {
        "accounts": 100, "anomalies": 2, "anomaly_share": 0.02,
        "threshold_z": round(result.model.threshold_z, 4), "features": 2,
        "anomalies_own_history": 0, "anomalies_among_accounts": 2,
        "notes": "no orders: accounts are compared with each other only",
    }  # fmt: skip


def test_the_own_history_is_told_first_and_no_more_than_the_stated_number_of_reasons() -> None:
    """An account with an order for twenty times its usual amount, and an odd spend."""
    accounts = crowd().with_columns(
        spend=pl.when(pl.col("account_id") == "a3").then(900.0).otherwise("spend")
    )
    orders = pl.concat([usual_orders(), history("a3", [1, *range(31, 200, 20)], [2000.0, *[100.0] * 9])])
    for most, told in ((3, 2), (1, 1)):
        result = detect_anomalies(accounts, AnomalyParams(reasons=most), orders=orders, as_of=AS_OF)
        reasons = result.frame.row(3, named=True)["anomaly_reasons"]
        assert reasons[0] == "an order of 2,000 EUR, usually 100 EUR"
        assert len(reasons) == told
        assert result.counts["own_history"] == 1
    assert reasons == ["an order of 2,000 EUR, usually 100 EUR"]


def test_bursts_drops_and_silences_say_how_many_and_how_long_is_usual() -> None:
    orders = pl.concat(
        [
            usual_orders(),
            history("a3", [*range(1, 29), *range(40, 140, 10)]),
            history("a4", [29, *range(40, 400, 4)]),
            history("a5", range(81, 400, 20)),
        ]
    )
    result = detect_anomalies(crowd(), AnomalyParams(share=0.05), orders=orders, as_of=AS_OF)
    reasons = result.frame["anomaly_reasons"].to_list()
    assert reasons[3][0] == "28 orders lately, more than its usual 3.0"
    assert "1 order lately, fewer than its usual 7.4" in reasons[4]
    assert reasons[5][0] == "no order for 81 days, usually every 20 days"


@pytest.mark.parametrize(("accounts", "compared"), [(49, False), (50, True)])
def test_a_crowd_begins_at_fifty(accounts: int, compared: bool) -> None:
    result = detect_anomalies(crowd(accounts))
    assert (result.model.forest is not None) is compared
    assert any("fewer than 50 accounts" in note for note in result.notes) is not compared


def test_without_the_share_nobody_is_flagged_and_the_least_z_holds() -> None:
    accounts = crowd(400)
    for share in (0.01, 0.05):
        result = detect_anomalies(accounts, AnomalyParams(share=share, min_z=0.0))
        assert result.frame["is_anomaly"].sum() == 400 * share
    assert result.model.threshold_z < 3.0
    assert detect_anomalies(accounts, AnomalyParams(share=0.5)).model.threshold_z == 3.0
    nobody = detect_anomalies(accounts.clear())
    assert nobody.model.threshold_z == 3.0
    assert nobody.summary()["anomaly_share"] == 0.0


def test_only_what_is_odd_enough_is_a_reason() -> None:
    """Half of what flags an account, of its own history; of its features what is one z-score from typical."""
    threshold = 4.0
    model = AnomalyModel(
        ("f", "g"), np.zeros(2), np.ones(2), {}, dict.fromkeys(RESIDUALS, 1.0), None, np.zeros(_QUANTILES),
        np.zeros(_QUANTILES), np.zeros(_QUANTILES), threshold,
    )  # fmt: skip
    departures = pl.DataFrame(
        {
            "silent_days": [40.0] * 3, "usual_gap_days": [9.0] * 3, "window_orders": [0] * 3,
            "usual_orders": [3.0] * 3, "window_amount_eur": [5.0] * 3, "usual_amount_eur": [5.0] * 3,
        }
    )  # fmt: skip
    z = np.zeros((3, len(RESIDUALS)))
    z[:, RESIDUALS.index("silence")] = [5.0, 1.9, 0.0]
    z[:, RESIDUALS.index("order_drop")] = [2.0, 1.0, 0.0]
    raw = np.array([[0.9, -1.1], [0.9, -1.1], [0.9, 0.2]])
    reasons = _reasons(
        model, raw=raw, scaled=np.arcsinh(raw).astype(np.float32), departures=departures, residual_z=z,
        forest_z=np.array([1.9, 2.0, 4.0]), flagged=np.ones(3, dtype=bool), most=3,
    )  # fmt: skip
    assert reasons.to_list() == [
        ["no order for 40 days, usually every 9 days", "0 orders lately, fewer than its usual 3.0"],
        ["g -1.1, far below the typical 0 (z -1.1)"],
        ["an unusual combination of ordinary values"],
    ]
