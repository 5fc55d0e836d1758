"""The description of the HTTP interface is complete, and a client made from it works."""

from __future__ import annotations

from pathlib import Path

import aiopenapi3
import httpx2
import pytest
from servers import TestServer
from serving import MARS, served_floor

from dealwright.service.app import create_app
from dealwright.service.params import ServiceParams

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def test_every_operation_has_a_name_a_summary_and_its_errors() -> None:
    document = create_app(lambda: pytest.fail("opened"), ServiceParams()).openapi()
    names = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            what = f"{method} {path}"
            names.append(operation["operationId"])
            assert operation["summary"], what
            described = operation["responses"]
            assert any(code.startswith(("2", "3")) for code in described), what
            if "x-scopes" in operation:
                assert {"401", "403", "422", "429", "503"} <= described.keys(), what
    assert len(names) == len(set(names)) >= 38


def test_a_client_made_from_the_committed_description_does_a_days_work(
    server: TestServer, desk_template: str, tmp_path: Path
) -> None:
    with served_floor(server, desk_template, tmp_path) as service:
        client = aiopenapi3.OpenAPI.loads(
            f"{service.url}/api/v1/openapi.json", DOCUMENT.read_text("utf-8"), session_factory=httpx2.Client
        )
        client.authenticate(key=service.keys["admin"])
        call = client._  # the operations by their names; each answer is checked with its schema
        placed = call.send_lead(
            data={"customer_name": "Ada", "attributes": MARS, "idempotency_key": "contract-1"},
            parameters={"policy": "workload"},
        )
        assert placed.status == "assigned"
        found = call.find_lead(parameters={"idempotency_key": "contract-1"})
        assert (found.lead_id, found.customer_name) == (placed.lead_id, "Ada")
        ranked = call.rank_lead(data={"lead": {"attributes": MARS}, "policy": "workload"})
        assert len(ranked.ranking) == 3
        both = call.send_leads(data={"leads": [{"customer_name": name, "attributes": MARS} for name in "BC"]})
        assert len(both.placements) == 2
        page = call.list_leads(parameters={"limit": 2})
        assert [row.lead_id for row in page.items] == [row.lead_id for row in reversed(both.placements)]
        rest = call.list_leads(parameters={"limit": 2, "after": page.next})
        assert [row.lead_id for row in rest.items] == [placed.lead_id]
        settled = call.settle_booking(
            parameters={"booking_id": str(placed.booking_id)},
            data={"status": "confirmed", "total_revenue": 2400},
        )
        assert settled.status == "confirmed"
        assert {row.agent_id for row in call.list_agents().items} == {"A1", "A2", "A3"}
        shown = call.get_assignment(parameters={"assignment_id": str(placed.assignment_id)})
        assert shown.booking_status == "confirmed"
        replayed = call.replay_assignment(parameters={"assignment_id": str(placed.assignment_id)})
        assert replayed.agrees is True
        with pytest.raises(Exception, match="404") as caught:
            call.get_lead(parameters={"lead_id": 10**9})
        assert "there is no lead" in str(vars(caught.value))
