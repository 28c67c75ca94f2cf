"""YAML as the stack file uses it: plain data with the line of every key, duplicate keys refused, sizes bounded.

The subset of YAML 1.1 that `yaml.safe_load` reads, with differences that have each hurt somebody: mapping keys are
the text as written (`no`, `on` and `5432` too), dates and base-60 numbers such as `22:22` stay text, and the
values below `settings` and `environment` are text (`jit: off` is `off`). The nodes are built from parse events and
not by PyYAML's composer, which overflows the C stack on deep nesting and expands aliases without a bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from envclone.config.problems import Finding, Keys, quoted

__all__ = ["LIMIT", "Document", "Line", "SyntaxProblem", "merge", "parse"]

LIMIT = 1 << 20
"""The largest file that is read, in bytes."""

_DEPTH = 64
_BUDGET = 4 << 20
"""What a document may come to once its aliases are expanded: 16 for each value, and its length in characters."""

_PREFIX = "tag:yaml.org,2002:"
_MERGE = f"{_PREFIX}merge"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Line = tuple[Path, int]
"""A file, and a line in it from 1."""


class SyntaxProblem(Exception):
    """The text is not YAML; `line` and `column` count from 1, and 0 is unknown."""

    def __init__(self, what: str, line: int = 0, column: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.column = column


@dataclass(slots=True)
class Document:
    """Plain data, the line of each key path, and the findings that did not stop the reading."""

    path: Path
    data: Any = None
    lines: dict[Keys, Line] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _Scalar:
    line: int
    value: str
    tag: str


@dataclass(slots=True)
class _List:
    line: int
    items: list[Any] = field(default_factory=list)
    tag: str | None = None


@dataclass(slots=True)
class _Map:
    line: int
    pairs: list[tuple[Any, Any]] = field(default_factory=list)
    tag: str | None = None


def parse(text: str, path: Path) -> Document:
    """Read the text of a file. Raises SyntaxProblem; whatever can be read past is among the findings."""
    document = Document(path)
    try:
        root = _compose(text)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise SyntaxProblem(_explain(exc, text, line, column), line, column) from None
    except yaml.reader.ReaderError as exc:
        before = text[: exc.position] if isinstance(exc.position, int) else ""
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise SyntaxProblem("a character that YAML does not allow; remove it, or escape it", line, column) from None
    except (ValueError, UnicodeError, AttributeError) as exc:
        # libyaml's binding fails so on directives and escapes that it has no error for
        raise SyntaxProblem(f"cannot be read as YAML ({type(exc).__name__})") from None
    if root is not None:
        document.data = _Builder(document).build(root, ())
    return document


def _compose(text: str) -> Any:
    """The tree of nodes; an alias is the same node again."""
    loader = _Loader(text)
    try:
        anchors: dict[str, Any] = {}
        stack: list[Any] = []
        root: Any = None
        documents = 0
        keys: list[list[Any]] = []
        while loader.check_event():
            event = loader.get_event()
            mark = event.start_mark
            line = mark.line + 1
            node: Any
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise SyntaxProblem("a second document begins; a stack file is one", line, 1)
                continue
            if isinstance(event, yaml.ScalarEvent):
                tag = event.tag
                if tag is None or tag == "!":
                    tag = loader.resolve(yaml.ScalarNode, event.value, event.implicit)
                node = _Scalar(line, event.value, tag)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in anchors:
                    column = mark.column + 1
                    raise SyntaxProblem("an alias (*) names an anchor (&) that is not there", line, column)
                node = anchors[event.anchor]
            elif isinstance(event, yaml.MappingStartEvent):
                node = _Map(line, tag=event.tag)
            elif isinstance(event, yaml.SequenceStartEvent):
                node = _List(line, tag=event.tag)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                stack.pop()
                keys.pop()
                continue
            else:
                continue
            if not isinstance(event, yaml.AliasEvent) and event.anchor:
                anchors[event.anchor] = node
            if not stack:
                root = node
            elif isinstance(stack[-1], _List):
                stack[-1].items.append(node)
            elif keys[-1]:
                stack[-1].pairs.append((keys[-1].pop(), node))
            else:
                keys[-1].append(node)
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(stack) >= _DEPTH:
                    raise SyntaxProblem(f"nested deeper than {_DEPTH} levels", line, mark.column + 1)
                stack.append(node)
                keys.append([])
        return root
    finally:
        loader.dispose()


class _Builder:
    """Turns nodes into plain data and writes down lines and findings."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._spent = 0
        self._open: list[Any] = []

    def build(self, node: Any, keys: Keys) -> Any:
        self._spend(node)
        self._document.lines.setdefault(keys, (self._document.path, node.line))
        if isinstance(node, _Scalar):
            return self._scalar(node, keys)
        if any(outer is node for outer in self._open):
            self._finding(keys, "an alias (*) contains itself")
            return None
        if node.tag not in (None, "!", f"{_PREFIX}map", f"{_PREFIX}seq"):
            self._finding(keys, f"the tag {quoted(node.tag)} is not known here")
            return None
        self._open.append(node)
        if len(self._open) > _DEPTH:
            raise SyntaxProblem(f"nested deeper than {_DEPTH} levels through aliases (*)", node.line, 1)
        try:
            if isinstance(node, _List):
                return [self.build(item, (*keys, index)) for index, item in enumerate(node.items)]
            return self._mapping(node, keys)
        finally:
            self._open.pop()

    def _mapping(self, node: _Map, keys: Keys) -> dict[str, Any]:
        chosen: dict[str, tuple[int, Any]] = {}
        merged: list[Any] = []
        for key_node, value_node in node.pairs:
            if not isinstance(key_node, _Scalar):
                self._finding(keys, f"line {key_node.line}: a key must be plain text, not a list or a mapping")
            elif key_node.tag == _MERGE:
                merged.append(value_node)
            elif key_node.value in chosen:
                first = chosen[key_node.value][0]
                self._document.lines.setdefault((*keys, key_node.value), (self._document.path, first))
                self._finding((*keys, key_node.value), f"is given twice, on lines {first} and {key_node.line}")
            else:
                chosen[key_node.value] = (key_node.line, value_node)
        for value_node in merged:
            for key, line, value in self._merged(value_node, keys, 0):
                chosen.setdefault(key, (line, value))
        data: dict[str, Any] = {}
        for key, (line, value) in chosen.items():
            self._document.lines[(*keys, key)] = (self._document.path, line)
            self._spent += len(key)
            data[key] = self.build(value, (*keys, key))
        return data

    def _merged(self, node: Any, keys: Keys, depth: int) -> Iterator[tuple[str, int, Any]]:
        """The entries that `<<` brings in, the ones that win first; duplicates are reported where they stand."""
        if depth > _DEPTH:
            raise SyntaxProblem("<< contains itself", node.line, 1)
        for source in node.items if isinstance(node, _List) else [node]:
            self._spend(source)
            if not isinstance(source, _Map):
                self._finding(keys, "<< must name a mapping, or a list of mappings")
                continue
            further = []
            for key_node, value_node in source.pairs:
                self._spend(key_node)
                if not isinstance(key_node, _Scalar):
                    continue
                if key_node.tag == _MERGE:
                    further.append(value_node)
                else:
                    yield key_node.value, key_node.line, value_node
            for value_node in further:
                yield from self._merged(value_node, keys, depth + 1)

    def _scalar(self, node: _Scalar, keys: Keys) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if kind in ("str", "timestamp", "value", "merge"):
            return node.value
        if kind == "null":
            if not node.value and _is_rule(keys):
                self._finding(keys, "has no rule; write what becomes of it, such as keep, text, or null to empty it")
            return None
        if kind in ("bool", "int", "float"):
            return node.value if _is_text(keys) else self._number(kind, node, keys)
        self._finding(keys, f"the tag {quoted(node.tag)} is not known here")
        return None

    def _number(self, kind: str, node: _Scalar, keys: Keys) -> Any:
        text = node.value.replace("_", "").lower()
        if ":" in text or len(text) > 300:
            return node.value
        try:
            if kind == "bool":
                return {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}[text]
            if kind == "int":
                return _integer(text)
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        except (ValueError, KeyError):
            self._finding(keys, f"is no {kind}")
            return None

    def _finding(self, keys: Keys, what: str) -> None:
        self._document.findings.append((keys, what))

    def _spend(self, node: Any) -> None:
        self._spent += 16 + (len(node.value) if isinstance(node, _Scalar) else 0)
        if self._spent > _BUDGET:
            raise SyntaxProblem("its aliases (*) make it far too large", node.line, 1)


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if re.fullmatch("0[0-7]+", digits):
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _is_rule(keys: Keys) -> bool:
    """Whether a field's rule stands there, or that of a path in it: nothing is not the mask `null`."""
    return keys[:2] == ("sanitize", "rules") and len(keys) in (4, 5)


def _is_text(keys: Keys) -> bool:
    """Whether the value there is text whatever it looks like: a store's setting, a service's variable."""
    return (
        len(keys) == 6
        and keys[0] == "environments"
        and (keys[2], keys[4]) in (("stores", "settings"), ("services", "environment"))
    )


def _explain(exc: yaml.MarkedYAMLError, text: str, line: int, column: int) -> str:
    """PyYAML's complaint in one line of plain words; it never quotes more of the text than a character."""
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or here[column - 1 : column] == "\t":
        return "a tab; YAML is indented with spaces only"
    what = " ".join(str(exc.problem or "cannot be read as YAML").split())
    context = " ".join(str(exc.context or "").split())
    if "cannot start any token" in what and here[column - 1 : column]:
        return f"{quoted(here[column - 1])} cannot begin a value; put the value in quotes"
    if "mapping values are not allowed" in what:
        return "a ':' where none can be; put the value in quotes, or check the indentation"
    since = f" begun on line {exc.context_mark.line + 1}" if exc.context_mark else ""
    return f"{what} ({context}{since})" if context else what


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings, the second winning; mappings inside are merged, anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
