"""Statements as drivers and traces write them (`$1`, `?`, `:name`, `@name`), with the placeholders of psycopg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from envclone.errors import UsageError
from envclone.incidents.sql import Kind, Token, tokens

__all__ = ["REMEDY", "standard"]

Parameters = Sequence[Any] | Mapping[str, Any] | None
_GAPS = (Kind.SPACE, Kind.COMMENT)
REMEDY = "write %s, $1 or ? for a list of parameters, %(name)s, :name or @name for a mapping"
"""What a placeholder looks like."""


def standard(step: str, sql: str, parameters: Parameters) -> tuple[str, Parameters]:
    """The statement with `%s` or `%(name)s`, and its parameters; what is written so already is returned as it is.

    `$n` may stand several times and in any order. `?` is an operator of jsonb, too: it is taken for a placeholder where
    that makes as many as there are parameters, and `??`, `??|`, `??&` are the operators as JDBC writes them.
    Raises UsageError, naming the step, when parameters have no place in the statement, or places no parameter.
    """
    pieces = list(tokens(sql, placeholders=False))
    numbers = {i: int(piece.text[1:]) for i, piece in enumerate(pieces) if piece.kind is Kind.PLACEHOLDER}
    percents = _percents(list(tokens(sql)))
    if not parameters or (isinstance(parameters, Mapping) and not percents):
        known = parameters if isinstance(parameters, Mapping) else {}
        if (nameless := _nameless(pieces, known)) is not None:
            raise _wrong(step, f"it names :{nameless}, and there is no such parameter")
    if not parameters:
        if any(map(_is_open, _questions(pieces))):
            raise _wrong(step, "it has the placeholder ?, and there are no parameters")
        if numbers:
            raise _wrong(step, f"it names ${max(numbers.values())}, and there are no parameters")
        if any(sure for _, sure in percents):
            raise _wrong(step, f"it has the placeholder {percents[0][0]}, and there are no parameters")
        return sql, parameters
    if percents:
        if numbers:
            raise _wrong(step, f"it mixes {percents[0][0]} and ${max(numbers.values())}")
        named_ones = isinstance(parameters, Mapping) and percents[0][0].startswith("%(")
        if named_ones and (lost := [name for name in parameters if f"%({name})" not in sql]):
            raise _wrong(step, f"the parameter '{lost[0]}' has no place in the statement")
        names = {_NAMED.sub(r"\1", text) for text, _ in percents}
        if named_ones and (lost := sorted(name for name in names if name not in parameters)):
            raise _wrong(step, f"it names %({lost[0]})s, and there is no such parameter")
        return sql, parameters
    if isinstance(parameters, Mapping):
        found = _named(pieces, parameters)
        if unused := [name for name in parameters if name not in found.values()]:
            raise _wrong(step, f"the parameter '{unused[0]}' has no place in the statement")
        return _written(pieces, {index: f"%({name})s" for index, name in found.items()}), parameters
    if numbers:
        count = len(parameters)
        if wrong := sorted(number for number in numbers.values() if not 0 < number <= count):
            raise _wrong(step, f"it names ${wrong[-1]}, and there {_are(count, 'parameter')}")
        if unused_ones := sorted(set(range(1, count + 1)) - set(numbers.values())):
            raise _wrong(step, f"there {_are(count, 'parameter')}, and it does not use ${unused_ones[0]}")
        named = {str(number): value for number, value in enumerate(parameters, 1)}
        return _written(pieces, {index: f"%({number})s" for index, number in numbers.items()}), named
    marks = _marked(pieces, len(parameters))
    if len(marks) != len(parameters):
        are = _are(len(parameters), "parameter")
        more = "; the operator ? of jsonb is written ?? beside them" if len(marks) > len(parameters) else ""
        what = "placeholder" if len(marks) == 1 else "placeholders"
        raise _wrong(step, f"the statement has {len(marks)} {what}, and there {are}{more}")
    places = {
        index: pieces[index].text[:-1].replace("%", "%%") + " " * (len(pieces[index].text) > 1) + "%s"
        for index in marks
    }
    operators = {i: piece.text[1:] for i, piece in enumerate(pieces) if piece.text in ("??", "??|", "??&")}
    return _written(pieces, operators | places), parameters


def _percents(pieces: Sequence[Token]) -> list[tuple[str, bool]]:
    """The placeholders of psycopg, and whether each is surely one: `a %size` and `a %s` can be the operator `%`."""
    found = []
    before: Token | None = None
    for piece, after in pairwise([*pieces, Token(Kind.SPACE, "")]):
        if piece.kind is Kind.PLACEHOLDER and piece.text.startswith("%") and after.kind is not Kind.WORD:
            operand = before is not None and before.kind not in (Kind.OPERATOR, Kind.PUNCTUATION)
            found.append((piece.text, not operand or piece.text.startswith("%(")))
        if piece.kind not in (Kind.SPACE, Kind.COMMENT):
            before = piece
    return found


_NAMED = re.compile(r"%\((.*)\)[sbt]", re.DOTALL)


def _nameless(pieces: Sequence[Token], names: Mapping[str, Any]) -> str | None:
    """A word behind a colon that is no parameter, where nothing but a parameter can stand."""
    mark: Token | None = None
    before: Token | None = None  # the mark, but for space and comments
    for word in pieces:
        if mark is not None and mark.kind is Kind.PUNCTUATION and mark.text == ":" and word.kind is Kind.WORD:
            inside = before is not None and before.text == "["  # `tags[:n]`, up to a column
            if word.text not in names and not inside and not _is_slice(before, mark):
                return word.text
        if mark is not None and mark.kind not in _GAPS:
            before = mark
        mark = word
    return None


def _questions(pieces: Sequence[Token]) -> Iterator[tuple[Token, Token | None]]:
    """Each question mark that could be a placeholder, and what stands behind it."""
    solid = [one for one in pieces if one.kind not in _GAPS]
    for piece, behind in pairwise([*solid, None]):
        could = piece is not None and piece.kind is Kind.OPERATOR and piece.text.endswith("?")
        if piece is not None and could and piece.text not in ("@?", "??"):
            yield piece, behind


def _is_open(one: tuple[Token, Token | None]) -> bool:
    """Whether nothing that an operator could work on stands behind a question mark."""
    behind = one[1]
    return behind is None or (behind.kind is Kind.PUNCTUATION and behind.text in (")", ",", ";", "]"))


def _marked(pieces: Sequence[Token], count: int) -> list[int]:
    """The indexes of `?` that are placeholders: all, or when they are too many those that are no operator."""
    found = [
        index
        for index, piece in enumerate(pieces)
        if piece.kind is Kind.OPERATOR and piece.text.endswith("?") and piece.text not in ("@?", "??")
    ]
    if len(found) <= count:
        return found
    # a placeholder has no operand behind it: `data ? 'key'` and the first of `data ? ?` are the operator
    operands = (Kind.STRING, Kind.DOLLAR, Kind.NUMBER, Kind.QUOTED)
    kept = []
    for index in found:
        behind = next((i for i in range(index + 1, len(pieces)) if pieces[i].kind not in _GAPS), None)
        if pieces[index].text != "?" or behind is None or not (pieces[behind].kind in operands or behind in found):
            kept.append(index)
    return kept


def _named(pieces: Sequence[Token], names: Mapping[str, Any]) -> dict[int, str]:
    """By the index of a word the parameter that it names: the word behind a colon or an at sign."""
    found = {}
    for index, (mark, word) in enumerate(pairwise(pieces), 1):
        before = pieces[index - 2] if index > 1 else None
        if word.kind is Kind.WORD and word.text in names and _marks(mark) and not _is_slice(before, mark):
            found[index] = word.text
    return found


def _is_slice(before: Token | None, mark: Token) -> bool:
    """Whether a colon stands right behind an operand, as in `tags[1:n]`, and means elements from there."""
    operand = before is not None and (
        before.kind in (Kind.WORD, Kind.NUMBER, Kind.QUOTED, Kind.PLACEHOLDER) or before.text in ("]", ")")
    )
    return mark.text == ":" and operand


def _marks(mark: Token) -> bool:
    return (mark.kind is Kind.PUNCTUATION and mark.text == ":") or (
        mark.kind is Kind.OPERATOR and mark.text.endswith("@") and mark.text in ("@", "=@", "<@", ">@")
    )


def _written(pieces: Sequence[Token], places: Mapping[int, str]) -> str:
    """The statement with its placeholders, and with every other percent sign doubled."""
    texts = [places.get(index) or piece.text.replace("%", "%%") for index, piece in enumerate(pieces)]
    for index, place in places.items():
        if place.startswith("%(") and pieces[index].kind is Kind.WORD:
            texts[index - 1] = texts[index - 1][:-1]  # the mark before the name
    return "".join(texts)


def _are(count: int, what: str) -> str:
    return f"is 1 {what}" if count == 1 else f"are {count} {what}s"


def _wrong(step: str, what: str) -> UsageError:
    return UsageError(f"the step '{step}' cannot be sent: {what}", hint=REMEDY)
