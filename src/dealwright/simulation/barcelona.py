"""A field-sales company around Barcelona with known truth: accounts, 18 months of orders and touches, reps.

What no stage may read (the true probabilities, expected values and responses, and what really happened
after the cut-off) is in a separate frame, `BarcelonaWorld.truth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.schemas import ACTIONS, CHANNELS, TIMESTAMP, AccountSchema, PlanInputs
from dealwright.simulation.company import (
    INDUSTRIES,
    INTERESTS,
    TIERS,
    WINDOW_DAYS,
    BarcelonaParams,
    Company,
    Mood,
    Season,
    draw_company,
)
from dealwright.simulation.ledger import (
    describe_accounts,
    draw_orders,
    draw_reps,
    draw_static_columns,
    draw_touches,
    plant_odd_columns,
)
from dealwright.simulation.purchasing import (
    Purchases,
    alive_probability,
    draw_deaths,
    expected_orders,
    order_probability,
    simulate,
)
from dealwright.simulation.response import response_probabilities

__all__ = ["BarcelonaParams", "BarcelonaWorld", "barcelona_schema", "generate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK: Final = 100_000  # accounts drawn at a time; part of the recipe: another size gives another company
ANOMALIES: Final = ("none", "spike", "silent", "odd")
BROKEN: Final = ("duplicate id", "no id", "position", "infinite value", "future date")


@dataclass(frozen=True)
class BarcelonaWorld:
    """A drawn company.

    Attributes
    ----------
    inputs
        What the plan may read, every row of it sound.
    tables
        The same as the company exports it, for `dealwright.read_plan_inputs`: ``accounts``, ``orders``,
        ``touches``, ``reps`` and ``history``, a few rows of them broken from 100 accounts on.
    truth
        By ``account_id``: ``churn_probability`` (no order in the horizon), ``future_value_eur`` (expected
        spend), ``alive_probability``, one ``response_<action>`` per action (without
        `PREFERRED_BONUS_LOGIT`), what really happened (``churned``, ``future_spend_eur``), the planted
        ``anomaly`` and which of `BROKEN` the account's row in `tables` is, if any.
    """

    inputs: PlanInputs
    tables: Mapping[str, pl.DataFrame]
    truth: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """Count what was drawn."""
        sizes = {name: self.tables[name].height for name in ("accounts", "orders", "touches", "reps")}
        return {**sizes, "true_churn_share": self.truth["churned"].mean(), "as_of": str(self.inputs.as_of)}


def generate(params: BarcelonaParams, *, seed: int) -> BarcelonaWorld:
    """Draw a company; the same parameters and seed give the same one.

    Raises
    ------
    InputError
        Impossible parameters, such as no accounts.
    """
    if params.n < 1:
        raise InputError(f"a world needs at least one account, not n = {params.n}: use for example --n 3200")
    if params.horizon_days < 30 or params.horizon_days > 365:
        raise InputError(f"horizon_days = {params.horizon_days}: use 30 to 365")
    season = Season(params.as_of, params.horizon_days)
    root = np.random.SeedSequence(seed)
    rep_seed, break_seed, *chunk_seeds = root.spawn(2 + -(-params.n // CHUNK))
    reps = draw_reps(params, np.random.default_rng(rep_seed))
    parts = [
        _draw_chunk(params, season, reps, index * CHUNK, np.random.default_rng(chunk))
        for index, chunk in enumerate(chunk_seeds)
    ]
    accounts, history, orders, touches, truth = (pl.concat(frames) for frames in zip(*parts, strict=True))
    inputs = PlanInputs(accounts, barcelona_schema(), params.as_of, orders, touches, reps, history)
    tables = {"accounts": accounts, "orders": orders, "touches": touches, "reps": reps, "history": history}
    broken, damage = _break_rows(inputs, np.random.default_rng(break_seed))
    return BarcelonaWorld(inputs, tables | broken, truth.with_columns(damage))


def _break_rows(inputs: PlanInputs, rng: np.random.Generator) -> tuple[dict[str, pl.DataFrame], pl.Series]:
    """Break one account in 2,000 in each of five ways, and a few orders; say which accounts, and how."""
    accounts, orders, n = inputs.accounts, inputs.orders, inputs.accounts.height
    kind = np.full(n, len(BROKEN))
    if n < 100 or orders is None or orders.height < 10:
        return {}, pl.Series("broken", [None], dtype=pl.String).new_from_index(0, n)
    each = max(1, round(n * 0.0005))
    kind[rng.choice(np.arange(1, n), size=5 * each, replace=False)] = np.repeat(np.arange(5), each)
    damage = pl.Series("broken", [*BROKEN, None]).gather(kind)

    def where(frame: pl.DataFrame, mask: pl.Series, column: str, wrong: pl.Expr) -> pl.DataFrame:
        return frame.with_columns(pl.when(mask).then(wrong).otherwise(pl.col(column)).alias(column))

    # a duplicate takes the id of the last whole account above it
    donor = np.maximum.accumulate(np.where(kind == len(BROKEN), np.arange(n), 0))
    future = pl.lit(inputs.as_of + timedelta(days=400), TIMESTAMP)
    for name, column, wrong in (
        ("duplicate id", "account_id", pl.lit(accounts["account_id"].gather(donor))),
        ("no id", "account_id", pl.lit(None, pl.String)),
        ("position", "lat_deg", pl.col("lat_deg") * 10),
        ("infinite value", "lifetime_value_eur", pl.lit(np.inf)),
        ("future date", "customer_since", future),
    ):
        accounts = where(accounts, (damage == name).fill_null(value=False), column, wrong)
    for column, wrong in (
        ("account_id", pl.lit("X000")),
        ("amount_eur", pl.lit(None, pl.Float64)),
        ("ordered_at", pl.col("ordered_at") + pl.duration(days=3650)),
    ):
        rows = rng.choice(orders.height, size=max(1, round(orders.height * 0.0001)))
        orders = where(orders, pl.Series(np.isin(np.arange(orders.height), rows)), column, wrong)
    return {"accounts": accounts, "orders": orders}, damage


def barcelona_schema() -> AccountSchema:
    """Declare the columns of the generated accounts."""
    always = ("tier", "industry", "product_interest", "employees", "connect_rate", "customer_since")
    return AccountSchema(
        numeric=(
            "employees", "lifetime_value_eur", "digital_engagement", "inbound_calls_90d", "connect_rate",
            "web_sessions_30d", "abandoned_carts_30d", "ecom_orders_90d", "support_tickets_90d", "csat",
            "recent_issue", "touches_90d",
        ),
        categorical={"tier": TIERS, "industry": INDUSTRIES, "product_interest": INTERESTS},
        dates=("customer_since", "last_contact_at"),
        consent=CHANNELS,
        roles={
            "name": "name", "tier": "tier", "industry": "industry",
            "digital_engagement": "digital_engagement",
            "support_tickets": "support_tickets_90d", "csat": "csat", "recent_issue": "recent_issue",
            "last_contact": "last_contact_at", "product_interest": "product_interest",
            "lifetime_value": "lifetime_value_eur", "abandoned_carts": "abandoned_carts_30d",
            "inbound_calls": "inbound_calls_90d", "visit_min": "visit_min", "rep_id": "rep_id",
            "opens_min": "opens_min", "closes_min": "closes_min",
            "address": "address", "contact": "contact", "phone": "phone",
        },
        known_from=dict.fromkeys(always, "always"),
        has_position=True,
        has_preferred_channel=True,
    )  # fmt: skip


def _draw_chunk(
    params: BarcelonaParams, season: Season, reps: pl.DataFrame, first: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, ...]:
    """Draw accounts with all that belongs to them: accounts, history, orders, touches, truth."""
    n = min(CHUNK, params.n - first)
    ids = pl.select(pl.format("A{}", pl.int_range(first + 1, first + n + 1).cast(pl.String).str.zfill(7)))
    account_id = ids.to_series().alias("account_id")
    company = draw_company(n, rng, season)
    cut_day = float(WINDOW_DAYS - params.horizon_days)
    cut, now = float(season.clock(cut_day)), float(season.clock(float(WINDOW_DAYS)))
    end = float(season.clock(float(WINDOW_DAYS + params.horizon_days)))
    death = draw_deaths(company.rhythm, cut, now, rng)
    anomaly = _plant_silence(company, death, now, rng)
    purchases = simulate(company.rhythm, death, end, rng)
    amount = company.mean_order_eur[purchases.customer] * rng.standard_gamma(4.0, purchases.at.size) / 4.0
    truth, last = _truth(company, purchases, amount, (cut, now, end))

    touches, touch_account, touch_day, contacted = draw_touches(params, company, purchases, season, rng)
    touches = touches.with_columns(account_id.gather(touch_account)).select("account_id", *touches.columns)
    orders = draw_orders(params, company, purchases, amount, season=season, now=now, anomaly=anomaly, rng=rng)
    static = draw_static_columns(params, company, reps, n, rng)

    def snapshot(mood: Mood, day: float) -> pl.DataFrame:
        """Describe the accounts as they were on a day."""
        reached = touch_account[contacted], touch_day[contacted]
        return describe_accounts(params, company, mood, day, orders=orders, touches=reached, rng=rng)

    known = company.since < cut_day
    earlier = pl.concat([static, snapshot(company.moods[1], cut_day)], how="horizontal").select(
        account_id,
        pl.lit(params.as_of - timedelta(days=params.horizon_days), TIMESTAMP).alias("snapshot_at"),
        pl.all(),
    )  # fmt: skip
    accounts = pl.concat([static, snapshot(company.moods[2], float(WINDOW_DAYS))], how="horizontal")
    accounts = plant_odd_columns(accounts.select(account_id, pl.all()), anomaly, rng)
    sold = orders.select(
        account_id.gather(orders["__account"]), "ordered_at", "amount_eur", "product", "sold_by"
    )
    overdue = (now - last) * company.rhythm.rate
    response = response_probabilities(company.situation(company.moods[2], overdue))
    truth = truth.with_columns(
        *(pl.Series(f"response_{action}", response[:, k]) for k, action in enumerate(ACTIONS)),
        pl.Series("anomaly", list(ANOMALIES)).gather(anomaly),
    )
    return accounts, earlier.filter(known), sold, touches, truth.select(account_id, pl.all())


def _plant_silence(company: Company, death: Floats, now: float, rng: np.random.Generator) -> Ints:
    """Choose the planted anomalies; let those that go silent leave some intervals ago (in place)."""
    draw = rng.random(death.size)
    alive = (death > now) & (company.rhythm.start < 0)
    kind = np.where(alive & (draw < 0.006), 1, np.where((draw > 0.006) & (draw < 0.010), 3, 0))
    clockwork = alive & (company.rhythm.stages == 4) & (company.rhythm.rate > 1 / 30)
    silent = clockwork & (draw > 0.95)
    death[silent] = now - (5.0 + 3.0 * rng.random(int(silent.sum()))) / company.rhythm.rate[silent]
    return np.where(silent, 2, kind)


def _truth(
    company: Company, purchases: Purchases, amount: Floats, clocks: tuple[float, float, float]
) -> tuple[pl.DataFrame, Floats]:
    """Return the true probabilities and what really happened, and the business time of each last order."""
    cut, now, end = clocks
    n = company.tier.size
    past = purchases.at < now
    last = company.rhythm.start.copy()
    # orders are sorted by account and time: the last assignment to an index wins
    last[purchases.customer[past]] = purchases.at[past]
    silent = now - last
    alive = alive_probability(company.rhythm, silent, now - cut)
    later = purchases.customer[~past]
    truth = pl.DataFrame(
        {
            "churn_probability": 1.0 - alive * order_probability(company.rhythm, silent, end - now),
            "future_value_eur": alive
            * expected_orders(company.rhythm, silent, end - now)
            * company.mean_order_eur,
            "alive_probability": alive,
            "orders_per_day": company.rhythm.rate,
            "mean_order_eur": company.mean_order_eur,
            "churned": np.bincount(later, minlength=n) == 0,
            "future_spend_eur": np.bincount(later, amount[~past], minlength=n),
        }
    )
    return truth, last
