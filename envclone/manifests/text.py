"""Objects as YAML that people read: in the order that they are written in, with comments, the same bytes each time.

One tree of objects gives two texts: plain YAML, where a setting is its value, and a chart's template, where it is the
expression that Helm puts the value in for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["File", "Join", "Of", "Why", "chart", "plain", "reference", "resolved"]

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
"""What YAML 1.1 does not read as text."""
_FLOATS = re.compile(r"[eE]?[0-9.]+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Why:
    """A value with the comment that stands above it."""

    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Of:
    """The value of a setting, by its keys; `include` names the chart's own function that checks it first."""

    path: tuple[str, ...]
    include: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """A text with the values of settings in it."""

    parts: tuple[str | Of, ...]


@dataclass(frozen=True, slots=True)
class File:
    """The text of a file that lies in the chart under `files/`."""

    name: str
    text: str


def reference(path: Sequence[str]) -> str:
    """How a template names a setting."""
    if all(_IDENTIFIER.fullmatch(key) for key in path):
        return ".Values." + ".".join(path)
    return f"(index .Values {' '.join(json.dumps(key) for key in path)})"


def resolved(node: Any, settings: Mapping[str, Any]) -> Any:
    """The object as it is in the cluster: no comments, each setting its value."""
    if isinstance(node, Why):
        return resolved(node.value, settings)
    if isinstance(node, Of):
        value: Any = settings
        for key in node.path:
            value = value[key]
        return value
    if isinstance(node, Join):
        return "".join(str(resolved(part, settings)) for part in node.parts)
    if isinstance(node, File):
        return node.text
    if isinstance(node, Mapping):
        found = {key: resolved(value, settings) for key, value in node.items()}
        unset = [key for key, value in node.items() if isinstance(value, Of) and found[key] is None]
        return {key: value for key, value in found.items() if key not in unset}
    if isinstance(node, list | tuple):
        return [resolved(value, settings) for value in node]
    return node


def plain(node: Any, settings: Mapping[str, Any]) -> str:
    """A document with its settings' values."""
    return "".join(f"{line}\n" for line in _block(node, "", settings))


def chart(node: Any) -> str:
    """The same document as a template."""
    return "".join(f"{line}\n" for line in _block(node, "", None))


def _block(node: Any, indent: str, settings: Mapping[str, Any] | None) -> Iterator[str]:
    """The lines of a mapping or a sequence that is not empty; of anything else the one line."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if isinstance(value, Of) and settings is not None and resolved(value, settings) is None:
                continue  # what is not set is not said
            yield from _entry(f"{indent}{_scalar(str(key), settings)}:", indent + "  ", value, indent, settings)
    else:
        for value in node:
            yield from _item(value, indent, settings)


def _item(value: Any, indent: str, settings: Mapping[str, Any] | None) -> Iterator[str]:
    while isinstance(value, Why):
        yield from _comment(value.why, indent, settings)
        value = value.value
    value = _settled(value, settings)
    if isinstance(value, Mapping) and value and not isinstance(next(iter(value.values())), Why):
        lines = list(_block(value, indent + "  ", settings))
        yield f"{indent}- {lines[0].lstrip(' ')}"
        yield from lines[1:]
    else:
        yield from _entry(f"{indent}-", indent + "  ", value, indent, settings)


def _entry(head: str, indent: str, value: Any, level: str, settings: Mapping[str, Any] | None) -> Iterator[str]:
    """A key or a dash with its value."""
    while isinstance(value, Why):
        yield from _comment(value.why, level, settings)
        value = value.value
    value = _settled(value, settings)
    if isinstance(value, Mapping | list | tuple) and value:
        yield head
        yield from _block(value, indent, settings)
    elif isinstance(value, str) and (lines := _lines(value)) is not None and not (settings is None and "{{" in value):
        yield f"{head} {'|' if value.endswith(chr(10)) else '|-'}"
        yield from (f"{indent}{line}" if line else "" for line in lines)
    else:
        yield f"{head} {_scalar(value, settings)}"


def _settled(value: Any, settings: Mapping[str, Any] | None) -> Any:
    return value if settings is None else resolved(value, settings) if isinstance(value, Of | Join | File) else value


def _comment(why: str, indent: str, settings: Mapping[str, Any] | None) -> Iterator[str]:
    for line in why.splitlines():
        yield f"{indent}# {line}" if settings is not None else f"{indent}# {line.replace('{{', '{ {')}"


def _lines(text: str) -> list[str] | None:
    """The lines of a text that can stand as a block; None for one that cannot."""
    if "\n" not in text or not _printable(text.replace("\n", "")) or text.startswith((" ", "\n")):
        return None
    lines = text.removesuffix("\n").split("\n")
    return None if any(line.isspace() for line in lines) or not lines[-1] else lines


def _printable(text: str) -> bool:
    return all(" " <= one <= "~" or ("\u00a0" <= one <= "\ud7ff" and one not in "\u2028\u2029") for one in text)


def _scalar(value: Any, settings: Mapping[str, Any] | None) -> str:
    if isinstance(value, Of):
        return f"{{{{ include {json.dumps(value.include)} . }}}}" if value.include else _json_of(reference(value.path))
    if isinstance(value, Join):
        form = "".join("%s" if isinstance(part, Of) else part.replace("%", "%%") for part in value.parts)
        given = " ".join(reference(part.path) for part in value.parts if isinstance(part, Of))
        return _json_of(f"(printf {json.dumps(form)} {given})")
    if isinstance(value, File):
        return _json_of(f"(.Files.Get {json.dumps('files/' + value.name)})")
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not _FLOATS.fullmatch(value):
            return value
        said = "".join(_character(one) for one in value)
        return f'"{said}"' if settings is not None else f'"{said}"'.replace("{{", '{{ "{{" }}')
    return json.dumps(value)


def _character(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    if one == "\n":
        return "\\n"
    if _printable(one):
        return one
    return f"\\u{ord(one):04x}" if ord(one) < 1 << 16 else f"\\U{ord(one):08x}"


def _json_of(expression: str) -> str:
    return f"{{{{ toJson {expression} }}}}"
