"""An assistant over documents: conversations, chunks with embeddings in pgvector, calls of models, feedback, audit."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from tests.first_hour.filling import EITHER, Crowd, fill, prose
from tests.first_hour.oddities import THREADS, threads

__all__ = ["DATABASE", "LABELS", "QUESTION", "build"]

DATABASE = "assistant"
SIZE = 16
QUESTION = (
    "SELECT id, document_id FROM chunks ORDER BY embedding <=> (SELECT embedding FROM chunks WHERE id = 17), id LIMIT 5"
)
SCHEMA = f"""
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE workspaces (id uuid PRIMARY KEY, name text NOT NULL, slug text UNIQUE, plan text, region text, created_at
    timestamptz);
CREATE TABLE users (id uuid PRIMARY KEY, workspace_id uuid REFERENCES workspaces, email text UNIQUE, display_name
    text, avatar_url text, timezone text, locale text, role text CHECK (role IN ('owner', 'admin', 'member')),
    last_seen_at timestamptz, created_at timestamptz);
CREATE TABLE api_keys (id uuid PRIMARY KEY, user_id uuid REFERENCES users, label text, prefix text, key_hash text
    UNIQUE, scopes text[], created_at timestamptz);
CREATE TABLE models (name text PRIMARY KEY, provider text, context_window int, input_price numeric, kind text);
CREATE TABLE prompts (id serial PRIMARY KEY, name text UNIQUE, version int, template text);
CREATE TABLE tools (id serial PRIMARY KEY, name text UNIQUE, description text, parameters jsonb);
CREATE TABLE documents (id serial PRIMARY KEY, workspace_id uuid REFERENCES workspaces, title text, source_uri text,
    mime_type text, language text, sha256 text, author text, content text, meta jsonb, created_at timestamptz);
CREATE TABLE chunks (id serial PRIMARY KEY, document_id int REFERENCES documents, position int, content text, tokens
    int, embedding vector({SIZE}), metadata jsonb);
CREATE TABLE conversations (id uuid PRIMARY KEY, user_id uuid REFERENCES users, title text, model text REFERENCES
    models, temperature float8, archived boolean, created_at timestamptz);
CREATE TABLE messages (id bigserial PRIMARY KEY, conversation_id uuid REFERENCES conversations, role text, content
    text, tool_name text, finish_reason text, tokens int, metadata jsonb, created_at timestamptz);
CREATE TABLE llm_calls (id bigserial PRIMARY KEY, message_id bigint REFERENCES messages, provider text, endpoint text,
    http_method text, status int, prompt text, completion text, latency_ms int, cost_usd numeric, request_id text,
    error_code text);
CREATE TABLE feedback (id serial PRIMARY KEY, message_id bigint REFERENCES messages, rating text, comment text,
    created_by uuid REFERENCES users);
CREATE TABLE audit_events (id bigserial PRIMARY KEY, actor_email text, action text, resource_type text, resource_id
    text, ip inet, user_agent text, changes jsonb, at timestamptz);
CREATE TABLE feature_flags (name text PRIMARY KEY, enabled boolean, rollout int, owner text);
CREATE TABLE jobs (id bigserial PRIMARY KEY, queue text, kind text, state text, worker text, args jsonb, error text);
CREATE TABLE evaluations (id serial PRIMARY KEY, dataset text, metric text, score float8, judge_model text, notes
    text);
CREATE TABLE tags (id serial PRIMARY KEY, name text UNIQUE, color text);
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
"""
LABELS = {
    **THREADS,
    "public.workspaces.name": "company person", "public.workspaces.slug": EITHER, "public.users.email": "email",
    "public.users.display_name": "person", "public.users.avatar_url": "url", "public.api_keys.label": EITHER,
    "public.api_keys.prefix": EITHER, "public.api_keys.key_hash": "secret", "public.documents.title": "text",
    "public.documents.source_uri": EITHER, "public.documents.author": "person", "public.documents.content": "text",
    "public.documents.sha256": EITHER, "public.documents.meta $.uploaded_by": "email", "public.chunks.content": "text",
    "public.chunks.metadata $.author": "person", "public.chunks.metadata $.source": EITHER,
    "public.conversations.title": "text", "public.messages.content": "text", "public.messages.metadata $.ip": "ip",
    "public.messages.metadata $.user.name": "person", "public.llm_calls.prompt": "text", "public.llm_calls.completion":
    "text", "public.llm_calls.request_id": EITHER, "public.feedback.comment": "text", "public.audit_events.actor_email":
    "email", "public.audit_events.resource_id": EITHER, "public.audit_events.ip": "ip",
    "public.audit_events.user_agent":
    EITHER, "public.audit_events.changes $.old": EITHER, "public.audit_events.changes $.new": EITHER,
    "public.feature_flags.owner": "person", "public.jobs.worker": EITHER, "public.jobs.args $.email": "email",
    "public.jobs.error": "text", "public.evaluations.notes": EITHER,
}  # fmt: skip

_MODELS = (
    ("gpt-4o", "openai", 128000, "chat"),
    ("gpt-4o-mini", "openai", 128000, "chat"),
    ("claude-3-opus", "anthropic", 200000, "chat"),
    ("mistral-large", "mistral", 32000, "chat"),
    ("text-embedding-3-small", "openai", 8191, "embedding"),
)


def build(conn: psycopg.Connection[Any], rows: int = 400) -> None:
    """Make all tables; `rows` messages and chunks, and of the rest what belongs to so many."""
    crowd = Crowd(33)
    rnd, us = crowd.random, crowd.us
    conn.execute(SCHEMA.encode())
    people = [crowd.person(i) for i in range(rows // 4)]
    ids = [us.uuid4() for _ in range(len(people) * 3)]
    spaces, users, talks = ids[:20], ids[20 : 20 + len(people)], ids[20 + len(people) : 20 + 2 * len(people)]
    fill(
        conn,
        "workspaces",
        "id, name, slug, plan, region, created_at",
        [
            (
                w,
                us.company(),
                f"team-{i}",
                rnd.choice(("free", "pro", "enterprise")),
                rnd.choice(("us-east-1", "eu-west-1")),
                "2024-01-01",
            )
            for i, w in enumerate(spaces)
        ],
    )
    fill(
        conn,
        "users",
        "id, workspace_id, email, display_name, avatar_url, timezone, locale, role, last_seen_at, created_at",
        [
            (
                u,
                spaces[i % 20],
                p["email"],
                p["name"],
                f"https://cdn.example.com/avatars/{p['login']}.png",
                rnd.choice(("Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo", "UTC")),
                rnd.choice(("en-US", "de-DE", "fr")),
                rnd.choice(("owner", "admin", "member")),
                "2024-06-06",
                "2024-01-02",
            )
            for i, (u, p) in enumerate(zip(users, people, strict=True))
        ],
    )
    fill(
        conn,
        "api_keys",
        "id, user_id, label, prefix, key_hash, scopes, created_at",
        [
            (
                us.uuid4(),
                users[i],
                rnd.choice(("ci", "laptop", "default")),
                f"sk-{us.md5()[:4]}",
                us.sha256(),
                ["read", "write"] if i % 2 else ["read"],
                "2024-02-02",
            )
            for i in range(60)
        ],
    )
    fill(
        conn,
        "models",
        "name, provider, context_window, input_price, kind",
        [(n, p, c, 0.5, k) for n, p, c, k in _MODELS],
    )
    fill(
        conn,
        "prompts",
        "name, version, template",
        [
            (n, 1, f"You are a helpful {n}. {prose(rnd)}")
            for n in ("summarize", "rewrite", "extract_entities", "answer_with_sources", "grace_period_reminder")
        ],
    )
    fill(
        conn,
        "tools",
        "name, description, parameters",
        [
            (
                n,
                prose(rnd, least=4, most=9),
                json.dumps({"type": "object", "properties": {"query": {"type": "string"}}}),
            )
            for n in ("search", "calculator", "fetch_page", "send_mail")
        ],
    )
    fill(
        conn,
        "documents",
        "workspace_id, title, source_uri, mime_type, language, sha256, author, content, meta, created_at",
        [
            (
                spaces[i % 20],
                prose(rnd, p["name"], 3, 6),
                f"s3://corpus/{i}.pdf",
                rnd.choice(("application/pdf", "text/markdown", "text/html")),
                rnd.choice(("en", "de", "fr")),
                us.sha256(),
                p["name"],
                prose(rnd, p["name"], 20, 60),
                json.dumps({"uploaded_by": p["email"], "pages": i % 9, "kind": "report"}),
                "2024-03-03",
            )
            for i, p in enumerate(people)
        ],
    )
    fill(
        conn,
        "chunks",
        "document_id, position, content, tokens, embedding, metadata",
        [
            (
                i % len(people) + 1,
                i // len(people),
                prose(rnd, p["name"]),
                30,
                str([round(rnd.gauss(0, 1), 4) for _ in range(SIZE)]),
                json.dumps({"author": p["name"], "page": i % 9, "source": f"{i}.pdf"}),
            )
            for i in range(rows)
            for p in (people[i % len(people)],)
        ],
    )
    conn.execute("CREATE INDEX ON chunks USING hnsw (embedding vector_cosine_ops)")
    fill(
        conn,
        "conversations",
        "id, user_id, title, model, temperature, archived, created_at",
        [
            (t, users[i], prose(rnd, people[i]["name"], 3, 6), _MODELS[i % 4][0], 0.7, False, "2024-04-04")
            for i, t in enumerate(talks)
        ],
    )
    fill(
        conn,
        "messages",
        "conversation_id, role, content, tool_name, finish_reason, tokens, metadata, created_at",
        [
            (
                talks[i % len(talks)],
                rnd.choice(("user", "assistant", "system", "tool")),
                prose(rnd, p["name"]),
                rnd.choice((None, "search", "calculator")),
                rnd.choice(("stop", "length", "tool_calls")),
                40,
                json.dumps({"ip": p["ip"], "user": {"name": p["name"]}, "client": rnd.choice(("web", "ios"))}),
                "2024-05-05",
            )
            for i in range(rows)
            for p in (people[i % len(people)],)
        ],
    )
    fill(
        conn,
        "llm_calls",
        "message_id, provider, endpoint, http_method, status, prompt, completion, latency_ms, cost_usd,"
        " request_id, error_code",
        [
            (
                i + 1,
                rnd.choice(("openai", "anthropic")),
                "/v1/chat/completions",
                "POST",
                200,
                prose(rnd, people[i % 90]["name"]),
                prose(rnd, people[i % 80]["name"]),
                800,
                0.002,
                f"req_{us.md5()}",
                None if i % 9 else "rate_limit_exceeded",
            )
            for i in range(rows)
        ],
    )
    fill(
        conn,
        "feedback",
        "message_id, rating, comment, created_by",
        [
            (i + 1, rnd.choice(("up", "down")), prose(rnd, people[i]["name"]) if i % 2 else None, users[i])
            for i in range(80)
        ],
    )
    fill(
        conn,
        "audit_events",
        "actor_email, action, resource_type, resource_id, ip, user_agent, changes, at",
        [
            (
                p["email"],
                rnd.choice(("document.created", "user.invited", "key.revoked")),
                rnd.choice(("document", "user", "api_key")),
                us.uuid4(),
                p["ip"],
                us.user_agent(),
                json.dumps({"old": "member", "new": "admin"}),
                "2024-06-01",
            )
            for p in people
            for _ in range(2)
        ],
    )
    fill(
        conn,
        "feature_flags",
        "name, enabled, rollout, owner",
        [
            (f"flag_{w}", True, 50, people[i]["name"])
            for i, w in enumerate(
                ("new_editor", "hybrid_search", "rerank", "streaming", "dark_mode", "mercury", "phoenix")
            )
        ],
    )
    fill(
        conn,
        "jobs",
        "queue, kind, state, worker, args, error",
        [
            (
                rnd.choice(("default", "ingest")),
                rnd.choice(("EmbedDocument", "SendInvite", "Cleanup")),
                rnd.choice(("available", "completed", "discarded")),
                f"worker-{i % 4}",
                json.dumps({"email": people[i]["email"], "attempt": 1}),
                f"could not reach {people[i]['email']}" if i % 3 else None,
            )
            for i in range(90)
        ],
    )
    fill(
        conn,
        "evaluations",
        "dataset, metric, score, judge_model, notes",
        [
            (rnd.choice(("faq", "legal")), rnd.choice(("faithfulness", "recall@5", "bleu")), rnd.random(), "gpt-4o", "")
            for _ in range(60)
        ],
    )
    fill(
        conn,
        "tags",
        "name, color",
        [
            (n, c)
            for n, c in zip(
                ("urgent", "legal", "hr", "april", "victor", "finance"),
                ("red", "amber", "olive", "green", "ruby", "navy"),
                strict=True,
            )
        ],
    )
    fill(conn, "alembic_version", "version_num", [("3f2a9c1b7d4e",)])
    threads(conn, people)
