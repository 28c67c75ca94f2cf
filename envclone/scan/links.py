"""Whether links lead to a few sites and say nothing of anybody."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from envclone.masking.names import is_name
from envclone.scan.vocabulary import generated

__all__ = ["plain_links", "services"]

_FEWEST = 4
"""Links for each host from which on a few hosts are the service's own."""
_HOSTS = 3
_PLAIN = re.compile(r"[A-Za-z]{1,24}\d?|v?\d{1,3}")
_BETWEEN = re.compile(r"[/_.\-?=&#+,;:]+")


_MEDIA = frozenset(("jpg", "jpeg", "png", "gif", "webp", "avif", "svg", "mp4", "webm", "mp3"))
_SERVICES = re.compile(
    r"(?i)(provider|callback|endpoint|webhook|hook|base|api|root|logo|icon|redirect|return|issuer|discovery|auth|target|"
    r"authori[sz]ation|token|user_?info|log_?in|log_?out|sign_?(in|up|out)|sso|acs|password|manifest|health|status|"
    r"privacy(_?policy)?|terms|support|docs?|documentation|help|configuration|app|success|cancel|server|instance)_?ur[il]$"
)


def services(name: str) -> bool:
    """Whether a link is called as what leads to a service: `authorizationUrl`, `reset_password_url`."""
    return _SERVICES.search(name) is not None


def plain_links(links: Collection[str], name: str = "") -> bool:
    """Whether these lead to a few hosts, and beside the host have only words and short numbers.

    Fewer links will do where the field's `name` says that they are a service's.
    """
    try:
        parts = [urlsplit(link.strip()) for link in links]
    except ValueError:
        return False
    hosts = {_site(part.netloc) for part in parts}
    enough = len(parts) >= _FEWEST * len(hosts) or services(name)
    if not hosts or len(hosts) > _HOSTS or not enough or any("@" in host for host in hosts):
        return False
    rest = {word for part in parts for word in _BETWEEN.split(f"{_folders(part.path)}?{part.query}#{part.fragment}")}
    return all(map(_PLAIN.fullmatch, filter(None, rest)))


def _folders(path: str) -> str:
    """A path without the name of a picture or a film that a program drew for it: `/l/c9x…q2.webp`."""
    folders, _, name = path.rpartition("/")
    stem, _, kind = name.rpartition(".")
    return folders if kind.lower() in _MEDIA and generated([stem]) else path


def _site(host: str) -> str:
    """A host without the first of three names or more, where that is a word that no person is called."""
    first, _, rest = host.partition(".")
    return rest if rest.count(".") and not is_name(first.lower()) else host
