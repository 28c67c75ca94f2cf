"""Production's volumes found in every way that there is, and each refusal with its remedy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envclone.config.schema import VolumeConfig
from envclone.errors import ConfigError, EnvcloneError, ResourceError, UnreachableError, UnsafeError, UsageError
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.quarantine.find import Claim, claims
from tests.unit.runtimes.kubernetes.quarantine.conftest import DATA, World


@pytest.fixture
def cluster(world: World) -> Iterator[Cluster]:
    with connect(None, deadline=5.0) as made:
        yield made


def _found(asked: Cluster, /, **config: object) -> list[Claim]:
    return claims(asked, "main", VolumeConfig.model_validate({"namespace": "shop", **config}))


def test_a_pod_s_one_volume_is_its_data(world: World, cluster: Cluster) -> None:
    world.claim("data-db-0")
    world.pod(data=("data-db-0", DATA))
    (one,) = _found(cluster, pod="db-0")
    assert (one.role, one.name, one.driver, one.volume, one.bytes, one.mount) == (
        "data", "data-db-0", "stand-in", "of-data-db-0", 1 << 30, DATA,
    )  # fmt: skip


def test_of_several_volumes_the_stack_file_says_which(world: World, cluster: Cluster) -> None:
    for name in ("data-db-0", "wal-db-0", "tmp-db-0"):
        world.claim(name)
    world.pod(data=("data-db-0", DATA), wal=("wal-db-0", "/var/lib/postgresql/wal"), tmp=("tmp-db-0", "/scratch"))
    with pytest.raises(ConfigError, match="which volume of the store 'main' holds its data is not clear"):
        _found(cluster, pod="db-0")
    found = _found(cluster, pod="db-0", data="data", wal="wal-db-0")
    assert [(one.role, one.name) for one in found] == [("data", "data-db-0"), ("wal", "wal-db-0")]
    assert found[1].mount == "/var/lib/postgresql/wal"


def _set(world: World, **spec: object) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    world.api.put(
        {
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"serviceName": "db", "selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
        }
    )  # fmt: skip


def test_a_statefulset_s_pod(world: World, cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="no StatefulSet 'db'"):
        _found(cluster, statefulset="db")
    _set(world)
    world.claim("data-db-0")
    world.pod(data=("data-db-0", DATA))
    assert [one.name for one in _found(cluster, statefulset="db")] == ["data-db-0"]
    with pytest.raises(UsageError, match="no pod 'db-3'"):
        _found(cluster, statefulset="db", replica=3)


def _operator(world: World, **status: str) -> None:
    world.api.put(
        {
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
            "metadata": {"name": "shop-db", "namespace": "shop"}, "spec": {}, "status": status,
        }
    )  # fmt: skip


def test_an_operator_s_primary_is_taken_and_never_a_standby(world: World, cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="no CloudNativePG cluster"):
        _found(cluster, cluster="shop-db")
    _operator(world, currentPrimary="shop-db-2", targetPrimary="shop-db-2")
    for name, instance, role in (
        ("shop-db-1", "shop-db-1", "PG_DATA"), ("shop-db-2", "shop-db-2", "PG_DATA"),
        ("shop-db-2-wal", "shop-db-2", "PG_WAL"),
    ):  # fmt: skip
        labels = {"cnpg.io/cluster": "shop-db", "cnpg.io/instanceName": instance, "cnpg.io/pvcRole": role}
        world.claim(name, labels)
    assert [(one.role, one.name) for one in _found(cluster, cluster="shop-db")] == [
        ("data", "shop-db-2"), ("wal", "shop-db-2-wal"),
    ]  # fmt: skip


def test_a_switchover_is_waited_out_by_who_asks(world: World, cluster: Cluster) -> None:
    _operator(world, currentPrimary="shop-db-1", targetPrimary="shop-db-2")
    with pytest.raises(UnreachableError, match="changing its primary: shop-db-1 now, shop-db-2 next"):
        _found(cluster, cluster="shop-db")


def test_tablespaces_of_an_operator_are_refused(world: World, cluster: Cluster) -> None:
    _operator(world, currentPrimary="shop-db-1")
    labels = {"cnpg.io/cluster": "shop-db", "cnpg.io/instanceName": "shop-db-1"}
    world.claim("shop-db-1", labels | {"cnpg.io/pvcRole": "PG_DATA"})
    world.claim("shop-db-1-tbs", labels | {"cnpg.io/pvcRole": "PG_TABLESPACE"})
    with pytest.raises(UnsafeError, match="tablespaces on volumes of their own"):
        _found(cluster, cluster="shop-db")


def test_volumes_by_their_labels_also_of_no_pod(world: World, cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="has the labels"):
        _found(cluster, labels={"app": "db"})
    world.claim("plain", {"app": "db"})
    assert [(one.name, one.mount) for one in _found(cluster, labels={"app": "db"})] == [("plain", "")]
    world.pod(data=("plain", DATA))
    assert [(one.name, one.mount) for one in _found(cluster, labels={"app": "db"})] == [("plain", DATA)]


def test_a_volume_of_no_driver(world: World, cluster: Cluster) -> None:
    world.claim("plain", hostPath={"path": "/srv"})
    world.pod(data=("plain", DATA))
    with pytest.raises(ResourceError, match=r"of no CSI driver \(hostPath\)") as caught:
        _found(cluster, pod="db-0")
    assert caught.value.hint and "physical" in caught.value.hint


@pytest.mark.parametrize("config", [{}, {"pod": "a", "cluster": "b"}, {"labels": {}}, {"pod": "a", "folder": "../x"}])
def test_a_source_that_is_not_clear_is_refused_with_the_file(world: World, config: dict[str, object]) -> None:
    import json

    with pytest.raises(EnvcloneError):
        world.stack(", ".join(f"{key}: {json.dumps(value)}" for key, value in config.items()) or "replica: 0")
