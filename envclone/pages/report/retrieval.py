"""A step side by side: what production returned, what the branch returns, and what is there without the index."""

from __future__ import annotations

from collections.abc import Mapping

from envclone.pages.base import fold, plain, table
from envclone.pages.report.values import Answer, Hit, Retrieval

__all__ = ["retrieval"]

_FIRST = 10
"""Results that are shown unfolded."""
_ID, _TEXT = 240, 160
"""The most characters of a result's id and of its text."""


def retrieval(one: Retrieval, wanted: frozenset[str] = frozenset()) -> str:
    """One step, as markup; the results that are `wanted` are marked."""
    verdict = {True: ("good", "same"), False: ("bad", "differs"), None: ("warn", "not run")}[one.same]
    head = f'<h3>{plain(one.step)} <b class="tag {verdict[0]}">{verdict[1]}</b> <span>{plain(one.of, 200)}</span></h3>'
    said = "".join(f"<p>{plain(line, 300)}</p>" for line in (one.note, *one.reasons[:8]) if line)
    settings = "".join(f"<li><code>{plain(name, 80)} = {plain(value, 120)}</code></li>" for name, value in one.settings)
    query = fold("the query", f"<pre>{plain(one.query, 4000)}</pre>" + (f"<ul>{settings}</ul>" if settings else ""))
    return f'<article class="step">{head}{said}{_answers(one, wanted)}{query}</article>'


def _answers(one: Retrieval, wanted: frozenset[str]) -> str:
    sides = [("production", one.production), ("branch", one.branch)]
    if one.exact is not None:
        sides.append(("exact search", one.exact))
    places = {hit.id: number for number, hit in reversed(list(enumerate(one.production.hits, 1)))}
    notes = "".join(f"<p>{plain(name)}: {_said(side)}</p>" for name, side in sides if _said(side))
    shown = [(name, side) for name, side in sides if side.hits]
    longest = max((len(side.hits) for _, side in shown), default=0)
    rows = [
        (str(number + 1), *(_cell(name, side, number, places, one, wanted) for name, side in shown))
        for number in range(longest)
    ]
    columns = ("#", *(name for name, _ in shown))
    kind = "sides same" if one.same and len(shown) == len(sides) else "sides"
    first = table(columns, rows[:_FIRST], kind=kind, escaped=True) if rows else ""
    rest = rows[_FIRST:]
    return notes + first + (fold(f"{len(rest)} more", table(columns, rest, kind=kind, escaped=True)) if rest else "")


def _said(side: Answer) -> str:
    """What an answer is when it is no list of results."""
    if side.error:
        return f'<b class="tag bad">error</b> {plain(side.error, 600)}'
    return plain(side.absent) or ("" if side.hits else "no result")


def _cell(
    name: str, side: Answer, number: int, places: Mapping[str, int], one: Retrieval, wanted: frozenset[str]
) -> str:
    if number >= len(side.hits):
        return ""
    hit = side.hits[number]
    tone, mark = ("", "") if name == "production" else _mark(name, hit, number, places, one)
    score = f'<i class="score">{plain(hit.score, 24)}</i>' if hit.score and mark != "same" else ""
    tag = f'<b class="tag {tone}">{mark}</b>' if mark else ""
    tag += '<b class="tag good">expected</b>' if hit.id in wanted else ""
    known = mark == "same" or mark.startswith("production")  # its text stands in production's column
    text = "" if known or not hit.text else f'<span class="text" dir="auto">{plain(hit.text, _TEXT)}</span>'
    return f'<span class="hit"><code>{plain(hit.id, _ID)}</code>{score}{tag}</span>{text}'


def _mark(name: str, hit: Hit, number: int, places: Mapping[str, int], one: Retrieval) -> tuple[str, str]:
    """How a result stands to production's: the tone and the words."""
    there = one.production.hits
    if number < len(there) and there[number].id == hit.id:
        same = one.same or name != "branch" or there[number] == hit
        return ("", "same") if same else ("bad", "other values")
    if hit.id in places:
        return "bad" if name == "branch" else "warn", f"production #{places[hit.id]}"
    return "bad", "not in production" if name == "branch" else "missed"
