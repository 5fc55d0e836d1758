"""The desk's finished tasks beside the user's own touches: of any types, once each, none too early."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealwright.intake.accounts import read_plan_inputs
from dealwright.intake.further_touches import MOMENT_FORMAT, add_touches, latest_touch
from dealwright.plan.quality import QualityParams, check
from dealwright.schemas import AccountSchema, PlanInputs

NOON = datetime(2024, 6, 1, 12)
AS_OF = datetime(2024, 6, 2)
DESK = pl.DataFrame(
    {
        "account_id": ["1", "2", "2"],
        "touched_at": [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(days=3)],
        "channel": ["field", "outbound_cc", "field"],
        "action": ["visit", "upsell", "visit"],
        "response": [True, False, False],
        "rejected": [False, True, False],
        "cost_eur": [45.0, None, 45.0],
        "propensity": [0.9, None, None],
        "rep_id": ["R1", None, "R1"],
        "task_id": [1, 2, 3],
    }
)
SAME = {"account_id": "1", "touched_at": NOON, "channel": "field", "action": "visit", "response": True}
OTHER = {**SAME, "touched_at": NOON - timedelta(days=9), "response": False}


def inputs(touches: pl.DataFrame | None) -> PlanInputs:
    accounts = pl.DataFrame({"account_id": ["1", "2"], "spend": [1.0, 2.0]})
    return PlanInputs(accounts, AccountSchema(numeric=("spend",)), AS_OF, touches=touches)


def usable(given: PlanInputs) -> pl.DataFrame:
    """Return the touches as the stages see them."""
    quality = check(given, QualityParams())
    assert quality.inputs.touches is not None
    assert quality.rejected["touches"].is_empty()
    return quality.inputs.touches.sort("touched_at", "account_id")


def test_without_a_table_of_ones_own_they_are_the_touches() -> None:
    seen = usable(add_touches(inputs(None), DESK))
    assert seen["account_id"].to_list() == ["1", "2"]  # the third is not known yet
    assert seen["rejected"].to_list() == [False, True]


@pytest.mark.parametrize(
    "own",
    [
        pl.DataFrame([SAME, OTHER]),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("account_id").cast(pl.Int32)),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("touched_at").cast(pl.Datetime("ms"))),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("touched_at").dt.replace_time_zone("Europe/Madrid")),
        pl.DataFrame([SAME, OTHER]).with_columns(
            pl.col("touched_at").dt.to_string(MOMENT_FORMAT), pl.col("response").cast(pl.String)
        ),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("response").cast(pl.Int8)),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("channel", "action").cast(pl.Categorical)),
    ],
    ids=["canonical", "whole-number ids", "milliseconds", "with a zone", "text", "0 and 1", "categories"],
)
def test_rows_the_users_table_has_already_count_once(own: pl.DataFrame) -> None:
    seen = usable(add_touches(inputs(own), DESK))
    assert seen["account_id"].to_list() == ["1", "1", "2"]
    assert seen["response"].to_list() == [False, True, False]
    assert seen["channel"].cast(pl.String).to_list() == ["field", "field", "outbound_cc"]


def test_a_table_of_days_keeps_the_desks_hours() -> None:
    own = pl.DataFrame([{**OTHER, "touched_at": date(2024, 5, 1)}])
    seen = usable(add_touches(inputs(own), DESK))
    assert seen["touched_at"].to_list()[:2] == [datetime(2024, 5, 1), NOON]


def test_a_table_that_cannot_be_used_is_left_to_the_checks() -> None:
    own = pl.DataFrame({"account_id": ["1"], "when": [NOON]})
    assert add_touches(inputs(own), DESK).touches is own


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, NOON + timedelta(days=3)),  # the orders end before the desk's last outcome
        ({"as_of": AS_OF}, AS_OF),
        ({"touches": "late.csv"}, datetime(2024, 7, 2)),
    ],
)
def test_the_cut_off_is_not_before_the_desks_last_outcome(
    given: dict[str, Any], expected: datetime, tmp_path: Path
) -> None:
    (tmp_path / "accounts.csv").write_text("account_id,spend\n1,5\n2,6\n")
    (tmp_path / "late.csv").write_text(
        "account_id,touched_at,channel,action,response\n1,2024-07-01 10:00,field,visit,no\n"
    )
    (tmp_path / "orders.csv").write_text("account_id,ordered_at,amount_eur\n1,2024-05-30,5\n")
    if "touches" in given:
        given = {"touches": tmp_path / given["touches"]}
    read = read_plan_inputs(
        tmp_path / "accounts.csv", orders=tmp_path / "orders.csv", further_touches=DESK, **given
    )
    assert read.as_of == expected
    assert read.touches is not None
    assert read.touches.height == (2 if "as_of" in given else 3 + ("touches" in given))


def test_a_slip_of_the_year_does_not_move_the_cut_off() -> None:
    slip = DESK.with_columns(touched_at=pl.Series([NOON, NOON, datetime(2062, 6, 1)]))
    assert latest_touch(slip) == NOON
    assert latest_touch(slip.clear()) is None
