"""Changes of a text: put in order, kept apart, and made."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["apart", "applied"]

Edit = tuple[int, int, str]


def apart(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """The edits in order, the leftmost and longest first; what another one leaves of an edit is overwritten.

    Two edits of one place are two readings of it, and what either found has to go; of equal places the last one counts,
    which was read deeper.
    """
    out: list[Edit] = []
    position = 0
    for start, end, new in _ordered(edits):
        if start >= position:
            out.append((start, end, new))
        elif end > position:
            out.append((position, end, _overwritten(text[position:end])))
        position = max(position, end)
    return out


def applied(text: str, edits: Sequence[Edit]) -> str:
    """The text with edits made that are in order and apart."""
    out: list[str] = []
    position = 0
    for start, end, new in edits:
        out += [text[position:start], new]
        position = end
    return "".join([*out, text[position:]])


def _overwritten(text: str) -> str:
    from envclone.masking.simple import RedactMask

    return RedactMask().mask([text])[0]


def _ordered(edits: Sequence[Edit]) -> list[Edit]:
    order = sorted(range(len(edits)), key=lambda i: (edits[i][0], -edits[i][1], -i))
    return [edits[i] for i in order]
