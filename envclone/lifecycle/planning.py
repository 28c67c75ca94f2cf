"""From the rules of a stack file to one plan per store: what `scan` writes and what `image` accepts is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from envclone.errors import ConfigError, UnsafeError
from envclone.models import Inventory, StorePlan
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.hooks.hookset import HookSet, Rules

__all__ = ["attempt", "declared", "missing", "of_presets", "own", "plan", "together", "with_hooks"]


def plan(project: Project, inventories: Mapping[str, Inventory], hooks: HookSet) -> dict[str, StorePlan]:
    """One plan per store; what is wrong with any of them is reported together.

    Raises UnsafeError when a field is undeclared or a rule matches nothing, ConfigError when rules contradict.
    """
    from envclone.masking import rules

    plans: dict[str, StorePlan] = {}
    unsafe: list[str] = []
    invalid: list[str] = []
    hints: list[str] = []
    its_rules = declared(project, inventories, hooks)
    for name, inventory in inventories.items():
        try:
            made = rules.plan(its_rules.get(name, {}), project.domains, inventory)
            method = project.loaded.stack.sanitize.method
            plans[name] = replace(made, method=method, presets=of_presets(project, inventory, hooks)[1])
        except UnsafeError as exc:
            unsafe += exc.problems or (exc.message,)
            hints += [exc.hint] if exc.hint else []
        except ConfigError as exc:
            invalid += exc.problems or (exc.message,)
            hints += [exc.hint] if exc.hint else []
    if unsafe:
        raise UnsafeError(
            f"the rules do not cover this snapshot: {len(unsafe) + len(invalid)} "
            f"problem{'s' if len(unsafe) + len(invalid) > 1 else ''}, no image was made",
            problems=[*unsafe, *invalid],
            hint="\n".join(hints) or None,
        )
    if invalid:
        raise ConfigError("the rules do not fit this snapshot", problems=invalid, hint="\n".join(hints) or None)
    return plans


def declared(
    project: Project,
    inventories: Mapping[str, Inventory],
    hooks: HookSet,
    more: Mapping[str, Rules] | None = None,
) -> dict[str, Rules]:
    """The rules of every store: the stack file's with `more`, those that hooks are, and what references imply.

    Raises ConfigError when they contradict each other.
    """
    from envclone.masking import references

    config = project.loaded.stack.sanitize
    its_rules = {
        name: {
            **of_presets(project, inventory, hooks)[0],
            **with_hooks(name, together(its, (more or {}).get(name, {})), hooks),
        }
        for name, inventory in inventories.items()
        for its in [config.rules.get(name, {})]
    }
    return references.follow(config.references, its_rules, project.domains, inventories)


def of_presets(project: Project, inventory: Inventory, hooks: HookSet) -> tuple[Rules, Mapping[str, str]]:
    """The rules of the stack file's presets for a store where its own say nothing, and the preset of each."""
    config = project.loaded.stack.sanitize
    if not config.presets:
        return {}, {}
    from envclone.masking import presets

    return presets.rules_of(config.presets, inventory, own(project, inventory.store, hooks))


def own(project: Project, store: str, hooks: HookSet) -> Rules:
    """The rules that a person wrote for a store, as rules or as hooks."""
    return with_hooks(store, project.loaded.stack.sanitize.rules.get(store, {}), hooks)


def missing(
    project: Project, inventories: Mapping[str, Inventory], hooks: HookSet
) -> dict[str, Mapping[str, set[str]]]:
    """What `plan` would ask for: per store the fields without a rule, with the paths inside them ('' is the field)."""
    from envclone.masking.planner import Planner

    its_rules = declared(project, inventories, hooks)
    found: dict[str, Mapping[str, set[str]]] = {}
    for name, inventory in inventories.items():
        planner = Planner(its_rules.get(name, {}), project.domains, inventory)
        planner.decide()
        found[name] = planner.missing
    return found


def attempt(
    project: Project, inventory: Inventory, rules: Rules
) -> tuple[StorePlan, Mapping[str, set[str]], list[str]]:
    """A store's plan by these rules, whatever is wrong with it; what it lacks, and what is said of it."""
    from envclone.masking.planner import Planner

    planner = Planner(rules, project.domains, inventory)
    decided = planner.decide()
    return StorePlan(inventory.store, decided), planner.missing, [*planner.unsafe, *planner.invalid]


def together(rules: Rules, more: Rules) -> Rules:
    """Rules with others added; two mappings of paths for one field become one."""
    out = dict(rules)
    for address, rule in more.items():
        there = out.get(address)
        out[address] = {**there, **rule} if isinstance(there, Mapping) and isinstance(rule, Mapping) else rule
    return out


def with_hooks(store: str, rules: Rules, hooks: HookSet) -> Rules:
    """The rules of a store, and those that hooks are for the columns that they write."""
    of_hooks = hooks.rules(store)
    twice = sorted(of_hooks.keys() & rules.keys())
    if any(rules[address] != of_hooks[address] for address in twice):
        raise ConfigError(
            f"{store}.{twice[0]} has a rule, and a hook that writes it", hint="take one of them out of the stack file"
        )
    return {**rules, **of_hooks}
