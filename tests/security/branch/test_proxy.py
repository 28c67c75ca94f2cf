"""The proxy of a sandbox: no address of this host, no private one that was not written down, no other host's name."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from envclone.runtimes.docker.proxy import Proxy, destination
from envclone.runtimes.docker.reach import address, is_public, is_this_host

PUBLIC = "93.184.215.14"


def own_addresses() -> list[str]:
    """Every address of this host, from the kernel's own tables."""
    lines = Path("/proc/net/fib_trie").read_text().splitlines()
    found = {lines[at - 1].split()[-1] for at, line in enumerate(lines) if line.strip() == "/32 host LOCAL"}
    for line in Path("/proc/net/if_inet6").read_text().splitlines() if Path("/proc/net/if_inet6").exists() else ():
        found.add(str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))))
    return sorted(found)


OWN = [*own_addresses(), "127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3", "::", "::1", "::ffff:127.0.0.1",
       "::ffff:0.0.0.0", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "172.16.0.9", "172.31.255.254", "192.168.1.1", "100.64.0.1", "100.127.255.254", "169.254.169.254",
    "169.254.1.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.2", "203.0.113.9", "192.88.99.1", "224.0.0.1",
    "239.1.1.1", "240.0.0.1", "255.255.255.255", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "2001:db8::1", "2001:0:1::1", "64:ff9b:1::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe", "2002:a00:1::", "2002:c0a8:101::", "::a00:1", "100::1",
]  # fmt: skip
OTHERS = ["1.1.1.1", "8.8.8.8", PUBLIC, "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1",
          "100.63.255.255", "100.128.0.1", "169.253.1.1", "11.0.0.1"]  # fmt: skip


class World:
    """Names that resolve as the test says, and connections that are written down and never made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Sequence[str]) -> None:
        self.answers, self.asked, self.tried = list(answers), 0, list[str]()
        self.events: list[Mapping[str, Any]] = []

        async def lookup(loop: Any, host: str, port: int, **_: Any) -> list[Any]:
            if address(host) is not None:
                return [(0, 0, 0, "", (host, port))]
            told = self.answers[min(self.asked, len(self.answers) - 1)]
            self.asked += 1
            return [(0, 0, 0, "", (one, port)) for one in told]

        async def connect(loop: Any, sock: socket.socket, place: tuple[str, int]) -> None:
            self.tried.append(place[0])
            raise ConnectionRefusedError

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
        monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", connect)

    def ask(self, allowed: Sequence[str], request: str) -> str:
        """The status line that a client gets."""

        async def run() -> bytes:
            proxy = Proxy([destination(text) for text in allowed], self.events.append)
            door = socket.socket()
            door.bind(("127.0.0.1", 0))
            server = await asyncio.start_server(proxy.serve, sock=door)
            client = socket.create_connection(door.getsockname())
            reader, writer = await asyncio.open_connection(sock=client)
            writer.write(request.encode("latin-1"))
            got = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            server.close()
            return got

        return asyncio.run(run()).partition(b"\r\n")[0].decode()


def test_what_is_this_host_s_what_is_private_and_what_is_neither() -> None:
    for text in OWN:
        found = address(text)
        assert found is not None and (is_this_host(found) or found.is_link_local), text
        assert not is_public(found) or text in own_addresses(), text
    for text in PRIVATE:
        found = address(text)
        assert found is not None and not is_public(found), text
    for text in OTHERS:
        found = address(text)
        assert found is not None and is_public(found) and not is_this_host(found), text


@pytest.mark.parametrize("place", [*OWN, *PRIVATE])
def test_a_name_leads_to_none_of_them(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    world = World(monkeypatch, [place])
    for request in ("CONNECT llm.example:443 HTTP/1.1\r\n\r\n", "GET http://llm.example:443/ HTTP/1.1\r\n\r\n"):
        assert world.ask(["llm.example"], request).startswith("HTTP/1.1 403 ")
    assert world.tried == []
    assert all(event["address"] == place and not event["allowed"] for event in world.events), "the log says where to"


@pytest.mark.parametrize("place", OTHERS)
def test_a_name_leads_to_the_public_internet(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    world = World(monkeypatch, [place])
    assert world.ask(["llm.example"], "CONNECT llm.example:443 HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 502 ")
    assert [address(one) for one in world.tried] == [address(place)]


def test_a_private_address_is_reached_when_it_was_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, ["10.1.2.3"])
    allowed = ["llm.internal:8443", "10.1.2.3:8443", "llm.internal:80", "[fd00::5]:8443"]
    world.ask(allowed, "CONNECT llm.internal:8443 HTTP/1.1\r\n\r\n")
    world.ask(allowed, "CONNECT 10.1.2.3:8443 HTTP/1.1\r\n\r\n")
    world.ask(allowed, "CONNECT [fd00:0:0::5]:8443 HTTP/1.1\r\n\r\n")
    assert world.tried == ["10.1.2.3", "10.1.2.3", "fd00::5"]
    assert world.ask(allowed, "CONNECT llm.internal:80 HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 403 ")
    assert world.ask(allowed, "CONNECT 10.1.2.4:8443 HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 403 ")
    assert len(world.tried) == 3


def test_an_own_address_that_was_written_down_is_no_name_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator let the sandbox ask this host's port by that address; a name's owner did not decide it."""
    world = World(monkeypatch, ["127.0.0.1"])
    allowed = ["llm.example:8443", "127.0.0.1:8443", "localhost:8443"]
    assert world.ask(allowed, "CONNECT llm.example:8443 HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 403 ")
    assert world.tried == []
    world.ask(allowed, "CONNECT 127.0.0.1:8443 HTTP/1.1\r\n\r\n")
    world.ask(allowed, "CONNECT localhost:8443 HTTP/1.1\r\n\r\n")
    assert world.tried == ["127.0.0.1", "127.0.0.1"]


def test_localhost_means_the_loopback_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, ["10.0.0.7"])
    assert world.ask(["localhost:80"], "CONNECT localhost:80 HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 403 ")
    assert world.tried == []


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers otherwise the second time (rebinding) is asked once; of several answers the allowed go."""
    world = World(monkeypatch, [PUBLIC], ["127.0.0.1"])
    world.ask(["llm.example"], "CONNECT llm.example:443 HTTP/1.1\r\n\r\n")
    assert world.asked == 1 and world.tried == [PUBLIC]
    world = World(monkeypatch, ["127.0.0.1", "10.0.0.1", PUBLIC, "::1", "fe80::1%lo"])
    world.ask(["llm.example"], "CONNECT llm.example:443 HTTP/1.1\r\n\r\n")
    assert world.tried == [PUBLIC]


@pytest.mark.parametrize(
    "host", ["0x7f000001", "0x7f.1", "2130706433", "127.1", "0177.0.0.1", "127.0.0.1.", "0", "017700000001", "1.0x1",
             "[::ffff:127.0.0.1%25lo]", "[::1%lo]", "127.0.0.1%00", "localhost%00", "a@127.0.0.1", "\xb9\xb2\xb7.0.0.1"]
)  # fmt: skip
def test_an_address_in_disguise(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    world = World(monkeypatch, ["127.0.0.1"])
    allowed = ["localhost:80", "127.0.0.1:81", "a:80"]
    for request in (f"CONNECT {host}:80 HTTP/1.1\r\n\r\n", f"GET http://{host}:80/ HTTP/1.1\r\n\r\n"):
        said = world.ask(allowed, request)
        assert re.match(r"HTTP/1.1 (400|403) ", said), said
    assert world.tried == []


@pytest.mark.parametrize("text", ["0x7f.1:80", "2130706433", "127.1:443", "0177.0.0.1"])
def test_a_disguise_cannot_be_allowed_either(text: str) -> None:
    with pytest.raises(ValueError, match="unusual form"):
        destination(text)


def _exchange(request: bytes, *, allowed: str = "localhost:{port}") -> tuple[bytes, list[bytes]]:
    """What a client gets, and all that a server on this host got in each connection."""
    got: list[bytes] = []

    async def run() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            data = b""
            while b"\r\n\r\n" not in data and (more := await reader.read(65536)):
                data += more
            got.append(data)
            with contextlib.suppress(TimeoutError):  # whatever else comes, for a moment
                while more := await asyncio.wait_for(reader.read(65536), 0.3):
                    got[-1] += more
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy = Proxy([destination(allowed.format(port=port))], lambda event: None)
        door = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", door.sockets[0].getsockname()[1])
        writer.write(request.replace(b"{port}", b"%d" % port))
        writer.write_eof()
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        door.close()
        server.close()
        return said

    return asyncio.run(run()), got


def test_a_second_request_on_the_same_connection_does_not_go_through() -> None:
    """It could name any host that the same server answers for; nothing would have checked it."""
    second = b"GET / HTTP/1.1\r\nHost: internal.example\r\n\r\n"
    for first in (
        b"GET http://localhost:{port}/ HTTP/1.1\r\nHost: internal.example\r\n\r\n",
        b"POST http://localhost:{port}/ HTTP/1.1\r\nContent-Length: 2\r\n\r\nok",
        b"POST http://localhost:{port}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ):
        said, (got,) = _exchange(first + second)
        assert said.startswith(b"HTTP/1.1 200 OK")
        assert b"internal.example" not in got and got.count(b"HTTP/1.1") == 1
        assert re.search(rb"\r\nHost: localhost:\d+\r\n", got) and (b"POST" not in got or b"ok" in got)


@pytest.mark.parametrize(
    "headers",
    ["Host : evil", " Host: evil", "A: b\r\n Host: evil", "A: b\rHost: evil", "A: b\nHost: evil", "no colon",
     "Content-Length: 3\r\nContent-Length: 4", "Content-Length: 3\r\nTransfer-Encoding: chunked",
     "Transfer-Encoding: gzip, chunked", "Content-Length: -1", "Content-Length: 0x10"],
)  # fmt: skip
def test_what_two_readers_read_differently_is_refused(headers: str) -> None:
    said, got = _exchange(f"POST http://localhost:{{port}}/ HTTP/1.1\r\n{headers}\r\n\r\n".encode())
    assert said.startswith(b"HTTP/1.1 400 ") and not any(got)


def _hello(name: str) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_a_tunnel_asks_tls_for_the_host_that_was_allowed_and_no_other() -> None:
    connect = b"CONNECT localhost:{port} HTTP/1.1\r\n\r\n"
    whole = _hello("internal.example")
    message = whole[5:]
    pieces = [message[:40], message[40:]]
    split = b"".join(whole[:3] + len(piece).to_bytes(2) + piece for piece in pieces)
    for opening in (whole, split, whole[:60]):
        said, got = _exchange(connect + opening)
        assert b"200 OK" not in said and not any(got), "nothing of it reached the server"
    said, got = _exchange(connect + _hello("LOCALHOST."))
    assert b"200 OK" in said


def test_only_the_port_that_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [PUBLIC])
    for request in ("CONNECT llm.example:22 HTTP/1.1\r\n\r\n", "CONNECT llm.example:0 HTTP/1.1\r\n\r\n",
                    "CONNECT llm.example:99999 HTTP/1.1\r\n\r\n", "GET http://llm.example/ HTTP/1.1\r\n\r\n",
                    "CONNECT sub.llm.example:443 HTTP/1.1\r\n\r\n"):  # fmt: skip
        assert re.match(r"HTTP/1.1 40[03] ", world.ask(["llm.example"], request))
    assert world.tried == []
