"""What a server keeps of a password: the SCRAM-SHA-256 verifier, so that the password itself never reaches it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode

__all__ = ["verifier"]

_ROUNDS = 4096


def verifier(password: str, salt: bytes | None = None) -> str:
    """The verifier as `pg_authid` holds it (RFC 5803); `salt` is 16 random bytes unless one is given.

    Raises ValueError for a password that is not ASCII: others would have to be normalized first (SASLprep).
    """
    if not password.isascii() or not password.isprintable():
        raise ValueError("a branch's password is printable ASCII")
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    written = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ROUNDS}:{written[0]}${written[1]}:{written[2]}"
