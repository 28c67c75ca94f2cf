"""An archive of an image's files says in one line what it cannot hold, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envclone.cases.archive import pack
from envclone.errors import UnsafeError


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_a_name_that_is_not_utf_8_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    image = tmp_path / "image"
    image.mkdir()
    name = os.fsencode(image) + b"/caf\xe9"
    if kind == "file":
        Path(os.fsdecode(name)).touch()
    elif kind == "directory":
        Path(os.fsdecode(name)).mkdir()
    else:
        os.symlink(b"caf\xe9", os.fsencode(image / "link"))
    with pytest.raises(UnsafeError, match=r"the file caf\\udce9 of an image has a name that is not UTF-8"):
        pack(tmp_path / "x.case", image, "i", {}, "1", frozenset(), lambda text: bytes(64), "00" * 32)
    assert not (tmp_path / "x.case").exists()
