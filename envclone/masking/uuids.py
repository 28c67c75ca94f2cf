"""The mask of UUIDs: version and variant are kept, so a pseudonym is a UUID of the same kind (RFC 9562).

All spellings of a UUID (casing, hyphens, braces, `urn:uuid:`) have spellings of one pseudonym. The nil and the max UUID
mean nobody and stay. A text that is not a UUID is masked within its shape and never becomes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from envclone.masking.fpe import Permutation, subkey
from envclone.masking.memo import Memo
from envclone.masking.patterns import matches
from envclone.masking.shape import Shape
from envclone.masking.walk import walk

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["UuidMask", "numbers_of", "uuids_in"]

_HEX = "0123456789abcdef"
_UUID = re.compile(r"(?i)((?:urn:uuid:)?\{?)([0-9a-f]{8}(-?)(?:[0-9a-f]{4}\3){3}[0-9a-f]{12})(\}?)")
_VERSION, _VARIANT = 12, 16
_RFC = "89ab"
_RFC_SHAPE = b"rfc", [16] * 15 + [4] + [16] * 15
_OTHER_SHAPE = b"other", [16] * 30
_FIXED = frozenset(("0" * 32, "f" * 32))
_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24})(?![0-9A-Za-z])"
)
_ONE, _TWO, _31 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(31)


def uuids_in(text: str, starts: Sequence[int] | None = None) -> Iterator[tuple[int, int]]:
    """Where UUIDs stand in a text, with and without hyphens; `starts` says where to look, without it everywhere."""
    found = _IN_TEXT.finditer(text) if starts is None else matches(_IN_TEXT, text, starts)
    return (match.span() for match in found)


def numbers_of(uuids: Sequence[str]) -> list[int]:
    """63 bits of each UUID, whatever its spelling; what is none is passed over."""
    digits = "".join([match[2].replace("-", "") for uuid in uuids if (match := _UUID.fullmatch(uuid.strip()))])
    halves: Any = np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64).reshape(-1, 2)
    mixed = (halves[:, 0] * _ONE) ^ (halves[:, 1] * _TWO)
    mixed = (mixed ^ (mixed >> _31)) * _ONE
    found: list[int] = ((mixed ^ (mixed >> _31)) >> np.uint64(1)).tolist()
    return found


class UuidMask:
    """UUIDs of any version in any spelling; a bijection."""

    def __init__(self, key: bytes) -> None:
        secret = self._key = subkey(key, "uuid")
        self._shape = Shape(secret, "text")
        self._rfc = Permutation(secret, *_RFC_SHAPE)
        self._other = Permutation(secret, *_OTHER_SHAPE)
        self.mask = Memo(self._one, batch=lambda: self._batch)
        self.packed = self.mask.packed

    @cached_property
    def _batch(self) -> Batch:
        from envclone.masking.number_batches import uuids

        return uuids(self._key, _RFC_SHAPE, _OTHER_SHAPE)

    def _one(self, value: str) -> str:
        match = _UUID.fullmatch(value.strip())
        if match is None:
            return walk(value, self._shape.text, lambda v: _UUID.fullmatch(v.strip()) is None)
        spelled = match[2]
        digits = spelled.replace("-", "").lower()
        if digits in _FIXED:
            return value
        fresh = iter(walk(digits, self._permuted, lambda d: d not in _FIXED))
        masked = "".join(c if c == "-" else next(fresh) for c in spelled)
        return value.replace(spelled, masked.upper() if spelled.isupper() else masked)

    def _permuted(self, digits: str) -> str:
        numbers = [int(c, 16) for c in digits]
        version, variant = digits[_VERSION], digits[_VARIANT]
        rfc = variant in _RFC
        moving = numbers[:_VERSION] + numbers[_VERSION + 1 : _VARIANT]
        if rfc:
            image = self._rfc([*moving, _RFC.index(variant), *numbers[_VARIANT + 1 :]])
            variant = _RFC[image.pop(15)]
        else:
            image = self._other([*moving, *numbers[_VARIANT + 1 :]])
        rest = "".join(_HEX[d] for d in image)
        return rest[:12] + version + rest[12:15] + variant + rest[15:]
