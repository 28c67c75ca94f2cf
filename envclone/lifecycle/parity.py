"""What of production a branch has: side by side, row by row, with what is not known said so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from envclone import attestation, rebuilt, records, registry
from envclone.errors import UnsafeError
from envclone.lifecycle.branches import directory
from envclone.lifecycle.verify import kept
from envclone.models import Branch, BranchState, StorePlan
from envclone.profiles import machine
from envclone.profiles.profile import Profile, parse, size_text
from envclone.project import Project

__all__ = ["Parity", "Row", "parity"]


class Parity(StrEnum):
    """How a thing in the branch compares with production's."""

    MATCH = "match"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing: of which store, what it is, in production, in the branch, and how they compare."""

    store: str
    what: str
    production: str | None
    branch: str | None
    parity: Parity


def parity(project: Project, branch: Branch) -> list[Row]:
    """Every row of the report, by store. Raises UnsafeError when the branch does not run."""
    if branch.state is not BranchState.RUNNING:
        raise UnsafeError(f"the branch '{branch.name}' is {branch.state}", hint=f"envclone start {branch.name}")
    with project.pool.using("branches", branch.name), project.pool.using("images", branch.image):
        return _compared(project, branch)


def _compared(project: Project, branch: Branch) -> list[Row]:
    place = directory(project.pool, branch.name)
    with registry.observer(branch.runtime).evidence(branch, place) as witness:
        limited = witness.testify()
    pool = project.pool
    statement = attestation.read(pool.path_of("images", branch.image), pool.path_of("keys", ""))
    seen = statement["checks"].get("production", {})
    rows: list[Row] = []
    texts: list[str] = []
    for store, snapshot in branch.stores.items():
        profile = parse(branch.profiles.get(store, {}), store)
        rows += _host(store, profile, limited=store in limited)
        server = registry.server(snapshot.kind)
        known = {**server.production(snapshot), **seen.get(store, {}), **_settings(profile)}
        plan = records.load(StorePlan, statement["stores"][store]["plan"], what=f"the plan of {store}")
        there = server.facts(branch.endpoints[store], snapshot, kept(plan))
        texts += there.values()
        # a setting of which nothing is known in production tells nothing: a captured profile names those that count
        wanted = {what for what in {*known, *there} if what in known or not what.startswith("setting ")}
        rows += [_row(store, what, known.get(what), there.get(what, _gone(what, known))) for what in sorted(wanted)]
        rows += _image(store, profile, branch)
    for service in branch.services:
        profile = parse(branch.profiles.get(service, {}), service)
        rows += _host(service, profile, limited=service in limited)
        rows += _image(service, profile, branch)
    answers = None if branch.fidelity is None else f"{branch.fidelity:.1%}"
    if answers is not None and rebuilt.stores_of(branch.stores):
        answers = f"{answers} of a rebuilt copy's"
    rows.append(_row("all", "answers of vector indexes", None if answers is None else "100.0%", answers))
    rows += _models(project, branch, texts)
    return rows


def _gone(what: str, known: Mapping[str, str]) -> str | None:
    """What a branch has of rights over its server: none of them come along."""
    if not what.startswith("rights of "):
        return None
    return "no superuser" if "superuser" in known[what] else "taken away"


def _image(part: str, profile: Profile, branch: Branch) -> Iterator[Row]:
    """The image by its digest: what production runs is known when it was captured, or written down by digest."""
    here = branch.images.get(part)
    if profile.image is not None or here is not None:
        yield _row(part, "image", _digest(profile.image), _digest(here))


def _digest(image: str | None) -> str | None:
    """What of an image's name says its content; a tag says nothing."""
    if image is None or "sha256:" not in image:
        return None
    return "sha256:" + image.rpartition("sha256:")[2]


def _models(project: Project, branch: Branch, facts: Iterable[str]) -> Iterator[Row]:
    """The models that the stack file declares; of an embedding the branch shows the length of its vectors."""
    lengths = {int(match) for text in facts for match in re.findall(r"(?:vec(?:tor)?\(|size:)(\d+)", text)}
    for role, model in sorted(project.environment(branch.environment).models.items()):
        yield _row("all", f"model {role}", model.name, None)
        if model.dimensions is not None and lengths:
            here = str(model.dimensions) if model.dimensions in lengths else ", ".join(map(str, sorted(lengths)))
            yield _row("all", f"model {role}: dimensions", str(model.dimensions), here)


def _host(store: str, profile: Profile, *, limited: bool) -> Iterator[Row]:
    here = machine.here()
    yield _row(
        store, "cpus", _number(profile.cpus), _number(profile.cpus if limited and profile.cpus else here["cpus"])
    )
    memory = profile.memory if limited and profile.memory else here["memory"]
    yield _row(store, "memory", size_text(profile.memory) if profile.memory else None, size_text(memory))
    if profile.replicas is not None:
        yield _row(store, "replicas", str(profile.replicas), "1")
    yield _row(store, "kernel", profile.host.kernel, here["kernel"])
    yield _row(store, "architecture", profile.host.architecture, here["architecture"])


def _settings(profile: Profile) -> dict[str, str]:
    return {f"setting {name}": value for name, value in profile.settings.items()}


def _number(value: Any) -> str | None:
    return None if value is None else f"{value:g}"


def _row(store: str, what: str, production: str | None, branch: str | None) -> Row:
    if production is not None:  # as profiles were written that are older
        production = production.replace("-1 rows in", "never analysed,")
    if production is None or branch is None:
        found = Parity.UNKNOWN
    else:
        found = Parity.MATCH if production == branch else Parity.DIFFERS
    return Row(store, what, production, branch, found)
