"""What a server was started with counts, though no configuration file says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envclone.stores.postgres.server.commandline import of_the_last_start, place_of_configuration
from envclone.stores.postgres.server.settings import COMMAND_LINE, parse_conf


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ('"-D" "/data"', {"-D": "/data"}),
        ('"-c" "work_mem=7MB" "--random-page-cost=1.1"', {"work_mem": "7MB", "random_page_cost": "1.1"}),
        ('"-chnsw.ef_search=9" "-B" "4096" "-N" "50"',
         {"hnsw.ef_search": "9", "shared_buffers": "4096", "max_connections": "50"}),
        ('"-c" "search_path=a, b=c" "-p" "5433" "-c"', {"search_path": "a, b=c"}),
        ('"-i" "-c" "broken" "--"', {}),
        ("", {}),
    ],
)  # fmt: skip
def test_options(tmp_path: Path, words: str, found: dict[str, str]) -> None:
    (tmp_path / "postmaster.opts").write_text(f"/usr/lib/postgresql/17/bin/postgres {words}\n")
    assert of_the_last_start(tmp_path) == found


def test_the_command_line_wins_over_the_files(tmp_path: Path) -> None:
    (tmp_path / "postgresql.conf").write_text("work_mem = 1MB\njit = off\n")
    (tmp_path / "postgresql.auto.conf").write_text("work_mem = 2MB\n")
    assert of_the_last_start(tmp_path) == {}
    (tmp_path / "postmaster.opts").write_text(
        f'postgres "-D" "{tmp_path}" "-c" "work_mem=7MB" "-c" "ssl_passphrase_command=x"\n'
    )
    found = {item.name: item for item in parse_conf(tmp_path)}
    assert (found["work_mem"].value, found["work_mem"].source) == ("7MB", COMMAND_LINE)
    assert found["jit"].value == "off" and "-D" not in found
    assert found["ssl_passphrase_command"].value is None


def test_where_the_configuration_is(tmp_path: Path) -> None:
    data, etc = tmp_path / "data", tmp_path / "etc"
    assert place_of_configuration(data, {"-D": str(data)}) == ""
    assert place_of_configuration(data, {"-D": str(etc)}) == str(etc)
    assert place_of_configuration(data, {"-D": str(data), "config_file": f"{etc}/postgresql.conf"}) == str(etc)
    assert place_of_configuration(data, {}) == ""


def test_what_cannot_be_read_is_told_and_what_need_not_be_there_is_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "deep.conf").write_text("include 'deep.conf'\n")
    (data / "postgresql.conf").write_text(
        f"include_if_exists '{tmp_path}/nowhere.conf'\ninclude 'deep.conf'\njit = off\n"
    )
    unread: list[str] = []
    assert [item.name for item in parse_conf(data, unread)] == ["jit"]
    assert unread == [str(data.resolve() / "deep.conf")]
    (data / "main.conf").write_text("jit = on\n")
    assert [item.value for item in parse_conf(data, unread, data / "main.conf")] == ["on"]
