"""Tokens: shown once, kept as digests, each with a name, a role and an end."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from envclone.errors import UnsafeError, UsageError
from envclone.pool import files
from envclone.serve.roles import Principal, Role
from envclone.serve.state import State

__all__ = ["PREFIX", "Token", "Tokens"]

PREFIX = "envc"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
_FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept; `digest` is SHA-256 of its secret part, 256 random bits. Times are ISO 8601, UTC."""

    id: str
    name: str
    role: str
    digest: str
    created_at: str
    expires_at: str | None

    def live(self, now: dt.datetime) -> bool:
        """Whether it is not over yet."""
        return self.expires_at is None or dt.datetime.fromisoformat(self.expires_at) > now

    @property
    def principal(self) -> Principal:
        """Whose it is."""
        return Principal(f"token:{self.name}", self.name, Role(self.role), self.id)


class Tokens:
    """The tokens of a service. What another process adds or revokes holds from the next call on."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._seen: tuple[int, int, int] | None = None
        self._kept: dict[str, Token] = {}

    def create(self, name: str, role: Role, expires: dt.timedelta | None) -> tuple[Token, str]:
        """A new token, and its text, which nothing keeps. Raises UsageError for a name that cannot be one."""
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name[:80]!r} cannot be a name", hint="use up to 63 letters, digits, and . _ @ - but not at the start"
            )
        ident, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        now = dt.datetime.now(dt.UTC)
        until = None if expires is None else (now + expires).isoformat(timespec="seconds")
        made = Token(ident, name, str(role), _digest(secret), now.isoformat(timespec="seconds"), until)
        with self._changing() as kept:
            kept[ident] = made
        return made, f"{PREFIX}_{ident}_{secret}"

    def revoke(self, ident: str) -> Token:
        """Take a token back. Raises UsageError when there is none."""
        with self._changing() as kept:
            if ident not in kept:
                raise UsageError("there is no such token", hint="envclone serve token ls")
            return kept.pop(ident)

    def all(self) -> list[Token]:
        """All that were not revoked, the oldest first."""
        return sorted(self._load().values(), key=lambda one: one.created_at)

    def of(self, ident: str) -> Token | None:
        """A live token by its id."""
        found = self._load().get(ident)
        return found if found is not None and found.live(dt.datetime.now(dt.UTC)) else None

    def check(self, text: str) -> Token | None:
        """The live token of this text. It takes the same time whether the id or the secret is the wrong one."""
        match = _FORM.fullmatch(text)
        found = self._load().get(match[1]) if match else None
        right = hmac.compare_digest(_digest(match[2] if match else ""), found.digest if found else _NOBODY)
        return found if right and found is not None and found.live(dt.datetime.now(dt.UTC)) else None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        with self._state.pool.lock(f"serve-tokens.{self._state.project}", timeout=10, what="the file of tokens"):
            kept = dict(self._load(fresh=True))
            yield kept
            files.write_json(self._state.tokens, {"tokens": [asdict(one) for one in kept.values()]})

    def _load(self, *, fresh: bool = False) -> dict[str, Token]:
        """The file as it is now; one that was replaced is another inode."""
        seen = None
        with suppress(FileNotFoundError):
            status = self._state.tokens.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if fresh or seen != self._seen:
            self._kept = {} if seen is None else _read(files.read_json(self._state.tokens))
            self._seen = seen
        return self._kept


def _read(document: Any) -> dict[str, Token]:
    try:
        found = [Token(**one) for one in document["tokens"]]
        for one in found:
            Role(one.role)
            one.live(dt.datetime.now(dt.UTC))
    except (TypeError, KeyError, ValueError) as exc:
        raise UnsafeError("the file of tokens is damaged", hint="remove it, and make the tokens again") from exc
    return {one.id: one for one in found}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
