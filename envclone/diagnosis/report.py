"""A diagnosis in words; no rendering here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envclone.diagnosis.diagnose import Diagnosis
from envclone.diagnosis.finding import Finding
from envclone.diagnosis.sweep import Point

__all__ = ["explain", "table"]

_LONG_VECTOR = re.compile(r"(\[(?:\s*-?[\d.]+(?:e[-+]?\d+)?\s*,){3})(?:[^\]\[]{40,})\]", re.IGNORECASE)
_SHOWN = 8


def explain(diagnosis: Diagnosis) -> str:
    """The first failing layer, then what else was seen, candidates, and what is unknown."""
    first = diagnosis.first
    said = f"{first.layer}: {first.cause} ({first.certainty})" if first else "nothing found that failed here"
    lines = [f"incident {diagnosis.incident}: {said}"]
    if first is not None:
        lines += _lines(first)
    others = [one for one in diagnosis.findings if one is not first]
    if others:
        lines.append("also seen:")
        for one in others[:_SHOWN]:
            lines.append(f"  {one.layer}: {one.cause} ({one.certainty}): {one.evidence}")
        if len(others) > _SHOWN:
            lines.append(f"  and {len(others) - _SHOWN} more: --json")
    if diagnosis.expected and not diagnosis.missing:
        lines.append(f"expected and returned: {', '.join(diagnosis.expected)}")
    if diagnosis.candidates:
        lines.append("candidates, any of which may have been expected (--expect ID says so):")
        for candidate in diagnosis.candidates[:_SHOWN]:
            lines.append(f"  {candidate.step}: {candidate.record} at rank {candidate.rank}: {candidate.why}")
    lines += [f"unknown: {line}" for line in diagnosis.unknown]
    return "\n".join(lines)


def table(points: Sequence[Point], expected: Sequence[str]) -> list[list[str]]:
    """A sweep as rows of texts: step, what was varied, recall, results, the rank of each expected id, time."""
    rows = []
    for point in points:
        what = f"{point.varied} {point.value}".strip() + (" *" if point.own else "")
        ranks = ["–" if rank is None else str(rank) for rank in point.ranks] or [""] * len(expected)
        rows.append([point.step, what, f"{point.recall:.0%}", str(point.results), *ranks, f"{point.seconds * 1e3:.1f}"])
    return rows


def _lines(finding: Finding) -> list[str]:
    where = f" in the step {finding.step}" if finding.step else ""
    lines = [f"  evidence{where}: {finding.evidence}"]
    command = _LONG_VECTOR.sub(r"\1 …]", finding.command)
    lines.append("  shown by:" + (" (vectors cut; --json has them whole)" if command != finding.command else ""))
    return lines + [f"    {line}" for line in command.splitlines()]
