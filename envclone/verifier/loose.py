"""Find originals in texts in any spelling: upper case, NFD, `jane%40example.org`, `\\u00E9`, `jane_doe`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

from envclone.masking.decoders import views
from envclone.masking.spelled import spelled
from envclone.verifier.originals import Originals
from envclone.verifier.search import ByteSearch, Hit

__all__ = ["Found", "LooseSearch", "folded", "text_of"]

SHORTEST_IN_TEXT = 3
"""Bytes; a value of two letters is compared with its pseudonym, not searched for."""

SEPARATOR = b"\xff"
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_JOINTS = str.maketrans("_.-+", "    ")
"""What joins the parts of a name or number as a space does; one sign for one, so that places stay."""


class Found(NamedTuple):
    """A hit in the value with this number of a batch; `text` is the value as it was searched, the hit's places in it.

    `unchanged`: it stands where it stood in production.
    """

    value: int
    hit: Hit
    text: bytes
    unchanged: bool


class LooseSearch:
    """Finds originals whatever their casing, escapes and the signs that join their parts."""

    def __init__(self, originals: Originals) -> None:
        self._search = ByteSearch(originals, minimum=SHORTEST_IN_TEXT, spell=lambda value: (text_of(value),))

    def find(self, values: Sequence[Any]) -> Iterator[Found]:
        """Every original in some values, and in what they say when their spellings are decoded."""
        yield from self._joined(decoded(values), None)

    def compare(self, before: Sequence[Any], after: Sequence[Any]) -> Iterator[Found]:
        """Every original in `after`, and whether it stands where it stood in `before`."""
        if after is before:
            yield from self.find(after)
            return
        old, new = [text_of(value) for value in before], [text_of(value) for value in after]
        if all(len(raw) == len(made) for raw, made in zip(old, new, strict=True)):
            yield from self._joined(new, old)
            return
        for number, (raw, made) in enumerate(zip(old, new, strict=True)):
            aligned = len(raw) == len(made)
            for hit in self._search.find(made):
                found = made[hit.start : hit.end]
                yield Found(number, hit, made, raw[hit.start : hit.end] == found if aligned else found in raw)

    def _joined(self, texts: list[bytes], old: list[bytes] | None) -> Iterator[Found]:
        """One search over a whole batch: the values are joined by a byte that no UTF-8 text holds."""
        starts: list[int] = []
        for hit in self._search.find(SEPARATOR.join(texts)):
            if not starts:
                position = 0
                for text in texts:
                    starts.append(position)
                    position += len(text) + 1
            number = bisect_right(starts, hit.start) - 1
            text, start = texts[number], starts[number]
            moved = Hit(hit.original, hit.start - start, hit.end - start)
            same = old is None or old[number][moved.start : moved.end] == text[moved.start : moved.end]
            yield Found(number, moved, text, same)


def decoded(values: Sequence[Any]) -> list[bytes]:
    """Values as they are searched; behind each what it says in other spellings, apart from it."""
    texts = [text_of(value) for value in values]
    strings = [number for number, value in enumerate(values) if isinstance(value, str)]
    told = spelled([values[number] for number in strings])
    for number, odd in zip(strings, told, strict=True):
        if odd:
            value = values[number]
            said = {folded(view.text).encode("utf-8", "surrogatepass") for view in views(value)} - {texts[number]}
            texts[number] = SEPARATOR.join([texts[number], *sorted(said)])
    return texts


def folded(text: str) -> str:
    """A text with its escapes resolved, composed, in lower case, and a space for each sign that joins parts."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "%" in text:
        text = unquote(text)
    text = text.translate(_JOINTS)
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).lower())


def text_of(value: Any) -> bytes:
    """A value as it is searched; the elements of a list are apart."""
    if value is None:
        return b""
    if isinstance(value, str):
        return folded(value).encode("utf-8", "surrogatepass")
    if isinstance(value, list):
        return SEPARATOR.join(text_of(item) for item in value)
    return str(value).encode()
