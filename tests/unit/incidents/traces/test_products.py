"""Logs of model services and gateways, and requests as browsers copy them: each with all it was asked with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import UsageError
from envclone.incidents.bundle import HttpStep, SqlStep, VectorStep
from envclone.incidents.calls import Call
from envclone.incidents.traces.read import calls
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import attributes

DATA = Path(__file__).parents[3] / "data" / "products"
PRODUCTS = json.loads((DATA / "records.json").read_text())
VECTOR = [0.1, -0.2, 0.3, 0.4]
KINDS = {
    "bedrock": ["llm", "embedding", "llm"], "vertex ai": ["llm"], "api management": ["llm"],
    "application insights": ["llm", "sql", "http"], "helicone": ["llm"], "posthog": ["llm", "retrieval", "embedding"],
    "weave": ["retrieval", "llm"], "dspy": ["llm"],
}  # fmt: skip


def _read(tmp_path: Path, content: Any, name: str = "trace.json") -> tuple[list[Call], str]:
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    found, origin = calls(tmp_path / name)
    return found, origin.dialect


@pytest.mark.parametrize("dialect", KINDS)
@pytest.mark.parametrize("written", ["lines", "list"])
def test_each_product_s_records(tmp_path: Path, dialect: str, written: str) -> None:
    documents = PRODUCTS[dialect]
    found, said = _read(tmp_path, documents if written == "list" else "\n".join(map(json.dumps, documents)))
    assert (said, [one.kind for one in found]) == (dialect, KINDS[dialect])
    chat = next(one for one in found if one.kind == "llm")
    assert "how long" in json.dumps(chat.input) and "30 days" in json.dumps(chat.output)
    assert chat.model and chat.usage
    if dialect not in ("api management",):
        assert chat.settings["temperature"] is not None
    if any(one.kind == "embedding" for one in found) and dialect == "bedrock":
        assert found[1].vectors == VECTOR


def test_what_can_be_run_again_of_them(tmp_path: Path) -> None:
    found, _ = _read(tmp_path, PRODUCTS["application insights"])
    (step,) = steps_of(found, Stores(postgres="main"))
    assert isinstance(step, SqlStep) and "[0.1,-0.2,0.3,0.4]" in step.sql
    found, _ = _read(tmp_path, PRODUCTS["weave"])
    (search,) = steps_of(found, Stores(qdrant="kb", collection="articles"))
    assert isinstance(search, VectorStep) and (search.vector, search.limit) == (VECTOR, 5)
    found, _ = _read(tmp_path, (DATA / "haystack.json").read_text())
    assert [one.kind for one in found] == ["other", "embedding", "retrieval", "chain", "llm"]
    (search,) = steps_of(found, Stores(qdrant="kb", collection="articles"))
    assert isinstance(search, VectorStep) and (search.vector, search.limit) == (VECTOR, 5)


def test_nothing_of_a_record_is_lost(tmp_path: Path) -> None:
    for dialect, documents in PRODUCTS.items():
        found, _ = _read(tmp_path, documents)
        kept = json.dumps([one.model_dump(mode="json") for one in found])
        for word in ("r1", "s1", "tr-1", "us-central1", "u1", "op1", "3c1d9a2e", "e/p"):
            assert word not in json.dumps(documents) or word in kept, (dialect, word)


FETCH = """await fetch("https://kb.example:6333/collections/articles/points/search", {
  "headers": {"content-type": "application/json"}, "body": "{\\"vector\\":[0.1,-0.2,0.3,0.4],\\"limit\\":5}",
  "method": "POST", "mode": "cors"
});"""
POWERSHELL = """$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession
$session.UserAgent = "Mozilla/5.0"
Invoke-WebRequest -UseBasicParsing -Uri "https://kb.example:6333/collections/articles/points/search" `
-Method "POST" `
-WebSession $session `
-Headers @{
"authority"="kb.example"
  "x-odd"="it is `"quoted`""
} `
-ContentType "application/json" `
-Body "{`"vector`":[0.1,-0.2,0.3,0.4],`"limit`":5}"
"""


@pytest.mark.parametrize(("text", "dialect"), [(FETCH, "fetch"), (POWERSHELL, "powershell")])
def test_a_request_as_a_browser_copies_it(tmp_path: Path, text: str, dialect: str) -> None:
    found, said = _read(tmp_path, text, "copied.txt")
    (step,) = steps_of(found, Stores(qdrant="kb"))
    assert said == dialect and isinstance(step, VectorStep)
    assert (step.collection, step.vector, step.limit) == ("articles", VECTOR, 5)


def test_what_tells_too_little_says_what_tells_more(tmp_path: Path) -> None:
    log = '2026-03-01T10:00:00Z  INFO actix_web::middleware::logger: 10.0.0.3 "POST /collections/a/points/query" 200'
    with pytest.raises(UsageError) as raised:
        _read(tmp_path, log, "access.log")
    assert "slow_requests" in str(raised.value.hint)


def test_parameters_as_python_writes_them(tmp_path: Path) -> None:
    its = {"db.system": "postgresql", "db.statement": "SELECT id FROM c WHERE t = %s ORDER BY v <=> %s LIMIT 5",
           "db.statement.parameters": "(4, '[0.1,-0.2]')"}  # fmt: skip
    span = {"traceId": "t", "spanId": "s", "name": "SELECT", "attributes": attributes(its),
            "startTimeUnixNano": "1" + "0" * 18}  # fmt: skip
    found, _ = _read(tmp_path, {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    (step,) = steps_of(found, Stores(postgres="main"))
    assert isinstance(step, SqlStep) and step.parameters == [4, "[0.1,-0.2]"]


def _har(*asked: tuple[str, str, int, str | None]) -> dict[str, Any]:
    entries = [
        {"startedDateTime": "2026-03-01T10:00:00Z", "time": 5, "request": {
            "method": method, "url": url, "headers": [], **({"postData": {"mimeType": "application/json",
                                                                         "text": body}} if body else {})},
         "response": {"status": status, "headers": [], "content": {"mimeType": "application/json", "text": "{}"}}}
        for method, url, status, body in asked
    ]  # fmt: skip
    return {"log": {"version": "1.2", "entries": entries}}


PAGE = ("GET", "https://app.example/index", 200, None)
ASKED = ("POST", "https://api.example/ask", 500, '{"q": 1}')
COUNTED = ("POST", "https://count.example/hit", 200, '{"n": 1}')


def test_of_several_hosts_the_one_that_failed_is_the_service_or_it_is_asked(tmp_path: Path) -> None:
    def paths(*asked: tuple[str, str, int, str | None], host: str | None = None) -> list[str]:
        found, _ = _read(tmp_path, _har(*asked))
        return [one.path for one in steps_of(found, Stores(service="api", host=host)) if isinstance(one, HttpStep)]

    assert paths(PAGE, ASKED, COUNTED) == ["/ask"]
    assert paths(PAGE, (*ASKED[:2], 200, ASKED[3])) == ["/ask"]
    assert paths(PAGE, ASKED, COUNTED, host="count.example") == ["/hit"]
    with pytest.raises(UsageError, match="several services") as raised:
        paths(PAGE, (*ASKED[:2], 200, ASKED[3]), COUNTED)
    assert "--service api@" in str(raised.value.hint)
    with pytest.raises(UsageError, match="asks nothing of"):
        paths(PAGE, host="x.example")
