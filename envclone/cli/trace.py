"""The trace of an error for `--debug`: where it happened, and of foreign errors no words.

A driver's message quotes the row it stumbled over, and a KeyError the key. Only our own errors, and those of the
system, say nothing of anybody.
"""

from __future__ import annotations

import traceback

from envclone.errors import EnvcloneError

__all__ = ["trace"]

_TELLING_NOTHING = (EnvcloneError, OSError, ImportError, AttributeError, NameError, RecursionError)
_BETWEEN = {
    "cause": "The error above was the direct cause of the following one:",
    "context": "While the error above was handled, another one happened:",
}


def trace(exc: BaseException) -> str:
    """The whole chain of an error, the first one first, without what could be a value."""
    parts: list[str] = []
    one: BaseException | None = exc
    seen: set[int] = set()
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        lines = "".join(["Traceback (most recent call last):\n", *traceback.format_tb(one.__traceback__)])
        parts.insert(0, lines + _said(one))
        link = "cause" if one.__cause__ is not None else "context"
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if one is not None and id(one) not in seen:
            parts.insert(0, f"\n{_BETWEEN[link]}\n\n")
    return "".join(parts)


def _said(exc: BaseException) -> str:
    cls = type(exc)
    name = cls.__qualname__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__qualname__}"
    if isinstance(exc, _TELLING_NOTHING) and not isinstance(exc, UnicodeError):
        return f"{name}: {exc}\n"
    state = getattr(exc, "sqlstate", None)
    return f"{name}{f' (SQLSTATE {state})' if isinstance(state, str) else ''}: its message can hold values\n"
