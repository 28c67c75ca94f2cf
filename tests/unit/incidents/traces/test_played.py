"""What a HAR gives beside calls: exchanges with models and tools, and searches with what they gave."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from envclone.incidents.bundle import HttpStep, Incident, VectorStep
from envclone.incidents.calls import Call
from envclone.incidents.exchanges import Exchange
from envclone.incidents.traces.played import exchanges_of
from envclone.incidents.traces.read import calls
from envclone.incidents.traces.steps import Stores, steps_of

CHAT = {"model": "m-7", "messages": [{"role": "user", "content": "where is my parcel"}]}
SAID = {"id": "c1", "model": "m-7", "choices": [{"message": {"role": "assistant", "content": "there"}}]}
STREAM = 'data: {"choices": [{"delta": {"content": "the"}}]}\n\ndata: {"choices": [{"delta": {"content": "re"}}]}\n\n'
HITS = [{"id": 7, "version": 3, "score": 0.75, "payload": {"a": 1}}, {"id": "k-2", "version": 1, "score": 0.5}]
KB = "http://kb.example:6333/collections/articles/points"


def entry(
    url: str, asked: Any = None, answer: Any = None, *, status: int = 200, headers: Any = (), text: str | None = None,
    method: str = "POST", **more: Any,
) -> dict[str, Any]:  # fmt: skip
    content = {"mimeType": "application/json", "text": json.dumps(answer) if text is None else text}
    content |= {"encoding": more.pop("encoding")} if "encoding" in more else {}
    request = {"method": method, "url": url, "headers": [{"name": k, "value": v} for k, v in headers]}
    request |= {} if asked is None else {"postData": {"mimeType": "application/json", "text": json.dumps(asked)}}
    return {"startedDateTime": "2026-05-01T10:00:00.000Z", "time": 250, "request": request,
            "response": {"status": status, "headers": [], "content": content}, **more}  # fmt: skip


def parts(tmp_path: Path, *entries: Any, service: str | None = "api") -> Incident:
    (tmp_path / "a.har").write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    found, origin = calls(tmp_path / "a.har")
    steps = tuple(steps_of(found, Stores(qdrant="kb", service=service)))
    made = exchanges_of(found, steps)
    return Incident(incident="1", environment="prod", calls=tuple(found), steps=steps, exchanges=made, origin=origin)


def test_what_went_to_a_model_is_its_cassette_and_no_step_of_the_service(tmp_path: Path) -> None:
    made = parts(
        tmp_path,
        entry("https://shop.example/ask", {"q": "parcel"}, {"answer": "there"}),
        entry("https://models.example/v1/chat/completions", CHAT, SAID, headers=[("Authorization", "Bearer secret-1")]),
        entry("https://models.example/v1/embeddings", {"input": "parcel", "model": "e-1"}, {"data": []}),
        entry("https://models.example/v1/chat/completions", {**CHAT, "stream": True}, text=STREAM),
        service="api",
    )
    assert [(one.kind, one.call) for one in made.exchanges] == [("llm", "2"), ("embedding", "3"), ("llm", "4")]
    assert [one.path for one in made.steps if isinstance(one, HttpStep)] == ["/ask"]
    chat, _, stream = made.exchanges
    assert (chat.body, chat.answer, chat.status, chat.seconds) == (CHAT, SAID, 200, 0.25)
    assert "secret-1" not in made.model_dump_json() and (stream.answer_encoding, stream.answer) == ("text", STREAM)
    bare = parts(tmp_path, entry("https://weather.example/today", {"city": "Bern"}, {"rain": True}), service=None)
    assert [(one.kind, one.body, one.answer) for one in bare.exchanges] == [("http", {"city": "Bern"}, {"rain": True})]


@pytest.mark.parametrize(
    "mine",
    [
        entry("https://shop.example/logo.png", method="GET", _resourceType="image"),
        entry("https://shop.example/", method="GET", pageref="page_1"),
        entry("https://shop.example/ask", {"q": "a"}, {}, headers=[("Sec-Fetch-Mode", "cors")]),
        entry(f"{KB}/query", {"query": [0.5], "limit": 1}, {"result": {"points": []}}),
        entry("http://kb.example:6333/collections/articles", None, {"result": {}}, method="GET"),
    ],
    ids=["a picture", "a page", "a browser's request", "a search", "a collection"],
)
def test_a_browsers_own_requests_and_a_stores_are_not_played(tmp_path: Path, mine: Any) -> None:
    assert parts(tmp_path, mine, service=None).exchanges == ()


def test_what_was_not_answered_and_what_is_no_text(tmp_path: Path) -> None:
    sound = base64.b64encode(b"\xff\xfe\x00sound").decode()
    url = "https://models.example/v1/audio/speech"
    made = parts(
        tmp_path,
        entry(url, {"input": "a"}, text=sound, encoding="base64"),
        entry(url, {"input": "b"}, status=0, text="", _error="net::ERR_TIMED_OUT"),
        entry(url, {"input": "c"}, text=base64.b64encode(b'{"a": 1}').decode(), encoding="base64"),
        service=None,
    )
    whole, silent, packed = made.exchanges
    assert (whole.answer_encoding, whole.answer, silent.error) == ("base64", sound, "net::ERR_TIMED_OUT")
    assert (packed.answer_encoding, packed.answer) == ("json", {"a": 1})


def test_keys_in_addresses_and_headers_do_not_come_into_a_bundle(tmp_path: Path) -> None:
    names = ("x-goog-api-key", "X-Auth-Token", "x-amz-security-token", "Cookie")
    url = "https://models.example/v1beta/models/g-1:generateContent?key=secret-0&alt=sse"
    made = parts(tmp_path, entry(url, CHAT, SAID, headers=[(name, f"secret-{name}") for name in names]), service=None)
    assert "secret-" not in made.model_dump_json()
    assert made.exchanges[0].url.endswith("?key=***&alt=sse")


SEARCHES = {
    "query": ("query", {"query": [0.5, 0.25], "limit": 2}, {"points": HITS}, [("", [0.5, 0.25])]),
    "search": ("search", {"vector": [0.5, 0.25], "limit": 2}, HITS, [("", [0.5, 0.25])]),
    "named": ("search", {"vector": {"name": "text", "vector": [0.5]}, "limit": 2}, HITS, [("text", [0.5])]),
    "sparse": ("query", {"query": {"indices": [1], "values": [0.5]}, "using": "words", "limit": 2}, {"points": HITS},
               [("words", {"indices": [1], "values": [0.5]})]),
    "groups": ("query/groups", {"query": [0.5], "group_by": "a", "limit": 1, "group_size": 2},
               {"groups": [{"id": 1, "hits": HITS}]}, [("", [0.5])]),
    "batch": ("search/batch", {"searches": [{"vector": [0.5], "limit": 2}, {"vector": [1.5], "limit": 2}]},
              [HITS, HITS], [("", [0.5]), ("", [1.5])]),
    "queries": ("query/batch", {"searches": [{"query": [0.5], "limit": 2}]}, [{"points": HITS}], [("", [0.5])]),
    "recommend": ("recommend", {"positive": [7], "negative": [8], "limit": 2}, HITS, [("", None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_of_the_api_has_its_vector_and_what_it_gave(tmp_path: Path, name: str) -> None:
    path, asked, result, wanted = SEARCHES[name]
    made = parts(tmp_path, entry(f"{KB}/{path}", asked, {"result": result, "status": "ok", "time": 0.01}))
    steps = [one for one in made.steps if isinstance(one, VectorStep)]
    said = [(one.using, one.vector if isinstance(one.vector, list) else one.model_dump()["vector"]) for one in steps]
    assert said == wanted and len({one.id for one in steps}) == len(steps)
    for one in steps:
        assert one.expect is not None and (one.expect.ids, one.expect.scores) == ((7, "k-2"), (0.75, 0.5))
        assert (one.collection, one.call) == ("articles", "1")


def test_a_search_without_its_answer_expects_nothing(tmp_path: Path) -> None:
    asked = {"query": [0.5], "limit": 2}
    for answer, status in ({}, 200), ({"status": {"error": "no"}}, 400), ({"result": {"points": ["cut"]}}, 200):
        (step,) = parts(tmp_path, entry(f"{KB}/query", asked, answer, status=status)).steps
        assert step.expect is None
    later = parts(tmp_path, entry(f"{KB}/scroll", {"filter": {}, "offset": 7}, {"result": {"points": []}}))
    assert later.steps == (), "a page that begins at a point"


def test_a_call_without_an_answer_is_no_exchange() -> None:
    asked = {"method": "POST", "url": "https://models.example/v1/chat/completions", "body": CHAT}
    assert exchanges_of([Call(id="1", kind="llm", input=asked)], []) == ()
    (made,) = exchanges_of([Call(id="1", kind="llm", input=asked, output="a", other={"status": 200})], [])
    assert isinstance(made, Exchange) and made.answer == "a"
