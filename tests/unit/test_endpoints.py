"""URLs and variables of a branch; the password only where it is asked for."""

from __future__ import annotations

from pathlib import Path

from envclone.endpoints import url, variables
from envclone.models import Endpoint, Secret

MAIN = Endpoint("main", "postgres", "127.0.0.1", 5555, "app db", "envclone", Secret("p@ss/word"))
KB = Endpoint("kb", "qdrant", path=Path("/pool/branches/b/kb/storage"))


def test_urls() -> None:
    assert url(MAIN) == "postgresql://envclone:p%40ss%2Fword@127.0.0.1:5555/app%20db"
    assert url(MAIN, reveal=False) == "postgresql://envclone:***@127.0.0.1:5555/app%20db"
    assert url(KB) == "file:///pool/branches/b/kb/storage"
    assert "p@ss" not in repr(MAIN)


def test_variables() -> None:
    found = variables({"main": MAIN, "kb": KB})
    assert found["DATABASE_URL"] == found["MAIN_URL"] == url(MAIN)
    assert (found["PGPORT"], found["PGPASSWORD"], found["KB_PATH"]) == ("5555", "p@ss/word", str(KB.path))
