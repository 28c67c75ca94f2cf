"""A job's events as they come, in the form that a browser's EventSource reads; a reader that was cut off goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from envclone.errors import EnvcloneError, UsageError
from envclone.serve.api import Given
from envclone.serve.guard import door_of, in_thread
from envclone.serve.jobs import ENDED, Event
from envclone.serve.refusals import NotFound
from envclone.serve.roles import Principal
from envclone.serve.service import Service

__all__ = ["stream", "until_over"]

_TICK = 0.1
_ALIVE = 10.0
"""Seconds after which a comment shows that the other end is there."""
_LOOK = 1.0
"""Seconds after which a stream that has nothing to say looks whether its reader may still read."""


async def stream(service: Service, who: Principal, given: Given, request: Request) -> Response:
    """The events behind `Last-Event-ID`, and those to come, until the job has ended.

    It ends, too, when its reader would no longer be let in: no event is sent behind a revocation.
    """
    after = _after(given, request)
    ident = given.path["job"]
    first = await in_thread(service.job_events, who, ident, after)
    door = door_of(request)

    def still() -> None:
        door.require_still(request, who)

    lines = _lines(service, who, ident, after, first, still)
    return StreamingResponse(lines, media_type="text/event-stream")


def _after(given: Given, request: Request) -> int:
    said = request.headers.get("last-event-id", "").strip()
    if not said:
        return int(given.query.after)
    if not said.isascii() or not said.isdigit() or len(said) > 9:
        raise UsageError("Last-Event-ID is no number", hint="send the id of the last event that came")
    return int(said)


async def until_over(service: Service, ident: str, seconds: float) -> None:
    """Wait for a job's end, so many seconds at most; no thread waits along."""
    with contextlib.suppress(TimeoutError, NotFound):
        async with asyncio.timeout(seconds):
            while not await in_thread(service.over, ident):
                await asyncio.sleep(_TICK)


async def _lines(
    service: Service, who: Principal, ident: str, after: int, found: list[Event], still: Callable[[], None]
) -> AsyncIterator[str]:
    quiet, looked = 0.0, time.monotonic()
    while True:
        for event in found:
            after = event.number
            yield f"id: {event.number}\nevent: {event.data.get('event', 'told')}\ndata: {json.dumps(event.data)}\n\n"
            if event.data.get("event") in ENDED:
                return
        quiet = 0.0 if found else quiet + _TICK
        if quiet >= _ALIVE:
            quiet = 0.0
            yield ": still there\n\n"
        await asyncio.sleep(_TICK)
        try:
            over = await in_thread(service.told_all, ident)  # asked first: what was told before its end is not missed
            found = await in_thread(service.told, who, ident, after)
            if found or time.monotonic() - looked >= _LOOK:
                await in_thread(still)
                looked = time.monotonic()
        except EnvcloneError:  # it was forgotten meanwhile, or its reader was
            return
        if not found and over:
            return
