"""The local runtime: a branch's stores as processes of this machine, reachable on 127.0.0.1 only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from envclone import registry
from envclone.models import Branch, Counters, Credentials, Endpoint
from envclone.profiles import cgroups
from envclone.profiles.profile import parse

__all__ = ["LocalRuntime"]


class LocalRuntime:
    """Starts each store through its own adapter; an embedded store has nothing to start."""

    name: ClassVar[str] = "local"

    def start(
        self, branch: Branch, directory: Path, credentials: Credentials, *, port: int | None = None
    ) -> Mapping[str, Endpoint]:
        """Start every store; when one fails the ones before it are stopped again.

        A store with a profile gets its settings, and a control group with its limits where such can be made.
        `port` is for the first store that listens; the others take what the kernel gives.
        """
        endpoints: dict[str, Endpoint] = {}
        confined = cgroups.unavailable() is None
        try:
            for name, snapshot in branch.stores.items():
                server = registry.server(snapshot.kind)
                profile = parse(branch.profiles[name], name) if name in branch.profiles else None
                group = cgroups.Group(directory, name)
                started = None
                if profile is not None and confined and profile.limits:
                    group.create(profile)
                    started = group.add
                endpoint = server.serve(
                    directory / name,
                    snapshot,
                    credentials,
                    port=port,
                    log=directory / f"{name}.log",
                    overrides=profile.settings if profile is not None else {},
                    started=started,
                )
                if started is not None and endpoint.pid is not None:
                    group.add_children(endpoint.pid)
                if endpoint.port is not None:
                    port = None
                endpoints[name] = endpoint
        except BaseException:
            self.stop(branch, directory)
            raise
        return endpoints

    def stop(self, branch: Branch, directory: Path) -> None:
        """Stop every store of the branch, and remove its control groups."""
        for name, snapshot in branch.stores.items():
            registry.server(snapshot.kind).stop(directory / name)
            cgroups.Group(directory, name).remove()

    def running(self, branch: Branch, directory: Path) -> Mapping[str, bool]:
        """Which stores answer."""
        return {
            name: registry.server(snapshot.kind).running(directory / name) for name, snapshot in branch.stores.items()
        }

    def evidence(self, branch: Branch, directory: Path) -> Mapping[str, Counters]:
        """The kernel's counters for each store that has limits."""
        groups = {name: cgroups.Group(directory, name) for name in branch.stores}
        return {name: group.counters() for name, group in groups.items() if group.exists}

    def unlimited(self) -> str | None:
        """Why this runtime cannot limit CPU and memory here; None when it can."""
        return cgroups.unavailable()
