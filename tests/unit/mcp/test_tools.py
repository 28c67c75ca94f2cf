"""The tools as they are listed: exact schemas, hints that are true, and the table of docs/mcp.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from envclone.mcp.calls import TOOLS
from envclone.mcp.server import listed

PAGE = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text()
ROWS = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*?) \|", PAGE, re.MULTILINE)}


def test_the_page_lists_the_tools_with_their_arguments() -> None:
    assert list(ROWS) == list(TOOLS)
    for name, (arguments, _) in ROWS.items():
        assert re.findall(r"`(\w+)`", arguments) == list(TOOLS[name].arguments.model_fields), name


def test_what_reads_says_so_and_what_destroys_says_so() -> None:
    assert {name for name, (_, changes) in ROWS.items() if changes.startswith("nothing")} == {
        name for name, one in TOOLS.items() if one.read_only
    }
    assert {name for name, one in TOOLS.items() if one.destructive} == {"reset", "remove"}


@pytest.mark.parametrize("name", TOOLS)
def test_schemas_are_schemas_that_take_nothing_else(name: str) -> None:
    tool = listed(TOOLS[name])
    assert tool.input_schema["additionalProperties"] is False
    assert tool.input_schema["type"] == "object"
    Draft202012Validator.check_schema(tool.input_schema)
    assert tool.output_schema is not None
    Draft202012Validator.check_schema(tool.output_schema)
    assert tool.annotations is not None and tool.annotations.open_world_hint is False
    for field, schema in tool.input_schema.get("properties", {}).items():
        assert schema.get("description"), f"{name}.{field}"
