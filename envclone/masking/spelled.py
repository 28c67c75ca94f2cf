"""Which texts may hold anything in another spelling: the sieve before the decoders, for the masker and for searches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from envclone.compiled import available, frozen
from envclone.masking.beginnings import codes_of, firsts
from envclone.masking.characters import ALIKE, LEADS
from envclone.masking.decoders import views

__all__ = ["marked", "marks", "spelled"]

_SEPARATOR = "\x00"
_DASHES = range(0x2012, 0x2016)
_ASKED = "%=?&'<][({*~@\n\\`"
"""Signs that only what follows makes a spelling."""


def spelled(texts: Sequence[str]) -> list[bool]:
    """For each text whether it may hold a spelling that `decoders` read: too often yes rather than once no."""
    if not available():
        return [next(views(_SEPARATOR.join(texts)), None) is not None] * len(texts)
    if any(_SEPARATOR in text for text in texts):
        texts = [text.replace(_SEPARATOR, " ") for text in texts]
    return marked(codes_of(_SEPARATOR.join(texts)), len(texts)) if texts else []


def marked(codes: Any, count: int) -> list[bool]:
    """The same of so many texts with NUL between them, as code points or as bytes; only where loops are compiled."""
    return [mark != 0 for mark in marks(codes, count).tolist()]


def marks(codes: Any, count: int) -> Any:
    """What may be spelled in each of them (uint8), as `kernels.spelled` says it."""
    from envclone.masking.kernels import spelled as kernels

    found = np.zeros(count, np.uint8)
    kernels.mark(frozen(codes), _classes(), found)
    return found


@cache
def _classes() -> Any:
    from envclone.masking.kernels import spelled as kernels

    begins = firsts()
    classes = np.where(begins, kernels.TOLD, kernels.OTHER).astype(np.uint8)
    for characters, kind in (
        ("abcdefghijklmnopqrstuvwxyz", kernels.LETTER),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", kernels.CAPITAL),
        ("0123456789", kernels.DIGIT),
        ("+/-_", kernels.BLOCK),
        (" ", kernels.SPACE),
        ("\0", kernels.END),
        (_ASKED, kernels.SIGN),
        ("".join(map(chr, _DASHES)) + LEADS, kernels.DASH),
        (ALIKE, kernels.MIXED),
    ):
        classes[[ord(char) for char in characters]] = kind
    return classes
