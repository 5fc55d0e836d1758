"""A synthetic travel agency of any size, shaped like the Astra agency, whose agent effects are known.

Past leads reach the agents with a skewed case mix: some agents get leads that anybody would win more
often, so that plain win rates mislead. Where the effects are ``none``, agents differ only by luck and by
the leads they were given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import ASSIGNMENT_COLUMNS, History
from dealwright.simulation.astra_files import write_agency
from dealwright.simulation.astra_truth import (
    ASTRA_DIMENSIONS,
    EFFECT_SIZES,
    AstraLeads,
    AstraTruth,
    BoolArray,
    Effects,
    EffectSizes,
    FloatArray,
    IntArray,
    WorldDimension,
    draw_truth,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_NAMES = (
    "Aria", "Bruno", "Celia", "Dario", "Elena", "Felix", "Greta", "Hugo", "Imani", "Jonas", "Keiko", "Liam",
    "Marta", "Nils", "Olga", "Pablo", "Quinn", "Rosa", "Samir", "Tessa", "Umar", "Vera", "Wanda", "Xenia",
)  # fmt: skip
_LAST_NAMES = (
    "Adler", "Brandt", "Castillo", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jensen",
    "Kowalski", "Lindqvist", "Moreau", "Nakamura", "Okafor", "Petrov", "Quispe", "Rossi", "Schmidt", "Tanaka",
)  # fmt: skip
_DEPARTMENTS = ("Interplanetary Sales", "Luxury Voyages", "Premium Bookings")
_JOB_TITLES = ("Space Travel Agent", "Senior Space Travel Agent", "Lead Space Travel Agent")
_MANAGERS = ("Ines Calder", "Tomas Verne")
_PACKAGES = {
    "Mars": "Luxury Dome Stay",
    "Europa": "Zero-Gravity Yacht Cruise",
    "Titan": "Ringside Cruise",
    "Venus": "Cloud City Excursion",
    "Ganymede": "Private Observatory Suite",
}


@dataclass(frozen=True)
class AstraParams:
    """What kind of agency to generate.

    Attributes
    ----------
    effects
        How much agents differ: ``none``, ``weak`` or ``strong``; or the sizes themselves.
    span_days
        Days the assignments are spread over; by default 69, and more when agents would get over two leads
        a day.
    follow_up_failure_rate, cancellation_rate, pending_share
        Share of leads never reached, share of settled bookings cancelled, share of bookings still pending
        at the end.
    case_mix_skew
        0 gives every agent the same mix of leads; 1 skews it clearly.
    activity_skew
        Standard deviation of the log of how many leads an agent gets.
    trait_correlation
        Correlation of rating and of years of service with the agent's true overall effect.
    median_settle_hours
        Median time from assignment to the booking's completion or cancellation.
    follow_up_days
        Days after which an assignment without a booking counts as not won.
    """

    n_agents: int = 30
    n_assignments: int = 450
    effects: Effects | EffectSizes = "none"
    seed: int = 0
    start: datetime = datetime(2081, 2, 1, 9, tzinfo=UTC)
    span_days: float | None = None
    follow_up_failure_rate: float = 0.085
    cancellation_rate: float = 0.24
    pending_share: float = 0.045
    case_mix_skew: float = 1.0
    activity_skew: float = 0.3
    trait_correlation: float = 0.3
    median_settle_hours: float = 0.5
    follow_up_days: float = 7.0
    dimensions: tuple[WorldDimension, ...] = field(default=ASTRA_DIMENSIONS)

    def __post_init__(self) -> None:
        if self.n_agents < 1 or self.n_assignments < 0:
            raise InputError(
                "an agency needs at least 1 agent and 0 assignments, "
                f"not {self.n_agents} and {self.n_assignments}"
            )
        if isinstance(self.effects, str) and self.effects not in EFFECT_SIZES:
            raise UnknownNameError("effects", self.effects, EFFECT_SIZES)
        for name in ("follow_up_failure_rate", "cancellation_rate", "pending_share"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 0 and below 1, not {getattr(self, name)}")
        if not self.dimensions:
            raise InputError("an agency needs at least one dimension of its leads")

    @property
    def effect_sizes(self) -> EffectSizes:
        """The planted effects' standard deviations."""
        return EFFECT_SIZES[self.effects] if isinstance(self.effects, str) else self.effects

    @property
    def days(self) -> float:
        """Days the assignments are spread over."""
        return (
            self.span_days
            if self.span_days is not None
            else max(69.0, self.n_assignments / self.n_agents / 2)
        )


@dataclass(frozen=True)
class AstraWorld:
    """An agency: its past as an outsider sees it, and the truth behind it."""

    params: AstraParams
    truth: AstraTruth
    agents: pl.DataFrame
    assignments: pl.DataFrame
    bookings: pl.DataFrame
    case_mix: tuple[FloatArray, ...]

    def history(self) -> History:
        """Return the past, as it would come out of the import."""
        return History(
            dimensions=self.truth.dimensions,
            agents=self.agents,
            assignments=self.assignments.select(
                *[n for n in ASSIGNMENT_COLUMNS if n in self.assignments.columns],
                pl.lit(None, pl.String).alias("customer_id"),
                pl.lit(value=False).alias("outcome_unknown"),
                *(dimension.name for dimension in self.truth.dimensions),
            ),
            bookings=self.bookings,
            follow_up_days=self.params.follow_up_days,
        )

    def leads(self, n: int, rng: np.random.Generator) -> AstraLeads:
        """Draw new leads, with the mix of values that leads have overall, and all values known."""
        codes = np.column_stack(
            [rng.choice(len(d.values), size=n, p=d.shares) for d in self.params.dimensions]
        ).astype(np.int64)
        frame = pl.DataFrame({"customer_name": _draw_names(n, rng)}).with_columns(
            _decode(codes[:, j], d.values).alias(d.name) for j, d in enumerate(self.params.dimensions)
        )
        return AstraLeads(frame, codes)

    def write(self, directory: Path | str) -> list[Path]:
        """Write the agency's three CSV files, in the shape the shipped mapping ``astra`` reads.

        Returns
        -------
        The files: agents, assignments, bookings.
        """
        return write_agency(self.history(), self.params.dimensions, Path(directory))

    def summary(self) -> str:
        """Describe the agency in a sentence."""
        status = self.bookings["status"]
        return (
            f"{self.agents.height} agents, {self.assignments.height} assignments, "
            f"{self.bookings.height} bookings ({(status == 'confirmed').sum()} confirmed, "
            f"{(status == 'cancelled').sum()} cancelled, {(status == 'pending').sum()} pending); "
            f"agent effects: {self.params.effects}"
        )


def generate_astra(params: AstraParams | None = None) -> AstraWorld:
    """Generate an agency. The same parameters give the same agency."""
    params = params or AstraParams()
    rng = np.random.default_rng(params.seed)
    truth = draw_truth(
        params.dimensions,
        params.n_agents,
        params.effect_sizes,
        confirm_rate=1.0 - params.cancellation_rate,
        contact_rate=1.0 - params.follow_up_failure_rate,
        rng=rng,
    )
    agents = _draw_agents(truth, params, rng)
    n = params.n_assignments
    share = np.exp(rng.normal(0.0, params.activity_skew, params.n_agents))
    agent = rng.choice(params.n_agents, size=n, p=share / share.sum())
    case_mix = _skew_case_mix(truth, params, rng)
    codes = np.column_stack([_draw_from_rows(mix, agent, rng) for mix in case_mix]).astype(np.int64)
    assigned_s = _draw_times(n, params.days, rng)

    contacted = rng.random(n) < truth.contact_probability[agent]
    confirmed = rng.random(n) < 1.0 / (1.0 + np.exp(-truth.confirm_logit(codes, agent)))
    settle_s = 3600.0 * params.median_settle_hours * np.exp(rng.normal(0.0, 0.8, n))
    settled_s = assigned_s + np.maximum(60.0, np.round(settle_s / 60.0) * 60.0)
    pending = _draw_pending(contacted, assigned_s, settled_s, params, rng)
    base, package = truth.draw_amounts(codes, agent, rng)

    values = {
        d.name: _decode(codes[:, j], d.values, None if d.recorded_with == "assignment" else contacted)
        for j, d in enumerate(params.dimensions)
    }
    start = params.start.astimezone(UTC)
    ids = np.arange(1, n + 1)
    assignments = pl.DataFrame(
        {
            "external_id": pl.Series(ids).cast(pl.String),
            "agent_external_id": pl.Series(agent + 1).cast(pl.String),
            "customer_name": _draw_names(n, rng),
            "assigned_at": _to_time(start, assigned_s),
            "requirements": pl.Series([None] * n, dtype=pl.String),
            **values,
        }
    )
    won, lost = contacted & confirmed & ~pending, contacted & ~confirmed & ~pending
    at = _to_time(start, settled_s)
    status = np.where(pending, "pending", np.where(confirmed, "confirmed", "cancelled"))
    bookings = (
        pl.DataFrame(
            {
                "assignment_external_id": assignments["external_id"],
                "status": pl.Series(status.astype(str), dtype=pl.String),
                "completed_at": at.to_frame("at").select(pl.when(pl.Series(won)).then("at")).to_series(),
                "cancelled_at": at.to_frame("at").select(pl.when(pl.Series(lost)).then("at")).to_series(),
                "base_revenue": base,
                "package_revenue": package,
                "total_revenue": base + package,
                "package": _name_packages(values),
            }
        )
        .filter(pl.Series(contacted))
        .with_row_index("external_id", offset=1)
        .with_columns(pl.col("external_id").cast(pl.String))
    )
    return AstraWorld(params, truth, agents, assignments, bookings, case_mix)


def _draw_agents(truth: AstraTruth, params: AstraParams, rng: np.random.Generator) -> pl.DataFrame:
    n, sizes = params.n_agents, params.effect_sizes
    skill = truth.agent_effect / sizes.agent if sizes.agent > 0 else rng.normal(size=n)
    rho = params.trait_correlation
    rating, service = (rho * skill + np.sqrt(1 - rho**2) * rng.normal(size=n) for _ in range(2))
    years = np.clip(np.round(8.0 + 5.0 * service), 1.0, 30.0)
    names = _draw_names(n, rng)
    return pl.DataFrame(
        {
            "external_id": [str(i) for i in range(1, n + 1)],
            "name": names,
            "email": [
                f"{name.lower().replace(' ', '.')}.{i}@agency.example" for i, name in enumerate(names, 1)
            ],
            "job_title": [_JOB_TITLES[int(y > 9) + int(y > 15)] for y in years],
            "department": [_DEPARTMENTS[i] for i in rng.integers(0, len(_DEPARTMENTS), n)],
            "manager": [_MANAGERS[i] for i in rng.integers(0, len(_MANAGERS), n)],
            "years_of_service": years,
            "rating": np.round(np.clip(4.25 + 0.4 * rating, 1.0, 5.0), 1),
            "capacity": np.full(n, 10, dtype=np.int64),
            "active": np.full(n, fill_value=True),
            "skills": pl.Series([[]] * n, dtype=pl.List(pl.String)),
            "weight": np.ones(n),
        }
    )


def _skew_case_mix(
    truth: AstraTruth, params: AstraParams, rng: np.random.Generator
) -> tuple[FloatArray, ...]:
    """Give every agent an own mix of values, (agents, values) per dimension: luck, and whims."""
    luck = rng.normal(size=(params.n_agents, 1))
    mixes = []
    for dimension, effect in zip(params.dimensions, truth.lead_effects, strict=True):
        standard = effect / max(float(np.sqrt((effect**2 * dimension.shares).sum())), 1e-9)
        whim = rng.normal(0.0, 0.3, (params.n_agents, len(dimension.values)))
        mix = dimension.shares * np.exp(params.case_mix_skew * (0.6 * luck * standard + whim))
        mixes.append(mix / mix.sum(axis=1, keepdims=True))
    return tuple(mixes)


def _draw_from_rows(shares: FloatArray, rows: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw one column per element from the distribution in its row (inverse of the cumulated shares)."""
    edges = np.cumsum(shares, axis=1)[:, :-1]
    u = rng.random(len(rows))
    drawn = np.zeros(len(rows), dtype=np.int64)
    for j in range(edges.shape[1]):
        drawn += u > edges[rows, j]
    return drawn


def _draw_times(n: int, days: float, rng: np.random.Generator) -> FloatArray:
    """Seconds since the start, ascending: whole minutes, busier on some weekdays, mornings and afternoons."""
    whole = max(1, int(days))
    weekday = np.array([1.1, 1.0, 1.0, 1.0, 1.15, 0.6, 0.5])[np.arange(whole) % 7]
    day = rng.choice(whole, size=n, p=weekday / weekday.sum())
    hours = 8.0 * np.where(rng.random(n) < 0.5, rng.beta(2, 6, n), rng.beta(6, 3, n))
    return np.sort(86400.0 * day + np.floor(60.0 * hours) * 60.0)


def _draw_pending(
    contacted: BoolArray,
    assigned_s: FloatArray,
    settled_s: FloatArray,
    params: AstraParams,
    rng: np.random.Generator,
) -> BoolArray:
    """Choose the bookings still pending: not settled when the record ends, or just slow, mostly recent."""
    if len(assigned_s) == 0:
        return np.zeros(0, dtype=bool)
    pending: BoolArray = contacted & (settled_s > assigned_s[-1] + 3600.0)
    missing = round(params.pending_share * contacted.sum()) - int(pending.sum())
    open_rows = np.flatnonzero(contacted & ~pending)
    if missing > 0:
        age = (assigned_s[-1] - assigned_s[open_rows]) / max(assigned_s[-1], 1.0)
        # Gumbel keys draw without replacement in proportion to exp(-3 age)
        keys = -3.0 * age + rng.gumbel(size=len(open_rows))
        pending[open_rows[np.argpartition(-keys, missing - 1)[:missing]]] = True
    return pending


def _draw_names(n: int, rng: np.random.Generator) -> list[str]:
    first, last = rng.integers(0, len(_FIRST_NAMES), n), rng.integers(0, len(_LAST_NAMES), n)
    everyone = [f"{a} {b}" for a in _FIRST_NAMES for b in _LAST_NAMES]
    return pl.Series(everyone).gather(first * len(_LAST_NAMES) + last).to_list()


def _decode(codes: IntArray, values: Sequence[str], known: BoolArray | None = None) -> pl.Series:
    decoded = pl.Series(list(values), dtype=pl.String).gather(codes)
    if known is None:
        return decoded
    return decoded.to_frame("value").select(pl.when(pl.Series(known)).then("value")).to_series()


def _name_packages(values: dict[str, pl.Series]) -> pl.Series:
    destination = values.get("destination", next(iter(values.values())))
    return destination.replace_strict(_PACKAGES, default="Grand Tour", return_dtype=pl.String)


def _to_time(start: datetime, seconds: FloatArray) -> pl.Series:
    """Add seconds to the start, as UTC timestamps."""
    origin = int((start - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    return pl.Series((origin + seconds * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC"))
