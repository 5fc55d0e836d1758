"""The tables of the synthetic company: its accounts' columns, orders, touches and representatives."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.schemas import ACTIONS, CHANNELS, TIMESTAMP, consent_column
from dealwright.simulation.company import (
    INDUSTRIES,
    INTERESTS,
    TIERS,
    WINDOW_DAYS,
    BarcelonaParams,
    Company,
    Mood,
    Season,
)
from dealwright.simulation.geography import KM_PER_DEGREE, sample_positions
from dealwright.simulation.purchasing import Purchases
from dealwright.simulation.response import CHANNEL_COST_EUR
from dealwright.simulation.response import draw_touches as draw_outcomes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def moments(params: BarcelonaParams, day: Floats) -> pl.Series:
    """Turn days since the window's start into timestamps within business hours (08:00 to 18:00)."""
    whole = np.floor(day)
    minutes = whole * 1440 + np.floor(480 + 600 * (day - whole))
    start = np.datetime64(params.as_of - timedelta(days=WINDOW_DAYS), "us")
    return pl.Series(start + (minutes * 60_000_000).astype("timedelta64[us]"), dtype=TIMESTAMP)


def draw_orders(
    params: BarcelonaParams,
    company: Company,
    purchases: Purchases,
    amount: Floats,
    *,
    season: Season,
    now: float,
    anomaly: Ints,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return the orders within the window, with planted spikes, by account and time."""
    seen = (purchases.at >= 0.0) & (purchases.at < now)
    account, day = purchases.customer[seen], season.day(purchases.at[seen])
    value = amount[seen]
    spiking = np.flatnonzero(anomaly == 1)
    account = np.concatenate([account, spiking])
    day = np.concatenate([day, WINDOW_DAYS - 21 * rng.random(spiking.size)])
    value = np.concatenate([value, company.mean_order_eur[spiking] * (12 + 13 * rng.random(spiking.size))])
    value = np.maximum(np.round(value, 2), 0.5)
    own = rng.random(account.size) < 0.6
    product = np.where(own, company.interest[account], rng.integers(0, len(INTERESTS), account.size))
    online = rng.random(account.size) < np.where(company.preferred[account] >= 3, 0.7, 0.2)
    sold_by = np.where(online, 3 + (rng.random(account.size) < 0.5), rng.integers(0, 3, account.size))
    frame = pl.DataFrame(
        {
            "__account": account,
            "__day": day,
            "ordered_at": moments(params, day),
            "amount_eur": value,
            "product": pl.Series(list(INTERESTS)).gather(product),
            "sold_by": pl.Series(list(CHANNELS)).gather(sold_by),
        }
    )
    return frame.sort("__account", "__day") if spiking.size else frame


def draw_touches(
    params: BarcelonaParams, company: Company, purchases: Purchases, season: Season, rng: np.random.Generator
) -> tuple[pl.DataFrame, Ints, Floats, NDArray[np.bool_]]:
    """Return touches by account and time, their accounts and days, and which reached somebody."""
    begin = np.maximum(company.since, 0.0)
    count = rng.poisson(params.touches_per_account * (WINDOW_DAYS - begin) / WINDOW_DAYS)
    account = np.repeat(np.arange(count.size), count)
    day = begin[account] + rng.random(account.size) * (WINDOW_DAYS - begin)[account]
    order = np.lexsort((day, account))
    day = day[order]
    clock = season.clock(day)
    # the last order before each touch: both lists are sorted by account and time
    span = 1e5
    index = np.searchsorted(purchases.customer * span + purchases.at, account * span + clock) - 1
    overdue = (clock - purchases.at[index]) * company.rhythm.rate[account]
    early = company.situation(company.moods[0], np.zeros(count.size)).rows(account)
    late = company.situation(company.moods[1], np.zeros(count.size)).rows(account)
    first_half = day < WINDOW_DAYS - params.horizon_days
    now = type(early)(
        **{name: np.where(first_half, getattr(early, name), getattr(late, name)) for name in vars(early)}
        | {"overdue": overdue}
    )
    drawn = draw_outcomes(now, company.preferred[account], company.consent[account], rng)
    channel = pl.Series(list(CHANNELS)).gather(np.maximum(drawn.channel, 0))
    cost = np.array([CHANNEL_COST_EUR[name] for name in CHANNELS])[np.maximum(drawn.channel, 0)]
    reached = drawn.channel >= 0
    frame = pl.DataFrame(
        {
            "touched_at": moments(params, day),
            "channel": channel.zip_with(pl.Series(reached), pl.Series([None], dtype=pl.String)),
            "action": pl.Series(list(ACTIONS)).gather(drawn.action),
            "response": drawn.response,
            "rejected": drawn.rejected,
            "cost_eur": np.where(reached, cost, 0.0),
            "propensity": drawn.propensity,
        }
    )
    return frame, account, day, reached


def draw_static_columns(
    params: BarcelonaParams, company: Company, reps: pl.DataFrame, n: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Return the columns that do not change with time."""
    lat, lon = sample_positions(n, rng, params.polygon)
    east_km = np.cos(np.radians(41.4)) * KM_PER_DEGREE
    homes = reps.select("home_lat_deg", "home_lon_deg").to_numpy()
    nearest = np.empty(n, dtype=np.int64)
    for rows in np.array_split(np.arange(n), -(-n // 10_000)):
        squared = ((lat[rows, None] - homes[:, 0]) * KM_PER_DEGREE) ** 2
        squared += ((lon[rows, None] - homes[:, 1]) * east_km) ** 2
        nearest[rows] = squared.argmin(axis=1)
    # one account in five is with a colleague, for reasons of history
    rep = np.where(rng.random(n) < 0.2, rng.integers(0, reps.height, n), nearest)
    families = pl.Series([
        "Puig", "Ferrer", "Vidal", "Soler", "Roca", "Serra", "Costa", "Bosch", "Riera", "Mas", "Pujol",
    ])  # fmt: skip
    trades = pl.Series(
        ["Hotel", "Mercat", "Moda", "Clínica", "Obres", "Tallers", "Gestoria", "Acadèmia"]
    )  # in the order of INDUSTRIES
    name = pl.select(
        pl.format(
            "{} {} {}",
            trades.gather(company.industry),
            families.gather(rng.integers(0, len(families), n)),
            pl.Series(rng.integers(1, 1000, n)),
        )
    ).to_series()
    consents = {}
    for k, channel in enumerate(CHANNELS):
        asked = rng.random(n) >= 0.03 * params.missing_share
        consents[consent_column(channel)] = pl.Series(company.consent[:, k]).set(pl.Series(~asked), None)
    preferred = pl.Series(list(CHANNELS)).gather(company.preferred)
    opens = rng.choice([480, 540, 600], size=n, p=[0.3, 0.5, 0.2])
    return pl.DataFrame(
        {
            "name": name,
            "lat_deg": lat,
            "lon_deg": lon,
            "tier": pl.Series(list(TIERS)).gather(company.tier),
            "industry": pl.Series(list(INDUSTRIES)).gather(company.industry),
            "product_interest": pl.Series(list(INTERESTS)).gather(company.interest),
            "employees": with_gaps(company.employees, 0.03 * params.missing_share, rng),
            "connect_rate": with_gaps(company.connect_rate, 0.04 * params.missing_share, rng),
            "customer_since": moments(params, np.floor(company.since)),
            "preferred_channel": preferred.set(pl.Series(rng.random(n) < 0.06 * params.missing_share), None),
            **consents,
            "visit_min": rng.choice([20.0, 30.0, 45.0, 60.0], size=n, p=[0.2, 0.45, 0.25, 0.1]),
            "opens_min": opens,
            "closes_min": opens + rng.choice([300, 480, 540], size=n, p=[0.2, 0.4, 0.4]),
            "rep_id": reps["rep_id"].gather(rep),
            **_who_and_where(lat, lon),
        }
    )


def _who_and_where(lat: Floats, lon: Floats) -> dict[str, pl.Series]:
    """Invent addresses, contacts and telephone numbers that no exchange gives to anybody.

    They follow from the position, so that everything else is drawn as it would be without them.
    """
    mark = np.floor(np.abs(lat * 1e6)) * 31 + np.floor(np.abs(lon * 1e6))
    number = pl.Series(mark.astype(np.int64))
    streets = pl.Series(
        ["Carrer de Mallorca", "Carrer Major", "Avinguda Diagonal", "Rambla Nova", "Passeig de Gràcia",
         "Carrer de Sants", "Plaça del Mercat"]
    )  # fmt: skip
    given = pl.Series(["Marta", "Jordi", "Núria", "Pere", "Anna", "Lluís", "Rosa", "Quim", "Elena"])
    families = pl.Series(
        ["Pons", "Vila", "Font", "Sala", "Camps", "Prat", "Torres", "Casas", "Gil", "Bou", "Rius"]
    )
    known = pl.select(
        address=pl.format("{} {}", streets.gather(number % 7), number % 180 + 1),
        contact=pl.format("{} {}", given.gather(number % 9), families.gather(number % 11)),
        phone=pl.format(
            "+34 000 {} {}",
            pl.lit(number % 997).cast(pl.String).str.zfill(3),
            pl.lit(number % 991).cast(pl.String).str.zfill(3),
        ),
    )
    # one in ten has no contact, one in eight no telephone
    return {
        "address": known["address"],
        "contact": known["contact"].set(number % 10 == 0, None),
        "phone": known["phone"].set(number % 8 == 0, None),
    }


def with_gaps(values: Floats, share: float, rng: np.random.Generator) -> pl.Series:
    """Leave a share of the cells empty."""
    return pl.Series(values.astype(np.float64)).set(pl.Series(rng.random(values.size) < share), None)


def describe_accounts(
    params: BarcelonaParams,
    company: Company,
    mood: Mood,
    day: float,
    *,
    orders: pl.DataFrame,
    touches: tuple[Ints, Floats],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return the columns that change with time, as they were on a day."""
    n = company.tier.size
    before = orders.filter(pl.col("__day") < day)
    spent = np.bincount(before["__account"].to_numpy(), before["amount_eur"].to_numpy(), minlength=n)
    # what was bought before the window opened is known as a sum only
    unseen = np.maximum(-company.since, 0.0) * company.rhythm.rate * company.mean_order_eur
    touch_account, touch_day = touches
    recent = (touch_day < day) & (touch_day >= day - 90)
    touched = touch_day < day
    last = np.full(n, np.nan)
    last[touch_account[touched]] = touch_day[touched]
    contact = moments(params, np.nan_to_num(last)).set(pl.Series(np.isnan(last)), None)
    return pl.DataFrame(
        {
            "lifetime_value_eur": np.round(spent + unseen, 2),
            "digital_engagement": mood.engagement,
            "inbound_calls_90d": mood.inbound_calls,
            "web_sessions_30d": with_gaps(mood.web_sessions, 0.05 * params.missing_share, rng),
            "abandoned_carts_30d": mood.carts,
            "ecom_orders_90d": mood.ecom_orders,
            "support_tickets_90d": mood.tickets,
            "csat": with_gaps(mood.csat, 0.12 * params.missing_share, rng),
            "recent_issue": mood.issue.astype(np.float64),
            "last_contact_at": contact,
            "touches_90d": np.bincount(touch_account[recent], minlength=n).astype(np.float64),
        }
    )


def plant_odd_columns(accounts: pl.DataFrame, anomaly: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Make some accounts call and click as no other does."""
    odd = pl.Series(anomaly == 3)
    factor = pl.Series(15.0 + 15.0 * rng.random(anomaly.size))
    return accounts.with_columns(
        pl.when(odd).then(pl.col(name) * factor + factor).otherwise(pl.col(name)).round(0).alias(name)
        for name in ("inbound_calls_90d", "web_sessions_30d")
    )


def draw_reps(params: BarcelonaParams, rng: np.random.Generator) -> pl.DataFrame:
    """Draw the field representatives."""
    count = params.reps if params.reps is not None else min(max(2, round(params.n / 160)), 200)
    if count < 1:
        raise InputError(f"a field-sales company needs at least one representative, not reps = {count}")
    lat, lon = sample_positions(count, rng, params.polygon)
    given = ["Laia", "Jordi", "Marta", "Pau", "Núria", "Marc", "Anna", "Oriol", "Carla", "Sergi"]
    skills = [
        sorted({INTERESTS[k] for k in rng.choice(4, size=2 + int(rng.random() < 0.3), replace=False)})
        for _ in range(count)
    ]
    start = rng.choice([480, 510, 540], size=count)
    return pl.DataFrame(
        {
            "rep_id": [f"R{k + 1:03d}" for k in range(count)],
            "rep_name": [f"{given[k % len(given)]} {k + 1}" for k in range(count)],
            "home_lat_deg": lat,
            "home_lon_deg": lon,
            "skills": pl.Series(skills, dtype=pl.List(pl.String)),
            "shift_start_min": pl.Series(start, dtype=pl.Int64),
            "shift_end_min": pl.Series(start + 540, dtype=pl.Int64),
            "visits_per_day": pl.Series(rng.choice([8, 9, 10], size=count), dtype=pl.Int64),
        }
    )
