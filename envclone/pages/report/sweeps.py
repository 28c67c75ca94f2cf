"""A setting tried with several values: a plot, and the same as a table."""

from __future__ import annotations

from envclone.pages.base import fold, plain, table
from envclone.pages.report.values import Sweep

__all__ = ["sweep"]

_WIDTH, _HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 24, 14, 40
"""Of the plot, in its own units: a phone shows it about as large as that in pixels."""
_LABELS, _LETTERS = 8, 5
"""The most values that are named below the plot, and the most characters of one."""


def sweep(one: Sweep) -> str:
    """One sweep, as markup."""
    title = f"{one.step}: {one.setting}"
    ranked = any(point.rank is not None for point in one.points) or bool(one.wanted)
    columns = [one.setting, "of the exact search's results", *([f"place of {one.wanted or 'it'}"] if ranked else [])]
    rows = [
        [
            f"{point.value} (production's)" if point.used else point.value,
            f"{point.recall:.0%}",
            *([f"#{point.rank}" if point.rank else "not found"] if ranked else []),
        ]
        for point in one.points
    ]
    says = f"<p>{plain(one.says)}</p>" if one.says else ""
    shown = table(columns, rows)
    body = says + (_beside(_plot(one, title), shown) if one.numeric else shown)
    if all(point.recall >= 1 for point in one.points if point.used):  # production's own way loses nothing
        return fold(title, body, note="production's finds all that an exact search finds")
    return f'<article class="step"><h3>{plain(title, 200)}</h3>{body}</article>'


def _beside(plot: str, shown: str) -> str:
    return f'<div class="plot">{plot}{shown}</div>'


def _plot(one: Sweep, title: str) -> str:
    """How much of the exact search's results each value gives, as a line."""
    count = len(one.points)
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    xs = [_LEFT + (wide * number / (count - 1) if count > 1 else wide / 2) for number in range(count)]
    ys = [_TOP + high * (1 - min(max(point.recall, 0.0), 1.0)) for point in one.points]
    grid = "".join(
        f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        for share in (0.0, 0.5, 1.0)
        for y in [_TOP + high * (1 - share)]
    )
    longest = max((len(point.value) for point in one.points), default=0)
    every = -(-count // (_LABELS if longest < _LETTERS else _LABELS - 3))
    names = "".join(
        f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">{plain(point.value, _LETTERS)}</text>'
        for number, (x, point) in enumerate(zip(xs, one.points, strict=True))
        if number % every == 0
    )
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))
    dots = "".join(
        f'<circle class="{"used" if point.used else ""}" cx="{x:.1f}" cy="{y:.1f}" r="{6 if point.used else 3.5}"/>'
        for x, y, point in zip(xs, ys, one.points, strict=True)
    )
    said = ", ".join(f"{point.value}: {point.recall:.0%}" for point in one.points)
    return (
        f'<svg class="sweep" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{plain(f"{title}. {said}", 600)}">'
        f'{grid}<path class="line" d="{line}"/>{dots}{names}'
        f'<text x="{_LEFT + wide / 2:.0f}" y="{_HEIGHT - 4}" text-anchor="middle">{plain(one.setting, 40)}</text></svg>'
    )
