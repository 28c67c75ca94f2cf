"""A production with an incident, and an agent's client of the official package on `envclone mcp`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp import Client, StdioServerParameters

from tests.support.postgres import Production, production
from tests.support.qdrant import build
from tests.support.stack import ROOT, Place, place

STACK = """\
version: 1
project: agents
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "@KB@"}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.note: text
      public.people.*: keep
      public.chunks.id: keep
      public.chunks.embedding: {vectors: keep}
    kb:
      articles.author.email: email
      articles.text: text
      articles.lang: keep
      articles.vectors: keep
      articles.point_ids: keep
incidents: incidents/
"""

BUNDLE = """\
version: 1
incident: "77"
environment: prod
note: Zoë Quuxington3 <zoe.quux3@corp.example> got nothing.
steps:
  - id: who
    kind: sql
    store: main
    role: app
    sql: SELECT id, name, reverse(email) AS backwards FROM people WHERE email = %(email)s
    parameters: {email: zoe.quux3@corp.example}
    key: id
  - id: search
    kind: sql
    store: main
    role: app
    sql: SELECT id, embedding <-> %(q)s::vector AS distance FROM chunks ORDER BY embedding <-> %(q)s::vector LIMIT 10
    parameters: {q: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]}
    key: id
    score: distance
"""

SCHEMA = """
CREATE EXTENSION vector;
CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, note text);
INSERT INTO people SELECT i, 'Zoë Quuxington' || i, 'zoe.quux' || i || '@corp.example',
  'call Zoë Quuxington' || i || ' (zoe.quux' || i || '@corp.example)' FROM generate_series(1, 300) i;
CREATE TABLE chunks (id int PRIMARY KEY, embedding vector(8));
SELECT setseed(0.5);
INSERT INTO chunks
  SELECT i, ARRAY[random(), random(), random(), random(), random(), random(), random(), random()]::vector
  FROM generate_series(1, 2000) i;
CREATE INDEX ON chunks USING hnsw (embedding vector_l2_ops) WITH (m = 4, ef_construction = 8);
CREATE ROLE app LOGIN PASSWORD 'x'; ALTER TABLE people OWNER TO app; ALTER TABLE chunks OWNER TO app;
GRANT CREATE ON SCHEMA public TO app;
CREATE FUNCTION exec_sql(q text) RETURNS text LANGUAGE plpgsql
  AS $$ DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; END $$;
"""
ORIGINALS = ("quux", "zoë", "zo\\u00eb", "corp.example", "elpmaxe.proc")


def _payload(number: int) -> dict[str, Any]:
    return {
        "author": {"email": f"zoe.quux{number % 300 + 1}@corp.example"},
        "text": f"Zoë Quuxington{number % 300 + 1} asks about her invoice",
        "lang": ("en", "de")[number % 2],
    }


@dataclass
class Agents:
    """The place with its image, and everything that any tool ever said there."""

    here: Place
    server: Production
    said: list[str] = field(default_factory=list)
    passwords: set[str] = field(default_factory=set)

    def remember(self) -> None:
        """Note the passwords of the branches that there are now."""
        for one in self.here.open().branches():
            self.passwords |= {end.password.reveal() for end in one.endpoints.values() if end.password}

    def forbidden(self) -> list[str]:
        """What no result may hold: originals, logins, keys, places."""
        here = self.here
        keys = [path.read_text().strip() for path in (here.pool / "keys").glob("*.key")]
        places = [str(here.pool), str(here.directory), "/run/envclone", str(ROOT)]
        return [
            *ORIGINALS,
            self.server.dsn_for("app"),
            self.server.password,
            *keys,
            *sorted(self.passwords),
            *places,
            "postgresql://",
        ]

    def leaks(self) -> list[tuple[str, str]]:
        """What of it was said."""
        text = "\n".join(self.said).lower()
        return [
            (word, text[max(0, text.find(word.lower()) - 80) :][:200])
            for word in self.forbidden()
            if word.lower() in text
        ]

    def parameters(self, *options: str, env: dict[str, str] | None = None) -> StdioServerParameters:
        """How the client starts the server."""
        words = ["-m", "envclone", "--file", str(self.here.file), "mcp", *options]
        given = {"PYTHONPATH": str(ROOT), **self.here.env, **(env or {})}
        return StdioServerParameters(command=sys.executable, args=words, env=given, cwd=str(self.here.directory))

    def branches(self) -> list[str]:
        """The branches of agents that there are."""
        return [one.name for one in self.here.open().branches() if one.name.startswith("agent-")]


@dataclass
class Agent:
    """A connected client whose results are written down."""

    client: Client
    agents: Agents
    progress: list[str] = field(default_factory=list)

    async def call(self, name: str, **arguments: Any) -> types.CallToolResult:
        """Call a tool, whatever comes."""

        async def told(done: float, total: float | None, message: str | None) -> None:
            self.progress.append(message or "")

        result = await self.client.call_tool(name, arguments, progress_callback=told)
        self.agents.said.append(json.dumps(result.model_dump(mode="json"), ensure_ascii=False))
        if name == "branch":
            self.agents.remember()
        return result

    async def get(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The structured result of a call that must go well."""
        result = await self.call(name, **arguments)
        assert not result.is_error, result.content
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    async def refused(self, name: str, **arguments: Any) -> str:
        """The line of a call that must fail."""
        result = await self.call(name, **arguments)
        assert result.is_error and result.structured_content is None, (arguments, result.structured_content)
        (content,) = result.content
        assert isinstance(content, types.TextContent) and "\n" not in content.text, content
        return content.text


@contextlib.asynccontextmanager
async def connected(agents: Agents, *options: str, env: dict[str, str] | None = None) -> AsyncIterator[Agent]:
    """An agent's session."""
    async with Client(agents.parameters(*options, env=env)) as client:
        yield Agent(client, agents)


def talk(agents: Agents, work: Callable[[Agent], Awaitable[None]], *options: str) -> None:
    """One session from its beginning to its end."""

    async def run() -> None:
        async with connected(agents, *options) as agent:
            await work(agent)

    asyncio.run(run())


@contextlib.contextmanager
def agents() -> Iterator[Agents]:
    """The place, with an image and an incident that was recorded."""
    with production(18) as server, place() as here:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        kb = here.directory / "production" / "storage"
        build(kb, points=300, payload=_payload, indexed=("lang",))
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.replace("@KB@", str(kb)))
        (here.directory / "incidents").mkdir()
        bundle = Path(here.directory / "incidents" / "77.yaml")
        bundle.write_text(BUNDLE)
        here.call("incident", "record", str(bundle))
        here.call("image", "prod")
        here.env["COVERED"] = str(os.getpid())
        yield Agents(here, server)
