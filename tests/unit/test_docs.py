"""What the README and the docs say is so: stack file, commands, options, exit codes, dependencies, links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from envclone import api, errors
from envclone.cli.commands import COMMANDS
from envclone.cli.main import cli
from envclone.config.load import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")])


def test_the_first_stack_file_loads(tmp_path: Path) -> None:
    (text,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "project: acme" in block)
    file = tmp_path / "envclone.yaml"
    file.write_text(text)
    stack = load(file, {}).stack
    assert set(stack.environments["prod"].stores) == {"main", "kb"}


def _command(words: list[str]) -> click.Command | None:
    command: click.Command | None = cli
    for word in words:
        if not isinstance(command, click.Group):
            return command
        command = command.get_command(click.Context(command), word)
    return command


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_exist(path: Path) -> None:
    for line in re.findall(r"envclone ((?:[a-z]+ ?)+[^`\n#]*)", path.read_text()):
        words = line.split()
        if words[0] not in COMMANDS:
            continue
        command = _command(words[:3]) or _command(words[:2]) or _command(words[:1])
        assert command is not None, line
        known = {name for parameter in command.params for name in parameter.opts} | {"--help", "--json"}
        for option in re.findall(r"(?<![\w-])--[a-z-]+", line.split("  ")[0]):
            assert option in known, f"{path.name}: {line}: {option}"


def test_every_command_is_in_the_readme() -> None:
    for name in COMMANDS:
        assert re.search(rf"`(envclone )?{name}\b|, `{name}`|envclone {name}\b", README), name


def test_exit_codes() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.EnvcloneError)]
    said = {
        int(code)
        for code in re.findall(
            r"(\d) [a-z]", README.partition("Exit codes:")[2].partition("\n\n")[0].replace("\n", " ")
        )
    }
    assert {one.exit_code for one in classes} <= said


def test_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[>=<]", one)[0] for one in project["dependencies"]}
    core, _, more = README.partition("## Dependencies")[2].partition("Extras")
    assert set(re.findall(r"^- `([a-z0-9-]+)`", core, re.MULTILINE)) == names
    extras = {extra for extra in project["optional-dependencies"] if extra not in ("all", "dev")}
    assert set(re.findall(r"^- `([a-z0-9-]+)`", more, re.MULTILINE)) == extras
    for extra in extras:
        packages = [re.split(r"[\[>=<]", one)[0] for one in project["optional-dependencies"][extra]]
        listed = ", ".join(f"`{one}`" for one in packages)
        assert f"- `{extra}` ({listed}" in more and extra in project["optional-dependencies"]["all"][0]


def test_the_library_s_calls_exist() -> None:
    for call in re.findall(r"stack\.(\w+)\(", README):
        assert hasattr(api.Stack, call), call


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_that_are_linked_exist(path: Path) -> None:
    for link in re.findall(r"`((?:docs|tests|hooks|profiles|compose)/[\w./-]+)`", path.read_text()):
        assert (ROOT / link).exists(), f"{path.name} names {link}"
