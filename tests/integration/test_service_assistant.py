"""An assistant's tools: what each key is offered, that they answer as the service does, and who confirms."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from asynchronous import finish
from mcp import Client as Assistant
from mcp.client.stdio import StdioServerParameters
from mcp_types import ElicitRequestParams, ElicitResult
from servers import TestServer
from serving import MARS, ROOT, Serving, served_floor

from dealwright import Client
from dealwright.service.assistant import build_assistant


@pytest.fixture(scope="module")
def service(
    server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    with served_floor(server, desk_template, tmp_path_factory.mktemp("assistant")) as found:
        yield found


def person(asked: list[str], *, agrees: bool) -> Any:
    async def answer(_: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"confirmed": agrees})

    return answer


def test_a_key_is_offered_what_it_may_do(service: Serving) -> None:
    async def tools(role: str) -> set[str]:
        with Client(service.url, service.keys[role]) as client:
            async with Assistant(build_assistant(client)) as assistant:
                return {tool.name for tool in (await assistant.list_tools()).tools}

    planner = finish(tools("planner"))
    runs = {"runs", "run_summary", "start_run", "cancel_run"}
    assert planner == {"rank", "why", "assignment", "queue", "agents", "evidence", "account"} | runs
    assert finish(tools("ingest")) == {"rank", "evidence", "assign", "settle"}
    assert finish(tools("A1")) == {"why", "assignment", "evidence", "account", "settle"}
    assert finish(tools("manager")) == planner | {"assign", "reassign", "settle"}


def test_the_program_speaks_the_protocol_and_changes_nothing_unconfirmed(service: Serving) -> None:
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "dealwright", "mcp", "--url", service.url],
        env={**os.environ, "DEALWRIGHT_KEY": service.keys["manager"], "PYTHONPATH": str(ROOT / "src")},
    )

    async def talk(callback: Any) -> list[Any]:
        async with Assistant(program, elicitation_callback=callback) as assistant:
            ranked = await assistant.call_tool("rank", {"attributes": MARS, "top": 2})
            wrong = await assistant.call_tool("rank", {"attributes": {"planet": "Mars"}})
            try:
                placed = await assistant.call_tool("assign", {"customer_name": "Mia", "attributes": MARS})
            except Exception as error:  # noqa: BLE001 - the protocol's own word that nobody can be asked
                placed = error
            # an id may be sent back as the number that an answer had, or as a text
            numbers = [await assistant.call_tool("assignment", {"assignment_id": id_}) for id_ in (99, "99")]
            return [ranked, wrong, placed, *numbers]

    asked: list[str] = []
    ranked, wrong, placed, *numbers = finish(talk(person(asked, agrees=True)))
    assert all("there is no assignment 99" in answer.content[0].text for answer in numbers)
    assert [row["rank"] for row in ranked.structured_content["ranking"]] == [1, 2]
    assert wrong.is_error
    assert "planet" in wrong.content[0].text
    assert asked == ["Place a lead of Mia (destination Mars, lead_source Organic)?"]
    number = placed.structured_content["lead_id"]
    assert service.desk.book.lead(number)["customer_name"] == "Mia"
    refused = finish(talk(person(asked, agrees=False)))[2]
    assert "nothing was done" in refused.content[0].text
    nobody = finish(talk(None))[2]
    assert isinstance(nobody, Exception) or nobody.is_error
    assert [row["customer_name"] for row in service.desk.book.leads().rows] == ["Mia"]


def test_without_a_key_the_command_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dealwright.cli.main import main

    monkeypatch.delenv("DEALWRIGHT_KEY", raising=False)
    with pytest.raises(SystemExit, match="2"):
        main(["mcp"])
    assert "dealwright key create" in capsys.readouterr().err
