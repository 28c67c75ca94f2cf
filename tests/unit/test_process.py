"""Spawned programs: output, deadlines, errors that keep the last words and no secret."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envclone import process, wait
from envclone.accounts import Account
from envclone.errors import CommandError, EnvcloneError, ResourceError


def test_output_and_exit_code() -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_a_failure_keeps_the_last_words_and_hides_the_password() -> None:
    with pytest.raises(CommandError) as caught:
        process.run(["sh", "-c", 'echo "bad $PGPASSWORD" >&2; exit 1'], env={"PGPASSWORD": "hunter2"})
    assert caught.value.returncode == 1
    assert "bad ***" in caught.value.stderr
    assert "hunter2" not in f"{caught.value} {caught.value.stderr} {caught.value.argv}"


def test_the_caller_s_environment_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROD_PASSWORD", "secret")
    assert "PROD_PASSWORD" not in process.run(["env"]).stdout


def test_a_missing_program_names_itself() -> None:
    with pytest.raises(ResourceError, match="no-such-program is not installed"):
        process.run(["no-such-program"])
    with pytest.raises(ResourceError, match="no-such-program is not installed"):
        process.stream(["no-such-program"], print)


def test_a_deadline_ends_it() -> None:
    began = time.monotonic()
    with pytest.raises(EnvcloneError, match="did not finish within"):
        process.run(["sleep", "30"], timeout=0.2)
    assert time.monotonic() - began < 5


def test_stream_splits_at_carriage_returns_too() -> None:
    lines: list[str] = []
    process.stream(["sh", "-c", r"printf '1%%\r2%%\r3%%\n' >&2"], lines.append)
    assert lines == ["1%", "2%", "3%"]


def test_stream_kills_the_program_when_the_listener_fails() -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.stream(["sh", "-c", "echo 1 >&2; exec sleep 30"], stop)
    assert time.monotonic() - began < 5


def test_what_is_streamed_ends_with_a_caller_that_is_killed(tmp_path: Path) -> None:
    """Also what it forked itself, as pg_basebackup does: that would hold a slot in production for ever."""
    forked = tmp_path / "forked"
    code = (
        "from envclone import process; process.stream(['sh', '-c',"
        f" 'sleep 1000 & echo $! > {forked}.new; mv {forked}.new {forked}; wait'], print)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as caller:
        pid = int(wait.until(lambda: forked.read_text() if forked.exists() else None, what="the fork", timeout=20))
        watcher = next(path for path in _children(caller.pid) if "lifeline" in path[1])[0]
        caller.kill()
    wait.until(lambda: None if process.alive(pid) else True, what="the end of the fork", timeout=20)
    wait.until(lambda: None if process.alive(watcher) else True, what="the end of its watcher", timeout=20)


def test_nothing_watches_what_has_ended() -> None:
    process.stream(["sh", "-c", "echo x >&2"], lambda line: None)
    assert not [words for _, words in _children(os.getpid()) if "lifeline" in words]


def _children(parent: int) -> list[tuple[int, str]]:
    found = process.run(["ps", "-o", "pid=,args=", "--ppid", str(parent)], check=False).stdout
    return [(int(line.split()[0]), line) for line in found.splitlines()]


def test_spawn_outlives_the_call_and_logs_privately(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = process.spawn(["sh", "-c", "echo started; exec sleep 30"], log=log)
    try:
        assert process.alive(pid)
        while log.read_text() != "started\n":
            time.sleep(0.01)
        assert log.stat().st_mode & 0o777 == 0o600
    finally:
        assert process.terminate(pid)
    os.waitpid(pid, 0)
    assert not process.alive(pid)
    assert not process.terminate(pid)


@pytest.mark.root
def test_an_account_s_rights_are_taken() -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account("nobody", nobody.pw_uid, nobody.pw_gid)
    expected = f"{nobody.pw_uid} {nobody.pw_gid} {nobody.pw_gid}"
    found = process.run(["sh", "-c", "echo $(id -u) $(id -g) $(id -G)"], account=account).stdout.strip()
    assert found == (expected if os.geteuid() == 0 else f"{os.getuid()} {os.getgid()} {found.split(' ', 2)[2]}")


def test_a_program_that_is_accompanied_has_this_one_s_environment_and_outputs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROD_DSN", "there")
    assert process.accompany(["sh", "-c", "echo $PROD_DSN; exit 3"]) == 3
    assert process.accompany(["sh", "-c", "kill -9 $$"]) == 137
    assert capfd.readouterr().out == "there\n"
    with pytest.raises(ResourceError, match="no-such-program is not installed"):
        process.accompany(["no-such-program"])


def test_a_signal_is_handed_on_to_who_is_accompanied_and_its_clean_up_waited_for(tmp_path: Path) -> None:
    script = f"trap 'echo cleaned >{tmp_path}/out; exit 0' TERM; echo up >{tmp_path}/up; while :; do sleep 0.05; done"
    code = (
        "import sys; from envclone import process; from envclone.interrupts import interruptible\n"
        f"with interruptible(): process.accompany(['sh', '-c', {script!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as running:
        wait.until(lambda: (tmp_path / "up").exists() or None, what="it did not start", timeout=20)
        running.terminate()
        running.wait(20)
    assert (tmp_path / "out").read_text() == "cleaned\n"


def test_a_signal_that_comes_while_the_program_is_started_is_handed_on_too(tmp_path: Path) -> None:
    script = f"trap 'echo cleaned >{tmp_path}/out; exit 0' TERM; echo up >{tmp_path}/up; while :; do sleep 0.05; done"
    code = (
        "import os, signal, subprocess; from pathlib import Path\n"
        "from envclone import process; from envclone.interrupts import interruptible; started = subprocess.Popen\n"
        "def interrupted(*args, **how):\n"
        "    running = started(*args, **how)\n"
        f"    while not Path({str(tmp_path / 'up')!r}).exists(): pass\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return running\n"
        "subprocess.Popen = interrupted\n"
        f"with interruptible(): process.accompany(['sh', '-c', {script!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as running:
        running.wait(20)
    assert (tmp_path / "out").read_text() == "cleaned\n"
