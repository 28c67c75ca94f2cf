"""Hooks run as the service account, without keys, without a network; what they print is shown as they print it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.accounts import service_account
from tests.support.stack import ROOT, Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: hooked
pool: {path: "{pool}"}
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "postgresql://nobody@127.0.0.1:1/app"}}}}
sanitize:
  rules: {main: {public.people.name: "python:hooks/probe.py:look"}}
"""
HOOK = """\
import os, socket, sys
from envclone.hooks import hook

def told(question):
    kind, _, what = question.partition(" ")
    try:
        if kind == "read":
            return "reached " + str(os.listdir(what) if os.path.isdir(what) else open(what, "rb").read(8))
        if kind == "connect":
            host, _, port = what.rpartition(":")
            socket.create_connection((host, int(port)), timeout=1).close()
            return "reached"
        if kind == "uid":
            return str(os.getuid())
        if kind == "environment":
            return ",".join(sorted(os.environ))
        if kind == "say":
            print(what)
            print(what + " as an error", file=sys.stderr)
            return "said"
        if kind == "hang":
            print("about to hang")
            import time
            time.sleep(600)
    except OSError as exc:
        return "refused"
    return "?"

@hook(writes="main.public.people.name")
def look(ctx, batch):
    return [told(value) for value in batch["name"]]
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place(fresh=True, size="310M") as made:
        made.write(STACK)
        (made.directory / "hooks").mkdir()
        (made.directory / "hooks" / "probe.py").write_text(HOOK)
        (made.directory / "hooks" / "beside.txt").write_text("it is beside")
        (made.directory / "secret.env").write_text("PASSWORD=x")
        (made.directory / "hooks").chmod(0o755)
        made.call("ls")  # makes the pool
        yield made


def _ask(here: Place, *questions: str) -> list[str]:
    values = [word for question in questions for word in ("--value", question)]
    (pairs,) = here.json("hooks", "test", "hooks/probe.py", *values)["fields"].values()
    return [answer for _, answer in pairs]


def test_no_key_no_pool_no_file_but_its_folder_s(here: Place) -> None:
    here.call("hooks", "test", "hooks/probe.py", "--value", "uid")
    keys = [str(path) for path in (here.pool / "keys").iterdir()]
    assert any(key.endswith("masking.key") for key in keys)
    outside = ["/etc/shadow", "/home", str(here.pool), str(here.pool / "keys"), *keys]
    outside += [str(here.file), str(here.directory / "secret.env"), "/proc/1/environ", "/var/lib/envclone"]
    assert _ask(here, *(f"read {path}" for path in outside)) == ["refused"] * len(outside)
    (beside,) = _ask(here, f"read {here.directory / 'hooks' / 'beside.txt'}")
    assert beside.startswith("reached"), "its own folder is there"
    (near,) = _ask(here, "read beside.txt")
    assert near.startswith("reached"), "and it begins there"


def test_the_service_account_and_no_network(here: Place) -> None:
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen(8)
        port = sock.getsockname()[1]
        asked = ["uid", f"connect 127.0.0.1:{port}", f"connect 172.17.0.1:{port}", "connect 1.1.1.1:443"]
        assert _ask(here, *asked) == [str(service_account().uid), "refused", "refused", "refused"]
    (names,) = _ask(here, "environment")
    assert not {"PROD_DSN", "ENVCLONE_MASKING_KEY", "SECRET"} & set(names.split(","))


def test_what_it_prints_is_shown_line_by_line(here: Place) -> None:
    said = here.call("hooks", "test", "hooks/probe.py", "--value", "say hello").stderr
    assert [line for line in said.splitlines() if "hello" in line] == ["hello", "hello as an error"]
    argv = [sys.executable, "-m", "envclone.cli.main", "--file", str(here.file), "hooks", "test", "hooks/probe.py"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*argv, "--value", "hang"], env=env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        shown = next(line for line in running.stderr if line.strip())
        assert shown.strip() == "about to hang", "before it has ended"
        running.terminate()
        assert running.wait(60) == 143


def test_a_hook_that_the_account_cannot_read_is_named(here: Place) -> None:
    path = Path(here.directory / "hooks" / "probe.py")
    path.chmod(0o600)
    try:
        done = here.call("hooks", "test", "hooks/probe.py", "--value", "uid", "--json", check=False)
        assert done.returncode == 4, done.stdout
        assert "hooks/probe.py" in json.loads(done.stdout)["error"]["message"]
    finally:
        path.chmod(0o644)
