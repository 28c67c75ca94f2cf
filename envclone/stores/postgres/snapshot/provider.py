"""A provider's own snapshot, restored to an instance of ours for the time of a dump: production gets no connection.

RDS restores a snapshot that is there already, Aurora clones its volume copy-on-write. What is made has a name of ours
and a tag, is noted in the pool before it is asked for, and is deleted whatever happens; a note that a killed command
left is settled by the next one.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import wait
from envclone.errors import BusyError, ConfigError, EnvcloneError, UnreachableError, UnsafeError
from envclone.extras import need
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Note, Notes, Progress
from envclone.stores.postgres.snapshot.access import dsn_of

if TYPE_CHECKING:
    from envclone.config.schema import ProviderConfig, StoreConfig

__all__ = ["obstacles_provider", "settle_note", "snapshot_provider", "temporary"]

TAG = {"Key": "envclone", "Value": "temporary"}
_PREFIX = "envclone-"
_POLL = 15.0
"""Seconds between two questions about a state that takes minutes to change."""
_EARLY = dt.timedelta(minutes=15)
"""A request of a killed command can still be under way so long."""
_CLASS = "db.t4g.medium"
"""Of an Aurora clone's instance, unless the stack file says otherwise: the cluster itself has none."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """Where the temporary instance answers, the moment of what it holds, and what was asked of the provider."""

    host: str
    port: int
    moment: dt.datetime
    asked: tuple[str, ...]


def snapshot_provider(
    name: str, config: StoreConfig, into: Path, progress: Progress, notes: Notes | None = None
) -> StoreSnapshot:
    """Dump a temporary instance that the provider makes of production's snapshot.

    Raises UnreachableError when the provider refuses, and what the dump raises; the instance is gone in each case, or
    its name is told.
    """
    from pydantic import SecretStr

    from envclone.stores.postgres.snapshot.logical.take import snapshot_logical

    asked = _asked_for(config)
    with temporary(asked, _client(asked), progress, notes) as found:
        dsn = _moved(dsn_of(config.source), found)
        source = config.source.model_copy(
            update={"method": "logical", "dsn": SecretStr(dsn), "password_command": None, "provider": None}
        )
        taken = snapshot_logical(name, config.model_copy(update={"source": source}), into, progress)
    return replace(
        taken,
        method="provider",
        consistent_at=found.moment,
        details={**taken.details, "ran": [*found.asked, *taken.ran]},
    )


def obstacles_provider(config: StoreConfig) -> list[EnvcloneError]:
    """Whether the provider answers and has what is asked for; nothing is made."""
    try:
        asked = _asked_for(config)
        client = _client(asked)
        with _told("describe"):
            _cluster(client, asked) if asked.kind == "aurora" else _newest(client, asked)
    except EnvcloneError as exc:
        return [exc]
    return []


@contextmanager
def temporary(
    asked: ProviderConfig, client: Any, progress: Progress, notes: Notes | None = None
) -> Iterator[Temporary]:
    """A temporary instance as long as the context. Raises UnreachableError, BusyError when it is not up in time."""
    ident = f"{_PREFIX}{secrets.token_hex(6)}"
    facts = {"kind": asked.kind, "instance": ident, "region": asked.region, "began": _now().isoformat()}
    with _noted(notes, facts) as note:
        try:
            with _told("restore"):
                moment, said = (_clone if asked.kind == "aurora" else _restore)(client, asked, ident)
            host, port = _up(client, asked, ident, progress)
            yield Temporary(host, port, moment, said)
        finally:
            _delete(client, asked.kind, ident, asked.wait.total_seconds())
            if note is not None:
                note.done()


def settle_note(config: StoreConfig, facts: Mapping[str, Any]) -> bool:
    """Delete the instance that a killed command left; False while its request can still be under way."""
    ident = str(facts.get("instance", ""))
    if not ident.startswith(_PREFIX):
        raise UnsafeError(f"the note names '{ident}', which no snapshot made", hint="remove the note")
    asked = _asked_for(config).model_copy(update={"kind": facts["kind"], "region": facts.get("region")})
    if not _delete(_client(asked), asked.kind, ident, asked.wait.total_seconds()):
        return _now() - dt.datetime.fromisoformat(str(facts["began"])) > _EARLY
    return True


def _restore(client: Any, asked: ProviderConfig, ident: str) -> tuple[dt.datetime, tuple[str, ...]]:
    """Ask for an instance of an RDS snapshot; its moment, and what was asked."""
    snapshot = _newest(client, asked)
    client.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=ident,
        DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"],
        DeletionProtection=False,
        MultiAZ=False,
        **_placed(asked),
    )
    moment: dt.datetime = snapshot["SnapshotCreateTime"]
    return moment.astimezone(dt.UTC), (f"rds restore-db-instance-from-db-snapshot {snapshot['DBSnapshotIdentifier']}",)


def _clone(client: Any, asked: ProviderConfig, ident: str) -> tuple[dt.datetime, tuple[str, ...]]:
    """Ask for a copy-on-write clone of an Aurora cluster, and an instance of it."""
    cluster = _cluster(client, asked)
    placed = _placed(asked)
    moment = cluster.get("LatestRestorableTime") or _now()
    client.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier=ident,
        SourceDBClusterIdentifier=asked.instance,
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
        DeletionProtection=False,
        Tags=[TAG],
        **{key: placed[key] for key in ("DBSubnetGroupName", "VpcSecurityGroupIds") if key in placed},
    )
    client.create_db_instance(
        DBInstanceIdentifier=ident,
        DBClusterIdentifier=ident,
        DBInstanceClass=asked.instance_class or _CLASS,
        Engine=cluster["Engine"],
        PubliclyAccessible=False,
        Tags=[TAG],
    )
    return moment.astimezone(dt.UTC), (f"rds restore-db-cluster-to-point-in-time {asked.instance} copy-on-write",)


def _placed(asked: ProviderConfig) -> dict[str, Any]:
    given = {
        "DBInstanceClass": asked.instance_class,
        "DBSubnetGroupName": asked.subnet_group,
        "VpcSecurityGroupIds": asked.security_groups,
    }
    return {"PubliclyAccessible": False, "Tags": [TAG], **{key: value for key, value in given.items() if value}}


def _newest(client: Any, asked: ProviderConfig) -> dict[str, Any]:
    """The snapshot that the stack file names, or the instance's newest. Raises UnreachableError without any."""
    pages = client.get_paginator("describe_db_snapshots").paginate(
        DBInstanceIdentifier=asked.instance, **({"DBSnapshotIdentifier": asked.snapshot} if asked.snapshot else {})
    )
    ready = [one for page in pages for one in page["DBSnapshots"] if one["Status"] == "available"]
    if not ready:
        raise UnreachableError(
            f"the instance '{asked.instance}' has no snapshot" + (f" '{asked.snapshot}'" if asked.snapshot else ""),
            hint="turn on automated backups, or take one: aws rds create-db-snapshot",
        )
    newest: dict[str, Any] = max(ready, key=lambda one: one["SnapshotCreateTime"])
    _require_postgres(newest, asked)
    return newest


def _cluster(client: Any, asked: ProviderConfig) -> dict[str, Any]:
    found: dict[str, Any] = client.describe_db_clusters(DBClusterIdentifier=asked.instance)["DBClusters"][0]
    _require_postgres(found, asked)
    return found


def _require_postgres(found: Mapping[str, Any], asked: ProviderConfig) -> None:
    if "postgres" not in str(found["Engine"]):
        raise ConfigError(f"'{asked.instance}' is a {found['Engine']}, not a PostgreSQL")


def _up(client: Any, asked: ProviderConfig, ident: str, progress: Progress) -> tuple[str, int]:
    """Wait until the instance is available; its address."""
    state = ""

    def probe() -> tuple[str, int] | None:
        nonlocal state
        with _told("describe-db-instances"):
            one = client.describe_db_instances(DBInstanceIdentifier=ident)["DBInstances"][0]
        state = str(one["DBInstanceStatus"])
        progress(ProgressEvent(f"restoring {asked.instance} at the provider ({state})", 0))
        if state in ("failed", "incompatible-restore", "incompatible-network", "incompatible-parameters"):
            raise UnreachableError(f"the provider could not restore {asked.instance}: {state}", hint="see its events")
        endpoint = one.get("Endpoint") or {}
        return (str(endpoint["Address"]), int(endpoint["Port"])) if state == "available" and endpoint else None

    return wait.until(
        probe, what="the temporary instance was not available", timeout=asked.wait.total_seconds(), interval=_POLL,
        longest=_POLL, diagnosis=lambda: state, error=BusyError, hint="provider.wait gives it longer",
    )  # fmt: skip


def _delete(client: Any, kind: str, ident: str, seconds: float) -> bool:
    """Delete what was made under a name; False when nothing is there. Waits while the provider will not have it yet.

    Raises UnreachableError naming it when it cannot be deleted; its note stays then.
    """
    found = False

    def gone(operation: str, **given: Any) -> bool | None:
        nonlocal found
        from botocore.exceptions import ClientError

        try:
            getattr(client, operation)(**given)
            found = True
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code"))
            if "NotFound" in code:
                return True
            found = True
            if "Invalid" in code and "State" in code:  # it is being made, or deleted already
                return None
            raise
        return True

    operations: list[tuple[str, dict[str, Any]]] = [
        ("delete_db_instance", {"DBInstanceIdentifier": ident, "SkipFinalSnapshot": True})
    ]
    if kind == "aurora":
        operations.append(("delete_db_cluster", {"DBClusterIdentifier": ident, "SkipFinalSnapshot": True}))
    else:
        operations[0][1]["DeleteAutomatedBackups"] = True
    try:
        with _told("delete"):
            for operation, given in operations:
                wait.until(
                    lambda operation=operation, given=given: gone(operation, **given),  # type: ignore[misc]
                    what=f"the provider did not delete {ident}", timeout=seconds, interval=_POLL, longest=_POLL,
                )  # fmt: skip
    except EnvcloneError as exc:
        raise UnreachableError(
            f"the temporary instance '{ident}' is still there: {exc.message}",
            hint="the next snapshot and envclone gc delete it; else: aws rds delete-db-instance --skip-final-snapshot"
            f" --db-instance-identifier {ident}",
        ) from exc
    return found


@contextmanager
def _noted(notes: Notes | None, facts: Mapping[str, Any]) -> Iterator[Note | None]:
    if notes is None:
        yield None
        return
    with notes.begin(facts) as note:
        yield note


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The provider's refusal as an error of ours: its code, for its text can name accounts."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        code = exc.response.get("Error", {}).get("Code")
        raise UnreachableError(
            f"AWS refuses to {what}: {code}", hint="docs/production.md has the rights that it takes"
        ) from None
    except BotoCoreError as exc:
        raise UnreachableError(
            f"AWS cannot be asked: {type(exc).__name__}", hint="aws sts get-caller-identity shows who you are there"
        ) from None


def _asked_for(config: StoreConfig) -> ProviderConfig:
    if config.source.provider is None or config.source.dsn is None:
        raise ConfigError("the source lacks provider or dsn", hint="method: provider needs both")
    return config.source.provider


def _client(asked: ProviderConfig) -> Any:
    need("boto3", "aws", "a provider's snapshot")
    import boto3

    with _told("connect"):
        return boto3.client("rds", region_name=asked.region)


def _moved(dsn: str, found: Temporary) -> str:
    """The DSN with the temporary instance's address: nothing in it leads to production any more."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parameters = {key: value for key, value in conninfo_to_dict(dsn).items() if key not in ("hostaddr", "service")}
    return make_conninfo("", **{**parameters, "host": found.host, "port": found.port})


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
