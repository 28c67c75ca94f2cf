"""From the rules of a stack file to a decision for every field of a store; what is not decided is an error.

A rule's address is `schema.table.column` or `collection.path`, where `*` stands for any part of a name. The rule with
the fewest `*` decides, then the narrower one. Below a JSON field the address goes on as a path inside its documents:
`articles.author.email` is `$.author.email` of `articles`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from envclone.errors import ConfigError, UnsafeError
from envclone.masking.dictionary import dictionary_digest
from envclone.masking.kinds import DomainSpec
from envclone.models import Inventory, StorePlan

__all__ = ["MASKING_VERSION", "DomainSpec", "digest", "plan"]

MASKING_VERSION = 3
"""Changes whenever the same key, rules and values give other pseudonyms."""

Rules = Mapping[str, str | Mapping[str, str]]
"""Address to domain, or to a domain per JSON path."""


def plan(rules: Rules, domains: Mapping[str, DomainSpec], inventory: Inventory) -> StorePlan:
    """The rule of every field of a store.

    Raises UnsafeError with all problems when a field or JSON path is undeclared or a rule matches nothing; ConfigError
    with all problems when rules only contradict each other or cannot be applied. The hint is the YAML to add.
    """
    from envclone.masking.planner import Planner  # who asks for the digest alone does not wait for it

    planner = Planner(rules, domains, inventory)
    decided = planner.decide()
    found = len(planner.unsafe) + len(planner.invalid)
    if not found:
        return StorePlan(inventory.store, decided)
    what = f"the rules of store '{inventory.store}' have {found} problem{'s' if found > 1 else ''}"
    error = UnsafeError if planner.unsafe else ConfigError
    raise error(what, problems=[*planner.unsafe, *planner.invalid], hint=planner.hint())


def digest(
    rules: Mapping[str, Rules],
    domains: Mapping[str, DomainSpec],
    references: Sequence[str] = (),
    hooks: Mapping[str, str] | None = None,
    net: str = "",
    nobody: str = "",
    presets: str = "",
) -> str:
    """32 hex digits of everything but key and data that decides what values become; the order of rules does not.

    `hooks` are the digests of the hooks' files, in their order; `net` is the version of the extra net, `nobody`
    the digest of the values that are nobody's, `presets` tells the presets and what they say.
    """
    document = {
        "masking": MASKING_VERSION,
        "unicode": unicodedata.unidata_version,
        "names": dictionary_digest(),
        "domains": {name: [spec.kind, spec.unique, spec.value, spec.consistency] for name, spec in domains.items()},
        "references": sorted(references),
        "hooks": dict(hooks or {}),
        "net": net,
        "nobody": nobody,
        "presets": presets,
        "rules": {
            store: {address: rule if isinstance(rule, str) else dict(rule) for address, rule in its_rules.items()}
            for store, its_rules in rules.items()
        },
    }
    return blake2b(
        json.dumps(document | {"hook order": list(hooks or {})}, sort_keys=True).encode(), digest_size=16
    ).hexdigest()
