"""How production is reached: TLS that is verified, passwords from files and commands, a standby, few sessions."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from envclone import process, wait
from envclone.accounts import hand_over, service_account
from envclone.errors import UnreachableError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.stores.postgres.server import server, settings
from envclone.stores.postgres.snapshot.logical.take import snapshot_logical
from envclone.stores.postgres.snapshot.source import snapshot_physical
from tests.support.ports import unused_port
from tests.support.postgres import PASSWORD, Production, production, scratch
from tests.support.sourced import traces


def certificate(folder: Path, name: str) -> None:
    """A key and a certificate of localhost that signs itself, as `NAME.key` and `NAME.crt`."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    (folder / f"{name}.key").chmod(0o600)


@dataclass(frozen=True)
class Pair:
    """A primary and its standby, both behind TLS; `folder` holds the certificates."""

    primary: Production
    standby: Production
    folder: Path


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    account = service_account()
    with production(17, {"wal_keep_size": "64MB", "log_connections": "on"}) as primary, scratch() as folder:
        primary.create_database("app")
        primary.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people SELECT i, 'x' || i"
            " FROM generate_series(1, 1000) i; CREATE UNLOGGED TABLE scratch AS SELECT 1 AS one",
            "app",
        )
        primary.execute("CREATE ROLE copier LOGIN REPLICATION PASSWORD 'first-word'; GRANT pg_monitor TO copier")
        primary.execute("CREATE ROLE reader LOGIN PASSWORD 'second-word'; GRANT pg_read_all_data TO reader")
        for name in ("server", "other"):
            certificate(folder, name)
        for name in ("server.crt", "server.key"):
            (primary.data / name).write_bytes((folder / name).read_bytes())
            (primary.data / name).chmod(0o600)
            hand_over(primary.data / name, account)
        hba = primary.data / "pg_hba.conf"
        hba.write_text(hba.read_text().replace("host ", "hostssl "))
        primary.execute("ALTER SYSTEM SET ssl = on")
        primary.execute("SELECT pg_reload_conf()")
        wait.until(lambda: True if primary.execute("SHOW ssl") == [("on",)] else None, what="no TLS", timeout=30)
        data = folder / "standby"
        data.mkdir(mode=0o700)
        hand_over(data, account)
        process.run(
            [primary.engine.program("pg_basebackup"), "-D", data, "-R", "-c", "fast", "-h", "127.0.0.1", "-p",
             str(primary.port), "-U", "postgres"],
            env={"PGPASSWORD": PASSWORD, "PGSSLMODE": "require", "PGSSLCERT": "/nonexistent/none"}, account=account,
        )  # fmt: skip
        port = unused_port()
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(f"port = {port}\n")
        log = folder / "server.log"
        log.touch(mode=0o600)
        hand_over(log, account)
        folder.chmod(0o711)
        standby = Production(
            primary.dsn.replace(str(primary.port), str(port)), data, primary.socket_dir, port, primary.engine, PASSWORD
        )
        standby.start()
        followed = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        wait.until(lambda: True if primary.execute(followed) == [(1,)] else None, what="no standby", timeout=60)
        try:
            yield Pair(primary, standby, folder)
        finally:
            standby.stop()


def arguments() -> str:
    """The command lines of all processes."""
    said = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(said)


def rows(place: Path, snapshot: StoreSnapshot, prod: Production) -> int:
    """How many people a snapshot's server shows."""
    hand_over(place / "into", service_account())
    data = place / "into" / "data"
    settings.write_configuration(data, prod.engine, ())
    running = server.start(prod.engine, data, socket_dir=server.socket_dir_for(data), log=place / "log")
    try:
        with server.connect(running, "app", snapshot.details["superuser"]) as conn:
            row = conn.execute("SELECT count(*) FROM public.people").fetchone()
            return int(row[0]) if row else 0
    finally:
        server.stop(data)


def test_a_standby_by_a_service_file_with_a_verified_server(
    pair: Pair, place: Path, store_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = traces(pair.primary)
    services = place / "services"
    words = {"host": "localhost", "hostaddr": "127.0.0.1", "port": pair.standby.port, "user": "copier",
             "dbname": "app", "sslmode": "verify-full", "sslrootcert": pair.folder / "server.crt"}  # fmt: skip
    services.write_text("[replica]\n" + "".join(f"{key}={value}\n" for key, value in words.items()))
    passwords = place / "pgpass"
    passwords.write_text(f"*:{pair.standby.port}:*:copier:first-word\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    (place / "into").mkdir(mode=0o700)
    seen: list[str] = []

    def look(event: ProgressEvent) -> None:
        if event.unit == "bytes":
            seen.append(arguments())

    config = store_config(method="physical", dsn="service=replica", max_rate="12m")
    snapshot = snapshot_physical("main", config, place / "into", look)
    assert any("--max-rate=12288k" in text for text in seen), "looked at too late"
    assert not any("first-word" in text for text in seen)
    assert "--max-rate=12288k" in snapshot.ran[0] and "first-word" not in str(snapshot.details)
    assert abs((snapshot.consistent_at - dt.datetime.now(dt.UTC)).total_seconds()) < 120
    assert rows(place, snapshot, pair.standby) == 1000
    assert traces(pair.primary) == before
    assert pair.standby.execute("SELECT count(*) FROM pg_replication_slots") == [(0,)]
    services.write_text(services.read_text().replace("server.crt", "other.crt"))
    (place / "again").mkdir()
    with pytest.raises(UnreachableError, match="certificate verify failed") as caught:
        snapshot_physical("main", config, place / "again", look)
    assert "first-word" not in str(caught.value)


def test_a_dump_of_a_standby_with_the_password_of_a_command(pair: Pair, place: Path, store_config: Any) -> None:
    before = traces(pair.primary)
    dsn = (
        f"host=localhost hostaddr=127.0.0.1 port={pair.standby.port} user=reader dbname=app sslmode=verify-full"
        f" sslrootcert={pair.folder / 'server.crt'}"
    )
    words = [sys.executable, "-c", "print('second-word')"]
    config = store_config(method="logical", dsn=dsn, password_command=words)
    (place / "into").mkdir(mode=0o700)
    seen: list[str] = []
    snapshot = snapshot_logical("main", config, place / "into", lambda event: seen.append(arguments()))
    assert seen and not any("second-word" in text.replace("print('second-word')", "") for text in seen)
    log = (pair.folder / "server.log").read_text()
    sessions = re.findall(r"authorized: user=reader database=app application_name=(.*?) SSL enabled", log)
    assert len(sessions) == log.count("authorized: user=reader")
    assert {*sessions} == {"envclone", "envclone pg_dump"} and sessions.count("envclone pg_dump") == 3
    assert "a standby has no rows of unlogged tables: public.scratch are empty here" in snapshot.warnings
    assert rows(place, snapshot, pair.standby) == 1000
    assert traces(pair.primary) == before
