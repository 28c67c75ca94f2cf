"""How a long step says how far it has come."""

from __future__ import annotations

from collections.abc import Callable

from envclone.models import ProgressEvent

__all__ = ["Progress"]

Progress = Callable[[ProgressEvent], None]
"""Told how far a long step has come; must return at once."""
