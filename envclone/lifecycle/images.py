"""The images that there are: found by the rules and the key that made them, checked before they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from envclone import attestation, keys, records
from envclone.errors import UnsafeError, UsageError
from envclone.hooks.hookset import HookSet, files_in
from envclone.hooks.worker import DEADLINE
from envclone.lifecycle.workspace import Workspace
from envclone.models import Image

if TYPE_CHECKING:
    from envclone.masking.kinds import DomainSpec
    from envclone.masking.presidio import Net

__all__ = ["check", "domains_of", "find", "hooks_of", "images", "net_of", "rules_digest"]


def domains_of(workspace: Workspace) -> Mapping[str, DomainSpec]:
    """The domains that the stack file declares, as the masks need them."""
    from envclone.masking.kinds import DomainSpec

    declared = workspace.loaded.stack.sanitize.domains
    return {
        name: DomainSpec(kind=domain.kind, unique=domain.unique, value=domain.value)
        for name, domain in declared.items()
    }


def rules_digest(workspace: Workspace) -> str:
    """The digest of everything in the stack file that decides what values become."""
    from envclone.masking.presidio import net_version
    from envclone.masking.rules import digest

    config = workspace.loaded.stack.sanitize
    return digest(
        config.rules,
        domains_of(workspace),
        config.references,
        hooks_of(workspace).digest(),
        net_version(config.presidio),
    )


def net_of(workspace: Workspace) -> Net | None:
    """The extra net over free text that the stack file asks for. Raises ConfigError when it is not installed."""
    from envclone.masking.presidio import net

    name = workspace.loaded.stack.sanitize.presidio
    return net(name) if name else None


def hooks_of(workspace: Workspace, *, deadline: float = DEADLINE, show: bool = False) -> HookSet:
    """The hooks of the stack file; no process runs yet. Raises ConfigError naming a file that is not there."""
    config = workspace.loaded.stack.sanitize
    stores = sorted({name for env in workspace.loaded.stack.environments.values() for name in env.stores})
    files = [*config.hooks, *files_in(config.rules)]
    return HookSet(workspace.loaded.directory, files, stores, listed=config.hooks, deadline=deadline, show=show)


def find(workspace: Workspace, environment: str) -> Image | None:
    """The newest image of an environment that was made by today's rules and key."""

    digest = rules_digest(workspace)
    key = keys.key_id(keys.masking_key(workspace.pool.path_of("keys", "")))
    mine = [
        image
        for image in images(workspace)
        if (image.environment, image.rules_digest, image.key_id) == (environment, digest, key)
    ]
    return max(mine, key=lambda image: image.raw.created_at, default=None)


def images(workspace: Workspace) -> Iterator[Image]:
    """Every image whose attestation is signed by this pool's key; the others are for `gc` and `verify` to name."""
    folder = workspace.pool.path_of("images", "")
    for entry in sorted(folder.iterdir()):
        try:
            statement = attestation.read(entry, workspace.pool.path_of("keys", ""))
        except UnsafeError:
            continue
        yield records.load(Image, statement["image"], what=f"the image {entry.name}")


def check(workspace: Workspace, ident: str, *, content: bool = False) -> Image:
    """The image of that id, checked against its attestation. Raises UnsafeError, or UsageError when there is none."""
    place = workspace.pool.path_of("images", ident)
    if not place.is_dir():
        raise UsageError(f"there is no image '{ident}'", hint="envclone images lists those there are")
    statement = attestation.check(place, workspace.pool.path_of("keys", ""), content=content)
    return records.load(Image, statement["image"], what=f"the image {ident}")
