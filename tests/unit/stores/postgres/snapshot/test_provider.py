"""A provider's snapshot restored to a temporary instance: gone whatever happens, and production is not asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from envclone.config.schema import StoreConfig
from envclone.errors import ConfigError, UnreachableError, UnsafeError
from envclone.models import StoreSnapshot
from envclone.stores.postgres.snapshot import provider
from envclone.stores.postgres.store import PostgresStore

boto3 = pytest.importorskip("boto3", reason="make setup installs what the lock has")
mock_aws = pytest.importorskip("moto", reason="make setup installs what the lock has").mock_aws

MASTER = {"MasterUsername": "master", "MasterUserPassword": "passw0rd-of-nobody"}


@pytest.fixture(autouse=True)
def rds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account with an instance, a cluster of Aurora, and a MySQL."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(provider, "_POLL", 0.001)
    with mock_aws():
        client = boto3.client("rds", region_name="eu-central-1")
        for name, engine in (("prod", "postgres"), ("shop", "mysql")):
            client.create_db_instance(
                DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine=engine, AllocatedStorage=20, **MASTER
            )
        client.create_db_cluster(DBClusterIdentifier="aurora", Engine="aurora-postgresql", **MASTER)
        yield client


class Book:
    """Notes that are kept in a list; what is not done stays."""

    def __init__(self) -> None:
        self.open: list[dict[str, Any]] = []

    @contextmanager
    def begin(self, facts: Any) -> Iterator[Any]:
        self.open.append(dict(facts))
        yield self

    def add(self, facts: Any) -> None:
        self.open[-1].update(facts)

    def done(self) -> None:
        self.open.pop()


def config(**given: Any) -> StoreConfig:
    asked = {"kind": "rds", "instance": "prod", "region": "eu-central-1", "wait": "30s", **given}
    source = {
        "method": "provider",
        "dsn": "postgresql://reader:word@prod.internal/app?hostaddr=10.0.0.1",
        "provider": asked,
    }
    return StoreConfig.model_validate({"kind": "postgres", "source": source})


def there(client: Any) -> set[str]:
    clusters = {one["DBClusterIdentifier"] for one in client.describe_db_clusters()["DBClusters"]}
    return {one["DBInstanceIdentifier"] for one in client.describe_db_instances()["DBInstances"]} | clusters


BEFORE = {"prod", "shop", "aurora"}


def dumped(monkeypatch: pytest.MonkeyPatch, seen: list[Any], fail: BaseException | None = None) -> None:
    """In the place of the dump: what it is asked for."""
    from envclone.stores.postgres.snapshot.logical import take

    def dump(name: str, config: StoreConfig, into: Path, progress: Any) -> StoreSnapshot:
        client = boto3.client("rds", region_name="eu-central-1")
        extra = there(client) - BEFORE
        tags = [one.get("TagList") for one in client.describe_db_instances()["DBInstances"]
                if one["DBInstanceIdentifier"] in extra]  # fmt: skip
        seen.append((extra, tags, config))
        if fail is not None:
            raise fail
        now = dt.datetime.now(dt.UTC)
        details = {"fidelity": "rebuilt", "ran": ["pg_dump"]}
        return StoreSnapshot(name, "postgres", "logical", "18.4", now, 1.0, 1, 1, details=details)

    monkeypatch.setattr(take, "snapshot_logical", dump)


@pytest.mark.parametrize(("kind", "instance"), [("rds", "prod"), ("aurora", "aurora")])
def test_the_dump_reads_a_temporary_instance_alone(
    rds: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, instance: str
) -> None:
    seen: list[Any] = []
    dumped(monkeypatch, seen)
    book = Book()
    taken = PostgresStore().snapshot_noting(
        "main", config(kind=kind, instance=instance), tmp_path, lambda event: None, book
    )
    ((names, tags, asked),) = seen
    assert len(names) == 1 and tags == [[provider.TAG]]
    parameters = conninfo_to_dict(asked.source.dsn.get_secret_value())
    assert parameters["host"].startswith(names.pop()) and "prod.internal" not in str(parameters)
    assert {"hostaddr", "service"}.isdisjoint(parameters) and parameters["user"] == "reader"
    assert taken.method == "provider" and taken.rebuilt and taken.ran[-1] == "pg_dump" and len(taken.ran) == 2
    assert there(rds) == BEFORE and book.open == []


@pytest.mark.parametrize(("kind", "failure"), [("rds", KeyboardInterrupt()), ("aurora", UnreachableError("x"))])
def test_it_is_gone_whatever_happens(
    rds: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, failure: BaseException
) -> None:
    dumped(monkeypatch, [], failure)
    book = Book()
    instance = {"rds": "prod", "aurora": "aurora"}[kind]
    with pytest.raises(type(failure)):
        provider.snapshot_provider("main", config(kind=kind, instance=instance), tmp_path, lambda event: None, book)
    assert there(rds) == BEFORE and book.open == []


def test_what_a_killed_command_left_is_settled(rds: Any) -> None:
    store, ident = PostgresStore(), "envclone-00aa"
    facts = {"kind": "rds", "instance": ident, "region": "eu-central-1", "began": dt.datetime.now(dt.UTC).isoformat()}
    assert store.settle_note(config(), facts) is False, "its request can still be under way"
    rds.create_db_instance(
        DBInstanceIdentifier=ident, DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20, **MASTER
    )
    assert store.settle_note(config(), facts) is True
    assert there(rds) == BEFORE
    assert store.settle_note(config(), {**facts, "began": "2026-01-01T00:00:00+00:00"}) is True
    with pytest.raises(UnsafeError, match="names 'prod'"):
        store.settle_note(config(), {**facts, "instance": "prod"})
    assert there(rds) == BEFORE


def test_one_that_cannot_be_deleted_keeps_its_note_and_is_named(
    rds: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dumped(monkeypatch, [])
    from botocore.exceptions import ClientError

    book, states = Book(), iter(["InvalidDBInstanceState", "InvalidDBInstanceState", "AccessDenied"])

    class Stubborn:
        def __getattr__(self, name: str) -> Any:
            return getattr(rds, name)

        def delete_db_instance(self, **given: Any) -> None:
            raise ClientError({"Error": {"Code": next(states)}}, "DeleteDBInstance")

    monkeypatch.setattr(provider, "_client", lambda asked: Stubborn())
    with pytest.raises(UnreachableError, match=r"'envclone-\w+' is still there: AWS refuses to delete: AccessDenied"):
        provider.snapshot_provider("main", config(), tmp_path, lambda event: None, book)
    assert len(book.open) == 1 and book.open[0]["instance"] in there(rds)


def test_what_is_not_there_is_told_before_anything_is_made(rds: Any, tmp_path: Path) -> None:
    store = PostgresStore()
    assert store.obstacles(config(), tmp_path) == []
    assert store.foreseen("main", config()) is None, "production is not asked"
    for given, kind, said in (
        ({"instance": "nope"}, UnreachableError, "has no snapshot|DBInstanceNotFound"),
        ({"snapshot": "nope"}, UnreachableError, "NotFound|no snapshot 'nope'"),
        ({"instance": "shop"}, ConfigError, "is a mysql"),
        ({"kind": "aurora", "instance": "nope"}, UnreachableError, "DBClusterNotFound"),
    ):
        (problem,) = store.obstacles(config(**given), tmp_path)
        assert isinstance(problem, kind)
        with pytest.raises(kind, match=said):
            raise problem
    assert there(rds) == BEFORE
