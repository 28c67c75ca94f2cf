"""The versions of PostgreSQL that tests run on which do the same on each."""

from __future__ import annotations

import os

__all__ = ["NEWEST_FIRST"]

NEWEST_FIRST = (18, 16) if os.environ.get("ENVCLONE_TEST_MAJORS") == "all" else (18,)
"""What differs between versions has tests on each of them: `test_versions`, `test_torture`, formats and catalogs."""
