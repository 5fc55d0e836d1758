"""Keys of the service, for its administrator; and who one is, for everybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path

from dealwright.desk.keys import split_token
from dealwright.service.answers import Json
from dealwright.service.endpoint import EVERYBODY, TheDesk, Who, endpoint
from dealwright.service.shapes import KeyIn, KeysOut, NewKeyOut, ReplaceKeyIn, RevokedOut, WhoOut

router = APIRouter(tags=["keys"])
KeyId = Annotated[str, Path(pattern="^[0-9a-f]{12}$")]


@endpoint(router, "GET", "/me", scopes=EVERYBODY, answer=WhoOut)
async def who_am_i(who: Who) -> Json:
    """Say whose key this is, and what it is for."""
    return Json(
        {
            "key_id": who.key_id,
            "name": who.name,
            "scopes": sorted(who.scopes),
            "agent_id": who.own_agent_id,
            "expires_at": who.expires_at,
        }
    )


@endpoint(router, "GET", "/keys", scopes=(), answer=KeysOut)
def list_keys(desk: TheDesk) -> Json:
    """List all keys without their secrets."""
    return Json({"keys": desk.keys.list()})


@endpoint(router, "POST", "/keys", scopes=(), answer=NewKeyOut, status=201)
def create_key(desk: TheDesk, key: KeyIn) -> Json:
    """Make a key; it is shown this once."""
    made = desk.keys.create(key.name, key.scopes, agent=key.agent_id, expires_at=key.expires_at)
    return Json(_new(made), 201)


@endpoint(router, "POST", "/keys/{key_id}/replace", scopes=(), answer=NewKeyOut, status=201)
def replace_key(desk: TheDesk, key_id: KeyId, how: Annotated[ReplaceKeyIn | None, Body()] = None) -> Json:
    """Make the successor of a key; the old one stays valid for a while."""
    keep = timedelta(hours=24 if how is None else how.keep_hours)
    return Json(_new(desk.keys.replace(key_id, keep=keep)), 201)


@endpoint(router, "POST", "/keys/{key_id}/revoke", scopes=(), answer=RevokedOut)
def revoke_key(desk: TheDesk, key_id: KeyId) -> Json:
    """End a key for good; it works for a few seconds yet."""
    return Json({"key_id": key_id, "revoked_at": desk.keys.revoke(key_id)})


def _new(token: str) -> dict[str, Any]:
    parts = split_token(token)
    return {"key_id": parts[0] if parts else None, "key": token}
