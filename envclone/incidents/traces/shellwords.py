"""Command lines by their words, as a shell reads them: of Unix, and what a browser copies for that of Windows."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Unexpanded", "commands"]

_ENDS = ("\n", ";", "|", "||", "&", "&&")
_REDIRECTS = (">", ">>", "<")
_EXPANDS = re.compile(r"(?<!\\)(?:\$[A-Za-z_{(]|`)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "0": "\0"}
_CODE = re.compile(r"x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})")


class Unexpanded(str):
    """A word in which the shell puts something that the text does not tell."""

    __slots__ = ()


def commands(text: str) -> Iterator[tuple[bool, list[str]]]:
    """The commands of a text by their words, and whether each reads what the one before it writes."""
    words: list[str] = []
    piped = to_file = False
    for word, quoted in _words(_of_windows(text) if re.search(r"\^\r?\n|\^\"", text) else text):
        if word in _REDIRECTS and not quoted:
            to_file = True
        elif word in _ENDS and not quoted:
            if words:
                yield piped, words
                piped = word == "|"
            words, to_file = [], False
        elif to_file:
            to_file = False  # the name of the file, which is no word of the command
        else:
            words.append(word)
    if words:
        yield piped, words


def _of_windows(text: str) -> str:
    """What the shell of Windows makes of a caret: nothing at a line's end, else the character behind it."""
    return re.sub(r"\^(.)", r"\1", re.sub(r"\^\r?\n\s*", " ", text))


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Words, and whether a part of each was quoted. Raises ValueError for a quote that is not closed."""
    at, size = 0, len(text)
    word: list[str] = []
    there = quoted = expands = False

    def ended() -> Iterator[tuple[str, bool]]:
        nonlocal there, quoted, expands
        if there:
            whole = "".join(word)
            yield (Unexpanded(whole) if expands else whole), quoted
            word.clear()
            there = quoted = expands = False

    while at < size:
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in ("\n", "\r"):
            at += 3 if text[at + 1 : at + 3] == "\r\n" else 2
            continue
        if char in "<>" and there and len(word) < 3 and "".join(word).isdigit() and not quoted:
            word.clear()  # the number of what is redirected
            there = False
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
            began = at
            content, at = _quoted(text, at)
            expands = expands or (char == '"' and _EXPANDS.search(text, began, at) is not None)
            word.append(content)
            quoted = True
        elif char == "\\":
            word.append(text[at + 1 : at + 2])
            at += 2
        else:
            expands = expands or _EXPANDS.match(text, at) is not None
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
