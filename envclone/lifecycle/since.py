"""What in a branch is no longer as it was at its birth: rows that were written, indexes, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from envclone import attestation, registry
from envclone.errors import EnvcloneError
from envclone.models import Branch
from envclone.project import Project

__all__ = ["changed"]

_KINDS = ("index ", "vectors ", "collection ")
_BUILD, _TABLE = "build ", "table "
_SETTINGS = "settings of roles and databases"


def changed(project: Project, branch: Branch) -> tuple[str, ...]:
    """A line for each thing: what the image's attestation says of production, held against what the branch has now.

    A store that does not answer says nothing.
    """
    statement = attestation.read(project.pool.path_of("images", branch.image), project.pool.path_of("keys", ""))
    seen: Mapping[str, Any] = statement["checks"].get("production", {})
    found: list[str] = []
    for name, snapshot in branch.stores.items():
        with suppress(EnvcloneError):
            endpoint = branch.endpoints[name]
            server = registry.server(endpoint.kind)
            found += [f"{name}.{line}" for line in server.changed(endpoint)]
            known = seen.get(name, {})
            if any(what.startswith(_KINDS) or what == _SETTINGS for what in known):
                found += [f"{name}: {line}" for line in _differing(known, server.facts(endpoint, snapshot, ()))]
    return tuple(found)


def _differing(known: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Indexes, their builds, and settings; of what an image did not write down nothing is said."""
    for what in sorted(known.keys() | now.keys()):
        was, there = known.get(what), now.get(what)
        if what == _SETTINGS and was is not None and there is not None:
            before, after = (set(text.split("; ")) - {"none"} for text in (was, there))
            yield from (f"{one}, which production has not" for one in sorted(after - before))
            yield from (f"{one} in production, not here" for one in sorted(before - after))
        elif what.startswith(_BUILD) and was is not None and there not in (None, was):
            yield f"index {what.removeprefix(_BUILD)} was built again: it is {there}, in production {was}"
        elif what.startswith(_TABLE) and was is not None and there != was:
            rewritten = "was rewritten (VACUUM FULL, CLUSTER, TRUNCATE, REFRESH or ALTER TABLE)"
            yield f"{what} is gone" if there is None else f"{what} {rewritten}"
        elif what.startswith(_KINDS) and was != there and was is None:
            yield f"{what} is new ({there})"
        elif what.startswith(_KINDS) and was != there:
            yield f"{what} is gone" if there is None else f"{what} is {there}, in production {was}"
