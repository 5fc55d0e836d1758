"""Webhooks when things go wrong: receivers as processes, a worker that is killed, addresses in disguise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, dealwright  # noqa: F401 - a fixture
from receivers import Receiver, receiving
from serving import lead, make_floor
from standardwebhooks import Webhook as Signer

from dealwright import InputError
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.service.courier import Courier, find_address
from dealwright.service.params import ServiceParams

ROOT = Path(__file__).resolve().parents[2]
KEY = "k" * 44


def until(check: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _worker(url: str, home: Path) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ, "DATABASE_URL": url, "DEALWRIGHT_HOME": str(home), "DEALWRIGHT_WEBHOOK_KEY": KEY,
        "PYTHONPATH": str(ROOT / "src"),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "dealwright", "worker", "--every", "0.1", "--private-webhooks"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _distinct(target: Receiver) -> list[str]:
    return list(dict.fromkeys(target.ids()))


def test_a_killed_worker_loses_nothing_and_what_comes_twice_has_the_same_id(
    database: Database, tmp_path: Path
) -> None:
    make_floor(database)
    desk = Desk(database)
    start = desk.outbox.last()
    with receiving(tmp_path, "slow", 0.15) as target:
        _, secret = desk.webhooks.create(target.url, ["assigned"], key=KEY)
        for number in range(10):
            desk.assign(lead(f"Told {number}"))
        wanted = [str(event.position) for event in desk.outbox.read(start) if event.kind == "assigned"]
        assert len(wanted) == 10
        for seen in (2, 5):
            process = _worker(database.url, tmp_path)
            # the receiver has this one and has not answered yet
            until(lambda seen=seen: len(_distinct(target)) >= seen)
            process.send_signal(signal.SIGKILL)
            process.wait()
        process = _worker(database.url, tmp_path)
        try:
            until(lambda: len(_distinct(target)) == 10)
            until(lambda: str(desk.webhooks.list()[0].heard) == wanted[-1])
        finally:
            process.terminate()
            process.wait(20)
    assert _distinct(target) == wanted
    assert 10 < len(target.ids()) <= 12
    sent = {(request["headers"]["webhook-id"], request["body"]) for request in target.requests()}
    assert len(sent) == 10
    for request in target.requests():
        Signer(secret).verify(request["body"], request["headers"])


@pytest.mark.parametrize("behaviour", ["hang", "drip", "redirect", "die"])
def test_an_attempt_ends_in_time_and_leads_nowhere_else(
    database: Database, tmp_path: Path, behaviour: str
) -> None:
    desk = Desk(database)
    with receiving(tmp_path, behaviour) as target:
        desk.webhooks.create(target.url, key=KEY)
        params = ServiceParams(private_webhooks=True, webhook_timeout_s=0.5, webhook_key=KEY)
        began = time.monotonic()
        error = Courier(desk, params).test(desk.webhooks.list()[0])
        assert time.monotonic() - began < 3
        assert [request["path"] for request in target.requests()] == ["/hooks?from=desk"]
    assert error is not None
    assert (error == "it answered 302") == (behaviour == "redirect")


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:0:1::1", "fe80::1"],
)
def test_an_address_of_ipv4_in_disguise_is_not_called(address: str) -> None:
    with pytest.raises(InputError, match="not public"):
        find_address(f"https://[{address}]/", allow_private=False)


def test_the_commands_add_try_list_and_remove(dealwright: Command, tmp_path: Path) -> None:  # noqa: F811
    def run(*arguments: str, code: int = 0) -> Any:
        answer = dealwright("webhook", *arguments, "--json", expect=code)
        return json.loads(answer.out or answer.err)

    with receiving(tmp_path) as target:
        assert "not encrypted" in run("add", target.url, code=2)["error"]["message"]
        made = run("add", target.url, "--private", "--kind", "dealwright.assigned")
        number = str(made["webhook_id"])
        (listed,) = run("list")
        assert (listed["url"], listed["kinds"], listed["dead_letters"]) == (target.url, ["assigned"], 0)
        assert made["secret"] not in json.dumps(listed)
        assert run("test", number, "--private") == {"webhook_id": int(number), "error": None}
        (request,) = target.requests()
        event = Signer(made["secret"]).verify(request["body"], request["headers"])
        assert event["type"] == "dealwright.test"
        assert "not encrypted" in run("test", number, code=1)["error"]
        assert run("dead", "list", number) == []
        assert run("dead", "retry", number) == {
            "webhook_id": int(number),
            "disabled_at": None,
            "archived_until": None,
        }
        assert run("remove", number) == {"webhook_id": int(number), "removed": True}
        assert "there is no webhook" in run("test", number, code=2)["error"]["message"]
    assert run("list") == []
