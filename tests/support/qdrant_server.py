"""A stand-in for a Qdrant server: no server, but HTTP that gives what a real one (1.18.3) was recorded to give.

It serves `tests/data/qdrant/live`: the recorded answers, and shard snapshots that are the recorded bytes. Of
`articles` and `plain` collection snapshots were recorded; their shard's part of it is cut out, its log left out, as
shard snapshots have none. It can be several nodes, and it can misbehave: that is `Node.faults`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import lzma
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

DATA = Path(__file__).parents[1] / "data" / "qdrant" / "live"
KEY = "operator-key"
READER = "reader-key"
"""A key that may read and make nothing."""
PEER = 588303273699527

Fault = Callable[["Handler"], bool]
"""Answers a request in another way, and says whether it did."""


@cache
def recorded() -> dict[tuple[str, str], tuple[int, Any]]:
    """The last recorded answer to each request with the right key."""
    found: dict[tuple[str, str], tuple[int, Any]] = {}
    for one in json.loads((DATA / "api.json").read_text()):
        found.setdefault((one["method"], one["path"]), (one["status"], one["response"]))
    return found


@cache
def snapshot(collection: str, shard: int) -> bytes:
    """A shard's snapshot."""
    if collection == "tenants":
        return lzma.decompress((DATA / f"tenants-shard-{shard}.snapshot.xz").read_bytes())
    return _of_shard(lzma.decompress((DATA / f"{collection}.snapshot.xz").read_bytes()), f"{shard}/")


def blocks(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Each entry of an archive: its name, and its bytes from the header to the padding."""
    start = 0
    while start + 512 <= len(archive) and any(archive[start : start + 512]):
        header = archive[start : start + 512]
        end = start + 512
        more = header[482] if header[156:157] == b"S" else 0
        while more:
            more = archive[end + 504]
            end += 512
        end += -(-int(header[124:136].split(b"\0")[0], 8) // 512) * 512
        yield header[:100].split(b"\0")[0].decode(), archive[start:end]
        start = end


def renamed(entry: bytes, name: str) -> bytes:
    """An entry under another name."""
    header = bytearray(entry[:512])
    header[:100] = name.encode().ljust(100, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}".encode() + b"\0 "
    return bytes(header) + entry[512:]


def _of_shard(archive: bytes, prefix: str) -> bytes:
    parts = [
        renamed(entry, name.removeprefix(prefix))
        for name, entry in blocks(archive)
        if name.startswith(prefix) and "/wal" not in name
    ]
    return b"".join(parts) + bytes(1024)


@cache
def config(collection: str) -> dict[str, Any]:
    """The configuration that a recorded collection snapshot holds; of `plain` no answer of the API was recorded."""
    for name, entry in blocks(lzma.decompress((DATA / f"{collection}.snapshot.xz").read_bytes())):
        if name == "config.json":
            size = int(entry[124:136].split(b"\0")[0], 8)
            found: dict[str, Any] = json.loads(entry[512 : 512 + size])
            return found
    raise KeyError(collection)


@dataclass
class Node:
    """One node: its peer id, the states of the shards that it holds, and what it does wrong."""

    peer: int
    fleet: Fleet
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    """Each with an expression that `METHOD /path` has to match; the first that answers does."""
    ranges: bool = True
    version: str = "1.18.3"
    made: dict[tuple[str, int], dict[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    url: str = ""
    moment: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def described(self, name: str, data: bytes) -> dict[str, Any]:
        """A snapshot as the API lists it."""
        return {"name": name, "creation_time": None, "size": len(data), "checksum": hashlib.sha256(data).hexdigest()}

    def make(self, collection: str, shard: int) -> dict[str, Any]:
        """Make a snapshot, named as a server names it."""
        data = self.fleet.data.get((collection, shard)) or snapshot(collection, shard)
        there = self.made.setdefault((collection, shard), {})
        name = f"{collection}-shard-{shard}-{self.moment():%Y-%m-%d-%H-%M-%S}.snapshot"
        there[name] = data
        return self.described(name, data)

    @property
    def left(self) -> list[str]:
        """The snapshots that lie on it."""
        return sorted(name for there in self.made.values() for name in there)


@dataclass
class Fleet:
    """A server, or the nodes of a cluster: the collections, and which node holds which shard in which state."""

    shards: dict[str, int]
    nodes: list[Node] = field(default_factory=list)
    held: dict[tuple[str, int], dict[int, str]] = field(default_factory=dict)
    data: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """Other bytes than the recorded ones."""
    counts: dict[tuple[str, int], int] = field(default_factory=dict)
    hosts: dict[int, str] = field(default_factory=dict)
    """What a node's URI says of it; the HTTP port is not in it."""

    def info(self, collection: str) -> dict[str, Any]:
        """What the API says of a collection."""
        if (found := recorded().get(("GET", f"/collections/{collection}"))) is not None:
            return dict(found[1]["result"])
        its = {key: value for key, value in config(collection).items() if key != "uuid"}
        counted = {"indexed_vectors_count": 0, "points_count": 100, "segments_count": 2, "update_queue": {"length": 0}}
        return {"status": "green", "optimizer_status": "ok", "config": its, "payload_schema": {}, **counted}

    def count(self, collection: str, shard: int) -> int:
        """How many points a node counts in a shard."""
        if (collection, shard) in self.counts:
            return self.counts[collection, shard]
        return {("tenants", 0): 833, ("tenants", 1): 767}.get(
            (collection, shard), self.info(collection)["points_count"]
        )

    def cluster(self, collection: str, peer: int) -> dict[str, Any]:
        """What a node says of the shards of a collection."""
        local, remote = [], []
        for shard in range(self.shards[collection]):
            for holder, state in self.held.get((collection, shard), {}).items():
                if holder == peer:
                    count = self.count(collection, shard)
                    local.append({"shard_id": shard, "points_count": count, "state": state})
                else:
                    remote.append({"shard_id": shard, "peer_id": holder, "state": state})
        count = len({one["shard_id"] for one in [*local, *remote]})
        return {"peer_id": peer, "shard_count": count, "local_shards": local, "remote_shards": remote,
                "shard_transfers": []}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    node: Node

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_DELETE = do_GET

    def _answer(self) -> None:
        line = f"{self.command} {urlsplit(self.path).path}"
        self.node.asked.append(line)
        if key := self.headers.get("api-key"):
            self.node.keys.add(key)
        for expression, fault in list(self.node.faults):
            if re.fullmatch(expression, line) and fault(self):
                return
        self._route([unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")])

    def say(self, status: int, document: Any, **headers: str) -> None:
        """Answer with JSON, or with text."""
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def result(self, result: Any) -> None:
        """Answer as the API does."""
        self.say(200, {"result": result, "status": "ok", "time": 0.0001})

    def missing(self, what: str) -> None:
        """Answer that something is not there."""
        self.say(404, {"status": {"error": f"Not found: {what}"}, "time": 0.00001})

    def _route(self, parts: list[str]) -> None:
        node, fleet = self.node, self.node.fleet
        if parts == [""]:
            _, root = recorded()["GET", "/"]
            self.say(200, {**root, "version": node.version})
        elif (key := self.headers.get("api-key")) not in (KEY, READER):
            said = "Invalid API key or JWT" if key else "Must provide an API key or an Authorization bearer token"
            self.say(401, said)
        elif key == READER and self.command != "GET":
            self.say(403, {"status": {"error": "Forbidden: Global manage access is required"}, "time": 0.0})
        elif parts == ["collections"]:
            self.result({"collections": [{"name": name} for name in fleet.shards]})
        elif parts == ["cluster"]:
            peers = {str(peer): {"uri": f"http://{host}:6335/"} for peer, host in fleet.hosts.items()}
            self.result(
                {"status": "enabled", "peer_id": node.peer, "peers": peers} if peers else {"status": "disabled"}
            )
        elif parts[0] != "collections" or parts[1] not in fleet.shards:
            self.missing(f"Collection `{parts[1]}` doesn't exist!")
        elif len(parts) == 2:
            self.result(fleet.info(parts[1]))
        elif parts[2:] == ["cluster"]:
            self.result(fleet.cluster(parts[1], node.peer))
        elif parts[2:] == ["aliases"]:
            pairs = [{"alias_name": "kb", "collection_name": "articles"}] if parts[1] == "articles" else []
            self.result({"aliases": pairs})
        elif parts[2] == "shards" and parts[4] == "snapshots":
            self._snapshots(parts[1], int(parts[3]), parts[5:])
        else:
            self.missing("no such route")

    def _snapshots(self, collection: str, shard: int, rest: list[str]) -> None:
        node = self.node
        there = node.made.setdefault((collection, shard), {})
        if node.peer not in node.fleet.held.get((collection, shard), {}):
            self.say(400, {"status": {"error": f"Bad request: Shard {shard} is not a local shard"}, "time": 0.0})
        elif not rest and self.command == "POST":
            self.result(node.make(collection, shard))
        elif not rest:
            self.result([node.described(name, data) for name, data in there.items()])
        elif rest[0] not in there:
            self.missing(f"Snapshot {rest[0]} not found")
        elif self.command == "DELETE":
            del there[rest[0]]
            self.result(True)
        else:
            self.file(there[rest[0]])

    def file(self, data: bytes, *, cut: int | None = None) -> None:
        """Send a file, or what a range asks of it; `cut` is after how many bytes the connection breaks."""
        start = 0
        if self.node.ranges and (found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            start = int(found[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data[start : None if cut is None else start + cut])
        if cut is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    """Says nothing of connections that a client gives up."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing is printed."""


def says(status: int, document: Any, **headers: str) -> Fault:
    """A fault: this answer."""

    def fault(handler: Handler) -> bool:
        handler.say(status, document, **headers)
        return True

    return fault


def once(fault: Fault) -> Fault:
    """A fault that happens one time."""
    happened = threading.Event()

    def first(handler: Handler) -> bool:
        if happened.is_set():
            return False
        happened.set()
        return fault(handler)

    return first


def dropped(handler: Handler) -> bool:
    """A fault: the connection is cut without a word."""
    handler.close_connection = True
    handler.connection.close()
    return True


@contextlib.contextmanager
def serving(
    fleet: Fleet, *nodes: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[list[Node]]:
    """Start a node for each peer id; without any a single node holds every shard."""
    peers = nodes or (PEER,)
    if not fleet.held:
        fleet.held = {(name, n): {peers[0]: "Active"} for name, count in fleet.shards.items() for n in range(count)}
    with contextlib.ExitStack() as stack:
        for peer in peers:
            node = Node(peer, fleet)
            server = _Server((host, 0), type("Bound", (Handler,), {"node": node}))
            server.daemon_threads = True
            if tls is not None:
                server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            node.url = f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            fleet.nodes.append(node)
        yield fleet.nodes


def whole() -> Fleet:
    """A single server with all that was recorded."""
    return Fleet({"articles": 1, "plain": 1, "tenants": 2})


def source(node: Node, *, key: str = KEY, **more: Any) -> Mapping[str, Any]:
    """A stack file's source for a node."""
    return {"method": "snapshot", "url": node.url, "api_key": key, **more}
