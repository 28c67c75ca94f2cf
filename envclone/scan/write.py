"""Adding rules to a stack file that people wrote: lines go in, and nothing else changes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import yaml

from envclone.errors import ConfigError
from envclone.masking.guesses import UNDECIDED
from envclone.scan.propose import Proposal

__all__ = ["added"]


def added(text: str, proposals: Mapping[str, Sequence[Proposal]]) -> str:
    """The stack file's text with the proposals of each store under `sanitize.rules.STORE`, each with its reason.

    Raises ConfigError when the mapping to add to is written in one line (`{…}`).
    """
    for store, its in proposals.items():
        if its:
            text = _added(text, ("sanitize", "rules", store), _lines(its))
    return text


def _added(text: str, keys: tuple[str, ...], lines: Sequence[str]) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    depth = 0
    holder = node
    indent = 0
    for key in keys:
        child = _child(holder, key)
        if child is None or not isinstance(child[1], yaml.MappingNode):
            if child is not None and child[1].tag != "tag:yaml.org,2002:null":
                raise ConfigError(f"{'.'.join(keys[: depth + 1])} in the stack file is no mapping")
            break
        holder, indent = child[1], child[1].start_mark.column
        if child[1].flow_style:
            raise ConfigError(
                f"{'.'.join(keys[: depth + 1])} in the stack file is written in one line",
                hint="write it as a block, one rule per line, or take the rules from: envclone scan --json",
            )
        depth += 1
    rest = keys[depth:]
    block: list[str] = []
    for i, key in enumerate(rest):
        block.append(f"{' ' * (indent + 2 * i)}{key}:")
    inner = indent + 2 * len(rest)
    block += [f"{' ' * inner}{line}" for line in lines]
    rows = text.splitlines()
    empty = _child(holder, rest[0]) if rest and isinstance(holder, yaml.MappingNode) else None
    if empty is not None:  # `rules:` with nothing behind it
        place = empty[0].start_mark.line + 1
        block = [f"{' ' * (indent + 2 * i)}{key}:" for i, key in enumerate(rest)][1:] + [
            f"{' ' * inner}{line}" for line in lines
        ]
    else:
        place = _last_line(holder) + 1
    return "\n".join([*rows[:place], *block, *rows[place:]]) + "\n"


def _child(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((k, v) for k, v in node.value if k.value == key), None)
    return None


def _last_line(node: yaml.Node | None) -> int:
    """The last line that a node's own content stands on."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return max(_last_line(node.value[-1][0]), _last_line(node.value[-1][1]))
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1])
    if node is None:
        return -1
    end = node.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def _lines(proposals: Sequence[Proposal]) -> list[str]:
    lines: list[str] = []
    fields: dict[str, list[Proposal]] = {}
    for one in proposals:
        fields.setdefault(one.address, []).append(one)
    for address, its in fields.items():
        key = address if re.fullmatch(r"[A-Za-z_][\w.]*", address) else json.dumps(address, ensure_ascii=False)
        if its[0].domain == UNDECIDED:
            lines.append(f"# {key}: keep, a constant or a hook  # to be decided: {_remark(its[0])}")
        elif its[0].named == "ids":
            lines.append(f"{key}: keep  # to be decided: {_remark(its[0])}")
        elif its[0].named:
            lines.append(f"{key}: {{{its[0].named}: keep}}  # to be decided: {_remark(its[0])}")
        elif not its[0].path:
            lines.append(f"{key}: {_domain(its[0])}  # {_remark(its[0])}")
        else:
            lines.append(f"{key}:")
            lines += [f"  {json.dumps(one.path)}: {_domain(one)}  # {_remark(one)}" for one in its]
    return lines


def _domain(one: Proposal) -> str:
    return '"null"' if one.domain == "null" else one.domain


def _remark(one: Proposal) -> str:
    example = f"; such as: {one.shape}" if one.shape and one.domain != "keep" else ""
    return re.sub(r"\s+", " ", f"{one.confidence:.2f}, {one.why}{example}")
