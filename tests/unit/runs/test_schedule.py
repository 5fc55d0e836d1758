"""When nights are due: on the company's own clock, also where that is put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dealwright.errors import DealwrightError, InputError
from dealwright.runs.schedule import due_nights, next_night
from dealwright.settings import NightSettings, load_settings


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_night_is_due_at_its_time_on_its_own_clock() -> None:
    night = NightSettings(at="02:00", time_zone="Europe/Madrid")
    found = due_nights(night, at("2026-01-05T12:00"), at("2026-01-07T01:00"))
    assert [due.at for due in found] == [at("2026-01-06T01:00"), at("2026-01-07T01:00")]
    assert found[0].key == "schedule 2026-01-06T02:00 Europe/Madrid"
    # the moment itself belongs to the time before it: nobody looks at it twice
    assert due_nights(night, at("2026-01-07T01:00"), at("2026-01-07T23:00")) == ()
    assert next_night(night, at("2026-01-07T01:00")) == at("2026-01-08T01:00")


def test_only_on_the_days_that_are_named() -> None:
    night = NightSettings(at="23:30", days=("mon", "fri"))
    found = due_nights(night, at("2026-01-01T00:00"), at("2026-01-12T23:29"))
    assert [due.at.date().isoformat() for due in found] == ["2026-01-02", "2026-01-05", "2026-01-09"]


def test_the_clock_that_is_put_forward_or_back_leaves_out_no_night_and_doubles_none() -> None:
    night = NightSettings(at="02:30", time_zone="Europe/Madrid")
    spring = due_nights(night, at("2026-03-28T12:00"), at("2026-03-29T12:00"))
    assert [due.at for due in spring] == [at("2026-03-29T01:30")]  # there is no 02:30: it is 03:30
    autumn = due_nights(night, at("2026-10-24T12:00"), at("2026-10-25T12:00"))
    assert [due.at for due in autumn] == [at("2026-10-25T00:30")]  # the first of the two

    # Greenland leaves out the last hour of a Saturday: its 23:30 is 0:30 of Sunday, also for who looks then
    late = NightSettings(at="23:30", time_zone="America/Nuuk", days=("sat",))
    (greenland,) = due_nights(late, at("2026-03-29T01:00"), at("2026-03-29T02:00"))
    assert (greenland.at, greenland.key[9:19]) == (at("2026-03-29T01:30"), "2026-03-28")


def test_nothing_is_due_without_a_time_and_a_long_absence_is_not_listed_whole() -> None:
    assert due_nights(NightSettings(), at("2026-01-01T00:00"), at("2026-02-01T00:00")) == ()
    assert next_night(NightSettings(), at("2026-01-01T00:00")) is None
    night = NightSettings(at="02:00")
    found = due_nights(night, at("2020-01-01T00:00"), at("2026-02-01T12:00"))
    assert len(found) == 32
    assert found[-1].at - found[0].at == timedelta(days=31)


def test_paths_are_meant_from_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "dealwright.toml").write_text(
        'home = "h"\n[night]\nat = "02:00"\ntables = "exports"\ndesk_tables = "crm"\ndesk_map = "astra"\n'
    )
    night = load_settings(environment={}, directory=tmp_path).night
    assert night is not None
    assert (night.tables, night.runs, night.desk_map) == (
        str(tmp_path / "exports"),
        str(tmp_path / "runs"),
        "astra",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('at = "25:00"', "write one like"),
        ('days = ["monday"]', "mon, tue"),
        ('time_zone = "Mars/Olympus"', "Europe/Madrid"),
        ("keep = 0", "from 1 on"),
        ("retries = -1", "from 0 on"),
        ('att = "02:00"', "did you mean"),
        ("at = 2", "text"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_fix(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "dealwright.toml").write_text(f"[night]\n{text}\n")
    with pytest.raises(DealwrightError, match=said) as refused:
        load_settings(environment={}, directory=tmp_path)
    assert isinstance(refused.value, InputError)
