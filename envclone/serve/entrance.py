"""Log in with a token or through an identity provider, get a session's cookie; and log out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from envclone.errors import EnvcloneError
from envclone.pages.board import others
from envclone.pages.board.values import Frame
from envclone.serve import web
from envclone.serve.accepts import wants_page
from envclone.serve.door import Door
from envclone.serve.guard import door_of, form_of, in_thread, page, service_of
from envclone.serve.refusals import Unauthenticated
from envclone.serve.roles import Principal, Role
from envclone.serve.signin import BACK, SignIn
from envclone.serve.strangers import let_in

__all__ = ["routes"]


def routes(signin: SignIn | None = None) -> list[Route]:
    """`POST /login` and `POST /logout`; with `signin` the way to the identity provider and back."""
    away = [
        Route("/login/oidc", _leave, methods=["GET"], name="login_leave"),
        Route(BACK, _return, methods=["GET"], name="login_return"),
    ]
    return [
        *(away if signin is not None else ()),
        Route("/login", _login, methods=["POST"], name="login_send"),
        Route("/logout", page(_logout), methods=["POST"], name="logout"),
    ]


async def _login(request: Request) -> Response:
    """A session for a token; from a page of this site only."""
    door, service = door_of(request), service_of(request)
    nobody = Principal("", "-", Role.VIEWER)
    door.require_here(request)
    form = await form_of(request)
    try:
        value, session = await in_thread(door.login, form.get("token", ""))
    except Unauthenticated:
        await in_thread(service.audit, nobody, "login", "", "Unauthenticated")
        if wants_page(request):
            return RedirectResponse("/login?wrong=1", 303)
        raise
    let_in(request)
    await in_thread(service.audit, session.who, "login", "", "done")
    response = RedirectResponse("/", 303)
    _give(response, door, value)
    return response


def _give(response: Response, door: Door, value: str) -> None:
    response.set_cookie(door.cookie, value, httponly=True, samesite="strict", secure=door.secure, path="/")


async def _leave(request: Request) -> Response:
    """To the identity provider. The cookie is `Lax`: it has to come along when the provider sends the browser back."""
    door, signin = door_of(request), _signin(request)
    try:
        url, binding = await in_thread(signin.begin)
    except EnvcloneError as exc:
        return await _said(request, exc)
    response = RedirectResponse(url, 303)
    response.set_cookie(door.away, binding, max_age=600, httponly=True, samesite="lax", secure=door.secure, path="/")
    return response


async def _return(request: Request) -> Response:
    """Back from the provider: a session, on a page that goes on by itself.

    A redirect would not do: a browser that came from another site sends no `Strict` cookie along with it.
    """
    door, service, signin = door_of(request), service_of(request), _signin(request)
    given = dict(request.query_params)
    try:
        if len(given) != len(request.query_params.multi_items()):
            raise Unauthenticated("that is no answer of an identity provider", hint="sign in again")
        who = await in_thread(signin.end, request.cookies.get(door.away, ""), given)
    except EnvcloneError as exc:
        nobody = Principal("", "-", Role.VIEWER)
        await in_thread(service.audit, nobody, "login", "", type(exc).__name__)
        response = await _said(request, exc)
    else:
        let_in(request)
        value, _ = door.admit(who)
        await in_thread(service.audit, who, "login", "", "done")
        response = web.html(others.entered(Frame(project=service.stack.project.name)))
        _give(response, door, value)
    response.delete_cookie(door.away, path="/", httponly=True, samesite="lax", secure=door.secure)
    return response


async def _said(request: Request, exc: EnvcloneError) -> Response:
    answer: Response = await in_thread(web.refused, request, exc)
    return answer


def _signin(request: Request) -> SignIn:
    found: SignIn = request.app.state.signin
    return found


async def _logout(request: Request, who: Principal) -> Response:
    door = door_of(request)
    door.logout(request)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(door.cookie, path="/", httponly=True, samesite="strict", secure=door.secure)
    return response
