"""What differs between what an image says of production and what a branch has, in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from envclone.lifecycle.since import _differing
from envclone.lifecycle.verify import _decisive

KNOWN = {"index public.near": "hnsw m=8", "build public.near": "file 16402", "size public.t": "9 rows in 1 pages"}


def test_an_index_that_was_built_again_is_named_with_both_files() -> None:
    said = list(_differing(KNOWN, {**KNOWN, "build public.near": "file 16511"}))
    assert said == ["index public.near was built again: it is file 16511, in production file 16402"]
    assert list(_differing(KNOWN, KNOWN)) == []


def test_an_index_that_is_gone_or_new_is_said_once() -> None:
    assert list(_differing(KNOWN, {"size public.t": "other"})) == ["index public.near is gone"]
    new = {**KNOWN, "index public.late": "ivfflat", "build public.late": "file 16600"}
    assert list(_differing(KNOWN, new)) == ["index public.late is new (ivfflat)"]


def test_a_table_that_was_written_anew_or_is_gone_is_named() -> None:
    """No counter counts it: VACUUM FULL, TRUNCATE and CLUSTER were silent."""
    known = {**KNOWN, "table public.t": "file 16390"}
    (said,) = _differing(known, {**known, "table public.t": "file 16700"})
    assert said.startswith("table public.t was rewritten (VACUUM FULL")
    assert list(_differing(known, KNOWN)) == ["table public.t is gone"]
    assert list(_differing(KNOWN, known)) == []  # a new one is told by what is written to it


def test_of_an_image_that_did_not_note_builds_nothing_is_said_of_them() -> None:
    older = {"index public.near": "hnsw m=8"}
    assert list(_differing(older, KNOWN)) == []


def _store(**found: str) -> Any:
    return SimpleNamespace(decisive=lambda fields: {what.replace("_", " "): text for what, text in found.items()})


def test_an_index_that_the_masks_built_again_is_none_that_a_branch_changed() -> None:
    raw = _store(build_near="file 1", build_words="file 2", index_words="hnsw", table_t="file 3")
    assert _decisive(raw, _store(build_near="file 1", build_words="file 9", table_t="file 4"), set()) == {
        "build near": "file 1", "index words": "hnsw",
    }  # fmt: skip
