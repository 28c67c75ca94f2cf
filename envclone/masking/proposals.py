"""The rules that are missing, as the YAML to add: a refusal shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from envclone.masking.guesses import UNDECIDED

__all__ = ["Proposals"]

_MOST = 60


class Proposals:
    """What to propose for fields and for paths inside them, in the order in which they were met.

    `taken` are addresses that mean something else than a path: the key `vectors` of a payload is not the collection's
    vectors.
    """

    def __init__(self, taken: Collection[str] = ()) -> None:
        self._taken = taken
        self._fields: dict[str, str] = {}
        self._paths: dict[str, dict[str, str]] = {}

    def field(self, address: str, domain: str) -> None:
        """Propose a rule for a whole field."""
        self._fields.setdefault(address, domain)

    def path(self, address: str, path: str, domain: str) -> None:
        """Propose a domain for a path of a field; two that differ become free text."""
        plain = _below(address, path)
        as_address = plain and plain not in self._taken
        holder, key = (self._fields, plain) if as_address else (self._paths.setdefault(address, {}), path)
        holder[key] = domain if holder.get(key, domain) == domain else "text"

    def hint(self, store: str) -> str | None:
        """The lines to add under a store's rules; None when nothing is missing."""
        lines = [_line(address, domain) for address, domain in self._fields.items()]
        for address, paths in self._paths.items():
            inner = ", ".join(f"{json.dumps(path, ensure_ascii=False)}: {domain}" for path, domain in paths.items())
            lines.append(f"  {_key(address)}: {{{inner}}}")
        if not lines:
            return None
        more = len(lines) - _MOST
        return "\n".join(
            [
                f"decide each, then add under sanitize.rules.{store} (proposed from names and types):",
                *lines[:_MOST],
                *([f"  # and {more} more"] if more > 0 else []),
            ]
        )


def _line(address: str, domain: str) -> str:
    if domain == UNDECIDED:
        return f"  # {_key(address)}: nothing here can look into it: keep, a constant or a hook"
    return f"  {_key(address)}: {domain}"


def _below(address: str, path: str) -> str:
    """A path inside a field as an address that goes on; '' where it cannot be written so."""
    tail = path.removeprefix("$")
    return address + tail.replace("[*]", "[]") if re.fullmatch(r"(\.\w+(\[\*\])*)+", tail) else ""


def _key(address: str) -> str:
    return address if re.fullmatch(r"[\w.\[\]]+", address) else json.dumps(address, ensure_ascii=False)
