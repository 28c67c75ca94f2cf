"""A branch's Qdrant in a container: the server of the container's image on the branch's own storage."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from envclone import wait
from envclone.accounts import account_of, hand_over
from envclone.errors import UnreachableError
from envclone.models import Container, Credentials, Endpoint, Secret, ServerFiles, StoreSnapshot
from envclone.stores.qdrant.layout import STORAGE

__all__ = ["AUTHORITIES", "BESIDE", "container", "make_ready", "own_files", "settings", "settle"]

BESIDE = ("snapshots", "temp")
"""What a server writes beside its storage."""
AUTHORITIES = tuple(
    Path(path)
    for path in (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    )
)
"""Where systems have the certificates without which a server does not start, though it reaches nobody."""
_PROGRAM = Path("/qdrant/qdrant")
"""Where the server is in Qdrant's images."""


def container(
    directory: Path,
    snapshot: StoreSnapshot,
    credentials: Credentials,
    *,
    port: int,
    overrides: Mapping[str, str],
) -> Container:
    """The server on `directory/storage`, on 127.0.0.1 of the sandbox, with the branch's password as its key.

    `overrides` are its own settings by their path, such as `storage.performance.max_search_threads`.
    """
    account = account_of(directory)
    environment = settings(directory, credentials, port=port, overrides=overrides)
    return Container(
        command=(str(_PROGRAM),),
        user=f"{account.uid}:{account.gid}",
        endpoint=Endpoint(
            store=snapshot.store, kind=snapshot.kind, host=snapshot.store, port=port, password=credentials.password
        ),
        mounts=(directory,),
        environment=environment,
    )


def own_files(program: Path | None, snapshot: StoreSnapshot) -> ServerFiles | None:
    """A server's program, for an image in which it stands where Qdrant's own images have it.

    None without one, and for collections that no server wrote.
    """
    collections = (snapshot.details.get("collections") or {}).values()
    if program is None or not all(one.get("served") for one in collections):
        return None
    mark = f"{program};{program.stat().st_mtime_ns};{program.stat().st_size}"
    digest = hashlib.blake2b(mark.encode(), digest_size=6).hexdigest()
    shown = (program, *(path for path in AUTHORITIES if path.exists()))
    return ServerFiles(f"envclone/qdrant:{digest}", shown, (program,), named={program: _PROGRAM})


def settings(
    directory: Path, credentials: Credentials, *, port: int, overrides: Mapping[str, str]
) -> dict[str, Secret]:
    """A server's settings as environment variables: gRPC is at the next port, nothing is told to anybody."""
    given = {
        **overrides,
        "service.host": "127.0.0.1",
        "service.http_port": str(port),
        "service.grpc_port": str(port + 1),
        "service.enable_tls": "false",
        "storage.storage_path": str(directory / STORAGE),
        **{f"storage.{name}_path": str(directory / name) for name in BESIDE},
        "cluster.enabled": "false",
        "telemetry_disabled": "true",
    }
    environment = {f"QDRANT__{name.upper().replace('.', '__')}": Secret(value) for name, value in given.items()}
    environment["QDRANT_INIT_FILE_PATH"] = Secret(str(directory / "temp" / "initialized"))
    environment["QDRANT__SERVICE__API_KEY"] = credentials.password
    return environment


def make_ready(directory: Path) -> None:
    """Give the storage to the account that the server runs as."""
    account = account_of(directory)
    for name in BESIDE:
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    hand_over(directory, account)


def settle(outside: Endpoint, *, ended: Callable[[], str | None], timeout: float = 120.0) -> None:
    """Wait until the server has loaded its collections. Raises UnreachableError with its last words when it ends."""
    url = f"http://{outside.host}:{outside.port}/readyz"

    def ready() -> bool | None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return True if answer.status == 200 else None
        except (urllib.error.URLError, OSError):
            pass
        if (words := ended()) is not None:
            lines = [line.strip() for line in words.splitlines() if line.strip()]
            raise UnreachableError(
                f"Qdrant in the container {outside.store} ended: {' / '.join(lines[-3:])[:500]}",
                hint="is the image of the version that wrote these files?",
            )
        return None

    wait.until(ready, what=f"Qdrant in the container {outside.store} was not ready", timeout=timeout)
