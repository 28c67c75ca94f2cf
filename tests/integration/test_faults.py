"""Killed at any moment, or refused for a reason: nothing half made is called ready, and everything can be removed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from envclone import process, wait
from envclone.lifecycle import branch as station_5
from envclone.pool import catalog, locks
from envclone.pool.workdir import workdir
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

STACK = """\
version: 1
project: faults
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${PROD_DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.*: keep
branches: {max: 3}
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE);"
            "INSERT INTO people SELECT i, 'Jane Doe', 'jane' || i || '@corp.example' FROM generate_series(1, 2000) i",
            "app",
        )
        yield server


@pytest.fixture
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["PROD_DSN"] = prod.dsn_for("app")
        made.write(STACK)
        yield made


def _servers_below(directory: Path) -> list[int]:
    """The postmasters that run on data directories below a directory."""
    found = []
    for file in directory.rglob("postmaster.pid"):
        pid = int(file.read_text().split()[0])
        if process.alive(pid):
            found.append(pid)
    return found


def test_killed_at_any_moment(here: Place) -> None:
    command = [sys.executable, "-m", "envclone.cli.main", "--file", str(here.file), "branch", "prod", "--name", "b"]
    env = {**os.environ, **here.env, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    assert here.fresh.json("branch", "prod", "--name", "b")["state"] == "running"
    whole = min(time.monotonic() - began, 20.0)  # the first run can hold the compiling of loops
    here.call("rm", "b")
    random.seed(7)
    stages = set()
    for attempt in range(24):
        if attempt >= 6 and len(stages) >= 3:
            break  # a machine that was busy for a while makes some kills hit one station: then there are more
        if attempt % 2 == 0:  # every second time all of it is made again
            for kind in ("images", "raw"):
                for entry in (here.pool / kind).iterdir():
                    here.open().project.cow.remove(entry)
        victim = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * (attempt % 6 + random.random()) / 6)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        left = here.leftovers()
        stages.add(tuple(entry.split("/")[0] for entry in left))
        for branch in here.json("ls"):
            if branch["state"] == "running":  # it was made whole before the kill
                with psycopg.connect(branch["urls"]["main"]) as conn:
                    assert conn.execute("SELECT count(*) FROM people").fetchone() == (2000,)
                here.call("rm", branch["name"])
        here.call("gc")
        assert [one for one in here.leftovers() if one.split("/")[0] in ("work", "tmp", "branches")] == []
        assert _servers_below(here.pool) == []
    assert len(stages) >= 3, "the kills were to hit several stations"
    assert here.json("branch", "prod", "--name", "b")["state"] == "running"


def test_killed_while_pages_are_written() -> None:
    """No image, nothing left running, the raw snapshot as it was; and the next run makes the image."""
    with production(18) as server:
        _killed_while_pages_are_written(server)


def _killed_while_pages_are_written(prod: Production) -> None:
    prod.create_database("wide")
    prod.execute(
        "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, filler text);"
        "INSERT INTO people SELECT i, 'Jane Doe', 'jane' || i || '@corp.example', repeat('x', 500)"
        " FROM generate_series(1, 120000) i",
        "wide",
    )
    with place() as made:
        made.env["PROD_DSN"] = prod.dsn_for("wide")
        made.write(STACK.replace("database: app", "database: wide"))
        made.fresh.call("snapshot", "prod")
        (raw,) = (made.pool / "raw").iterdir()
        before = _contents(raw)
        command = [sys.executable, "-m", "envclone.cli.main", "--file", str(made.file), "image", "prod"]
        env = {**os.environ, **made.env, "PYTHONPATH": str(ROOT)}
        random.seed(11)
        for _ in range(4):
            victim = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _until_files_are_written(made.pool / "work", victim)
            time.sleep(random.random() * 0.8)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            wait.until(lambda: None if _working(made) else True, what="a process goes on writing", timeout=30)
            made.call("gc")
            assert [one for one in made.leftovers() if one.split("/")[0] in ("work", "tmp", "images")] == []
            assert _servers_below(made.pool) == []
            assert _contents(raw) == before
        made.call("image", "prod")
        (image,) = (made.pool / "images").iterdir()
        assert made.call("verify", image.name).returncode == 0


def _contents(directory: Path) -> dict[str, str]:
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.startswith("identities-"):
            found[str(path.relative_to(directory))] = hashlib.blake2b(path.read_bytes()).hexdigest()
    return found


def _until_files_are_written(work: Path, victim: subprocess.Popen[bytes]) -> None:
    """The private server of the clone ran, and has been stopped."""
    ran = False
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and victim.poll() is None:
        running = [p for p in work.glob("*/main/data/postmaster.pid") if not p.parts[-4].startswith("raw-")]
        if ran and not running and list(work.glob("*/main/data")):
            return
        ran = ran or any(len(p.read_text().splitlines()) >= 8 for p in running if p.exists())
        time.sleep(0.005)
    raise AssertionError("the files were not written")


def _working(made: Place) -> list[str]:
    """Copies of the killed process that are still there, and what they hold: one that ends loses its name first."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"envclone.cli.main" in command and str(made.file).encode() in command:
            found.append(entry.name)
    for file in (made.pool / "locks").glob("*.lock"):
        with locks.try_exclusive(file.parent, file.stem) as free:
            if free is None:
                found.append(file.stem)
    return found


def test_interrupted_by_the_user(here: Place) -> None:
    command = [sys.executable, "-m", "envclone.cli.main", "--file", str(here.file), "branch", "prod", "--name", "b"]
    victim = subprocess.Popen(
        command, env={**os.environ, **here.env, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    wait.until(lambda: True if here.leftovers() else None, what="nothing was begun", timeout=60)
    victim.send_signal(signal.SIGINT)
    _, error = victim.communicate(timeout=60)
    assert victim.returncode == 130
    assert "nothing half made is left" in error
    assert [one for one in here.leftovers() if one.split("/")[0] in ("work", "tmp", "branches")] == []
    assert _servers_below(here.pool) == []


LATE = """
import os, signal, sys
from envclone.cli import main
from envclone.lifecycle import branch
at, real = sys.argv.pop(1), getattr(branch, sys.argv.pop(1))
def late(*args, **named):
    if at == "before":
        os.kill(os.getpid(), signal.SIGTERM)
    done = real(*args, **named)
    if at == "after":
        os.kill(os.getpid(), signal.SIGTERM)
    return done
setattr(branch, real.__name__, late)
main.main()
"""


@pytest.mark.parametrize(("at", "what"), [("before", "save"), ("after", "save"), ("after", "create")])
def test_a_signal_behind_the_last_step_leaves_a_branch_that_is_announced(here: Place, at: str, what: str) -> None:
    """It is too late then: the branch is there, in the log and told of, and the command succeeded."""
    env = {**os.environ, **here.env, "PYTHONPATH": str(ROOT)}
    arguments = [at, what, "--file", str(here.file), "branch", "prod", "--name", "b", "--json"]
    done = process.run([sys.executable, "-c", LATE, *arguments], env=env, check=False)
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "running"), done.stderr
    assert [one["name"] for one in here.json("ls")] == ["b"]
    actions = [json.loads(line)["action"] for line in (here.pool / "audit.jsonl").read_text().splitlines()]
    assert actions.count("branch") == actions.count("remove") + 1


def test_a_signal_where_nobody_announces_leaves_no_branch(here: Place) -> None:
    stack = here.open()

    def stopped() -> None:
        raise KeyboardInterrupt

    image = catalog.image(stack.project.pool, stack.project.name, here.json("image", "prod")["id"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("envclone.lifecycle.branch.made", stopped)
        with pytest.raises(KeyboardInterrupt):
            station_5.create(stack.project, image, "b")
    assert here.json("ls") == [] and _servers_below(here.pool) == []
    assert [one["action"] for one in stack.events()][-2:] == ["branch", "remove"]


def _refused(here: Place, *arguments: str, code: int, says: str, env: dict[str, str] | None = None) -> str:
    done = here.call(*arguments, check=False, env=env)
    assert done.returncode == code, done.stderr
    assert says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_wrong_dsn(here: Place) -> None:
    said = _refused(
        here,
        "branch",
        "prod",
        code=7,
        says="error: ",
        env={"PROD_DSN": "postgresql://postgres:hunter2@127.0.0.1:1/app"},
    )
    assert "hunter2" not in said
    assert here.leftovers() == []


def test_a_wrong_password(here: Place, prod: Production) -> None:
    said = _refused(
        here, "branch", "prod", code=7, says="password", env={"PROD_DSN": prod.dsn_for("app", password="hunter2")}
    )
    assert "hunter2" not in said
    assert here.leftovers() == []


def test_a_missing_variable_names_itself(here: Place) -> None:
    here.write(STACK.replace("${PROD_DSN}", "${NO_SUCH_DSN?a DSN with REPLICATION}"))
    _refused(here, "branch", "prod", code=3, says="a DSN with REPLICATION")
    assert here.leftovers() == []


def test_five_mistakes_are_reported_at_once_with_their_lines(here: Place) -> None:
    here.write(
        "version: 2\nproject: Faults\npool: {path: '{pool}', driver: zfs}\nenvironments:\n  prod:\n    stores:\n"
        "      main: {kind: postgres, sorce: {method: physical}}\nbranches: {ttl: soon}\n"
    )
    said = _refused(here, "branch", "prod", code=3, says="envclone.yaml:1: version")
    for place_of_it in (
        "yaml:2: project",
        "yaml:3: pool.driver",
        "yaml:7: environments.prod.stores.main",
        "yaml:8: branches.ttl",
    ):
        assert place_of_it in said
    assert "did you mean 'source'" in said


def test_an_unknown_environment(here: Place) -> None:
    _refused(here, "branch", "staging", code=3, says="no environment 'staging'; there are: prod")


def test_a_full_disk(prod: Production) -> None:
    if os.geteuid() != 0:
        return  # a small file system needs root; CI is root
    with place(size="310M") as tiny:
        tiny.env["PROD_DSN"] = prod.dsn_for("app")
        tiny.write(STACK)
        filler = tiny.pool / "tmp" / "filler"
        free = tiny.open().project.pool.free_bytes()
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free - 30 * 2**20, 1))
        done = tiny.call("branch", "prod", check=False)
        assert done.returncode == 6, done.stderr
        assert "hint: " in done.stderr
        filler.unlink()
        assert tiny.leftovers() == []
        assert tiny.json("branch", "prod")["state"] == "running"


def test_a_port_in_use(here: Place, prod: Production) -> None:
    here.call("image", "prod")
    _refused(here, "branch", "prod", "--name", "b", "--port", str(prod.port), code=8, says=str(prod.port))
    assert [one for one in here.leftovers() if one.startswith("branches")] == []


def test_names_and_limits(here: Place) -> None:
    _refused(here, "branch", "prod", "--name", "../x", code=2, says="cannot be a name")
    for number in range(3):
        here.call("branch", "prod", "--name", f"b{number}")
    _refused(here, "branch", "prod", "--name", "b0", code=8, says="exists already")
    _refused(here, "branch", "prod", "--name", "b3", code=6, says="branches.max")
    _refused(here, "show", "nobody", code=2, says="there are: b0, b1, b2")


def test_an_undeclared_column_is_named_and_nothing_is_made(here: Place, prod: Production) -> None:
    prod.execute("ALTER TABLE people ADD COLUMN IF NOT EXISTS nickname text", "app")
    try:
        here.write(STACK.replace("      public.people.*: keep", "      public.people.id: keep"))
        said = _refused(here, "branch", "prod", code=4, says="public.people.nickname")
        assert "nothing was copied" in said
        assert [one for one in here.leftovers() if not one.startswith("raw/")] == []
    finally:
        prod.execute("ALTER TABLE people DROP COLUMN nickname", "app")


def test_a_rule_that_matches_nothing(here: Place) -> None:
    here.write(STACK.replace("      public.people.*: keep", "      public.people.*: keep\n      public.gone.x: person"))
    _refused(here, "branch", "prod", code=4, says="public.gone.x")


def test_a_tampered_image_is_refused(here: Place) -> None:
    image = here.json("image", "prod")["id"]
    victim = here.pool / "images" / image / "main" / "data" / "PG_VERSION"
    victim.write_text("18\n\n")
    _refused(here, "branch", "prod", "--name", "b", code=4, says="PG_VERSION was altered")
    _refused(here, "verify", image, code=4, says="PG_VERSION was altered")
    assert [one for one in here.leftovers() if one.startswith("branches")] == []


def test_gc_keeps_what_is_needed_and_says_what_it_would_do(here: Place) -> None:
    here.call("branch", "prod", "--name", "b", "--ttl", "1s")
    here.call("branch", "prod", "--name", "kept")
    planned = wait.until(lambda: here.json("gc", "--dry-run") or None, what="nothing expired", timeout=30)
    assert [(one["kind"], one["name"]) for one in planned] == [("branch", "b")]
    assert here.json("gc") == planned
    assert [one["name"] for one in here.json("ls")] == ["kept"]
    assert here.json("gc") == []


def test_gc_says_what_it_leaves_and_who_is_at_it(here: Place) -> None:
    stack = here.open()
    with workdir(stack.project.pool, stack.project.cow, "image") as place:
        (found,) = here.json("gc")
        assert (found["kind"], found["name"], found["left"], found["error"]) == ("in use", place.name, True, None)
        assert found["reason"].startswith(f"in use by process {os.getpid()} (")
        said = here.call("gc", "--dry-run").stdout
        assert place.name in said and "left: when the process has ended" in said
    assert here.json("gc") == []


def test_a_damaged_record_is_reported_and_stops_nobody_else(here: Place) -> None:
    here.call("branch", "prod", "--name", "damaged")
    here.call("branch", "prod", "--name", "sound")
    (here.pool / "branches" / "damaged" / "branch.json").write_text("{")
    (here.pool / "branches" / "empty").mkdir()
    listed = here.call("ls")
    assert "sound" in listed.stdout
    assert "envclone rm --force damaged" in listed.stderr
    _refused(here, "rm", "damaged", code=4, says="--force")
    assert [one["name"] for one in here.json("gc")] == ["empty"]
    here.call("rm", "--force", "damaged")
    assert _servers_below(here.pool / "branches") == _servers_below(here.pool / "branches" / "sound")
    assert sorted(entry.name for entry in (here.pool / "branches").iterdir()) == ["sound"]
