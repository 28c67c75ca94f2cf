"""A profile from whatever says something of production: files of several kinds, control groups, the servers."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from envclone.errors import ConfigError
from envclone.profiles import containers, machine, servers
from envclone.profiles.profile import Profile, parse, size_text

__all__ = ["merge", "read_file", "text"]

_SIZES = ("memory", "swap", "shm")


def read_file(
    path: Path, name: str, container: str | None = None, *, several: bool = False
) -> tuple[str, dict[str, Any] | None]:
    """What a file or control group's directory says of the store or service `name`, and which kind of source it is.

    `container` is its name in a compose file or pod, when that is another. With `several` names asked for, a file that
    describes several and not this one gives None, and one that can only be of one is refused. Raises ConfigError when
    the file is of no known kind.
    """
    if path.is_dir():
        if several:
            raise ConfigError(f"{path} is the control group of one store or service", hint="say which: --only NAME")
        return "control group", machine.from_cgroup(path)
    try:
        raw = path.read_text(encoding="utf-8")
        documents = [json.loads(raw)] if raw.lstrip()[:1] in ("{", "[") else list(yaml.safe_load_all(raw))
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as exc:
        raise ConfigError(f"{path} cannot be read: {type(exc).__name__}", hint="JSON or YAML in UTF-8") from exc
    documents = [document for document in documents if document is not None]
    try:
        for kind, is_it, take in _KINDS:
            if not documents or not is_it(documents[0]):
                continue
            if not several:
                return kind, take(documents, name, container)
            if kind not in ("compose", "Kubernetes"):
                break
            try:
                return kind, take(documents, name, container or name)
            except containers.Absent:
                return kind, None
        else:
            kind = ""
    except containers.Differing as exc:
        raise ConfigError(
            f"{path}: {exc.message}",
            hint=f"give one of: {', '.join(exc.pods[:6])}; --only {name} --from <(kubectl get {exc.pods[0]} -o yaml)",
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as exc:
        raise ConfigError(f"{path} is not written as it should be ({type(exc).__name__})") from exc
    if several and kind:
        raise ConfigError(f"{path} is {kind} of one store or service", hint="say which: --only NAME")
    raise ConfigError(
        f"{path} is nothing that a profile is read from",
        hint="docker inspect, a compose file, a Kubernetes manifest, Qdrant's telemetry, a control group's directory",
    )


def merge(parts: Sequence[tuple[str, Mapping[str, Any]]]) -> Profile:
    """One profile from several sources, each `(what it is, its values)`.

    Raises ConfigError naming both sources where two say different things.
    """
    merged: dict[str, Any] = {}
    said_by: dict[str, str] = {}
    problems: list[str] = []
    for source, values in parts:
        for key, value in _flat(values).items():
            if value is None:
                continue
            if key in merged and merged[key] != value:
                problems.append(f"{key}: {source} says {value}, {said_by[key]} says {merged[key]}")
            merged.setdefault(key, value)
            said_by.setdefault(key, source)
    if problems:
        raise ConfigError("the sources do not agree", problems=problems, hint="leave out the one that is not what runs")
    document = _nested(merged)
    document["sources"] = [source for source, _ in parts]
    return parse(document, "what was read")


def text(profile: Profile, name: str) -> str:
    """The profile's file."""
    plain = profile.model_dump(exclude_none=True, exclude_defaults=True)
    for key in _SIZES:
        if key in plain:
            plain[key] = size_text(plain[key])
    for key in ("read_bytes", "write_bytes"):
        if key in plain.get("io", {}):
            plain["io"][key] = size_text(plain["io"][key])
    if "memory" in plain.get("host", {}):
        plain["host"]["memory"] = size_text(plain["host"]["memory"])
    order = [key for key in Profile.model_fields if key in plain]
    head = (
        f"# What {name} may use in production, read on {dt.date.today():%Y-%m-%d}. What is not here is not limited.\n"
    )
    return head + yaml.safe_dump({key: plain[key] for key in order}, sort_keys=False, allow_unicode=True)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= {f"{key}/{inner}": one for inner, one in value.items()}
        elif key != "sources":
            found[key] = value
    return found


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in flat.items():
        outer, slash, inner = key.partition("/")
        if slash:
            document.setdefault(outer, {})[inner] = value
        else:
            document[outer] = value
    return document


Take = Callable[[list[Any], str, str | None], dict[str, Any]]

_KINDS: tuple[tuple[str, Callable[[Any], bool], Take], ...] = (
    (
        "docker inspect",
        lambda d: "HostConfig" in (d[0] if isinstance(d, list) and d else d),
        lambda documents, name, container: containers.from_docker(documents[0]),
    ),
    (
        "compose",
        lambda d: isinstance(d, Mapping) and "services" in d,
        lambda documents, name, container: containers.from_compose(documents[0], container or name),
    ),
    (
        "Kubernetes",
        lambda d: isinstance(d, Mapping) and "kind" in d and "apiVersion" in d,
        lambda documents, name, container: containers.from_kubernetes(documents, container),
    ),
    (
        "Qdrant's telemetry",
        lambda d: isinstance(d, Mapping) and ("app" in d or "app" in (d.get("result") or {})),
        lambda documents, name, container: servers.from_telemetry(documents[0]),
    ),
)
