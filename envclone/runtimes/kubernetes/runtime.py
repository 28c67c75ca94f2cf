"""The kubernetes runtime: a branch is a namespace of a cluster, its data are volumes cloned from a snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from envclone import registry
from envclone.errors import EnvcloneError, UsageError
from envclone.runtimes.kubernetes import endpoints, plan, removal, start
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.images import volumes_of
from envclone.runtimes.kubernetes.insight import KubernetesInsight
from envclone.runtimes.kubernetes.pod import POD
from envclone.runtimes.kubernetes.settings import Kept, keep, kept, known, place_of, settings_of
from envclone.runtimes.kubernetes.witness import KubernetesWitness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envclone.config.cluster import KubernetesConfig
    from envclone.doctor import Finding
    from envclone.models import Branch, Cassette, Container, Credentials, Endpoint, Heard, Preview
    from envclone.protocols import Progress
    from envclone.runtimes.kubernetes.quarantine.place import KubernetesQuarantine

__all__ = ["KubernetesPlaying", "KubernetesRuntime"]


class KubernetesRuntime:
    """Makes the objects of a branch, waits until its pod is ready, and leads from 127.0.0.1 into it."""

    name: ClassVar[str] = "kubernetes"
    elsewhere: ClassVar[bool] = True

    def inside(self, branch: Branch, directory: Path, credentials: Credentials) -> Mapping[str, Endpoint]:
        """How services reach the stores: by their names, which all stand for 127.0.0.1 in the pod."""
        return {name: one.endpoint for name, one in self._containers(branch, credentials).items()}

    def have(self, images: Mapping[str, str], progress: Progress) -> None:
        """Look that each is named by its digest; the nodes pull them."""
        for name, image in images.items():
            plan.require_pinned(name, image)

    def prepare(
        self, branch: Branch, directory: Path, credentials: Credentials, preview: Preview, progress: Progress
    ) -> Mapping[str, str]:
        """Check the image's record on the cluster, and write the manifests; nothing is made there yet."""
        settings = settings_of(branch)
        place = place_of(branch, directory, settings)
        containers = self._containers(branch, credentials)
        keep(directory, Kept(settings.context, place.namespace, place.images))
        with connect(settings.context) as cluster:
            there = volumes_of(
                cluster, place.images, branch.image, branch.attested, list(branch.stores), _keys(directory)
            )
        made = plan.made_of(branch, place, settings, containers, preview, credentials, there)
        plan.save(made, directory, branch.name)
        return {part.name: part.image for part in plan.parts_of(branch, containers, preview, settings)}

    def start(
        self, branch: Branch, directory: Path, credentials: Credentials, *, port: int | None = None
    ) -> Mapping[str, Endpoint]:
        """Make what is not there yet, start the pod, and open the ways into it; on failure the pod is stopped again."""
        settings, planned = settings_of(branch), plan.load(directory)
        place = place_of(branch, directory, settings)
        containers = self._containers(branch, credentials)
        with self._cluster(directory) as cluster:
            try:
                start.start(cluster, planned, place, settings)
                return self._endpoints(branch, directory, containers, planned, settings.context, port)
            except BaseException:
                endpoints.shut(directory)
                with contextlib.suppress(EnvcloneError):
                    removal.stop(cluster, place.namespace, grace=0)
                raise

    def stop(self, branch: Branch, directory: Path) -> None:
        """Stop the pod, and wait until it is gone; its volumes stay."""
        endpoints.shut(directory)
        if (there := kept(directory)) is not None:
            with connect(there.context) as cluster:
                removal.stop(cluster, there.namespace)

    def remove(self, name: str, directory: Path) -> None:
        """Remove the branch's namespace, and what of it has none; found by label where nothing says which."""
        endpoints.shut(directory)
        there, pool = kept(directory), directory.parent.parent
        if there is None and directory.exists():
            return  # it never was on a cluster: that is written down before anything is made there
        for context in [there.context] if there is not None else known(pool):
            with connect(context) as cluster:
                removal.remove(cluster, name, pool)

    def running(self, branch: Branch, directory: Path) -> Mapping[str, bool]:
        """Which stores and services are ready, and can be reached from here."""
        parts = [*branch.stores, *branch.services]
        there = kept(directory)
        if there is None or not endpoints.stands(directory):
            return dict.fromkeys(parts, False)
        try:
            with connect(there.context, deadline=15) as cluster:
                found = start.readiness(cluster.get("Pod", POD, there.namespace))
        except EnvcloneError:
            return dict.fromkeys(parts, False)
        return {name: found.get(name, False) for name in parts}

    def evidence(self, branch: Branch, directory: Path) -> KubernetesWitness:
        """A witness that reads the pod's status, its events and its node's counters."""
        there = kept(directory)
        if there is None:
            raise UsageError(f"the branch '{branch.name}' was never on a cluster", hint=f"envclone rm {branch.name}")
        return KubernetesWitness(connect(there.context), there.namespace)

    def playing(self, branch: Branch, directory: Path, cassette: Cassette | None) -> KubernetesPlaying:
        """Nothing plays in a pod. Raises UsageError when there is something to play."""
        if cassette is not None:
            raise UsageError(
                f"the branch '{branch.name}' runs on a cluster, where no cassette plays",
                hint=f"envclone branch {branch.environment} --runtime docker makes one that it plays to",
            )
        return KubernetesPlaying()

    def unlimited(self) -> str | None:
        """Every part has requests that are its limits."""
        return None

    def orphans(self, pool: Path) -> Mapping[str, str]:
        """Namespaces of this pool, by the branch that their label names, on every cluster it was on."""
        found: dict[str, str] = {}
        for context in known(pool):
            with contextlib.suppress(EnvcloneError), connect(context, deadline=15) as cluster:
                found |= removal.by_branch(cluster, pool)
        return found

    def examine(self, settings: KubernetesConfig) -> Iterator[Finding]:
        """Whether branches can run on the cluster of these settings; see `health`."""
        from envclone.runtimes.kubernetes.health import examine

        return examine(settings)

    def quarantine(self) -> KubernetesQuarantine:
        """Where production's volumes are, and images of them are made."""
        from envclone.runtimes.kubernetes.quarantine.place import KubernetesQuarantine

        return KubernetesQuarantine()

    def insight(self, branch: Branch, directory: Path) -> KubernetesInsight:
        """A look into the pod."""
        return KubernetesInsight(branch, kept(directory))

    def _containers(self, branch: Branch, credentials: Credentials) -> dict[str, Container]:
        return plan.containers_of(branch, credentials)

    def _cluster(self, directory: Path) -> Cluster:
        there = kept(directory)
        return connect(there.context if there is not None else None)

    def _endpoints(
        self,
        branch: Branch,
        directory: Path,
        containers: Mapping[str, Container],
        planned: plan.Plan,
        context: str | None,
        port: int | None,
    ) -> dict[str, Endpoint]:
        from envclone.models import Endpoint

        namespace = planned.of("Pod", name=POD)[0]["metadata"]["namespace"]
        ways = [(inside, _before(branch, name, inside)) for name, inside in planned.ways]
        there = {
            name: registry.contained(branch.stores[name].kind).outside(directory / name, one.endpoint, 0)
            for name, one in containers.items()
        }
        sockets = {
            name: end.socket / f".s.PGSQL.{end.socket_port or end.port}"
            for name, end in there.items()
            if end.socket is not None
        }
        taken = endpoints.open_doors(
            directory, context, namespace, POD, ways, port, sockets=sockets, token=planned.token
        )
        found: dict[str, Endpoint] = {}
        for (name, inside), outside in zip(planned.ways, taken, strict=True):
            public = f"{planned.service}:{inside}" if planned.service else ""
            if name in containers:
                found[name] = replace(there[name], port=outside, public=public)
            else:
                key = name if name not in found else f"{name}:{inside}"
                found[key] = Endpoint(store=key, kind="http", host="127.0.0.1", port=outside, public=public)
        return found


def _before(branch: Branch, name: str, inside: int) -> int | None:
    """The port that a part had outside when it ran last."""
    endpoint = branch.endpoints.get(f"{name}:{inside}") or branch.endpoints.get(name)
    return endpoint.port if endpoint else None


def _keys(directory: Path) -> Path:
    return directory.parent.parent / "keys"


class KubernetesPlaying:
    """Where no cassette plays nothing is asked of one, and what leaves the pod is not seen."""

    def __enter__(self) -> KubernetesPlaying:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def heard(self) -> Heard:
        """Nothing."""
        from envclone.models import Heard

        return Heard()
