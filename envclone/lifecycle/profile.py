"""Resource profiles of an environment: captured from production, and held against this host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import registry
from envclone.errors import ConfigError, ResourceError, UsageError
from envclone.models import ProgressEvent
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.profiles.profile import Profile

__all__ = ["Captured", "capture", "chosen", "profiles_of"]


@dataclass(frozen=True, slots=True)
class Captured:
    """A profile that was written: of which store or service, its name, its file."""

    of: str
    name: str
    path: Path
    profile: Profile


def capture(
    project: Project,
    environment: str,
    *,
    only: str | None = None,
    files: Sequence[Path] = (),
    container: str | None = None,
    offline: bool = False,
    force: bool = False,
) -> list[Captured]:
    """Write a profile for each store and service of an environment, or for `only` one.

    `files` (and control groups' directories) belong to the `only` one, or describe several by name, as a compose file
    does. The stores' running servers are asked too, unless `offline`. A profile's name is that of the stack file, else
    `ENVIRONMENT-NAME`. Raises ConfigError when sources contradict each other or nothing says anything of one,
    UsageError when a profile is there already and `force` is not given; then nothing is written.
    """
    from envclone.config.load import resolve_source
    from envclone.profiles import capture as reading
    from envclone.profiles.profile import FOLDER

    config = project.environment(environment)
    wanted: dict[str, Any] = {**config.stores, **config.services}
    if only is not None:
        if only not in wanted:
            raise UsageError(f"'{environment}' has no store or service '{only}'", hint=f"one of {', '.join(wanted)}")
        wanted = {only: wanted[only]}
    folder = project.loaded.path.parent
    made = []
    for name, part in wanted.items():
        project.progress(ProgressEvent(f"reading what {name} may use", 0))
        parts: list[tuple[str, Mapping[str, Any]]] = []
        for path in files:
            kind, values = reading.read_file(path, name, container, several=only is None)
            parts += [(kind, values)] if values is not None else []
        if name in config.stores and not offline:
            source = resolve_source(project.loaded, environment, name)
            project.log("read", {"environment": environment, "store": name, "method": "profile"})
            said = registry.store(part.kind).resources(part.model_copy(update={"source": source}))
            parts += [(f"the running {part.kind}", said)] if said else []
        if not parts:
            raise ConfigError(
                f"nothing says what {name} may use in production",
                hint=f"envclone profile capture {environment} --only {name} --from <(docker inspect CONTAINER)",
            )
        title = part.profile or f"{environment}-{name}"
        path = folder / FOLDER / f"{title}.yaml"
        if path.exists() and not force:
            raise UsageError(f"{path} is there already", hint="--force replaces it")
        made.append(Captured(name, title, path, reading.merge(parts)))
    for one in made:
        one.path.parent.mkdir(exist_ok=True)
        partial = one.path.with_name(f".{one.path.name}.partial")
        partial.write_text(reading.text(one.profile, f"{environment}/{one.of}"), encoding="utf-8")
        partial.rename(one.path)
    return made


def chosen(
    project: Project,
    environment: str,
    stores: Collection[str],
    name: str | None,
    *,
    allow_degraded: bool,
    runtime: str = "local",
) -> tuple[dict[str, Profile], tuple[str, ...]]:
    """The profiles that a branch's stores (and services, if it runs them) get, and what of them this host cannot give.

    `name` is a profile for every one of them, or `PART=PROFILE` for one (several with `+` between); None, or the
    environment's own name, stands for those of the stack file.
    Raises ResourceError with the numbers when something cannot be given and `allow_degraded` is not said.
    """
    parts = {*stores, *(project.environment(environment).services if runtime != "local" else ())}
    found = {part: one for part, one in profiles_of(project, environment).items() if part in parts}
    folder = project.loaded.path.parent
    for word in (name or environment).split("+"):
        part, equals, profile = word.rpartition("=")
        if equals and part not in parts:
            raise UsageError(f"there is no store or service '{part}'", hint=f"one of {', '.join(sorted(parts))}")
        if profile != environment:
            from envclone.profiles.profile import find, load

            found |= dict.fromkeys([part] if equals else parts, load(find(folder, profile)))
    missing = _missing(project, found, runtime) if found else []
    if missing and not allow_degraded:
        raise ResourceError(
            "this host cannot give what production has: " + "; ".join(missing),
            hint="branch where there is as much, or with --allow-degraded, which every report will say",
        )
    return found, tuple(missing)


def _missing(project: Project, found: Mapping[str, Profile], runtime: str) -> list[str]:
    """What of these profiles this host cannot give."""
    from envclone.profiles import disks, machine
    from envclone.profiles.profile import BlockIo

    if registry.runtime(runtime).elsewhere:
        return []  # this host gives nothing to such a branch
    missing = machine.shortfalls(found)
    why = registry.observer(runtime).unlimited()
    if why is not None and any(one.limits for one in found.values()):
        missing.append(f"limits of CPU and memory are not applied: {why}")
    if runtime == "local" and (sized := sorted(part for part, one in found.items() if one.shm is not None)):
        missing.append(f"the size of /dev/shm is this host's for {', '.join(sized)}: local processes share it")
    if any(one.io != BlockIo() for one in found.values()) and disks.number_of(project.pool.path) is None:
        missing.append("limits of block devices are not applied: the pool is on no single disk that the kernel names")
    return missing


def profiles_of(project: Project, environment: str) -> dict[str, Profile]:
    """The profile of each store and service of an environment that names one. Raises ConfigError."""
    config = project.environment(environment)
    folder = project.loaded.path.parent
    parts: dict[str, Any] = {**config.stores, **config.services}
    named = {name: str(part.profile) for name, part in parts.items() if part.profile}
    if not named:
        return {}
    from envclone.profiles.profile import find, load

    return {name: load(find(folder, profile)) for name, profile in named.items()}
