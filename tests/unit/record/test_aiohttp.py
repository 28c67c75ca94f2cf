"""aiohttp: the same exchanges as of httpx, and the application gets what it would get."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from envclone import record
from envclone.record import aiohttp as wrapped
from envclone.record import http
from tests.unit.record.ring import Recording
from tests.unit.record.servers import PARTS, scripted


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with scripted() as address:
        yield address


def _run(ask: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer abcdefgh12345"}) as client:
            with record.session("ask"):
                await ask(client)

    asyncio.run(main())


def test_an_exchange_has_all_but_secrets(recording: Recording, url: str) -> None:
    async def ask(client: aiohttp.ClientSession) -> None:
        answer = await client.post(f"{url}/v1/chat/completions", params={"api_key": "sesame99"}, json={"model": "m"})
        assert (await answer.json())["choices"][0]["message"]["content"] == "yes"
        async with client.post(f"{url}/moved", json={"input": "a"}) as moved:
            assert (await moved.json())["model"] == "e-1"
        async with client.post(f"{url}/zip", data={"a": "b c"}) as zipped:
            assert await zipped.json() == {"zipped": True}
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.post("http://127.0.0.1:1/x")
        with pytest.raises(aiohttp.ClientPayloadError):
            async with client.post(f"{url}/broken") as broken:
                await broken.read()

    _run(ask)
    first, moved, zipped, failed, broken = recording.calls()
    assert (first["kind"], first["method"], first["status"], first["error"]) == ("http", "POST", 200, None)
    assert first["url"] == f"{url}/v1/chat/completions?api_key=***" and first["body"] == '{"model": "m"}'
    assert '"content": "yes"' in first["answer"] and first["decoded"]
    assert moved["url"] == f"{url}/moved" and moved["status"] == 200 and "e-1" in moved["answer"]
    assert (zipped["answer"], zipped["body"]) == ('{"zipped": true}', "a=b+c")
    assert failed["error"].startswith("ClientConnectorError") and broken["error"].startswith("ClientPayloadError")
    text = recording.text()
    assert not [secret for secret in ("abcdefgh12345", "sesame99", "abcdefghijkl") if secret in text]


def test_a_stream_passes_as_it_comes(recording: Recording, url: str) -> None:
    seen: list[bytes] = []

    async def ask(client: aiohttp.ClientSession) -> None:
        async with client.post(f"{url}/v1/chat/completions", json={"stream": True}) as answer:
            async for line in answer.content:
                seen.append(line)
        async with client.post(f"{url}/x", json={"stream": True}) as answer:
            seen.append(await answer.content.readexactly(10))
        async with client.post(f"{url}/x", json={"stream": True}):
            pass

    _run(ask)
    whole, early, unread = recording.calls()
    assert b"".join(seen[:-1]) == "".join(PARTS).encode()
    assert "".join(text for _, text in whole["parts"]) == "".join(PARTS) and whole["error"] is None
    assert early["error"] == "closed before its end" and early["parts"][0][1].encode().startswith(seen[-1])
    assert unread["cut"] is True and not wrapped._reading


def test_our_failures_do_not_reach_the_application(
    recording: Recording, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    async def ask(client: aiohttp.ClientSession) -> None:
        async with client.post(f"{url}/x", json={"stream": True}) as answer:
            assert await answer.read() == "".join(PARTS).encode()

    places: list[tuple[Any, str]] = [(wrapped, name) for name in ("_begun", "_answered", "_part", "_ended", "_closed")]
    places += [(http.Exchange, name) for name in ("part", "finish", "answered", "unread")]
    for holder, name in places:
        with monkeypatch.context() as patched:
            patched.setattr(holder, name, broken)
            _run(ask)
    assert record.status()["errors"] >= 6
