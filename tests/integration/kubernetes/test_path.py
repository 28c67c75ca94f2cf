"""The whole path on real data: an image on a cluster, a branch of it, an incident replayed, on the stand-in.

The API is a fake that validates objects, the controllers reflink directories, and the pod's containers are processes of
this machine, with a real PostgreSQL. The image is made here, not by a Job of the cluster.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from envclone import attestation, process
from envclone.runtimes.kubernetes import images
from envclone.runtimes.kubernetes.objects import Volume
from tests.support.cluster.controllers import Controllers, controlling
from tests.support.cluster.processes import Processes
from tests.support.cluster.server import Api, running
from tests.support.postgres import production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: acme
pool: {path: "{pool}"}
environments:
  prod:
    runtime: kubernetes
    kubernetes: {image: "registry.example/envclone@sha256:DIGEST", timeout: 90s, memory: 256MiB}
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
incidents: incidents/
""".replace("DIGEST", "0" * 64)
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
    """A place with an image that is on the stand-in, too."""

    here: Place
    api: Api
    controllers: Controllers


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with production(18) as server, place() as here, running() as api:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text); CREATE ROLE app LOGIN;"
            "GRANT SELECT ON people TO app; INSERT INTO people SELECT i, 'Zoë Quuxington' || i,"
            " 'zoe.quux' || i || '@corp.example' FROM generate_series(1, 300) i",
            "app",
        )
        here.env.update(DSN=server.dsn_for("app"), KUBECONFIG=str(api.kubeconfig(here.directory / "kubeconfig")))
        here.write(STACK)
        (here.directory / "incidents").mkdir()
        bundle = here.directory / "incidents" / "77.yaml"
        bundle.write_text(BUNDLE)
        here.call("incident", "record", str(bundle))
        here.call("image", "prod")
        (image,) = here.json("images")
        storage = here.pool / "storage"  # a directory of the same file system, which can reflink
        storage.mkdir(mode=0o711)
        kubelet = Processes()
        with controlling(api, storage, kubelet) as controllers:
            api.connect = kubelet.connect
            _publish(here, api, controllers, image["id"], kubelet.user)
            yield World(here, api, controllers)
            for branch in here.json("ls"):
                here.call("rm", "--force", branch["name"])
            assert api.all("pods") == [] and controllers.failures == []


def _publish(here: Place, api: Api, controllers: Controllers, image: str, user: int) -> None:
    """What a Job of the cluster would do: a volume with the clean files, its snapshot, and the signed record."""
    source = here.pool / "images" / image
    handle = controllers.snapshot_of(source)
    process.run(["chown", "-R", f"{user}:{user}", controllers.handles[handle]])
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    volume = Volume("data", "stand-in", handle, size, {"main": "main"})
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "envclone-images"}})
    api.put(images.described(image, "envclone-images", source, here.pool / "keys", [volume], "acme"))
    assert attestation.digest(source)


def test_a_branch_on_a_cluster_replays_an_incident(world: World) -> None:
    here = world.here
    branch = here.json("branch", "prod", "--incident", "77", "--name", "b77")
    assert branch["runtime"] == "kubernetes" and set(branch["endpoints"]) == {"main"}
    report = here.json("replay", "77")
    assert report["reproduced"] is True
    end = here.open().show("b77").endpoints["main"]
    assert end.password is not None
    login = {"host": end.host, "port": end.port, "user": end.user, "password": end.password.reveal()}
    with psycopg.connect(**login, dbname=end.database) as conn:  # type: ignore[arg-type]
        assert conn.execute("SELECT count(*) FROM people WHERE email LIKE '%corp.example'").fetchone() != (300,)
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
    here.call("rm", "b77")
    assert world.api.all("persistentvolumeclaims") == []
    assert not Path(here.pool / "branches" / "b77").exists() and os.getuid() == 0
