"""A distance in a statement, taken of another column or by another operator."""

from __future__ import annotations

from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.steps.reading.grammar import parse

__all__ = ["DISTANCES", "distance_of", "measured"]

DISTANCES = {"<=>": "cosine", "<#>": "dot", "<->": "euclid", "<+>": "manhattan"}
"""pgvector's operators; a smaller value is nearer for each of them."""


def distance_of(score: str) -> str:
    """What a score compares by; '' for what is none of vectors' own."""
    import postgast

    parse(f"SELECT {score}")
    found = {one.name[-1].string.sval for one in pieces.distances(postgast.parse(f"SELECT {score}"))}
    return DISTANCES.get(found.pop(), "") if len(found) == 1 else ""


def measured(score: str, column: str, using: str | None, distance: str | None) -> str:
    """A score with another column in the place of one, or by another distance."""
    import postgast

    parse(f"SELECT {score}")
    tree = postgast.parse(f"SELECT {score}")
    operator = next((sign for sign, name in DISTANCES.items() if name == distance), None)
    for one in pieces.distances(tree):
        if operator is not None:
            one.name[-1].string.sval = operator
        for node in pieces.nodes(one, "ColumnRef"):
            name = node.fields[-1].string
            if using is not None and name.sval == column:
                name.sval = using
    return str(postgast.deparse(tree)).removeprefix("SELECT ")
