"""The recorder, for the application to import: what its failing requests asked and were answered, kept on its own disk.

    from envclone import record

    record.start("/var/lib/shop/recordings")
    app = record.asgi(app)

It needs nothing but the standard library, wraps psycopg, qdrant-client, httpx, httpx2, requests and aiohttp when they
are there, writes on a thread of its own, and never breaks what it is in. `envclone incident import` reads what it
wrote. See docs/recorder.md.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from envclone.record import patches
from envclone.record.context import session
from envclone.record.sessions import CURRENT, guarded, noted, recorder

__all__ = ["asgi", "bind", "current", "flag", "flush", "note", "session", "span_exporter", "span_processor", "start",
           "status", "stop", "wsgi"]  # fmt: skip

_F = TypeVar("_F", bound=Callable[..., Any])


def start(
    directory: str, *, recent: int = 64 << 20, kept: int = 64 << 20, application: Mapping[str, str] | None = None,
    keep: Callable[[Mapping[str, Any]], bool] | None = None, most_body: int = 4 << 20,
    libraries: Iterable[str] = tuple(patches.LIBRARIES), explain: Callable[[], Any] | None = None,
) -> None:  # fmt: skip
    """Begin to record into a directory, which is made with mode 0700.

    `recent` and `kept` are bytes on disk for all requests, and for those that failed or were flagged; `keep` says of a
    request that did neither (its name, seconds, flags) whether it is kept. `application` has its image, commit and
    version. `explain` gives a connection of its own, on which the plans of a kept request's statements are asked for.
    """
    guarded(_start, directory, recent, kept, application or {}, keep, most_body, libraries, explain)


def _start(
    directory: str, recent: int, kept: int, application: Mapping[str, str],
    keep: Callable[[Mapping[str, Any]], bool] | None, most_body: int, libraries: Iterable[str],
    explain: Callable[[], Any] | None,
) -> None:  # fmt: skip
    recorder.stop(1.0)
    recorder.start(
        str(directory), recent=recent, kept=kept, keep=keep, most_body=most_body, explain=explain,
        application={str(key): str(value) for key, value in application.items()},
    )  # fmt: skip
    patches.choose(set(libraries) & set(patches.LIBRARIES))
    patches.install()


def stop() -> None:
    """Write what is there, record no more, and put every wrapped library back as it was."""
    guarded(recorder.stop, 5.0)
    guarded(patches.remove)


def flag(why: str, request: str | None = None) -> bool:
    """Keep the request that runs, or the one with this id, though it did not fail: somebody complained."""
    return bool(guarded(recorder.flag, why, request))


def note(**values: Any) -> None:
    """Add what nothing else tells of the request that runs: conversation, prompt's version, chunker."""
    guarded(noted, values)


def current() -> str | None:
    """The id of the request that runs, to show to a user or to write into a log; None when nothing is recorded."""
    found = CURRENT.get()
    return found.id.hex() if found is not None else None


def bind(function: _F) -> _F:
    """The function as a part of the request that runs now, for a thread that does not know of it."""
    context = contextvars.copy_context()

    def bound(*args: Any, **named: Any) -> Any:
        return context.copy().run(function, *args, **named)

    return bound  # type: ignore[return-value]


def flush(seconds: float = 5.0) -> bool:
    """Wait until all that was recorded so far is on disk; whether it is."""
    if recorder.explainer is not None:
        guarded(recorder.explainer.flush, seconds)
    writer = recorder.writer
    return bool(writer is not None and guarded(writer.flush, seconds))


def status() -> dict[str, Any]:
    """How many records were written, kept, dropped (queue full), lost (disk), failed in our own code; and why."""
    writer = recorder.writer
    if writer is None:
        return {"recording": False, "errors": recorder.errors}
    found = writer.counters
    return {"recording": True, "written": found.written, "kept": found.kept, "dropped": found.dropped,
            "lost": found.lost, "errors": found.errors + recorder.errors, "why": found.why}  # fmt: skip


def asgi(app: Any) -> Any:
    """An ASGI application each of whose HTTP requests is a session."""
    from envclone.record.web import Asgi

    return Asgi(app)


def wsgi(app: Any) -> Any:
    """A WSGI application each of whose requests is a session."""
    from envclone.record.web import Wsgi

    return Wsgi(app)


def span_processor() -> Any:
    """For `TracerProvider.add_span_processor`: every span, whole, beside what it does not hold."""
    from envclone.record.otel import Processor

    return Processor()


def span_exporter() -> Any:
    """For a `SpanProcessor` of OpenTelemetry that exports: the same, when the spans are exported."""
    from envclone.record.otel import Exporter

    return Exporter()
