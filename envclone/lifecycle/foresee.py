"""Proposals held against what an image is refused for: the search of the verifier is run on some rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from envclone.errors import EnvcloneError
from envclone.lifecycle import planning
from envclone.lifecycle.settle import settle
from envclone.lifecycle.verify import exceptions_of
from envclone.models import FieldKind, Inventory, ProgressEvent, StorePlan
from envclone.project import Project
from envclone.scan.arrange import rules_of
from envclone.scan.foreseen import Remedies
from envclone.scan.propose import Proposal

if TYPE_CHECKING:
    from envclone.hooks.hookset import HookSet
    from envclone.masking.masks import MaskSet
    from envclone.protocols import StoreSession
    from envclone.verifier.foresee import SomeRows

__all__ = ["foresee"]

_ROWS = 5000
"""Rows of each table that are looked at."""
_ROUNDS = 12
"""What is masked is looked for in the others, too, and of two columns that name a person together one is masked."""


def foresee(
    project: Project,
    hooks: HookSet,
    sessions: Mapping[str, StoreSession],
    inventories: Mapping[str, Inventory],
    proposals: Mapping[str, Sequence[Proposal]],
) -> dict[str, list[Proposal]]:
    """The settled proposals, with a mask where the verifier would find somebody in what is kept."""
    from envclone import compiled
    from envclone.verifier import foresee as verifier

    now = {name: list(its) for name, its in proposals.items()}
    if not any(one.domain == "keep" for its in now.values() for one in its):
        return now
    compiled.prepare(lambda text: project.progress(ProgressEvent(text, 0)))
    some: dict[str, verifier.SomeRows] = {}
    for name, session in sessions.items():
        project.progress(ProgressEvent(f"reading some rows of {name}", 0))
        texts = {a for a, field in inventories[name].fields.items() if field.kind is FieldKind.TEXT}
        some[name] = verifier.SomeRows(list(session.some(_ROWS)), session.links(), texts)
    config = project.loaded.stack.sanitize
    remedies = {
        name: Remedies(inventories[name], its.rows, config.rules.get(name, {}).keys()) for name, its in some.items()
    }
    masked = False  # at first for what is kept; then, with masks, for what those of texts leave
    for _ in range(_ROUNDS):
        try:
            rules = planning.declared(project, inventories, hooks, {name: rules_of(its) for name, its in now.items()})
        except EnvcloneError:
            return now  # rules of the stack file contradict each other: the image says how
        plans = {name: planning.attempt(project, inventories[name], rules.get(name, {}))[0] for name in some}
        project.progress(ProgressEvent("searching these rows", 0))
        masks = _masks(project, hooks, plans, some).field if masked else None
        leaks = verifier.foresee(
            some,
            plans,
            project.domains,
            project.nobody,
            references=config.references,
            accepted=exceptions_of(project),
            masks=masks,
        )
        its = {name: [one for one in leaks if one.store == name] for name in now}
        changed = [name for name in now if remedies[name].apply(now[name], its[name], masked=masked)]
        if not changed and masked:
            break
        if changed:
            now = settle(project, hooks, sessions, inventories, now)
        masked = masked or not changed
    return now


def _masks(
    project: Project,
    hooks: HookSet,
    plans: Mapping[str, StorePlan],
    some: Mapping[str, SomeRows],
) -> MaskSet:
    """The masks of an image of these rows alone."""
    from envclone.lifecycle.sanitize import identities_of
    from envclone.masking.masks import MaskSet

    corpus = identities_of(project, project.domains, plans, some)
    return MaskSet(
        project.masking_key, project.domains, corpus, hooks, project.net, project.nobody, tagger=project.tagger
    )
