"""The web page's routes: what a browser asks becomes calls of the service, and what they give becomes pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from envclone.errors import UsageError
from envclone.pages.board import branches, images, incidents, jobs, others
from envclone.pages.board.frame import HOME, SCRIPT, SCRIPT_AT, STYLE, STYLE_AT, place
from envclone.pages.board.values import Confirm, Frame, LoginPage
from envclone.serve import asked, board, guard, logbook, refusals
from envclone.serve.calls import said_of
from envclone.serve.guard import door_of, form_of, in_thread, service_of
from envclone.serve.refusals import NotFound, Unauthenticated
from envclone.serve.roles import Principal, Role
from envclone.serve.service import Service

__all__ = ["html", "refused", "routes"]

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_DEEDS: Mapping[str, Callable[..., Any]] = {
    "branch": Service.create, "start": Service.start, "stop": Service.stop, "reset": Service.reset,
    "remove": Service.remove, "report": Service.report, "audit": Service.events, "cancel": Service.cancel,
    "extend": Service.extend, "image": Service.build_image, "snapshot": Service.snapshot, "gc": Service.collect,
}  # fmt: skip
"""What a page offers, and the call that it is."""
_SAID = {"start": "It runs.", "stop": "It is stopped; its data stays.", "reset": "It is as it was born.",
         "remove": "The branch is removed.", "extend": "It lives longer.", "cancel": "It is told to end."}  # fmt: skip
_ASKED = {
    "stop": ("Stop {}?", "Its servers stop. Its data, its name and its login stay.", "Stop it"),
    "reset": ("Reset {}?", "What was changed in it since its birth is thrown away, and it runs. Its login stays.",
              "Reset it"),
    "remove": ("Remove {}?", "Its servers stop, and all that belongs to it is removed. It does not come back.",
               "Remove it"),
}  # fmt: skip

_TITLES = {403: "Not for you", 404: "Not there", 405: "Not in this way", 409: "Not now", 410: "Not again",
           413: "Too much", 429: "Too often", 500: "An error of envclone", 502: "Out of reach"}  # fmt: skip
_ENDED = "Your session has ended: sign in again."

Answering = Callable[["Visit"], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by somebody who was let in."""

    request: Request
    who: Principal
    service: Service

    async def call(self, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """A call for who asks, beside the loop."""
        return await in_thread(function, self.service, self.who, *args, **more)

    def frame(self, here: str = "") -> Frame:
        """The frame of a page for who asks."""
        return _frame(self.request, self.who, here)

    def page(self) -> int:
        """Which page of a long list is asked for, from 1."""
        said = self.request.query_params.get("page", "1")
        return max(1, int(said)) if said.isascii() and said.isdigit() and len(said) < 7 else 1

    def given(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])


def routes(service: Service) -> list[Route]:
    """The routes of the web page. `POST /login` (field `token`) and `POST /logout` are there: `entrance.py`."""
    engineer = Role.ENGINEER
    return [
        _shown("/", _overview),
        _shown("/branches", _to_overview),
        _shown("/branches/{name}", _branch),
        *(_shown(f"/branches/{{name}}/{deed}", _asking(deed), least=engineer) for deed in _ASKED),
        _done("/branches", _create),
        *(_done(f"/branches/{{name}}/{deed}", _doing(deed)) for deed in ("start", *_ASKED)),
        _done("/branches/{name}/login", _login_of),
        _done("/branches/{name}/extend", _extend),
        _done("/images", _build, least=Role.OPERATOR),
        _done("/snapshots", _snapshot, least=Role.OPERATOR),
        _done("/gc", _collect, least=Role.OPERATOR),
        _shown("/images", _images),
        _shown("/images/{image}", _image),
        _shown("/incidents", _incidents),
        _shown("/incidents/{incident}", _incident),
        _done("/incidents/{incident}/report", _report),
        _shown("/jobs", _jobs),
        _shown("/jobs/{job}", _job),
        _done("/jobs/{job}/cancel", _cancel),
        _shown("/audit", _audit, least=Role.OPERATOR),
        Route("/login", _login, methods=["GET"], name="page /login"),
        Route(STYLE_AT, _static(STYLE, "text/css"), methods=["GET"], name="page style"),
        Route(SCRIPT_AT, _static(SCRIPT, "text/javascript"), methods=["GET"], name="page script"),
    ]


def _shown(path: str, handler: Answering, *, least: Role = Role.VIEWER) -> Route:
    return Route(path, _page(handler, least), methods=["GET"], name=f"page {path}")


def _done(path: str, handler: Answering, *, least: Role = Role.ENGINEER) -> Route:
    return Route(path, _page(handler, least), methods=["POST"], name=f"page POST {path}")


def _page(handler: Answering, least: Role) -> Callable[[Request], Awaitable[Response]]:
    """A handler behind the guard."""

    async def let_in(request: Request, who: Principal) -> Response:
        return await handler(Visit(request, who, service_of(request)))

    return guard.page(let_in, least=least)


def refused(request: Request, exc: BaseException) -> Response:
    """An error as a page for who asks."""
    service, door = service_of(request), door_of(request)
    said, hint = said_of(service, exc)
    session = door.session(request)
    frame = Frame(project=service.stack.project.name) if session is None else _frame(request, session.who, "")
    status = refusals.status_of(exc)
    if isinstance(exc, Unauthenticated):
        ended = f"{_ENDED} Nothing was done." if door.cookie in request.cookies else said
        return html(others.login(frame, refusal=ended, oidc=request.app.state.signin is not None), status)
    return html(others.refused(frame, _TITLES.get(status, "Not done"), said, hint=hint or ""), status)


def _frame(request: Request, who: Principal, here: str) -> Frame:
    service, session = service_of(request), door_of(request).session(request)
    said = _SAID.get(request.query_params.get("did", ""), "")
    may = frozenset(deed for deed, call in _DEEDS.items() if who.role.may(call.__dict__["least"]))
    return Frame(who.name, str(who.role), session.csrf if session else "", may, service.stack.project.name, here, said)


def html(text: str, status: int = 200) -> Response:
    """A page."""
    # with no-referrer a browser says `Origin: null` when a form is sent, which could be anybody's
    headers = {"content-security-policy": _POLICY, "referrer-policy": "same-origin"}
    return Response(text, status, headers, "text/html; charset=utf-8")


def _static(text: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        kept = {"cache-control": "public, max-age=31536000, immutable"}  # its name changes with it
        return Response(text, 200, kept, f"{kind}; charset=utf-8")

    return endpoint


def _to(path: str, did: str = "") -> Response:
    return RedirectResponse(f"{path}?did={did}" if did else path, 303)


async def _login(request: Request) -> Response:
    frame = Frame(project=service_of(request).stack.project.name)
    door, refusal = door_of(request), ""
    if "wrong" in request.query_params:
        refusal = "The token is not valid: it is wrong, over, or was revoked."
    elif door.cookie in request.cookies and door.session(request, use=False) is None:
        refusal = _ENDED
    return html(others.login(frame, refusal=refusal, oidc=request.app.state.signin is not None))


async def _overview(visit: Visit) -> Response:
    sought = visit.request.query_params.get("q", "").strip()[:80]
    page = await visit.call(board.overview, visit.page(), sought)
    return html(branches.overview(visit.frame("overview"), page))


async def _to_overview(visit: Visit) -> Response:
    return _to(HOME)


async def _branch(visit: Visit) -> Response:
    page = await visit.call(board.branch, visit.given("name"))
    return html(branches.branch(visit.frame("overview"), page))


def _asking(deed: str) -> Answering:
    title, says, button = _ASKED[deed]

    async def handler(visit: Visit) -> Response:
        one = await visit.call(Service.branch, visit.given("name"))
        page = Confirm(
            title.format(one.name), says, place("branches", one.name, deed), button, place("branches", one.name),
            danger=deed != "stop",
        )  # fmt: skip
        return html(others.confirm(visit.frame("overview"), page))

    return handler


def _doing(deed: str) -> Answering:
    async def handler(visit: Visit) -> Response:
        name = visit.given("name")
        await visit.call(_DEEDS[deed], name)
        return _to(HOME if deed == "remove" else place("branches", name), deed)

    return handler


async def _create(visit: Visit) -> Response:
    form = await form_of(visit.request)
    made = await visit.call(
        Service.create, form.get("environment", ""), incident=form.get("incident") or None,
        name=form.get("name", "").strip() or None,
    )  # fmt: skip
    return _to(place("jobs", made.id))


async def _login_of(visit: Visit) -> Response:
    given = await visit.call(Service.login, visit.given("name"))
    page = LoginPage(given.name, tuple(given.variables.items()), given.note)
    return html(branches.login(visit.frame("overview"), page))


async def _extend(visit: Visit) -> Response:
    said, name = (await form_of(visit.request)).get("ttl", ""), visit.given("name")
    try:
        ttl = asked.duration(said)
    except ValueError as exc:
        raise UsageError(f"how long it lives {exc}", hint="choose one of those on the page") from None
    await visit.call(Service.extend, name, ttl)
    return _to(place("branches", name), "extend")


async def _build(visit: Visit) -> Response:
    form = await form_of(visit.request)
    more = {"fresh": form.get("fresh") == "on", "again": form.get("again") == "on"}
    made = await visit.call(Service.build_image, form.get("environment", ""), **more)
    return _to(place("jobs", made.id))


async def _snapshot(visit: Visit) -> Response:
    made = await visit.call(Service.snapshot, (await form_of(visit.request)).get("environment", ""))
    return _to(place("jobs", made.id))


async def _collect(visit: Visit) -> Response:
    made = await visit.call(Service.collect, dry_run=(await form_of(visit.request)).get("dry") == "on")
    return _to(place("jobs", made.id))


async def _images(visit: Visit) -> Response:
    return html(images.images(visit.frame("images"), *await visit.call(board.images)))


async def _image(visit: Visit) -> Response:
    page = await visit.call(board.image, visit.given("image"))
    if page is None:
        raise NotFound("there is no such image", hint="envclone images")
    return html(images.image(visit.frame("images"), page))


async def _incidents(visit: Visit) -> Response:
    return html(incidents.incidents(visit.frame("incidents"), await visit.call(board.incidents)))


async def _incident(visit: Visit) -> Response:
    page = await visit.call(board.incident, visit.given("incident"))
    return html(incidents.incident(visit.frame("incidents"), page))


async def _report(visit: Visit) -> Response:
    form = await form_of(visit.request)
    made = await visit.call(Service.report, visit.given("incident"), form.get("branch") or None)
    return _to(place("jobs", made.id))


async def _jobs(visit: Visit) -> Response:
    return html(jobs.jobs(visit.frame("jobs"), *await visit.call(board.jobs)))


async def _job(visit: Visit) -> Response:
    one, now = await visit.call(board.job, visit.given("job"))
    return html(jobs.job(visit.frame("jobs"), one, now))


async def _cancel(visit: Visit) -> Response:
    await visit.call(Service.cancel, visit.given("job"))
    return _to(place("jobs", visit.given("job")), "cancel")


async def _audit(visit: Visit) -> Response:
    rows, suspicion, older = await visit.call(logbook.audit, visit.page())
    return html(others.audit(visit.frame("audit"), rows, suspicion=suspicion, older=older))
