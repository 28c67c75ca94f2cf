"""The account of a store's files: which class each byte belongs to, and what was searched in them.

A value that the engine made of others passes with an original in it only by one of two rules. A copy (the key of an
index over a column, an element of its statistics) must be, as a whole, a value of that field in which the comparison
found the original by chance. What is made of values (a word, an element, an expression's result) must have an original
that the comparison found by chance in one of the fields that it is made of.

What comes from fields that a rule keeps can be of rows that are gone, which nobody looked at: it is read through the
decoders and searched for parts of one person's identity, as rows are.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.forked import fork_map, workers
from envclone.memory import give_back
from envclone.models import Accounted, ByteClass, Flaw, Values
from envclone.packed import TextBlock
from envclone.verifier.beside import Beside
from envclone.verifier.close import Close
from envclone.verifier.findings import outline
from envclone.verifier.loose import Found, LooseSearch, Texts, text_of
from envclone.verifier.search import ByteSearch, Hit, shortest
from envclone.verifier.windows import Seen

if TYPE_CHECKING:
    from envclone.verifier.field_findings import FieldFindings

__all__ = ["Account", "at_boundary"]

_AT_ONCE = 4 * 2**20
"""Bytes of an undecoded stretch that are searched together; chunks overlap by the longest value."""
_LITTLE = 2**20
"""Undecoded bytes of a store of which it is told which originals could stand in them before those are indexed."""
_LONGEST = 64 * 2**10
_NAMED = 20
"""Files whose bytes are not decoded that the figures name, those with the most first."""
_FEW_DIGITS = 12
"""Digits of an identity that a whole number does not hold by chance."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_REMEDY = "Mask what it is made from, or take it out there in production."
_REMEDY_RAW = "Nothing here reads these bytes, so a chance cannot be told from a value: please report it."

_PARTS = "two parts of one person's identity"

_Leak = tuple[str, str, str, str, str, tuple[str, ...]]
"""Place, source, kind, what, remedy, the fields that the value comes from."""


class Account:
    """One store's ledger; see `protocols.Ledger`. `settle` ends it."""

    def __init__(self, store: str, directory: Path, findings: FieldFindings) -> None:
        self._store, self._directory, self._findings = store, directory, findings
        self._search = findings.search or LooseSearch(findings.originals)
        self._close = Close(findings.subjects, findings.weak, findings.compounds)
        self._together: dict[str, tuple[Beside, tuple[str, ...], str]] = {}
        self._pieces: dict[str, Counter[ByteClass]] = defaultdict(Counter)
        self._undecoded: Counter[str] = Counter()
        self._raw: list[tuple[str, int, int]] = []
        self._clear()

    def _clear(self) -> None:
        self._entered: list[tuple[str, str, Mapping[ByteClass, int], Sequence[tuple[int, int]]]] = []
        self._leaks: dict[_Leak, tuple[int, list[str], str]] = {}
        self._flaws: list[Flaw] = []
        self._counted: dict[str, tuple[Beside, tuple[str, ...], str]] = {}
        self._values = self._chances = 0

    def enter(self, piece: Accounted) -> None:
        """Count a piece; search its values."""
        self._entered.append((piece.path, piece.name, piece.classes, piece.undecoded))
        self._flaws += piece.flaws
        for values in piece.values:
            self._look(values)

    def _look(self, values: Values) -> None:
        self._values += len(values.texts)
        sources = [f"{self._store}.{address}" for address in values.sources]
        texts = _read(values.texts)
        coincidences = self._findings.coincidences
        remedy, place = f"{_REMEDY} {values.stale}".strip(), f"{self._store}: {values.place}"
        if values.together:
            tally, _, _ = self._counted.setdefault(place, (Beside(), tuple(sources), remedy))
            self._close.count([text or "" for text in texts], values.at, tally)
            return
        read = Texts(
            texts, decoded=values.new or values.kept, seek=self._places if values.kept else self._search.places
        )
        told: dict[int, list[Found]] = defaultdict(list)
        for found in self._search.find(read):
            hit, known = found.hit, self._findings.originals[found.hit.original]
            if not known.strong or not at_boundary(found.text, hit):
                continue
            if values.numbers and hit.end - hit.start < _FEW_DIGITS:
                continue
            if (values.copies and coincidences.copied(sources, text_of(texts[found.value]))) or (
                not values.copies and coincidences.made_of(sources, hit.original)
            ):
                self._chances += 1
                continue
            at = values.at[found.value] if values.at else ""
            told[found.value].append(found)
            leak = place, known.address, known.kind, f"a value of the kind {known.kind}", remedy, tuple(sources)
            self._leak(leak, at, outline(found.text, hit.start, hit.end))
        if values.kept:
            for value, source, kind, number, context in self._close.find(read, told):
                what = f"a value of the kind {kind}" if number else _PARTS
                leak = place, source, kind, what, remedy, tuple(sources)
                self._leak(leak, values.at[value] if values.at else "", context)

    def _places(self, data: bytes) -> Iterator[int]:
        return chain(self._search.places(data), self._close.places(data))

    def _leak(self, leak: _Leak, at: str, context: str, times: int = 1) -> None:
        count, examples, shown = self._leaks.get(leak, (0, [], ""))
        examples = [*examples, at] if at and len(examples) < 3 and at not in examples else examples
        self._leaks[leak] = count + times, examples, shown or context

    def found(self) -> Any:
        """What was entered since this was asked last."""
        found = self._entered, self._leaks, self._flaws, self._counted, self._values, self._chances
        self._clear()
        return found

    def take(self, found: Any) -> None:
        """Take in what was entered."""
        entered, leaks, flaws, counted, values, chances = found
        for path, name, classes, undecoded in entered:
            if path:
                self._pieces[path].update(classes)
            if classes.get(ByteClass.UNDECODED):
                self._undecoded[name or path] += classes[ByteClass.UNDECODED]
            self._raw += [(path, offset, length) for offset, length in undecoded]
        for leak, (count, examples, context) in leaks.items():
            for at in examples or [""]:
                self._leak(leak, at, context, 0)
            self._leak(leak, "", context, count)
        self._flaws += flaws
        for place, (tally, fields, remedy) in counted.items():
            self._together.setdefault(place, (Beside(), fields, remedy))[0].merge(tally)
        self._values += values
        self._chances += chances

    def settle(self) -> dict[str, Any]:
        """Search what nobody decoded, hold the account against the files, and report; returns the figures."""
        self.take(self.found())
        stretches = list(_joined(self._raw))
        undecoded = sum(end - start for _, start, end in stretches)
        self._findings.originals.shelf.put_away()
        give_back()
        searched = self._search_raw(stretches, undecoded) if stretches else {}
        self._allow_list()
        for place, (tally, fields, remedy) in self._together.items():
            if tally.leaks() and tally.example is not None:
                source, kind = self._close.source(tally.example[0])
                self._leak((place, source, kind, _PARTS, remedy, fields), tally.example[1], "", sum(tally.seen))
        for flaw in self._flaws:
            self._findings.leaks.add(
                "account", f"{self._store}: {flaw.place}", "", "", what=flaw.what, remedy=flaw.remedy
            )
        for (place, source, kind, what, remedy, fields), (count, examples, context) in sorted(self._leaks.items()):
            if not any(self._findings.leaks.accepts(one, kind, count) for one in (*fields, place)):
                self._findings.leaks.add(
                    "files",
                    place,
                    source,
                    kind,
                    what=what,
                    remedy=remedy,
                    times=count,
                    examples=examples,
                    context=context,
                )
        totals: Counter[ByteClass] = Counter()
        for classes in self._pieces.values():
            totals.update(classes)
        return {
            "files": len(self._pieces),
            "bytes": sum(totals.values()),
            "classes": {one.value: totals[one] for one in ByteClass},
            "not_decoded": dict(self._undecoded.most_common(_NAMED)),
            "values_searched": self._values,
            "coincidences": self._chances,
            **searched,
        }

    def _allow_list(self) -> None:
        """Every file below the store's directory is claimed, and claimed as a whole."""
        there = {
            path.relative_to(self._directory).as_posix(): path.stat().st_size
            for path in sorted(self._directory.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        for name, size in there.items():
            claimed = sum(self._pieces[name].values()) if name in self._pieces else None
            if claimed is None:
                self._flaws.append(Flaw(name, "a file that no class claims", "Remove it in production."))
            elif claimed != size:
                self._flaws.append(Flaw(name, f"{size} bytes, of which the account has {claimed}"))
        for name in sorted(self._pieces.keys() - there.keys()):
            self._flaws.append(Flaw(name, "a file that is in the account and not on the disk"))

    def _search_raw(self, stretches: Sequence[tuple[str, int, int]], size: int) -> dict[str, int]:
        """Search stretches that nobody decoded as they are, by all processors."""
        minimum = shortest(size, len(self._findings.originals))
        within = Seen(self._bytes_of(stretches)) if size <= _LITTLE else None
        search = ByteSearch(self._findings.originals, minimum=minimum, within=within)

        def work(stretch: tuple[str, int, int]) -> tuple[str, list[tuple[int, int, str]]]:
            path, start, end = stretch
            return path, list(self._raw_hits(search, path, start, end))

        for path, hits in fork_map(work, list(stretches), workers(size)):
            for original, offset, context in hits:
                known = self._findings.originals[original]
                what = f"a value of the kind {known.kind}"
                leak = f"{self._store}: {path}", known.address, known.kind, what, _REMEDY_RAW, ()
                self._leak(leak, f"byte {offset}", context)
        return {
            "originals_searched": search.searched,
            "originals_too_short": search.skipped,
            "shortest_searched": minimum,
        }

    def _bytes_of(self, stretches: Sequence[tuple[str, int, int]]) -> bytes:
        parts: list[bytes] = []
        for path, some in groupby(stretches, lambda one: one[0]):
            with (self._directory / path).open("rb", buffering=0) as file:
                parts += [os.pread(file.fileno(), end - start, start) for _, start, end in some]
        return b"".join(parts)

    def _raw_hits(self, search: ByteSearch, path: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        with (self._directory / path).open("rb", buffering=0) as file:
            for offset in range(start, end, _AT_ONCE):
                last = min(offset + _AT_ONCE, end)
                begin = max(start, offset - _LONGEST)
                data = os.pread(file.fileno(), last - begin, begin)
                for hit in search.find(data):
                    if begin + hit.end > offset and self._findings.originals[hit.original].strong:
                        yield hit.original, begin + hit.start, outline(data, hit.start, hit.end)


def _read(texts: Sequence[str | bytes | None]) -> Sequence[str | None]:
    """Texts to be searched: a block stays one, unless its bytes are no text."""
    if isinstance(texts, TextBlock):
        if texts.block.isascii():
            return texts
        texts = texts.block.split(b"\0")
    return [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in texts]


def at_boundary(text: bytes, hit: Hit) -> bool:
    """Whether a hit is a value or a word: no letter or digit goes on before or behind it.

    A number does not go on from a name: 'Jane Doe1' holds one. Scripts that put no space between words have no such
    boundary.
    """
    inside = text[hit.start : hit.end].decode("utf-8", "ignore")
    before = text[max(0, hit.start - 4) : hit.start].decode("utf-8", "ignore")[-1:]
    after = text[hit.end : hit.end + 4].decode("utf-8", "ignore")[:1]
    apart = not any(char.isdigit() for char in inside)
    if apart and before.isdigit():
        before = ""
    if apart and after.isdigit():
        after = ""
    return not (_go_on(before, inside[:1]) or _go_on(inside[-1:], after))


def _go_on(one: str, other: str) -> bool:
    return one.isalnum() and other.isalnum() and not (_UNSPACED.match(one) or _UNSPACED.match(other))


def _joined(stretches: Sequence[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    """Stretches from byte to byte, those that touch as one."""
    current: tuple[str, int, int] | None = None
    for path, offset, length in sorted(stretches):
        if current is not None and current[0] == path and offset <= current[2]:
            current = path, current[1], max(current[2], offset + length)
            continue
        if current is not None:
            yield current
        current = path, offset, offset + length
    if current is not None:
        yield current
