"""The project's own rules: what is pinned, and what no file may say."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import is_dataclass
from pathlib import Path
from pkgutil import walk_packages

import pytest

import dealwright

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _tracked() -> list[Path]:
    """Return the files under version control, or skip outside a checkout."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _pins(path: Path) -> dict[str, str]:
    found = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(encoding="utf-8"))
    return {name.lower().replace("_", "-"): version for name, version in found}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_with_hashes_and_without_an_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"(?m)^\s*-", text.replace("    --hash", "    hash")), "an option beside --hash"
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert blocks
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_the_requirement_files_agree_with_each_other() -> None:
    runtime, dev, docs = (_pins(ROOT / "requirements" / f"{name}.txt") for name in ("runtime", "dev", "docs"))
    assert all(dev[name] == version for name, version in runtime.items() if name in dev)
    assert all(docs[name] == {**runtime, **dev}[name] for name in docs if name in {**runtime, **dev})


@pytest.mark.parametrize(
    ("file", "groups"), [("runtime", ["build"]), ("dev", ["dev"]), ("docs", ["docs"]), ("uv", ["bootstrap"])]
)
def test_what_the_project_declares_is_locked(file: str, groups: list[str]) -> None:
    declared = []
    if file not in {"docs", "uv"}:
        extras = PROJECT["project"]["optional-dependencies"].values()
        declared = [*PROJECT["project"]["dependencies"], *(item for extra in extras for item in extra)]
    for group in groups:
        declared += PROJECT["dependency-groups"][group]
    names = {re.split(r"[\s\[<>=!~;]", item, maxsplit=1)[0].lower().replace("_", "-") for item in declared}
    missing = names - _pins(ROOT / "requirements" / f"{file}.txt").keys()
    assert not missing, f"run `python3 do.py lock`: {missing}"


def test_do_imports_only_the_standard_library() -> None:
    tree = ast.parse((ROOT / "do.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    assert imported <= set(sys.stdlib_module_names) | {"__future__"}


def test_continuous_integration_runs_the_readme_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"(?m)^exec python3 do\.py test$", script)
    assert "set -euo pipefail" in script
    assert subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=False).returncode == 0


def test_a_dataclass_is_frozen_unless_it_is_filled_step_by_step() -> None:
    modules = [
        importlib.import_module(item.name) for item in walk_packages(dealwright.__path__, "dealwright.")
    ]
    own = {item for module in modules for item in vars(module).values() if isinstance(item, type)}
    found = [item for item in own if is_dataclass(item) and item.__module__.startswith("dealwright.")]
    assert len(found) > 100
    open_ones = {item.__qualname__ for item in found if not item.__dataclass_params__.frozen}
    assert open_ones == {
        "Found",
        "LeadFile",
        "Tracer",
        "_Desk",
        "_Family",
        "_Plan",
        "_Reader",
        "_Script",
        "_Writer",
    }


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    hosts = r"\bpypi\.(?:org|python\.org)\b|pythonhosted\.(?:org)|registry\.(?:npmjs|yarnpkg)\."
    places = "|".join(re.escape(f"{place}/") for place in (ROOT, ROOT.parent / "shared", Path.home()))
    forbidden = re.compile(f"{hosts}|{places}")
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a font
        lines = text.splitlines() if len(text) < 2_000_000 else []
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line[:120]}"
            for n, line in enumerate(lines, 1)
            if forbidden.search(line)
        ]
    assert found == []


def test_names_and_versions_agree() -> None:
    assert PROJECT["project"]["version"] == dealwright.__version__
    assert f"## [{dealwright.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def _anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings have, on GitHub and in the built documentation."""
    headings = re.findall(r"(?m)^#{1,3} (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_decision_has_its_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len(pages) <= 9, "a decision belongs into the page of its topic"
    for page in pages:
        sections = re.split(r"(?m)^## ", page.read_text(encoding="utf-8"))[1:]
        assert sections, page.name
        for section in sections:
            where = f"{page.name}: {section.splitlines()[0]}"
            order = [
                re.search(part, section, re.MULTILINE)
                for part in (
                    r"^\*\*Context\.\*\*",
                    r"^\*\*Decision\.\*\*",
                    r"^\*\*(?:Measured|Consequence)",
                    r"^\*Reconsider when\*",
                )
            ]
            found = [match.start() for match in order if match]
            assert len(found) == len(order), where
            assert found == sorted(found), where


def test_every_reference_to_a_decision_resolves() -> None:
    checked, broken = 0, []
    for path in _tracked():
        if (
            path.suffix not in {".py", ".sql", ".md", ".toml", ".html", ".ipynb"}
            or "migrations" in path.parts
        ):
            continue  # a migration that was released keeps its text
        text = path.read_text(encoding="utf-8")
        here = path.parent.name == "decisions"
        pattern = r"decisions/([\w-]+\.md)(?:#([\w-]+))?" + (r"|\(([a-z]+\.md)?#([\w-]+)\)" if here else "")
        for match in re.finditer(pattern, text):
            page, anchor, sibling, other = (*match.groups(), None, None)[:4]
            target = ROOT / "docs" / "decisions" / (page or sibling or path.name)
            checked += 1
            anchor = anchor or other
            if not target.is_file() or (anchor and anchor not in _anchors(target)):
                broken.append(f"{path.relative_to(ROOT)}: {match.group()}")
    assert checked > 30
    assert broken == []


def test_whoever_takes_the_lock_of_upgrades_takes_the_same_one() -> None:
    found = {
        key
        for path in (ROOT / "src" / "dealwright" / "desk").rglob("*")
        if path.suffix in (".sql", ".py")
        for key in re.findall(r"hashtext\('dealwright upgrade'\), (\d+)", path.read_text(encoding="utf-8"))
    }
    assert found == {"0"}
