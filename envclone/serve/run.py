"""The process: one service of a project at a time, its port, TLS, and clients that are slow."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from envclone.errors import ResourceError, UsageError
from envclone.serve.patience import patient

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from envclone.serve.service import Service

__all__ = ["Address", "require_safe", "serve"]

_CONNECTIONS = 512
_HEAD_BYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service listens: `host` is an address or a name, `port` 0 is a free one; the files are for TLS."""

    host: str = "127.0.0.1"
    port: int = 8750
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS."""
        return self.certificate is not None or self.behind_proxy


def require_safe(address: Address) -> None:
    """Raise UsageError when tokens would cross a network as they are."""
    if (address.certificate is None) != (address.key is None):
        raise UsageError("TLS takes a certificate and its key", hint="--tls-cert FILE --tls-key FILE")
    if address.certificate is None and not address.behind_proxy and not _loopback(address.host):
        raise UsageError(
            f"without TLS the service listens on this machine alone, and {address.host} is beyond it",
            hint="--tls-cert FILE --tls-key FILE, or --behind-proxy when a proxy in front speaks TLS",
        )


def serve(app: Starlette, service: Service, address: Address, ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it; `ready` is told its URL. Raises BusyError when one serves the project already."""
    require_safe(address)
    pool, project = service.stack.project.pool, service.stack.project.name
    with pool.lock(f"serve.{project}", what=f"the service of {project}"), _bound(address) as bound:
        config = uvicorn.Config(
            app,
            http=patient(None if address.behind_proxy else _CONNECTIONS // 4),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=_HEAD_BYTES,
            ssl_certfile=address.certificate,
            ssl_keyfile=address.key,
        )
        try:
            config.load()
        except OSError as exc:
            raise UsageError(f"the certificate or its key cannot be used: {exc.strerror or exc}") from None
        port = bound.getsockname()[1]
        host = f"[{address.host}]" if ":" in address.host else address.host
        try:
            ready(f"{'https' if address.certificate else 'http'}://{host}:{port}")
            uvicorn.Server(config).run(sockets=[bound])
        finally:
            service.close()


def _bound(address: Address) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as exc:
        raise UsageError(f"{address.host} is no address of this machine: {exc.strerror}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        bound.listen(1024)
    except OSError as exc:
        bound.close()
        raise ResourceError(
            f"the port {address.port} of {address.host} cannot be had: {exc.strerror}", hint="choose another: --port"
        ) from None
    return bound


def _loopback(host: str) -> bool:
    """Whether only this machine reaches a host: every address of its name."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)
