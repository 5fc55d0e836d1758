"""The classic features that weights are learned on are those that the desk ranks by."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dealwright import Desk
from dealwright.desk.database import Database
from dealwright.errors import EvidenceError
from dealwright.learn.classic import CLASSIC_WEIGHTS, classic_features, fit_classic_weights
from dealwright.simulation.astra import AstraParams, generate_astra


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database)
    desk.load(generate_astra(AstraParams(12, 900, seed=9)).history())
    return desk


def test_features_in_python_and_in_sql_agree(desk: Desk) -> None:
    table = desk.outcomes(with_requirements=True).join(
        desk.agent_workloads(), on="agent_id", maintain_order="left"
    )
    table = table.with_columns(won=pl.col("won").fill_null(value=False))
    features = classic_features(table)
    compared = [name for name in CLASSIC_WEIGHTS if name not in ("revenue_score", "requirements_score")]
    in_sql = {"rating_score": 1, "experience_score": 2, "dest_expertise_score": 4, "lead_conversion_score": 5}
    in_sql |= {"communication_score": 6, "recency_score": 7, "availability_score": 8}
    rows = table.with_row_index().filter(pl.col("destination").is_not_null())["index"].to_list()[::60]
    assert len(rows) > 10
    with desk.database.connect() as connection:
        connection.execute("set search_path = dealwright, dealwright_engine, public")  # as its callers do
        for row in rows:
            found = connection.execute(
                "select f.feature from dealwright.assignment as a "
                "cross join lateral dealwright_engine.classic_features(a.slots) as f "
                "where a.assignment_id = %s and f.agent_id = a.agent_id",
                [table["assignment_id"][row]],
            ).fetchone()
            assert found is not None
            expected = [found[0][in_sql[name] - 1] for name in compared]
            np.testing.assert_allclose(
                features.select(compared).row(row), expected, rtol=1e-12, err_msg=str(row)
            )


def test_the_outcome_leaks_into_the_weight_of_revenue(desk: Desk) -> None:
    model_id, result = desk.train_classic()
    assert max(result.weights, key=lambda name: abs(result.weights[name])) == "revenue_score"
    assert result.weights["revenue_score"] > 0
    assert result.weights["requirements_score"] == 0  # no assignment has any
    assert result.assignments == 900
    ranking = desk.rank({"attributes": {"destination": "Mars"}}, "classic")
    assert ranking.model == model_id
    assert (ranking.ranking[0]["match_score"], ranking.ranking[-1]["match_score"]) == (100.0, 0.0)


def test_one_class_only(desk: Desk) -> None:
    outcomes = desk.outcomes().filter(pl.col("won"))
    with pytest.raises(EvidenceError, match="won and others that were not"):
        fit_classic_weights(outcomes, desk.agent_workloads())
