"""What the search of fields would find in some rows of the stores: it is run on them, before there is any clone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from envclone.masking.jsonpaths import PathRules
from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.packed import Columns, pack
from envclone.verifier.compounds import Compounds
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import Accepted, Findings
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.people import People
from envclone.verifier.reports import Reports, Seen

if TYPE_CHECKING:
    from envclone.masking.kinds import DomainSpec
    from envclone.masking.nobody import Nobody
    from envclone.protocols import FieldMask

__all__ = ["Leak", "SomeRows", "foresee"]


_TEXTS = ("text", "json")
_BLANK = re.compile(r"\s").search


class Leak(NamedTuple):
    """One finding in what a rule leaves: where, of which kind and source, what it is, how often."""

    store: str
    address: str
    source: str
    kind: str
    what: str
    seen: Seen


class SomeRows(NamedTuple):
    """Some rows of a store, and which of its fields refer to which."""

    rows: Sequence[Rows]
    references: Sequence[tuple[str, str]]
    texts: Set[str]
    """The fields of texts, which are read packed as a session gives them."""

    def links(self) -> Sequence[tuple[str, str]]:
        """Which field refers to which."""
        return self.references

    def columns(self, addresses: Set[str]) -> Iterator[Columns]:
        """The values of fields by column."""
        for rows in self.rows:
            its = {address: values for address, values in rows.fields.items() if address in addresses}
            if its:
                packed = {a: pack(list(values)) for a, values in its.items() if a in self.texts}
                others = {a: values for a, values in its.items() if a not in packed}
                yield Columns(rows.table, pack(list(rows.places)), packed, others)


def foresee(
    stores: Mapping[str, SomeRows],
    plans: Mapping[str, StorePlan],
    domains: Mapping[str, DomainSpec],
    nobody: Nobody | None = None,
    *,
    references: Sequence[str] = (),
    accepted: Iterable[Accepted] = (),
    masks: Callable[[FieldRule], FieldMask] | None = None,
) -> list[Leak]:
    """What the search would find in the kept fields of these rows, were there no others.

    With `masks` texts are masked by them, and looked at as well. Left out are what the store computes, and what masks
    make of values by chance.
    """
    findings = FieldFindings(leaks=Findings(accepted), spared=nobody)
    people = People(stores, plans, domains, references, findings.originals, findings.spared, findings.nobody)
    parts = Originals.parts(people.collect())
    findings.originals.seal()
    search, weak = LooseSearch(findings.originals), LooseSearch(parts)
    compounds = Compounds(people.subjects, parts, findings.originals)
    found: list[Leak] = []
    for store, its in stores.items():
        plan = plans[store]
        noted = _Noted(store, plan, search, findings, found)
        looker = Looker(store, plan, search, weak, compounds, people, findings, noted)
        made = {a: _made(rule) if masks is None else _as_masked(rule, masks) for a, rule in plan.masked.items()}
        for rows in its.rows:
            fields = {a: values for a, values in rows.fields.items() if _is_searched(plan.rules.get(a))}
            if fields:
                masked = {a: made[a](values) for a, values in fields.items() if a in made}
                looker.rows(replace(rows, fields=fields), masked)
        looker.take(looker.found())
        looker.judge()
    return found


class _Noted(Reports):
    """Notes findings where others are reported."""

    def __init__(
        self, store: str, plan: StorePlan, search: LooseSearch, findings: FieldFindings, noted: list[Leak]
    ) -> None:
        super().__init__(store, plan, search, findings)
        self._noted = noted

    def report(self, address: str, source: str, kind: str, what: str, one: Seen) -> None:
        """Note what the stack file does not accept."""
        if not self._findings.leaks.accepts(f"{self._store}.{address}", kind, one.times):
            self._noted.append(Leak(self._store, address, source, kind, what, one))


def _is_searched(rule: FieldRule | None) -> bool:
    """Whether a field is there to be looked at: decided, and neither computed nor masked by another one."""
    return rule is not None and not rule.derived and not rule.by


def _finds_people(rule: FieldRule) -> bool:
    """Whether a rule's mask replaces whom it finds in texts, and nothing else."""
    if rule.kind is FieldKind.TEXT:
        return rule.domain in _TEXTS
    return rule.kind is FieldKind.JSON and bool(rule.json) and all(one.domain in (*_TEXTS, "keep") for one in rule.json)


def _as_masked(rule: FieldRule, masks: Callable[[FieldRule], FieldMask]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What a mask leaves of texts, in documents beside what other masks take away."""
    if _finds_people(rule):
        return masks(rule)
    if rule.kind is FieldKind.JSON and any(one.domain in _TEXTS for one in rule.json):
        mask, left = masks(rule), _made(rule, texts=True)
        return lambda values: left(mask(values))
    return _made(rule)


def _made(rule: FieldRule, *, texts: bool = False) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What stands for a masked field's values: nothing, or documents of which what is kept is left.

    Of texts single words stay, which can be keys: their mask finds people, and no keys. With `texts` all of what is
    masked as texts stays in documents.
    """
    if rule.kind is FieldKind.TEXT and rule.domain == "text":
        return lambda values: [
            value if isinstance(value, str) and value and not _BLANK(value) else None for value in values
        ]
    if rule.kind is not FieldKind.JSON:
        return lambda values: [None] * len(values)
    rules, otherwise = PathRules(rule.json), rule.domain != "keep"

    def left(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {
                f"{i}" if rules.decide_key((*path, f".{key}")) else key: left(item, (*path, f".{key}"))
                for i, (key, item) in enumerate(value.items())
            }
        if isinstance(value, list):
            return [left(item, (*path, "[*]")) for item in value]
        decided = rules.decide(path)
        gone = otherwise if decided is None else decided.domain not in (("keep", *_TEXTS) if texts else ("keep",))
        return None if gone else value

    def documents(values: Sequence[Any]) -> Sequence[Any]:
        return [_document(value, left) for value in values]

    return documents


def _document(value: Any, left: Callable[[Any, tuple[str, ...]], Any]) -> str | None:
    try:
        return json.dumps(left(json.loads(value), ()), ensure_ascii=False)
    except (TypeError, ValueError):  # no document, or none in this form: masked as a whole
        return None
