"""do.py: what it installs when, and what it says to somebody who mistypes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return do.py working on a checkout of its own, with its set-up steps recorded in ``do.steps``."""
    spec = importlib.util.spec_from_file_location("do_of_test", ROOT / "do.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "requirements").mkdir()
    for name in ("uv", "runtime", "dev", "docs"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}==1.0 \\\n    --hash=sha256:00\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    venv = tmp_path / ".venv"
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "BIN": venv / "bin",
        "PYTHON": venv / "bin" / "python",
        "BOOTSTRAP": tmp_path / ".bootstrap",
        "STAMP": venv / "dealwright-stamp.json",
    }.items():
        monkeypatch.setattr(module, name, value)
    steps: list[str] = []

    def step(label: str, *command: str, may_fail: bool = False) -> None:
        steps.append(label)
        if "venv" in command:
            module.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            module.PYTHON.touch()
        if label.startswith("uv "):
            (module.BOOTSTRAP / "uv-1.0.dist-info").mkdir(parents=True)
            program = module.BOOTSTRAP / "bin" / ("uv.exe" if sys.platform == "win32" else "uv")
            program.parent.mkdir()
            program.touch(mode=0o755)

    monkeypatch.setattr(module, "find_spec", lambda name: spec)  # this environment was made without pip
    monkeypatch.setattr(module, "_step", step)
    module.steps = steps  # type: ignore[attr-defined]
    return module


def _kinds(do: ModuleType) -> list[str]:
    kinds = [label.split(" for ")[0] for label in do.steps]
    do.steps.clear()
    return kinds


def test_sets_up_once_and_then_does_nothing(do: ModuleType) -> None:
    do.sync("runtime")
    assert _kinds(do) == ["uv 1.0", "environment", "packages (runtime)", "dealwright itself", "bytecode"]
    do.sync("runtime")
    assert _kinds(do) == []


def test_adds_a_level_and_never_takes_one_away(do: ModuleType) -> None:
    do.sync("runtime")
    _kinds(do)
    do.sync("dev")
    assert _kinds(do) == ["packages (dev)", "dealwright itself", "bytecode"]
    do.sync("runtime")
    assert _kinds(do) == []


@pytest.mark.parametrize("file", ["requirements/dev.txt", "requirements/runtime.txt", "pyproject.toml"])
def test_follows_a_change_of_what_it_installed(file: str, do: ModuleType) -> None:
    do.sync("dev")
    _kinds(do)
    with (do.ROOT / file).open("a") as changed:
        changed.write("# changed\n")
    do.sync("runtime")
    assert _kinds(do) == ["packages (dev)", "dealwright itself", "bytecode"]


def test_ignores_a_change_of_what_it_did_not_install(do: ModuleType) -> None:
    do.sync("runtime")
    _kinds(do)
    (do.ROOT / "requirements" / "docs.txt").write_text("docs==2.0")
    do.sync("runtime")
    assert _kinds(do) == []


def test_finishes_a_set_up_that_was_interrupted(do: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    do.sync("runtime")
    _kinds(do)
    recorded = do._step

    def fail(label: str, *command: str, may_fail: bool = False) -> None:
        recorded(label, *command)
        if label.startswith("packages"):
            raise do.SetupError("no network")

    monkeypatch.setattr(do, "_step", fail)
    with pytest.raises(do.SetupError):
        do.sync("dev")
    _kinds(do)
    monkeypatch.setattr(do, "_step", recorded)
    do.sync("runtime")
    assert _kinds(do) == ["environment", "packages (runtime)", "dealwright itself", "bytecode"]


def test_builds_anew_for_another_python_place_or_on_request(
    do: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    do.sync("runtime")
    _kinds(do)
    do.sync("runtime", force=True)
    assert "environment" in _kinds(do)
    monkeypatch.setattr(do.sys, "version_info", (3, 99, 0))
    do.sync("runtime")
    assert "environment" in _kinds(do)


def test_modules_are_compiled_also_where_python_may_not_write_them(
    do: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("do_that_steps", ROOT / "do.py")
    assert spec is not None
    assert spec.loader is not None
    really = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(really)
    monkeypatch.setattr(really, "ROOT", do.ROOT)
    monkeypatch.setattr(do, "_step", really._step)
    monkeypatch.setattr(do, "PYTHON", Path(sys.executable))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    packages = do.VENV / "lib" / "python3" / "site-packages"
    for folder in (do.ROOT / "src", packages, packages / "tests"):
        folder.mkdir(parents=True)
        (folder / "module.py").write_text("VALUE = 1\n")
    (packages / "broken.py").write_text("for another version of Python:\n")
    do._compile()
    found = {path.parents[1] for path in do.ROOT.rglob("*.pyc")}
    assert found == {do.ROOT / "src", packages}


def test_what_a_check_said_is_shown_when_it_failed(
    do: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(do, "_program", lambda name: {"python": sys.executable}[name])
    assert do._check("python -c print('well')", "python -c 1/1") == 0
    said = capfd.readouterr().out
    assert said.endswith("all checks passed\n")
    assert "--- python -c 1/1\n" in said
    assert "\nwell" not in said
    assert do._check("python -c unknown", "python -c 1", "python -c 1/0") == 1
    said = capfd.readouterr().out
    assert "name 'unknown' is not defined" in said
    assert said.endswith("FAILED: python -c unknown; python -c 1/0\n")


def test_finds_the_files_that_hold_tests_with_a_mark(do: ModuleType) -> None:
    for name, text in {
        "tests/unit/test_one.py": "@pytest.mark.alone\ndef test_it(): ...",
        "tests/test_two.py": "pytestmark = [pytest.mark.slow, pytest.mark.alone]",
        "tests/unit/test_three.py": "@pytest.mark.slow\ndef test_nobody_is_alone(): ...",
    }.items():
        (do.ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (do.ROOT / name).write_text(text)
    assert do._tests_marked("alone") == ["tests/test_two.py", "tests/unit/test_one.py"]


def test_fetches_another_uv_when_the_pin_moves(do: ModuleType) -> None:
    do.sync("runtime")
    _kinds(do)
    (do.BOOTSTRAP / "uv-1.0.dist-info").rename(do.BOOTSTRAP / "uv-0.9.dist-info")
    (do.ROOT / "requirements" / "uv.txt").write_text("uv==1.0 \\\n    --hash=sha256:11\n")
    do.sync("runtime")
    assert _kinds(do) == ["uv 1.0", "packages (runtime)", "dealwright itself", "bytecode"]


def test_says_what_to_do_without_pip(do: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(do, "find_spec", lambda name: None)
    monkeypatch.setattr(do.shutil, "which", lambda name, path=None: None)
    with pytest.raises(do.SetupError, match=r"no pip.*uv 1\.0[\s\S]*apt install python3-pip"):
        do.sync("runtime")


@pytest.mark.parametrize("where", ["variable", "file"])
def test_hands_a_mirror_on_to_uv(
    where: str, do: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(do.sys, "executable", sys._base_executable)  # type: ignore[attr-defined]
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_USER", "1")
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    if where == "file":
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    else:
        monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    environment = do._environment()
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["PIP_USER"] == "0"


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "do.py", *args], capture_output=True, text=True, check=False
    )


def test_helps_and_corrects() -> None:
    helped = _run()
    assert helped.returncode == 0
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for command in ("demo", "test", "lint", "bench", "docs", "sync", "lock"):
        assert f"\n  {command} " in helped.stdout
        assert f"python3 do.py {command}" in guide
    wrong = _run("tset")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "unknown command 'tset': did you mean 'test'?\n"
    assert _run("sync", "runtme").stderr == "unknown level 'runtme': did you mean 'runtime'?\n"
    assert _run("bench", "no-such-benchmark").returncode == 2


def test_benchmarks_are_listed_without_the_modules_that_serve_them() -> None:
    listed = _run("bench", "--list")
    found = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines())
    assert found.keys() >= {"routing", "territory", "channel", "schedule", "plan", "desk"}
    assert not found.keys() & {"toptw", "nearest", "targets", "routing_references"}
    assert all(about.endswith(".") for about in found.values())
    assert _run("bench", "toptw").returncode == 2
