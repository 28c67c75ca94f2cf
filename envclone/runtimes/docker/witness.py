"""What limits did to containers: the kernel's counters while their groups live, and the engine's events for the rest.

A container's control group goes with it, and its exit code and `OOMKilled` do not tell a kill by the kernel from one by
hand. So the counters are read again and again while a replay runs, and the engine's own `oom` and `die` events, which
it has from the kernel, are listened to.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from envclone import process
from envclone.models import Counters
from envclone.profiles.cgroups import Meter
from envclone.runtimes.docker.compose import SANDBOX
from envclone.runtimes.docker.containers import Containers

if TYPE_CHECKING:
    import docker

__all__ = ["DockerWitness"]

_EVERY = 0.05
_GRACE = 3.0
_PART = "com.docker.compose.service"


class DockerWitness:
    """Watches a branch's containers from entering to leaving; `client` is closed then."""

    def __init__(self, client: docker.DockerClient, pool: Path, branch: str) -> None:
        self._client = client
        self._containers = Containers(client, pool, branch)
        self._before: dict[str, Counters] = {}
        self._last: dict[str, Counters] = {}
        self._meters: dict[str, Meter] = {}
        self._pids: dict[str, int] = {}
        self._events: dict[str, Counter[str]] = {}
        self._codes: dict[str, int] = {}
        self._done = threading.Event()
        self._stream: Any = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> DockerWitness:
        for part, state in self._containers.states().items():
            if part != SANDBOX and state.running and (meter := Meter.of_process(state.pid)) is not None:
                self._meters[part], self._pids[part] = meter, state.pid
                self._before[part] = self._last[part] = meter.counters()
        self._stream = self._client.api.events(
            decode=True, filters={"label": self._containers.labels, "event": ["oom", "die", "start"]}
        )
        for work in (self._listen, self._read):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        with contextlib.suppress(Exception):
            self._stream.close()
        for thread in self._threads:
            thread.join(5)
        self._client.close()

    def testify(self) -> dict[str, Counters]:
        """What happened to each part since the beginning."""
        deadline = time.monotonic() + _GRACE
        for part, pid in self._pids.items():  # the end of a container is told a moment after it
            while not process.alive(pid) and part not in self._codes and time.monotonic() < deadline:
                time.sleep(_EVERY)
        self._sample()
        return {part: self._of(part) for part in self._meters}

    def _of(self, part: str) -> Counters:
        seen = self._last[part].since(self._before[part])
        told = self._events.get(part, Counter())
        return replace(
            seen,
            oom_kills=max(seen.oom_kills, told["oom"]),
            restarts=told["start"],
            exit_code=self._codes.get(part),
        )

    def _read(self) -> None:
        while not self._done.wait(_EVERY):
            self._sample()

    def _sample(self) -> None:
        for part, meter in self._meters.items():
            if meter.exists:
                now = meter.counters()
                if now.memory_peak or now.oom_kills:  # all zero: it went while it was read
                    self._last[part] = now

    def _listen(self) -> None:
        with contextlib.suppress(Exception):  # the stream ends with the client
            for event in self._stream:
                attributes = event.get("Actor", {}).get("Attributes", {})
                part = attributes.get(_PART, "")
                if event.get("Action") == "die":
                    self._codes[part] = int(attributes.get("exitCode", -1))
                self._events.setdefault(part, Counter())[str(event.get("Action"))] += 1
