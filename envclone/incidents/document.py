"""YAML as a bundle uses it: JSON's values, written for people; what is recorded comes back exactly.

Plain scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), so `off`, `2024-05-01`,
`12:30` and `0123` are text and `1e-05` is a number, where PyYAML's YAML 1.1 reads them otherwise. Keys are text.
The values are built from parse events and not by PyYAML's composer, which overflows the C stack on deep nesting.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

__all__ = ["DEPTH", "VALUES", "Keys", "Malformed", "dump", "parse"]

Keys = tuple[str | int, ...]
"""The way to a place in the document: mapping keys and list indexes, from the root."""

VALUES = 6_000_000
"""The most values that are read: each takes far more memory than bytes in the file."""

DEPTH = 64
"""The deepest nesting that is read."""

ALIASES = 100
"""The most aliases (`*name`) that are read; none may stand inside what another one repeats."""

REPEATED = 4 << 20
"""The most that all aliases together may repeat, in characters; a value counts as many as a short text."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(
    r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_STR = "tag:yaml.org,2002:str"


class Malformed(Exception):
    """The text is not of this form; `line` counts from 1, and 0 is unknown."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


def parse(text: str, lines: dict[Keys, int] | None = None) -> Any:
    """The document's values; with `lines`, also the line of every key and list item. Raises Malformed."""
    try:
        loader = _Loader(text)
        try:
            return _Reader(loader, lines).document()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        what = str(exc.problem or exc.context or "cannot be read as YAML")
        raise Malformed(" ".join(what.split()), mark.line + 1 if mark else 0) from None
    except yaml.reader.ReaderError as exc:
        before = text[: exc.position] if isinstance(exc.position, int) else ""
        raise Malformed("a character that YAML does not allow", before.count("\n") + 1) from None


class _Reader:
    def __init__(self, loader: Any, lines: dict[Keys, int] | None) -> None:
        self._loader = loader
        self._lines = lines
        self._anchors: dict[str, Any] = {}
        self._anchored = 0
        self._aliases = 0
        self._values = 0
        self._size = 0
        self._sizes: dict[str, int] = {}
        self._repeated = 0

    def document(self) -> Any:
        self._loader.get_event()  # the stream's start
        if isinstance(self._loader.peek_event(), yaml.StreamEndEvent):
            return None
        self._loader.get_event()  # the document's start
        value = self._value((), 0)
        self._loader.get_event()  # the document's end
        event = self._loader.get_event()
        if not isinstance(event, yaml.StreamEndEvent):
            raise Malformed("a second document begins; a bundle is one", event.start_mark.line + 1)
        return value

    def _value(self, keys: Keys, depth: int) -> Any:
        event = self._loader.get_event()
        line = event.start_mark.line + 1
        before = self._size
        self._size += 8
        self._values += 1
        if self._values > VALUES:
            raise Malformed(f"more than {VALUES:,} values", line)
        if self._lines is not None:
            self._lines.setdefault(keys, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, line)
            self._size += len(event.value)
        else:
            if depth >= DEPTH:
                raise Malformed(f"nested deeper than {DEPTH} levels", line)
            if event.tag not in (None, "!"):
                raise Malformed(f"the tag {event.tag} is not known here", line)
            self._anchored += bool(event.anchor)
            is_list = isinstance(event, yaml.SequenceStartEvent)
            value = self._list(keys, depth) if is_list else self._mapping(keys, depth)
            self._anchored -= bool(event.anchor)
        if event.anchor:
            self._anchors[event.anchor] = value
            self._sizes[event.anchor] = self._size - before
        return value

    def _alias(self, name: str, line: int) -> Any:
        if name not in self._anchors:
            raise Malformed(f"*{name} repeats nothing that was named before", line)
        self._aliases += 1
        if self._anchored or self._aliases > ALIASES:
            raise Malformed("an alias inside of what another one repeats, or too many of them", line)
        self._repeated += self._sizes[name]
        if self._repeated > REPEATED:
            raise Malformed(f"aliases repeat more than {REPEATED >> 20} MB", line)
        return self._anchors[name]

    def _list(self, keys: Keys, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(self._loader.peek_event(), yaml.SequenceEndEvent):
            items.append(self._value((*keys, len(items)), depth + 1))
        self._loader.get_event()
        return items

    def _mapping(self, keys: Keys, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while not isinstance(event := self._loader.get_event(), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise Malformed("a key must be plain text, not a list, a mapping or an alias", line)
            key = event.value
            if key in data:
                raise Malformed(f"the key '{key}' is given twice", line)
            if self._lines is not None:
                self._lines[(*keys, key)] = line
            data[key] = self._value((*keys, key), depth + 1)
        return data


def _scalar(event: Any, line: int) -> Any:
    text: str = event.value
    if event.tag not in (None, "!", _STR):
        raise Malformed(f"the tag {event.tag} is not known here", line)
    if event.tag is not None or event.style not in (None, ""):
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Writer(_Dumper):  # type: ignore[misc]
    """Lists of plain values on one line, longer texts as blocks, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_list(writer: Any, data: Any) -> Any:
    flat = all(not isinstance(v, dict | list | tuple) and not (isinstance(v, str) and "\n" in v) for v in data)
    return writer.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flat)


def _write_text(writer: Any, data: str) -> Any:
    return writer.represent_scalar(_STR, data, style="|" if "\n" in data else None)


_Writer.add_representer(list, _write_list)
_Writer.add_representer(tuple, _write_list)
_Writer.add_representer(str, _write_text)
# what YAML 1.2 takes for a number and YAML 1.1 does not must be quoted when it is text
_Writer.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


def dump(data: Any) -> str:
    """The values as YAML, in the order given, floats as the shortest text that gives them back exactly."""
    text: str = yaml.dump(
        data, Dumper=_Writer, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1 << 30
    )
    return text
