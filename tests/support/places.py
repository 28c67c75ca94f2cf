"""A place where somebody's identity is planted, as statements in SQL."""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import lzma
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import lz4.frame

from tests.support.streams import zstd

__all__ = ["FORMS", "Place", "column"]


def _said(value: str) -> bytes:
    return f"it is {value}, they say".encode()


def _zipped(value: str) -> str:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", _said(value))
    return made.getvalue().hex()


FORMS: Mapping[str, Callable[[str], str]] = {
    "gzip": lambda v: gzip.compress(_said(v)).hex(),
    "zlib": lambda v: zlib.compress(_said(v)).hex(),
    "bz2": lambda v: bz2.compress(_said(v)).hex(),
    "xz": lambda v: lzma.compress(_said(v)).hex(),
    "zip": _zipped,
    "zstd": lambda v: zstd.compress(_said(v) * 3).hex(),
    "lz4": lambda v: lz4.frame.compress(_said(v) * 3).hex(),
    "second": lambda v: (gzip.compress(b"nobody is here") + gzip.compress(_said(v))).hex(),
    "bare": lambda v: zlib.compress(_said(v) * 3, wbits=-15).hex(),
    "sized": lambda v: (len(_said(v)).to_bytes(4, "little") + zlib.compress(_said(v))).hex(),
    "7z": lambda v: (b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(byte ^ 0x5A for byte in _said(v))).hex(),
    "parquet": lambda v: (b"PAR1" + bytes(byte ^ 0x5A for byte in _said(v)) + b"PAR1").hex(),
    "within": lambda v: (b"\x0fhead" + uuid.UUID(v).bytes + b"\0tail").hex(),
    "decimal": lambda v: str(uuid.UUID(v).int),
    "high": lambda v: str(int.from_bytes(uuid.UUID(v).bytes[:8], "big", signed=True)),
    "low": lambda v: str(int.from_bytes(uuid.UUID(v).bytes[8:], "big", signed=True)),
    "uu": lambda v: binascii.b2a_uu(v.encode()[:45]).decode().replace("'", "''"),
    "b85": lambda v: base64.b85encode(_said(v)).decode(),
    "hexadecimal": lambda v: f"{int(''.join(char for char in v if char.isdecimal())):x}",
    "utf32": lambda v: v.encode("utf-32-le").hex(),
    "latin": lambda v: f"für Jörg: {v}".encode("latin-1").hex(),
    "uuid_le": lambda v: uuid.UUID(v).bytes_le.hex(),
    "ebcdic": lambda v: v.encode("cp500").hex(),
    "twice": lambda v: gzip.compress(bz2.compress(_said(v))).hex(),
    "digits": lambda v: "".join(char for char in v if char.isdecimal()),
    "octal": lambda v: "".join(f"\\{ord(c):03o}" for c in v),
    "head": lambda v: v[: len(v) // 2],
    "tail": lambda v: v[len(v) // 2 :],
    "chrs": lambda v: "||".join(f"chr({ord(c)})" for c in v),
}
"""Forms of a value by name, as digits or as a part of an expression."""


@dataclass(frozen=True)
class Place:
    """Statements that put a value somewhere, and a pattern of the place that a finding has to name.

    In both `{n}` is a number of its own; in the statements `{v}` is the value's literal, `{rev}` that of it backwards,
    `{raw}` the value inside of a literal, and `{i}` an identifier that reads so.
    """

    what: str
    put: str
    found: str
    kinds: Sequence[str] = ()
    """The kinds of identity that fit here; none for all."""

    def filled(self, value: str, number: int) -> str:
        """The statements that put a value there."""
        raw = value.replace("'", "''")
        text = self.put.replace("{n}", f"{number:04d}").replace("{v}", f"'{raw}'").replace("{raw}", raw)
        text = text.replace("{rev}", f"'{value[::-1].replace(chr(39), chr(39) * 2)}'")
        for name, form in FORMS.items():
            if "{" + name + "}" in text:
                text = text.replace("{" + name + "}", form(value))
        return text.replace("{i}", '"' + value.replace('"', '""') + '"')

    def address(self, number: int) -> str:
        """A pattern for the place that a finding has to name."""
        return self.found.replace("{n}", f"{number:04d}")


def column(what: str, type_: str, value: str, *kinds: str) -> Place:
    """A column of a table of its own."""
    put = f"CREATE TABLE k{{n}} (id int, c {type_}); INSERT INTO k{{n}} VALUES (1, {value})"
    return Place(what, put, "public.k{n}.c", kinds)
