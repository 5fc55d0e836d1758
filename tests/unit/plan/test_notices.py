"""What a reader has to know: each sentence from tables made by hand, the most urgent first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from dealwright.plan.notices import notices
from dealwright.schemas import (
    CHANNEL_COLUMNS,
    LEFT_OUT_COLUMNS,
    UNPLACED_CALL_COLUMNS,
    WAITLIST_COLUMNS,
    AccountSchema,
    Columns,
)

ACCOUNT_COLUMNS: Columns = {
    "account_id": pl.String, "action": pl.String, "channel": pl.String, "channel_note": pl.String,
    "excluded": pl.List(pl.String), "explore": pl.Boolean, "control": pl.Boolean,
}  # fmt: skip
ISSUE_COLUMNS: Columns = {
    "level": pl.String, "table": pl.String, "column": pl.String, "rows": pl.Int64, "message": pl.String,
    "fix": pl.String,
}  # fmt: skip


def table(columns: Columns, *rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(columns), **row} for row in rows], schema=columns)


def account(name: str, **columns: Any) -> dict[str, Any]:
    plain = {"action": "visit", "channel": "field", "excluded": [], "explore": False, "control": False}
    return {"account_id": name, **plain, **columns}


def night(**parts: Any) -> Any:
    """Return a plan of two accounts about which nothing has to be known, but for the given parts."""
    accounts = parts.get("accounts", [account("A"), account("B")])
    tables = {
        "left_out": table(LEFT_OUT_COLUMNS, *parts.get("left_out", ())),
        "calls_unplaced": table(UNPLACED_CALL_COLUMNS, *parts.get("calls_unplaced", ())),
        "waitlist": table(WAITLIST_COLUMNS, *parts.get("waitlist", ())),
        "channels": table(CHANNEL_COLUMNS, *parts.get("channels", ())),
    }
    intake = SimpleNamespace(
        tables={
            name: SimpleNamespace(rejected=pl.DataFrame({"row": list(range(count))}))
            for name, count in parts.get("rejected", {}).items()
        },
        common_reasons=lambda name: f"{name} are wrong",
    )
    return SimpleNamespace(
        accounts=table(ACCOUNT_COLUMNS, *accounts),
        account_parts=lambda: iter([table(ACCOUNT_COLUMNS, *accounts)]),
        tables=tables,
        territories=parts.get("territories"),
        routes=parts.get("routes", SimpleNamespace(notes=(), travel_source="estimated (straight line)")),
        schedule=parts.get("schedule", SimpleNamespace(notes=())),
        inputs=SimpleNamespace(schema=parts.get("schema", AccountSchema(has_position=True)), reps=object()),
        quality=SimpleNamespace(intake=intake, issues=table(ISSUE_COLUMNS, *parts.get("issues", ()))),
        actions=SimpleNamespace(notes=parts.get("action_notes", ())),
        predictions=SimpleNamespace(summary=lambda: parts.get("models", {})),
        drift=SimpleNamespace(frame=parts.get("drift", pl.DataFrame()), message="moved"),
    )


def said(**parts: Any) -> list[str]:
    return list(notices(night(**parts)))


def test_there_may_be_nothing_to_say() -> None:
    assert said() == []
    assert said(accounts=[]) == []


def territories(moved: list[bool | None], price: float | None) -> Any:
    return SimpleNamespace(frame=pl.DataFrame({"moved": moved}), keeping_eur_per_month=price, notes=())


@pytest.mark.parametrize(
    ("moved", "price", "sentence"),
    [
        ([True, None, False], 1234.0,
         ("1 account gets another representative; to keep every account where it was would cost €1,234 a "
          "month more (accounts.parquet, rep_id; territories.parquet, moved)")),
        ([True] * 1200, None,
         "1,200 accounts get another representative (accounts.parquet, rep_id; territories.parquet, moved)"),
        ([True, True], 0.0,
         "2 accounts get another representative (accounts.parquet, rep_id; territories.parquet, moved)"),
        ([False, None], 5.0, None),
    ],
)  # fmt: skip
def test_accounts_that_move_come_first(moved: list[bool | None], price: float | None, sentence: str) -> None:
    found = said(territories=territories(moved, price), rejected={"promises": 1})
    rejected = "1 row of promises was rejected: promises are wrong"
    assert found == [*([] if sentence is None else [sentence]), rejected]


def test_broken_promises_are_told_one_by_one_up_to_three() -> None:
    visits = [{"account_id": f"V{k}", "reason": "why", "must": k != 0} for k in range(6)]
    calls = [{"account_id": f"C{k}", "reason": "full", "call_back": True} for k in range(3)]
    found = said(left_out=visits, calls_unplaced=calls, rejected={"call_backs": 2})
    assert found == [
        "2 rows of call_backs were rejected: call_backs are wrong",
        "the promised visit to V1 cannot be made: why", "the promised visit to V2 cannot be made: why",
        "the promised visit to V3 cannot be made: why", "and 2 more promises: see left_out.parquet",
        "the call promised to C0 has no place: full", "the call promised to C1 has no place: full",
        "the call promised to C2 has no place: full",
    ]  # fmt: skip


def test_reasons_that_differ_by_figures_are_one_and_the_commonest_come_first() -> None:
    reasons = ["no time", "it takes 12 min", "it takes 7.5 min", "far away", "too late", "no road", "no road"]
    calls = [
        {"account_id": f"C{k}", "reason": reason, "call_back": False} for k, reason in enumerate(reasons)
    ]
    assert said(calls_unplaced=calls) == [
        "2 calls have no place (it takes 12 min)",
        "2 calls have no place (no road)",
        "call C3 has no place: far away",
        "and 2 more calls have no place for other reasons: see calls_unplaced.parquet",
    ]
    waiting = [
        {"account_id": "W1", "reason": "field is full: place 3 in its queue"},
        {"account_id": "W2", "reason": "nobody has the skills"},
    ]
    assert said(waitlist=waiting) == ["account W2 waits: nobody has the skills"]
    elsewhere = [
        account("A", channel_note="no visit"), account("B", channel_note="lost", channel=None), account("C"),
    ]  # fmt: skip
    assert said(accounts=elsewhere) == ["account A got another channel: no visit"]


def test_what_the_stages_noted_and_where_ways_come_from() -> None:
    found = said(
        territories=SimpleNamespace(
            frame=pl.DataFrame({"moved": [False]}), keeping_eur_per_month=None, notes=("far",)
        ),
        routes=SimpleNamespace(notes=("nobody",), travel_source="OSRM"),
        schedule=SimpleNamespace(notes=("outbound_cc: busy", "short of people")),
    )
    assert found == ["far", "nobody", "short of people", "travel times: OSRM"]
    assert said(routes=SimpleNamespace(notes=(), travel_source="none")) == []


def test_visits_without_days_name_what_is_missing() -> None:
    without_map = said(routes=None, schema=AccountSchema())
    no_day = "2 accounts are to be visited, but no day is planned: "
    no_map = "the accounts have no positions (latitude and longitude in the schema file)"
    assert without_map == [no_day + no_map]
    assert said(routes=None, schema=AccountSchema(), accounts=[account("A", channel="outbound_cc")]) == []
    (one,) = said(routes=None, schema=AccountSchema(), accounts=[account("A")])
    assert one.startswith("1 account is to be visited, but no day is planned")
    plan = night(routes=None)
    assert list(notices(plan)) == ["there is no representative: nobody is visited"]
    plan.inputs.reps = None
    assert list(notices(plan)) == [
        "2 accounts are to be visited, but no day is planned: no representatives were given (--reps)"
    ]


def test_a_channel_without_a_limit_that_is_used_is_named() -> None:
    channels = [
        {"channel": "ecom_self", "capacity": None, "scheduled": 3},
        {"channel": "inbound_cc", "capacity": None, "scheduled": 0},
        {"channel": "field", "capacity": 5.0, "scheduled": 3},
        {"channel": "outbound_cc", "capacity": None, "scheduled": 1},
    ]
    assert said(channels=channels) == [
        "no limit is known for ecom_self, outbound_cc: give --staff, or [channel.limits] in the parameters"
    ]


def test_most_accounts_without_an_action_are_told_why() -> None:
    def idle(name: str, *reasons: str) -> dict[str, Any]:
        return account(name, action="nothing", channel=None, excluded=list(reasons))

    half = [account("A"), account("B"), idle("C", "visit: no consent"), idle("D")]
    assert said(accounts=half) == []
    most = [
        account("A"), idle("C", "visit: contacted 3 days ago", "call: contacted 12 days ago"),
        idle("D", "visit: contacted 4 days ago", "call: no consent", "offer: no consent"),
        idle("E", "visit: worth less", "call: too far", "offer: too far"), idle("F", "visit: too far"),
    ]  # fmt: skip
    (sentence,) = said(accounts=most)
    assert sentence.startswith("4 of 5 accounts get no action; most often: ")
    told = sentence.split(": ", 1)[1].split(", ")
    assert set(told[:2]) == {"contacted … days ago", "too far"}
    assert told[2:] == ["no consent"]
    assert said(accounts=[account("A"), idle("B"), idle("C")]) == ["2 of 3 accounts get no action"]


def test_accounts_treated_to_learn_from_them_are_counted() -> None:
    accounts = [
        account("A", explore=True), account("B", explore=True, action="nothing"), account("C"),
        account("D", control=True), account("E"),
    ]  # fmt: skip
    assert said(accounts=accounts) == [
        "1 account gets an action drawn at random, to learn what works: it may not be expected to pay",
        "1 account is left alone as a control group, drawn at random as well",
    ]
    assert said(accounts=[account("A", explore=True, control=True)] * 2) == [
        "2 accounts get an action drawn at random, to learn what works: some of them are not expected to pay",
        "2 accounts are left alone as a control group, drawn at random as well",
    ]


def test_data_and_models_come_last() -> None:
    issues = [
        {
            "level": "warning",
            "table": "orders",
            "column": "at",
            "rows": 1200,
            "message": "odd",
            "fix": "look",
        },
        {"level": "warning", "table": "orders", "column": "at", "rows": 0, "message": "old", "fix": "renew"},
        {"level": "note", "table": "orders", "column": "at", "rows": 5, "message": "fine", "fix": "-"},
    ]
    found = said(
        issues=issues, rejected={"orders": 1, "promises": 0, "touches": 1500},
        action_notes=("nba_score is made of", "consent is missing"),
        models={"churn_fallback": "too few", "value_model_note": "kept", "value_fallback": ""},
        drift=pl.DataFrame({"column": ["a"]}),
    )  # fmt: skip
    assert found == [
        "1 row of orders was rejected: orders are wrong",
        "1,500 rows of touches were rejected: touches are wrong",
        "orders, column at: 1,200 rows: odd (look)", "orders, column at: old (renew)", "consent is missing",
        "churn: too few", "value: kept", "drift: moved",
    ]  # fmt: skip
