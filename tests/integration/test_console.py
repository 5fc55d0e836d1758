"""The console's addresses with every kind of key, under the database roles of the service."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from engine import load_model, random_model, rows
from ledger import check_desk
from numpy.random import default_rng
from servers import TestServer
from serving import MARS, Serving, lead, served_floor

PUBLISH = """
select dealwright.begin_publishing();
insert into published_task (account_id, day, action, channel, rep_id)
values ('a', '2026-07-01', 'visit', 'field', 'A1'), ('b', '2026-07-01', 'visit', 'field', 'A2');
select dealwright.publish_tasks('r1', '2026-06-30', 'UTC', '2026-07-01', '2026-07-01')
"""
READERS = ("planner", "manager", "admin")
# address -> who sees it; {lead} and {agent} are A1's own
VIEWS: dict[str, tuple[str, ...]] = {
    "/territories": READERS,
    "/floor": READERS, "/queue": READERS, "/leads": READERS, "/leads/new": READERS,
    "/leads/new?rank=1&d.destination=Mars": READERS, "/leads/{lead}": (*READERS, "A1"),
    "/leads/{lead}?replay=1": (*READERS, "A1"), "/leads/{lead}?agent=A3": READERS, "/agents": READERS,
    "/agents?show=free&from=1": READERS, "/agents/{agent}": (*READERS, "A1"),
    "/agents/{agent}?d.destination=Mars": (*READERS, "A1"), "/agents/{agent}/day": (*READERS, "A1"),
    "/evidence": READERS, "/models": READERS,
    "/models/1": READERS, "/audit": READERS, "/audit/chain?check=1": READERS,
    "/audit/changes": ("manager", "admin"), "/admin": READERS, "/admin/people": READERS,
    "/admin/keys": ("admin",),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(
    server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    with served_floor(server, desk_template, tmp_path_factory.mktemp("pages"), "--no-worker") as found:
        with found.desk.database.connect(autocommit=True) as connection:
            model = random_model(default_rng(3))
            load_model(connection, model)
            rows(connection, PUBLISH)
        yield found
        with found.desk.database.connect(autocommit=True) as connection:
            check_desk(connection, model)


@pytest.fixture
def work(service: Serving) -> dict[str, dict[str, Any]]:
    """Return for each agent a lead of theirs."""
    found: dict[str, dict[str, Any]] = {}
    while {"A1", "A2"} - found.keys():
        row = service.desk.assign(lead(f"Work {len(found)}")).row
        found[str(row["agent_id"])] = dict(row)
        for agent, placed in list(found.items()):
            if service.desk.book.lead(placed["lead_id"])["agent_id"] != agent:
                del found[agent]
        if len(found) == 1:
            service.desk.assign_to(row["lead_id"], "A2" if "A1" in found else "A1", "for the test")
            found = {}
            for agent in ("A1", "A2"):
                placed = service.desk.assign(lead(f"Work of {agent}")).row
                if str(placed["agent_id"]) != agent:
                    placed = service.desk.assign_to(placed["lead_id"], agent, "for the test").row
                found[agent] = dict(placed)
    return found


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data=fields)


def test_every_view_opens_for_those_it_is_for_as_page_and_data(service: Serving, work: Any) -> None:
    placed = service.desk.assign(lead("Decided")).row
    owner = str(placed["agent_id"])
    for role in (*READERS, "A1", "ingest"):
        with service.client(role) as client:
            for address, allowed in VIEWS.items():
                path = address.replace("{lead}", str(work["A1"]["lead_id"])).replace("{agent}", "A1")
                bare, _, query = path.partition("?")
                for form in ("", ".json", ".csv"):
                    answer = client.get(f"{bare}{form}?{query}")
                    what = (role, path, form, answer.text[:300])
                    if role not in allowed:
                        # to an agent, somebody else is not there
                        assert answer.status_code in ((403, 404) if role == "A1" else (403,)), what
                        continue
                    if path.endswith("agent=A3") and answer.status_code == 404:
                        continue
                    assert answer.status_code == 200, what
                    if form == ".csv":
                        list(csv.reader(io.StringIO(answer.text), strict=True))
                    elif form == ".json":
                        answer.json()
    with service.client(None) as client:
        asked = client.get("/leads.json")
        assert (asked.status_code, asked.headers["content-type"]) == (401, "application/problem+json")
        sent = client.get("/leads?after=3")
        assert (sent.status_code, sent.headers["location"]) == (303, "/auth/sign-in?to=%2Fleads%3Fafter%3D3")
    with service.desk.database.connect(autocommit=True) as connection:
        # one that is dated in the future is not of today
        rows(
            connection,
            "insert into dealwright.lead (customer_name, attributes, received_at) "
            """values ('Later', '{"destination": "Mars", "lead_source": "Organic"}', '2081-06-30')""",
        )
        of_today = rows(
            connection,
            "select count(*) as n from dealwright.lead where received_at between %s and clock_timestamp()",
            datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0),
        )[0]["n"]
    with service.client("manager") as client:
        facts = client.get("/floor.json").json()["facts"]
        assert (facts["leads_today"], facts["has_more_leads"]) == (of_today, False)
        told = client.get(f"/leads/{placed['lead_id']}.json?agent=A3&replay=1").json()
        assert told["explanation"]["agent_id"] == owner
        assert told["replay"]["agrees"] is True
        assert "A3" in {row["agent_id"] for row in told["explanation"]["ranking"]}


def test_an_agent_handles_their_own_leads_and_tasks_and_nobody_elses(service: Serving, work: Any) -> None:
    mine, theirs = work["A1"], work["A2"]
    with service.client("A1") as client:
        for act, fields in (
            ("contact", {}), ("settle", {"status": "confirmed", "revenue": "900"}),
            ("decline", {"reason": "ill"}), ("override", {"agent": "A1", "reason": "mine"}),
            ("reassign", {"reason": "x"}),
        ):  # fmt: skip
            answer = post(client, f"/leads/{theirs['lead_id']}/{act}", **fields)
            assert answer.status_code == (403 if act in ("override", "reassign") else 404), (act, answer.text)
        assert client.get(f"/leads/{theirs['lead_id']}").status_code == 404
        assert client.get("/agents/A2").status_code == 404
        assert client.get("/live/agents/A2").status_code == 404
        assert post(client, "/agents/A2/availability", status="away").status_code == 404
        shown = client.get("/agents/A1.json").json()
        assert mine["lead_id"] in {row["lead_id"] for row in shown["rows"]}
        assert theirs["lead_id"] not in {row["lead_id"] for row in shown["rows"]}
        assert {row["rep_id"] for row in shown["tasks"]} == {"A1"}
        done = post(client, f"/leads/{mine['lead_id']}/contact", page="A1")
        assert (done.status_code, done.headers["location"]) == (303, "/agents/A1?done=contacted")
        assert service.desk.book.assignment(mine["assignment_id"])["first_contact_at"] is not None
        done = post(client, f"/leads/{mine['lead_id']}/settle", status="confirmed", revenue="1,234.50")
        assert done.status_code == 303, done.text
        task = shown["tasks"][0]["task_id"]
        assert post(client, f"/tasks/{task}/finish", outcome="responded").status_code == 303
        assert service.desk.tasks.get(task).row["outcome"] == "responded"
        other = next(row["task_id"] for row in service.desk.tasks.find().rows if row["rep_id"] == "A2")
        assert post(client, f"/tasks/{other}/finish", outcome="responded").status_code == 404
        assert post(client, "/agents/A1/availability", status="away").status_code == 303
        assert not service.desk.book.agent("A1")["active"]
        assert post(client, "/agents/A1/availability", status="back").status_code == 303
        assert post(client, "/agents/A1/availability", status="hand_over").status_code == 422
    with service.desk.database.connect() as connection:
        settled = rows(
            connection,
            "select b.status, b.total_revenue::float8 as revenue from dealwright.booking as b "
            "join dealwright.assignment as s using (assignment_id) where s.lead_id = %s",
            mine["lead_id"],
        )
    assert settled == [{"status": "confirmed", "revenue": 1234.5}]


def test_a_manager_runs_the_floor_and_the_record_says_so(service: Serving) -> None:
    with service.client("manager") as client:
        fields = {"customer_name": "Zoe", "d.destination": "Mars", "d.lead_source": "Organic", "once": "a1"}
        first = client.post("/leads", data={**fields, "agent": "A3", "reason": "asked for them"})
        again = client.post("/leads", data={**fields, "agent": "A3", "reason": "asked for them"})
        assert first.status_code == 303, first.text
        assert again.headers["location"] == first.headers["location"]
        number = int(first.headers["location"].split("/")[2].split("?")[0])
        assert service.desk.book.lead(number)["agent_id"] == "A3"
        assert "takes a reason" in client.post("/leads", data={**fields, "once": "a2", "agent": "A1"}).text
        assert post(client, f"/leads/{number}/reassign", reason="on holiday").status_code == 303
        assert service.desk.book.lead(number)["agent_id"] != "A3"
        assert post(client, f"/leads/{number}/settle", status="won").status_code == 422
        assert post(client, "/admin/people/A3/capacity", capacity="7").status_code == 303
        assert service.desk.book.agent("A3")["capacity"] == 7
        assert post(client, "/admin/people/A3/capacity", capacity="many").status_code == 422
        times = {"from": "2030-01-01T09:00", "until": "2030-01-01T17:00"}
        assert client.post("/admin/people/A3/shift", data=times).status_code == 303
        assert service.desk.book.agent("A3")["shifts"] is not None
        assert post(client, "/admin/people/A3/shift", always="1").status_code == 303
        assert post(client, "/admin/people/A3/capacity", capacity="40").status_code == 303
        assert post(client, "/admin/people/A3/channel", channel="Mars", capacity="3").status_code == 404
        service.desk.book.set_channel("Mars", capacity=30, dimension="destination")
        assert post(client, "/admin/people/A3/channel", channel="Mars", capacity="3").status_code == 303
        (mine,) = service.desk.book.agent("A3")["channels"]
        assert (mine["channel"], mine["capacity"], mine["own"]) == ("Mars", 3, True)
        assert "Capacity of Agent A3 for Mars" in client.get("/admin/people").text
        service.desk.book.remove_channel("Mars")
        page = client.get("/admin/people").text
        assert '<option value="destination:Mars">Mars</option>' in page
        assert '<option value="lead_source:Organic">' in page
        new = {"channel": "destination:Mars", "capacity": "25", "places": "2"}
        assert post(client, "/admin/channels", **new).status_code == 303
        (row,) = service.desk.book.channels()
        assert (row["channel"], row["capacity"], row["places"]) == ("Mars", 25, 2)
        page = client.get("/admin/people?done=channel").text
        assert "The limit of the channel is set." in page
        assert "Capacity of each agent for Mars" in page
        assert "lead_source:" not in page  # one dimension is the channel
        for wrong in ({"channel": ""}, {"capacity": "many"}, {"places": "0"}, {"places": "1001"}):
            assert post(client, "/admin/channels", **{**new, **wrong}).status_code == 422, wrong
        assert post(client, "/admin/channels", channel="destination:Moon").status_code == 404
        assert post(client, "/admin/channels", **{**new, "capacity": "", "places": ""}).status_code == 303
        (row,) = service.desk.book.channels()
        assert (row["capacity"], row["places"]) == (None, 1)
        assert post(client, "/admin/channels/remove", channel="Mars").status_code == 303
        assert service.desk.book.channels() == ()
        assert post(client, "/admin/channels/remove", channel="Mars").status_code == 404
        assert post(client, "/models/1/promote").status_code == 403
        assert post(client, "/admin/keys/" + "0" * 12 + "/revoke").status_code == 403
        changes = client.get("/audit/changes.json?object=agent").json()["rows"]
        assert {row["actor_name"] for row in changes if row["action"] == "set_availability"} == {"manager"}
        answer = client.post("/leads", content=b"{}", headers={"content-type": "application/json"})
        assert answer.status_code == 415
        found = client.get("/find.json?q=agent a3").json()
        assert [row["agent_id"] for row in found["agents"]] == ["A3"]
        assert MARS["destination"] in client.get(f"/leads/{number}").text


def test_a_model_is_put_to_work_on_the_page_when_another_person_agrees(service: Serving) -> None:
    desk = service.desk
    desk.proposals.require("as agreed")
    spare = desk.load_model("value", desk.model(1)["parameters"], promote=False)
    with (
        service.client("admin", follow_redirects=True) as admin,
        service.client("manager", follow_redirects=True) as manager,
    ):
        assert 'name="reason" required' in admin.get(f"/models/{spare}").text
        asked = post(admin, f"/models/{spare}/promote", reason="<better>")
        assert "The change waits until another person agrees." in asked.text
        assert "&lt;better&gt;" in asked.text
        (row,) = desk.proposals.list()
        agree = f'action="/proposals/{row["proposal_id"]}/agree"'
        assert agree not in asked.text  # who asked cannot
        assert agree in manager.get("/models").text
        assert agree.replace("agree", "refuse") in asked.text
        with service.client("planner") as planner:
            seen = planner.get("/models").text
            assert "&lt;better&gt;" in seen
            assert agree not in seen
            assert post(planner, f"/proposals/{row['proposal_id']}/agree").status_code == 403
        done = post(manager, f"/proposals/{row['proposal_id']}/agree")
        assert "The change is in force." in done.text
        assert desk.promoted_model("value")[0] == spare
        post(admin, "/models/1/promote", reason="back")
        (row,) = desk.proposals.list()
        told = post(manager, f"/proposals/{row['proposal_id']}/refuse", reason="no")
        assert "The change was turned down." in told.text
        assert desk.promoted_model("value")[0] == spare
        over = desk.proposals.require("the test is over", required=False)
        post(manager, f"/proposals/{over}/agree")
        assert not desk.proposals.required
        post(admin, "/models/1/promote")
        assert desk.promoted_model("value")[0] == 1
