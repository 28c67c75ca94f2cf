"""What is found in free text by its form alone: addresses, telephone numbers, bank accounts, cards, secrets.

Candidates are found in linear time, also in hostile text: by RE2, or by expressions that cannot go back far. A checksum
or the surroundings decide.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from envclone.masking.finance import iban_valid, luhn_valid
from envclone.masking.letters import MARKS
from envclone.masking.numbers import phones_in
from envclone.masking.runs import Runs

__all__ = ["KINDS_BY_FORM", "Places", "Span", "by_form", "is_email", "matches"]

Span = tuple[int, int, str]
"""Where an identity begins, minus where it ends (so that the longest sorts first), and its kind."""

KINDS_BY_FORM = frozenset(("email", "phone", "iban", "card", "national_id", "ip", "secret"))

_LOCAL_PART = re.compile(rf"[\w{MARKS}.%+'\-]*[\w{MARKS}%+\-]\Z")
_HOST = re.compile(rf"[^\W_](?:[\w{MARKS}\-]*[^\W_])?(?:\.[^\W_](?:[\w{MARKS}\-]*[^\W_])?)+")
_LOOK_BACK = 80
_BEHIND = 12
"""Characters behind the last digit that may belong to it: an extension."""
_NUMBER = re.compile(r"(?:\+|\(|\d)(?:[ ()._+\-/\u00a0]{0,3}\d){6,18}(?:\s?(?i:x|ext\.?|#)\s?\d{1,6})?")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?\b", re.ASCII | re.IGNORECASE)
_CARD = re.compile(r"\b\d{4}(?:[ \-]?\d){8,15}\b")
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
_IPV4 = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b", re.ASCII)
_IPV6 = r"(?i)\b(?:[0-9a-f]{1,4}:){2,7}(?::|[0-9a-f]{1,4})(?:[0-9a-f:]*[0-9a-f])?\b"
_CREDENTIAL = (
    r"\b(?:sk-(?:proj-|ant-|live-|test-)?[\w\-]{16,}|[rsp]k_(?:live|test)_\w{16,}|gh[oprsu]_\w{30,}|github_pat_\w{30,}"
    r"|glpat-[\w\-]{16,}|xox[abeoprs]-[\w\-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w\-]{30,}|hf_\w{30,}|npm_\w{30,}"
    r"|SK-[A-Z0-9]{16,}|[RSP]K_(?:LIVE|TEST)_[A-Z0-9]{16,}|GH[OPRSU]_[A-Z0-9]{30,}|GITHUB_PAT_[A-Z0-9_]{30,}"
    r"|GLPAT-[A-Z0-9]{16,}|XOX[ABEOPRS]-[A-Z0-9\-]{10,}|(?:HF|NPM)_[A-Z0-9]{30,}"  # as capitals throughout write them
    r"|SG\.[\w\-]{16,}\.[\w\-]{16,}|eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.[\w\-]{8,})"
)
_OF_A_SECRET = re.compile(r"[\w.\-]*", re.ASCII)
_SHORTEST_IBAN = 15
_LONGEST_OCTET = 255
_NEVER_AREA = ("000", "666", "9")


class Places(NamedTuple):
    """Where many digits stand that only Python judges; where forms may begin (IBANs, secrets, UUIDs), and where the
    characters of IP addresses stand together; where e-mail addresses stand, and the @ of others that may be some."""

    numbers: Sequence[Sequence[int]]
    ibans: Sequence[int]
    fours: Sequence[Sequence[int]]
    sixes: Sequence[Sequence[int]]
    secrets: Sequence[int]
    uuids: Sequence[int]
    emails: Sequence[Sequence[int]]
    ats: Sequence[int]


def by_form(runs: Runs, numbers: Container[str], places: Places | None = None) -> Iterator[Span]:
    """Everything that its form tells of; `numbers` are the national numbers of known persons.

    `places` says where to look; without it everywhere.
    """
    text = runs.text
    if places is None:
        yield from _emails(text)
    else:
        yield from ((begin, -end, "email") for begin, end in places.emails)
        for at in places.ats:
            yield from _email(text, at)
    for begin, end in runs.many_digits if places is None else places.numbers:
        yield from _numbers(text, max(0, begin - 2), min(len(text), end + _BEHIND), numbers)
    for match in _IBAN.finditer(text) if places is None else matches(_IBAN, text, places.ibans):
        if (found := _iban(match[0])) is not None:
            yield match.start(), -(match.start() + found), "iban"
    everywhere = [(0, len(text))]
    for begin, end in everywhere if places is None else places.fours:
        for match in _IPV4.finditer(text, begin, end + 1):
            if _is_v4(match[0]) and _apart(text, match.start(), match.end()):
                yield match.start(), -match.end(), "ip"
    for begin, end in everywhere if places is None else places.sixes:
        for start, stop in _searched("ipv6", text, begin, end):
            if _is_v6(text[start:stop]):
                yield start, -stop, "ip"
    for begin, end in everywhere if places is None else _secrets(text, places.secrets):
        yield from ((start, -stop, "secret") for start, stop in _searched("secret", text, begin, end))


def matches(pattern: re.Pattern[str], text: str, starts: Sequence[int]) -> Iterator[re.Match[str]]:
    """The matches of a pattern at some places, no two overlapping."""
    done = 0
    for start in starts:
        if start >= done and (match := pattern.match(text, start)) is not None:
            done = match.end()
            yield match


def _secrets(text: str, starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where the characters of secrets stand together that can begin at some places."""
    done = -1
    for start in starts:
        if start > done:
            match = _OF_A_SECRET.match(text, start)
            done = match.end() if match is not None else start
            yield start, done


def _searched(name: str, text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where a pattern matches in a part of a text; one character on either side says whether it stands alone."""
    first = max(0, begin - 1)
    for match in _compiled()[name].finditer(text[first : end + 1]):
        yield first + match.start(), first + match.end()


def _numbers(text: str, begin: int, end: int, numbers: Container[str]) -> Iterator[Span]:
    """Cards, national ids and telephone numbers in a part of a text."""
    for match in _CARD.finditer(text, begin, end):
        if _is_card(match[0]) and _apart(text, match.start(), match.end()):
            yield match.start(), -match.end(), "card"
    for match in _SSN.finditer(text, begin, end):
        if _is_ssn(match[0]) and _apart(text, match.start(), match.end()):
            yield match.start(), -match.end(), "national_id"
    for match in _NUMBER.finditer(text, begin, end):
        for a, b in phones_in(text, match.start(), match.end(), numbers):
            yield a, -b, "phone"


def is_email(text: str) -> bool:
    """Whether a text is an e-mail address that is found by its form, and nothing else."""
    at = text.find("@")
    host = _HOST.match(text, at + 1) if at > 0 else None
    return host is not None and host.end() == len(text) and _LOCAL_PART.fullmatch(text, 0, at) is not None


def _emails(text: str) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        yield from _email(text, at)
        at = text.find("@", at + 1)


def _email(text: str, at: int) -> Iterator[Span]:
    """The address around an @: first what follows it, then what stands before."""
    host = _HOST.match(text, at + 1)
    if host is None:
        return
    reach = _LOOK_BACK
    local = _LOCAL_PART.search(text, max(0, at - reach, text.rfind(" ", max(0, at - reach), at) + 1), at)
    while local is not None and local.start() == at - reach > 0:
        reach *= 4
        local = _LOCAL_PART.search(text, max(0, at - reach), at)
    if local is not None:
        yield local.start(), -host.end(), "email"


@cache
def _compiled() -> dict[str, Any]:
    import re2

    return {
        name: re2.compile(pattern)
        for name, pattern in {
            "ipv6": _IPV6,
            "secret": _CREDENTIAL,
        }.items()
    }


def _apart(text: str, start: int, end: int) -> bool:
    """Whether digits do not go on behind a point or a hyphen: as in a version or a longer number."""
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    return not (
        (len(before) == 2 and before[1] in ".-" and before[0].isalnum())
        or (len(after) == 2 and after[0] in ".-" and after[1].isalnum())
    )


def _is_card(text: str) -> bool:
    digits = text.replace(" ", "").replace("-", "")
    return len(digits) >= 13 and digits[0] in "23456" and luhn_valid(digits)


def _iban(text: str) -> int | None:
    """How long the IBAN is with which a match begins: what follows can look like part of it."""
    ends = [end for end in range(len(text), _SHORTEST_IBAN - 1, -1) if end == len(text) or text[end] in " -"]
    return next((end for end in ends if iban_valid(text[:end])), None)


def _is_ssn(text: str) -> bool:
    return not text.startswith(_NEVER_AREA) and text[4:6] != "00" and text[7:] != "0000"


def _is_v4(text: str) -> bool:
    parts = text.split(".")
    return all(int(part) <= _LONGEST_OCTET and (part == "0" or part[0] != "0") for part in parts)


def _is_v6(text: str) -> bool:
    from ipaddress import IPv6Address

    try:
        return IPv6Address(text).packed != b"" and text.count(":") > 1
    except ValueError:
        return False
