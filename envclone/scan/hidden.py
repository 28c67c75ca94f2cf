"""Identities in sampled values as the verifier would read them: through every decoder, and without knowing anybody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from envclone.masking.corpus import Corpus
from envclone.masking.decoders import views
from envclone.masking.finder import Finder
from envclone.masking.nobody import usual
from envclone.masking.spelled import spelled

__all__ = ["hidden", "holds_identity", "names_anybody"]

_TELLING = frozenset(("email", "phone", "iban", "card", "national_id"))
"""Kinds that tell of somebody by their form alone."""
_MOST = 500
"""Values that are decoded, of the first ones."""
_LONGEST = 1 << 16
"""Characters of a value that are decoded."""


def hidden(values: Sequence[str]) -> int:
    """How many values spell an identity otherwise than plainly: `amFuZUBleGFtcGxl…`, `jane%40example.org`."""
    some = [value[:_LONGEST] for value in values[:_MOST]]
    return sum(_decoded(value) for value, told in zip(some, spelled(some), strict=True) if told)


def holds_identity(value: str) -> bool:
    """Whether a value holds an identity that is told by its form, in whatever spelling."""
    value = value[:_LONGEST]
    return _found(value) or (spelled([value])[0] and _decoded(value))


def names_anybody(value: str) -> bool:
    """Whether free text's own nets find anybody in a value: by form, by what stands around a name, by the tagger."""
    return bool(_finder().spans(value[:_LONGEST])) or holds_identity(value)


def _decoded(value: str) -> bool:
    return any(_found(view.text) for view in views(value))


def _found(text: str) -> bool:
    return any(kind in _TELLING for _, _, kind in _finder().spans(text))


@cache
def _finder() -> Finder:
    """The matcher of free text and of the verifier, which knows nobody."""
    return Finder(Corpus(), usual())
