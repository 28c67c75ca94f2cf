"""The proxy at a sandbox's edge, asked as clients do: what passes, what is refused, what is written down."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from envclone.runtimes.docker.proxy import Destination, Proxy, destination
from envclone.runtimes.docker.tls import server_name


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("api.openai.com", "api.openai.com", 443),
        ("LLM.internal:8443", "llm.internal", 8443),
        ("*.example.org:80", "*.example.org", 80),
        ("[::1]:9000", "::1", 9000),
        ("10.1.2.3:80", "10.1.2.3", 80),
    ],
)
def test_destinations(text: str, host: str, port: int) -> None:
    assert destination(text) == Destination(host, port)


@pytest.mark.parametrize("text", ["", "http://a", "a/b", "user@a", "a*b", "a:99999", "*"])
def test_what_is_no_destination(text: str) -> None:
    with pytest.raises(ValueError):
        destination(text)


def test_a_name_stands_for_itself_and_a_star_for_what_is_below() -> None:
    exact, below = destination("a.example"), destination("*.a.example")
    assert exact.allows("a.example", 443) and not exact.allows("b.a.example", 443)
    assert not exact.allows("a.example", 80) and not exact.allows("a.example.evil", 443)
    assert below.allows("b.a.example", 443) and below.allows("c.b.a.example", 443)
    assert not below.allows("a.example", 443) and not below.allows("evila.example", 443)


def _exchange(allowed: list[str], request: Callable[[int], bytes], *, echo: bytes = b"") -> tuple[bytes, list[Any]]:
    """What a client gets that sends `request(port)`, where a server listens that sends back what it got."""
    events: list[Mapping[str, Any]] = []

    async def run() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got = await reader.read(65536)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + got + echo)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy = Proxy([destination(text.format(port=port)) for text in allowed], events.append)
        door = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", door.sockets[0].getsockname()[1])
        writer.write(request(port))
        await writer.drain()
        writer.write_eof()
        got = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=10)  # what it has to tell it tells when the connection has ended
        door.close()
        server.close()
        return got

    return asyncio.run(run()), events


def test_a_tunnel() -> None:
    got, events = _exchange(
        ["localhost:{port}"], lambda port: b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + b"plain bytes"
    )
    assert got == b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\n\r\nplain bytes"
    assert events[0]["allowed"] and events[0]["sent"] == 11 and events[0]["received"] > 11


def test_a_plain_request_is_rewritten_for_its_server() -> None:
    got, events = _exchange(
        ["localhost:{port}"],
        lambda port: (
            b"POST http://localhost:%d/v1?x=1 HTTP/1.1\r\nHost: evil\r\nProxy-Authorization: a\r\n"
            b"Content-Length: 2\r\n\r\nok" % port
        ),
    )
    assert b"POST /v1?x=1 HTTP/1.1\r\nHost: localhost:" in got and b"evil" not in got and b"Proxy-" not in got
    assert b"Content-Length: 2\r\nConnection: close\r\n\r\nok" in got
    assert events[0]["allowed"]


@pytest.mark.parametrize(
    ("allowed", "request_", "status"),
    [
        ([], "CONNECT localhost:{port} HTTP/1.1\r\n\r\n", 403),
        (["localhost:1"], "CONNECT localhost:{port} HTTP/1.1\r\n\r\n", 403),
        (["localhost:{port}"], "CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n", 403),
        (["localhost:{port}"], "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (["localhost:{port}"], "GET https://localhost:{port}/ HTTP/1.1\r\n\r\n", 400),
        (["localhost:{port}"], "CONNECT localhost HTTP/1.1\r\n\r\n", 400),
        (["localhost:{port}"], "CONNECT [::1 HTTP/1.1\r\n\r\n", 400),
        (["localhost:{port}"], "nonsense\r\n\r\n", 400),
        (["nowhere.invalid:80"], "CONNECT nowhere.invalid:80 HTTP/1.1\r\n\r\n", 502),
    ],
)
def test_what_is_refused(allowed: list[str], request_: str, status: int) -> None:
    got, events = _exchange(allowed, lambda port: request_.format(port=port).encode())
    assert got.startswith(b"HTTP/1.1 %d " % status), got
    assert not events[0]["allowed"] and events[0]["why"]


def test_a_name_that_leads_to_this_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name may be given any address by its owner: this host's own and the metadata's are not for it."""

    async def lookup(loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        return [
            (0, 0, 0, "", (address, port)) for address in ("127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1")
        ]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)

    async def run() -> None:
        from envclone.runtimes.docker.proxy import Refused

        with pytest.raises(Refused, match="cannot be reached"):
            await Proxy([destination("llm.example:80")], lambda event: None)._connect("llm.example", 80)

    asyncio.run(run())


def _hello(name: str | None) -> bytes:
    """A real ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_the_name_in_a_real_client_hello() -> None:
    assert server_name(_hello("llm.example")) == "llm.example"
    assert server_name(_hello(None)) is None
    whole = _hello("llm.example")
    for cut in range(0, 200, 7):
        assert server_name(whole[:cut]) in (None, "llm.example")
    assert server_name(b"GET / HTTP/1.1\r\n\r\n") is None


def test_a_tunnel_cannot_be_used_for_another_host() -> None:
    got, events = _exchange(
        ["localhost:{port}"], lambda port: b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + _hello("evil.example")
    )
    assert b"200 OK" not in got and events[0]["why"] == "a tunnel to localhost was used for evil.example"
    good, events = _exchange(
        ["localhost:{port}"], lambda port: b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + _hello("localhost")
    )
    assert b"200 OK" in good and events[0]["allowed"]
