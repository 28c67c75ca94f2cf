"""The mask of URLs: host names as in e-mail addresses, IP addresses as such, all else as names are masked.

Scheme and port are kept, and so is the last label of a host. A percent-encoded character is masked as what it stands
for and encoded again (RFC 3986, 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from envclone.masking.email import EmailMask
from envclone.masking.memo import Memo
from envclone.masking.tokens import NameTokens

__all__ = ["UrlMask"]

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*:)?(?://(?P<user>[^/?#@\s]*@)?(?P<host>\[[^\]]*\]|[^:/?#\s]*)(?P<port>:\d*)?)?"
)
_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


class UrlMask:
    """URLs, and texts that are none: those are masked as names are. A bijection but for odd spellings of one URL."""

    def __init__(self, names: NameTokens, email: EmailMask) -> None:
        self._names = names
        self._email = email
        self.mask = Memo(self._one, self._many)

    def _many(self, values: Sequence[str]) -> list[str]:
        """The parts of all of them are masked together; those with anything encoded, or odd, one by one."""
        texts: list[str] = []
        hosts: list[str] = []
        found: list[re.Match[str] | None] = []
        for value in values:
            match = _URL.match(value)
            plain = match is not None and match["host"] and match["host"][0] != "[" and "%" not in value
            if match is not None and plain and (match["scheme"] or "").lower() != "mailto:":
                texts += (match["user"] or "", value[match.end() :])
                hosts.append(f"@{match['host']}")
                found.append(match)
            else:
                found.append(None)
        parts, names = iter(self._names.mask(texts)), iter(self._email.mask(hosts))
        return [
            self._one(value)
            if match is None
            else f"{match['scheme'] or ''}//{next(parts)}{next(names)[1:]}{match['port'] or ''}{next(parts)}"
            for value, match in zip(values, found, strict=True)
        ]

    def _one(self, value: str) -> str:
        match = _URL.match(value)
        assert match is not None  # every part may be absent
        if match["scheme"] and match["scheme"].lower() == "mailto:":
            return match[1] + self._email.mask([value[match.end(1) :]])[0]
        if not match["host"]:
            return self._decoded(value, self._names.text)
        user, port = match["user"] or "", match["port"] or ""
        rest = value[match.end() :]
        return (
            f"{match['scheme'] or ''}//{self._decoded(user, self._names.text)}{self._host(match['host'])}{port}"
            f"{self._decoded(rest, self._names.text)}"
        )

    def _host(self, host: str) -> str:
        return self._names.text(host) if host.startswith("[") else self._email.mask([f"@{host}"])[0][1:]

    def _decoded(self, text: str, mask: Callable[[str], str]) -> str:
        """The mask of a text in which what is percent-encoded is masked as what it stands for."""
        if "%" not in text:
            return mask(text)
        plain: list[str] = []
        encoded: list[bool] = []
        position = 0
        for match in _ENCODED.finditer(text):
            plain += text[position : match.start()]
            encoded += [False] * (match.start() - position)
            decoded = bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogateescape")
            plain += decoded
            encoded += [True] * len(decoded)
            position = match.end()
        plain += text[position:]
        encoded += [False] * (len(text) - position)
        masked = mask("".join(plain))
        if len(masked) != len(encoded):  # marks that compose: then nothing is known of the places
            return mask(text)
        upper = not re.search(r"%[0-9A-Fa-f]?[a-f]", text)
        return "".join(_percent(c, upper=upper) if was else c for c, was in zip(masked, encoded, strict=True))


def _percent(char: str, *, upper: bool) -> str:
    text = "".join([f"%{byte:02x}" for byte in char.encode("utf-8", "surrogateescape")])
    return text.upper() if upper else text
