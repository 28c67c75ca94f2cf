"""Files that cannot be looked into: what tells them, and what each is called in a refusal.

Archives that nothing here unpacks, tables in columns, and what a password protects. Who keeps one publishes what nobody
has read.
"""

from __future__ import annotations

import re

__all__ = ["Damaged", "Shut", "closed"]


class Shut(Exception):
    """A value that cannot be looked into; its text is what such a value is called."""


class Damaged(Shut):
    """A value that begins as a file does, and goes on as none: behind something else that is an accident of noise."""


_BEGINS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"MSCF\0\0\0\0": "a CAB archive",
    b"xar!\0\x1c": "a XAR archive",
    b"LZIP\x01": "a stream of lzip",
    b"\x89LZO\0\r\n\x1a\n": "a stream of lzop",
    b"LRZI\0": "a stream of lrzip",
    b"\x1f\x9d\x90": "a stream of compress",
    b"\xff\x06\0\0sNaPpY": "a stream of Snappy",
    b"\x82SNAPPY\0": "a stream of Snappy",
    b"bvx2": "a stream of LZFSE",
    b"PAR1": "a Parquet file",
    b"PARE": "an encrypted Parquet file",
    b"ARROW1\0\0": "an Arrow file",
    b"FEA1": "a Feather file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"PGDMP\x01": "a dump of PostgreSQL",
    b"PACK\0\0\0\x02": "a pack of Git",
}
"""First bytes, and what begins with them."""
_SIZES = sorted({len(begin) for begin in _BEGINS}, reverse=True)
_FIRSTS = frozenset(begin[:3] for begin in _BEGINS)
_LHA = re.compile(rb".{2}-lh[1-7]-", re.DOTALL)
_ORC = b"ORC"
_AVRO, _CODEC = b"Obj\x01", re.compile(rb"\x14avro\.codec.([a-z0-9]{2,12})", re.DOTALL)
_CODES_NOTHING = b"null"
_HEAD = 1 << 16
_PDF, _GLYPHS = b"%PDF", re.compile(rb"/Identity-[HV]\b")
_OLE, _PROTECTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "EncryptedPackage".encode("utf-16-le")


def closed(value: bytes) -> str:
    """What a value is that cannot be looked into; '' for any other."""
    four = value[:4]
    if four[:3] in _FIRSTS:
        for size in _SIZES:
            if (name := _BEGINS.get(value[:size])) is not None:
                return name
    if four == _PDF:
        if b"/Encrypt" in value:
            return "an encrypted PDF"
        return "a PDF whose texts are numbers of glyphs" if _GLYPHS.search(value) else ""
    if four == _AVRO:
        codec = _CODEC.search(value, 0, _HEAD)
        return "a compressed Avro file" if codec is not None and codec[1] != _CODES_NOTHING else ""
    if value.startswith(_ORC) and value[-4:-1] == _ORC:
        return "an ORC file"
    if value.startswith(_OLE) and _PROTECTED in value:
        return "an encrypted document"
    return "an LHA archive" if value[2:4] == b"-l" and _LHA.match(value) else ""
