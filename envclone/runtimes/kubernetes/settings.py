"""What a branch's record says of its cluster, and what is kept beside it to find its objects again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from envclone.config.cluster import KubernetesConfig
from envclone.errors import ConfigError, UnsafeError
from envclone.models import Branch
from envclone.private import write_private
from envclone.runtimes.kubernetes.names import Place, name_of, owner, pool_label

__all__ = ["Kept", "keep", "kept", "known", "place_of", "places", "remember_places", "settings_of"]

FILE = "cluster.json"
PLACES = "volumes.json"
KNOWN = "clusters.json"
"""In the pool: every context that a branch of it ever was on, for what is left there is found by label only."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a branch's objects are: the context of its cluster and what they are called."""

    context: str | None
    namespace: str
    images: str


def settings_of(branch: Branch) -> KubernetesConfig:
    """The settings that a branch was made with. Raises ConfigError when the stack file has none."""
    if not branch.settings:
        raise ConfigError(
            f"the environment {branch.environment} says nothing of its cluster",
            hint=f"environments.{branch.environment}.kubernetes in the stack file: `image:` at least",
        )
    return KubernetesConfig.model_validate(dict(branch.settings))


def place_of(branch: Branch, directory: Path, settings: KubernetesConfig) -> Place:
    """Where a branch is, or will be, on its cluster."""
    return Place(
        namespace=name_of(settings.prefix, branch.name),
        images=f"{settings.prefix}-images",
        branch=branch.name,
        pool=pool_label(directory.parent.parent),
        project=branch.project,
        owner=owner(),
    )


def keep(directory: Path, kept: Kept) -> None:
    """Write down where a branch will be, before anything is made there."""
    remember(directory.parent.parent, kept.context)
    _write(directory / FILE, asdict(kept))


def remember(pool: Path, context: str | None) -> None:
    """Write down that something of a pool may be on a context's cluster."""
    there = [one for one in known(pool) if one != context]
    _write(pool / KNOWN, [*there, context])


def remember_places(pool: Path, context: str | None, namespaces: Iterable[str]) -> None:
    """Write down where snapshots, Jobs and records of a pool may be: they are looked for there and nowhere else."""
    there = {tuple(one) for one in places(pool)} | {(context, one) for one in namespaces}
    remember(pool, context)
    _write(pool / PLACES, sorted(map(list, there), key=str))


def places(pool: Path) -> list[tuple[str | None, str]]:
    """Contexts and namespaces."""
    try:
        found = json.loads((pool / PLACES).read_text())
        return [(one[0], str(one[1])) for one in found]
    except (OSError, ValueError, TypeError, LookupError):
        return []


def kept(directory: Path) -> Kept | None:
    """Where a branch is; None for one that never was on a cluster. Raises UnsafeError when that cannot be read."""
    try:
        document: Mapping[str, Any] = json.loads((directory / FILE).read_text())
        return Kept(document["context"], str(document["namespace"]), str(document["images"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise UnsafeError(f"{directory / FILE} cannot be read: where the branch is on its cluster stood there") from exc


def known(pool: Path) -> list[str | None]:
    """The contexts that branches of a pool were on."""
    try:
        found = json.loads((pool / KNOWN).read_text())
    except (OSError, ValueError):
        return []
    return [one for one in found if one is None or isinstance(one, str)] if isinstance(found, list) else []


def _write(path: Path, value: Any) -> None:
    write_private(path, json.dumps(value) + "\n")
