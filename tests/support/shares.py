"""The fair policy written down a second time: who is owed what, with the shares added up lead by lead.

The engine keeps a count and a compensation per agent and never adds up shares; here every lead makes each of
those who can take work due its share of it, as docs/fairness.md explains it to a floor manager.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any


@dataclass
class Shares:
    """Who can take work, by weight, and what each is owed."""

    weights: dict[int, Fraction] = field(default_factory=dict)
    owed: dict[int, Fraction] = field(default_factory=dict)

    def join(self, agent: int, weight: Fraction) -> None:
        """Let an agent take work (anew, or with another weight): it starts level."""
        self.leave(agent)
        self.weights[agent] = weight
        self.owed[agent] = Fraction(0)

    def leave(self, agent: int) -> None:
        """Let an agent take no more work: what it was owed goes to the others by their weights."""
        if agent not in self.weights:
            return
        del self.weights[agent]
        left = self.owed.pop(agent)
        total = sum(self.weights.values())
        for other, weight in self.weights.items():
            self.owed[other] += left * weight / total

    def due(self, able: set[int] | None = None) -> list[int]:
        """Return who may get the next lead; several when the draw decides.

        Parameters
        ----------
        able
            Those of them who have the skills for it; default: all.
        """
        total = sum(self.weights.values())
        able = set(self.weights) if able is None else able & set(self.weights)
        turns = {
            agent: turn(self.owed[agent], self.weights[agent] / total, len(self.weights)) for agent in able
        }
        first = max(turns.values(), default=None)
        # the engine rounds: to a millionth of a lead, over the share
        return [
            agent
            for agent, (mine, urgency) in turns.items()
            if first and mine == first[0] and urgency >= first[1] - Fraction(1, 10_000)
        ]

    def give(self, agent: int) -> None:
        """Give the next lead to an agent."""
        total = sum(self.weights.values())
        for other, weight in self.weights.items():
            self.owed[other] += weight / total
        self.owed[agent] -= 1

    def take_back(self, agent: int) -> None:
        """Undo a lead that somebody got: nobody is due anything of it any more."""
        total = sum(self.weights.values())
        for other, weight in self.weights.items():
            self.owed[other] -= weight / total
        self.owed[agent] += 1


def turn(owed: Fraction, share: Fraction, agents: int) -> tuple[bool, Fraction]:
    """Return how urgently somebody is due the next lead: whether its turn can be now, and how soon."""
    least = Fraction(1, 2 * agents - 2) if agents > 1 else Fraction(0)
    owed += share
    return (True, (owed + least - 1) / share) if owed >= least else (False, owed)


def shares_owed(
    agents: Sequence[Mapping[str, Any]],
) -> tuple[dict[int, Fraction], dict[int, tuple[bool, Fraction]]]:
    """Return what each agent of a desk is owed by its row, and its turn; all of them are on shift."""
    able = [a for a in agents if a["active"] and a["open"] < a["capacity"]]
    counted = [a for a in able if a["fair_until"] is not None]
    weights = {a["agent_id"]: Fraction(a["weight"]) for a in agents}
    received = sum(a["fair_count"] + Fraction(a["fair_compensation"]) for a in counted)
    level = received / sum(weights[a["agent_id"]] for a in counted)
    owed = {
        a["agent_id"]: level * weights[a["agent_id"]] - a["fair_count"] - Fraction(a["fair_compensation"])
        if a["fair_until"] is not None
        else Fraction(0)
        for a in agents
    }
    total = sum(weights[a["agent_id"]] for a in able)
    return owed, {agent: turn(owed[agent], weights[agent] / total, len(able)) for agent in owed}
