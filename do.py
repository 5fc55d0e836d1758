#!/usr/bin/env python3
"""Everything a developer does with Dealwright, on a machine that has only Python 3.11+ and pip.

Each command first brings the environment in .venv up to date: pip fetches the pinned uv into .bootstrap, uv
installs exactly what the hashed files in requirements/ name, and the project itself is installed editable.
A stamp in .venv remembers what was installed, so that a command on an unchanged checkout starts at once.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python can get this far, and is told what to do
    sys.exit(
        "Dealwright needs Python 3.11 or newer, for example: python3.11 do.py demo\nThis is " + sys.version
    )

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
BOOTSTRAP = ROOT / ".bootstrap"
STAMP = VENV / "dealwright-stamp.json"

# what is installed at each level; a later file holds to the pins of the earlier ones
LEVELS = {
    "runtime": ("runtime.txt",),
    "dev": ("runtime.txt", "dev.txt"),
    "docs": ("runtime.txt", "dev.txt", "docs.txt"),
}
# requirements file -> arguments of `uv pip compile`, in the order in which they are compiled
LOCKS = {
    "uv.txt": ("--group", "bootstrap"),
    "runtime.txt": ("pyproject.toml", "--all-extras", "--group", "build"),
    "dev.txt": ("pyproject.toml", "--all-extras", "--group", "dev", "-c", "requirements/runtime.txt"),
    "docs.txt": ("--group", "docs", "-c", "requirements/runtime.txt", "-c", "requirements/dev.txt"),
}
# the SQL contract is also tested against these (tests/support/servers.py): another major version, an owner
# who is no superuser, vector in a schema of its own
OTHER_SERVERS = ("16,owner",)
# of values and words the same is said everywhere; roles and their limits take an administrator
ELSEWHERE_NOT = "bounds or refusals or roles or by_hand or intruder"
# every process has a server of its own, the tests of a file share what they prepare, long files come first
ON_ALL_CORES = ("-n", "logical", "--dist", "loadfile", "--no-loadscope-reorder")
NOT_COMPILED = r"[/\\]tests[/\\]"
CHECKS = ("mypy", "ruff format --check .", "ruff check .", "lint-imports --no-logo")
# finds the tests, and compiles them once for the processes that run them
COLLECT = "pytest --collect-only -qq"
# Python writes what it compiles also where it otherwise may not, as _compile() does
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
Args = Sequence[str]


class SetupError(Exception):
    """The environment cannot be made ready; the message says what to do about it."""


def sync(level: str, *, force: bool = False) -> None:
    """Bring .venv up to date for ``level`` (runtime, dev or docs), doing nothing when it already is."""
    wanted, found = _fingerprints(), _stamp()
    same_base = found.get("base") == wanted["base"] and PYTHON.exists()
    # a higher level holds everything of a lower one, so `demo` after `test` has nothing to do
    held = list(LEVELS).index(found["level"]) if same_base and found.get("level") in LEVELS else -1
    goal = list(LEVELS)[max(held, list(LEVELS).index(level))]
    if not force and held >= 0 and goal == found["level"] and found.get(goal) == wanted[goal]:
        return
    start = time.perf_counter()
    uv = _uv()
    STAMP.unlink(missing_ok=True)  # an interrupted run must not look finished
    if force or not same_base:
        # the interpreter behind a virtual environment: .venv may be running this very script
        python = getattr(sys, "_base_executable", None) or sys.executable
        _step(
            f"environment for Python {wanted['python']}", uv, "venv", "--clear", "--python", python, str(VENV)
        )
    files = [str(ROOT / "requirements" / name) for name in LEVELS[goal]]
    _step(f"packages ({goal})", uv, "pip", "sync", "--python", str(PYTHON), "--require-hashes", *files)
    own = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _step("dealwright itself", uv, "pip", "install", "--python", str(PYTHON), *own)
    _compile()
    STAMP.write_text(json.dumps({**wanted, "level": goal}, indent=1), encoding="utf-8")
    _say(f"ready in {time.perf_counter() - start:.1f} s")


def _compile() -> None:
    """Compile what was installed, and the project, once.

    Otherwise every process compiles a thousand modules anew, seconds of its time, where Python may not write
    (PYTHONDONTWRITEBYTECODE, as in many containers), and elsewhere the first one does.
    """
    folders = [str(path) for path in (*VENV.glob("[Ll]ib/**/site-packages"), ROOT / "src")]
    command = (str(PYTHON), "-m", "compileall", "-qq", "-j", "0", "-x", NOT_COMPILED, *folders)
    # some packages hold files for another version of Python, which cannot be compiled and are not imported
    _step("bytecode", *command, may_fail=True)


def _fingerprints() -> dict[str, str]:
    """What an environment of each level depends on, as digests; a new ``base`` needs a new one."""
    python = ".".join(map(str, sys.version_info[:3]))
    # scripts and the editable install hold absolute paths, so a moved checkout needs a new environment
    marks = {"python": python, "base": f"{python} {sys.platform} {ROOT}"}
    project = (ROOT / "pyproject.toml").read_bytes()
    for level, names in LEVELS.items():
        digest = hashlib.sha256(project)
        for name in ("uv.txt", *names):
            digest.update(_requirements(name))
        marks[level] = digest.hexdigest()
    return marks


def _requirements(name: str) -> bytes:
    try:
        return (ROOT / "requirements" / name).read_bytes()
    except FileNotFoundError:
        raise SetupError(
            f"requirements/{name} is missing: restore it from git, or run `do.py lock`"
        ) from None


def _stamp() -> dict[str, str]:
    try:
        found = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _uv() -> str:
    """Path of the pinned uv, fetched by pip at first; nothing outside the checkout is touched."""
    version = _requirements("uv.txt").decode().split("==")[1].split()[0]
    if not (BOOTSTRAP / f"uv-{version}.dist-info").is_dir():
        if find_spec("pip") is None:
            if installed := shutil.which("uv"):
                return installed
            raise SetupError(
                f"this Python ({sys.executable}) has no pip, which is needed once to fetch uv {version}.\n"
                "Install it (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip; "
                "elsewhere: python3 -m ensurepip --user) or install uv itself, and run the command again."
            )
        shutil.rmtree(BOOTSTRAP, ignore_errors=True)
        options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:")
        source = ("--target", str(BOOTSTRAP), "-r", str(ROOT / "requirements" / "uv.txt"))
        _step(f"uv {version}", sys.executable, "-m", "pip", "install", *options, *source)
    for folder in ("bin", "Scripts"):
        if found := shutil.which("uv", path=str(BOOTSTRAP / folder)):
            return found
    raise SetupError(f"pip installed no uv program under {BOOTSTRAP}: delete that directory and run again")


def _environment() -> dict[str, str]:
    """Variables for pip and uv, without the user's settings that contradict a private environment."""
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    # `user = true` or `require-virtualenv = true` in a pip.conf would refuse --target
    env.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_ROOT_USER_ACTION="ignore")
    # uv does not read pip's settings: hand on the mirror and certificate a machine may depend on
    for ours, theirs in (("UV_DEFAULT_INDEX", "index-url"), ("SSL_CERT_FILE", "cert")):
        if theirs in _pip_settings():
            env.setdefault(ours, _pip_settings()[theirs])
    return env


@cache
def _pip_settings() -> dict[str, str]:
    """Return pip's settings from its files and, above them, its environment variables."""
    if find_spec("pip") is None:
        return {}
    command = (sys.executable, "-m", "pip", "config", "list")
    env = {**os.environ, "PIP_USER": "0"}  # 1 would list the user's own file only
    listed = subprocess.run(command, capture_output=True, text=True, check=False, env=env).stdout
    found = re.findall(r"(?m)^(:env:|global)\.([\w-]+)='(.*)'$", listed)
    return {name: value for _, name, value in sorted(found, key=lambda item: item[0] == ":env:")}


def _step(label: str, *command: str, may_fail: bool = False) -> None:
    """Run one step of the set-up; uv shows its own progress to a person, and only errors to a log."""
    start = time.perf_counter()
    _say(f"{label} …")
    quiet = ("--quiet",) if Path(command[0]).stem == "uv" and not sys.stderr.isatty() else ()
    code = subprocess.call([command[0], *quiet, *command[1:]], cwd=ROOT, env=_environment())
    if code and not may_fail:
        raise SetupError(f"{label} failed with exit code {code}; the lines above say why")
    _say(f"{label} in {time.perf_counter() - start:.1f} s")


def _say(text: str) -> None:
    print(f"do.py: {text}", file=sys.stderr, flush=True)


def _run(program: str, *args: str, **variables: str) -> int:
    """Run a program of the environment from the project's root and return its exit code."""
    return subprocess.call([_program(program), *args], cwd=ROOT, env={**os.environ, **variables})


def _program(name: str) -> str:
    found = shutil.which(name, path=str(BIN))
    if found is None:
        raise SetupError(f"{name} is missing from {BIN}: run `python3 do.py sync`")
    return found


def demo(args: Args) -> int:
    """Show Dealwright at work on a generated company; only the runtime packages are needed."""
    sync("runtime")
    return _run("dealwright", "demo", *args)


def lint(args: Args) -> int:
    """Check format, style, types and the direction of imports."""
    _refuse(args, "lint")
    sync("dev")
    return _check(*CHECKS)


def _check(*checks: str) -> int:
    """Run checks beside each other; what one said is shown when it failed."""

    def run(check: str) -> tuple[subprocess.CompletedProcess[str], float]:
        start = time.perf_counter()
        program, *args = check.split()
        done = subprocess.run(
            [_program(program), *args], cwd=ROOT, env={**os.environ, **COMPILED}, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )  # fmt: skip
        return done, time.perf_counter() - start

    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for check, (done, took_s) in zip(checks, pool.map(run, checks), strict=True):
            print(f"--- {check}\n    {took_s:.1f} s", flush=True)
            if done.returncode:
                failed.append(check)
                print(done.stdout, flush=True)
    print(f"FAILED: {'; '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


def test(args: Args) -> int:
    """Run every check and every test; with arguments (handed to pytest) only those tests."""
    sync("dev")
    if args:
        return _run("pytest", *args)
    # types take one processor a minute, in which another one finds the tests
    failed = _check(CHECKS[0], COLLECT, *CHECKS[1:])
    failed = _run("pytest", *ON_ALL_CORES, "-m", "not alone", **COMPILED) or failed
    failed = _run("pytest", *_tests_marked("alone"), "-m", "alone", **COMPILED) or failed
    for server in OTHER_SERVERS:
        contract = ("tests/contract", "-k", f"test_sql and not ({ELSEWHERE_NOT})")
        failed = _run("pytest", *ON_ALL_CORES, *contract, **COMPILED, DEALWRIGHT_TEST_SERVER=server) or failed
    return failed


def _tests_marked(mark: str) -> list[str]:
    """Return the files of tests that name a mark: to find its tests in all files takes a minute."""
    found = (ROOT / "tests").rglob("test_*.py")
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in found
        if f"pytest.mark.{mark}" in path.read_text(encoding="utf-8")
    )


def bench(args: Args) -> int:
    """Run the benchmarks, or the one named; further arguments are handed to it (--list: which there are)."""
    names = _benchmarks()
    if list(args) == ["--list"]:
        print("\n".join(f"{name:10} {about}" for name, about in names.items()))
        return 0
    chosen, rest = ([args[0]], args[1:]) if args and not args[0].startswith("-") else (list(names), args)
    if unknown := [name for name in chosen if name not in names]:
        return _unknown("benchmark", unknown[0], list(names))
    sync("dev")
    return max((_run("python", str(Path("benchmarks") / f"{name}.py"), *rest) for name in chosen), default=0)


def _benchmarks() -> dict[str, str]:
    """Return name -> what it measures, of the files in benchmarks/ that can be run; others serve them."""
    texts = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "benchmarks").glob("*.py"))}
    return {
        name: (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
        for name, text in texts.items()
        if '__name__ == "__main__"' in text
    }


def mutate(args: Args) -> int:
    """Change a module in one place at a time and see whether its tests notice: mutate MODULE [TESTS]."""
    sync("dev")
    return _run("python", str(Path("tests") / "mutation.py"), *args)


def docs(args: Args) -> int:
    """Build the documentation into build/docs; every warning is an error."""
    sync("docs")
    code = _run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "build/docs", *args)
    if code == 0:
        print(f"open {ROOT / 'build' / 'docs' / 'index.html'}")
    return code


def lock(args: Args) -> int:
    """Compile requirements/*.txt from pyproject.toml (--upgrade: to the newest versions)."""
    common = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header")
    uv = _uv()
    for name, source in LOCKS.items():
        _step(name, uv, "pip", "compile", "--quiet", *source, *common, *args, "-o", f"requirements/{name}")
    return 0


def sync_command(args: Args) -> int:
    """Set up .venv: sync [runtime|dev|docs], default dev; --force builds it anew."""
    levels = [arg for arg in args if arg != "--force"] or ["dev"]
    if levels[0] not in LEVELS:
        return _unknown("level", levels[0], list(LEVELS))
    _refuse(levels[1:], "sync")
    sync(levels[0], force="--force" in args)
    return 0


COMMANDS: dict[str, Callable[[Args], int]] = {
    "demo": demo,
    "test": test,
    "lint": lint,
    "bench": bench,
    "mutate": mutate,
    "docs": docs,
    "sync": sync_command,
    "lock": lock,
}


def _refuse(args: Args, command: str) -> None:
    if args:
        raise SetupError(f"{command} does not take {' '.join(args)!r}")


def _unknown(kind: str, name: str, allowed: list[str]) -> int:
    near = get_close_matches(name, allowed, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(allowed) or 'none'}"
    print(f"unknown {kind} {name!r}: {hint}", file=sys.stderr)
    return 2


def main(argv: Args) -> int:
    """Run one command and return its exit code."""
    if not argv or argv[0] in {"-h", "--help", "help"}:
        print("usage: python3 do.py COMMAND [ARGUMENTS]\n")
        for name, command in COMMANDS.items():
            print(f"  {name:6} {(command.__doc__ or '').splitlines()[0]}")
        return 0
    if argv[0] not in COMMANDS:
        return _unknown("command", argv[0], list(COMMANDS))
    try:
        return COMMANDS[argv[0]](argv[1:])
    except SetupError as error:
        print(f"do.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
