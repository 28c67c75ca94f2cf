"""A branch's Qdrant server: started, reached with its key alone, sealed, stopped, found again. A stand-in serves."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import socket
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone import doctor, endpoints, process, wait
from envclone.errors import BusyError, ResourceError, UnreachableError
from envclone.models import Credentials, Endpoint, Secret, StoreSnapshot
from envclone.stores.qdrant import service
from tests.support.cages import has_none, outside, reach
from tests.support.qdrant import build
from tests.support.stack import Place, place

STACK = """\
version: 1
project: served
pool: {path: "{pool}"}
environments:
  prod: {stores: {kb: {kind: qdrant, source: {method: directory, path: "@KB@"}}}}
sanitize:
  rules:
    kb: {articles.author.name: person, articles.author.email: email, articles.*: keep, articles.vectors: keep,
         articles.point_ids: keep}
"""
PROGRAM = Path(__file__).parents[2] / "support" / "served_qdrant.py"


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A place with an image of a storage that a server wrote, as far as the stand-in can tell."""
    with place() as made:
        path = build(made.directory / "storage", points=30, indexed=()).shard()
        for name, content in (
            ("../config.json", '{"params": {"shard_number": 1}}'),
            ("../version.info", "0.4.2"),
            ("shard_config.json", '{"type":"ReplicaSet"}'),
            ("replica_state.json", '{"is_local":true,"this_peer_id":77,"peers":{"77":"Active"}}'),
        ):
            (path / name).write_text(content)
        made.write(STACK.replace("@KB@", str(made.directory / "storage")))
        made.open().image("prod")
        yield made


@pytest.fixture
def program(here: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in's program, named by QDRANT_BIN; a script needs its interpreter in the cage."""
    path, python = here.directory / "qdrant", os.path.realpath(sys.executable)
    if not path.exists():
        path.write_text(f"#!{python} -IS\n" + PROGRAM.read_text())
        path.chmod(0o755)
    trees = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    libraries = Path(sysconfig.get_config_var("LIBDIR")).glob("libpython3*")
    monkeypatch.setattr(service, "_shown", lambda program: (program, Path(python), *trees, *libraries))
    monkeypatch.setenv(service.VARIABLE, str(path))
    return path


def _asked(endpoint: Endpoint, key: str | None) -> Any:
    request = urllib.request.Request(endpoints.url(endpoint), headers={"api-key": key} if key else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _grpc(endpoint: Endpoint) -> bytes:
    assert endpoint.host and endpoint.port
    with socket.create_connection((endpoint.host, endpoint.port + 1), timeout=10) as asking:
        asking.sendall(b"hello")
        return asking.recv(64)


def test_a_branch_has_a_server_of_its_own(here: Place, program: Path) -> None:
    stack = here.open()
    branch = stack.branch("prod", name="own")
    endpoint = branch.endpoints["kb"]
    try:
        assert endpoint.host == "127.0.0.1" and endpoint.path and endpoint.password and endpoint.pid
        key = endpoint.password.reveal()
        assert endpoints.variables(branch.endpoints) == {
            "KB_URL": f"http://127.0.0.1:{endpoint.port}", "KB_API_KEY": key
        }  # fmt: skip
        said = _asked(endpoint, key)
        assert said["collections"] == ["articles"] and said["settings"]["CLUSTER__ENABLED"] == "false"
        assert _grpc(endpoint) == b"grpc hello"
        for wrong in (None, "wrong"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                _asked(endpoint, wrong)
        assert process.alive(endpoint.pid)
        if os.geteuid() == 0:
            assert said["uid"] not in (0, os.geteuid()) and has_none(endpoint.pid)
            with outside() as world:
                secret = [here.file, here.pool / "pool.json", here.directory / "storage" / "collections"]
                given = {"ports": [endpoint.port], "secret": secret, "sockets": [], "pids": [os.getpid()]}
                assert reach(None, world, **given)  # type: ignore[arg-type]
                shown = "reads /" + os.path.realpath(sys.executable).split("/")[1]  # the stand-in's interpreter
                assert set(reach(endpoint.pid, world, **given)) <= {shown}  # type: ignore[arg-type]
        assert stack.show("own").state == "running"
        stack.stop("own")
        assert not process.alive(endpoint.pid) and stack.show("own").state == "stopped"
        assert service._processes(here.pool / "branches" / "own" / "kb") == []
        again = stack.start("own").endpoints["kb"]
        assert again.password == endpoint.password and _asked(again, key)["collections"] == ["articles"]
    finally:
        stack.remove("own", force=True)
    assert service._processes(here.pool / "branches" / "own" / "kb") == []
    assert not [name for name in here.leftovers() if name.startswith("branches/")]


def test_a_server_that_died_is_told_and_started_again(here: Place, program: Path) -> None:
    stack = here.open()
    endpoint = stack.branch("prod", name="dies").endpoints["kb"]
    try:
        assert endpoint.pid
        process.terminate(endpoint.pid, signal.SIGKILL)
        wait.until(lambda: None if process.alive(endpoint.pid or 0) else True, what="it lives on", timeout=10)
        assert stack.show("dies").state == "stopped"
        again = stack.start("dies").endpoints["kb"]
        assert _grpc(again) == b"grpc hello"
        other = stack.reset("dies").endpoints["kb"]
        assert other.port == again.port and _grpc(other) == b"grpc hello" and not process.alive(again.pid or 0)
    finally:
        stack.remove("dies", force=True)


def test_a_port_that_is_taken_and_a_server_that_refuses_leave_nothing(
    here: Place, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = here.open()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for wanted in (port, port - 1):
            with pytest.raises(BusyError, match="taken"):
                stack.branch("prod", name="busy", port=wanted)
    refusing = here.directory / "refusing"
    refusing.write_text(program.read_text().replace("REFUSES = False", "REFUSES = True"))
    refusing.chmod(0o755)
    monkeypatch.setenv(service.VARIABLE, str(refusing))
    with pytest.raises(UnreachableError, match="Collection version is greater") as caught:
        stack.branch("prod", name="refused")
    assert "of the version that wrote these files" in (caught.value.hint or "")
    assert not [name for name in here.leftovers() if name.startswith("branches/")]
    for name in ("busy", "refused"):
        assert service._processes(here.pool / "branches" / name / "kb") == []


def test_without_root_it_listens_itself(
    here: Place, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "b" / "kb"
    shutil.copytree(next((here.pool / "images").iterdir()) / "kb", store)
    snapshot = StoreSnapshot("kb", "qdrant", "directory", "", dt.datetime.now(dt.UTC), 0, 0, 0)
    monkeypatch.setattr(service, "_gated", lambda: False)
    endpoint = service.serve(store, snapshot, Credentials("envclone", Secret("k")), port=None, log=tmp_path / "log")
    try:
        assert _asked(endpoint, "k")["collections"] == ["articles"] and _grpc(endpoint) == b"grpc hello"
        assert service.running(store)
    finally:
        assert service.stop(store)
    assert service.running(store) and not service.stop(store)  # its files are there, and nothing is meant to run
    assert not (store / "server.json").exists() and not process.alive(endpoint.pid or 0)


def test_doctor_tells_which_server_there_is(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> doctor.Finding:
        return next(one for one in doctor._qdrant() if one.name == "qdrant server")

    monkeypatch.setenv(service.VARIABLE, "/nowhere/qdrant")
    assert found().ok is False
    monkeypatch.delenv(service.VARIABLE)
    assert found().ok is None and "files only" in found().detail


def test_without_a_program_only_the_files_can_be_had(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(service.VARIABLE, raising=False)
    told = here.call("branch", "prod", "--name", "files").stdout
    assert "file://" in told and "files only: QDRANT_BIN names no server's program" in told
    here.call("rm", "files")
    monkeypatch.setenv(service.VARIABLE, "/nowhere/qdrant")
    with pytest.raises(ResourceError, match="is no program"):
        here.open().branch("prod", name="wrong")


def test_no_server_starts_on_what_none_wrote(here: Place, program: Path, tmp_path: Path) -> None:
    build(tmp_path / "storage", points=5)
    assert "no server wrote articles" in (service.lacking(tmp_path) or "")
