"""The first screen: what it comes to, what was asked, what happened, why, and what shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from envclone.pages.base import fold, plain
from envclone.pages.report.values import Cause, Outcome, Report, Story

__all__ = ["story"]

_TONES = {Outcome.REPRODUCED: "good", Outcome.OTHERWISE: "bad", Outcome.NOTHING: "warn", Outcome.STOPPED: "warn"}
_LONG = 600
"""The most characters of a text on the first screen; the whole of it stands in the bundle."""
_INLINE, _COMMAND = 120, 4000
"""The most characters of a command beside its text, and of one that is folded."""
_LINES = 5
"""The most lines of what happened, and of evidence, on the first screen."""


def story(report: Report) -> str:
    """The head of the page, as markup."""
    one = report.story
    when = f"{one.at:%Y-%m-%d %H:%M:%S} UTC" if one.at else ""
    where = " · ".join(said for said in (one.environment, when, f"branch {one.branch}" if one.branch else "") if said)
    rows = [("Asked", _asked(one)), ("Happened", _happened(one)), ("Why", _why(one)), ("Evidence", _evidence(one))]
    told = "".join(f"<div><dt>{label}</dt><dd>{markup}</dd></div>" for label, markup in rows if markup)
    return (
        f'<p class="where"><b>Incident {plain(one.incident)}</b> · {plain(where)}</p>'
        f"<h1>{plain(_headline(one), 240)}</h1>"
        f'<p class="verdict {_TONES[one.outcome]}"><b>{plain(str(one.outcome))}</b> {plain(_verdict(one), 300)}</p>'
        f'<dl class="story">{told}</dl>'
        f'<ul class="facts">{"".join(_facts(report))}</ul>'
    )


def _headline(one: Story) -> str:
    """What it comes to, in one sentence."""
    if one.causes and one.causes[0].certain:
        return one.causes[0].says
    said = {
        Outcome.REPRODUCED: "The branch fails as production did; why is not settled.",
        Outcome.OTHERWISE: "The branch answers otherwise than production did.",
        Outcome.NOTHING: "There is nothing to run again: the trace holds no whole query.",
        Outcome.STOPPED: "The incident was not run again.",
    }
    return said[one.outcome]


def _verdict(one: Story) -> str:
    good, total = one.steps
    if one.outcome in (Outcome.NOTHING, Outcome.STOPPED):
        return one.why_not
    return f"{good} of {total} steps gave what production gave"


def _asked(one: Story) -> str:
    return f'<span dir="auto">{plain(one.asked, _LONG)}</span>' if one.asked else "The bundle has no note."


def _happened(one: Story) -> str:
    return _lines([plain(line, 200) for line in one.happened])


def _why(one: Story) -> str:
    """The layers with the first that failed, and what else was seen; the first cause is the headline."""
    sure = bool(one.causes) and one.causes[0].certain
    rest = one.causes[1:] if sure else one.causes
    said = _layers(one)
    if not one.causes:
        said += "No cause was found by comparing; <code>envclone incident show</code> says what the bundle lacks."
    elif not sure:
        said += "Candidates, none of them settled:"
    elif one.causes[0].layer not in one.layers:
        said += f"{_layer(one.causes[0], 'bad')} failed first" + (", also seen:" if rest else "")
    elif rest:
        said += "Also seen:"
    return said + _lines([f"{_layer(cause)} {plain(cause.says, 240)}" for cause in rest], always=True)


def _layers(one: Story) -> str:
    """Every layer that was looked at, in order: in which the first cause is, in which something else was seen."""
    seen = {cause.layer for cause in one.causes}
    first = one.causes[0].layer if one.causes and one.causes[0].certain else ""
    items = "".join(
        f'<li class="{"first" if layer == first else "seen" if layer in seen else ""}">{plain(layer)}'
        + (" <b>failed first</b>" if layer == first else "")
        + "</li>"
        for layer in one.layers
    )
    return f'<ol class="layers">{items}</ol>' if items else ""


def _layer(cause: Cause, tone: str = "") -> str:
    return f'<b class="layer {tone}">{plain(cause.layer)}</b>'


def _evidence(one: Story) -> str:
    return _lines([_shown(plain(shown.says, 400), shown.command) for cause in one.causes for shown in cause.evidence])


def _shown(says: str, command: str) -> str:
    """A fact, and the command that shows it; a long one is folded."""
    if not command:
        return says
    if len(command) <= _INLINE and "\n" not in command:
        return f"{says} <code>{plain(command)}</code>"
    return says + fold("the command that shows it", f"<pre>{plain(command, _COMMAND)}</pre>")


def _lines(lines: list[str], *, always: bool = False) -> str:
    if len(lines) == 1 and not always:
        return lines[0]
    more = f"<li>and {len(lines) - _LINES} more</li>" if len(lines) > _LINES else ""
    return "<ul>" + "".join(f"<li>{line}</li>" for line in lines[:_LINES]) + more + "</ul>" if lines else ""


def _facts(report: Report) -> Iterator[str]:
    """What else counts, in a few words each, with the way to it."""
    changed = len(report.state.changed)
    yield _fact(
        "state",
        "state",
        f"{changed} change{'s' * (changed > 1)} in the branch" if changed else "as it was copied",
        changed > 0,
    )
    if report.parity is not None:
        counts = Counter(one.parity for one in report.parity)
        said = f"{counts['match']} match, {counts['differs']} differ, {counts['unknown']} unknown"
        yield _fact("parity", "parity", said, counts["differs"] > 0)
    if report.variables:
        known = report.variables - len(report.missing)
        yield _fact("unknown", "bundle", f"{known} of {report.variables} variables recorded", bool(report.missing))
    if report.attested is not None:
        count = len(report.attested.exceptions)
        said = "passed" + (f", {count} exception{'s' * (count > 1)}" if count else ", no exception")
        yield _fact("attestation", "attestation", said, count > 0)


def _fact(anchor: str, label: str, said: str, look: bool) -> str:
    kind = ' class="look"' if look else ""
    return f'<li{kind}><a href="#{anchor}"><span>{plain(label)}</span> {plain(said)}</a></li>'
