"""The local runtime: a branch's stores as processes of this machine, reachable on 127.0.0.1 only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from envclone import registry
from envclone.errors import UsageError
from envclone.profiles import cgroups, disks
from envclone.profiles.processes import limit_process, tree_usage

if TYPE_CHECKING:
    from envclone.models import Branch, Cassette, Counters, Credentials, Endpoint, Heard, Preview
    from envclone.profiles.profile import Profile
    from envclone.protocols import Progress

__all__ = ["LocalInsight", "LocalPlaying", "LocalRuntime", "LocalWitness"]


class LocalRuntime:
    """Starts each store through its own adapter; an embedded store has nothing to start."""

    name: ClassVar[str] = "local"
    elsewhere: ClassVar[bool] = False

    def inside(self, branch: Branch, directory: Path, credentials: Credentials) -> Mapping[str, Endpoint]:
        """Nothing: there are no services here that would ask."""
        return {}

    def have(self, images: Mapping[str, str], progress: Progress) -> None:
        """Nothing to have: there are no images."""

    def prepare(
        self, branch: Branch, directory: Path, credentials: Credentials, preview: Preview, progress: Progress
    ) -> Mapping[str, str]:
        """Nothing to prepare, and no images."""
        return {}

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
                profile = _profile(branch, name)
                group = cgroups.Group(directory, name)
                started = None
                if profile is not None and confined and (profile.limits or profile.io != type(profile.io)()):
                    group.create(profile, disks.number_of(directory))
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
                if profile is not None and endpoint.pid is not None:
                    limit_process(endpoint.pid, profile.ulimits)
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

    def remove(self, name: str, directory: Path) -> None:
        """Nothing is kept elsewhere: control groups go when the servers stop."""

    def evidence(self, branch: Branch, directory: Path) -> AbstractContextManager[LocalWitness]:
        """The kernel's counters for each store that has limits."""
        groups = {name: cgroups.Group(directory, name) for name in branch.stores}
        return LocalWitness({name: group.meter for name, group in groups.items() if group.exists})

    def playing(self, branch: Branch, directory: Path, cassette: Cassette | None) -> LocalPlaying:
        """Nothing: it has no services that would ask. Raises UsageError when there is something to play."""
        if cassette is not None:
            raise UsageError(
                f"the branch '{branch.name}' runs as local processes, which have no services to play to",
                hint=f"envclone start {branch.name} --runtime docker",
            )
        return LocalPlaying()

    def unlimited(self) -> str | None:
        """Why this runtime cannot limit CPU and memory here; None when it can."""
        return cgroups.unavailable()

    def orphans(self, pool: Path) -> Mapping[str, str]:
        """None: its processes work in the branch's own directory, and are found there."""
        return {}

    def insight(self, branch: Branch, directory: Path) -> LocalInsight:
        """A look into the stores' processes."""
        return LocalInsight(branch, directory)


def _profile(branch: Branch, store: str) -> Profile | None:
    if store not in branch.profiles:
        return None
    from envclone.profiles.profile import parse  # a branch without profiles does not wait for their schema

    return parse(branch.profiles[store], store)


class LocalWitness:
    """Reads the counters at the beginning and at the end: a local group stays when what is in it dies."""

    def __init__(self, meters: Mapping[str, cgroups.Meter]) -> None:
        self._meters = meters
        self._before: dict[str, Counters] = {}

    def __enter__(self) -> LocalWitness:
        self._before = {name: meter.counters() for name, meter in self._meters.items()}
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def testify(self) -> dict[str, Counters]:
        """What was added since."""
        return {name: meter.counters().since(self._before[name]) for name, meter in self._meters.items()}


class LocalPlaying:
    """Where there are no services nothing is asked."""

    def __enter__(self) -> LocalPlaying:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def heard(self) -> Heard:
        """Nothing."""
        from envclone.models import Heard

        return Heard()


class LocalInsight:
    """A look into a branch's local processes."""

    def __init__(self, branch: Branch, directory: Path) -> None:
        self._branch = branch
        self._directory = directory

    def logs(self, part: str, lines: int) -> str:
        """The last lines of a store's log; '' when it wrote none."""
        path = self._log(part)
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 512 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:]) + "\n"

    def following(self, part: str) -> Sequence[str]:
        """`tail` on its log."""
        return ["tail", "--lines", "20", "--follow=name", "--retry", str(self._log(part))]

    def command(self, part: str, argv: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """There is no inside: local processes are on this host."""
        raise UsageError(
            f"the branch '{self._branch.name}' runs as local processes, which have no inside",
            hint=f"envclone psql {self._branch.name}, or: envclone start {self._branch.name} --runtime docker",
        )

    def stats(self) -> dict[str, dict[str, float]]:
        """What each store that has limits uses now; of others the processes' own memory."""
        found = {}
        for name, endpoint in self._branch.endpoints.items():
            group = cgroups.Group(self._directory, name)
            if group.exists:
                found[name] = group.meter.usage()
            elif endpoint.pid is not None:
                found[name] = tree_usage(endpoint.pid)
        return found

    def _log(self, part: str) -> Path:
        if part not in self._branch.stores:
            there = ", ".join(self._branch.stores)
            raise UsageError(f"the branch '{self._branch.name}' has no store '{part}'; there are: {there}")
        return self._directory / f"{part}.log"
