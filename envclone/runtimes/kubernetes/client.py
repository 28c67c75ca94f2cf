"""A cluster's API: found, spoken to, asked again until a deadline, and said plainly when it does not do what it should.

What can pass by itself (no answer, 429, 5xx) is tried again; what cannot (a right that is missing, a quota) is one line
with its remedy.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from envclone.errors import BusyError, EnvcloneError, UnreachableError, UsageError
from envclone.extras import need
from envclone.runtimes.kubernetes.kinds import KINDS, path_of
from envclone.runtimes.kubernetes.refusals import Refusal, distrusted, judged

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["Cluster", "Object", "connect"]

Object = dict[str, Any]
_MERGE = "application/merge-patch+json"
_LONGEST = 5.0
"""Seconds at most between two tries."""


def connect(context: str | None = None, *, deadline: float = 90.0) -> Cluster:
    """The cluster of a kubeconfig's context (None: the current one), or the one that this process runs in.

    `deadline` (s) is how long a request is tried again. Nothing is asked of the API yet. Raises UsageError when there
    is no such context, or no cluster at all.
    """
    need("kubernetes", "kubernetes", "a branch on a cluster")
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    try:
        # the library reads the variable once for all, as it is loaded
        file = os.environ.get("KUBECONFIG") or None
        api = config.new_client_from_config(config_file=file, context=context)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as exc:
        if context is None:
            with contextlib.suppress(ConfigException):
                inside = client.Configuration()
                config.load_incluster_config(client_configuration=inside)  # type: ignore[no-untyped-call]
                return Cluster(client.ApiClient(inside), context=None, deadline=deadline)
        which = f"the context '{context}'" if context else "a current context"
        raise UsageError(
            f"the kubeconfig has not {which}: {str(exc).strip()[:200]}",
            hint="kubectl config get-contexts lists them; KUBECONFIG names another file",
        ) from exc
    return Cluster(api, context=context, deadline=deadline)


class Cluster:
    """The API of one cluster, as one user of it."""

    def __init__(self, api: ApiClient, *, context: str | None, deadline: float) -> None:
        self.api = api
        self.context = context
        self.deadline = deadline

    def close(self) -> None:
        """Let go of the connections."""
        self.api.rest_client.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def host(self) -> str:
        """Where the API is."""
        return str(self.api.configuration.host)

    def version(self) -> tuple[int, int]:
        """The API's version, such as (1, 37). Raises UnreachableError."""
        found = self.ask("GET", "/version")
        return int(found["major"]), int(str(found["minor"]).rstrip("+"))

    def serves(self, kind: str) -> bool:
        """Whether the API knows a kind: its definition is installed."""
        try:
            found = self.ask("GET", path_of(kind).rpartition("/")[0])
        except Refusal as exc:
            if exc.code == 404:
                return False
            raise
        return any(one["name"] == KINDS[kind].plural for one in found.get("resources", ()))

    def allowed(self, verb: str, kind: str, namespace: str | None = None, part: str = "", name: str = "") -> bool:
        """Whether this user may do something, as the API itself says; with a `name` to the object of that name."""
        asked = {"verb": verb, "group": KINDS[kind].group, "resource": KINDS[kind].plural}
        if namespace:
            asked["namespace"] = namespace
        if part:
            asked["subresource"] = part
        if name:
            asked["name"] = name
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = self.ask("POST", path_of("SelfSubjectAccessReview"), review)
        return bool(answer.get("status", {}).get("allowed"))

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object; None when it is not there."""
        try:
            return self.ask("GET", path_of(kind, namespace, name))
        except Refusal as exc:
            if exc.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Object]:
        """All objects of a kind that have these labels; in every namespace without one."""
        query = {"limit": "500"}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        found: list[Object] = []
        until = time.monotonic() + self.deadline
        while True:
            try:
                page = self.ask("GET", path_of(kind, namespace), query=query)
            except Refusal as exc:
                if exc.code != 410 or "continue" not in query or time.monotonic() > until:
                    raise
                found = []  # what the next page belongs to is forgotten by now: from the first one
                del query["continue"]
                continue
            found += [{"apiVersion": KINDS[kind].version, "kind": kind, **one} for one in page.get("items", ())]
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return found
            query["continue"] = more

    def create(self, document: Object) -> Object:
        """Make an object. One that is there is taken for ours when it has the same labels, as after a lost answer.

        Raises BusyError when it is somebody else's.
        """
        meta = document["metadata"]
        kind, name, namespace = document["kind"], meta["name"], meta.get("namespace")
        try:
            return self.ask("POST", path_of(kind, namespace), document)
        except Refusal as exc:
            # a quota is counted before the name is looked at: what is there already may be what fills it
            if exc.reason != "AlreadyExists" and "quota" not in exc.message:
                raise
            refused = exc
        there = self.get(kind, name, namespace)
        if there is None:
            if refused.reason != "AlreadyExists":
                raise refused
            return self.ask("POST", path_of(kind, namespace), document)
        labels = there["metadata"].get("labels") or {}
        if any(labels.get(key) != value for key, value in (meta.get("labels") or {}).items()):
            raise BusyError(
                f"the cluster has a {kind} '{name}' already, and it is not this branch's",
                hint=f"kubectl get {KINDS[kind].plural} {name} -o yaml shows whose; choose another name",
            )
        if there["metadata"].get("deletionTimestamp"):
            raise BusyError(f"the {kind} '{name}' is being removed still", hint="wait a moment and try again")
        return there

    def patch(self, kind: str, name: str, patch: Object, namespace: str | None = None) -> Object:
        """Change an object by a merge patch (RFC 7396); a conflict with somebody else's change is tried again."""
        return self.ask("PATCH", path_of(kind, namespace, name), patch, conflicts=True)

    def delete(
        self, kind: str, name: str, namespace: str | None = None, *, grace: int | None = None, how: str = "Background"
    ) -> bool:
        """Remove an object; False when it is not there. `grace` (s) is a pod's, `how` what becomes of what it owns."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": how}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self.ask("DELETE", path_of(kind, namespace, name), options, conflicts=True)
        except Refusal as exc:
            if exc.code == 404:
                return False
            raise
        return True

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """What a path answers as text: a log, a kubelet's metrics."""
        return self._answer("GET", path, None, query, conflicts=False).decode(errors="replace")

    def ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        query: Mapping[str, str] | None = None,
        conflicts: bool = False,
    ) -> Object:
        """Ask the API, again and again until the deadline while that can help.

        Raises Refusal for what it will not do, UnreachableError when it does not answer.
        """
        return self._read(self._answer(method, path, body, query, conflicts=conflicts) or b"{}")

    def _read(self, data: bytes) -> Object:
        """An answer's document. Raises UnreachableError for one that no API gives."""
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UnreachableError(
                f"what answers at {self.host} is no API of a cluster: {data[:60].decode(errors='replace')!r}",
                hint="is a proxy in between, or a page to log in at? kubectl cluster-info",
            )
        return found

    def stream(self, path: str, query: Mapping[str, str], timeout: float) -> Iterator[Object]:
        """The documents of a watch as they come, until it ends. Raises Refusal, UnreachableError."""
        from urllib3.exceptions import HTTPError

        try:
            answer = self._send("GET", path, None, query, timeout)
            if answer.status >= 400:
                raise judged(answer.status, answer.read(), f"watching {path}", self.host)
            with contextlib.closing(answer):
                rest = b""
                for piece in answer.stream(1 << 16):
                    *lines, rest = (rest + piece).split(b"\n")
                    yield from (self._read(line) for line in lines if line.strip())
        except (HTTPError, OSError) as exc:
            raise UnreachableError(f"the watch at {self.host} broke off: {type(exc).__name__}") from exc

    def lines(self, path: str, query: Mapping[str, str], timeout: float = 3600.0) -> Iterator[str]:
        """The lines of a log as they come, until it ends. Raises Refusal, UnreachableError when it breaks off."""
        from urllib3.exceptions import HTTPError

        try:
            answer = self._send("GET", path, None, query, timeout)
            if answer.status >= 400:
                raise judged(answer.status, answer.read(), f"reading {path}", self.host)
            with contextlib.closing(answer):
                rest = b""
                for piece in answer.stream(1 << 16):
                    *lines, rest = (rest + piece).split(b"\n")
                    yield from (line.decode(errors="replace") for line in lines)
                if rest:
                    yield rest.decode(errors="replace")
        except (HTTPError, OSError) as exc:
            raise UnreachableError(f"the log at {self.host} broke off: {type(exc).__name__}") from exc

    def _answer(
        self, method: str, path: str, body: Object | None, query: Mapping[str, str] | None, *, conflicts: bool
    ) -> bytes:
        until = time.monotonic() + self.deadline
        pause, first = 0.05, True
        while True:
            failure, wait = self._try(method, path, body, query, conflicts, first)
            if isinstance(failure, bytes):
                return failure
            first = False
            pause = min(pause * 2, _LONGEST)
            # others were told to wait as well: not all come back at once
            wait = max(wait, pause * (0.5 + random.random() / 2))  # noqa: S311
            if time.monotonic() + wait > until:
                raise failure
            time.sleep(wait)

    def _try(
        self, method: str, path: str, body: Object | None, query: Mapping[str, str] | None, conflicts: bool, first: bool
    ) -> tuple[bytes | EnvcloneError, float]:
        """One try: its answer, or what to say of it and how long to wait (s). Raises what no other try will mend."""
        from urllib3.exceptions import HTTPError

        try:
            answer = self._send(method, path, body, query, 30.0)
            data = answer.read()
        except (HTTPError, OSError) as exc:
            if (why := distrusted(exc, self.host)) is not None:
                raise why from exc
            return UnreachableError(
                f"the API of the cluster at {self.host} does not answer: {_words(exc)}",
                hint="kubectl cluster-info; envclone doctor",
            ), 0.0
        if answer.status < 400:
            return data, 0.0
        refusal = judged(answer.status, data, f"{method} {path}", self.host)
        if method == "DELETE" and answer.status == 404 and not first:
            return b"{}", 0.0  # the answer of the first try was lost
        again = refusal.passes or (conflicts and refusal.reason == "Conflict")
        if not again:
            raise refusal
        after = str(answer.headers.get("Retry-After", ""))
        return refusal, float(after) if after.isdigit() else 0.0

    def _send(
        self, method: str, path: str, body: Object | None, query: Mapping[str, str] | None, timeout: float
    ) -> Any:
        import urllib3

        heads = {"Accept": "application/json, */*", "User-Agent": "envclone"}
        if body is not None:
            heads["Content-Type"] = _MERGE if method == "PATCH" else "application/json"
        _, url, heads, _, _ = self.api.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=heads, auth_settings=["BearerToken"]
        )
        return self.api.rest_client.pool_manager.request(
            method,
            url,
            body=None if body is None else json.dumps(body).encode(),
            headers=heads,
            timeout=urllib3.Timeout(connect=min(10.0, timeout), read=timeout),
            preload_content=False,
            retries=False,
        )


def _words(exc: BaseException) -> str:
    text = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {text[0][:160]}" if text else type(exc).__name__
