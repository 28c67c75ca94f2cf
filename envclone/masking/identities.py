"""The identities in a batch of a field's values: what the corpus collects, and what the verifier looks for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.masking.jsontext import JsonMasker
from envclone.masking.kinds import IDENTITIES, DomainSpec, flat, json_rules, kind_of
from envclone.masking.meant import UNSAID
from envclone.masking.nobody import Nobody, nobodys
from envclone.models import FieldKind, FieldRule

__all__ = ["identities", "names", "owned"]


def names(rule: FieldRule, domains: Mapping[str, DomainSpec]) -> bool:
    """Whether a masked field may name somebody: its kind says so, it is JSON, or its rule says nothing of it."""
    kind = kind_of(rule.domain, domains)
    unsaid = kind in UNSAID and rule.kind in (FieldKind.TEXT, FieldKind.ARRAY)
    return rule.kind is FieldKind.JSON or kind in IDENTITIES or unsaid


def identities(
    rule: FieldRule,
    domains: Mapping[str, DomainSpec],
    values: Sequence[Any],
    *,
    every: bool = False,
    nobody: Nobody | None = None,
    spared: Counter[tuple[str, str]] | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """Per kind of domain the strings that a batch of values holds under this rule.

    Only identities and what may be one (`masking.meant`), or with `every` whatever is masked, numbers as they are
    spelled. What is `nobody`'s is left out, and counted in `spared` by kind and value. `values` are as the rule's
    FieldKind says; None is passed over. Raises UnsafeError for a JSON leaf without a rule.
    """
    for kind, strings, _ in owned(rule, domains, values, every=every, nobody=nobody, spared=spared):
        yield kind, strings


def owned(
    rule: FieldRule,
    domains: Mapping[str, DomainSpec],
    values: Sequence[Any],
    *,
    every: bool = False,
    nobody: Nobody | None = None,
    spared: Counter[tuple[str, str]] | None = None,
) -> Iterator[tuple[str, list[str], list[int]]]:
    """The same, and the place among `values` of the one that holds each string."""
    found: dict[str, tuple[list[str], list[int]]] = defaultdict(lambda: ([], []))
    kind = kind_of(rule.domain, domains)
    if rule.kind is FieldKind.JSON and rule.domain not in ("null",):
        kinds: dict[str, str] = {}
        for its_rule, its, whose in JsonMasker(json_rules(rule, kind), lambda _: None, rule.address).found(values):
            its_kind = kinds.get(its_rule.domain) or kinds.setdefault(
                its_rule.domain, kind_of(its_rule.domain, domains)
            )
            strings, places = found[its_kind]
            strings += its
            places += whose
    else:
        strings, places = found[kind]
        for place, value in enumerate(values):
            its = list(flat(value)) if isinstance(value, str | list) else _plain(value)
            strings += its
            places += [place] * len(its)
    for kind, (strings, places) in found.items():
        if strings and kind != "keep" and (every or kind in IDENTITIES or kind in UNSAID):
            if nobody is not None:
                among = nobodys(nobody, kind, strings)
                if among and spared is not None:
                    spared.update((kind, value) for value in strings if value in among)
                if among:
                    there = [i for i, value in enumerate(strings) if value not in among]
                    strings, places = [strings[i] for i in there], [places[i] for i in there]
            yield kind, strings, places


def _plain(value: Any) -> list[str]:
    return [] if value is None else [str(value)]
