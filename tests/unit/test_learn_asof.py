"""As-of counts never see the future: against a count by hand, on arbitrary histories."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.dimensions import Dimension
from dealwright.errors import InputError
from dealwright.learn.asof import AsOfCounter
from dealwright.learn.outcomes import OutcomeTable, fill_unknown, tabulate_outcomes, value_shares
from dealwright.learn.profile import MIX_PRIOR

DIMENSIONS = (Dimension("d", ("a", "b", "c")), Dimension("e", ("x", "y")))

rows = st.lists(
    st.tuples(
        st.integers(0, 2),  # agent
        st.integers(0, 12),  # assigned, hours
        st.one_of(
            st.none(), st.integers(-2, 12)
        ),  # known, hours after (or before: such data exist); None is pending
        st.booleans(),  # won
        st.one_of(st.none(), st.sampled_from(DIMENSIONS[0].values)),
        st.sampled_from(DIMENSIONS[1].values),
    ),
    min_size=1,
    max_size=25,
)


def tabulate(drawn: list[tuple[int, int, int | None, bool, str | None, str]]) -> OutcomeTable:
    hour = 3_600_000_000
    frame = pl.DataFrame(
        {
            "assignment_id": list(range(len(drawn))),
            "agent_id": [row[0] for row in drawn],
            "assigned_at": pl.Series([row[1] * hour for row in drawn]).cast(pl.Datetime("us", "UTC")),
            "known_at": pl.Series(
                [None if row[2] is None else (row[1] + row[2]) * hour for row in drawn], dtype=pl.Int64
            ).cast(pl.Datetime("us", "UTC")),
            "won": pl.Series([None if row[2] is None else row[3] for row in drawn], dtype=pl.Boolean),
            "contacted": [True] * len(drawn),
            "base_revenue": pl.Series([None] * len(drawn), dtype=pl.Float64),
            "package_revenue": pl.Series([None] * len(drawn), dtype=pl.Float64),
            "d": pl.Series([row[4] for row in drawn], dtype=pl.String),
            "e": [row[5] for row in drawn],
        }
    )
    return tabulate_outcomes(frame, DIMENSIONS)


@settings(max_examples=200, deadline=None)
@given(rows)
def test_a_row_sees_only_what_was_known_before_it(
    drawn: list[tuple[int, int, int | None, bool, str | None, str]],
) -> None:
    table = tabulate(drawn)
    shares = value_shares(table)
    codes = fill_unknown(table, shares, np.random.default_rng(0))
    known, won = AsOfCounter(table, codes).count([np.ones(len(table)), table.won], shares, codes)
    for i in range(len(table)):
        before = table.settled & (table.known_us < table.assigned_us[i]) & (table.agent == table.agent[i])
        assert not before[i]
        assert known[i, 0] == before.sum()
        assert won[i, 0] == table.won[before].sum()
        for j in range(2):
            same = before & (table.codes[:, j] == codes[i, j])
            unknown = before & (table.codes[:, j] < 0)
            mix = (same.sum() + MIX_PRIOR * shares[j][codes[i, j]]) / (
                before.sum() - unknown.sum() + MIX_PRIOR
            )
            assert known[i, 1 + j] == pytest.approx(same.sum() + mix * unknown.sum())
            assert won[i, 1 + j] == pytest.approx(table.won[same].sum() + mix * table.won[unknown].sum())


def test_many_cells_take_the_other_sort() -> None:
    """More than 65,536 cells leave NumPy's radix sort; the counts must not change."""
    rng = np.random.default_rng(1)
    n = 3000
    drawn = [(int(a), int(t), 1, bool(w), "a", "x") for a, t, w in rng.integers(0, 12, (n, 3))]
    small = tabulate(drawn)
    spread = tabulate([(row[0] * 9000, *row[1:]) for row in drawn] + [(200_000, 0, 1, True, "a", "x")])
    wide = OutcomeTable(
        spread.dimensions,
        np.arange(108_001),
        spread.agent_ids[spread.agent].clip(0, 108_000),
        spread.codes,
        spread.assigned_us,
        spread.known_us,
        spread.settled,
        spread.won,
        spread.contacted,
        spread.base_revenue,
        spread.package_revenue,
    )
    counts = [
        AsOfCounter(table, table.codes).count([table.won], value_shares(table), table.codes)[0]
        for table in (small, wide)
    ]
    rows_of_small = np.flatnonzero(spread.agent_ids[spread.agent] < 200_000)
    assert counts[1][rows_of_small] == pytest.approx(counts[0])


def test_unknown_values_are_drawn_from_the_same_agent() -> None:
    drawn = [(0, h, 1, True, "a", "x") for h in range(5)] + [(1, h, 1, True, "b", "x") for h in range(5)]
    table = tabulate(
        [*drawn, (0, 6, 1, False, None, "y"), (1, 6, 1, False, None, "y"), (2, 6, 1, False, None, "y")]
    )
    filled = fill_unknown(table, value_shares(table), np.random.default_rng(0))
    by_agent = {int(a): filled[i, 0] for i, a in enumerate(table.agent) if table.codes[i, 0] < 0}
    assert by_agent[0] == 0
    assert by_agent[1] == 1
    assert by_agent[2] in {0, 1}
    assert (filled[table.codes >= 0] == table.codes[table.codes >= 0]).all()


def test_outcomes_with_a_missing_column_or_time_are_refused() -> None:
    with pytest.raises(InputError, match="'assignment_id'"):
        tabulate_outcomes(pl.DataFrame({"agent_id": [1]}), DIMENSIONS)
    good = tabulate([(0, 0, 1, True, "a", "x")])
    assert len(good) == 1
    frame = pl.DataFrame(
        {
            "assignment_id": [1],
            "agent_id": [1],
            "assigned_at": pl.Series([None]).cast(pl.Datetime("us", "UTC")),
            "known_at": pl.Series([None]).cast(pl.Datetime("us", "UTC")),
            "won": pl.Series([None], dtype=pl.Boolean),
            "contacted": [True],
            "base_revenue": [None],
            "package_revenue": [None],
            "d": ["a"],
            "e": ["x"],
        }
    )
    with pytest.raises(InputError, match="1 rows without assigned_at"):
        tabulate_outcomes(frame, DIMENSIONS)
