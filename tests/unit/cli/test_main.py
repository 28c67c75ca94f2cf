"""The boundary: every command explains itself, every error has its exit code, one line and its remedy."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator

import click
import pytest

from envclone import errors
from envclone.cli import main as boundary
from envclone.interrupts import SIGNALS

CODES = {
    errors.EnvcloneError: 1,
    errors.UsageError: 2,
    errors.ConfigError: 3,
    errors.UnsafeError: 4,
    errors.NotReproducedError: 5,
    errors.ResourceError: 6,
    errors.UnreachableError: 7,
    errors.BusyError: 8,
}


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["envclone", *arguments])
    return boundary.run()


def _failing(monkeypatch: pytest.MonkeyPatch, exc: BaseException) -> None:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def doctor(as_json: bool) -> None:
        raise exc

    monkeypatch.setattr(boundary.cli, "get_command", lambda ctx, name: doctor)


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += _commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", _commands(boundary.cli), ids=" ".join)
def test_every_command_explains_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: tuple[str, ...]
) -> None:
    assert _run(monkeypatch, *path, "--help") == 0
    said = capsys.readouterr().out
    assert "Usage:" in said
    assert len(said.split("\n\n")[1].strip()) > 10, "a command without help"


def test_every_error_class_has_its_code() -> None:
    classes = {
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.EnvcloneError) and one is not errors.CommandError
    }
    assert {one: one.exit_code for one in classes} == CODES


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_an_error_is_one_line_and_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[errors.EnvcloneError], code: int
) -> None:
    _failing(monkeypatch, kind("it is so", hint="do that"))
    assert _run(monkeypatch, "doctor") == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err.splitlines()) == ("", ["error: it is so", "hint: do that"])
    assert _run(monkeypatch, "doctor", "--json") == code
    document = json.loads(capsys.readouterr().out)["error"]
    assert (document["type"], document["message"], document["hint"]) == (kind.__name__, "it is so", "do that")
    assert document["exit_code"] == code


def test_several_problems_are_all_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _failing(monkeypatch, errors.ConfigError("two things", problems=["a: 1", "b: 2"]))
    assert _run(monkeypatch, "doctor") == 3
    assert capsys.readouterr().err.splitlines() == ["error: two things", "  a: 1", "  b: 2"]


def test_a_bug_is_one_line_unless_debugged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _failing(monkeypatch, ZeroDivisionError("jane@corp.example"))
    assert _run(monkeypatch, "doctor") == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "jane" not in said, "an unexpected error's text can hold data"
    assert "--debug" in said
    assert _run(monkeypatch, "doctor", "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 1
    assert _run(monkeypatch, "--debug", "doctor") == 1
    traced = capsys.readouterr().err
    assert "Traceback" in traced and "ZeroDivisionError" in traced and "test_main.py" in traced
    assert "jane" not in traced, "nor is it shown in a trace"


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _failing(monkeypatch, KeyboardInterrupt())
    assert _run(monkeypatch, "doctor") == 130
    assert capsys.readouterr().err.strip() == "ended by SIGINT; nothing half made is left"


def test_a_failed_clean_up_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    exc = errors.ResourceError("it does not stop")
    exc.__context__ = KeyboardInterrupt()
    assert not boundary._unwound(exc) and boundary._unwound(errors.ResourceError("killed by the same signal"))
    assert boundary._interrupted(signal.SIGHUP, clean=False) == 129
    assert capsys.readouterr().err.strip() == "ended by SIGHUP; cleaning up failed: envclone gc removes what is left"


def test_what_was_begun_when_a_signal_came_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a context manager that was entered, whose block had not begun, and which an error still leads to."""
    done: list[str] = []

    @contextlib.contextmanager
    def work() -> Iterator[None]:
        try:
            yield
        finally:
            done.append("removed")

    @click.command()
    def doctor() -> None:
        begun = work()
        begun.__enter__()
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException as exc:
            kept = exc  # noqa: F841 - a frame that its own error leads to: only the collector would find it
            raise

    monkeypatch.setattr(boundary.cli, "get_command", lambda ctx, name: doctor)
    monkeypatch.setattr(boundary, "ignore", lambda: None)
    monkeypatch.setattr(sys, "argv", ["envclone", "doctor"])
    before = [signal.getsignal(signum) for signum in SIGNALS]
    try:
        assert boundary.run() == 143
        assert done == ["removed"]
    finally:
        for signum, handler in zip(SIGNALS, before, strict=True):
            signal.signal(signum, handler)


@pytest.mark.parametrize("arguments", [["no-such-command"], ["branch"], ["ls", "--no-such-option"], ["rm"]])
def test_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert _run(monkeypatch, *arguments) == 2
    assert "Error" in capsys.readouterr().err
    assert _run(monkeypatch, *arguments, "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 2


def test_a_file_that_the_system_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _failing(monkeypatch, IsADirectoryError(21, "Is a directory", "/srv/pool/x.json"))
    assert _run(monkeypatch, "doctor") == 6
    assert "the system refused /srv/pool/x.json: Is a directory" in capsys.readouterr().err
    assert _run(monkeypatch, "doctor", "--json") == 6
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "ResourceError"
    _failing(monkeypatch, OSError("no file in it"))
    assert _run(monkeypatch, "doctor") == 1
