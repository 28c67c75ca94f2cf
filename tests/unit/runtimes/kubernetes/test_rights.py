"""What the manifests grant is what the runtime asks for: every call of a branch's life recorded, none refused by the
roles, and no verb there that nothing uses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from envclone.errors import EnvcloneError
from envclone.manifests.grants import GRANTS, SERVICES, WITHOUT, Actor, Grant, Where
from envclone.runtimes.kubernetes import health, removal
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.forward import dial
from envclone.runtimes.kubernetes.kinds import KINDS
from tests.support.cluster.controllers import Fate
from tests.support.cluster.faults import Fault
from tests.support.cluster.server import Api
from tests.unit.runtimes.kubernetes.conftest import LOGIN, SETTINGS, World

IMAGES = "envclone-images"


@dataclass(frozen=True, order=True)
class Call:
    """A request as the API's authorization sees it; `name` is '' where it is of no object in particular."""

    verb: str
    group: str
    resource: str
    name: str
    namespace: str


def seen(method: str, path: str) -> Call | None:
    """What is asked for; None for what everybody may (versions, and what there is)."""
    parts = urlsplit(path)
    query = parse_qs(parts.query)
    words = parts.path.strip("/").split("/")
    if words[0] == "api":
        group, rest = "", words[2:]
    elif words[0] == "apis" and len(words) > 3:
        group, rest = words[1], words[3:]
    else:
        return None
    if not rest:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and len(rest) == 2:
        namespace = rest[1]
    name = rest[1] if len(rest) > 1 else ""
    resource = "/".join([rest[0], *rest[2:3]])
    if method == "GET" and not name:
        selected = dict(one.split("=", 1) for one in query.get("fieldSelector", ()) if "=" in one)
        name = selected.get("metadata.name", "")
        return Call("watch" if "watch" in query else "list", group, resource, name, namespace)
    verb = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[method]
    return Call(verb, group, resource, "" if verb == "create" and "/" not in resource else name, namespace)


def _grants(actor: Actor) -> list[Grant]:
    return [one for one in GRANTS if one.actor is actor]


def _allowed(one: Call, grants: Iterable[Grant]) -> set[tuple[int, str]]:
    """Which verbs of which grants allow a call."""
    return {
        (number, one.verb)
        for number, grant in enumerate(grants)
        if (grant.group, grant.resource) == (one.group, one.resource)
        and one.verb in grant.verbs
        and (not grant.names or one.name in grant.names)
        and (grant.where is Where.CLUSTER or one.namespace == IMAGES)
    }


def _calls(world: World) -> list[Call]:
    found = [seen(method, path) for method, path in world.api.requests]
    world.api.requests.clear()
    # who lists an object by its name waits for it, and watches it if it is not as it should be by then
    found += [replace(one, verb="watch") for one in found if one is not None and one.verb == "list" and one.name]
    return [one for one in found if one is not None and (one.verb, one.group, one.resource) not in WITHOUT]


def _life(world: World, **more: Any) -> None:
    """All that a branch can ask for: made, looked at, stopped, started, found left over, removed."""
    for plural in ("secrets", "pods"):  # an answer is lost: what was made is found, and compared
        world.api.faults.add(Fault("POST", plural, after=True))
    world.make(services=True, allow=("192.0.2.7:8443",), **more)
    world.runtime.running(world.branch, world.directory)
    insight = world.runtime.insight(world.branch, world.directory)
    insight.logs("main", 5)
    insight.stats()
    with world.runtime.evidence(world.branch, world.directory) as witness:
        witness.testify()
    # the stand-in may know no such port: it was asked
    with world.cluster() as cluster, contextlib.suppress(Exception):
        dial(cluster, f"envclone-{world.branch.name}", "branch", 5432)[0].close()
    world.runtime.stop(world.branch, world.directory)
    world.runtime.start(world.branch, world.directory, LOGIN)
    _trouble(world)


def _meddle(world: World) -> None:
    """Somebody changes what would take the image's data along."""
    with world.cluster() as cluster:
        for content in cluster.list("VolumeSnapshotContent"):
            cluster.patch("VolumeSnapshotContent", content["metadata"]["name"], {"spec": {"deletionPolicy": "Delete"}})
    world.api.requests.clear()


def _trouble(world: World) -> None:
    """A pod that does not come, and what is said of it."""
    world.runtime.stop(world.branch, world.directory)
    world.pretended.fates["main"] = Fate(waiting="ImagePullBackOff", message="not found")
    with pytest.raises(EnvcloneError):
        world.runtime.start(world.branch, world.directory, LOGIN)
    world.pretended.fates.clear()


def test_calls_are_read_as_the_api_reads_them() -> None:
    assert seen("GET", "/version") is None and seen("GET", "/apis/snapshot.storage.k8s.io/v1") is None
    assert seen("GET", "/api/v1/namespaces/a") == Call("get", "", "namespaces", "a", "a")
    assert seen("GET", "/api/v1/namespaces?labelSelector=x") == Call("list", "", "namespaces", "", "")
    assert seen("GET", "/api/v1/namespaces/a/pods?watch=1&fieldSelector=metadata.name%3Db") == Call(
        "watch", "", "pods", "b", "a"
    )
    assert seen("POST", "/api/v1/namespaces/a/pods") == Call("create", "", "pods", "", "a")
    assert seen("POST", "/api/v1/namespaces/a/pods/b/portforward") == Call("create", "", "pods/portforward", "b", "a")
    assert seen("GET", "/api/v1/nodes/n/proxy/metrics/cadvisor") == Call("get", "", "nodes/proxy", "n", "")


def test_who_makes_branches_has_each_right_and_none_more(world: World) -> None:
    _life(world)
    world.runtime.orphans(world.pool)
    calls = _calls(world)
    _meddle(world)
    world.runtime.remove(world.branch.name, world.directory)
    grants = _grants(Actor.BRANCH)
    missing, used = _compared([*calls, *_calls(world)], grants)
    assert missing == []
    spare = sorted(_spare(grants, used))
    assert spare == sorted(_SPARE), f"granted and not used: {spare}"


def test_a_service_takes_the_rights_that_are_granted_for_it_and_none_more(world: World) -> None:
    for plural in ("services", "networkpolicies"):
        world.api.faults.add(Fault("POST", plural, after=True, times=20))
    _life(world, settings={**SETTINGS, "endpoints": "service"})
    calls = _calls(world)
    _meddle(world)
    world.runtime.remove(world.branch.name, world.directory)
    missing, used = _compared([*calls, *_calls(world)], [*_grants(Actor.BRANCH), *SERVICES])
    assert missing == []
    own = {(number, verb) for number, verb in used if number >= len(_grants(Actor.BRANCH))}
    assert {verb for _, verb in own} == {"create", "get", "delete"} and len(own) == sum(len(x.verbs) for x in SERVICES)


def test_gc_has_each_right_and_none_more(world: World) -> None:
    world.make()
    world.api.requests.clear()
    world.runtime.orphans(world.pool)
    world.runtime.running(world.branch, world.directory)
    world.runtime.stop(world.branch, world.directory)
    calls = _calls(world)
    _meddle(world)
    with world.cluster() as cluster:
        removal.remove(cluster, world.branch.name, world.pool)
    grants = _grants(Actor.GC)
    missing, used = _compared([*calls, *_calls(world)], grants)
    assert missing == []
    assert sorted(_spare(grants, used)) == []


def _compared(calls: list[Call], grants: list[Grant]) -> tuple[list[Call], set[tuple[int, str]]]:
    used: set[tuple[int, str]] = set()
    missing = set()
    for one in calls:
        by = _allowed(one, grants)
        used |= by
        if not by:
            missing.add(one)
    return sorted(missing), used


def _spare(grants: list[Grant], used: set[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    for number, grant in enumerate(grants):
        yield from ((verb, grant.resource) for verb in grant.verbs if (number, verb) not in used)


_SPARE = [("create", "pods/portforward")]
"""What this life does not need, and why it is there all the same: newer versions ask for it beside `get`."""


def test_no_right_is_of_everything() -> None:
    known = {(kind.group, kind.plural) for kind in KINDS.values()}
    for one in GRANTS:
        assert "*" not in {one.group, one.resource, *one.verbs, *one.names}
        assert (one.group, one.resource.partition("/")[0]) in known and all(one.verbs.values())
        assert not {"escalate", "bind", "impersonate", "deletecollection", "update"} & set(one.verbs)
        if one.resource == "secrets" and set(one.verbs) != {"create"}:
            assert one.names == ("logins",), "every other Secret of the cluster could be read"


def test_doctor_asks_for_the_rights_that_are_granted_as_they_are(api: Api) -> None:
    grants, asked = _grants(Actor.BRANCH), list[dict[str, str]]()

    def allowed(asking: dict[str, str]) -> bool:
        asked.append(asking)
        resource = "/".join(filter(None, (asking["resource"], asking.get("subresource"))))
        namespace = asking.get("namespace", "")
        one = Call(asking["verb"], asking["group"], resource, asking.get("name", ""), namespace)
        return bool(_allowed(one, grants))

    class Asked(Cluster):
        def ask(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
            if body is None or body["kind"] != "SelfSubjectAccessReview":
                return super().ask(method, path, body, **more)
            return {"status": {"allowed": allowed(body["spec"]["resourceAttributes"])}}

    with connect(None, deadline=5.0) as plain:
        cluster = Asked(plain.api, context=None, deadline=5.0)
        rights, counters = health._rights(cluster, IMAGES)
    assert rights.ok, rights.detail
    assert counters.ok is None, "that right is not granted"
    known = {(verb, grant.resource) for grant in grants for verb in grant.verbs}
    said = {(one["verb"], "/".join(filter(None, (one["resource"], one.get("subresource"))))) for one in asked}
    assert said - known == {("get", "nodes/proxy")} and known <= said
