"""Traces that mean harm or are broken: refused in one line, or kept harmlessly; memory and time stay small."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envclone.cli.main import cli, run
from envclone.errors import ConfigError, EnvcloneError, UsageError
from envclone.incidents import files
from envclone.incidents.bundle import Incident
from envclone.incidents.calls import Call
from envclone.incidents.traces import read
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import SAMPLES, otlp

STACK = """\
version: 1
project: shop
pool: {path: ./pool}
environments: {prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: x}}}}}
incidents: incidents/
"""


def calls_of(tmp_path: Path, content: str | bytes) -> list[Call]:
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    (tmp_path / "trace").write_bytes(content)
    return read.calls(tmp_path / "trace")[0]


def kept(tmp_path: Path, content: str | bytes) -> Incident:
    """The bundle of a trace, written and read again in both forms."""
    (tmp_path / "trace").write_bytes(content.encode() if isinstance(content, str) else content)
    calls, origin = read.calls(tmp_path / "trace")
    steps = tuple(steps_of(calls, Stores(postgres="main", qdrant="kb", service="api")))
    made = Incident(incident="1", environment="prod", calls=tuple(calls), origin=origin, steps=steps)
    for suffix in (".json", ".yaml"):
        files.save(made, tmp_path / f"made{suffix}")
        assert files.load(tmp_path / f"made{suffix}") == made
    return made


CHILD = """
import resource, sys
from pathlib import Path
from envclone.errors import EnvcloneError
from envclone.incidents.traces import read
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    calls, _ = read.calls(Path(sys.argv[1]))
    said = f"{len(calls)} calls"
except EnvcloneError as exc:
    said = str(exc)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, said)
"""


def in_a_child(path: Path) -> tuple[int, str]:
    """What reading a trace says in a process of its own, and the megabytes of memory that it took."""
    environment = {**os.environ, "PYTHONPATH": str(Path(read.__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    memory, _, said = done.stdout.strip().partition(" ")
    return int(memory), said


def _spans(count: int) -> bytes:
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([b"{}"] * count) + b"]}]}]}"


def _wire(count: int) -> bytes:
    """A message of protobuf with so many empty spans, of two bytes each."""

    def field(content: bytes, number: int) -> bytes:
        size, length = len(content), b""
        while size > 0x7F:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    return field(field(b"\x12\x00" * count, 2), 1)


@pytest.mark.parametrize(
    ("make", "says", "most"),
    [
        (lambda: _spans(10_000_000), "more than 6,000,000 values", 150),
        (lambda: _spans(1_000_000), "more than 20,000 spans", 350),
        (lambda: _wire(10_000_000), "more than 20,000 spans", 150),
        (lambda: b"\n".join([b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}'] * 60_000), "20,000 spans", 200),
        (lambda: b"[" + b"0," * 2_000_000 + b"0]", "no trace that is known", 250),
        (lambda: gzip.compress(b"[" + b" " * (90 << 20), 1), "larger than 64 MB", 200),
        (lambda: b"\0" * (65 << 20), "larger than 64 MB", 150),
    ],
    ids=["10 million spans", "a million spans", "10 million in protobuf", "lines", "numbers", "a gzip bomb", "large"],
)
def test_memory_stays_small(tmp_path: Path, make: Callable[[], bytes], says: str, most: int) -> None:
    (tmp_path / "trace").write_bytes(make())
    memory, said = in_a_child(tmp_path / "trace")
    assert says in said and memory < most, (memory, said)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(otlp({"attributes": {"db.system": "postgresql", "db.statement": "/**/" * 50_000 + "x"}})),
        json.dumps(otlp({"attributes": {"1." * 100_000 + "\n": "x"}})),
        json.dumps(otlp({"attributes": {".".join(["a", "0"] * 2_000): "x"}})),
        json.dumps(otlp(*[{"attributes": {"a": str(number)}} for number in range(5_000)])),
        '{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":1e999,"endTimeUnixNano":Infinity}]}]}]}',
        "2026-05-01 10:00:00 UTC LOG:  duration: 1.0 ms  statement: DELETE 1" + "\nx" * 200_000,
        "LOG:  duration: 1.0 ms  plan:\n\tQuery Text: " + "a  (cos" * 100_000,
        "LOG:  duration: 1.0 ms  statement: SELECT 1\nDETAIL:  Parameters: " + "$1 = '" * 100_000,
        "ERROR:  " * 100_000,
        json.dumps({"resourceSpans": [{"resource": {"attributes": {"a": n}}} for n in range(20_000)]}),
        "curl 'http://x' " + "-H 'a: b' " * 20_000,
        "curl x <<E\n" * 5_000,
        "curl x -d a" + ">" * 100_000,
        "echo " + "|a" * 200_000,
        "T=1 " * 100_000,
        "LOG:  duration: 1.0 ms  plan:\n\t<" + "<Query-Text>" * 100_000,
        "LOG:  duration: 1.0 ms  plan:\n" + '\tQuery Text: "a\n' * 50_000 + "\tPlan:",
        "May  1 10:00:00 db postgres[1]: [5-1] a\n" * 20_000,
        json.dumps({"traces": [{"traceID": str(n), "spanSets": []} for n in range(20_000)]}),
    ],
    ids=["comments", "dots", "nested names", "spans", "endless", "a long line", "a plan", "quotes", "levels",
         "resources", "curl", "texts behind", "redirects", "pipes", "names", "XML", "YAML", "syslog", "no spans"],
)  # fmt: skip
def test_time_stays_small(tmp_path: Path, text: str) -> None:
    began = time.process_time()
    try:
        steps_of(calls_of(tmp_path, text), Stores(postgres="main", qdrant="kb", service="api"))
    except EnvcloneError as exc:
        assert len(str(exc)) < 500
    assert time.process_time() - began < 3


def test_no_part_of_what_is_said_twice_is_dropped(tmp_path: Path) -> None:
    text = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","name":"b","spanId":"1","attributes":%s}]}]}]}'
    pairs = [{"key": "k", "value": {"stringValue": one}} for one in ("x", "y", "y", "z")]
    (call,) = kept(tmp_path, text % json.dumps(pairs)).calls
    assert call.name == "b" and call.other["name#1"] == "a"
    assert (call.other["k"], {call.other["k#1"], call.other["k#2"]}) == ("z", {"x", "y"})


def test_numbers_and_letters_that_no_file_can_hold(tmp_path: Path) -> None:
    half = r'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\ud800x","a":NaN,"b":-Infinity,"c":1e999}]}]}]}'
    (call,) = kept(tmp_path, half).calls
    assert (call.name, call.other["a"], call.other["b"], call.other["c"]) == ("�x", "NaN", "-Infinity", "1e999")
    inside = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"a": r'{"\udc00": [NaN]}'}]}]}]})
    assert kept(tmp_path, inside).calls
    nested = json.dumps(otlp({"attributes": {"gen_ai.input.messages": r'["\ud83d\ude00 \ud800"]'}}))
    assert kept(tmp_path, nested).calls[0].input == ["😀 �"]
    for content in (b'{"a": "\xff\xfe"}', b"\xed\xa0\x80", b"{" + b"\x80"):
        with pytest.raises(UsageError, match="not UTF-8"):
            calls_of(tmp_path, content)


def test_what_is_nested_in_a_text_stays_a_text(tmp_path: Path) -> None:
    deep = "[" * 200 + "]" * 200
    incident = kept(tmp_path, json.dumps(otlp({"attributes": {"input.value": deep, "gen_ai.tool.definitions": deep}})))
    assert (incident.calls[0].input, incident.calls[0].tools) == (deep, deep)
    with pytest.raises(ConfigError, match="nested deeper"):
        calls_of(tmp_path, json.dumps(otlp({"a": json.loads(deep)})))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(json.dumps(SAMPLES["genai"]).encode())[:-20], "ends early"),
        (gzip.compress(b"{}") + b"more", "something follows"),
        (gzip.compress(gzip.compress(b"{}")), "is an archive"),
        (b"\x1f\x8b\x08" + bytes(50), "is damaged"),
        (b"\x28\xb5\x2f\xfd" + bytes(50), "is an archive"),
        (b"\n\x80", "no trace"),
        (b"\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "no trace"),
        (b"\n\x05\x12\x7f\x12\x00\x00", "no trace"),
        (b"\n\x02\x12\x00\x07", "no trace"),
    ],
    ids=range(9),  # a packed file holds the time of its making, and each worker makes its own
)
def test_what_is_packed_or_lies_about_its_length(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(EnvcloneError, match=says):
        calls_of(tmp_path, content)


def test_a_packed_trace_is_read(tmp_path: Path) -> None:
    plain = calls_of(tmp_path, json.dumps(SAMPLES["genai"]))
    assert calls_of(tmp_path, gzip.compress(json.dumps(SAMPLES["genai"]).encode())) == plain
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../trace.json", json.dumps(SAMPLES["genai"]))
    with pytest.raises(UsageError, match="is an archive"):
        calls_of(tmp_path, packed.getvalue())


EVIL = "\x1b]0;owned\x07\x1b[31m<script>alert(1)</script>\u202e../../../etc/passwd\n\r"


def test_ids_and_names_lead_nowhere_and_move_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "envclone.yaml").write_text(STACK)
    monkeypatch.chdir(tmp_path)
    span = {"spanId": EVIL, "parentSpanId": EVIL, "name": EVIL, "status": {"code": 2, "message": EVIL}}
    attributes = {EVIL: EVIL, "gen_ai.request.model": EVIL, "session.id": EVIL, "db.system": "postgresql"}
    trace = otlp({**span, "attributes": attributes}, {**span, "attributes": {"db.statement": f"SELECT 1 -- {EVIL}"}})
    (tmp_path / "trace.json").write_text(json.dumps(trace))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    for command in (["import", "trace.json", "--id", "1"], ["show", "1"]):
        done = CliRunner().invoke(cli, ["incident", *command])
        assert done.exit_code == 0, done.output
        assert not set("\x1b\x07\u202e\r") & set(done.output)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} - {
        path.relative_to(tmp_path) for path in before
    }
    assert made == {Path("incidents/1.yaml")}
    assert files.load(tmp_path / "incidents" / "1.yaml").calls[0].name == EVIL
    assert "\x1b" not in (tmp_path / "incidents" / "1.yaml").read_text()
    (tmp_path / "bad.json").write_text(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 1}]}]}, EVIL]})
    )
    (tmp_path / f"x{EVIL.replace('/', '_')}").write_text("{" + EVIL)
    for name in ("bad.json", f"x{EVIL.replace('/', '_')}"):
        assert _run(monkeypatch, "import", name, "--id", "2") in (0, 2, 3)
        said = capsys.readouterr()
        assert not set("\x1b\x07\u202e") & set(said.out + said.err)
    for ident in ("../../x", "/etc/x", "a/b", "\x1b[31m"):
        assert _run(monkeypatch, "import", "trace.json", "--id", ident) == 2
    assert not set("\x1b\x07\u202e") & set(capsys.readouterr().err)
    assert not (tmp_path.parent / "x.yaml").exists()


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["envclone", "incident", *arguments])
    return run()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\ud800", EVIL, "{", "[1]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["key", "value"]), inner),
    max_leaves=8,
)


def _put(document: Any, drawn: st.DataObject) -> Any:
    """The document with something else in one or two of its places."""
    document = json.loads(json.dumps(document))
    for _ in range(drawn.draw(st.integers(1, 2))):
        places: list[tuple[Any, Any]] = []

        def walk(value: Any, places: list[tuple[Any, Any]] = places) -> None:
            for key, one in value.items() if isinstance(value, dict) else enumerate(value):
                places.append((value, key))
                if isinstance(one, dict | list):
                    walk(one, places)

        walk(document)
        holder, key = drawn.draw(st.sampled_from(places))
        holder[key] = drawn.draw(JSON)
    return document


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_anything_in_any_place_is_kept_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    document = _put(data.draw(st.sampled_from(list(SAMPLES.values()))), data)
    try:
        kept(tmp_path, json.dumps(document))
    except EnvcloneError as exc:
        assert str(exc)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.integers(0, 400), st.sampled_from(["json", "protobuf", "gzip"]))
def test_damaged_bytes_are_kept_or_refused(tmp_path: Path, noise: bytes, at: int, form: str) -> None:
    content = json.dumps(SAMPLES["genai"]).encode()
    if form == "protobuf":
        content = _wire(40)
    content = content[:at] + noise + content[at + len(noise) :]
    try:
        kept(tmp_path, gzip.compress(content, 1) if form == "gzip" else content)
    except EnvcloneError as exc:
        assert str(exc)
