"""A sweep as a picture: recall against what was varied, as SVG that stands in a page without anything else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from envclone.diagnosis.sweep import Point

__all__ = ["plot"]

_WIDTH, _HEIGHT = 480, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 28, 40


def plot(points: Sequence[Point], varied: str) -> str:
    """The points of a sweep in which one thing was varied; '' for fewer than two.

    Lines and letters take the page's colour (`currentColor`); a filled point is where what is expected is found, a ring
    is the way that production asked.
    """
    chosen = [point for point in points if point.varied == varied]
    if len(chosen) < 2:
        return ""
    step = (_WIDTH - _LEFT - _RIGHT) / (len(chosen) - 1)
    at = [(_LEFT + i * step, _TOP + (1 - point.recall) * (_HEIGHT - _TOP - _BOTTOM)) for i, point in enumerate(chosen)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="11"'
        f' font-family="sans-serif" fill="currentColor" aria-label="{escape(_said(chosen, varied))}">',
        f'<text x="{_LEFT}" y="16">recall by {escape(varied)}</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        y = _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="currentColor"'
                     ' stroke-opacity="0.2"/>')  # fmt: skip
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts.append(f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.5"/>')
    every = max(1, -(-len(chosen) // 12))
    for number, (point, (x, y)) in enumerate(zip(chosen, at, strict=True)):
        found = any(rank is not None for rank in point.ranks)
        fill = "currentColor" if found else "none"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{fill}" stroke="currentColor"/>')
        if point.own:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="none" stroke="currentColor"/>')
        if number % every == 0:
            parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{escape(point.value)}</text>')
    return "".join([*parts, "</svg>"])


def _said(points: Sequence[Point], varied: str) -> str:
    """The picture in words, for who cannot see it."""
    return f"recall by {varied}: " + ", ".join(f"{point.value} {point.recall:.0%}" for point in points)
