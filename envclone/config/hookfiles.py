"""The files of hooks that rules name; who only asks that does not wait for the hooks."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["files_in"]

Rules = Mapping[str, str | Mapping[str, str]]


def files_in(rules: Mapping[str, Rules]) -> list[str]:
    """The files that rules name."""
    found: dict[str, None] = {}
    for its_rules in rules.values():
        for rule in its_rules.values():
            for domain in [rule] if isinstance(rule, str) else rule.values():
                kind, _, rest = domain.partition(":")
                if kind in ("python", "exec"):
                    found[rest.rpartition(":")[0]] = None
                elif kind == "sql":
                    found[rest] = None
    return list(found)
