"""What the search of fields found: counts for the attestation, leaks, and what the search of bytes goes on with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envclone.verifier.coincidences import Coincidences
from envclone.verifier.compounds import Compounds
from envclone.verifier.findings import Findings
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.subjects import Subjects

if TYPE_CHECKING:
    from envclone.masking.nobody import Nobody

__all__ = ["FieldFindings"]


@dataclass(slots=True)
class FieldFindings:
    """The originals, and the `coincidences`: proven values in which one stands although nobody put it there.

    `by_field` counts them per field. `rows` are those of each store's tables, `differences` what is not as the masks
    make it. `search` finds originals in texts, `weak` and `compounds` what the `subjects` are called; they are large.
    """

    originals: Originals = field(default_factory=Originals)
    coincidences: Coincidences = field(default_factory=Coincidences)
    by_field: Counter[str] = field(default_factory=Counter)
    search: LooseSearch | None = None
    weak: LooseSearch | None = None
    compounds: Compounds | None = None
    subjects: Subjects | None = None
    spared: Nobody | None = None
    nobody: defaultdict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))
    values: int = 0
    rows: dict[str, Mapping[str, int]] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    leaks: Findings = field(default_factory=Findings)

    def summary(self) -> dict[str, Any]:
        """What the attestation says of it: counts only."""
        return {
            "originals": len(self.originals),
            "values_searched": self.values,
            "coincidences": dict(self.by_field),
            "nobody": self._nobody(),
        }

    def _nobody(self) -> list[dict[str, Any]]:
        """Per place and kind how many values were nobody's, and which: those of the stack file by their shape."""
        if self.spared is None:
            return []
        return [
            {"field": place, "kind": kind, "count": count, "values": shown}
            for place, found in sorted(self.nobody.items())
            for kind, count, shown in self.spared.told(found)
        ]
