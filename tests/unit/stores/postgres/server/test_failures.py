from __future__ import annotations

from pathlib import Path

import pytest

from envclone.errors import BusyError, EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.stores.postgres.server.control import crc32c, lsn_text
from envclone.stores.postgres.server.failures import explain, last_words

STAMP = "2024-01-01 00:00:00.000 UTC [1] "


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        (
            ['LOG:  could not bind IPv4 address "127.0.0.1": Address already in use', "FATAL:  could not create any"],
            BusyError,
            "127.0.0.1",
        ),
        (['FATAL:  could not access file "pg_x": No such file or directory'], ResourceError, "pg_x"),
        (["FATAL:  could not map anonymous shared memory: Cannot allocate memory"], ResourceError, "shared memory"),
        (['FATAL:  data directory "/x" has wrong ownership'], ResourceError, "ownership"),
        (["FATAL:  WAL ends before end of online backup"], UnsafeError, "online backup"),
        (["PANIC:  could not locate a valid checkpoint record at 0/1"], UnsafeError, "checkpoint"),
        (["FATAL:  something new", "LOG:  database system is shut down"], UnreachableError, "something new"),
        ([], UnreachableError, "nothing"),
    ],
)
def test_the_last_words_become_an_error(tmp_path: Path, lines: list[str], kind: type[EnvcloneError], said: str) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"{STAMP}{line}\n" for line in lines))
    error = explain("PostgreSQL 18", log)
    assert type(error) is kind and said in error.message and error.hint
    assert "2024" not in error.message


def test_only_what_is_new_in_the_log_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"{STAMP}FATAL:  old\n")
    offset = log.stat().st_size
    with log.open("a") as file:
        file.write(f"{STAMP}LOG:  new\nbare line\n")
    assert last_words(log, offset) == "new"
    assert last_words(tmp_path / "none") == ""


def test_crc_and_lsn_are_postgresql_s() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert lsn_text(0x1_0000_00AB) == "1/AB"
