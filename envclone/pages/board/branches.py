"""Branches: what there is and what is next, and one of them whole."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Iterator
from urllib.parse import urlencode

from envclone.pages.base import fold, plain, table
from envclone.pages.board.frame import HOME, ago, at, button, facts, framed, link, place, region, tag, token, usage
from envclone.pages.board.images import images_of
from envclone.pages.board.jobs import jobs_of
from envclone.pages.board.values import BranchPage, BranchRow, Frame, Log, LoginPage, Overview
from envclone.pages.report.held import held

__all__ = ["branch", "login", "overview"]

_TONES = {"running": "good", "stopped": "", "creating": "warn", "removing": "warn", "failed": "bad"}


def overview(frame: Frame, page: Overview) -> str:
    """The first page: branches with what is next, then images and work that goes on."""
    rows = [_row(one, page.now) for one in page.branches]
    columns = ("branch", "state", "of", "owner", "age", "left", "state of production", "uses", "next")
    if rows:
        shown = region("Branches", table(columns, rows, escaped=True)) + _pages(page)
    elif page.sought:
        shown = f"<p>No branch has “{plain(page.sought, 80)}” in its name, owner, environment or incident.</p>"
    else:
        known = page.environments[0] if page.environments else "ENVIRONMENT"
        shown = (
            f"<p>There is no branch. <code>envclone branch {plain(known)}</code> makes one, and so does this page.</p>"
        )
    making = "branch" in frame.may and bool(page.environments)
    body = f"<h1>Branches</h1>{_seeking(page, making)}{shown}"
    if making:
        body += _making(frame, page)
    going = [one for one in page.jobs if one.state in ("queued", "running")]
    if going:
        body += f"<h2>Work that goes on</h2>{jobs_of(going, page.now)}"
    if page.images:
        body += f"<h2>Newest images</h2>{images_of(page.images, page.now)}"
    return framed(frame, "Branches", body)


_FEW = 15
"""So many branches are seen at a glance, and what is below them, too."""


def _seeking(page: Overview, making: bool) -> str:
    """Where there are many: what leads to some of them, and down to the form."""
    if max(page.total, len(page.branches)) <= _FEW:
        return ""
    down = '<a class="deed" href="#make">Make a branch</a>' if making else ""
    back = f'<a href="{HOME}">all of them</a>' if page.sought else ""
    return (
        f'<form class="make seek" method="get" action="{HOME}" role="search">'
        "<label>Name, owner, environment or incident "
        f'<input name="q" type="search" maxlength="80" value="{plain(page.sought, 80)}" spellcheck="false"></label>'
        f"<button>Find</button>{back}{down}</form>"
    )


def _pages(page: Overview) -> str:
    """Which part of the branches this is, and what leads to those before and behind."""
    if page.pages <= 1:
        return ""

    def to(number: int, said: str) -> str:
        asked = plain(urlencode({"page": number} | ({"q": page.sought} if page.sought else {})))
        return f'<a href="{HOME}?{asked}">{said}</a>' if 1 <= number <= page.pages else ""

    links = " · ".join(one for one in (to(page.page - 1, "Before"), to(page.page + 1, "Further")) if one)
    return (
        f'<nav class="within" aria-label="Pages">Page {page.page} of {page.pages}, {page.found} branches. {links}</nav>'
    )


def _row(one: BranchRow, now: dt.datetime) -> tuple[str, ...]:
    return (
        link(one.name, "branches", one.name) + (f" {tag('protected')}" if one.protected else ""),
        tag(one.state, _TONES.get(one.state, "")),
        plain(one.environment),
        plain(one.owner or "–", 60),
        ago(one.created_at, now),
        _left(one, now),
        f"{ago(one.state_of, now)} old" if one.state_of else "–",
        plain(usage(one.usage)),
        _next(one, now),
    )


def _left(one: BranchRow, now: dt.datetime) -> str:
    if one.expires_at is None:
        return "–"
    return tag("expired", "warn") if one.expires_at < now else ago(one.expires_at, now)


def _next(one: BranchRow, now: dt.datetime) -> str:
    """What one does with it, in a few words."""
    if one.state == "failed":
        return "remove it" if not one.mine else link("remove it", "branches", one.name, "remove")
    if one.expires_at is not None and one.expires_at < now:
        return "<code>gc</code> removes it"
    if one.state == "stopped":
        return link("start it", "branches", one.name) if one.mine else "its owner starts it"
    if one.incident:
        return f"replay {link(one.incident, 'incidents', one.incident)}"
    return f"<code>envclone psql {plain(one.name, 60)}</code>" if one.state == "running" else "wait"


def _making(frame: Frame, page: Overview) -> str:
    environments = "".join(f'<option value="{plain(one)}">{plain(one, 80)}</option>' for one in page.environments)
    incidents = "".join(f'<option value="{plain(one)}">{plain(one, 80)}</option>' for one in page.incidents)
    of_incident = (
        f'<label>Incident <select name="incident"><option value="">none</option>{incidents}</select></label>'
        if incidents
        else ""
    )
    return (
        f'<h2 id="make">Make a branch</h2><form class="make" method="post" action="{place("branches")}">{token(frame)}'
        f'<label>Environment <select name="environment">{environments}</select></label>{of_incident}'
        '<label>Name <input name="name" maxlength="41" autocomplete="off" spellcheck="false" '
        'placeholder="chosen for you"></label><button>Make it</button></form>'
    )


def branch(frame: Frame, page: BranchPage) -> str:
    """One branch: where it answers, how it compares with production, what it wrote, and what can be done."""
    row = page.row
    said = facts(list(_facts(page)))
    sections = [
        ("Endpoints", _endpoints(frame, page)),
        ("Uses", _uses(page)),
        ("Parity with production", held(page.parity) if not page.lacking else f"<p>{plain(page.lacking, 400)}</p>"),
        ("Services", _services(page)),
        ("Logs", "".join(map(_log, page.logs))),
    ]
    body = "".join(f"<h2>{title}</h2>{markup}" for title, markup in sections if markup)
    title = f"<h1>{plain(row.name, 80)} {tag(row.state, _TONES.get(row.state, ''))}</h1>"
    return framed(frame, row.name, f"{title}{_deeds(frame, row)}{said}{_living(frame, page)}{body}")


def _deeds(frame: Frame, row: BranchRow) -> str:
    """What may be done to it now: a start at once, the rest after it was asked about."""
    if not row.mine:
        return ""
    deeds = []
    if row.state == "stopped" and "start" in frame.may:
        deeds.append(button(frame, "Start", place("branches", row.name, "start")))
    asked = [("stop", "Stop", row.state == "running"), ("reset", "Reset", row.state in ("running", "stopped")),
             ("remove", "Remove", row.state != "removing")]  # fmt: skip
    for deed, text, fits in asked:
        if fits and deed in frame.may:
            kind = "deed danger" if deed == "remove" else "deed"
            deeds.append(f'<a class="{kind}" href="{place("branches", row.name, deed)}">{text}…</a>')
    return f'<div class="deeds">{"".join(deeds)}</div>' if deeds else ""


def _living(frame: Frame, page: BranchPage) -> str:
    """A form that has it live longer, or shorter."""
    if not page.row.mine or not page.lives or "extend" not in frame.may:
        return ""
    said = {"none": "until it is removed"}
    options = "".join(
        f'<option value="{plain(one)}"{" selected" if one == page.live else ""}>{plain(said.get(one, one))}</option>'
        for one in page.lives
    )
    return (
        f'<form class="make" method="post" action="{place("branches", page.row.name, "extend")}">{token(frame)}'
        f'<label>Lives, from now on <select name="ttl">{options}</select></label><button>Set it</button></form>'
    )


def _facts(page: BranchPage) -> Iterator[tuple[str, str]]:
    row = page.row
    yield "Of", plain(row.environment) + (f", {plain(page.moment[0], 200)}" if page.moment else "")
    for line in page.moment[1:]:
        yield "", plain(line, 200)
    old = f", the state of {at(row.state_of)}, {ago(row.state_of, page.now)} ago" if row.state_of else ""
    yield "Image", f"{link(page.image, 'images', page.image)}{old}"
    yield "Owner", plain(row.owner or "who made it with envclone on this machine", 80)
    lives = f", lives {_left(row, page.now)} more" if row.expires_at and row.expires_at >= page.now else ""
    lives = f", {tag('expired', 'warn')}" if row.expires_at and row.expires_at < page.now else lives
    yield "Age", f"{ago(row.created_at, page.now)}{lives}{', protected' if row.protected else ''}"
    yield "Runs", f"{plain(page.runtime)}, {plain(usage(row.usage))}"
    yield "Incident", link(row.incident, "incidents", row.incident) if row.incident else ""
    yield "May reach", ", ".join(plain(one, 120) for one in page.allow) or "nothing outside"
    yield "Degraded", "<br>".join(plain(one, 300) for one in page.degraded)


def _endpoints(frame: Frame, page: BranchPage) -> str:
    rows = [(one.store, one.kind, one.address, one.database, one.user, one.note) for one in page.endpoints]
    columns = ("store", "kind", "answers at", "database", "user", "note")
    keep = [n for n in range(len(columns)) if n < 3 or any(row[n] for row in rows)]
    if not rows:
        return "<p>It does not run: nothing answers.</p>"
    shown = table([columns[n] for n in keep], [[row[n] for n in keep] for row in rows])
    return region("Endpoints", shown) + _login(frame, page)


def _login(frame: Frame, page: BranchPage) -> str:
    """How one comes to the password, which no page shows but the one that hands it out."""
    if page.login == "once":
        form = button(frame, "Show the login, once", place("branches", page.row.name, "login"))
        return f'<div class="deeds">{form}</div>'
    if page.login == "handed out":
        return "<p>Its login was handed out, and is not shown again.</p>"
    return "<p>Its login is its owner's.</p>"


def login(frame: Frame, page: LoginPage) -> str:
    """The login of a branch: the one page that shows it, one time."""
    lines = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in page.variables)
    back = link("Back to the branch", "branches", page.branch)
    return framed(
        frame,
        f"Login of {page.branch}",
        f"<h1>Login of {plain(page.branch, 80)}</h1><p>{plain(page.note, 300)}</p>"
        f'<pre class="log">{plain(lines)}</pre><p>{back}</p>',
    )


def _uses(page: BranchPage) -> str:
    return table(("part", "uses"), [(name, usage(one)) for name, one in page.usages]) if page.usages else ""


def _services(page: BranchPage) -> str:
    return table(("service", "image"), page.services) if page.services else ""


def _log(one: Log) -> str:
    if one.lacking:
        return f"<h3>{plain(one.part, 80)}</h3><p>{plain(one.lacking, 300)}</p>"
    text = one.text or "(nothing yet)"
    return fold(one.part, f'<pre class="log">{plain(text)}</pre>')
