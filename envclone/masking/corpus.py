"""The corpus: everybody whom the identity fields of all stores name, to be found again in free text."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from unicodedata import normalize

from envclone.distinct import Distinct
from envclone.errors import UnsafeError
from envclone.masking.patterns import is_email
from envclone.masking.phone import national_number

__all__ = ["Corpus", "CorpusBuilder"]

_LONG_NUMBER = 7
_LONGEST = 256
"""Characters; what is longer is no name, address or number, and would not be found in a text anyway."""


class Corpus:
    """Distinct identities by kind. Raw data: it stays in quarantine and in memory."""

    __slots__ = ("_kinds", "digest")

    def __init__(self, kinds: Mapping[str, Iterable[str]] | None = None) -> None:
        self._kinds: dict[str, Distinct] = {}
        for kind, values in sorted((kinds or {}).items()):
            held = values if isinstance(values, Distinct) else _distinct(values)
            if len(held):
                self._kinds[kind] = held
        total = 0
        for line in self._lines():
            total += int.from_bytes(blake2b(line, digest_size=16).digest(), "big")
        self.digest = f"{total % (1 << 128):032x}"
        """32 hex digits that change with every identity, whatever their order, for provenance."""

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def each(self, kind: str) -> Iterator[str]:
        """The identities of one kind, in NFC and without blanks around them, in no order."""
        return iter(self._kinds.get(kind, ()))

    def values(self, kind: str) -> Sequence[str]:
        """The same, sorted."""
        return tuple(sorted(self.each(kind)))

    def counts(self) -> Mapping[str, int]:
        """How many identities there are of each kind."""
        return {kind: len(values) for kind, values in self._kinds.items()}

    def save(self, path: Path) -> None:
        """Write it to a file of mode 0600: a header with the digest, then a JSON array [kind, value] per line."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(json.dumps({"format": 2, "digest": self.digest}).encode() + b"\n")
            file.writelines(self._lines())

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read what `save` wrote. Raises UnsafeError when the file is damaged."""
        kinds: dict[str, Distinct] = {}
        try:
            with path.open(encoding="utf-8") as file:
                header = json.loads(file.readline())
                for line in file:
                    kind, value = json.loads(line)
                    kinds.setdefault(kind, Distinct()).add([value])
            corpus = cls(kinds)
            sound = header.get("format") == 2 and header.get("digest") == corpus.digest
        except (ValueError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise UnsafeError(
                f"the list of identities {path.name} is damaged", hint="take a new snapshot and make its image again"
            )
        return corpus

    def _lines(self) -> Iterator[bytes]:
        for kind, values in self._kinds.items():
            for value in values:
                yield json.dumps([kind, value]).encode() + b"\n"


class CorpusBuilder:
    """Collects identities batch by batch; memory grows with the distinct ones only.

    E-mail addresses that look like one are found by that and not kept; of a telephone number the national one is.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, Distinct] = {}

    def add(self, kind: str, values: Iterable[str]) -> None:
        """Take in the values of an identity field."""
        short = (value.strip() for value in values if len(value) <= _LONGEST)
        composed = (value if value.isascii() else normalize("NFC", value) for value in short if value)
        if kind == "email":
            wanted = [value for value in composed if not is_email(value)]
        elif kind == "phone":
            wanted = [_national(value) for value in composed]
        else:
            wanted = list(composed)
        self._kinds.setdefault(kind, Distinct()).add(wanted)

    def build(self) -> Corpus:
        """The corpus; the builder is done with."""
        for held in self._kinds.values():
            held.seal()
        return Corpus(self._kinds)


def _distinct(values: Iterable[str]) -> Distinct:
    held = Distinct()
    held.add(list(values))
    return held


def _national(phone: str) -> str:
    number = national_number(phone)
    return number if len(number) >= _LONG_NUMBER else phone
