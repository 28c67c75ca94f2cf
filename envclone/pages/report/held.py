"""What of production a branch has, row by row."""

from __future__ import annotations

from envclone.pages.base import fold, table
from envclone.pages.report.values import Held

__all__ = ["held"]

_ORDER = ("differs", "unknown", "match")


def held(found: tuple[Held, ...] | None) -> str:
    """How the branch compares, as markup: what differs first, what is unknown and what matches folded."""
    if found is None:
        return "<p>Not compared: the branch does not run.</p>"
    columns = ("of", "what", "production", "branch")
    parts = []
    for kind in _ORDER:
        rows = [(one.of, one.what, one.production or "?", one.branch or "?") for one in found]
        rows = [row for row, one in zip(rows, found, strict=True) if one.parity == kind]
        if not rows:
            continue
        count = f"{len(rows)} {'match' if kind == 'match' else kind}"
        if kind == "differs":
            parts.append(f"<h3>{count}</h3>{table(columns, rows, kind='parity')}")
        else:
            parts.append(fold(count, table(columns, rows, kind="parity")))
    return "".join(parts) or "<p>Nothing is known of production to compare with.</p>"
