"""Around every handler: limits on what comes, who asks, errors as one line, and headers that keep a browser strict."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from envclone.errors import EnvcloneError, UsageError
from envclone.serve import refusals
from envclone.serve.accepts import PAGE, wants_page
from envclone.serve.calls import as_json, said_of
from envclone.serve.door import CSRF_FIELD, CSRF_HEADER, SAFE, Door
from envclone.serve.refusals import Forbidden, NotAllowed, TooLarge, TooMany, Unauthenticated
from envclone.serve.roles import Principal, Role
from envclone.serve.service import Service
from envclone.serve.strangers import Strangers, address_of, counted_in

__all__ = ["HEALTH", "Guarded", "answer", "body_of", "door_of", "form_of", "in_thread", "page", "refused", "service_of"]

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_FIELDS = 200
HEALTH = "/healthz"
"""What watches a service asks here, as often as it likes; it tells nothing."""

Handler = Callable[[Request, Principal], Awaitable[Response]]


def service_of(request: Request) -> Service:
    """The service behind an application."""
    found: Service = request.app.state.service
    return found


def door_of(request: Request) -> Door:
    """The door of an application."""
    found: Door = request.app.state.door
    return found


class Guarded:
    """The application within limits: of strangers' calls, and of what an error may say."""

    def __init__(
        self, app: ASGIApp, service: Service, shown: Callable[[Request, BaseException], Response] | None = None
    ) -> None:
        """`shown` makes a page of what is refused."""
        self._app = app
        self._service = service
        self._shown = shown
        self._strangers = Strangers(service.options.strangers_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def told(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = {key for key, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in _HEADERS if one[0] not in given)]
            await send(message)

        try:
            _require_one_length(scope)
            too_often = await self._counted(Request(scope))
            await (too_often or self._app)(scope, receive, told)
        except ClientDisconnect:
            return
        except Exception as exc:  # the boundary: whatever happens is one line of JSON, or a page
            if begun:
                raise
            if not isinstance(exc, EnvcloneError):
                logging.getLogger("envclone.serve").exception("an error of envclone itself")
            await (await self._refused(Request(scope), exc))(scope, receive, told)

    async def _refused(self, request: Request, exc: BaseException) -> Response:
        """An error as a page for who accepts HTML, else as a line."""
        of_a_page = PAGE in getattr(request.scope.get("endpoint"), "__dict__", {})
        otherwise = of_a_page and not isinstance(exc, NotAllowed)
        if self._shown is not None and wants_page(request, otherwise=otherwise):
            try:
                page: Response = await in_thread(self._shown, request, exc)
            except Exception:
                logging.getLogger("envclone.serve").exception("an error could not be shown as a page")
            else:
                return _told(page, exc)
        return refused(self._service, exc)

    async def _counted(self, request: Request) -> Response | None:
        """Count a call of its address until the door knows whose it is. An answer when too many were nobody's.

        Who is known is let in all the same: one address can be a whole team's. That an address is refused is written
        down when that begins, not at every call: the log is not for strangers to fill.
        """
        if request.scope["path"] == HEALTH:
            return None
        address = address_of(request, behind_proxy=self._service.options.behind_proxy)
        row = self._strangers.take(address)
        if row is not None:
            counted_in(request, self._strangers, row)
            return None
        if await in_thread(door_of(request).knows, request):
            return None
        exc, first = self._strangers.refusal(address)
        self._service.counts.count("stranger", "TooMany", 0.0)
        if first:
            await in_thread(self._service.audit, Principal("", "-", Role.VIEWER), "stranger", address, "TooMany")
        return await self._refused(request, exc)


class _Ambiguous(UsageError):
    """A request whose end is told in two ways."""


def _require_one_length(scope: Scope) -> None:
    """Raise for a body whose end two headers tell in two ways.

    A proxy in front may go by the other one: what stands behind would be somebody else's request to it.
    """
    given = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= given:
        raise _Ambiguous("the request has two lengths", hint="send Content-Length or Transfer-Encoding, not both")


def refused(service: Service, exc: BaseException) -> Response:
    """An error as an answer: one line of JSON, with the remedy."""
    said, hint = said_of(service, exc)
    return _told(answer(refusals.document(exc, said, hint), refusals.status_of(exc)), exc)


def _told(response: Response, exc: BaseException) -> Response:
    """An answer with the headers that an error has, whatever it is written in."""
    if isinstance(exc, TooMany):
        response.headers["retry-after"] = str(exc.retry_after)
    if isinstance(exc, Unauthenticated):
        response.headers["www-authenticate"] = "Bearer"
    if isinstance(exc, NotAllowed) and exc.allow:
        response.headers["allow"] = exc.allow
    if isinstance(exc, _Ambiguous):
        response.headers["connection"] = "close"
    return response


def answer(value: Any, status: int = 200) -> Response:
    """A result as JSON."""
    return Response(as_json(value) + "\n", status, media_type="application/json")


async def body_of(request: Request, most: int) -> bytes:
    """What was sent, at most so many bytes, in the time that the service gives. Raises TooLarge, UsageError."""
    said = request.headers.get("content-length")
    if said is not None and (not said.isascii() or not said.isdigit() or int(said[:20]) > most):
        raise _too_large(most)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(service_of(request).options.seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                pieces.append(piece)
    except TimeoutError:
        raise UsageError("what was sent came too slowly", hint="send it at once") from None
    return b"".join(pieces)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that a page of ours sent; the last of two of one name."""
    if "form" not in request.scope.setdefault("envclone", {}):
        body = await body_of(request, service_of(request).options.body)
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
        except ValueError:
            raise UsageError("the form cannot be read", hint="load the page again, and send it from there") from None
        request.scope["envclone"]["form"] = dict(fields)
    found: dict[str, str] = request.scope["envclone"]["form"]
    return found


async def in_thread(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run what blocks beside the loop."""
    return await run_in_threadpool(call, *args, **kwargs)


def page(handler: Handler, *, least: Role = Role.VIEWER) -> Callable[[Request], Awaitable[Response]]:
    """A handler of a web page: who asks has logged in, has the role, and a form is the session's own.

    Without a session a browser's GET is led to /login.
    """

    async def endpoint(request: Request) -> Response:
        door, service = door_of(request), service_of(request)
        try:
            who = await in_thread(door.principal, request)
        except Unauthenticated:
            if request.method in SAFE and wants_page(request, otherwise=True):
                return RedirectResponse("/login", 303)
            raise
        if request.method not in SAFE:
            form = await form_of(request)
            await in_thread(door.require_still, request, who)  # what was sent may have come slowly
            if door.by_cookie(request):
                door.require_own(request, request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, ""))
        if not who.role.may(least):
            service.audit(who, f"page {request.method}", "", "Forbidden")
            raise Forbidden(f"this takes the role {least}, and '{who.name}' is {who.role}", hint="ask an operator")
        return await handler(request, who)

    endpoint.__dict__.update({"least": least, PAGE: True})
    return endpoint


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"more than {most >> 10} KiB were sent", hint="send less at once")


def plain_json(text: bytes) -> Any:
    """JSON that was sent, or UsageError; numbers that are none are none here either."""

    def never(_: str) -> Any:
        raise ValueError

    try:
        return json.loads(text, parse_constant=never)
    except (ValueError, RecursionError):
        raise UsageError("what was sent is no JSON", hint="send an object, as /api/v1/openapi.json says") from None
