"""Long work: the list, and one job with how far it has come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from envclone.pages.base import plain, table
from envclone.pages.board.frame import ago, at, button, facts, framed, link, local, place, region, tag
from envclone.pages.board.values import Frame, JobRow

__all__ = ["job", "jobs", "jobs_of"]

_TONES = {"done": "good", "failed": "bad", "cancelled": "bad", "running": "warn"}
GOING = ("queued", "running")
_LINES = 200


def jobs(frame: Frame, rows: Sequence[JobRow], now: dt.datetime) -> str:
    """The list."""
    shown = jobs_of(rows, now) if rows else "<p>Nothing was asked of the service yet.</p>"
    return framed(frame, "Jobs", f"<h1>Jobs</h1>{shown}")


def jobs_of(rows: Sequence[JobRow], now: dt.datetime) -> str:
    """Jobs as a table."""
    cells = [
        (
            link(one.what, "jobs", one.id),
            tag(one.state, _TONES.get(one.state, "")),
            plain(one.owner, 60),
            f"{ago(one.began_at, now)} ago",
            plain(one.error or _far(one), 200),
        )
        for one in rows
    ]
    return region("Jobs", table(("job", "state", "asked by", "began", "how far"), cells, escaped=True))


def _far(one: JobRow) -> str:
    return f"{one.step}{'' if one.share is None else f', {one.share:.0%}'}" or "–"


def job(frame: Frame, one: JobRow, now: dt.datetime) -> str:
    """One job. A script follows what it says; without one there is a link that looks again."""
    going = one.state in GOING
    said = facts([
        ("Asked by", plain(one.owner, 80)),
        ("Began", f"{at(one.began_at)}, {ago(one.began_at, now)} ago"),
        ("Ended", at(one.ended_at)),
        ("Failed", _failed(one)),
        ("Result", f'<a href="{local(one.result)}">{plain(one.result)}</a>' if one.result else ""),
    ])  # fmt: skip
    lines = "".join(f"<li>{plain(line, 400)}</li>" for line in one.lines[-_LINES:])
    events = f' data-events="{local(one.events)}"' if going and one.events else ""
    share = "" if one.share is None else f' value="{min(max(one.share, 0.0), 1.0):.4f}"'
    bar = f'<progress aria-label="How far it has come"{share}></progress>' if going else ""
    now_at = f'<p data-line aria-live="polite">{plain(_far(one), 300)}</p>' if going else ""
    ends = button(frame, "End it", place("jobs", one.id, "cancel"), danger=True) if going and one.mine else ""
    came = "".join(f"<li>{plain(line, 400)}</li>" for line in one.came)
    came = (
        f'<h2>What {"would be removed" if one.tried else "came of it"}</h2><ul class="lines">{came}</ul>'
        if came
        else ""
    )
    if one.tried and "gc" in frame.may:
        came += f'<div class="deeds">{button(frame, "Remove what nobody needs", place("gc"), danger=True)}</div>'
    again = f'<p><a href="{place("jobs", one.id)}">Look again</a></p>' if going else ""
    return framed(
        frame,
        one.what,
        f"<h1>{plain(one.what, 120)} {tag(one.state, _TONES.get(one.state, ''))}</h1>{said}"
        f'{came}<div class="job"{events}>{bar}{now_at}{again}{ends}<h2>What it did</h2>'
        f'<ol class="lines" data-lines>{lines}</ol></div>',
    )


def _failed(one: JobRow) -> str:
    hint = f" <code>{plain(one.hint, 300)}</code>" if one.hint else ""
    return f"{plain(one.error, 600)}{hint}" if one.error else ""
