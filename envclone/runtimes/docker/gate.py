"""The gate: the one process between a sealed sandbox and this host.

Inwards it takes connections on 127.0.0.1 and passes them to the sandbox's ports; outwards it lets the sandbox reach
what the stack file allows by name, and nothing without that. It runs as `python -m envclone.runtimes.docker.gate FILE`,
enters the sandbox's network namespace in one thread, and then gives up root.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envclone.runtimes.docker.inside import enter, give_up_root
from envclone.runtimes.docker.ports import PROXY_PORT
from envclone.runtimes.docker.proxy import Proxy, destination, pump

__all__ = ["main"]

_LOG_SIZE = 16 << 20
_MOST = 1024


class _Log:
    """JSON lines, one per connection that left or wanted to; emptied when it has grown too large."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def __call__(self, event: Mapping[str, Any]) -> None:
        if self._file.tell() > _LOG_SIZE:  # a hostile program must not fill the disk
            self._file.truncate(0)
        self._file.write(json.dumps({"at": round(time.time(), 3), **event}) + "\n")
        self._file.flush()


class _Inside:
    """Makes sockets in the sandbox's network namespace: a socket belongs to that of the thread which made it."""

    def __init__(self, pid: int) -> None:
        self._thread = concurrent.futures.ThreadPoolExecutor(1, initializer=enter, initargs=(pid,))

    async def socket(self) -> socket.socket:
        """A TCP socket of the sandbox."""
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._thread, socket.socket, socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        return made


class _Gate:
    def __init__(self, config: Mapping[str, Any], place: Path) -> None:
        self._config = config
        self._place = place
        self._log = _Log(place / "gate.log")
        self._used = place / "used"
        self._open = 0

    async def run(self) -> None:
        """Open every way, say so in a file, and go on until the sandbox ends."""
        config = self._config
        ended = asyncio.Event()
        watched = os.pidfd_open(config["sandbox"])
        asyncio.get_running_loop().add_reader(watched, ended.set)
        inside = _Inside(config["sandbox"])
        await inside.socket()  # enters, or fails
        ways = [(_listen(way.get("listen"), way.get("wish", False)), int(way["to"])) for way in config["ways"]]
        if config["allow"]:
            door = await inside.socket()
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(("127.0.0.1", PROXY_PORT))
        give_up_root(config["uid"], config["gid"])
        servers = [await asyncio.start_server(self._inwards(inside, to), sock=sock) for sock, to in ways]
        if config["allow"]:
            proxy = Proxy([destination(text) for text in config["allow"]], self._log, config.get("token"))
            servers.append(await asyncio.start_server(self._counted(proxy.serve), sock=door))
        self._say([sock.getsockname()[1] for sock, _ in ways])
        await ended.wait()
        for server in servers:
            server.close()

    def _say(self, ports: list[int]) -> None:
        sys.stdout.write(json.dumps({"ports": ports}) + "\n")
        sys.stdout.flush()

    def _inwards(self, inside: _Inside, port: int) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                os.utime(self._used)
            try:
                sock = await inside.socket()
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
                there_reader, there_writer = await asyncio.open_connection(sock=sock)
                await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))
                there_writer.close()
            except OSError:
                pass  # nothing listens there: the caller sees its connection end
            finally:
                writer.close()

        return self._counted(serve)

    def _counted(self, serve: Any) -> Any:
        async def limited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._open >= _MOST:
                writer.close()
                return
            self._open += 1
            try:
                await serve(reader, writer)
            finally:
                self._open -= 1

        return limited


def _listen(wanted: int | None, wish: bool) -> socket.socket:
    """A socket on 127.0.0.1 at the port that is wanted; when that is but a wish, or none, at one the kernel gives."""
    for port in (wanted or 0, 0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        try:
            sock.bind(("127.0.0.1", port))
            return sock
        except OSError:
            sock.close()
            if port == 0 or not wish:
                raise
    raise AssertionError("unreachable")


def main(path: str) -> None:
    """Run the gate that a file describes."""
    place = Path(path)
    config = json.loads(place.read_text())
    asyncio.run(_Gate(config, place.parent).run())


if __name__ == "__main__":
    main(sys.argv[1])
