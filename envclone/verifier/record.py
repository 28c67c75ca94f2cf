"""Search what is written beside an image's files for originals: names of databases, roles and settings stand there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.masking.shown import shown_address
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import outline
from envclone.verifier.loose import LooseSearch
from envclone.verifier.nested import outermost

__all__ = ["examine_record"]


def examine_record(record: Mapping[str, Any], findings: FieldFindings) -> int:
    """Search every string of a record (plain values as JSON has them) for identities; returns how many there are.

    What is found is added to the findings' leaks.
    """
    search = findings.search or LooseSearch(findings.originals)
    texts = list(_strings(record, ""))
    hits = [one for one in search.find([text for _, text in texts]) if findings.originals[one.hit.original].strong]
    for found in outermost(hits):  # a name in an address is told with the address
        known = findings.originals[found.hit.original]
        places = (texts[found.value][0], "record")
        if not any(findings.leaks.accepts(place, known.kind) for place in places):
            findings.leaks.add(
                "record",
                texts[found.value][0],
                known.address,
                known.kind,
                what=f"a value of the kind {known.kind}",
                remedy="It holds the names of production's databases, slots, subscriptions, roles, files and its "
                "settings: rename the one that is meant.",
                context=outline(found.text, found.hit.start, found.hit.end),
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
