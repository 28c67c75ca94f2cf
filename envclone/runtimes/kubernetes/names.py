"""What a branch's objects are called, and the labels that they are found by."""

from __future__ import annotations

import getpass
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BRANCH",
    "ENVIRONMENT",
    "EXPIRES",
    "GROUP",
    "IMAGE",
    "MANAGED",
    "NAMED",
    "OURS",
    "OWNER",
    "PART",
    "POOL",
    "PROJECT",
    "RAW",
    "Place",
    "Site",
    "label",
    "name_of",
    "owner",
    "pool_label",
]  # fmt: skip

MANAGED = "app.kubernetes.io/managed-by"
OURS = "envclone"
BRANCH, ENVIRONMENT, IMAGE, OWNER, PART, POOL, PROJECT, RAW = (
    f"envclone.io/{name}" for name in ("branch", "environment", "image", "owner", "part", "pool", "project", "raw")
)
GROUP = "envclone.io/group"
"""A label that production's claims have while they are snapshotted together."""
NAMED = "envclone.io/name"
"""An annotation: the branch's name as it is, which no label may be in every case."""
EXPIRES = "envclone.io/expires-at"
"""An annotation: until when the branch is wanted, as RFC 3339; '' is until it is removed."""

_LONGEST = 63


@dataclass(frozen=True, slots=True)
class Place:
    """Where a branch is on its cluster: its namespace, the one of the images, and whose it is."""

    namespace: str
    images: str
    branch: str
    pool: str
    project: str = ""
    owner: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Those of every object of the branch."""
        made = {MANAGED: OURS, BRANCH: label(self.branch), POOL: self.pool}
        if self.project:
            made[PROJECT] = label(self.project)
        if self.owner:
            made[OWNER] = self.owner
        return made


@dataclass(frozen=True, slots=True)
class Site(Place):
    """Where a raw snapshot, or what makes an image of it, is: in production's namespace, or in quarantine."""

    raw: str = ""
    environment: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Those of every object of it."""
        return {
            MANAGED: OURS, POOL: self.pool, PROJECT: label(self.project), RAW: label(self.raw),
            ENVIRONMENT: label(self.environment),
        }  # fmt: skip

    def named(self, *parts: str) -> str:
        """What an object of it is called."""
        return name_of("envclone", self.raw, *parts)


def name_of(*parts: str) -> str:
    """A name that a namespace may have (RFC 1123): a long or odd one is shortened, with a digest of the whole."""
    whole = "-".join(parts)
    plain = re.sub(r"[^a-z0-9-]+", "-", whole.lower()).strip("-")
    if plain == whole and len(plain) <= _LONGEST:
        return plain
    digest = hashlib.blake2b(whole.encode(), digest_size=4).hexdigest()
    return f"{plain[: _LONGEST - 9].rstrip('-')}-{digest}"


def label(text: str) -> str:
    """A text as the value of a label: as it is where it can be, else shortened with a digest."""
    if re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", text):
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-_.")[: _LONGEST - 9].rstrip("-_.")
    return f"{plain}-{digest}" if plain else digest


def pool_label(pool: Path) -> str:
    """What tells this machine's pool from others: pools of two machines may have the same path."""
    try:
        machine = Path("/etc/machine-id").read_text()
    except OSError:
        machine = ""
    return hashlib.blake2b(f"{machine}\0{pool}".encode(), digest_size=8).hexdigest()


def owner() -> str:
    """Who the branch is counted for: this machine's user."""
    try:
        return label(getpass.getuser())
    except (KeyError, OSError):
        return ""
