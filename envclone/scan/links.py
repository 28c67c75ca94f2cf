"""Whether links lead to a few sites and say nothing of anybody."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote, urlsplit

from envclone.masking.common_words import is_everyday
from envclone.masking.names import is_name
from envclone.scan.vocabulary import generated

__all__ = ["plain_links", "plain_places", "services", "stored"]

_FEWEST = 4
"""Links for each host from which on a few hosts are the service's own."""
_HOSTS = 3
_PLAIN = re.compile(r"[A-Za-z]{1,24}\d?|v?\d{1,3}|20\d\d")
_BETWEEN = re.compile(r"[/_.\-?=&#+,;:*${}~%]+")
_TEMPLATE = re.compile(r"\$\{\w+\}|\{\{?[\w. ]+\}?\}|%\w+%")
_PICTURES = re.compile(r"(?i)(^|_)(image|thumb(nail)?|emoji|icon|logo|header|banner|cover)_?(remote_?)?ur[il]$")
_SITES = 12
_STORE = re.compile(r"(s3|s3a|gs|gcs|az|azure|abfss?|wasbs?|minio|swift|hdfs|b2|r2|file|kb)://")
_HEX = re.compile(r"[0-9a-f]{8,64}")
_NUMBER = re.compile(r"\d{1,4}")
_PORT = re.compile(r"\d{4,5}")
_FEW = 2
_MOST = 0.8


_MEDIA = frozenset(
    (
        "jpg",
        "jpeg",
        "png",
        "gif",
        "webp",
        "avif",
        "svg",
        "mp4",
        "webm",
        "mp3",
        "wav",
        "ogg",
        "m4a",
        "opus",
        "flac",
        "mov",
        "pdf",
        "zip",
    )
)
_SERVICES = re.compile(
    r"(?i)(provider|callback|endpoint|webhook|hook|base|api|root|logo|icon|redirect|return|issuer|discovery|auth|target|"
    r"authori[sz]ation|token|user_?info|log_?in|log_?out|sign_?(in|up|out)|sso|acs|password|manifest|health|status|"
    r"privacy(_?policy)?|terms|support|docs?|documentation|help|configuration|app|success|cancel|server|instance)_?ur[il]$"
)


def services(name: str) -> bool:
    """Whether a link is called as what leads to a service: `authorizationUrl`, `reset_password_url`."""
    return _SERVICES.search(name) is not None


def stored(links: Collection[str]) -> bool:
    """Whether these lead into a store of objects, and name nobody: `s3://recordings/2024/0c9f….wav`."""
    return bool(links) and all(map(_STORE.match, links)) and plain_links(links)


def plain_links(links: Collection[str], name: str = "") -> bool:
    """Whether these lead to a few hosts, and beside the host have only words and short numbers.

    Fewer links will do where the field's `name` says that they are a service's.
    """
    try:
        parts = [urlsplit(unquote(link.strip())) for link in links if not _TEMPLATE.fullmatch(link.strip())]
    except ValueError:
        return False
    hosts = {_site(part.netloc) for part in parts if part.netloc}
    pictured = _PICTURES.search(name) is not None  # many sites' pictures, of which the loop below reads the words
    enough = len(parts) >= _FEWEST * len(hosts) or services(name) or pictured or _numbered(links)
    most = _SITES if pictured else _HOSTS
    if not parts or len(hosts) > most or not enough or any("@" in host for host in hosts):
        return False
    rest = {word for part in parts for word in _BETWEEN.split(f"{_folders(part.path)}?{part.query}#{part.fragment}")}
    return all(map(_PLAIN.fullmatch, filter(None, rest)))


def _folders(path: str) -> str:
    """A path without the name of a picture or a film that a program drew for it: `/l/c9x…q2.webp`."""
    folders, _, name = path.rpartition("/")
    stem, _, kind = name.rpartition(".")
    return folders if kind.lower() in _MEDIA and (generated([stem]) or _HEX.fullmatch(stem)) else path


def _numbered(links: Collection[str]) -> bool:
    """Whether three links or more differ in short numbers alone, as those to a program's releases do."""
    return len(set(links)) > _FEW and len({_NUMBER.sub("#", link) for link in links}) == 1


def plain_places(values: Collection[str]) -> bool:
    """Whether these are links and paths (`/realms/*`, `app:/callback`) of words that nobody is called."""
    present = {unquote(value.strip()) for value in values if value.strip()}
    placed = sum("/" in value or value == "*" for value in present)
    words = [word for value in present for word in _BETWEEN.split(value) if word]
    return (
        len(present) > _FEW
        and placed >= _MOST * len(present)
        and not any("@" in value or any(map(str.isspace, value)) for value in present)
        and all(map(_is_plain, words))
    )


def _site(host: str) -> str:
    """A host without the first of three names or more, where that is a word that no person is called."""
    first, _, rest = host.partition(".")
    return rest if rest.count(".") and not is_name(first.lower()) else host


def _is_plain(word: str) -> bool:
    named = is_name(word.lower()) and not is_everyday(word.lower())
    return (_PORT.fullmatch(word) or _PLAIN.fullmatch(word)) is not None and not named
