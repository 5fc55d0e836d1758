"""What the desk learns: its outcomes as they are read for it, and the register of its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from dealwright.desk.results import Models, Row
from dealwright.desk.session import Session
from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import NotFoundError, UnknownNameError

if TYPE_CHECKING:
    import polars as pl
    from psycopg import Connection

    from dealwright.desk.training import Training
    from dealwright.learn.classic import ClassicResult
    from dealwright.learn.params import LearnParams


class ModelRegister(Session):
    """The part of a desk that learns."""

    def dimensions(self) -> tuple[Dimension, ...]:
        """Return the declared attributes of a lead with the values that are known."""
        return tuple(_dimension(row) for row in self._rows("dimensions"))

    def catch_up(self, as_of: datetime | None = None) -> int:
        """End the assignments without a booking whose follow-up time is over; returns how many.

        New values of open dimensions that could not be counted when their lead came are counted now.

        Parameters
        ----------
        as_of
            Over at this moment, if that is before now.
        """
        lapsed = int(self._rows("catch_up", as_of=as_of)[0]["lapsed"])
        self._must_be_seen()
        return lapsed

    def outcomes(self, *, with_requirements: bool = False) -> pl.DataFrame:
        """Return one row per assignment for learning, with one column per dimension (`OUTCOME_COLUMNS`)."""
        from dealwright.desk.outcomes import read_outcomes

        def look(connection: Connection[Any]) -> pl.DataFrame:
            dimensions = [_dimension(row) for row in self._fetch(connection, "dimensions", {})]
            return read_outcomes(connection, dimensions, with_requirements=with_requirements)

        return self._read(look)

    def agent_traits(self) -> pl.DataFrame:
        """Return the numeric traits of every agent, by the desk's own agent_id."""
        import polars as pl

        schema = {"agent_id": pl.Int64, "rating": pl.Float64, "years_of_service": pl.Float64}
        return pl.DataFrame(self._read_rows("traits"), schema=schema)

    def agent_workloads(self) -> pl.DataFrame:
        """Return rating, years of service, department, open assignments and capacity of every agent."""
        import polars as pl

        return pl.DataFrame(self._read_rows("agent_workloads"), infer_schema_length=None)

    def agent_names(self) -> dict[int, str]:
        """Return the name of every agent, by the desk's own agent_id."""
        return {row["agent_id"]: row["name"] for row in self._read_rows("agent_names")}

    def train(
        self,
        params: LearnParams | None = None,
        *,
        as_of: datetime | None = None,
        promote: bool | None = None,
        seed: int = 0,
    ) -> Training:
        """Learn the match model from what is known, register it, and put it to work if it is better.

        Parameters
        ----------
        as_of
            Only what was known at this moment counts.
        promote
            Put it to work, or not; None lets the outcomes decide.

        Raises
        ------
        EvidenceError
            No outcome is known yet.
        """
        from dealwright.desk.training import Training, train_and_judge

        self.catch_up(as_of)
        found = self.promoted_model("value") if promote is None else None
        result, promotion = train_and_judge(
            self._outcomes_at(as_of),
            self.agent_traits(),
            self.dimensions(),
            found[1] if found else None,
            params,
            promote=promote,
            seed=seed,
        )
        model_id = self.load_model("value", result.model.to_dict(), promote=promotion.promote)
        if promotion.promote and (waits := self.waiting_proposal(model_id)) is not None:
            reason = f"{promotion.reason}; proposal {waits} waits until a second person agrees"
            promotion = replace(promotion, promote=False, reason=reason)
        return Training(result, model_id, promotion, self.agent_names())

    def train_classic(
        self, *, as_of: datetime | None = None, promote: bool = True
    ) -> tuple[int, ClassicResult]:
        """Learn the weights of the classic Match Score; returns the model's id and the weights."""
        from dealwright.learn.classic import fit_classic_weights

        self.catch_up(as_of)
        outcomes = self._outcomes_at(as_of, with_requirements=True)
        result = fit_classic_weights(outcomes, self.agent_workloads())
        return self.load_classic(result.weights, promote=promote), result

    def evidence(self, *, as_of: datetime | None = None, seed: int = 0) -> Training:
        """Find out what the outcomes can support, without registering a model."""
        from dealwright.desk.training import examine

        self.catch_up(as_of)
        return examine(
            self._outcomes_at(as_of), self.agent_traits(), self.dimensions(), self.agent_names(), seed=seed
        )

    def _outcomes_at(self, as_of: datetime | None, *, with_requirements: bool = False) -> pl.DataFrame:
        """Return the outcomes, as they were known at a moment where one is given."""
        from dealwright.desk.outcomes import outcomes_known_at

        outcomes = self.outcomes(with_requirements=with_requirements)
        return outcomes if as_of is None else outcomes_known_at(outcomes, as_of)

    def models(self) -> Models:
        """Return the registered models, newest first."""
        return Models(tuple(self._read_rows("models")))

    def model(self, model_id: int) -> Row:
        """Return one model whole.

        Raises
        ------
        NotFoundError
            There is no such model.
        """
        rows = self._read_rows("model", model_id=model_id)
        if not rows:
            raise NotFoundError(f"there is no model {model_id}: `dealwright model list` shows them")
        return rows[0]

    def promoted_model(self, kind: str) -> tuple[int, dict[str, Any]] | None:
        """Return the id and the parameters of the model of a kind that is at work."""
        rows = self._rows("promoted_model", kind=kind)
        return (rows[0]["model_id"], rows[0]["parameters"]) if rows else None

    def load_model(self, kind: str, parameters: Mapping[str, Any], *, promote: bool = True) -> int:
        """Register a model (``value`` or ``classic``) and, unless told otherwise, put it to work."""
        if kind not in ("value", "classic"):
            raise UnknownNameError("kind of model", kind, ("value", "classic"))
        row = self._rows("load_model", kind=kind, parameters=Jsonb(dict(parameters)), promote=promote)[0]
        return int(row["model_id"])

    def load_classic(self, weights: Mapping[str, float], *, promote: bool = True) -> int:
        """Register the nine weights of the classic Match Score as a model."""
        return self.load_model("classic", {"weights": dict(weights)}, promote=promote)

    def promote(self, model_id: int, reason: str | None = None) -> int | None:
        """Put a registered model to work, or ask for it where a second person has to agree.

        Parameters
        ----------
        reason
            Why; has to be given where a second person has to agree.

        Returns
        -------
        int or None
            The proposal that waits (`Desk.proposals`); None: the model is at work.
        """
        proposal_id: int | None = self._rows("promote_model", model_id=model_id, reason=reason)[0][
            "proposal_id"
        ]
        return proposal_id

    def waiting_proposal(self, model_id: int) -> int | None:
        """Return the proposal to put a model to work that waits for a second person."""
        found = self._rows("proposals", status="waiting", kind="model", object_id=str(model_id))
        return int(found[0]["proposal_id"]) if found else None


def _dimension(row: Row) -> Dimension:
    found = Dimension(
        row["name"],
        tuple(row["allowed"] or ()),
        is_open=row["is_open"],
        required=row["required"],
        at_arrival=row["at_arrival"],
        edges=tuple(row["edges"]),
    )
    return replace(found, values=(*found.values, EMPTY)) if found.has_empty else found
