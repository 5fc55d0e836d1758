"""Find and read the tables a mapping names, each file once, with the columns of their lookups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from dealwright.errors import InputError
from dealwright.tables.coercion import Coercion
from dealwright.tables.mapping import CompanyMap, Lookup
from dealwright.tables.reader import (
    Format,
    RawTable,
    data_set_files,
    is_parquet,
    read_table,
    scan_data_set,
)
from dealwright.tables.validation import Rows, find_columns


class Sources:
    """The tables of a company.

    Parameters
    ----------
    company
        Which tables there are, and what their files are called.
    directory
        Where the files are; None where every table is given.
    given
        Table -> path or data frame that replaces the mapping's file.
    """

    def __init__(
        self, company: CompanyMap, directory: Path | None = None, given: Mapping[str, Any] | None = None
    ) -> None:
        self.company = company
        self.directory = directory
        self.given = {name: source for name, source in (given or {}).items() if source is not None}
        self._read: dict[tuple[str, Format], RawTable] = {}
        if directory is not None and not directory.is_dir():
            kind = "is a file, not a directory" if directory.exists() else "does not exist"
            raise InputError(f"the directory {directory} {kind}: give the directory that holds the tables")

    def has(self, name: str) -> bool:
        """Tell whether there is a table."""
        if name in self.given:
            return True
        said = self.company.tables.get(name)
        if said is None:
            return False
        if said.file is not None:
            return self.directory is not None
        return said.taken_from is not None and self.has(said.taken_from)

    def shares(self, name: str) -> str | None:
        """Return the table out of whose rows a table is taken; None if it has rows of its own."""
        said = self.company.tables.get(name)
        if said is None or name in self.given:
            return None
        place = said.file, said.format.sheet, said.format.query
        same = [
            other
            for other, its in self.company.tables.items()
            if other != name
            and its.file is not None
            and (its.file, its.format.sheet, its.format.query) == place
            and other not in self.given
        ]
        return said.taken_from or (same[0] if same else None)

    def raw(self, name: str) -> RawTable:
        """Read a table as it is; the file of two tables is read once."""
        said = self.company.table(name)
        if name in self.given:
            source = self.given[name]
            if not isinstance(source, str | Path):
                return read_table(source, said.format, name)
            return self._file(str(source), said.format, f"--{name.replace('_', '-')}", None)
        if said.taken_from is not None and said.file is None:
            return self.raw(said.taken_from)
        return self._file(str(said.file), said.format, f"{self.company.path}: {name}.file", self.directory)

    def data_set(self, name: str) -> pl.LazyFrame | None:
        """Scan a table that can be read part by part: Parquet, whose rows are read as they are.

        None where the mapping leaves rows out, looks something up, or shares the file with another table.
        """
        said = self.company.tables.get(name)
        source: Any = self.given.get(name)
        if source is None and said is not None and said.file is not None and self.directory is not None:
            source = self.directory / Path(said.file).expanduser()
        shared = self.shares(name) is not None or any(
            its.taken_from == name for its in self.company.tables.values()
        )
        looked_up = any(lookup.table == name for lookup in self.company.lookups.values())
        filtered = said is not None and said.where is not None
        if not isinstance(source, str | Path) or shared or looked_up or filtered:
            return None
        return scan_data_set(Path(source)) if is_parquet(Path(source)) else None

    def rows(
        self,
        name: str,
        wanted: Mapping[str, str] | None = None,
        part: RawTable | None = None,
        *,
        end: bool = True,
    ) -> Rows:
        """Read a table for its checks, with the columns of its lookups.

        Parameters
        ----------
        wanted
            Further columns it must have -> who asks for them.
        part
            Some of its rows, in the place of all of them.
        end
            Whether these are the last rows, which may be totals.
        """
        said = self.company.table(name)
        asked = {
            column: f"{name}.{field}" for field, source in said.fields.items() for column in source.columns
        }
        asked |= wanted or {}
        plain = part or self.raw(name)
        raw, filled = self._with_lookups(name, plain, asked)
        if said.where is not None:
            asked |= dict.fromkeys(said.where.columns, f"{name}.where")
        others = {its.file: its.frame.columns for its in self._read.values()}
        find_columns(raw, asked, others)
        rows = Rows(said, raw, totals=end)
        rows.original = plain  # what was looked up is no part of the file
        rows.used.update(filled)
        return rows

    def _with_lookups(self, name: str, raw: RawTable, asked: Iterable[str]) -> tuple[RawTable, set[str]]:
        """Add the columns of lookups that are asked for, as ``lookup.column``."""
        keys: set[str] = set()
        for lookup in self.company.lookups.values():
            prefix = f"{lookup.name}."
            columns = [c for c in asked if c.startswith(prefix) and c not in raw.frame.columns]
            if lookup.table not in (name, self.company.table(name).taken_from) or not columns:
                continue
            keys.add(lookup.on)
            key = f"lookup.{lookup.name}"
            find_columns(raw, {lookup.on: f"{key}.on"})
            raw = replace(raw, frame=raw.frame.hstack(self._looked_up(lookup, raw, columns)))
        return raw, keys

    def _looked_up(self, lookup: Lookup, raw: RawTable, columns: list[str]) -> pl.DataFrame:
        other = self._file(
            lookup.file, lookup.format, f"{self.company.path}: lookup.{lookup.name}", self.directory
        )
        plain = [column.removeprefix(f"{lookup.name}.") for column in columns]
        find_columns(
            other, {lookup.key: f"lookup.{lookup.name}.key", **dict.fromkeys(plain, f"lookup.{lookup.name}")}
        )
        found = other.frame.select(
            Coercion(other).cleaned(lookup.key).alias("\0key"),
            *(pl.col(name).alias(column) for name, column in zip(plain, columns, strict=True)),
        ).unique("\0key", keep="first", maintain_order=True)
        ids = Coercion(raw).cleaned(lookup.on).alias("\0key").to_frame()
        return ids.join(found, on="\0key", how="left", maintain_order="left").select(columns)

    def _file(self, name: str, given: Format, key: str, directory: Path | None) -> RawTable:
        known = self._read.get((name, given))
        if known is None:
            known = self._read[name, given] = read_table(self._find(name, key, directory), given)
        return known

    def _find(self, name: str, key: str, directory: Path | None) -> Path | str:
        if name.startswith(("postgresql://", "postgres://")):
            return name
        path = (directory or Path()) / Path(name).expanduser()
        if path.is_file() or (path.is_dir() and data_set_files(path)):
            return path
        if path.is_dir() and path != (directory or Path()):
            raise InputError(
                f"{str(path)!r} ({key}) is a folder without Parquet files: name a file, or a data set"
            )
        folder = path.parent
        present = sorted(item.name for item in folder.iterdir() if item.is_file()) if folder.is_dir() else []
        near = get_close_matches(path.name, present, n=1, cutoff=0.5)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"{folder} holds {', '.join(present[:10]) or 'no files'}"
        )
        raise InputError(f"there is no file {str(path)!r} ({key}): {hint}")
