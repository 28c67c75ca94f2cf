"""Several at once: the same image is made once, the same name is given once, and one who looks on disturbs nobody."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg

from tests.support.postgres import production
from tests.support.stack import place

STACK = """\
version: 1
project: together
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main: {public.people.name: person, public.people.id: keep}
"""


def test_branches_made_at_once() -> None:
    with production(18) as server, place() as here:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text);"
            "INSERT INTO people SELECT i, 'Jane Doe' FROM generate_series(1, 500) i",
            "app",
        )
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK)
        here.call("snapshot", "prod")
        with ThreadPoolExecutor(8) as threads:
            calls = [
                threads.submit(here.call, "branch", "prod", "--name", name, "--json", check=False)
                for name in ("a", "b", "c", "same", "same")
            ]
            looks = [threads.submit(here.call, command, check=False) for command in ("ls", "gc", "images")]
            done = [call.result() for call in calls]
            seen = [look.result() for look in looks]
        assert [one.returncode for one in seen] == [0, 0, 0], [one.stderr for one in seen]
        assert sorted(one.returncode for one in done) == [0, 0, 0, 0, 8], [one.stderr for one in done]
        made = [json.loads(one.stdout) for one in done if one.returncode == 0]
        assert len({one["image"] for one in made}) == 1
        assert len({one["urls"]["main"] for one in made}) == 4
        for one in made:
            with psycopg.connect(one["urls"]["main"]) as conn:
                row = conn.execute("SELECT count(*), count(*) FILTER (WHERE name = 'Jane Doe') FROM people").fetchone()
                assert row == (500, 0)
        assert sorted(one["name"] for one in here.json("ls")) == ["a", "b", "c", "same"]
        here.call("rm", "a", "b", "c", "same")
        assert [one for one in here.leftovers() if one.split("/")[0] in ("work", "tmp", "branches")] == []
