"""What passes by itself is tried again until the deadline; what does not is one line with its remedy."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from envclone.errors import BusyError, UnreachableError, UsageError
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.refusals import Refusal
from envclone.runtimes.kubernetes.waiting import until
from tests.support.cluster.faults import Fault
from tests.support.cluster.server import Api


def _map(name: str = "one", namespace: str = "here", **labels: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}}


@pytest.fixture(autouse=True)
def here(api: Api) -> None:
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}})


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(api: Api, cluster: Cluster, status: int) -> None:
    api.faults.add(Fault("POST", "configmaps", status=status, times=2))
    cluster.create(_map())
    assert api.faults.happened == 2 and len(api.all("configmaps")) == 1


def test_a_retry_after_is_waited_for(api: Api, cluster: Cluster) -> None:
    import time

    api.faults.add(Fault("GET", "configmaps", status=429, retry_after=1))
    began = time.monotonic()
    cluster.list("ConfigMap", "here")
    assert time.monotonic() - began >= 1.0


def test_the_deadline_ends_it(api: Api) -> None:
    api.faults.add(Fault("GET", "configmaps", status=503, times=1000, message="etcd is slow"))
    with connect(None, deadline=0.5) as cluster, pytest.raises(Refusal, match="etcd is slow"):
        cluster.list("ConfigMap", "here")


def test_a_create_whose_answer_was_lost_is_made_once(api: Api, cluster: Cluster) -> None:
    api.faults.add(Fault("POST", "configmaps", after=True))
    there = cluster.create(_map(mine="yes"))
    assert there["data"] == {"a": "1"} and len(api.all("configmaps")) == 1
    with pytest.raises(BusyError, match="it is not this branch's"):
        cluster.create(_map(mine="no"))


def test_a_delete_whose_answer_was_lost_was_one(api: Api, cluster: Cluster) -> None:
    cluster.create(_map())
    api.faults.add(Fault("DELETE", "configmaps", after=True))
    assert cluster.delete("ConfigMap", "one", "here") is True
    assert cluster.delete("ConfigMap", "one", "here") is False


def test_a_conflict_is_tried_again_where_nothing_was_read_before(api: Api, cluster: Cluster) -> None:
    cluster.create(_map())
    api.faults.add(Fault("PATCH", "configmaps", status=409, reason="Conflict", times=2))
    assert cluster.patch("ConfigMap", "one", {"data": {"a": "2"}}, "here")["data"] == {"a": "2"}
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"a": "3"}}
    with connect(None, deadline=0.3) as short, pytest.raises(Refusal, match="somebody else changed it"):
        short.patch("ConfigMap", "one", stale, "here")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("exceeded quota: q, requested: pods=1", "a quota of the cluster is used up"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": hostPath', "pod security refuses"),
        ("unable to create new content in namespace n because it is being terminated", "is still being removed"),
        ('admission webhook "p.example" denied the request: no', "an admission policy"),
        ('configmaps is forbidden: User "me" cannot create', "this login may not"),
    ],
)
def test_refusals_are_one_line_with_a_remedy(api: Api, cluster: Cluster, message: str, words: str) -> None:
    api.faults.add(Fault("POST", "configmaps", status=403, reason="Forbidden", message=message))
    with pytest.raises(Refusal, match=words) as caught:
        cluster.create(_map())
    assert caught.value.hint and "\n" not in caught.value.message and api.faults.happened == 1


def test_a_login_that_is_not_known(api: Api, cluster: Cluster) -> None:
    api.token = "another"
    with pytest.raises(Refusal, match="does not know this login"):
        cluster.list("ConfigMap", "here")


def test_a_cluster_that_is_not_there(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="has not the context 'nowhere'"):
        connect("nowhere")
    api.url = "http://127.0.0.1:1"
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "other")))
    with connect(None, deadline=0.2) as cluster, pytest.raises(UnreachableError, match="does not answer"):
        cluster.version()


def _value(document: dict[str, Any] | None) -> str | None:
    value = (document or {}).get("data", {}).get("a")
    return value if value == "9" else None


@pytest.mark.parametrize("fault", ["none", "expired", "cut"])
def test_a_wait_sees_a_change_also_when_its_watch_ends(api: Api, cluster: Cluster, fault: str) -> None:
    cluster.create(_map())
    if fault == "cut":
        api.faults.add(Fault("GET", "watch=1", times=2))
    if fault == "expired":
        api.store.expire()
        api.store.oldest += 1  # also what was just read is too old
    timer = threading.Timer(0.3, lambda: cluster.patch("ConfigMap", "one", {"data": {"a": "9"}}, "here"))
    timer.start()
    assert until(cluster, "ConfigMap", "one", "here", _value, what="it was not 9", timeout=10) == "9"
    timer.join()


def test_a_wait_ends_with_what_was_seen(api: Api, cluster: Cluster) -> None:
    cluster.create(_map())
    with pytest.raises(UnreachableError, match=r"it was not 9 within 0\.2 s; last seen: a 1"):
        until(cluster, "ConfigMap", "one", "here", _value, what="it was not 9", timeout=0.2, seen=lambda: "a 1")


def test_rights_and_versions(api: Api, cluster: Cluster) -> None:
    assert cluster.version() == (1, 37) and cluster.serves("VolumeSnapshot")
    assert cluster.allowed("create", "Namespace")
    api.denied.add(("create", "namespaces"))
    assert not cluster.allowed("create", "Namespace")
    api.crds = False
    assert not cluster.serves("VolumeSnapshot")
