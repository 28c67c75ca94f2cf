"""Hooks before they are trusted: which there are, and one of them tried on a sample in quarantine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from envclone import registry
from envclone.errors import UnsafeError, UsageError
from envclone.hooks.hooks import Hook, SqlHook
from envclone.hooks.hookset import HookSet
from envclone.lifecycle import quarantine
from envclone.lifecycle.sanitize import load_masks
from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.models import ProgressEvent, RawSnapshot
from envclone.pool.workdir import workdir
from envclone.project import Project

__all__ = ["Tried", "listed", "try_hook"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a hook made of a sample: per field the values before and after, row by row; `found` is what it reported."""

    hook: str
    stage: str
    fields: Mapping[str, Sequence[tuple[Any, Any]]]
    found: Sequence[str] = ()


def listed(project: Project) -> Sequence[Hook | SqlHook]:
    """The hooks of the stack file, in its order. Raises UnsafeError naming a file that does not start."""
    hooks = project.hooks()
    try:
        return [*hooks.sql, *hooks.hooks]
    finally:
        hooks.close()


def try_hook(
    project: Project, name: str, environment: str, *, rows: int, values: Sequence[str] = (), show: bool = False
) -> Tried:
    """Run one hook on given values, or on the first rows of the newest snapshot, on a private clone that goes away.

    `name` is a file, a function's name, or `FILE:NAME`. Raises UsageError when it means none or several hooks, or when
    there is no snapshot.
    """
    hooks = project.hooks(show=show)
    with ExitStack() as held:
        held.callback(hooks.close)
        hook = _named(hooks, name)
        raw = held.enter_context(quarantine.using(project, environment))
        masks = _masks(project, raw, hooks)
        if values:
            if isinstance(hook, SqlHook) or hook.reads:
                raise UsageError(f"{name} works on rows, not on single values", hint="leave --value away")
            return Tried(
                _title(hook), hook.stage, {"value": list(zip(values, hooks.mask(hook.domain, values), strict=True))}
            )
        if raw is None:
            raise UsageError(
                f"there is no snapshot of {environment} to try it on",
                hint=f"envclone snapshot {environment}, or give values: --value 'some text'",
            )
        return _on_clone(project, raw, hooks, hook, masks, rows)


def _on_clone(
    project: Project, raw: RawSnapshot, hooks: HookSet, hook: Hook | SqlHook, masks: MaskSet, rows: int
) -> Tried:
    with workdir(project.pool, project.cow, "hooks") as directory:
        project.progress(ProgressEvent(f"opening a private clone of {hook.store}", 0))
        project.clone_raw(raw, directory)
        store = raw.stores[hook.store]
        opened = registry.store(store.kind).open(directory / hook.store, store, log=directory / f"{hook.store}.log")
        with opened as session:
            if isinstance(hook, SqlHook):
                before = session.sample(hook.writes, rows) if hook.writes else {}
                found = session.run(hook.text, hook.file, writes=hook.writes, timeout=600)
                after = session.sample(hook.writes, rows) if hook.writes else {}
                fields = {a: list(zip(before[a], after[a], strict=False)) for a in hook.writes}
                return Tried(_title(hook), hook.stage, fields, [f"{found} rows"] if hook.stage == "verify" else [])
            if hook.stage == "verify":
                column = hook.reads[0]
                batch = session.sample([column], rows)[column]
                told = hooks.call(hook, {column: batch})
                return Tried(_title(hook), hook.stage, {column: list(zip(batch, map(bool, told), strict=True))})
            if not hook.writes:
                raise UsageError(
                    f"{_title(hook)} writes no column of its own", hint="give it values: --value 'some text'"
                )
            sample = session.sample([hook.writes, *hook.reads], rows)
            new = hooks.call(hook, sample)
            return Tried(_title(hook), hook.stage, {hook.writes: list(zip(sample[hook.writes], new, strict=True))})


def _masks(project: Project, raw: RawSnapshot | None, hooks: HookSet) -> MaskSet:
    """The masks, with the identities of the snapshot's last image when there was one."""
    if raw is not None:
        try:
            return load_masks(project, raw, hooks)
        except UnsafeError:
            pass
    return MaskSet(project.masking_key, project.domains, Corpus(), hooks, nobody=project.nobody, tagger=project.tagger)


def _named(hooks: HookSet, name: str) -> Hook | SqlHook:
    everything: list[Hook | SqlHook] = [*hooks.sql, *hooks.hooks]
    found = [one for one in everything if name in (_title(one), one.file, getattr(one, "name", None), one.domain)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(_title(one) for one in (found or everything)) or "none"
    what = "is not a hook" if not found else "means several hooks"
    raise UsageError(f"'{name}' {what}; there are: {there}", hint="list them under sanitize.hooks in the stack file")


def _title(hook: Hook | SqlHook) -> str:
    return hook.file if isinstance(hook, SqlHook) else f"{hook.file}:{hook.name}"


def as_text(value: Any) -> str:
    """A value for a table."""
    return "NULL" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
