"""A thread of LangGraph's own saver, read without its classes: steps, messages, tools, what failed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone import registry
from envclone.errors import UnsafeError, UsageError
from envclone.incidents.bundle import Incident
from envclone.incidents.completeness import completeness
from envclone.incidents.traces import langgraph, read
from envclone.incidents.traces.packed import unpacked
from envclone.lifecycle import branches, threads
from envclone.models import BranchState, StepResult
from tests.unit.incidents.traces.test_read import leaves
from tests.unit.masking.test_msgpack import CHECKPOINT

DATA = json.loads((Path(__file__).parents[3] / "data" / "langgraph" / "thread.json").read_text())


def of(data: Any = DATA) -> tuple[list[Any], Any]:
    found = langgraph.thread("thread-jane", data["checkpoints"], data["blobs"], data["writes"])
    return read.calls_of_trace(found, "the thread")


def test_steps_messages_and_tools() -> None:
    calls, origin = of()
    assert origin.dialect == "langgraph checkpoints"
    assert [call.kind for call in calls if call.kind != "chain"] == [
        "other",
        "request",
        "llm",
        "tool",
        "llm",
        "request",
    ]
    assert sum(call.kind == "chain" for call in calls) == len(DATA["checkpoints"])
    first, answer = (call for call in calls if call.kind == "llm")
    (tool,) = (call for call in calls if call.kind == "tool")
    assert (first.model, first.provider, first.revision) == ("gpt-5-2026-01-01", "openai", "fp_1")
    assert first.finish == ["tool_calls"] and first.usage["input_tokens"] == 30
    assert [one["content"] for one in first.input] == ["Be brief.", "Where is the parcel of Jane Doe?"]
    assert first.output["tool_calls"][0]["args"] == {"q": "parcel of Jane Doe"}
    assert (tool.name, tool.input, tool.output) == ("find", {"q": "parcel of Jane Doe"}, '[{"id": 88, "score": 0.77}]')
    assert answer.output == {"content": "Jane, it is in Bremen."} and len(answer.input) == 4
    assert all(call.conversation == "thread-jane" for call in calls)
    failed = [call for call in calls if call.error]
    assert len(failed) == 1 and "tool_calls" in str(failed[0].error), "the second question failed"
    state = next(call for call in calls if call.kind == "chain" and "when" in (call.output or {}))
    assert state.output["when"] == "2026-05-01T10:00:00+00:00" and state.output["found"] == [{"id": 88, "score": 0.77}]
    known = {call.id for call in calls}
    assert all(call.parent in known for call in calls if call.parent)


def test_nothing_of_a_thread_is_dropped() -> None:
    calls, origin = of()
    kept = {str(one) for part in (*calls, origin) for _, one in leaves(part.model_dump(mode="json"))}
    values = [langgraph.value_of(row[3], row[4]) for row in DATA["blobs"]]
    values += [langgraph.value_of(row[5], row[6]) for row in DATA["writes"]]
    lost = [
        (key, one)
        for key, one in leaves([values, [row[3:] for row in DATA["checkpoints"]]])
        if str(one) not in kept and key not in ("ts", "source", "type", "step", "role")
    ]
    assert lost == []


def test_what_a_thread_holds_is_counted_as_any_trace() -> None:
    calls, origin = of()
    incident = Incident(incident="1", environment="p", calls=tuple(calls), origin=origin)
    found = {one.name: one.state for one in completeness(incident)}
    assert {found[name] for name in ("model", "messages", "answer", "conversation", "system prompt")} == {"recorded"}
    assert (found["query vector"], found["temperature"]) == ("unknown", "unknown")


def test_values_that_are_not_read() -> None:
    assert langgraph.value_of("pickle", "80049500") == {"not read": "pickle", "size": 4}
    assert langgraph.value_of("msgpack+aes", "00ff") == {"not read": "msgpack+aes", "size": 2}
    assert langgraph.value_of("bytes", "00ff") == {"bytes": "00ff"}
    assert langgraph.value_of("json", b'{"a": 1}'.hex()) == {"a": 1}
    assert langgraph.value_of("null", None) is None
    for kind, blob in (("msgpack", "c1"), ("msgpack", "92"), ("json", "ff"), ("json", "7b"), ("bytes", "zz")):
        assert langgraph.value_of(kind, blob) == {"damaged": kind, "size": len(blob) // 2}


def test_messagepack_as_it_is_written() -> None:
    found = unpacked(CHECKPOINT)
    human, answer = found["messages"]
    assert human["class"] == "langchain_core.messages.human.HumanMessage"
    assert answer["tool_calls"][0]["args"] == {"q": "Zanna Quimbyha"}
    assert found["when"].startswith("2026-05-04") and found["run"].endswith("0007") and found["count"] == 7
    assert unpacked(b"\x93\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00\xff\xd1\xff\x38") == ["inf", -1, -200]
    assert unpacked(b"\x82\xa1a\xc4\x01\x00\x01\xc3") == {"a": {"bytes": "00"}, "1": True}
    assert unpacked(b"\xd4\x63\x07") == {"extension": 99, "bytes": "07"}


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x91" * 100 + b"\x01",
             b"\x01\x02", b"\xc9\xff\xff\xff\xff\x05", b"\xc7\x02\x05\x01\x02"]
)  # fmt: skip
def test_messagepack_that_lies(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpacked(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_value_or_none(data: bytes) -> None:
    assert langgraph.value_of("msgpack", data.hex()) is not ... and langgraph.value_of("json", data.hex()) is not ...


def test_rows_of_another_shape() -> None:
    checkpoint = ["", "c1", None, "no JSON", None]
    calls, _ = of({"checkpoints": [checkpoint], "blobs": [], "writes": []})
    assert [call.id for call in calls] == ["c1"]
    odd = {"v": 4, "channel_values": {"messages": [{"content": "x", "type": "ai", "tool_calls": [None]}, {"a": 1}]}}
    calls, _ = of(
        {"checkpoints": [["", "c1", None, odd, {}]], "blobs": [], "writes": [["", "c9", "t", 0, "x", "null", None]]}
    )
    assert calls[0].output["messages"][1] == {"a": 1}


class Runner:
    """A branch's Postgres that has the tables of the thread in a schema of an odd name."""

    def __init__(self, error: str | None = None) -> None:
        self.error, self.asked = error, list[Any]()

    def run(self, step: Any) -> StepResult:
        self.asked.append(step)
        if "pg_attribute" in step.sql:
            return StepResult(rows=(('odd"one',),))
        if self.error:
            return StepResult(error=self.error)
        assert '"odd""one".' in step.sql
        if "GROUP BY" in step.sql:
            return StepResult(rows=(("thread-jane", 7, "2026-05-01T10:00:00", "2026-05-01T11:00:00"),))
        if step.parameters != ["thread-jane"]:
            return StepResult()
        table = re.search(r'FROM "odd""one"\.(\w+)', step.sql)
        assert table is not None
        key = table[1].removeprefix("checkpoint_")
        return StepResult(rows=tuple(map(tuple, DATA[key])))


@pytest.fixture
def branch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    runner = Runner()
    made = SimpleNamespace(
        name="b", image="i-1", state=BranchState.RUNNING,
        endpoints={"main": SimpleNamespace(kind="postgres"), "kb": SimpleNamespace(kind="qdrant")}, runner=runner,
    )  # fmt: skip

    @contextmanager
    def connect(endpoint: Any) -> Iterator[Any]:
        assert endpoint.kind == "postgres"
        yield made.runner

    monkeypatch.setattr(branches, "load", lambda project, name: made)
    monkeypatch.setattr(registry, "connect", connect)
    yield made


def test_threads_are_read_in_a_branch(branch: Any) -> None:
    project: Any = None
    (one,) = threads.listed(project, "b", role="app")
    assert (one["thread"], one["store"], one["schema"], one["checkpoints"]) == ("thread-jane", "main", 'odd"one', 7)
    assert {step.role for step in branch.runner.asked} == {"app"}
    found = threads.thread(project, "b", "thread-jane")
    assert (found.about["branch"], found.about["image"], found.about["masked"]) == ("b", "i-1", "as the branch is")
    assert len(found.spans) == len(of()[0])
    with pytest.raises(UsageError, match="has no thread x"):
        threads.thread(project, "b", "x")
    branch.runner = Runner(error="42501 permission denied for table checkpoints")
    with pytest.raises(UsageError, match="cannot be read") as caught:
        threads.listed(project, "b")
    assert "--role" in str(caught.value.hint)
    branch.state = BranchState.STOPPED
    with pytest.raises(UnsafeError, match="stopped"):
        threads.listed(project, "b")
    branch.state, branch.endpoints = BranchState.RUNNING, {}
    with pytest.raises(UsageError, match="no checkpoints of LangGraph"):
        threads.listed(project, "b")
