"""Progress: what is said of a step, one line that is redrawn on a terminal, and no silence anywhere else."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from envclone.cli.progress import SILENCE, View, span
from envclone.models import ProgressEvent

WORK = """
import select, sys, time
from envclone.cli.progress import reporting
from envclone.models import ProgressEvent
with reporting("image", True, as_json="--json" in sys.argv) as tell:
    tell(ProgressEvent("masking", 0, stage=True, number=4, of=11))
    end = time.monotonic() + float(sys.argv[1])
    while (left := end - time.monotonic()) > 0:
        tell(ProgressEvent("public.people", int(1000 * (1 - left / float(sys.argv[1]))), 1000, "rows"))
        if select.select([0], [], [], 0.05)[0]:  # what was waited for is there
            break
print("done")
"""
SILENT = """
import mmap, sys
from envclone.cli.progress import reporting
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 1) as told, reporting("image", True):
    sys.setswitchinterval(1000)  # no other thread would run, and to look at memory lets none
    while not told[0]:
        pass
"""

QUICK = """
from envclone.cli.progress import reporting
from envclone.models import ProgressEvent
with reporting("image", True, as_json=True) as tell:
    for number in range(1, 41):
        tell(ProgressEvent(f"the {number}th", 0, stage=True, number=number, of=40))
"""

Line = tuple[float, str]
"""When it came, and what it says."""


def _view() -> View:
    view = View("image", 100.0)
    assert view.take(ProgressEvent("comparing rows", 0, stage=True, number=4, of=9), 110.0)
    return view


def test_a_step_with_its_number_its_part_and_the_time_that_is_left() -> None:
    view = _view()
    assert view.line(112.0) == "step 4 of 9 · comparing rows · 2 s"
    view.take(ProgressEvent("main", 0, 1000), 110.0)
    view.take(ProgressEvent("main", 610, 1000), 235.0)
    assert view.line(235.0) == "step 4 of 9 · comparing rows · main · 61 % · 1 m 20 s left"
    assert view.document(235.0) == {
        "event": "progress", "command": "image", "step": 4, "of": 9, "what": "comparing rows", "part": "main",
        "done": 610, "total": 1000, "percent": 61, "seconds_left": 80, "seconds": 135.0,
    }  # fmt: skip


def test_the_next_step_forgets_the_parts_of_the_last() -> None:
    view = _view()
    view.take(ProgressEvent("main", 5, 10), 111.0)
    assert view.take(ProgressEvent("sealing", 0, stage=True, number=9, of=9), 120.0)
    assert view.line(123.0) == "step 9 of 9 · sealing · 3 s"
    view.take(ProgressEvent("starting the branch", 0, stage=True), 130.0)
    assert view.line(131.0) == "starting the branch · 1 s"


def test_before_anything_is_known_the_command_is_named() -> None:
    assert View("gc", 0.0).line(7.0) == "envclone gc · 7 s"


def test_lengths_of_time() -> None:
    assert [span(one) for one in (0, 59.4, 80, 3600, 7512)] == ["0 s", "59 s", "1 m 20 s", "1 h 0 m", "2 h 5 m"]


def _lines(code: str, *arguments: str, enough: int = 0, end: Callable[[], None] = lambda: None) -> list[Line]:
    """What a program writes to standard error, with the second in which each line came; it is ended after `enough`."""
    began = time.monotonic()
    argv, pipe = [sys.executable, "-c", code, *arguments], subprocess.PIPE
    found: list[Line] = []
    with subprocess.Popen(argv, stdin=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None and process.stderr is not None
        for line in process.stderr:
            found.append((time.monotonic() - began, line.rstrip("\n")))
            if len(found) == enough:
                process.stdin.close()
                end()
    return found


def test_without_a_terminal_there_are_plain_lines() -> None:
    lines = [line for _, line in _lines(WORK, "5")]
    assert len(lines) in (1, 2) and all("\r" not in line and "\x1b" not in line for line in lines)
    assert lines[0].startswith("step 4 of 11 · masking · public.people · ") and lines[0].endswith(" s left")


def test_what_ends_at_once_says_nothing() -> None:
    assert _lines(WORK, "0.3") == []


def test_a_loop_that_lets_nothing_else_run_is_not_silent(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.write_bytes(b"\0")

    def end() -> None:
        with told.open("r+b") as file:
            file.write(b"1")

    lines = _lines(SILENT, str(told), enough=2, end=end)
    assert len(lines) == 2 and lines[0][1].startswith("envclone image · ")
    assert lines[1][0] - lines[0][0] < 2 * SILENCE


def test_a_script_gets_events() -> None:
    first, *others = [json.loads(line) for _, line in _lines(WORK, "60", "--json", enough=2)]
    assert (first["event"], first["step"], first["of"], first["what"]) == ("progress", 4, 11, "masking")
    assert others and 0 < others[0]["percent"] < 100 and others[0]["seconds_left"] >= 0


def test_steps_that_come_at_once_are_all_told() -> None:
    """What shows them reads many at a time."""
    events = [json.loads(line) for _, line in _lines(QUICK)]
    assert [(event["step"], event["what"]) for event in events] == [(n, f"the {n}th") for n in range(1, 41)]


def _on_a_terminal(*arguments: str, columns: int = 80, until: bytes = b"") -> bytes:
    """All that a terminal of that width is sent."""
    leader, follower = pty.openpty()
    subprocess.run(["stty", "cols", str(columns)], stdin=follower, check=True)
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, *arguments], stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    out = b""
    try:
        while select.select([leader], [], [], 20)[0]:
            piece = os.read(leader, 4096)
            out += piece
            if until and until in out:
                process.send_signal(signal.SIGKILL)
    except OSError:  # the last one who had it open is gone
        pass
    finally:
        os.close(leader)
        process.wait()
    return out


def test_on_a_terminal_one_line_is_redrawn_and_leaves_nothing() -> None:
    out = _on_a_terminal("2", columns=60).decode()
    drawn, _, after = out.rpartition("\r\x1b[K")
    assert after == "done\r\n" and "\n" not in drawn
    lines = [line.removesuffix("\x1b[K") for line in drawn.split("\r") if line]
    assert len(lines) > 3 and all(len(line) < 60 for line in lines)
    assert lines[0].startswith("step 4 of 11 · masking · public.people · ")


def test_the_line_ends_with_the_command_that_is_killed() -> None:
    assert b"masking" in _on_a_terminal("60", until=b"masking")


def test_a_reader_that_takes_nothing_stops_nobody() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    silent, ours = os.pipe()  # nobody tells it to end
    try:
        subprocess.run([sys.executable, "-c", WORK, "3"], stdin=silent, stderr=writer, check=True, timeout=60)
    finally:
        for one in (reader, writer, silent, ours):
            os.close(one)
