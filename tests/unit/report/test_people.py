"""One name, one number and one colour for each person."""

from __future__ import annotations

import polars as pl

from dealwright.report.people import CENTRE, FIELD, people_of, people_table, person


def test_people_are_numbered_by_id_within_their_role() -> None:
    reps = pl.DataFrame({"rep_id": ["R2", "R1", "R2"], "rep_name": ["Laia", "Jordi", "Laia"]})
    staff = pl.DataFrame({"rep_id": ["agent 001"]})
    known = people_of(people_table(reps, staff))
    assert [(who.name, who.role, who.number) for who in known.values()] == [
        ("Jordi", FIELD, 1), ("Laia", FIELD, 2), ("agent 001", CENTRE, 1),
    ]  # fmt: skip


def test_two_people_of_one_name_are_told_apart() -> None:
    reps = pl.DataFrame({"rep_id": ["R1", "R2", "R3"], "rep_name": ["Laia", "Laia", None]})
    assert [who.name for who in people_of(people_table(reps, None)).values()] == [
        "Laia (R1)",
        "Laia (R2)",
        "R3",
    ]


def test_colours_repeat_after_eight_and_numbers_do_not() -> None:
    reps = pl.DataFrame({"rep_id": [f"R{number:02}" for number in range(1, 11)]})
    known = people_of(people_table(reps, None))
    assert known["R09"].colour == known["R01"].colour == 1
    assert known["R09"].number == 9
    assert len({who.hex for who in known.values()}) == 8


def test_nobody_stays_nobody_and_strangers_keep_their_id() -> None:
    assert person({}, None) is None
    stranger = person({}, "X")
    assert stranger is not None
    assert stranger.name == "X"
    assert people_table(None, None).is_empty()
