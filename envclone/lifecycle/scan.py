"""Scan: open the newest snapshot in private, look at every field without a rule, and propose one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from envclone import registry
from envclone.address import Address
from envclone.lifecycle import snapshot
from envclone.masking.addresses import below, matches
from envclone.masking.jsontext import leaves, parse_path
from envclone.masking.kinds import flat
from envclone.masking.shown import general, is_plain
from envclone.models import Field, FieldKind, Inventory, ProgressEvent
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.scan.propose import Proposal, Sample, propose
from envclone.scan.values import look

if TYPE_CHECKING:
    from envclone.protocols import StoreSession

__all__ = ["ROWS", "scan", "scan_session", "write"]

ROWS = 400
"""Values that are looked at per field."""


def scan(
    project: Project, environment: str, *, fresh: bool = False, everything: bool = False
) -> Mapping[str, Sequence[Proposal]]:
    """Proposals per store for the fields that have no rule, or with `everything` for all of them.

    The newest snapshot is used, or one is taken. Values are read on a private clone and leave it as shapes only.
    """
    project.environment(environment)
    rules = project.loaded.stack.sanitize.rules
    out: dict[str, Sequence[Proposal]] = {}
    with ExitStack() as held:
        raw = None if fresh else held.enter_context(snapshot.using(project, environment))
        raw = raw or held.enter_context(snapshot.take(project, environment))
        with workdir(project.pool, project.cow, "scan") as directory, ExitStack() as stack:
            project.clone_raw(raw, directory)
            for name, store in raw.stores.items():
                project.progress(ProgressEvent(f"opening {name}", 0))
                session = stack.enter_context(
                    registry.store(store.kind).open(directory / name, store, log=directory / f"{name}.log")
                )
                known = {} if everything else rules.get(name, {})
                out[name] = scan_session(session, known, project)
    return out


def scan_session(session: StoreSession, rules: Mapping[str, object], project: Project | None = None) -> list[Proposal]:
    """Proposals for the fields of an open store that `rules` do not name."""
    inventory = session.inventory()
    fields = [field for field in inventory.fields.values() if not field.generated and not _ruled(field, rules)]
    samples = _samples(session, inventory, fields)
    out: list[Proposal] = []
    for i, field in enumerate(fields):
        if project is not None:
            project.progress(ProgressEvent("looking at fields", i, len(fields), "fields"))
        its = samples.get(field.address, {})
        doubtful = {path: one.texts for path, one in its.items() if one.texts and look(one.texts) is None}
        second = None
        if doubtful and field.kind in (FieldKind.TEXT, FieldKind.JSON):
            from envclone.scan.second import second_opinion

            second = second_opinion(doubtful, field.address)
        out += propose(field, its, second, _hidden_keys(field))
    return _follow(out, inventory)


def write(project: Project, proposals: Mapping[str, Sequence[Proposal]]) -> int:
    """Add the proposals to the stack file; returns how many rules were written."""
    from envclone.config.load import load
    from envclone.scan.write import added

    path = project.loaded.path
    before = path.read_text(encoding="utf-8")
    text = added(before, proposals)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    try:
        load(temporary)  # what is written must be a stack file still
        temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return sum(map(len, proposals.values()))


def _ruled(field: Field, rules: Mapping[str, object]) -> bool:
    return any(matches(pattern, field) or below(pattern, field) is not None for pattern in rules)


def _hidden_keys(field: Field) -> list[str]:
    """The keys of a field's documents that may be persons', as they are; they go no further than to be looked at."""
    keys = {step[1:] for path in field.paths for step in parse_path(path) if step.startswith(".")}
    return sorted(key for key in keys if not is_plain(key, field.common))


def _samples(session: StoreSession, inventory: Inventory, fields: Sequence[Field]) -> dict[str, dict[str, Sample]]:
    """Per field some of its values, by JSON path; '' stands for the field itself."""
    found: dict[str, dict[str, tuple[list[str], list[str]]]] = {}
    by_holder: dict[str, list[str]] = {}
    for field in fields:
        if field.kind is not FieldKind.VECTOR and field.address in inventory.rows.keys() | _columns(inventory):
            by_holder.setdefault(Address.parse(field.address).holder, []).append(field.address)
    for addresses in by_holder.values():
        for address, values in session.sample(addresses, ROWS).items():
            field = inventory.fields[address]
            its = found.setdefault(address, {})
            for value in values:
                if value is None:
                    continue
                if field.kind is FieldKind.JSON:
                    for leaf in leaves(value):
                        texts, numbers = its.setdefault(general(leaf.path, field.common), ([], []))
                        if leaf.kind != "bool":
                            (texts if leaf.kind == "string" else numbers).append(leaf.value)
                else:
                    texts = its.setdefault("", ([], []))[0]
                    texts.extend(flat(value) if field.kind is FieldKind.ARRAY else [str(value)])
    return {a: {path: Sample(*one) for path, one in its.items()} for a, its in found.items()}


def _columns(inventory: Inventory) -> set[str]:
    """The fields that stand in a table or collection and can be sampled there."""
    return {address for address in inventory.fields if Address.parse(address).holder in inventory.rows}


def _follow(proposals: Sequence[Proposal], inventory: Inventory) -> list[Proposal]:
    """Of fields tied by foreign keys the surest proposal for a mask counts for all; the others need no rule."""
    out: list[Proposal] = []
    told: set[str] = set()
    by_address = {one.address: one for one in proposals if not one.path}
    for one in proposals:
        field = inventory.fields[one.address]
        tied = [by_address[a] for a in sorted(field.group | {one.address}) if a in by_address]
        if one.path or len(tied) < 2:
            out.append(one)
        elif one.address not in told:
            told.update(other.address for other in tied)
            personal = [other for other in tied if other.personal]
            out.append(max(personal or tied, key=lambda other: other.confidence))
    return out
