"""One call of the service, through any of its faces: role, rate, deed, cleaning, and a line in the audit log."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from pydantic import BaseModel

from envclone.errors import BusyError, EnvcloneError
from envclone.mcp.limits import Meter
from envclone.serve.refusals import Forbidden, TooMany
from envclone.serve.roles import Principal, Role

if TYPE_CHECKING:
    from envclone.serve.base import Base

__all__ = ["Meters", "cleaned", "verb"]

S = TypeVar("S", bound="Base")
P = ParamSpec("P")
R = TypeVar("R")

_MOST_METERS = 10_000


class Meters:
    """How often each token was used in the last minute."""

    def __init__(self, calls_per_minute: int) -> None:
        self._most = calls_per_minute
        self._meters: dict[str, Meter] = {}
        self._lock = threading.Lock()

    def count(self, who: Principal) -> None:
        """Count a call. Raises TooMany."""
        key = f"{who.subject} {who.credential}"
        with self._lock:
            if len(self._meters) >= _MOST_METERS:
                self._meters.pop(next(iter(self._meters)))
            meter = self._meters.setdefault(key, Meter(self._most))
        try:
            meter.count()
        except BusyError as exc:
            seconds = int("".join(filter(str.isdigit, exc.hint or "")) or 60)
            raise TooMany(exc.message, retry_after=seconds, hint=exc.hint) from None


def verb(
    name: str, least: Role, *, quiet: bool = False
) -> Callable[[Callable[Concatenate[S, Principal, P], R]], Callable[Concatenate[S, Principal, P], R]]:
    """Make a method of the service a call: `name` stands in the audit log, `least` is the role that it takes.

    The first argument behind who asks is the object, which the log names; `quiet` calls are written down only when they
    are refused. A call that cannot be written down gives no result.
    """

    def decorate(
        method: Callable[Concatenate[S, Principal, P], R],
    ) -> Callable[Concatenate[S, Principal, P], R]:
        @functools.wraps(method)
        def call(service: S, who: Principal, /, *args: P.args, **kwargs: P.kwargs) -> R:
            began = time.monotonic()
            named = args[0] if args and isinstance(args[0], str) else ""
            try:
                service.meters.count(who)
                if not who.role.may(least):
                    raise Forbidden(
                        f"this takes the role {least}, and '{who.name}' is {who.role}",
                        hint=f"ask an operator for a token with --role {least}",
                    )
                result = method(service, who, *args, **kwargs)
            except BaseException as exc:
                service.counts.count(name, type(exc).__name__, time.monotonic() - began)
                service.audit(who, name, named, type(exc).__name__)
                raise
            service.counts.count(name, "done", time.monotonic() - began)
            if not quiet:
                service.audit(who, name, named, "done")
            out: R = cleaned(service, result)
            return out

        call.__dict__["verb"] = name
        call.__dict__["least"] = least
        return call

    return decorate


def cleaned(service: Base, value: Any) -> Any:
    """A result without what is known as secret; a login that is handed out is an object of its own class, and stays."""
    from envclone.serve.seen import LoginSeen

    if isinstance(value, LoginSeen):
        return value
    if isinstance(value, BaseModel):
        return type(value).model_validate(service.outgoing.value(value.model_dump(mode="json")))
    if isinstance(value, Mapping):
        return service.outgoing.value(value)
    if isinstance(value, str):
        return service.outgoing.text(value)
    if isinstance(value, Sequence):
        return [cleaned(service, one) for one in value]
    return value


def as_json(value: Any) -> str:
    """A result as JSON."""

    def plain(one: Any) -> Any:
        return one.model_dump(mode="json") if isinstance(one, BaseModel) else str(one)

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)


def said_of(service: Base, exc: BaseException) -> tuple[str, str | None]:
    """An error and its remedy as they may leave; of an unexpected error its class alone: its text can quote data."""
    if not isinstance(exc, EnvcloneError):
        return f"an error of envclone itself ({type(exc).__name__})", "an operator finds more in the service's log"
    problems = [str(one) for one in getattr(exc, "problems", ())][:3]
    said = "; ".join([exc.message, *(one for one in problems if one not in exc.message)])
    return service.outgoing.text(" ".join(said.split())), service.outgoing.text(exc.hint) if exc.hint else None
