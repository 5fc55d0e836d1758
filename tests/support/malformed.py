"""Requests that no program should send: wrong types, deep, huge, no text, odd heads and paths."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

Request = tuple[str, str, list[tuple[bytes, bytes]], bytes]

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), "", " ", "a" * 600, "a" * 100_001, "\0", "\x1b[31m", "\ud800", "\u202e"),
    *("\ufdfa" * 50, "'; drop table lead; --", "%s%n", "${7*7}", "../../etc/passwd", "1e400", "NaN", "null"),
    *("2026-13-45T99:99:99Z", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00", "2026-01-01"),
    *([], {}, [[]], [None], {"": ""}, {"\0": 1}, {"$ref": "#"}, {"__class__": "x"}),
)
_TEXTS = (
    *(
        "x",
        "0",
        "-1",
        "1",
        "99999999999999999999",
        "1.5",
        "NaN",
        "\0",
        "%",
        "%zz",
        "..",
        "\ud7ff",
        "a" * 3000,
    ),
    *(" ", "\xe9", "\r\nX: y", "'", '"', "[]", "{}", "true", "null", "2026-07-01", "assigned", "\U0001f680"),
)
_TYPES = (
    b"application/json", b"application/json; charset=utf-16", b"text/plain", b"application/xml", b"",
    b"application/json;;;", b"multipart/form-data", b"application/x-www-form-urlencoded", b"\xff",
)  # fmt: skip
_BODIES = (
    *(b"", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"nul", b"{} {}"),
    *(b'"' + b"a" * 200_000 + b'"', b"{'a': 1}", b"\0"),
)


class Malformed:
    """Makes requests from an OpenAPI document, each wrong in some way, always the same for a seed."""

    def __init__(self, document: dict[str, Any], token: str, seed: int) -> None:
        self._rng = random.Random(seed)
        self._token = token.encode()
        self._schemas = document["components"]["schemas"]
        self._operations = [
            (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if operation["operationId"] != "stream_events"  # has no end
        ]

    def draw(self) -> Request:
        """Return method, path, headers and body of a request."""
        rng = self._rng
        method, path, operation = rng.choice(self._operations)
        if rng.random() < 0.03:
            method = rng.choice(("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW", "get"))
        for part in operation.get("parameters", ()):
            if part["in"] == "path":
                path = path.replace(f"{{{part['name']}}}", _quoted(rng, rng.choice(_TEXTS)))
        if rng.random() < 0.03:
            path += rng.choice(("/", "//", "/..", "/%2e%2e/", ";a=b", "%00", "/%ff", "?", "/" + "a" * 5000))
        asked = [
            f"{part['name']}={_quoted(rng, self._value(part['schema']))}"
            for part in operation.get("parameters", ())
            if part["in"] == "query" and rng.random() < 0.6
        ]
        if rng.random() < 0.1:
            asked.append(rng.choice(("&&&", "=", "a[]=1", "limit=1&limit=2", "%", "x=" + "y" * 4000)))
        query = "?" + "&".join(asked) if asked else ""
        return method, path + query, self._headers(), self._body(operation)

    def _value(self, schema: dict[str, Any]) -> str:
        """Return what stands in an address for a value."""
        return self._rng.choice(_TEXTS) if self._rng.random() < 0.4 else _plain(self._content(schema, 0))

    def _headers(self) -> list[tuple[bytes, bytes]]:
        rng = self._rng
        found = [(b"host", b"x"), (b"content-type", rng.choice(_TYPES) if rng.random() < 0.1 else _TYPES[0])]
        if rng.random() < 0.97:
            found.append((b"authorization", b"Bearer " + self._token))
        elif rng.random() < 0.5:
            found.append(
                (b"authorization", rng.choice((b"Bearer", b"Basic eDp5", b"\xff\xfe", b"Bearer \xe9 x")))
            )
        if rng.random() < 0.1:
            found.append((b"idempotency-key", rng.choice((b"", b"\xff\xfe", b"a" * 600, b"a\tb", b"k"))))
        if rng.random() < 0.05:
            found.append((b"x-" + b"a" * rng.choice((1, 2000)), b"b" * rng.choice((1, 4000))))
        if rng.random() < 0.03:
            found.append((b"accept-encoding", b"\xff, ;q=x"))
        return found

    def _body(self, operation: dict[str, Any]) -> bytes:
        rng = self._rng
        wanted = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if wanted is None:
            return b"" if rng.random() < 0.8 else rng.choice((b"{}", b"[1", b"\xff"))
        kind = rng.random()
        if kind < 0.10:
            return rng.choice((*_BODIES, rng.randbytes(300)))
        content = self._content(wanted, 0)
        text = json.dumps(content, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        if kind < 0.2:  # bytes of it changed
            changed = bytearray(text)
            for _ in range(rng.randint(1, 5)):
                if changed:
                    changed[rng.randrange(len(changed))] = rng.randrange(256)
            return bytes(changed)
        return text

    def _content(self, schema: dict[str, Any], depth: int) -> Any:
        """Return what fits a schema, but for some places."""
        rng = self._rng
        if rng.random() < 0.12:
            return rng.choice(_ODD)
        if "$ref" in schema:
            return self._content(self._schemas[schema["$ref"].rsplit("/", 1)[1]], depth)
        if "anyOf" in schema:
            return self._content(rng.choice(schema["anyOf"]), depth)
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._record(schema, depth)
        if kind == "array":
            return [self._content(schema.get("items", {}), depth + 1) for _ in range(rng.randint(0, 3))]
        plain = {
            "integer": rng.randint(-5, 50),
            "number": rng.uniform(-1, 1e6),
            "boolean": rng.random() < 0.5,
        }
        return plain.get(str(kind), rng.choice(("Kate", "Mars", "A1", "confirmed")))

    def _record(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        rng = self._rng
        names = schema.get("properties", {})
        made = {
            name: self._content(part, depth + 1)
            for name, part in names.items()
            if rng.random() < (0.95 if name in ("attributes", *schema.get("required", ())) else 0.4)
        }
        if not names and rng.random() < 0.7:
            made |= {"destination": "Mars", "lead_source": "Organic"}
        elif not names or rng.random() < 0.08:
            made[rng.choice(("destination", "lead_source", "x", "", "\0", "a" * 600))] = rng.choice(_ODD)
        if rng.random() < 0.02:
            nested: Any = "deep"
            for _ in range(rng.choice((50, 500))):
                nested = {"a": nested} if rng.random() < 0.5 else [nested]
            made[rng.choice([*names, "attributes"])] = nested
        return made


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()


def _quoted(rng: random.Random, text: str) -> str:
    """Return a text as part of an address, mostly as it should be."""
    if rng.random() < 0.9 or not text.isascii() or any(sign in text for sign in "\r\n\0 "):
        return quote(text, safe="")
    return text
