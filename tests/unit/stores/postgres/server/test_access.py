"""Who may log in: the operator over the socket, the branch's login with its password, nobody else."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from envclone.stores.postgres.server.access import write_hba


@pytest.mark.parametrize(("major", "method"), [(18, "peer map=operator"), (16, "peer map=operator"), (15, "trust")])
def test_who_may_log_in(tmp_path: Path, major: int, method: str) -> None:
    data = tmp_path
    (data / "PG_VERSION").write_text(f"{major}\n")
    write_hba(data, ['odd "name"'])
    rules = [line for line in (data / "pg_hba.conf").read_text().splitlines() if not line.startswith("#")]
    assert rules[0] == f"local all all {method}"
    assert rules[1] == 'host all "odd ""name""" 127.0.0.1/32 scram-sha-256'
    assert all(rule.endswith(" reject") for rule in rules[2:])
    idents = [line for line in (data / "pg_ident.conf").read_text().splitlines() if not line.startswith("#")]
    assert idents == ([f'operator "{pwd.getpwuid(os.geteuid()).pw_name}" all'] if major >= 16 else [])
    write_hba(data)
    assert "scram" not in (data / "pg_hba.conf").read_text()
