"""The pool: the one owner of snapshots, images, branches and the work on them."""

from __future__ import annotations

from envclone.pool.layout import FOLDERS, MARKER, VERSION, Pool, check_name, default_path, is_id, new_id

__all__ = ["FOLDERS", "MARKER", "VERSION", "Pool", "check_name", "default_path", "is_id", "new_id"]
