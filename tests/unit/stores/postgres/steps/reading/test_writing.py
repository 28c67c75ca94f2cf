"""Statements that may change a branch: those of the list, and nothing that defines code or changes who asks."""

from __future__ import annotations

import pytest

from envclone.stores.postgres.steps.reading import writing
from envclone.stores.postgres.steps.reading.grammar import Refused


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1) RETURNING id",
        "UPDATE t SET a = lower(a)",
        "DELETE FROM t USING s WHERE t.id = s.id",
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
        "TRUNCATE t",
        "ANALYZE t",
        "VACUUM (FULL) t",
        "REINDEX INDEX i",
        "CREATE INDEX CONCURRENTLY ON t USING hnsw (v vector_l2_ops)",
        "CREATE TABLE x (a int DEFAULT nextval('s'))",
        "CREATE TABLE x AS SELECT 1",
        "ALTER TABLE t ADD COLUMN b int",
        "ALTER TABLE t ALTER COLUMN v SET STORAGE PLAIN",
        "DROP INDEX i",
        "SELECT * FROM t FOR UPDATE",
    ],
)
def test_what_changes_tables_and_indexes_may_run(sql: str) -> None:
    uses = writing.of_statement(sql)
    assert not [name for _, name in uses.functions if writing.acts(name)]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY t TO PROGRAM 'id'",
        "COPY t FROM '/etc/passwd'",
        "COPY t TO STDOUT",
        "SET ROLE postgres",
        "RESET ROLE",
        "SET SESSION AUTHORIZATION app",
        "DO $$ BEGIN END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE RULE r AS ON INSERT TO t DO NOTHING",
        "CALL p()",
        "GRANT ALL ON t TO PUBLIC",
        "ALTER ROLE app SUPERUSER",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "ALTER TABLE t OWNER TO app",
        "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE t DISABLE TRIGGER ALL",
        "ALTER TABLE t SET TABLESPACE x",
        "CREATE TABLE x (a int) TABLESPACE y",
        "CREATE INDEX ON t (a) TABLESPACE y",
        "DROP FUNCTION f",
        "DROP SCHEMA public CASCADE",
        "DROP ROLE app",
        "ALTER FUNCTION f() RENAME TO g",
        "CREATE EXTENSION dblink",
        "CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE FOREIGN TABLE x (a int) SERVER s",
        "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p",
        "IMPORT FOREIGN SCHEMA x FROM SERVER s INTO public",
        "LOAD 'x'",
        "LISTEN x",
        "NOTIFY x",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "COMMIT",
        "CREATE SCHEMA x CREATE TRIGGER y BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "INSERT INTO t VALUES (1); DROP TABLE t",
        "",
        "EXPLAIN ANALYZE EXECUTE p",
        "DECLARE c CURSOR FOR SELECT 1",
        "SECURITY LABEL ON TABLE t IS 'x'",
        "COMMENT ON TABLE t IS 'x'",
        "CREATE VIEW v AS SELECT 1",
        "INSERT INTO t SELECT reverse(setting) FROM pg_settings",
        "SELECT * FROM pg_catalog.pg_settings FOR UPDATE",
        "ALTER DATABASE app SET search_path = x",
    ],
)
def test_nothing_else_may(sql: str) -> None:
    with pytest.raises(Refused):
        writing.of_statement(sql)


@pytest.mark.parametrize(
    "call",
    [
        "pg_read_file('x')", "lo_export(1, 'x')", "lo_import('x')", "dblink('x', 'y')", "pg_terminate_backend(1)",
        "set_config('role', 'postgres', false)", "current_setting('data_directory')", "pg_ls_dir('.')",
        "query_to_xml('select 1', true, true, '')", "pg_catalog.pg_sleep(10)", "pg_notify('a', 'b')",
        "pg_advisory_lock(1)", "pg_reload_conf()", "txid_current()",
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["INSERT INTO t SELECT {}", "UPDATE t SET a = {}", "CREATE TABLE x AS SELECT {}"])
def test_functions_that_act_are_told(around: str, call: str) -> None:
    uses = writing.of_statement(around.format(call))
    assert [name for _, name in uses.functions if writing.acts(name)]
