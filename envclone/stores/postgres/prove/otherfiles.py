"""The account of a cluster's other files: maps of free space, logs of transactions, settings, names.

What is not of the one form that it has to have counts as not decoded.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envclone.errors import EnvcloneError
from envclone.models import Accounted, ByteClass, Values
from envclone.stores.postgres.catalog.layout import Layout
from envclone.stores.postgres.prove import logs
from envclone.stores.postgres.prove.owners import named
from envclone.stores.postgres.server import control

__all__ = ["other_files"]

_TEXTS = frozenset({"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", "backup_label",
                    "tablespace_map", "PG_VERSION", "postmaster.opts"})  # fmt: skip
_ORIGINS = "pg_logical/replorigin_checkpoint"
_SMALL = frozenset({"pg_stat/pgstat.stat"})
_WAL = re.compile(r"pg_wal/[0-9A-F]{24}")
_FORK = re.compile(r"(\d+)_(fsm|vm|init)(\.\d+)?")
_PRINTED = re.compile(rb"[\x20-\x7e\x80-\xff]{3,}")
_MAP_MAGIC, _MAP_ENTRIES = 0x592717, 8
_HEADER = 24
_FEWEST = 6
"""Bytes of a map in which somebody can stand."""


def other_files(directory: Path, known: Layout) -> Iterator[Accounted]:
    """Every file that is not a main fork of a relation and that a cluster or its clone has; others are left out."""
    data = directory / "data"
    counters = logs.counters(data)
    mains = {named(directory, data / relation.path) for database in known.databases for relation in database.relations}
    for path in sorted(directory.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        name = path.relative_to(directory).as_posix()
        within = name.removeprefix("data/")
        if re.sub(r"\.\d+$", "", name) in mains:
            if not path.stat().st_size:
                yield Accounted(name, {})
            continue
        if (fork := _FORK.fullmatch(path.name)) and f"{name[: -len(path.name)]}{fork[1]}" not in mains:
            continue  # of no relation that is there
        made = _of(path, within if name != within else "", data, known, counters)
        if made is not None:
            classes, texts, stretches = made
            values = [Values(name, texts, new=True)] if texts else []
            yield Accounted(name, classes, values, stretches)


_Made = tuple[dict[ByteClass, int], list[str | bytes], list[tuple[int, int]]]


def _of(path: Path, within: str, data: Path, known: Layout, counters: logs.Counters) -> _Made | None:
    size = path.stat().st_size
    if not within and path.parent == data.parent:
        return _texts(path) if path.suffix == ".json" else None
    if within in _TEXTS or path.name == "PG_VERSION":
        return _texts(path)
    if within in _SMALL:
        return _raw(size)
    if within == "global/pg_control":
        return _control(path, data)
    if path.name == "pg_filenode.map":
        return _map(path)
    if path.name == "pg_internal.init":
        return _strings(path)
    if within == _ORIGINS:
        content = path.read_bytes()
        return _parsed(path, np.ones(size, np.bool_)) if logs.origins(content) else _raw(size)
    if logs.is_log(within):
        return _log(path, within, counters)
    if _WAL.fullmatch(within):
        return _wal(path)
    if fork := _FORK.fullmatch(path.name):
        if fork[2] == "fsm":
            return _free_space(path, known.page_size)
        if fork[2] == "vm":
            return _visibility(path, known.page_size)
        return _raw(size)
    return None


def _raw(size: int) -> _Made:
    return {ByteClass.UNDECODED: size}, [], [(0, size)] if size else []


def _parsed(path: Path, claimed: Any) -> _Made:
    """A file whose bytes are structure where `claimed`, and must be zero elsewhere."""
    found = np.fromfile(path, np.uint8)
    if (found[~claimed] != 0).any():
        return _raw(len(found))
    return {ByteClass.STRUCTURE: int(claimed.sum()), ByteClass.ZERO: int((~claimed).sum())}, [], []


def _log(path: Path, within: str, counters: logs.Counters) -> _Made:
    """A log of transactions; where a byte can be anything its bytes are searched besides."""
    content = np.fromfile(path, np.uint8)
    claimed = logs.log_of(within, content, counters)
    if claimed is None:
        return _raw(len(content))
    classes, texts, stretches = _parsed(path, claimed)
    if within.startswith(logs.SEARCHED) and not stretches:
        stretches = [(0, len(content))]
    return classes, texts, stretches


def _texts(path: Path) -> _Made:
    """A file of text, line by line; of JSON the strings in it."""
    content = path.read_bytes()
    lines: list[str | bytes] = list(content.split(b"\n"))
    if path.suffix == ".json":
        lines = list(_strings_of(json.loads(content)))
    return {ByteClass.DERIVED: len(content)}, lines, []


def _strings_of(document: Any) -> Iterator[str]:
    """Every text of a document once, keys included: that of a layout says the same names thousands of times."""
    seen: set[str] = set()
    left = [document]
    while left:
        value = left.pop()
        if isinstance(value, str):
            seen.add(value)
        elif isinstance(value, dict):
            seen.update(value)
            left += value.values()
        elif isinstance(value, list):
            left += value
    return iter(sorted(seen))


def _control(path: Path, data: Path) -> _Made:
    size = path.stat().st_size
    try:
        control.read(data)
    except EnvcloneError:
        return _raw(size)
    return _parsed(path, np.arange(size) < control.end_of(data))


def _map(path: Path) -> _Made:
    """Which files hold the catalogs that the map names (`src/backend/utils/cache/relmapper.c`)."""
    content = path.read_bytes()
    magic, count = struct.unpack_from("<ii", content)
    fits = magic == _MAP_MAGIC and 0 <= count <= (len(content) - 12) // _MAP_ENTRIES
    place = next(
        (
            at
            for at in (len(content) - 4, len(content) - 8)
            if at > 8 and control.crc32c(content[:at]) == struct.unpack_from("<I", content, at)[0]
        ),
        None,
    )
    if not fits or place is None:
        return _raw(len(content))
    where = np.arange(len(content))
    return _parsed(path, (where < 8 + count * _MAP_ENTRIES) | ((where >= place) & (where < place + 4)))


def _strings(path: Path) -> _Made:
    """The server's cache of its catalogs' own descriptions: pieces with their length before them, names in them."""
    content = path.read_bytes()
    at = 4
    while at + 8 <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        at += 8 + length
    if at != len(content):
        return _raw(len(content))
    printed = list(_PRINTED.finditer(content))
    named = sum(len(match[0]) for match in printed)
    classes = {ByteClass.DERIVED: named, ByteClass.STRUCTURE: len(content) - named}
    return classes, [match[0] for match in printed], []


def _wal(path: Path) -> _Made:
    """A log that begins again: a header and a record or two, and zeros behind them."""
    size = path.stat().st_size
    last = 0
    with path.open("rb") as file:
        for offset in range(0, size, 2**20):
            there = np.flatnonzero(np.frombuffer(file.read(2**20), np.uint8))
            if len(there):
                last = offset + int(there[-1]) + 1
    return {ByteClass.UNDECODED: last, ByteClass.ZERO: size - last}, [], [(0, last)]


def _free_space(path: Path, page_size: int) -> _Made:
    """A map of free space: trees in which each node is the greater of its two (`storage/fsm_internals.h`)."""
    content = np.fromfile(path, np.uint8)
    if len(content) % page_size:
        return _raw(len(content))
    pages = content.reshape(-1, page_size)
    nodes = pages[:, _HEADER + 4 :]
    inner = page_size // 2 - 1
    left = np.minimum(2 * np.arange(inner) + 1, nodes.shape[1])
    padded = np.concatenate((nodes, np.zeros((len(nodes), 2), np.uint8)), axis=1)
    greater = np.maximum(padded[:, left], padded[:, left + 1])
    if (nodes[:, :inner] != greater).any():
        return _raw(len(content))
    structure = int(np.count_nonzero(content))
    classes = {ByteClass.STRUCTURE: structure, ByteClass.ZERO: len(content) - structure}
    return classes, [], list(_filled(pages, _HEADER + 4 + inner))


def _filled(pages: Any, begin: int) -> Iterator[tuple[int, int]]:
    """Where pages have bytes that can be anything, which are searched besides."""
    for number, page in enumerate(pages):
        there = np.flatnonzero(page[begin:])
        if len(there) >= _FEWEST:
            first = number * len(page) + begin
            yield first + int(there[0]), first + int(there[-1]) + 1


def _visibility(path: Path, page_size: int) -> _Made:
    """Two bits per page of the heap: all of it visible, all of it frozen, the latter never alone."""
    content = np.fromfile(path, np.uint8)
    if len(content) % page_size:
        return _raw(len(content))
    bits = content.reshape(-1, page_size)[:, _HEADER:]
    if (bits >> 1 & ~bits & 0x55).any():
        return _raw(len(content))
    structure = int(np.count_nonzero(content))
    classes = {ByteClass.STRUCTURE: structure, ByteClass.ZERO: len(content) - structure}
    return classes, [], list(_filled(content.reshape(-1, page_size), _HEADER))
