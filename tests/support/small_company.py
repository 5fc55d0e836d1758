"""A company of forty accounts, planned through the command line within a second or two."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from dealwright.cli.main import main
from dealwright.runs.schema_text import schema_toml
from dealwright.simulation.barcelona import BarcelonaParams, generate

QUICK = """
[predict]
folds = 3
reasons = 1
[route]
extra_hour = false
iterations = 300
[schedule]
runs = 10
interval_min = 30
forecast_days = 0
"""


# what is worked out of the finished plan is half of a small night
NO_COMPARISONS = "headcount = false\none_more = false\n"


@dataclass
class Night:
    """What a run left behind."""

    said: str
    folder: Path

    @property
    def accounts(self) -> pl.DataFrame:
        return pl.read_parquet(self.folder / "accounts.parquet")

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"{name}.parquet")

    @property
    def notices(self) -> list[str]:
        return list(json.loads((self.folder / "notices.json").read_text()))


class Company:
    """A small company whose tables a test can change before it plans."""

    def __init__(self, folder: Path, tables: dict[str, pl.DataFrame]) -> None:
        self.folder, self.tables = folder, tables
        self.capsys: pytest.CaptureFixture[str]

    def plan(self, *options: str, expect: int = 0, **tables: pl.DataFrame | None) -> Night:
        """Plan with some tables in the place of the company's; ``None`` leaves one out."""
        given = {**self.tables, **tables}
        arguments = [f"--schema={self.folder / 'schema.toml'}", f"--params={self.folder / 'quick.toml'}"]
        for name, frame in given.items():
            if frame is not None:
                path = self.folder / f"given-{name}.parquet"
                frame.write_parquet(path)
                arguments += [f"--{name.replace('_', '-')}", str(path)]
        out = self.folder / "run"
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["plan", *arguments, *options, "--out", str(out)])
        captured = self.capsys.readouterr()
        said = " ".join((captured.out + captured.err).split())
        assert int(left.value.code or 0) == expect, said
        assert "Traceback" not in said
        assert "something went wrong" not in said
        night = Night(said, out)
        if expect == 0:
            nobody_is_dropped(given["accounts"], night)
        return night


@pytest.fixture(scope="module")
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Draw the company; a module that wants other parameters says so in ``PARAMETERS``."""
    world = generate(BarcelonaParams(n=40), seed=4)
    folder = tmp_path_factory.mktemp("company")
    (folder / "schema.toml").write_text(schema_toml(world.inputs.schema))
    (folder / "quick.toml").write_text(getattr(request.module, "PARAMETERS", NO_COMPARISONS + QUICK))
    names = ("accounts", "orders", "touches", "reps")
    return Company(folder, {name: getattr(world.inputs, name) for name in names})


@pytest.fixture
def company(drawn: Company, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("COLUMNS", "200")
    drawn.capsys = capsys
    return drawn


def nobody_is_dropped(given: pl.DataFrame | None, night: Night) -> None:
    """Every account has a channel, a place in the queue, or a reason; so has every missing contact."""
    accounts = night.accounts
    rejected = night.folder / "rejected" / "given-accounts.csv"
    aside = pl.read_csv(rejected).height if rejected.exists() else 0
    assert given is not None
    assert accounts.height + aside == given.height
    for row in accounts.iter_rows(named=True):
        served, waiting = row["channel"] is not None, bool(row["wait_reason"])
        refused = row["action"] == "nothing" and row["reasons"] and row["excluded"]
        assert served or waiting or refused, row
        assert not (served and waiting), row
        if row["channel"] == "field" and "visit_at" in row:
            assert row["visit_at"] is not None or row["visit_note"], row
        if row["channel"] == "outbound_cc":
            assert row["call_at"] is not None or row["call_note"], row
