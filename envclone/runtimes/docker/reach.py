"""Which addresses a sandbox's proxy may connect to: other machines' public ones, and those that were written down."""

from __future__ import annotations

import ipaddress
import re
import socket

__all__ = ["Address", "address", "is_number", "is_public", "is_this_host"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NUMBER = re.compile(r"(.*\.)?(\d+|0[xX][0-9a-fA-F]*)\.?")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b:1::/48",  # NAT64 of one's own network (RFC 8215)
        "2001::/32",  # Teredo: leads to an address of its own making
        "fec0::/10",  # site-local
        "100.64.0.0/10",  # shared between a carrier and its customers (RFC 6598)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays
    )
)


def address(text: str) -> Address | None:
    """The address that a text spells in its usual form; None for a name, a zone, or a number in another form."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_number(host: str) -> bool:
    """Whether a resolver would take a host for an address in an unusual form: `127.1`, `2130706433`, `0x7f.1`."""
    return address(host) is None and _NUMBER.fullmatch(host) is not None


def is_public(found: Address) -> bool:
    """Whether an address is one of the public internet's, also below what stands for an IPv4 address in IPv6."""
    plain = _below(found)
    if any(plain.version == network.version and plain in network for network in _NEVER):
        return False
    return plain.is_global and not (plain.is_multicast or plain.is_reserved or plain.is_unspecified)


def is_this_host(found: Address) -> bool:
    """Whether packets to an address stay on this host: loopback, and whatever its interfaces or routes have."""
    plain = _below(found)
    if plain.is_loopback or plain.is_unspecified or (plain.version == 4 and int(plain) >> 24 == 0):
        return True
    family = socket.AF_INET if plain.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(plain), 9))  # sends nothing: the kernel looks up the route
        except OSError:
            return False
        return address(str(probe.getsockname()[0]).partition("%")[0]) == plain


def _below(found: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(found, ipaddress.IPv4Address):
        return found
    inner = found.ipv4_mapped or found.sixtofour
    if inner is None and (found in _NAT64 or (found in _COMPATIBLE and int(found) > 1)):
        inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return inner or found
