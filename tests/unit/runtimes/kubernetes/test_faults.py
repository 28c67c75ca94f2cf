"""What a cluster does wrong in the middle of a start or a wait: it passes in time, or is said in one line."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
import urllib3

from envclone.config.services import ServiceConfig
from envclone.errors import ConfigError, EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.runtimes.kubernetes import diagnosis, plan
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.refusals import Refusal, distrusted
from envclone.runtimes.kubernetes.waiting import until
from tests.support.cluster.controllers import Fate
from tests.support.cluster.faults import Fault
from tests.support.cluster.server import Api
from tests.unit.runtimes.kubernetes.conftest import DIGEST, LOGIN, SETTINGS, World


def _one_line(exc: EnvcloneError) -> None:
    assert exc.message and "\n" not in exc.message and exc.hint, exc


@pytest.mark.parametrize("status", [0, 500, 503])
def test_an_api_that_is_away_in_a_wait_is_waited_for(api: Api, status: int) -> None:
    """Longer than one request is tried again for: what is waited for has a deadline of its own."""
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}})
    away = Fault("GET", "configmaps", status=status, times=10**6)
    api.faults.add(away)

    def back() -> None:
        away.times = 0
        meta = {"name": "one", "namespace": "here"}
        api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})

    timer = threading.Timer(1.5, back)
    timer.start()
    with connect(None, deadline=0.2) as cluster:
        found = until(cluster, "ConfigMap", "one", "here", lambda one: one, what="it was not there", timeout=20)
        assert found["metadata"]["name"] == "one"
        away.times = 10**6
        with pytest.raises(EnvcloneError) as caught:
            until(cluster, "ConfigMap", "two", "here", lambda one: one, what="it was not there", timeout=0.5)
    timer.join()
    _one_line(caught.value)


def test_a_right_that_is_taken_away_ends_a_wait_at_once(api: Api, cluster: Cluster) -> None:
    api.faults.add(Fault("GET", "configmaps", status=403, reason="Forbidden", message="no", times=10))
    began = time.monotonic()
    with pytest.raises(Refusal, match="this login may not"):
        until(cluster, "ConfigMap", "one", "here", lambda one: one, what="it was not there", timeout=60)
    assert time.monotonic() - began < 20


def test_a_list_whose_next_page_is_forgotten_begins_again(api: Api, cluster: Cluster) -> None:
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}})
    for number in range(501):
        meta = {"name": f"m{number:03}", "namespace": "here"}
        api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
    gone = Fault("GET", "continue", status=410, reason="Expired", message="the continue parameter is too old", times=1)
    api.faults.add(gone)
    found = [one["metadata"]["name"] for one in cluster.list("ConfigMap", "here")]
    assert gone.times == 0 and len(found) == len(set(found)) == 501


@pytest.mark.parametrize(
    ("status", "message", "words", "times"),
    [
        (403, 'admission webhook "p.example" denied the request: no', "an admission policy", 1),
        (406, 'admission webhook "p.example" denied the request: no', "an admission policy", 1),
        (409, 'admission webhook "p.example" denied the request: no', "an admission policy", 1),
        (422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "an admission policy", 1),
        (403, "namespaces \"x\" is forbidden: ValidatingAdmissionPolicy 'p' denied request", "an admission policy", 1),
        (500, 'Internal error occurred: failed calling webhook "v.example": timeout', "webhook of the cluster", 10**6),
    ],
)
def test_webhooks_and_policies_are_told_by_their_words(
    api: Api, status: int, message: str, words: str, times: int
) -> None:
    api.faults.add(Fault("POST", "namespaces", status=status, message=message, times=times))
    with connect(None, deadline=0.3) as cluster, pytest.raises(Refusal, match=words) as caught:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}})
    _one_line(caught.value)
    assert "admission" in caught.value.message


def test_what_is_no_api_is_said(api: Api, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (b"<html>log in", b"[]", b"\xff\xfe"):
        monkeypatch.setattr(Cluster, "_answer", lambda *_, given=data, **__: given)
        with pytest.raises(UnreachableError, match="is no API of a cluster") as caught:
            cluster.version()
        _one_line(caught.value)


def test_a_certificate_that_is_not_trusted_is_no_case_for_patience() -> None:
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed: certificate is not yet valid")
    refused.verify_message = "certificate is not yet valid"
    pool: Any = None
    found = distrusted(urllib3.exceptions.MaxRetryError(pool, "/", urllib3.exceptions.SSLError(refused)), "https://x")
    assert isinstance(found, UnsafeError) and "not yet valid" in found.message and "clock" in str(found.hint)
    assert distrusted(OSError("reset"), "https://x") is None


def test_a_start_gets_through_an_unsteady_cluster(world: World) -> None:
    """Conflicts, an account that is not there yet, 429, lost answers, watches that end: all in one start."""
    for fault in (
        Fault("POST", "/pods", status=403, message='error looking up service account n/default: serviceaccount '
              '"default" not found', reason="Forbidden", times=2),
        Fault("POST", "/secrets", status=429, retry_after=1, times=1),
        Fault("POST", "/namespaces", after=True, times=1),
        Fault("POST", "persistentvolumeclaims", status=503, times=2),
        Fault("DELETE", "networkpolicies", status=409, reason="Conflict", times=2),
        Fault("GET", "watch=1", status=410, times=2),
        Fault("GET", "watch=1", times=2),
    ):  # fmt: skip
        world.api.faults.add(fault)
    world.make()
    assert world.api.faults.happened >= 8
    assert world.runtime.running(world.branch, world.directory) == {"main": True}


def _status(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "branch"}, "spec": {}, "status": status}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (_status(phase="Failed", reason="Evicted", message="low on memory"), "ended the pod: Evicted: low on memory"),
        (_status(phase="Failed", reason="NodeShutdown"), "NodeShutdown"),
        (_status(phase="Failed"), "it says no reason"),
        (_status(phase="Failed", conditions=[{"type": "DisruptionTarget", "status": "True",
                                              "reason": "PreemptionByScheduler", "message": "higher"}]), "Preemption"),
        ({"metadata": {"name": "branch", "deletionTimestamp": "2026-11-29T00:00:00Z"}, "spec": {}, "status":
          {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
                           "message": "node lost"}]}}, "being removed before it was ready: DeletionByTaintManager"),
    ],
)  # fmt: skip
def test_a_pod_that_the_cluster_ends_is_said_with_the_reason(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ResourceError, match=words) as caught:
        diagnosis.require_alive(document)
    _one_line(caught.value)


@pytest.mark.parametrize(
    ("reason", "message", "final"),
    [
        ("ErrImagePull", "read tcp 10.0.0.1: connection reset by peer", False),
        ("ErrImagePull", "503 Service Unavailable", False),
        ("ErrImagePull", "manifest unknown", True),
        ("ErrImagePull", "pull access denied", True),
        ("ImagePullBackOff", "Back-off pulling image", True),
        ("InvalidImageName", "couldn't parse", True),
        ("SignatureValidationFailed", "no signature", True),
        ("ImageInspectError", "disk", True),
    ],
)
def test_an_image_that_is_tried_again_is_waited_for(reason: str, message: str, final: bool) -> None:
    state = {"waiting": {"reason": reason, "message": message}}
    document = _status(phase="Pending", containerStatuses=[{"name": "main", "state": state}])
    if not final:
        diagnosis.require_alive(document)
        return
    with pytest.raises(ResourceError, match="image of main cannot be had") as caught:
        diagnosis.require_alive(document)
    _one_line(caught.value)


def test_a_pod_that_finds_no_node_and_a_volume_that_is_not_bound_are_said(world: World) -> None:
    world.controllers.unbound = True
    with pytest.raises(UnreachableError, match="pod 'branch' was not ready within 2 s") as caught:
        world.make(settings={**SETTINGS, "timeout": "2s"})
    _one_line(caught.value)
    assert world.api.all("pods") == []


def test_volumes_that_are_bound_when_a_pod_wants_them(world: World) -> None:
    """WaitForFirstConsumer: nothing waits for a claim to be bound before its pod is there."""
    world.controllers.first_consumer = True
    world.make()
    assert world.runtime.running(world.branch, world.directory) == {"main": True}
    world.runtime.stop(world.branch, world.directory)
    world.runtime.start(world.branch, world.directory, LOGIN)
    assert world.runtime.running(world.branch, world.directory) == {"main": True}


@pytest.mark.parametrize("name", ["b-", "a" * 41, "b-" * 20 + "b"])
def test_a_branch_of_any_name_is_found_again_and_removed(world: World, name: str) -> None:
    world.make(name=name)
    assert list(world.runtime.orphans(world.pool)) == [name]
    world.runtime.remove(name, world.directory)
    assert [one["metadata"]["name"] for one in world.api.all("namespaces")] == ["envclone-images"]
    assert world.api.all("volumesnapshotcontents") == [] and world.runtime.orphans(world.pool) == {}


@pytest.mark.parametrize("name", ["seal", "ready", "relay", "api-"])
def test_a_part_that_no_container_can_be_called_is_refused_before_anything_is_made(world: World, name: str) -> None:
    world.branch = replace(world.branch, services=(name,))
    world.directory.mkdir(parents=True)
    preview = world.preview(**{name: ServiceConfig(image=f"acme/api{DIGEST}", user="1000")})
    with pytest.raises(ConfigError, match=f"can be called '{name}'") as caught:
        world.runtime.prepare(world.branch, world.directory, LOGIN, preview, lambda _: None)
    _one_line(caught.value)
    assert plan.FILE not in [one.name for one in world.directory.iterdir()]


def test_a_store_that_crashes_is_said_at_the_deadline(world: World) -> None:
    world.pretended.fates["main"] = Fate(waiting="CrashLoopBackOff", message="back-off 10s restarting")
    with pytest.raises(UnreachableError, match=r"last seen: .*main: CrashLoopBackOff") as caught:
        world.make(settings={**SETTINGS, "timeout": "1s"})
    _one_line(caught.value)
