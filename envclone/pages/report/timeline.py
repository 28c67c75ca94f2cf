"""When what was called: a bar for each call of the trace, and one for each step that was run in the branch."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.pages.base import fold, plain
from envclone.pages.report.values import Span, Timeline

__all__ = ["timeline"]

_FIRST = 30
"""Calls that are shown unfolded."""
_DEEP = 6
"""The deepest nesting that is drawn."""


def timeline(one: Timeline) -> str:
    """Both parts, as markup."""
    parts = []
    if one.calls:
        of = f", by its trace ({one.dialect})" if one.dialect else ""
        parts.append(f"<h3>In production{plain(of)}</h3>{_bars(one.calls)}")
        if one.left_out:
            parts.append(f"<p>{one.left_out:,} more calls are in the bundle and not shown.</p>")
    else:
        parts.append(
            "<p>The bundle has no calls and no exchanges: when what was called in production is not recorded.</p>"
        )
    if one.steps:
        parts.append(f"<h3>In the branch, step by step</h3>{_bars(one.steps)}")
    return "".join(parts)


def _bars(spans: Sequence[Span]) -> str:
    ends = [(one.began or 0.0) + (one.seconds or 0.0) for one in spans]
    total = max([*ends, 1e-9])
    shown = _list(spans[:_FIRST], total)
    rest = spans[_FIRST:]
    return shown + (fold(f"{len(rest)} more", _list(rest, total)) if rest else "")


def _list(spans: Sequence[Span], total: float) -> str:
    return f'<ol class="bars">{"".join(_span(one, total) for one in spans)}</ol>'


def _span(one: Span, total: float) -> str:
    failed = f' <b class="tag bad">error</b> {plain(one.error, 300)}' if one.error else ""
    name = f'<b class="layer">{plain(one.kind, 24)}</b> {plain(one.name, 240)}{failed}'
    about = "".join(f'<dt>{plain(label, 60)}</dt><dd dir="auto">{plain(text, 700)}</dd>' for label, text in one.about)
    took = _seconds(one.seconds) if one.seconds is not None else "?"
    began = f"+{_seconds(one.began)}" if one.began is not None else ""
    line = f'<span class="name">{name}</span>{_bar(one, total)}<span class="took">{took} <i>{began}</i></span>'
    level = f"d{min(one.depth, _DEEP)}"
    if about:
        return f'<li class="{level}"><details><summary>{line}</summary><dl class="about">{about}</dl></details></li>'
    return f'<li class="{level}"><div class="line">{line}</div></li>'


def _bar(one: Span, total: float) -> str:
    """Where it lies in the whole time; the numbers beside it say the same."""
    if one.seconds is None or one.began is None:
        return '<span class="bar"></span>'
    left = min(100 * one.began / total, 99.4)
    width = min(max(100 * one.seconds / total, 0.6), 100 - left)
    kind = ' class="failed"' if one.error else ""
    return (
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect{kind} x="{left:.2f}" y="0" width="{width:.2f}" height="6"/></svg>'
    )


def _seconds(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f} s"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"
