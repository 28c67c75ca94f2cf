"""Which recorded exchange a request is; and when it is none, which comes nearest and in what it differs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envclone.cassette.match import Tape
from envclone.cassette.normal import Asked, normal, of_body
from envclone.cassette.operations import recognised
from envclone.incidents.exchanges import Exchange
from tests.unit.cassette.tapes import CHAT, chat


def asked(body: Any, url: str = CHAT, *, method: str = "POST", here: bool = False, **headers: str) -> Asked:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return normal(method, url, headers, of_body(content, headers), here=here)


def one(url: str, body: Any, **more: Any) -> Exchange:
    return Exchange(**{"id": "x", "url": url, "body": body, "answer": {}, **more})


@pytest.mark.parametrize(
    ("url", "provider", "name"),
    [
        ("/v1/chat/completions", "openai", "chat/completions"),
        ("/openai/deployments/d-1/chat/completions", "openai", "chat/completions"),
        ("/v1/responses", "openai", "responses"),
        ("/v1/messages", "anthropic", "messages"),
        ("/v1beta/models/gemini-2:streamGenerateContent", "gemini", "streamGenerateContent"),
        ("/api/chat", "ollama", "chat"),
        ("/api/embeddings", "ollama", "embeddings"),
        ("/v2/chat", "cohere", "chat"),
        ("/v1/rerank", "rerank", "rerank"),
        ("/weather", "http", "POST /weather"),
    ],
)
def test_an_operation_is_known_by_its_path(url: str, provider: str, name: str) -> None:
    found = recognised("POST", url)
    assert (found.provider, found.name) == (provider, name)


SAME = [
    pytest.param({"b": 1, "a": {"y": 2, "x": 3}}, {"a": {"x": 3, "y": 2}, "b": 1}, CHAT, id="the order of keys"),
    pytest.param({"t": 1.0, "e": [0.1]}, {"t": 1, "e": [0.1000000000001]}, CHAT, id="how a number is written"),
    pytest.param({"m": "a \r\nb\n"}, {"m": "a\nb"}, CHAT, id="white space at the end of lines"),
    pytest.param({"m": 1, "user": "u-1", "stream_options": {}}, {"m": 1, "user": "u-2"}, CHAT, id="openai's own"),
    pytest.param({"m": 1, "metadata": {"user_id": "1"}}, {"m": 1}, "https://a/v1/messages", id="anthropic's own"),
    pytest.param({"m": 1, "keep_alive": "5m"}, {"m": 1}, "http://o/api/chat", id="ollama's own"),
    pytest.param({"m": 1, "labels": {"a": "b"}}, {"m": 1}, "https://g/v1/models/x:generateContent", id="gemini's own"),
    pytest.param({"q": 1, "request_id": "r-1"}, {"q": 1, "request_id": "r-2"}, "https://t/find", id="a tool's ids"),
    pytest.param({"jsonrpc": "2.0", "id": 1, "method": "m"}, {"jsonrpc": "2.0", "id": 9, "method": "m"},
                 "https://t/mcp", id="the id of JSON-RPC"),
    pytest.param({"content": [{"type": "text", "text": "hi"}]}, {"content": "hi"}, CHAT, id="a text in one part"),
    pytest.param({"q": 1, "client_secret": "***"}, {"q": 1, "client_secret": "s3cret"}, "https://t/find",
                 id="what lets somebody in"),
    pytest.param({"a": None, "b": 1}, {"b": 1}, CHAT, id="null and absent"),
    pytest.param({"arguments": '{"b": 1, "a": 2}'}, {"arguments": '{"a":2,"b":1.0}'}, CHAT, id="JSON in a text"),
    pytest.param(
        {"messages": [{"tool_calls": [{"id": "call_x", "function": {"name": "f"}}]}, {"tool_call_id": "call_x"}]},
        {"messages": [{"tool_calls": [{"id": "call_y", "function": {"name": "f"}}]}, {"tool_call_id": "call_y"}]},
        CHAT, id="ids of tool calls",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("recorded", "now", "url"), SAME)
def test_what_changes_no_answer_makes_no_difference(recorded: Any, now: Any, url: str) -> None:
    assert Tape([one(url, recorded)]).find(asked(now, url)).outcome == "played"


@pytest.mark.parametrize(
    ("recorded", "now", "url", "place"),
    [
        ({"m": "a  b"}, {"m": "a b"}, CHAT, "m"),
        ({"temperature": 0}, {"temperature": 0.1}, CHAT, "temperature"),
        ({"stream": True}, {}, CHAT, "stream"),
        ({"flag": True}, {"flag": 1}, CHAT, "flag"),
        ({"user": "u-1"}, {"user": "u-2"}, "https://tool/find", "user"),
        ({"a": [1, 2]}, {"a": [2, 1]}, CHAT, "a[0]"),
        ({"a": '{"n": 1}'}, {"a": '{"n": 2}'}, CHAT, "a.n"),
        (
            {"messages": [{"tool_call_id": "a"}, {"tool_call_id": "b"}]},
            {"messages": [{"tool_call_id": "a"}, {"tool_call_id": "a"}]}, CHAT, "messages[1].tool_call_id",
        ),
    ],
)  # fmt: skip
def test_what_may_change_an_answer_is_named(recorded: Any, now: Any, url: str, place: str) -> None:
    found = Tape([one(url, recorded)]).find(asked(now, url))
    assert found.outcome == "unmatched" and found.exchange is not None
    assert [change.place for change in found.changes][:1] == [place]


def test_a_base_address_makes_no_difference_to_a_provider_and_all_to_a_tool() -> None:
    azure = one("https://corp.azure.com/openai/deployments/d/chat/completions?api-version=1", {"m": 1})
    tape = Tape([azure])
    assert (
        tape.find(asked({"m": 1}, "http://127.0.0.1/v1/chat/completions", here=True)).changes[0].place == "deployment"
    )
    assert (
        Tape([one(CHAT, {"m": 1})]).find(asked({"m": 1}, "http://127.0.0.1:9/v1/chat/completions")).outcome == "played"
    )
    tool = Tape([one("https://a.example/find?q=1&key=secret", {"m": 1})])
    other = tool.find(asked({"m": 1}, "https://b.example/find?q=1"))
    assert other.outcome == "unmatched" and other.changes[0].place == "host"
    assert tool.find(asked({"m": 1}, "http://127.0.0.1/find?token=t&q=1", here=True)).outcome == "played"


def test_the_same_request_is_answered_in_order_and_then_no_more() -> None:
    tape = Tape([chat("hi", id="a", answer="1"), chat("hi", id="b", answer="2")])
    found = [tape.find(asked(chat("hi").body)) for _ in range(3)]
    assert [(one.outcome, one.exchange and one.exchange.id) for one in found] == [
        ("played", "a"), ("played", "b"), ("surplus", "b"),
    ]  # fmt: skip
    assert tape.unplayed == ()
    embedding = Tape([one("https://api.openai.com/v1/embeddings", {"input": "hi"})])
    again = [embedding.find(asked({"input": "hi"}, "https://x/v1/embeddings")).outcome for _ in range(3)]
    assert again == ["played", "again", "again"]


def test_the_nearest_is_shown_with_the_place_and_both_texts() -> None:
    tape = Tape([chat("What is the weather?", id="far"), chat("Refunds: article 17, 12", id="near")])
    found = tape.find(asked(chat("Refunds: article 17, 88").body))
    assert found.exchange is not None and found.exchange.id == "near"
    (change,) = found.changes
    assert change.place == "messages[1].content"
    assert (change.recorded, change.asked) == ("Refunds: article 17, 12", "Refunds: article 17, 88")
    assert [one.id for one in tape.unplayed] == ["far", "near"]
    assert Tape([]).find(asked({})).exchange is None


def test_a_long_text_is_cut_around_what_differs() -> None:
    text = "word " * 2000
    found = Tape([chat(text + "end")]).find(asked(chat(text + "fin").body))
    assert found.changes[0].recorded.startswith("…") and found.changes[0].recorded.endswith("end")
    assert len(found.changes[0].asked) < 250


def _deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


HOSTILE = {
    "deep": _deep(400),
    "very deep": _deep(200_000),
    "a number of a million digits": b'{"a":' + b"9" * 1_000_000 + b"}",
    "half a surrogate": b'{"a":"\\ud800"}',
    "no UTF-8": b"\xff\xfe\x00binary",
    "a key like a path": b'{"a":{"b":1},"a.b":2}',
    "not a number": b'{"a":NaN,"b":Infinity}',
    "spaces": b'{"a":"' + b" " * 2_000_000 + b'x"}',
    "JSON in JSON in JSON": json.dumps({"a": json.dumps({"b": json.dumps({"c": 1})})}).encode(),
    "many leaves": b"[" + b"1," * 300_000 + b"1]",
    "many fields": b"a=1&" * 20_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_itself_and_no_other(body: bytes) -> None:
    recorded = Exchange(id="x", url="https://t/f", encoding="text", body=body.decode("latin-1"), answer={})
    same = Exchange(id="y", url="https://t/f", body=of_body(body, {}), answer={})
    tape = Tape([recorded, same])
    assert tape.find(asked(body, "https://t/f")).outcome == "played"
    assert tape.find(asked(body[:-1] + b"!}", "https://t/f")).outcome == "unmatched"


def test_a_form_and_a_body_of_parts_are_compared_without_what_is_random() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    tape = Tape([one("https://t/f", {"q": "a b", "n": "1"})])
    assert tape.find(asked(b"n=1&q=a+b", "https://t/f", **form)).outcome == "played"
    parts = "--{0}\r\nContent-Disposition: form-data; name=f\r\n\r\nhello\r\n--{0}--\r\n"
    kind = "multipart/form-data; boundary={}"
    recorded = Exchange(
        id="p",
        url="https://t/f",
        headers={"Content-Type": kind.format("aaa")},
        encoding="text",
        body=parts.format("aaa"),
    )
    now = asked(parts.format("zzz").encode(), "https://t/f", **{"Content-Type": kind.format("zzz")})
    assert Tape([recorded]).find(now).outcome == "played"


def test_an_address_that_is_none_is_refused_and_harms_no_tape() -> None:
    with pytest.raises(ValueError, match="IPv6"):
        normal("GET", "http://[/", {}, None)
    assert Tape([one("http://[/", {})]).find(asked({})).outcome == "unmatched"
    many = "https://t/f?" + "&".join(f"a{i}=1" for i in range(5000))
    assert Tape([one(many, {})]).find(asked({}, many)).outcome == "played"
