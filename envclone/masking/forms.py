"""Masks on values that are not plain texts: numbers, markup, bytes, documents; each in the engine's text of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envclone.errors import UnsafeError
from envclone.masking.jsontext import JsonMasker, NumberMask
from envclone.masking.kinds import NUMBERS
from envclone.masking.msgpack import MsgpackMask
from envclone.models import JsonRule
from envclone.protocols import Mask

__all__ = ["DocumentMask", "in_form"]

_MARKUP = re.compile(r"(<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<[^<>]*>|&[#\w]+;)", re.DOTALL)
_FLOAT_DIGITS = {"float4": 6, "float8": 15}
"""Digits that a float of the type holds, whatever they are (DBL_DIG, FLT_DIG)."""
_ATTRIBUTE = re.compile(r"""(=\s*)("[^"]*"|'[^']*')""")


def in_form(mask: Mask, kind: str, base: str) -> Mask:
    """A mask as it works on values of this base type (of an array: of its elements).

    Raises nothing itself; the mask raises UnsafeError for values that cannot be masked in their form.
    """
    if base in NUMBERS and isinstance(mask, NumberMask):
        return _Numbers(mask, _FLOAT_DIGITS.get(base, 0))
    if base == "xml":
        return _Markup(mask)
    if base == "bytea" and kind == "text":
        return _EncodedText(mask)
    if base == "bytea" and isinstance(mask, DocumentMask):
        return MsgpackMask(mask.text, _EncodedText(mask))
    if base == "bytea" and kind == "redact":
        return _Zeros()
    return mask


class DocumentMask:
    """The kind `json` on a text: every string of a document as free text; any other text is free text itself."""

    def __init__(self, text: Mask) -> None:
        self.text = text
        """The mask of the strings."""
        self._masker = JsonMasker((JsonRule("$.**", "text"),), lambda _: text)

    def mask(self, values: Sequence[str]) -> list[str]:
        """The values with their strings masked, in order."""
        return [self._one(value) for value in values]

    def _one(self, value: str) -> str:
        try:
            return self._masker.mask([value])[0]
        except UnsafeError:
            return self.text.mask([value])[0]


class _Numbers:
    def __init__(self, mask: NumberMask, digits: int) -> None:
        self._mask = mask
        self._digits = digits

    def mask(self, values: Sequence[str]) -> list[str]:
        if not self._digits:
            return self._mask.mask_numbers(values)
        rounded = [_rounded(value, self._digits) for value in values]
        return [_rounded(value, self._digits) for value in self._mask.mask_numbers(rounded)]


def _rounded(value: str, digits: int) -> str:
    """A float cut to so many significant digits, without zeros at its end: the engine gives it back as written."""
    mantissa, mark, exponent = value.partition("e")
    whole, dot, fraction = mantissa.partition(".")
    leading = len((whole + fraction).lstrip("-")) - len((whole + fraction).lstrip("-0"))
    room = max(0, digits + leading - len(whole.lstrip("-")))
    fraction = fraction[:room].rstrip("0")
    written = whole + (dot + fraction if fraction else "")
    return "0" if written in ("-0", "0") else written + mark + exponent


class _Markup:
    """Masks the texts between tags and the attributes' values; names of elements, entities and references stay."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def mask(self, values: Sequence[str]) -> list[str]:
        split = [_pieces(value) for value in values]
        masked = iter(self._mask.mask([text for pieces in split for text, free in pieces if free]))
        return ["".join(next(masked) if free else text for text, free in pieces) for pieces in split]


def _pieces(value: str) -> list[tuple[str, bool]]:
    """The document cut into what is markup and what is text (True)."""
    pieces: list[tuple[str, bool]] = []
    for i, part in enumerate(_MARKUP.split(value)):
        if i % 2 == 0:
            pieces.append((part, True))
        elif part.startswith(("<!--", "<![CDATA[")):
            head, tail = (4, 3) if part.startswith("<!--") else (9, 3)
            pieces += [(part[:head], False), (part[head:-tail], True), (part[-tail:], False)]
        elif part.startswith(("<?", "</", "<!", "&")):
            pieces.append((part, False))
        else:
            pieces += _attributes(part)
    return pieces


def _attributes(tag: str) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    position = 0
    for match in _ATTRIBUTE.finditer(tag):
        start, end = match.start(2) + 1, match.end(2) - 1
        pieces += [(tag[position:start], False), (tag[start:end], True)]
        position = end
    return [*pieces, (tag[position:], False)]


class _EncodedText:
    """Masks bytes that are a text in UTF-8. Raises UnsafeError for any other bytes."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def mask(self, values: Sequence[str]) -> list[str]:
        try:
            texts = [bytes.fromhex(value.removeprefix("\\x")).decode("utf-8") for value in values]
        except ValueError:
            raise UnsafeError(
                "a value of type bytea is not text in UTF-8",
                hint="declare the field as `bytes`, which replaces any bytes, or as `null`",
            ) from None
        return ["\\x" + text.encode("utf-8").hex() for text in self._mask.mask(texts)]


class _Zeros:
    """Overwrites bytes by zeros; what was zeros by ones."""

    def mask(self, values: Sequence[str]) -> list[str]:
        return [_overwritten(value) for value in values]


def _overwritten(value: str) -> str:
    size = len(value.removeprefix("\\x")) // 2
    zeros = "\\x" + "00" * size
    return zeros if value != zeros or not size else "\\x" + "01" * size
