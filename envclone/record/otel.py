"""OpenTelemetry: spans as they end, whole, and which of them each recorded call belongs to.

A span seldom holds the query vector, the parameters or the results; the wrappers do. Together they are one record.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from envclone.record.sessions import CURRENT, Session, guarded, recorder
from envclone.record.values import frozen

__all__ = ["Exporter", "Processor", "span_now"]

_MOST = 10_000
_requests: OrderedDict[int, Session] = OrderedDict()
"""The request that a trace belongs to; the oldest is forgotten."""


def span_now() -> dict[str, Any]:
    """The span that runs now, when the application has OpenTelemetry."""
    module = sys.modules.get("opentelemetry.trace")
    if module is None:
        return {}
    return guarded(_now, module) or {}


def _now(module: Any) -> dict[str, Any]:
    context = module.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    _belongs(context.trace_id)
    return {"span": f"{context.span_id:016x}", "trace": f"{context.trace_id:032x}"}


def _belongs(trace: int) -> None:
    session = CURRENT.get()
    if session is not None and trace not in _requests:
        _requests[trace] = session
        if len(_requests) > _MOST:
            _requests.popitem(last=False)


def _record(span: Any) -> None:
    context = span.context if getattr(span, "context", None) is not None else span.get_span_context()
    session = CURRENT.get() or _requests.get(context.trace_id)
    if session is None or recorder.writer is None:
        return
    began, ended = span.start_time or 0, span.end_time or span.start_time or 0
    status = getattr(span, "status", None)
    failed = getattr(getattr(status, "status_code", None), "name", "") == "ERROR"
    made = {
        "t": "call",
        "kind": "span",
        "name": span.name,
        "at": began / 1e9,
        "s": (ended - began) / 1e9,
        "span": f"{context.span_id:016x}",
        "trace": f"{context.trace_id:032x}",
        "above": f"{span.parent.span_id:016x}" if span.parent is not None else None,
        "attributes": frozen(span.attributes or {}),
        "events": [{"name": one.name, "attributes": frozen(one.attributes or {})} for one in span.events or ()],
        "resource": frozen(span.resource.attributes) if getattr(span, "resource", None) is not None else {},
        "error": (getattr(status, "description", None) or "failed") if failed else None,
        "left_out": getattr(span, "dropped_attributes", 0),
    }
    recorder.call(session, made, cost=1000)


class Processor:
    """A span processor: each span is recorded when it ends."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """A span of a request begins: its whole trace belongs to it."""
        guarded(lambda: _belongs(span.get_span_context().trace_id))

    def _on_ending(self, span: Any) -> None:
        return None

    def on_end(self, span: Any) -> None:
        """A span is whole."""
        guarded(_record, span)

    def shutdown(self) -> None:
        """Nothing to do: the recorder ends by itself."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until all is written."""
        writer = recorder.writer
        return writer is None or bool(guarded(writer.flush, timeout_millis / 1000))


class Exporter:
    """A span exporter: spans of requests that are recorded, found by their trace."""

    def export(self, spans: Sequence[Any]) -> Any:
        """Record what belongs to a request."""
        for span in spans:
            guarded(_record, span)
        from opentelemetry.sdk.trace.export import SpanExportResult

        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to do: the recorder ends by itself."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until all is written."""
        return Processor().force_flush(timeout_millis)
