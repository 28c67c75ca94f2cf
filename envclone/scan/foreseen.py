"""A mask for each kept field in which the verifier's search found somebody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from envclone.errors import ConfigError
from envclone.masking.guesses import UNDECIDED
from envclone.masking.jsonpaths import PathRules, parse_path
from envclone.masking.jsontext import leaves
from envclone.masking.kinds import KINDS, fits, flat
from envclone.masking.outline import shape
from envclone.masking.shown import general
from envclone.models import Field, FieldKind, Inventory, JsonRule, Rows
from envclone.scan.documents import REST, are_documents
from envclone.scan.echoes import NOT_IN_TEXTS
from envclone.scan.forms import logins
from envclone.scan.propose import Proposal
from envclone.verifier.foresee import Leak

__all__ = ["Remedies"]

_CONFIDENCE = 0.5
"""Somebody looks at each."""
_MOST_OF = 0.5
_FEW = 2
_SHORTEST = 3
_WORDS_OF_PROSE = 4
_SEARCHED = ("text", "json")
_LEAVES = "its mask leaves"
_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"[^\W\d_]+(?:[ '’.,-]+[^\W\d_]+)*\.?")
_LONGEST_NAME = 3
"""Words of a value that is a name and nothing else."""
_TEXTS = (FieldKind.TEXT, FieldKind.JSON, FieldKind.ARRAY)


class Remedies:
    """What to propose for the findings in one store's `rows`; the fields in `own` have rules of the stack file."""

    def __init__(self, inventory: Inventory, rows: Sequence[Rows], own: Collection[str]) -> None:
        self._inventory, self._rows, self._own = inventory, rows, own
        self._tried: dict[tuple[str, str], set[str]] = {}

    def apply(self, proposals: list[Proposal], leaks: Sequence[Leak], *, masked: bool = False) -> bool:
        """Replace the proposals in which something was found; whether there were any.

        `masked` is whether texts were looked at as their masks leave them.
        """
        changed: set[tuple[str, str]] = set()
        for leak in leaks:
            place = leak.address, _ruled(leak)
            if place not in changed and self._mend(proposals, leak, masked):
                changed.add(place)
        return bool(changed)

    def _mend(self, proposals: list[Proposal], leak: Leak, masked: bool) -> bool:
        field = self._inventory.fields.get(leak.address)
        if field is None or field.kind not in _TEXTS:
            return False
        place = self._place(proposals, field, leak, masked)
        if place is None:
            return False
        one = proposals[place] if isinstance(place, int) else place
        values = self._values(field, one.path)
        if isinstance(place, int) and one.domain == "json" and not one.path and self._inside(field, leak, values):
            proposals[place] = replace(one, path=REST, domain="text", preset="")
            proposals.append(self._at(field, one, leak))
            return True
        if one.domain in _SEARCHED and _prose(values):
            if isinstance(place, int) and _LEAVES not in one.why:  # the text is worth more than what is rare in it
                why = f"{_LEAVES} {_said(leak)}; an image may be refused for it"
                proposals[place] = replace(one, confidence=_CONFIDENCE, why=why)
            return False
        domain = self._domain(field, one, leak, values)
        if not domain:
            return False
        self._tried.setdefault((one.address, one.path), set()).add(domain)
        example = next((outline for value in values if (outline := shape(value))), "")
        why = f"it holds {_said(leak)}; an image that keeps it is refused"
        new = replace(one, domain=domain, confidence=_CONFIDENCE, why=why, shape=example, named="", preset="")
        for i, other in enumerate(proposals):  # what a preset says of a field fits it whole
            if other.preset and other.address == one.address:
                proposals[i] = replace(other, preset="")
        if isinstance(place, int):
            proposals[place] = new
        else:
            proposals.append(new)
        return True

    def _inside(self, field: Field, leak: Leak, values: Sequence[str]) -> bool:
        """Whether what was found stands at a path of a text all of whose values are documents: it gets its own rule."""
        path = _ruled(leak)
        at_path = field.kind is FieldKind.TEXT and path.startswith("$") and not path.endswith(("~", "**"))
        return at_path and are_documents(values) and not _prose(self._values(field, path))

    def _at(self, field: Field, one: Proposal, leak: Leak) -> Proposal:
        """A mask for the path at which something was found that the mask of texts leaves."""
        new = replace(one, path=_ruled(leak), domain="text")
        domain = self._domain(field, new, leak, self._values(field, new.path))
        self._tried.setdefault((new.address, new.path), set()).add(domain)
        why = f"it holds {_said(leak)}, which the mask of texts leaves"
        return replace(new, domain=domain, confidence=_CONFIDENCE, why=why, preset="")

    def _place(self, proposals: Sequence[Proposal], field: Field, leak: Leak, masked: bool) -> int | Proposal | None:
        """The proposal to replace, or the one to add; None when what was found is not the proposals' affair."""
        places = [i for i, one in enumerate(proposals) if one.address == field.address]
        if not places and field.kind is not FieldKind.JSON:
            places = [i for i, one in enumerate(proposals) if one.address in field.group and not one.path]
        if not places:
            return None
        first = proposals[places[0]]
        if not first.path:
            left = first.domain == "text" and leak.kind in NOT_IN_TEXTS
            left = left or (masked and first.domain in _SEARCHED)
            return places[0] if left or first.domain == "keep" or first.domain in self._tried_of(first) else None
        path = leak.seen.path
        if not path:  # parts in several places: the one that names somebody most often
            kept = [i for i in places if proposals[i].domain == "keep"]
            known = self._known(proposals, leak)
            return max(kept, key=lambda i: _named(self._values(field, proposals[i].path), known), default=None)
        try:
            steps = parse_path(path)
        except ConfigError:
            return None
        decided = PathRules([JsonRule(proposals[i].path, "keep") for i in places]).decide(steps)
        for i in places:
            if decided is not None and proposals[i].path == decided.path:
                if decided.path == REST and field.kind is FieldKind.TEXT and masked:
                    return replace(first, path=_ruled(leak), domain="text", shape="")
                return i if proposals[i].domain == "keep" or (masked and proposals[i].domain in _SEARCHED) else None
        return None if field.address in self._own else replace(first, path=path, shape="")

    def _tried_of(self, one: Proposal) -> set[str]:
        return self._tried.get((one.address, one.path), set())

    def _known(self, proposals: Sequence[Proposal], leak: Leak) -> set[str]:
        """The words of names and streets that are masked, and of where what was found comes from."""
        its = {one.address for one in proposals if one.domain in ("person", "address") and not one.path}
        its.add(leak.source.removeprefix(f"{leak.store}."))
        values = [v for rows in self._rows for a in its & rows.fields.keys() for v in rows.fields[a]]
        return {word for value in values for text in flat(value) for word in _words(text) if len(word) >= _SHORTEST}

    def _domain(self, field: Field, one: Proposal, leak: Leak, values: Sequence[str]) -> str:
        """The next domain that was not tried yet; '' when there is none."""
        tried = self._tried_of(one)
        if UNDECIDED in tried:
            return ""
        inside = ("secret",) if one.path else ()
        order: tuple[str, ...] = (_guess(leak, values), "text", *inside, "key", "redact", "null")
        for domain in order:
            if domain in tried or domain == one.domain or domain not in KINDS:
                continue
            if one.path:
                if domain in ("key", "redact", "null"):
                    break
                return domain
            possible = field.nullable and not field.unique if domain == "null" else fits(domain, field)
            if possible and (KINDS[domain].injective or not field.unique):
                return domain
        return UNDECIDED

    def _values(self, field: Field, path: str) -> list[str]:
        """The texts of a field in the rows, or those at one path."""
        texts = [text for text in self._texts(field, path) if text.strip()]
        if not path or field.kind is not FieldKind.TEXT or not are_documents(texts):
            return texts
        rules = PathRules([JsonRule(path, "keep")])
        return [
            leaf.value
            for text in texts
            for leaf in leaves(text)
            if leaf.kind == "string" and leaf.value.strip() and rules.decide(parse_path(leaf.path)) is not None
        ]

    def _texts(self, field: Field, path: str) -> Iterator[str]:
        rules = PathRules([JsonRule(path, "keep")]) if path else None
        for rows in self._rows:
            for value in rows.fields.get(field.address, ()):
                if field.kind is FieldKind.JSON and isinstance(value, str):
                    for leaf in leaves(value):
                        if leaf.kind == "string" and (rules is None or rules.decide(parse_path(leaf.path)) is not None):
                            yield leaf.value
                else:
                    yield from flat(value)


def _ruled(leak: Leak) -> str:
    """The path of a rule for where something was found, without keys that may be somebody's; '' when none is told."""
    return leak.seen.wide[0] if leak.seen.wide else general(leak.seen.path) if leak.seen.path else ""


def _prose(values: Sequence[str]) -> bool:
    """Whether these are texts of several words or documents: a few that hold somebody are no reason to lose all."""
    return sum(len(value.split()) for value in values) >= _WORDS_OF_PROSE * len(values)


def _guess(leak: Leak, values: Sequence[str]) -> str:
    """What a field holds in which this was found: the kind where that is all, else texts."""
    whole = leak.what.startswith("a ") and leak.seen.whole
    often = bool(values) and leak.seen.times >= _MOST_OF * len(values)
    if leak.kind == "person" and (whole or often) and logins(values):
        return "username"
    if whole or (often and leak.kind == "person" and _are_names(values)):
        return leak.kind
    words = sum(len(value.split()) == 1 for value in values)
    return "username" if often and 10 * words >= 9 * len(values) else "text"


def _are_names(values: Sequence[str]) -> bool:
    """Whether most values are a few words alone, none of them in most (as in 'Hi Ann', 'Hi Bob')."""
    spelled = [_words(value) for value in values if len(value.split()) <= _LONGEST_NAME and _NAME.fullmatch(value)]
    different = {tuple(words) for words in spelled}
    often = Counter(word for words in different if len(words) > 1 for word in set(words))
    return len(spelled) > _MOST_OF * len(values) and not (
        len(different) > _FEW and any(times > _MOST_OF * len(different) for times in often.values())
    )


def _named(values: Sequence[str], known: Collection[str]) -> tuple[float, float]:
    """The share of values that are made of known words alone, and of those that hold any."""
    held = [[word in known for word in words] for value in values if (words := _words(value))]
    return sum(map(all, held)) / max(1, len(values)), sum(map(any, held)) / max(1, len(values))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _said(leak: Leak) -> str:
    """What was found and where it comes from, without figures: they are those of some rows."""
    what = re.sub(r" \([^()]*\)$", "", leak.what)
    return f"{what} ({leak.source.removeprefix(f'{leak.store}.')})"
