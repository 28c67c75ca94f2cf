"""Every object of a plan, in files whose names sort in the order that a cluster needs them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envclone.manifests import base, jobs, network, rbac
from envclone.manifests.plan import Plan
from envclone.manifests.serve import serve
from envclone.manifests.settings import tree
from envclone.manifests.text import plain, resolved
from envclone.manifests.values import settings

__all__ = ["Part", "objects", "parts", "stream", "texts"]

HEADER = "# Written by envclone manifests. Applied as it is; made again from the stack file, and not by hand."


@dataclass(frozen=True, slots=True)
class Part:
    """A file: its name, what it is for, and its objects, settings not yet put in."""

    name: str
    said: str
    objects: tuple[dict[str, Any], ...]
    when: tuple[str, ...] = ()
    """The setting that a chart makes it by; all of them are true by default."""


def parts(plan: Plan) -> Iterator[Part]:
    """All files of a plan; the same each time."""
    yield Part("00-namespaces", "Namespaces, each held to pod security `restricted`.", tuple(base.namespaces(plan)),
               ("namespaces", "create"))  # fmt: skip
    yield Part("10-accounts", "An account for each actor.", tuple(base.accounts(plan)))
    if plan.api:
        said = "What each actor may ask of the cluster, and why."
        yield Part("15-rights", said, tuple(rbac.roles(plan)))
    yield Part("20-network", "Nobody reaches anybody but by these.", tuple(network.policies(plan)))
    yield Part("30-stack", "The stack file.", tuple(base.stack(plan)))
    yield Part("40-storage", "The pool's volume, and how snapshots are kept.", tuple(base.storage(plan)))
    for kept in plan.kept:
        said = f"Images of {kept.environment}, made ahead."
        yield Part(f"50-keep-{kept.environment}", said, tuple(jobs.keep(plan, kept)))
    yield Part("60-gc", "What nobody needs, removed.", tuple(jobs.gc(plan)))
    if plan.serve:
        yield Part("70-serve", "The service for engineers.", tuple(serve(plan)))


def objects(plan: Plan) -> list[dict[str, Any]]:
    """All objects as they are applied."""
    values = tree(settings(plan))
    return [resolved(one, values) for part in parts(plan) for one in part.objects]


def texts(plan: Plan) -> dict[str, str]:
    """The files of plain YAML, by name."""
    values = tree(settings(plan))
    return {f"{part.name}.yaml": _text(part, values) for part in parts(plan)}


def stream(plan: Plan) -> str:
    """All of them as one text."""
    return "---\n".join(texts(plan).values())


def _text(part: Part, values: Mapping[str, Any]) -> str:
    return f"{HEADER}\n# {part.said}\n" + "---\n".join(plain(one, values) for one in part.objects)
