"""Signing in a browser through an identity provider: OpenID Connect's authorization code, with PKCE, state and nonce.

The browser keeps a random number in a cookie of its own while it is away; what comes back has to come from the same
browser, once, within ten minutes. The code is exchanged by the service itself, over TLS.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from envclone.errors import UnreachableError, UsageError
from envclone.serve import outward
from envclone.serve.oidc import Oidc
from envclone.serve.outward import Answered
from envclone.serve.refusals import Unauthenticated
from envclone.serve.roles import Principal

__all__ = ["BACK", "Client", "SignIn", "redirect_of"]

BACK = "/login/oidc/back"
"""Where the provider sends the browser back to."""
_LASTS = 600.0
_MOST = 1000
_LONGEST = 4096

Post = Callable[[str, bytes, Mapping[str, str]], Answered]


@dataclass(frozen=True, slots=True)
class Client:
    """What the provider knows this service as; without a `secret` it is a public client, whose proof is PKCE."""

    id: str
    redirect: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Away:
    """A browser that is at the provider."""

    state: str
    nonce: str
    verifier: str
    until: float


def redirect_of(url: str) -> str:
    """The address that the provider sends browsers back to, for a service at this one. Raises UsageError."""
    parts = urlsplit(url)
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    plain = not parts.username and not parts.query and not parts.fragment and parts.path in ("", "/")
    if not parts.hostname or not plain or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        raise UsageError(
            f"{url} is not an address at which browsers reach a service", hint="https://envclone.acme.example"
        )
    return f"{parts.scheme}://{parts.netloc}{BACK}"


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
    return outward.call("POST", url, body=body, headers=headers)


class SignIn:
    """Sends browsers to the provider, and takes them back. Used from many threads."""

    def __init__(
        self, oidc: Oidc, client: Client, *, post: Post = _post, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._oidc = oidc
        self._client = client
        self._post = post
        self._clock = clock
        self._away: dict[str, _Away] = {}
        self._lock = threading.Lock()

    def begin(self) -> tuple[str, str]:
        """Where to send a browser, and what its cookie holds meanwhile. Raises UnreachableError, UnsafeError."""
        endpoint = str(self._oidc.described().get("authorization_endpoint") or "")
        outward.require_outward(endpoint)
        binding, now = secrets.token_urlsafe(32), self._clock()
        away = _Away(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), now + _LASTS)
        with self._lock:
            for key in [key for key, one in self._away.items() if one.until <= now]:
                del self._away[key]
            if len(self._away) >= _MOST:
                del self._away[next(iter(self._away))]
            self._away[_digest(binding)] = away
        challenge = base64.urlsafe_b64encode(hashlib.sha256(away.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": self._client.id, "redirect_uri": self._client.redirect,
            "scope": "openid profile", "state": away.state, "nonce": away.nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", binding

    def end(self, binding: str, given: Mapping[str, str]) -> Principal:
        """Who came back. Raises Unauthenticated, which tells nothing of what was sent; UnreachableError."""
        with self._lock:
            away = self._away.pop(_digest(binding), None)
        if away is None or away.until <= self._clock():
            raise _not_ours()
        if not hmac.compare_digest(given.get("state", "").encode(), away.state.encode()):
            raise _not_ours()
        if "iss" in given and given["iss"] != self._oidc.issuer:  # an answer of another provider (RFC 9207)
            raise _not_ours()
        code = given.get("code", "")
        if "error" in given or not 0 < len(code) <= _LONGEST:
            raise Unauthenticated("the identity provider did not let you in", hint="sign in again")
        return self._oidc.identity(self._exchanged(code, away.verifier), audience=self._client.id, nonce=away.nonce)

    def _exchanged(self, code: str, verifier: str) -> str:
        """The ID token of a code. What the provider says of a failure is not passed on."""
        client = self._client
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect,
            "code_verifier": verifier, "client_id": client.id,
        }  # fmt: skip
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if client.secret is not None:
            pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"  # RFC 6749, section 2.3.1
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        endpoint = str(self._oidc.described().get("token_endpoint") or "")
        answered = self._post(endpoint, urlencode(form).encode(), headers)
        if answered.status != 200:
            if 500 <= answered.status < 600:
                raise UnreachableError(f"the identity provider answered {answered.status}", hint="sign in again")
            raise Unauthenticated("the identity provider did not let you in", hint="sign in again")
        try:
            found: Any = json.loads(answered.body)
            token = found["id_token"]
        except (ValueError, RecursionError, KeyError, TypeError):
            raise UnreachableError("the identity provider gave no ID token", hint="does it speak OpenID?") from None
        if not isinstance(token, str):
            raise UnreachableError("the identity provider gave no ID token", hint="does it speak OpenID?")
        return token


def _not_ours() -> Unauthenticated:
    return Unauthenticated("that is no answer to a sign-in that this browser began here", hint="sign in again")


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
