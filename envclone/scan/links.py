"""Whether links lead to a few sites and say nothing of anybody."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

__all__ = ["plain_links"]

_FEWEST = 4
"""Links for each host from which on a few hosts are the service's own."""
_HOSTS = 3
_PLAIN = re.compile(r"[A-Za-z]{1,24}|v?\d{1,3}")
_BETWEEN = re.compile(r"[/_.\-?=&#+,;:]+")


_SERVICES = re.compile(
    r"(?i)(provider|callback|endpoint|webhook|hook|base|api|root|logo|icon|redirect|issuer|discovery|auth|target)_?ur[il]$"
)


def plain_links(links: Collection[str], name: str = "") -> bool:
    """Whether these lead to a few hosts, and beside the host have only words and short numbers.

    Fewer links will do where the field's `name` says that they are a service's.
    """
    try:
        parts = [urlsplit(link.strip()) for link in links]
    except ValueError:
        return False
    hosts = {part.netloc for part in parts}
    enough = len(parts) >= _FEWEST * len(hosts) or _SERVICES.search(name) is not None
    if not hosts or len(hosts) > _HOSTS or not enough or any("@" in host for host in hosts):
        return False
    rest = {word for part in parts for word in _BETWEEN.split(f"{part.path}?{part.query}#{part.fragment}") if word}
    return all(map(_PLAIN.fullmatch, rest))
