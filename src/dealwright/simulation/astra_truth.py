"""The truth of the synthetic travel agency: who would win which lead, and for how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from dealwright.dimensions import Dimension
from dealwright.errors import InputError

if TYPE_CHECKING:
    import polars as pl

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Effects = Literal["none", "weak", "strong"]


@dataclass(frozen=True)
class EffectSizes:
    """Standard deviations of the agents' planted effects.

    Attributes
    ----------
    agent, interaction
        Log-odds of a booking being confirmed: of an agent overall, and of an agent with one value of one
        dimension.
    contact
        Log-odds of reaching the customer at all.
    base_ratio, package_ratio
        Log of the agent's revenue relative to the average agent's.
    """

    agent: float
    interaction: float
    contact: float
    base_ratio: float
    package_ratio: float


EFFECT_SIZES: Final[dict[str, EffectSizes]] = {
    "none": EffectSizes(0.0, 0.0, 0.0, 0.0, 0.0),
    "weak": EffectSizes(0.25, 0.15, 0.15, 0.005, 0.03),
    "strong": EffectSizes(0.60, 0.35, 0.40, 0.03, 0.25),
}


@dataclass(frozen=True)
class WorldDimension:
    """A dimension of the synthetic agency's leads.

    Attributes
    ----------
    name, values
        As in `contracts.Dimension`.
    frequencies
        Relative frequency of each value among leads; equal when empty.
    recorded_with
        Whether the agency writes the value down with the assignment, or only with the booking (so that a
        lead that was never reached has none).
    effect_sd
        Standard deviation of the values' lead-only effects on the log-odds of winning.
    """

    name: str
    values: tuple[str, ...]
    frequencies: tuple[float, ...] = ()
    recorded_with: Literal["assignment", "booking"] = "assignment"
    effect_sd: float = 0.4

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError(f"the dimension {self.name!r} has no values: give it at least one")
        if self.frequencies and len(self.frequencies) != len(self.values):
            raise InputError(
                f"the dimension {self.name!r} has {len(self.values)} values "
                f"but {len(self.frequencies)} frequencies: give one per value, or none"
            )

    @property
    def shares(self) -> FloatArray:
        """Share of each value among leads; sums to 1."""
        share = np.array(self.frequencies or (1.0,) * len(self.values), dtype=np.float64)
        result: FloatArray = share / share.sum()
        return result


ASTRA_DIMENSIONS: Final = (
    WorldDimension("communication_method", ("Phone Call", "Text"), (0.34, 0.66)),
    WorldDimension("lead_source", ("Organic", "Bought"), (0.51, 0.49)),
    WorldDimension(
        "destination",
        ("Mars", "Europa", "Titan", "Venus", "Ganymede"),
        (0.25, 0.25, 0.235, 0.235, 0.03),
        "booking",
    ),
    WorldDimension(
        "launch_location",
        (
            "Dallas-Fort Worth Launch Complex",
            "New York Orbital Gateway",
            "Dubai Interplanetary Hub",
            "Tokyo Spaceport Terminal",
            "London Ascension Platform",
            "Sydney Stellar Port",
        ),
        (0.25, 0.245, 0.245, 0.235, 0.02, 0.005),
        "booking",
        0.2,
    ),
)
"""Communication method, lead source, destination and launch location, about as Astra has them."""


@dataclass(frozen=True)
class AstraLeads:
    """New leads, whose outcome with any agent can be drawn from the truth.

    ``frame`` has ``customer_name`` and one column per dimension; ``codes``, shape (leads, dimensions),
    holds the positions of the values within their dimensions.
    """

    frame: pl.DataFrame
    codes: IntArray

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class AstraTruth:
    """What is true of every agent with every lead.

    Attributes
    ----------
    dimensions
        As declared to the learner.
    contact_probability
        Shape (agents,): a lead is reached, so that there is a booking.
    confirm_bias, lead_effects
        Log-odds that the booking of an average agent is confirmed: bias plus one effect per value of each
        dimension.
    agent_effect, interaction
        Log-odds of the agent overall, shape (agents,), and with each value: per dimension, shape (agents,
        values).
    base_amount, package_amount
        Log of the average agent's expected money given a win: a bias, and per dimension one effect per value.
    base_ratio, package_ratio
        Shape (agents,): the agent's expected money relative to the average agent's.
    amount_noise_sd
        Standard deviation of the log of the single amounts around their expectation (base, package).
    """

    dimensions: tuple[Dimension, ...]
    contact_probability: FloatArray
    confirm_bias: float
    lead_effects: tuple[FloatArray, ...]
    agent_effect: FloatArray
    interaction: tuple[FloatArray, ...]
    base_amount: tuple[float, tuple[FloatArray, ...]]
    package_amount: tuple[float, tuple[FloatArray, ...]]
    base_ratio: FloatArray
    package_ratio: FloatArray
    amount_noise_sd: tuple[float, float] = (0.06, 0.20)

    @property
    def n_agents(self) -> int:
        """How many agents there are."""
        return len(self.agent_effect)

    def confirm_logit(self, codes: IntArray, agents: IntArray | None = None) -> FloatArray:
        """Log-odds that a booking is confirmed: (leads, agents), or (leads,) for one given agent each."""
        lead = self.confirm_bias + _sum_effects(codes, self.lead_effects)
        if agents is not None:
            own = self.agent_effect[agents]
            for j, effect in enumerate(self.interaction):
                own = own + effect[agents, codes[:, j]]
            return lead + own
        everyone = lead[:, None] + self.agent_effect
        for j, effect in enumerate(self.interaction):
            everyone += effect.T[codes[:, j]]
        return everyone

    def win_probability(self, codes: IntArray, agents: IntArray | None = None) -> FloatArray:
        """Probability that a lead is won: (leads, agents), or (leads,) for one given agent each."""
        contact = self.contact_probability if agents is None else self.contact_probability[agents]
        result: FloatArray = contact / (1.0 + np.exp(-self.confirm_logit(codes, agents)))
        return result

    def expected_revenue(self, codes: IntArray, agents: IntArray | None = None) -> FloatArray:
        """Expected base plus package money given a win: (leads, agents), or (leads,) for given agents."""
        base, package = self.expected_amounts(codes)
        if agents is not None:
            given: FloatArray = base * self.base_ratio[agents] + package * self.package_ratio[agents]
            return given
        everyone: FloatArray = base[:, None] * self.base_ratio + package[:, None] * self.package_ratio
        return everyone

    def expected_amounts(self, codes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the average agent's expected base and package money given a win, each of shape (leads,)."""
        base, package = (
            np.exp(bias + _sum_effects(codes, effects))
            for bias, effects in (self.base_amount, self.package_amount)
        )
        return base, package

    def draw_wins(self, leads: AstraLeads, agents: IntArray, rng: np.random.Generator) -> BoolArray:
        """Draw whether each lead is won by the agent it is given to."""
        result: BoolArray = rng.random(len(leads)) < self.win_probability(leads.codes, agents)
        return result

    def draw_amounts(
        self, codes: IntArray, agents: IntArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Draw the base and package money each lead brings if won, in whole hundreds."""
        amounts = []
        ratios = (self.base_ratio[agents], self.package_ratio[agents])
        for expected, ratio, sd in zip(
            self.expected_amounts(codes), ratios, self.amount_noise_sd, strict=True
        ):
            noise = np.exp(rng.normal(-0.5 * sd**2, sd, len(codes)))  # mean 1
            amounts.append(np.round(expected * ratio * noise / 100.0) * 100.0)
        return amounts[0], amounts[1]


def draw_truth(
    dimensions: tuple[WorldDimension, ...],
    n_agents: int,
    effects: EffectSizes,
    *,
    confirm_rate: float,
    contact_rate: float,
    rng: np.random.Generator,
) -> AstraTruth:
    """Draw an agency's truth.

    Parameters
    ----------
    confirm_rate, contact_rate
        Rates of the average agent over the leads' own mix of values.
    """
    lead_effects, base_effects, package_effects = [], [], []
    for dimension in dimensions:
        width = len(dimension.values)
        lead_effects.append(_centre(rng.normal(0.0, dimension.effect_sd, width), dimension.shares))
        # prices hang on where the customer goes; the other dimensions hardly move them
        dear = 0.15 if dimension.name == "destination" else 0.02
        base_effects.append(_centre(rng.normal(0.0, dear, width), dimension.shares))
        package_effects.append(_centre(rng.normal(0.0, 0.1, width), dimension.shares))
    interaction = tuple(
        _centre(rng.normal(0.0, effects.interaction, (n_agents, len(d.values))), d.shares) for d in dimensions
    )
    return AstraTruth(
        dimensions=tuple(Dimension(dimension.name, dimension.values) for dimension in dimensions),
        contact_probability=1
        / (1 + np.exp(-(_logit(contact_rate) + rng.normal(0.0, effects.contact, n_agents)))),
        confirm_bias=_logit(confirm_rate),
        lead_effects=tuple(lead_effects),
        agent_effect=rng.normal(0.0, effects.agent, n_agents),
        interaction=interaction,
        base_amount=(float(np.log(130_000.0)), tuple(base_effects)),
        package_amount=(float(np.log(24_000.0)), tuple(package_effects)),
        base_ratio=_ratios(effects.base_ratio, n_agents, rng),
        package_ratio=_ratios(effects.package_ratio, n_agents, rng),
    )


def _sum_effects(codes: IntArray, effects: tuple[FloatArray, ...]) -> FloatArray:
    total = np.zeros(len(codes))
    for j, effect in enumerate(effects):
        total += effect[codes[:, j]]
    return total


def _centre(effect: FloatArray, shares: FloatArray) -> FloatArray:
    """Move the effects so that their mean over leads is 0, in the last axis."""
    result: FloatArray = effect - (effect * shares).sum(axis=-1, keepdims=True)
    return result


def _ratios(sd: float, n_agents: int, rng: np.random.Generator) -> FloatArray:
    result: FloatArray = np.exp(rng.normal(-0.5 * sd**2, sd, n_agents))
    return result


def _logit(rate: float) -> float:
    return float(np.log(rate) - np.log1p(-rate))
