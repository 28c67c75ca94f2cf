"""From a stranger's production to a reproduced incident, by the commands that a person types and what they print."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from tests.first_hour import assistant, helpdesk, shop
from tests.first_hour.oddities import packed, unpacked
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

PAGE = Path(__file__).parents[2] / "docs" / "first-hour.md"
LETTERS = re.compile(r"[0-9a-f]{12}|:[\w-]{20,}@|\d[\d.:,]*")
"""What differs from run to run: ids, passwords, ports, times, counts."""


@contextlib.contextmanager
def _stranger(schema: ModuleType, *, fresh: bool = False) -> Iterator[tuple[Production, Place]]:
    """A production with an application's database and an ordinary role, and an empty directory with a pool."""
    with production(18) as server, place(fresh=fresh) as here:
        server.create_database(schema.DATABASE)
        with psycopg.connect(server.dsn_for(schema.DATABASE)) as conn:
            schema.build(conn)
            conn.execute("CREATE ROLE app LOGIN PASSWORD 'x'")
            conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO app")
        here.env.update({"ENVCLONE_POOL": str(here.pool), "PROD_PG_DSN": server.dsn_for(schema.DATABASE)})
        yield server, here


@pytest.mark.parametrize("schema", [shop, assistant], ids=["shop", "assistant"])
def test_five_commands_to_a_verdict(schema: ModuleType) -> None:
    with _stranger(schema, fresh=schema is shop) as (server, here):
        began = here.call("init", "--project", schema.DATABASE, "--from", "PROD_PG_DSN").stdout
        assert "next: read the rules, then: envclone branch prod" in began
        assert "to be decided" not in began
        assert server.password not in here.file.read_text()
        here.call("incident", "new", "1", "--sql", schema.QUESTION, "--role", "app")
        recorded = here.call("incident", "record", str(here.directory / "incidents" / "1.yaml")).stdout
        assert "next: envclone branch prod --incident 1" in recorded
        _steps(here.call("image", "prod", "--json").stderr)
        assert "next: envclone replay 1" in here.call("branch", "prod", "--incident", "1").stdout
        assert "incident 1: reproduced" in here.call("replay", "1").stdout
        assert "every field has a rule" in here.call("scan", "prod", "--write").stdout, "it settles"
        if schema is assistant:
            _threads_load(server, here)
        assert "prod-1: removed" in here.call("rm", "prod-1").stdout


def _threads_load(server: Production, here: Place) -> None:
    """An agent's threads in the branch are documents of the same form and length, and of other people."""
    asked = "SELECT blob FROM checkpoint_blobs ORDER BY ctid"
    dsn = here.json("show", "prod-1")["urls"]["main"]
    with psycopg.connect(dsn) as conn:
        masked = [bytes(blob) for (blob,) in conn.execute(asked)]
    raw = [bytes(blob) for (blob,) in server.execute(asked, assistant.DATABASE)]
    assert len(masked) == len(raw) > 0
    for one, other in zip(masked, raw, strict=True):
        now, before = unpacked(one), unpacked(other)
        assert now["customer"]["email"] != before["customer"]["email"] and "@" in now["customer"]["email"]
        assert packed(now) == one, "nothing behind it"
        assert (now["turns"], now["open"], len(one)) == (before["turns"], True, len(other))


def _steps(told: str) -> None:
    """Every step of an image was told, in its order, in lines that a script can read."""
    events = [json.loads(line) for line in told.splitlines()]
    numbered = [event for event in events if "step" in event]
    steps = list(dict.fromkeys((event["step"], event["what"]) for event in numbered))
    (of,) = {event["of"] for event in numbered}
    assert [number for number, _ in steps] == list(range(1, of + 1)), steps
    assert steps[0][1] == "opening the copy" and steps[-1][1] == "sealing"
    began = [event["seconds"] for event in events]
    assert began == sorted(began)


def test_the_page_shows_what_happens() -> None:
    """Every command of docs/first-hour.md, typed as it stands there, prints what stands there."""
    (transcript,) = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    steps = [one.split("\n", 1) for one in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]]
    with _stranger(helpdesk) as (_, here):
        for command, printed in steps:
            words = shlex.split(command)
            if words[0] != "envclone":
                continue
            done = here.call(*words[1:])
            assert _plain(done.stdout, here) == _plain(printed, here), command


def _plain(text: str, here: Place) -> list[str]:
    text = text.replace(f"{here.directory}/", "/srv/desk/")
    return [LETTERS.sub("#", line).rstrip() for line in text.splitlines() if line.strip()]
