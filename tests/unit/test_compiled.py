from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import time
from pathlib import Path

import pytest

import envclone
from envclone import compiled, process
from envclone.masking.corpus import CorpusBuilder
from envclone.masking.makers import Makers
from envclone.packed import pack
from envclone.verifier.originals import Originals
from envclone.verifier.subjects import Keys, Subjects

SOURCE = Path(envclone.__file__).parent.parent
ROOM = SOURCE / "envclone/masking/kernels/wordset.py"


def _run(text: str, **env: str) -> str:
    given = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin", **env}
    return process.run([sys.executable, "-c", text], env=given).stdout.strip()


def test_what_cannot_be_compiled_is_said_once() -> None:
    text = "from envclone import compiled; said = []; [compiled.prepare(said.append) for _ in 'ab']; print(said)"
    assert "ENVCLONE_NO_COMPILE is set" in _run(text, ENVCLONE_NO_COMPILE="1")
    assert _run(text, ENVCLONE_NO_COMPILE="1").count("many times longer") == 1


def test_nothing_is_compiled_before_it_is_needed() -> None:
    text = "import sys, envclone.compiled, envclone.masking.masks; print({'numba', 'numpy'} & set(sys.modules))"
    assert "numba" not in _run(text)


def test_the_cache_is_private_and_of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = compiled._place.__wrapped__(ROOM)
    assert place.is_relative_to(tmp_path / "envclone")
    assert place.stat().st_mode & 0o777 == 0o700
    place.chmod(0o770)  # somebody else may have written into it
    other = compiled._place.__wrapped__(ROOM)
    assert not other.is_relative_to(tmp_path)
    place.chmod(0o700)
    tmp_path.chmod(0o777)  # somebody else can put another directory in its place
    assert not compiled._place.__wrapped__(ROOM).is_relative_to(tmp_path)


def test_a_cache_that_cannot_be_made_is_one_for_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setenv("HOME", str(blocked))
    monkeypatch.setattr(compiled.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(compiled, "_own", compiled._own.__wrapped__)
    tmp_path.chmod(0o777)
    place = compiled._place.__wrapped__(ROOM)
    assert place.parent.parent == tmp_path
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_cache_belongs_to_a_room_and_all_it_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, callee, other = (tmp_path / "envclone" / name for name in ("room.py", "callee.py", "other.py"))
    room.parent.mkdir()
    room.write_text("from envclone.compiled import kernel\nfrom envclone import (\n    callee,\n)\n")
    callee.write_text("from envclone.constants import ONE\n")
    (room.parent / "constants.py").write_text("ONE = 1\n")
    other.write_text("from envclone.room import warm\n")
    monkeypatch.setattr(compiled, "_PACKAGE", room.parent)
    seen = [compiled._digest(room)]
    other.write_text("")
    assert compiled._digest(room) == seen[0]
    for path in (room, callee, room.parent / "constants.py"):
        path.write_text(f"{path.read_text()}# changed\n")
        compiled._imported.cache_clear()
        seen.append(compiled._digest(room))
    monkeypatch.setenv("ENVCLONE_BOUNDSCHECK", "" if compiled._checked() else "1")
    seen.append(compiled._digest(room))
    assert len(set(seen)) == len(seen)


def test_what_nobody_loaded_for_a_month_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = compiled._place.__wrapped__(ROOM)
    names = ("loops-0123456789abcdef", "loops-00000000000000aa", "loops-mine", "loops-0123456789abcdee", "other")
    for name in names:
        (place.parent / name).mkdir(mode=0o700)
        (place.parent / name / "complete").touch()
        old = name != "loops-00000000000000aa"
        os.utime(place.parent / name / "complete", (time.time() - 40 * 86400 * old,) * 2)
    (place.parent / names[3]).chmod(0o770)  # not only its owner's
    (place / "complete").touch()
    os.utime(place / "complete", (0, 0))
    (place.parent / "loops-ffffffffffffffff").symlink_to(tmp_path)
    compiled._clear([place])
    assert sorted(path.name for path in place.parent.iterdir()) == sorted(
        {*names, place.name, "loops-ffffffffffffffff"} - {names[0]}
    )


def test_what_was_prepared_is_all_that_is_compiled() -> None:
    compiled.prepare(lambda _: None)
    before = _compiled()
    for kind in ("person", "email", "phone", "uuid", "integer", "date"):
        value = {"uuid": "{:032x}", "date": "2020-01-{:02d}", "email": "ann{}@x.org"}.get(kind, "{}")
        Makers(bytes(32)).mask(kind).mask([value.format(i % 30 + 1) for i in range(40)])
    for kind in ("key", "iban", "card", "mac", "company", "address", "url", "national_id", "secret"):
        Makers(bytes(32)).mask(kind).mask([f"aa:bb:cc:dd:ee:{i:02d}" for i in range(40)])
    values = pack(["Jane Doe", None, "+49 30 1234567", "1-555-123-4567 x2", "é"])
    for kind in ("person", "phone", "email", "address", "uuid"):
        CorpusBuilder().take(kind, values)
        Originals().take("a", kind, values)
        Subjects().take(0, kind, values, "a")
    Keys().take(values, range(5))
    assert _compiled() == before


def test_a_form_that_was_compiled_late_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    room = tmp_path / "room.py"
    room.write_text("from envclone.compiled import lean\n\n\n@lean\ndef same(x):\n    return x\n")
    monkeypatch.setattr(compiled, "_rooms", lambda: (room,))
    spec = importlib.util.spec_from_file_location("room", room)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.same(1)
    place = compiled._place(room)
    kept = compiled._kept(place)
    (place / "complete").write_text("\n".join(kept))
    assert len(kept) == 1
    assert compiled.late() == []
    index = next(place.rglob("*.nbi"))
    with index.open("rb") as opened:
        version, (stamp, forms) = pickle.load(opened), pickle.loads(opened.read())
    ((types, machine, code), name) = next(iter(forms.items()))
    forms |= {(types, (machine[0], "another processor", ""), code): name.replace(".1.", ".2.")}
    index.write_bytes(pickle.dumps(version) + pickle.dumps((stamp, forms)))
    (index.parent / name.replace(".1.", ".2.")).touch()
    assert len(compiled._kept(place)) == 2
    assert compiled.late() == []  # the same form
    module.same(1.5)
    (late,) = compiled.late()
    assert "room.same" in late
    assert "float64" in late


def test_loops_are_at_hand_when_every_room_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "available", lambda: True)
    monkeypatch.setattr(compiled, "_rooms", lambda: (Path("one"), Path("other")))
    monkeypatch.setattr(compiled, "_place", lambda path: tmp_path / path)
    for room in ("one", "other"):
        assert not compiled.at_hand()
        (tmp_path / room).mkdir()
        (tmp_path / room / "complete").touch()
    assert compiled.at_hand()
    monkeypatch.setattr(compiled, "available", lambda: False)
    assert not compiled.at_hand()


def test_the_list_of_what_is_compiled_is_never_seen_half(tmp_path: Path) -> None:
    complete, names = tmp_path / "complete", {f"kernel.{i}" for i in range(2000)}
    compiled._write(complete, names)
    first = complete.stat().st_ino
    compiled._write(complete, names)  # what says the same is left as it is
    assert complete.stat().st_ino == first
    with complete.open() as reader:  # what somebody reads just now stays whole
        compiled._write(complete, names | {"another"})
        assert set(reader.read().split()) == names
    assert set(complete.read_text().split()) == names | {"another"}
    assert [path.name for path in tmp_path.iterdir()] == ["complete"]


def _compiled() -> int:
    """How many kernels were compiled in this process or read from the cache."""
    rooms = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in compiled._rooms()]
    loops = {id(one): one for room in rooms for one in vars(importlib.import_module(room)).values()}
    return sum(len(one.signatures) for one in loops.values() if hasattr(one, "py_func"))
