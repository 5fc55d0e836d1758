"""What a day is changed with, as files of a run: who could be visited or called, and who works when."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from dealwright.plan.result import Plan
from dealwright.plan.routing.requests import open_during_shifts, read_reps, read_requests
from dealwright.runs.task_file import compression_level
from dealwright.schemas import STAFF_COLUMNS, conform

REQUEST_FILE: Final = "visit_requests.parquet"
REP_FILE: Final = "reps.parquet"
CENTRE_FILES: Final = ("centre_work.parquet", "call_windows.parquet", "centre_staff.parquet")


def write_day_files(plan: Plan, folder: Path) -> None:
    """Write ``visit_requests.parquet`` and ``reps.parquet`` of a plan that has routes, and `CENTRE_FILES`.

    A visit is worth what the routes took it for; of an account that was not among their visits, what its
    decision is expected to bring.
    """
    staff = pl.DataFrame(schema=STAFF_COLUMNS) if plan.inputs.staff is None else plan.inputs.staff
    frames = plan.schedule.work, plan.schedule.call_windows, conform(staff, STAFF_COLUMNS, "rep_id")
    for name, frame in zip(CENTRE_FILES, frames, strict=True):
        frame.write_parquet(folder / name, compression_level=compression_level(frame))
    if plan.routes is None or plan.territories is None:
        return
    inputs, params = plan.inputs, plan.params.route
    reps = read_reps(inputs, params)
    # every account may be added by hand, whatever channel it was given
    decisions = plan.channels.frame.drop("channel", strict=False)
    requests = read_requests(
        inputs, decisions, territories=plan.territories.frame, promises=inputs.promises, params=params
    )
    routed = pl.concat(
        [plan.tables[name].select("account_id", "value_eur") for name in ("visits", "left_out")]
    ).unique("account_id", keep="first")
    requests = requests.update(routed, on="account_id", how="left")
    requests = open_during_shifts(requests, reps)
    requests.write_parquet(folder / REQUEST_FILE, compression_level=compression_level(requests))
    pl.DataFrame(
        [vars(rep) for rep in reps],
        schema={
            "rep_id": pl.String, "lat_deg": pl.Float64, "lon_deg": pl.Float64, "shift_start_min": pl.Int64,
            "shift_end_min": pl.Int64, "visits_per_day": pl.Int64,
        },
    ).write_parquet(folder / REP_FILE)  # fmt: skip
