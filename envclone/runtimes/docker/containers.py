"""A branch's containers as the engine has them: found by label, started, stopped, removed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import UnsafeError
from envclone.runtimes.docker.compose import BRANCH, POOL, SANDBOX
from envclone.runtimes.docker.engine import explained

if TYPE_CHECKING:
    import docker

__all__ = ["Containers", "State"]

_PART = "com.docker.compose.service"


@dataclass(frozen=True, slots=True)
class State:
    """One container: its id, whether it runs, the process that is its first, its exit code."""

    id: str
    running: bool
    pid: int
    exit_code: int


class Containers:
    """Those of one branch of one pool."""

    def __init__(self, client: docker.DockerClient, pool: Path, branch: str) -> None:
        self._client = client
        self._labels = [f"{POOL}={pool}", f"{BRANCH}={branch}"]
        self.branch = branch

    @property
    def labels(self) -> list[str]:
        """What their labels are, for a filter."""
        return self._labels

    @property
    def client(self) -> docker.DockerClient:
        """The engine."""
        return self._client

    @classmethod
    def by_branch(cls, client: docker.DockerClient, pool: Path) -> dict[str, str]:
        """Every branch that has containers of this pool, and how many."""
        found: dict[str, int] = {}
        with explained("the containers cannot be listed"):
            for one in client.api.containers(all=True, filters={"label": [f"{POOL}={pool}"]}):
                branch = (one.get("Labels") or {}).get(BRANCH, "")
                found[branch] = found.get(branch, 0) + 1
        return {branch: f"{count} containers" for branch, count in found.items() if branch}

    def ids(self) -> dict[str, str]:
        """The id of each part's container."""
        with explained("the containers cannot be listed"):
            found = self._client.api.containers(all=True, filters={"label": self._labels})
        return {one["Labels"].get(_PART, one["Id"]): one["Id"] for one in found}

    def states(self) -> dict[str, State]:
        """Each part's container as it is now."""
        return {part: self.state(id) for part, id in self.ids().items()}

    def state(self, id: str) -> State:
        """One container as it is now."""
        with explained("a container cannot be looked at"):
            found: Mapping[str, Any] = self._client.api.inspect_container(id)["State"]
        return State(id, bool(found["Running"]), int(found["Pid"]), int(found["ExitCode"]))

    def start(self, part: str) -> State:
        """Start a part's container. Raises ResourceError with the engine's words when it cannot be."""
        ids = self.ids()
        if part not in ids:
            raise UnsafeError(
                f"compose made no container for '{part}'", hint="look at the branch's compose.yaml, or envclone reset"
            )
        with explained(f"the container of {part} does not start"):
            self._client.api.start(ids[part])
        return self.state(ids[part])

    def last_words(self, part: str, lines: int = 40) -> str:
        """What a part's container wrote last."""
        id = self.ids().get(part)
        if id is None:
            return ""
        with explained(f"what {part} wrote cannot be read"):
            return bytes(self._client.api.logs(id, tail=lines)).decode(errors="replace")

    def stop(self) -> None:
        """Stop them all at once, each in the way that its compose file says, and the sandbox last."""
        ids = self.ids()
        sandbox = ids.pop(SANDBOX, None)
        with explained("the containers do not stop"), ThreadPoolExecutor(8) as threads:
            list(threads.map(self._client.api.stop, ids.values()))
            if sandbox is not None:
                self._client.api.stop(sandbox)

    def remove(self) -> None:
        """Remove them all, with the volumes that their images made for them."""
        from docker.errors import NotFound

        ids = self.ids()
        for part in sorted(ids, key=lambda part: part == SANDBOX):
            with explained(f"the container of {part} cannot be removed"):
                try:
                    self._client.api.remove_container(ids[part], v=True, force=True)
                except NotFound:
                    continue  # somebody was faster
