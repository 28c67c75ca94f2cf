"""An incident on the command line: recorded in production, masked, replayed in a branch, told when it differs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.support.postgres import Production, production
from tests.support.stack import Place, place
from tests.unit.incidents.traces.samples import otlp

STACK = """\
version: 1
project: incident
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  presets: [langgraph]
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.note: text
      public.people.*: keep
      public.guests.name: person
      public.chunks.id: keep
      public.chunks.embedding: {vectors: keep}
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
    sql: SELECT id, name, email, note FROM people WHERE email = %(email)s -- asked by zoe.quux3@corp.example
    parameters: {email: zoe.quux3@corp.example}
    key: id
  - id: literal
    kind: sql
    store: main
    role: app
    sql: SELECT count(*) FROM people WHERE email = 'zoe.quux4@corp.example' AND name LIKE 'Zoë%%'
    parameters: []
  - id: settings
    kind: sql
    store: main
    role: app
    settings: {work_mem: 5MB}
    local: {statement_timeout: 7s}
    sql: >-
      SELECT current_setting('hnsw.ef_search'), current_setting('enable_seqscan'), current_setting('work_mem'),
      current_setting('statement_timeout'), session_user::text
  - id: search
    kind: sql
    store: main
    role: app
    sql: >-
      SELECT id, embedding <-> %(q)s::vector AS distance FROM chunks ORDER BY embedding <-> %(q)s::vector LIMIT 10
    parameters: {q: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]}
    key: id
    score: distance
  - id: fails
    kind: sql
    store: main
    role: app
    sql: SELECT 1 / (id - id) FROM people
"""


THREADS = """\
CREATE TABLE checkpoints (thread_id text, checkpoint_ns text DEFAULT '', checkpoint_id text, parent_checkpoint_id text,
  type text, checkpoint jsonb, metadata jsonb DEFAULT '{}', PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE checkpoint_blobs (thread_id text, checkpoint_ns text DEFAULT '', channel text, version text, type text,
  blob bytea, PRIMARY KEY (thread_id, checkpoint_ns, channel, version));
CREATE TABLE checkpoint_writes (thread_id text, checkpoint_ns text DEFAULT '', checkpoint_id text, task_id text,
  idx int, channel text, type text, blob bytea, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));
"""
THREAD = json.loads((Path(__file__).parents[1] / "data" / "langgraph" / "thread.json").read_text())
COLUMNS = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata",
    "blobs": "checkpoint_ns, channel, version, type, blob",
    "writes": "checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob",
}


def talk(prod: Production) -> None:
    """One conversation of LangGraph, as its saver wrote it."""
    with prod.connect("app") as conn:
        for kind, columns in COLUMNS.items():
            table = kind if kind == "checkpoints" else f"checkpoint_{kind}"
            for row in THREAD[kind]:
                values = [json.dumps(one) if isinstance(one, dict) else one for one in row]
                if kind != "checkpoints":
                    values[-1] = None if row[-1] is None else bytes.fromhex(row[-1])
                places = ", ".join(["%s"] * (len(values) + 1))
                conn.execute(f"INSERT INTO {table} (thread_id, {columns}) VALUES ({places})", ["jane-1", *values])


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE guests (name text); INSERT INTO guests VALUES ('Jane Doe');"
            + THREADS
            + "CREATE EXTENSION vector;"
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, note text);"
            "INSERT INTO people SELECT i, 'Zoë Quuxington' || i, 'zoe.quux' || i || '@corp.example',"
            " 'call Zoë Quuxington' || i || ' (zoe.quux' || i || '@corp.example)' FROM generate_series(1, 300) i;"
            "CREATE TABLE chunks (id int PRIMARY KEY, embedding vector(8));"
            "SELECT setseed(0.5);"
            "INSERT INTO chunks SELECT i, ARRAY[random(), random(), random(), random(), random(), random(), random(),"
            " random()]::vector FROM generate_series(1, 3000) i;"
            "CREATE INDEX ON chunks USING hnsw (embedding vector_l2_ops) WITH (m = 4, ef_construction = 8);"
            "CREATE ROLE app LOGIN PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO app;"
            "ALTER ROLE app IN DATABASE app SET hnsw.ef_search = 11;"
            "ALTER ROLE app SET hnsw.ef_search = 12;"
            "ALTER DATABASE app SET enable_seqscan = off",
            "app",
        )
        talk(server)
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        (made.directory / "incidents").mkdir()
        (made.directory / "incidents" / "77.yaml").write_text(BUNDLE)
        yield made


def test_recorded_masked_replayed(here: Place, prod: Production) -> None:
    bundle = here.directory / "incidents" / "77.yaml"
    early = here.call("branch", "prod", "--incident", "77", check=False)
    assert early.returncode == 2
    assert "envclone incident record" in early.stderr
    assert here.json("incident", "record", str(bundle))["steps"] == ["who", "literal", "settings", "search", "fails"]
    assert bundle.stat().st_mode & 0o777 == 0o600
    recorded = {step["id"]: step["expect"] for step in yaml.safe_load(bundle.read_text())["steps"]}
    assert recorded["who"]["rows"][0][1] == "Zoë Quuxington3"
    assert recorded["literal"]["rows"] == [[1]]
    # the settings of the role in this database, of the database, of the session, of the transaction
    assert recorded["settings"]["rows"] == [["11", "off", "5MB", "7s", "app"]]
    assert recorded["fails"]["error"].startswith("22012")
    plans = {step["id"]: step.get("plan") for step in yaml.safe_load(bundle.read_text())["steps"]}
    assert plans["search"] == ["Limit", "Index Scan using chunks_embedding_idx on chunks"] and not plans["fails"]
    assert prod.execute("SELECT count(*) FROM people", "app") == [(300,)]

    branch = here.json("branch", "prod", "--incident", "77")
    assert branch["name"] == "prod-77"
    (masked,) = (here.pool / "incidents").iterdir()
    assert masked.stat().st_mode & 0o777 == 0o600
    text = masked.read_text().lower()
    assert not [word for word in ("quux", "zoë", "zoe.", "zo\\u00eb") if word in text]
    report = here.json("replay", "77")
    assert report["reproduced"], report
    assert {one["layer"]: one["verdict"] for one in report["layers"]}["plan"] == "match"
    other = json.loads(here.call("replay", "77", "--set", "enable_indexscan=off", "--json", check=False).stdout)
    (plan,) = [one for one in other["layers"] if one["layer"] == "plan"]
    assert plan["verdict"] == "diverged" and "where production had Index Scan using" in plan["why"], plan
    shown = here.call("replay", "77")
    assert "incident 77: reproduced (5 of 5" in shown.stdout

    with psycopg.connect(branch["urls"]["main"]) as conn:
        (nearest,) = conn.execute(
            "SELECT id FROM chunks ORDER BY embedding <-> '[.1,.2,.3,.4,.5,.6,.7,.8]' LIMIT 1"
        ).fetchone() or (0,)
        conn.execute("UPDATE chunks SET embedding = '[9,9,9,9,9,9,9,9]' WHERE id = %s", [nearest])
    differs = here.call("replay", "77", check=False)
    assert differs.returncode == 5
    assert f"id {nearest}: missing" in differs.stdout
    assert "search: not reproduced" in differs.stdout
    document = json.loads(here.call("replay", "77", "--json", check=False).stdout)
    assert [step["step"] for step in document["steps"] if not step["reproduced"]] == ["search"]
    here.call("reset", "prod-77")
    assert here.json("replay", "77")["reproduced"]
    assert len(list((here.pool / "branches" / "prod-77" / "replays").iterdir())) == 6


def test_chance_is_told_on_two_branches_and_two_settings_stand_side_by_side(here: Place) -> None:
    report = here.json("replay", "77", "--branches", "2", "--repeat", "2")
    assert (report["reproduced"], report["runs"], report["reproduced_runs"]) == (True, 4, 4)
    assert report["notes"][-2:] == [
        "prod-77: 2 of 2 runs gave what production gave",
        "another branch of its image: 2 of 2 runs gave what production gave",
    ]  # fmt: skip
    assert [one["name"] for one in here.json("ls")] == ["prod-77"]
    both = here.json("replay", "77", "--set", "work_mem=6MB", "--against", "work_mem=7MB")
    assert not both["same"] and [one["step"] for one in both["between"] if not one["reproduced"]] == ["settings"]
    shown = here.call("replay", "77", "--against", "work_mem=7MB").stdout
    assert "as it was" in shown and "work_mem=7MB" in shown and "search: the same in both" in shown
    assert "5MB" in shown and "7MB" in shown  # side by side
    assert here.call("replay", "77", "--against", "work_mem=7MB", "--branches", "2", check=False).returncode == 2
    here.call("psql", "prod-77", "-c", "DELETE FROM chunks WHERE id = 1")
    changed = here.call("replay", "77", "--branches", "2", check=False)
    assert changed.returncode == 2 and "was changed" in changed.stderr and "1 row deleted" in changed.stderr
    here.call("reset", "prod-77")


def test_a_conversation_is_read_out_of_the_branch_where_it_is_masked(here: Place) -> None:
    (one,) = here.json("incident", "threads", "--branch", "prod-77")
    assert here.json("incident", "threads", "--env", "prod") == [one]  # of the image itself
    assert [each["name"] for each in here.json("ls")] == ["prod-77"]
    assert (one["store"], one["schema"], one["checkpoints"]) == ("main", "public", len(THREAD["checkpoints"]))
    assert one["thread"] != "jane-1" and one["thread"] in here.call("incident", "threads", "--branch", "prod-77").stdout
    done = here.json("incident", "import", "--thread", one["thread"], "--branch", "prod-77", "--id", "81")
    text = (here.directory / "incidents" / "81.yaml").read_text()
    assert done["dialect"] == "langgraph checkpoints" and "jane" not in text.lower() and "Doe" not in text
    calls = yaml.safe_load(text)["calls"]
    (tool,) = [call for call in calls if call["kind"] == "tool"]
    asked = next(call for call in calls if call["kind"] == "request")["input"]
    assert tool["input"]["q"].split(" of ")[1] in asked, "the pseudonym is the same in each place"
    assert any(call.get("error") for call in calls) and any(call.get("model") == "gpt-5-2026-01-01" for call in calls)
    wrong = here.call("incident", "import", "--thread", "jane-1", "--branch", "prod-77", "--id", "82", check=False)
    assert wrong.returncode == 2 and "has no thread" in wrong.stderr
    of_image = here.json("incident", "import", "--thread", one["thread"], "--env", "prod", "--id", "83")
    assert (of_image["calls"], of_image["dialect"]) == (done["calls"], done["dialect"])
    for name in ("81", "83"):
        (here.directory / "incidents" / f"{name}.yaml").unlink()


def test_from_a_complaint_to_a_replay_in_six_commands(here: Place) -> None:
    """Those of the page, word for word, over a trace of the application."""
    page = (Path(__file__).parents[2] / "docs" / "incidents.md").read_text(encoding="utf-8")
    block = page.partition("## From a complaint to a replay in six commands")[2].split("```")[1]
    commands = [shlex.split(line, comments=True)[1:] for line in block.strip().splitlines()]
    asked = {"db.system": "postgresql", "db.query.parameter.1": "zoe.quux7@corp.example",
             "db.query.text": "SELECT id, name, note FROM people WHERE email = $1"}  # fmt: skip
    said = json.dumps([{"role": "user", "content": "What of Zoë Quuxington7?"}])
    model = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.input.messages": said}
    (here.directory / "trace.json").write_text(json.dumps(otlp({"attributes": asked}, {"attributes": model})))
    texts = [here.call(*words).stdout for words in commands]
    assert [words[0] for words in commands] == ["incident"] * 4 + ["branch", "replay"]
    imported, shown, recorded, masked, _, replayed = texts
    assert "2 calls of a trace (otlp): 1 sql, 1 llm" in imported and "unknown: seed" in shown
    assert "sql-1: 1 row" in recorded and "masked with the key" in masked
    assert "incident 1234: reproduced (1 of 1 steps" in replayed
    assert "not run: 1 llm: it lies outside the stores" in replayed
    assert "quux" not in "".join(texts[3:]).lower()


def test_what_is_not_there_is_named(here: Place) -> None:
    nobody = here.call("replay", "78", check=False)
    assert (nobody.returncode, "no branch was made for incident 78" in nobody.stderr) == (2, True)
    unknown = here.call("branch", "prod", "--incident", "78", check=False)
    assert unknown.returncode in (2, 3), unknown.stderr
    assert "77" in unknown.stderr, "the message lists the incidents there are"
    assert [one for one in here.leftovers() if one == "branches/prod-78"] == []


SPELLED = """\
version: 1
incident: "79"
environment: prod
note: <script>alert(1)</script> Zoë Quuxington3 asked.
steps:
  - id: backwards
    kind: sql
    store: main
    role: app
    sql: SELECT id, email, reverse(email) AS back FROM people WHERE id = 3
    key: id
  - id: search
    kind: sql
    store: main
    role: app
    sql: >-
      SELECT id, embedding <-> '[.9,.2,.3,.4,.5,.6,.7,.8]'::vector AS distance FROM chunks
      ORDER BY embedding <-> '[.9,.2,.3,.4,.5,.6,.7,.8]'::vector LIMIT 10
    key: id
    score: distance
calls:
  - {id: a, kind: llm, name: small, output: "write to zoe.quux3@corp.example, 3xuuq.eoz that is", seconds: 1.5}
"""


def test_the_page_of_an_incident_holds_nobody(here: Place) -> None:
    """With what production computed, the page would spell a person's address backwards: it is left out."""
    bundle = here.directory / "incidents" / "79.yaml"
    bundle.write_text(SPELLED)
    here.call("incident", "record", str(bundle))
    assert "elpmaxe.proc@3xuuq.eoz" in bundle.read_text()
    replays = here.pool / "branches" / "prod-77" / "replays"
    before = len(list(replays.iterdir()))
    made = here.fresh.json("report", "79", "--branch", "prod-77", "--output", str(here.directory / "page.html"))
    assert len(list(replays.iterdir())) == before + 1, "a request may do something: it is asked once for a page"
    assert (made["outcome"], made["branch"]) == ("not reproduced", "prod-77")  # a pseudonym backwards is another text
    file = here.directory / "page.html"
    assert file.stat().st_mode & 0o777 == 0o600
    page = file.read_text()
    assert not [word for word in ("quux", "zoë", "zoe.", "xuuq", "ëoz", "<script") if word in page.lower()]
    assert "(left out)" in page and "&lt;script&gt;" in page and "exact search" in page
    assert "setting hnsw.ef_search" in page or "server" in page  # parity
    assert "original values left" in page and "prod-77" in page

    shown = here.call("report", "79", "--branch", "prod-77", "--allow-computed")
    assert "incident-79.html (mode 0600)" in shown.stdout
    assert "xuuq" in (here.directory / "incident-79.html").read_text(), "the operator asked for it"

    here.call("stop", "prod-77")
    assert here.json("report", "79", "--branch", "prod-77")["outcome"] == "not run again"
    assert "envclone start prod-77" in (here.directory / "incident-79.html").read_text()
    here.call("start", "prod-77")
    nobody = here.call("report", "80", check=False)
    assert (nobody.returncode, "no branch was made for incident 80" in nobody.stderr) == (2, True)
