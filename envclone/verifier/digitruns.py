"""Bytes that a text has as runs of digits, of base64 or hexadecimal ones: `runkernels` says which runs are noise."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from envclone.verifier.otherbytes import WIDE

__all__ = ["SURELY_HEXADECIMAL", "of_base64", "runs_unpacked"]

SURELY_HEXADECIMAL = 32
"""Digits from which a run of hexadecimal ones is not read as base64."""
_RUN = re.compile(r"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{16,}")


def runs_unpacked(text: str) -> Iterator[bytes]:
    """The bytes in runs of base64 and of hexadecimal digits; texts in ASCII are read anyway, and are left out."""
    for match in _RUN.finditer(text):
        run = match[0]
        as_hexadecimal = _of_hexadecimal(run)
        # so many digits of base64 are hexadecimal ones by chance as good as never
        as_base64 = b"" if as_hexadecimal and len(run) >= SURELY_HEXADECIMAL else of_base64(run)
        for raw in (as_hexadecimal, as_base64):
            if raw and not (raw.isascii() and min(raw) >= WIDE):
                yield raw


def _of_hexadecimal(run: str) -> bytes:
    try:
        return bytes.fromhex(run)
    except ValueError:
        return b""


def of_base64(digits: str) -> bytes:
    """What digits of base64 in either alphabet stand for, lines and padding or none; nothing where they are not."""
    plain = re.sub(r"\\[rn]|\s", "", digits).replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return b""
