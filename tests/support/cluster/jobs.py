"""A kubelet that pretends the Job which makes images: nothing is masked, what it says is signed as it should be."""

from __future__ import annotations

import datetime as dt
import json
import socket
import tempfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from envclone import attestation, keys, records
from envclone.models import Consistency, Image, RawSnapshot, StoreSnapshot
from envclone.runtimes.kubernetes.quarantine import handover
from tests.support.cluster.controllers import Controllers, Pretended
from tests.support.cluster.store import Key, Object

__all__ = ["Jobs"]


@dataclass
class Jobs(Pretended):
    """`ends` are how the pods end that come next, by their exit codes and what they wrote; then one makes the image.

    `signer` signs instead of the key that the Job was given. Pods in `held` stay pending.
    """

    ends: list[tuple[int, str]] = field(default_factory=list)
    signer: str = ""
    held: bool = False
    pad: int = 0
    changed: dict[str, Any] = field(default_factory=dict)
    written: dict[tuple[str, str], str] = field(default_factory=dict)
    finished: set[tuple[str, str]] = field(default_factory=set)
    orders: list[dict[str, Any]] = field(default_factory=list)
    _calls: dict[tuple[str, str], Any] = field(default_factory=dict)

    def start(self, controllers: Controllers, key: Key, document: Object) -> Object:
        """Say what a pod of a Job has come to; every other pod is ready."""
        if document["spec"]["containers"][0]["name"] != "image":
            return super().start(controllers, key, document)
        status = super().start(controllers, key, document)
        if self.held:
            return {**status, "phase": "Pending"}
        here = (key.namespace, key.name)
        if self.ends:
            code, text = self.ends.pop(0)
            self.written[here] = text
            self.finished.add(here)
            return _over(status, code)
        name = document["spec"]["volumes"][2]["secret"]["secretName"]
        secret = controllers.api.store.get(Key("/api/v1", "secrets", key.namespace, name))["stringData"]
        order = json.loads(secret["order.json"])
        self.orders.append(order)
        event = {"step": "masking", "done": 0, "total": None, "unit": "", "stage": True, "number": 0, "of": 0}
        self.written[here] = json.dumps({"progress": event}) + "\n" + json.dumps({"made": "img-made"}) + "\n"

        def serve() -> None:
            with tempfile.TemporaryDirectory() as folder:
                files = self._files(Path(folder), order, secret)
                with socket.create_server(("127.0.0.1", 0)) as listening:
                    self._calls[here] = listening.getsockname()[1]
                    handover.serve(listening, secret["token"], files, lambda name: None)
            self.finished.add(here)
            controllers.api.store.edit(key, lambda there: there.update(status=_over(status, 0)))

        threading.Thread(target=serve, daemon=True).start()
        return status

    def _files(self, place: Path, order: dict[str, Any], secret: dict[str, str]) -> dict[str, Path]:
        now = dt.datetime.now(dt.UTC)
        stores = order["stack"]["environments"][order["environment"]]["stores"]
        made = {name: StoreSnapshot(name, one["kind"], "volume", "18.4", now, 0, 0, 0) for name, one in stores.items()}
        project = order["stack"]["project"]
        raw = RawSnapshot(order["raw"], order["environment"], now, made, Consistency.SINGLE, project=project)
        ident = "img-made" if len(self.orders) == 1 else f"img-made-{len(self.orders)}"
        image = Image(ident, order["environment"], now, raw, order["rules"], _key_id(secret), project=project)
        image = replace(image, **self.changed)
        folder = place / "keys"
        folder.mkdir(mode=0o700)
        (folder / "signing.key").write_text(self.signer or secret["signing.key"])
        (folder / "signing.key").chmod(0o600)
        (place / "image").mkdir()
        (place / "image" / "file").write_text("x")
        statement = {"image": records.dump(image), "stores": {}, "checks": {}, "pad": "ü" * self.pad}
        attestation.seal(place / "image", statement, folder)
        (place / "identities").write_text("whom")
        (place / "plan").write_text("{}")
        return {
            handover.ATTESTATION: place / "image" / attestation.ATTESTATION,
            handover.SIGNATURE: place / "image" / attestation.SIGNATURE,
            handover.MANIFEST: place / "image" / attestation.MANIFEST,
            handover.IDENTITIES: place / "identities",
            handover.PLAN: place / "plan",
        }

    def connect(self, namespace: str, name: str, port: int) -> socket.socket:
        """A connection to what the Job's pod hands over."""
        if port != handover.PORT:
            raise ConnectionRefusedError
        for _ in range(200):
            if (inside := self._calls.get((namespace, name))) is not None:
                return socket.create_connection(("127.0.0.1", inside))
            threading.Event().wait(0.01)
        raise ConnectionRefusedError

    def tail(self, namespace: str, name: str, container: str) -> str | None:
        """What a Job's pod wrote."""
        return self.written.get((namespace, name))

    def is_over(self, namespace: str, name: str) -> bool:
        """Whether it is at its end."""
        return (namespace, name) in self.finished or (namespace, name) not in self.written


def _key_id(secret: dict[str, str]) -> str:
    return keys.key_id(bytes.fromhex(secret["project.key"]))


def _over(status: Object, code: int) -> Object:
    (one,) = status["containerStatuses"]
    done = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
    return {
        **status, "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [{**one, "ready": False, "state": done}],
    }  # fmt: skip
