"""Statements as drivers and traces write them (`$1`, `?`, `:name`, `@name`), with the placeholders of psycopg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from envclone.errors import UsageError
from envclone.incidents.sql import Kind, Token, tokens

__all__ = ["standard"]

Parameters = Sequence[Any] | Mapping[str, Any] | None
_REMEDY = "write %s, $1 or ? for a list of parameters, %(name)s, :name or @name for a mapping"


def standard(step: str, sql: str, parameters: Parameters) -> tuple[str, Parameters]:
    """The statement with `%s` or `%(name)s`, and its parameters; what is written so already is returned as it is.

    `$n` may stand several times and in any order. `?` counts as a placeholder when there are as many as parameters: it
    is an operator of jsonb, too. Raises UsageError, naming the step, when parameters have no place in the statement.
    """
    if parameters is None or not parameters:
        return sql, parameters
    pieces = list(tokens(sql))
    if any(piece.kind is Kind.PLACEHOLDER and piece.text.startswith("%") for piece in pieces):
        return sql, parameters
    pieces = list(tokens(sql, placeholders=False))
    if isinstance(parameters, Mapping):
        found = _named(pieces, parameters)
        if unused := [name for name in parameters if name not in found.values()]:
            raise _wrong(step, f"the parameter '{unused[0]}' has no place in the statement")
        return _written(pieces, {index: f"%({name})s" for index, name in found.items()}), parameters
    numbers = {i: int(piece.text[1:]) for i, piece in enumerate(pieces) if piece.kind is Kind.PLACEHOLDER}
    if numbers:
        if sorted(set(numbers.values())) != list(range(1, len(parameters) + 1)):
            raise _wrong(step, f"it names ${max(numbers.values())}, and there are {len(parameters)} parameters")
        named = {str(number): value for number, value in enumerate(parameters, 1)}
        return _written(pieces, {index: f"%({number})s" for index, number in numbers.items()}), named
    marks = {
        index: piece.text[:-1].replace("%", "%%") + " " * (len(piece.text) > 1) + "%s"
        for index, piece in enumerate(pieces)
        if piece.kind is Kind.OPERATOR and piece.text.endswith("?") and piece.text != "@?"
    }
    if len(marks) != len(parameters):
        raise _wrong(step, f"the statement has {len(marks)} placeholders, and there are {len(parameters)} parameters")
    return _written(pieces, marks), parameters


def _named(pieces: Sequence[Token], names: Mapping[str, Any]) -> dict[int, str]:
    """By the index of a word the parameter that it names: the word behind a colon or an at sign."""
    found = {}
    for index, (mark, word) in enumerate(pairwise(pieces), 1):
        if word.kind is Kind.WORD and word.text in names and _marks(mark):
            found[index] = word.text
    return found


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


def _wrong(step: str, what: str) -> UsageError:
    return UsageError(f"the step '{step}' cannot be sent: {what}", hint=_REMEDY)
