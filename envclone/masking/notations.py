"""Addresses of networks and hardware, and short bytes, in the notations in which they are written: a column of type
`inet` prints `81.20.1.77/32`, a log says `81.20.1.77`."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_interface

__all__ = ["KINDS_NOTED", "LONGEST_NOTED", "notations", "with_notations"]

KINDS_NOTED = frozenset(("ip", "mac", "bytes", "secret", "national_id"))
"""Kinds of identities that have several notations."""
LONGEST_NOTED = 130
"""Characters: of 64 bytes and `\\x`; longer bytes are no token, and no address is as long."""
_HEX = re.compile(r"[0-9a-f]+")
_HOST = re.compile(r"((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:/32)?")
_BETWEEN = str.maketrans("", "", ":.- ")
_LENGTHS = (12, 16)
_MANY_DIGITS = re.compile(r"[0-9]{7}")
_SHORTEST_CODE, _LONGEST_CODE = 8, 20
_BRITISH = re.compile(r"[A-Za-z]{2}[0-9]{6}[A-Za-z]")
_ITALIAN = re.compile(r"[A-Za-z]{6}[0-9A-Za-z]{5}[A-Za-z][0-9A-Za-z]{3}[A-Za-z]")


def notations(kind: str, value: str) -> tuple[str, ...]:
    """The other ways to write a value; none where it is no address and no bytes, or a network."""
    if kind not in KINDS_NOTED or len(value) > LONGEST_NOTED:
        return ()
    if kind == "national_id":
        found = _of_code(value)
    else:
        found = _of_ip(value) if kind == "ip" else _of_mac(value) if kind == "mac" else _of_bytes(value)
    return tuple(dict.fromkeys(way for way in found if way != value))


def with_notations(kind: str, values: Iterable[str]) -> Iterator[str]:
    """Values, each with its other notations behind it."""
    for value in values:
        yield value
        yield from notations(kind, value)


def _of_ip(value: str) -> tuple[str, ...]:
    if (found := _HOST.fullmatch(value)) is not None:  # the commonest, and millions of them
        return found[1], found[1].replace(".", "-")
    try:
        written = ip_interface(value)
    except ValueError:
        return ()
    address = written.ip
    if written.network.prefixlen < address.max_prefixlen and address == written.network.network_address:
        return ()  # a network, which is nobody's address
    plain = str(address)
    if not isinstance(address, IPv6Address):
        return plain, plain.replace(".", "-")
    if address.ipv4_mapped is not None:
        return plain, str(address.ipv4_mapped)
    return plain, address.exploded, ":".join(f"{int(part, 16):x}" for part in address.exploded.split(":"))


def _of_mac(value: str) -> tuple[str, ...]:
    digits = value.strip().lower().translate(_BETWEEN)
    if len(digits) not in _LENGTHS or not _HEX.fullmatch(digits):
        return ()
    longer = f"{digits[:6]}fffe{digits[6:]}" if len(digits) == 12 else digits  # what `macaddr8` makes of it
    pairs, of_longer = _parts(digits, 2), _parts(longer, 2)
    return ":".join(pairs), "-".join(pairs), ".".join(_parts(digits, 4)), digits, ":".join(of_longer)


def _of_code(value: str) -> tuple[str, ...]:
    """A code in which letters and digits change, so that its digits alone are too few to tell it: in one, and in the
    groups of the British and of the Italian number."""
    if value.isdigit() or not (code := value.translate(_BETWEEN)).isalnum() or _MANY_DIGITS.search(code):
        return ()
    if code.isalpha() or not code.isascii() or not _SHORTEST_CODE <= len(code) <= _LONGEST_CODE:
        return ()
    british = (" ".join((code[:2], *_parts(code[2:8], 2), code[8:])),) if _BRITISH.fullmatch(code) else ()
    italian = (" ".join((code[:3], code[3:6], code[6:11], code[11:])),) if _ITALIAN.fullmatch(code) else ()
    return code, *british, *italian


def _of_bytes(value: str) -> tuple[str, ...]:
    if not value.startswith("\\x") or len(value) % 2 or not _HEX.fullmatch(value, 2):
        return ()
    raw = bytes.fromhex(value[2:])
    return value[2:], b64encode(raw).decode().rstrip("="), urlsafe_b64encode(raw).decode().rstrip("=")


def _parts(digits: str, length: int) -> list[str]:
    return [digits[at : at + length] for at in range(0, len(digits), length)]
