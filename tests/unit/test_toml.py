"""What is written to TOML is read back the same, and every mistake in a document is named with its place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.params import PlanParams
from dealwright.toml import Amount, Share, Text, convert, read_toml, to_toml

keys = st.text(min_size=1, max_size=8).filter(lambda key: "\x00" not in key and key.isprintable())
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), texts,
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.dates(), st.times(),
    st.lists(st.integers(), max_size=3),
)  # fmt: skip
rows = st.lists(st.dictionaries(keys, scalars, max_size=3), min_size=1, max_size=3)
tables = st.recursive(
    st.dictionaries(keys, scalars, max_size=4),
    lambda inner: st.dictionaries(keys, st.one_of(inner, scalars, rows), max_size=3),
    max_leaves=8,
)


class Colour(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    from_: str = "red"


class Word:
    """A type that is one text in TOML."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Word) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @classmethod
    def from_toml(cls, value: Any, where: str) -> Word:
        if not isinstance(value, str):
            raise InputError(f"{where}: not a word")
        return cls(value)

    def to_toml(self) -> str:
        return self.text


@dataclass(frozen=True)
class Inner:
    moment: datetime
    pairs: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if self.moment.year < 2000:
            raise InputError("moment must be after 1999")


@dataclass(frozen=True)
class Outer:
    inner: tuple[Inner, ...] = ()
    words: Mapping[str, float] = field(default_factory=dict)
    maybe: int | None = None
    level: Literal["low", "high"] = "low"
    flag: bool = False
    text: str = ""
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    count: Annotated[int, msgspec.Meta(gt=0)] = 1
    names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=3)] = ("a",)
    below: Annotated[int, msgspec.Meta(lt=2)] = 1
    code: Annotated[str, msgspec.Meta(pattern="^[a-z]+$", description="lower-case letters")] = "x"
    free: float = 0.0
    day: date = date(2026, 1, 1)
    clock: time = time(8)
    either: Literal["all"] | tuple[str, ...] = "all"
    word: Word = field(default_factory=lambda: Word("w"))


outers = st.builds(
    Outer,
    inner=st.lists(
        st.builds(
            Inner,
            st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
            st.lists(st.tuples(texts, st.integers()), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    words=st.dictionaries(keys, st.floats(allow_nan=False), max_size=3),
    maybe=st.none() | st.integers(),
    text=texts,
    share=st.floats(0, 1),
    free=st.floats(allow_nan=False),
    day=st.dates(),
    clock=st.times(),
    either=st.just("all") | st.lists(texts, max_size=3).map(tuple),
    word=texts.map(Word),
)


@given(tables)
def test_what_is_written_is_what_is_read(table: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(table)) == table


@given(outers)
def test_a_dataclass_is_written_and_built_again(outer: Outer) -> None:
    text = to_toml(outer)
    again = convert(read_toml(text, "x"), Outer, "x")
    assert again == outer
    assert to_toml(again) == text


def test_a_document_is_nested_tables_in_a_fixed_order() -> None:
    text = to_toml({"b": {"x": 1, "t": {"y": "a\x7f"}, "none": None}, "a": 0.1, "s": ["c", "b"]})
    assert text == 'a = 0.1\ns = [\n    "c",\n    "b",\n]\n\n[b]\nx = 1\n\n[b.t]\ny = "a\\u007f"\n'


def test_none_where_the_default_is_something_else_cannot_be_written() -> None:
    @dataclass(frozen=True)
    class Limit:
        most: int | None = 3

    with pytest.raises(TypeError, match=r"Limit\.most is None, which TOML cannot say"):
        to_toml(Limit(None))


def test_each_value_gets_the_type_that_is_declared() -> None:
    raw = {
        "inner": [{"moment": date(2026, 1, 2), "pairs": [["a", 1]]}],
        "words": {"x y": 2},
        "share": 1,
        "either": ["b"],
        "word": "w",
    }
    found = convert(raw, Outer, "x")
    assert found == Outer(
        (Inner(datetime(2026, 1, 2), (("a", 1),)),), {"x y": 2.0}, share=1.0,
        either=("b",), word=Word("w"),
    )  # fmt: skip
    assert isinstance(found.share, float)
    assert isinstance(found.words["x y"], float)
    assert convert([1, 2], tuple[float, ...], "x") == (1.0, 2.0)
    assert convert(["a"] * 3, Annotated[list[str], msgspec.Meta(max_length=3)], "x") == ["a"] * 3
    for share in (0, 1):
        assert convert(share, Share, "x") == share
    assert convert(["c", "c"], frozenset[str], "x") == {"c"}
    assert convert({"a": {"from": "b"}}, dict[Literal["a"], Colour], "x") == {"a": Colour("b")}


def test_a_key_without_a_default_that_may_be_none_is_none() -> None:
    @dataclass(frozen=True)
    class Maybe:
        some: int | None

    assert convert({}, Maybe, "x") == Maybe(None)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"innr": 1}, "f.toml: innr: unknown key 'innr': did you mean 'inner'"),
        ({"inner": [{"momnt": 1}]}, "f.toml: inner[0].momnt: unknown key 'momnt': did you mean 'moment'"),
        ({"inner": [{}]}, "f.toml: inner[0].moment: is missing; write a date and time such as 2026-01-31"),
        ({"inner": [3]}, "f.toml: inner[0] = 3: write a table with moment"),
        ({"inner": 3}, "f.toml: inner = 3: write a list"),
        ({"inner": [{"moment": datetime(1999, 1, 1)}]}, "f.toml: inner[0]: moment must be after 1999"),
        (
            {"inner": [{"moment": date(2026, 1, 1), "pairs": [["a", 1, 2]]}]},
            "f.toml: inner[0].pairs[0] = ['a', 1, 2]: write a list of 2 values",
        ),
        ({"words": {"a": "b"}}, "f.toml: words.a = 'b': write a number"),
        ({"maybe": 1.5}, "f.toml: maybe = 1.5: write a whole number"),
        ({"maybe": True}, "f.toml: maybe = True: write a whole number"),
        ({"free": True}, "f.toml: free = True: write a number"),
        ({"free": 10**400}, ": write a number"),
        ({"flag": 1}, "f.toml: flag = 1: write true or false"),
        ({"text": 1}, "f.toml: text = 1: write a text in quotes"),
        ({"level": "hgh"}, "f.toml: level: unknown value 'hgh': did you mean 'high'"),
        ({"level": 1}, "f.toml: level = 1: write one of 'high', 'low'"),
        ({"share": 2}, "f.toml: share = 2: write a number of at least 0 and of at most 1"),
        ({"share": float("nan")}, "f.toml: share = nan: write a number of at least 0 and of at most 1"),
        ({"share": float("inf")}, "f.toml: share = inf: write a finite number of at least 0"),
        ({"share": 1.5}, "f.toml: share = 1.5: write a number of at least 0 and of at most 1"),
        ({"names": ["a"] * 4}, "write a list of length at least 1 and of length at most 3"),
        ({"below": 2}, "f.toml: below = 2: write a whole number below 2"),
        ({"count": 0}, "f.toml: count = 0: write a whole number above 0"),
        ({"names": []}, "f.toml: names = []: write a list of length at least 1"),
        ({"code": "X1"}, "f.toml: code = 'X1': write lower-case letters"),
        ({"day": datetime(2026, 1, 1, 3)}, ": write a date such as 2026-01-31"),
        ({"clock": "08:00"}, "f.toml: clock = '08:00': write a time such as 08:00:00"),
        ({"either": "al"}, "f.toml: either: unknown value 'al': did you mean 'all'"),
        ({"either": 3}, "f.toml: either = 3: write one of 'all' or a list"),
        ({"either": ["a", 3]}, "f.toml: either[1] = 3: write a text in quotes"),
        ({"word": 3}, "f.toml: word: not a word"),
        (3, "f.toml = 3: write a table"),
    ],
)
def test_a_mistake_is_named(raw: object, message: str) -> None:
    with pytest.raises(InputError) as error:
        convert(raw, Outer, "f.toml")
    assert message in str(error.value)


def test_a_part_of_a_document_keeps_its_place_in_messages() -> None:
    with pytest.raises(InputError, match=r"^f\.toml: colours\.sky\.from = 3: write a text in quotes$"):
        convert({"from": 3}, Colour, "f.toml", "colours.sky")


def test_a_document_within_a_document_goes_on_with_its_path() -> None:
    with pytest.raises(
        InputError, match=r"^f\.toml: colours\.sky\.form: unknown key 'form': did you mean 'from'"
    ):
        convert({"form": 3}, Colour, "f.toml: colours", "sky")


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Share, 1.5, "x = 1.5: write a number between 0 and 1"),
        (Share, -0.5, "x = -0.5: write a number between 0 and 1"),
        (Amount, -0.5, "x = -0.5: write a number of at least 0"),
        (Text, "", "x = '': write a text in quotes that is not empty"),
    ],
)
def test_the_common_limits(kind: Any, value: object, message: str) -> None:
    with pytest.raises(InputError) as error:
        convert(value, kind, "x")
    assert str(error.value) == message


def test_a_type_without_a_form_in_toml_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match=r"Path.*cannot be read from TOML; give it a from_toml"):
        convert("a", Path, "f")


def test_a_file_a_text_and_bytes_are_read_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'\xef\xbb\xbfa = "\xc3\xbc"\n')
    for source in (path, path.read_bytes(), 'a = "ü"', '\ufeffa = "ü"'):
        assert read_toml(source, "a") == {"a": "ü"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = \nb = 1", r"^a\.toml: not valid TOML: .*line 1"),
        (b"a = '\xfc'", r"^a\.toml: line 1 is not UTF-8; save the file as UTF-8$"),
        (b"\nb = '\xfc'", r"^a\.toml: line 2 is not UTF-8; save the file as UTF-8$"),
        (b"a = 1\nb = '\xfc'", r"^a\.toml: line 2 is not UTF-8; save the file as UTF-8$"),
        (b"a = " + b"[" * 100_000, r"^a\.toml: not valid TOML"),
        (b"a = " + b"9" * 5000, r"^a\.toml: not valid TOML"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_toml(content, "a.toml")


def test_a_file_that_is_not_there_or_not_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^no\.toml: no such file; give the path"):
        read_toml(tmp_path / "no.toml", "no.toml")
    with pytest.raises(InputError, match=r"^folder: cannot be read"):
        read_toml(tmp_path, "folder")


def test_the_parameters_of_a_plan_survive_and_are_complete() -> None:
    text = to_toml(PlanParams())
    again = convert(read_toml(text, "x"), PlanParams, "x")
    assert again == PlanParams()
    assert to_toml(again) == text


@settings(deadline=None)
@given(
    share=st.floats(0, 1),
    folds=st.integers(3, 20),
    label=texts.filter(bool),
    campaign=texts.filter(bool),
    most=st.none() | st.integers(0, 10**9),
)
def test_changed_parameters_of_a_plan_survive(share, folds, label, campaign, most) -> None:
    params = PlanParams()
    catalogue = params.action.catalogue
    first, *others = catalogue.actions
    catalogue = replace(
        catalogue,
        actions=type(catalogue.actions)([replace(first, label=label), *others]),
        control=replace(catalogue.control, share=share, campaign=campaign),
        budget=replace(catalogue.budget, max_contacts=most),
    )
    changed = replace(
        params,
        predict=replace(params.predict, folds=folds),
        action=replace(params.action, catalogue=catalogue, control_share=share),
    )
    assert convert(read_toml(to_toml(changed), "x"), PlanParams, "x") == changed


def test_a_part_of_the_parameters_keeps_the_other_defaults() -> None:
    params = convert({"quality": {"max_rejected_share": 1}, "predict": {"folds": 3}}, PlanParams, "x")
    assert params.quality.max_rejected_share == 1.0
    assert params.predict.folds == 3
    assert params.anomalies == PlanParams().anomalies


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"qualty": {}}, "x: qualty: unknown key 'qualty': did you mean 'quality'"),
        (
            {"quality": {"max_age": 3}},
            "x: quality.max_age: unknown key 'max_age': did you mean 'max_age_days'",
        ),
        ({"quality": {"max_age_days": "soon"}}, "x: quality.max_age_days = 'soon': write a number"),
        ({"predict": {"folds": 2.5}}, "x: predict.folds = 2.5: write a whole number"),
        ({"quality": 3}, "x: quality = 3: write a table"),
        ({"kpis": {"targets": [{"at_least": 1.0}]}}, "x: kpis.targets[0].kpi: is missing; write a text"),
        ({"predict": {"churn_labels": "guess"}}, "x: predict.churn_labels: unknown value 'guess'"),
        ({"predict": {"folds": 1}}, "x: predict: "),
        (
            {"action": {"catalogue": {"channels": {"field": {"cost_eur": -1}}}}},
            "x: action.catalogue.channels.field.cost_eur = -1: write a number of at least 0",
        ),
    ],
)
def test_a_mistake_in_the_parameters_is_named(raw: object, message: str) -> None:
    with pytest.raises(InputError) as error:
        convert(raw, PlanParams, "x")
    assert message in str(error.value)
