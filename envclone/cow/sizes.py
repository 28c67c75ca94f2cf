"""Sizes as people write and read them."""

from __future__ import annotations

import re

from envclone.errors import UsageError

__all__ = ["format_size", "parse_size"]

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[KMGT]?)(?:I?B)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of a size such as `20G`, `512MiB`, `1.5T` or `4096`; units are powers of 1024. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"'{text}' is not a size", hint="write it like 20G, 512M or 1.5T")
    return int(float(match["number"]) * _UNITS[match["unit"].upper()])


def format_size(n: int) -> str:
    """A size for people: `20G`, `1.5G`, `300M`, `17 bytes`; units are powers of 1024."""
    for unit in ("T", "G", "M", "K"):
        if abs(n) >= _UNITS[unit]:
            return f"{n / _UNITS[unit]:.1f}".removesuffix(".0") + unit
    return f"{n} byte{'' if n == 1 else 's'}"
