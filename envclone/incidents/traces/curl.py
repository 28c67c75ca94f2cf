"""Command lines of curl, as people type them and as browsers copy them, for any shell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from envclone.errors import UsageError
from envclone.incidents.traces.http import exchange
from envclone.incidents.traces.span import Trace, bounded, parsed

__all__ = ["curl", "is_curl"]

_SHORT = "AbcCdDeEFhHKmoPQrtTuUwxXyYz"
"""Options of one letter that take a value."""
_LONG = frozenset(
    (
        *(
            "request",
            "header",
            "data",
            "data-raw",
            "data-binary",
            "data-ascii",
            "data-urlencode",
            "json",
            "form",
            "url",
        ),
        *("form-string", "user", "cookie", "cookie-jar", "user-agent", "referer", "output", "max-time", "upload-file"),
        *("connect-timeout", "cacert", "capath", "cert", "key", "pass", "proxy", "proxy-user", "retry", "retry-delay"),
        *("resolve", "connect-to", "interface", "max-redirs", "limit-rate", "range", "write-out", "dump-header"),
        *("oauth2-bearer", "aws-sigv4", "ciphers", "tls-max", "config", "unix-socket", "url-query", "retry-max-time"),
        *("noproxy", "proxy-header", "cert-type", "key-type", "time-cond", "keepalive-time", "dns-servers", "stderr"),
        *("trace", "trace-ascii", "request-target", "socks5", "socks5-hostname", "speed-limit", "speed-time"),
    )
)
_NAMES = {"X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "b": "cookie", "A": "user-agent",
          "e": "referer", "T": "upload-file", "G": "get", "I": "head"}  # fmt: skip
_DATA = ("data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json")
_ENDS = ("\n", ";", "|", "||", "&", "&&", ">", ">>", "<", "2>")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "0": "\0"}
_CODE = re.compile(r"x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})")


def is_curl(text: str) -> bool:
    """Whether a text is a command line of curl."""
    return re.match(r"(?:[$>#]\s+)?curl(?:\.exe)?\s", text) is not None


def curl(text: str) -> Trace:
    """The requests of some command lines. Raises UsageError when one names no address, ValueError for an open quote."""
    commands: list[list[str]] = []
    behind: list[str] = []
    for part in _commands(text):
        words = part[1:] if part[0] in ("$", ">", "#") else part
        if words and words[0] in ("curl", "curl.exe"):
            commands.append(words[1:])
        elif words:
            behind.append(" ".join(words))
    spans = [_asked(words).span(str(number)) for number, words in enumerate(bounded(commands), 1)]
    return Trace("curl", spans, {"other commands": behind})


@dataclass
class _Request:
    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    form: list[str] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    json: bool = False

    def span(self, ident: str) -> Any:
        """The request as a span."""
        if not self.url:
            raise UsageError("the command line of curl names no address")
        url = self.url if "://" in self.url else f"http://{self.url}"
        asking = [*self.query, *(self.body if "get" in self.flags else ())]
        if asking:
            url += ("&" if "?" in url else "?") + "&".join(asking)
        body = None if "get" in self.flags or not self.body else ("" if self.json else "&").join(self.body)
        known = {name.lower() for name in self.headers}
        if body is not None and "content-type" not in known:
            self.headers["Content-Type"] = "application/json" if self.json else "application/x-www-form-urlencoded"
        method = self.method or (
            "HEAD" if "head" in self.flags else "GET" if body is None and not self.form else "POST"
        )
        flags = [flag for flag in self.flags if flag not in ("get", "head")]
        return exchange(
            ident, method, url, self.headers, parsed(body), None, None, form=self.form, rest={"options": flags}
        )  # fmt: skip


def _asked(words: Sequence[str]) -> _Request:
    """The request that a command line makes; of an option that changes nothing in it the name is kept."""
    made = _Request()
    position = iter(words)
    for word in position:
        if word.startswith("--") and len(word) > 2:
            name, has_value, value = word[2:].partition("=")
            if name in _LONG and not has_value:
                value = next(position, "")
            _option(made, name, value)
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                if letter in _SHORT:
                    _option(made, _NAMES.get(letter, f"-{letter}"), word[at:] or next(position, ""))
                    break
                _option(made, _NAMES.get(letter, f"-{letter}"), "")
        elif made.url:
            raise UsageError("the command line of curl names several addresses", hint="one command for each")
        else:
            made.url = word
    return made


def _option(made: _Request, name: str, value: str) -> None:
    if name == "request":
        made.method = value
    elif name == "header":
        key, _, text = value.partition(":")
        made.headers[key.strip()] = text.strip()
    elif name in _DATA:
        if value.startswith("@") and name != "data-raw":
            raise UsageError(f"the body is in the file {value[1:]}", hint="write it into the command: --data-raw '…'")
        made.body.append(_encoded(value) if name == "data-urlencode" else value)
        made.json = made.json or name == "json"
    elif name in ("form", "form-string"):
        made.form.append(value)
    elif name == "url":
        made.url = value
    elif name == "url-query":
        made.query.append(_encoded(value))
    elif name == "upload-file":
        raise UsageError(f"the body is in the file {value}", hint="write it into the command: --data-raw '…'")
    elif name == "user":
        made.headers["Authorization"] = "***"
    elif name == "cookie":
        made.headers["Cookie"] = "***"
    elif name == "oauth2-bearer":
        made.headers["Authorization"] = "***"
    elif name in ("user-agent", "referer"):
        made.headers[name.title()] = value
    else:
        made.flags.append(name)


def _encoded(value: str) -> str:
    """A value of `--data-urlencode`: `content`, `=content` or `name=content`."""
    name, equals, content = value.partition("=")
    if not equals:
        if "@" in value:
            raise UsageError(f"the body is in the file {value.partition('@')[2]}", hint="write it into the command")
        return quote_plus(value)
    return f"{name}={quote_plus(content)}" if name else quote_plus(content)


def _commands(text: str) -> Iterator[list[str]]:
    """The commands of a text by their words."""
    words: list[str] = []
    for word, quoted in _words(_of_windows(text) if re.search(r"\^\r?\n|\^\"", text) else text):
        if word in _ENDS and not quoted:
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def _of_windows(text: str) -> str:
    """What the shell of Windows makes of a caret: nothing at a line's end, else the character behind it."""
    return re.sub(r"\^(.)", r"\1", re.sub(r"\^\r?\n\s*", " ", text))


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Words, and whether a part of each was quoted. Raises ValueError for a quote that is not closed."""
    at, size = 0, len(text)
    word: list[str] = []
    there = quoted = False

    def ended() -> Iterator[tuple[str, bool]]:
        nonlocal there, quoted
        if there:
            yield "".join(word), quoted
            word.clear()
            there = quoted = False

    while at < size:
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in ("\n", "\r"):
            at += 3 if text[at + 1 : at + 3] == "\r\n" else 2
            continue
        if char == "\n" or (char in ";|&><" and not there):
            yield from ended()
            size_of = 2 if text[at : at + 2] in _ENDS else 1
            yield text[at : at + size_of], False
            at += size_of
            continue
        if char.isspace():
            yield from ended()
            at += 1
            continue
        there = True
        if char in "'\"" or (char == "$" and text[at + 1 : at + 2] == "'"):
            content, at = _quoted(text, at)
            word.append(content)
            quoted = True
        elif char == "\\":
            word.append(text[at + 1 : at + 2])
            at += 2
        else:
            word.append(char)
            at += 1
    yield from ended()


def _quoted(text: str, at: int) -> tuple[str, int]:
    """What stands in the quotes that begin at a place, and the place behind them."""
    coded = text[at] == "$"
    mark = "'" if coded else text[at]
    at += 2 if coded else 1
    found: list[str] = []
    while at < len(text):
        char = text[at]
        if char == mark:
            return "".join(found), at + 1
        if char == "\\" and coded:
            if code := _CODE.match(text, at + 1):
                found.append(_character(code))
                at = code.end()
            else:
                found.append(_ESCAPED.get(text[at + 1 : at + 2], text[at + 1 : at + 2]))
                at += 2
        elif char == "\\" and mark == '"' and text[at + 1 : at + 2] in ('"', "\\", "$", "`", "\n"):
            found.append(text[at + 1].strip("\n"))
            at += 2
        else:
            found.append(char)
            at += 1
    raise ValueError("a quote is not closed")


def _character(code: re.Match[str]) -> str:
    number = int(code[4], 8) if code[4] else int(code[1] or code[2] or code[3], 16)
    return chr(number) if number <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"
