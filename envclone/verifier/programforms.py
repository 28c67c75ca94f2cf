"""Forms in which programs and trades write names, addresses and numbers, which only the proof reads.

Text of RTF and LDAP, addresses of mail that are wrapped into others or made to words of a path, names of tickets,
numbers of accounts beside those of their banks, magnetic stripes, IPv4 addresses in IPv6 ones. Each reader gets a text
in which its pattern was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any

import numpy as np

from envclone.packed import TextBlock
from envclone.verifier.apartforms import APART_READERS
from envclone.verifier.codedruns import uuid_of
from envclone.verifier.mailforms import MAIL_READERS

__all__ = ["in_program_forms"]

_RTF = re.compile(r"\\u(-?\d{2,5})(?:\?|[ ])?|\\'([0-9a-fA-F]{2})")
_PAIRS = re.compile(r"(?:\\[0-9A-Fa-f]{2})+")
_SPELLED_AT = re.compile(r"(?i)[_\-]at[_\-]")
_SPELLED_DOT = re.compile(r"(?i)[_\-]dot[_\-]")
_GUEST = re.compile(r"(?i)([^\s@#]{1,64})_([a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,5})$")
_EXTERNAL, _LONGEST = "#EXT#", 200
_WRAPPED = re.compile(r"(?<![\w.+\-])([\w.+\-]+)=([\w\-]+(?:\.[\w\-]+)+)@")
_BANG = re.compile(r"(?<![\w.\-])([\w\-]+(?:\.[\w\-]+)+)!([\w.+\-]+)")
_QUOTED = re.compile(r'"([\w.+\-]+)"@')
_COMMAS = re.compile(r"(?<![\w.,+\-])[\w.,+\-]+@[\w\-]+(?:,[\w\-]+)+")
_APART = re.compile(r"[ \t]{0,3}([.@])[ \t]{0,3}")
_HIDDEN = re.compile(r"""(?:cfemail=["']?|email-protection#)([0-9a-fA-F]{12,400})""")
_SLUG = re.compile(r"(?i)(?<![^\W_])[a-z0-9]+(?:[_\-][a-z0-9]+){2,9}(?![^\W_])")
_ENDS = "com|net|org|edu|de|fr|uk|nl|pl|eu|example"
_IN_IPV6 = re.compile(r"(?i)(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4})(?![\w:])")
_LITERAL = re.compile(r"(?i)([0-9a-f\-]{4,45})(?:s[0-9a-z]+)?\.ipv6-literal\.net")
_TICKET = re.compile(r"\b([A-Z][A-Z '\-]{1,40})/([A-Z][A-Z \-]{0,40}?) ?(?:MRS|MR|MS|MISS|MSTR|CHD|INF|DR)\b")
_BANK = r"(?:blz|bankleitzahl|bank ?code)\W{0,3}(?P<bank#>\d[\d ]{6,9}\d)"
_ACCOUNT = r"(?:konto(?:nummer|-?nr)?|kto|account(?: no| number)?)\W{0,3}(?P<account#>\d[\d ]{2,11}\d)"
_ACCOUNTS = re.compile(
    r"(?i)" + rf"{_BANK}\W{{1,5}}{_ACCOUNT}".replace("#", "1") + "|" + rf"{_ACCOUNT}\W{{1,5}}{_BANK}".replace("#", "2")
    + r"|:25:(?P<bank3>\d{8})/(?P<account3>\d{1,10})"
)  # fmt: skip
_DIGITS_OF_ACCOUNT = 10
_IN_PAIRS = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}[: \-]){15}[0-9A-Fa-f]{2}(?![0-9A-Za-z])")
_HUMPED = re.compile(r"(?<![^\W\d_])[^\W\d_]{8,}")
_VALUES = re.compile(r'(?:"[^"]{1,20}" ?: ?"?\d{3,6}"?, ?){2,}"[^"]{1,20}" ?: ?"?\d{3,6}')
_ITS_DIGITS = re.compile(r': ?"?(\d+)')
_LONG = 12
"""Digits of a number in parts that no other has by chance."""


def _rtf(text: str) -> Iterator[str]:
    yield _RTF.sub(
        lambda m: chr(int(m[1]) % 0x10000) if m[1] else bytes.fromhex(m[2]).decode("cp1252", "replace"), text
    )


def _ldap(text: str) -> Iterator[str]:
    yield _PAIRS.sub(lambda m: bytes.fromhex(m[0].replace("\\", "")).decode("utf-8", "replace"), text)


def _at(text: str) -> Iterator[str]:
    yield _SPELLED_DOT.sub(".", _SPELLED_AT.sub("@", text))


def _guest(text: str) -> Iterator[str]:
    for part in text.split(_EXTERNAL)[:-1]:
        if (match := _GUEST.search(part[-_LONGEST:])) is not None:
            yield f"{match[1]}@{match[2]}"


def _wrapped(text: str) -> Iterator[str]:
    yield from (f"{match[1]}@{match[2]}" for match in _WRAPPED.finditer(text))


def _bang(text: str) -> Iterator[str]:
    yield from (f"{match[2]}@{match[1]}" for match in _BANG.finditer(text))


def _quoted(text: str) -> Iterator[str]:
    yield _QUOTED.sub(r"\1@", text)


def _commas(text: str) -> Iterator[str]:
    yield from (match[0].replace(",", ".") for match in _COMMAS.finditer(text))


def _apart(text: str) -> Iterator[str]:
    yield _APART.sub(r"\1", text)


def _hidden(text: str) -> Iterator[str]:
    """Addresses as a network hides them from those who collect them: each byte with the first one laid over it."""
    for match in _HIDDEN.finditer(text):
        raw = bytes.fromhex(match[1][: len(match[1]) // 2 * 2])
        yield bytes(byte ^ raw[0] for byte in raw[1:]).decode("utf-8", "replace")


def _slug(text: str) -> Iterator[str]:
    """Addresses of mail in one word of a path: any of its signs may have been the one before the host."""
    for match in _SLUG.finditer(text):
        parts = re.split(r"[_\-]", match[0])
        if re.fullmatch(_ENDS, parts[-1], re.IGNORECASE):
            yield " ".join(".".join(parts[:i]) + "@" + ".".join(parts[i:]) for i in range(1, len(parts) - 1))


def _networks(text: str) -> Iterator[str]:
    for match in _IN_IPV6.finditer(text):
        yield from _of_ipv6(match[0])
    for match in _LITERAL.finditer(text):
        yield from _of_ipv6(match[1].replace("-", ":"))


def _of_ipv6(written: str) -> Iterator[str]:
    try:
        address = IPv6Address(written)
    except AddressValueError:
        return
    yield str(address)
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        yield str(address.ipv4_mapped or address.sixtofour)
    elif int(address) >> 96 in (0, 0x64FF9B << 64):
        yield str(IPv4Address(int(address) & 0xFFFFFFFF))


def _unescaped(text: str) -> Iterator[str]:
    """A text in which a percent sign means nothing, as before the number on a magnetic stripe (`%B4929…`)."""
    yield text.replace("%", " ")


def _ticket(text: str) -> Iterator[str]:
    yield from (f"{match[2]} {match[1]}" for match in _TICKET.finditer(text))


def _accounts(text: str) -> Iterator[str]:
    for match in _ACCOUNTS.finditer(text):
        for which in "123":
            bank, account = match[f"bank{which}"], match[f"account{which}"]
            if bank and account:
                yield bank.replace(" ", "") + account.replace(" ", "").zfill(_DIGITS_OF_ACCOUNT)


def _pairs(text: str) -> Iterator[str]:
    """Sixteen bytes in pairs of hexadecimal digits."""
    for match in _IN_PAIRS.finditer(text):
        yield from uuid_of(bytes.fromhex(re.sub("[^0-9A-Fa-f]", "", match[0])))


def _humps(text: str) -> Iterator[str]:
    """Words in one, of letters beyond ASCII."""
    for match in _HUMPED.finditer(text):
        word = match[0]
        cuts = [0, *(i for i in range(1, len(word)) if word[i].isupper() and word[i - 1].islower()), len(word)]
        if len(cuts) > 2:
            yield " ".join(word[a:b] for a, b in pairwise(cuts))


def _values(text: str) -> Iterator[str]:
    for match in _VALUES.finditer(text):
        parts = _ITS_DIGITS.findall(match[0])
        if sum(map(len, parts)) >= _LONG:
            yield "".join(parts)


_READERS: tuple[tuple[str, Callable[[str], Iterator[str]]], ...] = (
    (r"\\u-?[0-9]{2,5}[? ]|\\'[0-9a-fA-F]{2}", _rtf),
    (r"\\[C-Fc-f][0-9A-Fa-f]\\[89ABab][0-9A-Fa-f]", _ldap),
    (r"[_\-][Aa][Tt][_\-][\w\-]+(?:[_\-][Dd][Oo][Tt][_\-]|\.)[A-Za-z]", _at),
    (r"#EXT#", _guest),
    (r"\w=[\w\-]+(?:\.[\w\-]+)+@", _wrapped),
    (r"[A-Za-z0-9]\.[A-Za-z]{2,}![A-Za-z0-9]", _bang),
    (r"\w\"@[A-Za-z0-9]", _quoted),
    (r"\w@[\w\-]+,[a-z]{2,}", _commas),
    (r"@ [\w\-]+ \. [A-Za-z]", _apart),
    (r"cfemail=|email-protection#", _hidden),
    (rf"[a-z0-9][_\-][a-z0-9]+[_\-](?:{_ENDS})(?:[^a-z0-9]|$)", _slug),
    (r"(?i)::ffff:[0-9a-f]{1,4}:[0-9a-f]|\b2002:[0-9a-f]{1,4}:|64:ff9b::|\.ipv6-literal\.net"
     r"|[0-9a-f:]{2}:[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", _networks),
    (r"%[0-9A-Fa-f]{2}[0-9]{6}", _unescaped),
    (r"\b[A-Z]{2,}/[A-Z][A-Z \-]+?(?:MRS|MR|MS|MISS|MSTR|CHD|INF|DR)\b", _ticket),
    (r"(?i)(?:blz|bankleitzahl|bank ?code)[^a-z0-9]{0,3}[0-9]|:25:[0-9]{8}/", _accounts),
    (r"(?:[0-9A-Fa-f]{2}[: \-]){15}[0-9A-Fa-f]{2}", _pairs),
    (r"[A-Za-z\x80-\xff]*[a-z][A-Z][A-Za-z]*[\x80-\xff]|[\x80-\xff][a-z]*[A-Z][a-z]", _humps),
    (r"\": ?\"?[0-9]{3,6}\"?, ?\"[^\"]{1,20}\" ?: ?\"?[0-9]{3,6}\"?, ?\"", _values),
    *MAIL_READERS,
    *APART_READERS,
)  # fmt: skip
"""Patterns of bytes, each with what reads a text in which it stands."""


@cache
def _patterns() -> tuple[Any, Sequence[Any]]:
    """One of all forms, and each by itself."""
    import re2  # late: it is loaded where something is kept

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a byte a character: a text may be no UTF-8
    every = [pattern.encode("latin-1") for pattern, _ in _READERS]
    whole = b"|".join(b"(?:%b)" % one for one in every)
    return re2.compile(whole, options), [re2.compile(one, options) for one in every]


def in_program_forms(values: TextBlock) -> Iterator[tuple[int, str]]:
    """What texts say in such a form, with their numbers."""
    perhaps, each = _patterns()
    zeros, last = values.zeros, -1
    for match in perhaps.finditer(values.block):
        number = int(np.searchsorted(zeros, match.start(), "right")) - 1
        if match.end() <= zeros[last + 1]:
            continue
        for one in range(max(number, last + 1), int(np.searchsorted(zeros, match.end() - 1, "right"))):
            text = values.text(one)
            raw = values.block[zeros[one] + 1 : zeros[one + 1]]
            for pattern, (_, read) in zip(each, _READERS, strict=True):
                if pattern.search(raw):
                    yield from ((one, told) for told in read(text))
            last = one
