"""What the manifests are made for: read from the stack file and the options, and checked."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.config import preview, variables
from envclone.config.hookfiles import files_in
from envclone.config.keeping import KeepConfig
from envclone.config.load import LoadedStack
from envclone.config.resolve import sources
from envclone.errors import ConfigError, UsageError
from envclone.manifests.literal import literal
from envclone.profiles.profile import FOLDER

if TYPE_CHECKING:
    from envclone.config.schema import Environment

__all__ = ["LABEL", "Kept", "Plan", "Variable", "plan"]

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_IMAGE = re.compile(
    r"(?P<name>[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(@sha256:(?P<digest>[0-9a-f]{64}))?"
)
_LONGEST = 46
"""An environment's name goes into the name of a CronJob, which has 52 characters at most."""
_CONFIG_MAP = 1 << 20
_LENDING = frozenset(("snapshot", "provider"))
"""Methods that make something on production's side, which `gc` removes after a kill."""
_CLUSTER = "kubernetes"


@dataclass(frozen=True, slots=True, order=True)
class Variable:
    """An environment variable that the stack file reads; `needed` when it has no default."""

    name: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """An environment whose images are made ahead: how often that is looked at, and what its sources read."""

    environment: str
    schedule: str
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the objects are made of."""

    project: str
    image: str
    namespace: str
    images: tuple[str, ...]
    """The namespaces that hold the images of environments whose branches are made in the cluster."""
    quarantine: tuple[str, ...]
    """The namespaces in which images of production's volumes are made."""
    sources: tuple[str, ...]
    """Production's namespaces, whose volumes are snapshotted."""
    volumes: tuple[str, ...]
    """The environments whose stores are volumes."""
    stack_file: str
    files: Mapping[str, str]
    kept: tuple[Kept, ...]
    shared: tuple[Variable, ...]
    """What every command reads as soon as it opens the stack file."""
    lent: tuple[Variable, ...]
    """What `gc` reads to remove what a killed command left on production's side."""
    api: bool
    """Whether branches are made in the cluster."""
    services: bool
    """Whether they are reached by a Service there."""
    serve: bool
    written: tuple[str, ...]
    """Directories that the stack file names beside itself and that are written: incidents and cases."""
    production: tuple[tuple[str, int], ...] = ()
    csi_driver: str = ""
    masking_key: str = ""
    warnings: tuple[str, ...] = field(default=())


def plan(
    loaded: LoadedStack,
    *,
    image: str,
    environments: Sequence[str] = (),
    namespace: str = "envclone",
    production: Sequence[str] = (),
    csi_driver: str = "",
    masking_key: str = "",
    serve: bool = True,
) -> Plan:
    """What is to be made of a stack file. `environments` empty means all of them.

    Raises UsageError for an option that no cluster takes, ConfigError for a stack file that cannot lie in a ConfigMap.
    """
    stack = loaded.stack
    chosen = list(dict.fromkeys(environments)) or sorted(stack.environments)
    for name in chosen:
        if name not in stack.environments:
            raise UsageError(
                f"the stack file has no environment '{name}'",
                hint=f"there are: {', '.join(sorted(stack.environments))}",
            )
        _label(name, f"the environment '{name}'", _LONGEST)
    _label(stack.project, f"the project '{stack.project}'")
    _label(namespace, f"the namespace '{namespace}'")
    warnings = list(_image(image))
    if csi_driver and not re.fullmatch(rf"{LABEL}(\.{LABEL})*", csi_driver):
        raise UsageError(f"'{csi_driver}' is no name of a CSI driver", hint="kubectl get csidrivers shows them")
    if masking_key and not re.fullmatch(rf"{LABEL}(\.{LABEL})*", masking_key):
        raise UsageError(f"'{masking_key}' is no name of a Secret")
    reached = tuple(map(_destination, production))
    if not reached:
        warnings.append(
            "nothing says where production is: the pods reach name servers only; --production CIDR:PORT opens it"
        )
    kept = tuple(_kept(loaded, name) for name in chosen)
    api = any(stack.environments[name].runtime == _CLUSTER for name in chosen)
    if api and not csi_driver:
        warnings.append("no class for snapshots of volumes is made: --csi-driver names the driver that they are for")
    if serve and not api:
        warnings.append(f"branches of `envclone serve` run in its own pod: no environment has runtime: {_CLUSTER}")
    return Plan(
        project=stack.project, image=image, namespace=namespace, images=_images(loaded, chosen),
        **_volumes(loaded, chosen),
        stack_file=loaded.path.name, files=_files(loaded), kept=kept,
        shared=_distinct(_outside(loaded.raw)), lent=_distinct(_lent(loaded, chosen)), api=api,
        services=any(_served(stack.environments[name]) for name in chosen), serve=serve,
        written=tuple(_written(loaded)),
        production=reached, csi_driver=csi_driver, masking_key=masking_key, warnings=tuple(warnings),
    )  # fmt: skip


def _volumes(loaded: LoadedStack, chosen: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Where production's volumes are, and where images of them are made."""
    named, places, sources = [], set(), set()
    for name in chosen:
        one = loaded.stack.environments[name]
        volumes = [store.source.volume for store in one.stores.values() if store.source.volume is not None]
        if volumes and one.kubernetes is not None:
            named.append(name)
            places.add(f"{one.kubernetes.prefix}-quarantine")
            sources |= {volume.namespace for volume in volumes}
    return {"quarantine": tuple(sorted(places)), "sources": tuple(sorted(sources)), "volumes": tuple(named)}


def _served(environment: Environment) -> bool:
    cluster = environment.kubernetes
    return environment.runtime == _CLUSTER and cluster is not None and cluster.endpoints == "service"


def _images(loaded: LoadedStack, chosen: Sequence[str]) -> tuple[str, ...]:
    environments = [loaded.stack.environments[name] for name in chosen]
    clusters = [one.kubernetes for one in environments if one.runtime == _CLUSTER and one.kubernetes is not None]
    return tuple(sorted({f"{one.prefix}-images" for one in clusters}))


def _label(name: str, what: str, most: int = 63) -> None:
    if not re.fullmatch(LABEL, name) or len(name) > most:
        raise UsageError(
            f"{what} cannot be a name in a cluster",
            hint=f"small letters, digits and dashes, none at an end, {most} characters at most",
        )


def _image(image: str) -> Iterator[str]:
    found = _IMAGE.fullmatch(image)
    if found is None or len(image) > 512:
        raise UsageError(f"'{image}' is no image", hint="for example registry.internal/envclone@sha256:…")
    if not found["digest"]:
        yield f"the image {image} has no digest: what it names can change; write it as NAME@sha256:…"


def _destination(text: str) -> tuple[str, int]:
    """`10.0.0.0/8:5432` as a block of addresses and a port."""
    import ipaddress

    block, _, port = text.rpartition(":")
    try:
        network = ipaddress.ip_network(block.strip("[]"))
        number = int(port)
    except ValueError as exc:
        raise UsageError(f"'{text}' is no CIDR:PORT", hint="for example 10.20.0.7/32:5432") from exc
    if not 0 < number < 1 << 16 or not port.isdecimal():
        raise UsageError(f"'{text}' has no port from 1 to 65535")
    return str(network), number


def _kept(loaded: LoadedStack, name: str) -> Kept:
    environment = loaded.stack.environments[name]
    read = [source for place, source in sources(loaded.raw) if place[1] == name]
    fresh = (environment.keep or KeepConfig()).fresh
    return Kept(name, _schedule(loaded.stack.project, name, fresh), _distinct(_named(read)))


def _schedule(project: str, environment: str, fresh: dt.timedelta) -> str:
    """How often to look whether an image is due: six times while one stays fresh, at a minute of the project's own."""
    minutes = fresh.total_seconds() / 360
    every = max((one for one in (5, 10, 15, 20, 30, 60) if one <= minutes), default=5)
    offset = int.from_bytes(blake2b(f"{project}.{environment}".encode(), digest_size=4).digest(), "big") % every
    return f"{offset} * * * *" if every == 60 else f"{offset}-59/{every} * * * *"


def _lent(loaded: LoadedStack, chosen: Sequence[str]) -> Iterator[Variable]:
    for place, source in sources(loaded.raw):
        if place[1] in chosen and source.get("method") in _LENDING:
            yield from _named(source)


def _outside(raw: Mapping[str, Any]) -> Iterator[Variable]:
    """The variables that are read with the file itself: not a source's, and not a service's."""
    for key, value in raw.items():
        if key != "environments":
            yield from _named(value)
    for environment in (raw.get("environments") or {}).values():
        for key, value in (environment or {}).items():
            for part in (value or {}).values() if key in ("stores", "services") else [value]:
                later = ("source",) if key == "stores" else ("environment",)
                kept = {k: v for k, v in part.items() if k not in later} if isinstance(part, Mapping) else part
                yield from _named(kept)


def _named(node: Any) -> Iterator[Variable]:
    if isinstance(node, str):
        yield from (Variable(name, needed) for name, needed in variables.named(node))
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _named(value)


def _distinct(found: Iterator[Variable]) -> tuple[Variable, ...]:
    needed: dict[str, bool] = {}
    for one in found:
        needed[one.name] = needed.get(one.name, False) or one.needed
    return tuple(sorted(Variable(name, is_needed) for name, is_needed in needed.items()))


def _files(loaded: LoadedStack) -> dict[str, str]:
    """The stack file and what it names beside itself, by their paths; never an incident, which holds raw values."""
    if problems := [loaded.problem(keys, what) for keys, what in literal(loaded.raw)]:
        raise ConfigError(
            f"{loaded.path.name} holds what is secret, and a ConfigMap is not",
            problems=problems,
            hint="write ${VARIABLE} there; the manifests take its value from a Secret",
        )
    names = {loaded.path.name: None, **dict.fromkeys(_beside(loaded))}
    found: dict[str, str] = {}
    for name in names:
        path = loaded.directory / name
        if not path.resolve().is_relative_to(loaded.directory.resolve()):
            raise ConfigError(f"{name} lies outside of the stack file's directory", hint="put it beside the stack file")
        try:
            found[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{name} cannot be read: {type(exc).__name__}") from exc
    size = sum(len(name.encode()) + len(text.encode()) for name, text in found.items())
    if size > _CONFIG_MAP * 9 // 10:
        raise ConfigError(f"the stack file and what belongs to it have {size} bytes, and a ConfigMap takes 1 MiB")
    return found


def _written(loaded: LoadedStack) -> Iterator[str]:
    for path in (loaded.stack.incidents, loaded.stack.cases):
        place = loaded.directory / path
        if place != loaded.directory and place.is_relative_to(loaded.directory) and ".." not in place.parts:
            yield str(place.relative_to(loaded.directory))


def _beside(loaded: LoadedStack) -> Iterator[str]:
    """Paths, relative to the stack file, of the other files that it is read with."""
    stack = loaded.stack
    yield from (str(Path(name)) for name in stack.include)
    if (loaded.directory / preview.FILE).is_file():
        yield str(preview.FILE)
    for environment in stack.environments.values():
        profiles = [one.profile for one in environment.stores.values()]
        for profile in [*profiles, *(one.profile for one in environment.services.values())]:
            if profile is not None:
                yield f"{FOLDER}/{profile}.yaml"
        for _, source in sources(loaded.raw):
            if isinstance(file := source.get("ca_file"), str) and not Path(file).is_absolute():
                yield str(Path(file))
    for written in (*(loaded.raw.get("sanitize") or {}).get("hooks", ()), *files_in(stack.sanitize.rules)):
        if not Path(str(written)).is_absolute():
            yield str(Path(str(written)))
