"""The objects of the stand-in: versions, conflicts, deletion with finalizers, and what watches are told."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.cluster.schemas import Resource

__all__ = ["Key", "Refused", "Store"]

Object = dict[str, Any]


@dataclass(frozen=True, order=True)
class Key:
    """Where an object is."""

    root: str
    plural: str
    namespace: str
    name: str


class Refused(Exception):
    """The API's answer to what it does not do."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


@dataclass
class Store:
    """All objects, and the log of their changes; `changed` is told of each."""

    objects: dict[Key, Object] = field(default_factory=dict)
    log: list[tuple[int, str, Key, Object]] = field(default_factory=list)
    version: int = 100
    oldest: int = 0
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))

    def create(self, resource: Resource, namespace: str, document: Object) -> Object:
        """Store a new object. Refuses a name that is taken."""
        with self.changed:
            meta = document.setdefault("metadata", {})
            if "name" not in meta and "generateName" in meta:
                meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
            key = Key(resource.root, resource.plural, namespace if resource.namespaced else "", str(meta.get("name")))
            if key in self.objects:
                raise Refused(409, "AlreadyExists", f'{resource.plural} "{key.name}" already exists')
            meta.update(uid=str(uuid.uuid4()), creationTimestamp="2026-11-28T00:00:00Z")
            if resource.namespaced:
                meta["namespace"] = namespace
            return self._put(key, document, "ADDED")

    def get(self, key: Key) -> Object:
        """One object. Refuses a name that is not there."""
        with self.changed:
            if key not in self.objects:
                raise Refused(404, "NotFound", f'{key.plural} "{key.name}" not found')
            return copy.deepcopy(self.objects[key])

    def each(self, plural: str, namespace: str | None = None) -> list[tuple[Key, Object]]:
        """All objects of a kind."""
        with self.changed:
            return [
                (key, copy.deepcopy(one))
                for key, one in sorted(self.objects.items())
                if key.plural == plural and namespace in (None, "", key.namespace)
            ]

    def replace(self, key: Key, document: Object) -> Object:
        """Change an object. Refuses one that was changed since it was read, if it says so."""
        with self.changed:
            there = self.get(key)
            wanted = document["metadata"].get("resourceVersion")
            if wanted not in (None, there["metadata"]["resourceVersion"]):
                raise Refused(
                    409,
                    "Conflict",
                    f'Operation cannot be fulfilled on {key.plural} "{key.name}": the object has been modified; please '
                    "apply your changes to the latest version and try again",
                )
            gone = document["metadata"].get("deletionTimestamp") and not document["metadata"].get("finalizers")
            if gone and key.plural != "namespaces":
                return self._drop(key)
            return self._put(key, document, "MODIFIED")

    def edit(self, key: Key, change: Callable[[Object], None]) -> Object | None:
        """Change an object in place, as a controller does; None when it is gone."""
        with self.changed:
            if key not in self.objects:
                return None
            document = copy.deepcopy(self.objects[key])
            change(document)
            if document == self.objects[key]:
                return document
            return self.replace(key, document)

    def delete(self, key: Key) -> Object:
        """Remove an object, or mark it when finalizers hold it."""
        with self.changed:
            document = self.get(key)
            held = document["metadata"].get("finalizers") or key.plural in ("namespaces", "pods")
            if not held:
                return self._drop(key)
            if "deletionTimestamp" not in document["metadata"]:
                document["metadata"]["deletionTimestamp"] = "2026-11-28T00:00:01Z"
                if key.plural == "namespaces":
                    document["status"] = {"phase": "Terminating"}
                return self._put(key, document, "MODIFIED")
            return document

    def drop(self, key: Key) -> None:
        """Remove an object for good."""
        with self.changed:
            if key in self.objects:
                self._drop(key)

    def expire(self) -> None:
        """Forget the log: watches from before are told 410."""
        with self.changed:
            self.oldest = self.version
            self.log.clear()
            self.changed.notify_all()

    def since(self, version: int) -> Iterator[tuple[int, str, Key, Object]]:
        """What changed since a version. Refuses one that is forgotten."""
        with self.changed:
            if version < self.oldest:
                raise Refused(410, "Expired", f"too old resource version: {version} ({self.oldest})")
            yield from [one for one in self.log if one[0] > version]

    def _put(self, key: Key, document: Object, what: str) -> Object:
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = copy.deepcopy(document)
        self.log.append((self.version, what, key, copy.deepcopy(document)))
        self.changed.notify_all()
        return copy.deepcopy(document)

    def _drop(self, key: Key) -> Object:
        document = self.objects.pop(key)
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        self.log.append((self.version, "DELETED", key, copy.deepcopy(document)))
        owned = [other for other, one in self.objects.items() if _owner(one) == document["metadata"]["uid"]]
        self.changed.notify_all()
        for other in owned:
            self.delete(other)
        return document


def _owner(document: Object) -> str | None:
    return next((one["uid"] for one in document["metadata"].get("ownerReferences") or ()), None)
