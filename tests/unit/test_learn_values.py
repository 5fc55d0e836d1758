"""Values that are empty, new or unknown, as learning sees them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.desk.promotion import judge_promotion
from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import UnknownNameError
from dealwright.learn import LearnParams, MatchModel, count_statistics, score, train
from dealwright.learn.outcomes import tabulate_outcomes
from dealwright.learn.slots import UNKNOWN, encode_values

QUICK = LearnParams(permutations=199, bootstrap=50)
SOURCE = Dimension("source", ("web", "fair", EMPTY), required=False)
SPREAD = Dimension("source", ("web", "fair"), required=False, at_arrival=False)


def outcomes(
    n: int = 4_000, seed: int = 1, *, empty_rate: float = 0.25, given_rate: float = 0.6
) -> pl.DataFrame:
    """Draw leads of which half say nothing about their source, and are won less often."""
    rng = np.random.default_rng(seed)
    source = rng.choice(["web", "fair", None], n, p=[0.3, 0.2, 0.5])
    empty = np.array([value is None for value in source])
    start = datetime(2080, 1, 1, tzinfo=UTC)
    assigned = [start + timedelta(hours=i) for i in range(n)]
    won = rng.random(n) < np.where(empty, empty_rate, given_rate)
    return pl.DataFrame(
        {
            "assignment_id": np.arange(1, n + 1),
            "agent_id": rng.integers(1, 9, n),
            "assigned_at": assigned,
            "known_at": [moment + timedelta(hours=1) for moment in assigned],
            "won": won,
            "contacted": np.ones(n, dtype=bool),
            "base_revenue": np.where(won, 100.0, np.nan),
            "package_revenue": np.where(won, 10.0, np.nan),
            "source": source.tolist(),
        },
        schema_overrides={"source": pl.String},
    )


TRAITS = pl.DataFrame({"agent_id": range(1, 9), "rating": [3.0] * 8})


def test_nothing_given_is_a_value_where_it_may_be_left_out_at_arrival() -> None:
    frame = pl.DataFrame({"source": ["fair", None, "web", EMPTY, UNKNOWN]})
    assert encode_values(frame, [SOURCE])[:, 0].tolist() == [1, 2, 0, 2, -1]
    known_later = replace(SOURCE, at_arrival=False, values=("web", "fair"))
    assert encode_values(frame[:3], [known_later])[:, 0].tolist() == [1, -1, 0]
    needed = replace(known_later, at_arrival=True, required=True)
    assert encode_values(frame[:3], [needed])[:, 0].tolist() == [1, -1, 0]
    # a model of before has no such value yet
    assert encode_values(frame[:3], [replace(SOURCE, values=("web", "fair"))])[:, 0].tolist() == [1, -1, 0]


def test_a_new_value_is_unknown_to_an_open_dimension_and_refused_by_a_closed_one() -> None:
    frame = pl.DataFrame({"source": ["podcast", "web", None, UNKNOWN]})
    assert encode_values(frame, [replace(SOURCE, is_open=True)])[:, 0].tolist() == [-1, 0, 2, -1]
    with pytest.raises(UnknownNameError, match="podcast"):
        encode_values(frame, [SOURCE])


def test_an_own_slot_for_empty_beats_spreading_out_of_time() -> None:
    """Where emptiness tells something, spreading it over the known values throws that away."""
    data = outcomes()
    losses = {}
    for name, dimension in (("own slot", SOURCE), ("spread", SPREAD)):
        result = train(data, TRAITS, [dimension], QUICK)
        lead_only = result.evidence.metrics["lead_only"]
        losses[name] = (lead_only.log_loss.value, lead_only.auc.value)
    # the truth: entropy .5 H(.25) + .5 H(.6) = .618 nats, against H(.425) = .682; the AUC is .68, against .5
    assert losses["own slot"][0] < losses["spread"][0] - 0.04
    assert losses["own slot"][0] == pytest.approx(0.618, abs=0.02)
    assert losses["own slot"][1] > losses["spread"][1] + 0.12
    model = train(data, TRAITS, [SOURCE], QUICK).model
    leads = pl.DataFrame({"source": [None, "web"]}, schema={"source": pl.String})
    chance = score(model, count_statistics(data, model), TRAITS, leads).win_probability.mean(axis=1)
    assert chance == pytest.approx([0.25, 0.6], abs=0.04)


def test_spreading_stays_where_the_value_is_known_from_the_booking_only() -> None:
    """There, empty means not reached: it must not tell a new lead's chance."""
    data = outcomes(empty_rate=0.02)
    model = train(data, TRAITS, [SPREAD], QUICK).model
    assert model.dimensions == (SPREAD,)
    leads = pl.DataFrame({"source": [None, "web", "fair"]}, schema={"source": pl.String})
    chance = score(model, count_statistics(data, model), TRAITS, leads).win_probability.mean(axis=1)
    assert np.ptp(chance) < 0.08


def test_a_dimension_without_any_value_yet_is_left_out() -> None:
    nobody_said = Dimension("campaign", (), is_open=True, at_arrival=False)
    data = outcomes(300).with_columns(campaign=pl.lit(None, pl.String))
    table = tabulate_outcomes(data, [nobody_said, SOURCE])
    assert table.dimensions == (SOURCE,)
    assert table.codes.shape == (300, 1)
    model = train(data, TRAITS, [nobody_said], QUICK).model
    assert model.dimensions == ()
    assert model.slots == ("overall",)
    chance = score(model, count_statistics(data, model), TRAITS, data[:2]).win_probability
    assert chance == pytest.approx(np.full((2, 8), data["won"].mean()), abs=0.03)


def test_a_model_keeps_what_its_dimensions_may_be() -> None:
    dimensions = (
        replace(SOURCE, is_open=True),
        Dimension("employees", ("up to 10", "above 10"), required=False, at_arrival=False, edges=(10.0,)),
    )
    data = outcomes(300).with_columns(employees=pl.lit("above 10"))
    model = train(data, TRAITS, dimensions, QUICK).model
    document = json.loads(json.dumps(model.to_dict()))
    assert MatchModel.from_dict(document).dimensions == dimensions
    # one of before says nothing about that: closed, required, known at arrival, no number
    del document["dimension_rules"]
    before = MatchModel.from_dict(document)
    assert before.dimensions == tuple(Dimension(item.name, item.values) for item in dimensions)
    assert before.lead_weights == model.lead_weights


def test_new_values_do_not_spare_a_model_the_proof() -> None:
    source = replace(SOURCE, is_open=True)
    data = outcomes(1_200)
    early = data[:600]
    champion = train(early, TRAITS, [source], QUICK).model
    later = data.with_columns(
        source=pl.when(pl.col("assignment_id") > 1_000).then(pl.lit("podcast")).otherwise("source")
    )
    grown = replace(source, values=("web", "fair", "podcast", EMPTY))
    verdict = judge_promotion(later, TRAITS, [grown], champion, QUICK)
    assert verdict.outcomes > 250
    assert not verdict.promote or verdict.challenger_log_loss < verdict.champion_log_loss  # type: ignore[operator]
    for changed in (
        replace(grown, is_open=False),
        replace(grown, required=True, values=("web", "fair", "podcast")),
        replace(grown, values=("web", EMPTY)),
        replace(grown, edges=(1.0, 2.0, 3.0)),
        replace(grown, name="origin"),
    ):
        named = later.rename({"source": changed.name})
        assert (
            "dimensions of leads have changed" in judge_promotion(named, TRAITS, [changed], champion).reason
        )
    for dimensions in ([], [grown, Dimension("more", ("a",))]):
        verdict = judge_promotion(later.with_columns(more=pl.lit("a")), TRAITS, dimensions, champion)
        assert "dimensions of leads have changed" in verdict.reason


def test_a_hundred_outcomes_are_enough_to_tell_which_model_is_better() -> None:
    data = outcomes(400)
    champion = train(data[:200], TRAITS, [SOURCE], QUICK).model
    assert champion.as_of is not None
    since = data.filter(pl.col("assigned_at") > datetime.fromisoformat(champion.as_of))
    for fresh, judged in ((99, 0), (100, 50), (101, 51)):
        until = since["assigned_at"][fresh - 1]
        verdict = judge_promotion(
            data.filter(pl.col("assigned_at") <= until), TRAITS, [SOURCE], champion, QUICK
        )
        assert verdict.outcomes == judged
        assert (verdict.champion_log_loss is None) == (judged == 0)
        assert ("only 99 outcomes" in verdict.reason) == (judged == 0)
        assert ("100 are needed" in verdict.reason) == (judged == 0)
        assert "50 are needed" not in verdict.reason
