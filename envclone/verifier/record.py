"""Search what is written beside an image's files for originals: names of databases, roles and settings stand there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.errors import UnsafeError
from envclone.masking.shown import shown_address
from envclone.verifier.fields import FieldFindings, LooseSearch

__all__ = ["examine_record"]


def examine_record(record: Mapping[str, Any], findings: FieldFindings) -> int:
    """Search every string of a record (plain values as JSON has them) for what tells of a person; returns how many.

    Raises UnsafeError naming where in the record one stands.
    """
    search = findings.search or LooseSearch(findings.originals)
    texts = list(_strings(record, ""))
    problems = []
    for where, text in texts:
        batch = [text]
        problems += [
            f"{where}: a value of {findings.originals[number].address}"
            for number, _ in search.compare(batch, batch)
            if findings.originals[number].strong
        ]
    if problems:
        raise UnsafeError(
            "original values would stand in the image's record: no image was made",
            problems=problems[:50],
            hint="it holds the names of production's databases, slots, subscriptions, roles and files, and its\n"
            "settings: rename the one that is meant",
        )
    return len(texts)


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for position, (key, item) in enumerate(value.items()):
            yield f"{where}: name {position + 1}".lstrip(": "), str(key)
            yield from _strings(item, f"{where}.{shown_address(str(key))}".lstrip("."))
    elif isinstance(value, Sequence):
        for position, item in enumerate(value):
            named = item.get("what") if isinstance(item, Mapping) else None
            yield from _strings(item, f"{where}[{named or position}]")
