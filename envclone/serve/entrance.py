"""Log in with a token, get a session's cookie; and log out. The web page uses both."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from envclone.serve.guard import door_of, form_of, in_thread, page, service_of
from envclone.serve.refusals import Forbidden, Unauthenticated
from envclone.serve.roles import Principal, Role

__all__ = ["routes"]


def routes() -> list[Route]:
    """`POST /login` and `POST /logout`."""
    return [
        Route("/login", _login, methods=["POST"], name="login_send"),
        Route("/logout", page(_logout), methods=["POST"], name="logout"),
    ]


async def _login(request: Request) -> Response:
    """A session for a token; from a page of this site only."""
    door, service = door_of(request), service_of(request)
    nobody = Principal("", "-", Role.VIEWER)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Forbidden("the form comes from another site", hint="open the page itself, and send it from there")
    form = await form_of(request)
    try:
        value, session = await in_thread(door.login, form.get("token", ""))
    except Unauthenticated:
        await in_thread(service.audit, nobody, "login", "", "Unauthenticated")
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/login?wrong=1", 303)
        raise
    await in_thread(service.audit, session.who, "login", "", "done")
    response = RedirectResponse("/", 303)
    response.set_cookie(door.cookie, value, httponly=True, samesite="strict", secure=door.secure, path="/")
    return response


async def _logout(request: Request, who: Principal) -> Response:
    door = door_of(request)
    door.logout(request)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(door.cookie, path="/", httponly=True, samesite="strict", secure=door.secure)
    return response
