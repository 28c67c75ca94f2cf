"""What the service's pages share: the frame with its menu, links, forms, and the files that a page fetches."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from envclone.cow.sizes import format_size
from envclone.pages import base
from envclone.pages.base import plain
from envclone.pages.board.values import Frame, Usage
from envclone.pages.report.style import STYLE as REPORT
from envclone.span import span

__all__ = [
    "HOME", "SCRIPT", "SCRIPT_AT", "STYLE", "STYLE_AT", "ago", "at", "button", "facts", "framed", "link", "local",
    "place", "region", "sentence", "tag", "token", "usage",
]  # fmt: skip

HOME = "/"
STYLE = base.STYLE + REPORT + Path(__file__).with_name("board.css").read_text(encoding="utf-8")
SCRIPT = Path(__file__).with_name("board.js").read_text(encoding="utf-8")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _integrity(text: str) -> str:
    return f"sha256-{base64.b64encode(_digest(text)).decode()}"


STYLE_AT = f"/static/{_digest(STYLE).hex()[:16]}.css"
SCRIPT_AT = f"/static/{_digest(SCRIPT).hex()[:16]}.js"
"""Named by what is in them, so that a browser may keep them."""


def place(*parts: str) -> str:
    """The path of a page: each part is one segment, whatever is in it."""
    return "".join(f"/{quote(part, safe='')}" for part in parts) or HOME


def local(path: str) -> str:
    """A path of this site as the value of an attribute; what would lead elsewhere leads to the first page."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\"))
    return plain(path if inside else HOME)


def link(text: str, *parts: str) -> str:
    """A link to a page, as markup."""
    return f'<a href="{local(place(*parts))}">{plain(text, 120)}</a>'


def sentence(text: str) -> str:
    """A message of one line as a sentence, as text: messages begin small and have no dot."""
    first = text.partition(" ")[0]
    said = text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text
    return said if not said or said[-1] in ".!?…:" else f"{said}."


def tag(text: str, tone: str = "") -> str:
    """A word that stands out; the tone is "good", "warn", "bad" or none."""
    return f'<b class="tag {tone}">{plain(text, 60)}</b>'


def at(time: dt.datetime | None) -> str:
    """A moment as markup, to the minute, in UTC."""
    if time is None:
        return ""
    utc = time.astimezone(dt.UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%Y-%m-%d %H:%M} UTC</time>'


def ago(time: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago a moment was, as markup that says the moment, too."""
    if time is None:
        return "–"
    utc = time.astimezone(dt.UTC)
    apart = abs(now - time)
    said = span(apart) if apart >= dt.timedelta(minutes=1) else "under 1m"
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}" title="{utc:%Y-%m-%d %H:%M} UTC">{said}</time>'


def usage(one: Usage) -> str:
    """Memory and processors in a few words, as text."""
    said = []
    if one.memory is not None:
        limit = f" of {format_size(int(one.limit))}" if one.limit else ""
        said.append(f"{format_size(int(one.memory))}{limit}")
    elif one.limit:
        said.append(f"at most {format_size(int(one.limit))}")
    if one.cpus:
        said.append(f"{one.cpus:g} CPU")
    if one.seconds is not None:
        said.append(f"{one.seconds:,.1f} s used" if one.seconds < 600 else f"{one.seconds / 60:,.0f} min used")
    return ", ".join(said) or "–"


def region(label: str, markup: str) -> str:
    """Something that may be wider than the screen: it scrolls by itself, by the keyboard, too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{plain(label, 120)}">{markup}</div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns; the names are text, the values markup, and one of '' is left out."""
    return (
        '<dl class="story">'
        + "".join(f"<div><dt>{plain(name)}</dt><dd>{value}</dd></div>" for name, value in pairs if value)
        + "</dl>"
    )


def button(
    frame: Frame, text: str, action: str, *, fields: Mapping[str, str] | None = None, danger: bool = False
) -> str:
    """A form of one button, with the token that says it is this session's."""
    hidden = "".join(
        f'<input type="hidden" name="{plain(name)}" value="{plain(value)}">' for name, value in (fields or {}).items()
    )
    kind = ' class="danger"' if danger else ""
    return (
        f'<form method="post" action="{local(action)}">{token(frame)}{hidden}'
        f"<button{kind}>{plain(text)}</button></form>"
    )


def token(frame: Frame) -> str:
    """The hidden field that each form has."""
    return f'<input type="hidden" name="csrf" value="{plain(frame.token)}">'


_MENU = (("overview", "Branches", ()), ("images", "Images", ("images",)), ("incidents", "Incidents", ("incidents",)),
         ("jobs", "Jobs", ("jobs",)), ("audit", "Audit", ("audit",)))  # fmt: skip


def framed(frame: Frame, title: str, body: str, *, onward: bool = False) -> str:
    """A page in its frame; `body` is markup that has the one heading of the first level. With `onward` the browser goes
    on to the first page at once."""
    said = ""
    if frame.said:
        tone, role = ("bad", "alert") if frame.bad else ("good", "status")
        said = f'<p class="said {tone}" role="{role}">{plain(frame.said, 600)}</p>'
    name = f"envclone {frame.project}".strip()
    if frame.said and frame.bad:  # what is read first of a page
        title = f"Refused: {title}"
    return _PAGE.format(
        title=plain(f"{title} · {name}", 200), style=STYLE_AT, style_digest=_integrity(STYLE), script=SCRIPT_AT,
        script_digest=_integrity(SCRIPT), top=_top(frame), said=said, body=body,
        onward=f'<meta http-equiv="refresh" content="0;url={HOME}">' if onward else "",
    )  # fmt: skip


def _top(frame: Frame) -> str:
    if not frame.user:
        return f'<header class="top"><span class="brand">envclone</span>{_project(frame)}</header>'
    links = "".join(
        f'<a href="{place(*parts)}"{" aria-current=page" if key == frame.here else ""}>{text}</a>'
        for key, text, parts in _MENU
        if key != "audit" or "audit" in frame.may
    )
    who = (
        f'<div class="who"><span>{plain(frame.user, 60)} <b class="tag">{plain(frame.role, 20)}</b></span>'
        f"{button(frame, 'Sign out', place('logout'))}</div>"
    )
    return (
        f'<header class="top"><a class="brand" href="{HOME}">envclone</a>{_project(frame)}'
        f'<nav aria-label="Menu">{links}</nav>{who}</header>'
    )


def _project(frame: Frame) -> str:
    return f'<span class="project">{plain(frame.project, 40)}</span>' if frame.project else ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">{onward}<title>{title}</title>
<link rel="stylesheet" href="{style}" integrity="{style_digest}">
<script src="{script}" integrity="{script_digest}" defer></script></head>
<body class="board"><a class="skip" href="#content">Skip to the content</a>{top}
<main id="content" tabindex="-1">{said}{body}</main></body></html>
"""
