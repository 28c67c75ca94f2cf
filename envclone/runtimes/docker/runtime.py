"""The docker runtime: every store and service of a branch a container, all in one sealed network namespace."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from envclone import registry
from envclone.accounts import account_of, hand_over
from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.models import Branch, Cassette, Container, Credentials, Endpoint, Preview
from envclone.private import write_private
from envclone.profiles.profile import Profile, parse
from envclone.protocols import Progress
from envclone.runtimes.docker import compose, engine, gatekeeper, plan, playing, serverimage, start
from envclone.runtimes.docker.containers import Containers
from envclone.runtimes.docker.images import ensure_sandbox, resolve
from envclone.runtimes.docker.insight import DockerInsight
from envclone.runtimes.docker.witness import DockerWitness

__all__ = ["DockerRuntime"]

COMPOSE = "compose.yaml"


class DockerRuntime:
    """Renders a compose file, has compose make the containers, and starts them in order.

    A store that names no image runs in one made of this machine's own server; one that has none is read as files.
    """

    name: ClassVar[str] = "docker"
    elsewhere: ClassVar[bool] = False

    def inside(self, branch: Branch, directory: Path, credentials: Credentials) -> Mapping[str, Endpoint]:
        """How services reach the stores: by their names, which all stand for 127.0.0.1; an embedded one by its path."""
        found = {name: one.endpoint for name, one in self._containers(branch, directory, credentials).items()}
        for name, snapshot in branch.stores.items():
            if name not in found:
                server = registry.server(snapshot.kind)
                found[name] = server.serve(directory / name, snapshot, credentials, port=None, log=directory / "log")
        return {name: found[name] for name in branch.stores}

    def have(self, images: Mapping[str, str], progress: Progress) -> None:
        """Look for each image by its digest, and pull the one that is not here."""
        with contextlib.closing(engine.connect()) as client:
            for pinned in images.values():
                resolve(client, pinned, progress)

    def prepare(
        self, branch: Branch, directory: Path, credentials: Credentials, preview: Preview, progress: Progress
    ) -> Mapping[str, str]:
        """Find or make every image, and write the compose file and the plan; returns each part's image by content."""
        containers = self._containers(branch, directory, credentials)
        profiles = _profiles(branch)
        account = account_of(directory / next(iter(branch.stores)))
        with contextlib.closing(engine.connect()) as client:
            pinned = {compose.SANDBOX: ensure_sandbox(client)}
            for name in containers:
                asked = preview.images.get(name)
                if asked is None:
                    own = registry.contained(branch.stores[name].kind).own_files(branch.stores[name])
                    if own is None:
                        raise UsageError(f"the store '{name}' names no image", hint=f"stores.{name}.image in the file")
                    asked = serverimage.ensure(client, own, progress)
                pinned[name] = resolve(client, asked, progress)
            for name, service in preview.services.items():
                pinned[name] = resolve(client, preview.images.get(name) or service.image, progress)
        text = compose.render(
            branch,
            directory,
            containers,
            preview,
            pinned,
            profiles,
            pool=directory.parent.parent,
            account=f"{account.uid}:{account.gid}",
            parts=compose.template(preview.template),
        )
        if branch.cassettes or branch.lives:
            playing.make_authority(directory)
        write_private(directory / COMPOSE, text)
        plan.save(plan.made_of(preview, {name: one.endpoint.port or 0 for name, one in containers.items()}), directory)
        return pinned

    def start(
        self, branch: Branch, directory: Path, credentials: Credentials, *, port: int | None = None
    ) -> Mapping[str, Endpoint]:
        """Start the sandbox, its gate, the stores, then the services in order; on failure all is stopped again."""
        planned = plan.load(directory)
        containers = self._containers(branch, directory, credentials)
        with contextlib.closing(engine.connect()) as client:
            there = Containers(client, directory.parent.parent, branch.name)
            try:
                for name, store in branch.stores.items():
                    if name in containers:
                        registry.contained(store.kind).make_ready(directory / name, store, credentials)
                    else:
                        hand_over(directory / name, account_of(directory / name))  # which the services run as
                engine.compose(directory / COMPOSE, project(directory), "create", "--pull", "never", "--no-build")
                return start.start(there, branch, directory, credentials, containers, planned, port)
            except BaseException:
                with contextlib.suppress(EnvcloneError):
                    there.stop()
                gatekeeper.shut(directory)
                raise

    def stop(self, branch: Branch, directory: Path) -> None:
        """Stop the services, then the stores, then the sandbox; the containers stay, with what they wrote."""
        there = gatekeeper.shut(directory)
        if not (directory / COMPOSE).exists() and not there:
            return
        with contextlib.closing(engine.connect()) as client:
            Containers(client, directory.parent.parent, branch.name).stop()

    def remove(self, name: str, directory: Path) -> None:
        """Remove the branch's containers and their volumes, found by label, and its gate."""
        gatekeeper.shut(directory)
        try:
            client = engine.connect()
        except EnvcloneError:
            if (directory / COMPOSE).exists():
                raise
            return  # it never had containers
        with contextlib.closing(client):
            Containers(client, directory.parent.parent, name).remove()

    def running(self, branch: Branch, directory: Path) -> Mapping[str, bool]:
        """Which stores and services run, and can be reached."""
        parts = [*branch.stores, *branch.services]
        try:
            with contextlib.closing(engine.connect(timeout=15)) as client:
                there = Containers(client, directory.parent.parent, branch.name).states()
        except EnvcloneError:
            return dict.fromkeys(parts, False)
        sandbox = there.get(compose.SANDBOX)
        reached = sandbox is not None and sandbox.running and gatekeeper.stands(directory, sandbox.pid)
        embedded = {name for name in branch.stores if name not in branch.images}
        return {name: reached and (name in embedded or (name in there and there[name].running)) for name in parts}

    def evidence(self, branch: Branch, directory: Path) -> AbstractContextManager[DockerWitness]:
        """A witness that reads the kernel's counters of each container while it lives, and the engine's events."""
        return DockerWitness(engine.connect(), directory.parent.parent, branch.name)

    def playing(self, branch: Branch, directory: Path, cassette: Cassette | None) -> playing.DockerPlaying:
        """A player in the sandbox's own network, and the counters of what leaves it."""
        with contextlib.closing(engine.connect()) as client:
            there = Containers(client, directory.parent.parent, branch.name).states()
        sandbox = there.get(compose.SANDBOX)
        if sandbox is None or not sandbox.running:
            raise UnsafeError(f"the sandbox of '{branch.name}' does not run", hint=f"envclone start {branch.name}")
        services = {name: there[name].pid for name in branch.services if name in there and there[name].running}
        return playing.DockerPlaying(directory, sandbox.pid, cassette, services)

    def unlimited(self) -> str | None:
        """Why there is no engine; None when there is one, for it can limit."""
        return engine.unavailable()

    def orphans(self, pool: Path) -> Mapping[str, str]:
        """Containers of this pool, by the branch that their label names."""
        try:
            client = engine.connect(timeout=15)
        except EnvcloneError:  # no engine here, or none that could have any
            return {}
        with contextlib.closing(client):
            return Containers.by_branch(client, pool)

    def insight(self, branch: Branch, directory: Path) -> DockerInsight:
        """A look into the containers."""
        return DockerInsight(directory.parent.parent, branch.name)

    def _containers(self, branch: Branch, directory: Path, credentials: Credentials) -> dict[str, Container]:
        """How each store runs that runs in a container: it names an image, or one can be made here."""
        profiles, made = _profiles(branch), {}
        taken: set[int] = set()
        for name, snapshot in branch.stores.items():
            adapter = registry.contained(snapshot.kind)
            if name not in branch.images and adapter.own_files(snapshot) is None:
                continue
            port = adapter.base_port()
            while port in taken:
                port += 1
            taken.add(port)
            made[name] = adapter.container(
                directory / name,
                snapshot,
                credentials,
                port=port,
                overrides=profiles[name].settings if name in profiles else {},
            )
        return made


def project(directory: Path) -> str:
    """The name of a branch's compose project, which no other pool's branch has."""
    return f"envclone-{directory.name}-{hashlib.blake2b(os.fsencode(directory), digest_size=4).hexdigest()}"


def _profiles(branch: Branch) -> dict[str, Profile]:
    return {name: parse(values, name) for name, values in branch.profiles.items()}
