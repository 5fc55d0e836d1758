"""Signing in at an OpenID provider: the code flow with PKCE, and whom its answer names."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from dealwright.errors import InputError
from dealwright.service.problems import RefusedError
from dealwright.settings import OpenId

_TIMEOUT_S = 10.0
_FRESH_S = 300.0
_LEEWAY_S = 60
# with one of these only the provider can have signed; with a shared secret anybody who has it
_ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip


@dataclass(frozen=True)
class Pending:
    """A sign-in that is under way: what the browser keeps in a cookie until it comes back.

    Attributes
    ----------
    state, nonce, verifier
        Tie the answer, the token and the exchange to this browser.
    to
        Where to go afterwards.
    """

    state: str
    nonce: str
    verifier: str
    to: str

    def to_cookie(self) -> str:
        """Return it as the text of a cookie."""
        return json.dumps(asdict(self)).encode().hex()

    @classmethod
    def from_cookie(cls, text: str) -> Pending | None:
        """Read the text of a cookie; None where it is not one of ours."""
        try:
            found = json.loads(bytes.fromhex(text))
            return cls(**{name: str(found[name]) for name in ("state", "nonce", "verifier", "to")})
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class Identity:
    """Somebody whom the provider has named.

    Attributes
    ----------
    issuer, subject
        Who it is, for good.
    name
        What people call them.
    scopes
        What they may do.
    agent, is_email
        Which agent they are, if any, and whether that is the agent's address and not an id.
    """

    issuer: str
    subject: str
    name: str
    scopes: frozenset[str]
    agent: str | None
    is_email: bool


class OpenIdClient:
    """A client of an OpenID provider: the service is one.

    Parameters
    ----------
    secret
        Empty for a public client, which PKCE alone protects.
    """

    def __init__(self, settings: OpenId, secret: str = "") -> None:
        self.settings, self._secret = settings, secret
        self._found: tuple[float, Mapping[str, Any]] | None = None

    def begin(self, back: str, to: str) -> tuple[str, Pending]:
        """Return where to send the browser, and what it has to bring back.

        Parameters
        ----------
        back
            Where the provider sends the browser.
        to
            Where the browser goes after that.
        """
        pending = Pending(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), to)
        endpoint = self._metadata()["authorization_endpoint"]
        with self._client(back) as client:
            address, _ = client.create_authorization_url(
                endpoint, state=pending.state, code_verifier=pending.verifier, nonce=pending.nonce
            )
        return str(address), pending

    def finish(self, back: str, pending: Pending | None, answer: Mapping[str, str]) -> Identity:
        """Exchange what the browser brought for a token, check it, and return whom it names.

        Raises
        ------
        RefusedError
            The provider refused, the answer belongs to another sign-in, the token is not valid, or it gives
            no scope.
        """
        if pending is None:
            raise RefusedError(401, "the sign-in took too long, or began in another browser: sign in again")
        if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise RefusedError(401, "the answer belongs to another sign-in: sign in again")
        # an answer of another provider must not be taken for this one's (RFC 9207)
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise RefusedError(401, f"the answer does not come from {self.settings.issuer}: sign in again")
        if "error" in answer:
            said = answer.get("error_description") or answer["error"]
            raise RefusedError(
                401, f"{self.settings.issuer} did not let you in ({said[:200]}): sign in again"
            )
        if not answer.get("code"):
            raise RefusedError(401, "the answer of the provider has no code: sign in again")
        metadata = self._metadata()
        claims = self._exchange(back, pending, answer["code"], metadata)
        return self._identity(claims)

    def _exchange(
        self, back: str, pending: Pending, code: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        from authlib.common.errors import AuthlibBaseError

        try:
            with self._client(back) as client:
                token = client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=pending.verifier,
                )
                claims = self._check_token(token, pending.nonce, metadata)
                wanted = {self.settings.scope_claim, self.settings.agent_claim}
                if wanted - claims.keys() and metadata.get("userinfo_endpoint"):
                    answer = client.get(_encrypted(metadata["userinfo_endpoint"], self.settings.issuer))
                    more = answer.json() if answer.status_code == 200 else {}
                    if isinstance(more, dict) and more.get("sub") == claims["sub"]:
                        claims = {**more, **claims}
        except (AuthlibBaseError, ValueError) as error:
            raise RefusedError(
                401, f"{self.settings.issuer} gave no valid token ({error}): sign in again"
            ) from None
        except Exception as error:
            if "httpx" not in type(error).__module__:  # of which the library has its own edition
                raise
            raise self._away(error) from None
        return claims

    def _check_token(
        self, token: Mapping[str, Any], nonce: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the claims of an ID token: signed by the provider, for this sign-in, not expired."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        issuer, client_id = self.settings.issuer, self.settings.client_id
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        try:
            keys = KeySet.import_key_set(cast("Any", self._get(metadata["jwks_uri"])))  # anew: keys change
            decoded = jwt.decode(
                str(token.get("id_token", "")),
                keys,
                registry=JWSRegistry(
                    algorithms=[name for name in _ALGORITHMS if name in offered], strict_check_header=False
                ),
            )
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}},
                {"nonce": nonce, "client_id": client_id, "access_token": token.get("access_token")},
            )
            claims.validate(leeway=_LEEWAY_S)
        except JoseError as error:
            raise ValueError(str(error)) from error
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 500:
            raise ValueError("the token names nobody")
        return dict(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        said = claims.get(self.settings.scope_claim)
        values = said if isinstance(said, list) else [said]
        scopes = {
            scope
            for value in values
            for scope in self.settings.scopes.get(str(value), ())
            if value is not None
        }
        if not scopes:
            raise RefusedError(
                403, f"your account gives no right here: [oidc.scopes] names none of your "
                f"{self.settings.scope_claim}",
            )  # fmt: skip
        agent = None
        is_email = self.settings.agent_claim == "email"
        if "agent" in scopes:
            found = claims.get(self.settings.agent_claim)
            if isinstance(found, str | int) and not isinstance(found, bool) and str(found).strip():
                agent = str(found).strip()
            # an address that anybody can claim to have is nobody's
            if is_email and claims.get("email_verified") not in (True, None, "true"):
                agent = None
            if agent is None:
                raise RefusedError(
                    403, f"your account does not say which agent you are: it has no verified "
                    f"{self.settings.agent_claim}",
                )  # fmt: skip
        name = next(
            (
                text
                for key in ("name", "preferred_username", "email", "sub")
                if (text := " ".join(str(claims.get(key) or "").split())) and text.isprintable()
            ),
            "somebody",
        )
        return Identity(self.settings.issuer, claims["sub"], name[:500], frozenset(scopes), agent, is_email)

    def _metadata(self) -> Mapping[str, Any]:
        """Return how to talk to the provider, as it says itself."""
        if self._found is None or time.monotonic() - self._found[0] > _FRESH_S:
            issuer = self.settings.issuer
            found = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise RefusedError(
                    503, f"{issuer} calls itself {found.get('issuer')!r}: correct [oidc] issuer"
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _encrypted(str(found.get(name)), issuer)
            self._found = time.monotonic(), found
        return self._found[1]

    def _get(self, address: str) -> dict[str, Any]:
        try:
            answer = httpx.get(_encrypted(address, self.settings.issuer), timeout=_TIMEOUT_S, trust_env=False)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._away(error) from None
        if not isinstance(found, dict):
            raise self._away(ValueError("no JSON object"))
        return found

    def _away(self, error: Exception) -> RefusedError:
        return RefusedError(
            503, f"{self.settings.issuer} cannot be asked ({type(error).__name__}: {error}): try again, "
            "or sign in with a key",
        )  # fmt: skip

    def _client(self, back: str) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            self.settings.client_id,
            self._secret or None,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            scope=" ".join(self.settings.asks),
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
            trust_env=False,
        )


def _encrypted(address: str, issuer: str) -> str:
    """Return an address of the provider; what it says of itself must not lead into the clear."""
    if urlsplit(address).scheme not in ({"https"} if issuer.startswith("https") else {"http", "https"}):
        raise InputError(f"{issuer} names {address!r}, which is not encrypted: correct the provider")
    return address
