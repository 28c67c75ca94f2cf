"""`record.session(...)`: around a block, a function, a coroutine, a generator."""

from __future__ import annotations

import contextvars
import functools
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from envclone.record.sessions import CURRENT, PARENT, Session, described, guarded, recorder
from envclone.record.values import frozen

__all__ = ["session", "set_back"]

F = TypeVar("F", bound=Callable[..., Any])


class session:
    """A request of the application: `with session("answer"):`, or `@session("answer")` over a function.

    Within another one it is a part of it. A block that raises is kept. Never raises itself.
    """

    def __init__(self, name: str = "", **about: Any) -> None:
        self._name = name
        self._about = about
        self._session: Session | None = None
        self._tokens: list[tuple[contextvars.ContextVar[Any], contextvars.Token[Any]]] = []
        self._part: tuple[Session, int, float, float, int | None] | None = None

    @property
    def id(self) -> str | None:
        """What `flag` and `incident import --request` know the request by; None when nothing is recorded."""
        found = self._session or (self._part[0] if self._part else None)
        return found.id.hex() if found else None

    def __enter__(self) -> session:
        guarded(self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        guarded(self._end, value)

    async def __aenter__(self) -> session:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, value, traceback)

    def __call__(self, function: F) -> F:
        """A function each of whose calls is a request."""
        import inspect

        name, about = self._name or getattr(function, "__qualname__", ""), self._about
        made: Any

        if inspect.iscoroutinefunction(function):

            async def made(*args: Any, **named: Any) -> Any:
                with session(name, **about):
                    return await function(*args, **named)

        elif inspect.isasyncgenfunction(function):

            async def made(*args: Any, **named: Any) -> Any:
                with session(name, **about):
                    inner = function(*args, **named)
                    try:
                        async for one in inner:
                            yield one
                    finally:
                        await inner.aclose()

        elif inspect.isgeneratorfunction(function):

            def made(*args: Any, **named: Any) -> Any:
                with session(name, **about):
                    return (yield from function(*args, **named))

        else:

            def made(*args: Any, **named: Any) -> Any:
                with session(name, **about):
                    return function(*args, **named)

        return functools.update_wrapper(made, function)  # type: ignore[return-value]

    def _begin(self) -> None:
        from envclone.record.patches import install

        install()
        outer = CURRENT.get()
        if outer is not None and not outer.ended:
            number = next(outer.numbers)
            self._part = (outer, number, time.time(), time.perf_counter(), PARENT.get())
            self._tokens = [(PARENT, PARENT.set(number))]
            return
        self._session = recorder.begin(self._name, {"about": frozen(self._about)} if self._about else None)
        if self._session is not None:
            self._tokens = [(CURRENT, CURRENT.set(self._session)), (PARENT, PARENT.set(None))]

    def _end(self, error: BaseException | None) -> None:
        set_back(self._tokens)
        if self._part is not None:
            outer, number, at, clock, parent = self._part
            made = {"t": "call", "kind": "chain", "name": self._name, "at": at, "s": time.perf_counter() - clock,
                    "parent": parent, "error": described(error) if error is not None else None,
                    "about": frozen(self._about)}  # fmt: skip
            recorder.call(outer, made, number=number)
        elif self._session is not None:
            recorder.end(self._session, error=error)


def set_back(tokens: list[tuple[contextvars.ContextVar[Any], contextvars.Token[Any]]]) -> None:
    """Variables as they were before; a generator that is closed elsewhere has another context, and nothing to set."""
    for variable, token in tokens:
        try:
            variable.reset(token)
        except (ValueError, RuntimeError):
            continue
    tokens.clear()
