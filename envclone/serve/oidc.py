"""Tokens of an identity provider (OpenID Connect): signed by its keys, for this service, not over, with a role."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from envclone.errors import EnvcloneError, UnreachableError
from envclone.serve import outward
from envclone.serve.refusals import Unauthenticated
from envclone.serve.roles import Principal, Role

__all__ = ["ALGORITHMS", "Oidc", "Provider"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a public key; none that a shared secret or nothing makes."""
_FRESH = 600.0
_PATIENCE = 30.0
"""Seconds between two looks for a key that was not there."""
_LEEWAY = 30
_UNTRIED = 5.0
"""Seconds for which a provider that did not answer is not asked what it is again."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What is trusted: `roles` says which value of the claim is which role; `claim` is a path with dots."""

    issuer: str
    audience: str
    roles: Mapping[str, Role]
    claim: str = "groups"
    name: str = "preferred_username"


def _fetched(url: str) -> Any:
    answered = outward.call("GET", url, headers={"accept": "application/json"})
    if answered.status != 200:
        raise UnreachableError(f"the identity provider answered {answered.status}")
    try:
        return json.loads(answered.body)
    except (ValueError, RecursionError):
        raise UnreachableError("the identity provider's answer is no JSON") from None


class Oidc:
    """Checks an identity provider's tokens. Used from many threads."""

    def __init__(
        self,
        provider: Provider,
        *,
        fetch: Callable[[str], Any] = _fetched,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._description: Mapping[str, Any] | None = None
        self._described_at = 0.0
        self._failed: tuple[float, str] | None = None
        self._lock = threading.Lock()
        self._fetching = threading.Lock()

    @property
    def issuer(self) -> str:
        """Which provider it is."""
        return self._provider.issuer

    def described(self) -> Mapping[str, Any]:
        """What the provider says of itself, from memory for ten minutes. Raises UnreachableError.

        One that does not answer is asked by one at a time, and for a while by nobody: who waits for it takes a thread
        from all others.
        """
        with self._lock:
            now = self._clock()
            if self._description is None or now - self._described_at > _FRESH:
                if self._failed is not None and 0 <= now - self._failed[0] < _UNTRIED:
                    raise UnreachableError(self._failed[1], hint="sign in again in a moment")
                try:
                    self._description, self._described_at = self._describe(), now
                except EnvcloneError as exc:
                    self._failed = (self._clock(), exc.message)
                    raise
            return self._description

    def principal(self, text: str) -> tuple[Principal, float]:
        """Whose a token is, and until when. Raises Unauthenticated; what is wrong is not told in detail."""
        claims = self._claims(text, self._provider.audience)
        return self._principal(claims), float(claims["exp"])

    def identity(self, text: str, *, audience: str, nonce: str) -> Principal:
        """Whose an ID token is that was made for this client, in this very sign-in. Raises Unauthenticated."""
        claims = self._claims(text, audience)
        said = claims.get("nonce")
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
            raise _wrong()
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else audience) != audience:
            raise _wrong()
        return self._principal(claims)

    def _claims(self, text: str, audience: str) -> Mapping[str, Any]:
        provider = self._provider
        try:
            header = jwt.get_unverified_header(text)
            algorithm = header.get("alg")
            if algorithm not in ALGORITHMS or "crit" in header:
                raise _wrong()
            found = self._key(header.get("kid"))
            if found.get("alg") not in (None, algorithm):
                raise _wrong()
            key = jwt.PyJWK(dict(found), algorithm=algorithm)
            claims: Mapping[str, Any] = jwt.decode(
                text,
                key=key,
                algorithms=[algorithm],
                audience=audience,
                issuer=provider.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError, AttributeError):
            raise _wrong() from None
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        provider = self._provider
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise _wrong()
        role = self._role(claims)
        if role is None:
            raise Unauthenticated(
                f"the token has no role here: nothing in its claim '{provider.claim}' is mapped to one",
                hint="an operator maps a group to a role: envclone serve --oidc-role",
            )
        shown = claims.get(provider.name)
        name = shown if isinstance(shown, str) and 0 < len(shown) <= 100 else subject
        return Principal(f"oidc:{subject}", name, role)

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest role that the claim's values are mapped to."""
        value: Any = claims
        for word in self._provider.claim.split("."):
            value = value.get(word) if isinstance(value, Mapping) else None
        values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        found = [self._provider.roles[one] for one in values if isinstance(one, str) and one in self._provider.roles]
        return max(found, key=list(Role).index, default=None)

    def _key(self, ident: Any) -> Mapping[str, Any]:
        """The provider's key of that id, from memory for ten minutes; one that is not there is looked for again."""
        # who finds keys that are known does not wait for one who looks for others: anybody can send an unknown id
        if self._fetching.acquire(blocking=self._read_at is None):
            try:
                self._look(ident)
            finally:
                self._fetching.release()
        now, keys, read_at = self._clock(), self._keys, self._read_at
        if read_at is None or now - read_at > _FRESH * 6:
            raise UnreachableError("the identity provider's keys cannot be read", hint="ask again in a minute")
        if ident not in keys:
            raise _wrong()
        return keys[ident]

    def _look(self, ident: Any) -> None:
        """Read the keys when they are old, or have none of that id; not twice within half a minute."""
        now = self._clock()
        old = self._read_at is None or now - self._read_at > _FRESH
        waits = self._tried_at is not None and now - self._tried_at < _PATIENCE
        if (old or ident not in self._keys) and not waits:
            self._tried_at = now
            try:
                self._keys = self._read()
                self._read_at = now
            except EnvcloneError:
                if not self._keys:
                    raise

    def _describe(self) -> Mapping[str, Any]:
        described = self._fetch(f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        if not isinstance(described, Mapping) or described.get("issuer") != self._provider.issuer:
            raise UnreachableError("the identity provider says that it is another one")
        return described

    def _read(self) -> dict[str, Mapping[str, Any]]:
        found = self._fetch(str(self._describe().get("jwks_uri")))
        keys = found.get("keys") if isinstance(found, Mapping) else None
        return {
            str(one["kid"]): one
            for one in (keys if isinstance(keys, list) else [])
            if isinstance(one, Mapping) and "kid" in one and one.get("kty") != "oct" and one.get("use", "sig") == "sig"
        }


def _wrong() -> Unauthenticated:
    return Unauthenticated("the token is not valid: it is wrong, over, or not for this service", hint="log in again")
