from __future__ import annotations

from pathlib import Path

import pytest

from envclone.stores.postgres.scrub.tidy import tidy
from envclone.stores.postgres.server import policy, settings
from envclone.stores.postgres.server.engine import Engine, find
from envclone.stores.postgres.server.settings import Setting, parse_conf, write_configuration

GB = 1 << 30


@pytest.fixture
def engine() -> Engine:
    return find(18)


def cluster(place: Path, major: int = 18) -> Path:
    data = place / "data"
    for name in ("base/1", "base/pgsql_tmp", "global", "pg_wal", "pg_tblspc", "pg_replslot/slot", "pg_stat", "log"):
        (data / name).mkdir(parents=True)
    (data / "PG_VERSION").write_text(f"{major}\n")
    return data


def test_configuration_files_are_read_as_postgresql_reads_them(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.conf").write_text("work_mem 8MB\n")
    (tmp_path / "conf.d" / "a.conf").write_text("work_mem = 1MB\nport=1\n")
    (tmp_path / "conf.d" / ".hidden.conf").write_text("work_mem = 3MB\n")
    (tmp_path / "more.conf").write_text("include 'more.conf'\nrandom_page_cost=1.1")
    outside = tmp_path.parent / "outside.conf"
    outside.write_text("jit = off\n")
    (tmp_path / "postgresql.conf").write_text(
        "# work_mem = 99MB\n  Shared_Buffers = '128MB'  # why\ncluster_name = 'it''s \\'me'\nport = 5433\n"
        f"include_dir 'conf.d'\ninclude_if_exists = 'nothing'\ninclude 'more.conf'\ninclude '{outside}'\n"
        "archive_command = 'scp %p a@b:'\nhnsw.ef_search = 100\nsearch_path = '\"$user\", public'\n"
    )
    (tmp_path / "postgresql.auto.conf").write_text("work_mem = '12MB'\n")
    found = {item.name.lower(): item for item in parse_conf(tmp_path)}
    assert found["work_mem"] == Setting("work_mem", "12MB", "postgresql.auto.conf")
    assert found["shared_buffers"].value == "128MB"
    assert found["cluster_name"].value == "it's 'me"
    assert found["port"].value == "1"
    assert found["random_page_cost"].value == "1.1"
    assert found["hnsw.ef_search"].value == "100"
    assert found["search_path"].value == '"$user", public'
    assert found["archive_command"].value is None
    assert "jit" not in found and "include_dir" not in found


def test_the_configuration_can_be_in_a_directory_of_its_own(tmp_path: Path) -> None:
    data, config, elsewhere = (tmp_path / name for name in ("data", "etc", "elsewhere"))
    for folder in (data, config / "conf.d", elsewhere):
        folder.mkdir(parents=True)
    (config / "postgresql.conf").write_text(
        f"data_directory = '{data}'\ninclude_dir = 'conf.d'\nwork_mem = '7MB'\ninclude '{elsewhere}/more.conf'\n"
    )
    (config / "conf.d" / "10-tuning.conf").write_text("random_page_cost = 1.1\n")
    (elsewhere / "more.conf").write_text("jit = off\n")
    (data / "postgresql.auto.conf").write_text("work_mem = '12MB'\n")
    unread: list[str] = []
    found = {item.name: item.value for item in parse_conf(data, unread, config)}
    assert found["work_mem"] == "12MB" and found["random_page_cost"] == "1.1" and "jit" not in found
    assert unread == [f"{elsewhere}/more.conf"]
    unread.clear()
    (data / "postgresql.conf").write_text(f"include '{config}/conf.d/10-tuning.conf'\n")
    assert "random_page_cost" not in {item.name for item in parse_conf(data, unread)}
    assert unread == [f"{config}/conf.d/10-tuning.conf"]


@pytest.mark.parametrize(
    ("name", "value", "action", "becomes"),
    [
        ("work_mem", "4MB", "keep", ""),
        ("wal_level", "logical", "keep", ""),
        ("DateStyle", "ISO, DMY", "keep", ""),
        ("TimeZone", "Europe/Berlin", "keep", ""),
        ("cluster_name", "prod", "keep", ""),
        ("hnsw.ef_search", "40", "keep", ""),
        ("archive_mode", "on", "set", "off"),
        ("archive_mode", "off", "keep", ""),
        ("archive_command", "x", "set", ""),
        ("primary_conninfo", "host=x", "set", ""),
        ("synchronous_standby_names", "*", "set", ""),
        ("max_logical_replication_workers", "4", "set", "0"),
        ("huge_pages", "on", "set", "try"),
        ("autovacuum", "on", "set", "off"),
        ("ssl", "on", "set", "off"),
        ("ssl_key_file", "k", "drop", ""),
        ("listen_addresses", "*", "drop", ""),
        ("data_directory", "/x", "drop", ""),
        ("log_statement", "all", "drop", ""),
        ("dynamic_library_path", "/x", "drop", ""),
        ("recovery_target_time", "x", "drop", ""),
        ("shared_preload_libraries", "vector, $libdir/pg_cron, nothing", "set", "vector"),
        ("shared_preload_libraries", "vector", "keep", ""),
        ("session_preload_libraries", "nothing", "set", ""),
        ("lc_messages", "tlh_KL", "set", "C"),
        ("lc_messages", "C.UTF-8", "keep", ""),
        ("shared_buffers", "16GB", "set", "2048MB"),
        ("shared_buffers", "262144", "keep", ""),
        ("shared_buffers", "2097152kB", "keep", ""),
        ("io_method", "io_uring", "set", "worker"),
        ("app.secret", "x", "drop", ""),
        ("cron.database_name", "x", "drop", ""),
        ("edb_stmt_level_tx", "on", "drop", ""),
    ],
)
def test_what_becomes_of_a_setting(engine: Engine, name: str, value: str, action: str, becomes: str) -> None:
    verdict = policy.judge(name, value, engine, memory=8 * GB)
    assert (verdict.action, verdict.value) == (action, becomes)
    assert bool(verdict.reason) == (action != "keep")


@pytest.mark.parametrize(
    ("text", "size"), [("128MB", 128 << 20), ("1.5GB", 3 * GB // 2), ("16384", 16384 * 8192), ("8kB", 8192), ("-1", 0)]
)
def test_amounts_of_memory(text: str, size: int) -> None:
    assert policy.memory_bytes(text, default_unit=8192) == size


@pytest.mark.parametrize("name", ["primary_conninfo", "archive_command", "app.jwt_secret", "app.x", "ssl_key_file"])
def test_what_may_be_secret_is_never_read(name: str) -> None:
    assert policy.is_secret(name)


@pytest.mark.parametrize("name", ["work_mem", "hnsw.ef_search", "password_encryption_x"])
def test_what_is_no_secret(name: str) -> None:
    assert policy.is_secret(name) == (name == "password_encryption_x")


def test_a_configuration_is_written_anew(tmp_path: Path, engine: Engine) -> None:
    data = cluster(tmp_path)
    for name in ("standby.signal", "recovery.signal", "server.key", "server.crt", "postmaster.opts", "log/x.log",
                 "backup_label.old", "pg_hba.conf", "patroni.dynamic.json", "postgresql.base.conf", "pg_stat/pgss.stat",
                 "pg_replslot/slot/state", "base/pgsql_tmp/t", "backup_label", "base/1/1259", "current_logfiles",
    ):  # fmt: skip
        (data / name).write_text("primary_conninfo = 'password=raw'")
    (data / "postgresql.conf").write_text("include '/etc/passwd'\n")
    (data / "postgresql.auto.conf").write_text("primary_conninfo = 'password=raw'\n")
    captured = [
        Setting("work_mem", "4MB", "configuration file"),
        Setting("search_path", 'it\'s, "$user"', "configuration file"),
        Setting("archive_command", None, "configuration file"),
        Setting("max_connections", "100", "configuration file"),
        Setting("shared_preload_libraries", "pg_cron", "configuration file"),
    ]
    changes = write_configuration(data, engine, [captured[0], *(item.plain() for item in captured[1:])],
                                  {"max_connections": "20", "jit": "off"})  # fmt: skip
    by_name = {change.name: change for change in changes}
    assert by_name["archive_command"].production == settings.HIDDEN and by_name["archive_command"].branch == ""
    assert (by_name["max_connections"].production, by_name["max_connections"].branch) == ("100", "20")
    assert (by_name["jit"].production, by_name["jit"].branch) == (None, "off")
    assert "scheduled jobs" in by_name["shared_preload_libraries"].reason
    assert "work_mem" not in by_name and all(change.reason for change in changes)
    assert {"file:standby.signal", "file:recovery.signal", "file:server.key", "file:server.crt", "file:log",
            "file:pg_replslot/*", "file:pg_stat/*", "file:patroni.dynamic.json"} <= by_name.keys()  # fmt: skip
    left = {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()}
    assert left == {"PG_VERSION", "backup_label", "base/1/1259", "postgresql.conf", "postgresql.auto.conf",
                    "pg_hba.conf", "pg_ident.conf"}  # fmt: skip
    text = "".join((data / name).read_text() for name in left if name.endswith(".conf"))
    assert "raw" not in text and "/etc/passwd" not in text
    again = {item.name: item.value for item in parse_conf(data)}
    assert again["work_mem"] == "4MB" and again["search_path"] == 'it\'s, "$user"'
    assert again["max_connections"] == "20" and again["shared_preload_libraries"] == ""
    assert all((data / name).stat().st_mode & 0o777 == 0o600 for name in left if name.endswith(".conf"))


def test_a_tidy_directory_stays_as_it_is(tmp_path: Path) -> None:
    data = cluster(tmp_path)
    assert len(tidy(data)) == 2  # log and the slot
    assert tidy(data) == ()


def test_locales_are_asked_of_the_c_library() -> None:
    assert policy.locale_exists("C.UTF-8") and policy.locale_exists("POSIX") and policy.locale_exists("")
    assert not policy.locale_exists("tlh_KL.UTF-8")
