"""A desk as version 0.1 left it, to be upgraded: ``tests/fixtures/version_0_1`` says what it holds."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

from psycopg import Connection

from dealwright.desk.cluster import program
from dealwright.desk.database import Database

DUMP = Path(__file__).resolve().parents[1] / "fixtures" / "version_0_1" / "desk.sql.xz"


def restore_version_0_1(database: Database, dump: Path = DUMP) -> None:
    """Build the desk of version 0.1 in an empty database, among transactions younger than its own."""
    subprocess.run(
        [
            program("psql"),
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "-v",
            "ON_ERROR_STOP=1",
            database.url,
        ],
        input=lzma.decompress(dump.read_bytes()),
        check=True,
        capture_output=True,
    )
    with database.connect() as connection:
        _pass_transactions(connection)


def _pass_transactions(connection: Connection) -> None:
    """Use up transaction ids until those of the dump are in the past, as they are where it was made."""
    connection.execute("create temporary table used (nothing integer)")
    connection.execute(
        """
        do $$
        declare
            newest constant bigint := (select max(d.xid::text::bigint) from dealwright.event as d);
        begin
            for missing in 0 .. newest - pg_current_xact_id()::text::bigint loop
                begin
                    insert into used values (1);
                    raise division_by_zero;
                exception when division_by_zero then
                    null;
                end;
            end loop;
        end
        $$
        """
    )
