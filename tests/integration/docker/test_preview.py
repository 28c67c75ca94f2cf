"""A whole preview stack on real Docker: the application answers the incident's request, and nothing gets out."""

from __future__ import annotations

import json
import re
import socket
import stat
import sys

import psycopg
import pytest
import yaml

from envclone import process
from tests.integration.docker.conftest import World
from tests.support import docker
from tests.support.ports import unused_port

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.docker]

REACH = """
import socket, sys
found = []
def tcp(host, port, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(1)
    try:
        s.connect((host, port)); found.append(f"tcp {host}:{port}")
    except OSError: pass
    finally: s.close()
def udp(host, port, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(0.5)
    try:
        s.connect((host, port)); s.send(b"x"); found.append(f"udp {host}:{port}")
    except OSError: pass
    finally: s.close()
def name(host):
    try: socket.getaddrinfo(host, 80); found.append(f"name {host}")
    except OSError: pass
ports = [int(p) for p in sys.argv[1].split(",")]
for host in sys.argv[2].split(","):
    for port in ports: tcp(host, port)
    if host != "127.0.0.1": udp(host, 53)  # that is the sandbox itself
for host in ("169.254.169.254", "1.1.1.1", "172.17.0.1", "10.0.0.1", "192.168.0.1"):
    tcp(host, 80); udp(host, 53)
for host in ("fe80::1%lo", "2001:4860:4860::8888", "fd00::1", "::ffff:172.17.0.1"):
    tcp(host, 80, socket.AF_INET6); udp(host, 53, socket.AF_INET6)
tcp("::1", ports[0], socket.AF_INET6)
for host in ("example.org", "host.docker.internal", "metadata.google.internal"): name(host)
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); found.append("raw socket")
except OSError: pass
try:
    s = socket.socket(socket.AF_UNIX); s.connect("\\0envclone-test"); found.append("abstract socket of the host")
except OSError: pass
print(found, [i for _, i in socket.if_nameindex()])
"""


def _here() -> list[str]:
    """Every address of this host."""
    return process.run(["hostname", "--all-ip-addresses"]).stdout.split()


def test_the_application_answers_the_incident_and_nothing_leaves(world: World, listener: int) -> None:
    here = world.here
    branch = here.json("branch", "prod", "--incident", "77")
    assert branch["runtime"] == "docker" and branch["services"] == ["api"] and branch["degraded"] == []
    assert set(branch["urls"]) == {"main", "kb", "api"} and branch["seconds"] < 20
    assert all("sha256:" in image for part, image in branch["images"].items() if part != "sandbox")
    other = here.json("branch", "prod", "--name", "neighbour")

    replay = here.call("replay", "77", check=False)
    assert replay.returncode == 0, replay.stdout + replay.stderr
    assert "asked: reproduced" in replay.stdout and "articles: reproduced" in replay.stdout
    assert re.search(r"api: at most \d+ MiB of 256 MiB memory, nothing killed", replay.stdout)
    with psycopg.connect(branch["urls"]["main"]) as conn:
        row = conn.execute("SELECT count(*), count(*) FILTER (WHERE body LIKE '%%Jane%%') FROM tickets").fetchone()
        assert row == (500, 0)
        assert conn.execute("SHOW shared_buffers").fetchone() == ("32MB",)

    ports = ",".join(str(port) for port in (listener, branch["endpoints"]["main"]["port"], world.server.port, 22, 2375))
    neighbours = [str(end["port"]) for end in other["endpoints"].values() if end["port"]]
    given = (f"{ports},{','.join(neighbours)}", ",".join(["127.0.0.1", *_here()]))
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0envclone-test")
        abstract.listen()
        outside = process.run([sys.executable, "-c", REACH, *given]).stdout  # the same asked where there are no walls
        for found in (f"tcp 127.0.0.1:{listener}", f"tcp 127.0.0.1:{neighbours[0]}", "raw socket", "abstract socket"):
            assert found in outside, outside
        reach = here.call("exec", branch["name"], "api", docker.python(), "-c", REACH, *given).stdout
    assert reach.strip() == "[] ['lo']", reach

    inside = here.call(
        "exec", branch["name"], "api", docker.python(), "-c", "print(open('/proc/self/status').read())"
    ).stdout
    assert re.search(r"CapEff:\s+0+\n", inside) and re.search(r"CapBnd:\s+0+\n", inside)
    assert re.search(r"NoNewPrivs:\s+1\n", inside)
    written = here.call("exec", branch["name"], "api", docker.python(), "-c", "open('/x', 'w')", check=False)
    assert "Read-only file system" in written.stderr
    environment = json.loads(
        here.call(
            "exec", branch["name"], "api", docker.python(), "-c", "import os, json; print(json.dumps(dict(os.environ)))"
        ).stdout
    )
    assert environment["NOTE"].startswith("costs $5 in ")
    assert not {"DSN", "PROD_API", "PGPASSWORD"} & environment.keys()
    assert world.server.dsn_for("app") not in json.dumps(environment)
    here.call("rm", branch["name"], "neighbour")


def test_the_compose_file_can_be_read_edited_and_used_by_hand(world: World) -> None:
    here = world.here
    branch = here.json("branch", "prod", "--name", "edited")
    path = here.pool / "branches" / "edited" / "compose.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = yaml.safe_load(path.read_text())
    services = document["services"]
    assert set(services) == {"sandbox", "main", "api"}
    assert services["sandbox"]["network_mode"] == "none" and services["api"]["network_mode"] == "service:sandbox"
    assert services["api"]["mem_limit"] == 256 * 1024**2 and services["api"]["cpus"] == 1.0
    assert services["api"]["ulimits"] == {"nofile": {"soft": 2048, "hard": 2048}}
    assert services["api"]["depends_on"]["main"] == {"condition": "service_healthy"}
    assert all("sha256:" in services[part]["image"] for part in ("main", "api"))
    assert str(world.server.port) not in path.read_text()

    here.call("stop", "edited")
    services["api"]["environment"]["ADDED"] = "by hand"
    path.write_text(yaml.safe_dump(document))
    here.call("start", "edited")
    said = here.call("exec", "edited", "api", docker.python(), "-c", "import os; print(os.environ['ADDED'])").stdout
    assert said == "by hand\n"
    project = process.run(
        ["docker", "ps", "--filter", "label=io.envclone.branch=edited", "--format", "{{.Names}}"]
    ).stdout
    assert len(project.split()) == 3 and branch["endpoints"]["api"]["port"]
    assert "serving" in here.call("logs", "edited", "api").stdout
    assert "ready to accept" in here.call("logs", "edited", "main", "-n", "20").stdout
    stats = here.json("stats", "edited")["parts"]
    assert set(stats) == {"api", "main"} and stats["api"]["memory_limit"] == 256 * 1024**2
    assert stats["main"]["memory"] > 1 << 20
    wrong = here.call("logs", "edited", "nothing", check=False)
    assert wrong.returncode == 2 and "there are: api, main" in wrong.stderr
    here.call("rm", "edited")


def test_either_runtime_starts_the_same_branch(world: World) -> None:
    here = world.here
    branch = here.json("branch", "prod", "--name", "both")
    url = branch["urls"]["main"]
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA own CREATE TABLE kept (n int)")
        conn.execute("INSERT INTO own.kept VALUES (7)")
    for runtime in ("local", "docker", "local"):
        moved = here.json("start", "both", "--runtime", runtime)
        assert moved["runtime"] == runtime and ("api" in moved["endpoints"]) == (runtime == "docker")
        with psycopg.connect(moved["urls"]["main"]) as conn:
            assert conn.execute("SELECT n FROM own.kept").fetchone() == (7,)
        assert (docker.containers(world.here.pool) == []) == (runtime == "local")
    refused = here.call("exec", "both", "main", "true", check=False)
    assert refused.returncode == 2 and "--runtime docker" in refused.stderr
    here.call("reset", "both")
    here.call("rm", "both")


def test_the_port_is_the_one_asked_for_or_refused(world: World, listener: int) -> None:
    here = world.here
    refused = here.call("branch", "prod", "--name", "port", "--port", str(listener), check=False)
    assert refused.returncode == 8 and f"port {listener}" in refused.stderr, refused.stderr
    assert docker.containers(world.here.pool) == [] and here.json("ls") == []
    port = unused_port()
    made = here.json("branch", "prod", "--name", "port", "--port", str(port))
    assert made["endpoints"]["main"]["port"] == port
    here.call("stop", "port")
    again = here.json("start", "port")
    assert {name: end["port"] for name, end in again["endpoints"].items()} == {
        name: end["port"] for name, end in made["endpoints"].items()
    }
    here.call("rm", "port")


def test_a_service_that_does_not_start_says_why_and_leaves_nothing(world: World) -> None:
    here = world.here
    good = here.file.read_text()
    here.file.write_text(good.replace("server.py]", "missing.py]"))
    done = here.call("branch", "prod", "--name", "broken", check=False)
    assert done.returncode == 7, done.stderr
    assert "the service api ended" in done.stderr and "No such file" in done.stderr
    here.file.write_text(good.replace("path: /healthz", "path: /nothing, timeout: 2s"))
    done = here.call("branch", "prod", "--name", "broken", check=False)
    assert done.returncode == 7 and "GET /nothing: 404" in done.stderr
    here.file.write_text(good.replace("image: envclone-test/app", "image: envclone-test/absent"))
    done = here.call("branch", "prod", "--name", "broken", check=False)
    assert done.returncode == 6 and "docker pull envclone-test/absent" in done.stderr
    here.file.write_text(good)
    assert docker.containers(world.here.pool) == [] and here.json("ls") == []
    assert [one for one in here.leftovers() if one.startswith("branches")] == []
