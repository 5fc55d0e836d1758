"""The desk and learning work without the libraries of an extra, and what needs one names it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest

from dealwright.extras import EXTRAS
from dealwright.simulation.astra import AstraParams, generate_astra

ROOT = Path(__file__).resolve().parents[2]
# an import hook that hides the modules of all extras, and what only they bring along
BLOCK = """
import sys
HIDDEN = {hidden!r}
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hide())
"""
BROUGHT_ALONG = ("pandas", "llvmlite", "joblib", "PIL")


class Bare:
    """Runs Python and the command line as on a machine without any extra."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        hidden = {name for names in EXTRAS.values() for name in names} | set(BROUGHT_ALONG)
        (folder / "hide").mkdir()
        (folder / "hide" / "sitecustomize.py").write_text(BLOCK.format(hidden=sorted(hidden)))

    def run(self, *command: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        source = f"{self.folder / 'hide'}{os.pathsep}{ROOT / 'src'}"
        environment = {
            **os.environ, "PYTHONPATH": source, "COLUMNS": "200",
            "DEALWRIGHT_HOME": str(self.folder / "home"),
        }  # fmt: skip
        environment.pop("DATABASE_URL", None)
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, check=False, env=environment,
            cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def dealwright(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "dealwright", *arguments, expect=expect)


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


def test_the_desk_imports_trains_ranks_and_assigns_without_any_extra(bare: Bare) -> None:
    generate_astra(AstraParams(6, 400, effects="strong", seed=2, pending_share=0.01)).write(bare.folder / "a")
    try:
        bare.dealwright("init")
        bare.dealwright("import", "--map", "astra", "a")
        trained = bare.dealwright("train", "--out", str(bare.folder / "p"))
        assert "agents_with_intervals.svg" in trained.stdout
        page = (bare.folder / "p" / "summary.html").read_text()
        assert "<h1>" in page
        assert page.count('class="picture"') == 3
        weights = json.loads(bare.dealwright("train", "--classic", "--json").stdout)["weights"]
        assert len(weights) == 9
        lead = [
            f"--set={value}"
            for value in (
                "destination=Mars", "lead_source=Organic", "communication_method=Text",
                "launch_location=Dallas-Fort Worth Launch Complex",
            )
        ]  # fmt: skip
        ranking = json.loads(bare.dealwright("rank", *lead, "--json").stdout)["ranking"]
        placed = json.loads(bare.dealwright("assign", "--customer", "Kate", *lead, "--json").stdout)
        assert placed["agent_id"] in {row["agent_id"] for row in ranking}
        bare.dealwright("evidence", "--no-pictures")
        missing = bare.dealwright("task", "publish", "nowhere", expect=2)
        assert "holds no tasks.parquet" in missing.stderr  # the desk publishes runs of another machine
    finally:
        bare.run("-c", "from dealwright.desk.server import stop_server as s; import os, pathlib; "
                 "s(pathlib.Path(os.environ['DEALWRIGHT_HOME']))")  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [("plan", "--world", "barcelona", "--out", "out"), ("plan", "--orders", "o.csv", "--out", "out"),
     ("report", "run")],
)  # fmt: skip
def test_the_plan_names_its_extra_in_one_line(bare: Bare, command: tuple[str, ...]) -> None:
    said = bare.dealwright(*command, expect=2)
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1
    assert "the nightly plan needs " in said.stderr
    assert said.stderr.rstrip().endswith("pip install 'dealwright[plan]'")
    assert not (bare.folder / "out").exists()


def test_from_python_the_error_is_typed(bare: Bare) -> None:
    code = """
import dealwright
for name in ("run_plan", "route", "RouteParams", "run_night"):
    try:
        getattr(dealwright, name)
    except dealwright.MissingExtraError as error:
        assert isinstance(error, dealwright.DealwrightError) and error.exit_code == 2
        assert "pip install 'dealwright[plan]'" in str(error) and "numba" in str(error)
    else:
        raise SystemExit(f"{name} was imported")
dealwright.Desk, dealwright.Lead, dealwright.publish_run, dealwright.read_plan_inputs
"""
    bare.run("-c", code)


def test_the_extras_are_those_that_are_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = packages_distributions()
    for extra, modules in EXTRAS.items():
        found = {
            name.lower().replace("_", "-")
            for module in modules
            for name in (known[module] if "." not in module else _parts_of_a_namespace(module))
        }
        assert found == _names(declared["optional-dependencies"][extra])
        assert not found & _names(declared["dependencies"])


def _parts_of_a_namespace(module: str) -> list[str]:
    file = f"{module.replace('.', '/')}/__init__.py"
    return [found.name for found in distributions() if any(str(path) == file for path in found.files or ())]


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~;\[]", item)[0] for item in requirements}
