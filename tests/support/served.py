"""A service over a stack file without a production: what needs no engine."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.testclient import TestClient

from envclone import records
from envclone.api import open_stack
from envclone.models import Branch, BranchState, Endpoint, Secret, StoreSnapshot
from envclone.pool import catalog
from envclone.serve.app import create
from envclone.serve.door import Verifier
from envclone.serve.options import Options
from envclone.serve.roles import Principal, Role
from envclone.serve.service import Service
from tests.support.postgres import scratch

STACK = """\
version: 1
project: acme
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${SERVED_DSN?not set}", database: app}}
sanitize:
  rules: {main: {"public.*": keep}}
incidents: incidents/
"""
PASSWORD = "a-password-of-a-branch-0001"


@dataclass(frozen=True)
class Served:
    """A service, its application, and a client."""

    service: Service
    app: Starlette
    client: TestClient

    def token(self, name: str, role: Role, expires: dt.timedelta | None = dt.timedelta(days=1)) -> str:
        """A new token's text."""
        return self.service.tokens.create(name, role, expires)[1]

    def call(self, token: str | None, method: str, path: str, **more: Any) -> Any:
        """A call below /api/v1 with a token."""
        headers = {**({"authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    def raw(self, token: str, method: str, path: str) -> tuple[int, str]:
        """A call whose path no client has made neat: status and text."""
        sent: list[Any] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(path), "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(b"host", b"testserver"), (b"authorization", f"Bearer {token}".encode())],
            "client": ("192.0.2.1", 1), "server": ("testserver", 80),
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:]).decode()

    def branch(self, name: str, owner: str | None = None) -> Branch:
        """A stopped branch's record as the pool has it, and whose it is; nothing of it runs."""
        now = dt.datetime.now(dt.UTC)
        main = StoreSnapshot("main", "postgres", "physical", "18.4", now, 1.0, 1, 1)
        made = Branch(
            name=name, environment="prod", image="img-000000000000", state=BranchState.STOPPED, created_at=now,
            expires_at=now + dt.timedelta(hours=8), stores={"main": main}, project="acme", ttl=28800.0,
            endpoints={"main": Endpoint("main", "postgres", "127.0.0.1", 1, "app", "envclone", Secret(PASSWORD))},
        )  # fmt: skip
        place = self.service.state.pool.path_of("branches", name)
        place.mkdir(mode=0o711)
        self.service.state.pool.write_json(place / catalog.BRANCH, records.dump(made))
        if owner is not None:
            self.service.ledger.drop(name)
            self.service.ledger.reserve(name, Principal(f"token:{owner}", owner, Role.ENGINEER), "job")
            self.service.ledger.born(made, "job")
        return made


@contextmanager
def served(options: Options | None = None, verifier: Verifier | None = None) -> Iterator[Served]:
    """A service in a directory of its own."""
    with scratch() as directory:
        file = directory / "envclone.yaml"
        file.write_text(STACK.replace("{pool}", str(directory / "pool")))
        (directory / "incidents").mkdir()
        service = Service(open_stack(file), options or Options(calls_per_minute=10**6, strangers_per_minute=10**6))
        app = create(service, verifier=verifier)
        try:
            yield Served(service, app, TestClient(app, raise_server_exceptions=False, follow_redirects=False))
        finally:
            service.close()
