"""Proposals in the order in which a person reads them: what masks first, then what to look at, then what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from envclone.address import Address, joined
from envclone.masking.guesses import UNDECIDED
from envclone.scan.propose import Proposal

__all__ = ["DECIDE", "LOOK", "Block", "arranged", "rules_of"]

_PLAIN = re.compile(r"[A-Za-z_][\w.]*")
_TABLES = 2
"""From so many tables on with a kept column of one name, a pattern says it for all."""
_WITHOUT_TEXT = re.compile(
    r"bool|int[248]|numeric|float[48]|date|time|timetz|timestamp|timestamptz|interval|uuid|oid|bit|varbit"
)
LOOK = "decided on weak evidence: look at each, and change what is wrong"
DECIDE = "not decided: nothing here can look into these; take the # away from one rule each"
_NAMED = "kept by a decision: take the line out, and no image is made"


@dataclass(frozen=True, slots=True)
class Block:
    """Some rules under a heading, as the stack file has them; the lines are indented from the rules' own column."""

    title: str
    lines: tuple[str, ...]


def rules_of(proposals: Sequence[Proposal]) -> dict[str, str | dict[str, str]]:
    """The rules that proposals are; what is not decided is none."""
    out: dict[str, str | dict[str, str]] = {}
    for one in proposals:
        if one.domain == UNDECIDED:
            continue
        if one.named and one.named != "ids":
            out[one.address] = {one.named: "keep"}
        elif not one.path:
            out[one.address] = {"domain": one.domain, "by": one.by} if _decided_by(one) else one.domain
        else:
            paths = out.setdefault(one.address, {})
            if isinstance(paths, dict):
                paths[one.path] = one.domain
    return out


def arranged(proposals: Sequence[Proposal], *, patterns: bool = True) -> Sequence[Block]:
    """The proposals of one store in blocks; with `patterns` columns that are kept under one name share a line."""
    fields: dict[str, list[Proposal]] = {}
    for one in sorted(proposals, key=lambda one: one.address):
        if one.domain != UNDECIDED:
            fields.setdefault(one.address, []).append(one)
    undecided = [one for one in proposals if one.domain == UNDECIDED]
    named = {a for a, its in fields.items() if its[0].named}
    weak = {a for a, its in fields.items() if a not in named and any(one.weak for one in its)}
    masked = {a for a, its in fields.items() if a not in named | weak and any(one.personal for one in its)}
    kept = {a: its for a, its in fields.items() if a not in named | weak | masked}
    shared = _shared(fields, kept) if patterns else {}
    blocks = [
        Block("masked", tuple(line for a in fields if a in masked for line in _lines(fields[a], remarks=False))),
        Block(LOOK, tuple(line for a in fields if a in weak for line in _lines(fields[a], remarks=True))),
        Block(DECIDE, tuple(map(_undecided, undecided))),
        Block(_NAMED, tuple(line for a in fields if a in named for line in _lines(fields[a], remarks=True))),
        Block(
            "kept",
            (
                *(f"{_key(pattern)}: keep" for pattern in shared),
                *(
                    line
                    for a in kept
                    if not any(a in covered for covered in shared.values())
                    for line in _lines(fields[a], remarks=False)
                ),
            ),
        ),
    ]
    return [block for block in blocks if block.lines]


def _shared(
    fields: Mapping[str, Sequence[Proposal]], kept: Mapping[str, Sequence[Proposal]]
) -> Mapping[str, Sequence[str]]:
    """Patterns (`public.*.id`) with the fields that each stands for.

    Only columns that can hold no text: another table's column of that name will be kept unseen.
    """
    found: dict[str, list[str]] = {}
    for address, its in fields.items():
        parts = Address.parse(address).parts
        if len(parts) == 3 and not its[0].path:
            found.setdefault(joined(f"{joined('', parts[0])}.*", parts[2]), []).append(address)
    return {
        pattern: addresses
        for pattern, addresses in sorted(found.items())
        if len(addresses) >= _TABLES
        and all(a in kept and _WITHOUT_TEXT.fullmatch(fields[a][0].base) for a in addresses)
        and "*" not in pattern.replace(".*.", "", 1)
    }


def _lines(its: Sequence[Proposal], *, remarks: bool) -> Iterator[str]:
    first, key = its[0], _key(its[0].address)
    if first.named and first.named != "ids":
        yield f"{key}: {{{first.named}: keep}}  # {_remark(first)}"
    elif not first.path:
        yield f"{key}: {_domain(first)}" + (f"  # {_remark(first)}" if remarks else "")
    else:
        yield f"{key}:"
        for one in its:
            said = f"  # {_remark(one)}" if remarks and one.weak else ""
            yield f"  {json.dumps(one.path, ensure_ascii=False)}: {_domain(one)}{said}"


def _undecided(one: Proposal) -> str:
    place = f"{_key(one.address)} {one.path}".strip()
    return f"# {place}: keep, a constant or a hook  # {_remark(one)}"


def _key(address: str) -> str:
    return address if _PLAIN.fullmatch(address) else json.dumps(address, ensure_ascii=False)


def _domain(one: Proposal) -> str:
    if _decided_by(one):
        return f"{{domain: {one.domain}, by: {_key(one.by)}}}"
    return '"null"' if one.domain == "null" else one.domain


def _decided_by(one: Proposal) -> bool:
    """Whether a rule names the column beside it that decides; a proposal that was mended may have another domain."""
    return bool(one.by) and one.domain == "setting"


def _remark(one: Proposal) -> str:
    example = f"; such as: {one.shape}" if one.shape and one.domain != "keep" else ""
    return re.sub(r"\s+", " ", f"{one.why}{example}")
