"""The client: where its token comes from, whom it gives it to, and which error it raises."""

from __future__ import annotations

from pathlib import Path

import pytest

from envclone import errors, remote
from envclone.errors import UnreachableError, UnsafeError, UsageError


def test_a_token_comes_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    file = str(tmp_path / "token")
    assert remote.token_from({"ENVCLONE_TOKEN": " x "}) == "x"
    assert remote.token_from({"ENVCLONE_TOKEN_FILE": file}) == "from-a-file"
    assert remote.token_from({"ENVCLONE_TOKEN_COMMAND": f"cat '{file}'"}) == "from-a-file"
    for wrong in ({}, {"ENVCLONE_TOKEN_FILE": str(tmp_path / "none")}):
        with pytest.raises(UsageError):
            remote.token_from(wrong)


def test_a_token_crosses_no_network_as_it_is() -> None:
    for url in ("http://127.0.0.1:8750", "http://localhost", "http://[::1]:1/", "https://envclone.acme.example/"):
        assert remote.connect(url, "x").url == url.rstrip("/")
    with pytest.raises(UnsafeError):
        remote.connect("http://envclone.acme.example", "x")
    for url in ("envclone.acme.example", "ftp://x", "https://u:p@x", "https://x/?y"):
        with pytest.raises(UsageError):
            remote.connect(url, "x")
    assert "secret" not in repr(remote.connect("https://x", "secret"))


def test_an_error_is_the_one_that_the_host_would_raise() -> None:
    told = {"type": "UnsafeError", "message": "no", "hint": "do", "exit_code": 4}
    made = remote._error(told, 409)
    assert type(made) is UnsafeError and (made.message, made.hint) == ("no", "do")
    assert type(remote._error({**told, "type": "Gone"}, 410)) is UnsafeError
    assert type(remote._error({**told, "type": "TooMany", "exit_code": 8}, 429)) is errors.BusyError
    assert remote._error({"type": "CommandError", "message": "x"}, 500).exit_code == 1


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(UnreachableError):
        remote.connect("http://127.0.0.1:1", "x").branches()
    for name in ("", ".", ".."):
        with pytest.raises(UsageError):
            remote.connect("http://127.0.0.1:1", "x").show(name)
