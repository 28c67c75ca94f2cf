"""What a compose template beside a stack file may say: a list of keys and values, everything else is refused.

The template decides what containers have in common. Its author must not get out of a container by it, so each
key that it may have is named here with what its value may be. Keys of the walls themselves may stand there as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from envclone.errors import ConfigError, Problem

__all__ = ["FILE", "PARTS", "WALLS", "read"]

FILE = Path("compose") / "preview.yaml"
PARTS = ("sandbox", "store", "service")
_NETWORK = "service:sandbox"
_SHARED: Mapping[str, Any] = {
    "network_mode": _NETWORK,
    "restart": "no",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}
WALLS: Mapping[str, Mapping[str, Any]] = {
    "sandbox": {
        **_SHARED,
        "network_mode": "none",
        "entrypoint": ["/pause"],
        "stop_signal": "SIGKILL",
        "user": "65534:65534",
        "mem_limit": 33554432,
        "pids_limit": 64,
        "logging": {"driver": "none"},
    },
    "store": _SHARED,
    "service": _SHARED,
}
"""What a container has whatever the template says; the template may say the same, or nothing."""
_LARGEST = 64 << 10
_TMPFS_OPTION = r"(mode=0?[0-7]{3,4}|size=\d+[kmgKMG]?|uid=\d+|gid=\d+|nr_inodes=\d+[kmg]?|noexec|nosuid|nodev)"


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1 << 22


def _size(value: Any) -> bool:
    return _number(value) or _matches(r"[1-9]\d*[bkmgBKMG]?[bB]?")(value)


def _environment(value: Any) -> bool:
    """Names with values: a name without one would be filled from the operator's environment."""
    return isinstance(value, dict) and all(
        _matches(r"[A-Za-z_][A-Za-z0-9_]*")(name) and isinstance(item, str | int | float) and "\0" not in str(item)
        for name, item in value.items()
    )


def _tmpfs(value: Any) -> bool:
    pattern = rf"/(?!.*(^|/)\.\.(/|:|$))[A-Za-z0-9._/-]+(:{_TMPFS_OPTION}(,{_TMPFS_OPTION})*)?"
    return isinstance(value, list) and all(map(_matches(pattern), value))


def _logging(value: Any) -> bool:
    options = value.get("options") or {} if isinstance(value, dict) else None
    return (
        isinstance(options, dict)
        and value.keys() <= {"driver", "options"}
        and value.get("driver") in ("none", "local", "json-file")
        and options.keys() <= {"max-size", "max-file", "compress"}
        and all(_matches(r"[0-9]{1,6}[kmg]?|true|false")(item) for item in options.values())
    )


def _ulimits(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() <= {"nofile", "nproc", "core"} and all(map(_whole, value.values()))


_COMMON: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "environment": (_environment, "a mapping of names to values, each written out"),
    "tmpfs": (_tmpfs, "a list of paths, with mode, size, uid, gid, noexec, nosuid or nodev"),
    "logging": (_logging, "the driver none, local or json-file, with max-size and max-file"),
    "stop_grace_period": (_matches(r"\d+(ms|s|m)"), "a duration such as 10s"),
    "mem_limit": (_size, "a size"),
    "memswap_limit": (_size, "a size"),
    "shm_size": (_size, "a size"),
    "cpus": (_number, "a number above 0"),
    "pids_limit": (_whole, "a whole number above 0"),
    "ulimits": (_ulimits, "nofile, nproc or core, each a whole number above 0"),
    "init": (lambda value: isinstance(value, bool), "true or false"),
}
KEYS: Mapping[str, Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "sandbox": {},
    "store": _COMMON,
    "service": {
        **_COMMON,
        "user": (_matches(r"[1-9]\d{0,8}(:[1-9]\d{0,8})?"), "numbers above 0, such as 1000:1000"),
        "stop_signal": (_matches(r"SIG[A-Z0-9+-]{2,10}"), "a signal such as SIGTERM"),
        "working_dir": (_matches(r"/[A-Za-z0-9._/-]*"), "an absolute path"),
    },
}
"""Per part of a template the keys that it may have, beside those of the walls."""


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The parts of a template, the walls put in. Raises ConfigError naming every line that it may not have."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} cannot be read: it is not an ordinary file of at most {_LARGEST >> 10} KB")
        text = path.read_text(encoding="utf-8")
        found: list[tuple[int, str, str]] = list(_references(text))
        root = yaml.compose(text, Loader=yaml.SafeLoader) if not found else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as exc:
        raise ConfigError(f"{path} cannot be read: {type(exc).__name__}", hint="it must be YAML in UTF-8") from exc
    data: dict[str, dict[str, Any]] = {}
    if not found:
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(f"{path} must have the mappings {', '.join(PARTS)}")
        found += _twice(root)
    if not found:
        assert isinstance(root, yaml.MappingNode)
        try:
            data = yaml.SafeLoader("").construct_document(root)
        except (yaml.YAMLError, ValueError, TypeError) as exc:
            raise ConfigError(f"{path} cannot be read: {type(exc).__name__}", hint="it must be plain YAML") from exc
        if not all(isinstance(data.get(part), dict) for part in PARTS):
            raise ConfigError(f"{path} must have the mappings {', '.join(PARTS)}")
        found += _checked(root, data)
    if found:
        keys = ", ".join(dict.fromkeys(key for _, key, _ in found))
        raise ConfigError(
            f"{path} opens the sandbox: {keys}",
            problems=[Problem(f"{path}:{line}: {said}") for line, _, said in sorted(found)],
            hint="remove it; docs/preview.md lists what a template may say",
        )
    return {part: {**data[part], **WALLS[part]} for part in PARTS}


def _line(place: Any) -> int:
    """The line of an event or a node of the YAML."""
    return int(place.start_mark.line) + 1


def _references(text: str) -> Iterator[tuple[int, str, str]]:
    """Anchors, aliases, merge keys and tags: what stands there must be what is read there."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = _line(event)
        tag = getattr(event, "tag", None)
        if getattr(event, "anchor", None) is not None:
            yield line, "anchors", "anchors and aliases are not taken: write the value out"
        elif tag is not None:
            yield line, "tags", f"the tag {tag!r} is not taken"
        elif isinstance(event, yaml.ScalarEvent) and event.value == "<<":
            yield line, "<<", "<< merges what stands elsewhere: write the values out"


def _twice(node: yaml.Node, depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Keys that a mapping has twice, or that are not text; nesting without end."""
    if depth > 8:
        yield _line(node), "nesting", "it is nested too deeply"
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                yield _line(key), str(key.value)[:40], "a key stands here twice, or is not text"
            else:
                seen.add(key.value)
            yield from _twice(value, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item, depth + 1)


def _checked(root: yaml.MappingNode, data: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    for name, part in root.value:
        line = _line(name)
        if name.value not in PARTS:
            yield line, name.value, f"{name.value}: a template has the parts {', '.join(PARTS)} and nothing else"
            continue
        allowed, walls = KEYS[name.value], WALLS[name.value]
        for key, node in part.value:
            line, place, value = _line(key), f"{name.value}.{key.value}", data[name.value].get(key.value)
            variable = _variable(node)
            if key.value in walls:
                if value != walls[key.value] or type(value) is not type(walls[key.value]):
                    yield line, key.value, f"{place}: it is a wall of the sandbox and stays {walls[key.value]!r}"
            elif key.value not in allowed:
                yield line, key.value, f"{place}: a template may not set it"
            elif variable is not None:
                yield variable, key.value, f"{place}: variables are not read here: write the value out"
            elif not allowed[key.value][0](value):
                yield line, key.value, f"{place}: it must be {allowed[key.value][1]}"


def _variable(node: yaml.Node) -> int | None:
    """The line of the first value that compose would fill from the operator's environment."""
    if isinstance(node, yaml.ScalarNode):
        return _line(node) if re.search(r"\$\{|\$[A-Za-z_]", node.value) else None
    for item in node.value:
        for one in item if isinstance(item, tuple) else (item,):
            if (line := _variable(one)) is not None:
                return line
    return None
