"""What a hook's file imports: `from envclone.hooks import hook`. See docs/hooks.md."""

from __future__ import annotations

from envclone.hooks.author import Batch, Context, hook

__all__ = ["Batch", "Context", "hook"]
