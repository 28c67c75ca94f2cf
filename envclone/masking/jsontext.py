"""Masks inside JSON text: string and number leaves are spliced, every other character stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, Protocol, runtime_checkable

from envclone.compiled import available
from envclone.errors import UnsafeError
from envclone.masking.jsonpaths import PathRules
from envclone.masking.jsonscan import Invalid, Path, Scalar, decode, encode_like, render, scan
from envclone.masking.jsonvalues import values
from envclone.masking.memo import BATCH
from envclone.masking.packing import by_text, masked_block
from envclone.masking.shown import shown_path
from envclone.masking.simple import KeepMask
from envclone.models import JsonRule
from envclone.packed import TextBlock, block_of
from envclone.protocols import Mask

__all__ = [
    "JsonMasker",
    "Leaf",
    "NumberMask",
    "leaves",
    "mask_json",
    "mask_many",
    "ways",
]


class Leaf(NamedTuple):
    """A scalar that is not null: its path, `string`, `number` or `bool`, and its value (a number as it is spelled)."""

    path: str
    kind: str
    value: str


@runtime_checkable
class NumberMask(Protocol):
    """A mask that can also mask JSON numbers, given and returned as they are spelled."""

    def mask_numbers(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of numbers; each is a JSON number."""
        ...


_LARGE = 4 * 2**20
"""Characters of a document that is not parsed as a whole where that can be helped."""
_NULLED = "", ""
"""With whom leaves are masked that become null: no domain is of that name."""

MasksFor = Callable[[str], Mask | None]
"""The mask of a domain; None when its values become null."""


def leaves(text: str) -> Iterator[Leaf]:
    """Every scalar of a JSON document but nulls, in order. Raises UnsafeError when the text is not JSON."""
    try:
        for path, kind, value in values(text):
            yield Leaf(render(path), kind, value)
    except Invalid as exc:
        raise _invalid("a JSON document", exc) from None


def ways(text: str) -> set[Path]:
    """The way to every scalar of a document but nulls. Raises UnsafeError when the text is not JSON."""
    try:
        if len(text) > _LARGE:  # parsed, it would be held a second time
            return {path for path, kind, _, _ in scan(text) if kind != "null"}
        return {path for path, _, _ in values(text)}
    except Invalid as exc:
        raise _invalid("a JSON document", exc) from None


def mask_json(text: str, rules: Sequence[JsonRule], masks_for: MasksFor, *, field: str = "") -> str:
    """One document masked; see `mask_many`."""
    return mask_many([text], rules, masks_for, field=field)[0]


def mask_many(texts: Sequence[str], rules: Sequence[JsonRule], masks_for: MasksFor, *, field: str = "") -> list[str]:
    """Documents masked under these rules; `field` is named in errors.

    Raises UnsafeError for text that is not JSON, for a leaf without a rule, for a number under a domain that has no
    mask for numbers (unless the rule ends in `*` or `**`, which is then about strings only), and for keys of one object
    that become equal.
    """
    return JsonMasker(rules, masks_for, field).mask(texts)


@lru_cache(maxsize=64)
def _path_rules(rules: tuple[JsonRule, ...]) -> PathRules:
    """The rules of a field: what decides a path is found once, though documents come one by one."""
    return PathRules(rules)


class Left(Enum):
    """What becomes of scalars that nothing masks."""

    AS_IT_IS = 0
    NULL = 1


class JsonMasker:
    """Masks batches of one field's documents: each domain sees all its strings of a batch at once."""

    def __init__(self, rules: Sequence[JsonRule], masks_for: MasksFor, field: str = "") -> None:
        self._rules = _path_rules(tuple(rules))
        self._masks_for = masks_for
        self._field = field or "a JSON document"

    def mask(self, texts: Sequence[str]) -> list[str]:
        """The documents with their leaves replaced, in order."""
        if len(texts) >= BATCH and available() and not self._rules.keyed and not any("\0" in text for text in texts):
            return [text for text in self.packed(block_of(texts)) if text is not None]
        return self._one_by_one(texts)

    def packed(self, block: TextBlock) -> TextBlock:
        """The same of a block of documents."""
        if len(block) >= BATCH and available() and not self._rules.keyed:
            from envclone.masking.jsonbatch import masked_documents

            masked = masked_documents(block, self._of_leaf, _NULLED, self._mask_block)
            if masked is not None:
                return masked
        return by_text(self._one_by_one, block)

    def _of_leaf(self, path: Path, kind: str) -> tuple[str, str] | None:
        """With whom the leaves of a path and a kind are masked; None when they stay."""
        key = self._key(Scalar(path, kind, 0, 0))
        return key if not isinstance(key, Left) else _NULLED if key is Left.NULL else None

    def _mask_block(self, key: tuple[str, str], block: TextBlock) -> Sequence[str | None]:
        domain, kind = key
        mask = self._masks_for(domain)
        if kind == "string" and mask is not None:
            return masked_block(mask, block)
        return self._mask_values(domain, kind, [text for text in block if text is not None])

    def _one_by_one(self, texts: Sequence[str]) -> list[str]:
        wanted: dict[tuple[str, str], list[str]] = {}
        plans: list[list[tuple[Scalar, tuple[str, str] | None, int]]] = []
        decided: dict[tuple[Path, str], tuple[str, str] | Left] = {}
        for text in texts:
            plan: list[tuple[Scalar, tuple[str, str] | None, int]] = []
            try:
                for scalar in scan(text, keys=self._rules.keyed):
                    path, kind, start, end = scalar
                    key = decided.get((path, kind))
                    if key is None:
                        key = decided[path, kind] = self._key(scalar)
                    if key is Left.AS_IT_IS:
                        continue
                    if key is Left.NULL:
                        plan.append((scalar, None, 0))
                        continue
                    values = wanted.setdefault(key, [])
                    literal = text[start:end]
                    values.append(decode(literal) if key[1] == "string" else literal)
                    plan.append((scalar, key, len(values) - 1))
            except Invalid as exc:
                raise _invalid(self._field, exc) from None
            plans.append(plan)
        masked = {key: self._mask_values(*key, values) for key, values in wanted.items()}
        made = [_splice(text, plan, masked) for text, plan in zip(texts, plans, strict=True)]
        if self._rules.keyed:
            self._check_keys(texts, made)
        return made

    def _check_keys(self, texts: Sequence[str], made: Sequence[str]) -> None:
        """An engine would keep one of two members with equal keys, and lose the other."""
        for text, document in zip(texts, made, strict=True):
            if document != text and _different(document) != _different(text):
                raise UnsafeError(
                    f"{self._field}: two keys of one object get the same pseudonym",
                    hint="name a domain that keeps different values different, and no keys of the same object apart",
                )

    def _key(self, scalar: Scalar) -> tuple[str, str] | Left:
        """With whom the scalars of a path and a kind are masked. Raises UnsafeError."""
        if scalar.kind == "null":
            return Left.AS_IT_IS
        if scalar.kind == "key":
            named = self._rules.decide_key(scalar.path)
            if named is None:
                return Left.AS_IT_IS
            rule = named
        else:
            rule = self._decide(scalar.path)
        mask = self._masks_for(rule.domain)
        if mask is None and scalar.kind == "key":
            raise UnsafeError(
                f"{self._field}: {rule.public} removes keys, and a member must have one",
                hint="take the domain of what the keys are, such as email, person or key",
            )
        if mask is None:
            return Left.NULL
        kind = "string" if scalar.kind == "key" else scalar.kind
        return (rule.domain, kind) if self._applies(mask, scalar, rule) else Left.AS_IT_IS

    def found(self, texts: Sequence[str | None]) -> Iterator[tuple[JsonRule, list[str], list[int]]]:
        """What stands in documents, but nulls and truth values, by rule: values, and whose document each is of.

        A rule can come several times. Raises UnsafeError as `decided` does.
        """
        if len(texts) >= BATCH and available() and not self._rules.keyed and not any("\0" in t for t in texts if t):
            from envclone.masking.jsonbatch import leaves_of

            leaves = leaves_of(block_of(texts))
            if leaves is not None:
                for path, kind, its, whose in leaves:
                    rule = self._decide(path)
                    if kind != "bool":
                        yield rule, its, whose
                return
        for place, text in enumerate(texts):
            for kind, value, rule in self.decided(text) if text is not None else ():
                if kind != "bool":
                    yield rule, [value], [place]

    def decided(self, text: str) -> Iterator[tuple[str, str, JsonRule]]:
        """Kind and value of every scalar but nulls, and of keys that have one, with the rule. Raises UnsafeError."""
        if self._rules.keyed:
            yield from self._decided_keys_too(text)
            return
        try:
            found = values(text)
        except Invalid as exc:
            raise _invalid(self._field, exc) from None
        for path, kind, value in found:
            yield kind, value, self._decide(path)

    def _decided_keys_too(self, text: str) -> Iterator[tuple[str, str, JsonRule]]:
        try:
            for scalar in scan(text, keys=True):
                literal = text[scalar.start : scalar.end]
                rule = self._rules.decide_key(scalar.path) if scalar.kind == "key" else None
                if rule is not None:
                    yield "string", decode(literal), rule
                elif scalar.kind not in ("key", "null"):
                    value = decode(literal) if scalar.kind == "string" else literal
                    yield scalar.kind, value, self._decide(scalar.path)
        except Invalid as exc:
            raise _invalid(self._field, exc) from None

    def _decide(self, path: Path) -> JsonRule:
        rule = self._rules.decide(path)
        if rule is None:
            raise UnsafeError(
                f"{self._field}: no rule covers the path {shown_path(render(path), ())}",
                hint="add the path and its domain to sanitize.rules",
            )
        return rule

    def _applies(self, mask: Mask, scalar: Scalar, rule: JsonRule) -> bool:
        if scalar.kind == "bool" or isinstance(mask, KeepMask):
            return False
        if scalar.kind in ("key", "string") or isinstance(mask, NumberMask):
            return True
        if rule.path.endswith("*"):
            return False
        raise UnsafeError(
            f"{self._field}: {rule.public} holds a number, which the domain '{rule.domain}' cannot mask",
            hint="declare the path as `phone`, `redact`, `null` or `keep`, or end it in .**: then numbers there stay",
        )

    def _mask_values(self, domain: str, kind: str, values: Sequence[str]) -> list[str]:
        mask = self._masks_for(domain)
        assert mask is not None
        if kind == "string":
            return mask.mask(values)
        assert isinstance(mask, NumberMask)
        return mask.mask_numbers(values)


def _splice(
    text: str,
    plan: Sequence[tuple[Scalar, tuple[str, str] | None, int]],
    masked: dict[tuple[str, str], list[str]],
) -> str:
    out = []
    position = 0
    for scalar, key, index in plan:
        out.append(text[position : scalar.start])
        position = scalar.end
        if key is None:
            out.append("null")
        elif scalar.kind in ("key", "string"):
            out.append(encode_like(masked[key][index], text[scalar.start : scalar.end]))
        else:
            out.append(masked[key][index])
    out.append(text[position:])
    return "".join(out)


def _different(text: str) -> int:
    """How many keys the objects of a document have, equal ones of one object counted once."""
    count = 0

    def members(pairs: list[tuple[str, object]]) -> None:
        nonlocal count
        count += len({key for key, _ in pairs})

    json.loads(text, object_pairs_hook=members)
    return count


def _invalid(field: str, exc: Invalid) -> UnsafeError:
    return UnsafeError(f"{field}: a value is not valid JSON ({exc})", hint="declare the field as `redact` or `null`")
