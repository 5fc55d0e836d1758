"""What is told of the accounts comes back as it was, wherever it has been in the meantime."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright import stored
from dealwright.plan.listed import Listed
from dealwright.stored import PartitionedTable

IDS = [f"A{number}" for number in range(7)]


@dataclass(frozen=True)
class Found:
    """A stage's result."""

    frame: pl.DataFrame


def found(name: str) -> Found:
    """Return a result with lists, an empty one and a null among them."""
    lists = [[f"{name} {number}"] * (number % 3) for number in range(6)]
    return Found(pl.DataFrame({"account_id": IDS, f"{name}_share": [0.5] * 7, name: [*lists, None]}))


@pytest.mark.parametrize("kept", [True, False])
def test_columns_come_back_in_their_places(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_PART_ROWS", 3)
    listed = Listed(kept=kept)
    first, second = (listed.part_with(found(name), name) for name in ("why", "not"))
    assert first.frame["why"].null_count() == (1 if kept else 7)
    joined = first.frame.join(second.frame, on="account_id", maintain_order="left")
    whole = found("why").frame.join(found("not").frame, on="account_id", maintain_order="left")

    met = listed.of(joined, pl.Series(["A5", "A2"]))
    assert met.columns == whole.columns
    wanted = pl.col("account_id").is_in(["A2", "A5"])
    assert_frame_equal(met.filter(wanted), whole.filter(wanted))
    if not kept:
        assert met.filter(~wanted)["why"].null_count() == 5

    light = listed.without(joined)
    assert light.columns == (whole.columns if kept else ["account_id", "why_share", "not_share"])
    parts = list(listed.parts(light))
    assert [part.height for part in parts] == ([7] if kept else [3, 3, 1])
    assert_frame_equal(pl.concat(parts), whole)


def test_a_partition_has_its_rows_in_order_and_is_read_once() -> None:
    table = PartitionedTable(3, {"value": pl.Int64})
    table.add(pl.DataFrame({"value": [1, 2, 3, 4]}), pl.Series([2, 0, 2, 0]))
    table.add(pl.DataFrame({"value": [5, 6]}), pl.Series([2, 2]))
    assert [table.take(number)["value"].to_list() for number in range(3)] == [[2, 4], [], [1, 3, 5, 6]]
    assert table.take(2).is_empty()
