"""What lies inside what: an identity that holds another one is told once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from envclone.verifier.loose import Found

__all__ = ["outermost"]


def outermost(found: Sequence[Found]) -> list[Found]:
    """Those that lie inside no longer one of their value, in their order.

    Of two originals that cover the same the one with the smaller number counts. It takes as long as to sort them: a
    text that was not masked holds thousands.
    """
    of_values: dict[int, list[int]] = defaultdict(list)
    for index, one in enumerate(found):
        of_values[one.value].append(index)
    inside: set[int] = set()
    for those in of_values.values():
        widest = None
        # who could hold a hit comes before it
        for index in sorted(those, key=lambda i: (found[i].hit.start, -found[i].hit.end, found[i].hit.original)):
            hit = found[index].hit
            if widest is None or hit.end > widest.end:
                widest = hit
            elif hit != widest:
                inside.add(index)
    return [one for index, one in enumerate(found) if index not in inside]
