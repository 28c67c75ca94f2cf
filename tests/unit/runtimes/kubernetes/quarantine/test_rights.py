"""What the manifests grant to who makes images of volumes, and to `gc`, is what they ask for: no more, and no less."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from envclone.errors import EnvcloneError
from envclone.lifecycle import collect
from envclone.manifests.grants import GRANTS, VOLUMES, WITHOUT, Actor, Grant, Where
from envclone.runtimes.kubernetes.kinds import KINDS
from tests.support.cluster import objects
from tests.support.cluster.faults import Fault
from tests.support.cluster.server import Api
from tests.support.cluster.store import Key
from tests.unit.runtimes.kubernetes.quarantine.conftest import DATA, World
from tests.unit.runtimes.kubernetes.quarantine.test_find import _operator, _set
from tests.unit.runtimes.kubernetes.quarantine.test_image import KB
from tests.unit.runtimes.kubernetes.test_rights import Call, seen

PLACES = {"shop": Where.PRODUCTION, "envclone-quarantine": Where.QUARANTINE, "envclone-images": Where.IMAGES}


def _calls(api: Api) -> set[Call]:
    found = [one for one in (seen(method, path) for method, path in api.requests) if one is not None]
    api.requests.clear()
    found += [replace(one, verb="watch") for one in found if one.verb == "list" and one.name]
    return {replace(one, name="") for one in found if (one.verb, one.group, one.resource) not in WITHOUT}


def _compared(calls: Iterable[Call], grants: list[Grant]) -> tuple[list[Call], list[tuple[str, str, str]]]:
    """What was asked for and not granted, and what was granted and not asked for."""
    used, missing = set(), []
    for one in sorted(calls):
        by = {
            (number, one.verb) for number, grant in enumerate(grants)
            if (grant.group, grant.resource) == (one.group, one.resource) and one.verb in grant.verbs
            and grant.where in (Where.CLUSTER, PLACES.get(one.namespace))
        }  # fmt: skip
        used |= by
        if not by:
            missing.append(one)
    spare = [
        (verb, grant.where.value, grant.resource) for number, grant in enumerate(grants) for verb in grant.verbs
        if (number, verb) not in used
    ]  # fmt: skip
    return missing, sorted(spare)


def _lives(world: World) -> None:
    """Images of volumes found in every way, alone and together, with answers that are lost and snapshots that fail."""
    world.claim("data-db-0", {"app": "db", "cnpg.io/cluster": "shop-db", "cnpg.io/instanceName": "db-0"})
    world.claim("kb", {"app": "kb"})
    world.pod(data=("data-db-0", DATA))
    _set(world)
    _operator(world, currentPrimary="db-0")
    for found in ("pod: db-0", "statefulset: db", "cluster: shop-db", "labels: {app: db}"):
        world.stack(found).snapshot("prod")
    world.controllers.refuses = "Unimplemented"
    with pytest.raises(EnvcloneError):
        world.stack().snapshot("prod")
    world.controllers.refuses = ""
    for plural in ("volumesnapshots", "pods", "jobs", "secrets", "persistentvolumeclaims", "volumesnapshotcontents",
                   "networkpolicies", "configmaps"):  # fmt: skip
        world.api.faults.add(Fault("POST", f"/{plural}", after=True))
    world.stack().image("prod", fresh=True)
    for place in ("shop", "envclone-quarantine", "envclone-images"):  # in each place what is there already is looked at
        world.api.faults.add(Fault("POST", f"/{place}/volumesnapshots", after=True))
    world.jobs.ends = [(4, json.dumps({"error": {"type": "UnsafeError", "message": "x"}}))]
    with pytest.raises(EnvcloneError):
        world.stack().image("prod", again=True)
    world.stack().image("prod", again=True)
    world.jobs.held = True
    with pytest.raises(EnvcloneError):
        world.stack().image("prod", again=True)
    world.jobs.held = False
    world.api.put(
        {
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": "named"},
            "driver": "stand-in", "deletionPolicy": "Delete",
        }
    )  # fmt: skip
    objects.classes_of_groups(world.api)
    stack = world.stack(more=KB)
    text = stack.project.loaded.path.read_text().replace("timeout: 5s", "timeout: 5s\n      snapshot_class: named")
    stack.project.loaded.path.write_text(text)
    world.api.faults.add(Fault("POST", "/volumegroupsnapshots", after=True))
    from envclone.api import open_stack

    open_stack(stack.project.loaded.path).image("prod", fresh=True)
    world.api.faults.add(Fault("GET", "/volumegroupsnapshots", status=403, reason="Forbidden", message="forbidden"))
    with pytest.raises(EnvcloneError):
        open_stack(stack.project.loaded.path).snapshot("prod")
    world.api.store.drop(Key("/apis/snapshot.storage.k8s.io/v1", "volumesnapshotclasses", "", "named"))
    world.stack().snapshot("prod")  # what came before is past its time now


def test_who_makes_images_and_gc_have_each_right_and_none_more(world: World) -> None:
    _lives(world)
    missing, spare = _compared(_calls(world.api), [one for one in VOLUMES if one.actor is Actor.IMAGE])
    assert missing == []
    assert spare == [("create", "quarantine", "pods/portforward")], "newer versions ask for it beside `get`"
    stack = world.stack()
    world.api.requests.clear()
    assert [one.error for one in collect.collect(stack.project) if one.error] == []
    # `gc` has what it had, and these
    grants = [one for one in (*GRANTS, *VOLUMES) if one.actor is Actor.GC]
    missing, spare = _compared(_calls(world.api), grants)
    assert missing == []
    own = {(verb, one.where.value, one.resource) for one in VOLUMES if one.actor is Actor.GC for verb in one.verbs}
    assert [one for one in spare if one in own] == []


def test_no_right_is_of_everything() -> None:
    known = {(kind.group, kind.plural) for kind in KINDS.values()}
    for one in VOLUMES:
        assert (one.group, one.resource.partition("/")[0]) in known and all(one.verbs.values())
        assert "*" not in one.verbs and not {"escalate", "bind", "impersonate", "update"} & set(one.verbs)
        if one.resource in ("secrets", "pods", "pods/log", "pods/portforward", "configmaps", "jobs"):
            assert one.where is not Where.CLUSTER, "of other namespaces nothing is read"
        if one.where is Where.PRODUCTION:
            assert not {"create", "delete", "patch"} & set(one.verbs) or "snapshots" in one.resource or (
                one.resource == "persistentvolumeclaims" and "delete" not in one.verbs
            ), "in production nothing is made but snapshots"  # fmt: skip
