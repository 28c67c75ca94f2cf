"""From a production to a branch of it, without masks: what its catalogs may do is the same with and without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envclone.accounts import hand_over, service_account
from envclone.config.schema import StoreConfig
from envclone.models import Cleaned, Credentials, Endpoint, Secret, StorePlan, StoreSnapshot
from envclone.stores.postgres.snapshot.source import snapshot_physical
from envclone.stores.postgres.store import PostgresStore
from tests.support.postgres import Production

BRANCH_PASSWORD = "a branch's own"


@dataclass(frozen=True)
class Clone:
    """A sanitized clone as an image holds it: `decisive` is what the attestation notes of production."""

    directory: Path
    snapshot: StoreSnapshot
    cleaned: Sequence[Cleaned]
    decisive: Mapping[str, str]

    def texts(self) -> str:
        """What the attestation says was cleaned."""
        return "\n".join(f"{item.what}: {item.detail}" for item in self.cleaned)


def taken(production: Production, into: Path, database: str = "shop") -> StoreSnapshot:
    """A raw snapshot in `into`, which belongs to the servers' account then."""
    into.mkdir(mode=0o700)
    config = {"kind": "postgres", "source": {"method": "physical", "dsn": production.dsn_for(database)}}
    snapshot = snapshot_physical("main", StoreConfig.model_validate(config), into, lambda event: None)
    hand_over(into, service_account())
    return snapshot


def cloned(production: Production, place: Path) -> Clone:
    """A clone that has been through a private session and the scrubbing, nothing masked."""
    directory, store = place / "main", PostgresStore()
    snapshot = taken(production, directory)
    with store.open(directory, snapshot, log=place / "private.log") as session:
        decisive = session.decisive([])
        cleaned = list(session.defang())
    cleaned += store.scrub(directory, snapshot, StorePlan("main", {}))
    return Clone(directory, snapshot, cleaned, decisive)


@contextlib.contextmanager
def branched(clone: Clone) -> Iterator[Endpoint]:
    """A server on it as a branch has, stopped at the end."""
    store, login = PostgresStore(), Credentials("envclone", Secret(BRANCH_PASSWORD))
    try:
        yield store.serve(clone.directory, clone.snapshot, login, port=None, log=clone.directory.parent / "branch.log")
    finally:
        store.stop(clone.directory)
