"""Payload indexes: which of them hold values of masked keys, and how the engine is made to rebuild those.

`payload_index/config.json` lists per key its schema and the types of index that exist. A key's files lie in directories
named by the first 15 bytes of the SHA-256 of the key in base32hex, the key's beginning and the type. When an index is
listed but its files are not there in the listed form, the engine builds it from the payload storage as it loads the
segment: so a masked key's directories are removed and its types listed as immutable ones, which no loader makes up.
Every other index keeps its files, byte for byte (`struct_payload_index`, Qdrant 1.15 to 1.19).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from envclone.errors import UnsafeError
from envclone.masking.jsonpaths import KEYS, parse_path
from envclone.stores.qdrant.layout import Segment, read_json

__all__ = ["drop", "keys", "prefix", "schemas", "steps_of", "touches", "unexplained"]

_STEP = re.compile(r'"([^"]*)"|\[(\d*)\]|([^.\[\]"]+)')
_IMMUTABLE = {"mutability": "immutable", "storage_type": {"mmap": {"is_on_disk": False}}}
_BY_SCHEMA = {
    "keyword": ("keyword_index",),
    "integer": ("int_map_index", "int_index"),
    "float": ("float_index",),
    "geo": ("geo_index",),
    "text": ("full_text_index",),
    "bool": ("bool_index",),
    "datetime": ("datetime_index",),
    "uuid": ("uuid_map_index",),
}

_NEWER = "a newer envclone may know this format"

Steps = tuple[str, ...]
"""A path's object keys; what stands for elements of arrays is left out."""


def schemas(segment: Segment) -> Mapping[str, str]:
    """The indexed keys of a segment and the type of each."""
    path = segment.payload_index / "config.json"
    if not path.exists():
        return {}
    config = read_json(path)
    found, types = config.get("indexed_fields") or {}, config.get("indexed_types") or {}
    if (
        not isinstance(found, dict)
        or not all(isinstance(schema, str | dict) for schema in found.values())
        or not isinstance(types, dict)
        or not all(isinstance(some, list) and all(map(_is_type, some)) for some in types.values())
    ):
        raise UnsafeError(f"{path} has a form that is not known", hint=_NEWER)
    return {key: schema if isinstance(schema, str) else str(schema.get("type")) for key, schema in found.items()}


def _is_type(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("index_type"), str)


def keys(segments: Iterable[Segment]) -> set[str]:
    """The keys that any of the segments has an index on."""
    return {key for segment in segments for key in schemas(segment)}


def steps_of(key: str) -> Steps:
    """The steps of an indexed key such as `author.email`, `contacts[].phone` or `"a key".b`."""
    return tuple(quoted or plain for quoted, _, plain in _STEP.findall(key) if quoted or plain)


def touches(key: str, paths: Iterable[str]) -> bool:
    """Whether an index on `key` may hold a value at one of the rules' paths (`$.a[*].b`); rather too often than not.

    Arrays are looked through, as the engine does for an index, and a rule for a part of what is indexed counts.
    """
    steps = steps_of(key)
    for path in paths:
        masked = [step for step in parse_path(path) if step not in ("[*]", KEYS)]
        if all(
            theirs in ("**", ".*", f".{mine}") or "**" in masked[: place + 1]
            for place, (theirs, mine) in enumerate(zip(masked, steps, strict=False))
        ):
            return True
    return False


def prefix(key: str) -> str:
    """What the names of a key's index directories begin with."""
    digest = hashlib.sha256(key.encode()).digest()[:15]
    return base64.b32hexencode(digest).decode().lower() + "-"


def drop(segment: Segment, masked: Iterable[str]) -> int:
    """Remove a closed segment's indexes on these keys, to be rebuilt at the next load; returns how many."""
    path = segment.payload_index / "config.json"
    present = schemas(segment)
    wanted = sorted(set(masked) & present.keys())
    if not wanted:
        return 0
    config = read_json(path)
    types = config["indexed_types"] = config.get("indexed_types") or {}
    for key in wanted:
        if key not in types and present[key] not in _BY_SCHEMA:
            raise UnsafeError(f"{path} has an index of a type that is not known", hint=_NEWER)
        names = [entry["index_type"] for entry in types.get(key, [])] or [*_BY_SCHEMA[present[key]], "null_index"]
        types[key] = [{"index_type": name, **_IMMUTABLE} for name in names]
        for folder in segment.payload_index.glob(prefix(key) + "*"):
            shutil.rmtree(folder)
    temporary = path.with_suffix(".json.tmp")
    with temporary.open("w") as file:
        file.write(json.dumps(config))
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    return len(wanted)


def unexplained(segment: Segment) -> list[Path]:
    """Entries of the index directory that no indexed key accounts for: left behind by an index that is gone."""
    if not segment.payload_index.is_dir():
        return []
    known = tuple(prefix(key) for key in schemas(segment))
    return [
        entry
        for entry in sorted(segment.payload_index.iterdir())
        if entry.name != "config.json" and not (known and entry.name.startswith(known))
    ]
