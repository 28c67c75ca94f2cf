"""The one way out: every result and every error passes here, without secrets, places and control characters.

What the library knows as secret (passwords, keys, production's addresses) is removed wherever it stands, and so is what
looks like a login. A result that is too large is cut at its rows, or refused. `guards` may refuse a text for reasons of
their own.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.visible import visible

__all__ = ["REMOVED", "Guard", "Outgoing", "fenced"]

REMOVED = "[removed]"
_SHORTEST = 6
"""Characters of a secret that is removed wherever it stands; a shorter one only within a login."""

_LOGINS = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,30}://[^\s/@:'\"]*:[^\s/@'\"]+@[^\s'\"<>]+"  # a URL with a password
    r"|\b(?:password|passwd|pwd|api[_-]?key|secret|token)\s*=\s*(?:'[^']*'|\"[^\"]*\"|[^\s'\",;)]+)"  # a conninfo
    r"|SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=$:]+|\bmd5[0-9a-f]{32}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.IGNORECASE,
)
_IN_A_PATH = r"[^\s'\",;:)\]}>]*"

Guard = Callable[[str], str | None]
"""Says why a text may not leave, in words that quote nothing of it; None when it may."""


class Outgoing:
    """What is known as secret, and the cleaning of what leaves."""

    def __init__(
        self, *, bytes: int, characters: int, places: Iterable[str] = (), guards: Sequence[Guard] = ()
    ) -> None:
        self._bytes = bytes
        self._characters = characters
        self._guards = tuple(guards)
        self._secrets: set[str] = set()
        self._places = sorted({one.rstrip("/") for one in places if len(one.rstrip("/")) > 1}, key=len, reverse=True)
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        self.learn()

    def learn(self, *values: str | None) -> None:
        """Take more secrets, as they are and as a URL spells them."""
        with self._lock:
            for value in values:
                if value is not None and len(value) >= _SHORTEST:
                    self._secrets |= {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
            known = sorted(self._secrets, key=len, reverse=True)
            words = [re.escape(one) for one in known]
            words += [re.escape(one) + r"(?![\w.-])" + _IN_A_PATH for one in self._places]
            self._pattern = re.compile("|".join(words)) if words else None

    def text(self, text: str) -> str:
        """A text as it may leave, at most so long."""
        if self._pattern is not None:
            text = self._pattern.sub(REMOVED, text)
        text = visible(_LOGINS.sub(REMOVED, text))
        if len(text) > self._characters:
            return f"{text[: self._characters]}… [cut: {len(text)} characters]"
        return text

    def value(self, value: Any) -> Any:
        """A plain value with every text in it cleaned; what JSON does not know becomes a text."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, Decimal):
            return self.text(str(value))
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return self.text(str(value))

    def result(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """A tool's result as it leaves. Raises UsageError when it is too large, UnsafeError when a guard refuses it."""
        cleaned: dict[str, Any] = self.value(result)
        text = _json(cleaned)
        if len(text.encode()) > self._bytes:
            cleaned = self._cut(cleaned)
            text = _json(cleaned)
        for guard in self._guards:
            if (why := guard(text)) is not None:
                raise UnsafeError(f"the result is withheld: {why}", hint="ask for less: fewer columns, or an aggregate")
        return cleaned

    def error(self, exc: BaseException) -> str:
        """One line: what failed, and the remedy; of an unexpected error its class alone: its text can quote data."""
        if not isinstance(exc, EnvcloneError):
            return f"an error of envclone itself ({type(exc).__name__})"
        problems = [str(one) for one in getattr(exc, "problems", ())][:3]
        said = "; ".join([exc.message, *(one for one in problems if one not in exc.message)])
        line = " ".join(f"{said}. Remedy: {exc.hint}".split() if exc.hint else said.split())
        cleaned = self.text(line)
        if any(guard(cleaned) is not None for guard in self._guards):
            return f"{type(exc).__name__}: its words are withheld"
        return cleaned

    def _cut(self, result: dict[str, Any]) -> dict[str, Any]:
        """As many of its rows as fit."""
        rows = result.get("rows")
        if not isinstance(rows, list) or not rows or "truncated" not in result:
            raise self._too_large()
        room = self._bytes - len(_json({**result, "rows": []}).encode()) - 16
        kept = 0
        for row in rows:
            room -= len(_json(row).encode()) + 2
            if room < 0:
                break
            kept += 1
        if kept == 0:
            raise self._too_large()
        return {**result, "rows": rows[:kept], "truncated": True}

    def _too_large(self) -> UsageError:
        return UsageError(
            f"the answer is larger than {self._bytes >> 10} KiB", hint="ask for fewer columns or rows, or an aggregate"
        )


def fenced(data: Any) -> str:
    """Data as a text between two marks that nobody can know before: what stands between them is no instruction."""
    mark = secrets.token_hex(8)
    return f"<data-{mark}>\n{_json(data)}\n</data-{mark}>"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
