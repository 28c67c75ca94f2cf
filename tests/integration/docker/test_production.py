"""Production in a container of its own: snapshotted over the network, its limits read and given to the branch."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from envclone import process, wait
from envclone.accounts import service_account
from envclone.models import StoreSnapshot
from envclone.runtimes.docker import engine, serverimage
from envclone.stores.postgres.server.contained import own_files
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.docker]

STACK = """\
version: 1
project: contained
pool: {path: "{pool}"}
environments:
  prod:
    runtime: docker
    stores:
      main:
        kind: postgres
        source: {method: physical, dsn: "${DSN}", database: app}
        image: {image}
        profile: prod-main
sanitize:
  rules: {main: {public.people.id: keep, public.people.name: person}}
"""


@pytest.fixture(scope="module")
def image() -> str:
    """An image of the server, tagged as a user's own registry would have it."""
    import datetime as dt

    snapshot = StoreSnapshot("main", "postgres", "physical", "18.4", dt.datetime.now(dt.UTC), 0, 0, 0)
    with contextlib.closing(engine.connect()) as client:
        name = serverimage.ensure(client, own_files(snapshot), lambda event: None)
        client.images.get(name).tag("acme/postgres", "18")
    return "acme/postgres:18"


@pytest.fixture(scope="module")
def contained(image: str) -> Iterator[tuple[Production, str, str]]:
    """A server that was set up here and goes on in a container: its files, its DSN, its id."""
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # its image is in a registry
    from testcontainers.core.container import DockerContainer

    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Jane Doe')", "app"
        )
        server.stop()
        with (server.data / "pg_hba.conf").open("a") as file:
            file.write("host all all all scram-sha-256\nhost replication all all scram-sha-256\n")
        account = service_account()
        container = (
            DockerContainer(image)
            .with_command(
                ["postgres", "-D", str(server.data), "-c", "listen_addresses=*", "-c", "port=5432",
                 "-c", "unix_socket_directories=/tmp", "-c", "shared_buffers=48MB"]
            )
            .with_volume_mapping(str(server.data), str(server.data), "rw")
            .with_exposed_ports(5432)
            .with_kwargs(
                user=f"{account.uid}:{account.gid}", mem_limit="512m", nano_cpus=1_500_000_000, shm_size="96m",
            )
        )  # fmt: skip
        with container as running:
            port = int(running.get_exposed_port(5432))
            dsn = server.dsn_for("app").replace(f":{server.port}/", f":{port}/")

            def answers() -> bool | None:
                with contextlib.suppress(psycopg.OperationalError), psycopg.connect(dsn):
                    return True
                return None

            wait.until(answers, what="production's container did not answer", timeout=60)
            yield server, dsn, running.get_wrapped_container().id


@pytest.fixture
def here(contained: tuple[Production, str, str], image: str) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = contained[1]
        made.write(STACK.replace("{image}", image))
        yield made


def test_a_contained_production_is_branched_with_its_limits(
    here: Place, contained: tuple[Production, str, str]
) -> None:
    said = here.directory / "inspect.json"
    said.write_text(process.run(["docker", "inspect", contained[2]]).stdout)
    here.call("profile", "capture", "prod", "--only", "main", "--from", str(said))
    text = (here.directory / "profiles" / "prod-main.yaml").read_text()
    assert "cpus: 1.5" in text and "memory: 512MiB" in text and "shm: 96MiB" in text

    branch = here.json("branch", "prod", "--name", "same", "--allow-degraded")
    assert branch["runtime"] == "docker" and branch["images"]["main"].startswith("sha256:")
    inspected = json.loads(process.run(["docker", "inspect", *_containers("same", "main")]).stdout)[0]["HostConfig"]
    assert (inspected["Memory"], inspected["NanoCpus"], inspected["ShmSize"]) == (512 << 20, 1_500_000_000, 96 << 20)
    rows = {(row["store"], row["what"]): row for row in here.json("parity", "same")["rows"]}
    for what in ("cpus", "memory", "image", "setting shared_buffers", "server version"):
        assert rows["main", what]["parity"] == "match", rows["main", what]
    with psycopg.connect(branch["urls"]["main"]) as conn:
        assert conn.execute("SHOW shared_buffers").fetchone() == ("48MB",)
        assert conn.execute("SELECT count(*) FROM people WHERE name = 'Jane Doe'").fetchone() == (0,)
        size = conn.execute("SELECT count(*) FROM people").fetchone()
        assert size == (1,)
    mounts = here.call("exec", "same", "main", "sh", "-c", "while read l; do echo $l; done < /proc/mounts").stdout
    assert any(" /dev/shm tmpfs " in line and "size=98304k" in line for line in mounts.splitlines())
    assert Path(here.pool / "branches" / "same" / "compose.yaml").exists()
    here.call("rm", "same")
    assert _containers("same", "main") == []


def _containers(branch: str, part: str) -> list[str]:
    return process.run(
        [
            "docker", "ps", "--all", "--quiet", "--filter", f"label=io.envclone.branch={branch}",
            "--filter", f"label=com.docker.compose.service={part}",
        ]
    ).stdout.split()  # fmt: skip
