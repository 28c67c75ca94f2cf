"""Loops out of an image of containers: taken over whole, and nothing that another account could have put there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import envclone
from envclone import compiled, preloaded

ROOM = Path(envclone.__file__).parent / "masking/kernels/wordset.py"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What an image holds of one room; the user's own cache is empty."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "_rooms", lambda: (ROOM,))
    monkeypatch.setattr(compiled, "_place", compiled._place.__wrapped__)
    if not compiled.available():
        pytest.fail("no loops are compiled here")
    name = compiled._place(ROOM).name
    there = tmp_path / "loops" / name
    (there / "inner").mkdir(parents=True)
    for file, text in (("inner/x.nbc", "code"), ("inner/x.nbi", "index"), ("complete", "inner/x.nbc\n")):
        (there / file).write_text(text)
        (there / file).chmod(0o644)
    monkeypatch.setenv(preloaded.VARIABLE, str(tmp_path / "loops"))
    yield there


def test_they_are_taken_once_into_the_user_s_own_cache(place: Path) -> None:
    assert not compiled.at_hand() and preloaded.take() == 1 and compiled.at_hand()
    mine = compiled._place(ROOM)
    assert {one.relative_to(mine).as_posix() for one in mine.rglob("*") if one.is_file()} == {
        "complete", "inner/x.nbc", "inner/x.nbi",
    }  # fmt: skip
    assert mine.stat().st_mode & 0o777 == 0o700 and preloaded.take() == 0


@pytest.mark.parametrize("what", ["file", "folder", "above", "link", "owner", "half", "elsewhere"])
def test_what_others_could_have_written_is_not_taken(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if what == "file":
        (place / "inner/x.nbc").chmod(0o666)
    elif what == "folder":
        (place / "inner").chmod(0o777)
    elif what == "above":
        place.parent.chmod(0o777)
    elif what == "link":
        (place / "inner/x.nbc").unlink()
        (place / "inner/x.nbc").symlink_to("/etc/passwd")
    elif what == "owner":
        if os.geteuid() != 0:
            pytest.skip("only root gives files away")
        os.chown(place / "inner/x.nbc", 12345, 12345)
    elif what == "half":
        (place / "complete").unlink()
    else:
        monkeypatch.setenv(preloaded.VARIABLE, "loops")
    assert preloaded.take() == 0 and not compiled.at_hand()
    assert not list(compiled._place(ROOM).iterdir())


def test_without_such_an_image_nothing_is_looked_for(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(preloaded.VARIABLE)
    assert preloaded.take() == 0 and not compiled.at_hand()
