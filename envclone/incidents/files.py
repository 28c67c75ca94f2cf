"""Bundles on disk: one YAML or JSON file each, read with every problem at once, written whole and private."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from envclone.errors import ConfigError, Problem, UsageError
from envclone.incidents.bundle import NAME, NO_STEP, Incident, twice
from envclone.incidents.document import DEPTH, VALUES, Keys, Malformed, dump, parse
from envclone.private import write_private

__all__ = ["LIMIT", "SUFFIXES", "as_json", "find", "free", "load", "parsed", "save"]

LIMIT = 64 << 20
"""The largest bundle that is read, in bytes."""

SUFFIXES = (".yaml", ".yml", ".json")

_SHOWN = 500
_SHORT = 8 << 20
"""Problems that are told, and how long a file is whose lines are told with them."""
_ALWAYS = frozenset(("version", "kind", "masked", "limit", "with_payload"))
"""Fields that are written even at their default, because a reader would miss them."""

_OF_A_BUNDLE = frozenset(("incident", "steps", "version"))
"""Fields of which a bundle has some; a trace has none."""


def load(path: Path) -> Incident:
    """Read a bundle. Raises ConfigError with every problem (path, line, place), UsageError when it cannot be read."""
    return parsed(_read(path), path)


def parsed(text: str, path: Path) -> Incident:
    """A bundle from its text; `path` is its name, which says whether it is JSON. Raises ConfigError."""
    try:
        data = _loads(path, text)
    except Malformed as exc:
        raise _invalid(path, [Problem(f"{_at(path, exc.line)}: {exc.what}")]) from None
    if not isinstance(data, dict):
        problem = Problem(f"{path}: a bundle is a mapping that begins with `version: 2`")
        raise _invalid(path, [problem], trace=isinstance(data, list))
    try:
        return Incident.model_validate(data)
    except ValidationError as exc:
        raise _invalid(path, list(_problems(path, text, data, exc)), trace=_OF_A_BUNDLE.isdisjoint(data)) from None


def save(incident: Incident, path: Path) -> None:
    """Write a bundle whole (a temporary file, then renamed), with mode 0600: it may hold production's data.

    The suffix of `path` decides between JSON and YAML. Comments of a file that was there are lost.
    """
    data = _plain(incident)
    if _depth(data) > DEPTH:
        raise UsageError(f"the bundle would be nested deeper than {DEPTH} levels, and could not be read again")
    text = as_json(incident) if path.suffix == ".json" else dump(data)
    if len(text) > LIMIT or len(text.encode()) > LIMIT:
        raise UsageError(
            f"the bundle would be larger than {LIMIT >> 20} MB, and could not be read again",
            hint="import the trace of the failing request alone",
        )
    write_private(path, text, durable=True)


def as_json(incident: Incident) -> str:
    """A bundle as the text of a JSON file."""
    return json.dumps(_plain(incident), ensure_ascii=False, indent=1) + "\n"


def free(directory: Path, id: str) -> Path:
    """Where a new bundle of an incident goes. Raises UsageError when there is one, or the id is none."""
    if found := _of(directory, id):
        raise UsageError(f"{found[0]} is there already", hint=f"envclone incident edit {id}")
    return directory / f"{id}.yaml"


def _of(directory: Path, id: str) -> list[Path]:
    if not re.fullmatch(NAME, id):
        raise UsageError(f"'{id}' cannot be the id of an incident", hint="letters, digits, '.', '_' and '-'")
    return [place for suffix in SUFFIXES if (place := directory / f"{id}{suffix}").is_file()]


def find(directory: Path, id: str) -> Path:
    """The bundle of an incident in a directory. Raises UsageError, saying what there is, when it is not one file."""
    found = _of(directory, id)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"incident {id} has several bundles: {', '.join(place.name for place in found)}")
    there = sorted({place.stem for place in directory.glob("*") if place.suffix in SUFFIXES and place.is_file()})
    shown = ", ".join(there[:20]) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
    raise UsageError(
        f"there is no incident {id} in {directory}" + (f"; there are: {shown}" if there else ", which holds none"),
        hint=f"write it with: envclone incident new {id}",
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    if len(content) > LIMIT:
        raise _invalid(path, [Problem(f"{path}: is larger than {LIMIT >> 20} MB")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _invalid(path, [Problem(f"{path}: byte {exc.start} is not UTF-8")]) from None


def _loads(path: Path, text: str) -> Any:
    if path.suffix != ".json":
        return parse(text)
    if text.count(",") + text.count("[") + text.count("{") > VALUES:
        raise Malformed(f"more than {VALUES:,} values")
    try:
        data = json.loads(text, object_pairs_hook=_unique)
        if _depth(data) > DEPTH:
            raise Malformed(f"nested deeper than {DEPTH} levels")
        return data
    except json.JSONDecodeError as exc:
        raise Malformed(exc.msg, exc.lineno) from None
    except (RecursionError, ValueError):  # an integer of thousands of digits is a ValueError
        raise Malformed("is nested too deep, or holds a number that is too long") from None


def _depth(data: Any) -> int:
    """How deep lists and mappings are nested."""
    deepest = 0
    pending = [(data, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, dict | list):
            deepest = max(deepest, depth)
            pending += [(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if same := twice(key for key, _ in pairs):
        raise Malformed(f"the key '{same[0]}' is given twice")
    return dict(pairs)


def _problems(path: Path, text: str, data: dict[str, Any], exc: ValidationError) -> Iterator[Problem]:
    lines: dict[Keys, int] = {}
    try:
        if len(text) < _SHORT:
            parse(text, lines)  # JSON is YAML too, but for oddities that only cost the line numbers
    except Malformed:
        lines = {}
    found: dict[tuple[Keys, str], None] = {}
    for error in exc.errors(include_url=False, include_input=False, include_context=False):
        message = str(error["msg"]).removeprefix("Value error, ")
        message = {"missing": "is missing", "extra_forbidden": "is not a field of a bundle"}.get(error["type"], message)
        place = ("steps",) if message == NO_STEP else _place(data, error["loc"])
        found[(place, message)] = None
    if data.get("steps") and any(keys[:1] == ("steps",) and len(keys) > 1 for keys, _ in found):
        # what is wrong with a step leaves it out, and then it is said that there is none
        found = {one: None for one in found if one[0] != ("steps",)}
    steps = data.get("steps")
    ids = [step.get("id") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    for name in twice(id for id in ids if isinstance(id, str)):
        found[((), f"two steps have the id '{name}'")] = None
    if len(found) > _SHOWN:
        found = dict(islice(found.items(), _SHOWN)) | {((), f"and {len(found) - _SHOWN:,} more"): None}
    for keys, message in found:
        line = next((lines[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in lines), 0)
        yield Problem(f"{_at(path, line)}: {_dotted(keys)}{message[:1].lower()}{message[1:]}")


def _place(data: Any, location: tuple[str | int, ...]) -> Keys:
    """Where an error is in the file; pydantic also names the alternatives it tried on the way there."""
    if location[:1] == ("steps",) and location[2:3] in (("sql",), ("vector",)):  # the kind that was tried
        location = location[:2] + location[3:]
    keys: list[str | int] = []
    for index, key in enumerate(location):
        if isinstance(data, dict) and isinstance(key, str):
            last = index == len(location) - 1
            if key in data or (last and not _alternative(key)):
                keys.append(key)
                data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            keys.append(key)
            data = data[key]
    return tuple(keys)


def _alternative(key: str) -> bool:
    return not re.fullmatch(r"[a-z_]+", key) or key in ("int", "str", "bool", "float")


def _dotted(keys: Keys) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    return f"{path}: " if path else ""


def _at(path: Path, line: int) -> str:
    return f"{path}:{line}" if line else str(path)


def _invalid(path: Path, problems: list[Problem], *, trace: bool = False) -> ConfigError:
    count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    return ConfigError(
        f"the bundle {path.name} has {count}: {problems[0]}" if len(problems) == 1 else f"{path.name} has {count}",
        problems=problems,
        hint=f"a trace? move it out of {path.parent}, then: envclone incident import {path.name} --id {_id_of(path)}"
        if trace
        else "docs/incidents.md describes a bundle",
    )


def _id_of(path: Path) -> str:
    return path.stem if re.fullmatch(NAME, path.stem) else "ID"


def _plain(value: Any) -> Any:
    """The bundle as plain values, in the order in which a person reads it, defaults left out."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        names = [
            name
            for name, info in fields.items()
            if name in _ALWAYS
            or info.is_required()
            or getattr(value, name) != info.get_default(call_default_factory=True)
        ]
        names.sort(key=lambda name: {"id": 0, "kind": 1, "store": 2, "expect": 9}.get(name, 5) if "id" in fields else 0)
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
