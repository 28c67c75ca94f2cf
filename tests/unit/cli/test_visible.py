"""What came from elsewhere writes nothing but text on a terminal."""

from __future__ import annotations

import sys

import pytest

from envclone.cli.context import print_table
from envclone.cli.main import run
from envclone.cli.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 100 %", "plain text, 100 %"),
        ("Zoë 王小明 🙂", "Zoë 王小明 🙂"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("a\rb\x08c\x9b31m\x7f", "a\\rb\\x08c\\x9b31m\\x7f"),
        ("abc\u202edef\u2066", "abc\\u202edef\\u2066"),
        ("\u2028\ud800", "\\u2028\\ud800"),
        ("क्\u200dष", "क्\u200dष"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_table_takes_brackets_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ["A"], [["[red]x[/blue]"], ["\x1b[2J"]])
    shown = capsys.readouterr().out
    assert "[red]x[/blue]" in shown and "\x1b" not in shown


def test_an_error_shows_what_it_quotes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["envclone", "-f", "/nowhere/\x1b[2J.yaml", "images"])
    assert run()
    assert "\x1b[2J" not in capsys.readouterr().err
