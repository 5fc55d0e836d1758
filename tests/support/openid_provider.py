"""An OpenID provider of one's own, on the loopback: it signs what a test wants it to say."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "dealwright", "the secret of the client"


@dataclass
class Provider:
    """A provider that runs, and what it says next.

    Attributes
    ----------
    claims
        Of the person who signs in.
    wrong
        Replaces what an honest ID token says: `iss`, `aud`, `exp`, `nonce`, ...
    more
        What only the address for user information says.
    signs_with
        Another key than the published one signs.
    calls_itself
        The issuer in its description of itself.
    """

    url: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    claims: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    signs_with: RSAKey | None = None
    calls_itself: str | None = None
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return what it says of itself."""
        return {
            "issuer": self.calls_itself or self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Let the person in at once; return where the browser goes."""
        code = secrets.token_hex(8)
        self.asked[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, form: dict[str, str], credentials: str) -> tuple[int, dict[str, Any]]:
        """Give a token for a code: once, to the client that knows its secret and the verifier."""
        asked = self.asked.pop(form.get("code", ""), None)
        expected = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            reason = "code"
        elif asked.get("code_challenge_method") != "S256" or asked["code_challenge"] != challenge:
            reason = "verifier"
        elif credentials.removeprefix("Basic ") not in (expected, plain):
            reason = "credentials"
        else:
            now = int(time.time())
            claims = {
                "iss": self.url, "sub": "u-1", "aud": CLIENT, "iat": now, "exp": now + 300,
                "nonce": asked["nonce"], **self.claims, **self.wrong,
            }  # fmt: skip
            header = {"alg": "RS256", "kid": "one"}
            signed = jwt.encode(header, claims, self.signs_with or self.key)
            return 200, {"access_token": "a", "token_type": "Bearer", "id_token": signed}
        self.refused.append(reason)
        return 400, {"error": "invalid_grant"}


@contextmanager
def openid_provider() -> Iterator[Provider]:
    """Run a provider."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            answers = {
                "/.well-known/openid-configuration": provider.describe(),
                "/keys": {"keys": [provider.key.as_dict(private=False)]},
                "/userinfo": {"sub": "u-1", **provider.more},
            }
            self._answer(200, answers[parts.path])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(*provider.exchange(form, self.headers.get("Authorization", "")))

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{listener.server_port}")
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        listener.shutdown()
        listener.server_close()
