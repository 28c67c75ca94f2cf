"""The private server on a clone of production: its own account, no network, no directory but its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.project import Project
from tests.security.cagedprobe import found, status_of
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: caged
pool: {path: "{pool}"}
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${PROD_DSN}", database: app}}}}
sanitize:
  rules: {main: {public.people.id: keep, public.people.name: person}}
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(16) as server:
        server.create_database("app")
        server.execute("CREATE TABLE people (id int PRIMARY KEY, name text)", "app")
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["PROD_DSN"] = prod.dsn_for("app")
        made.write(STACK.replace("${PROD_DSN}", prod.dsn_for("app")))
        made.call("snapshot", "prod")
        yield made


def test_two_clones_see_neither_each_other_nor_anything_else(here: Place, prod: Production) -> None:
    from envclone import registry
    from envclone.pool import catalog
    from envclone.pool.workdir import workdir

    project = Project.open(here.file)
    (raw,) = catalog.snapshots(project.pool, project.name)
    store = registry.store("postgres")
    with (
        socket.socket() as sock,
        workdir(project.pool, project.cow, "first") as first,
        workdir(project.pool, project.cow, "second") as second,
    ):
        sock.bind(("0.0.0.0", 0))
        sock.listen(16)
        for directory in (first, second):
            project.clone_raw(raw, directory)
        taken = raw.stores["main"]
        with (
            store.open(first / "main", taken, log=first / "main.log"),
            store.open(second / "main", taken, log=second / "main.log"),
        ):
            pids = [int((d / "main" / "data" / "postmaster.pid").read_text().split()[0]) for d in (first, second)]
            uids = [(d / "main" / "data").stat().st_uid for d in (first, second)]
            assert len({*uids, 0, prod.data.stat().st_uid}) == 4
            assert (here.pool / "raw" / raw.id / "main" / "data").stat().st_uid == 0
            for pid in pids:
                status = status_of(pid)
                assert int(status["CapBnd"], 16) == 0 and status["NoNewPrivs"] == "1"
            files = [
                *map(str, (second / "main" / "data", here.pool / "pool.json", here.pool / "raw", here.pool / "keys")),
                *map(str, (prod.data, here.file)),
                *("/root", "/home", "/etc/shadow", "/proc/self", "/bin/sh", "/var", "/sys"),
            ]
            ports = [sock.getsockname()[1], prod.port]
            hosts = ["127.0.0.1", "172.17.0.1", "169.254.169.254", "1.1.1.1"]
            seen = found(pids[0], uids[0], ports, hosts, files, [1, os.getpid(), pids[1]])
            assert seen == []
            assert found(pids[0], uids[0], [], [], [str(first / "main" / "data")], []) != [], "a blind probe"


def test_what_the_launcher_cannot_do_ends_the_program_before_it_runs(tmp_path: Path) -> None:
    from envclone import process
    from envclone.errors import EnvcloneError
    from envclone.models import Account, Cage

    gone = Cage(Account("nobody", 65534, 65534), writable=(tmp_path / "is-not-there",), readable=(Path("/usr/bin"),))
    with pytest.raises(EnvcloneError):
        process.run(["/usr/bin/touch", tmp_path / "it-ran"], cage=gone)
    root = Cage(Account("root", 0, 0), readable=(Path("/usr/bin"),))
    with pytest.raises(EnvcloneError, match="not for root"):
        process.run(["/usr/bin/touch", tmp_path / "it-ran"], cage=root)
    assert list(tmp_path.iterdir()) == []
