"""A branch on the stand-in: its objects are what the API of every version takes, and nothing of it stays."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.errors import (
    BusyError,
    ConfigError,
    EnvcloneError,
    ResourceError,
    UnreachableError,
    UnsafeError,
    UsageError,
)
from envclone.runtimes.kubernetes import names, plan
from tests.support.cluster import schemas
from tests.support.cluster.controllers import Fate
from tests.unit.runtimes.kubernetes.conftest import LOGIN, SETTINGS, World


def _pod(world: World) -> dict[str, Any]:
    (pod,) = [one for one in world.api.all("pods") if one["metadata"]["name"] == "branch"]
    return pod


def test_a_branch_is_made_stopped_started_and_removed(world: World) -> None:
    world.make(services=True)
    namespace = f"envclone-{world.branch.name}"
    pod = _pod(world)
    assert pod["metadata"]["namespace"] == namespace and pod["status"]["qosClass"] == "Guaranteed"
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["seal", "ready", "relay", "main", "api"]
    assert [one["name"] for one in pod["spec"]["containers"]] == ["worker"]
    assert world.runtime.running(world.branch, world.directory) == {"main": True, "api": True, "worker": True}
    assert set(world.branch.endpoints) == {"main", "api"}
    assert world.branch.endpoints["main"].user == "envclone" and world.branch.endpoints["main"].socket is not None
    # the hole that the test of the walls needed is closed
    assert [one["metadata"]["name"] for one in world.api.all("networkpolicies")] == ["deny"]
    assert [one["metadata"]["name"] for one in world.api.all("pods")] == ["branch"]
    (claim,) = world.api.all("persistentvolumeclaims", namespace)
    world.runtime.stop(world.branch, world.directory)
    assert world.api.all("pods") == []
    assert world.runtime.running(world.branch, world.directory) == {"main": False, "api": False, "worker": False}
    again = world.runtime.start(world.branch, world.directory, LOGIN)
    assert again["main"].port == world.branch.endpoints["main"].port
    assert [one["metadata"]["uid"] for one in world.api.all("persistentvolumeclaims")] == [claim["metadata"]["uid"]]
    assert world.runtime.orphans(world.pool) == {world.branch.name: f"the namespace {namespace}"}
    handles = dict(world.controllers.handles)
    world.runtime.remove(world.branch.name, world.directory)
    assert [one["metadata"]["name"] for one in world.api.all("namespaces")] == ["envclone-images"]
    assert world.api.all("volumesnapshotcontents") == [] and world.controllers.handles == handles
    world.runtime.remove(world.branch.name, world.directory)
    assert world.runtime.orphans(world.pool) == {}


def test_every_object_is_of_its_schema_in_every_version(world: World) -> None:
    world.api.version = schemas.VERSIONS[0]
    world.make(services=True, allow=("192.0.2.7:8443",))
    for version in schemas.VERSIONS:
        for document in plan.load(world.directory).manifests:
            assert schemas.flaws(version, document) == [], (version, document["kind"])
    (doors,) = [one for one in world.api.all("networkpolicies") if one["metadata"]["name"] == "allow"]
    assert doors["spec"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": "192.0.2.7/32"}}], "ports": [{"protocol": "TCP", "port": 8443}]}
    ]


def test_a_pod_that_was_lost_is_made_again_when_it_is_asked_for(world: World) -> None:
    world.make()
    namespace = f"envclone-{world.branch.name}"
    with world.cluster() as cluster:
        cluster.delete("Pod", "branch", namespace, grace=0)  # as with its node
    assert world.runtime.running(world.branch, world.directory) == {"main": False}
    (claim,) = world.api.all("persistentvolumeclaims", namespace)
    world.runtime.start(world.branch, world.directory, LOGIN)
    assert world.runtime.running(world.branch, world.directory) == {"main": True}
    assert world.api.all("persistentvolumeclaims", namespace)[0]["metadata"]["uid"] == claim["metadata"]["uid"]


def test_the_walls_of_a_pod(world: World) -> None:
    world.make(services=True)
    spec = _pod(world)["spec"]
    assert spec["automountServiceAccountToken"] is False and spec["dnsPolicy"] == "None"
    for one in [*spec["initContainers"], *spec["containers"]]:
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}, one["name"]
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["resources"]["requests"] == one["resources"]["limits"]
    (there,) = [one for one in world.api.all("namespaces") if one["metadata"]["name"] != "envclone-images"]
    assert there["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    (policy,) = world.api.all("networkpolicies")
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    # the login stands in the Secret alone
    texts = [str(one) for kind in ("pods", "configmaps", "namespaces") for one in world.api.all(kind)]
    assert not any(LOGIN.password.reveal() in text for text in texts)


def test_a_cluster_that_does_not_enforce_policies_gets_no_branch(world: World) -> None:
    world.pretended.enforces = False
    with pytest.raises(UnsafeError, match=r"does not enforce network policies: from inside, the branch reached 10\."):
        world.make()
    assert world.api.all("pods") == []


@pytest.mark.parametrize(
    ("part", "fate", "error", "words"),
    [
        ("ready", Fate(code=7, message="no space"), UnreachableError, "could not be made ready: no space"),
        ("main", Fate(waiting="ImagePullBackOff", message="not found"), ResourceError, "image of main cannot be had"),
        ("main", Fate(code=137, reason="OOMKilled", restarts=3), ResourceError, "main needs more memory"),
        ("main", Fate(waiting="CreateContainerConfigError", message="root"), ResourceError, "cannot be made: root"),
        ("seal", Fate(code=4, message="no listener"), UnsafeError, "could not be proved: no listener"),
    ],
)
def test_a_pod_that_does_not_come_is_one_line(
    world: World, part: str, fate: Fate, error: type[EnvcloneError], words: str
) -> None:
    world.pretended.fates[part] = fate
    with pytest.raises(error, match=words) as caught:
        world.make()
    assert "\n" not in caught.value.message and caught.value.hint
    assert world.api.all("pods") == []


def test_what_the_image_says_is_checked_before_anything_is_made(world: World) -> None:
    with pytest.raises(UnsafeError, match="its attestation is another one"):
        world.make(attested="0" * 64)
    assert [one["metadata"]["name"] for one in world.api.all("namespaces")] == ["envclone-images"]
    with pytest.raises(UsageError, match="img-2 is not on the cluster"):
        world.make(image="img-2")


def test_what_never_was_on_a_cluster_goes_without_one(world: World) -> None:
    world.make()
    world.api.token = "another"
    other = world.pool / "branches" / "local"
    other.mkdir()
    world.runtime.remove("local", other)
    with pytest.raises(EnvcloneError, match="does not know this login"):
        world.runtime.remove("gone", world.pool / "branches" / "gone")
    world.api.token = "stand-in"


def test_names_of_others_are_left_alone(world: World) -> None:
    name = names.name_of("envclone", world.branch.name)
    world.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    with pytest.raises(BusyError, match="it is not this branch's"):
        world.make()
    world.runtime.remove(world.branch.name, world.directory)
    assert name in [one["metadata"]["name"] for one in world.api.all("namespaces")]


def test_a_user_has_so_many_branches(world: World) -> None:
    world.make(settings={**SETTINGS, "per_user": 1})
    other = World(world.api, world.controllers, world.pretended, world.pool, world.branch, world.runtime)
    with pytest.raises(ResourceError, match=r"has 1 branches on the cluster, and the stack file allows 1"):
        other.make(name="another", settings={**SETTINGS, "per_user": 1})


def test_images_are_named_by_their_content(world: World) -> None:
    with pytest.raises(ConfigError, match="named by a tag"):
        world.make(images={"main": "postgres:18"})


def test_a_snapshot_that_is_gone_is_said(world: World) -> None:
    world.controllers.handles.clear()
    with pytest.raises(
        UnreachableError, match=r"snapshot 'data' was not ready within 1 s; last seen: snapshot snap-0 not"
    ):
        world.make(settings={**SETTINGS, "timeout": "1s"})


def test_a_namespace_that_does_not_end_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from envclone.runtimes.kubernetes import removal

    world.make()
    namespace = f"envclone-{world.branch.name}"
    world.controllers.stuck.add(namespace)
    monkeypatch.setattr(removal, "_GONE", 0.5)
    with pytest.raises(ResourceError, match=rf"namespace '{namespace}' was not gone within 0\.5 s"):
        world.runtime.remove(world.branch.name, world.directory)
    world.controllers.stuck.clear()
    with world.api.store.changed:
        world.api.store.version += 1
    world.runtime.remove(world.branch.name, world.directory)
