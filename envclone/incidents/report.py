"""A replay in words and side by side; no rendering here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from envclone import rebuilt
from envclone.incidents.verdicts import Difference, DifferenceKind, ReplayReport, StepVerdict
from envclone.models import Counters

__all__ = ["evidence_lines", "evidence_of", "explain", "in_short", "side_by_side", "whole_lines"]

WIDTH = 160
"""The most characters of a value that are shown."""

ROWS = 60
"""The most differences of a step that are shown."""


_NOTABLE = 0.1
"""Seconds of throttling that are worth a word."""


def explain(report: ReplayReport) -> str:
    """The verdict in words: whether indexes were rebuilt, a line for the incident, then one or more per step."""
    good = sum(step.reproduced for step in report.steps)
    total = len(report.steps)
    word = "reproduced" if report.reproduced else "NOT reproduced"
    lines = [f"incident {report.incident}: {word} ({good} of {total} steps gave what production gave)"]
    if first := rebuilt.line(report.rebuilt, (total - good, total)):
        lines.insert(0, first)
    if report.profile is not None:
        lines.append(f"  under the profile {report.profile}")
    if report.fidelity is not None and report.fidelity < 1:
        lines.append(f"  fidelity: only {report.fidelity:.1%} of sampled vector searches answer as production's do")
    lines += [f"  degraded: {line}" for line in report.degraded]
    lines += [f"  changed since the branch's birth: {line}" for line in report.changed]
    lines += [f"  {line}" for line in evidence_lines(report.evidence, report.limits)]
    lines += [f"  {line}" for line in whole_lines(report)]
    if _telling(report):
        width = max((len(one.layer) for one in report.layers), default=0)
        lines += [f"  {one.layer:{width}}  {one.words}" for one in report.layers]
    for step in report.steps:
        if step.reproduced:
            lines.append(f"  {step.step}: reproduced, {step.note or _same(step)}")
        else:
            lines.append(f"  {step.step}: not reproduced")
            lines += [f"    {reason}" for reason in step.reasons]
    lines += [f"  {line}" for line in report.not_run]
    return "\n".join(lines)


def _telling(report: ReplayReport) -> bool:
    """Whether layers tell more than that every step gave the same."""
    differs = any(one.verdict == "diverged" for one in report.layers)
    return differs or not report.reproduced or bool(report.played or report.changes) or report.runs > 1


def whole_lines(report: ReplayReport) -> list[str]:
    """What was changed on the way, how often it was run, what the application asked, and what left its network."""
    lines = [f"changed on the way: {name} = {value}" for name, value in report.changes.items()]
    if report.runs > 1:
        lines.append(f"{report.reproduced_runs} of {report.runs} runs gave what production gave")
    played = report.played
    if played is not None:
        if played.why_not:
            lines.append(f"{played.recorded} exchanges with models and tools were not played: {played.why_not}")
        elif played.recorded:
            said = (
                f"{played.matched} of {played.recorded} recorded calls asked again, {len(played.unmatched)} unmatched"
            )
            lines.append(said + (f", {played.again} repeated" if played.again else ""))
        if played.live or played.withheld:
            lines.append(f"{played.live} calls answered by live models, {len(played.withheld)} withheld by the guard")
        lines += [f"withheld: {line}" for line in played.withheld[:5]]
        lines += [f"came to no call: {line}" for line in played.refused[:5]]
        if (out := played.egress) is not None:
            through = f", {out.connections} connections through the gate ({out.sent} bytes)" if out.connections else ""
            tried = f"; {out.unrouted + out.refused} attempts failed" if out.unrouted + out.refused else ""
            lines.append(f"{out.packets} packets out{through}{tried}")
    return lines + list(report.notes)


def evidence_of(plain: Mapping[str, Mapping[str, Any]]) -> dict[str, Counters]:
    """The counters in a report that was kept; what a later version counts besides is left out."""
    known = {one.name for one in fields(Counters)}
    return {part: Counters(**{k: v for k, v in seen.items() if k in known}) for part, seen in plain.items()}


def evidence_lines(evidence: Mapping[str, Counters], all_limits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What limits did to the parts of a branch during a replay, in words; a line per part that felt or has some."""
    lines = []
    for store, seen in sorted(evidence.items()):
        limits = all_limits.get(store, {})
        said = []
        if seen.oom_kills:
            many = "a process of it was" if seen.oom_kills == 1 else f"{seen.oom_kills} processes of it were"
            said.append(f"{many} killed for memory" + (f" at {_mib(limits['memory'])}" if "memory" in limits else ""))
        if seen.throttled_seconds >= _NOTABLE:
            said.append(f"throttled for {seen.throttled_seconds:.1f} s at {limits.get('cpus', 0):g} cpus")
        if seen.pids_refused:
            said.append(f"{seen.pids_refused} processes could not be started (limit {limits.get('pids')})")
        if seen.exit_code is not None:
            ended = "by the kernel" if seen.oom_kills and seen.exit_code == 137 else f"with exit code {seen.exit_code}"
            said.append(f"ended {ended}" + (", started again" if seen.restarts else ""))
        if seen.timeouts:
            said.append(f"{seen.timeouts} statements ran into a timeout")
        if seen.temp_files:
            said.append(f"{seen.temp_files} temporary files of {_mib(seen.temp_bytes)}")
        if seen.writing:
            said.append(f"{seen.writing} transactions that wrote")
        if said:
            lines.append(f"{store}: {'; '.join(said)}")
        elif "memory" in limits:
            lines.append(
                f"{store}: at most {_mib(seen.memory_peak)} of {_mib(limits['memory'])} memory, nothing killed"
            )
    return lines


def in_short(reports: Mapping[str, ReplayReport]) -> list[str]:
    """What several profiles did to one incident: which reproduced it, and what memory had to do with it."""
    words = ", ".join(f"{name} {'reproduced' if one.reproduced else 'NOT reproduced'}" for name, one in reports.items())
    lines = [f"in short: {words}"]
    for name, one in reports.items():
        for part, seen in sorted(one.evidence.items()):
            better = [
                (other, report)
                for other, report in reports.items()
                if report.reproduced and part in report.evidence and not report.evidence[part].oom_kills
            ]
            if seen.oom_kills and not one.reproduced and better:
                other, report = better[0]
                lines.append(
                    f"{part} was killed for memory at {_size(one, part)} ({name}); with {_size(report, part)} ({other})"
                    " the answer is the same as production's"
                )
    return lines


def _size(report: ReplayReport, part: str) -> str:
    memory = report.limits.get(part, {}).get("memory")
    return _mib(memory) if memory else "no limit of its own"


def _mib(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB"


def _same(step: StepVerdict) -> str:
    return f"{step.results} results, all the same" if step.results != 1 else "1 result, the same"


def side_by_side(verdict: StepVerdict) -> list[tuple[str, str, str]]:
    """The differences as (what, in production, in the branch), texts cut around the first character that differs."""
    rows = [_row(difference) for difference in verdict.differences[:ROWS]]
    if (rest := len(verdict.differences) - ROWS) > 0:
        rows.append((f"and {rest} more", "", ""))
    return rows


def _row(difference: Difference) -> tuple[str, str, str]:
    kind = difference.kind
    if kind is DifferenceKind.MISSING:
        return f"{difference.key}: missing", f"#{difference.position} {_text(difference.expected)}", "–"
    if kind is DifferenceKind.EXTRA:
        return f"{difference.key}: extra", "–", f"#{difference.position} {_text(difference.actual)}"
    if kind is DifferenceKind.MOVED:
        return f"{difference.key}: place", f"#{difference.expected}", f"#{difference.actual}"
    what = kind.value if kind is not DifferenceKind.VALUE else difference.column or "value"
    label = f"{difference.key}: {what}" if difference.key else what
    return label, *_cut(_raw(difference.expected), _raw(difference.actual))


def _raw(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _text(value: Any) -> str:
    text = _raw(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _cut(expected: str, actual: str) -> tuple[str, str]:
    """Both texts around the first place where they differ."""
    if max(len(expected), len(actual)) <= WIDTH:
        return expected, actual
    shorter = min(len(expected), len(actual))
    common = next((i for i in range(shorter) if expected[i] != actual[i]), shorter)
    start = max(0, common - WIDTH // 4)
    cut = ("…" if start else "") + "{}"
    return _text(cut.format(expected[start:])), _text(cut.format(actual[start:]))
