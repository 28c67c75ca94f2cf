"""Production's volumes on a cluster to a replay in a branch, on the stand-in: nothing raw is copied to this machine.

The API is a fake that validates objects, the controllers reflink directories, and the pods are processes of this
machine: a Job's runs envclone on the snapshot of a real PostgreSQL's volume, a branch's a PostgreSQL on the image's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from envclone import attestation
from envclone.pool import catalog
from tests.support.cluster import objects
from tests.support.cluster.controllers import Controllers, controlling
from tests.support.cluster.processes import Processes, compiled_for
from tests.support.cluster.server import Api, running
from tests.support.cluster.stackhead import HEAD
from tests.support.postgres import Production, production
from tests.support.stack import Place, bytes_hold, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = (
    HEAD
    + """\
      memory: 256MiB
    stores:
      main:
        kind: postgres
        source: {method: volume, dsn: "${DSN}", database: app, volume: {namespace: shop, statefulset: db}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  hooks: [hooks/nothing.py]
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.people.profile: {"$.mail": email}
incidents: incidents/
"""
)
HOOK = '''"""No mask of its own."""
'''
BUNDLE = """\
version: 1
incident: "77"
environment: prod
steps:
  - id: who
    kind: sql
    store: main
    role: app
    sql: SELECT id, name FROM people WHERE email = %(email)s
    parameters: {email: zoe.quux3@corp.example}
    key: id
"""


@dataclass(frozen=True)
class World:
    """A production in a cluster, and a pool outside of it."""

    here: Place
    api: Api
    controllers: Controllers
    kubelet: Processes


@contextlib.contextmanager
def standing_still(server: Production) -> Iterator[None]:
    """No process of the server writes meanwhile: a storage's snapshot is of one moment."""
    postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
    group = [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]
    for pid in group:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    kubelet = Processes()
    with (
        production(18) as server, place(size="4G") as here, running() as api, compiled_for() as loops,
    ):  # fmt: skip
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text, profile jsonb); CREATE ROLE app LOGIN;"
            "GRANT SELECT ON people TO app; INSERT INTO people SELECT i, 'Zoë Quuxington' || i,"
            " 'zoe.quux' || i || '@corp.example',"
            " jsonb_build_object('mail', 'zoe.quux' || i || '@corp.example') FROM generate_series(1, 300) i",
            "app",
        )
        here.env.update(DSN=server.dsn_for("app"), KUBECONFIG=str(api.kubeconfig(here.directory / "kubeconfig")))
        here.write(STACK)
        here.open()  # a pool is made in an empty directory only
        for folder, name, text in (("incidents", "77.yaml", BUNDLE), ("hooks", "nothing.py", HOOK)):
            (here.directory / folder).mkdir()
            (here.directory / folder / name).write_text(text)
        storage = here.pool / "storage"  # a directory of the same file system, which can reflink
        storage.mkdir(mode=0o711)
        kubelet.compiled = loops
        with controlling(api, storage, kubelet) as controllers:
            api.connect, api.tail, api.over = kubelet.connect, kubelet.tail, kubelet.is_over
            controllers.stopped = lambda: standing_still(server)
            for name in ("envclone-images", "envclone-quarantine"):
                objects.namespace(api, name, objects.RESTRICTED)
            objects.namespace(api, "shop")
            objects.classes(api)
            objects.volume(api, controllers, "shop", "data-db-0", server.data.parent)
            objects.pod(api, "shop", "db-0", {"data": ("data-db-0", "/var/lib/postgresql")})
            api.put(
                {
                    "apiVersion": "apps/v1",
                    "kind": "StatefulSet",
                    "metadata": {"name": "db", "namespace": "shop"},
                    "spec": {
                        "serviceName": "db",
                        "selector": {"matchLabels": {"app": "db"}},
                        "template": {
                            "metadata": {"labels": {"app": "db"}},
                            "spec": {"containers": [{"name": "postgres", "image": "postgres"}]},
                        },
                    },
                }
            )
            yield World(here, api, controllers, kubelet)
            for branch in here.json("ls"):
                here.call("rm", "--force", branch["name"])
            assert controllers.failures == []


def test_a_production_in_a_cluster_is_branched_where_it_is(world: World) -> None:
    here = world.here
    image = here.json("image", "prod")
    pool, project = here.open().project.pool, here.open().project
    (raw,) = catalog.snapshots(pool, "acme")
    (made,) = catalog.images(pool, "acme")
    assert made.id == image["id"] and made.raw.id == raw.id and made.raw.stores["main"].method == "volume"
    # neither a file of production nor one of the image is in the pool, and both signatures are the pool's
    assert sorted(one.name for one in pool.path_of("images", made.id).iterdir()) == sorted(
        (attestation.ATTESTATION, attestation.SIGNATURE, attestation.MANIFEST, attestation.ELSEWHERE)
    )
    assert all(one.is_file() for one in pool.path_of("raw", raw.id).iterdir())
    attestation.check(pool.path_of("images", made.id), project.keys)
    # the volume that is kept: every file is masked, and nothing raw was ever written to it
    (handle,) = [
        one["spec"]["source"]["snapshotHandle"]
        for one in world.api.all("volumesnapshotcontents")
        if one["metadata"]["name"].startswith("envclone-images.")
    ]
    clean = world.controllers.handles[handle]
    assert bytes_hold(clean, [b"Quuxington", b"zoe.quux", b"corp.example"]) == {}
    assert bytes_hold(clean, [b"people"])
    # the Job, its volumes and its Secret are gone; production has its one snapshot, by policy
    for plural in ("jobs", "pods", "secrets", "persistentvolumeclaims"):
        assert world.api.all(plural, "envclone-quarantine") == [], plural
    assert [one["metadata"]["namespace"] for one in world.api.all("volumesnapshots")] == ["envclone-images", "shop"]
    here.call("incident", "record", str(here.directory / "incidents" / "77.yaml"))
    branch = here.json("branch", "prod", "--incident", "77", "--name", "b77")
    assert branch["image"] == made.id
    assert here.json("replay", "77")["reproduced"] is True
    end = here.open().show("b77").endpoints["main"]
    assert end.password is not None
    login = {"host": end.host, "port": end.port, "user": end.user, "password": end.password.reveal()}
    with psycopg.connect(**login, dbname=end.database) as conn:  # type: ignore[arg-type]
        assert conn.execute("SELECT count(*) FROM people WHERE email LIKE 'zoe.quux%'").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM people").fetchone() == (300,)
        assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        conn.execute("CREATE SCHEMA mine CREATE TABLE mine (x int)")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**{**login, "password": "wrong"}, dbname=end.database)  # type: ignore[arg-type]
    here.call("stop", "b77")
    assert here.json("ls")[0]["state"] == "stopped"
    here.call("start", "b77")
    with psycopg.connect(**login, dbname=end.database) as conn:  # type: ignore[arg-type]
        assert conn.execute("SELECT count(*) FROM mine.mine").fetchone() == (0,)
    here.call("reset", "b77")
    with psycopg.connect(**login, dbname=end.database) as conn:  # type: ignore[arg-type]
        assert conn.execute("SELECT to_regclass('mine.mine')").fetchone() == (None,)
    assert here.json("parity", "b77") is not None
    assert here.call("start", "b77", "--runtime", "local", check=False).returncode == 2
    said = here.call("branch", "prod", "--runtime", "local", "--name", "other", check=False)
    assert said.returncode == 2 and "is in the cluster" in said.stderr
    assert here.call("verify", made.id, check=False).returncode == 2
    assert here.call("scan", "prod", check=False).returncode == 2
    here.call("rm", "b77")
    assert [one["metadata"]["namespace"] for one in world.api.all("persistentvolumeclaims")] == ["shop"]


def test_nothing_raw_is_in_the_log_or_in_an_object(world: World) -> None:
    texts = [json.dumps(one) for one in world.api.store.objects.values()] + list(world.api.written.values())
    assert any('"made"' in text for text in texts)
    assert not any("compiling the loops" in text for text in texts), "the Job takes those of its image of containers"
    for text in texts:
        assert "Quuxington" not in text and "zoe.quux" not in text and world.here.env["DSN"] not in text
    key = (world.here.pool / "keys" / "masking.key").read_text().strip()
    signing = (world.here.pool / "keys" / "signing.key").read_text().strip()
    everything = json.dumps([one for _, _, _, one in world.api.store.log])
    assert key not in everything and signing not in everything, "the pool's keys never leave it"
    (raw,) = (world.here.pool / "raw").iterdir()
    for path in raw.iterdir():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
