"""Proposals tried before they are written: the planner that makes images takes them, and their pseudonyms fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from envclone.errors import EnvcloneError
from envclone.lifecycle import planning
from envclone.masking.guesses import UNDECIDED
from envclone.masking.kinds import KINDS, fits
from envclone.models import Field, FieldKind, Inventory, ProgressEvent
from envclone.project import Project
from envclone.scan.arrange import rules_of
from envclone.scan.propose import Proposal
from envclone.scan.values import persons

if TYPE_CHECKING:
    from envclone.hooks.hookset import HookSet
    from envclone.protocols import StoreSession

__all__ = ["settle"]

_ROUNDS = 8
_MARK = " does not fit: "
_ROWS = 200
_LOOKED = 400
"""Values that are looked at where a rule does not fit."""
_NUMBERS = re.compile(r"[^$]*: (?P<path>\$.*) holds a number, which .*", re.DOTALL)
"""What the masks say of a path that holds texts and numbers."""
_LISTED = 20
"""Different values that a column may have whose constraint lists them."""


def settle(
    project: Project,
    hooks: HookSet,
    sessions: Mapping[str, StoreSession],
    inventories: Mapping[str, Inventory],
    proposals: Mapping[str, Sequence[Proposal]],
) -> dict[str, list[Proposal]]:
    """The proposals, those that cannot be carried out replaced by the next that can, or left undecided.

    What a first answer leaves open (a column that follows another only where a key is enforced) is proposed, too.
    """
    from envclone.masking.masks import MaskSet

    now = {name: list(its) for name, its in proposals.items()}
    masks = MaskSet(project.masking_key, project.domains, None, hooks, nobody=project.nobody, tagger=project.tagger)
    for _ in range(_ROUNDS):
        changed = False
        try:
            rules = planning.declared(project, inventories, hooks, {name: rules_of(its) for name, its in now.items()})
        except EnvcloneError:
            return now  # rules of the stack file contradict each other: the image says how
        for name, session in sessions.items():
            project.progress(ProgressEvent(f"trying the rules of {name}", 0))
            inventory = inventories[name]
            plan, missing, problems = planning.attempt(project, inventory, rules.get(name, {}))
            known = {one.address for one in now[name]}
            for address in missing:
                if address not in known and missing[address] == {""}:
                    field = inventory.fields[address]
                    tied = next((one for one in now[name] if one.address in field.group and not one.path), None)
                    if tied is not None and tied.domain != UNDECIDED:
                        now[name].append(replace(tied, address=address, type=field.type, why=f"as {tied.address}"))
                        changed = True
            broken = {**session.rehearse(plan, masks, _ROWS), **_refused(problems, inventory)}
            whole = {one.address for one in now[name] if one.personal and not one.path}
            looked = [a for a in broken if whole & (inventory.fields[a].group | {a})]
            values = (
                session.sample(looked, _LOOKED, spread=True) if looked else {}
            )  # at once: each call reads the whole catalog
            for address, why in broken.items():
                its = values.get(address, ())
                changed = _next(now[name], address, inventory.fields[address], why, its) or changed
        if not changed:
            break
    return now


def _refused(problems: Sequence[str], inventory: Inventory) -> dict[str, str]:
    """What the planner says against the rule of a field, by its address."""
    said = [problem.split(": ", 1) for problem in problems if ": " in problem]
    return {address: why for address, why in said if address in inventory.fields}


def _next(proposals: list[Proposal], address: str, field: Field, why: str, values: Sequence[object]) -> bool:
    """Replace the proposals that a field's rule comes from; whether there were any."""
    places = [i for i, one in enumerate(proposals) if one.address in field.group | {address} and one.personal]
    numbers = _NUMBERS.fullmatch(why)
    its = [i for i in places if numbers is not None and proposals[i].path == numbers["path"]]
    if its:  # below the path as well: numbers that stand there stay
        path = f"{proposals[its[0]].path}.**"
        proposals[its[0]] = replace(proposals[its[0]], path=path, confidence=0.5, why="texts, and numbers that stay")
        return True
    changed = {proposals[i].address for i in places}
    for i, one in enumerate(proposals):  # what a preset says of a field fits it whole, or becomes rules of its own
        if one.preset and one.address in changed:
            proposals[i] = replace(one, preset="")
    for i in places:
        one = proposals[i]
        said = one.why if _MARK in one.why else f"{one.domain}{_MARK}{why}"
        if one.path:
            other = "text" if one.domain != "text" else UNDECIDED
            proposals[i] = replace(one, domain=other, confidence=0.3, why=said)
            continue
        domain = _fallback(field, one.domain, values)
        proposals[i] = replace(one, domain=domain, confidence=0.3, why=said)
    return bool(places)


def _fallback(field: Field, domain: str, sampled: Sequence[object]) -> str:
    """What to propose instead: a few values that recur and name nobody are a list; else the next that fits."""
    order = ["key", "text", "redact", "null"]
    values = [str(value) for value in sampled if value is not None]
    different = set(values)
    if domain not in order and len(values) > 2 * len(different) and len(different) <= _LISTED:
        return UNDECIDED if persons(different) else "keep"
    after = 0 if domain == "text" and field.unique else order.index(domain) + 1 if domain in order else 0
    for other in order[after:]:
        possible = field.nullable and not field.unique if other == "null" else fits(other, field)
        if possible and field.kind is not FieldKind.JSON and (KINDS[other].injective or not field.unique):
            return other
    return UNDECIDED
