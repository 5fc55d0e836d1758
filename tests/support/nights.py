"""A service beside the tables of a small company, whose nights take some seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import TestServer
from serving import Serving, served_floor
from small_company import QUICK

from dealwright.runs.schema_text import schema_toml
from dealwright.simulation.barcelona import BarcelonaParams, generate

SETTINGS = """
[night]
tables = "tables"
params = "quick.toml"
retries = 0
"""


def write_company(folder: Path, accounts: int = 200, reps: int = 2) -> None:
    """Write the tables of a small company, and the settings of a service beside them."""
    company = generate(BarcelonaParams(n=accounts, reps=reps), seed=1)
    tables = folder / "tables"
    tables.mkdir()
    mapping = schema_toml(company.inputs.schema)
    for name, frame in company.tables.items():
        if frame is None:
            continue
        frame.write_parquet(tables / f"{name}.parquet")
        header, file = f"[{name}]\n", f'[{name}]\nfile = "{name}.parquet"\n'
        mapping = mapping.replace(header, file) if header in mapping else f"{mapping}\n{file}"
    (tables / "company.toml").write_text(mapping)
    (folder / "quick.toml").write_text(f"headcount = false\n{QUICK}")
    (folder / "dealwright.toml").write_text(SETTINGS)


@contextmanager
def served_nights(server: TestServer, template: str, folder: Path, *options: str) -> Iterator[Serving]:
    """Serve a new desk beside such a company, with a worker unless the options say otherwise."""
    write_company(folder)
    with served_floor(server, template, folder, *options) as found:
        yield found
