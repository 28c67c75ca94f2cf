"""The smallest image there is: one program that sleeps, to hold a branch's network namespace while others come and go.

It is written here byte by byte, so that no registry is needed for it and nobody has to trust a binary.
"""

from __future__ import annotations

import hashlib
import io
import platform
import struct
import tarfile

from envclone.errors import ResourceError

__all__ = ["PROGRAM", "image_of", "name_of"]

PROGRAM = "/pause"

_CODE = {
    # mov eax, 34 (pause); syscall; jmp back
    "x86_64": (62, bytes.fromhex("b822000000 0f05 ebf7")),
    # x0..x4 = 0; x8 = 73 (ppoll); svc 0; b back
    "aarch64": (183, struct.pack("<8I", *range(0xD2800000, 0xD2800005), 0xD2800928, 0xD4000001, 0x17FFFFF9)),
}
_ELF_HEADER, _PROGRAM_HEADER, _BASE = 64, 56, 0x400000


def program(machine: str | None = None) -> bytes:
    """The program as an ELF file for Linux, which waits for signals for ever (the layout is that of elf(5)).

    Raises ResourceError for processors that it is not written for.
    """
    known = {"amd64": "x86_64", "arm64": "aarch64"}
    here = machine or platform.machine()
    if (found := _CODE.get(known.get(here, here))) is None:
        raise ResourceError(f"the docker runtime does not know {here} processors", hint="use --runtime local")
    kind, code = found
    start = _ELF_HEADER + _PROGRAM_HEADER
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01".ljust(16, b"\0"),
        2, kind, 1, _BASE + start, _ELF_HEADER, 0, 0, _ELF_HEADER, _PROGRAM_HEADER, 1, 64, 0, 0,
    )  # fmt: skip
    size = start + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code


def image_of(machine: str | None = None) -> bytes:
    """The image's file system as a tar archive."""
    content = program(machine)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(PROGRAM.lstrip("/"))
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def name_of(machine: str | None = None) -> str:
    """The image's name, which changes with its content."""
    return f"envclone/sandbox:{hashlib.blake2b(image_of(machine), digest_size=6).hexdigest()}"
