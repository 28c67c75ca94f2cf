"""The ports in a sandbox's network that are envclone's own."""

from __future__ import annotations

__all__ = ["CASSETTE_PORT", "PROXY_PORT"]

PROXY_PORT = 3128
"""Where the gate listens for what the stack file allows."""
CASSETTE_PORT = 3129
"""Where a cassette answers, or the guard before live models."""
