"""Other editions of the package's SQL files, to upgrade to."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.resources import as_file
from pathlib import Path

from dealwright.desk.migrations import package_sql

_ROUTINE = re.compile(r"(?m)^create or replace (?:function|procedure) dealwright_engine\.(\w+)")
_START = re.compile(r"(?m)^(?=create or replace )")
# the statements that Python sends name these, and an older program goes on working beside a newer desk
_NAMED_OUTSIDE = {"own_id", "policy_for", "rebase_ids"}  # the last by a view that an upgrade keeps


class Edition:
    """A copy of the package's SQL files that may be changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with as_file(package_sql()) as folder:
            shutil.copytree(folder, root, dirs_exist_ok=True)

    def write(self, path: str, text: str) -> None:
        """Write one file, and its folder where there is none."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands in a file."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} does not say {old!r}"
        self.write(path, text.replace(old, new))

    def add_migration(self, name: str, text: str) -> str:
        """Add a migration after the last one; returns its name."""
        number = len(list((self.root / "migrations").glob("*.sql"))) + 1
        stem = f"{number:04}_{name}"
        self.write(f"migrations/{stem}.sql", text)
        return stem

    def rename_engine(self, suffix: str) -> int:
        """Give every routine of the engine another name, wherever it is named; returns how many."""
        texts = {path: path.read_text(encoding="utf-8") for path in self._repeated()}
        names = {name for text in texts.values() for name in _ROUTINE.findall(text)} - _NAMED_OUTSIDE
        called = re.compile(rf"\bdealwright_engine\.({'|'.join(sorted(names))})\b(?=\()")
        for path, text in texts.items():
            parts = [_rename_own_parameters(part, suffix) for part in _START.split(text)]
            path.write_text(called.sub(rf"dealwright_engine.\g<1>{suffix}", "".join(parts)), encoding="utf-8")
        return len(names)

    def _repeated(self) -> Iterator[Path]:
        for folder in ("engine", "api"):
            yield from sorted((self.root / folder).glob("*.sql"))


def _rename_own_parameters(definition: str, suffix: str) -> str:
    """Follow the name of a routine where it stands before one of its parameters."""
    if (found := _ROUTINE.match(definition)) is None or found[1] in _NAMED_OUTSIDE:
        return definition
    return re.sub(rf"(?<![\w.]){found[1]}\.(?=\w)", f"{found[1]}{suffix}.", definition)
