"""Scan: open the newest snapshot in private, look at every field without a rule, and propose one that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import registry
from envclone.address import Address
from envclone.lifecycle import planning, preflight, quarantine, snapshot
from envclone.lifecycle.foresee import foresee
from envclone.lifecycle.settle import settle
from envclone.lifecycle.stages import COPYING, SCAN
from envclone.masking.jsonpaths import parse_path
from envclone.masking.jsonscan import render
from envclone.masking.jsontext import leaves
from envclone.masking.kinds import flat
from envclone.masking.planner import Planner
from envclone.masking.shown import general, is_plain
from envclone.models import Field, FieldKind, Inventory, ProgressEvent, RawSnapshot
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.scan.echoes import without_copies, without_echoes
from envclone.scan.holders import holders_of
from envclone.scan.preset import from_presets, together
from envclone.scan.propose import Proposal, Sample, propose, surest
from envclone.scan.values import look

if TYPE_CHECKING:
    from envclone.protocols import StoreSession

__all__ = ["ROWS", "require_writable", "rewrite", "scan", "scan_session", "write"]

ROWS = 400
"""Values that are looked at per field."""

Missing = Mapping[str, set[str]]
"""The fields without a rule, each with the paths inside it; '' is the field itself."""


def scan(
    project: Project, environment: str, *, fresh: bool = False, everything: bool = False
) -> Mapping[str, Sequence[Proposal]]:
    """Proposals per store for what an image would ask for, or with `everything` for all fields.

    The newest snapshot is used, or one is taken. Values are read on a private clone and leave it as shapes only. Every
    proposal was tried on it: the planner takes it, its pseudonyms keep the constraints of the first rows, and in these
    rows the verifier finds nobody in what is kept.
    """
    project.environment(environment)
    with ExitStack() as held:
        raw = None if fresh else held.enter_context(quarantine.using(project, environment))
        project = project.through(SCAN if raw is None else [stage for stage in SCAN if stage != COPYING])
        if raw is None:
            preflight.require(project, environment, rules=False)
            raw = held.enter_context(snapshot.take(project, environment))
        hooks = project.hooks()
        held.callback(hooks.close)
        sessions = held.enter_context(_opened(project, raw))
        for name, session in sessions.items():
            hooks.run_sql("before", name, session)
        inventories = {name: session.inventory() for name, session in sessions.items()}
        project.begin("looking at fields")
        if everything:
            return {
                name: scan_session(session, project, inventories[name], _all(inventories[name]))
                for name, session in sessions.items()
            }
        missing = planning.missing(project, inventories, hooks)
        found: dict[str, Sequence[Proposal]] = {}
        for name, session in sessions.items():
            looked = scan_session(session, project, inventories[name], missing[name])
            of_presets = from_presets(inventories[name], planning.own(project, name, hooks), missing[name])
            found[name] = together(of_presets, looked, inventories[name])
        project.begin("trying the rules")
        settled = settle(project, hooks, sessions, inventories, found)
        project.begin("looking for what is left")
        return foresee(project, hooks, sessions, inventories, settled)


@contextmanager
def _opened(project: Project, raw: RawSnapshot) -> Iterator[dict[str, StoreSession]]:
    """A private clone of a snapshot, each store opened; it goes away again."""
    with workdir(project.pool, project.cow, "scan") as directory, ExitStack() as stack:
        project.begin("opening the copy")
        project.clone_raw(raw, directory)
        sessions: dict[str, StoreSession] = {}
        for name, store in raw.stores.items():
            project.progress(ProgressEvent(f"opening {name}", 0))
            sessions[name] = stack.enter_context(
                registry.store(store.kind).open(directory / name, store, log=directory / f"{name}.log")
            )
        yield sessions


def scan_session(
    session: StoreSession,
    project: Project | None = None,
    inventory: Inventory | None = None,
    missing: Missing | None = None,
) -> list[Proposal]:
    """Proposals for the fields of an open store that are `missing`; by default for all of them."""
    inventory = inventory or session.inventory()
    missing = _all(inventory) if missing is None else missing
    fields = [inventory.fields[address] for address in inventory.fields if address in missing]
    samples = _samples(session, inventory, fields)
    holders = holders_of(inventory, {a: its[""].texts for a, its in samples.items() if "" in its})
    out: list[Proposal] = []
    for i, field in enumerate(fields):
        if project is not None:
            project.progress(ProgressEvent(Address.parse(field.address).holder, i, len(fields), "fields"))
        its = samples.get(field.address, {})
        doubtful = {path: one.texts for path, one in its.items() if one.texts and look(one.texts) is None}
        second = None
        if doubtful and field.kind in (FieldKind.TEXT, FieldKind.JSON):
            from envclone.scan.second import second_opinion

            second = second_opinion(doubtful, field.address)
        wanted = missing[field.address]
        if field.kind is FieldKind.JSON and "" not in wanted:
            its = {path: its.get(path, Sample()) for path in wanted}
        out += propose(field, its, second, _hidden_keys(field), holders.get(Address.parse(field.address).holder))
    out = without_copies(without_echoes(out, samples, inventory), samples, inventory)
    return surest(out, inventory)


def require_writable(project: Project, environment: str) -> None:
    """Raises ConfigError when rules could not be added to the stack file as it is written."""
    from envclone.scan.write import require_writable as require

    text = project.loaded.path.read_text(encoding="utf-8")
    require(text, list(project.environment(environment).stores))


def write(project: Project, proposals: Mapping[str, Sequence[Proposal]]) -> int:
    """Add the proposals to the stack file; returns how many fields and paths have a rule now."""
    from envclone.masking.guesses import UNDECIDED
    from envclone.scan.write import added

    path = project.loaded.path
    before = path.read_text(encoding="utf-8")
    decided = sum(one.domain != UNDECIDED for its in proposals.values() for one in its)
    if not decided:
        return 0
    patterns = not any("*" in address for its in project.loaded.stack.sanitize.rules.values() for address in its)
    new = {
        name: [one for one in its if one.domain != UNDECIDED or f"# {one.address}" not in before]
        for name, its in proposals.items()
    }
    text = added(before, new, patterns=patterns)
    rewrite(path, text)
    return decided


def rewrite(path: Path, text: str) -> None:
    """Replace a stack file's text, all at once. Raises ConfigError when it would not be a stack file any more."""
    from envclone.config.load import load

    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    try:
        load(temporary)
        temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _all(inventory: Inventory) -> Missing:
    """What a planner without any rule asks for."""
    planner = Planner({}, {}, inventory)
    planner.decide()
    return planner.missing


def _hidden_keys(field: Field) -> dict[str, list[str]]:
    """The keys of a field's documents that may be persons', as they are, under the path that means them.

    They go no further than to be looked at.
    """
    found: dict[str, set[str]] = {}
    for path in field.paths:
        steps = parse_path(path)
        for i, step in enumerate(steps):
            if step.startswith(".") and not is_plain(step[1:], field.common):
                found.setdefault(f"{general(render(steps[:i]), field.common)}.*", set()).add(step[1:])
    return {path: sorted(keys) for path, keys in found.items()}


def _samples(session: StoreSession, inventory: Inventory, fields: Sequence[Field]) -> dict[str, dict[str, Sample]]:
    """Per field some of its values, by JSON path; '' stands for the field itself."""
    found: dict[str, dict[str, tuple[list[str], list[str]]]] = {}
    there = inventory.rows.keys() | _columns(inventory)
    wanted = [field.address for field in fields if field.kind is not FieldKind.VECTOR and field.address in there]
    for address, values in (session.sample(wanted, ROWS, spread=True) if wanted else {}).items():
        field = inventory.fields[address]
        its = found.setdefault(address, {} if field.kind is FieldKind.JSON else {"": ([], [])})
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
    whole = {a for a in found if 0 < inventory.rows.get(Address.parse(a).holder, 0) <= ROWS}
    return {a: {path: Sample(*one, whole=a in whole) for path, one in its.items()} for a, its in found.items()}


def _columns(inventory: Inventory) -> set[str]:
    """The fields that stand in a table or collection and can be sampled there."""
    return {address for address in inventory.fields if Address.parse(address).holder in inventory.rows}
