"""The table of commands: lines that 80 columns hold, help that imports no command, the nearest name of a wrong one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from envclone.cli.commands import COMMANDS, TASKS
from envclone.cli.main import cli


def test_every_line_is_whole_at_80_columns() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    for name, one in COMMANDS.items():
        assert f"  {name:<12} {one.line}\n" in shown
    for task in TASKS:
        assert f"{task}:\n" in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def _groups(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    """Every group below another, each with what is typed for it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield (*path, name), command
            yield from _groups(command, (*path, name))


def test_the_commands_of_every_group_are_whole_at_80_columns() -> None:
    groups = dict(_groups(cli))
    assert {("config",), ("incident",), ("pool",)} <= groups.keys()
    for path, group in groups.items():
        shown = CliRunner().invoke(cli, [*path, "--help"], terminal_width=80).output
        listed = shown.split("Commands:\n")[1].splitlines()
        assert len(listed) == len(group.list_commands(click.Context(group))), path  # none goes on in another line
        assert [line for line in listed if "..." in line or len(line) > 80] == [], path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


def test_help_imports_no_command() -> None:
    code = (
        "import sys\nfrom envclone.cli.main import cli\n"
        "try:\n    cli.main(['--help'], standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('envclone.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['envclone.cli.commands', 'envclone.cli.leaving', 'envclone.cli.main']"


@pytest.mark.parametrize(
    ("typed", "meant"), [("brnch", "branch"), ("replai", "replay"), ("image-", "image"), ("atestation", "attestation")]
)
def test_the_nearest_name_is_said(typed: str, meant: str) -> None:
    done = CliRunner().invoke(cli, [typed])
    assert done.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in done.output


def test_a_name_that_is_near_nothing() -> None:
    done = CliRunner().invoke(cli, ["xyzzy"])
    assert done.exit_code == 2
    assert "Did you mean" not in done.output


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "envclone", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("envclone, version ")
