"""A help desk of 45 tables as such applications have them: people, tickets, articles, histories, settings in jsonb."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg

from envclone.demo.people import make_people

__all__ = ["RULES", "TABLES", "fill"]

_LOOKUPS = """
    ticket_states ticket_state_types ticket_priorities article_types article_senders history_types history_objects
    history_attributes link_types link_objects tag_objects object_lookups type_lookups permissions roles groups
    calendars report_profiles schedulers
""".split()  # noqa: SIM905
"""Tables of a name and a note each."""
_JOINS = {
    "roles_users": ("users", "roles"),
    "groups_users": ("users", "groups"),
    "permissions_roles": ("roles", "permissions"),
    "organizations_users": ("users", "organizations"),
}
_SETTINGS = "settings macros triggers jobs overviews slas channels".split()  # noqa: SIM905
"""Tables of a name and a document each."""
_OWN = """
CREATE TABLE organizations (id serial PRIMARY KEY, name text NOT NULL, domain text, note text, active boolean);
CREATE TABLE users (id serial PRIMARY KEY, organization_id int REFERENCES organizations, login text NOT NULL UNIQUE,
    firstname text, lastname text, email text UNIQUE, phone text, mobile text, street text, zip text, city text,
    password text, uuid uuid NOT NULL UNIQUE, vip boolean, preferences jsonb NOT NULL, last_login timestamp,
    created_by_id int REFERENCES users);
CREATE INDEX ON users (lower(email));
CREATE INDEX ON users (lastname, firstname);
CREATE TABLE tickets (id serial PRIMARY KEY, number text NOT NULL UNIQUE, title text NOT NULL, state_id int REFERENCES
    ticket_states, priority_id int REFERENCES ticket_priorities, group_id int REFERENCES groups, owner_id int REFERENCES
    users, customer_id int NOT NULL REFERENCES users, organization_id int REFERENCES organizations, note text,
    create_article_type_id int REFERENCES article_types, escalation_at timestamp, created_at timestamp NOT NULL);
CREATE INDEX ON tickets (customer_id);
CREATE TABLE ticket_articles (id serial PRIMARY KEY, ticket_id int NOT NULL REFERENCES tickets, sender_id int REFERENCES
    article_senders, type_id int REFERENCES article_types, "from" text, "to" text, cc text, subject text,
    message_id text, body text NOT NULL, preferences jsonb, created_by_id int REFERENCES users, created_at timestamp,
    search tsvector);
CREATE INDEX ON ticket_articles (ticket_id);
CREATE TABLE histories (id serial PRIMARY KEY, type_id int REFERENCES history_types, object_id int REFERENCES
    history_objects, attribute_id int REFERENCES history_attributes, o_id int NOT NULL, value_from text, value_to text,
    id_to int, created_by_id int REFERENCES users, created_at timestamp);
CREATE TABLE tokens (id serial PRIMARY KEY, user_id int REFERENCES users, action text, name text UNIQUE NOT NULL,
    label text, expires_at timestamp);
CREATE TABLE sessions (id serial PRIMARY KEY, session_id text UNIQUE NOT NULL, data jsonb, updated_at timestamp);
CREATE TABLE avatars (id serial PRIMARY KEY, o_id int REFERENCES users, source text, source_url text, initial boolean);
CREATE TABLE signatures (id serial PRIMARY KEY, name text, body text);
CREATE TABLE email_addresses (id serial PRIMARY KEY, realname text, email text UNIQUE, channel_id int REFERENCES
    channels);
CREATE TABLE online_notifications (id serial PRIMARY KEY, o_id int, user_id int REFERENCES users, seen boolean);
CREATE TABLE recent_views (id serial PRIMARY KEY, o_id int, created_by_id int REFERENCES users);
CREATE TABLE tags (id serial PRIMARY KEY, item text, o_id int REFERENCES tickets);
CREATE TABLE links (id serial PRIMARY KEY, type_id int REFERENCES link_types, source int, target int);
CREATE TABLE text_modules (id serial PRIMARY KEY, name text, keywords text, content text);
"""
_KEPT = "text_modules links tags recent_views online_notifications".split()  # noqa: SIM905
TABLES = len(_LOOKUPS) + len(_JOINS) + len(_SETTINGS) + _OWN.count("CREATE TABLE")
"""How many there are."""

RULES = "\n".join(
    [
        *(f"      public.{name}.*: keep" for name in (*_LOOKUPS, *_JOINS, *_KEPT)),
        *(f"      public.{name}.{column}: keep" for name in _SETTINGS for column in ("id", "name")),
        *(f'      public.{name}.state: {{"$.options.**": keep, "$.recipient": email, "$.perform.**": text}}'
          for name in _SETTINGS),
        """\
      public.organizations.id: keep
      public.organizations.name: company
      public.organizations.domain: url
      public.organizations.note: text
      public.organizations.active: keep
      public.users.id: keep
      public.users.organization_id: keep
      public.users.login: username
      public.users.firstname: person
      public.users.lastname: person
      public.users.email: email
      public.users.phone: phone
      public.users.mobile: phone
      public.users.street: address
      public.users.zip: address
      public.users.city: address
      public.users.password: secret
      public.users.uuid: uuid
      public.users.vip: keep
      public.users.preferences: {"$.locale": keep, "$.notification.*": keep, "$.signature": text}
      public.users.last_login: keep
      public.users.created_by_id: keep
      public.tickets.title: text
      public.tickets.note: text
      public.tickets.*: keep
      public.ticket_articles.from: text
      public.ticket_articles.to: text
      public.ticket_articles.cc: text
      public.ticket_articles.subject: text
      public.ticket_articles.message_id: text
      public.ticket_articles.body: text
      public.ticket_articles.preferences: {"$.send": keep, "$.origin.from": text}
      public.ticket_articles.search: {domain: text, by: body}
      public.ticket_articles.*: keep
      public.histories.value_from: text
      public.histories.value_to: text
      public.histories.*: keep
      public.tokens.name: secret
      public.tokens.label: text
      public.tokens.*: keep
      public.sessions.session_id: secret
      public.sessions.data: {"$.user_id": keep, "$.remote_ip": ip, "$.user.login": username, "$.user.email": email}
      public.sessions.*: keep
      public.avatars.source_url: text
      public.avatars.*: keep
      public.signatures.body: text
      public.signatures.*: keep
      public.email_addresses.email: email
      public.email_addresses.realname: company
      public.email_addresses.*: keep""",
    ]
)  # fmt: skip
"""What becomes of each field, as it stands under `sanitize.rules.main`."""

_WORDS = """
    please call back tomorrow about the open invoice and the wrong amount that was promised by friday we will mark
    this as done may I grant you access the case of the broken printer is closed thanks for your patience
""".split()  # noqa: SIM905

Row = Sequence[Any]


def fill(dsn: str, rows: int) -> int:
    """Make all tables with about so many rows; returns how many there are."""
    maker = _Maker(rows)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name in _LOOKUPS:
            connection.execute(f"CREATE TABLE {name} (id serial PRIMARY KEY, name text UNIQUE, note text)".encode())
        for name in _SETTINGS:
            connection.execute(f"CREATE TABLE {name} (id serial PRIMARY KEY, name text UNIQUE, state jsonb)".encode())
        connection.execute(_OWN.encode())
        for name, (left, right) in _JOINS.items():
            columns = f"{left[:-1]}_id int REFERENCES {left}, {right[:-1]}_id int REFERENCES {right}"
            connection.execute(f"CREATE TABLE {name} ({columns})".encode())
        count = 0
        with connection.transaction(), connection.cursor() as cursor:
            for table, columns, values in maker.tables():
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
                    for row in values:
                        copy.write_row(row)
                        count += 1
        connection.execute("UPDATE ticket_articles SET search = to_tsvector('simple', body)")
        connection.execute("UPDATE users SET last_login = last_login + interval '1 hour' WHERE id % 3 = 0")
        connection.execute("DELETE FROM histories WHERE id % 11 = 0")
        connection.execute("ANALYZE")
    return count


class _Maker:
    """Rows that follow from a seed: a tenth users, a seventh tickets, two articles each, the rest histories."""

    def __init__(self, rows: int) -> None:
        self.random = random.Random(5)
        self.users = max(20, rows // 10)
        self.tickets = max(20, rows // 7)
        self.articles = self.tickets * 2
        self.histories = max(20, rows - self.users * 4 - self.tickets * 4)
        self.people = make_people(5, customers=self.users, leavers=0, agents=4, movers=0).customers

    def _said(self, who: int) -> str:
        name = self.people[who].full_name
        words = " ".join(self.random.choices(_WORDS, k=self.random.randint(4, 40)))
        return self.random.choice([f"{name} writes: {words}", f"{words}. Regards, {name}", words])

    def _user(self, i: int) -> Row:
        rnd, one = self.random, self.people[i]
        first, _, last = one.full_name.partition(" ")
        preferences = {"locale": "en", "notification": {"a": True}, "signature": f"Regards, {one.full_name}"}
        return (
            i % 40 + 1, f"{one.email.split('@')[0]}.{i}", first, last, one.email, one.phone if i % 3 else None,
            one.phone if i % 5 == 0 else None, f"{rnd.randint(1, 99)} Oak Street", f"{rnd.randint(10000, 99999)}",
            "Springfield", f"$2b$12${rnd.getrandbits(128):032x}", f"{rnd.getrandbits(128):032x}", i % 9 == 0,
            json.dumps(preferences), "2024-05-06 07:08:09", 1,
        )  # fmt: skip

    def _article(self, i: int) -> Row:
        who = self.random.randrange(self.users)
        one = self.people[who]
        address = f"{one.full_name} <{one.email}>"
        return (
            i // 2 + 1, i % 3 + 1, i % 3 + 1, address, "desk@corp.example", None, f"Re: {self._said(who)[:60]}",
            f"<{self.random.getrandbits(60)}.{i}@{one.email.split('@')[1]}>", self._said(who),
            json.dumps({"send": i % 2 == 0, "origin": {"from": address}}), who + 1, "2024-05-06 07:08:09",
        )  # fmt: skip

    def tables(self) -> Iterator[tuple[str, str, Iterator[Row]]]:
        """Per table its columns and rows, in an order that references allow."""
        rnd, users = self.random, self.users

        def some(count: int, make: Callable[[int], Row]) -> Iterator[Row]:
            return (make(i) for i in range(count))

        for name in _LOOKUPS:
            yield name, "name, note", some(8, lambda i, name=name: (f"{name} {i}", "by the grace of"))  # type: ignore[misc]
        for name in _SETTINGS:
            yield name, "name, state", some(12, lambda i: (f"s{i}", json.dumps(self._state(i))))
        yield (
            "organizations",
            "name, domain, note, active",
            some(40, lambda i: (f"Quimby & Sons {i} GmbH", f"https://quimby{i}.example", self._said(i % users), True)),
        )
        yield (
            "users",
            "organization_id, login, firstname, lastname, email, phone, mobile, street, zip, city, password, uuid, vip,"
            " preferences, last_login, created_by_id",
            some(users, self._user),
        )
        yield (
            "tickets",
            "number, title, state_id, priority_id, group_id, owner_id, customer_id, organization_id, note,"
            " create_article_type_id, created_at",
            some(
                self.tickets,
                lambda i: (f"{31000 + i}", self._said(i % users)[:80], i % 8 + 1, i % 8 + 1, i % 8 + 1, 1,
                           i % users + 1, i % 40 + 1, None, i % 8 + 1, "2024-05-06 07:08:09"),
            ),
        )  # fmt: skip
        yield (
            "ticket_articles",
            'ticket_id, sender_id, type_id, "from", "to", cc, subject, message_id, body, preferences, created_by_id,'
            " created_at",
            some(self.articles, self._article),
        )
        yield (
            "histories",
            "type_id, object_id, attribute_id, o_id, value_from, value_to, created_by_id, created_at",
            some(
                self.histories,
                lambda i: (i % 8 + 1, i % 8 + 1, i % 8 + 1, i % self.tickets + 1, self.people[i % users].full_name,
                           self.people[i * 7 % users].full_name, i % users + 1, "2024-05-06 07:08:09"),
            ),
        )  # fmt: skip
        yield (
            "tokens",
            "user_id, action, name, label",
            some(
                users // 2,
                lambda i: (i + 1, "api", f"{rnd.getrandbits(160):040x}", f"token of {self.people[i].full_name}"),
            ),
        )
        yield "sessions", "session_id, data", some(users // 2, self._session)
        yield (
            "avatars",
            "o_id, source, source_url, initial",
            some(users, lambda i: (i + 1, "gravatar", f"https://avatar.example/?m={self.people[i].email}", True)),
        )
        yield "signatures", "name, body", some(8, lambda i: (f"s{i}", f"#{{user.name}}\n{self.people[i].full_name}"))
        yield (
            "email_addresses",
            "realname, email, channel_id",
            some(8, lambda i: (f"Desk {i}", f"desk{i}@corp.example", i + 1)),
        )
        for name in ("online_notifications", "recent_views"):
            column = "user_id" if name == "online_notifications" else "created_by_id"
            yield name, f"o_id, {column}", some(users, lambda i: (i + 1, i + 1))
        yield "tags", "item, o_id", some(self.tickets, lambda i: (rnd.choice(_WORDS), i + 1))
        yield "links", "type_id, source, target", some(40, lambda i: (i % 8 + 1, i, i + 1))
        yield "text_modules", "name, keywords, content", some(20, lambda i: (f"m{i}", "", " ".join(_WORDS[i:])))
        for name, (left, right) in _JOINS.items():
            count = min({"users": users, "roles": 8}[left], users)
            yield name, f"{left[:-1]}_id, {right[:-1]}_id", some(count, lambda i: (i + 1, i % 8 + 1))

    def _state(self, i: int) -> dict[str, Any]:
        return {
            "options": {"a": i, "b": [True, "on"]},
            "recipient": self.people[i].email,
            "perform": {"note": self._said(i)},
        }

    def _session(self, i: int) -> Row:
        one = self.people[i]
        data = {
            "user_id": i + 1,
            "remote_ip": f"203.0.113.{i % 250 + 1}",
            "user": {"login": f"{one.email.split('@')[0]}.{i}", "email": one.email},
        }
        return f"{self.random.getrandbits(128):032x}", json.dumps(data)
