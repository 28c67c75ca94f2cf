"""A real server, which QDRANT_BIN names, is copied while it runs: what the stand-in is held to, held to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from envclone import wait
from envclone.errors import EnvcloneError
from envclone.models import Secret
from envclone.stores.qdrant.search import to_server
from tests.integration.qdrant.test_real_server import STACK
from tests.support.qdrant_real import Real, running
from tests.support.qdrant_server import KEY, READER, serving, whole
from tests.support.recorded import questions
from tests.support.stack import ROOT, Place, place

LIVE = '{method: snapshot, url: "${QDRANT_URL}", api_key: "${QDRANT_KEY}"}'


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A place."""
    with place() as made:
        text = STACK.replace('{method: directory, path: "@KB@"}', LIVE)
        assert LIVE in text
        made.write(text)
        yield made


@pytest.fixture(scope="module")
def server(here: Place) -> Iterator[Real]:
    """The server, of which an image is made."""
    with running(here.directory) as made:
        here.env.update({"QDRANT_URL": made.client.url, "QDRANT_KEY": KEY})
        here.call("image", "prod")
        yield made


def test_a_branch_answers_as_the_server_does(here: Place, server: Real) -> None:
    asked = [(one, step) for one in questions() if not one.masked and not one.tied and (step := one.step())]
    endpoint = here.open().branch("prod", name="b").endpoints["kb"]
    with (
        to_server(server.client.url, server.client.key) as production,
        to_server(f"http://{endpoint.host}:{endpoint.port}", endpoint.password) as branch,
    ):
        for one, step in asked:
            wanted, found = production.run(step), branch.run(step)
            assert list(wanted.ids) == [ident for ident, _, _ in one.points], one.name
            assert (found.ids, found.scores) == (wanted.ids, wanted.scores), one.name


def test_nothing_stays_on_it(server: Real) -> None:
    assert server.left == []


def test_it_answers_as_the_stand_in_does(server: Real) -> None:
    with serving(whole()) as (node,):
        pretended = server.client.at(node.url)
        for where in (
            "/",
            "/collections/articles",
            "/collections/plain",
            "/collections/tenants",
            "/collections/tenants/cluster",
            "/collections/articles/aliases",
            "/cluster",
        ):
            assert _shape(server.client.get(where).result) == _shape(pretended.get(where).result), where
        for method, where in (
            ("get", "/collections/nothing"),
            ("get", "/collections/articles/shards/0/snapshots/none.snapshot"),
            ("delete", "/collections/articles/shards/0/snapshots/none.snapshot"),
            ("post", "/collections/nothing/shards/0/snapshots"),
        ):
            for key in (KEY, READER, "wrong"):
                assert _status(server.client, method, where, key) == _status(pretended, method, where, key), where


def _status(client: Any, method: str, where: str, key: str) -> int:
    try:
        return int(getattr(replace(client, key=Secret(key)), method)(where).status)
    except EnvcloneError as exc:
        return int(getattr(exc, "status", 0))


def _shape(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _shape(value) for key, value in found.items()}
    return [_shape(found[0])] if isinstance(found, list) and found else type(found)


def test_wrong_keys_are_told(here: Place, server: Real) -> None:
    for key, said in (("wrong", "does not know the API key"), (READER, "refuses the API key")):
        assert said in here.call("doctor", "--env", "prod", check=False, env={"QDRANT_KEY": key}).stdout
    assert server.left == []


def test_a_killed_run_leaves_nothing(here: Place, server: Real) -> None:
    command = [sys.executable, "-m", "envclone.cli.main", "--file", str(here.file), "snapshot", "prod"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **here.env}
    child = subprocess.Popen(command, env=env, cwd=here.directory, stderr=subprocess.DEVNULL)
    owed = here.pool / "owed"
    wait.until(lambda: any(owed.iterdir()) or None, what="no note came", timeout=60)
    child.send_signal(signal.SIGKILL)
    child.wait(20)

    def gone() -> bool | None:
        here.call("gc")
        return (not list(owed.iterdir()) and server.left == []) or None

    wait.until(gone, what="the snapshot stayed", timeout=60)
