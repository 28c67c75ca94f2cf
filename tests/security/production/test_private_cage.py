"""The private server of a clone: an account of its own, no network, and no directory but its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from envclone import process
from envclone.accounts import RANGE, account_of, hand_over, service_account, take_back
from envclone.cage import MARK, REFUSED, confine, launcher
from envclone.config.schema import StoreConfig
from envclone.errors import ResourceError
from envclone.models import Account, Cage
from envclone.stores.postgres.server import server
from envclone.stores.postgres.snapshot.source import snapshot_physical
from envclone.stores.postgres.store import PostgresStore
from tests.support.cages import has_none, outside, reach
from tests.support.postgres import Production, production, scratch

pytestmark = [pytest.mark.real, pytest.mark.root]


@dataclass(frozen=True)
class Private:
    server: Production
    directory: Path
    pid: int
    neighbour: Path


@pytest.fixture(scope="module")
def private() -> Iterator[Private]:
    """A raw clone that is open, as while it is sanitized, beside another clone."""
    with production(18) as prod, scratch() as place:
        prod.create_database("app")
        prod.execute("CREATE TABLE people (id int PRIMARY KEY, name text)", "app")
        clones = place / "clone", place / "neighbour"
        config = {"kind": "postgres", "source": {"method": "physical", "dsn": prod.dsn_for("app")}}
        clones[0].mkdir(mode=0o700)
        snapshot = snapshot_physical("main", StoreConfig.model_validate(config), clones[0], lambda event: None)
        process.run(["cp", "-a", *clones])
        for clone in clones:
            hand_over(clone, account_of(clone))
        with PostgresStore().open(clones[0], snapshot, log=place / "log"):
            running = server.status(clones[0] / "data")
            assert running is not None
            yield Private(prod, clones[0], running.pid, clones[1])


def test_from_inside_nothing_of_this_machine_is_there(private: Private) -> None:
    secret = [private.neighbour, private.neighbour / "data/PG_VERSION", private.server.data, Path(__file__)]
    sockets = [private.server.socket_dir / f".s.PGSQL.{private.server.port}"]
    with outside() as there:
        given = {"ports": [private.server.port], "secret": secret, "sockets": sockets, "pids": [os.getpid(), 1]}
        free = reach(None, there, **given)  # type: ignore[arg-type]
        for found in (f"tcp 127.0.0.1:{private.server.port}", f"reads {secret[1]}", f"socket {sockets[0]}"):
            assert found in free, free
        assert reach(private.pid, there, **given) == []  # type: ignore[arg-type]


def test_it_has_an_account_that_nothing_else_has(private: Private) -> None:
    uid = os.stat(f"/proc/{private.pid}").st_uid
    assert uid in RANGE and uid not in (0, service_account().uid, account_of(private.neighbour).uid)
    assert has_none(private.pid)
    for name in ("mnt", "net", "ipc", "uts"):
        assert os.readlink(f"/proc/{private.pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")


def test_an_account_is_free_again_when_its_directory_is_gone() -> None:
    with scratch() as place:
        (place / "a").mkdir()
        (place / "b").mkdir()
        first, second = account_of(place / "a"), account_of(place / "b")
        assert first != second and account_of(place / "a") == first
        hand_over(place / "a", first)
        assert (place / "a").stat().st_uid == first.uid
        take_back(place / "a")
        assert (place / "a").stat().st_uid == 0
        (place / "a").rename(place / "moved")
        (place / "c").mkdir()
        taken = {account_of(place / name).uid for name in ("b", "c", "moved")}
        assert len(taken) == 3


def test_a_recovering_server_finds_a_shell_that_does_nothing(tmp_path: Path) -> None:
    """PostgreSQL gives up without one; what it would run, anybody's words, is not run."""
    with scratch() as place:
        proof = place / "proof"
        proof.mkdir()
        hand_over(proof, account_of(place))
        cage = Cage(account_of(place), writable=(proof,), failing=(Path("/bin/sh"),))
        done = process.run(["/bin/sh", "-c", f"touch {proof}/ran"], cage=cage, check=False)
        assert done.returncode == 1 and not list(proof.iterdir())
        with pytest.raises(ResourceError):
            process.run(["/bin/sh", "-c", "true"], cage=Cage(cage.account, writable=(proof,)))


def test_a_cage_that_cannot_be_made_runs_nothing(tmp_path: Path) -> None:
    """Root without the right to make namespaces: refused, with what to do."""
    cage = Cage(Account("nobody-here", 1_900_000_000, 1_900_000_000), writable=(tmp_path,))
    proof = tmp_path / "ran"
    bounded = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    done = process.run([*bounded, *confine(["/usr/bin/touch", str(proof)], cage)], check=False)
    assert done.returncode == REFUSED and done.stderr.startswith(MARK) and not proof.exists()
    assert (launcher.MARK, launcher.REFUSED) == (MARK, REFUSED)
    with pytest.raises(ResourceError, match="cannot be caged") as caught:
        process.run(["/no/such/program"], cage=cage)
    assert "CAP_SYS_ADMIN" in (caught.value.hint or "")
    absent = Cage(cage.account, writable=(tmp_path / "absent",))
    with pytest.raises(ResourceError, match="absent"):
        process.run(["/usr/bin/touch", proof], cage=absent)
    assert not proof.exists()
    with pytest.raises(ResourceError, match="not for root"):
        process.run(["/usr/bin/touch", proof], cage=Cage(Account("root", 0, 0), writable=(tmp_path,)))
