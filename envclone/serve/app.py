"""The application: the table of routes as endpoints, the entrance, and the web page's routes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from envclone.errors import UsageError
from envclone.serve import entrance, web
from envclone.serve.accepts import wants_page
from envclone.serve.api import OPERATIONS, PREFIX, Given, Operation
from envclone.serve.asked import PLACES
from envclone.serve.door import CSRF_HEADER, SAFE, Door, Verifier
from envclone.serve.events import stream, until_over
from envclone.serve.guard import (
    HEALTH,
    Guarded,
    answer,
    body_of,
    door_of,
    in_thread,
    plain_json,
    service_of,
)
from envclone.serve.jobs import ENDED
from envclone.serve.metrics import exposition, of_this_machine
from envclone.serve.openapi import document
from envclone.serve.refusals import NotAllowed, NotFound, Unauthenticated
from envclone.serve.roles import Principal, Role
from envclone.serve.service import Service
from envclone.serve.signin import SignIn
from envclone.serve.strangers import let_in

__all__ = ["create"]


def create(service: Service, *, verifier: Verifier | None = None, signin: SignIn | None = None) -> Starlette:
    """The application of a service. `verifier` knows an identity provider's tokens, `signin` lets browsers in by it."""
    door = Door(service.tokens, verifier, secure=service.options.secure)
    described = document(OPERATIONS)

    async def openapi(request: Request) -> Response:
        return answer(described)

    async def health(request: Request) -> Response:
        return answer({"status": "ok"})

    async def metrics(request: Request) -> Response:
        if of_this_machine(request, service.options):
            let_in(request)
        else:
            await in_thread(door.principal, request)
        text = await in_thread(exposition, service)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def nowhere(request: Request, exc: Exception) -> Response:
        if wants_page(request):
            raise NotFound("there is no such page")
        raise NotFound("there is nothing here", hint=f"{PREFIX}/openapi.json lists what there is")

    async def no_method(request: Request, exc: Exception) -> Response:
        allow = str((getattr(exc, "headers", None) or {}).get("Allow", ""))
        if wants_page(request):
            raise NotAllowed("this address is not opened by itself: a button of a page leads here", allow=allow)
        raise NotAllowed("this cannot be done here", allow=allow, hint=f"{PREFIX}/openapi.json says what can")

    app = Starlette(
        routes=[
            *(Route(PREFIX + one.path, _endpoint(one), methods=[one.method], name=one.name) for one in OPERATIONS),
            Route(f"{PREFIX}/openapi.json", openapi, methods=["GET"], name="openapi"),
            Route("/metrics", metrics, methods=["GET"], name="metrics"),
            Route(HEALTH, health, methods=["GET"], name="health"),
            *entrance.routes(signin),
            *web.routes(service),
        ],
        middleware=[Middleware(Guarded, service=service, shown=web.refused)],
        exception_handlers={404: nowhere, 405: no_method},
    )
    app.router.redirect_slashes = False  # it leads to wherever the header Host says, and out of TLS
    app.state.service, app.state.door, app.state.signin = service, door, signin
    return app


def _endpoint(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        service, door = service_of(request), door_of(request)
        try:
            who = await in_thread(door.principal, request)
        except Unauthenticated:
            await in_thread(service.audit, _NOBODY, operation.name, "", "Unauthenticated")
            raise
        if request.method not in SAFE and door.by_cookie(request):
            door.require_own(request, request.headers.get(CSRF_HEADER, ""))
        given = await _given(operation, request)
        await in_thread(door.require_still, request, who)  # what was sent may have come slowly
        if operation.stream:
            return await stream(service, who, given, request)
        result = await in_thread(operation.run, service, who, given)
        if operation.name == "job" and given.query.wait and result.state not in ENDED:
            await until_over(service, result.id, given.query.wait)
            await in_thread(door.require_still, request, who)
            result = await in_thread(operation.run, service, who, given)
        return answer(result, operation.status)

    return endpoint


_NOBODY = Principal("", "-", Role.VIEWER)


async def _given(operation: Operation, request: Request) -> Given:
    """What a call brought, checked. Raises NotFound for what cannot stand in a path, UsageError."""
    path = {key: str(value) for key, value in request.path_params.items()}
    for key, value in path.items():
        if not re.fullmatch(PLACES[key].strip("^$"), value):
            raise NotFound(f"there is no such {key}", hint=f"{PREFIX}/openapi.json says what can stand here")
    query = _parsed(operation.query, dict(request.query_params), "the query", strict=False)
    service = service_of(request)
    sent = await body_of(request, service.options.bundle if operation.large else service.options.body)
    if operation.body is None:
        if sent.strip() not in (b"", b"{}"):
            raise UsageError("nothing is to be sent with this", hint="leave the body out")
        return Given(path, query, None)
    return Given(path, query, _parsed(operation.body, plain_json(sent or b"{}"), "the body", strict=True))


def _parsed(model: type[BaseModel], given: Any, what: str, *, strict: bool) -> Any:
    """What was given as a model. Raises UsageError, which names the field and quotes no value."""
    try:
        return model.model_validate(given, strict=strict)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        known = set(model.model_fields)
        place = ".".join(str(one) for one in first["loc"] if isinstance(one, int) or str(one) in known)
        said = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(
            f"{place or what}: {said[:1].lower()}{said[1:200]}", hint=f"fields: {', '.join(sorted(known)) or 'none'}"
        ) from None
