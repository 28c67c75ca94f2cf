"""The process: one service of a project at a time, its port, TLS, and clients that are slow."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from envclone.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from envclone.serve.service import Service

__all__ = ["Address", "require_safe", "serve"]

_HEAD_SECONDS = 10.0
"""How long the head of a request may take to come."""
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
            http=_Patient,
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


class _Patient(H11Protocol):
    """The protocol, with a deadline for the head of each request: a client that drips bytes holds no connection."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock runs from the first moment on."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The same for each further request on the connection."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """A request that came along behind another."""
        super().on_response_complete()
        self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is h11.IDLE:
            if self._deadline is None:
                self._deadline = self.loop.call_later(_HEAD_SECONDS, self._late)
        else:
            self._stop()

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
