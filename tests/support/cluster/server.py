"""The fake API: HTTP on loopback over the store, with Kubernetes' paths, verbs and errors."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster import admission, schemas, websocket
from tests.support.cluster.faults import Faults
from tests.support.cluster.store import Key, Object, Refused, Store

__all__ = ["Api", "running"]

_PATH = re.compile(
    r"(?P<root>/api/v1|/apis/[^/]+/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>.+))?)?"
)


@dataclass
class Api:
    """One stand-in: its store, its faults, and what was asked of it.

    `denied` are (verb, plural) that the caller has no right to; `connect` is how a port-forward reaches a pod's port,
    `written` what a container wrote, `metrics` what a node's kubelet says. `crds` off leaves the snapshots' kinds out.
    """

    version: str = "1.37"
    store: Store = field(default_factory=Store)
    faults: Faults = field(default_factory=Faults)
    requests: list[tuple[str, str]] = field(default_factory=list)
    denied: set[tuple[str, str]] = field(default_factory=set)
    connect: Callable[[str, str, int], socket.socket] | None = None
    written: dict[tuple[str, str, str], str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    tail: Callable[[str, str, str], str | None] | None = None
    """What a container has written so far; None when nobody knows it."""
    over: Callable[[str, str], bool] = lambda namespace, name: True
    """Whether a pod will write no more."""
    crds: bool = True
    token: str = "stand-in"
    url: str = ""
    closing: bool = False

    def kubeconfig(self, path: Path, context: str = "stand-in") -> Path:
        """Write a kubeconfig that leads here."""
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": context,
                    "clusters": [{"name": "here", "cluster": {"server": self.url}}],
                    "users": [{"name": "me", "user": {"token": self.token}}],
                    "contexts": [{"name": context, "context": {"cluster": "here", "user": "me"}}],
                }
            )
        )
        path.chmod(0o600)
        return path

    def put(self, document: Mapping[str, Any]) -> Object:
        """Have an object be there, without admission."""
        made = copy.deepcopy(dict(document))
        resource = schemas.of_object(made)
        assert resource is not None, made
        return self.store.create(resource, made["metadata"].get("namespace", ""), made)

    def all(self, plural: str, namespace: str | None = None) -> list[Object]:
        """The objects of a kind that are there."""
        return [one for _, one in self.store.each(plural, namespace)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def log_message(self, *_: object) -> None:
        """Nothing: tests are quiet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = {key: values[-1] for key, values in urllib.parse.parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        self.api.requests.append((self.command, self.path))
        fault = self.api.faults.take(self.command, self.path)
        try:
            if fault is not None and not fault.after:
                if not fault.status:
                    return self._cut()
                heads = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
                return self._status(fault.status, fault.reason, fault.message, heads)
            if self.headers.get("Authorization") != f"Bearer {self.api.token}":
                return self._status(401, "Unauthorized", "Unauthorized")
            if self.headers.get("Upgrade", "").lower() == "websocket":
                return self._forward(parts.path, query)
            if query.get("watch") in ("1", "true"):
                return self._watch(parts.path, query)
            if parts.path.endswith("/log") and query.get("follow"):
                return self._follow(parts.path, query)
            code, document = self._do(parts.path, query, body)
            if fault is not None:
                return self._cut()
            self._send(code, document)
        except Refused as exc:
            self._status(exc.code, exc.reason, exc.message)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, code: int, document: Any, heads: Mapping[str, str] | None = None) -> None:
        plain = isinstance(document, str)
        data = document.encode() if plain else json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if plain else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (heads or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _status(self, code: int, reason: str, message: str, heads: Mapping[str, str] | None = None) -> None:
        document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        self._send(code, {**document, "reason": reason, "message": message}, heads)

    def _place(self, path: str) -> tuple[schemas.Resource, str, str, str]:
        match = _PATH.fullmatch(path)
        resource = schemas.by_path(match["root"], match["plural"]) if match else None
        snapshots = resource is not None and "snapshot.storage" in resource.version
        if match is None or resource is None or (snapshots and not self.api.crds):
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return resource, match["namespace"] or "", match["name"] or "", match["sub"] or ""

    def _allow(self, verb: str, plural: str) -> None:
        if (verb, plural) in self.api.denied:
            raise Refused(
                403, "Forbidden", f'{plural} is forbidden: User "me" cannot {verb} resource "{plural}" in API group'
            )

    def _do(self, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if path in ("/version", "/version/"):
            return 200, {
                "major": "1",
                "minor": self.api.version.partition(".")[2],
                "gitVersion": f"v{self.api.version}.0",
            }
        if path.endswith("/selfsubjectaccessreviews"):
            review = json.loads(body)
            asked = review["spec"]["resourceAttributes"]
            name = f"{asked['resource']}/{asked['subresource']}" if asked.get("subresource") else asked["resource"]
            return 201, {**review, "status": {"allowed": (asked["verb"], name) not in self.api.denied}}
        if found := re.fullmatch(r"(/apis/[^/]+/[^/]+|/api/v1)", path):
            there = [one for one in schemas.RESOURCES if one.root == found[1]]
            if not there or ("snapshot.storage" in path and not self.api.crds):
                raise Refused(404, "NotFound", "the server could not find the requested resource")
            each = [{"name": one.plural, "kind": one.kind, "namespaced": one.namespaced} for one in there]
            return 200, {"kind": "APIResourceList", "groupVersion": there[0].version, "resources": each}
        resource, namespace, name, sub = self._place(path)
        if sub == "log":
            self._allow("get", "pods/log")
            text = self._written(namespace, name, query.get("container", ""))
            lines = text.splitlines(keepends=True)
            return 200, "".join(lines[-int(query["tailLines"]) :] if "tailLines" in query else lines)
        if sub.startswith("proxy/"):
            self._allow("get", "nodes/proxy")
            return 200, self.api.metrics.get(name, "")
        verb = {"GET": "get" if name else "list", "POST": "create", "PATCH": "patch", "PUT": "update"}.get(
            self.command, "delete" if name else "deletecollection"
        )
        self._allow(verb, resource.plural)
        key = Key(resource.root, resource.plural, namespace if resource.namespaced else "", name)
        return getattr(self, f"_{self.command.lower()}")(resource, key, query, body)

    def _get(self, resource: schemas.Resource, key: Key, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if key.name:
            return 200, self.api.store.get(key)
        with self.api.store.changed:
            found = [one for each, one in self._of(resource, key.namespace) if _matches(one, query)]
            version = str(self.api.store.version)
        start = int(query.get("continue") or 0)
        end = start + int(query.get("limit") or 10**9)
        meta = {"resourceVersion": version} | ({"continue": str(end)} if end < len(found) else {})
        return 200, {
            "kind": f"{resource.kind}List", "apiVersion": resource.version, "metadata": meta,
            "items": found[start:end],
        }  # fmt: skip

    def _of(self, resource: schemas.Resource, namespace: str) -> list[tuple[Key, Object]]:
        each = self.api.store.each(resource.plural, namespace or None)
        return [(key, one) for key, one in each if key.root == resource.root]

    def _post(self, resource: schemas.Resource, key: Key, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        document = yaml.safe_load(body)
        self._check(resource, key.namespace, document)
        with self.api.store.changed:
            admission.admit(self.api.store, resource, key.namespace, document)
            return 201, self.api.store.create(resource, key.namespace, document)

    def _put(self, resource: schemas.Resource, key: Key, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        document = yaml.safe_load(body)
        self._check(resource, key.namespace, document)
        with self.api.store.changed:
            admission.unchanged(resource, self.api.store.get(key), document)
            return 200, self.api.store.replace(key, document)

    def _patch(self, resource: schemas.Resource, key: Key, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        patch, kind = yaml.safe_load(body), self.headers.get("Content-Type", "")
        with self.api.store.changed:
            if "apply-patch" in kind and key not in self.api.store.objects:
                return self._post(resource, Key(key.root, key.plural, key.namespace, ""), query, body)
            before = self.api.store.get(key)
            after = _merged(before, patch)
            if "resourceVersion" not in (patch.get("metadata") or {}):
                after["metadata"].pop("resourceVersion", None)
            self._check(resource, key.namespace, after)
            admission.unchanged(resource, before, after)
            return 200, self.api.store.replace(key, after)

    def _delete(self, resource: schemas.Resource, key: Key, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if key.name:
            return 200, self.api.store.delete(key)
        with self.api.store.changed:
            for each, one in self._of(resource, key.namespace):
                if _matches(one, query):
                    self.api.store.delete(each)
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _check(self, resource: schemas.Resource, namespace: str, document: Any) -> None:
        if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (
            resource.version,
            resource.kind,
        ):
            raise Refused(400, "BadRequest", f"the object is no {resource.kind} of {resource.version}")
        if resource.namespaced and document.get("metadata", {}).get("namespace") not in (None, namespace):
            raise Refused(400, "BadRequest", "the namespace of the provided object does not match the request")
        if found := schemas.flaws(self.api.version, document):
            raise Refused(400, "BadRequest", f"strict decoding error: {'; '.join(found[:5])}")

    def _watch(self, path: str, query: dict[str, str]) -> None:
        resource, namespace, _, _ = self._place(path)
        self._allow("watch", resource.plural)
        store = self.api.store
        version = int(query.get("resourceVersion") or store.version)
        until = time.monotonic() + float(query.get("timeoutSeconds") or 30)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while time.monotonic() < until and not self.api.closing:
            with store.changed:
                try:
                    found = list(store.since(version))
                except Refused as exc:
                    status = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired"}
                    self._chunk({"type": "ERROR", "object": {**status, "message": exc.message}})
                    break
                if not found:
                    store.changed.wait(0.5)
                    continue
            for number, what, key, document in found:
                version = number
                here = (key.root, key.plural) == (resource.root, resource.plural) and namespace in ("", key.namespace)
                if here and _matches(document, query):
                    self._chunk({"type": what, "object": document})
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, document: Any) -> None:
        data = json.dumps(document).encode() + b"\n"
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _follow(self, path: str, query: dict[str, str]) -> None:
        """A log, until the pod is at its end."""
        _, namespace, name, _ = self._place(path)
        self._allow("get", "pods/log")
        container = query.get("container", "")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0
        while not self.api.closing:
            over = self.api.over(namespace, name)
            text = self._written(namespace, name, container)
            if data := text.encode()[sent:]:
                sent += len(data)
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
            if over:
                break
            with self.api.store.changed:
                self.api.store.changed.wait(0.05)
        self.wfile.write(b"0\r\n\r\n")

    def _written(self, namespace: str, name: str, container: str) -> str:
        found = self.api.tail(namespace, name, container) if self.api.tail else None
        return self.api.written.get((namespace, name, container), "") if found is None else found

    def _forward(self, path: str, query: dict[str, str]) -> None:
        _, namespace, name, sub = self._place(path)
        if sub != "portforward":
            raise Refused(404, "NotFound", "only port-forwards")
        self._allow("create", "pods/portforward")
        port = int(query["ports"])
        inside, why = None, "no such pod"
        try:
            inside = self.api.connect(namespace, name, port) if self.api.connect else None
        except OSError as exc:
            why = f"error forwarding port {port} to pod: {exc}"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", websocket.accept_of(self.headers["Sec-WebSocket-Key"]))
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        websocket.bridge(self.rfile, self.connection, port, inside, why)  # type: ignore[arg-type]
        self.close_connection = True


def _merged(before: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = copy.deepcopy(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made


def _matches(document: Object, query: dict[str, str]) -> bool:
    labels = document["metadata"].get("labels") or {}
    for one in filter(None, re.split(r",(?![^(]*\))", query.get("labelSelector", ""))):
        if found := re.fullmatch(r"\s*(\S+)\s+(not)?in\s*\(([^)]*)\)\s*", one.replace("notin", "not in")):
            there = labels.get(found[1]) in [each.strip() for each in found[3].split(",")]
            if there == bool(found[2]):
                return False
        elif "!=" in one:
            key, _, value = one.partition("!=")
            if labels.get(key) == value:
                return False
        elif "=" in one:
            key, _, value = one.replace("==", "=").partition("=")
            if labels.get(key) != value:
                return False
        elif (one.lstrip("!") in labels) == one.startswith("!"):
            return False
    for one in filter(None, query.get("fieldSelector", "").split(",")):
        key, _, value = one.partition("=")
        node: Any = document
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if str(node) != value:
            return False
    return True


@contextlib.contextmanager
def running(version: str = "1.37", **given: Any) -> Iterator[Api]:
    """A stand-in that answers until the block ends."""
    api = Api(version=version, **given)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.closing = True
        with api.store.changed:
            api.store.changed.notify_all()
        server.shutdown()
        server.server_close()
        thread.join(5)
