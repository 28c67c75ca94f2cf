"""Preflight: all that would stop an image or a branch of an environment, asked at once before anything is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from envclone import registry
from envclone.doctor import Finding, docker
from envclone.errors import ConfigError, EnvcloneError, UnsafeError
from envclone.lifecycle import elsewhere
from envclone.models import FieldKind

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
    if declared.kubernetes is not None:
        of = registry.examined("kubernetes", declared.kubernetes)
        found += [Finding(f"{environment}: {one.name}", one.ok, one.detail, one.remedy) for one in of]
    return found


def require(project: Project, environment: str, *, rules: bool = True) -> None:
    """Raises the one error that stands in the way, or all of them as one, of the first one's class.

    Whether the `rules` cover the source is asked where an image is made; who proposes rules has none yet.
    """
    project.begin("asking what stands in the way")
    checks = _checks(project, environment, rules=rules)
    errors = [error for _, check in checks for error in check(project, environment)]
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    lines = "\n".join(f"  - {_said(error)}" + (f": {error.hint}" if error.hint else "") for error in errors)
    raise type(errors[0])(f"{len(errors)} things stand in the way, and nothing was copied:\n{lines}")


Check = Callable[["Project", str], Iterator[EnvcloneError]]


def _checks(project: Project, environment: str, *, rules: bool = True) -> Iterator[tuple[str, Check]]:
    volumes = elsewhere.of_volumes(project, environment)
    if volumes:
        yield f"{environment} volumes", _volumes
    for store in () if volumes else project.environment(environment).stores:
        yield f"{environment}.{store}", _source_of(store)
    yield "masking key", _key
    yield "hooks", _hooks
    yield "extra net", _net
    for store in project.environment(environment).stores if rules else ():
        yield f"{environment}.{store} rules", _rules_of(store)


def _source_of(store: str) -> Check:
    def check(project: Project, environment: str) -> Iterator[EnvcloneError]:
        from envclone.config.load import resolve_source

        config = project.environment(environment).stores[store]
        try:
            source = resolve_source(project.loaded, environment, store)
            project.log("read", {"environment": environment, "store": store, "method": "preflight"})
            found = registry.store(config.kind).obstacles(
                config.model_copy(update={"source": source}), project.pool.path
            )
        except EnvcloneError as exc:
            found = [exc]
        yield from found

    return check


def _volumes(project: Project, environment: str) -> Iterator[EnvcloneError]:
    try:
        yield from elsewhere.obstacles(project, environment)
    except EnvcloneError as exc:
        yield exc


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


def _rules_of(store: str) -> Check:
    """Whether the rules cover what the source's catalog has and what stands in some of its documents."""

    def check(project: Project, environment: str) -> Iterator[EnvcloneError]:
        from envclone.config.load import resolve_source
        from envclone.lifecycle import planning
        from envclone.masking.planner import Planner

        config = project.environment(environment).stores[store]
        try:
            source = resolve_source(project.loaded, environment, store)
            found = registry.store(config.kind).foreseen(store, config.model_copy(update={"source": source}))
            hooks = project.hooks()
        except EnvcloneError:
            return  # said of the source, or of the hooks
        try:
            if found is None or not found.fields or any(one.stage == "before" for one in hooks.sql):
                return  # what runs before the masks can take fields away
            rules = planning.declared(project, {store: found}, hooks)[store]
            planner = Planner(rules, project.domains, found)
            planner.decide()
        except EnvcloneError:
            return  # it speaks of other stores, too, and is said when the layout of all is known
        finally:
            hooks.close()
        documents = [a for a, field in found.fields.items() if field.kind in (FieldKind.JSON, FieldKind.TEXT)]
        certain = [one for one in (*planner.unsafe, *planner.invalid) if not _of_a_path(one, documents)]
        if certain:
            count = f"{len(certain)} problem{'s' * (len(certain) > 1)}"
            kind: type[ConfigError | UnsafeError] = UnsafeError if planner.unsafe else ConfigError
            yield kind(
                f"the rules do not cover {store}, and nothing was copied: {count}",
                problems=certain,
                hint=planner.hint(),
            )

    return check


def _of_a_path(problem: str, documents: Sequence[str]) -> bool:
    """Whether a rule is said to match nothing that may be in a document which nobody looked at."""
    if not problem.endswith("matches nothing") and " matches nothing (" not in problem:
        return False
    return "the path " in problem or any(f"'{address}." in problem for address in documents)


def _net(project: Project, environment: str) -> Iterator[EnvcloneError]:
    try:
        _ = project.net
    except EnvcloneError as exc:
        yield exc


def _finding(name: str, errors: list[EnvcloneError]) -> Finding:
    if not errors:
        return Finding(name, True, "ready")
    said = "; ".join(map(_said, errors))
    return Finding(name, False, said, "; ".join(error.hint for error in errors if error.hint))


def _said(error: EnvcloneError) -> str:
    """The error, and each of its problems on a line."""
    problems = error.problems if isinstance(error, ConfigError | UnsafeError) else ()
    return "".join([error.message, *(f"\n      {problem}" for problem in problems)])
