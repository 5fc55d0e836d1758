"""Calendars of a company that plans again: the same plan says the same, a changed one moves and cancels."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from icalendar import Calendar
from small_company import Company
from unpacking import unpacked

from dealwright.report import day_files


def said(folder: Path) -> dict[str, tuple[int, str]]:
    """Return what the calendars of a run say: sequence and status by UID, and check the files agree."""
    found: dict[str, tuple[int, str]] = {}
    for path in sorted((folder / "calendars").glob("*.ics")):
        for event in Calendar.from_ical(path.read_bytes()).walk("VEVENT"):
            version = int(event["SEQUENCE"]), str(event["STATUS"])
            assert found.setdefault(str(event["UID"]), version) == version
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "calendars").iterdir())}


def test_the_same_plan_again_changes_nothing_and_a_changed_one_moves_and_cancels(company: Company) -> None:
    first = company.plan()
    visits, calls = first.table("visits"), first.table("calls")
    before, bytes_before = said(first.folder), files(first.folder)
    kept = (first.folder / "calendar.parquet").read_bytes()
    shifts = first.table("shifts")
    pauses = shifts["breaks"].list.len().sum() + shifts["lunch_start_at"].drop_nulls().len()
    assert len(before) == visits.height + calls.height + shifts.height + pauses
    assert set(before.values()) == {(0, "CONFIRMED")}

    assert files(company.plan().folder) == bytes_before
    assert (first.folder / "calendar.parquet").read_bytes() == kept

    # one account goes, and another is promised for an hour of its own
    gone, moved = visits["account_id"][0], visits["account_id"][-1]
    accounts = company.tables["accounts"].filter(pl.col("account_id") != gone)
    orders, touches = (
        company.tables[name].filter(pl.col("account_id") != gone) for name in ("orders", "touches")
    )
    promises = pl.DataFrame({"account_id": [moved], "must": [True], "begin_min": [15 * 60 + 5]})
    again = company.plan(accounts=accounts, orders=orders, touches=touches, promises=promises)
    after = said(again.folder)
    assert before.keys() <= after.keys()  # nothing that was said is forgotten
    (removed,) = (uid for uid in before if f"-{gone}@" in uid)
    assert after[removed] == (1, "CANCELLED")
    (later,) = (uid for uid in after if f"-{moved}@" in uid and after[uid][1] == "CONFIRMED")
    assert after[later] == (1, "CONFIRMED")
    planned = {
        f"-{account}"
        for account in [*again.table("visits")["account_id"], *again.table("calls")["account_id"]]
    }
    confirmed = [uid for uid, version in after.items() if version[1] == "CONFIRMED"]
    assert all(any(f"{account}@" in uid or f"{account}-" in uid for uid in confirmed) for account in planned)
    assert not any(f"-{gone}" in uid for uid in confirmed)

    # and it comes back: its entry is a newer version of the one that was cancelled
    assert said(company.plan().folder)[removed] == (2, "CONFIRMED")


def test_another_companys_run_in_the_folder_is_not_cancelled(company: Company) -> None:
    first = company.plan()
    strange = pl.read_parquet(first.folder / "calendar.parquet").with_columns(
        account_id=pl.lit("other-") + pl.col("account_id"), uid=pl.lit("other-") + pl.col("uid")
    )
    strange.write_parquet(first.folder / "calendar.parquet")
    assert not any(uid.startswith("other-") for uid in said(company.plan().folder))


def test_the_last_run_is_gone_on_from_in_another_folder(company: Company, tmp_path: Path) -> None:
    first = company.plan()
    before = said(first.folder)
    last = tmp_path / "last"
    first.folder.rename(last)
    account = pl.read_parquet(last / "visits.parquet")["account_id"][-1]
    promises = pl.DataFrame({"account_id": [account], "must": [True], "begin_min": [15 * 60 + 5]})
    after = said(company.plan(f"--previous={last}", promises=promises).folder)
    (moved,) = (uid for uid in before if f"-{account}@" in uid)
    assert after[moved] == (1, "CONFIRMED")
    # what is no longer planned is cancelled, and what stays as it was keeps its version
    assert before.keys() <= after.keys()
    assert (0, "CONFIRMED") in {after[uid] for uid in before}


def test_places_that_are_only_numbered_have_pages_while_they_are_few(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = company.plan()
    agents = set(few.table("shifts")["rep_id"])
    assert agents <= set(few.table("people")["rep_id"])
    assert {f"{path.parent.name}" for path in few.folder.glob("*/agent*")} == {"briefs", "calendars", "days"}

    monkeypatch.setattr(day_files, "_MOST_PLACES", len(agents) - 1)
    many = company.plan()
    assert not agents & set(many.table("people")["rep_id"])
    kept = {path.name for path in many.folder.glob("*/agent*")}
    # a calendar that was given to somebody takes back what it said
    assert {name.removesuffix(".ics").removesuffix("-cancelled") for name in kept} == {
        path.stem for path in few.folder.glob("calendars/agent*") if "cancelled" not in path.name
    }
    visits = many.table("visits")
    confirmed = [uid for uid, (_, status) in said(many.folder).items() if status == "CONFIRMED"]
    assert len(confirmed) == visits.height
    assert {path.stem for path in (many.folder / "days").iterdir()} == {
        path.stem for path in (many.folder / "briefs").iterdir()
    }

    # nothing is lost: shifts are on the page of the contact centre, calls and their briefs with the accounts
    centre = (many.folder / "contact-centre.html").read_text()
    calls, briefs = many.table("calls"), many.table("briefs")
    busy = sorted(set(calls["rep_id"]))
    assert busy
    for agent in busy:
        assert f'accounts.html#?who={agent.replace(" ", "+")}"' in centre
    cards = [card for path in many.folder.glob("accounts/[0-9]*.js") for card in unpacked(path)]
    shown = {card["account_id"]: card["brief"] for card in cards}
    for account, title in briefs.select("account_id", "title").rows():
        assert f'id="brief-{account}"' in shown[account]
        assert title.split(" · ")[1] in shown[account]
    index = unpacked(many.folder / "accounts" / "index.js")
    of_agent = dict(calls.select("account_id", "rep_id").rows())
    told = {
        account: index["who"]["words"][number]
        for account, number in zip(index["id"], index["who"]["of"], strict=True)
        if number >= 0
    }
    assert {account: told[account] for account in of_agent} == of_agent
    at = dict(zip(index["id"], index["at"], strict=True))
    for account, start in calls.select("account_id", "start_at").rows():
        assert at[account] == f"{start:%Y-%m-%dT%H:%M}"
