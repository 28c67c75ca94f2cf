"""The audit log: what was done to it is found, however much is written afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from envclone.pool import audit, audit_head
from tests.support.postgres import scratch
from tests.support.qdrant import build
from tests.support.stack import Place


def written(folder: Path, count: int = 8, mirror: Path | None = None) -> Path:
    log = folder / "audit.jsonl"
    for number in range(count):
        audit.append(log, "test", {"number": number, "padding": "x" * (number % 3) * 3000}, mirror)
    return log


def lines_of(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines(keepends=True)


def forged(log: Path) -> bytes:
    """A line that fits the chain: hashes need no key."""
    event = json.loads(lines_of(log)[-1])
    event["previous"] = audit._digest(lines_of(log)[-1][:-1])
    return json.dumps(event, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def rewritten(log: Path) -> None:
    """Every line from the third on edited, with hashes that fit."""
    previous, out = audit.GENESIS, []
    for number, line in enumerate(lines_of(log)):
        event = json.loads(line)
        if number == 2:
            event["by"] = "nobody"
        event["previous"] = previous
        text = json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
        previous = audit._digest(text)
        out.append(text + b"\n")
    log.write_bytes(b"".join(out))


def cut(first: int, last: int) -> Callable[[Path], object]:
    return lambda log: log.write_bytes(b"".join(lines_of(log)[:first] + lines_of(log)[last:]))


def edit(number: int) -> Callable[[Path], object]:
    def change(log: Path) -> None:
        lines = lines_of(log)
        lines[number] = lines[number].replace(b'"test"', b'"tess"')
        log.write_bytes(b"".join(lines))

    return change


TAMPERED: dict[str, tuple[Callable[[Path], object], int]] = {
    "the last line cut": (cut(7, 8), 8),
    "the last three cut": (cut(5, 8), 6),
    "one in the middle cut": (cut(3, 4), 4),
    "the first cut": (cut(0, 1), 1),
    "the last line edited": (edit(7), 8),
    "one in the middle edited": (edit(4), 6),
    "the first edited": (edit(0), 2),
    "a line added": (lambda log: log.write_bytes(log.read_bytes() + forged(log)), 9),
    "nonsense added": (lambda log: log.write_bytes(log.read_bytes() + b"nonsense\n"), 9),
    "a deep line added": (lambda log: log.write_bytes(log.read_bytes() + b"[" * 100_000 + b"\n"), 9),
    "an empty line added": (lambda log: log.write_bytes(log.read_bytes() + b"\n"), 9),
    "a torn line added": (lambda log: log.write_bytes(log.read_bytes() + b'{"action":'), 9),
    "the last line torn": (lambda log: log.write_bytes(log.read_bytes()[:-20]), 8),
    "only the newline torn": (lambda log: log.write_bytes(log.read_bytes()[:-1]), 8),
    "all rewritten": (rewritten, 8),
    "emptied": (lambda log: log.write_bytes(b""), 1),
    "the log removed": (lambda log: log.unlink(), 1),
    "the head removed": (lambda log: log.with_suffix(".head").unlink(), 1),
    "log and head removed": (lambda log: (log.unlink(), log.with_suffix(".head").unlink()), 1),
    "the head emptied": (lambda log: log.with_suffix(".head").write_bytes(b""), 1),
    "the head's number changed": (
        lambda log: log.with_suffix(".head").write_bytes(
            log.with_suffix(".head").read_bytes().replace(b'"lines": 8', b'"lines": 7')
        ), 1),
}  # fmt: skip


@pytest.mark.parametrize("later", [0, 1, 30])
@pytest.mark.parametrize("how", TAMPERED)
def test_tampering_is_found_after_any_number_of_later_events(tmp_path: Path, how: str, later: int) -> None:
    log = written(tmp_path)
    assert audit.broken(log) is None and audit.suspicion(log) is None
    change, line = TAMPERED[how]
    change(log)
    for number in range(later):
        audit.append(log, "later", {"number": number})
    said = audit.broken(log)
    assert said is not None
    assert f"line {line} " in said or line == 1, said
    if later:
        short = audit.suspicion(log)
        if how not in ("one in the middle edited", "the first edited"):  # sizes and the end are as they were
            assert short is not None
            assert [event for event in audit.events(log) if event["action"] == "audit-broken"]
        assert sum(event["action"] == "later" for event in audit.events(log)) == later, "no event was lost"
    assert audit.broken(log) == said


def test_a_break_is_never_taken_back(tmp_path: Path) -> None:
    """Not by restoring the line, nor by putting back the head that knew nothing of it."""
    log = written(tmp_path)
    whole, head = log.read_bytes(), log.with_suffix(".head").read_bytes()
    edit(7)(log)
    audit.append(log, "later", {})
    restored = lines_of(log)
    restored[7] = whole.splitlines(keepends=True)[7]
    log.write_bytes(b"".join(restored))
    assert audit.broken(log) is not None
    audit.append(log, "later", {})
    assert "line 8" in (audit.broken(log) or "")
    log.with_suffix(".head").write_bytes(head)
    audit.append(log, "later", {})
    assert audit.broken(log) is not None


@pytest.mark.parametrize("later", [0, 1, 12])
def test_an_old_log_put_back_with_its_head_is_found_by_the_mirror(tmp_path: Path, later: int) -> None:
    folder, mirror = tmp_path / "pool", tmp_path / "elsewhere" / "heads"
    folder.mkdir()
    mirror.parent.mkdir()
    log = written(folder, 5, mirror)
    shutil.copytree(folder, tmp_path / "kept")
    written(folder, 3, mirror)
    assert audit.broken(log, mirror) is None
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)
    for _ in range(later):
        audit.append(log, "later", {}, mirror)
    assert "line " in (audit.broken(log, mirror) or "")
    if later:
        assert audit.suspicion(log) is not None
        assert audit.broken(log) is not None, "and from then on without the mirror, too"


def test_a_mirror_may_lag_behind_and_be_away(tmp_path: Path) -> None:
    """A project of the same pool without a mirror, and a disk that is not mounted, are not a tampering."""
    mirror = tmp_path / "elsewhere" / "heads"
    log = written(tmp_path, 2)
    audit.append(log, "away", {}, mirror)
    assert [event for event in audit.events(log) if event["action"] == "mirror-failed"]
    assert audit.suspicion(log) is None
    assert "is not there" in (audit.broken(log, mirror) or "")
    mirror.parent.mkdir()
    audit.append(log, "back", {}, mirror)
    written(tmp_path, 3)
    assert audit.broken(log, mirror) is None
    audit.append(log, "again", {}, mirror)
    assert audit.broken(log, mirror) is None
    assert mirror.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["another file", "a link", "a FIFO"])
def test_a_mirror_is_a_file_of_heads_and_nothing_else(tmp_path: Path, kind: str) -> None:
    mirror, victim = tmp_path / "heads", tmp_path / "victim"
    victim.write_text("root:x:0:0\n")
    if kind == "a FIFO":
        os.mkfifo(mirror)
    elif kind == "a link":
        mirror.symlink_to(victim)
    else:
        mirror.write_text("root:x:0:0\n")
    log = tmp_path / "audit.jsonl"
    audit.append(log, "test", {}, mirror)
    assert [event["action"] for event in audit.events(log)] == ["test", "mirror-failed"]
    assert victim.read_text() == "root:x:0:0\n"


FAILING = """
import os, sys
from pathlib import Path
from envclone.pool import audit, audit_head
log, point = Path(sys.argv[1]), int(sys.argv[2])
real, calls = audit._write, 0
def torn(descriptor, data):
    real(descriptor, data[: len(data) * point // 4])
    os._exit(9)
def none(*args, **kwargs):
    global calls
    calls += 1
    if calls == 2:
        os._exit(9)
    return head(*args, **kwargs)
head = audit_head.write
if point <= 4:
    audit._write = torn
else:
    audit_head.write = none
audit.append(log, "interrupted", {"text": "y" * 100})
"""


@pytest.mark.parametrize("point", [0, 1, 2, 3, 4, 5])
def test_a_line_torn_by_a_power_failure_is_no_tampering(tmp_path: Path, point: int) -> None:
    log = written(tmp_path)
    done = subprocess.run([sys.executable, "-c", FAILING, str(log), str(point)], check=False)
    assert done.returncode == 9
    assert audit.broken(log) is None and audit.suspicion(log) is None
    audit.append(log, "later", {})
    assert audit.broken(log) is None
    actions = [event["action"] for event in audit.events(log)]
    assert actions[8:] == ["interrupted", *(["recovered"] if 0 < point < 4 else []), "later"]


def test_what_was_torn_is_not_taken_for_what_somebody_added(tmp_path: Path) -> None:
    log = written(tmp_path)
    subprocess.run([sys.executable, "-c", FAILING, str(log), "2"], check=False)
    with log.open("ab") as file:
        file.write(b"by hand\n")
    assert audit.broken(log) is not None
    audit.append(log, "later", {})
    assert "line 9" in (audit.broken(log) or "")


def test_ten_processes_lose_nothing(tmp_path: Path) -> None:
    """Five of them are killed in between; the chain holds."""
    log, mirror = tmp_path / "audit.jsonl", tmp_path / "heads"
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from envclone.pool import audit
        for number in range(int(sys.argv[3])):
            audit.append(Path(sys.argv[1]), "test", {"who": sys.argv[4], "number": number}, Path(sys.argv[2]))
    """)
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(log), str(mirror), "12" if who < 5 else "100000", str(who)])
        for who in range(10)
    ]
    try:
        for worker in workers[:5]:
            assert worker.wait(timeout=120) == 0
    finally:
        for worker in workers[5:]:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    assert audit.broken(log, mirror) is None
    audit.append(log, "last", {}, mirror)
    assert audit.broken(log, mirror) is None
    mine = [event["details"] for event in audit.events(log) if event["action"] == "test"]
    for who in range(5):
        assert [one["number"] for one in mine if one["who"] == str(who)] == list(range(12))
    assert not [event for event in audit.events(log) if event["action"] == "audit-broken"]


def test_an_append_reads_no_more_of_a_long_log(tmp_path: Path) -> None:
    def read_by(work: Callable[[], object]) -> int:
        def so_far() -> int:
            return int(Path("/proc/self/io").read_text().split()[1])

        before = so_far()
        work()
        return so_far() - before

    mirror = tmp_path / "heads"
    log = written(tmp_path, 2, mirror)
    short = read_by(lambda: audit.append(log, "test", {}, mirror))
    for number in range(40):
        audit.append(log, "test", {"number": number, "padding": "x" * 100_000}, mirror)
    audit.append(log, "test", {}, mirror)
    assert log.stat().st_size > 4_000_000
    assert read_by(lambda: audit.append(log, "test", {}, mirror)) < short + 64_000
    assert read_by(lambda: audit.suspicion(log)) < 64_000


def test_a_head_of_the_format_before_goes_on(tmp_path: Path) -> None:
    from envclone import keys

    log = written(tmp_path)
    plain = {"lines": 8, "last": audit._digest(lines_of(log)[-1][:-1])}
    signature = keys.sign(tmp_path / "keys", json.dumps(plain, sort_keys=True).encode()).hex()
    log.with_suffix(".head").write_text(json.dumps({**plain, "signature": signature}))
    assert audit.broken(log) is None
    audit.append(log, "later", {})
    assert audit.broken(log) is None
    head = audit_head.read(log)
    assert head is not None and head.lines == 9


STACK = """
version: 1
project: acme
pool: {path: "{pool}", driver: copy}
audit: {mirror: heads}
environments:
  prod:
    stores:
      kb:
        kind: qdrant
        source: {method: directory, path: STORAGE}
"""


def test_commands_say_it_and_verify_refuses() -> None:
    with scratch() as directory:
        place = Place(directory, directory / "pool")
        place.write(STACK.replace("STORAGE", str(build(directory / "storage", points=5).root)))
        place.call("snapshot", "prod")
        place.call("audit", "verify")
        assert (directory / "heads").exists()
        log = place.pool / "audit.jsonl"
        log.write_text(log.read_text().replace('"snapshot"', '"snapshoo"'))
        assert "warning: the audit log was changed" in place.call("images").stderr
        assert "warning: the audit log was changed" in place.call("snapshot", "prod").stderr
        assert "warning: the audit log was changed" in place.call("images").stderr
        done = place.call("audit", "verify", check=False)
        assert done.returncode == 4 and "line 2 " in done.stderr  # behind the one that says that production is read
