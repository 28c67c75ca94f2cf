"""Text that came from elsewhere, as a terminal may show it."""

from __future__ import annotations

from envclone.visible import visible

__all__ = ["visible"]
