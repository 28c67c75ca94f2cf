"""What scan looks at and what it says: sampled values, what is known of their table, and a rule to propose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Holder", "Proposal", "Sample"]

_SURE = 0.65
"""Below that a person should look at a proposal."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some values at one path: texts, and numbers as they are spelled; `whole` when these are all that there are."""

    texts: Sequence[str] = ()
    numbers: Sequence[str] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """What is known of the table that a field stands in.

    `lookup`: a few rows that others refer to. `personal`: another of its columns is a person's without doubt.
    `refers`: the addresses of its fields that hold keys of such rows, though no foreign key says so. `tokened`:
    one of its columns is called a token, so that its `id` lets nobody in. `halves`: the addresses of a given and a
    family name that are called so only beside each other (`first`, `last`). `secrets`: the addresses of values of
    settings, all of whose keys tell of a password or a token (`smtp_password`); `settings` those where some do, each
    with the name of the column of the keys.
    """

    lookup: bool = False
    personal: bool = False
    refers: frozenset[str] = frozenset()
    tokened: bool = False
    halves: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule to propose: `path` is a JSON path inside the field, or ''; `shape` is the outline of one value.

    The domain `decide` is none: what nothing can look into is for a person to decide. `named` says what the rule keeps
    by name (`vectors`, `words`, `ids`), which is a decision too; `preset` the preset whose rule it is. `by` is the
    column beside it whose value decides, for the domain `setting`.
    """

    address: str
    path: str
    type: str
    domain: str
    confidence: float
    why: str
    shape: str
    named: str = ""
    base: str = ""
    preset: str = ""
    by: str = ""

    @property
    def weak(self) -> bool:
        """Whether a person should look at it."""
        return self.confidence < _SURE

    @property
    def personal(self) -> bool:
        """Whether the field is taken for one that holds personal data."""
        return self.domain != "keep"
