"""Production's exact dirty state, minus the people in it, in a sandbox of production's size, in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.api import open_stack as open
    from envclone.remote import connect

__all__ = ["Stack", "__version__", "connect", "open"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The library is loaded at first use: `import envclone` alone costs nothing."""
    if name in ("Stack", "open"):
        from envclone import api

        return api.Stack if name == "Stack" else api.open_stack
    if name == "connect":
        from envclone import remote

        return remote.connect
    raise AttributeError(f"module 'envclone' has no attribute '{name}'")
