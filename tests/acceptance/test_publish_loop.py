"""The loop closes: three days of tasks published, done and reported; each plan knows the days before.

What customers answer is drawn from the synthetic company's true probabilities, which no stage reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest
from command_line import Command
from engine import rows

from dealwright.desk.database import Database
from dealwright.simulation.response import with_channel

ACCOUNTS, DAYS = 220, 3
MIN_GAP = timedelta(days=2)  # the built-in catalogue's rule
SILENT = "inbound_cc"  # said when the customer calls: nobody is contacted
QUICK = "[predict]\nfolds = 3\nreasons = 1\n"


@dataclass
class Company:
    """A company that works off its tasks, and what it remembers of them.

    Attributes
    ----------
    finished
        Task -> account, action, channel, outcome and moment, as its people reported them.
    """

    dealwright: Command
    database: Database
    truth: dict[str, dict[str, Any]]
    rng: np.random.Generator
    finished: dict[int, tuple[str, str, str, str, datetime]] = field(default_factory=dict)

    def work(self, day: int) -> None:
        """Do most of the day's tasks, and report them: by command, by file, and by SQL as a CRM would."""
        planned = [row for row in self.tasks() if row["status"] == "planned"]
        self.rng.shuffle(planned)
        skipped, planned = planned[:8], planned[8:]
        self.dealwright("task", "start", skipped[0]["task_id"])
        self.dealwright("task", "cancel", skipped[1]["task_id"], "--note", "closed for holidays")
        reports = [(row, *self._answer(row, day)) for row in planned]
        visits = [item for item in reports if item[0]["channel"] == "field"]
        calls = [item for item in reports if item[0]["channel"] == "outbound_cc"]
        others = [item for item in reports if item[0]["channel"] not in ("field", "outbound_cc")]
        for row, outcome, at in visits:
            self.dealwright("task", "done", row["task_id"], outcome, "--at", at.isoformat())
        lines = [f"{row['task_id']},{outcome},{at.isoformat(' ')}" for row, outcome, at in others]
        Path("outcomes.csv").write_text("\n".join(["task_id,outcome,done_at", *lines]) + "\n")
        if others:
            self.dealwright("task", "report", "outcomes.csv")
        with psycopg.connect(self.database.url) as crm:
            crm.cursor().executemany(
                "update dealwright.task set status = %s, outcome = %s, "
                "done_at = %s::timestamp at time zone 'Europe/Madrid' where task_id = %s",
                [
                    ("failed" if outcome == "not_reached" else "done", outcome, at, row["task_id"])
                    for row, outcome, at in calls
                ],
            )
        for row, outcome, at in reports:
            about = row["account_id"], row["action"], row["channel"]
            self.finished[row["task_id"]] = (*about, outcome, at)

    def _answer(self, row: dict[str, Any], day: int) -> tuple[str, datetime]:
        """Draw what the account answers, and when."""
        known = self.truth[row["account_id"]]
        chance = with_channel(
            np.array([known[f"response_{row['action']}"]]),
            np.array([known["preferred_channel"] == row["channel"]]),
        )[0]
        at = datetime(2026, 7, day, 10) + timedelta(minutes=int(self.rng.integers(0, 480)))
        if row["channel"] == "outbound_cc" and self.rng.random() < 0.2:
            return "not_reached", at
        if self.rng.random() < chance:
            return "responded", at
        return ("rejected" if self.rng.random() < 0.1 else "no_response"), at

    def tasks(self, *options: str) -> list[dict[str, Any]]:
        """Return the tasks as the command lists them."""
        listed: list[dict[str, Any]] = self.dealwright("task", "list", *options, "--json").json
        return listed

    def record(self) -> list[dict[str, Any]]:
        """Return everything the desk holds of tasks."""
        with self.database.connect() as connection:
            return [
                *rows(connection, "select * from dealwright.task order by task_id"),
                *rows(connection, "select * from dealwright.plan_run order by run_id"),
            ]

    def check_record(self) -> None:
        """Every outcome that was ever reported stands as it was reported."""
        with self.database.connect() as connection:
            seen = rows(
                connection,
                "select t.task_id, t.account_id, t.action, t.channel, k.outcome, t.touched_at "
                "from dealwright.touch as t join dealwright.task as k using (task_id)",
            )
        assert {row.pop("task_id"): tuple(row.values()) for row in seen} == self.finished


def trace(run: Path) -> dict[str, dict[str, Any]]:
    """Return the summaries of a run's stages."""
    records = [json.loads(line) for line in (run / "trace.jsonl").read_text().splitlines()]
    return {record["stage"]: record["summary"] for record in records}


def night(day: int, *more: str) -> list[str]:
    """Return the arguments of the plan on the evening before a day: from the company's own files."""
    world = Path("runs/day1/world")
    files = [
        f"--{name}={world / name}.parquet" for name in ("accounts", "orders", "touches", "reps", "history")
    ]
    return ["plan", *files, f"--schema={world / 'schema.toml'}", "--params=quick.toml", "--seed=5",
            f"--as-of=2026-07-{day - 1:02d}T22:00:00", f"--previous=runs/day{day - 1}", *more]  # fmt: skip


def contacted(company: Company, since: datetime) -> set[str]:
    """Return who was contacted (on a channel that counts as contact) after a moment."""
    return {
        account
        for account, _, channel, _, at in company.finished.values()
        if channel != SILENT and at > since
    }


@pytest.fixture
def company(dealwright: Command, database: Database) -> Company:
    """Plan and publish the first day, of a company that has never heard of a desk."""
    Path("quick.toml").write_text(QUICK)
    answer = dealwright(
        "plan", "--world", "barcelona", "--n", ACCOUNTS, "--params", "quick.toml", "--seed", 5,
        "--out", "runs/day1", "--publish", "--json",
    ).json  # fmt: skip
    assert answer["published"]["new"] == answer["published"]["tasks"] > 50
    world = Path("runs/day1/world")
    known = pl.read_parquet(world / "accounts.parquet").select("account_id", "preferred_channel")
    truth = pl.read_parquet(world / "truth.parquet").join(known.drop_nulls("account_id").unique("account_id"),
                                                          on="account_id", how="left")  # fmt: skip
    by_account = {row["account_id"]: row for row in truth.iter_rows(named=True)}
    return Company(dealwright, database, by_account, np.random.default_rng(11))


def test_three_days_of_work_and_the_plans_between(company: Company) -> None:
    dealwright = company.dealwright
    in_files = trace(Path("runs/day1"))["quality"]["touches"]
    learned = trace(Path("runs/day1"))["action"]
    for day in range(1, DAYS + 1):
        run = Path(f"runs/day{day}")
        if day > 1:
            dealwright(*night(day, f"--out={run}", "--publish"))
        # published once more: nothing changes
        before = company.record()
        assert dealwright("task", "publish", run, "--json").json["published"] is False
        assert company.record() == before
        company.check_record()
        planned = [row for row in company.tasks() if row["status"] == "planned"]
        assert {row["day"] for row in planned} == {f"2026-07-{day:02d}"}
        assert len(planned) > 2

        # what was reported is a touch of this night's plan, and nobody is contacted again too soon
        quality = trace(run)["quality"]
        assert quality["touches"] == in_files + len(company.finished)
        evening = datetime(2026, 7, day) - timedelta(hours=2)
        tired = contacted(company, evening - MIN_GAP)
        asked = {row["account_id"] for row in planned if row["channel"] != SILENT}
        assert not tired & asked
        if day == 2:
            assert len(tired) > 50
            told = pl.read_parquet(run / "accounts.parquet").filter(pl.col("account_id").is_in(tired))
            reasons = told["excluded"].list.join(" ")
            assert reasons.str.contains("contacted .* days ago|tried .* days ago|control group|refused").all()
            # without the desk's outcomes the same night would have bothered many of them
            dealwright(*night(day, "--out=runs/blind", "--no-touches-from-desk"))
            blind = pl.read_parquet("runs/blind/tasks.parquet")
            assert len(tired & set(blind.filter(pl.col("channel") != SILENT)["account_id"])) > 30
        # nor is the same thing tried again within its cool-down, which is two weeks at least
        tried = {(account, action) for account, action, *_ in company.finished.values()}
        assert not tried & {(row["account_id"], row["action"]) for row in planned}
        company.work(day)
        company.check_record()

    # three days later: the log of contacts keeps the rules, and learning has seen every outcome
    assert len(company.finished) > 100
    moments: dict[str, list[datetime]] = {}
    for account, _, channel, _, at in company.finished.values():
        if channel != SILENT:
            moments.setdefault(account, []).append(at)
    for days in moments.values():
        assert all(
            later - earlier >= MIN_GAP - timedelta(days=1) for earlier, later in pairwise(sorted(days))
        )
    dealwright(*night(DAYS + 1, "--out=runs/day4", "--touches-from-desk"))
    now = trace(Path("runs/day4"))["action"]
    for action in {action for _, action, *_ in company.finished.values()}:
        done = sum(1 for _, what, *_ in company.finished.values() if what == action)
        assert now[f"touches_{action}"] - learned[f"touches_{action}"] == done

    # and other systems may have the same touches as a file
    dealwright("task", "export", "touches.csv")
    exported = pl.read_csv("touches.csv")
    assert exported.height == len(company.finished)
    outcomes = [outcome for *_, outcome, _ in company.finished.values()]
    assert exported["response"].sum() == outcomes.count("responded")
    assert exported["rejected"].sum() == outcomes.count("rejected")
