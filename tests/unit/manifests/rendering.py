"""What Helm does with a chart of ours: the few forms that our templates have, rendered without Helm."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\{\{-? ?(.*?) ?-?\}\}", re.DOTALL)


def rendered(files: Mapping[str, str], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of all templates; a form that is not known is an error."""
    found: list[dict[str, Any]] = []
    for name in sorted(files):
        if name.startswith("templates/") and name.endswith(".yaml"):
            text = _chosen(re.sub(r"\{\{- /\*.*?\*/ -\}\}\s*", "", files[name], flags=re.DOTALL), values)
            text = _EXPRESSION.sub(lambda match: _value(match[1], files, values), text)
            found += [said(one) for one in yaml.safe_load_all(text) if one is not None]
    return found


def said(node: Any) -> Any:
    """An object without its nulls, which the API takes for what is not there."""
    if isinstance(node, dict):
        return {key: said(value) for key, value in node.items() if value is not None}
    return [said(one) for one in node] if isinstance(node, list) else node


def _chosen(text: str, values: Mapping[str, Any]) -> str:
    match = re.fullmatch(r"\{\{- if (\S+) \}\}\n(.*)\{\{- end \}\}\n", text, re.DOTALL)
    return text if match is None else match[2] if _looked_up(match[1], values) else ""


def _value(expression: str, files: Mapping[str, str], values: Mapping[str, Any]) -> str:
    if expression == 'include "envclone.image" .':
        return json.dumps(values["image"])
    if match := re.fullmatch(r'toJson \(\.Files\.Get "(.*)"\)', expression):
        return json.dumps(files[match[1]], ensure_ascii=False)
    if match := re.fullmatch(r'toJson \(printf ("(?:[^"\\]|\\.)*")((?: \.[\w.]+)+)\)', expression):
        given = tuple(_looked_up(one, values) for one in match[2].split())
        return json.dumps(json.loads(match[1]) % given)
    if match := re.fullmatch(r"toJson (.*)", expression):
        return json.dumps(_looked_up(match[1], values), ensure_ascii=False)
    assert expression == '"{{"', expression
    return "{{"


def _looked_up(expression: str, values: Mapping[str, Any]) -> Any:
    if match := re.fullmatch(r"\(index \.Values (.*)\)", expression):
        keys = json.loads(f"[{match[1].replace(' ', ',')}]")
    else:
        assert expression.startswith(".Values."), expression
        keys = expression.removeprefix(".Values.").split(".")
    value: Any = values
    for key in keys:
        value = value[key]
    return value
