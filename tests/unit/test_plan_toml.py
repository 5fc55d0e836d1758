"""Parameters survive the way through TOML, and a mistake in them is named."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.run import PlanParams
from dealwright.plan.toml import from_mapping, read_toml, write_toml

keys = st.text(min_size=1, max_size=8).filter(lambda key: "\x00" not in key and key.isprintable())
scalars = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.times(), st.lists(st.integers(), max_size=3),
)  # fmt: skip
rows = st.lists(st.dictionaries(keys, scalars, max_size=3), min_size=1, max_size=3)
tables = st.recursive(
    st.dictionaries(keys, scalars, max_size=4),
    lambda inner: st.dictionaries(keys, st.one_of(inner, scalars, rows), max_size=3),
    max_leaves=8,
)


@given(tables)
def test_what_is_written_is_what_is_read(table: dict[str, object]) -> None:
    assert tomllib.loads(write_toml(table)) == table


def test_the_default_parameters_survive_and_are_complete() -> None:
    params = PlanParams()
    text = write_toml(params.to_mapping())
    again = from_mapping(PlanParams, read_toml(text, "x"), "params")
    assert again == params
    assert write_toml(again.to_mapping()) == text


def test_a_part_of_the_parameters_keeps_the_other_defaults() -> None:
    params = from_mapping(
        PlanParams, {"quality": {"max_rejected_share": 1}, "predict": {"folds": 3}}, "params"
    )
    assert params.quality.max_rejected_share == 1.0
    assert params.predict.folds == 3
    assert params.anomalies == PlanParams().anomalies


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"qualty": {}}, r"unknown key in \[params\] 'qualty': did you mean 'quality'"),
        ({"quality": {"max_age": 3}}, r"\[params.quality\] 'max_age': did you mean 'max_age_days'"),
        ({"quality": {"max_age_days": "soon"}}, r"params.quality.max_age_days = 'soon': write a number"),
        ({"quality": {"max_age_days": True}}, "write a number"),
        ({"predict": {"folds": 2.5}}, "params.predict.folds = 2.5: write a whole number"),
        ({"quality": 3}, "params.quality = 3: write a table"),
        ({"kpis": {"targets": [{"at_least": 1.0}]}}, "lacks kpi"),
        ({"predict": {"churn_labels": "guess"}}, "'guess'"),
        ({"predict": {"folds": 1}}, "folds = 1"),
    ],
)
def test_a_mistake_is_named(raw: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_mapping(PlanParams, raw, "params")


@dataclass(frozen=True)
class Inner:
    moment: datetime
    pairs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Outer:
    inner: tuple[Inner, ...] = ()
    words: dict[str, float] = field(default_factory=dict)
    maybe: int | None = None


def test_nested_dataclasses_tuples_and_optionals() -> None:
    outer = Outer((Inner(datetime(2026, 1, 2, 3, 4), (("a", 1), ("b", 2))),), {"x y": 0.5}, None)
    text = write_toml(
        {
            "inner": [{"moment": datetime(2026, 1, 2, 3, 4), "pairs": [["a", 1], ["b", 2]]}],
            "words": {"x y": 0.5},
        }
    )
    assert from_mapping(Outer, read_toml(text, "x"), "t") == outer
    with pytest.raises(InputError, match="needs 2 values, not 3"):
        from_mapping(Outer, {"inner": [{"moment": datetime(2026, 1, 1), "pairs": [["a", 1, 2]]}]}, "t")
    with pytest.raises(InputError, match="not valid TOML"):
        read_toml("a = ", "x")
