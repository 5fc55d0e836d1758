"""The schema of a desk as text, to be compared."""

from __future__ import annotations

import re
import subprocess

from dealwright.desk.cluster import program
from dealwright.desk.database import Database


def schema_of(database: Database) -> str:
    """Return the schema as pg_dump writes it, with the columns of each table in a fixed order.

    A migration adds a column at the end, the fresh schema has it where it belongs: the same table to every
    client that names its columns. Partitions are left out: which there are depends on the day.
    """
    done = subprocess.run(
        [
            program("pg_dump"),
            "--schema-only",
            "--no-owner",
            "--schema=dealwright*",
            *(
                f"--exclude-table=dealwright_engine.{name}_{suffix}"
                for name in ("event", "decision")
                for suffix in ("default", "before_*", "[0-9]*")
            ),
            database.url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    text = re.sub(r"(?m)^(--.*|\\(un)?restrict .*|)\n", "", done.stdout)
    return re.sub(
        r"(CREATE TABLE [^(]+\(\n)(.*?)(\n\);)",
        lambda table: (
            table[1] + "\n".join(sorted(line.rstrip(",") for line in table[2].splitlines())) + table[3]
        ),
        text,
        flags=re.DOTALL,
    )
