"""Who somebody is, by a token in the header or by a session's cookie, and that a form is the session's own."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from starlette.requests import Request

from envclone.errors import EnvcloneError
from envclone.serve.refusals import Forbidden, Unauthenticated
from envclone.serve.roles import Principal
from envclone.serve.strangers import let_in
from envclone.serve.tokens import PREFIX, Tokens

__all__ = ["CSRF_FIELD", "CSRF_HEADER", "SAFE", "Door", "Session", "Verifier"]

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_LASTS = 8 * 3600.0
_IDLE = 3600.0
_MOST = 2000
_LONGEST = 16 << 10


class Verifier(Protocol):
    """Knows whose a signed token of an identity provider is."""

    def principal(self, text: str) -> tuple[Principal, float]:
        """Whose it is, and until when (seconds since the epoch). Raises Unauthenticated."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that logged in; `csrf` stands in its forms. Times are those of a clock that only goes on."""

    who: Principal
    csrf: str
    began: float
    used: float
    until: float


class Door:
    """Lets people in. Used from many threads."""

    def __init__(
        self,
        tokens: Tokens,
        verifier: Verifier | None = None,
        *,
        secure: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._verifier = verifier
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self.secure = secure

    @property
    def away(self) -> str:
        """The cookie of a browser that is at the identity provider."""
        return f"{self.cookie}-away"

    @property
    def cookie(self) -> str:
        """The session's cookie; behind TLS a browser takes it from this host alone."""
        return "__Host-envclone" if self.secure else "envclone"

    def bearer(self, text: str) -> tuple[Principal, float]:
        """Whose a token is, and for how many seconds more at most. Raises Unauthenticated."""
        if len(text) > _LONGEST:
            raise _wrong()
        if text.startswith(f"{PREFIX}_") or self._verifier is None:
            found = self._tokens.check(text)
            if found is None:
                raise _wrong()
            return found.principal, _LASTS
        who, until = self._verifier.principal(text)
        return who, until - time.time()

    def principal(self, request: Request) -> Principal:
        """Who asks. Raises Unauthenticated."""
        given = request.headers.getlist("authorization")
        if given:
            kind, _, text = given[0].partition(" ")
            if len(given) > 1 or kind.lower() != "bearer":
                raise _wrong()
            who = self.bearer(text.strip())[0]
            let_in(request)
            return who
        session = self.session(request)
        if session is None:
            raise Unauthenticated("no token was given", hint="send it as the header Authorization: Bearer TOKEN")
        let_in(request)
        return session.who

    def knows(self, request: Request) -> bool:
        """Whether who asks would be let in now. It is no use of a session that keeps it alive."""
        given = request.headers.getlist("authorization")
        if not given:
            return self.session(request, use=False) is not None
        try:
            self.principal(request)
        except EnvcloneError:
            return False
        return True

    def require_still(self, request: Request, who: Principal) -> None:
        """Raise Unauthenticated unless who was let in with a request would be let in now, as the same.

        For what lasts: a stream, a wait, a body that came slowly. It is no use of a session that keeps it alive.
        """
        given = request.headers.get("authorization")
        session = None if given else self.session(request, use=False)
        now = self.bearer(given.partition(" ")[2].strip())[0] if given else session.who if session else None
        if now != who:
            raise _wrong()

    def by_cookie(self, request: Request) -> bool:
        """Whether who asks is told by a cookie, which a browser sends along on its own."""
        return "authorization" not in request.headers

    def login(self, text: str) -> tuple[str, Session]:
        """A new session for a token: the cookie's value, and the session. Raises Unauthenticated."""
        who, lasts = self.bearer(text.strip())
        return self.admit(who, lasts)

    def admit(self, who: Principal, lasts: float = _LASTS) -> tuple[str, Session]:
        """A new session for who proved otherwise who they are, for so many seconds at most."""
        value, now = secrets.token_urlsafe(32), self._clock()
        session = Session(who, secrets.token_urlsafe(32), now, now, now + min(lasts, _LASTS))
        with self._lock:
            self._sweep(now)
            if len(self._sessions) >= _MOST:
                del self._sessions[min(self._sessions, key=lambda one: self._sessions[one].used)]
            self._sessions[_digest(value)] = session
        return value, session

    def logout(self, request: Request) -> None:
        """End a request's session."""
        with self._lock:
            self._sessions.pop(_digest(request.cookies.get(self.cookie, "")), None)

    def session(self, request: Request, *, use: bool = True) -> Session | None:
        """A request's session, when it has a live one, of a token that was not revoked since; `use` keeps it alive."""
        key, now = _digest(request.cookies.get(self.cookie, "")), self._clock()
        with self._lock:
            found = self._sessions.get(key)
            if found is None:
                return None
            ended = found.until <= now or found.used + _IDLE <= now
            if found.who.subject.startswith("token:"):
                token = self._tokens.of(found.who.credential)
                ended = ended or token is None or token.principal != found.who
            if ended:
                del self._sessions[key]
                return None
            if use:
                found = self._sessions[key] = replace(found, used=now)
            return found

    def require_here(self, request: Request) -> None:
        """Raise Forbidden when a page of another site sent this; so is the same one without TLS."""
        origin = request.headers.get("origin")
        if origin is None:
            return
        scheme, _, place = origin.partition("://")
        if place != request.headers.get("host", "") or scheme not in (("https",) if self.secure else ("https", "http")):
            raise Forbidden("the form comes from another site", hint="open the page itself, and send it from there")

    def require_own(self, request: Request, given: str) -> None:
        """Raise Forbidden unless a form comes from a page of this session, on this site."""
        session = self.session(request)
        if session is None:
            raise Unauthenticated("the session has ended", hint="log in again")
        self.require_here(request)
        if not hmac.compare_digest(given.encode(), session.csrf.encode()):
            raise Forbidden("the form is not this session's own", hint="load the page again, and send it from there")

    def _sweep(self, now: float) -> None:
        for key in [key for key, one in self._sessions.items() if one.until <= now or one.used + _IDLE <= now]:
            del self._sessions[key]


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "the token is not valid: it is wrong, over, or was revoked", hint="ask an operator: envclone serve token create"
    )


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
