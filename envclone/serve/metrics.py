"""Counters in the text form that Prometheus reads; names of verbs and states, and of nobody."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from typing import TYPE_CHECKING

from starlette.requests import Request

from envclone import __version__
from envclone.serve.options import Options

if TYPE_CHECKING:
    from envclone.serve.service import Service

__all__ = ["Counts", "exposition", "of_this_machine"]


class Counts:
    """What was called and how it ended, since the service began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, float] = {}
        self._jobs: Counter[tuple[str, str]] = Counter()

    def count(self, verb: str, outcome: str, seconds: float) -> None:
        """A call has ended."""
        with self._lock:
            self._calls[verb, outcome] += 1
            self._seconds[verb] = self._seconds.get(verb, 0.0) + seconds

    def ended(self, verb: str, state: str) -> None:
        """A job has ended."""
        with self._lock:
            self._jobs[verb, state] += 1

    def lines(self) -> list[str]:
        """As lines of an exposition."""
        with self._lock:
            calls, seconds, jobs = dict(self._calls), dict(self._seconds), dict(self._jobs)
        return [
            "# HELP envclone_calls_total Calls by verb and outcome.",
            "# TYPE envclone_calls_total counter",
            *(f'envclone_calls_total{{verb="{a}",outcome="{b}"}} {n}' for (a, b), n in sorted(calls.items())),
            "# HELP envclone_call_seconds_total Seconds that calls took.",
            "# TYPE envclone_call_seconds_total counter",
            *(f'envclone_call_seconds_total{{verb="{verb}"}} {n:.6f}' for verb, n in sorted(seconds.items())),
            "# HELP envclone_jobs_ended_total Jobs by verb and how they ended.",
            "# TYPE envclone_jobs_ended_total counter",
            *(f'envclone_jobs_ended_total{{verb="{a}",state="{b}"}} {n}' for (a, b), n in sorted(jobs.items())),
        ]


def exposition(service: Service) -> str:
    """All counters."""
    states = Counter(str(one.state) for one in service.stack.branches())
    jobs = service.jobs.counts()
    pool = service.stack.project.pool
    lines = [
        "# HELP envclone_info The version.",
        "# TYPE envclone_info gauge",
        f'envclone_info{{version="{__version__}"}} 1',
        "# HELP envclone_branches Branches by state.",
        "# TYPE envclone_branches gauge",
        *(f'envclone_branches{{state="{state}"}} {number}' for state, number in sorted(states.items())),
        "# HELP envclone_images Images.",
        "# TYPE envclone_images gauge",
        f"envclone_images {len(service.stack.images())}",
        "# HELP envclone_jobs Jobs that wait and that run.",
        "# TYPE envclone_jobs gauge",
        *(f'envclone_jobs{{state="{state}"}} {number}' for state, number in sorted(jobs.items())),
        "# HELP envclone_pool_free_bytes Bytes that can still be written to the pool.",
        "# TYPE envclone_pool_free_bytes gauge",
        f"envclone_pool_free_bytes {pool.free_bytes()}",
        *service.counts.lines(),
    ]
    return "\n".join(lines) + "\n"


def of_this_machine(request: Request, options: Options) -> bool:
    """Whether who asks is on this machine for certain: a proxy there speaks for everybody, and a page in a browser
    there, whose name was made to lead here, for who wrote it."""
    passed_on = any(key in request.headers for key in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
    if options.behind_proxy or passed_on or request.client is None:
        return False
    asked = request.url.hostname or ""
    return _is_loopback(request.client.host) and (asked == "localhost" or _is_loopback(asked.strip("[]")))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
