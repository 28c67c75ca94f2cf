"""Frozen dataclasses to plain JSON values and back, by their own annotations and the standard library alone.

A branch's start reads and writes a few small records, and is over before a validation library has been imported. Only
the types that such records consist of are known here; `records` has the others read by pydantic.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from envclone.models.basic import Secret

__all__ = ["Unfit", "Unknown", "dump", "reader"]

Reader = Callable[[Any], Any]


class Unknown(Exception):
    """A type that is not known here."""


class Unfit(Exception):
    """A value that is not of its type: where in the record, and what it should be."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where

    def below(self, part: str) -> Unfit:
        """The same, seen from what holds it."""
        return Unfit(self.what, f"{part}.{self.where}" if self.where else part)


def dump(value: Any) -> Any:
    """A value as plain JSON values; a Secret is written out. Raises Unknown."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)  # an enumeration's member, too
    if isinstance(value, Mapping):
        return {str(key): dump(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [dump(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: dump(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, dt.datetime):
        text = value.isoformat()
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Secret):
        return value.reveal()
    raise Unknown(type(value).__name__)


@functools.cache
def reader(kind: Any) -> Reader:
    """What makes a value of this type from plain JSON values, raising Unfit. Raises Unknown."""
    if kind is Any:
        return lambda value: value
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum(kind)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType) and len(parts) == 2 and parts[1] is type(None):
        inner = reader(parts[0])
        return lambda value: None if value is None else inner(value)
    if origin is Mapping and parts[0] is str:
        return _mapping(reader(parts[1]))
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        return _tuple(reader(parts[0]))
    raise Unknown(str(kind))


def _dataclass(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = {one.name: reader(hints[one.name]) for one in dataclasses.fields(kind)}
    needed = [
        one.name
        for one in dataclasses.fields(kind)
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    ]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Unfit("must be a mapping")
        given = {}
        for name, of in readers.items():
            if name in value:
                try:
                    given[name] = of(value[name])
                except Unfit as exc:
                    raise exc.below(name) from None
        for name in needed:
            if name not in given:
                raise Unfit("is missing", name)
        return kind(**given)

    return read


def _enum(kind: type[StrEnum]) -> Reader:
    def read(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise Unfit(f"must be one of {', '.join(kind)}") from None

    return read


def _mapping(inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Unfit("must be a mapping")
        found = {}
        for key, item in value.items():
            try:
                found[key] = inner(item)
            except Unfit as exc:
                raise exc.below(str(key)) from None
        return found

    return read


def _tuple(inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise Unfit("must be a list")
        found = []
        for index, item in enumerate(value):
            try:
                found.append(inner(item))
            except Unfit as exc:
                raise exc.below(str(index)) from None
        return tuple(found)

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("must be a text")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("must be a whole number")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit("must be a number")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit("must be true or false")
    return value


def _moment(value: Any) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(_text(value))
    except ValueError:
        raise Unfit("must be a date and time") from None


_SIMPLE: dict[Any, Reader] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
    dt.datetime: _moment,
    Path: lambda value: Path(_text(value)),
    Secret: lambda value: Secret(_text(value)),
}
