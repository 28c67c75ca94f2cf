"""Telephone numbers in free text: told from dates, prices, ids, ranges, versions and addresses by their grouping."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from envclone.masking.phone import national_number

__all__ = ["phones_in"]

_SPACE = "[ .\\-\u00a0]"
_FORMS = re.compile(
    "(?:"
    + "|".join(
        (
            r"\+[1-9](?:[ ().\-/\u00a0]{0,3}\d){6,14}",  # +44 (0)20 7946 0958
            rf"00{_SPACE}?[1-9]\d{{0,2}}{_SPACE}(?:[ ().\-/\u00a0]{{0,3}}\d){{5,12}}",  # 0044 20 7946 0958
            rf"(?:1{_SPACE})?\([2-9]\d\d\)[ .\-]?\d{{3}}[ .\-]\d{{4}}",  # (555) 123-4567
            rf"(?:1{_SPACE})?[2-9]\d\d({_SPACE})\d{{3}}\1\d{{4}}",  # 555-123-4567
            r"(?:\(0[1-9]\d{0,4}\)|0[1-9]\d{0,4}(?=[ .\-/\u00a0]))(?:[ .\-/\u00a0]{0,2}\d{2,8}){1,5}",  # 020 7946 0958
            r"[2-9]\d\d-\d{4}",  # 555-1234
        )
    )
    + r")(?:\s?(?i:x|ext\.?|#)\s?\d{1,6})?(?!\w|[\-./,:]\d|[@%])"
)
_DATE = re.compile(r"\(?(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})(?!\d|[./-]\d)")
_FORBIDDEN_BEFORE = frozenset("#$€£¥%@+_")
_JOINING = frozenset("-./,")
_CUE_BEFORE = re.compile(
    r"(?i)\b(?:tel|phone|telephone|mobile|cell|fax|call|calling|dial|reach|reached|ring|sms|text|whatsapp|answering at"
    r"|telefon|telefono|teléfono|téléphone|handy|rappeler|anrufen)\b[^\w\n]{0,3}(?:\w+[^\w\n]{1,3}){0,3}\Z"
)
_CUE_BEHIND = re.compile(r"(?i)[ \-,(]{1,2}(?:office|fax|mobile|cell|home|work|tel)\b")
_AROUND = 40
_EXTENSION = re.compile(r"(?i)x|ext|#")
_SHORTEST_TRUNK = 9
_LONGEST = 15


def phones_in(text: str, start: int, end: int, known: Container[str]) -> Iterator[tuple[int, int]]:
    """Where telephone numbers stand in text[start:end], a run of digits with what can separate them.

    A number in `known` (national numbers, digits only) is always one; else its form must be one that only
    telephone numbers have. ITU-T E.123 gives the notation.
    """
    if _is_cued(text, start, end) and _alone(text, start, end):
        yield start, end
        return
    position = start
    matched = False
    while position < end:
        match = _FORMS.search(text, position, min(len(text), end + 2))
        if match is None or match.start() >= end:
            break
        position = match.end()
        if _believable(text, match):
            matched = True
            yield match.span()
        else:
            position = match.start() + 1
            while position < end and text[position].isdigit():  # a form never begins inside a run of digits
                position += 1
    if not matched and not _inside_word(text, start, end) and national_number(text[start:end]) in known:
        yield start, end


def _is_cued(text: str, start: int, end: int) -> bool:
    """Whether the words around a number say that it is one to be called."""
    if _CUE_BEHIND.match(text, end) is not None:
        return True
    before = text[max(0, start - _AROUND) : start].rpartition("\0")[2]  # of this text, not of its neighbour in a batch
    return _CUE_BEFORE.search(before) is not None


def _alone(text: str, start: int, end: int) -> bool:
    """Whether a number is not part of a word, a date or a longer number."""
    return not (_inside_word(text, start, end) or _DATE.match(text, start) or _digits(text[start:end]) > _LONGEST)


def _digits(number: str) -> int:
    """How many digits a number has before an extension."""
    return sum(map(str.isdigit, _EXTENSION.split(number)[0]))


def _believable(text: str, match: re.Match[str]) -> bool:
    start = match.start()
    before = text[start - 1] if start else " "
    if before.isalnum() or before in _FORBIDDEN_BEFORE:
        return False
    if before in _JOINING and text[max(start - 2, 0) : start - 1].isalnum():
        return False  # a decimal fraction, a range, a path, a longer number
    if before == ":" and text[max(start - 2, 0) : start - 1].isdigit():
        return False  # a time of day
    found = match[0]
    digits = _digits(found)
    if found[0] == "+":
        return True
    if digits > _LONGEST or _DATE.match(found):
        return False
    return not found.lstrip("(").startswith("0") or digits >= _SHORTEST_TRUNK


def _inside_word(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return before.isalnum() or after.isalnum()
