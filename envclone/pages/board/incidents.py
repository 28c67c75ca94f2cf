"""Incidents: the list, and one with what is known of it and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from envclone.pages.base import fold, plain, table
from envclone.pages.board.frame import at, button, facts, framed, link, place, region, tag
from envclone.pages.board.values import Frame, IncidentPage, IncidentRow
from envclone.pages.report.page import parts

__all__ = ["incident", "incidents"]


def incidents(frame: Frame, rows: Sequence[IncidentRow]) -> str:
    """The list."""
    cells = [
        (
            link(one.id, "incidents", one.id),
            ", ".join(link(name, "branches", name) for name in one.branches) or "–",
            _verdict(one.verdict),
            str(one.cases) if one.cases else "–",
        )
        for one in rows
    ]
    shown = region("Incidents", table(("incident", "branches", "last replay", "cases"), cells, escaped=True))
    none = "<p>There is no incident. <code>envclone incident import</code> reads one from a trace.</p>"
    return framed(frame, "Incidents", f"<h1>Incidents</h1>{shown if rows else none}")


def _verdict(said: str) -> str:
    tone = {"reproduced": "good", "not reproduced": "bad"}.get(said, "")
    return tag(said, tone) if said else "–"


def incident(frame: Frame, page: IncidentPage) -> str:
    """One incident: with a report its story first; else what the bundle holds."""
    head = _deeds(frame, page)
    if page.report is not None:
        story, links, sections = parts(page.report)
        body = f'{story}{head}<nav class="within" aria-label="Sections">{links}</nav>{sections}'
    else:
        body = f"<h1>Incident {plain(page.row.id, 80)}</h1>{head}{_plainly(page)}"
    return framed(frame, f"Incident {page.row.id}", body + _bundle(page))


def _deeds(frame: Frame, page: IncidentPage) -> str:
    """The forms that have it run again, one for each branch that there is for it."""
    if "report" not in frame.may or page.lacking:
        return ""
    again = "again " if page.report is not None else ""
    forms = "".join(
        button(
            frame,
            f"Replay and diagnose {again}in {name}",
            place("incidents", page.row.id, "report"),
            fields={"branch": name},
        )
        for name in page.row.branches
    )
    if not forms:
        return f"<p>No branch is there for it. <code>envclone branch --incident {plain(page.row.id)}</code></p>"
    return f'<div class="deeds">{forms}</div>'


def _plainly(page: IncidentPage) -> str:
    if page.lacking:
        return f"<p>{plain(page.lacking, 600)}</p>"
    return facts([
        ("Of", plain(page.environment)),
        ("When", at(page.at)),
        ("Asked", f'<span dir="auto">{plain(page.note, 600)}</span>' if page.note else ""),
        ("Branches", ", ".join(link(name, "branches", name) for name in page.row.branches) or "none"),
        ("Last replay", _verdict(page.row.verdict)),
    ])  # fmt: skip


def _bundle(page: IncidentPage) -> str:
    """What the bundle holds: its steps, and what could differ and is not known."""
    if page.lacking:
        return ""
    body = ""
    if page.steps:
        steps = fold(
            f"{len(page.steps)} steps", table(("step", "asks", "gave"), page.steps), opened=page.report is None
        )
        body += f"<h2>Steps</h2>{steps}"
    if page.variables:
        counts = Counter(one.state for one in page.variables)
        said = ", ".join(f"{counts[state]} {state}" for state in ("recorded", "pinned", "unknown"))
        rows = [(one.name, one.state, one.hides, one.fill) for one in page.variables]
        rows.sort(key=lambda row: row[1] != "unknown")
        shown = table(("what could differ", "is", "what that hides", "what fills it"), rows)
        body += f"<h2>Completeness</h2><p>{said}</p>{fold('each of them', shown, opened=page.report is None)}"
    return body
