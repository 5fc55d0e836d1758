"""People sign in with a browser: by a key or at an OpenID provider; and no other site acts for them."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from engine import rows, value
from fastapi import Depends, FastAPI, Request
from joserfc.jwk import RSAKey
from openid_provider import CLIENT, SECRET, Provider, openid_provider
from serving import make_floor
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.errors import InputError
from dealwright.service.app import create_app
from dealwright.service.core import Service
from dealwright.service.endpoint import csrf_token_of, page_needs
from dealwright.service.params import ServiceParams
from dealwright.service.routes.people import own_path
from dealwright.settings import OpenId, load_settings

SITE = "https://desk.example.com"
COOKIE = "__Host-dealwright"
RIGHTS = {"Sales": ("agent",), "Leads": ("manager", "planner")}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with openid_provider() as found:
        yield found


@pytest.fixture
def site(database: Database, provider: Provider) -> FastAPI:
    """Return the application of a floor, with a page of its own for managers."""
    make_floor(database)
    with database.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set email = lower(external_id) || '@Example.com'")
    provider.claims, provider.wrong, provider.more = {}, {}, {}
    provider.signs_with = provider.calls_itself = None
    oidc = OpenId(provider.url, CLIENT, RIGHTS)
    params = ServiceParams(
        worker=False, public_url=SITE, oidc=oidc, oidc_secret=SECRET, session_hours=2, attempts_per_min=12
    )
    app = create_app(lambda: Service(Desk.open(database.url), params), params)

    @app.get("/floor", dependencies=[Depends(page_needs("manager"))])
    async def floor(request: Request) -> PlainTextResponse:
        return PlainTextResponse(csrf_token_of(request))

    @app.post("/floor", dependencies=[Depends(page_needs("manager"))])
    async def change(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await request.body()).decode())

    return app


@pytest.fixture
def browser(site: FastAPI) -> Iterator[TestClient]:
    with TestClient(site, SITE, follow_redirects=False) as found:
        yield found


def desk_of(browser: TestClient) -> Desk:
    return browser.app.state.service.desk  # type: ignore[attr-defined]


def with_key(browser: TestClient, key: str, to: str = "/floor", **headers: str) -> httpx.Response:
    return browser.post("/auth/sign-in", data={"key": key, "to": to}, headers=headers)


def at_provider(browser: TestClient, to: str = "/floor") -> httpx.Response:
    """Go to the provider and come back."""
    sent = browser.get("/auth/openid", params={"to": to})
    assert sent.status_code == 303, sent.text
    back = httpx.get(sent.headers["location"])
    return browser.get(back.headers["location"])


def test_a_key_signs_in_until_the_person_signs_out(browser: TestClient) -> None:
    desk = desk_of(browser)
    key = desk.keys.create("Mona", ["manager"])
    page = browser.get("/floor?day=today&team=1")
    assert page.status_code == 303
    assert page.headers["location"] == "/auth/sign-in?to=%2Ffloor%3Fday%3Dtoday%26team%3D1"
    shown = browser.get(page.headers["location"])
    assert 'name="to" value="/floor?day=today&amp;team=1"' in shown.text
    assert 'href="/auth/openid?' in shown.text
    assert "unsafe" not in shown.headers["content-security-policy"]
    entered = with_key(browser, key, "/floor?day=today&team=1")
    assert (entered.status_code, entered.headers["location"]) == (303, "/floor?day=today&team=1")
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Secure", "Path=/"))
    assert "Domain" not in cookie
    ends = datetime.strptime(re.search(r"expires=([^;]+)", cookie)[1], "%a, %d %b %Y %H:%M:%S %Z")
    left = ends.replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(hours=1.9) < left <= timedelta(hours=2)
    token = browser.cookies[COOKIE]
    assert browser.get("/floor").status_code == 200
    who = browser.get("/api/v1/me").json()
    assert (who["name"], who["scopes"]) == ("Mona", ["manager"])
    with desk.database.connect() as connection:
        kept = rows(connection, "select to_jsonb(s)::text as text from dealwright_engine.web_session as s")
    assert len(kept) == 1
    assert token not in kept[0]["text"]
    csrf = browser.get("/floor").text
    out = browser.post("/auth/sign-out", data={"csrf_token": csrf})
    assert (out.status_code, out.headers["location"]) == (303, "/auth/sign-in")
    assert COOKIE not in browser.cookies
    # also the cookie that somebody kept is worth nothing
    browser.cookies.set(COOKIE, token)
    assert browser.get("/floor").status_code == 303
    assert browser.get("/api/v1/me").status_code == 401


def test_a_session_ends_with_its_time_and_with_its_key(browser: TestClient) -> None:
    desk = desk_of(browser)
    key = desk.keys.create("Mona", ["manager"])
    with_key(browser, key)
    assert browser.get("/floor").status_code == 200
    with desk.database.connect(autocommit=True) as connection:
        rows(
            connection,
            "update dealwright_engine.web_session set created_at = created_at - interval '3 hours',"
            " expires_at = expires_at - interval '2 hours'",
        )
        assert browser.get("/floor").status_code == 303
        with_key(browser, key)
        # what has expired goes when somebody signs in
        assert value(connection, "select count(*) from dealwright_engine.web_session") == 1
    assert browser.get("/floor").status_code == 200
    desk.keys.revoke(key.split("_")[1])
    assert browser.get("/floor").status_code == 303
    soon = desk.keys.create("Tim", ["manager"], expires_at=datetime.now(UTC) + timedelta(seconds=3))
    with_key(browser, soon)
    assert browser.get("/floor").status_code == 200
    time.sleep(3)
    assert browser.get("/floor").status_code == 303


def test_a_wrong_key_signs_nobody_in_and_guessing_ends(browser: TestClient) -> None:
    for _ in range(12):
        refused = with_key(browser, "dw_0123456789ab_" + "x" * 43, '/floor"><script>')
        assert refused.status_code == 401
        assert "unknown, expired or revoked" in refused.text
        assert "<script>" not in refused.text
        assert COOKIE not in browser.cookies
    assert with_key(browser, "dw_0123456789ab_" + "x" * 43).status_code == 429


def test_no_other_site_signs_in_or_changes_anything(browser: TestClient) -> None:
    desk = desk_of(browser)
    key = desk.keys.create("Mona", ["manager"])
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
    ):
        assert with_key(browser, key, **headers).status_code == 403
        assert COOKIE not in browser.cookies
    assert with_key(browser, key, Origin=SITE).status_code == 303
    csrf = browser.get("/floor").text
    assert len(csrf) == 43
    for headers, body in (
        ({}, {}),
        ({}, {"csrf_token": ""}),
        ({}, {"csrf_token": csrf[:-1] + ("A" if csrf[-1] != "A" else "B")}),
        ({"X-CSRF-Token": "x"}, {}),
    ):
        refused = browser.post("/floor", data=body, headers=headers)
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        assert browser.post("/auth/sign-out", data=body, headers=headers).status_code == 403
        assert browser.patch("/api/v1/agents/A1", json={"capacity": 1}, headers=headers).status_code == 403
    assert browser.post("/floor", json={"csrf_token": csrf}).status_code == 403
    assert desk.book.agent("A1")["capacity"] == 40
    sent = browser.post("/floor", data={"csrf_token": csrf, "x": "1"})
    assert (sent.status_code, sent.text) == (200, f"csrf_token={csrf}&x=1")
    change = browser.patch("/api/v1/agents/A1", json={"capacity": 7}, headers={"X-CSRF-Token": csrf})
    assert change.status_code == 200
    assert desk.book.agent("A1")["capacity"] == 7
    noted = browser.get("/api/v1/audit", params={"object": "agent", "object_id": "A1"}).json()["items"]
    assert [(row["actor_name"], row["before"], row["after"], row["request_id"]) for row in noted] == [
        ("Mona", {"capacity": 40, "shifts": None}, {"capacity": 7, "shifts": None},
         change.headers["x-request-id"])
    ]  # fmt: skip
    signed = browser.get("/api/v1/audit", params={"action": "sign_in"}).json()["items"]
    assert [row["actor"] for row in signed] == [f"key {key.split('_')[1]}"]
    # of another session the token is another
    with_key(browser, key)
    assert browser.get("/floor").text != csrf


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("/floor?x=/y", "/floor?x=/y"),
        ("https://evil.example.com/", "/"),
        ("//evil.example.com", "/"),
        ("/\\evil.example.com", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_a_sign_in_leads_to_this_service_alone(to: str, expected: str) -> None:
    assert own_path(to) == expected


def test_the_provider_names_a_manager(browser: TestClient, provider: Provider) -> None:
    provider.claims = {"groups": ["Leads", "Cycling"], "name": "Mona Lee"}
    entered = at_provider(browser, "/floor?day=1")
    assert (entered.status_code, entered.headers["location"]) == (303, "/floor?day=1")
    assert browser.get("/floor").status_code == 200
    csrf = {"X-CSRF-Token": browser.get("/floor").text}
    assert browser.patch("/api/v1/agents/A1", json={"capacity": 3}, headers=csrf).status_code == 200
    deed, signed, *_ = browser.get("/api/v1/audit").json()["items"]
    assert (deed["actor"], deed["actor_name"]) == (f"person u-1 of {provider.url}", "Mona Lee")
    assert (signed["action"], signed["actor"]) == ("sign_in", deed["actor"])
    who = browser.get("/api/v1/me").json()
    assert who == {
        "key_id": None, "name": "Mona Lee", "scopes": ["manager", "planner"], "agent_id": None,
        "expires_at": who["expires_at"],
    }  # fmt: skip


def test_the_provider_names_an_agent_who_sees_the_own_work_alone(
    browser: TestClient, provider: Provider
) -> None:
    desk = desk_of(browser)
    with desk.database.connect(autocommit=True) as connection:
        found = rows(
            connection,
            "insert into dealwright.lead (customer_name, attributes) select 'L' || n,"
            ' \'{"destination": "Mars", "lead_source": "Organic"}\' from generate_series(1, 9) as n'
            " returning lead_id",
        )
    assert len(found) == 9
    provider.claims = {"groups": "Sales"}
    # what the token leaves out, the address for user information says
    provider.more = {"email": "A2@example.com", "email_verified": True}
    assert at_provider(browser).status_code == 303
    assert browser.get("/api/v1/me").json()["agent_id"] == "A2"
    assert browser.get("/floor").status_code == 403
    shown = browser.get("/api/v1/assignments").json()["items"]
    assert shown
    assert {row["agent_id"] for row in shown} == {"A2"}


def test_whom_the_mapping_does_not_name_is_refused(browser: TestClient, provider: Provider) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"groups": ["Cycling"]}, "no right here"),
        ({}, "no right here"),
        ({"groups": [None]}, "no right here"),
        ({"groups": "Sales"}, "which agent you are"),
        ({"groups": "Sales", "email": "a2@example.com", "email_verified": False}, "which agent"),
        ({"groups": "Sales", "email": "nobody@example.com"}, "no agent of this desk is nobody"),
    ]
    for claims, said in cases:
        provider.claims = claims
        refused = at_provider(browser)
        assert refused.status_code == 403
        assert said in refused.text
        assert COOKIE not in browser.cookies


def test_two_agents_with_one_address_are_nobody(browser: TestClient, provider: Provider) -> None:
    with desk_of(browser).database.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set email = 'a2@example.com' where external_id = 'A3'")
    provider.claims = {"groups": "Sales", "email": "a2@example.com"}
    assert at_provider(browser).status_code == 403


def test_a_token_that_is_not_for_this_sign_in_is_refused(browser: TestClient, provider: Provider) -> None:
    provider.claims = {"groups": "Leads"}
    wrong: list[dict[str, Any]] = [
        {"iss": "https://other.example.com"},
        {"aud": "somebody else"},
        {"aud": [CLIENT, "somebody else"]},  # of several, one must be named as the one it is for
        {"exp": 1_000_000_000},
        {"nonce": "another sign-in's"},
        {"nonce": None},
        {"sub": ""},
    ]
    for provider.wrong in wrong:
        refused = at_provider(browser)
        assert refused.status_code == 401, (provider.wrong, refused.text)
        assert COOKIE not in browser.cookies
    provider.wrong = {}
    assert at_provider(browser).status_code == 303


def test_a_token_that_somebody_else_signed_is_refused(browser: TestClient, provider: Provider) -> None:
    provider.claims = {"groups": "Leads"}
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    assert at_provider(browser).status_code == 401
    # a provider that changes its keys is believed at once
    provider.key = provider.signs_with
    assert at_provider(browser).status_code == 303


def test_what_anybody_can_sign_is_refused(
    browser: TestClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forge(algorithm: str, secret: bytes, claims: dict[str, Any]) -> str:
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": algorithm, "kid": "one"}, claims)
        ]
        signature = hmac.digest(secret, b".".join(parts), "sha256") if secret else b""
        return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()

    provider.claims = {"groups": "Leads"}
    # the client's secret, and the published key taken for one: the provider says it uses HS256
    for algorithm, secret in (
        ("HS256", SECRET.encode()),
        ("HS256", provider.key.as_pem(private=False)),
        ("none", b""),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(
                "openid_provider.jwt.encode",
                lambda _, claims, __, a=algorithm, s=secret: forge(a, s, claims),
            )
            assert at_provider(browser).status_code == 401
    assert COOKIE not in browser.cookies
    assert at_provider(browser).status_code == 303


def test_an_answer_of_another_sign_in_is_refused(browser: TestClient, provider: Provider) -> None:
    provider.claims = {"groups": "Leads"}
    sent = browser.get("/auth/openid")
    back = httpx.get(sent.headers["location"]).headers["location"]
    # the state of another sign-in
    assert browser.get(re.sub(r"state=[^&]+", "state=x", back)).status_code == 401
    # and a browser that did not begin one; what came back is used up
    browser.cookies.clear()
    assert browser.get(back).status_code == 401
    first = browser.get("/auth/openid").headers["location"]
    browser.get("/auth/openid")
    assert browser.get(httpx.get(first).headers["location"]).status_code == 401
    # PKCE: a code that somebody took from another sign-in is of no use here
    asked = httpx.get(browser.get("/auth/openid").headers["location"]).headers["location"]
    stolen = httpx.get(browser.get("/auth/openid").headers["location"]).headers["location"]
    mixed = re.sub(r"code=[^&]+", re.search(r"code=[^&]+", asked)[0], stolen)
    assert browser.get(mixed).status_code == 401
    assert provider.refused[-1] == "verifier"
    refused = browser.get("/auth/callback?error=access_denied&state=x")
    assert refused.status_code == 401
    assert COOKIE not in browser.cookies
    pending = browser.get("/auth/openid").headers["location"]
    state = re.search(r"state=([^&]+)", pending)[1]
    denied = browser.get(f"/auth/callback?error=access_denied&error_description=%3Cb%3E&state={state}")
    assert "did not let you in (&lt;b&gt;)" in denied.text
    other = browser.get("/auth/openid").headers["location"]
    back = httpx.get(other).headers["location"]
    assert browser.get(f"{back}&iss=https://other.example.com").status_code == 401


def test_a_provider_that_calls_itself_otherwise_is_not_asked(browser: TestClient, provider: Provider) -> None:
    provider.calls_itself = "https://other.example.com"
    refused = browser.get("/auth/openid")
    assert refused.status_code == 503
    assert "correct [oidc] issuer" in refused.text


def test_without_a_provider_people_sign_in_with_a_key(database: Database) -> None:
    params = ServiceParams(worker=False)
    app = create_app(lambda: Service(Desk.open(database.url), params), params)
    with TestClient(app, "http://desk", follow_redirects=False) as browser:
        assert "/auth/openid" not in browser.get("/auth/sign-in").text
        assert browser.get("/auth/openid").status_code == 404
        key = desk_of(browser).keys.create("Mona", ["admin"])
        entered = with_key(browser, key, "//evil.example.com")
        assert entered.headers["location"] == "/"
        # a browser would not send a cookie back that asks for https
        assert "Secure" not in entered.headers["set-cookie"]
        assert browser.get("/api/v1/keys").status_code == 200


def test_the_file_names_the_provider_and_the_environment_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "dealwright.toml"
    file.write_text(
        'public_url = "https://desk.example.com"\n[oidc]\nissuer = "https://login.example.com"\n'
        'client_id = "dealwright"\nagent_claim = "employee"\n[oidc.scopes]\n"Sales team" = ["agent"]\n'
    )
    found = load_settings(environment={"DEALWRIGHT_OIDC_SECRET": "s3cret"}, directory=tmp_path)
    assert found.oidc == OpenId(
        "https://login.example.com", "dealwright", {"Sales team": ("agent",)}, agent_claim="employee"
    )
    assert found.oidc_secret == "s3cret"
    assert "s3cret" not in repr(found)
    assert (found.public_url, found.home) == ("https://desk.example.com", Path.home() / ".dealwright")
    for wrong, said in (
        ('client_secret = "x"', "unknown|client_secret"),
        ('issuer = "http://login.example.com"', "not encrypted"),
        ('scopes = {"Sales" = ["king"]}', "king"),
        ("scopes = {}", "gives nobody a scope"),
        ('client_id = ""', "client_id is empty"),
        ('asks = ["email"]', "openid"),
    ):
        given = {"issuer": '"https://l.example.com"', "client_id": '"d"', "scopes": '{"a" = ["agent"]}'}
        name, _, text = wrong.partition(" = ")
        lines = [f"{key} = {content}" for key, content in {**given, name: text}.items()]
        file.write_text("[oidc]\n" + "\n".join(lines))
        with pytest.raises(InputError, match=said):
            load_settings(environment={}, directory=tmp_path)
    with pytest.raises(InputError, match="public_url"):
        ServiceParams(oidc=OpenId("https://l.example.com", "d", {"a": ("agent",)}))
