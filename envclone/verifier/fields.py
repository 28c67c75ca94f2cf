"""Search every field for originals: what the masks made, and what the rules keep."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unicodedata import normalize
from urllib.parse import unquote

from envclone.errors import UnsafeError
from envclone.memory import give_back
from envclone.models import FieldKind, FieldRule, ProgressEvent, StorePlan
from envclone.protocols import Masks, Progress, StoreSession
from envclone.verifier.originals import Originals
from envclone.verifier.search import ByteSearch

if TYPE_CHECKING:
    from envclone.masking.kinds import DomainSpec
    from envclone.masking.nobody import Nobody

__all__ = ["FieldFindings", "Looker", "LooseSearch", "examine_fields", "folded"]

SHORTEST_IN_TEXT = 3
"""Bytes; a value of two letters is compared with its pseudonym, not searched for."""

SEPARATOR = b"\xff"
_UNTELLING = frozenset(("text", "json", "date", "integer", "number", "hook", "sql"))
"""Kinds whose values are no identity: a whole text is none (the identities in it are), and '2024-01-01' is nobody's."""
_TELLING_TYPES = frozenset(("uuid", "ip", "mac", "bytes", "phone", "card"))
"""Kinds that tell of a person though their values are no texts."""
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


class Marks:
    """Numbers that are marked, a bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Mark a number."""
        if number >= len(self._bits) * 8:
            self._bits.extend(bytes(number // 8 + 1 - len(self._bits) + 4096))
        self._bits[number >> 3] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        return number >> 3 < len(self._bits) and bool(self._bits[number >> 3] >> (number & 7) & 1)


@dataclass(slots=True)
class FieldFindings:
    """The originals, and those of them that stand in the sanitized data without being a leak.

    `explained` are the numbers of originals that equal a pseudonym or a word of a kept field; `by_field` counts them
    per field. `rows` are those of each store's tables, `differences` what is not as the masks make it.
    `search` finds them in texts; it is large, and let go of when no more texts come.
    """

    originals: Originals = field(default_factory=Originals)
    explained: Marks = field(default_factory=Marks)
    by_field: Counter[str] = field(default_factory=Counter)
    search: LooseSearch | None = None
    spared: Nobody | None = None
    nobody: defaultdict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))
    values: int = 0
    rows: dict[str, Mapping[str, int]] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """What the attestation says of it: counts only."""
        return {
            "originals": len(self.originals),
            "values_searched": self.values,
            "coincidences": dict(self.by_field),
            "nobody": self._nobody(),
        }

    def _nobody(self) -> list[dict[str, Any]]:
        """Per place and kind how many values were nobody's, and which: those of the stack file by their shape."""
        if self.spared is None:
            return []
        return [
            {"field": place, "kind": kind, "count": count, "values": shown}
            for place, found in sorted(self.nobody.items())
            for kind, count, shown in self.spared.told(found)
        ]


def examine_fields(
    sessions: Mapping[str, StoreSession],
    cleans: Mapping[str, StoreSession],
    plans: Mapping[str, StorePlan],
    placed: Mapping[str, Collection[str]],
    domains: Mapping[str, DomainSpec],
    masks: Masks,
    progress: Progress,
) -> FieldFindings:
    """Compare the sanitized stores (`cleans`) with what the masks make of the raw ones, and search that for originals.

    One pass does both: what is searched is what was compared. Fields that the store computes itself are read in the
    sanitized one. Raises UnsafeError naming the fields that hold originals, unless there are `differences`, which come
    first.
    """
    from envclone.masking.identities import identities

    findings = FieldFindings(spared=getattr(masks, "nobody", None))
    for store, session in sessions.items():
        progress(ProgressEvent(f"collecting the originals of {store}", 0))
        rules = {a: rule for a, rule in plans[store].masked.items() if not rule.derived and _telling(rule, domains)}
        for address, batch in session.read(set(rules)) if rules else ():
            spared = findings.nobody[f"{store}.{address}"]
            for kind, values in identities(
                rules[address], domains, batch, every=True, nobody=findings.spared, spared=spared
            ):
                if kind not in _UNTELLING:
                    findings.originals.add(f"{store}.{address}", kind, values)
    findings.originals.seal()
    give_back()
    search = findings.search = LooseSearch(findings.originals)
    leaks: Counter[tuple[str, str]] = Counter()
    for store, session in sessions.items():
        progress(ProgressEvent(f"comparing {store} row by row, and searching every field", 0))
        looker = Looker(store, search, findings, leaks)
        compared = session.compare(cleans[store], plans[store], masks, placed.get(store, ()), looker, progress)
        looker.take(looker.found())
        findings.rows[store] = compared.rows
        findings.differences += [f"{store}: {problem}" for problem in compared.problems]
        _examine_computed(cleans[store], store, plans[store], search, findings, leaks)
    if findings.differences:
        return findings
    if leaks:
        raise UnsafeError(
            "original values of masked fields are left in other fields: no image was made",
            problems=[
                f"{where}: {count} times a value of {source}" for (where, source), count in sorted(leaks.items())
            ],
            hint="declare the field in sanitize.rules: `text` for free text, or the domain of the values it holds;\n"
            "redact or null where they are spelled otherwise (jane%40example.org) or the type is no text;\n"
            "a definition, comment, name or setting has to be changed in production",
        )
    return findings


class Looker:
    """Searches the values of one store while they are compared; see `protocols.Look`."""

    def __init__(
        self, store: str, search: LooseSearch, findings: FieldFindings, leaks: Counter[tuple[str, str]]
    ) -> None:
        self._store, self._search, self._findings, self._leaks = store, search, findings, leaks
        self._clear()

    def _clear(self) -> None:
        self._values = 0
        self._explained: set[int] = set()
        self._by_field: Counter[str] = Counter()
        self._leaking: Counter[tuple[str, str]] = Counter()

    def batch(self, address: str, before: list[Any], after: list[Any]) -> None:
        """Search what stands in a field now."""
        place = f"{self._store}.{address}"
        self._values += len(after)
        for number, unchanged in self._search.compare(before, after):
            known = self._findings.originals[number]
            if unchanged and known.strong:
                self._leaking[place, known.address] += 1
            else:  # a pseudonym may equal somebody else's original
                self._explained.add(number)
                self._by_field[place] += 1

    def found(self) -> tuple[Any, ...]:
        """Counts, and numbers of originals."""
        found = self._values, self._explained, self._by_field, self._leaking
        self._clear()
        return found

    def take(self, found: Any) -> None:
        """Add to the findings."""
        values, explained, by_field, leaking = found
        self._findings.values += values
        for number in explained:
            self._findings.explained.add(number)
        self._findings.by_field.update(by_field)
        self._leaks.update(leaking)


def _telling(rule: FieldRule, domains: Mapping[str, DomainSpec]) -> bool:
    """Whether a field's values are searched for: a number or a date is nobody's, and is compared by digest only."""
    from envclone.masking.kinds import kind_of

    return rule.kind is not FieldKind.OTHER or kind_of(rule.domain, domains) in _TELLING_TYPES


def _examine_computed(
    session: StoreSession,
    store: str,
    plan: StorePlan,
    search: LooseSearch,
    findings: FieldFindings,
    leaks: Counter[tuple[str, str]],
) -> None:
    """Fields that have no counterpart to be compared with, as they stand in the sanitized store."""
    computed = {address for address, rule in plan.rules.items() if rule.derived or rule.by}
    for address, batch in session.read(computed) if computed else ():
        findings.values += len(batch)
        for number, _ in search.compare(batch, batch):
            known = findings.originals[number]
            if known.strong and number not in findings.explained:
                leaks[f"{store}.{address}", known.address] += 1
            else:
                findings.explained.add(number)
                findings.by_field[f"{store}.{address}"] += 1


class LooseSearch:
    """Finds originals in any spelling: upper case, NFD, `jane%40example.org`, `\\u00E9`."""

    def __init__(self, originals: Originals) -> None:
        self._search = ByteSearch(
            originals,
            minimum=SHORTEST_IN_TEXT,
            spell=lambda value: (folded(value).encode("utf-8", "surrogatepass"),),
            folds=True,
        )

    def compare(self, before: list[Any], after: list[Any]) -> Iterator[tuple[int, bool]]:
        """The number of each original in `after`, and whether it stands where it stood in `before`."""
        new = [_bytes(value) for value in after]
        if after is before:
            yield from ((hit.original, True) for hit in self._search.find(SEPARATOR.join(new)))
            return
        old = [_bytes(value) for value in before]
        if all(len(raw) == len(made) for raw, made in zip(old, new, strict=True)):
            # one search over the whole batch: the values are joined by a byte that no UTF-8 text holds
            old, new = [SEPARATOR.join(old)], [SEPARATOR.join(new)]
        for raw, made in zip(old, new, strict=True):
            aligned = len(raw) == len(made)
            for hit in self._search.find(made):
                found = made[hit.start : hit.end]
                yield hit.original, raw[hit.start : hit.end] == found if aligned else found in raw


def folded(text: str) -> str:
    """A text with its escapes resolved, composed, in lower case."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "%" in text:
        text = unquote(text)
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).lower())


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return folded(value).encode("utf-8", "surrogatepass")
    if isinstance(value, list):
        return SEPARATOR.join(_bytes(item) for item in value)
    return str(value).encode()
