"""Two projects in one pool, each with a production of its own, the same names and the same rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: @PROJECT@
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${PROD_DSN}", database: @PROJECT@}}
sanitize:
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.*: keep
branches: {max: 2}
incidents: incidents/
"""


def prepare(server: Production, project: str, rows: int = 200) -> None:
    """A database named after the project, whose rows say whose they are."""
    server.create_database(project)
    server.execute(
        "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, of text);"
        f"INSERT INTO people SELECT i, 'Jane Doe', 'jane' || i || '@{project}.example', '{project}'"
        f" FROM generate_series(1, {rows}) i",
        project,
    )


@contextmanager
def two_projects(major: int = 18, *, rows: int = 200) -> Iterator[tuple[Place, Place]]:
    """Two places with one pool: projects `alpha` and `beta`."""
    with production(major) as server, place() as first:
        places = []
        for project in ("alpha", "beta"):
            prepare(server, project, rows)
            folder = first.directory / project
            folder.mkdir()
            here = replace(first, directory=folder, env={"PROD_DSN": server.dsn_for(project)})
            here.write(STACK.replace("@PROJECT@", project))
            places.append(here)
        try:
            yield places[0], places[1]
        finally:
            for here in places:
                for branch in here.json("ls"):
                    here.call("rm", "--force", branch["name"], check=False)
