"""A second opinion on values that nothing else recognizes: Presidio's recognizers that need no language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from envclone.extras import has
from envclone.masking.presidio import KINDS, patterns_only
from envclone.scan.values import Looks

__all__ = ["second_opinion"]

_MOST = 40
_PART = 0.5
_SURE = 0.4


def second_opinion(samples: Mapping[str, Sequence[str]], name: str) -> Mapping[str, Looks]:
    """What Presidio finds in most of some values, by path; `name` is the field's, which it takes as context.

    Nothing where the extra `presidio` is not installed.
    """
    if not has("presidio_analyzer"):
        return {}
    analyzer = patterns_only()
    context = [part for part in name.lower().replace("_", " ").replace(".", " ").split() if len(part) > 1]
    found: dict[str, Looks] = {}
    for path, values in samples.items():
        some = [value for value in values if value.strip()][:_MOST]
        kinds: Counter[str] = Counter()
        for value in some:
            results = analyzer.analyze(value[:500], language="en", context=context, score_threshold=_SURE)
            kinds.update({KINDS[one.entity_type] for one in results if one.entity_type in KINDS and _whole(one, value)})
        if kinds:
            kind, count = kinds.most_common(1)[0]
            if count / len(some) >= _PART:
                found[path] = Looks(kind, count / len(some), f"Presidio takes {count} of {len(some)} for {kind}")
    return found


def _whole(one: object, value: str) -> bool:
    start, end = getattr(one, "start", 0), getattr(one, "end", 0)
    return end - start >= 0.8 * len(value.strip())
