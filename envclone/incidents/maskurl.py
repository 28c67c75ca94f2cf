"""Masks over an address: names in it are percent-encoded, and a key in it lets somebody in."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

__all__ = ["mask_path", "mask_url"]

_OF_PRODUCTION = re.compile(r"(?i)(api[-_]?key|key|access[-_]?token|token|auth|sig|signature|secret|password|code)")
"""Parameters whose value lets somebody in."""
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")

Text = Callable[[str], str]


def mask_path(path: str, text: Text, named: Callable[[str, str], str] | None = None) -> str:
    """A path and the query behind it; `named` makes a parameter's mask of its name and value."""
    path, mark, query = path.partition("?")
    words = "/".join(_kept(word, unquote(word), text) for word in path.split("/"))
    pairs = parse_qsl(query, keep_blank_values=True)
    masked = [(text(name), named(name, value) if named is not None else text(value)) for name, value in pairs]
    return words + mark + (query if masked == pairs else urlencode(masked))


def _kept(word: str, plain: str, text: Text) -> str:
    """A part of a path as it was written, when its mask is itself."""
    masked = text(plain)
    return word if masked == plain else quote(masked, safe="")


def mask_url(url: str, text: Text) -> str:
    """A whole address without a login; a host that does not stay a host is left out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "https://masked.invalid/"
    host = text(parts.netloc.rpartition("@")[2])
    if not _HOST.fullmatch(host):
        host = "masked.invalid"
    scheme = parts.scheme if parts.scheme in ("http", "https") else "https"

    def named(name: str, value: str) -> str:
        return "***" if _OF_PRODUCTION.fullmatch(name) else text(value)

    return f"{scheme}://{host}{mask_path(parts.path + (f'?{parts.query}' if parts.query else ''), text, named)}"
