"""What the recorder wrote as the bundle of an incident; and recordings that nobody recorded."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from qdrant_client import QdrantClient, models

from envclone import record
from envclone.cli.main import cli
from envclone.errors import ConfigError, EnvcloneError, UsageError
from envclone.incidents.bundle import SqlStep, VectorStep
from envclone.incidents.compare import compare
from envclone.incidents.differences import UNANSWERED
from envclone.incidents.traces import recorded, recording
from envclone.incidents.traces.recordedvalues import rows_of
from envclone.incidents.traces.steps import Stores
from envclone.models import StepResult
from envclone.record import frames
from tests.unit.cli.test_traces import STACK
from tests.unit.record.servers import PARTS, scripted

STORES = Stores(postgres="main", qdrant="kb", service="api")
ID = bytes(range(16))


def _written(path: Path, *records: tuple[int, int, Any], request: bytes = ID, about: Any = None) -> Path:
    """A file of records: kind, number, values (or bytes)."""
    parts = [frames.packed(frames.ABOUT, bytes(16), 0, json.dumps(about or {}).encode())]
    for kind, number, values in records:
        payload = values if isinstance(values, bytes) else json.dumps(values).encode()
        parts.append(frames.packed(kind, request, number, payload))
    path.write_bytes(b"".join(parts))
    return path


def _parts(path: Path, name: str | None = None) -> recorded.Parts:
    return recorded.parts(path, recording.chosen(path, name), STORES)


START = (frames.START, 0, {"t": "start", "at": 1767261600.5, "name": "POST /ask"})
END = (frames.END, 99, {"t": "end", "failed": True, "error": "ValueError: no", "s": 0.5})


def test_a_request_with_searches_and_models(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    client = QdrantClient(":memory:")
    client.create_collection("a", vectors_config=models.VectorParams(size=32, distance=models.Distance.DOT))
    client.upsert("a", [models.PointStruct(id=n, vector=[float(n + m) for m in range(32)]) for n in range(4)])
    with scripted() as url:
        record.start(str(directory), application={"commit": "c0ffee", "image": "app@sha256:1"})
        with record.session("answer"), httpx.Client() as http:
            record.note(conversation="c-1", prompt_version="7", chunker="2.1")
            http.post(f"{url}/v1/embeddings", json={"model": "e", "input": "why"})
            found = client.query_points("a", query=[0.1 + n for n in range(32)], limit=2)
            body = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}], "temperature": 0.5}
            http.post(f"{url}/v1/chat/completions", json={**body, "stream": True}).read()
            http.post(f"{url}/v1/rerank", json={"model": "r", "query": "why", "documents": ["a"]})
            http.get(f"{url}/weather?city=x")
            record.flag("user complained")
        record.stop()
    client.close()
    made = _parts(directory)
    assert [call.kind for call in made.calls] == ["request", "embedding", "vector", "llm", "rerank", "http"]
    request, embedding, search, model = made.calls[:4]
    assert (request.conversation, request.prompt, request.other["flags"]) == (
        "c-1", {"prompt_version": "7"}, ["user complained"]
    )  # fmt: skip
    assert embedding.model == "e-1" and search.parent == "request" and len(search.vectors[0]) == 32
    assert (model.model, model.output, model.finish, model.usage) == ("m-1", "Zoë", ["stop"], {"total_tokens": 3})
    assert model.settings == {"temperature": 0.5}
    (step,) = made.steps
    assert isinstance(step, VectorStep) and step.expect is not None and (step.collection, step.limit) == ("a", 2)
    assert step.expect.ids == (3, 2) and step.expect.scores == tuple(one.score for one in found.points)
    kinds = {one.id: one.kind for one in made.exchanges}
    assert list(kinds.values()) == ["embedding", "llm", "rerank", "http"]
    stream = made.exchanges[1]
    assert "".join(chunk.data for chunk in stream.chunks) == "".join(PARTS) and stream.answer is None
    assert stream.body["model"] == "m" and stream.call == model.id and "content-length" not in stream.headers
    assert made.application == {"commit": "c0ffee", "image": "app@sha256:1", "chunker": "2.1"} and made.damaged == 0


def test_pages_of_points_are_steps_as_long_as_they_begin_at_the_first(tmp_path: Path) -> None:
    client = QdrantClient(":memory:")
    client.create_collection("a", vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
    client.upsert("a", [models.PointStruct(id=n, vector=[n, 1.0], payload={"even": n % 2 == 0}) for n in range(9)])
    even = models.Filter(must=[models.FieldCondition(key="even", match=models.MatchValue(value=True))])
    record.start(str(tmp_path / "recordings"))
    with record.session("pages"):
        _, behind = client.scroll("a", limit=2)
        client.scroll("a", limit=2, offset=behind)
        client.scroll("a", scroll_filter=even, limit=3, with_payload=False)
        record.flag("looks wrong")
    record.stop()
    client.close()
    first, filtered = _parts(tmp_path / "recordings").steps
    assert isinstance(first, VectorStep) and isinstance(filtered, VectorStep) and first.expect and filtered.expect
    assert (first.filter, first.limit, first.expect.ids, first.expect.scores) == ({}, 2, (0, 1), ())
    assert filtered.filter and (filtered.expect.ids, filtered.with_payload) == ((0, 2, 4), False)


def test_a_request_that_never_ended_was_given_no_answer(tmp_path: Path) -> None:
    asked = (frames.START, 0, {"t": "start", "at": 1.0, "name": "GET /a", "method": "GET", "path": "/a"})
    (step,) = _parts(_written(tmp_path / "x.ring", asked)).steps
    assert step.expect is not None and step.expect.error == UNANSWERED
    for error in ("no answer within 30 s", "the connection ended: ConnectionResetError", UNANSWERED):
        assert compare(step, step.expect, StepResult(error=error)).reproduced
    for result in (StepResult(error="42P01 x"), StepResult(columns=("status", "body"), rows=((200, None),))):
        assert not compare(step, step.expect, result).reproduced
    large = (frames.END, 9, {"t": "end", "failed": True, "status": 200, "cut": 9 << 20})
    assert not _parts(_written(tmp_path / "y.ring", asked, large)).steps


def _sql(**values: Any) -> dict[str, Any]:
    return {"t": "call", "kind": "sql", "at": 1.0, "s": 0.1, "conn": {"user": "app"}, "params": None, **values}


def test_statements_that_can_be_run_again_are_steps(tmp_path: Path) -> None:
    numbers = {"columns": [["id", 23, 0, 0, 0], ["distance", 701, 0, 0, 0]], "rows": [["7", "0.25"], ["3", "0.5"]]}
    vector = {"$f64": "AAAAAAAA4D8AAAAAAADQPw=="}
    calls = [
        _sql(sql="SELECT id, e <-> %s AS distance FROM c ORDER BY distance LIMIT 2", params=[vector], **numbers,
             settings={"hnsw.ef_search": "40", "session_authorization": "x"}, local={"jit": "off"}),
        _sql(sql="SELECT 1 / 0", error="22012 division by zero"),
        _sql(sql="SELECT a FROM gone", error="OperationalError: the connection is lost"),
        _sql(sql="UPDATE c SET id = 1", rowcount=1),
        _sql(sql="SELECT id FROM c FOR UPDATE", **numbers),
        _sql(sql="SELECT set_config('a.b', 'c', false)"),
        _sql(sql="SELECT 1; DROP TABLE c"),
        _sql(sql="SELECT oid FROM pg_type WHERE typname = %s", params=["vector"]),
        _sql(sql="SELECT %s", params=[1, 2], error="ProgrammingError: the query has 1 placeholder"),
        _sql(sql="SELECT big FROM c", columns=[["big", 25, 0, 0, 0]], height=10**6, cut=True),
    ]  # fmt: skip
    path = _written(tmp_path / "x.ring", START, *[(frames.CALL, n, one) for n, one in enumerate(calls, 1)], END)
    made = _parts(path)
    assert len(made.calls) == 11 and [step.id for step in made.steps] == ["sql-1", "sql-2"]
    first, failed = made.steps
    assert isinstance(first, SqlStep) and first.expect is not None and failed.expect is not None
    assert first.parameters == [[0.5, 0.25]] and first.expect.rows == ((7, 0.25), (3, 0.5))
    assert (first.key, first.score, first.ordered, first.role) == ("id", "distance", True, "app")
    assert first.settings == {"hnsw.ef_search": "40"} and first.local == {"jit": "off"}
    assert failed.expect.error == "22012 division by zero"


def test_values_are_those_that_a_replay_reads() -> None:
    columns = [["i", 20, 0], ["n", 1700, 0], ["t", 1184, 0], ["b", 16, 0], ["j", 3802, 0], ["a", 1009, 0], ["x", 17, 0],
               ["f", 700, 0], ["v", 99999, 0]]  # fmt: skip
    row = ["7", "1.10", "2026-01-02 03:04:05.5+00", "t", '{"a": [1]}', "{a,NULL}", "\\x00ff", "NaN", "[1,2]"]
    assert rows_of(columns, [row, [None] * 9]) == [
        [7, "1.10", "2026-01-02T03:04:05.5+00", True, {"a": [1]}, ["a", None], "00ff", "NaN", "[1,2]"],
        [None] * 9,
    ]
    assert rows_of([["i", 23, 1], ["t", 25, 1]], [[{"$bytes": "AAAABw=="}, {"$bytes": "eA=="}]]) == [[7, "x"]]
    assert rows_of([["t", 1184, 1]], [[{"$bytes": "AAAAAAAAAAA="}]]) is None, "the driver's own form has no such text"


def test_the_request_to_a_service_is_a_step(tmp_path: Path) -> None:
    start = {**START[2], "method": "POST", "path": "/ask?q=1", "headers": [["content-type", "application/json"],
             ["cookie", "***"], ["x-request-id", "r-17"]]}  # fmt: skip
    asked = (frames.ASKED, 1, {"t": "asked", "body": '{"text": "why"}'})
    end = (frames.END, 2, {"t": "end", "failed": True, "status": 500, "body": "oh no", "s": 1})
    path = _written(tmp_path / "x.ring", (frames.START, 0, start), asked, end)
    step = _parts(path, "r-17").steps[0]
    assert (step.kind, step.store, step.id) == ("http", "api", "request")
    assert step.model_dump()["body"] == {"text": "why"} and step.expect is not None
    assert step.expect.rows == ((500, "oh no"),)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "envclone.yaml").write_text(STACK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _call(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["incident", *arguments])


def test_commands_list_and_import(project: Path) -> None:
    record.start("recordings")
    for name in ("first", "second", "third"):
        try:
            with record.session(name):
                record.note(n=1)
                if name != "second":
                    raise ValueError("\x1b[31mred\x1b[0m \u202ereversed")
        except ValueError:
            pass
    record.stop()
    shown = _call("recordings", "recordings")
    assert shown.exit_code == 0, shown.exception
    assert "first" in shown.output and "1 more neither failed nor were flagged: --all" in shown.output
    assert "\x1b" not in shown.output and "\u202e" not in shown.output
    there = json.loads(_call("recordings", "recordings", "--all", "--json").output)
    assert {one["name"]: one["calls"] for one in there} == {"first": 1, "second": 1, "third": 1}
    several = _call("import", "recordings", "--id", "1")
    assert "holds 3 requests, and 2 of them failed" in str(several.exception)
    (wanted,) = [one["id"] for one in there if one["name"] == "third"]
    done = _call("import", "recordings", "--id", "1", "--request", wanted[:8])
    assert done.exit_code == 0, done.exception
    assert "(envclone): 1 request" in done.output and (project / "incidents" / "1.yaml").stat().st_mode & 0o777 == 0o600
    assert "no requests are called 'zz'" in str(_call("import", "recordings", "--id", "2", "--request", "zz").exception)
    (project / "x.har").write_text('{"log": {"entries": []}}')
    assert "is no recording" in str(_call("import", "x.har", "--id", "2", "--request", "a").exception)


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "only a mark": frames.MARK,
    "a length that lies": frames.HEADER.pack(frames.MARK, frames.LARGEST, 0, frames.START, ID, 0) + b"{}",
    "a length without end": frames.HEADER.pack(frames.MARK, 0xFFFFFFFF, 0, frames.START, ID, 0) + b"{}" * 100,
    "marks alone": frames.MARK * 500_000,
    "headers alone": frames.HEADER.pack(frames.MARK, 0, 1, frames.CALL, bytes(16), 0) * 50_000,
    "a kind that is none": frames.HEADER.pack(frames.MARK, 2, 0, 77, ID, 0) + b"{}",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recent-x.ring"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="holds no request"):
        recording.chosen(tmp_path, None)


def test_damage_costs_the_damaged_record_alone(tmp_path: Path) -> None:
    path = _written(
        tmp_path / "x.ring", START, *[(frames.CALL, n, {"t": "call", "kind": "chain"}) for n in range(1, 9)], END
    )
    whole = path.read_bytes()
    for at in (whole.index(b"chain"), whole.index(frames.MARK, 200), len(whole) // 2):
        path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        assert len(_parts(path).calls) == 8
    for end in range(len(whole) - 1, len(whole) // 2, -7):
        path.write_bytes(whole[:end])
        assert _parts(path).calls[0].error == "did not end"


@pytest.mark.parametrize(
    "values",
    [
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"t":"call","kind":"sql","sql":' + b"9" * 100_000 + b"}",
        {"t": "call", "kind": "sql", "sql": ["not", "text"], "params": {"$f32": "!!"}},
        {"t": "call", "kind": "sql", "sql": "SELECT 1", "params": {"$f32": "AAA="}},
        {"t": "call", "kind": "sql", "sql": "SELECT 1", "columns": [["a", 23, 0]], "rows": [["x"], "y", 3]},
        {"t": "call", "kind": "sql", "sql": "SELECT 1", "columns": [[1]], "rows": []},
        {"t": "call", "kind": "vector", "query": [1], "answer": "x"},
        {"t": "call", "kind": "vector", "query": {"collection_name": 5, "query": {"$f32": "AAAAAA=="}}, "answer": {}},
        {"t": "call", "kind": "vector", "method": "query_batch_points", "query": {"requests": [3, None, "x"]}},
        {"t": "call", "kind": "http", "url": "file:///etc/passwd", "status": 9},
        {"t": "call", "kind": "http", "url": "http://x/v1/chat/completions", "status": 200, "parts": [["a"], {}]},
        {"t": "call", "kind": "http", "url": "http://[", "status": 200, "answer": {"$bytes": "%%%"}},
        {"t": "call", "kind": "span", "attributes": {"a": "b"}},
        {"t": "call", "kind": "span", "span": "x", "at": 1e300, "s": "x", "attributes": 5},
        {"t": "call", "kind": "\x1b[2J", "name": "../../etc/passwd", "at": "NaN", "s": [], "parent": {}},
        {"t": "note", "values": "x"},
        {"t": "call"},
    ],
)
def test_a_record_of_another_shape_is_left_out_or_kept_as_it_is(tmp_path: Path, values: Any) -> None:
    good = {"t": "call", "kind": "chain", "name": "good"}
    path = _written(tmp_path / "x.ring", START, (frames.CALL, 1, values), (frames.CALL, 2, good), END)
    made = _parts(path)
    assert [call.name for call in made.calls if call.name == "good"] == ["good"] and len(made.calls) <= 3


@pytest.mark.parametrize(
    "values", [{"t": "start", "at": "x", "name": {}, "headers": [1, [2], ["x-request-id", []]]}, {"at": 1e300}, {}]
)
def test_a_beginning_of_another_shape(tmp_path: Path, values: dict[str, Any]) -> None:
    end = {
        "t": "end",
        "s": "x",
        "status": [],
        "error": {"a": 1},
        "failed": "yes",
        "headers": 7,
        "body": {"$bytes": "?"},
    }
    path = _written(tmp_path / "x.ring", (frames.START, 0, values), (frames.END, 1, end))
    assert _parts(path).calls[0].kind == "request"


def test_too_many_requests_and_records_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_REQUESTS", 50)
    monkeypatch.setattr(recording, "_RECORDS", 50)
    path = tmp_path / "x.ring"
    many = [frames.packed(frames.START, os.urandom(16), 0, b"{}") for _ in range(60)]
    path.write_bytes(b"".join(many))
    with pytest.raises(ConfigError, match="more than 50 requests"):
        recording.chosen(path, None)
    _written(path, START, *[(frames.CALL, n, {"t": "call"}) for n in range(60)], END)
    with pytest.raises(ConfigError, match="more than 50 records"):
        _parts(path)


def test_a_large_recording_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.ring"
    call = frames.packed(frames.CALL, os.urandom(16), 1, json.dumps({"t": "call", "x": "y" * 100_000}).encode())
    with path.open("wb") as file:
        for _ in range(1500):
            file.write(call)
        file.write(frames.packed(frames.START, ID, 0, json.dumps(START[2]).encode()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert recording.listed(path)[0].id == ID.hex()
    assert len(_parts(path, ID.hex()).calls) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_names_lead_nowhere(tmp_path: Path) -> None:
    secret = _written(tmp_path / "secret", START, END)
    directory = tmp_path / "r"
    directory.mkdir()
    (directory / "recent-1.ring").symlink_to(secret)
    os.mkfifo(directory / "recent-2.ring")
    (directory / "kept-3.ring").mkdir()
    with pytest.raises(UsageError, match="holds no recording"):
        recording.listed(directory)
    with pytest.raises(EnvcloneError):
        recording.chosen(directory / "recent-1.ring", None)
