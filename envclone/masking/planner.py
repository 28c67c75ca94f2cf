"""The decisions behind `rules.plan`: one rule per field, collected together with everything that is wrong."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from envclone.address import Address, items, joined, pieces
from envclone.masking.addresses import (
    SPARSE,
    Patterns,
    below,
    canonical,
    exact,
    matches,
    meant,
    most_specific,
    specificity,
)
from envclone.masking.guesses import guess, part_of_a_name
from envclone.masking.jsonpaths import PathRules, parse_path
from envclone.masking.jsonplan import DOCUMENTS, PathClaim, plan_json
from envclone.masking.kinds import KINDS, DomainSpec, fits, resolve
from envclone.masking.proposals import Proposals
from envclone.masking.shown import general, shown_address, shown_path
from envclone.masking.views import firm, in_order, subjects
from envclone.models import Field, FieldKind, FieldRule, Held, Inventory, JsonRule

__all__ = ["Planner"]


@dataclass(frozen=True, slots=True)
class _Decision:
    domain: str
    pattern: str
    by: str = ""


class Planner:
    """Decides one store; `unsafe` and `invalid` fill up while it does."""

    def __init__(
        self,
        rules: Mapping[str, str | Mapping[str, str]],
        domains: Mapping[str, DomainSpec],
        inventory: Inventory,
    ) -> None:
        rules = canonical(rules, inventory.fields)
        self._rules = {pattern: _plain(rule) for pattern, rule in rules.items()}
        self._patterns = Patterns(self._rules)
        self._named = {pattern: _decisions(rule) for pattern, rule in rules.items()}
        self._by = {p: rule["by"] for p, rule in rules.items() if isinstance(rule, Mapping) and "by" in rule}
        self._domains = domains
        self._inventory = inventory
        self._fields = inventory.fields
        self._used: set[str] = set()
        self._claimed: dict[tuple[str, str], bool] = {}
        of_all = {
            Address.parse(field.address).holder for field in self._fields.values() if field.kind is FieldKind.VECTOR
        }
        self._proposals = Proposals(self._fields.keys() | of_all)
        self._told: set[str] = set()
        self.unsafe: list[str] = []
        """Fields and paths without a rule, rules without a field."""
        self.invalid: list[str] = []
        """Rules that contradict each other or cannot be applied."""
        self.missing: dict[str, set[str]] = {}
        """The fields that want a rule yet, each with the paths inside it; '' is the field itself."""

    def decide(self) -> dict[str, FieldRule]:
        """The rule of each field that has one."""
        self._check_domains()
        self._check_ambiguous()
        own = {address: field for address, field in self._fields.items() if not self._shows(field)}
        decided = {address: rule for address, field in own.items() if (rule := self._json_or_vector(field))}
        plain = {
            address: decision
            for address, field in own.items()
            if address not in decided and field.kind not in (FieldKind.JSON, FieldKind.VECTOR)
            if (decision := self._plain_field(field))
        }
        self._groups(plain)
        for address, decision in plain.items():
            field = self._fields[address]
            kind = self._kind(decision.domain)
            derived = field.generated or kind == "sql" or (field.base == "tsvector" and kind == "text")
            by = self._subject(field, decision)
            decided[address] = FieldRule(
                address, field.kind, decision.domain, (), field.base, by, derived, field.partitioning
            )
            if not field.generated:
                self._check_fit(field, decision.domain)
                self._check_whole(field, field.address, decision.domain)
                self._check_held(field, decision)
        for field in in_order([field for a, field in self._fields.items() if a not in own]):
            self._follow(field, decided)
        self._check_undeclared(decided)
        self._check_unmatched()
        return decided

    def _shows(self, field: Field) -> bool:
        """Whether a materialized view's column has the rule of the column that it shows.

        A rule of its own name is firmer, and so is a mask for this view's columns; what says no more than to keep
        everything yields, as it does to a key's mask.
        """
        base = self._fields.get(field.shows)
        if base is None or base.generated:
            return False
        found = [p for p in self._rules if matches(p, field) or below(p, field) is not None]
        self._used.update(p for p in found if matches(p, field))
        return not any(firm(p, field) and (exact(p) or self._kind(self._rules[p]) != "keep") for p in found)

    def _follow(self, field: Field, decided: dict[str, FieldRule]) -> None:
        """The rule of the column that a materialized view's shows."""
        rule = decided.get(field.shows)
        if rule is None:
            self._told.add(field.address)  # that column is told, or this one has not been decided for the same reason
            return
        if self._kind(rule.domain) == "sql":
            return  # the hook writes a table's column, and the view's still has what was there
        if rule.kind is FieldKind.JSON:  # its documents can have paths that the table's no longer have
            base = self._fields[field.shows]
            seen = replace(field, address=base.address, nullable=base.nullable) if field.paths else base
            rule = self._json(seen) or rule
        by, lacking = subjects(rule, field, self._fields)
        self.invalid += [
            f"{field.address}: {field.shows}, which it shows, is masked by {one}, which the view lacks: it wants "
            "a rule of its own"
            for one in lacking
        ]
        self._check_fit(field, rule.domain)
        decided[field.address] = replace(rule, address=field.address, by=by)

    def hint(self) -> str | None:
        """The YAML to add; None when nothing is missing."""
        return self._proposals.hint(self._inventory.store)

    # --- single fields ------------------------------------------------------------------------------------------

    def _whole(self, field: Field, apart: Collection[str] = ()) -> tuple[str, str | Mapping[str, str]] | None:
        """The most specific rule about the whole field, but for those that are `apart`."""
        found = [p for p in self._patterns.about(field) if p not in apart and self._about(p, field)]
        self._used.update(found)
        if not found:
            return None
        best = most_specific(found)
        if any(self._rules[p] != self._rules[best[0]] for p in best):
            self.invalid.append(f"{field.address}: the rules {_list(best)} are equally specific and differ")
        return best[0], self._rules[best[0]]

    def _json_or_vector(self, field: Field) -> FieldRule | None:
        if field.kind is FieldKind.VECTOR:
            return self._vector(field)
        if field.kind is FieldKind.JSON or (field.kind is FieldKind.TEXT and self._is_document(field)):
            return self._json(field)
        return None

    def _is_document(self, field: Field) -> bool:
        """Whether a rule gives JSON paths for a text: its values are documents then, or no image is made."""
        found = most_specific([p for p in self._patterns.about(field) if self._about(p, field)])
        return any(isinstance(self._rules[p], Mapping) for p in found) and not field.generated and not field.group

    def _vector(self, field: Field) -> FieldRule | None:
        whole = self._whole(field)
        if whole is None:
            return None
        if whole[1] != "keep" and self._kind(whole[1]) != "keep":
            what = "the ids of points" if field.holds else "vectors"
            dropping = "; to drop them is not built yet: leave the collection out" if whole[1] == "drop" else ""
            self.invalid.append(f"{field.address}: {what} can only be kept; the rule says otherwise{dropping}")
        return FieldRule(field.address, field.kind, "keep")

    def _check_held(self, field: Field, decision: _Decision) -> None:
        """What is not kept by a pattern with `*`, kept by one."""
        if field.holds and self._kind(decision.domain) == "keep" and not exact(decision.pattern):
            self._ask(field, field.holds[0])

    def _check_held_paths(self, field: Field, rules: Sequence[JsonRule], firm: Collection[str]) -> None:
        """The same for what stands at paths of a row's document; `firm` are the paths that a rule names."""
        decide = PathRules(rules)
        for held in field.holds:
            rule = decide.decide(parse_path(held.path or "$"))
            if rule is None or (self._kind(rule.domain) == "keep" and held.path not in firm):
                self._ask(field, held)
            elif held.what == "vectors" and self._kind(rule.domain) not in ("keep", "null"):
                self.invalid.append(f"{field.address}: the vectors at {held.path} can be kept or set to null, only")

    def _ask(self, field: Field, held: Held) -> None:
        where = f"the path {held.path}" if held.path else field.type
        self.unsafe.append(f"{field.address} ({where}) is undeclared; {_HELD[held.what]}")
        self._told.add(field.address)
        self.missing.setdefault(field.address, set()).add(held.path)
        self._proposals.field(field.address, f"{{{held.what}: keep}}")

    def _json(self, field: Field) -> FieldRule | None:
        named = self._named_paths(field)
        whole = self._whole(field, [pattern for pattern, only in named.items() if only])
        if field.generated:
            return FieldRule(field.address, field.kind, "keep", derived=True)
        vectors = {p for f in self._vectors for p in self._patterns.about(f) if self._about(p, f)}
        claims = [
            PathClaim(path, domain, pattern)
            for pattern, domain in self._rules.items()
            if pattern not in vectors and (path := below(pattern, field)) is not None and isinstance(domain, str)
        ]
        if whole and isinstance(whole[1], Mapping):
            claims += [PathClaim(path, domain, whole[0]) for path, domain in whole[1].items()]
        word = whole[1] if whole and isinstance(whole[1], str) else None
        firm = {claim.path for claim in claims if exact(claim.pattern)}
        if word is not None and whole is not None and exact(whole[0]):
            firm.update(held.path for held in field.holds)
        for pattern in named:
            paths = [held.path for held in field.holds if held.what in self._named[pattern]]
            claims += [PathClaim(path, "keep", pattern) for path in paths if path not in firm]
            firm.update(paths)
        row = "" if field.base in DOCUMENTS else field.base
        if word is not None and not claims:
            self._check_fit(field, word)
            self._check_held_paths(field, [JsonRule("$.**", word)], firm)
            by = ""
            if whole is not None and self._kind(word) == "setting":
                by = self._subject(field, _Decision(word, whole[0], self._by.get(whole[0], "")))
            return FieldRule(field.address, field.kind, word, base=row, by=by)
        # no document was seen, or the paths in a text were not collected: one without a rule is found when it is masked
        unseen = not field.paths or field.kind is FieldKind.TEXT or self._empty(field.address)
        planned = plan_json(field, word, claims, empty=unseen)
        self.invalid += planned.invalid
        for claim, hit in planned.claimed.items():
            key = (claim.pattern, claim.path)
            self._claimed[key] = self._claimed.get(key, False) or hit
        if planned.missing:
            self._told.add(field.address)
        for path, domain in planned.missing.items():
            shape = general(path, field.common)
            self.missing.setdefault(field.address, set()).add(shape)
            self._proposals.path(field.address, shape, domain)
        for shown, count in Counter(shown_path(path, field.common) for path in planned.missing).items():
            many = f" ({count} of its form)" if count > 1 else ""
            self.unsafe.append(f"{field.address}: the path {shown} is undeclared{many}")
        for rule in planned.rules:
            self._check_whole(field, rule.path, rule.domain)
            if self._kind(rule.domain) == "setting":
                self.invalid.append(f"{field.address}: `setting` is for the whole of a column, not for {rule.path}")
        if not planned.rules and not planned.missing:
            return None
        self._check_held_paths(field, planned.rules, firm)
        return FieldRule(field.address, FieldKind.JSON, "keep", planned.rules, row)

    def _named_paths(self, field: Field) -> dict[str, bool]:
        """The patterns that decide on what a row holds, and whether they say nothing else of it."""
        if not any(held.path for held in field.holds):
            return {}
        found = {
            pattern: self._rules[pattern] == "keep"
            for pattern, named in self._named.items()
            if named and exact(pattern) and self._about(pattern, field)
        }
        self._used.update(found)
        return found

    def _plain_field(self, field: Field) -> _Decision | None:
        whole = self._whole(field)
        if whole is None:
            return _Decision("keep", "") if field.generated else None
        pattern, domain = whole
        if not isinstance(domain, str):
            self.invalid.append(f"{field.address}: the rule gives JSON paths, but the field is {field.type}")
            self._told.add(field.address)
            return None
        if field.generated:
            if exact(pattern) and self._kind(domain) != "keep":
                self.invalid.append(
                    f"{field.address}: a generated column follows its sources; the rule can only be keep"
                )
            return _Decision("keep", "")
        return _Decision(domain, pattern, self._by.get(pattern, ""))

    def _subject(self, field: Field, decision: _Decision) -> str:
        """The address of the column that a rule's `by` names."""
        spec = resolve(decision.domain, self._domains)
        if not decision.by:
            if spec is not None and spec.kind == "setting":
                self.invalid.append(f"{field.address}: settings are masked by their keys: name the column, `by: key`")
            return ""
        holder = Address.parse(field.address).holder
        if spec is not None and spec.kind == "hook":
            return self._read_by_hook(field, holder, decision)
        found = self._beside(holder, decision.by)
        if len(found) > 1:
            self.invalid.append(f"{field.address}: `by: {decision.by}` can mean {' or '.join(found)}: quote it so")
        subject = found[0] if found else joined(holder, decision.by)
        if field.base == "tsvector" and spec is not None and spec.kind == "text" and subject in self._fields:
            return subject
        if spec is not None and not KINDS[spec.kind].shifts:
            why = f"the domain '{decision.domain}' has no use for it"
            self.invalid.append(f"{field.address}: `by` is for dates and settings; {why}")
        elif not found:
            self.invalid.append(f"{field.address}: there is no column '{decision.by}' beside it")
        elif field.kind is FieldKind.ARRAY or self._fields[subject].kind in (FieldKind.JSON, FieldKind.VECTOR):
            self.invalid.append(f"{field.address}: `by` works on single values and names a column with single values")
        return subject

    def _read_by_hook(self, field: Field, holder: str, decision: _Decision) -> str:
        """The addresses of the columns that a hook reads beside its own, with commas between them."""
        apart = [self._beside(holder, name) for name in items(decision.by)]
        whole = self._beside(holder, decision.by) if len(apart) > 1 else []
        if (whole and all(apart)) or any(len(found) > 1 for found in apart):
            options = " or ".join([*whole, ", ".join(address for found in apart for address in found)])
            self.invalid.append(f"{field.address}: `by: {decision.by}` can mean {options}: quote it so")
        addresses = whole or [found[0] for found in apart if found]
        for name, found in zip(items(decision.by), apart, strict=True):
            if not whole and not found:
                self.invalid.append(f"{field.address}: there is no column '{name}' for the hook to read")
        if field.kind not in (FieldKind.TEXT, FieldKind.OTHER):
            self.invalid.append(f"{field.address}: a hook that reads other columns writes one of single values")
        return ",".join(addresses)

    def _beside(self, holder: str, said: str) -> list[str]:
        """The columns of this table that a name, or an address, can mean."""
        alone = joined(holder, said)
        found = [alone] if alone in self._fields else []
        its = joined(holder, Address.parse(said).name) if len(Address.parse(said).parts) == 1 else said
        found += [address for address in meant(its, self._fields) if Address.parse(address).holder == holder]
        return list(dict.fromkeys(found))

    def _check_whole(self, field: Field, place: str, domain: str) -> None:
        """Whether a name that has to be a whole person's is one, as far as its column or key tells."""
        whole = any(spec.consistency == "person" for spec in self._domains.values())
        if whole and self._kind(domain) == "person" and part_of_a_name(place):
            at = field.address if place == field.address else f"{field.address} {shown_path(place, field.common)}"
            self.invalid.append(
                f"{at}: holds a part of a name, but `consistency: person` needs whole ones: `redact` it, or take "
                "`consistency: name`"
            )

    # --- groups -------------------------------------------------------------------------------------------------

    def _groups(self, plain: dict[str, _Decision]) -> None:
        """Fields tied by foreign keys get one decision; a keep from a rule with `*` yields to a mask.

        A keep goes only to a field whose values are enforced to be those of a kept one: anybody who may refer to a
        kept column could else have another one published by a key that the engine never checked.
        """
        groups = {field.group | {address} for address, field in self._fields.items() if field.group}
        for group in sorted(groups, key=sorted):
            members = sorted(a for a in group if a in self._fields and not self._fields[a].generated)
            own = {address: plain[address] for address in members if address in plain}
            if not own:
                continue
            masks = {a: d for a, d in own.items() if self._kind(d.domain) != "keep"}
            firm = masks | {a: d for a, d in own.items() if exact(d.pattern) or not masks}
            if len({self._kind(d.domain) for d in firm.values()}) > 1:
                said = _list([f"{a}: {d.domain}" for a, d in sorted(firm.items())])
                self.invalid.append(f"columns tied by foreign keys need one rule, but there are {said}")
                self._told.update(members)
                continue
            chosen = min(firm.values(), key=lambda d: (specificity(d.pattern), d.domain))
            for address in members:
                proven = address in own or self._fields[address].proven & own.keys()
                if not proven and self._kind(chosen.domain) == "keep":
                    continue
                if address not in own or self._kind(own[address].domain) != self._kind(chosen.domain):
                    plain[address] = chosen

    # --- checks -------------------------------------------------------------------------------------------------

    def _check_ambiguous(self) -> None:
        """Rules whose address, without quotes, can mean several fields or paths."""
        for pattern in self._rules:
            if pattern in self._fields or not exact(pattern):
                continue
            whole = meant(pattern, self._fields)
            inside = [a for a, field in self._fields.items() if below(pattern, field) is not None]
            if len(whole) + len(inside) > 1 and any('"' in address for address in (*whole, *inside)):
                options = [*whole, *(f"a path in {address}" for address in inside)]
                self.invalid.append(f"the rule '{shown_address(pattern)}' can mean {' or '.join(options)}: quote it so")

    def _about(self, pattern: str, field: Field) -> bool:
        """Whether a rule is about the whole field; one that is another field's address as it is written is not."""
        if not matches(pattern, field):
            return False
        longer = len(pieces(pattern)) > len(Address.parse(field.address).parts)
        return pattern == field.address or not longer or pattern not in self._fields

    def _check_domains(self) -> None:
        for pattern, rule in self._rules.items():
            for domain in [rule] if isinstance(rule, str) else rule.values():
                if resolve(domain, self._domains) is None and domain != "drop":
                    self.invalid.append(f"{shown_address(pattern)}: there is no domain '{domain}'")
        for name, spec in self._domains.items():
            kind = KINDS.get(spec.kind)
            if spec.unique and kind is not None and not kind.injective:
                self.invalid.append(f"domain '{name}': unique is impossible, for {spec.kind} makes equal what differs")

    def _check_fit(self, field: Field, domain: str) -> None:
        spec = resolve(domain, self._domains)
        if domain == "drop" and spec is None:
            self.invalid.append(f"{field.address}: there is nothing to drop in {field.type}; `null` removes its values")
        if spec is None:
            return
        kind = KINDS[spec.kind]
        if field.partitioning and spec.kind not in ("keep", "sql"):
            self.invalid.append(
                f"{field.address}: a part of the partition key, and no mask can move rows to another partition: `keep`"
            )
            return
        if not fits(spec.kind, field):
            other = ", ".join(
                sorted(
                    k
                    for k in KINDS
                    if k not in ("keep", "null", "constant", "setting", "hook", "sql") and fits(k, field)
                )
            )
            self.invalid.append(
                f"{field.address}: the domain '{domain}' cannot mask {field.type}: "
                f"only {other + ', ' if other else ''}a constant, keep or null"
            )
        if spec.kind == "null" and not field.nullable:
            self.invalid.append(f"{field.address}: null is impossible, the field is NOT NULL")
        if field.unique and not kind.injective:
            self.invalid.append(
                f"{field.address}: values are unique, but the domain '{domain}' can make equal what differs"
            )

    def _check_undeclared(self, decided: Mapping[str, FieldRule]) -> None:
        told: set[str] = set()
        for address, field in self._fields.items():
            if address in decided or address in told or field.generated:
                continue
            if address in self._told:
                continue
            tied = sorted((field.group - {address}) & (self._fields.keys() - decided.keys()))
            told.update(tied)
            for one in (address, *tied):
                self.missing.setdefault(one, set()).add("")
            also = f", and with it {_list(tied)}" if tied else ""
            held = field.holds[0].what if field.holds else "vectors" if field.kind is FieldKind.VECTOR else ""
            held = SPARSE if field.type == SPARSE else held
            held = held or ("computed" if field.computed else "")
            self.unsafe.append(f"{address} ({field.type}) is undeclared{also}{'; ' + _HELD[held] if held else ''}")
            vector = field.kind is FieldKind.VECTOR and held != "ids"
            self._proposals.field(address, "{vectors: keep}" if vector else guess(field))

    def _check_unmatched(self) -> None:
        hit = {pattern for (pattern, _), matched in self._claimed.items() if matched}
        for number, (pattern, rule) in enumerate(self._rules.items(), 1):
            if pattern in hit and isinstance(rule, str):
                continue
            if pattern in self._used:
                if isinstance(rule, Mapping):
                    self.unsafe += [
                        f"{shown_address(pattern)}: the path {_placed(shown_path(path), path, place)} matches nothing"
                        for place, path in enumerate(rule, 1)
                        if self._claimed.get((pattern, path)) is False
                    ]
                continue
            close = difflib.get_close_matches(pattern, self._fields, n=1, cutoff=0.8)
            vector = any(
                pattern.rpartition(".")[2] == "*" and f.address.startswith(pattern[:-1]) for f in self._vectors
            )
            hint = f" (did you mean {close[0]}?)" if close and not pattern.startswith(f"{close[0]}.") else ""
            reason = " but vectors, which are to be named" if vector else hint
            said = _placed(f"'{shown_address(pattern)}'", f"'{pattern}'", number)
            self.unsafe.append(f"the rule {said} matches nothing{reason}")

    # --- small things -------------------------------------------------------------------------------------------

    @property
    def _vectors(self) -> Sequence[Field]:
        return [field for field in self._fields.values() if field.kind is FieldKind.VECTOR]

    def _kind(self, domain: object) -> str:
        spec = resolve(domain, self._domains) if isinstance(domain, str) else None
        return spec.kind if spec else str(domain)

    def _empty(self, address: str) -> bool:
        holders = [name for name in self._inventory.rows if address == name or address.startswith(f"{name}.")]
        return bool(holders) and self._inventory.rows[max(holders, key=len)] == 0


_HELD = {
    "vectors": "vectors are kept only when a rule names them: {vectors: keep}",
    "words": "the words of a text search are kept only when a rule names them: {words: keep}",
    "ids": "the ids of points can be somebody's number, and are kept only when a rule names them",
    "computed": "this column of a materialized view is computed, so no other column's rule is its own",
    SPARSE: "its indices are hashes of words, which a dictionary reads back: kept only when a rule names it alone",
}
"""What must be decided in writing, and why."""
_NAMED = frozenset(("vectors", "words"))
"""What a rule can say in a mapping: `{vectors: keep}`."""


def _plain(rule: str | Mapping[str, str]) -> str | Mapping[str, str]:
    """A rule without what it decides by name; nothing else left is to keep."""
    if isinstance(rule, str):
        return rule
    if "domain" in rule:
        return rule["domain"]
    return {path: domain for path, domain in rule.items() if path not in _NAMED} or "keep"


def _decisions(rule: str | Mapping[str, str]) -> frozenset[str]:
    """What a rule keeps by name."""
    return frozenset() if isinstance(rule, str) else frozenset(_NAMED & rule.keys())


def _placed(shown: str, written: str, number: int) -> str:
    """What is shown of something in the stack file, with its number where that is not what is written there."""
    return shown if shown == written else f"{shown} (number {number} there)"


def _list(items: Sequence[str]) -> str:
    return ", ".join(items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")
