"""A player is asked over real sockets: whole answers, streams, failures, tunnels, and what nothing recorded answers."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envclone.cassette.certificates import make_authority
from envclone.cassette.changes import Changed
from envclone.cassette.play import MISSED
from envclone.incidents.exchanges import Chunk, Exchange
from tests.unit.cassette.tapes import CHAT, chat, playing

PATH = "/v1/chat/completions"


def test_a_recorded_call_is_answered_and_told() -> None:
    with playing(chat("hi", answer_headers={"X-Request-Id": "r-1", "Content-Length": "7", "Bad\r\n": "x"})) as tape:
        status, content = tape.ask(PATH, chat("hi").body)
    assert status == 200 and json.loads(content) == chat("hi").answer
    (told,) = tape.told
    assert (told["outcome"], told["exchange"], told["operation"]) == ("played", "chat-1", "openai chat/completions")


def test_what_nothing_recorded_answers_is_a_hard_failure_that_names_the_difference() -> None:
    with playing(chat("hi")) as tape:
        status, content = tape.ask(PATH, {**chat("hi").body, "model": "m-2"})
        surplus = [tape.ask(PATH, chat("hi").body)[0] for _ in range(2)]
    error = json.loads(content)["error"]
    assert status == MISSED and "chat-1" in error["message"] and "model" in error["message"]
    assert error["changes"] == [{"place": "model", "recorded": "m-1", "asked": "m-2"}]
    assert surplus == [200, MISSED]
    assert [one["outcome"] for one in tape.told] == ["unmatched", "played", "surplus"]


def test_a_stream_comes_in_its_parts() -> None:
    chunks = [f'data: {{"n": {n}}}\n\n' for n in range(3)] + ["data: [DONE]\n\n"]
    streamed = chat("hi", answer=None, chunks=[Chunk(after=0.05, data=data) for data in chunks])
    for timing in (False, True):
        with playing(streamed, timing=timing) as tape:
            began = time.monotonic()
            connection = http.client.HTTPConnection(tape.host, tape.port, timeout=10)
            connection.request("POST", PATH, json.dumps(chat("hi").body))
            answer = connection.getresponse()
            assert answer.getheader("Content-Type") == "text/event-stream"
            assert answer.read().decode() == "".join(chunks)
            assert (time.monotonic() - began > 0.19) is timing or not timing
            connection.close()


def test_failures_come_as_they_were_recorded() -> None:
    broken = chat("b", id="b", error="reset", chunks=[Chunk(data="data: 1\n\n")])
    kept = [
        chat("s", id="s", status=429, answer={"error": "slow down"}, answer_headers={"Retry-After": "0"}),
        chat("r", id="r", error="connection reset by peer"),
        chat("t", id="t", error="ReadTimeout: timed out", seconds=0.3),
        broken,
    ]
    with playing(*kept) as tape:
        assert tape.ask(PATH, chat("s").body)[0] == 429
        with pytest.raises(OSError):
            tape.ask(PATH, chat("r").body)
        began = time.monotonic()
        with pytest.raises((OSError, http.client.HTTPException)):
            tape.ask(PATH, chat("t").body)
        assert time.monotonic() - began > 0.25
        with pytest.raises((OSError, http.client.HTTPException)):
            tape.ask(PATH, chat("b").body)
    assert [one["exchange"] for one in tape.told] == ["s", "r", "t", "b"]


def test_it_is_a_proxy_for_http_and_for_tls_by_a_name_of_its_own(tmp_path: Path) -> None:
    authority = make_authority()
    (tmp_path / "ca.pem").write_bytes(authority[0])
    tool = Exchange(id="t", kind="tool", method="GET", url="https://tool.example/find?q=1", answer={"found": 3})
    plain = Exchange(id="p", kind="tool", method="GET", url="http://tool.example/find", answer={"found": 4})
    with playing(tool, plain, chat("hi"), authority=authority) as tape:
        status, content = tape.ask("http://tool.example/find", method="GET")
        assert (status, json.loads(content)) == (200, {"found": 4})
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        connection = http.client.HTTPSConnection(tape.host, tape.port, timeout=10, context=context)
        connection.set_tunnel("tool.example", 443)
        for _ in range(2):  # a connection that is kept
            connection.request("GET", "/find?q=1")
            answer = connection.getresponse()
            assert answer.status == 200 and json.loads(answer.read()) == {"found": 3}
        connection.close()
        assert b"400" in tape.raw(b"CONNECT bad_host!:443 HTTP/1.1\r\n\r\n")
    assert [one["exchange"] for one in tape.told] == ["p", "t", "t"]
    with playing(tool) as tape:  # without an authority a tunnel with TLS ends
        connection = http.client.HTTPSConnection(tape.host, tape.port, timeout=10, context=context)
        connection.set_tunnel("tool.example", 443)
        with pytest.raises(OSError):
            connection.request("GET", "/find?q=1")
        assert tape.told[0]["outcome"] == "refused"


def test_an_answer_of_json_rpc_has_the_id_that_was_asked_with() -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    one = Exchange(
        id="m", kind="tool", url="https://t/mcp", body=asked, answer={"jsonrpc": "2.0", "id": 1, "result": 5}
    )
    with playing(one) as tape:
        assert json.loads(tape.ask("/mcp", {**asked, "id": 77})[1]) == {"jsonrpc": "2.0", "id": 77, "result": 5}


def test_many_ask_at_once_and_each_exchange_is_played_once() -> None:
    kept = [chat("hi", id=f"c{n}", answer=str(n)) for n in range(40)]
    with playing(*kept) as tape, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: tape.ask(PATH, chat("hi").body)[1], range(40)))
    assert len(set(answers)) == 40
    assert {one["outcome"] for one in tape.told} == {"played"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12", b"400"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n12", b"400"),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", b"400"),
        (b"GET http://[/ HTTP/1.1\r\n\r\n", b"400"),
        (b"BREW /x HTTP/1.1\r\n\r\n", b"501"),
        (b"\x16\x03\x01\x02\x00nothing\r\n\r\n", b"400"),
    ],
)
def test_a_hostile_request_is_refused(request_: bytes, status: bytes) -> None:
    with playing(chat("hi")) as tape:
        assert status in tape.raw(request_).split(b"\r\n", 1)[0] or status in tape.raw(request_)[:400]
        assert tape.ask(PATH, chat("hi").body)[0] == 200


def test_a_body_in_chunks_is_read() -> None:
    body = json.dumps(chat("hi").body).encode()
    sent = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    with playing(chat("hi")) as tape:
        answer = tape.raw(b"POST " + PATH.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + sent)
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (Changed(model="m-9"), "model"),
        (Changed(temperature=0.7), "temperature"),
        (Changed(prompt="Be rude."), "messages[0].content"),
    ],
)
def test_a_change_on_the_way_is_what_is_named(change: Changed, place: str) -> None:
    with playing(chat("hi"), change=change) as tape:
        status, content = tape.ask(PATH, chat("hi").body)
        assert tape.ask("/v1/embeddings", {"model": "e-1", "input": "x"})[0] == MISSED
    assert status == MISSED
    assert [one["place"] for one in json.loads(content)["error"]["changes"]] == [place]
    assert tape.told[0]["changed"] == [
        next(name for name in ("model", "temperature", "prompt") if getattr(change, name))
    ]
    assert tape.told[1]["changed"] == []


def test_a_change_that_changes_nothing_plays() -> None:
    with playing(chat("hi"), change=Changed(model="m-1", prompt="Be brief.")) as tape:
        assert tape.ask(PATH, chat("hi").body)[0] == 200
    assert tape.told[0]["changed"] == []


def test_it_ends_while_somebody_waits() -> None:
    with playing(chat("t", error="timeout", seconds=500)) as tape:
        waiting = socket.create_connection((tape.host, tape.port))
        body = json.dumps(chat("t").body).encode()
        waiting.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    waiting.close()
    assert CHAT.endswith(PATH)
