"""Command lines of curl, as people type them and as browsers copy them, for any shell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from envclone.errors import UsageError
from envclone.incidents.traces.curloptions import CREDENTIALS, LETTERS, SHORT, full
from envclone.incidents.traces.http import exchange
from envclone.incidents.traces.shellwords import Unexpanded, commands
from envclone.incidents.traces.span import Span, Trace, bounded, parsed

__all__ = ["curl", "is_curl"]

_DATA = ("data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json")


_FIRST = re.compile(
    r"(?:[$>#]\s+)?(?:[A-Za-z_]\w{0,60}=\S{0,400}\s+){0,20}(?:(?:sudo|time|env|exec|command|nohup)\s+){0,5}"
    r"(?:[^\s'\"=]{0,200}/)?curl(?:\.exe)?\s"
)
_COMMENT = re.compile(r"#(?!\s+(?:\S*/)?curl\s)[^\n]*|set\s[^\n]*|[A-Za-z_]\w*=[^\s]*\s*")
_FED = re.compile(r"(?:echo|printf|cat)\s[^\n]{0,9000}?\|\s{0,9}(?:[^\s|]{0,200}/)?curl(?:\.exe)?\s|cat\s{0,9}<<", re.S)
_WRAPPERS = ("sudo", "time", "env", "exec", "command", "nohup", "$", ">", "#", "then", "do")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=.*", re.S)
_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"]?)([A-Za-z_]\w*)\1([^\n]*)\n(.*?)\n?^[ \t]*\2[ \t]*$", re.M | re.S)
_DOCUMENTS = 20
"""Texts behind commands that are looked for; each is looked for to the end."""
_STDIN = "\0stdin"
_SEVERAL = re.compile(r"\{[^{}]*,[^{}]*\}|\[\w+-\w+(?::\d+)?\]")
"""What curl itself makes several addresses of."""


def is_curl(text: str) -> bool:
    """Whether a text is a command line of curl, behind comments, settings of the shell and names of variables."""
    return _FIRST.match(_begun(text)[0]) is not None or _FED.match(_begun(text)[0]) is not None


def _begun(text: str) -> tuple[str, list[str]]:
    """A text from its first command on, and what stands before."""
    lines = text.split("\n")
    at = 0
    while at < min(len(lines), 50) and (not lines[at].strip() or _COMMENT.fullmatch(lines[at].strip())):
        at += 1
    return "\n".join(lines[at:]).lstrip(), [line for line in lines[:at] if line.strip()]


def curl(text: str) -> Trace:
    """The requests of some command lines. Raises UsageError when one names no address, ValueError for an open quote."""
    asked: list[list[str]] = []
    text, behind = _begun(text)
    fed: str | None = None
    whole = _DOCUMENT.sub(_as_word, text) if text.count("<<") <= _DOCUMENTS else text
    for piped, part in commands(whole):
        words = part
        while words and (words[0] in _WRAPPERS or _ASSIGNED.fullmatch(words[0])):
            words = words[1:]
        if words and words[0].rpartition("/")[2] in ("curl", "curl.exe"):
            words = [*words[1:], *((_STDIN, fed) if piped and fed is not None else ())]
            while words:
                at = next((i for i, word in enumerate(words) if word in ("--next", "-:")), len(words))
                asked.append(words[:at])
                words = words[at + 1 :]
        elif words:
            behind.append(" ".join(one for one in words if one != _STDIN))
        fed = _said(words)
    spans: list[Span] = []
    for words in bounded(asked):
        spans += _asked(words).spans(len(spans) + 1)
    return Trace("curl", spans, {"other commands": behind})


def _as_word(match: re.Match[str]) -> str:
    """A text that a command reads from the lines behind it, as a word of the command."""
    mark, _, rest, text = match.groups()
    if mark:  # in quotes: nothing of the text is the shell's
        word = "'" + text.replace("'", "'\\''") + "'"
    else:
        word = '"' + re.sub(r'(\\*)"', lambda one: one[1] * 2 + '\\"', text) + '"'
    return f" {_STDIN} {word}{rest}\n"


def _said(words: Sequence[str]) -> str | None:
    """What a command writes for the one that reads it: of `echo` its words, of `cat` what it was given."""
    if words and words[0] == "echo":
        return " ".join(word for word in words[1:] if word not in ("-n", "-e"))
    if words and words[0] in ("cat", "printf") and _STDIN in words[:-1]:
        return words[words.index(_STDIN) + 1]
    return None


@dataclass
class _Request:
    method: str = ""
    urls: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    form: list[str] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    json: bool = False
    stdin: str | None = None
    unexpanded: list[str] = field(default_factory=list)

    def spans(self, first: int) -> list[Span]:
        """The request as a span, one for each address."""
        if not self.urls:
            raise UsageError("the command line of curl names no address")
        if _STDIN in self.body and self.stdin is None:
            raise UsageError("the body is what the command reads", hint="write it into the command: --data-raw '…'")
        self.body = [self.stdin or "" if one == _STDIN else one for one in self.body]
        return [self._span(str(number), url) for number, url in enumerate(self.urls, first)]

    def _span(self, ident: str, url: str) -> Span:
        if "globoff" not in self.flags and _SEVERAL.search(url):
            self.unexpanded.append("url")
        url = url if "://" in url else f"http://{url}"
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
            ident, method, url, self.headers, parsed(body), None, None, form=self.form,
            rest={"options": flags, "unexpanded": self.unexpanded},
        )  # fmt: skip


def _asked(words: Sequence[str]) -> _Request:
    """The request that a command line makes; of an option that changes nothing in it the name and value are kept."""
    made = _Request()
    position = iter(words)
    for word in position:
        if word == "--%":  # PowerShell's: what is behind it is as it is
            continue
        if word == _STDIN:
            made.stdin = next(position, "")
            _note(made, "data", made.stdin)
        elif word.startswith("--") and len(word) > 2:
            name, has_value, value = word[2:].partition("=")
            known = full(name)
            if known is None:
                raise UsageError(
                    f"curl's option --{name} is not known here", hint="leave it out, if it changes nothing"
                )
            if known[1] and not has_value:
                value = next(position, "")
            _note(made, known[0], word if has_value else value)
            _option(made, known[0], value)
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                if letter in SHORT:
                    value = word[at:] or next(position, "")
                    _note(made, LETTERS.get(letter, letter), word if word[at:] else value)
                    _option(made, LETTERS.get(letter, f"-{letter}"), value)
                    break
                _option(made, LETTERS.get(letter, f"-{letter}"), "")
        else:
            _note(made, "url", word)
            made.urls.append(word)
    return made


def _note(made: _Request, name: str, word: str) -> None:
    """Note that the shell puts something into what is sent, which the command line does not tell."""
    if isinstance(word, Unexpanded) and (name in ("url", "url-query", "form") or name in _DATA):
        made.unexpanded.append(name)


def _option(made: _Request, name: str, value: str) -> None:
    if name.startswith("expand-"):
        made.unexpanded.append(name)
        name = name.removeprefix("expand-")
    if name == "request":
        made.method = value
    elif name == "header":
        _header(made, value)
    elif name in _DATA:
        content = value.partition("=")[2] if name == "data-urlencode" and "=" in value else value
        if content == "@-" or (content == "-" and value == "@-"):
            made.body.append(_STDIN)
        elif value.startswith("@") and name != "data-raw":
            raise UsageError(f"the body is in the file {value[1:]}", hint="write it into the command: --data-raw '…'")
        else:
            made.body.append(_encoded(value) if name == "data-urlencode" else value)
        made.json = made.json or name == "json"
    elif name in ("form", "form-string"):
        made.form.append(value)
    elif name == "url":
        made.urls.append(value)
    elif name == "url-query":
        made.query.append(_encoded(value))
    elif name == "upload-file":
        raise UsageError(f"the body is in the file {value}", hint="write it into the command: --data-raw '…'")
    elif name == "config":
        raise UsageError(f"options of the command are in the file {value}", hint="write them into the command")
    elif name in ("user", "oauth2-bearer"):
        made.headers["Authorization"] = "***"
    elif name == "cookie":
        made.headers["Cookie"] = "***"
    elif name in ("user-agent", "referer"):
        made.headers[name.title()] = value
    else:
        made.flags.append(f"{name} {value}" if value and name not in CREDENTIALS else name)


def _header(made: _Request, value: str) -> None:
    """A header; of one that is given twice both are sent."""
    if value.startswith("@"):
        made.flags.append(f"headers of the file {value[1:]}")
        return
    key, colon, text = value.partition(":")
    if not colon:
        key = key.removesuffix(";")
    key, text = key.strip(), text.strip()
    made.headers[key] = f"{made.headers[key]}, {text}" if made.headers.get(key) else text


def _encoded(value: str) -> str:
    """A value of `--data-urlencode`: `content`, `=content` or `name=content`."""
    name, equals, content = value.partition("=")
    if not equals:
        if "@" in value:
            raise UsageError(f"the body is in the file {value.partition('@')[2]}", hint="write it into the command")
        return quote_plus(value)
    return f"{name}={quote_plus(content)}" if name else quote_plus(content)
