"""Which nets free text is searched with for persons whom no field names, and their versions."""

from __future__ import annotations

from hashlib import blake2b
from importlib import resources

from envclone.masking.closed import CLOSED, OF_PLACES

__all__ = ["WEIGHTS", "WORDS", "data", "digest", "named", "versions"]

WORDS, WEIGHTS = "tagger_words.txt", "tagger_weights.txt"


def versions(strangers: str, presidio: str | None) -> str:
    """The nets by name and version, for the attestation: `introductions, tagger 1a2b3c4d5e6f7081`."""
    nets = ["introductions"]
    if strangers == "tagger":
        nets.append(f"tagger {_tagger()}")
    if presidio is not None:
        from envclone.masking.presidio import net_version

        nets.append(f"{presidio} ({net_version(presidio)})")
    return ", ".join(nets)


def digest(strangers: str, presidio: str | None) -> str:
    """What decides whom the nets find."""
    return versions(strangers, presidio)


def named(strangers: str, presidio: str | None) -> str:
    """The nets in words, for a reader of the attestation."""
    words = ["titles and introductions"]
    if strangers == "tagger":
        words.append("names beside words that stand with persons (about nine of ten in texts tried)")
    if presidio is not None:
        words.append(f"Presidio's recognizers with {presidio}")
    return ", ".join([*words, "e-mail and phone patterns"])


def data(name: str) -> str:
    """One of the tagger's files."""
    return (resources.files("envclone.masking") / "data" / name).read_text(encoding="utf-8")


def _tagger() -> str:
    state = blake2b(digest_size=8)
    for text in (data(WORDS), data(WEIGHTS), repr([sorted(those) for those in (*CLOSED, OF_PLACES)])):
        state.update(text.encode())
    return state.hexdigest()
