"""Domains that a step names for parameters, settings and members of documents: what is wrong with one, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from envclone.errors import ConfigError
from envclone.masking.jsonpaths import parse_path

__all__ = ["require", "require_path"]

_OF_ONE_VALUE = re.compile(
    "person|email|phone|address|company|username|iban|card|national_id|ip|mac|url|uuid|date|integer|key|number"
)
"""Domains that a whole document cannot have."""


def require(domains: Mapping[str, str | Mapping[str, str]], given: Mapping[str, Any]) -> None:
    """Raise ValueError for a domain of something that is not `given`, and for one that cannot be its."""
    if unknown := sorted(domains.keys() - given.keys()):
        what = f"'{unknown[0]}' is neither a parameter nor a setting of this step"
        raise ValueError(f"domains: {what}{_member(unknown[0], given)}")
    for name, domain in domains.items():
        if isinstance(domain, Mapping):
            for path in domain:
                require_path(path, f"domains: '{name}': ")
        elif _OF_ONE_VALUE.fullmatch(domain) and _is_document(given[name]):
            raise ValueError(
                f"domains: '{name}' is a JSON document, and {domain} is the domain of one value; "
                f"name its members by path: {{{name}: {{$.key: {domain}}}}}"
            )


def require_path(path: str, where: str) -> None:
    """Raise ValueError, saying where, for a text that is no JSON path."""
    try:
        parse_path(path)
    except ConfigError as exc:
        elements = "; [*] means all elements" if re.search(r"\[\d+\]", path) else ""
        raise ValueError(f"{where}'{path}' is not a JSON path: {exc.hint}{elements}") from None


def _member(name: str, given: Iterable[str]) -> str:
    """How a member of a document is named, when a name is that of a parameter or setting and more."""
    whole = max((one for one in given if name.startswith(f"{one}.")), key=len, default=None)
    return "" if whole is None else f"; a member of a document: {{{whole}: {{${name.removeprefix(whole)}: …}}}}"


def _is_document(value: Any) -> bool:
    """Whether a value is the text of a JSON object."""
    try:
        return isinstance(value, str) and value.lstrip()[:1] == "{" and isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False
