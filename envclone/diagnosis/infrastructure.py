"""The layer of the machine: memory, processor time, deadlines, disks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import later_worked
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.wired import calls_of
from envclone.incidents.differences import sqlstate

__all__ = ["Infrastructure"]

_THROTTLED = 0.25
"""Which part of the replay's time a part stood still for it to be worth a word."""
_TIMEOUT = re.compile(
    r"time[d ]?[-_ ]?out|deadline[ _]?exceeded|\bETIMEDOUT\b|\bE?SOCKETTIMEDOUT\b|took too long",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"out ?of ?memory|cannot allocate memory|\bOOM(?![a-z])|\boom[-_ ]?kill|bad_alloc|\bMemoryError\b|heap limit|"
    r"OutOfMemoryError|exit(?:ed with)? (?:code|status):? 137\b",
    re.IGNORECASE,
)
_DISK = re.compile(
    r"no space left|disk (?:is )?full|temp_file_limit|\bENOSPC\b|\bEDQUOT\b|disk quota|available disk space|"
    r"insufficient disk|disk usage exceeded|not enough (?:disk )?space",
    re.IGNORECASE,
)
_STATES = {"53300": "refused", "57014": "timeout", "25P03": "timeout", "55P03": "timeout", "53200": "out_of_memory",
           "53100": "disk_full", "53400": "disk_full", "57P01": "unavailable", "57P02": "unavailable",
           "57P03": "unavailable", "57P05": "timeout", "08000": "unavailable", "08001": "unavailable",
           "08003": "unavailable", "08004": "refused", "08006": "unavailable"}  # fmt: skip
"""SQLSTATE (PostgreSQL's appendix A): 57014 is what a statement's timeout gives, too."""
_REFUSED = re.compile(
    r"limit exceeded|Index required but not found|strict mode|rate limit|too many requests|quota|throttl|"
    r"too many (?:clients|connections)|remaining connection slots|resource[ _]?exhausted|concurrency limit|"
    r"no more connections allowed|connection limit|pool (?:is )?exhausted|capacity exceeded",
    re.IGNORECASE,
)
_UNAVAILABLE = re.compile(
    r"connection (?:refused|reset|closed|error|aborted|is closed|already closed|lost)|could not connect|"
    r"service[ _]?unavailable|server closed the connection|server disconnected|overloaded|"
    r"bad gateway|name resolution|name or service not known|getaddrinfo|no route to host|broken pipe|"
    r"failed to (?:connect|establish)|(?:transport|tcp connect) error|unexpected eof|EOF detected|"
    r"terminating connection|database system is (?:in recovery|starting up|shutting down|not yet)|"
    r"\bE(?:CONNREFUSED|CONNRESET|NOTFOUND|AI_AGAIN|PIPE|HOSTUNREACH)\b|socket hang up",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"(?:^|status(?:[ _]?code)?|\bcode|HTTP(?:/\d(?:\.\d)?)?|error|responded with|returned)[\s:=('\"]*\b([45]\d\d)\b",
    re.IGNORECASE,
)
_STATUSES = {"408": "timeout", "429": "refused", "502": "unavailable", "503": "unavailable", "504": "timeout",
             "507": "disk_full", "529": "unavailable"}  # fmt: skip
_NAMED = re.compile(r"SQLSTATE[\s:=\[(\"]*([0-9A-Z]{5})\b")
_DIMENSIONS = re.compile(r"vector dimensions|expected dim")


class Infrastructure:
    """What the kernel and the servers counted during the replay, and what steps and calls failed with."""

    layer: ClassVar[Layer] = Layer.INFRASTRUCTURE
    causes: ClassVar[tuple[str, ...]] = (
        "out_of_memory", "throttled", "timeout", "disk_full", "refused", "unavailable", "statement_failed",
    )  # fmt: skip

    def test(self, case: Case) -> Iterator[Finding]:
        """Errors first, then counters."""
        command = f"envclone replay {case.incident.incident} --branch {case.branch}"
        for name, results in case.results.items():
            error = results[0].error if results else None
            if error:
                cause = _cause(error)
                if cause or not _DIMENSIONS.search(error):
                    text = f"the step fails in the branch: {error}{_more(case, name)}"
                    yield _found(cause or "statement_failed", text, command, name)
            elif (then := case.step(name).expect) is not None and then.error and (cause := _cause(then.error)):
                text = f"the step failed in production, and does not in the branch: {then.error[:300]}"
                yield Finding(Layer.INFRASTRUCTURE, cause, text, command, Certainty.LIKELY, name)
        calls = calls_of(case.incident)
        for number, call in enumerate(calls):
            if call.error and not later_worked(calls, number) and (cause := _of_call(call.kind, call.error)):
                text = f"the {call.kind} call {call.name or call.id} failed in production: {call.error[:200]}"
                yield _found(cause, text, f"envclone incident show {case.incident.incident}", "")
        if case.replayed is None:
            return
        for part, seen in sorted(case.replayed.evidence.items()):
            limits = case.replayed.limits.get(part, {})
            if seen.oom_kills:
                text = f"{part}: {seen.oom_kills} processes were killed for memory at {limits.get('memory', '?')} bytes"
                yield _found("out_of_memory", text, command, "")
            share = seen.throttled_seconds / case.replayed.seconds if case.replayed.seconds else 0.0
            if share >= _THROTTLED and not case.replayed.reproduced:
                text = f"{part} stood still for {seen.throttled_seconds:.1f} s at {limits.get('cpus', '?')} cpus"
                yield _found("throttled", text, command, "")


def _of_call(kind: str, error: str) -> str:
    """A statement or search that failed is told also when nothing is known of its error."""
    return _cause(error) or ("statement_failed" if kind in ("sql", "vector") and not _DIMENSIONS.search(error) else "")


def _cause(error: str) -> str:
    named = _NAMED.search(error)
    if known := _STATES.get(sqlstate(error) or (named[1] if named else "")):
        return known
    for pattern, cause in ((_MEMORY, "out_of_memory"), (_DISK, "disk_full"), (_TIMEOUT, "timeout"),
                           (_REFUSED, "refused"), (_UNAVAILABLE, "unavailable")):  # fmt: skip
        if pattern.search(error):
            return cause
    return next((_STATUSES[one] for one in _STATUS.findall(error) if one in _STATUSES), "")


def _more(case: Case, name: str) -> str:
    """Temporary files of the store, which make a statement slow."""
    seen = case.replayed.evidence.get(case.step(name).store) if case.replayed else None
    return f"; {seen.temp_files} temporary files of {seen.temp_bytes} bytes" if seen and seen.temp_files else ""


def _found(cause: str, text: str, command: str, step: str) -> Finding:
    return Finding(Layer.INFRASTRUCTURE, cause, text, command, Certainty.SHOWN, step)
