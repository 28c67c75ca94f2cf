"""What production keeps beside its rows and objects, and no image may have: each place with somebody of its own.

Nothing of these is refused: it is left out, cleaned or made again. So the bytes of the image tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envclone.accounts import hand_over, service_account
from tests.support.identities import someone
from tests.support.postgres import Production

__all__ = ["SETTINGS", "Left", "left_in", "plant", "plant_files", "plant_forks"]

FIRST = 2900
"""The number of the first person here."""
SETTINGS = {"max_prepared_transactions": "10", "wal_level": "logical", "max_replication_slots": "10"}

_SQL: Mapping[str, str] = {
    "physical slot": "SELECT pg_create_physical_replication_slot('{login}')",
    "logical slot": "SELECT pg_create_logical_replication_slot('{login}', 'pgoutput')",
    "subscription": "CREATE SUBSCRIPTION removed_sub CONNECTION 'host=db.example user={login} password={token}"
    ' application_name={email}\' PUBLICATION "of {name}" WITH (connect = false, slot_name = NONE)',
    "subscription in another database": "\\c postgres\nCREATE SUBSCRIPTION removed_sub CONNECTION"
    " 'host=db.example user={login} password={token}' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    "password": "CREATE ROLE removed_login LOGIN PASSWORD '{token}'",
    "user mapping": "CREATE USER MAPPING FOR PUBLIC SERVER removed_server OPTIONS (user '{login}', password '{token}')",
    "host of a server": "CREATE SERVER removed_far FOREIGN DATA WRAPPER removed_bare"
    " OPTIONS (host '{login}.corp.example', dbname '{name}')",
    "archive command": "ALTER SYSTEM SET archive_command = 'copy {email}'",
    "connection of a standby": "ALTER SYSTEM SET primary_conninfo = 'user={login} password={token}'",
    "notification": "NOTIFY removed, 'for {email}, {name}'",
    "restore point": "SELECT pg_create_restore_point('{email}')",
    "message in the log": "SELECT pg_logical_emit_message(false, 'x', 'for {email}, {name}')",
    "temporary table": 'CREATE TEMP TABLE "{login}" (note text); INSERT INTO "{login}" VALUES (\'{email} {name}\')',
    "dropped table": "CREATE TABLE removed_a (note text); INSERT INTO removed_a VALUES ('{email} {name}');"
    "DROP TABLE removed_a",
    "truncated table": "CREATE TABLE removed_b (c text); INSERT INTO removed_b VALUES ('{email} {name}');"
    "TRUNCATE removed_b",
    "dead row of a kept table": "INSERT INTO tried VALUES ('{email} {name}'); DELETE FROM tried WHERE note ~ '{email}'",
    "rolled back row": "BEGIN; INSERT INTO tried VALUES ('{email} {name}'); ROLLBACK",
    "dropped column": "CREATE TABLE removed_c (id int, c text); INSERT INTO removed_c VALUES (1, '{email} {name}');"
    "ALTER TABLE removed_c DROP c",
    "name of a dropped column": 'CREATE TABLE removed_d (id int, "{email}" text);ALTER TABLE removed_d DROP "{email}"',
    "former name of a table": 'CREATE TABLE "{email}" (id int); ALTER TABLE "{email}" RENAME TO removed_e',
    "former name of a role": 'CREATE ROLE "{email}"; ALTER ROLE "{email}" RENAME TO removed_f',
    "former name of a label": "CREATE TYPE removed_g AS ENUM ('{email}'); ALTER TYPE removed_g"
    " RENAME VALUE '{email}' TO 'x'",
    "former comment": "COMMENT ON TABLE tried IS 'of {email}, {name}'; COMMENT ON TABLE tried IS 'x'",
    "former default": "ALTER TABLE tried ALTER note SET DEFAULT '{email} {name}'; ALTER TABLE tried ALTER note"
    " DROP DEFAULT",
    "former function": "CREATE FUNCTION removed_h() RETURNS text LANGUAGE sql AS $$SELECT '{email} {name}'$$;"
    "CREATE OR REPLACE FUNCTION removed_h() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$",
    "former setting": "ALTER DATABASE removed SET app.who = '{email} {name}'; ALTER DATABASE removed RESET app.who",
    "former view": "CREATE VIEW removed_i AS SELECT '{email} {name}'::text AS c;"
    "CREATE OR REPLACE VIEW removed_i AS SELECT 'x'::text AS c",
    "former policy": 'CREATE POLICY "{email}" ON tried USING (note <> \'{name}\'); DROP POLICY "{email}" ON tried',
    "former large object": "SELECT lo_from_bytea(4711, convert_to('{email} {name}', 'UTF8')); SELECT lo_unlink(4711)",
    "former statistics": "CREATE TABLE removed_j (a text, b text);"
    "INSERT INTO removed_j SELECT '{email}', '{name}' FROM generate_series(1, 9);"
    "CREATE STATISTICS removed_k (mcv) ON a, b FROM removed_j; ANALYZE removed_j;"
    "DROP TABLE removed_j",
    "extended statistics of masked columns": "CREATE STATISTICS removed_l (mcv) ON name, email FROM people;"
    "CREATE STATISTICS removed_m ON (lower(email)), (upper(name)) FROM people; ANALYZE people",
    "other database": "CREATE DATABASE removed_other",
    "rows of another database": "\\c removed_other\nCREATE TABLE a AS SELECT '{email} {name}' AS note",
    "rows of the database postgres": "\\c postgres\nCREATE TABLE a AS SELECT '{email} {name}' AS note",
    "comment in the database postgres": "\\c postgres\nCOMMENT ON SCHEMA public IS 'of {email}, {name}'",
    "function in template1": "\\c template1\nCREATE FUNCTION a() RETURNS text LANGUAGE sql AS $$SELECT '{email}'$$",
    "publication in template1": '\\c template1\nCREATE PUBLICATION "{email}"',
    "prepared transaction": "BEGIN; INSERT INTO tried VALUES ('{name}'); PREPARE TRANSACTION '{email}'",
    "role that is gone": 'CREATE ROLE "{email}"; DROP ROLE "{email}"',
}
"""Per place what plants somebody there; behind `\\c` the database."""

_FILES: Mapping[str, str] = {
    "pg_hba.conf": "# {email}, {name}: {phone}\n",
    "pg_ident.conf": "# {email}\nremoved {login} postgres\n",
    "postgresql.conf": "# by {name}, {email}\n",
    "postgresql.auto.conf": "# for {email} {name}\n",
    "backup_label.old": "LABEL: of {email} {name}\n",
    "postmaster.opts": "# {email} {name}\n",
    "pg_wal/00000002.history": '1\t0/3000000\tat restore point "{email}"\n',
    "pg_wal/000000010000000000000001.00000028.backup": "LABEL: of {email} {name}\n",
    "log/postgresql.log": "LOG: {email} {name}\n",
    "current_logfiles": "stderr log/{login}.log\n",
    "pg_stat/pgss_query_texts.stat": "SELECT '{email} {name}'",
    "pg_stat/pg_stat_statements.stat": "SELECT '{email} {name}'",
    "pg_stat_tmp/db_5.stat": "{email} {name}",
    "pg_logical/mappings/map-1-2-3-4-5-6": "{email} {name}",
    "pg_logical/snapshots/0-1234.snap": "{email} {name}",
    "pg_snapshots/00000003-0000001B-1": "{email} {name}",
    "pg_replslot/removed/state": "{email} {name}",
    "base/pgsql_tmp/pgsql_tmp1234.0": "{email} {name}",
    "global/pg_internal.init": "{email} {name}",
    "tablespace_map.old": "1 /srv/{email}\n",
    "recovery.done": "primary_conninfo = 'user={login} password={token}'\n",
    "server.key": "{token} {email}",
    "notes.txt": "{email} {name}",
}
"""Per file of a stopped cluster what is written there, or behind what is there."""
_FORKS = ("fsm", "vm", "init")


@dataclass(frozen=True)
class Left:
    """What was planted somewhere, by number: the values that the bytes of an image must not have."""

    what: str
    number: int
    values: Sequence[str]


def _filled(text: str, number: int) -> tuple[str, tuple[str, ...]]:
    one = someone(number)
    its = {"name": one.name, "email": one.email, "login": one.login, "token": one.token, "phone": one.phone}
    return text.format(**its), tuple(value for key, value in its.items() if "{" + key + "}" in text)


def plant(server: Production) -> list[Left]:
    """Plant in the running server, in the database `removed`."""
    server.create_database("removed")
    server.execute(
        "CREATE TABLE tried (note text) WITH (autovacuum_enabled = off); INSERT INTO tried VALUES ('x');"
        "CREATE TABLE people (id int PRIMARY KEY, name text, email text, phone text, login text, token text);"
        "CREATE UNLOGGED TABLE removed_u (note text); CREATE INDEX ON removed_u (note);"
        "CREATE INDEX ON removed_u USING hash (note);"
        "CREATE FOREIGN DATA WRAPPER removed_bare; CREATE SERVER removed_server FOREIGN DATA WRAPPER removed_bare",
        "removed",
    )
    planted: list[Left] = []
    numbers = range(FIRST, FIRST + len(_SQL) + len(_FILES) + len(_FORKS))
    with server.connect("removed") as connection:
        rows = [(n, one.name, one.email, one.phone, one.login, one.token) for n in numbers if (one := someone(n))]
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s)", rows)
    for number, (what, text) in enumerate(_SQL.items(), FIRST):
        said, values = _filled(text, number)
        database, _, sql = (
            said.removeprefix("\\c ").partition("\n") if said.startswith("\\c ") else ("removed", "", said)
        )
        with server.connect(database) as connection:
            for one in sql.split(";") if "$$" not in sql else [sql]:
                connection.execute(one.encode())
        planted.append(Left(what, number, values))
    return planted


def plant_files(server: Production) -> list[Left]:
    """Plant in the files of the stopped server."""
    planted, account = [], service_account()
    for number, (name, text) in enumerate(_FILES.items(), FIRST + len(_SQL)):
        said, values = _filled(text, number)
        path = server.data / name
        for missing in reversed([one for one in path.parents if not one.exists()]):
            missing.mkdir(mode=0o700)
            hand_over(missing, account)
        with path.open("ab") as file:
            file.write(said.encode())
        path.chmod(0o600)
        hand_over(path, account)
        planted.append(Left(f"file {name}", number, values))
    return planted


def plant_forks(server: Production) -> list[Left]:
    """Plant in a map of free space, in one of visibility and in the first state of something unlogged of each database,
    behind what they say of pages."""
    planted = []
    for number, fork in enumerate(_FORKS, FIRST + len(_SQL) + len(_FILES)):
        said, values = _filled("{email} {name}", number)
        for directory in server.data.glob("base/[1-9]*"):
            for path in sorted(one for one in directory.glob(f"*_{fork}") if one.stat().st_size)[:1]:
                page = bytearray(path.read_bytes())
                page[-len(said) - 8 : -8] = said.encode()
                path.write_bytes(page)
        planted.append(Left(f"fork {fork}", number, values))
    return planted


_FORMS: Sequence[Callable[[str], bytes]] = (
    str.encode,
    lambda value: value.lower().encode(),
    lambda value: value.upper().encode(),
    lambda value: value.encode("utf-16-le"),
    lambda value: value.encode("utf-16-be"),
    lambda value: value.encode().hex().encode(),
)


def left_in(directory: Path, planted: Sequence[Left]) -> Iterator[str]:
    """What of it stands in the bytes of some files, and where."""
    wanted = {form(value): one for one in planted for value in one.values for form in _FORMS}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            yield from (f"{one.what} in {path.relative_to(directory)}" for text, one in wanted.items() if text in data)
