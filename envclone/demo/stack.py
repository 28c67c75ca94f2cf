"""The demo's stack file: what is production, and what becomes of each of its fields."""

from __future__ import annotations

import json
from pathlib import Path

from envclone.demo.collection import COLLECTION
from envclone.demo.production import DemoProduction

__all__ = ["ENVIRONMENT", "stack_yaml"]

ENVIRONMENT = "prod"

_TEMPLATE = """\
# Northwind Assist, a support desk: made by `envclone demo`, and a stack file like any other.
version: 1
project: northwind
pool: {path: @POOL@, driver: auto}

environments:
  @ENVIRONMENT@:
    stores:
      main:
        kind: postgres
        source: {method: physical, dsn: @DSN@}   # the password stands in the passfile
        image: pgvector/pgvector:pg18
      kb:
        kind: qdrant
        source: {method: directory, path: @QDRANT@}
        collections: [@COLLECTION@]
        image: qdrant/qdrant:v1.17.1

sanitize:
  undeclared: fail
  domains:
    email: {kind: email, unique: true}
    person: {kind: person}
    phone: {kind: phone}
  rules:
    main:
      public.agents.id: keep
      public.agents.full_name: person
      public.agents.email: email
      public.agents.phone: phone
      public.customers.id: keep
      public.customers.full_name: person
      public.customers.email: email
      public.customers.phone: phone
      public.customers.household: keep
      public.customers.preferences:
        "$.language": keep
        "$.newsletter": keep
        "$.emergency.name": person
        "$.emergency.phone": phone
        "$.emergency.email": email
        "$.emergency.relation": keep
      public.customers.tags: text              # an import left addresses in some
      public.customers.created_at: keep
      public.accounts.email: email             # the primary key; sessions and login_events refer to it
      public.accounts.customer_id: keep
      public.accounts.plan: keep
      public.accounts.password_hash: redact
      public.accounts.created_at: keep
      public.sessions.id: keep
      public.sessions.email: email
      public.sessions.ip: "null"
      public.sessions.user_agent: keep
      public.sessions.started_at: keep
      public.login_events.id: keep
      public.login_events.email: email
      public.login_events.succeeded: keep
      public.login_events.at: keep
      public.orders.id: keep
      public.orders.customer_id: keep
      public.orders.recipient: person
      public.orders.placed_at: keep
      public.orders.total: keep
      public.order_items.*: keep
      public.refunds.id: keep
      public.refunds.order_id: keep
      public.refunds.line: keep
      public.refunds.reason: text
      public.tickets.id: keep
      public.tickets.customer_id: keep
      public.tickets.agent_id: keep
      public.tickets.parent_id: keep
      public.tickets.subject: text
      public.tickets.body: text
      public.tickets.meta:
        "$.user.email": email
        "$.user.name": person
        "$.contacts[*].phone": phone
        "$.channel": keep
        "$.assistant.model": keep
        "$.assistant.confidence": keep
        "$.agent": keep
        "$.closed": keep
      public.tickets.created_at: keep
      public.customer_activity.tickets: keep      # a materialized view: its other columns follow those they show
      public.customer_activity.last_ticket: keep
      public.chunks.id: keep
      public.chunks.ticket_id: keep
      public.chunks.source: keep
      public.chunks.title: text
      public.chunks.body: text
      public.chunks.tags: keep
      public.chunks.embedding: keep            # written down: vectors can give away their text
    kb:
      @COLLECTION@.chunk_id: keep
      @COLLECTION@.ticket_id: keep
      @COLLECTION@.title: text
      @COLLECTION@.text: text
      @COLLECTION@.author.name: person
      @COLLECTION@.author.email: email
      @COLLECTION@.contacts[*].phone: phone
      @COLLECTION@.tags[*]: keep
      @COLLECTION@.vectors: keep
      @COLLECTION@.point_ids: keep
  references:
    - kb.@COLLECTION@.ticket_id -> main.public.tickets.id
    - kb.@COLLECTION@.chunk_id -> main.public.chunks.id

incidents: incidents/
branches: {ttl: 8h, max: 20}
quarantine: {keep: 1, max_age: 24h}
"""


def stack_yaml(production: DemoProduction, pool_path: Path) -> str:
    """The complete stack file of a running demo production, with its pool in `pool_path`; it holds no secret."""
    values = {
        "POOL": json.dumps(str(pool_path)),
        "ENVIRONMENT": ENVIRONMENT,
        "DSN": json.dumps(production.dsn),
        "QDRANT": json.dumps(str(production.qdrant)),
        "COLLECTION": COLLECTION,
    }
    text = _TEMPLATE
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
