"""The HTTP service as a process: leads, keys, roles, pages, errors, and its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from engine import rows, value
from ledger import check_desk
from servers import TestServer
from serving import MARS, Serving, lead, served_floor

PROBLEM = {"type", "title", "status", "detail", "instance"}


@pytest.fixture(scope="module")
def service(
    server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a service that runs; its key checks are not remembered for long."""
    with served_floor(server, desk_template, tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture(scope="module")
def admin(service: Serving) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def send(client: httpx.Client, customer: str = "Kate", **more: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/leads", json=lead(customer, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()


def is_problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() >= PROBLEM
    assert answer.json()["status"] == status
    return str(answer.json()["detail"])


def test_a_lead_is_placed_once_however_often_it_is_sent(service: Serving, admin: httpx.Client) -> None:
    first = send(admin, "Ada", idempotency_key="form-1")
    again = admin.post("/api/v1/leads", json=lead("Ada"), headers={"Idempotency-Key": "form-1"})
    assert again.status_code == 201
    assert again.json()["assignment_id"] == first["assignment_id"]
    assert "form-1" in is_problem(
        admin.post("/api/v1/leads", json=lead("Bea", idempotency_key="form-1")), 409
    )
    both = admin.post(
        "/api/v1/leads", json=lead("Ada", idempotency_key="form-1"), headers={"Idempotency-Key": "x"}
    )
    assert "differ" in is_problem(both, 422)
    shown = admin.get(f"/api/v1/leads/{first['lead_id']}").json()
    assert (shown["customer_name"], shown["agent_id"], shown["status"]) == (
        "Ada",
        first["agent_id"],
        "assigned",
    )
    by_key = admin.get("/api/v1/leads/by-key", params={"idempotency_key": "form-1"})
    assert by_key.json() == shown
    with service.desk.database.connect(autocommit=True) as connection:
        assert value(connection, "select count(*) from dealwright.lead where customer_name = 'Ada'") == 1


def test_leads_that_arrive_together_each_get_their_own_answer(service: Serving) -> None:
    def one(number: int) -> httpx.Response:
        # every twentieth names a destination that there is not, every seventh repeats another's key
        attributes = {**MARS, "destination": "Nowhere"} if number % 20 == 5 else MARS
        key = f"together-{number - 1 if number % 7 == 0 else number}"
        body = lead(f"Crowd {number if number % 7 else number - 1}", idempotency_key=key)
        return client.post("/api/v1/leads", json={**body, "attributes": attributes})

    with service.client("ingest") as client, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(1, 101)))
    placed: dict[str, set[Any]] = {}
    for number, answer in enumerate(answers, 1):
        if number % 20 == 5:
            assert "Nowhere" in is_problem(answer, 422)
        else:
            assert answer.status_code == 201, answer.text
            placed.setdefault(str(answer.json()["lead_id"]), set()).add(answer.json()["assignment_id"])
    assert len(placed) == 95 - 14
    assert all(len(assignments) == 1 for assignments in placed.values())
    with service.desk.database.connect(autocommit=True) as connection:
        recorded = rows(
            connection, "select lead_id from dealwright.lead where idempotency_key like 'together-%%'"
        )
        assert {str(row["lead_id"]) for row in recorded} == set(placed)
        check_desk(connection)
    with service.client() as client:
        text = client.get("/api/v1/metrics").text
    batches = next(line for line in text.splitlines() if line.startswith("dealwright_lead_batch_size_count"))
    singles = next(line for line in text.splitlines() if 'batch_size_bucket{le="1.0"}' in line)
    assert float(batches.split()[-1]) > float(singles.split()[-1])  # some went together


def test_a_batch_is_placed_as_a_whole_or_not_at_all(service: Serving, admin: httpx.Client) -> None:
    answer = admin.post("/api/v1/leads/batch", json={"leads": [lead(f"Batch {n}") for n in range(5)]})
    assert answer.status_code == 201
    names = [admin.get(f"/api/v1/leads/{row['lead_id']}").json()["customer_name"]
             for row in answer.json()["placements"]]  # fmt: skip
    assert names == [f"Batch {n}" for n in range(5)]
    wrong = [lead("Batch 5"), {**lead("Batch 6"), "attributes": {**MARS, "destination": "Nowhere"}}]
    assert "2" in is_problem(admin.post("/api/v1/leads/batch", json={"leads": wrong}), 422)
    with service.desk.database.connect(autocommit=True) as connection:
        assert not rows(connection, "select from dealwright.lead where customer_name = 'Batch 5'")
    many = admin.post("/api/v1/leads/batch", json={"leads": [lead()] * 1001})
    assert "1,000" in is_problem(many, 422)


def test_a_ranking_has_reasons_under_any_policy(admin: httpx.Client) -> None:
    placed = send(admin, "Rita")
    orders = {}
    for policy in ("value", "workload", "fair"):
        answer = admin.post("/api/v1/rankings", json={"lead": {"attributes": MARS}, "policy": policy})
        assert answer.status_code == 200, answer.text
        assert answer.json()["policy"] == policy
        orders[policy] = [row["agent_id"] for row in answer.json()["ranking"]]
        recorded = admin.get(f"/api/v1/leads/{placed['lead_id']}/ranking", params={"policy": policy, "k": 2})
        assert recorded.json()["policy"] == policy
        assert len(recorded.json()["ranking"]) == 2
        assert all(row["reasons"] for row in recorded.json()["ranking"])
    assert all(sorted(order) == ["A1", "A2", "A3"] for order in orders.values())
    unknown = admin.post("/api/v1/rankings", json={"lead": {"attributes": {"planet": "Mars"}}})
    assert "planet" in is_problem(unknown, 422)


def test_an_assignment_is_explained_replayed_handed_on_and_settled(admin: httpx.Client) -> None:
    placed = send(admin, "Sue", customer_id="C-1")
    path = f"/api/v1/assignments/{placed['assignment_id']}"
    told = admin.get(f"{path}/explanation", params={"agent": "A3"}).json()
    assert told["agent_id"] == placed["agent_id"]
    assert "A3" in [row["agent_id"] for row in told["ranking"]]
    assert admin.get(f"{path}/replay").json()["agrees"] is True
    contact = admin.post(f"{path}/contact").json()
    assert admin.get(path).json()["first_contact_at"] == contact["first_contact_at"]
    moved = admin.post(f"{path}/reassign", json={"reason": "ill"}).json()
    assert moved["agent_id"] != placed["agent_id"]
    declined = admin.post(
        f"/api/v1/assignments/{moved['assignment_id']}/decline", json={"reason": "no time"}
    ).json()
    assert declined["agent_id"] != moved["agent_id"]
    before = admin.get(f"/api/v1/agents/{declined['agent_id']}").json()["open"]
    settled = admin.put(
        f"/api/v1/bookings/{declined['booking_id']}", json={"status": "confirmed", "total_revenue": 2400.5}
    ).json()
    assert settled["total_revenue"] == 2400.5
    assert admin.get(f"/api/v1/agents/{declined['agent_id']}").json()["open"] == before - 1
    is_problem(admin.put("/api/v1/bookings/999999", json={"status": "confirmed"}), 404)


def test_room_that_opens_goes_to_who_waits(service: Serving, admin: httpx.Client) -> None:
    for agent in ("A1", "A2", "A3"):
        assert admin.patch(f"/api/v1/agents/{agent}", json={"active": False}).json()["active"] is False
    waiting = send(admin, "Wim")
    assert waiting["status"] == "waiting"
    assert admin.get("/api/v1/queue").json()["items"][0]["customer_name"] == "Wim"
    full = admin.get("/api/v1/agents/A2").json()["open"]
    admin.patch("/api/v1/agents/A2", json={"capacity": full})
    assert admin.patch("/api/v1/agents/A2", json={"active": True}).json()["open"] == full
    assert admin.patch("/api/v1/agents/A2", json={"capacity": full + 1}).json()["open"] == full + 1
    assert admin.get(f"/api/v1/leads/{waiting['lead_id']}").json()["agent_id"] == "A2"
    shift = {"from": "2030-01-01T09:00:00+01:00", "until": "2030-01-01T17:00:00+01:00"}
    away = admin.patch("/api/v1/agents/A2", json={"shifts": [shift], "capacity": 40}).json()
    assert datetime.fromisoformat(away["shifts"][0]["from"]) == datetime(2030, 1, 1, 8, tzinfo=UTC)
    assert send(admin, "Xenia")["status"] == "waiting"
    assert admin.patch("/api/v1/agents/A2", json={"always": True}).json()["shifts"] is None
    for agent in ("A1", "A3"):
        admin.patch(f"/api/v1/agents/{agent}", json={"active": True})
    assert admin.get("/api/v1/queue").json()["items"] == []
    turned = {"from": shift["until"], "until": shift["from"]}
    assert "before it begins" in is_problem(admin.patch("/api/v1/agents/A2", json={"shifts": [turned]}), 422)
    # all of a change or nothing of it
    before = admin.get("/api/v1/agents/A2").json()
    change = {"capacity": 41, "active": False, "hand_over": True, "channels": {"Telegraph": 1}}
    assert "no channel 'Telegraph'" in is_problem(admin.patch("/api/v1/agents/A2", json=change), 404)
    assert admin.get("/api/v1/agents/A2").json() == before
    with service.desk.database.connect(autocommit=True) as connection:
        check_desk(connection)


@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("assignments?agent_id=A1", "unknown query parameter 'agent_id': did you mean 'agent'?"),
        ("tasks?rep=R1", "unknown query parameter 'rep': did you mean 'rep_id'?"),
        ("me?x=", "unknown query parameter 'x': use one of: (there are none)"),
        ("assignments?agent=A1&agent=A2", "the query parameter 'agent' is given 2 times: give it once"),
    ],
)
def test_a_filter_that_nobody_knows_is_refused(admin: httpx.Client, address: str, detail: str) -> None:
    assert is_problem(admin.get(f"/api/v1/{address}"), 422) == detail


def test_true_is_nobodys_number(admin: httpx.Client) -> None:
    lead_id = send(admin, "Tove")["lead_id"]
    named = {"agent_id": True, "reason": "asked for"}
    assert "agent_id" in is_problem(admin.post(f"/api/v1/leads/{lead_id}/assign", json=named), 422)


def test_pages_show_every_row_once(service: Serving, admin: httpx.Client) -> None:
    for path, name in (("leads", "lead_id"), ("assignments", "assignment_id"), ("agents", "agent_id")):
        seen: list[Any] = []
        after = None
        while True:
            asked = {"limit": 2} if after is None else {"limit": 2, "after": after}
            page = admin.get(f"/api/v1/{path}", params=asked).json()
            assert len(page["items"]) <= 2
            seen += [row[name] for row in page["items"]]
            after = page["next"]
            if after is None:
                break
        whole = admin.get(f"/api/v1/{path}", params={"limit": 1000}).json()
        assert seen == [row[name] for row in whole["items"]]
        assert len(seen) == len(set(seen)) > 2
    mine = admin.get("/api/v1/assignments", params={"agent": "A1", "limit": 1000}).json()["items"]
    assert mine
    assert {row["agent_id"] for row in mine} == {"A1"}
    is_problem(admin.get("/api/v1/leads", params={"limit": 0}), 422)
    assert "did you mean" in is_problem(admin.get("/api/v1/leads", params={"status": "asigned"}), 422)


def test_only_valid_keys_are_let_in(service: Serving) -> None:
    keys = service.desk.keys
    made = keys.create("short", ["ingest"], expires_at=datetime.now(UTC) + timedelta(seconds=1.5))
    revoked = keys.create("gone", ["ingest"])
    kept = keys.create("old", ["ingest"])
    successor = keys.replace(kept.split("_")[1], keep=timedelta(0))
    keys.revoke(revoked.split("_")[1])
    with service.client(None) as client:

        def ask(token: str) -> httpx.Response:
            return client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})

        assert ask(made).json()["name"] == "short"
        assert ask(successor).json()["name"] == "old"
        wrong = f"{successor[:-4]}AAAA"
        for token in (revoked, kept, wrong, "dw_x", "x", f"dw_{'0' * 12}_{'a' * 43}"):
            answer = ask(token)
            assert "key" in is_problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        is_problem(client.get("/api/v1/me"), 401)
        is_problem(client.get("/api/v1/me", headers={"Authorization": f"Basic {successor}"}), 401)
        # a remembered key is asked for again after five seconds
        deadline = datetime.now(UTC) + timedelta(seconds=8)
        while ask(made).status_code == 200:
            assert datetime.now(UTC) < deadline


def test_no_secret_is_in_the_database_nor_in_the_log(service: Serving) -> None:
    secrets = [token.split("_", 2)[2] for token in service.keys.values()]
    with service.desk.database.connect(autocommit=True) as connection:
        stored = rows(connection, "select k::text as line from dealwright_engine.api_key as k")
    text = service.log.read_text("utf-8") + "".join(row["line"] for row in stored)
    assert len(stored) >= len(secrets)
    assert not [secret for secret in secrets if secret in text]
    assert all("$argon2id$" in row["line"] for row in stored)
    lines = [line for line in service.lines() if line["event"] == "request"]
    assert {"request_id", "method", "route", "status", "ms", "caller"} <= lines[-1].keys()
    assert not [line for line in lines if "Kate" in str(line)]


def test_every_error_has_the_same_shape(service: Serving, admin: httpx.Client) -> None:
    is_problem(admin.get("/api/v1/nothing"), 404)
    is_problem(admin.delete("/api/v1/leads"), 405)
    sent = {"content": b"{", "headers": {"content-type": "application/json"}}
    is_problem(admin.post("/api/v1/leads", **sent), 400)
    misspelt = admin.post("/api/v1/leads", json={"customer": "Kate"})
    assert "customer_name" in is_problem(misspelt, 422)
    assert {error["at"] for error in misspelt.json()["errors"]} == {"body.customer_name", "body.customer"}
    large = admin.post("/api/v1/leads", json=lead(requirements="x" * 5_000_000))
    assert "bytes" in is_problem(large, 413)
    streamed = admin.post(
        "/api/v1/leads", content=iter([b"x" * 2**20] * 5), headers={"content-type": "application/json"}
    )
    is_problem(streamed, 413)
    is_problem(admin.post("/api/v1/leads", json=lead("Nul\0")), 422)
    null = admin.get("/api/v1/leads/by-key", params={"idempotency_key": "a\0b"})
    assert "plain text" in is_problem(null, 422)
    with service.client("ingest") as client:
        assert "manager" in is_problem(client.get("/api/v1/queue"), 403)


def test_monitors_see_the_process_the_database_and_the_floor(service: Serving, admin: httpx.Client) -> None:
    with service.client(None) as client:
        assert client.get("/health").json()["status"] == "alive"
        assert client.get("/ready").json()["status"] == "ready"
        is_problem(client.get("/api/v1/metrics"), 401)
    text = admin.get("/api/v1/metrics").text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures["dealwright_active_agents"]) == 3
    assert float(figures['dealwright_http_requests_total{method="GET",route="/ready",status="200"}']) >= 1
    assert "dealwright_waiting_leads" in figures
    # who leads the workers is asked of the database, so that it holds for workers elsewhere
    assert float(figures["dealwright_worker_leads"]) == float(figures["dealwright_courier_leads"]) == 1
    assert float(figures["dealwright_night_worker_leads"]) == 0  # no night is configured here
    assert "dealwright_last_night_done_age_s" not in figures  # there has been none: not 0


def test_monitors_see_nights_late_events_and_open_transactions(service: Serving, admin: httpx.Client) -> None:
    def figures() -> dict[str, float]:
        lines = admin.get("/api/v1/metrics").text.splitlines()
        return {
            name: float(number)
            for name, number in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        }

    desk = service.desk
    desk.nights.request("waits", "Ann")
    desk.nights.miss("missed", datetime.now(UTC))
    webhook, _ = desk.webhooks.create(
        "https://127.0.0.1:9/", ["assigned"], key="k" * 44
    )  # private: never delivered
    try:
        assert figures()["dealwright_oldest_undelivered_event_s"] == 0
        send(admin, "Otto")
        with desk.database.connect() as connection:
            rows(connection, "select 1")  # opens a transaction
            time.sleep(1.1)
            found = figures()
            assert found["dealwright_oldest_transaction_s"] >= 1.1
        assert 1 <= found["dealwright_oldest_undelivered_event_s"] < 60
        assert found["dealwright_nights_queued"] == 1
        assert found["dealwright_nights_failed_in_a_row"] == 1
        night = desk.nights.begin("host:1", datetime.now(UTC))
        assert night is not None
        desk.nights.progress(night.night_id, "route", 0.5)
        found = figures()
        assert (found["dealwright_nights_running"], found["dealwright_night_share"]) == (1, 0.5)
        desk.nights.end(night.night_id, "done", folder="1")
        found = figures()
        assert found["dealwright_nights_failed_in_a_row"] == 0
        assert 0 <= found["dealwright_last_night_done_age_s"] < 60
    finally:
        desk.webhooks.remove(webhook)


def test_a_request_keeps_the_number_it_came_with(service: Serving, admin: httpx.Client) -> None:
    answer = admin.get("/api/v1/me", headers={"X-Request-ID": "proxy-4711"})
    assert answer.headers["x-request-id"] == "proxy-4711"
    deadline = time.monotonic() + 10
    while "proxy-4711" not in [line.get("request_id") for line in service.lines()]:
        assert time.monotonic() < deadline  # the line is written after the answer
        time.sleep(0.05)
    for odd in ("a b", "x" * 65, "<script>"):
        assert admin.get("/api/v1/me", headers={"X-Request-ID": odd}).headers["x-request-id"] != odd
