"""The corpus: everybody whom the identity fields of all stores name, to be found again in free text."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from unicodedata import normalize

from envclone.errors import UnsafeError

__all__ = ["Corpus", "CorpusBuilder"]

_LONGEST = 256
"""Characters; what is longer is no name, address or number, and would not be found in a text anyway."""


class Corpus:
    """Distinct identities by kind, sorted. Raw data: it stays in quarantine and in memory."""

    __slots__ = ("_kinds", "digest")

    def __init__(self, kinds: Mapping[str, Sequence[str]] | None = None) -> None:
        self._kinds = {kind: tuple(sorted(set(values))) for kind, values in sorted((kinds or {}).items()) if values}
        state = blake2b(digest_size=16)
        for line in self._lines():
            state.update(line)
        self.digest = state.hexdigest()
        """32 hex digits that change with every identity, for provenance."""

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def values(self, kind: str) -> Sequence[str]:
        """The identities of one kind, in NFC and without blanks around them."""
        return self._kinds.get(kind, ())

    def counts(self) -> Mapping[str, int]:
        """How many identities there are of each kind."""
        return {kind: len(values) for kind, values in self._kinds.items()}

    def save(self, path: Path) -> None:
        """Write it to a file of mode 0600: a header with the digest, then a JSON array [kind, value] per line."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(json.dumps({"format": 1, "digest": self.digest}).encode() + b"\n")
            file.writelines(self._lines())

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read what `save` wrote. Raises UnsafeError when the file is damaged."""
        kinds: dict[str, list[str]] = {}
        try:
            with path.open(encoding="utf-8") as file:
                header = json.loads(file.readline())
                for line in file:
                    kind, value = json.loads(line)
                    kinds.setdefault(kind, []).append(value)
            corpus = cls(kinds)
            sound = header.get("format") == 1 and header.get("digest") == corpus.digest
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
    """Collects identities batch by batch; memory grows with the distinct ones only."""

    def __init__(self) -> None:
        self._kinds: dict[str, set[str]] = {}

    def add(self, kind: str, values: Iterable[str]) -> None:
        """Take in the values of an identity field."""
        known = self._kinds.setdefault(kind, set())
        for value in values:
            if len(value) <= _LONGEST:
                value = value.strip()
                known.add(value if value.isascii() else normalize("NFC", value))
        known.discard("")

    def build(self) -> Corpus:
        """The corpus so far; the builder can go on."""
        return Corpus({kind: sorted(values) for kind, values in self._kinds.items()})
