"""A small identity provider of the tests' own: discovery, keys, authorization with PKCE, and the exchange of codes.

It lets everybody in as `person` without asking; what a real one checks of a client it checks: the address to go back
to, the secret, that a code is used once, and that who exchanges it holds the verifier of its challenge.
"""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.support.listening import Handler, listening

__all__ = ["IdentityProvider", "provider"]


@dataclass
class IdentityProvider:
    """What it knows: its client, who comes, and what it gave out."""

    url: str = ""
    client: str = "envclone-web"
    secret: str | None = "a secret / with: odd=characters"
    redirect: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "248289", "preferred_username": "ada", "groups": ["dev"]}
    )
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims that an ID token has instead of the right ones."""
    asks: bool = False
    """Whether it shows a page of its own first, whose link leads back: then the browser comes from another site."""
    answer: tuple[int, Any] | None = None
    """What the exchange answers instead."""

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes back to, with a code."""
        self.asked.append(asked)
        assert asked["response_type"] == "code" and asked["client_id"] == self.client, asked
        assert asked["redirect_uri"] == self.redirect and asked["code_challenge_method"] == "S256", asked
        assert "openid" in asked["scope"].split() and len(asked["nonce"]) >= 32 and len(asked["state"]) >= 32
        code = secrets.token_urlsafe(24)
        self.codes[code] = asked
        return f"{self.redirect}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.url})}"

    def exchange(self, form: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        """The answer to a code."""
        if self.answer is not None:
            return self.answer
        if self.secret is not None:
            name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            if (unquote(name), unquote(secret)) != (self.client, self.secret):
                return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or challenge.rstrip(b"=").decode() != asked["code_challenge"]
            or form.get("redirect_uri") != asked["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant", "error_description": "<script>alert(1)</script>"}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.token(asked["nonce"])}

    def token(self, nonce: str) -> str:
        """An ID token."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.client, "iat": now, "exp": now + 60, "nonce": nonce} | self.person
        kept = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return jwt.encode(kept, self.key, "ES256", headers={"kid": "one"})

    def document(self, path: str) -> Any:
        """Its description, or its keys."""
        if path == "/keys":
            return {"keys": [ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": "one"}]}
        return {
            "issuer": self.url, "jwks_uri": f"{self.url}/keys", "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }  # fmt: skip


@contextmanager
def provider() -> Iterator[IdentityProvider]:
    """A provider at localhost: for a browser another site than 127.0.0.1."""
    made = IdentityProvider()

    class Answers(Handler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/authorize":
                back = made.authorize({key: one[0] for key, one in parse_qs(query).items()})
                page = f'<a id="yes" href="{html.escape(back)}">Yes, it is me</a>'.encode() if made.asks else b""
                self.send_response(200 if made.asks else 303)
                self.send_header("content-type", "text/html")
                self.send_header("location", back)
                self.send_header("content-length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)
            else:
                self.say(200, made.document(path))

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {key: one[0] for key, one in parse_qs(sent).items()}
            self.say(*made.exchange(form, self.headers.get("authorization", "")))

    with listening(Answers) as port:
        made.url = f"http://localhost:{port}"
        yield made


def back_of(url: str) -> dict[str, str]:
    """What stands behind an address."""
    return {key: one[0] for key, one in parse_qs(urlsplit(url).query).items()}
