"""The local runtime: a branch's stores as processes of this machine, reachable on 127.0.0.1 only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from envclone import registry
from envclone.models import Branch, Credentials, Endpoint

__all__ = ["LocalRuntime"]


class LocalRuntime:
    """Starts each store through its own adapter; an embedded store has nothing to start."""

    name: ClassVar[str] = "local"

    def start(
        self, branch: Branch, directory: Path, credentials: Credentials, *, port: int | None = None
    ) -> Mapping[str, Endpoint]:
        """Start every store; when one fails the ones before it are stopped again.

        `port` is for the first store that listens; the others take what the kernel gives.
        """
        endpoints: dict[str, Endpoint] = {}
        try:
            for name, snapshot in branch.stores.items():
                endpoint = registry.server(snapshot.kind).serve(
                    directory / name, snapshot, credentials, port=port, log=directory / f"{name}.log"
                )
                if endpoint.port is not None:
                    port = None
                endpoints[name] = endpoint
        except BaseException:
            self.stop(branch, directory)
            raise
        return endpoints

    def stop(self, branch: Branch, directory: Path) -> None:
        """Stop every store of the branch."""
        for name, snapshot in branch.stores.items():
            registry.server(snapshot.kind).stop(directory / name)

    def running(self, branch: Branch, directory: Path) -> Mapping[str, bool]:
        """Which stores answer."""
        return {
            name: registry.server(snapshot.kind).running(directory / name) for name, snapshot in branch.stores.items()
        }
