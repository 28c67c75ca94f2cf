"""The masks of network addresses: IP prefixes are kept together, and every address stays in its class.

An IP address is masked bit by bit, each bit by what the key and the bits before it decide (Xu, Fan, Ammar, Moon:
Prefix-Preserving IP Address Anonymization, ICNP 2002): two addresses share as many leading bits as their pseudonyms do,
so a network's pseudonym holds the pseudonyms of its hosts. Private, loopback, link-local, documentation and other
registered ranges (IANA, RFC 6890) stay apart: bits that lead to one of them are kept, and the first bit after those is
always turned, so that no address is its own pseudonym. 0.0.0.0, 127.0.0.1, 255.255.255.255, :: and ::1 mean nobody.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from envclone.compiled import available
from envclone.masking.fpe import Permutation, subkey, words_of
from envclone.masking.memo import Memo
from envclone.masking.shape import Shape
from envclone.masking.siphash import siphash128
from envclone.masking.walk import walk

if TYPE_CHECKING:
    from envclone.masking.domains import Batch
    from envclone.masking.ip_batches import AddressBatch

__all__ = ["IpMask", "MacMask", "is_ip", "is_mac"]

_V4 = (
    "0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 127.0.0.1/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
    "255.255.255.255/32"
)
_V6 = (
    "::/128 ::1/128 64:ff9b::/96 100::/64 2000::/3 2001::/23 2001:db8::/32 2002::/16 fc00::/8 fd00::/8 fe80::/10 "
    "ff00::/8"
)
_BITS = {4: 32, 6: 128}
_MAPPED = 0xFFFF << 32
_WORTH_LOADING = 32
"""Addresses masked before the compiled loop is worth its loading."""
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)|(?=[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:)[0-9a-fA-F:.]*[0-9a-fA-F:](?![\w]))"
    r"(?:/(\d{1,3}))?"
)
_MARKS = re.compile(r"[^A-Za-z0-9\x80-\U0010ffff]*(?::\d+)?[^A-Za-z0-9\x80-\U0010ffff]*")
_MAC = re.compile(r"[0-9a-fA-F]{2}(?:([:.\- ]?)[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2}){4}(?:(?:\1[0-9a-fA-F]{2}){2})?")
_CISCO = re.compile(
    r"[0-9a-fA-F]{4}([.\-:])[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}(?:\1[0-9a-fA-F]{4})?|[0-9a-fA-F]{6}[:-][0-9a-fA-F]{6}"
)
_FLAGS = 3
"""The bits of a MAC address's first byte that tell group and local addresses (IEEE 802)."""


class IpMask:
    """IPv4 and IPv6 addresses and networks, alone or several with ports between them; a bijection on addresses.

    A text in which no address stands is masked within its shape.
    """

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "ip")
        self._shape = Shape(self._key, "text")
        self._flips = lru_cache(maxsize=1 << 16)(self._make_flips)
        self._counted = 0
        self.mask = Memo(self._value, batch=lambda: self._batch)
        self.packed = self.mask.packed

    @cached_property
    def _batch(self) -> AddressBatch:
        from envclone.masking.ip_batches import AddressBatch

        four, six = map(IPv4Network, _V4.split()), map(IPv6Network, _V6.split())
        return AddressBatch(
            self._key,
            [(int(net.network_address), net.prefixlen) for net in four],
            [(int(net.network_address), net.prefixlen) for net in six],
        )

    def _value(self, value: str) -> str:
        found = [m for m in _ADDRESS.finditer(value) if _parsed(m[0]) is not None]
        if not found or not _only_marks(value, found):
            return walk(value, self._shape.text, lambda v: not any(_parsed(m[0]) for m in _ADDRESS.finditer(v)))
        out = []
        position = 0
        for match in found:
            out += [value[position : match.start()], self._one(match[0])]
            position = match.end()
        return "".join([*out, value[position:]])

    def _one(self, text: str) -> str:
        address = _parsed(text)
        assert address is not None
        version, number, length = address
        if version == 6 and number >> 32 == _MAPPED >> 32:
            masked = _MAPPED | self._address(4, number & 0xFFFFFFFF, max(0, length - 96))
        else:
            masked = self._address(version, number, length)
        written = text.partition("/")[0]
        return _spelled(version, masked, written) + text[len(written) :]

    def _address(self, version: int, number: int, length: int) -> int:
        """The pseudonym of a host inside a network of `length` bits, or of that network when the rest is zero."""
        bits = _BITS[version]
        host = (1 << (bits - length)) - 1
        network = number & ~host
        fresh = self._permuted(version, number)
        kept = self._permuted(version, network) & ~host
        if not number & host:
            return kept
        while not fresh & host:  # a host never becomes its network
            fresh = self._permuted(version, network | (fresh & host))
        return kept | (fresh & host)

    def _permuted(self, version: int, number: int) -> int:
        """The prefix-preserving permutation of whole addresses."""
        self._counted += 1
        if self._counted > _WORTH_LOADING and available():
            return self._batch.permuted(version, number)
        bits = _BITS[version]
        trail = _trail(version)
        out = 0
        first = True
        for start in range(0, bits, 8):
            flips = self._flips(version, start, number >> (bits - start))
            byte = number >> (bits - start - 8) & 0xFF
            for i in range(8):
                depth = start + i
                bit = byte >> (7 - i) & 1
                if first and (depth, number >> (bits - depth)) in trail:
                    turn = 0
                elif first:
                    first, turn = False, 1
                else:
                    node = (1 << i) | byte >> (8 - i)
                    turn = flips >> node & 1
                out = out << 1 | (bit ^ turn)
        return out

    def _make_flips(self, version: int, depth: int, prefix: int) -> int:
        """256 bits: whether to turn the next bit, for each of the nodes of the next byte's tree."""
        message = prefix.to_bytes(16, "little") + bytes((depth | (128 if version == 6 else 0),))
        first, second = (siphash128(*words_of(self._key), message + bytes((block,))) for block in (0, 1))
        return first | second << 128


@lru_cache(maxsize=2)
def _trail(version: int) -> frozenset[tuple[int, int]]:
    """The nodes above the special networks: their depth and the bits that lead to them."""
    networks = map(IPv4Network, _V4.split()) if version == 4 else map(IPv6Network, _V6.split())
    return frozenset(
        (depth, int(network.network_address) >> (_BITS[version] - depth))
        for network in networks
        for depth in range(network.prefixlen)
    )


def _parsed(text: str) -> tuple[int, int, int] | None:
    """Version, number and length of the network part; None for what is not an address."""
    written, slash, length = text.partition("/")
    try:
        address = ip_address(written)
    except ValueError:
        return None
    bits = _BITS[address.version]
    if slash and int(length) > bits:
        return None
    return address.version, int(address), int(length) if slash else bits


def _spelled(version: int, number: int, like: str) -> str:
    if version == 4:
        return ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))
    address = IPv6Address(number)
    if "." in like:
        v4 = number & 0xFFFFFFFF
        text = str(IPv6Address(number & ~0xFFFFFFFF)).removesuffix("0:0").removesuffix("::") if number >> 32 else ":"
        head = text.rstrip(":") + ":" if text.strip(":") else "::"
        text = head + ".".join(str(v4 >> shift & 0xFF) for shift in (24, 16, 8, 0))
    else:
        text = address.exploded if len(like) == 39 else str(address)
    return text.upper() if like.isupper() else text


def _only_marks(value: str, found: list[re.Match[str]]) -> bool:
    """Whether nothing but separators and ports stands around the addresses."""
    position = 0
    for match in found:
        if not _MARKS.fullmatch(value[position : match.start()]):
            return False
        position = match.end()
    return _MARKS.fullmatch(value[position:]) is not None


class MacMask:
    """Hardware addresses of 6 or 8 bytes in any notation; whether one is a group or a local address is kept.

    A bijection; 00:…:00 and ff:…:ff mean nobody. A text that is no such address is masked within its shape.
    """

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "mac")
        self._shape = Shape(self._key, "text")
        self._permutation = lru_cache(maxsize=2)(self._make)
        self.mask = Memo(self._one, batch=lambda: self._batch)
        self.packed = self.mask.packed

    @cached_property
    def _batch(self) -> Batch:
        from envclone.masking.code_batches import macs

        return macs(self._key)

    def _one(self, value: str) -> str:
        spelled = value.strip()
        if not is_mac(spelled):
            return walk(value, self._shape.text, lambda v: not is_mac(v.strip()))
        digits = re.sub("[^0-9a-fA-F]", "", spelled).lower()
        if digits.strip(digits[0]) == "" and digits[0] in "0f":
            return value
        masked = walk(digits, self._permuted, lambda d: d.strip(d[0]) != "" or d[0] not in "0f")
        fresh = iter(masked.upper() if spelled.isupper() else masked)
        return value.replace(spelled, "".join(next(fresh) if c.isalnum() else c for c in spelled))

    def _permuted(self, digits: str) -> str:
        data = bytes.fromhex(digits)
        flags = data[0] & _FLAGS
        image = self._permutation(len(data), flags)([data[0] >> 2, *data[1:]])
        return bytes([image[0] << 2 | flags, *image[1:]]).hex()

    def _make(self, length: int, flags: int) -> Permutation:
        return Permutation(self._key, b"mac%d" % flags, [64] + [256] * (length - 1))


def is_ip(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address or network, and nothing else."""
    return _parsed(text) is not None


def is_mac(text: str) -> bool:
    """Whether a text is a hardware address in any notation, and nothing else."""
    return (_MAC.fullmatch(text) or _CISCO.fullmatch(text)) is not None
