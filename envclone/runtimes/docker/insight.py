"""A look into a branch's containers: what they wrote, programs run in them, what they use."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from envclone.errors import UsageError
from envclone.profiles.cgroups import Meter
from envclone.runtimes.docker import engine
from envclone.runtimes.docker.compose import SANDBOX
from envclone.runtimes.docker.containers import Containers
from envclone.runtimes.docker.gatekeeper import LOG

__all__ = ["DockerInsight"]


class DockerInsight:
    """For one branch."""

    def __init__(self, pool: Path, branch: str) -> None:
        self._pool = pool
        self._branch = branch

    def logs(self, part: str, lines: int) -> str:
        """The last lines of what a part's container wrote, or of the gate's log. Raises UsageError for no such part."""
        if part == "gate":
            log = self._pool / "branches" / self._branch / LOG
            return "".join(line + "\n" for line in log.read_text().splitlines()[-lines:]) if log.exists() else ""
        with contextlib.closing(engine.connect()) as client:
            containers = Containers(client, self._pool, self._branch)
            self._known(containers, part)
            return containers.last_words(part, lines)

    def following(self, part: str) -> Sequence[str]:
        """`docker logs --follow` on it."""
        return ["docker", "logs", "--follow", "--tail", "20", self._id(part)]

    def command(self, part: str, argv: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """`docker exec` in it."""
        return ["docker", "exec", *(["--interactive", "--tty"] if terminal else []), self._id(part), *argv]

    def stats(self) -> dict[str, dict[str, float]]:
        """What each container's control group uses now."""
        with contextlib.closing(engine.connect()) as client:
            states = Containers(client, self._pool, self._branch).states()
        meters = {part: Meter.of_process(state.pid) for part, state in states.items() if state.running}
        return {part: meter.usage() for part, meter in sorted(meters.items()) if meter is not None and part != SANDBOX}

    def _id(self, part: str) -> str:
        with contextlib.closing(engine.connect()) as client:
            return self._known(Containers(client, self._pool, self._branch), part)

    def _known(self, containers: Containers, part: str) -> str:
        ids = containers.ids()
        if part not in ids:
            there = ", ".join(sorted(name for name in ids if name != SANDBOX)) or "none"
            raise UsageError(f"the branch '{self._branch}' has no container '{part}'; there are: {there}")
        return ids[part]
