"""Incident 1234: the assistant found nothing on a fault that the knowledge base describes."""

from __future__ import annotations

from collections import Counter

from envclone.demo.collection import COLLECTION
from envclone.demo.miss import LIMIT, SEARCH, Miss
from envclone.demo.people import Customer
from envclone.demo.production import APP, DemoProduction
from envclone.demo.stack import ENVIRONMENT
from envclone.incidents.bundle import Incident

__all__ = ["INCIDENT", "TICKETS", "incident_steps"]

INCIDENT = "1234"

TICKETS = (
    "SELECT t.id, t.subject, t.created_at, c.full_name, c.email, c.phone\n"
    "FROM tickets t JOIN customers c ON c.id = t.customer_id\n"
    "WHERE c.email = %(email)s\n"
    "ORDER BY t.created_at DESC"
)
"""The application's look at who is asking."""


def incident_steps(miss: Miss, production: DemoProduction) -> Incident:
    """The failing request, step by step, before anything was recorded: no step has an expectation yet."""
    customer = _reporter(production)
    return Incident.model_validate(
        {
            "incident": INCIDENT,
            "environment": ENVIRONMENT,
            "note": f"{customer.full_name} <{customer.email}> asked: {miss.question}"
            f" The assistant answered that it knows nothing about {miss.about}.",
            "steps": [
                {
                    "id": "retrieve",
                    "kind": "sql",
                    "store": "main",
                    "note": "the chunks that the assistant's answer was made from",
                    "sql": SEARCH,
                    "parameters": {"question": list(miss.vector)},
                    "role": APP,
                    "score": "distance",
                    "key": "id",
                },
                {
                    "id": "customer",
                    "kind": "sql",
                    "store": "main",
                    "note": "the earlier tickets of the person who asks",
                    "sql": TICKETS,
                    "parameters": {"email": customer.email},
                    "role": APP,
                    "key": "id",
                },
                {
                    "id": "articles",
                    "kind": "vector",
                    "store": "kb",
                    "note": "the same question to the article search",
                    "collection": COLLECTION,
                    "vector": list(miss.vector),
                    "limit": LIMIT,
                    "params": {"hnsw_ef": 64},
                    "with_payload": ["chunk_id", "title", "author"],
                },
            ],
        }
    )


def _reporter(production: DemoProduction) -> Customer:
    """Somebody with several tickets, whose name needs more than ASCII and whose address never changed."""
    tickets = Counter(ticket.customer.id for ticket in production.desk.tickets)
    for customer in production.desk.people.customers:
        plain = customer.full_name.isascii() or customer.former_email is not None
        if not plain and 3 <= tickets[customer.id] <= 6:
            return customer
    return production.desk.people.customers[0]
