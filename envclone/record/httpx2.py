"""httpx2, on which newer clients of OpenAI and others are built: its transports are httpx's."""

from __future__ import annotations

from envclone.record.http import wrap

__all__ = ["install"]


def install() -> None:
    """Wrap both transports."""
    import httpx2

    wrap(httpx2)
