"""Forms in which addresses of mail are rewritten, put apart or put together, and identifiers have other signs; only the
proof reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from envclone.verifier.codedruns import uuid_of

__all__ = ["MAIL_READERS"]

_HOST = r"[\w\-]+(?:\.[\w\-]+)+"
_TAGGED = re.compile(rf"(?<![\w.+\-])([\w.\-]+)\+[\w.+\-]*@({_HOST})")
_RETURNED = re.compile(rf"(?i)\bsrs[01][=+\-][^@\s]{{0,200}}=({_HOST})=([\w.+\-]+)@")
_RELAYED = re.compile(rf"(?<![\w.+\-])([\w.+\-]+)%({_HOST})@")
_ROOM = re.compile(rf"(?<![\w.])@([\w.+\-]+):({_HOST})")
_LOGIN = re.compile(rf"://([\w.+\-]+):[^@\s/]{{0,80}}@({_HOST})")
_LITERALS = re.compile(r"""['"] ?(?:,|\+|\.|\|\|) ?['"]""")
_JOINED = re.compile(rf"""['"]([\w.+\-]+)['"] ?, ?['"]({_HOST})['"] ?\]\.join""")
_ITS_HOST = r'"(?:domain|host|hostname|mail_?domain|server)" ?: ?"(?P<host#>[\w\-]+(?:\.[\w\-]+)+)"'
_ITS_LOCAL = r'"(?:local|local_?part|user|user_?name|mailbox|login|account|name)" ?: ?"(?P<local#>[\w.+\-]+)"'
_PARTS = re.compile(
    f"(?i){_ITS_LOCAL} ?, ?{_ITS_HOST}".replace("#", "1") + "|" + f"{_ITS_HOST} ?, ?{_ITS_LOCAL}".replace("#", "2")
)
_BRACES = re.compile(rf"\{{([\w.+\-]+(?: ?, ?[\w.+\-]+){{0,30}})\}} ?@ ?({_HOST})")
_REMARK = re.compile(r"\([^()@]{0,40}\)@")
_WIDE = re.compile(r"[ \t]{0,3}@[ \t]{0,3}")
_NO_SPAM = re.compile(
    r"(?i)(?:<[^<>]{0,40}>)?[.\-_]?(?:no[\-_]?spam|remove[\-_]?(?:this|me)|(?-i:REMOVE))[.\-_]?(?:<[^<>]{0,40}>)?"
)
_SIGNED = re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{8}([:/,;|\\])(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}(?![0-9a-z])")
_STRUCTURE = re.compile(r"(?i)0x[0-9a-f]{8}(?:, ?\{? ?0x[0-9a-f]{2,4}){10}")
_EUI = re.compile(r"(?i)([0-9a-f]{1,4}):([0-9a-f]{0,2})ff:fe([0-9a-f]{2}):([0-9a-f]{1,4})(?![0-9a-f:])")


def _tagged(text: str) -> Iterator[str]:
    """Addresses without what their owner wrote behind a +."""
    yield from (f"{match[1]}@{match[2]}" for match in _TAGGED.finditer(text))


def _returned(text: str) -> Iterator[str]:
    yield from (f"{match[2]}@{match[1]}" for match in _RETURNED.finditer(text))


def _relayed(text: str) -> Iterator[str]:
    yield from (f"{match[1]}@{match[2]}" for match in _RELAYED.finditer(text))


def _room(text: str) -> Iterator[str]:
    yield from (f"{match[1]}@{match[2]}" for match in _ROOM.finditer(text))


def _login(text: str) -> Iterator[str]:
    yield from (f"{match[1]}@{match[2]}" for match in _LOGIN.finditer(text))


def _literals(text: str) -> Iterator[str]:
    yield _LITERALS.sub("", text)


def _joined(text: str) -> Iterator[str]:
    yield from (f"{match[1]}@{match[2]}" for match in _JOINED.finditer(text))


def _parts(text: str) -> Iterator[str]:
    for match in _PARTS.finditer(text):
        yield f"{match['local1'] or match['local2']}@{match['host1'] or match['host2']}"


def _braces(text: str) -> Iterator[str]:
    for match in _BRACES.finditer(text):
        yield " ".join(f"{one.strip()}@{match[2]}" for one in match[1].split(","))


def _remark(text: str) -> Iterator[str]:
    yield _REMARK.sub("@", text)


def _wide(text: str) -> Iterator[str]:
    yield _WIDE.sub("@", text)


def _no_spam(text: str) -> Iterator[str]:
    yield _NO_SPAM.sub("", text)
    yield _NO_SPAM.sub(".", text)


def _signed(text: str) -> Iterator[str]:
    yield _SIGNED.sub(lambda match: match[0].replace(match[1], "-"), text)


def _structure(text: str) -> Iterator[str]:
    for match in _STRUCTURE.finditer(text):
        digits = "".join(re.findall(r"(?i)0x([0-9a-f]+)", match[0]))
        if len(digits) == 32:
            yield from uuid_of(bytes.fromhex(digits))


def _hardware(text: str) -> Iterator[str]:
    """Addresses of hardware in those that IPv6 makes of them (RFC 4291, appendix A)."""
    for match in _EUI.finditer(text):
        digits = f"{match[1]:0>4}{match[2]:0>2}{match[3]}{match[4]:0>4}"
        digits = f"{int(digits[:2], 16) ^ 2:02x}{digits[2:]}"
        yield ":".join(digits[i : i + 2] for i in range(0, 12, 2))


MAIL_READERS: tuple[tuple[str, Callable[[str], Iterator[str]]], ...] = (
    (r"\w\+[\w.+\-]*@[A-Za-z0-9]", _tagged),
    (r"(?i)srs[01][=+\-][^@ ]*=[^@ =]+@", _returned),
    (r"\w%[\w\-]+\.[\w.\-]+@", _relayed),
    (r"@[\w.+\-]+:[\w\-]+\.[A-Za-z]", _room),
    (r"://[\w.+\-]+:[^@ /]*@[\w\-]+\.", _login),
    (r"['\"] ?(?:,|\+|\.|\|\|) ?['\"]@['\"]", _literals),
    (r"\]\.join\(['\"]@", _joined),
    (r"(?i)\"(?:local_?(?:part)?|user|user_?name|mailbox|login|account|name)\" ?: ?\"[\w.+\-]+\" ?, ?\"(?:domain|host"
     r"|hostname|mail_?domain|server)\"|\"(?:domain|host|hostname|mail_?domain|server)\" ?: ?\"[\w.\-]+\" ?, ?\"(?:"
     r"local|user|mailbox|login|account|name)", _parts),
    (r"[\w.\-]\} ?@ ?[A-Za-z0-9]", _braces),
    (r"\w\([^()@]{0,40}\)@[A-Za-z0-9]", _remark),
    (r"\w[ \t]{2,3}@[ \t]{0,3}[A-Za-z0-9]|\w[ \t]?@[ \t]{2,3}[A-Za-z0-9]", _wide),
    (r"(?i)no[\-_]?spam|remove[\-_]?(?:this|me)[.\-_@]|@remove[a-z]|[a-z]remove@", _no_spam),
    (r"(?i)[0-9a-f]{8}[:/,;|\\][0-9a-f]{4}[:/,;|\\][0-9a-f]{4}[:/,;|\\]", _signed),
    (r"(?i)0x[0-9a-f]{8}, ?0x[0-9a-f]{4}, ?0x", _structure),
    (r"(?i)ff:fe[0-9a-f]{2}:", _hardware),
)  # fmt: skip
"""Patterns of bytes, each with what reads a text in which it stands."""
