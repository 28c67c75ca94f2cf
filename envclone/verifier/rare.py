"""Rare forms of a text, which only the proof reads: what the mask cannot rewrite in them is found and refused.

Letters with a sign between each two (`W o l f`), bytes as numbers or in groups of hexadecimal digits, literals that are
put together (`'Wolf' || 'hard'`), characters by their numbers (`chr(87)`), Punycode, and compressed files, in base64
too; words and numbers that are cut where nobody cuts them (`cutforms`); texts in bytes that are no UTF-8
(`otherbytes`). A compiled loop says which of many texts may hold one (`rarekernels`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.masking.names import is_name
from envclone.packed import TextBlock, block_of
from envclone.verifier.codedruns import in_coded_runs, uuid_of
from envclone.verifier.cutforms import (
    cells_joined,
    digits_joined,
    humped,
    lines_joined,
    of_arpa,
    one_blank,
    parted_by_digits,
    parted_by_joints,
    plain_blanks,
)
from envclone.verifier.digitruns import of_base64, runs_unpacked
from envclone.verifier.otherbytes import is_utf8
from envclone.verifier.otherforms import in_other_forms
from envclone.verifier.sixteen import Sixteen, in_base64
from envclone.verifier.within import expanded, in_runs, said

__all__ = ["rare"]

_FEWEST = 6
_LONGEST_CODE = 5
_APART = re.compile(
    r"(?<![^\W_])[^\W_](?P<s>, |[^\w\s]|_|[ \t\r\n\u00a0]{1,3}?)(?:.(?P=s)){3,}[^\W_](?![^\W_])", re.DOTALL
)
_NUMBERS = re.compile(r"(?<![\d.])\d{1,3}(?:(?:[,;]\s{0,11}|\s{1,12})\d{1,3}){7,}(?![\d.])")
_GROUPS = re.compile(
    r"(?<![0-9A-Za-z])(?>[0-9A-Fa-f]{4,})(?![0-9A-Za-z])"
    r"(?:(?>[ :\-]?\r?\n?[ \t]{0,8})(?>[0-9A-Fa-f]{2,})(?![0-9A-Za-z]))*"
)
"""Atomic: a run of digits before a letter (`v1=9f3c…x`) would be parted in every way there is."""
_ADDED = re.compile(r"""(?P<q>['"]{1,2})\s{0,20}(?:\|\||\+|\.)\s{0,20}(?P=q)""")
_CHARS = re.compile(r"(?i)\b(?:n?chr|n?char)\(\s{0,9}(\d{1,7})\s{0,9}\)")
_PUNY = re.compile(r"(?i)\bxn--[a-z0-9\-]{1,59}")
_PACKED = re.compile(
    r"(?<![A-Za-z0-9+/])(?:eJ[w-z]|eN[o-r])[A-Za-z0-9+/_\-]{8,}"
    r"(?:\\?[rn\s]{0,4}[A-Za-z0-9+/_\-]+)*"
)
_SHORT = re.compile(
    r"(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/]{8,15}={1,2}(?![A-Za-z0-9+/=])|(?<![^\0])[A-Za-z0-9+/]{12}(?![^\0]))"
)
_INITIAL = re.compile(
    r"(?<![^\W_])(?:(?P<first>[^\W\d_])(?:\.[ ]?|[ _\-])(?P<behind>[^\W\d_]{7,})"
    r"|(?P<before>[^\W\d_]{7,})(?:,[ ]?|[ ._\-])(?P<last>[^\W\d_]))(?![^\W_])"
)
_ANOTHER = re.compile(r"(?<![^\W_])([^\W\d_])\.[ ]?$")
_BEFORE, _SPOTS = 8, 1 << 12
_FEWEST_IN_HUMPS = 12
"""Letters of a word of several names."""
_HUMPS = re.compile(r"(?<=[^\W\d_])(?=[A-Z])")
_HUMP = 3
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?P<s>[,.'\u2019_])\d{3}(?:(?P=s)\d{3})+(?!\w)")
_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]{6,}")
_ARPA = b".arpa"
_SIGNS = re.compile(r"[^0-9A-Fa-f]+")


def rare(
    values: Sequence[Any],
    *,
    few: bool = False,
    encodings: Sequence[str] = (),
    sixteen: Sixteen | None = None,
    shut: list[tuple[int, str]] | None = None,
) -> Iterator[tuple[int, str]]:
    """Per value that has any: its number, and what is said in a rare form, also in one inside of another.

    An initial beside a name of the dictionary is anybody's, unless there are `few` people. Bytes are read in the
    `encodings` too, and as one of the UUIDs of `sixteen`. What cannot be looked into is added to `shut`, with its
    number.
    """
    told_shut = [] if shut is None else shut

    def note(number: int, what: str) -> None:
        told_shut.append((number, what))

    found = dict.fromkeys(_once(values, few, encodings, sixteen, note))
    yield from found
    if found:
        whose = [number for number, _ in found]
        block = block_of([text.replace("\0", " ") for _, text in found])
        for i, text in _in_block(block, few, encodings, sixteen, lambda i, what: note(whose[i], what)):
            yield whose[i], text


def _once(
    values: Sequence[Any],
    few: bool,
    encodings: Sequence[str],
    sixteen: Sixteen | None,
    note: Callable[[int, str], None],
) -> Iterator[tuple[int, str]]:
    if isinstance(values, TextBlock):
        yield from _in_block(values, few, encodings, sixteen, note)
        return
    texts: list[str] = []
    owners: list[int] = []
    whole: list[tuple[int, bytes]] = []
    for number, value in enumerate(values):
        for raw in _bytes(value):
            whole.append((number, raw))
            if len(raw) >= _FEWEST and is_utf8(raw):
                texts.append(raw.decode())
                owners.append(number)
            held = list(expanded(raw, encodings, partial(note, number)))
            yield from ((number, told) for told in held or said(raw, encodings))
        if isinstance(value, list):
            yield from ((number, told) for told in _of_codes(value))
            if sixteen:
                yield from ((number, told) for one in value for told in sixteen.of_half(one))
        for text in _strings(value):
            texts.append(text)
            owners.append(number)
    if texts:
        block = block_of([text.replace("\0", " ") for text in texts])
        its = _in_block(block, few, encodings, sixteen, lambda i, what: note(owners[i], what))
        yield from ((owners[i], told) for i, told in its)
    if whole and sixteen is not None:
        yield from sixteen.those(whole)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _bytes(item)


def _in_block(
    values: TextBlock,
    few: bool,
    encodings: Sequence[str],
    sixteen: Sixteen | None,
    note: Callable[[int, str], object],
) -> Iterator[tuple[int, str]]:
    yield from in_other_forms(values, encodings, note)
    if sixteen:
        yield from sixteen.halves(values)
    values = plain_blanks(values)
    if _ARPA in values.block:
        for i, text in enumerate(values):
            yield from ((i, told) for told in of_arpa(text or ""))
    if not available():
        for i in range(len(values)):
            text = values.text(i)
            yield from ((i, told) for told in _told(text, -1, encodings, partial(note, i)))
            for match in _INITIAL.finditer(text):
                yield from ((i, told) for told in _with_initial(match[0], text[: match.start()], few))
        yield from in_runs(values, np.arange(len(values)), encodings, sixteen, note)
        yield from in_coded_runs(values, np.arange(len(values)))
        if sixteen:
            yield from sixteen.those(list(in_base64(values, np.arange(len(values)))))
        return
    from envclone.verifier import rarekernels, runkernels  # late: they wait for the compiler

    data, found, spots = np.frombuffer(values.block, np.uint8), np.zeros(len(values), np.uint16), _room()
    count = int(rarekernels.mark(data, found, spots))
    if count > len(spots):
        spots = np.zeros((count, 3), np.int64)
        rarekernels.mark(data, found, spots)
    runs = np.flatnonzero(found & np.uint16(rarekernels.RUNS))
    yield from in_runs(values, runs, encodings, sixteen, note)
    yield from in_coded_runs(values, runs)
    if sixteen:
        yield from sixteen.those(list(in_base64(values, runs)))
    runkernels.excuse(data, found, np.uint16(rarekernels.RUNS), np.empty(len(data), np.uint8))
    for i in np.flatnonzero(found).tolist():
        yield from ((i, told) for told in _told(values.text(i), int(found[i]), encodings, partial(note, i)))
    for i, start, end in spots[:count].tolist():
        before = values.block[max(0, start - _BEFORE) : start].decode("utf-8", "replace")
        its = values.block[start:end].decode("utf-8", "replace")
        yield from ((i, told) for told in _with_initial(its, before.rpartition("\0")[2], few))


def _room() -> Any:
    return np.zeros((_SPOTS, 3), np.int64)


def _with_initial(text: str, before: str, few: bool) -> Iterator[str]:
    """What an initial and a family name say in one word; another initial may stand before them."""
    found = _INITIAL.fullmatch(text)
    if found is None:
        return
    family, initial = found["behind"] or found["before"], found["first"] or found["last"]
    if family[0].islower() != initial.islower() and " " in text:
        return
    if few or not is_name(family.lower()):
        yield initial + family
        if (another := _ANOTHER.search(before)) is not None:
            yield another[1] + family


def _told(text: str, flags: int, encodings: Sequence[str], shut: Callable[[str], object]) -> Iterator[str]:
    from envclone.verifier import rarekernels as forms

    if flags & forms.APART:
        for match in _APART.finditer(text):
            yield match[0][:: 1 + len(match["s"])]
    if flags & forms.NUMBERS:
        for match in _NUMBERS.finditer(text):
            yield from _of_bytes([int(one) for one in re.findall(r"\d+", match[0])])
    if flags & forms.GROUPS:
        for match in _GROUPS.finditer(text):
            yield from _of_groups(_SIGNS.sub("", match[0]))
    if flags & forms.CHARS:
        characters = [int(one) for one in _CHARS.findall(text)]
        if len(characters) >= _FEWEST and all(0 < one < 0xD800 for one in characters):
            yield "".join(map(chr, characters))
    if flags & forms.ADDED and (added := _ADDED.sub("", text)) != text:
        yield added
    if flags & forms.PUNY and (plain := _PUNY.sub(_from_punycode, text)) != text:
        yield plain
    if flags & forms.SHORT:
        for match in _SHORT.finditer(text):
            yield from _TEXT.findall(of_base64(match[0]).decode("utf-8", "replace"))
    if flags & forms.CAMEL:
        for word in humped(text):
            humps = _HUMPS.split(word) if len(word) >= _FEWEST_IN_HUMPS and word.isalpha() else []
            if sum(len(hump) >= _HUMP for hump in humps[:-1]) > 1:
                yield " ".join(humps)
            yield from parted_by_joints(word)
    if flags & forms.THOUSANDS:
        for match in _THOUSANDS.finditer(text):
            yield match[0].replace(match["s"], "")
    if flags & forms.BLANKS:
        yield from one_blank(text)
    if flags & forms.PACKED:
        for match in _PACKED.finditer(text):
            yield from expanded(of_base64(match[0]), encodings, shut)
    if flags & forms.LINES:
        yield from lines_joined(text)
    if flags & forms.ODD:
        yield from digits_joined(text)
    if flags & forms.INSIDE:
        yield from parted_by_digits(text)
    if flags & forms.CELLS:
        yield from cells_joined(text)
    if flags & forms.RUNS:
        for raw in runs_unpacked(text):
            yield from said(raw, encodings)


def _of_codes(values: Sequence[Any]) -> Iterator[str]:
    """What a list of bytes or of characters' numbers says."""
    codes: list[int] = []
    for value in values:
        if isinstance(value, list):
            yield from _of_codes(value)
        elif isinstance(value, str) and len(value) <= _LONGEST_CODE and value.isascii() and value.isdigit():
            codes.append(int(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            codes.append(value)
        else:
            return  # of a list of other numbers the first tells
    if len(codes) >= _FEWEST:
        yield from _of_bytes(codes)


def _of_bytes(codes: Sequence[int]) -> Iterator[str]:
    if max(codes) < 256 and min(codes) >= 0:
        yield from uuid_of(bytes(codes))
        yield from _TEXT.findall(bytes(codes).decode("utf-8", "replace"))
    elif min(codes) > 0 and max(codes) < 0xD800:
        yield from _TEXT.findall("".join(map(chr, codes)))


def _of_groups(digits: str) -> Iterator[str]:
    if len(digits) % 8 == 0 and not digits.strip("01"):
        digits = f"{int(digits, 2):0{len(digits) // 4}x}"
    raw = bytes.fromhex(digits[: len(digits) // 2 * 2])
    yield from uuid_of(raw)
    yield from _TEXT.findall(raw.decode("utf-8", "replace"))


def _from_punycode(match: re.Match[str]) -> str:
    try:
        return match[0][4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return match[0]
