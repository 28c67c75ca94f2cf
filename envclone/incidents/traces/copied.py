"""Requests as browsers copy them for JavaScript (`fetch`) and PowerShell (`Invoke-WebRequest`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from envclone.incidents.traces.http import exchange
from envclone.incidents.traces.span import Span, Trace, decoder, loads, loose, parsed

__all__ = ["copied"]

_FETCH = re.compile(r"(?:await\s+)?fetch\(\s*(\"(?:[^\"\\]|\\.)*\")\s*(?:,\s*(?=\{))?")
_BEGINS = re.compile(r"(?:\$session\s*=|Invoke-(?:WebRequest|RestMethod)\b|(?:await\s+)?fetch\()")
_COMMAND = re.compile(
    r"Invoke-(?:WebRequest|RestMethod)\b((?:`\s*\n|\"(?:[^\"`]|`.|\"\")*\"|@\{.*?\n\}|[^\n\"])*)", re.S
)
_OPTION = re.compile(r"-(Uri|Method|ContentType|Body)\s+(\"(?:[^\"`]|`.|\"\")*\"|'(?:[^']|'')*'|[^\s`]+)", re.S | re.I)
_HEADERS = re.compile(r"-Headers\s+@\{(.*?)\n?\}\s*(?:`|\n|$)", re.S)
_HEADER = re.compile(r"(\"(?:[^\"`]|`.)*\"|[\w-]+)\s*=\s*(\"(?:[^\"`]|`.|\"\")*\")")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_LONGEST = 1 << 20


def copied(text: str) -> Trace | None:
    """The requests of a text that begins as such a copy; None for another."""
    if len(text) > _LONGEST or not _BEGINS.match(text):
        return None
    spans = list(_fetched(text) if "fetch(" in text[:20] else _invoked(text))
    return Trace("fetch" if "fetch(" in text[:20] else "powershell", spans) if spans else None


def _fetched(text: str) -> Iterator[Span]:
    for number, match in enumerate(_FETCH.finditer(text), 1):
        given: dict[str, Any] = {}
        if text[match.end() : match.end() + 1] == "{":
            try:
                given, _ = decoder().raw_decode(text, match.end())
            except ValueError:
                continue
        headers = {str(key): str(value) for key, value in loose(given.get("headers")).items()}
        rest = {key: value for key, value in given.items() if key not in ("headers", "body", "method")}
        body = given.get("body")
        method = str(given.get("method") or ("GET" if body is None else "POST"))
        yield exchange(str(number), method, str(loads(match[1])), headers, parsed(body), None, None, rest=rest)


def _invoked(text: str) -> Iterator[Span]:
    for number, match in enumerate(_COMMAND.finditer(text), 1):
        command = match[1]
        between = _HEADERS.search(command)
        headers = {_said(key): _said(value) for key, value in _HEADER.findall(between[1])} if between else {}
        given = {name.lower(): _said(value) for name, value in _OPTION.findall(_HEADERS.sub("\n", command))}
        if "uri" not in given:
            continue
        if "contenttype" in given:
            headers["Content-Type"] = given["contenttype"]
        body = given.get("body")
        method = given.get("method") or ("GET" if body is None else "POST")
        yield exchange(str(number), method, given["uri"], headers, parsed(body), None, None)


def _said(word: str) -> str:
    """A word of PowerShell without its quotes and its marks."""
    if word[:1] == "'":
        return word[1:-1].replace("''", "'")
    if word[:1] != '"':
        return word
    inner = re.sub(r"\$\(\[char\](\d{1,7})\)", lambda one: chr(int(one[1])), word[1:-1])
    return re.sub(r'`(.)|""', lambda one: '"' if one[1] is None else _ESCAPES.get(one[1], one[1]), inner, flags=re.S)
