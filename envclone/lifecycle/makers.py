"""What made an image: this very envclone, to the byte, and what its stack file says of proofs."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from envclone import __version__
from envclone.project import Project

__all__ = ["made_by", "program"]

_NOT_OURS = frozenset({"__pycache__"})


def made_by(project: Project) -> dict[str, str]:
    """The digests of the program, and of the whole section `sanitize` of the stack file, exceptions included."""
    config = project.loaded.stack.sanitize.model_dump(mode="json")
    text = json.dumps(config, sort_keys=True, default=str)
    return {
        "version": __version__,
        "program": program(),
        "sanitize": hashlib.sha256(text.encode()).hexdigest(),
    }


@functools.cache
def program() -> str:
    """The digest of every file of the package."""
    top = Path(__file__).parents[1]
    state = hashlib.sha256()
    for path in sorted(top.rglob("*")):
        if path.is_file() and not _NOT_OURS & set(path.relative_to(top).parts):
            state.update(f"{path.relative_to(top)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()
