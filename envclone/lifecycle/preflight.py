"""Preflight: all that would stop an image or a branch of an environment, asked at once before anything is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from envclone import registry
from envclone.doctor import Finding, docker
from envclone.errors import EnvcloneError

if TYPE_CHECKING:
    from envclone.project import Project

__all__ = ["examine", "require"]


def examine(project: Project, environment: str) -> list[Finding]:
    """What an image of this environment needs: its sources, keys, hooks, nets and containers.

    Production is asked, read-only, and nothing of it is copied. A check that fails is a finding with the remedy.
    """
    found = [_finding(name, list(check(project, environment))) for name, check in _checks(project, environment)]
    declared = project.environment(environment)
    if declared.services or declared.runtime == "docker":
        found += [Finding(f"{environment}: {one.name}", one.ok is True, one.detail, one.remedy) for one in docker()]
    return found


def require(project: Project, environment: str) -> None:
    """Raises the one error that stands in the way, or all of them as one, of the first one's class."""
    project.begin("asking what stands in the way")
    errors = [error for _, check in _checks(project, environment) for error in check(project, environment)]
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    lines = "\n".join(f"  - {error.message}" + (f": {error.hint}" if error.hint else "") for error in errors)
    raise type(errors[0])(f"{len(errors)} things stand in the way, and nothing was copied:\n{lines}")


Check = Callable[["Project", str], Iterator[EnvcloneError]]


def _checks(project: Project, environment: str) -> Iterator[tuple[str, Check]]:
    for store in project.environment(environment).stores:
        yield f"{environment}.{store}", _source_of(store)
    yield "masking key", _key
    yield "hooks", _hooks
    yield "extra net", _net


def _source_of(store: str) -> Check:
    def check(project: Project, environment: str) -> Iterator[EnvcloneError]:
        from envclone.config.load import resolve_source

        config = project.environment(environment).stores[store]
        try:
            source = resolve_source(project.loaded, environment, store)
            found = registry.store(config.kind).obstacles(
                config.model_copy(update={"source": source}), project.pool.path
            )
        except EnvcloneError as exc:
            found = [exc]
        yield from found

    return check


def _key(project: Project, environment: str) -> Iterator[EnvcloneError]:
    try:
        _ = project.masking_key
    except EnvcloneError as exc:
        yield exc


def _hooks(project: Project, environment: str) -> Iterator[EnvcloneError]:
    """Whether each file loads and is about stores that there are, and no hook contradicts a rule."""
    from envclone.lifecycle.planning import with_hooks

    try:
        hooks = project.hooks()
    except EnvcloneError as exc:
        yield exc
        return
    try:
        rules = project.loaded.stack.sanitize.rules
        for store in project.environment(environment).stores:
            with_hooks(store, rules.get(store, {}), hooks)
    except EnvcloneError as exc:
        yield exc
    finally:
        hooks.close()


def _net(project: Project, environment: str) -> Iterator[EnvcloneError]:
    try:
        _ = project.net
    except EnvcloneError as exc:
        yield exc


def _finding(name: str, errors: list[EnvcloneError]) -> Finding:
    if not errors:
        return Finding(name, True, "ready")
    said = "; ".join(error.message for error in errors)
    return Finding(name, False, said, "; ".join(error.hint for error in errors if error.hint))
