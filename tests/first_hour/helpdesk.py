"""A help desk: people, tickets and articles among lookups, settings, histories and logs of HTTP."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from tests.first_hour.filling import EITHER, Crowd, fill, prose
from tests.first_hour.oddities import MAIL, mail

__all__ = ["DATABASE", "LABELS", "QUESTION", "build"]

DATABASE = "desk"
QUESTION = "SELECT id, title FROM tickets WHERE state_id = 2 AND customer_id = 7 ORDER BY id LIMIT 5"
SCHEMA = """
CREATE TABLE locales (id serial PRIMARY KEY, locale varchar(100) NOT NULL UNIQUE, alias varchar(100),
    name varchar(255) NOT NULL UNIQUE, dir varchar(9) DEFAULT 'ltr', active boolean DEFAULT true);
CREATE TABLE translations (id serial PRIMARY KEY, locale varchar(10), source varchar(3000), target varchar(3000));
CREATE TABLE settings (id serial PRIMARY KEY, title varchar(200), name varchar(200) UNIQUE, area varchar(100),
    description text, options jsonb, state_current jsonb, frontend boolean);
CREATE TABLE roles (id serial PRIMARY KEY, name varchar(100) UNIQUE, note varchar(255), default_at_signup boolean);
CREATE TABLE permissions (id serial PRIMARY KEY, name varchar(255) UNIQUE, label varchar(255), active boolean);
CREATE TABLE permissions_roles (role_id int REFERENCES roles, permission_id int REFERENCES permissions);
CREATE TABLE groups (id serial PRIMARY KEY, name varchar(160) UNIQUE, assignment_timeout int, note varchar(250));
CREATE TABLE ticket_state_types (id serial PRIMARY KEY, name varchar(250) UNIQUE);
CREATE TABLE ticket_states (id serial PRIMARY KEY, state_type_id int REFERENCES ticket_state_types,
    name varchar(250) UNIQUE, color varchar(50));
CREATE TABLE ticket_priorities (id serial PRIMARY KEY, name varchar(250) UNIQUE, ui_icon varchar(100));
CREATE TABLE article_types (id serial PRIMARY KEY, name varchar(250) UNIQUE, communication boolean);
CREATE TABLE article_senders (id serial PRIMARY KEY, name varchar(250) UNIQUE);
CREATE TABLE object_attributes (id serial PRIMARY KEY, name varchar(200), display varchar(200), data_type
    varchar(100), screens jsonb, position int);
CREATE TABLE calendars (id serial PRIMARY KEY, name varchar(250), timezone varchar(250), ical_url varchar(500));
CREATE TABLE organizations (id serial PRIMARY KEY, name varchar(100) UNIQUE, domain varchar(250), note text);
CREATE TABLE users (id serial PRIMARY KEY, organization_id int REFERENCES organizations, login varchar(255) UNIQUE,
    firstname varchar(100), lastname varchar(100), email varchar(255) UNIQUE, phone varchar(100), mobile varchar(100),
    street varchar(120), zip varchar(100), city varchar(100), country varchar(100), password varchar(120),
    title varchar(20), vip boolean, preferences jsonb, source varchar(200), last_login timestamptz, created_at
    timestamptz NOT NULL DEFAULT '2024-05-01');
CREATE TABLE roles_users (user_id int REFERENCES users, role_id int REFERENCES roles);
CREATE TABLE tickets (id serial PRIMARY KEY, number varchar(60) UNIQUE, title varchar(250), group_id int REFERENCES
    groups, state_id int REFERENCES ticket_states, priority_id int REFERENCES ticket_priorities, owner_id int
    REFERENCES users, customer_id int REFERENCES users, note varchar(250), article_count int, created_at timestamptz
    NOT NULL);
CREATE TABLE ticket_articles (id serial PRIMARY KEY, ticket_id int REFERENCES tickets, type_id int REFERENCES
    article_types, sender_id int REFERENCES article_senders, "from" varchar(3000), "to" varchar(3000), subject
    varchar(3000), message_id varchar(3000), content_type varchar(20), body text, created_at timestamptz NOT NULL);
CREATE TABLE histories (id serial PRIMARY KEY, history_type varchar(50), object varchar(50), attribute varchar(100),
    value_from varchar(500), value_to varchar(500), created_by_id int REFERENCES users, created_at timestamptz);
CREATE TABLE user_devices (id serial PRIMARY KEY, user_id int REFERENCES users, name varchar(250), os varchar(150),
    browser varchar(250), location varchar(150), ip varchar(160), fingerprint varchar(160), user_agent varchar(250));
CREATE TABLE tokens (id serial PRIMARY KEY, user_id int REFERENCES users, token varchar(100) UNIQUE, action
    varchar(40));
CREATE TABLE http_logs (id serial PRIMARY KEY, direction varchar(20), facility varchar(100), method varchar(100),
    url varchar(255), status varchar(20), ip varchar(50), request jsonb, created_at timestamptz);
CREATE TABLE delayed_jobs (id serial PRIMARY KEY, priority int, attempts int, handler text, last_error text,
    locked_by varchar(255), queue varchar(255), run_at timestamptz);
CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY);
CREATE TABLE internal_metadata (key varchar(255) PRIMARY KEY, value varchar(255));
CREATE TABLE tags (id serial PRIMARY KEY, item varchar(250) UNIQUE);
CREATE TABLE taggings (tag_id int REFERENCES tags, ticket_id int REFERENCES tickets);
CREATE INDEX ON tickets (customer_id, state_id);
"""
LABELS = {
    **MAIL,
    **dict.fromkeys(("public.users.firstname", "public.users.lastname"), "person"),
    "public.users.login": "username", "public.users.email": "email", "public.users.phone": "phone",
    "public.users.mobile": "phone", "public.users.street": "address", "public.users.zip": "address",
    "public.users.city": "address", "public.users.password": "secret", "public.users.preferences $.signature": "text",
    "public.organizations.name": "company", "public.organizations.domain": EITHER, "public.organizations.note": "text",
    "public.tickets.title": "text", "public.tickets.note": "text", "public.tickets.number": EITHER,
    "public.ticket_articles.from": "text email person", "public.ticket_articles.to": "text email",
    "public.ticket_articles.subject": "text", "public.ticket_articles.body": "text",
    "public.ticket_articles.message_id": EITHER, "public.histories.value_from": EITHER,
    "public.histories.value_to": "text person", "public.user_devices.ip": "ip",
    "public.user_devices.fingerprint": EITHER, "public.user_devices.user_agent": EITHER,
    "public.tokens.token": "secret", "public.http_logs.ip": "ip", "public.http_logs.url": EITHER,
    "public.http_logs.request $.user.email": "email", "public.delayed_jobs.handler": "text",
    "public.delayed_jobs.last_error": "text", "public.delayed_jobs.locked_by": EITHER,
    "public.calendars.ical_url": EITHER, "public.settings.state_current $.value": EITHER, "public.users.title": EITHER,
}  # fmt: skip

_LOCALES = {
    "en-us": "English (United States)", "de-de": "Deutsch", "fr-fr": "Français", "es-es": "Español",
    "it-it": "Italiano",
    "pt-br": "Português (Brasil)", "nl-nl": "Nederlands", "sv-se": "Svenska", "ja": "日本語", "pl": "Polski",
}  # fmt: skip
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Europe/Paris", "Australia/Sydney", "America/Santiago")
_SETTINGS = [
    "product_name",
    "organization",
    "system_id",
    "fqdn",
    "http_type",
    "ticket_hook",
    "ticket_number",
    "customer_ticket_create",
    "user_create",
    "user_lost_password",
    "auth_ldap",
    "auth_twitter",
    "auth_google",
    "password_min_size",
    "password_max_login_failed",
    "session_timeout",
    "article_email_create",
    "ui_table_group",
    "import_mode",
    "developer_mode",
    "pgp_integration",
    "chat_agent",
    "customer_web",
    "tag_new",
]
_TAGS = ("printer", "invoice", "vip", "spam", "claire", "florence", "angel", "login", "hardware", "refund", "march")
_LOOKUPS = (
    (
        "roles",
        "name, note, default_at_signup",
        [
            ("Admin", "To configure the system.", False),
            ("Agent", "To work on tickets.", False),
            ("Customer", "People who create tickets.", True),
        ],
    ),
    ("groups", "name, note", [("Users", "Standard group"), ("Sales", ""), ("2nd Level", ""), ("Dallas Office", "")]),
    ("ticket_state_types", "name", [("new",), ("open",), ("pending reminder",), ("closed",), ("merged",)]),
    (
        "ticket_states",
        "state_type_id, name, color",
        [
            (1, "new", "red"),
            (2, "open", "olive"),
            (3, "pending reminder", "amber"),
            (4, "closed", "green"),
            (5, "merged", "gray"),
        ],
    ),
    ("ticket_priorities", "name, ui_icon", [("1 low", "low"), ("2 normal", None), ("3 high", "important")]),
    (
        "article_types",
        "name, communication",
        [
            ("email", True),
            ("sms", True),
            ("chat", True),
            ("note", False),
            ("phone", True),
            ("twitter status", True),
            ("web", True),
        ],
    ),
    ("article_senders", "name", [("Agent",), ("Customer",), ("System",)]),
    ("internal_metadata", "key, value", [("environment", "production"), ("schema_sha1", "3c1f0a2b")]),
)


def build(conn: psycopg.Connection[Any], rows: int = 400) -> None:
    """Make all tables; `rows` tickets, and of the rest what belongs to so many."""
    crowd = Crowd(31)
    rnd, us = crowd.random, crowd.us
    conn.execute(SCHEMA.encode())
    for table, columns, values in _LOOKUPS:
        fill(conn, table, columns, values)  # type: ignore[arg-type]
    fill(conn, "locales", "locale, alias, name", [(k, k[:2], v) for k, v in _LOCALES.items()])
    sources = ("Contact", "Owner", "Customer", "First name", "Last name", "New ticket", "Sign in", "Email", "Cancel")
    fill(conn, "translations", "locale, source, target", [(k, s, f"{s} ({k})") for k in _LOCALES for s in sources])
    fill(
        conn,
        "settings",
        "title, name, area, description, options, state_current, frontend",
        [
            (
                one.replace("_", " ").title(),
                one,
                f"{one.split('_')[0].title()}::Base",
                f"Defines the {one} of the system.",
                json.dumps({"form": [{"name": one, "tag": "input", "display": ""}]}),
                json.dumps({"value": f"v{i}"}),
                i % 2 == 0,
            )
            for i, one in enumerate(_SETTINGS)
        ],
    )
    names = [f"{area}.{what}" for area in ("admin", "ticket", "user_preferences", "report") for what in
             ("user", "group", "role", "calendar", "token", "language", "device")]  # fmt: skip
    fill(conn, "permissions", "name, label, active", [(one, one.split(".")[1].title(), True) for one in names])
    fill(conn, "permissions_roles", "role_id, permission_id", [(i % 3 + 1, i % 28 + 1) for i in range(60)])
    fill(
        conn,
        "object_attributes",
        "name, display, data_type, screens, position",
        [
            (n, d, t, json.dumps({"create": {"Agent": {"shown": True}}, "edit": {"Agent": {"shown": True}}}), i)
            for i, (n, d, t) in enumerate(
                (
                    ("firstname", "First name", "input"),
                    ("lastname", "Last name", "input"),
                    ("email", "Email", "input"),
                    ("owner_id", "Owner", "select"),
                    ("customer_id", "Customer", "autocomplete"),
                    ("mobile", "Mobile", "tel"),
                    ("street", "Street", "input"),
                    ("note", "Note", "richtext"),
                )
            )
        ],
    )
    fill(
        conn,
        "calendars",
        "name, timezone, ical_url",
        [
            (f"{z.split('/')[1].replace('_', ' ')} office", z, f"https://calendar.example.com/{i}.ics")
            for i, z in enumerate(_ZONES)
        ],
    )
    fill(
        conn,
        "organizations",
        "name, domain, note",
        [
            (f"{us.company()} {i}" if i % 3 else f"{us.last_name()} {i} Inc", us.domain_name(), prose(rnd))
            for i in range(40)
        ],
    )
    people = [crowd.person(i) for i in range(rows // 2)]
    fill(
        conn,
        "users",
        "organization_id, login, firstname, lastname, email, phone, mobile, street, zip, city, country,"
        " password, title, vip, preferences, source, last_login",
        [
            (
                i % 40 + 1,
                p["login"],
                p["first"],
                p["last"],
                p["email"],
                p["phone"],
                p["phone"] if i % 3 else "",
                p["street"],
                p["zip"],
                p["city"],
                rnd.choice(("Germany", "France", "United States", "Spain", "Georgia")),
                f"$argon2id$v=19$m=4096,t=3,p=1${us.sha256()[:43]}",
                rnd.choice(("Dr", "Ms", "Prof", "", "", "")),
                i % 11 == 0,
                json.dumps(
                    {
                        "locale": rnd.choice(list(_LOCALES)),
                        "theme": "dark",
                        "notification": {"sound": "Bell.mp3"},
                        "signature": f"Regards, {p['name']}, {p['phone']}",
                    }
                ),
                rnd.choice(("signup", "ldap", "import")),
                f"2024-06-{i % 28 + 1:02} 10:00:00+00" if i % 4 else None,
            )
            for i, p in enumerate(people)
        ],
    )
    fill(conn, "roles_users", "user_id, role_id", [(i + 1, 3 if i % 10 else 2) for i in range(len(people))])
    fill(
        conn,
        "tickets",
        "number, title, group_id, state_id, priority_id, owner_id, customer_id, note, article_count, created_at",
        [
            (
                f"{2024060000 + i * 7}",
                prose(rnd, least=3, most=7),
                i % 4 + 1,
                i % 5 + 1,
                i % 3 + 1,
                i % 10 + 1,
                i % len(people) + 1 if i % 5 != 1 else 7,
                None if i % 6 else prose(rnd, people[i % 50]["name"], 3, 9),
                2,
                f"2024-07-{i % 28 + 1:02}",
            )
            for i in range(rows)
        ],
    )
    fill(
        conn,
        "ticket_articles",
        'ticket_id, type_id, sender_id, "from", "to", subject, message_id, content_type, body, created_at',
        [
            (
                i // 2 + 1,
                i % 7 + 1,
                i % 3 + 1,
                f"{p['name']} <{p['email']}>",
                "support@desk.example",
                prose(rnd, least=3, most=6),
                f"<{us.uuid4()}@mail.example>",
                rnd.choice(("text/html", "text/plain")),
                prose(rnd, p["name"]),
                "2024-07-09",
            )
            for i in range(rows * 2)
            for p in (people[i // 2 % len(people)],)
        ],
    )
    fill(
        conn,
        "histories",
        "history_type, object, attribute, value_from, value_to, created_by_id, created_at",
        [
            (
                rnd.choice(("created", "updated", "removed", "notification")),
                rnd.choice(("Ticket", "User", "Article")),
                a,
                *(("new", "open") if a == "state" else (people[i % 90]["name"], people[i % 70]["name"])),
                i % 9 + 1,
                "2024-07-10",
            )
            for i in range(rows * 2)
            for a in (rnd.choice(("state", "owner", "customer")),)
        ],
    )
    fill(
        conn,
        "user_devices",
        "user_id, name, os, browser, location, ip, fingerprint, user_agent",
        [
            (
                i + 1,
                rnd.choice(("Chrome on Mac", "Firefox on Linux", "Safari on iPhone")),
                rnd.choice(("Mac", "Linux", "iOS")),
                rnd.choice(("Chrome", "Firefox", "Safari")),
                rnd.choice(("Germany", "France", "Jordan")),
                p["ip"],
                us.md5(),
                us.user_agent(),
            )
            for i, p in enumerate(people)
        ],
    )
    fill(
        conn,
        "tokens",
        "user_id, token, action",
        [(i + 1, us.sha256()[:40], rnd.choice(("api", "Session", "PasswordReset"))) for i in range(60)],
    )
    fill(
        conn,
        "http_logs",
        "direction, facility, method, url, status, ip, request, created_at",
        [
            (
                rnd.choice(("in", "out")),
                rnd.choice(("webhook", "cti", "GitHub")),
                rnd.choice(("GET", "POST", "PATCH", "DELETE")),
                f"https://api.example.com/v1/items/{i}",
                rnd.choice(("200", "404", "500")),
                p["ip"],
                json.dumps({"content_type": "application/json", "user": {"email": p["email"]}}),
                "2024-07-11",
            )
            for i, p in enumerate(people)
        ],
    )
    fill(
        conn,
        "delayed_jobs",
        "priority, attempts, handler, last_error, locked_by, queue, run_at",
        [
            (
                0,
                i % 3,
                f"--- !ruby/object:Job\nargs:\n- {people[i]['email']}\n",
                f"No mailbox for {people[i]['name']}" if i % 2 else None,
                f"host:web{i % 3} pid:{300 + i}",
                rnd.choice(("default", "mailers")),
                "2024-07-12",
            )
            for i in range(30)
        ],
    )
    fill(
        conn, "schema_migrations", "version", [(f"2023{i % 12 + 1:02}{i % 28 + 1:02}{100000 + i}",) for i in range(90)]
    )
    fill(conn, "tags", "item", [(one,) for one in _TAGS])
    fill(conn, "taggings", "tag_id, ticket_id", [(i % len(_TAGS) + 1, i % rows + 1) for i in range(rows)])
    mail(conn, crowd, people)
