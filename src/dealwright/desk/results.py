"""What the desk answers: frozen results that people, programs and notebooks can read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dealwright.notebook import rows_table
from dealwright.wording import count_of

if TYPE_CHECKING:
    import polars as pl

Row = Mapping[str, Any]


class Tabular(ABC):
    """Gives a result with rows a frame and a notebook's table."""

    @abstractmethod
    def table_rows(self) -> Sequence[Row]:
        """Return the rows of the table."""

    def to_frame(self) -> pl.DataFrame:
        """Return the rows as a Polars frame; nested values as JSON."""
        import json

        import polars as pl

        return pl.DataFrame(
            [
                {
                    name: json.dumps(value, default=str) if isinstance(value, dict | list) else value
                    for name, value in row.items()
                }
                for row in self.table_rows()
            ],
            infer_schema_length=None,
        )

    @abstractmethod
    def summary(self) -> str:
        """Say it in a sentence."""

    def _repr_html_(self) -> str:
        return rows_table(self.summary(), self.table_rows())


@dataclass(frozen=True)
class OneRow(Tabular):
    """Is an answer about one thing: its row is its table and, as it stands, its JSON."""

    row: Row

    def table_rows(self) -> Sequence[Row]:
        """Return the one row."""
        return (self.row,)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of the command that answers with it."""
        return dict(self.row)


@dataclass(frozen=True)
class Ranking(Tabular):
    """Agents ranked for one lead.

    Attributes
    ----------
    policy
        The rule that ordered them.
    model
        Id of the model behind the rule; None where it needs none.
    evidence
        What the data can support about differences between agents.
    lead
        The lead, in the JSON shape of the SQL functions.
    ranking
        One row per agent: rank, agent_id, agent_name, match_score, win_probability, expected_value, open,
        capacity, eligible, reasons, and the 90 % interval win_low to win_high.
    """

    policy: str
    model: int | None
    evidence: str
    lead: Row
    ranking: tuple[Row, ...]

    def table_rows(self) -> Sequence[Row]:
        """Return the ranked agents."""
        return self.ranking

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of ``dealwright rank --json``."""
        return {
            "policy": self.policy,
            "model": self.model,
            "evidence": self.evidence,
            "lead": dict(self.lead),
            "ranking": [dict(row) for row in self.ranking],
        }

    def summary(self) -> str:
        """Say who comes first, and on what grounds."""
        if not self.ranking:
            return "there are no agents yet: import some first"
        first = self.ranking[0]
        return (
            f"{first['agent_name']} ({first['agent_id']}) comes first of {len(self.ranking)} "
            f"under the policy {self.policy}, match score {write_score(first, self.policy)}; {self.evidence}"
        )


@dataclass(frozen=True)
class Placement(OneRow):
    """Where a lead is: with an agent, or waiting.

    Attributes
    ----------
    row
        assignment_id, booking_id, agent_id, agent_name, match_score, status (``assigned`` or ``waiting``),
        win_probability with its 90 % interval win_low to win_high, expected_value, policy, model_id, lead_id,
        open, capacity; ``notices`` in words, and ``duplicates``, other open leads that may be the same
        enquiry (looked for where the lead has a ``customer_id``).
    """

    @property
    def assignment_id(self) -> int | None:
        """The assignment; None while the lead waits."""
        value: int | None = self.row["assignment_id"]
        return value

    @property
    def booking_id(self) -> int | None:
        """The pending booking that came with the assignment; None while the lead waits."""
        value: int | None = self.row["booking_id"]
        return value

    @property
    def assigned(self) -> bool:
        """Whether an agent has it."""
        return bool(self.row["status"] == "assigned")

    @property
    def notices(self) -> tuple[str, ...]:
        """What deserves a mention: who had the customer or the lead before, and possible duplicates."""
        return tuple(self.row.get("notices") or ())

    def summary(self) -> str:
        """Say who has the lead, and what deserves a mention."""
        return "; ".join((self._place(), *self.notices))

    def _place(self) -> str:
        if not self.assigned:
            return f"lead {self.row['lead_id']} is {self.row['status']}: nobody eligible has a free place"
        return (
            f"assignment {self.row['assignment_id']} (booking {self.row['booking_id']}) goes to "
            f"{self.row['agent_name']} ({self.row['agent_id']}), "
            f"match score {write_score(self.row, self.row['policy'])}, "
            f"now {self.row['open']} of {self.row['capacity']} open"
        )


@dataclass(frozen=True)
class Settlement(OneRow):
    """A booking after its change of status."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What deserves a mention: that a reopened booking went to somebody else."""
        return tuple(self.row.get("notices") or ())

    def summary(self) -> str:
        """Say what the booking is now and what it did to the workload."""
        amount = self.row["total_revenue"]
        revenue = f" with {amount:,.2f}" if amount is not None and self.row["status"] == "confirmed" else ""
        settled = f"booking {self.row['booking_id']} is {self.row['status']}{revenue}"
        agent = f"{self.row['agent_name']} ({self.row['agent_id']})"
        workload = f"{agent} has {self.row['open']} of {self.row['capacity']} open"
        return "; ".join((settled, *self.notices, workload))


@dataclass(frozen=True)
class Presence(Tabular):
    """An agent who was activated or deactivated.

    Attributes
    ----------
    answer
        agent_id, agent_name, ``active``, ``was_active``, open, capacity; on activation ``from_queue``, how
        many waiting leads the agent took; on deactivation ``handed_over`` and ``waiting``, the leads that
        others have now and those that went back to the queue.
    """

    answer: Row

    def table_rows(self) -> Sequence[Row]:
        """Return the leads that were taken from the agent."""
        waiting = dict.fromkeys(("assignment_id", "agent_id", "agent_name"))
        return [
            *(self.answer.get("handed_over") or ()),
            *({**row, **waiting} for row in self.answer.get("waiting") or ()),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of ``dealwright agents activate`` and ``deactivate``."""
        return dict(self.answer)

    def summary(self) -> str:
        """Say whether the agent gets leads, and what became of those they had."""
        answer = self.answer
        who = f"{answer['agent_name']} ({answer['agent_id']})"
        was = "" if answer["active"] != answer["was_active"] else ", as before"
        said = [f"{who} is {'active' if answer['active'] else 'not active'}{was}"]
        if answer.get("from_queue"):
            said.append(f"takes {count_of(answer['from_queue'], 'lead')} from the queue")
        handed_over, waiting = answer.get("handed_over") or (), answer.get("waiting") or ()
        if handed_over:
            said.append(f"{count_of(len(handed_over), 'lead')} handed over to others")
        if waiting:
            said.append(f"{count_of(len(waiting), 'lead')} back in the queue: nobody else has room")
        if not answer["active"] and answer["open"]:
            said.append(
                f"{count_of(answer['open'], 'open lead')} left: "
                f"`dealwright agents deactivate {answer['agent_id']} --hand-over` gives them to others"
            )
        return "; ".join(said)


@dataclass(frozen=True)
class Agents(Tabular):
    """The agents with their workload and rank under a policy."""

    policy: str
    rows: tuple[Row, ...]

    def table_rows(self) -> Sequence[Row]:
        """Return one row per agent, in the order of the ranking."""
        return self.rows

    def summary(self) -> str:
        """Say how busy they are."""
        places = sum(row["capacity"] for row in self.rows if row["active"])
        busy = sum(row["open"] for row in self.rows)
        agents = count_of(len(self.rows), "agent")
        return f"{agents}, {busy:,} of {count_of(places, 'place')} taken; ranked under {self.policy}"


@dataclass(frozen=True)
class Queue(Tabular):
    """The leads that wait for a place, most urgent first."""

    rows: tuple[Row, ...]

    def table_rows(self) -> Sequence[Row]:
        """Return one row per lead."""
        return self.rows

    def summary(self) -> str:
        """Say how many wait, and how many wait in vain."""
        hopeless = sum(row["agents_who_could"] == 0 for row in self.rows)
        if not self.rows:
            return "nobody waits"
        hold = "it" if hopeless == len(self.rows) == 1 else f"{hopeless} of them"
        note = f"; no active agent can take {hold}" if hopeless else ""
        return f"{count_of(len(self.rows), 'lead waits', 'leads wait')}{note}"


@dataclass(frozen=True)
class Models(Tabular):
    """The registered models, newest first."""

    rows: tuple[Row, ...]

    def table_rows(self) -> Sequence[Row]:
        """Return one row per model."""
        return self.rows

    def summary(self) -> str:
        """Say which are at work."""
        promoted = [f"{row['kind']} {row['model_id']}" for row in self.rows if row["promoted"]]
        return f"{count_of(len(self.rows), 'model')}; at work: {', '.join(promoted) or 'none'}"


@dataclass(frozen=True)
class Loaded(Tabular):
    """What an import changed.

    Attributes
    ----------
    counts
        For agents, assignments and bookings: how many were new, changed and unchanged; how many lapsed, and
        when the data end.
    """

    counts: Row

    @property
    def missing_agents(self) -> tuple[Row, ...]:
        """The active agents of the desk that were not in the import: ``agent_id``, ``name``, ``open``."""
        return tuple(self.counts["missing_agents"])

    @property
    def deactivated(self) -> int:
        """How many of the missing agents were deactivated."""
        return int(self.counts["deactivated"])

    @property
    def over_capacity(self) -> Row | None:
        """How many ``agents`` ``of`` the active ones have more open than their capacity; None: nobody.

        ``suggested`` is the round capacity that would hold 95 % of them.
        """
        crowded: Row | None = self.counts["over_capacity"]
        return crowded

    @property
    def new(self) -> int:
        """Number of rows that were not there before."""
        return sum(part["new"] for part in self._parts().values())

    @property
    def changed(self) -> int:
        """Number of rows whose content is another than before."""
        return sum(part["changed"] for part in self._parts().values())

    def table_rows(self) -> Sequence[Row]:
        """Return one row per table."""
        return [{"table": name, **part} for name, part in self._parts().items()]

    def _parts(self) -> dict[str, Row]:
        return {name: self.counts[name] for name in ("agents", "assignments", "bookings")}

    def to_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return dict(self.counts)

    def summary(self) -> str:
        """Say what is new."""
        parts = [
            f"{part['new']:,} new"
            + (f" and {part['changed']:,} changed" if part["changed"] else "")
            + f" {name}"
            for name, part in self._parts().items()
        ]
        return ", ".join(parts)


@dataclass(frozen=True)
class Explanation(Tabular):
    """Why an assignment went to its agent, and what would have changed that.

    Attributes
    ----------
    answer
        What was decided and why, with the ranking as it was: the first ten agents, the one who got it and
        the one asked for. Amounts are in ``currency`` (None: nobody said).
    """

    answer: Row

    @property
    def currency(self) -> str | None:
        """What amounts are in; None where the import did not say."""
        return self.answer.get("currency")

    def table_rows(self) -> Sequence[Row]:
        """Return the ranking as the decision saw it."""
        return list(self.answer["ranking"] or ())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of ``dealwright explain --json``."""
        return dict(self.answer)

    def summary(self) -> str:
        """Say who got it, by which rule, on which grounds."""
        answer = self.answer
        return (
            f"assignment {answer['assignment_id']} went to {answer['agent_name']} ({answer['agent_id']}) at "
            f"{answer['decided_at']} under the policy {answer['policy']}"
            + (f", model {answer['model_id']}" if answer["model_id"] is not None else "")
            + (", from the waiting queue" if answer["from_queue"] else "")
            + (
                ""
                if answer["match_score"] is None
                else f", match score {write_score(answer, answer['policy'])}"
            )
            + ("" if answer["expected_value"] is None else f", worth {self.worth(answer['expected_value'])}")
            + self._customer()
            + self._offer()
            + self._naming()
            + self._holders()
        )

    def _offer(self) -> str:
        offer = self.answer.get("offer")
        if offer is None:
            return ""
        accepted = offer["accepted_at"]
        return f"; offered until {offer['offered_until']}, " + (
            f"accepted at {accepted}" if accepted is not None else "not accepted"
        )

    def _naming(self) -> str:
        named = self.answer.get("named")
        if named is None:
            return ""
        overridden = f" (overridden: {', '.join(named['overridden'])})" if named["overridden"] else ""
        return f"; named by {named['by']}: {named['reason']}{overridden}"

    def _holders(self) -> str:
        history: Sequence[Row] = self.answer.get("history") or ()
        before = [row for row in history if row["status"] == "reassigned"]
        if not before:
            return ""
        said = [f"{row['agent_name']} ({row['agent_id']}): {row['end_reason']}" for row in before]
        return f"; had the lead before: {', '.join(said)}"

    def _customer(self) -> str:
        owner = self.answer.get("owner")
        if owner is None:
            return ""
        if owner["agent_id"] == self.answer["agent_id"]:
            return ", who had this customer before"
        return (
            f"; {owner['agent_name']} ({owner['agent_id']}), who had this customer before, could not take it"
        )

    def worth(self, amount: float) -> str:
        """Write an expected value with its currency."""
        return f"{amount:,.0f}" + (f" {self.currency}" if self.currency else "")


@dataclass(frozen=True)
class Replay(Tabular):
    """A decision recomputed from its record."""

    answer: Row

    @property
    def agrees(self) -> bool:
        """Whether it came out the same."""
        return bool(self.answer["agrees"])

    def table_rows(self) -> Sequence[Row]:
        """Return what was recorded and what was recomputed."""
        return [{"what": what, **self.answer[what]} for what in ("recorded", "recomputed")]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of ``dealwright replay --json``."""
        return dict(self.answer)

    def summary(self) -> str:
        """Say whether the record holds."""
        verdict = "comes out the same" if self.agrees else "does NOT come out the same"
        return f"the decision on assignment {self.answer['assignment_id']} {verdict} when recomputed"


@dataclass(frozen=True)
class Verification(Tabular):
    """The sealed record of decisions, checked.

    Attributes
    ----------
    blocks
        Each block with its number of decisions and whether it is intact; None where decisions of it are in an
        archive that was not read.
    unsealed
        Decisions that no block covers yet.
    changed_files
        Files of the archive that are missing or not what was written.
    """

    blocks: Sequence[Row]
    unsealed: int
    changed_files: Sequence[str] = ()

    @property
    def intact(self) -> bool:
        """Whether nothing that was checked has changed."""
        return not self.changed_files and not any(block["intact"] is False for block in self.blocks)

    @property
    def archived(self) -> int:
        """Decisions in blocks that could not be checked, because decisions of them are in the archive."""
        return sum(block["decisions"] for block in self.blocks if block["intact"] is None)

    def table_rows(self) -> Sequence[Row]:
        """Return the blocks."""
        return self.blocks

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of ``dealwright verify --json``."""
        return {
            "intact": self.intact,
            "blocks": len(self.blocks),
            "decisions": sum(block["decisions"] for block in self.blocks),
            "unsealed": self.unsealed,
            "archived": self.archived,
            "broken": [block for block in self.blocks if block["intact"] is False],
            "changed_files": list(self.changed_files),
        }

    def summary(self) -> str:
        """Say whether the record holds, and where not."""
        sealed = sum(block["decisions"] for block in self.blocks)
        found = f"{count_of(sealed, 'decision')} in {count_of(len(self.blocks), 'block')}"
        if self.unsealed:
            found += f", {self.unsealed:,} not sealed yet (`dealwright worker` seals)"
        if self.archived:
            found += f", {self.archived:,} of them not checked: they are in the archive (--archive)"
        broken = [block for block in self.blocks if block["intact"] is False]
        if self.changed_files:
            names = ", ".join(self.changed_files[:5])
            return f"the archive was CHANGED after it was written, or is not whole: {names}; {found}"
        if not broken:
            return f"the record is intact: {found}"
        where = "; ".join(
            f"block {block['block_id']} (decisions {block['first_decision_id']} to "
            f"{block['last_decision_id']})"
            for block in broken[:5]
        )
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        return f"the record was CHANGED after it was sealed: {where}{more}; {found}"


def write_score(row: Row, policy: str) -> str:
    """Write a match score, with its interval where it is a chance; without a match model there is none."""
    if row["match_score"] is None:
        return "–"
    score = f"{row['match_score']:.1f}"
    interval = write_interval(row) if policy == "value" else None
    return f"{score} (90 % interval {interval})" if interval else score


def write_interval(row: Row) -> str | None:
    """Write the 90 % interval of a win probability in per cent: ``31–95``; None where there is none."""
    low, high = row.get("win_low"), row.get("win_high")
    if low is None or high is None:
        return None
    digits = 0 if low >= 0.01 and high <= 0.99 and high - low >= 0.02 else 1
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}"
