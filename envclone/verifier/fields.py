"""Search every field for originals: what the masks made, and what the rules keep."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unicodedata import normalize
from urllib.parse import unquote

from envclone.errors import UnsafeError
from envclone.models import FieldKind, FieldRule, ProgressEvent, StorePlan
from envclone.protocols import Masks, Progress, StoreSession
from envclone.verifier.originals import Original, Originals
from envclone.verifier.search import ByteSearch

if TYPE_CHECKING:
    from envclone.masking.kinds import DomainSpec

__all__ = ["FieldFindings", "LooseSearch", "examine_fields", "folded"]

SHORTEST_IN_TEXT = 3
"""Bytes; a value of two letters is compared with its pseudonym, not searched for."""

SEPARATOR = b"\xff"
_UNTELLING = frozenset(("text", "json", "date", "integer", "number", "hook", "sql"))
"""Kinds whose values are no identity: a whole text is none (the identities in it are), and '2024-01-01' is nobody's."""
_TELLING_TYPES = frozenset(("uuid", "ip", "mac", "bytes", "phone", "card"))
"""Kinds that tell of a person though their values are no texts."""
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(slots=True)
class FieldFindings:
    """The originals, and those of them that stand in the sanitized data without being a leak.

    `explained` are originals that equal a pseudonym or a word of a kept field; `by_field` counts them per field.
    """

    originals: Originals = field(default_factory=Originals)
    explained: set[str] = field(default_factory=set)
    by_field: Counter[str] = field(default_factory=Counter)
    values: int = 0

    def summary(self) -> dict[str, Any]:
        """What the attestation says of it: counts only."""
        return {
            "originals": len(self.originals),
            "values_searched": self.values,
            "coincidences": dict(self.by_field),
        }


def examine_fields(
    sessions: Mapping[str, StoreSession],
    cleans: Mapping[str, StoreSession],
    plans: Mapping[str, StorePlan],
    domains: Mapping[str, DomainSpec],
    masks: Masks,
    progress: Progress,
) -> FieldFindings:
    """Search what the masks make of every field of the raw stores (`sessions`) for original values.

    The digests have shown before that this is what the sanitized stores (`cleans`) hold; fields that the store computes
    itself are read there. Raises UnsafeError naming the fields.
    """
    from envclone.masking.identities import identities

    findings = FieldFindings()
    for store, session in sessions.items():
        progress(ProgressEvent(f"collecting the originals of {store}", 0))
        rules = {a: rule for a, rule in plans[store].masked.items() if not rule.derived and _telling(rule, domains)}
        for address, batch in session.read(set(rules)) if rules else ():
            for kind, values in identities(rules[address], domains, batch, every=True):
                if kind not in _UNTELLING:
                    findings.originals.add(f"{store}.{address}", kind, values)
    search = ByteSearch(findings.originals.items(), minimum=SHORTEST_IN_TEXT)
    loose = LooseSearch(findings.originals.items())
    leaks: Counter[tuple[str, str]] = Counter()
    spelled: Counter[tuple[str, str]] = Counter()
    for store, session in sessions.items():
        progress(ProgressEvent(f"searching every field of {store}", 0))
        for address, batch in session.read():
            rule = plans[store].rules.get(address)
            place = f"{store}.{address}"
            if rule is not None and (rule.derived or rule.by):
                continue
            findings.values += len(batch)
            after = masks.field(rule)(batch) if rule is not None and rule.masked else batch
            _search_batch(search, findings, leaks, place, batch, after)
            for source in loose.left(batch, after):
                spelled[place, source] += 1
        _examine_computed(cleans[store], store, plans[store], search, findings, leaks)
    leaks |= spelled  # the larger count: what is found as it is, is found in another spelling too
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


def _telling(rule: FieldRule, domains: Mapping[str, DomainSpec]) -> bool:
    """Whether a field's values are searched for: a number or a date is nobody's, and is compared by digest only."""
    from envclone.masking.kinds import kind_of

    return rule.kind is not FieldKind.OTHER or kind_of(rule.domain, domains) in _TELLING_TYPES


def _examine_computed(
    session: StoreSession,
    store: str,
    plan: StorePlan,
    search: ByteSearch,
    findings: FieldFindings,
    leaks: Counter[tuple[str, str]],
) -> None:
    """Fields that have no counterpart to be compared with, as they stand in the sanitized store."""
    computed = {address for address, rule in plan.rules.items() if rule.derived or rule.by}
    for address, batch in session.read(computed) if computed else ():
        findings.values += len(batch)
        for hit in search.find(SEPARATOR.join(_bytes(value) for value in batch)):
            known = findings.originals[hit.value]
            if known.strong and hit.value not in findings.explained:
                leaks[f"{store}.{address}", known.address] += 1
            else:
                findings.explained.add(hit.value)
                findings.by_field[f"{store}.{address}"] += 1


def _search_batch(
    search: ByteSearch,
    findings: FieldFindings,
    leaks: Counter[tuple[str, str]],
    where: str,
    batch: list[Any],
    made: list[Any],
) -> None:
    masked = made is not batch
    before = [_bytes(value) for value in batch]
    after = [_bytes(value) for value in made] if masked else before
    if all(len(old) == len(new) for old, new in zip(before, after, strict=True)):
        # one search over the whole batch: the values are joined by a byte that no UTF-8 text holds
        before, after = [SEPARATOR.join(before)], [SEPARATOR.join(after)]
    for old, new in zip(before, after, strict=True):
        aligned = len(old) == len(new)
        for hit in search.find(new):
            known = findings.originals[hit.value]
            found = new[hit.start : hit.end]
            # a pseudonym may equal somebody else's original; an original that stands where it stood is a leak
            unchanged = not masked or (old[hit.start : hit.end] == found if aligned else found in old)
            if unchanged and known.strong:
                leaks[where, known.address] += 1
            else:
                findings.explained.add(hit.value)
                findings.by_field[where] += 1


class LooseSearch:
    """Finds what tells of a person by itself in any spelling: upper case, NFD, `jane%40example.org`, `\\u00E9`."""

    def __init__(self, originals: Mapping[str, Original]) -> None:
        self._known = {folded(value): original for value, original in originals.items() if original.strong}
        self._search = ByteSearch(self._known, minimum=SHORTEST_IN_TEXT)

    def left(self, before: list[Any], after: list[Any]) -> Iterator[str]:
        """The address of each original that stands in `after` where it stood in `before`."""
        new = [_bytes(value, folded) for value in after]
        if after is before:
            yield from (self._known[hit.value].address for hit in self._search.find(SEPARATOR.join(new)))
            return
        for raw, made in zip(before, new, strict=True):
            hits = list(self._search.find(made))
            old = _bytes(raw, folded) if hits else b""
            for hit in hits:
                found = made[hit.start : hit.end]
                if old[hit.start : hit.end] == found if len(old) == len(made) else found in old:
                    yield self._known[hit.value].address


def folded(text: str) -> str:
    """A text with its escapes resolved, composed, in lower case."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "%" in text:
        text = unquote(text)
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).lower())


def _bytes(value: Any, form: Callable[[str], str] = str) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return form(value).encode("utf-8", "surrogatepass")
    if isinstance(value, list):
        return SEPARATOR.join(_bytes(item, form) for item in value)
    return str(value).encode()
