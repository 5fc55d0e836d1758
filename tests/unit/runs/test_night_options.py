"""What may be asked of a night: nothing outside the folder of the tables."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dealwright.errors import InputError
from dealwright.runs.night_options import build_request, read_options
from dealwright.settings import NightSettings


@pytest.fixture
def night(tmp_path: Path) -> NightSettings:
    (tmp_path / "tables" / "north").mkdir(parents=True)
    (tmp_path / "tables" / "north" / "accounts.csv").touch()
    (tmp_path / "secret.csv").touch()
    (tmp_path / "tables" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "night.toml").write_text("[route]\niterations = 7\n[run]\nseed = 5\n")
    return NightSettings(
        tables=str(tmp_path / "tables"), params=str(tmp_path / "night.toml"), models="m", osrm="http://o"
    )


def test_a_request_is_made_of_the_settings_and_of_what_was_asked(
    night: NightSettings, tmp_path: Path
) -> None:
    options = read_options(
        {"as_of": "2026-01-31T08:00:00", "seed": 3, "params": {"route": {"iterations": 9}}, "currency": "USD"}
    )
    made = build_request(night, options, tmp_path / "out", tmp_path / "before")
    assert made.directory == str(tmp_path / "tables")
    assert (made.as_of, made.seed, made.publish) == (datetime(2026, 1, 31, 8), 3, True)
    assert (made.models, made.osrm, made.previous) == ("m", "http://o", str(tmp_path / "before"))
    # what was asked for beside what the file says
    assert made.params.route.iterations == 9
    assert made.params.report.currency == "USD"
    assert build_request(night, read_options({}), tmp_path / "out").params.route.iterations == 7
    assert not build_request(night, read_options({"publish": False}), tmp_path / "out").publish


def test_paths_stay_below_the_folder_of_the_tables(night: NightSettings, tmp_path: Path) -> None:
    made = build_request(
        night, read_options({"directory": "north", "accounts": "north/accounts.csv"}), tmp_path / "out"
    )
    assert made.directory == str(tmp_path / "tables" / "north")
    assert made.accounts == str(tmp_path / "tables" / "north" / "accounts.csv")
    for name, path in (
        ("accounts", "../secret.csv"), ("accounts", str(tmp_path / "secret.csv")), ("accounts", "link.csv"),
        ("directory", ".."), ("map", "/etc/passwd"), ("directory", "absent"), ("orders", "a\0b"),
    ):  # fmt: skip
        with pytest.raises(InputError, match="below the folder of the tables"):
            build_request(night, read_options({name: path}), tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sed": 1}, "did you mean"),
        ({"seed": -1}, "seed"),
        ({"as_of": "yesterday"}, "2026-01-31"),
        ({"world": "barcelona", "n": 10**9}, "at most"),
        ({"osrm": "http://169.254.169.254"}, "unknown"),  # no address comes from a request
        ({"out": "/tmp"}, "unknown"),
        ({"params": {"route": {"iteration": 9}}}, "did you mean"),
        ({"params": {"run": {"land": "/etc/passwd"}}}, "options of their own"),
    ],
)
def test_what_no_night_understands_is_refused(
    options: dict[str, Any], said: str, night: NightSettings, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        build_request(night, read_options(options), tmp_path / "out")


def test_without_tables_there_is_no_night_but_a_drawn_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tables are configured"):
        build_request(NightSettings(), read_options({}), tmp_path)
    assert build_request(NightSettings(), read_options({"world": "barcelona", "n": 40}), tmp_path).n == 40
