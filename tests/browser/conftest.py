"""Fixtures of these tests: the system's Chromium, and one real run whose data try to break out of pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from browsing import Open, Opened, open_page
from playwright.sync_api import Browser, sync_playwright

from dealwright.cli.main import main
from dealwright.runs.schema_text import schema_toml
from dealwright.simulation.barcelona import BarcelonaParams, generate
from dealwright.simulation.geography import land_geojson

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)> `${alert(3)}` {{ 7 * 7 }} "


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return the system's Chromium, or skip."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(names)} is installed")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=found, args=list(FLAGS), headless=True)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Return a function that opens pages, closed after the test."""
    opened: list[Opened] = []

    def remember(*arguments: object, **options: object) -> Opened:
        opened.append(partial(open_page, browser)(*arguments, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield remember
    for item in opened:
        item.page.context.close()


@pytest.fixture(scope="session")
def run_folder(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plan a night for 300 accounts and 4 representatives from files, with nasty names and ids."""
    folder = tmp_path_factory.mktemp("browser")
    world = generate(BarcelonaParams(n=300, reps=4), seed=5).inputs
    spoiled = {}
    for name in ("accounts", "orders", "touches", "history", "reps"):
        table = getattr(world, name)
        if "account_id" in table.columns:
            table = table.with_columns(account_id=pl.lit("<u>") + pl.col("account_id"))
        for column in ("name", "rep_name"):
            if column in table.columns:
                table = table.with_columns((pl.lit(NASTY) + pl.col(column)).alias(column))
        table.write_parquet(folder / f"{name}.parquet")
        spoiled[name] = str(folder / f"{name}.parquet")
    (folder / "schema.toml").write_text(schema_toml(world.schema), encoding="utf-8")
    (folder / "quick.toml").write_text("[predict]\nfolds = 3\nreasons = 1\n", encoding="utf-8")
    (folder / "land.geojson").write_text(json.dumps(land_geojson()), encoding="utf-8")
    options = [f"--{name}={path}" for name, path in spoiled.items()]
    with pytest.raises(SystemExit) as left:
        main(["plan", *options, f"--schema={folder / 'schema.toml'}", f"--params={folder / 'quick.toml'}",
              f"--land={folder / 'land.geojson'}", "--as-of=2026-06-30",
              f"--out={folder / 'run'}"])  # fmt: skip
    assert left.value.code == 0
    return folder / "run"
