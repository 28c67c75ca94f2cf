"""The program that holds a namespace: an ELF file that the kernel takes, and that sleeps."""

from __future__ import annotations

import io
import platform
import signal
import tarfile
from pathlib import Path

import pytest

from envclone import process, wait
from envclone.errors import ResourceError
from envclone.runtimes.docker import sandbox


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="written for two processors")
def test_it_sleeps_until_it_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(sandbox.program())
    program.chmod(0o755)
    pid = process.spawn([program], log=tmp_path / "log")

    def asleep() -> bool | None:
        fields = Path(f"/proc/{pid}/stat").read_text().split()
        return True if fields[1] == "(pause)" and fields[2] == "S" else None

    wait.until(asleep, what="it does not sleep", timeout=30)
    before = Path(f"/proc/{pid}/stat").read_text().split()
    assert int(before[13]) + int(before[14]) == 0, "it must use no processor"
    process.terminate(pid, signal.SIGKILL)
    assert (tmp_path / "log").read_bytes() == b""


def test_the_image_is_one_small_file() -> None:
    with tarfile.open(fileobj=io.BytesIO(sandbox.image_of("x86_64"))) as tar:
        (member,) = tar.getmembers()
    assert (member.name, member.size < 200, member.mode) == ("pause", True, 0o755)
    assert sandbox.name_of("amd64") == sandbox.name_of("x86_64") != sandbox.name_of("arm64")


def test_another_processor_is_refused_by_name() -> None:
    with pytest.raises(ResourceError, match="riscv64"):
        sandbox.program("riscv64")
