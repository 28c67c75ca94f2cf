"""A real Qdrant server, the program that QDRANT_BIN names, on the recorded storage directory."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone import wait
from envclone.errors import EnvcloneError
from envclone.models import Secret
from envclone.stores.qdrant.live.client import Client
from tests.support.ports import unused_port
from tests.support.qdrant_server import KEY, READER
from tests.support.recorded import unpack

__all__ = ["Real", "running"]


@dataclass(frozen=True)
class Real:
    """A server that runs."""

    client: Client

    @property
    def left(self) -> list[str]:
        """The snapshots of shards that lie on it."""
        shards = {"articles": 1, "hybrid": 1, "plain": 1, "tenants": 2}
        wheres = [f"/collections/{name}/shards/{n}/snapshots" for name, count in shards.items() for n in range(count)]
        return [one["name"] for where in wheres for one in self.client.get(where).result]


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Real]:
    """The server, with its own key and one that may only read, until the end of the block."""
    storage = unpack(directory)
    ports = [unused_port(), unused_port()]
    settings = {
        "SERVICE__HOST": "127.0.0.1",
        "SERVICE__HTTP_PORT": str(ports[0]),
        "SERVICE__GRPC_PORT": str(ports[1]),
        "SERVICE__API_KEY": KEY,
        "SERVICE__READ_ONLY_API_KEY": READER,
        "STORAGE__STORAGE_PATH": str(storage),
        "STORAGE__SNAPSHOTS_PATH": str(directory / "snapshots"),
        "STORAGE__TEMP_PATH": str(directory / "temp"),
        "TELEMETRY_DISABLED": "true",
    }
    for name in ("snapshots", "temp"):
        (directory / name).mkdir()
    env = {**os.environ, **{f"QDRANT__{name}": value for name, value in settings.items()}}
    client = Client(f"http://127.0.0.1:{ports[0]}", Secret(KEY))
    with (directory / "qdrant.log").open("wb") as log:
        server = subprocess.Popen(
            [os.environ["QDRANT_BIN"]], env=env, cwd=directory, stdout=log, stderr=subprocess.STDOUT
        )
    try:

        def ready() -> bool | None:
            assert server.poll() is None, (directory / "qdrant.log").read_text()[-2000:]
            with contextlib.suppress(EnvcloneError):
                return len(client.get("/collections").result["collections"]) == 4 or None
            return None

        wait.until(ready, what="the Qdrant server was not ready", timeout=60)
        yield Real(client)
    finally:
        server.terminate()
        server.wait(60)
