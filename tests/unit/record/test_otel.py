"""OpenTelemetry: spans of a request, whole, and which span a call is in. The spans here have the SDK's own shape."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from envclone import record
from envclone.incidents.traces import recorded, recording
from envclone.incidents.traces.steps import Stores
from envclone.record import frames, otel, sessions
from tests.unit.record.ring import Recording

TRACE = 0xABC


class _Code(Enum):
    UNSET = 0
    ERROR = 2


@dataclass
class _Span:
    """As `opentelemetry.sdk.trace.ReadableSpan` has it."""

    name: str
    span: int
    above: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    start_time: int = 1_700_000_000_000_000_000
    end_time: int = 1_700_000_000_500_000_000
    events: tuple[Any, ...] = ()
    dropped_attributes: int = 0
    status: Any = field(default_factory=lambda: SimpleNamespace(status_code=_Code.UNSET, description=None))
    resource: Any = field(default_factory=lambda: SimpleNamespace(attributes={"service.version": "7"}))
    trace: int = TRACE

    @property
    def context(self) -> Any:
        return SimpleNamespace(trace_id=self.trace, span_id=self.span, is_valid=True)

    @property
    def parent(self) -> Any:
        return None if self.above is None else SimpleNamespace(span_id=self.above)

    def get_span_context(self) -> Any:
        return self.context


def _call(recording: Recording) -> None:
    session = sessions.CURRENT.get()
    assert session is not None
    sessions.recorder.call(
        session, {"t": "call", "kind": "chain", "name": "work", "at": 1.0, "s": 0, **otel.span_now()}
    )


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[_Span]:
    """The spans that run, the innermost last."""
    spans: list[_Span] = []
    module = ModuleType("opentelemetry.trace")
    nothing = SimpleNamespace(get_span_context=lambda: SimpleNamespace(is_valid=False))
    module.get_current_span = lambda: spans[-1] if spans else nothing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    return spans


def test_spans_and_calls_belong_together(recording: Recording, running: list[_Span]) -> None:
    processor = record.span_processor()
    long = "x" * 50_000
    root = _Span("POST /ask", 1)
    inner = _Span("chat", 2, 1, {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "long": long})
    inner.events = (SimpleNamespace(name="odd", attributes={"n": (1, 2)}),)
    with record.session("ask"):
        processor.on_start(root)
        running.append(inner)
        _call(recording)
        processor.on_end(inner)
        processor.on_end(inner)
    late = _Span("late", 3, 1)
    late.status = SimpleNamespace(status_code=_Code.ERROR, description="no")
    processor.on_end(late)  # behind the request, on another thread: its trace says whose it is
    processor.on_end(_Span("a stranger's", 9, trace=0xDEF))
    assert processor.force_flush() and record.flush()
    path = recording.directory
    made = recorded.parts(path, recording_of(path), Stores())
    kinds = [(call.id, call.kind, call.parent, call.error) for call in made.calls]
    assert kinds == [
        ("request", "request", None, None),
        ("call-1", "chain", "span-0000000000000002", None),
        ("span-0000000000000002", "llm", "request", None),
        ("span-0000000000000003", "other", "request", "no"),
    ]
    assert made.calls[2].other["long"] == long and made.calls[2].model == "m"
    assert made.origin.about["resources"] == [{"vcs.ref.head.revision": "c0ffee"}, {"service.version": "7"}]


def recording_of(path: Path) -> recording.Request:
    """The only request."""
    return recording.listed(path)[0]


def test_an_exporter_finds_the_request_by_its_trace(
    recording: Recording, running: list[_Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ModuleType("opentelemetry.sdk.trace.export")
    export.SpanExportResult = Enum("SpanExportResult", "SUCCESS FAILURE")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", export)
    span = _Span("chat", 2, trace=0x123)
    with record.session("ask"):
        running.append(span)
        _call(recording)
    exporter = record.span_exporter()
    assert exporter.export([span, _Span("x", 5, trace=0x456)]).name == "SUCCESS" and exporter.force_flush()
    exporter.shutdown()
    assert [one["name"] for one in recording.calls()] == ["work", "chat"]


def test_a_span_that_cannot_be_read_breaks_nothing(recording: Recording, running: list[_Span]) -> None:
    with record.session("ask"):
        record.span_processor().on_end(object())
        record.span_processor().on_start(object())
        running.append(object())  # type: ignore[arg-type]
        _call(recording)
    assert record.status()["errors"] == 3 and len(recording.calls()) == 1
    assert frames.NAMES[frames.CALL] == "call"
