"""Doctor says what a cluster lacks, each with its remedy, and makes nothing there."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.config.cluster import KubernetesConfig
from envclone.doctor import Finding
from envclone.runtimes.kubernetes import health
from tests.support.cluster.server import Api
from tests.unit.runtimes.kubernetes.conftest import SETTINGS


def _found(**changed: Any) -> dict[str, Finding]:
    return {one.name: one for one in health.examine(KubernetesConfig.model_validate({**SETTINGS, **changed}))}


@pytest.fixture(autouse=True)
def classes(api: Api) -> None:
    api.put(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "fast"},
            "provisioner": "csi.example",
        }
    )
    for name, driver in (("snaps", "csi.example"), ("others", "another.example")):
        api.put(
            {
                "apiVersion": "snapshot.storage.k8s.io/v1",
                "kind": "VolumeSnapshotClass",
                "metadata": {"name": name},
                "driver": driver,
                "deletionPolicy": "Retain",
            }
        )


def test_a_cluster_that_has_all(api: Api) -> None:
    before = api.store.version
    found = _found(snapshot_class="snaps")
    assert all(one.ok for one in found.values()), found
    assert found["cluster"].detail.startswith("Kubernetes 1.37 at http://127.0.0.1:")
    assert api.store.version == before


def test_what_is_missing_is_said(api: Api) -> None:
    api.version = "1.33"
    api.denied |= {("create", "namespaces"), ("get", "pods/portforward"), ("get", "nodes/proxy")}
    found = _found(snapshot_class="others")
    assert found["cluster"].ok is False and found["cluster snapshots"].ok is True
    assert found["cluster snapshot class"].detail == "others of another.example, which is not the storage's driver"
    assert found["cluster rights"].detail == "this login lacks: create namespaces, get pods/portforward"
    assert found["cluster counters"].ok is None
    assert all(one.remedy for one in found.values() if one.ok is not True)
    api.crds = False
    found = _found(storage_class="slow")
    assert found["cluster snapshots"].ok is False and found["cluster storage"].ok is False
    assert _found(storage_class=None)["cluster storage"].detail == "there is not a default StorageClass"


def test_a_cluster_that_does_not_answer(api: Api) -> None:
    api.token = "another"
    found = _found()
    assert found["cluster"].ok is False and "does not know this login" in found["cluster"].detail
    assert _found(context="nowhere")["cluster"].ok is False
