"""Writes the synthetic travel agency as the three CSV files its people would keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dealwright.schemas import History
    from dealwright.simulation.astra_truth import WorldDimension

_TIME = "%Y-%m-%d %H:%M:%S"


def write_agency(history: History, dimensions: Iterable[WorldDimension], directory: Path) -> list[Path]:
    """Write ``space_travel_agents.csv``, ``assignment_history.csv`` and ``bookings.csv`` into the directory.

    Files and columns are those of the Astra agency; a dimension's column stands in the file it is
    recorded with, named like ``LaunchLocation``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with_booking = {d.name for d in dimensions if d.recorded_with == "booking"}
    columns = {d.name: "".join(word.capitalize() for word in d.name.split("_")) for d in history.dimensions}
    frames = {
        "space_travel_agents.csv": _agents(history.agents),
        "assignment_history.csv": history.assignments.select(
            AssignmentID="external_id",
            AgentID="agent_external_id",
            CustomerName="customer_name",
            **{column: name for name, column in columns.items() if name not in with_booking},
            AssignedDateTime=pl.col("assigned_at").dt.strftime(_TIME),
        ),
        "bookings.csv": _bookings(history, {n: c for n, c in columns.items() if n in with_booking}),
    }
    paths = []
    for name, frame in frames.items():
        frame.write_csv(directory / name)
        paths.append(directory / name)
    return paths


def _agents(agents: pl.DataFrame) -> pl.DataFrame:
    first = pl.col("name").str.split(" ").list.first()
    return agents.select(
        AgentID="external_id",
        FirstName=first,
        LastName=pl.col("name").str.split(" ").list.slice(1).list.join(" "),
        Email="email",
        JobTitle="job_title",
        DepartmentName="department",
        ManagerName="manager",
        SpaceLicenseNumber="SL-2081-" + pl.col("external_id").str.zfill(3),
        YearsOfService=pl.col("years_of_service").cast(pl.Int64),
        AverageCustomerServiceRating="rating",
    )


def _bookings(history: History, columns: dict[str, str]) -> pl.DataFrame:
    values = history.assignments.select(pl.col("external_id").alias("assignment_external_id"), *columns)
    joined = history.bookings.join(values, on="assignment_external_id", how="left", maintain_order="left")
    order = sorted(
        columns, key=lambda name: name != "destination"
    )  # the destination comes before its package
    money = {
        "DestinationRevenue": "base_revenue",
        "PackageRevenue": "package_revenue",
        "TotalRevenue": "total_revenue",
    }
    return joined.select(
        BookingID="external_id",
        AssignmentID="assignment_external_id",
        BookingCompleteDate=pl.col("completed_at").dt.strftime(_TIME),
        CancelledDate=pl.col("cancelled_at").dt.strftime(_TIME),
        **{columns[name]: name for name in order[:1]},
        Package="package",
        **{columns[name]: name for name in order[1:]},
        **{column: pl.col(name).cast(pl.Int64) for column, name in money.items()},
        BookingStatus=pl.col("status").str.to_titlecase(),
    )
