"""What is found in free text by its form alone: addresses, telephone numbers, bank accounts, cards, secrets.

Candidates are found in linear time, also in hostile text: by RE2, or by expressions that cannot go back far. A checksum
or the surroundings decide.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import cache
from typing import Any

from envclone.masking.finance import iban_valid, luhn_valid
from envclone.masking.letters import MARKS
from envclone.masking.numbers import phones_in
from envclone.masking.runs import Runs

__all__ = ["KINDS_BY_FORM", "Span", "by_form", "is_email"]

Span = tuple[int, int, str]
"""Where an identity begins, minus where it ends (so that the longest sorts first), and its kind."""

KINDS_BY_FORM = frozenset(("email", "phone", "iban", "card", "national_id", "ip", "secret"))

_LOCAL_PART = re.compile(rf"[\w{MARKS}.%+'\-]*[\w{MARKS}%+\-]\Z")
_HOST = re.compile(rf"[^\W_](?:[\w{MARKS}\-]*[^\W_])?(?:\.[^\W_](?:[\w{MARKS}\-]*[^\W_])?)+")
_LOOK_BACK = 80
_BEHIND = 12
"""Characters behind the last digit that may belong to it: an extension."""
_NUMBER = re.compile(r"(?:\+|\(|\d)(?:[ ()._\-/\u00a0]{0,3}\d){6,18}(?:\s?(?i:x|ext\.?|#)\s?\d{1,6})?")
_IBAN = r"(?i)\b[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?\b"
_CARD = re.compile(r"\b\d{4}(?:[ \-]?\d){8,15}\b")
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
_IPV4 = r"\b(?:\d{1,3}\.){3}\d{1,3}\b"
_IPV6 = r"(?i)\b(?:[0-9a-f]{1,4}:){2,7}(?::|[0-9a-f]{1,4})(?:[0-9a-f:]*[0-9a-f])?\b"
_CREDENTIAL = (
    r"\b(?:sk-(?:proj-|ant-|live-|test-)?[\w\-]{16,}|[rsp]k_(?:live|test)_\w{16,}|gh[oprsu]_\w{30,}|github_pat_\w{30,}"
    r"|glpat-[\w\-]{16,}|xox[abeoprs]-[\w\-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w\-]{30,}|hf_\w{30,}|npm_\w{30,}"
    r"|SG\.[\w\-]{16,}\.[\w\-]{16,}|eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.[\w\-]{8,})"
)
_SECRET_SIGNS = (
    "sk-",
    "k_live_",
    "k_test_",
    "gh",
    "glpat-",
    "xox",
    "AKIA",
    "ASIA",
    "AIza",
    "hf_",
    "npm_",
    "SG.",
    "eyJ",
)
_SHORTEST_IBAN = 15
_LONGEST_OCTET = 255
_NEVER_AREA = ("000", "666", "9")


def by_form(runs: Runs, numbers: Container[str]) -> Iterator[Span]:
    """Everything that its form tells of; `numbers` are the national numbers of known persons."""
    text, compiled = runs.text, _compiled()
    yield from _emails(text)
    for begin, end in runs.many_digits:
        yield from _numbers(text, max(0, begin - 2), min(len(text), end + _BEHIND), numbers)
    if runs.many_digits or _has_digit(text):
        for match in compiled["iban"].finditer(text):
            if (found := _iban(match[0])) is not None:
                yield match.start(), -(match.start() + found), "iban"
        if "." in text:
            for match in compiled["ipv4"].finditer(text):
                if _is_v4(match[0]) and _apart(text, match.start(), match.end()):
                    yield match.start(), -match.end(), "ip"
        if ":" in text:
            yield from ((m.start(), -m.end(), "ip") for m in compiled["ipv6"].finditer(text) if _is_v6(m[0]))
    if any(sign in text for sign in _SECRET_SIGNS):
        yield from ((m.start(), -m.end(), "secret") for m in compiled["secret"].finditer(text))


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
    """Addresses around every @: first what follows it, then what stands before."""
    at = text.find("@")
    while at >= 0:
        host = _HOST.match(text, at + 1)
        if host is not None:
            reach = _LOOK_BACK
            local = _LOCAL_PART.search(text, max(0, at - reach, text.rfind(" ", max(0, at - reach), at) + 1), at)
            while local is not None and local.start() == at - reach > 0:
                reach *= 4
                local = _LOCAL_PART.search(text, max(0, at - reach), at)
            if local is not None:
                yield local.start(), -host.end(), "email"
        at = text.find("@", at + 1)


@cache
def _compiled() -> dict[str, Any]:
    import re2

    return {
        name: re2.compile(pattern)
        for name, pattern in {
            "iban": _IBAN,
            "ipv4": _IPV4,
            "ipv6": _IPV6,
            "secret": _CREDENTIAL,
        }.items()
    }


def _has_digit(text: str) -> bool:
    return any(digit in text for digit in "0123456789")


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
