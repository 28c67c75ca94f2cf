"""The two keys of a pool: one makes pseudonyms, the other signs attestations. Neither ever leaves its 0600 file.

The masking key of the pool masks nothing itself: each project has a key derived from it and the project's name, so two
projects have unlinkable pseudonyms, also when they share a pool or are given the same key by the environment.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from hashlib import blake2b, sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from envclone.errors import ConfigError, UnsafeError

__all__ = [
    "fingerprint", "generate", "held", "key_id", "masking_key", "pool_key", "public_key", "sign", "trust", "trusted",
    "verify", "verify_by",
]  # fmt: skip

MASKING_KEY_BYTES = 32


def key_id(key: bytes) -> str:
    """'k' and 12 hex digits of a one-way function of a masking key; tells keys apart and nothing else."""
    return "k" + blake2b(b"envclone key id", key=key, digest_size=6).hexdigest()


def masking_key(folder: Path, project: str, env: Mapping[str, str] | None = None) -> bytes:
    """A project's masking key: 32 bytes of keyed BLAKE2b (RFC 7693) under the pool's key, over the project's name.

    A pool that works for one project only has that key itself, in `folder/project.key`. Raises what `pool_key` raises.
    """
    own = folder / "project.key"
    if own.exists():
        return _parse(_private(own), str(own))
    return blake2b(project.encode(), key=pool_key(folder, env), person=b"envclone project", digest_size=32).digest()


def pool_key(folder: Path, env: Mapping[str, str] | None = None) -> bytes:
    """The pool's key (32 bytes), made at first use into `folder/masking.key` (64 hex digits, mode 0600).

    ENVCLONE_MASKING_KEY_FILE names another file, ENVCLONE_MASKING_KEY gives the hex digits themselves.
    Raises ConfigError for a malformed key, UnsafeError when the file can be read by others.
    """
    given = os.environ if env is None else env
    if text := given.get("ENVCLONE_MASKING_KEY"):
        return _parse(text, "the environment variable ENVCLONE_MASKING_KEY")
    if named := given.get("ENVCLONE_MASKING_KEY_FILE"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"the masking key file {path} does not exist")
        return _parse(_private(path), str(path))
    path = folder / "masking.key"
    _create(path, secrets.token_hex(MASKING_KEY_BYTES).encode())
    return _parse(_private(path), str(path))


def held(folder: Path, env: Mapping[str, str] | None = None) -> bool:
    """Whether this user has the pool's key, and may mask; nothing is made for that."""
    given = os.environ if env is None else env
    named = given.get("ENVCLONE_MASKING_KEY_FILE")
    path = Path(named).expanduser() if named else folder / "masking.key"
    return bool(given.get("ENVCLONE_MASKING_KEY")) or os.access(path, os.R_OK)


def sign(folder: Path, message: bytes) -> bytes:
    """The Ed25519 signature (RFC 8032, 64 bytes) of a message under the pool's signing key, made at first use."""
    path = folder / "signing.key"
    _create(path, Ed25519PrivateKey.generate().private_bytes_raw().hex().encode())
    key = Ed25519PrivateKey.from_private_bytes(_parse(_private(path), str(path)))
    public = folder / "signing.pub"
    if not public.exists():
        _create(public, key.public_key().public_bytes_raw().hex().encode(), mode=0o644)
    return key.sign(message)


def generate() -> tuple[str, str]:
    """A new pair of keys to sign and to verify with, in hex digits, which no pool has."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw().hex(), key.public_key().public_bytes_raw().hex()


def public_key(folder: Path) -> str | None:
    """The hex digits of the public half, for somebody who verifies elsewhere; None before the first signature."""
    path = folder / "signing.pub"
    return path.read_text(errors="replace").strip() if path.exists() else None


def fingerprint(public: str) -> str:
    """32 hex digits of the SHA-256 of a public key, which people compare; '' of what is none."""
    try:
        key = bytes.fromhex(public)
    except ValueError:
        return ""
    return sha256(key).hexdigest()[:32] if len(key) == MASKING_KEY_BYTES else ""


def verify(folder: Path, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that of this pool's signing key over this message."""
    public = public_key(folder)
    return public is not None and verify_by(public, message, signature)


def verify_by(public: str, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that of a public key (hex digits) over this message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def trust(folder: Path, public: str) -> None:
    """Remember the public key of another pool whose cases the operator takes over."""
    if not fingerprint(public):
        raise ConfigError("that is no public key")
    (folder / "trusted").mkdir(mode=0o700, exist_ok=True)
    _create(folder / "trusted" / f"{fingerprint(public)}.pub", public.encode())


def trusted(folder: Path) -> list[str]:
    """The public keys of pools that the operator trusts; a file that is not what its name says is none."""
    if not (folder / "trusted").is_dir():
        return []
    found = [(path.stem, path.read_text(errors="replace").strip()) for path in (folder / "trusted").glob("*.pub")]
    return sorted(public for name, public in found if fingerprint(public) == name)


def _create(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file unless it is there; two processes at once agree on the one that came first."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()


def _private(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise UnsafeError(f"the key {path} can be read by others", hint=f"chmod 600 {path}")
    return path.read_text()


def _parse(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != MASKING_KEY_BYTES:
        raise ConfigError(f"{where} is not a key: {2 * MASKING_KEY_BYTES} hex digits are needed")
    return key
