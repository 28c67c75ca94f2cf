"""Without the package that serves agents the command says in one line which extra brings it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from envclone import extras
from envclone.cli.main import cli
from envclone.errors import ResourceError


@pytest.mark.parametrize("arguments", [[], ["--config"], ["--allow-images"]])
def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr(extras, "has", lambda module: module != "mcp")
    done = CliRunner().invoke(cli, ["mcp", *arguments])
    assert isinstance(done.exception, ResourceError) and done.exception.hint == "pip install 'envclone[mcp]'"
    assert str(done.exception) == "the MCP server needs the package mcp, which is not installed" and not done.output
