"""All masks of one image: one key, one corpus of identities, every kind of field.

The same value has the same pseudonym in every domain of a kind, and names have it in persons, e-mail addresses and free
text alike: the sub-keys belong to what is masked (names, phone numbers), not to the names of domains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from envclone.compiled import available
from envclone.errors import ConfigError, UnsafeError
from envclone.keys import key_id
from envclone.masking.constant import ConstantMask
from envclone.masking.corpus import Corpus
from envclone.masking.forms import DocumentMask, in_form
from envclone.masking.freetext import FreeText, Span
from envclone.masking.jsontext import JsonMasker
from envclone.masking.kinds import HOOKS, DomainSpec, flat, json_rules, kind_of, resolve, takes
from envclone.masking.letters import meet
from envclone.masking.makers import Makers
from envclone.masking.memo import BATCH
from envclone.masking.nobody import Nobody, usual
from envclone.masking.packing import BlockMask, masked_block
from envclone.masking.settings import SettingMask
from envclone.masking.simple import KeepMask, RedactMask
from envclone.memory import give_back
from envclone.models import FieldKind, FieldRule
from envclone.packed import Pairs, TextBlock, block_of
from envclone.protocols import FieldMask, Mask
from envclone.shelf import Shelf

__all__ = ["MaskSet"]

_SHORTEST_KEY = 16
_HOOK_BATCH = 8192
_BYTES = 1 << 20
_NEAR, _FAR = range(0xC3, 0xE0), range(0xE3, 0xF0)
"""What characters of two bytes begin with, and those of three from U+3000 on, whose alphabets take long to make."""
_WORDS = "Anna went home. " * 200
"""A text that has free text make all that it needs."""
_OF_NAMES = ("person", "email", "username")
_OF_TEXTS = ("text", "json", "setting")


@runtime_checkable
class SubjectMask(Protocol):
    """A mask whose pseudonyms depend on whom a row is about."""

    def mask_by(self, values: Sequence[str], subjects: Sequence[str | None]) -> list[str]:
        """The pseudonyms of `values`, each under its subject."""
        ...

    def packed_by(self, pairs: Pairs) -> TextBlock:
        """The same of blocks; only where loops are compiled."""
        ...


class Hooks(Protocol):
    """The hooks of a stack file, as the masks need them."""

    mask_values: Callable[[str, Sequence[str]], Sequence[str | None]]

    def mask(self, domain: str, values: Sequence[str]) -> list[str]:
        """What a hook makes of values alone."""
        ...

    def mask_rows(self, domain: str, values: Sequence[str | None], others: Sequence[str | None]) -> list[str | None]:
        """What a hook makes of values beside other columns of their rows."""
        ...

    def close(self) -> None:
        """End every process."""
        ...


class _HookMask:
    def __init__(self, hooks: Hooks, domain: str) -> None:
        self._hooks = hooks
        self._domain = domain

    def mask(self, values: Sequence[str]) -> list[str]:
        out: list[str] = []
        for start in range(0, len(values), _HOOK_BATCH):
            out += self._hooks.mask(self._domain, values[start : start + _HOOK_BATCH])
        return out


def _characters(corpus: Corpus, leads: range, tails: int) -> list[str]:
    """The characters of names that begin with one of some bytes in UTF-8 and have so many more."""
    block, _ = corpus.packed("person")
    found: set[int] = set()
    for begin in range(0, len(block), _BYTES):
        part = block[begin : begin + _BYTES]
        at = np.flatnonzero((part >= leads.start) & (part < leads.stop)) + begin
        codes = block[at].astype(np.uint32) & 0x3F >> tails
        for tail in range(1, tails + 1):
            codes = codes << 6 | block[at + tail].astype(np.uint32) & 0x3F
        found.update(np.unique(codes).tolist())
        corpus.shelf.rest()
    return [*map(chr, sorted(found))]


class MaskSet:
    """The masks under one key (16 to 64 bytes); `corpus` holds whom free text is searched for, with `tagger` those whom
    it does not hold, too."""

    def __init__(
        self,
        key: bytes,
        domains: Mapping[str, DomainSpec],
        corpus: Corpus | None = None,
        hooks: Hooks | None = None,
        net: Callable[[str], Iterator[Span]] | None = None,
        nobody: Nobody | None = None,
        *,
        tagger: bool = True,
    ) -> None:
        if len(key) < _SHORTEST_KEY:
            raise ConfigError("the masking key is too short", hint="a masking key has 32 bytes")
        self._domains = dict(domains)
        self._corpus = corpus or Corpus()
        self._id = key_id(key)
        self._whole = any(spec.consistency == "person" for spec in domains.values())
        self.nobody = nobody or usual()
        """Whose values stay as they are."""
        meet(_characters(self._corpus, _FAR, 2))
        self._makers = Makers(key, whole=self._whole, nobody=self.nobody)
        self._hooks = hooks
        self._net = net
        self._tagger = tagger
        self._ready: set[str] = set()
        self._met = False
        if hooks is not None:
            hooks.mask_values = self._of_domain

    @property
    def shelf(self) -> Shelf:
        """Where what is made of the identities lies."""
        return self._corpus.shelf

    @property
    def key_id(self) -> str:
        """The id of the masking key; never the key."""
        return self._id

    def mask_for(self, domain: str) -> Mask | None:
        """The mask of a domain; None when it makes every value null. Raises ConfigError for an unknown domain."""
        spec = resolve(domain, self._domains)
        if spec is None:
            raise ConfigError(f"there is no domain '{domain}'", hint="declare it under sanitize.domains")
        if spec.kind == "null":
            return None
        if spec.kind == "text":
            return self._free_text
        if spec.kind == "json":
            return DocumentMask(self._free_text)
        if spec.kind == "hook":
            return _HookMask(self._running(domain), domain)
        if spec.kind == "setting":
            raise ConfigError(f"the domain '{domain}' needs the key beside a value", hint="write `by:` in the rule")
        if spec.kind == "constant":
            return ConstantMask(spec.value or "")
        return self._makers.mask(spec.kind)

    def field(self, rule: FieldRule) -> FieldMask:
        """What masks a field's values, as its FieldKind gives them; None stays None.

        A rule with `by` gets pairs `(value, the subject's value)` instead. Raises ConfigError when the domain cannot
        mask this kind of field. What a mask refuses of a value names the field.
        """
        return _named(self._field(rule), rule.address)

    def _field(self, rule: FieldRule) -> FieldMask:
        if rule.derived:
            raise ConfigError(f"{rule.address} is made again from other fields; nothing masks it", hint="report this")
        kind = kind_of(rule.domain, self._domains)
        if kind == "setting" and rule.by:
            redact = RedactMask()
            json = rule.kind is FieldKind.JSON
            return SettingMask(self._makers.mask("secret"), self._free_text, redact, json=json).mask_pairs
        if rule.kind is FieldKind.JSON and (rule.json or kind not in ("null", "keep", "hook")):
            masker = JsonMasker(json_rules(rule, kind), self.mask_for, rule.address)
            return lambda values: (
                masker.packed(values) if isinstance(values, TextBlock) else _sparse(values, masker.mask)
            )
        mask = self.mask_for(rule.domain)
        if mask is None:
            return lambda values: [None] * len(values)
        if isinstance(mask, KeepMask):
            return lambda values: values
        # stores that know no types give texts
        base = rule.base.removesuffix("[]") or ("" if rule.kind is FieldKind.OTHER else "text")
        if rule.kind is FieldKind.VECTOR or not takes(kind, base):
            raise ConfigError(
                f"{rule.address}: the domain '{rule.domain}' cannot mask values of type {base or 'unknown'}",
                hint="declare it as `keep` or `null`",
            )
        if kind == "hook" and rule.by:
            hooks = self._running(rule.domain)
            return lambda pairs: list(hooks.mask_rows(rule.domain, [v for v, _ in pairs], [s for _, s in pairs]))
        shaped = in_form(mask, kind, base)
        if rule.by:
            return lambda pairs: _shifted(pairs, mask)
        if rule.kind is FieldKind.ARRAY:
            return lambda values: _nested(values, shaped)
        return lambda values: _each(values, shaped)

    def separable(self, rule: FieldRule) -> bool:
        """Whether a copy of this process can mask the field as well: no hook takes part, which has a process itself.

        What the masks make at their first value (the lexicon of free text) is made here, and copies share it.
        """
        kinds = {kind_of(name, self._domains) for name in (rule.domain, *(inner.domain for inner in rule.json))}
        if "hook" in kinds:
            return False
        made = sorted(kinds - self._ready)
        for kind in made:
            self._ready.add(kind)
            if kind in _OF_TEXTS:
                self._free_text.mask([_WORDS])
            if kind in (*_OF_NAMES, *_OF_TEXTS):
                if not self._met:
                    self._met = True
                    meet(_characters(self._corpus, _NEAR, 1))
                mask = self._makers.mask(kind if kind in _OF_NAMES else "person")
                masked_block(mask, block_of(["anna"] * BATCH))
        if any(kind in made for kind in _OF_TEXTS):
            give_back()  # each copy would count what is free here
        return True

    def text(self, values: Sequence[str]) -> list[str]:
        """Free strings, such as an incident's parameters, with every identity in them replaced."""
        return self._free_text.mask(values)

    def value(self, domain: str, value: str) -> str | None:
        """The pseudonym of one value of a domain."""
        mask = self.mask_for(domain)
        return None if mask is None else mask.mask([value])[0]

    def close(self) -> None:
        """End the hooks' processes."""
        if self._hooks is not None:
            self._hooks.close()

    def _running(self, domain: str) -> Hooks:
        if self._hooks is None:
            raise ConfigError(f"the hook '{domain}' cannot run here", hint="report this as a bug")
        return self._hooks

    def _of_domain(self, domain: str, values: Sequence[str]) -> Sequence[str | None]:
        """What a hook asks for. Raises ConfigError for a domain that is none, or that is a hook itself."""
        if domain.startswith(HOOKS):
            raise ConfigError("a hook cannot ask for the masks of a hook")
        mask = self.mask_for(domain)
        return [None] * len(values) if mask is None else mask.mask(values)

    @cached_property
    def _free_text(self) -> FreeText:
        return FreeText(
            self._corpus, self._makers, self._net, whole=self._whole, nobody=self.nobody, tagger=self._tagger
        )


def _named(mask: FieldMask, address: str) -> FieldMask:
    """The mask of a field; what it refuses says which field it is of."""

    def run(values: Any) -> Any:
        try:
            return mask(values)
        except UnsafeError as exc:
            if address not in exc.message:
                exc.message = f"{address}: {exc.message}"
            raise

    return run


def _shifted(pairs: Sequence[tuple[Any, Any]], mask: Mask) -> Sequence[Any]:
    """Masks values by their subjects; a subject that is null is one like any other."""
    assert isinstance(mask, SubjectMask)
    if isinstance(pairs, Pairs) and available():
        return mask.packed_by(pairs)
    present = [(value, subject) for value, subject in pairs if value is not None]
    masked = iter(mask.mask_by([value for value, _ in present], [subject for _, subject in present]))
    return [None if value is None else next(masked) for value, _ in pairs]


def _each(values: Sequence[Any], mask: Mask) -> Sequence[Any]:
    """Masks what is not None; a block as a block where the mask knows blocks."""
    if isinstance(values, TextBlock) and isinstance(mask, BlockMask):
        return mask.packed(values)
    return _sparse(values, mask.mask)


def _sparse(values: Sequence[Any], mask: Callable[[Sequence[str]], list[str]]) -> list[Any]:
    """Masks what is not None."""
    values = list(values) if isinstance(values, TextBlock) else values
    types = set(map(type, values))
    if types == {str}:
        return mask(values)
    present = [value for value in values if value is not None]
    if not types <= {str, type(None)} and not all(isinstance(value, str) for value in present):
        raise UnsafeError("a field declared as text gave a value that is none", hint="report this as a bug")
    masked = iter(mask(present))
    return [None if value is None else next(masked) for value in values]


def _nested(values: Sequence[Any], mask: Mask) -> list[Any]:
    """Masks the strings of nested lists, all at once."""
    masked = iter(mask.mask([text for value in values for text in flat(value)]))
    return [_filled(value, masked) for value in values]


def _filled(value: Any, masked: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(masked)
    if isinstance(value, list | tuple):
        return [_filled(item, masked) for item in value]
    if value is None:
        return None
    raise UnsafeError("an array declared as text holds a value that is none", hint="report this as a bug")
