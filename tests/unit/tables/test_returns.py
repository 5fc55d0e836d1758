"""Returns: what they are taken off, to the cent, whatever the order of the rows."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.schemas import ORDER_COLUMNS
from dealwright.tables.mapping import Source, TableMap, parse_mapping
from dealwright.tables.plan_inputs import read_plan_inputs
from dealwright.tables.reader import read_table
from dealwright.tables.returns import net_returns
from dealwright.tables.validation import Rows

Order = tuple[str, int, float]
START = datetime(2026, 1, 1)


def table(orders: list[Order]) -> pl.DataFrame:
    """Return orders of (account, day, amount) as the plan reads them."""
    rows = [(account, START + timedelta(days=day), amount) for account, day, amount in orders]
    return pl.DataFrame(rows, schema=dict(ORDER_COLUMNS), orient="row")


def netted(orders: list[Order]) -> tuple[list[Order], list[tuple[str, int, str, str]]]:
    """Return what is left of orders, and the notes: level, rows, reason, fix."""
    frame = table(orders)
    rows = Rows(TableMap("orders", fields={"amount_eur": Source(("sum",))}), read_table(frame, name="orders"))
    left = net_returns(frame, rows)
    found = rows.problems()
    assert set(found["column"]) <= {"sum"}
    days = [(account, (at - START).days, amount) for account, at, amount in left.iter_rows()]
    return days, found.select("level", "rows", "reason", "fix").rows()


@pytest.mark.parametrize(
    ("orders", "left"),
    [
        # the latest earlier order of the same amount
        ([("a", 1, 10.0), ("a", 2, 30.0), ("a", 3, -10.0)], [0.0, 30.0]),
        ([("a", 1, 10.0), ("a", 2, 10.0), ("a", 3, 30.0), ("a", 4, -10.0)], [10.0, 0.0, 30.0]),
        ([("a", 1, 10.0), ("a", 2, 10.0), ("a", 3, 10.0), ("a", 4, -10.0), ("a", 5, -10.0)], [10.0, 0, 0]),
        # else the latest orders before it
        ([("a", 1, 10.0), ("a", 2, 30.0), ("a", 3, -12.5)], [10.0, 17.5]),
        ([("a", 1, 10.0), ("a", 2, 30.0), ("a", 3, -35.0)], [5.0, 0.0]),
        ([("a", 1, 10.0), ("a", 2, 30.0), ("a", 3, -40.0)], [0.0, 0.0]),
        ([("a", 1, 10.0), ("a", 2, 30.0), ("a", 3, -50.0)], [0.0, 0.0]),
        # an amount that is left counts as one
        ([("a", 1, 17.5), ("a", 2, 30.0), ("a", 3, -12.5), ("a", 4, -17.5)], [17.5, 0.0]),
        ([("a", 1, 30.0), ("a", 2, 30.0), ("a", 3, -5.0), ("a", 4, -30.0)], [0.0, 25.0]),
        # only what was ordered before, and by the same account
        ([("a", 5, 10.0), ("a", 3, -10.0)], [10.0]),
        ([("a", 5, 10.0), ("a", 5, -10.0)], [0.0]),
        ([("a", 1, 10.0), ("b", 1, 10.0), ("b", 3, -10.0)], [10.0, 0.0]),
        ([("b", 1, 7.0), ("a", 1, 9.0), ("b", 3, -7.0), ("a", 3, -2.0), ("c", 1, 1.0)], [0.0, 7.0, 1.0]),
        ([("a", 1, 10.0), ("a", 3, -10.0), ("a", 4, 10.0), ("a", 5, -4.0)], [0.0, 6.0]),
        # of one moment, the order first, and the largest return
        ([("a", 2, -10.0), ("a", 2, 10.0)], [0.0]),
        ([("a", 1, 10.0), ("a", 2, 15.0), ("a", 3, -5.0), ("a", 3, -10.0)], [0.0, 10.0]),
        # to the cent
        ([("a", 1, 10.0), ("a", 2, 0.1 + 0.2), ("a", 3, -0.3)], [10.0, 0.0]),
        ([("a", 1, 10.01), ("a", 2, 10.0), ("a", 3, -10.01)], [0.0, 10.0]),
        ([("a", 1, 0.0), ("a", 2, 5.0), ("a", 3, -5.0)], [0.0, 0.0]),
        ([("a", 1, 5.0), ("a", 2, 0.0), ("a", 3, -3.0)], [2.0, 0.0]),
    ],
)  # fmt: skip
def test_what_a_return_is_taken_off(orders: list[Order], left: list[float]) -> None:
    found, _ = netted(orders)
    kept = [(account, day) for account, day, amount in orders if amount >= 0]
    assert [order[:2] for order in found] == kept
    assert [order[2] for order in found] == pytest.approx(left, abs=1e-9)


def test_orders_without_any_return_are_the_same_frame() -> None:
    frame = table([("a", 1, 10.0), ("b", 1, 0.0)])
    rows = Rows(TableMap("orders"), read_table(frame, name="orders"))
    assert net_returns(frame, rows) is frame
    assert rows.problems().is_empty()


FIX = 'nothing to do; returns = "reject" under [orders] refuses them'


@pytest.mark.parametrize(
    ("orders", "notes"),
    [
        (
            [("a", 1, 10.0), ("a", 2, 5.0), ("a", 3, -10.0), ("a", 4, -1.0), ("b", 1, 0.0)],
            [("note", 2, "returns, taken off the orders they give back (1 order given back whole)", FIX)],
        ),
        (
            [("a", 1, 0.0), ("a", 2, 10.0), ("a", 3, -10.0), ("a", 3, -0.01), ("b", 1, -5.0)],
            [
                ("note", 3, "returns, taken off the orders they give back (1 order given back whole)", FIX),
                (
                    "warning", 2, "returns of more than was ordered before: the rest is left out",
                    "bring the orders they belong to",
                ),
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_said_about_returns(orders: list[Order], notes: list[tuple[str, int, str, str]]) -> None:
    assert netted(orders)[1] == notes


CENTS = st.integers(-3000, 3000).map(lambda cents: cents / 100) | st.sampled_from([10.0, -10.0, 25.0, -25.0])
ORDERS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12), CENTS), max_size=25)


@settings(max_examples=200, deadline=None)
@given(orders=ORDERS, data=st.data())
def test_the_order_of_the_rows_does_not_matter(orders: list[Order], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(orders))
    found, notes = netted(orders)
    other, others = netted(list(shuffled))
    assert Counter((a, d, round(amount, 6)) for a, d, amount in found) == Counter(
        (a, d, round(amount, 6)) for a, d, amount in other
    )
    assert notes == others


@settings(max_examples=200, deadline=None)
@given(orders=ORDERS)
def test_nothing_is_made_up_and_nothing_is_lost(orders: list[Order]) -> None:
    """Amounts are between 0 and what was ordered; in sum, what was ordered less what was given back of it."""
    found, notes = netted(orders)
    given = [order for order in orders if order[2] >= 0]
    assert [order[:2] for order in found] == [order[:2] for order in given]
    for (_, _, left), (_, _, before) in zip(found, given, strict=True):
        assert 0 <= left <= before
    too_much = 0
    for account in "abc":
        mine = sorted((o for o in orders if o[0] == account), key=lambda o: (o[1], o[2] < 0, o[2]))
        total = 0.0
        for _, _, amount in mine:
            too_much += total + amount < -0.005
            total = max(0.0, total + amount)
        assert sum(left for name, _, left in found if name == account) == pytest.approx(total, abs=0.01)
    assert sum(rows for level, rows, _, _ in notes if level == "warning") == too_much


@settings(max_examples=100, deadline=None)
@given(amounts=st.lists(st.integers(1, 5000), min_size=1, max_size=8), data=st.data())
def test_an_exact_amount_is_preferred(amounts: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(amounts) - 1))
    orders = [("a", day, cents / 100) for day, cents in enumerate(amounts)]
    found, _ = netted([*orders, ("a", 99, -amounts[place] / 100)])
    gone = max(day for day, cents in enumerate(amounts) if cents == amounts[place])
    expected = [0.0 if day == gone else amount for _, day, amount in orders]
    assert [left for _, _, left in found] == expected


def test_an_account_of_many_orders_is_done_in_no_time() -> None:
    orders = [("cash", day, 10.0 + day % 997) for day in range(30_000)]
    returns = [("cash", 30_000 + n, -(10.0 + n % 997)) for n in range(10_000)]
    found, _ = netted(orders + returns)
    assert sum(left for _, _, left in found) == pytest.approx(sum(o[2] for o in orders + returns))


def read(folder: Path, returns: str) -> tuple[list[float], list[tuple[int, str, str]]]:
    (folder / "orders.csv").write_text(
        "who,day,sum\na,2026-01-05,10\na,2026-01-06,30\na,2026-01-07,-10\nb,2026-01-07,-5\nb,2026-01-08,4\n"
    )
    company = parse_mapping(
        '[orders]\nfile = "orders.csv"\naccount_id = "who"\nordered_at = "day"\namount_eur = "sum"\n'
        + returns
    )
    inputs = read_plan_inputs(schema=company, directory=folder)
    assert inputs.orders is not None
    assert inputs.accounts["account_id"].to_list() == ["a", "b"]
    problems = inputs.intake.problems.filter(pl.col("table") == "orders", pl.col("line").is_not_null())
    return inputs.orders["amount_eur"].to_list(), problems.select("line", "column", "reason").rows()


def test_returns_are_netted_by_default_and_rejected_where_that_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, "") == ([0.0, 30.0, 4.0], [])
    assert read(tmp_path, 'returns = "net"') == ([0.0, 30.0, 4.0], [])
    assert read(tmp_path, 'returns = "reject"') == (
        [10.0, 30.0, 4.0], [(4, "sum", "negative"), (5, "sum", "negative")],
    )  # fmt: skip
