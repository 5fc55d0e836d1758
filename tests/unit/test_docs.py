"""The documentation names only what there is: tests, commands, sections, pages, words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from dealwright.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md"))]


def _text(page: Path) -> str:
    return re.sub(r"(?ms)^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """Return what a link to a heading, or to a named place, may say."""
    text = _text(page)
    headings = [re.sub(r"[`*]", "", heading) for heading in re.findall(r"(?m)^#{1,3} (.+)$", text)]
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"(?m)^\(([\w-]+)\)=$", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_sections_lead_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", _text(page)):
        other = (page.parent / target).resolve() if target else page
        assert anchor in _anchors(other), f"{page.relative_to(ROOT)} links to {target}#{anchor}"


def test_each_capability_has_a_command_and_a_test_that_exist() -> None:
    entries = re.findall(
        r"(?m)^(\S.*)\n: `dealwright ([\w-]+)`.*\n  `(tests/.+?)`(?:, \*(.+)\*)?$",
        _text(DOCS / "what-it-does.md"),
    )
    assert len(entries) > 30
    assert len(entries) == _text(DOCS / "what-it-does.md").count("\n: ")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for capability, command, path, name in entries:
        assert command in commands, capability
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not name or f"def test_{name.replace(' ', '_')}(" in source, f"{capability}: {name}"


def test_what_is_owed_names_a_function_that_holds_it_and_a_test_that_exist() -> None:
    text = _text(DOCS / "owed.md")
    entries = re.findall(
        r"(?ms)^(\S[^\n]*)\n: .+?\n  Held by `dealwright(?:_engine)?\.(\w+)`\.  \n"
        r"  `(tests/[^`]+)`(?:, \*([^*]+)\*)?$",
        text,
    )
    assert len(entries) == text.count("\n: ") > 10
    scripts = (ROOT / "src/dealwright/desk/sql").glob("*/*.sql")
    engine = "\n".join(script.read_text(encoding="utf-8") for script in scripts)
    for owed, function, path, name in entries:
        assert f".{function}(" in engine, owed
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not name or f"def test_{name.replace(' ', '_')}(" in source, f"{owed}: {name}"


def test_the_glossary_is_in_order_and_has_a_sentence_for_each_word() -> None:
    entries = re.findall(r"(?m)^(\S.*)\n: (.+)$", _text(DOCS / "glossary.md"))
    words = [word for word, _ in entries]
    assert len(words) > 40
    assert words == sorted(words, key=str.lower)
    assert len(set(words)) == len(words)
    for word, sentence in entries:
        assert sentence.endswith("."), word


def test_every_page_stands_in_the_contents() -> None:
    listed = re.findall(r"(?m)^([\w/-]+)$", (DOCS / "index.md").read_text(encoding="utf-8"))
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.glob("**/*.md")}
    assert sorted(listed) == sorted(pages - {"index"})
