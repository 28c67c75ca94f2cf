"""The file of names: where it is, and what changes with it; who only asks that does not wait for the names."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

__all__ = ["DICTIONARY", "dictionary_digest"]

DICTIONARY = Path(__file__).parent / "data" / "names.txt"
"""A line per role with its names, in lower case and NFC; `envclone.masking.names_build` makes it."""


def dictionary_digest() -> str:
    """16 hex digits that change with the dictionary."""
    return blake2b(DICTIONARY.read_bytes(), digest_size=8).hexdigest()
