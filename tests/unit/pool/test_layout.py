"""The pool's layout and its atomic placement."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from envclone.errors import BusyError, EnvcloneError, ResourceError, UnsafeError, UsageError
from envclone.pool import FOLDERS, Pool, check_name, default_path, files, layout, new_id
from envclone.pool.collect import leftovers

NOBODY = 65534


def modes(path: Path) -> dict[str, int]:
    return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.iterdir()}


def test_a_new_pool_has_its_directories(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        pool = Pool.open(folder / "deep/down/pool")
    finally:
        os.umask(before)
    assert stat.S_IMODE(pool.path.stat().st_mode) == 0o711
    assert modes(pool.path) == {
        "raw": 0o700, "bases": 0o700, "tracks": 0o700, "work": 0o711, "images": 0o711, "branches": 0o711,
        "incidents": 0o700, "keys": 0o700, "locks": 0o700, "logs": 0o700, "owed": 0o700, "kept": 0o700, "pins": 0o700,
        "serve": 0o700, "tmp": 0o700, "pool.json": 0o600,
    }  # fmt: skip
    assert json.loads((pool.path / "pool.json").read_text()) == {"version": 2}


def test_opening_again_changes_nothing_and_closes_what_was_opened(pool: Pool) -> None:
    (pool.path / "images/one").mkdir()
    (pool.path / "raw").chmod(0o755)
    (pool.path / "tmp").rmdir()
    pool.path.chmod(0o777)
    assert Pool.open(pool.path) == pool
    assert modes(pool.path)["raw"] == 0o700
    assert modes(pool.path)["tmp"] == 0o700
    assert stat.S_IMODE(pool.path.stat().st_mode) == 0o711
    assert (pool.path / "images/one").is_dir()


def test_an_empty_directory_becomes_a_pool_and_another_does_not(folder: Path) -> None:
    (folder / "empty/lost+found").mkdir(parents=True)
    Pool.open(folder / "empty")
    (folder / "full").mkdir()
    (folder / "full/thesis.doc").touch()
    with pytest.raises(UsageError, match=r"thesis\.doc") as caught:
        Pool.open(folder / "full")
    assert caught.value.hint
    assert os.listdir(folder / "full") == ["thesis.doc"]
    (folder / "file").touch()
    with pytest.raises(UsageError, match="not a directory"):
        Pool.open(folder / "file")
    with pytest.raises(EnvcloneError):
        Pool.open(folder / "file/pool")


def test_no_pool_is_made_where_one_should_be_mounted(folder: Path) -> None:
    (folder / "pool").mkdir()
    (folder / "pool.img").touch()
    with pytest.raises(ResourceError, match="not mounted") as caught:
        Pool.open(folder / "pool")
    assert caught.value.hint == f"envclone pool mount --path {folder}/pool"
    assert os.listdir(folder / "pool") == []


def test_a_first_start_that_was_killed_is_finished(folder: Path) -> None:
    (folder / "pool").mkdir()
    (folder / "pool/.pool.json.abcd.partial-4194304").touch()
    pool = Pool.open(folder / "pool")
    assert [one.path.name for one in leftovers(pool)] == [".pool.json.abcd.partial-4194304"]


def test_a_newer_version_is_refused(pool: Pool) -> None:
    (pool.path / "pool.json").write_text('{"version": 3}')
    with pytest.raises(UsageError, match="version 3") as caught:
        Pool.open(pool.path)
    assert "upgrade" in str(caught.value.hint)
    for damaged in ("{", "[]", "{}", '{"version": "1"}'):
        (pool.path / "pool.json").write_text(damaged)
        with pytest.raises(UnsafeError):
            Pool.open(pool.path)


def test_a_pool_of_version_1_is_taken_over_once_nobody_is_at_work(pool: Pool) -> None:
    (pool.path / "pool.json").write_text('{"version": 1}')
    old = os.open(pool.path / "locks/branch-x.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(old, fcntl.LOCK_EX)
    with pytest.raises(BusyError, match="an older envclone is at work"):
        Pool.open(pool.path)
    os.close(old)
    Pool.open(pool.path)
    assert json.loads((pool.path / "pool.json").read_text()) == {"version": 2}
    assert os.listdir(pool.path / "locks") == []


@pytest.mark.root
def test_another_users_pool_is_refused(pool: Pool) -> None:
    os.chown(pool.path, NOBODY, NOBODY)
    with pytest.raises(UsageError, match="belongs to 'nobody', and you are 'root'"):
        Pool.open(pool.path)
    os.chown(pool.path, 0, 0)
    os.chown(pool.path / "raw", NOBODY, NOBODY)
    with pytest.raises(UnsafeError, match="raw"):
        Pool.open(pool.path)
    (pool.path / "raw").rmdir()
    (pool.path / "raw").symlink_to("/tmp")
    with pytest.raises(UnsafeError, match="raw"):
        Pool.open(pool.path)


@pytest.mark.root
def test_a_pool_that_the_servers_cannot_reach_is_refused(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    with pytest.raises(ResourceError, match=r"cannot enter .*/closed"):
        Pool.open(folder / "closed/pool")
    assert os.listdir(folder / "closed") == []


def test_a_driver_that_does_not_work_is_refused(folder: Path) -> None:
    with pytest.raises(ResourceError, match="btrfs"):
        Pool.open(folder / "pool", driver="btrfs")
    Pool.open(folder / "pool", driver="copy")


def test_default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENVCLONE_POOL", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(layout, "MACHINE", tmp_path)
    (tmp_path / "accounts").touch()  # the machine's, of no pool: its directory is not empty
    assert default_path() == tmp_path / "pool"
    (tmp_path / "pool.json").touch()
    assert default_path() == tmp_path
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_path() == Path("/home/me/.local/share/envclone")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_path() == Path("/home/me/.local/share/envclone")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_path() == Path("/data/envclone")
    monkeypatch.setenv("ENVCLONE_POOL", "~/pool")
    assert default_path() == Path("/home/me/pool")


def test_paths(pool: Pool) -> None:
    assert pool.path_of("images", "img-1") == pool.path / "images/img-1"
    assert pool.path_of("keys", "") == pool.path / "keys"
    for kind, ident in (("images", ".."), ("images", "a/b"), ("images", "A"), ("images", "-a"), ("images", "a\n"),
                        ("images", "a" * 81), ("nothing", "a"), ("..", "")):  # fmt: skip
        with pytest.raises(UsageError):
            pool.path_of(kind, ident)


@pytest.mark.parametrize("name", ["a", "0", "prod", "incident-1234", "a" * 41])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a.b", "../x", "a" * 42, "a\n", "é", "a b", "٣"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        check_name(name)


def test_ids_sort_by_time(pool: Pool) -> None:
    first = new_id("prod")
    second_of_first = int(time.time())
    while int(time.time()) == second_of_first:
        time.sleep(0.01)
    second = new_id("prod")
    assert first < second
    assert len({new_id("a") for _ in range(50)}) > 45
    assert pool.path_of("raw", new_id("a" * 41)).parent == pool.path / "raw"
    with pytest.raises(UsageError):
        new_id("Prod")


def test_publish(pool: Pool) -> None:
    building = pool.path_of("work", "one")
    building.mkdir()
    (building / "data").write_text("1")
    assert pool.publish(building, "images", "one") == pool.path / "images/one"
    assert (pool.path / "images/one/data").read_text() == "1"
    assert not building.exists()
    building.mkdir()
    (building / "data").write_text("2")
    (pool.path / "images/empty").mkdir()
    with pytest.raises(BusyError):
        pool.publish(building, "images", "empty")
    with pytest.raises(BusyError):
        pool.publish(building, "images", "one", durable=False)
    assert (pool.path / "images/one/data").read_text() == "1"
    assert (building / "data").read_text() == "2"
    pool.publish(building, "images", "two", durable=False)
    with pytest.raises(EnvcloneError):
        pool.publish(pool.path / "work/missing", "images", "three")


def test_publish_never_overwrites_what_comes_meanwhile(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    building = pool.path_of("work", "one")
    building.mkdir()
    place = pool.path / "images/one"

    def late(path: Path) -> None:
        place.mkdir()
        (place / "data").write_text("other")

    monkeypatch.setattr("envclone.pool.files._sync", late)
    with pytest.raises(BusyError):
        pool.publish(building, "images", "one")
    assert (place / "data").read_text() == "other"


def test_json_files(pool: Pool) -> None:
    path = pool.path / "branches/x.json"
    pool.write_json(path, {"name": "Zoë", "n": [1, None]})
    assert pool.read_json(path) == {"name": "Zoë", "n": [1, None]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(TypeError):
        pool.write_json(path, object())
    assert pool.read_json(path) == {"name": "Zoë", "n": [1, None]}
    assert os.listdir(path.parent) == ["x.json"]
    path.write_text("{")
    with pytest.raises(UnsafeError, match="damaged"):
        pool.read_json(path)
    with pytest.raises(UsageError, match="does not exist"):
        pool.read_json(pool.path / "missing")
    with pytest.raises(ResourceError):
        pool.write_json(Path("/proc/no"), 1)


def test_json_writers_do_not_disturb_each_other(pool: Pool) -> None:
    path = pool.path / "x.json"
    pool.write_json(path, [0] * 1000)
    wrong: list[object] = []

    def write(number: int) -> None:
        for _ in range(20):
            pool.write_json(path, [number] * 1000)

    def read() -> None:
        for _ in range(300):
            seen = pool.read_json(path)
            if len(set(seen)) != 1 or len(seen) != 1000:
                wrong.append(seen)

    threads = [*(threading.Thread(target=write, args=(number,)) for number in range(4)), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(leftovers(pool)) == []


def test_free_bytes(pool: Pool) -> None:
    space = os.statvfs(pool.path)
    assert abs(pool.free_bytes() - space.f_bavail * space.f_frsize) < 1 << 30


def test_every_kind_has_a_mode() -> None:
    assert all(mode in (0o700, 0o711) for mode in FOLDERS.values())


def test_a_pipe_in_place_of_a_record_is_refused_at_once(tmp_path: Path, pool: Pool) -> None:
    os.mkfifo(tmp_path / "record.json")
    with pytest.raises(UnsafeError, match="is no ordinary file"):
        files.read_json(tmp_path / "record.json")
    os.mkfifo(pool.path / "audit.jsonl")
    with pytest.raises(UnsafeError, match="neither a file nor a directory"):
        Pool.open(pool.path)
