"""The small pages: signing in, the question before a deed, the audit log, and what cannot be shown."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.pages.base import plain, table
from envclone.pages.board.frame import HOME, button, framed, local, place, region, sentence, tag
from envclone.pages.board.values import AuditRow, Confirm, Frame

__all__ = ["audit", "confirm", "entered", "login", "refused"]


def login(frame: Frame, *, refusal: str = "", oidc: bool = False) -> str:
    """Where one signs in with a token; `refusal` says why that was not enough."""
    said = f'<p class="said bad" role="alert" id="refusal">{plain(sentence(refusal), 300)}</p>' if refusal else ""
    # an alert that a page begins with is read by few screen readers: its title and the field with the focus are
    told = 'aria-invalid="true" autofocus aria-describedby="refusal token-from"'
    told = told if refusal else 'aria-describedby="token-from"'
    other = f'<p><a href="{place("login", "oidc")}">Sign in with your organisation</a></p>' if oidc else ""
    return framed(
        frame,
        "Not signed in" if refusal else "Sign in",
        f'<h1>Sign in</h1>{said}<form class="make" method="post" action="{place("login")}">'
        f'<input type="hidden" name="csrf" value="{plain(frame.token)}">'
        '<label>Token <input name="token" type="password" autocomplete="current-password" required '
        f"{told}></label><button>Sign in</button></form>"
        f'<p id="token-from">An operator makes one: <code>envclone serve token create</code>.</p>{other}',
    )


def entered(frame: Frame) -> str:
    """Says that one is signed in, and goes on to the first page by itself."""
    body = f'<h1>You are signed in</h1><p><a href="{HOME}">Go on to the branches</a></p>'
    return framed(frame, "Signed in", body, onward=True)


def confirm(frame: Frame, page: Confirm) -> str:
    """Asks before something is done."""
    return framed(
        frame,
        page.title,
        f"<h1>{plain(page.title, 120)}</h1><p>{plain(page.says, 600)}</p>"
        f'<div class="deeds">{button(frame, page.button, page.action, danger=page.danger)}'
        f'<a class="deed" href="{local(page.back)}">Go back</a></div>',
    )


def audit(frame: Frame, rows: Sequence[AuditRow], *, suspicion: str = "", older: int = 0) -> str:
    """The audit log, the newest first; `older` is the number of the page with those before, 0 without any."""
    state = f"{tag('broken', 'bad')} {plain(suspicion, 400)}" if suspicion else tag("as it was written", "good")
    shown = table(
        ("at (UTC)", "who", "did", "with"),
        [(one.at[:19].replace("T", " "), one.who, one.action, one.details) for one in rows],
        kind="times",
    )
    more = f'<p><a href="{place("audit")}?page={older}">Older</a></p>' if older else ""
    return framed(frame, "Audit", f"<h1>Audit</h1><p>{state}</p>{region('Audit log', shown)}{more}")


def refused(frame: Frame, title: str, says: str, *, hint: str = "") -> str:
    """What cannot be shown or done, and why."""
    more = f"<p><code>{plain(hint, 400)}</code></p>" if hint else ""
    return framed(
        frame,
        title,
        f'<h1>{plain(title, 120)}</h1><p>{plain(sentence(says), 600)}</p>{more}<p><a href="{HOME}">Branches</a></p>',
    )
