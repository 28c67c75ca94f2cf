"""A trace in the lines of a log: found, with what runtimes and collectors put before and around each line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import ConfigError, UsageError
from envclone.incidents.traces.lines import islands, parted
from tests.unit.incidents.traces.samples import SAMPLES, otlp
from tests.unit.incidents.traces.test_shapes import calls_of

SPANS = [otlp({"spanId": f"s{n}", "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": f"m-{n}"}})
         for n in (7, 8)]  # fmt: skip
RUN = json.loads(json.dumps(SAMPLES["langsmith"]))
PG = [{"timestamp": "2026-05-01 10:00:00.123 UTC", "user": "app", "dbname": "app", "pid": 1, "error_severity": "LOG",
       "message": f"duration: {n}.5 ms  statement: SELECT {n}"} for n in (7, 8)]  # fmt: skip
PREFIXES = {
    "a container's runtime": "2026-05-01T10:00:00.123456789Z stdout F ",
    "kubectl --timestamps": "2026-05-01T10:00:00.123456789Z ",
    "kubectl --prefix": "[pod/marked-1/app] ",
    "both": "[pod/marked-1/app] 2026-05-01T10:00:00.123456789Z ",
    "Compose": "marked-1  | ",
    "journald": "May 01 10:00:00 marked-1 app[123]: ",
    "rsyslog": "<14>May  1 10:00:00 marked-1 app: ",
    "ISO": "2026-05-01T10:00:00+0000 marked-1 app[123]: ",
    "RFC 5424": '<14>1 2026-05-01T10:00:00Z marked-1 app 123 - [a@1 b="c d"] ',
    "a logger": "2026-05-01 10:00:00,123 [12] INFO marked-1 - ",
}
HOLDERS: dict[str, Callable[[str], Any]] = {
    "Docker": lambda line: {"log": f"{line}\n", "stream": "stdout", "time": "marked-1"},
    "journalctl -o json": lambda line: {"MESSAGE": line, "_HOSTNAME": "marked-1"},
    "journalctl, as bytes": lambda line: {"MESSAGE": list(line.encode()), "_HOSTNAME": "marked-1"},
    "logcli": lambda line: {"line": line, "labels": {"pod": "marked-1"}},
    "CloudWatch": lambda line: {"timestamp": 1, "message": line, "logStreamName": "marked-1"},
    "Google Cloud": lambda line: {"textPayload": line, "insertId": "marked-1"},
    "Google Cloud, as an object": lambda line: {"jsonPayload": json.loads(line), "insertId": "marked-1"},
    "Fluent Bit": lambda line: {"log": line, "kubernetes": {"pod_name": "marked-1"}},
    "Splunk": lambda line: {"result": {"_raw": line, "host": "marked-1"}},
    "Elasticsearch": lambda line: {"_source": {"message": line}, "_id": "marked-1"},
    "a log in a log": lambda line: {"log": json.dumps({"message": line, "host": "marked-1"}) + "\n"},
}  # fmt: skip
SHIPPED: dict[str, Callable[[list[str]], Any]] = {
    "Loki": lambda lines: {"status": "marked-1", "data": {"resultType": "streams", "result": [
        {"stream": {"pod": "marked-2"}, "values": [["1", one] for one in lines]}]}},
    "CloudWatch's command line": lambda lines: {"events": [{"message": one} for one in lines], "next": "marked-1"},
    "Elasticsearch's answer": lambda lines: {"took": "marked-1", "hits": {"total": 2, "hits": [
        {"_source": {"message": one}} for one in lines]}},
    "Datadog's logs": lambda lines: {"data": [{"type": "marked-1", "attributes": {"message": one}} for one in lines]},
}  # fmt: skip
INSIDE = {"spans": (SPANS, "otlp", 2), "runs": ([RUN], "langsmith", None), "records": (PG, "postgres log", 2)}


def held(tmp_path: Path, text: str, dialect: str, count: int | None) -> str:
    """All that came of a text, which is of that format."""
    calls, origin = calls_of(tmp_path, text)
    assert origin.dialect == dialect and (count is None or len(calls) == count)
    return json.dumps([one.model_dump(mode="json") for one in calls]) + origin.model_dump_json()


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("name", PREFIXES)
def test_what_stands_before_each_line_is_kept(tmp_path: Path, name: str, inside: str) -> None:
    documents, dialect, count = INSIDE[inside]
    text = "\n".join(PREFIXES[name] + json.dumps(one) for one in documents)
    assert PREFIXES[name].strip()[-9:] in json.loads(json.dumps(held(tmp_path, text, dialect, count))).replace(
        '\\"', '"'
    )


@pytest.mark.parametrize("name", ["kubectl --prefix", "Compose", "journald", "a container's runtime"])
def test_a_document_over_many_lines_has_a_prefix_on_each(tmp_path: Path, name: str) -> None:
    pretty = "\n".join(json.dumps(one, indent=2) for one in SPANS)
    text = "\n".join(PREFIXES[name] + line for line in ["starting", *pretty.split("\n"), "", "done-1"])
    found = held(tmp_path, text, "otlp", 2)
    assert "starting" in found and "done-1" in found


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("name", HOLDERS)
def test_what_a_collector_put_around_a_line_is_kept(tmp_path: Path, name: str, inside: str) -> None:
    documents, dialect, count = INSIDE[inside]
    rows = [HOLDERS[name](json.dumps(one)) for one in documents]
    for text in ("\n".join(map(json.dumps, rows)), json.dumps(rows)):
        assert "marked-1" in held(tmp_path, text, dialect, count)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_answer_of_a_collector(tmp_path: Path, name: str) -> None:
    found = held(tmp_path, json.dumps(SHIPPED[name]([json.dumps(one) for one in SPANS])), "otlp", 2)
    assert "marked-1" in found and ("Loki" not in name or "marked-2" in found)


def test_lines_that_a_runtime_cut_are_put_together(tmp_path: Path) -> None:
    line = json.dumps(SPANS[0])
    pieces = [line[:40], line[40:90], line[90:]]
    docker = "\n".join(json.dumps({"log": one, "stream": "stdout"}) for one in (*pieces[:2], pieces[2] + "\n"))
    runtime = "\n".join(f"2026-05-01T10:00:00Z stdout {part} {one}" for part, one in zip("PPF", pieces, strict=True))
    for text in (docker, runtime):
        held(tmp_path, text, "otlp", 1)


@pytest.mark.parametrize("name", ["journald", "Compose", "a container's runtime", "kubectl --timestamps", "RFC 5424"])
def test_a_statement_over_many_lines_is_whole_and_keeps_its_prefix(tmp_path: Path, name: str) -> None:
    lines = ["2026-05-01 11:00:00.123 UTC [7] LOG:  duration: 9.5 ms  statement: SELECT 1", "\tFROM t", "\tWHERE a = 2",
             "2026-05-01 11:00:01 UTC [7] LOG:  checkpoint starting: time"]  # fmt: skip
    calls, origin = calls_of(tmp_path, "\n".join(PREFIXES[name] + line for line in lines))
    assert calls[0].statement == "SELECT 1\nFROM t\nWHERE a = 2" and calls[0].other["line"] == PREFIXES[name].strip()
    assert calls[0].began is not None and calls[0].began.hour == 11, "the server's time, not the runtime's"
    assert "checkpoint starting: time" in origin.about["lines"][0] and "11:00:01" in origin.about["lines"][0]


def test_a_statement_without_a_time_has_the_runtimes(tmp_path: Path) -> None:
    ((call,), _) = calls_of(tmp_path, "2026-05-01T10:00:00.5Z stderr F LOG:  duration: 9.5 ms  statement: SELECT 1")
    assert call.began is not None and (call.began.hour, call.began.microsecond) == (10, 500_000)


def test_documents_between_other_lines(tmp_path: Path) -> None:
    text = "\n".join(["Traceback-1", json.dumps(SPANS[0], indent=4), "INFO {not json}", 'GET {"a": 1} done',
                      json.dumps({"level": "info", "msg": "line-1"}), f"x{json.dumps(SPANS[1])},"])  # fmt: skip
    found = held(tmp_path, text, "otlp", 2)
    assert all(one in found for one in ("Traceback-1", "{not json}", "done", "line-1"))
    with pytest.raises(ConfigError, match=r"trace:\d+ is cut off"):
        calls_of(tmp_path, text + "\nINFO " + json.dumps(SPANS[0])[:50])
    for none in ('INFO {"a": 1}', "words [1] {", '[pod/a/b] {"level": "info"}'):
        with pytest.raises((UsageError, ConfigError)):
            calls_of(tmp_path, none)


def test_the_work_is_bounded() -> None:
    assert islands('{"a": ' * 300_000) is None and islands(("x" + '{"a": [' * 50 + "\n") * 20_000) is None
    assert parted("a" * 1_000_000) is None and parted("<14>1 " + "a " * 500_000) is None
