"""What is asked for each branch or image is asked once: no list of the one is read for each of the other."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envclone import records
from envclone.errors import ResourceError
from envclone.lifecycle import collect, limits
from envclone.models import Branch, BranchState, Consistency, Image, RawSnapshot
from envclone.pool import catalog

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ONE = Branch("one", "prod", "img-1", BranchState.STOPPED, NOW, None, {}, project="shop")


class Counting:
    """A driver that counts how often it looks at a tree."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    def usage(self, path: Path) -> tuple[int, int]:
        """Ten bytes of its own."""
        self.looked.append(path.name)
        return 100, 10


def _project(pool: Path, disk: int = 1000) -> Any:
    settings = SimpleNamespace(branches=SimpleNamespace(max=100, disk=disk))
    return SimpleNamespace(
        name="shop", cow=Counting(), loaded=SimpleNamespace(stack=settings),
        pool=SimpleNamespace(path_of=lambda kind, ident: pool / ident),
    )  # fmt: skip


def _made(pool: Path, branch: Branch) -> Branch:
    place = pool / branch.name
    place.mkdir(exist_ok=True)
    (place / catalog.BRANCH).write_text(str(records.dump(branch)))
    return branch


def test_a_stopped_branch_is_looked_at_once(tmp_path: Path) -> None:
    project, there = _project(tmp_path), [_made(tmp_path, ONE), _made(tmp_path, replace(ONE, name="two"))]
    for _ in range(3):
        limits.require_room(project, there)
    assert project.cow.looked == ["one", "two"]
    with pytest.raises(ResourceError, match="20 bytes"):
        limits.require_room(_project(tmp_path, disk=20), there)
    assert (tmp_path / "one" / "own").stat().st_mode & 0o777 == 0o600


def test_one_that_was_started_since_is_looked_at_again(tmp_path: Path) -> None:
    project, there = _project(tmp_path), [_made(tmp_path, ONE)]
    limits.require_room(project, there)
    os.utime(tmp_path / "one" / catalog.BRANCH, ns=(1, 1))  # another record: a start and a stop write one each
    limits.require_room(project, there)
    assert project.cow.looked == ["one", "one"]


@pytest.mark.parametrize("state", [one for one in BranchState if one is not BranchState.STOPPED])
def test_a_branch_that_may_be_written_to_is_looked_at_each_time(tmp_path: Path, state: BranchState) -> None:
    project, there = _project(tmp_path), [_made(tmp_path, replace(ONE, state=state))]
    (tmp_path / "one" / "own").write_text(f"{(tmp_path / 'one' / catalog.BRANCH).stat().st_mtime_ns} 0\n")
    limits.require_room(project, there)
    limits.require_room(project, there)
    assert project.cow.looked == ["one", "one"]


@pytest.mark.parametrize("kept", ["", "1", "x y", "1 2 3"])
def test_a_damaged_figure_is_made_again(tmp_path: Path, kept: str) -> None:
    project, there = _project(tmp_path), [_made(tmp_path, ONE)]
    (tmp_path / "one" / "own").write_text(kept)
    limits.require_room(project, there)
    assert project.cow.looked == ["one"]


def test_branches_are_read_once_for_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = RawSnapshot("raw-1", "prod", NOW, {}, Consistency.SINGLE, project="shop")
    made = [Image(f"img-{n}", "prod", NOW + dt.timedelta(hours=n), raw, "d", "k", 1.0, "shop") for n in range(50)]
    read: list[str] = []
    monkeypatch.setattr(catalog, "images", lambda pool, project: made)
    monkeypatch.setattr(catalog, "branches", lambda pool, project: read.append("branches") or [ONE])
    monkeypatch.setattr(collect.pins, "images", lambda pool, project: frozenset({"img-2"}))
    monkeypatch.setattr(collect, "_free", lambda project, kind, ident: True)
    pool = SimpleNamespace(path_of=lambda kind, ident: Path(ident))
    found = [one.name for one in collect._superseded(SimpleNamespace(pool=pool, name="shop"))]  # type: ignore[arg-type]
    assert found == [f"img-{n}" for n in range(49) if n not in (1, 2)]
    assert read == ["branches"]
