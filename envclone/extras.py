"""Packages that only some uses need: which extra brings one that is not installed."""

from __future__ import annotations

import importlib.util

from envclone.errors import ResourceError

__all__ = ["has", "need"]


def has(module: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(module) is not None


def need(module: str, extra: str, what: str) -> None:
    """Raises ResourceError naming the extra when what `what` says needs a package that is not installed."""
    if not has(module):
        raise ResourceError(
            f"{what} needs the package {module}, which is not installed", hint=f"pip install 'envclone[{extra}]'"
        )
