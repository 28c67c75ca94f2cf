"""Secrets that stand in a stack file as they are: what must not go into a ConfigMap."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from envclone.config import variables
from envclone.config.problems import Finding
from envclone.config.resolve import sources

__all__ = ["literal"]

_PASSWORD = re.compile(r"://[^/?#@:]*:[^/?#@\s]*[^/?#@\s\x00][^/?#@\s]*@|\bpassword\s*=\s*'?[^\s'&\x00]", re.IGNORECASE)
_SECRET = re.compile(r"(password|passwd|secret|token|api_?key|credential)", re.IGNORECASE)
_LONG = 8


def literal(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Each place whose text holds a secret itself, a variable's default included, and no variable's name."""
    for place, source in sources(raw):
        for key in ("dsn", "url"):
            if isinstance(text := source.get(key), str) and _PASSWORD.search(_said(text)):
                yield (*place, key), "a password stands here"
        if isinstance(text := source.get("api_key"), str) and _said(text).strip("\x00"):
            yield (*place, "api_key"), "the key itself stands here"
        for name, text in (source.get("peers") or {}).items():
            if isinstance(text, str) and _PASSWORD.search(_said(text)):
                yield (*place, "peers", name), "a password stands here"
    for name, environment in (raw.get("environments") or {}).items():
        for service, said in ((environment or {}).get("services") or {}).items():
            for variable, text in ((said or {}).get("environment") or {}).items():
                value = _said(str(text))
                if _PASSWORD.search(value) or (_SECRET.search(str(variable)) and len(value.strip("\x00")) >= _LONG):
                    place = ("environments", name, "services", service, "environment", variable)
                    yield place, "this looks like a secret"


def _said(text: str) -> str:
    """What the text says without any variable set: its own words and the defaults; a variable is a zero byte."""
    return variables.written(text, "\x00")
