"""Whatever is given as a file, an option or a word ends in what was asked for, or in an error with the fix.

A few of each kind are drawn here. Others, and more of them: ``MALFORMED=20000 MALFORMED_SEED=1 pytest
tests/integration/test_malformed_inputs.py -k mapping -s``. What arrives by HTTP: test_service_malformed.py.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
import typer
from engine import add_agent, declare
from ledger import check_desk
from malformed_inputs import Spoiler, commands

from dealwright.cli.main import app, main
from dealwright.cli.proposals import _read_params
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.lead import Lead
from dealwright.errors import InputError
from dealwright.plan.actions.catalogue_file import default_catalogue_text, parse_catalogue
from dealwright.plan.params import PlanParams
from dealwright.runs.request import read_request
from dealwright.runs.schema_text import schema_toml
from dealwright.schemas import Intake
from dealwright.settings import load_settings
from dealwright.simulation.astra import AstraParams, generate_astra
from dealwright.simulation.barcelona import BarcelonaParams, generate
from dealwright.tables.history import read_history
from dealwright.tables.mapping import parse_mapping, read_mapping
from dealwright.tables.plan_inputs import read_plan_inputs
from dealwright.toml import to_toml

SEED = int(os.environ.get("MALFORMED_SEED", "0"))
MAPS = Path(read_mapping.__code__.co_filename).parent / "maps"
NIGHT = """
[night]
at = "02:00"
time_zone = "Europe/Madrid"
days = ["mon", "fri"]
tables = "tables"
retries = 3
retry_after_min = 2.5
[retention]
texts_days = 365.0
[webhooks]
give_up_days = 2.0
[oidc]
issuer = "https://login.example.com"
client_id = "dealwright"
scopes = { Sales = ["agent"], Managers = ["manager", "planner"] }
"""
POLICIES = {
    "fair": '{"seed": 7, "window_start": "2026-01-01T00:00:00Z"}',
    "value": '{"objective": "revenue", "fairness": 0.2, "respond_within_min": 30, "accept_within_min": 5}',
    "workload": "{}",
    "classic": '{"owner_first": true}',
}
# these serve, wait or copy whole databases: only what they refuse at once is asked of them
SLOW = {"serve", "worker", "mcp", "demo", "backup", "restore", "stop", "roles", "train", "evidence"}


@dataclass
class Tally:
    """What became of the inputs that were drawn."""

    refused: set[int] = field(default_factory=set)
    passed: set[int] = field(default_factory=set)

    def count(self, given: object, *, refused: bool) -> None:
        (self.refused if refused else self.passed).add(hash(given))

    def check(self) -> None:
        """Fail where next to nothing was refused, or everything was: then nothing was tried."""
        print(f"{len(self.refused)} refused, {len(self.passed)} taken, all different")  # noqa: T201 - by hand
        assert len(self.refused) > len(self.passed) / 10


def drawn(few: int) -> int:
    return int(os.environ.get("MALFORMED", few))


def spoilers(few: int) -> list[Spoiler]:
    return [Spoiler(random.Random(1_000_000 * SEED + number)) for number in range(drawn(few))]


def is_refused(read: Callable[[], object], place: str, given: object) -> bool:
    """Return whether reading ends in an error of ours that names the place; fail where it is another one."""
    try:
        read()
    except InputError as error:
        said = str(error)
    except Exception as error:
        raise AssertionError(given) from error
    else:
        return False
    assert place in said, (given, said)
    assert 2 < said.count(" ") < 400, (given, said)
    return True


DOCUMENTS: dict[str, tuple[str, Callable[[str, Path], object]]] = {
    "mapping": ((MAPS / "astra.toml").read_text("utf-8"), lambda text, _: parse_mapping(text, "given.toml")),
    "catalogue": (default_catalogue_text(), lambda text, _: parse_catalogue(text, "given.toml")),
    "params": (
        to_toml(PlanParams()),
        lambda _, file: read_request(file.parent / "out", {}, params=file),
    ),
    "settings": (NIGHT, lambda _, file: load_settings(environment={"DEALWRIGHT_CONFIG": str(file)})),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    good, read = DOCUMENTS[kind]
    file, tally = tmp_path / "given.toml", Tally()
    file.write_text(good, "utf-8")
    read(good, file)
    for spoiler in spoilers(40):
        content = spoiler.document(good)
        file.write_bytes(content)
        given: str | bytes = content if kind == "mapping" else content.decode("utf-8", "replace")
        refused = is_refused(lambda: read(given, file), "given.toml", content)  # noqa: B023
        tally.count(content, refused=refused)
    tally.check()


def check_problems(intake: Intake, given: object) -> bool:
    """Return whether rows were rejected; each says where, why, and what to write instead."""
    rejected = intake.problems.filter(pl.col("level") == "rejected")
    for row in rejected.iter_rows(named=True):
        assert row["file"], (given, row)
        assert row["reason"], (given, row)
        assert row["fix"], (given, row)
    return rejected.height > 0


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agency")
    world = generate_astra(AstraParams(n_agents=5, n_assignments=20, seed=1))
    world.write(folder)
    return folder


def spoiled_folder(spoiler: Spoiler, good: Path, folder: Path, mapping: str) -> tuple[object, str]:
    """Write tables of which one is spoiled, and a mapping that names it; return its content and name."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    file = spoiler.rng.choice(sorted(folder.glob("*.csv")))
    ending, content = spoiler.table(pl.read_csv(file, infer_schema=False))
    file.unlink()
    spoiled = file.with_suffix(f".{ending}")
    spoiled.write_bytes(content)
    text = (MAPS / "astra.toml").read_text("utf-8").replace(file.name, spoiled.name)
    (folder / mapping).write_text(text, "utf-8")
    return (file.name, content), spoiled.name


def test_tables_of_the_desk_are_read_or_refused(agency: Path, tmp_path: Path) -> None:
    tally = Tally()
    for spoiler in spoilers(25):
        given, name = spoiled_folder(spoiler, agency, tmp_path / "tables", "company.toml")
        company = read_mapping(tmp_path / "tables" / "company.toml")
        read: list[Intake] = []
        refused = is_refused(
            lambda: read.append(read_history(company, tmp_path / "tables").intake),  # noqa: B023
            name.partition(".")[0], given,
        )  # fmt: skip
        tally.count(given, refused=refused or check_problems(read[0], given))
    tally.check()


def test_tables_of_the_night_are_read_or_refused(tmp_path: Path) -> None:
    inputs = generate(BarcelonaParams(n=25), seed=4).inputs
    (tmp_path / "schema.toml").write_text(schema_toml(inputs.schema))
    schema = read_mapping(tmp_path / "schema.toml")
    tables = {name: getattr(inputs, name) for name in ("accounts", "orders", "touches", "reps")}
    tables = {name: frame.head(40) for name, frame in tables.items()}
    tally = Tally()
    for spoiler in spoilers(25):
        name = spoiler.rng.choice(sorted(tables))
        plain = tables[name].select(pl.all().exclude(pl.List(pl.String)))
        ending, content = spoiler.table(plain)
        file = tmp_path / f"spoiled.{ending}"
        file.write_bytes(content)
        given, read = {**tables, name: file}, list[Intake]()
        refused = is_refused(
            lambda: read.append(read_plan_inputs(schema=schema, **given).intake),  # noqa: B023
            "spoiled", (name, content),
        )  # fmt: skip
        tally.count((name, content), refused=refused or check_problems(read[0], content))
    tally.check()


def said_by(words: list[str]) -> tuple[int, str, str]:
    """Run the command line in this process; return its exit code and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main(words)
    return int(left.value.code or 0), out.getvalue(), err.getvalue()


def check_answer(words: list[str], code: int, out: str, err: str) -> bool:
    """Return whether a command was refused; fail where it broke, or says nothing."""
    shown = (words, code, out[-500:], err[-2_000:])
    assert code in {0, 1, 2}, shown
    assert "Traceback" not in out + err, shown
    assert "something went wrong" not in err, shown
    if code == 2:
        assert err.strip().count(" ") > 1, shown
    return code != 0


@pytest.fixture
def floor(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DEALWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for name in ("A1", "A2"):
            add_agent(connection, name, capacity=5)
    return database


def test_words_of_commands_are_understood_or_refused(floor: Database, agency: Path, tmp_path: Path) -> None:
    known = list(commands(typer.main.get_command(app)))
    tally, found = Tally(), spoilers(30)
    for number, spoiler in enumerate(found):
        command = spoiler.rng.choice(known)
        slow = bool(SLOW & set(command.words)) or command.words[:1] == ["plan"]
        words = [*command.words, *spoiler.words(command.options, command.arguments, refused=slow)]
        if number % 40 == 7:  # a process of its own tells whether anything escapes at its end
            done = subprocess.run(
                [sys.executable, "-m", "dealwright", *words],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            refused = check_answer(words, done.returncode, done.stdout, done.stderr)
        else:
            refused = check_answer(words, *said_by(words))
        tally.count(tuple(words), refused=refused)
        if number % 200 == 9:
            given, _ = spoiled_folder(spoiler, agency, tmp_path / "tables", "company.toml")
            check_answer(["import", str(given)], *said_by(["import", str(tmp_path / "tables")]))
    tally.check()
    with floor.connect(autocommit=True) as connection:
        check_desk(connection, queue=False)


def test_policies_are_understood_or_refused(floor: Database) -> None:
    tally, enquiry = Tally(), {"destination": "Mars", "lead_source": "Organic"}
    with Desk(floor) as desk:
        for number, spoiler in enumerate(spoilers(40)):
            name = spoiler.rng.choice(sorted(POLICIES))
            text = spoiler.text(POLICIES[name])
            usable = None if name == "classic" else name  # which has no weights here
            before = desk.book.policies()
            if number % 30 == 7:
                words = ["policy", "set", name, "--params", text]
                refused = check_answer(words, *said_by(words))
            else:
                refused = is_refused(
                    lambda: desk.proposals.change_policy(name, _read_params(text)),  # noqa: B023
                    "", text,
                )  # fmt: skip
            if refused:
                assert desk.book.policies() == before, (name, text)
            tally.count((name, text), refused=refused)
            assert desk.rank(Lead("Kate", enquiry), policy=usable).ranking, (name, text)
    tally.check()
