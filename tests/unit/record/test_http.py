"""httpx, httpx2: what goes over the wire, whole, streamed, and what fails; the application gets what it would get."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from envclone import record
from envclone.record import http
from tests.unit.record.ring import Recording
from tests.unit.record.servers import PARTS, scripted


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with scripted() as address:
        yield address


@pytest.fixture(params=["httpx", "httpx2"])
def lib(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def test_an_exchange_has_all_but_secrets(recording: Recording, url: str, lib: Any) -> None:
    with record.session("ask"), lib.Client(headers={"Authorization": "Bearer abcdefgh12345"}) as client:
        answer = client.post(f"{url}/v1/chat/completions?api_key=sesame99", json={"model": "m", "seed": 1})
    assert answer.json()["choices"][0]["message"]["content"] == "yes"
    (one,) = recording.calls()
    assert (one["kind"], one["method"], one["status"], one["error"]) == ("http", "POST", 200, None)
    assert one["url"] == f"{url}/v1/chat/completions?api_key=***" and one["body"] == '{"model":"m","seed":1}'
    assert not {"authorization", "set-cookie"} & {name for name, _ in one["headers"] + one["answer_headers"]}
    assert one["answer"] == answer.text
    text = recording.text()
    assert not [secret for secret in ("abcdefgh12345", "sesame99", "abcdefghijkl") if secret in text]


def test_a_stream_passes_at_once_and_is_kept_in_parts(recording: Recording, url: str, lib: Any) -> None:
    seen: list[bytes] = []

    async def ask() -> None:
        async with (
            lib.AsyncClient() as client,
            client.stream("POST", f"{url}/v1/chat/completions", json={"stream": True}) as answer,
        ):
            async for part in answer.aiter_bytes():
                seen.append(part)

    with record.session("ask"):
        asyncio.run(ask())
        with lib.Client() as client, client.stream("POST", f"{url}/x", json={"stream": True}) as answer:
            assert answer.read() == "".join(PARTS).encode()
    assert b"".join(seen) == "".join(PARTS).encode()
    for one in recording.calls():
        assert "".join(text for _, text in one["parts"]) == "".join(PARTS)
        times = [at for at, _ in one["parts"]]
        assert times == sorted(times) and 0 < times[0] <= times[-1] <= one["s"]


def test_a_stream_that_is_closed_early_is_kept_as_far_as_it_came(recording: Recording, url: str, lib: Any) -> None:
    with (
        record.session("ask"),
        lib.Client() as client,
        client.stream("POST", f"{url}/x", json={"stream": True}) as answer,
    ):
        first = next(answer.iter_raw())
    (one,) = recording.calls()
    assert one["error"] == "closed before its end" and one["parts"][0][1].encode() == first


def test_failures_are_the_applications_own(recording: Recording, url: str, lib: Any) -> None:
    with record.session("ask"), lib.Client() as client:
        with pytest.raises(lib.RemoteProtocolError):
            client.post(f"{url}/broken")
        with pytest.raises(lib.ConnectError):
            client.post("http://127.0.0.1:1/x")
        assert client.post(f"{url}/busy").status_code == 503
    errors = [one["error"] for one in recording.calls()]
    assert errors[0].startswith("RemoteProtocolError") and errors[1].startswith("ConnectError") and errors[2] is None


def test_each_hop_is_an_exchange_and_compression_is_undone(recording: Recording, url: str, lib: Any) -> None:
    with record.session("ask"), lib.Client(follow_redirects=True) as client:
        client.post(f"{url}/moved", json={"input": "a"})
        assert client.post(f"{url}/zip").json() == {"zipped": True}
    found = recording.calls()
    assert [one["status"] for one in found] == [307, 200, 200]
    assert found[1]["url"].endswith("/v1/embeddings") and found[2]["answer"] == '{"zipped": true}'


def test_a_body_that_is_too_large_or_made_on_the_way_is_not_kept(recording: Recording, url: str, lib: Any) -> None:
    record.start(str(recording.directory), most_body=1000)
    with record.session("ask"), lib.Client() as client:
        client.post(f"{url}/x", content=b"x" * 2000)
        client.post(f"{url}/x", content=iter([b"a", b"b"]))
        client.post(f"{url}/x", content=b"\xff\xfe")
    found = recording.calls()
    assert [one["sent_in_parts"] for one in found] == [True, True, False]
    assert found[2]["body"] == {"$bytes": "//4="}


def test_a_compressed_answer_of_any_size_takes_no_more_than_a_body(recording: Recording, lib: Any) -> None:
    import zlib

    bomb = zlib.compress(b"\0" * (64 << 20))
    parts, decoded = http._decoded([(0.0, bomb)], "deflate")
    assert not decoded and parts == [(0.0, bomb)]


def test_our_failures_do_not_reach_the_application(
    recording: Recording, url: str, monkeypatch: pytest.MonkeyPatch, lib: Any
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    for name in ("_begun", "_teed", "Exchange"):
        with monkeypatch.context() as patched, record.session("ask"), lib.Client() as client:
            patched.setattr(http, name, broken)
            assert client.post(f"{url}/x").json() == {"ok": True}
    for name in ("part", "finish", "answered"):
        with monkeypatch.context() as patched, record.session("ask"), lib.Client() as client:
            patched.setattr(http.Exchange, name, broken)
            assert client.post(f"{url}/x", json={"stream": True}).text == "".join(PARTS)
    assert record.status()["errors"] >= 6


def test_without_a_request_nothing_is_recorded_and_stop_puts_all_back(recording: Recording, url: str, lib: Any) -> None:
    wrapped = lib.HTTPTransport.handle_request
    with lib.Client() as client:
        client.post(f"{url}/x")
    assert [name for name, _, _ in recording.all()] == ["about"]
    record.stop()
    assert lib.HTTPTransport.handle_request is wrapped.__wrapped__  # type: ignore[attr-defined]
