"""The corpus: everybody whom the identity fields of all stores name, to be found again in free text."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np

from envclone.compiled import available
from envclone.distinct import Distinct
from envclone.errors import UnsafeError
from envclone.masking import crowd
from envclone.masking.meant import UNSAID, meant
from envclone.masking.nobody import Nobody, usual
from envclone.masking.notations import notations
from envclone.masking.patterns import is_email
from envclone.masking.streets import street_of, streets_in
from envclone.masking.transliterated import (
    KINDS_TRANSLITERATED,
    in_lines_too,
    of_lines,
    with_lines,
    with_transliterated,
)
from envclone.masking.uuids import numbers_of
from envclone.packed import Packed
from envclone.shelf import Shelf

__all__ = ["Corpus", "CorpusBuilder"]

_FORMAT = 3
_LONGEST = 256
"""Characters; what is longer is not a name, address or number, and would not be found in a text anyway."""
_AT_ONCE = 1 << 20


class Corpus:
    """Distinct identities by kind. Raw data: it stays in quarantine and in memory."""

    __slots__ = ("_kinds", "shelf")

    def __init__(self, kinds: Mapping[str, Iterable[str]] | None = None, shelf: Shelf | None = None) -> None:
        self.shelf = shelf or Shelf()
        """Where what is made of it may lie, too."""
        self._kinds: dict[str, Distinct] = {}
        for kind, values in sorted((kinds or {}).items()):
            held = values if isinstance(values, Distinct) else _distinct(values)
            if len(held):
                self._kinds[kind] = held

    @property
    def digest(self) -> str:
        """32 hex digits that change with every identity, whatever their order, for provenance."""
        total = 0
        for kind, values in self._kinds.items():
            for value in values:
                text = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
                total += int.from_bytes(blake2b(text, digest_size=16).digest(), "big")
        return f"{total % (1 << 128):032x}"

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def each(self, kind: str) -> Iterator[str]:
        """The identities of one kind, in NFC and without blanks around them, in no order."""
        return iter(self._kinds.get(kind, ()))

    def packed(self, kind: str) -> tuple[Any, Any]:
        """The bytes of the same one behind the other, and their bounds (`Distinct.held`); to be read only."""
        held = self._kinds.get(kind)
        block, bounds = held.held() if held is not None else (np.zeros(0, np.uint8), np.zeros(1, np.int64))
        block = block.view()
        block.flags.writeable = False
        return block, bounds

    def values(self, kind: str) -> Sequence[str]:
        """The same, sorted."""
        return tuple(sorted(self.each(kind)))

    def counts(self) -> Mapping[str, int]:
        """How many identities there are of each kind."""
        return {kind: len(values) for kind, values in self._kinds.items()}

    def save(self, path: Path) -> None:
        """Write it to a file of mode 0600: a header in JSON, then per kind where its values begin, and their bytes.

        The header has each kind with how many bounds (8 bytes each) and bytes there are, and a digest of all of them.
        """
        kinds: dict[str, list[int]] = {}
        for kind, values in self._kinds.items():
            block, bounds = values.held()
            kinds[kind] = [len(bounds), len(block)]
        header = {"format": _FORMAT, "kinds": kinds, "digest": _digest(self._parts())}
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(json.dumps(header).encode() + b"\n")
            file.writelines(self._parts())

    def _parts(self) -> Iterator[bytes]:
        """What `save` writes behind the header, some at a time."""
        for values in self._kinds.values():
            block, bounds = values.held()
            for first in range(0, len(bounds), _AT_ONCE):
                yield bounds[first : first + _AT_ONCE].astype("<u8").tobytes()
                self.shelf.rest()
            for first in range(0, len(block), _AT_ONCE):
                yield block[first : first + _AT_ONCE].tobytes()
                self.shelf.rest()

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read what `save` wrote. Raises UnsafeError when the file is damaged."""
        kinds: dict[str, Distinct] = {}
        try:
            with path.open("rb") as file:
                header = json.loads(file.readline())
                parts: list[bytes] = []
                for kind, (count, size) in header["kinds"].items():
                    parts += [file.read(8 * count), file.read(size)]
                    kinds[kind] = Distinct.unpacked(parts[-1], np.frombuffer(parts[-2], "<u8"))
                sound = header["format"] == _FORMAT and header["digest"] == _digest(parts) and not file.read(1)
        except (ValueError, TypeError, AttributeError, KeyError):
            sound = False
        if not sound:
            raise UnsafeError(
                f"the list of identities {path.name} is damaged", hint="take a new snapshot and make its image again"
            )
        return cls(kinds)


class CorpusBuilder:
    """Collects identities batch by batch; memory grows with the distinct ones only.

    E-mail addresses that look like one are found by that and not kept; of a telephone number the national one is, of a
    UUID 63 bits in hexadecimal. What is nobody's is left out.
    """

    def __init__(self, nobody: Nobody | None = None, shelf: Shelf | None = None) -> None:
        self._nobody = nobody or usual()
        self._shelf = shelf
        self._kinds: dict[str, Distinct] = {}

    def add(self, kind: str, values: Iterable[str]) -> None:
        """Take in the values of an identity field; of a kind that says nothing, those that look like one."""
        if kind in UNSAID:
            looks: dict[str, list[str]] = defaultdict(list)
            for value in values:
                if len(value) <= _LONGEST and (its := meant(value)):
                    looks[its].append(value)
            for its, those in looks.items():
                self.add_of(its, those)
            return
        self.add_of(kind, values)

    def add_of(self, kind: str, values: Iterable[str]) -> None:
        """Take in values that are of a kind."""
        if kind == "uuid":
            texts = [value for value in values if not self._nobody.holds(kind, value)]
            self._kinds.setdefault(kind, Distinct(self._shelf)).add([f"{number:x}" for number in numbers_of(texts)])
            return
        holds = self._nobody.holds
        short = (value.strip() for value in set(values) if len(value) <= _LONGEST and not holds(kind, value))
        composed = (value if value.isascii() else normalize("NFC", value) for value in short if value)
        if kind == "email":
            wanted = [value for value in composed if not is_email(value)]
        elif kind == "phone":
            wanted = [crowd.national(value) for value in composed]
        else:
            wanted = list(with_transliterated(composed) if kind in KINDS_TRANSLITERATED else composed)
            if kind == "address":
                wanted = [*with_lines(wanted), *(street for value in wanted if (street := street_of(value)[0]))]
        if kind == "mac":  # an address of a network is found by its form
            wanted += [way for value in wanted for way in notations(kind, value)]
        self._kinds.setdefault(kind, Distinct(self._shelf)).add(wanted)

    def take(self, kind: str, values: Packed) -> None:
        """The same of packed values."""
        somebody = values.without(self._nobody.among(kind, values))
        if kind == "uuid" or kind in UNSAID:
            self.add(kind, [text for text in somebody.texts() if text is not None])
            return
        self.add(kind, [text for _, text in crowd.odd_of(somebody)])
        plain = crowd.trimmed(somebody, _LONGEST)
        if available():
            plain = crowd.other_addresses(plain) if kind == "email" else plain
            plain = crowd.nationals(plain) if kind == "phone" else plain
            if kind == "mac":
                self.add(kind, {way for text in plain.texts() if text for way in notations(kind, text)})
            self._kinds.setdefault(kind, Distinct(self._shelf)).take(plain)
            if kind == "address":
                self._kinds[kind].take(in_lines_too(plain))
                self._kinds[kind].add(of_lines(plain))
                self._kinds[kind].add([street for _, text in streets_in(plain) if (street := street_of(text)[0])])

    def take_all(self, kinds: Mapping[str, Sequence[Packed]]) -> None:
        """The same of columns of several kinds, by two threads: loops let others run, and one kind touches nothing of
        another's, unless a value's looks tell its kind."""
        said = [kind for kind in kinds if kind not in UNSAID]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda kind: self._take_each(kind, kinds[kind]), said))
        for kind in kinds.keys() - said:
            self._take_each(kind, kinds[kind])

    def _take_each(self, kind: str, columns: Iterable[Packed]) -> None:
        for values in columns:
            self.take(kind, values)

    def build(self) -> Corpus:
        """The corpus; the builder is done with."""
        for held in self._kinds.values():
            held.seal()
        return Corpus(self._kinds, self._shelf)


def _digest(parts: Iterable[bytes]) -> str:
    state = blake2b(digest_size=16)
    for part in parts:
        state.update(part)
    return state.hexdigest()


def _distinct(values: Iterable[str]) -> Distinct:
    held = Distinct()
    held.add(list(values))
    return held
