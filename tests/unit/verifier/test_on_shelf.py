"""What finds originals is the same in memory and in files without a name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envclone import shelf as shelves
from envclone.compiled import available
from envclone.packed import pack
from envclone.shelf import Shelf
from envclone.verifier import search as searching
from envclone.verifier import windows
from envclone.verifier.compounds import Compounds
from envclone.verifier.loose import LooseSearch, Texts
from envclone.verifier.originals import Originals
from envclone.verifier.subjects import Subjects


def _found(shelf: Shelf | None) -> tuple[set[tuple[int, str]], set[tuple[int, bytes]]]:
    originals, subjects = Originals(shelf), Subjects(shelf)
    names = [f"Wolfhard{i} Quenzelmann{i % 7}" for i in range(300)]
    phones = [f"+49 30 {5_000_000 + 7 * i}" for i in range(300)]
    letters = [name.translate(str.maketrans("0123456789", "abcdefghij")) for name in names]
    subjects.begin("app.people")
    for kind, values in (("person", letters), ("phone", phones)):
        originals.take("people.x", kind, pack(values))
        subjects.take(0, kind, pack(values), "people.x")
    subjects.count = 300
    parts = Originals.parts(subjects.seal())
    originals.seal()
    texts = Texts(
        [f"so said {letters[17]}, and {letters[250].upper()}", f"call {phones[99]}", letters[8].replace(" ", "")],
        decoded=False,
    )
    hits = {(one.value, originals.value(one.hit.original)) for one in LooseSearch(originals).find(texts)}
    joined = Compounds(subjects, parts, originals).find(texts)
    return hits, {(one.value, one.text[one.hit.start : one.hit.end]) for one in joined}


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_in_files_the_same_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "FEW", 10)
    wanted = _found(None)
    assert len(wanted[0]) == 3 and wanted[1]
    for module, name, few in (
        (shelves, "_MOST", 0),
        (shelves, "_FEW", 20),
        (shelves, "_AT_ONCE", 50),
        (windows, "_AT_ONCE", 16),
        (windows, "_FILLED", 32),
        (windows, "_LOOKED", 8),
        (windows, "_PART", 8),
    ):
        monkeypatch.setattr(module, name, few)
        assert _found(Shelf(tmp_path)) == wanted
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_the_filter_lets_few_windows_through() -> None:
    draw = np.random.default_rng(3)
    texts = [bytes(draw.integers(97, 123, 12, dtype=np.uint8)) for _ in range(5000)]
    search = windows.WindowSearch(windows.Patterns.of(texts))
    marked = np.unpackbits(search._filter.view(np.uint8)).mean()
    assert marked**2 < 1 / 50
