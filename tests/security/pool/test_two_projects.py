"""One pool, two projects: nothing of one is found, evicted, counted, reused or removed by the other."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.security.pool.two import two_projects
from tests.support.stack import Place


@pytest.fixture(scope="module")
def projects() -> Iterator[tuple[Place, Place]]:
    """Both have a snapshot, an image and a branch; `beta` made its own last."""
    with two_projects() as (alpha, beta):
        alpha.call("branch", "prod", "--name", "a1")
        beta.call("branch", "prod", "--name", "b1")
        yield alpha, beta


def _whose(here: Place, name: str) -> set[str]:
    with psycopg.connect(here.json("show", name)["urls"]["main"]) as conn:
        return {row[0] for row in conn.execute("SELECT of FROM people")}


def _refused(here: Place, *arguments: str, code: int = 2, says: str) -> None:
    done = here.call(*arguments, check=False)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert says in done.stderr
    assert "hint: " in done.stderr


def test_each_gets_its_own_data(projects: tuple[Place, Place]) -> None:
    """The same environment, rules and (when the key is given) key: the newest image is the other project's."""
    alpha, beta = projects
    assert _whose(alpha, "a1") == {"alpha"}
    assert _whose(beta, "b1") == {"beta"}
    assert alpha.call("branch", "prod", "--name", "a2").returncode == 0
    assert _whose(alpha, "a2") == {"alpha"}
    alpha.call("rm", "a2")


def test_lists_show_only_ones_own(projects: tuple[Place, Place]) -> None:
    for here, name in zip(projects, ("a1", "b1"), strict=True):
        assert [one["name"] for one in here.json("ls")] == [name]
        (image,) = here.json("images")
        assert image["project"] == {"a1": "alpha", "b1": "beta"}[name]
        assert here.json("gc", "--dry-run") == []


def test_asked_for_by_id_it_is_said_whose_it_is(projects: tuple[Place, Place]) -> None:
    alpha, beta = projects
    (theirs,) = beta.json("images")
    says = "belongs to the project 'beta', and this is 'alpha'"
    for command in ("verify", "attestation"):
        _refused(alpha, command, theirs["id"], says=says)
    for command in (
        ["show", "b1"], ["env", "b1"], ["psql", "b1", "-c", "SELECT 1"], ["stop", "b1"], ["start", "b1"],
        ["reset", "b1"], ["parity", "b1"], ["logs", "b1", "main"], ["stats", "b1"], ["protect", "b1"],
        ["rm", "b1"], ["rm", "--force", "b1"],
    ):  # fmt: skip
        _refused(alpha, *command, says=says)
    assert beta.json("show", "b1")["state"] == "running"


def test_a_name_that_is_taken_says_by_whom_and_default_names_do_not_collide(projects: tuple[Place, Place]) -> None:
    alpha, beta = projects
    _refused(alpha, "branch", "prod", "--name", "b1", code=8, says="a branch of the project 'beta' has it")
    stacks = [here.open() for here in projects]
    (beta.pool / "branches" / "prod-77").mkdir()
    record = json.loads((beta.pool / "branches" / "b1" / "branch.json").read_text())
    (beta.pool / "branches" / "prod-77" / "branch.json").write_text(json.dumps({**record, "name": "prod-77"}))
    try:
        assert stacks[0]._default_name("prod", "77") == "alpha-prod-77"
        assert stacks[1]._default_name("prod", "77") == "prod-77"
    finally:
        stacks[1].project.cow.remove(beta.pool / "branches" / "prod-77")


def test_limits_count_ones_own(projects: tuple[Place, Place]) -> None:
    """branches.max is 2 in each stack file, and the pool holds two branches already."""
    alpha, _ = projects
    alpha.call("branch", "prod", "--name", "a2")
    _refused(alpha, "branch", "prod", "--name", "a3", code=6, says="there are 2 branches already")
    alpha.call("rm", "a2")


def test_gc_removes_only_ones_own(projects: tuple[Place, Place]) -> None:
    """New snapshots and images supersede this project's; quarantine.keep is 1, for each project."""
    alpha, beta = projects
    theirs = _objects(beta, "beta")
    alpha.call("image", "prod", "--fresh")
    alpha.call("rm", "a1")
    gone = {(one["kind"], one["error"]) for one in alpha.json("gc")}
    assert gone == {("raw", None), ("image", None)}
    assert _objects(beta, "beta") == theirs
    assert len(_objects(alpha, "alpha")) == 2
    assert beta.json("gc") == []
    assert len(_objects(alpha, "alpha")) == 2
    beta.call("reset", "b1")
    assert _whose(beta, "b1") == {"beta"}
    alpha.call("branch", "prod", "--name", "a1")


def test_an_expired_branch_of_another_project_stays(projects: tuple[Place, Place]) -> None:
    alpha, beta = projects
    path = beta.pool / "branches" / "b1" / "branch.json"
    before = path.read_text()
    record = json.loads(before)
    record |= {"expires_at": (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat(), "ttl": None}
    path.write_text(json.dumps(record))
    try:
        assert alpha.json("gc") == []
        assert [one["name"] for one in beta.json("gc", "--dry-run")] == ["b1"]
    finally:
        path.write_text(before)


def test_what_names_no_project_is_named_and_never_used(projects: tuple[Place, Place]) -> None:
    """A snapshot of before records named their project."""
    alpha, _ = projects
    (raw,) = [path for path in (alpha.pool / "raw").iterdir() if _project_of(path) == "alpha"]
    old = alpha.pool / "raw" / "prod-20200101t000000-abcd"
    alpha.open().project.cow.clone(raw, old)
    record = json.loads((old / "snapshot.json").read_text())
    del record["project"]
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    (old / "snapshot.json").write_text(json.dumps({**record, "id": old.name, "created_at": later}))
    said = alpha.call("gc")
    assert f"raw snapshot {old.name}: an older envclone made it" in said.stderr
    assert "envclone gc --older" in said.stderr
    assert old.is_dir()
    assert alpha.json("image", "prod", "--again")["raw"]["id"] == raw.name
    doctor = {one["name"]: one for one in alpha.json("--pool", str(alpha.pool), "doctor")}
    assert doctor[f"record raw/{old.name}"]["ok"] is False
    assert (old.name, None) in {(one["name"], one["error"]) for one in alpha.json("gc", "--older")}
    assert not old.exists()


def test_the_log_says_which_project(projects: tuple[Place, Place]) -> None:
    alpha, _ = projects
    events = alpha.json("audit", "log", "-n", "500")
    assert {event["details"]["project"] for event in events} == {"alpha", "beta"}


def _project_of(path: Path) -> str:
    return str(json.loads((path / "snapshot.json").read_text())["project"])


def _objects(here: Place, project: str) -> set[str]:
    """A project's snapshots and images, from the files."""
    found = {f"raw/{path.name}" for path in (here.pool / "raw").iterdir() if _project_of(path) == project}
    for path in (here.pool / "images").iterdir():
        if json.loads((path / "attestation.json").read_text())["image"]["project"] == project:
            found.add(f"images/{path.name}")
    return found
