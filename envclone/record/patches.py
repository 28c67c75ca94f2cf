"""Libraries that are wrapped: the methods of their classes, so that every client of an application is recorded.

A library that is not imported is left alone, and looked for again when the next request begins.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from envclone.record.sessions import guarded, recorder

__all__ = ["Hooks", "around", "around_async", "install", "remove", "replace"]

LIBRARIES = {
    "psycopg": "envclone.record.sql",
    "qdrant_client": "envclone.record.vectors",
    "httpx": "envclone.record.http",
    "httpx2": "envclone.record.httpx2",
    "requests": "envclone.record.requests",
    "aiohttp": "envclone.record.aiohttp",
}
_done: set[str] = set()
_replaced: list[tuple[Any, str, Any]] = []
_lock = threading.Lock()
_chosen: set[str] = set(LIBRARIES)


def choose(names: set[str]) -> None:
    """Which libraries are wrapped."""
    _chosen.clear()
    _chosen.update(names)


def install() -> None:
    """Wrap the libraries that are imported and are not wrapped yet."""
    for name in _chosen - _done:
        if name in sys.modules and recorder.writer is not None:
            with _lock:
                if name not in _done:
                    _done.add(name)
                    guarded(_install, name)


def _install(name: str) -> None:
    importlib.import_module(LIBRARIES[name]).install()


def remove() -> None:
    """Every class as it was."""
    with _lock:
        for holder, name, original in reversed(_replaced):
            setattr(holder, name, original)
        _replaced.clear()
        _done.clear()


def replace(holder: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put a wrapper in a method's place; a class that does not have it is left alone."""
    original = holder.__dict__.get(name)
    if original is None or getattr(original, "_envclone", False):
        return
    made: Any = functools.update_wrapper(make(original), original)
    made._envclone = True
    _replaced.append((holder, name, original))
    setattr(holder, name, made)


class Hooks:
    """What is done before a call, behind one that returned, and behind one that failed.

    `before` returns a note for the others, or None when the call is not recorded.
    """

    def __init__(
        self, before: Callable[..., Any], after: Callable[[Any, Any], None],
        failed: Callable[[Any, BaseException], None],
    ) -> None:  # fmt: skip
        self.before, self.after, self.failed = before, after, failed


def around(hooks: Hooks) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A wrapper for a method."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, *args: Any, **named: Any) -> Any:
            note = guarded(hooks.before, self, args, named)
            if note is None:
                return original(self, *args, **named)
            try:
                result = original(self, *args, **named)
            except BaseException as exc:
                guarded(hooks.failed, note, exc)
                raise
            guarded(hooks.after, note, result)
            return result

        return wrapped

    return make


def around_async(hooks: Hooks) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
    """A wrapper for a coroutine method."""

    def make(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wrapped(self: Any, *args: Any, **named: Any) -> Any:
            note = guarded(hooks.before, self, args, named)
            if note is None:
                return await original(self, *args, **named)
            try:
                result = await original(self, *args, **named)
            except BaseException as exc:
                guarded(hooks.failed, note, exc)
                raise
            guarded(hooks.after, note, result)
            return result

        return wrapped

    return make
