"""A raw snapshot and an image of a production's volumes on the stand-in: made, resumed, refused, kept, removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation, keys
from envclone.errors import EnvcloneError, ResourceError, UnreachableError, UnsafeError, UsageError
from envclone.lifecycle import collect, snapshot
from envclone.models import Consistency
from envclone.pool import catalog
from envclone.runtimes.kubernetes.client import Cluster
from envclone.runtimes.kubernetes.quarantine import make
from envclone.runtimes.kubernetes.refusals import Refusal
from tests.support.cluster import objects
from tests.support.cluster.faults import Fault
from tests.unit.runtimes.kubernetes.quarantine.conftest import DATA, World

KB = """\
      kb: {kind: qdrant, source: {method: volume, volume: {namespace: shop, labels: {app: kb}}}}
"""


@pytest.fixture
def db(world: World) -> World:
    """A production of one volume."""
    world.claim("data-db-0")
    world.pod(data=("data-db-0", DATA))
    return world


def _left(world: World) -> dict[str, list[str]]:
    """What there is beside production itself."""
    found = {}
    for plural in ("volumesnapshots", "volumegroupsnapshots", "volumesnapshotcontents", "volumegroupsnapshotcontents",
                   "jobs", "pods", "secrets", "configmaps", "persistentvolumeclaims"):  # fmt: skip
        names = [
            one["metadata"]["name"] for one in world.api.all(plural)
            if one["metadata"]["name"] not in ("db-0", "data-db-0", "wal-db-0", "kb")
        ]  # fmt: skip
        if names:
            found[plural] = names
    return found


def test_a_snapshot_is_recorded_and_its_image_is_made_by_a_job(db: World) -> None:
    stack = db.stack()
    raw = stack.snapshot("prod")
    assert raw.stores["main"].method == "volume" and raw.consistency is Consistency.SINGLE
    image = stack.image("prod")
    assert image.raw.id == raw.id and image.rules_digest == stack.project.rules_digest
    place = stack.project.pool.path_of("images", image.id)
    attestation.check(place, stack.project.keys)
    (order,) = db.jobs.orders
    source = order["stack"]["environments"]["prod"]["stores"]["main"]["source"]
    assert source["method"] == "directory" and source["mounted"]["moment"]
    record = catalog.snapshot(stack.project.pool, "acme", raw.id)
    assert record.stores["main"].engine_version == "18.4", "what the stores are is known now"
    kept = stack.project.pool.path_of("raw", raw.id) / f"identities-{image.rules_digest[:16]}"
    assert kept.read_text() == "whom" and kept.stat().st_mode & 0o777 == 0o600
    assert stack.image("prod").id == image.id and len(db.jobs.orders) == 1, "the one there is"
    assert set(_left(db)) == {"volumesnapshots", "volumesnapshotcontents", "configmaps"}


def test_the_job_is_walled_in_and_restricted(db: World) -> None:
    stack = db.stack()
    stack.image("prod")
    jobs = [one for _, what, key, one in db.api.store.log if key.plural == "jobs" and what == "ADDED"]
    spec = jobs[0]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False and spec["restartPolicy"] == "Never"
    assert spec["dnsPolicy"] == "None"
    (seal,), (image,) = spec["initContainers"], spec["containers"]
    assert seal["name"] == "seal" and image["resources"]["limits"] == image["resources"]["requests"]
    assert image["securityContext"]["readOnlyRootFilesystem"] is True
    raw = [one for one in image["volumeMounts"] if one["name"].startswith("raw-")]
    assert raw and all(one["readOnly"] for one in raw)
    assert jobs[0]["spec"]["suspend"] is True, "it waits until all that it mounts is there, and owned by it"
    deny = [one for one in db.api.all("networkpolicies", "envclone-quarantine") if one["metadata"]["name"] == "deny"]
    assert deny[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for plural in ("secrets", "persistentvolumeclaims", "volumesnapshots"):
        made = [
            one for _, what, key, one in db.api.store.log
            if key.plural == plural and key.namespace == "envclone-quarantine" and what == "ADDED"
            and one["metadata"]["name"].endswith("-image") is False
        ]  # fmt: skip
        assert made and all(one["metadata"]["ownerReferences"][0]["kind"] == "Job" for one in made), plural


def test_a_cluster_without_walls_makes_no_image(db: World) -> None:
    db.jobs.enforces = False
    with pytest.raises(UnsafeError, match="does not enforce network policies"):
        db.stack().image("prod")
    assert catalog.images(db.stack().project.pool, "acme") == []


@pytest.mark.parametrize("labels", [{}, {"pod-security.kubernetes.io/enforce": "baseline"}])
def test_a_namespace_that_is_not_restricted_is_refused(db: World, labels: dict[str, str]) -> None:
    from tests.support.cluster.store import Key

    key = Key("/api/v1", "namespaces", "", "envclone-quarantine")
    db.api.store.edit(key, lambda one: one["metadata"].update(labels=labels))
    with pytest.raises(UnsafeError, match="does not enforce pod security"):
        db.stack().image("prod")


def test_what_another_key_signed_is_not_taken(db: World) -> None:
    db.jobs.signer = keys.generate()[0]
    with pytest.raises(UnsafeError, match="not signed with the key that the Job was given"):
        db.stack().image("prod")
    assert catalog.images(db.stack().project.pool, "acme") == []
    assert db.api.all("configmaps") == []


@pytest.mark.parametrize("changed", [{"project": "other"}, {"rules_digest": "0" * 32}, {"key_id": "k0"}])
def test_another_image_than_the_one_asked_for_is_not_taken(db: World, changed: dict[str, Any]) -> None:
    db.jobs.changed = changed
    with pytest.raises(UnsafeError, match="not the one that was asked for"):
        db.stack().image("prod")


def test_an_attestation_that_no_configmap_takes_is_in_several(db: World) -> None:
    db.jobs.pad = 350_000  # of six bytes each, as JSON has them
    stack = db.stack()
    image = stack.image("prod")
    names = sorted(one["metadata"]["name"] for one in db.api.all("configmaps"))
    assert names == [f"image-{image.id}", *(f"image-{image.id}.{number}" for number in range(3))]
    from envclone.runtimes.kubernetes.client import connect
    from envclone.runtimes.kubernetes.images import volumes_of

    digest = attestation.digest(stack.project.pool.path_of("images", image.id))
    with connect(None, deadline=5.0) as cluster:
        (one,) = volumes_of(cluster, "envclone-images", image.id, digest, ["main"], stack.project.keys)
        assert one.handle in db.controllers.handles
        cluster.delete("ConfigMap", f"image-{image.id}.1", "envclone-images")
        with pytest.raises(UnsafeError, match="not signed by this pool"):
            volumes_of(cluster, "envclone-images", image.id, digest, ["main"], stack.project.keys)


def test_an_error_of_the_job_is_the_command_s(db: World) -> None:
    said = {"type": "UnsafeError", "message": "2 fields are undeclared", "hint": "name them", "problems": ["a", "b"]}
    db.jobs.ends = [(4, json.dumps({"error": said}) + "\n")]
    with pytest.raises(UnsafeError, match="2 fields are undeclared") as caught:
        db.stack().image("prod")
    assert caught.value.problems == ("a", "b") and caught.value.hint == "name them"
    assert len(db.api.all("pods", "envclone-quarantine")) <= 2, "no other pod would end otherwise: none was tried"
    db.stack().image("prod")  # the Job that failed is in nobody's way


def test_a_pod_that_was_killed_is_followed_by_another(db: World) -> None:
    db.jobs.ends = [(137, "")]
    assert db.stack().image("prod").id == "img-made"


def test_a_job_whose_pods_all_fail_says_why(db: World) -> None:
    db.jobs.ends = [(137, ""), (137, "")]
    with pytest.raises(ResourceError, match="the Job failed: BackoffLimitExceeded"):
        db.stack().image("prod")


def test_a_pod_that_finds_no_room_is_said_in_one_line(db: World) -> None:
    db.jobs.held = True
    with pytest.raises(ResourceError, match="no pod of the Job runs within 5 s"):
        db.stack().image("prod")


def test_who_comes_later_goes_on_with_the_job(db: World, monkeypatch: pytest.MonkeyPatch) -> None:
    followed = make._followed

    def killed(*args: Any, **kwargs: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "_followed", killed)
    with pytest.raises(KeyboardInterrupt):
        db.stack().image("prod")
    (job,) = db.api.all("jobs")
    monkeypatch.setattr(make, "_followed", followed)
    assert db.stack().image("prod").id == "img-made"
    assert len(db.jobs.orders) == 1, f"the Job {job['metadata']['name']} was gone on with"


def test_volumes_of_several_stores_are_of_one_moment_where_the_driver_can(db: World) -> None:
    objects_of = db.claim
    objects_of("kb", {"app": "kb"})
    objects.classes_of_groups(db.api)
    stack = db.stack(more=KB)
    raw = stack.snapshot("prod")
    assert raw.consistency is Consistency.ATOMIC
    assert len(db.api.all("volumegroupsnapshots")) == 1 and db.api.all("volumesnapshots") == []
    for claim in db.api.all("persistentvolumeclaims", "shop"):
        assert "envclone.io/group" not in (claim["metadata"].get("labels") or {}), "the label is taken back"
    facts = json.loads((stack.project.pool.path_of("raw", raw.id) / "elsewhere.json").read_text())
    assert len(facts["snapshots"]) == 2 and len(set(facts["moments"].values())) == 1


def test_without_groups_two_stores_are_two_moments(db: World) -> None:
    db.claim("kb", {"app": "kb"})
    assert db.stack(more=KB).snapshot("prod").consistency is Consistency.SKEWED
    assert len(db.api.all("volumesnapshots")) == 2


def test_a_log_of_its_own_wants_a_fence_or_a_group(world: World) -> None:
    for name in ("data-db-0", "wal-db-0"):
        world.claim(name)
    world.pod(data=("data-db-0", DATA), wal=("wal-db-0", "/var/lib/postgresql/wal"))
    with pytest.raises(UnsafeError, match="nothing takes them at one moment"):
        world.stack("pod: db-0, data: data, wal: wal").snapshot("prod")
    assert _left(world) == {}, "nothing stays of a snapshot that failed"


@pytest.mark.parametrize(
    ("said", "kind", "match", "remedy"),
    [
        ("cannot find the VolumeSnapshotClass", ResourceError, "cannot find", "kubernetes.snapshot_class"),
        ("rpc error: Unimplemented", ResourceError, "Unimplemented", "method: physical"),
        ("ResourceExhausted: quota exceeded", UnreachableError, "was not begun within 5 s", "quota raised"),
        ("backend timeout", UnreachableError, "last seen: backend timeout", "kubernetes.job.ready"),
    ],
)
def test_what_the_storage_answers_is_one_line_with_a_remedy(
    db: World, said: str, kind: type[EnvcloneError], match: str, remedy: str
) -> None:
    db.controllers.refuses = said
    with pytest.raises(kind, match=match) as caught:
        db.stack().snapshot("prod")
    assert caught.value.hint and remedy in caught.value.hint
    assert _left(db) == {}, "nothing stays"


def test_without_a_class_nothing_is_begun(db: World) -> None:
    from tests.support.cluster.store import Key

    db.api.store.drop(Key("/apis/snapshot.storage.k8s.io/v1", "volumesnapshotclasses", "", "snapshots"))
    with pytest.raises(ResourceError, match="no VolumeSnapshotClass is of the driver stand-in"):
        db.stack().image("prod")
    assert _left(db) == {}


def test_without_its_namespace_there_is_no_image(db: World) -> None:
    from tests.support.cluster.store import Key

    db.api.store.drop(Key("/api/v1", "namespaces", "", "envclone-quarantine"))
    with pytest.raises(ResourceError, match="'envclone-quarantine' is not there") as caught:
        db.stack().image("prod")
    assert caught.value.hint and "envclone manifests" in caught.value.hint


def test_a_namespace_stuck_in_termination_is_said(db: World) -> None:
    db.controllers.stuck.add("envclone-quarantine")
    from envclone.runtimes.kubernetes.client import connect

    stack = db.stack()
    stack.snapshot("prod")
    with connect(None, deadline=5.0) as cluster:
        cluster.delete("Namespace", "envclone-quarantine")
    with pytest.raises(EnvcloneError, match="being removed"):
        stack.image("prod")


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET", "DELETE"])
def test_faults_of_the_api_are_passed_over(db: World, method: str) -> None:
    for status in (500, 429, 0):
        db.api.faults.add(Fault(method, "/apis/", status=status, times=2))
    db.api.faults.add(Fault("PATCH", "jobs", status=409, reason="Conflict", message="the object has been modified"))
    db.api.faults.add(Fault("POST", "volumesnapshots", after=True))
    db.api.faults.add(Fault("POST", "jobs", after=True))
    assert db.stack().image("prod").id == "img-made"


@pytest.mark.parametrize("away", [UnreachableError("no answer"), Refusal("slow", code=503, reason="")])
def test_an_api_that_is_away_while_the_job_runs_costs_no_image(
    db: World, monkeypatch: pytest.MonkeyPatch, away: EnvcloneError
) -> None:
    """The Job does not need it: who waits goes on when it is back, and gives up after a while."""
    real, left = Cluster.list, [3]

    def listed(self: Cluster, kind: str, *args: Any, **more: Any) -> Any:
        if kind == "Pod" and left[0] > 0:
            left[0] -= 1
            raise away
        return real(self, kind, *args, **more)

    monkeypatch.setattr(Cluster, "list", listed)
    monkeypatch.setattr(make, "_LOOK", 0.05)
    assert db.stack().image("prod").id == "img-made" and left == [0]
    left[0] = 10**6
    monkeypatch.setattr(make, "_AWAY", 0.2)
    with pytest.raises(type(away)):
        db.stack().image("prod", again=True)
    left[0] = 0


def test_volumes_that_are_bound_when_a_pod_wants_them(db: World) -> None:
    db.controllers.first_consumer = True
    assert db.stack().image("prod").id == "img-made"


def test_gc_removes_it_where_it_is_and_strays_of_killed_commands(db: World) -> None:
    stack = db.stack()
    stack.image("prod")
    before = set(db.controllers.handles)
    with snapshot.take(stack.project, "prod") as second:
        pass
    done = {(one.kind, one.error) for one in collect.collect(stack.project)}
    assert ("raw", None) in done
    assert [one.id for one in catalog.snapshots(stack.project.pool, "acme")] == [second.id]
    assert len(set(db.controllers.handles) & before) == 1, "the image's own snapshot stays"
    # a command that was killed before it wrote its record
    place = stack.project.pool.path_of("raw", second.id)
    for path in sorted(place.rglob("*"), reverse=True):
        path.unlink()
    place.rmdir()
    for path in sorted(stack.project.pool.path_of("images", "img-made").iterdir()):
        path.unlink()
    stack.project.pool.path_of("images", "img-made").rmdir()
    done = {(one.kind, one.name, one.error) for one in collect.collect(stack.project)}
    assert {("kubernetes", second.id, None), ("kubernetes", "img-made", None)} <= done
    assert _left(db) == {} and db.controllers.handles == {}


def test_what_needs_the_files_here_is_refused(db: World, tmp_path: Path) -> None:
    stack = db.stack()
    image = stack.image("prod")
    with pytest.raises(UsageError, match="in the cluster"):
        stack.verify(image.id)
    with pytest.raises(UsageError, match="no branch of it runs here"):
        stack.branch("prod", runtime="local", name="other")
    place = stack.project.pool.path_of("images", image.id)
    (place / "main").mkdir()
    with pytest.raises(UnsafeError, match="has no files here, and main was added"):
        attestation.check(place, stack.project.keys)
