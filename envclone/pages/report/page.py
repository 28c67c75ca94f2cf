"""The page of an incident: the story on the first screen, then what shows it, section by section."""

from __future__ import annotations

from collections.abc import Iterator

from envclone.pages.base import document, plain, table
from envclone.pages.report.held import held
from envclone.pages.report.retrieval import retrieval
from envclone.pages.report.story import story
from envclone.pages.report.style import STYLE
from envclone.pages.report.sweeps import sweep
from envclone.pages.report.timeline import timeline
from envclone.pages.report.values import Report

__all__ = ["html", "parts"]

Section = tuple[str, str, str]
"""Its anchor, its title, and its markup."""


def html(report: Report) -> str:
    """The page: one file, no script, nothing fetched."""
    head, links, body = parts(report)
    made = f"made {report.made_at:%Y-%m-%d %H:%M} UTC by envclone {report.version}; every person in it is a pseudonym"
    return document(
        f"Incident {report.story.incident}",
        f'<header>{head}</header><nav aria-label="Sections">{links}</nav><main>{body}</main>'
        f"<footer><p>{plain(made)}</p></footer>",
        style=STYLE,
    )


def parts(report: Report) -> tuple[str, str, str]:
    """The story, the links to the sections and the sections, as markup for a page that has others, too."""
    found = list(_sections(report))
    links = "".join(f'<a href="#{anchor}">{plain(title)}</a>' for anchor, title, _ in found)
    body = "".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{plain(title)}</h2>'
        f"{markup}</section>"
        for anchor, title, markup in found
    )
    return story(report), links, body


def _sections(report: Report) -> Iterator[Section]:
    yield "retrieval", "Production, branch, exact", _retrievals(report)
    if report.sweeps:
        yield "sweeps", "Sweeps", "".join(map(sweep, report.sweeps))
    yield "timeline", "Timeline", timeline(report.timeline)
    yield "state", "State", _state(report)
    yield "parity", "Parity", held(report.parity)
    yield "unknown", "What is unknown", _unknown(report)
    yield "attestation", "Attestation", _attested(report)


def _retrievals(report: Report) -> str:
    if report.retrievals:
        return "".join(retrieval(one, frozenset(report.story.wanted)) for one in report.retrievals)
    return "<p>The bundle has no step that can be run again: its trace holds no whole query.</p>"


def _state(report: Report) -> str:
    state = report.state
    lines = "".join(f"<p>{plain(line, 400)}</p>" for line in state.moment)
    if state.changed:
        lines += _list("Changed in the branch since its birth", state.changed)
        lines += f"<p>Back to the state of its birth: <code>envclone reset {plain(report.story.branch)}</code></p>"
    else:
        lines += "<p>Nothing was written, vacuumed or analysed in the branch since its birth.</p>"
    for title, said in (("Limits during the replay", state.limits), ("Doubts", state.warnings)):
        lines += _list(title, said) if said else ""
    return lines


def _list(title: str, lines: tuple[str, ...], most: int = 60) -> str:
    rest = f"<li>and {len(lines) - most} more</li>" if len(lines) > most else ""
    items = "".join(f"<li>{plain(line, 400)}</li>" for line in lines[:most])
    return f"<h3>{plain(title)}</h3><ul>{items}{rest}</ul>"


def _unknown(report: Report) -> str:
    untested = _list("Not tried", report.untested) if report.untested else ""
    if not report.variables:
        return f"<p>The bundle holds steps alone: each says all that it needs to be run again.</p>{untested}"
    known = report.variables - len(report.missing)
    said = f"<p>{known} of {report.variables} variables are recorded.</p>"
    rows = [(one.name, one.hides, one.fill or "–") for one in report.missing]
    return said + (table(("not recorded", "what that can hide", "what fills it"), rows) if rows else "") + untested


def _attested(report: Report) -> str:
    one = report.attested
    if one is None:
        return "<p>The image's attestation could not be read.</p>"
    said = f"<p>{plain(one.says)}</p>{table(('', ''), one.figures)}"
    if one.exceptions:
        said += f"<h3>Exceptions</h3>{table(('what', 'why'), one.exceptions)}"
    return f"{said}<p>All of it: <code>{plain(one.command)}</code></p>"
