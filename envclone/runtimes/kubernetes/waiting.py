"""Waiting until an object of the cluster is as it should be: by a watch, which is taken up again when it expires."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from envclone.errors import EnvcloneError, UnreachableError
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.kinds import path_of
from envclone.runtimes.kubernetes.refusals import Refusal

__all__ = ["until"]

T = TypeVar("T")


def until(
    cluster: Cluster,
    kind: str,
    name: str,
    namespace: str | None,
    probe: Callable[[Object | None], T | None],
    *,
    what: str,
    timeout: float,
    seen: Callable[[], str] = lambda: "",
    hint: str | None = None,
    error: type[EnvcloneError] = UnreachableError,
) -> T:
    """Call `probe` with an object, None when it is gone, at every change until it returns something.

    An error that `probe` raises ends the wait; an API that is away does not, for it comes back. Raises `error` at the
    deadline, with what `seen` says then.
    """
    deadline = time.monotonic() + timeout
    query = {"fieldSelector": f"metadata.name={name}"}
    path = path_of(kind, namespace)
    while True:
        there = _asked(cluster, path, query, deadline)
        items = there.get("items") or []
        if (found := probe(items[0] if items else None)) is not None:
            return found
        left = deadline - time.monotonic()
        if left <= 0:
            last = seen().strip()
            raise error(f"{what} within {timeout:g} s" + (f"; last seen: {last}" if last else ""), hint=hint)
        version = str((there.get("metadata") or {}).get("resourceVersion") or "")
        if (
            found := _watched(cluster, path, {**query, "resourceVersion": version}, probe, min(left, 30.0))
        ) is not None:
            return found


def _asked(cluster: Cluster, path: str, query: dict[str, str], deadline: float) -> Object:
    """What is there now, asked for again while the API is away and there is time."""
    while True:
        try:
            return cluster.ask("GET", path, query=query)
        except (UnreachableError, Refusal) as exc:
            if time.monotonic() >= deadline or (isinstance(exc, Refusal) and not exc.passes):
                raise
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))


def _watched(
    cluster: Cluster, path: str, query: dict[str, str], probe: Callable[[Object | None], T | None], timeout: float
) -> T | None:
    """What `probe` found in a watch; None when the watch ended, for whatever reason: then all is read again."""
    began = time.monotonic()
    query = {**query, "watch": "1", "timeoutSeconds": str(max(1, round(timeout)))}
    try:
        for event in cluster.stream(path, query, timeout + 5):
            if event.get("type") == "ERROR":
                break  # the version is too old (410): read again
            if event.get("type") in ("ADDED", "MODIFIED", "DELETED"):
                document = None if event["type"] == "DELETED" else event["object"]
                if (found := probe(document)) is not None:
                    return found
    except (UnreachableError, Refusal) as exc:
        if isinstance(exc, Refusal) and exc.code in (401, 403):
            raise
    if time.monotonic() - began < 0.2:
        time.sleep(0.2)  # a watch that ends at once is not asked for without end
    return None
