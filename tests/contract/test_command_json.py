"""The JSON of the command line: outside programs read these keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import Command

LEADS = [
    {"customer_name": "Kate Nguyen", "source": "web", "product": "sea"},
    {"customer_name": "John Doe", "source": "shop", "product": "land"},
]
SET = ("--set", "source=web", "--set", "product=sea")
RANKED = {
    "rank", "agent_id", "agent_name", "match_score", "win_probability", "expected_value", "open", "capacity",
    "eligible", "reasons", "win_low", "win_high",
}  # fmt: skip
PLACED = {
    "assignment_id", "booking_id", "agent_id", "agent_name", "match_score", "status", "win_probability",
    "expected_value", "policy", "model_id", "lead_id", "open", "capacity", "duplicates", "notices", "win_low",
    "win_high",
}  # fmt: skip


@pytest.fixture
def desk(dealwright: Command, tmp_path: Path) -> Command:
    """A small company whose agents have names for ids, imported through a mapping of its own."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "people.csv").write_text("id,name,skills,places\nann,Ann Lee,luxury,2\nbob,Bob Ray,,1\n")
    (folder / "leads.csv").write_text(
        "id,who,customer,day,source\n"
        + "".join(
            f"L{n},{'ann' if n % 2 else 'bob'},C{n},2025-01-0{n % 9 + 1},{'web' if n % 3 else 'shop'}\n"
            for n in range(40)
        )
    )
    (folder / "deals.csv").write_text(
        "id,lead,state,day,base,extra,product\n"
        + "".join(
            f"D{n},L{n},{'won' if n % 5 else 'lost'},2025-02-01,{100 + n},10,{'sea' if n % 2 else 'land'}\n"
            for n in range(38)
        )
    )
    (tmp_path / "map.toml").write_text(
        """
        [agents]
        file = "people.csv"
        id = "id"
        name = "name"
        skills = "skills"
        capacity = "places"
        [assignments]
        file = "leads.csv"
        id = "id"
        agent = "who"
        customer_name = "customer"
        assigned_at = "day"
        [bookings]
        file = "deals.csv"
        id = "id"
        assignment = "lead"
        status = "state"
        completed_at = "day"
        cancelled_at = "day"
        base_revenue = "base"
        package_revenue = "extra"
        statuses = { confirmed = "won", cancelled = "lost" }
        [dimensions.source]
        values = ["web", "shop"]
        [dimensions.product]
        table = "bookings"
        values = ["sea", "land"]
        """
    )
    dealwright("import", "--map", "map.toml", "tables")
    return dealwright


def test_init(dealwright: Command) -> None:
    answer = dealwright("init", "--json").json
    assert {"database_url", "schema", "agents", "assignments", "bookings"} <= set(answer)
    with psycopg.connect(answer["database_url"]) as connection:
        assert connection.execute("select count(*) from dealwright.agent").fetchone() == (0,)


def test_init_shows_a_password_only_when_asked(dealwright: Command) -> None:
    url = dealwright("init", "--json").json["database_url"]
    secret = url.replace("//postgres@", "//postgres:tulip-4711@")
    assert secret != url
    given = ("init", "--database-url", secret)
    for answer in (dealwright(*given), dealwright(*given, "--json")):
        assert "postgres:***@" in answer.out
        assert "tulip" not in answer.out + answer.err
    assert dealwright(*given, "--json", "--show-password").json["database_url"] == secret
    assert secret in dealwright(*given, "--show-password").out


def test_a_time_with_an_offset_and_a_seed_below_zero(desk: Command) -> None:
    late = desk("evidence", "--no-pictures", "--as-of", "2020-01-01T00:00:00+02:00", expect=1)
    assert "sorry" not in late.err
    for command in ("train", "evidence"):
        assert "--seed" in desk(command, "--seed", "-1", expect=2).err
        assert "write it like" in desk(command, "--as-of", "soon", expect=2).err.replace("\n", " ")
    assert "--seed" in desk("plan", "--out", "run", "--world", "barcelona", "--seed", "-1", expect=2).err


def test_import(desk: Command) -> None:
    answer = desk("import", "--map", "map.toml", "tables", "--json").json
    for table, count in (("agents", 2), ("assignments", 40), ("bookings", 38)):
        assert answer[table] == {"new": 0, "changed": 0, "unchanged": count}
    assert answer["files"][0] == {
        "table": "agents", "file": "people.csv", "rows": 2, "kept": 2, "rejected": 0, "left_out": 0,
        "found": ["encoding utf-8", "separator ,"],
    }  # fmt: skip
    assert [(item["table"], item["kept"]) for item in answer["files"]] == [
        ("agents", 2), ("assignments", 40), ("bookings", 38),
    ]  # fmt: skip
    for name in ("rejects", "warnings", "notes", "rejected_files", "missing_agents"):
        assert answer[name] == []
    assert answer["undeclared"] == {}
    assert (answer["deactivated"], answer["over_capacity"]) == (0, None)


def test_import_of_broken_rows(desk: Command, tmp_path: Path) -> None:
    deals = tmp_path / "tables" / "deals.csv"
    text = deals.read_text().replace("D0,L0,lost", "D0,L99,lost").replace("id,lead,state", "id,lead,state", 1)
    deals.write_text(
        "".join(f"{line},{'memo' if n == 0 else 'x'}\n" for n, line in enumerate(text.splitlines()))
    )
    answer = desk("import", "--map", "map.toml", "tables", "--json").json
    problem = {
        "table": "bookings", "file": "deals.csv", "line": 2, "column": "lead", "value": "L99", "rows": 1,
        "reason": "no such assignment", "fix": "correct the id, or add the assignment to leads.csv",
    }  # fmt: skip
    assert answer["rejects"] == [problem]
    assert answer["undeclared"] == {"deals.csv": ["memo"]}
    assert [Path(path).name for path in answer["rejected_files"]] == ["deals.csv"]
    assert answer["files"][2]["rejected"] == 1


def test_rank(desk: Command) -> None:
    answer = desk("rank", *SET, "--requirements", "a luxury trip", "--customer", "Kate", "--json").json
    assert set(answer) == {"policy", "model", "evidence", "lead", "ranking"}
    assert answer["policy"] == "value"
    assert answer["lead"]["attributes"] == {"source": "web", "product": "sea"}
    assert [row["rank"] for row in answer["ranking"]] == sorted(row["rank"] for row in answer["ranking"])
    for row in answer["ranking"]:
        assert set(row) == RANKED
        assert isinstance(row["reasons"], list)
    # the user's own ids; and only Ann has the skill that the requirements name
    assert {row["agent_id"]: row["eligible"] for row in answer["ranking"]} == {"ann": True, "bob": False}
    assert len(desk("rank", *SET, "--top", 1, "--json").json["ranking"]) == 1
    assert len(desk("rank", *SET, "--k", 1, "--json").json["ranking"]) == 1


@pytest.mark.parametrize("policy", ["value", "workload", "fair"])
def test_rank_under_every_policy(desk: Command, policy: str) -> None:
    assert desk("rank", *SET, "--policy", policy, "--json").json["policy"] == policy


def test_assign_until_somebody_waits(desk: Command) -> None:
    desk("train", "--no-pictures")
    answers = [desk("assign", *SET, "--customer", f"C{n}", "--json").json for n in range(4)]
    for answer in answers:
        assert set(answer) == PLACED
    assert [answer["status"] for answer in answers] == ["assigned"] * 3 + ["waiting"]
    assert {answer["agent_id"] for answer in answers[:3]} == {"ann", "bob"}
    assert answers[3]["assignment_id"] is None
    queue = desk("queue", "--json").json
    assert [row["customer_name"] for row in queue] == ["C3"]
    assert {"place", "lead_id", "priority", "attributes", "received_at", "agents_who_could"} <= set(queue[0])
    settled = desk("settle", answers[0]["booking_id"], "confirmed", "--revenue", 250, "--json").json
    assert settled["status"] == "confirmed"
    assert settled["total_revenue"] == 250
    assert settled["agent_id"] == answers[0]["agent_id"]
    assert desk("queue", "--json").json == []
    explained = desk("explain", answers[0]["assignment_id"], "--json").json
    assert explained["agent_id"] == answers[0]["agent_id"]
    assert explained["assignment_id"] == answers[0]["assignment_id"]
    assert {row["agent_id"] for row in explained["ranking"]} == {"ann", "bob"}
    assert {"win_low", "win_high", "expected_value", "currency"} <= set(explained)
    assert {"win_low", "win_high", "expected_value"} <= set(explained["ranking"][0])
    replayed = desk("replay", answers[0]["assignment_id"], "--json").json
    assert replayed["agrees"] is True
    assert replayed["recorded"]["agent_id"] == answers[0]["agent_id"]


def test_the_same_key_gives_the_same_assignment(desk: Command) -> None:
    first, second = (
        desk("assign", *SET, "--customer", "C", "--idempotency-key", "k1", "--json").json for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_assign_a_file(desk: Command, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"leads.{kind}"
    if kind == "csv":
        rows = [",".join(lead.values()) for lead in LEADS]
        path.write_text("\n".join([",".join(LEADS[0]), *rows, ""]))
    else:
        documents = [
            {
                "customer_name": lead["customer_name"],
                "attributes": {"source": lead["source"], "product": lead["product"]},
            }
            for lead in LEADS
        ]
        path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    answers = desk("assign", "--file", path, "--rejected", "aside", "--policy", "workload", "--json").json
    assert [answer["status"] for answer in answers] == ["assigned", "assigned"]
    assert all(set(answer) == PLACED for answer in answers)
    assert not Path("aside").exists()
    bad = (
        ["Bea,web,see", "Bo,shop,land"] if kind == "csv" else ['{"customer_name": NaN}', json.dumps(LEADS[0])]
    )
    path.write_text("\n".join([",".join(LEADS[0])] * (kind == "csv") + bad) + "\n")
    placed, rejected = desk(
        "assign", "--file", path, "--rejected", "aside", "--policy", "workload", "--json"
    ).json
    assert set(placed) == PLACED
    expected = (2, "product", "see") if kind == "csv" else (1, "(row)", bad[0])
    assert (rejected["status"], rejected["line"], rejected["column"], rejected["value"]) == (
        "rejected",
        *expected,
    )
    assert set(rejected) == {"status", "table", "file", "line", "column", "value", "rows", "reason", "fix"}
    assert Path("aside/leads.csv").is_file()


def test_agents(desk: Command) -> None:
    rows = desk("agents", "--policy", "workload", "--json").json
    assert {"agent_id", "agent_name", "open", "capacity", "rank"} <= set(rows[0])
    assert [(row["agent_id"], row["open"], row["capacity"], row["rank"]) for row in rows] == [
        ("ann", 0, 2, 1),
        ("bob", 0, 1, 1),
    ]


def test_reassign(desk: Command) -> None:
    first = desk("assign", *SET, "--customer", "C", "--policy", "workload", "--json").json
    second = desk("reassign", first["assignment_id"], "--reason", "ill", "--json").json
    assert set(second) == PLACED
    assert {first["agent_id"], second["agent_id"]} == {"ann", "bob"}


def test_who_leaves_hands_over_and_who_comes_back_takes_from_the_queue(desk: Command) -> None:
    first = desk("assign", *SET, "--customer", "C", "--policy", "workload", "--json").json
    second = desk("assign", *SET, "--customer", "D", "--policy", "workload", "--json").json
    assert {first["agent_id"], second["agent_id"]} == {"ann", "bob"}
    bobs = first if first["agent_id"] == "bob" else second
    anns = second if bobs is first else first
    said = desk("agents", "deactivate", "bob").out
    assert said == (
        "Bob Ray (bob) is not active; 1 open lead left: `dealwright agents deactivate bob --hand-over` "
        "gives them to others\n"
    )
    answer = desk("agents", "deactivate", "bob", "--hand-over", "--json").json
    assert (answer["agent_id"], answer["agent_name"], answer["active"]) == ("bob", "Bob Ray", False)
    assert (answer["was_active"], answer["open"], answer["waiting"]) == (False, 0, [])
    (given,) = answer["handed_over"]
    assert (given["lead_id"], given["agent_id"], given["agent_name"]) == (bobs["lead_id"], "ann", "Ann Lee")
    left = desk("agents", "deactivate", "ann", "--hand-over").out
    assert "lead 42 of D: to the queue" in left
    assert "2 leads back in the queue: nobody else has room" in left
    assert [row["lead_id"] for row in desk("queue", "--json").json] == [first["lead_id"], second["lead_id"]]
    back = desk("agents", "activate", "ann", "--json").json
    assert (back["active"], back["was_active"], back["from_queue"], back["open"]) == (True, False, 2, 2)
    explained = desk("explain", given["assignment_id"], "--json").json
    assert [row["agent_id"] for row in explained["history"]] == ["bob", "ann", "ann"]
    assert "had the lead before: Bob Ray (bob): Bob Ray (bob) is not active" in desk(
        "explain", given["assignment_id"]
    ).out.replace("\n", " ")
    assert desk("agents", "--json", "activate", "ann").json["was_active"] is True
    active = {row["agent_id"]: row["active"] for row in desk("agents", "--json").json}
    assert active == {"ann": True, "bob": False}
    assert anns["agent_id"] == "ann"


def test_contact_and_decline(desk: Command) -> None:
    placed = desk("assign", *SET, "--customer", "C", "--customer-id", "K1", "--json").json
    number = placed["assignment_id"]
    answer = desk("contact", number, "--at", "2025-12-24T10:00:00+01:00", "--json").json
    assert answer == {"assignment_id": str(number), "first_contact_at": answer["first_contact_at"]}
    assert answer["first_contact_at"].startswith("2025-12-24T09:00:00")
    assert "lies in the future" in desk("contact", number, "--at", "2101-01-01", expect=2).err
    other = desk("decline", number, "--reason", "on the road", "--json").json
    assert set(other) == PLACED
    assert other["agent_id"] not in (None, placed["agent_id"])
    assert other["notices"] == [f"had the lead before: {placed['agent_name']} ({placed['agent_id']})"]
    back = desk("assign", *SET, "--customer", "C", "--customer-id", "K1", "--json").json
    if other["agent_id"] == "bob":  # with one place, which is taken
        assert "who had this customer before, could not take the lead" in back["notices"][0]
    else:
        assert back["agent_id"] == other["agent_id"]
    assert back["duplicates"] == [placed["lead_id"]]


def test_the_same_form_sent_twice_is_said(desk: Command) -> None:
    first = desk("assign", *SET, "--customer", "Kate Nguyen", "--json").json
    assert desk("assign", *SET, "--customer", "Other").err == ""
    said = desk("assign", *SET, "--customer", "kate nguyen").err
    assert said == (
        f"may be the same enquiry as lead {first['lead_id']} (with {first['agent_name']} "
        f"({first['agent_id']})): the same name and attributes\n"
    )


def test_train_and_models(desk: Command) -> None:
    answer = desk("train", "--json", "--out", "drawn").json
    assert {"model_id", "promoted", "reason", "evidence", "metrics", "outcomes", "agents_differ"} <= set(
        answer
    )
    assert answer["promoted"] is True
    assert [Path(path).name for path in answer["pictures"]] == [
        "agents_with_intervals.svg",
        "feature_importance.svg",
        "calibration.svg",
        "summary.md",
        "summary.html",
    ]
    assert all(Path(path).read_text().startswith("<svg ") for path in answer["pictures"][:3])
    again = desk("train", "--json", "--no-pictures").json
    assert (again["promoted"], again["pictures"]) == (False, [])
    models = desk("model", "list", "--json").json
    assert [(row["model_id"], row["promoted"]) for row in models] == [(2, False), (1, True)]
    assert desk("model", "promote", 2, "--json").json == {
        "model_id": 2,
        "promoted": True,
        "proposal_id": None,
    }
    shown = desk("model", "show", 2, "--json").json
    assert shown["promoted"] is True
    assert shown["parameters"]["kind"] == "value"
    Path("model.json").write_text(json.dumps(shown["parameters"]))
    assert desk("model", "load", "model.json", "--no-promote", "--json").json == {
        "model_id": 3, "kind": "value", "promoted": False,
    }  # fmt: skip
    verdict = desk("evidence", "--json", "--no-pictures").json["verdict"]
    assert verdict == "too little data"
    assert "oo little data" in desk("rank", *SET, "--json").json["evidence"]


def errors(answer: Any) -> dict[str, str]:
    return json.loads(answer.err)["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rank", "--set", "produkt=sea"], 2, "unknown dimension 'produkt': did you mean 'product'?"),
        (["rank", "--set", "product=see"], 2, "unknown value of product 'see': did you mean 'sea'?"),
        (["rank", "--set", "product"], 2, "--set dimension=value"),
        (["rank", "--policy", "vlaue"], 2, "did you mean 'value'?"),
        (["assign", *SET], 2, "customer"),
        (["assign", "--customer", "C", "--set", "source=web"], 2, "says nothing about product"),
        (["settle", "999", "confirmed"], 2, "there is no booking 999"),
        (["settle", "D1", "won"], 2, "unknown booking status 'won'"),
        (["settle", "D1", "confirmed", "--revenue", "-1"], 2, "at least 0"),
        (["explain", "L1"], 2, "the desk did not decide it"),
        (["explain", "999"], 2, "there is no assignment 999"),
        (["explain", "L1", "--agent", "An Lee"], 2, "unknown agent 'An Lee': did you mean 'Ann Lee'?"),
        (["reassign", "L1"], 1, "not open"),
        (["decline", "L1", "--reason", "x"], 1, "not open"),
        (["decline", "L1"], 2, "--reason"),
        (["contact", "999"], 2, "there is no assignment 999"),
        (["agents", "deactivate", "zoe"], 2, "there is no agent zoe: `dealwright agents` shows the ids"),
        (["agents", "activate", "1"], 2, "there is no agent 1"),
        (["agents", "dismiss", "ann"], 2, "No such command"),
        (["model", "show", "9"], 2, "there is no model 9"),
        (["model", "load", "nowhere.json"], 2, "there is no file nowhere.json"),
        (["import", "--map", "astro", "tables"], 2, "did you mean 'astra'?"),
        (["import", "--map", "map.toml", "nowhere"], 2, "does not exist"),
        (["import", "tables"], 2, "company.toml does not exist"),
        (["import", "--map", "map.toml", "tables", "--rejected", "tables"], 2, "holds the tables themselves"),
        (["assign", "--file", "nowhere.csv"], 2, "there is no file nowhere.csv"),
        # nothing that was given is left aside without a word
        (["assign", "--file", "nowhere.csv", "--customer", "A"], 2, "--customer does not go with --file"),
        (["assign", "--lead", "1", "--agent", "ann", "--set", "source=web"], 2, "--set does not go with"),
        (["assign", "--customer", "A", "--strict"], 2, "--strict goes with --file"),
        (["assign", "--customer", "A", "--override"], 2, "--override goes with --agent"),
        (["train", "--classic", "--revenue-alone"], 2, "--revenue-alone does not go with --classic"),
        (["rank", "--nonsense"], 2, "No such option"),
        (["frobnicate"], 2, "No such command"),
        (["--database-url", "postgresql://localhost:1/nothing", "queue"], 1, "cannot connect"),
    ],
)  # fmt: skip
def test_errors(desk: Command, arguments: list[str], code: int, message: str) -> None:
    answer = desk(*arguments, "--json", expect=code)
    assert answer.out == ""
    assert set(errors(answer)) == {"type", "message"}
    assert message in errors(answer)["message"]
    assert message in desk(*arguments, expect=code).err.replace("\n", " ")
