"""Adding rules to a stack file that people wrote: lines go in, and nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from envclone.errors import ConfigError
from envclone.scan.arrange import Block, arranged
from envclone.scan.preset import presets_of
from envclone.scan.propose import Proposal

__all__ = ["added", "require_writable"]


def require_writable(text: str, stores: Sequence[str]) -> None:
    """Raises ConfigError when rules for these stores could not be added to a stack file's text."""
    for store in stores:
        _added(text, ("sanitize", "rules", store), ["x: keep"])


def added(text: str, proposals: Mapping[str, Sequence[Proposal]], *, patterns: bool = True) -> str:
    """The stack file's text with the proposals of each store under `sanitize.rules.STORE`.

    What comes from presets is written as their names, under `sanitize.presets`. A mapping in one line (`{…}`) on the
    way there becomes a block. Raises ConfigError when there is a comment in it.
    """
    for store, found in proposals.items():
        its = [one for one in found if not one.preset]
        new = [one for one in its if not (one.path and _has(text, ("sanitize", "rules", store, one.address)))]
        for one in its:
            if one not in new:
                lines = _of(arranged([one], patterns=False))
                text = _added(text, ("sanitize", "rules", store, one.address), [lines[-1].strip()])
        if new:
            text = _added(text, ("sanitize", "rules", store), _of(arranged(new, patterns=patterns)))
    names = presets_of(proposals)
    return _with_presets(text, names) if names else text


def _with_presets(text: str, names: Sequence[str]) -> str:
    """The text with these presets beside those that it names already."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    sanitize = _child(node, "sanitize")
    there = _child(sanitize[1], "presets") if sanitize is not None else None
    if there is not None and isinstance(there[1], yaml.SequenceNode):
        old = [one.value for one in there[1].value]
        names = [*old, *(name for name in names if name not in old)]
        start, end = there[1].start_mark.index, there[1].end_mark.index
        if not there[1].flow_style:
            indent = " " * there[1].start_mark.column
            block = "".join(f"{indent}- {name}\n" for name in names).lstrip(" ")
            return (
                f"{text[:start]}{block}{text[end:].lstrip(' ')}"
                if end >= len(text)
                else (f"{text[:start]}{block}{' ' * there[1].end_mark.column}{text[end:]}")
            )
        return f"{text[:start]}[{', '.join(names)}]{text[end:]}"
    line = f"presets: [{', '.join(names)}]  # rules for the tables of these, found by their shape: docs/sanitization.md"
    rules = _child(sanitize[1], "rules") if sanitize is not None else None
    if sanitize is None or rules is None or (isinstance(sanitize[1], yaml.MappingNode) and sanitize[1].flow_style):
        return _added(text, ("sanitize",), [line])
    rows = text.splitlines()
    place = rules[0].start_mark.line
    return "\n".join([*rows[:place], f"{' ' * rules[0].start_mark.column}{line}", *rows[place:]]) + "\n"


def _of(blocks: Sequence[Block]) -> list[str]:
    return [line for block in blocks for line in (f"# {block.title}", *block.lines)]


def _has(text: str, keys: Sequence[str]) -> bool:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in keys:
        child = _child(node, key)
        if child is None:
            return False
        node = child[1]
    return isinstance(node, yaml.MappingNode)


def _added(text: str, keys: tuple[str, ...], lines: Sequence[str]) -> str:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    if isinstance(node, yaml.MappingNode) and node.flow_style:
        raise ConfigError("the whole stack file is written in braces", hint="write it as a block, a key per line")
    depth = 0
    holder = node
    indent = 0
    for key in keys:
        child = _child(holder, key)
        if child is None or not isinstance(child[1], yaml.MappingNode):
            if child is not None and child[1].tag != "tag:yaml.org,2002:null":
                raise ConfigError(f"{'.'.join(keys[: depth + 1])} in the stack file is not a mapping")
            break
        if child[1].flow_style:
            return _added(_as_block(text, child[0], child[1], ".".join(keys[: depth + 1])), keys, lines)
        holder, indent = child[1], child[1].start_mark.column
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
        while rest and place < len(rows) and rows[place].startswith(f"{' ' * (indent + 1)}") and _comment(rows[place]):
            place += 1  # remarks at the end of a store's rules stay its own
    return "\n".join([*rows[:place], *block, *rows[place:]]) + "\n"


def _comment(row: str) -> bool:
    return row.lstrip().startswith("#")


def _as_block(text: str, key: yaml.Node, node: yaml.MappingNode, name: str) -> str:
    """The text with one mapping that is written in one line (`{…}`) as a block; what stands in it stays as it is."""
    start, end = node.start_mark.index, node.end_mark.index
    inside = all(start < one.start_mark.index < end for pair in node.value for one in pair)
    if text[start] != "{" or not inside:
        raise ConfigError(f"{name} in the stack file has an anchor or an alias in it", hint="write it out as a block")
    comments = yaml.scan(text[start:end], Loader=yaml.SafeLoader)
    covered = bytearray(end - start)
    for token in comments:
        covered[token.start_mark.index : token.end_mark.index] = b"1" * (token.end_mark.index - token.start_mark.index)
    if any(char == "#" and not covered[i] for i, char in enumerate(text[start:end])):
        raise ConfigError(
            f"{name} in the stack file is written in one line, with a comment in it",
            hint="write it as a block, one rule per line",
        )
    indent = " " * (key.start_mark.column + 2)
    entries = [f"{indent}{_piece(text, its_key)}: {_piece(text, value)}".rstrip() for its_key, value in node.value]
    tail = text[end:].split("\n", 1)
    remark = tail[0].strip()
    head = text[:start].rstrip(" \n")
    body = "\n".join([head + (f"  {remark}" if remark else ""), *entries])
    return body + "\n" + (tail[1] if len(tail) > 1 else "")


def _piece(text: str, node: yaml.Node) -> str:
    return " ".join(text[node.start_mark.index : node.end_mark.index].split("\n")).strip()


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
