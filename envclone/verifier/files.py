"""Search the bytes of every file for originals, and every compressed value decompressed."""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress, Store
from envclone.verifier.fields import FieldFindings
from envclone.verifier.search import ByteSearch, Hit, shortest

__all__ = ["examine_files"]

EXPANDED_AT_ONCE = 4 * 2**20
"""Bytes of decompressed values that are searched together."""


def examine_files(
    stores: Mapping[str, tuple[Path, StoreSnapshot, Store]], findings: FieldFindings, progress: Progress
) -> dict[str, Any]:
    """Search all files of the closed clones; returns the figures. What is found is added to the findings' leaks.

    An original shorter than what chance would put into so many bytes is not searched for here; the figures say how
    many those are. They were compared row by row before. Bytes that several values of a compared row make together are
    no value; the figures count them.
    """
    files = {
        path: name
        for name, (directory, _, _) in stores.items()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    sizes = {path: path.stat().st_size for path in files}
    total = sum(sizes.values())
    minimum = shortest(total, len(findings.originals))
    search = ByteSearch(findings.originals, minimum=minimum)
    words = _engine_words(stores, search, findings)
    leaks: Counter[tuple[str, str, str]] = Counter()
    explained = beside = 0

    def take(hit: Hit, where: str, made_of_several: Callable[[int, int], bool] | None = None) -> None:
        nonlocal explained, beside
        if hit.original in findings.explained:
            explained += 1
        elif made_of_several is not None and made_of_several(hit.start, hit.end):
            beside += 1
        else:
            known = findings.originals[hit.original]
            leaks[where, known.address, known.kind] += 1

    done = 0
    telling = {name: store.side_by_side(directory) for name, (directory, _, store) in stores.items()}
    for piece in search.find_in_files(list(files)):
        path, name = piece.path, files[piece.path]
        for hit in piece.hits:
            take(hit, f"{name}: {path.relative_to(stores[name][0])}", functools.partial(telling[name], path))
        done += piece.size
        progress(ProgressEvent("searching every byte of the files", done, total, "bytes"))
    progress(ProgressEvent("searching every byte of the files", total, total, "bytes"))
    expanded = 0
    for name, (directory, snapshot, store) in stores.items():
        batch: list[tuple[str, bytes]] = []
        held = 0
        for place, data in store.expand(directory, snapshot):
            batch.append((place, data))
            held += len(data)
            if held >= EXPANDED_AT_ONCE:
                expanded += held
                _search_expanded(search, batch, name, take)
                batch, held = [], 0
        expanded += held
        _search_expanded(search, batch, name, take)
    for (where, source, kind), count in sorted(leaks.items()):
        findings.leaks.add(
            "files",
            where,
            source,
            kind,
            what=f"a value of the kind {kind}",
            remedy="When it stands in a definition (a comment, a function's body, a role's name), take it out there in "
            "production; any other place is one that sanitization does not reach: please report it.",
            times=count,
        )
    return {
        "files": len(files),
        "bytes": total,
        "bytes_decompressed": expanded,
        "originals_searched": search.searched,
        "originals_too_short": search.skipped,
        "shortest_searched": minimum,
        "coincidences": explained,
        "made_of_several_values": beside,
        "words_of_the_engine": words,
        "residue_hits": 0,
    }


def _engine_words(
    stores: Mapping[str, tuple[Path, StoreSnapshot, Store]], search: ByteSearch, findings: FieldFindings
) -> int:
    """Originals that are words of the engine's own catalogs: 'Case' and 'Grant' are names, and stand in SQL's features.

    Only what does not tell of a person by itself is explained by that. Returns how many those are.
    """
    found: set[int] = set()
    for directory, _, store in stores.values():
        for path in store.vocabulary(directory):
            if path.is_file():
                found.update(h.original for h in search.find_in_file(path) if not findings.originals[h.original].strong)
    for number in found:
        findings.explained.add(number)
    return len(found)


def _search_expanded(
    search: ByteSearch, batch: list[tuple[str, bytes]], name: str, take: Callable[[Hit, str], None]
) -> None:
    joined = b"\xff".join(data for _, data in batch)
    if not joined:
        return
    starts: list[int] = []
    position = 0
    for _, data in batch:
        starts.append(position)
        position += len(data) + 1
    for hit in search.find(joined):
        take(hit, f"{name}: {batch[bisect_right(starts, hit.start) - 1][0]}")
