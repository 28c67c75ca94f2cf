"""A branch that is reached by a Service: who may connect, at which ports, and only behind walls that were proved."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from pydantic import ValidationError

from envclone.config.cluster import REACHES, KubernetesConfig
from envclone.endpoints import public, url, variables
from envclone.errors import UnsafeError
from envclone.models import Endpoint, Secret
from envclone.runtimes.kubernetes import doorway, plan
from envclone.serve.seen import branch_seen
from tests.support.cluster import schemas
from tests.unit.runtimes.kubernetes.conftest import LOGIN, SETTINGS, World

SERVED = {**SETTINGS, "endpoints": "service"}


def _policies(world: World) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"] for one in world.api.all("networkpolicies")}


def test_a_branch_has_a_service_and_a_door_for_who_may_connect(world: World) -> None:
    world.make(services=True, settings=SERVED)
    namespace = f"envclone-{world.branch.name}"
    (service,) = world.api.all("services", namespace)
    assert service["spec"]["selector"] == {"envclone.io/part": "branch"} and service["spec"]["type"] == "ClusterIP"
    assert [(one["name"], one["port"]) for one in service["spec"]["ports"]] == [("main-5432", 5432), ("api-8000", 8000)]
    found = _policies(world)
    assert set(found) == {"deny", "connect"} and found["deny"]["podSelector"] == {}
    assert found["connect"] == {
        "podSelector": {"matchLabels": {"envclone.io/part": "branch"}},
        "policyTypes": ["Ingress"],
        "ingress": [{
            "from": [{"namespaceSelector": {"matchLabels": {REACHES: "true"}}}],
            "ports": [{"protocol": "TCP", "port": 5432}, {"protocol": "TCP", "port": 8000}],
        }],
    }  # fmt: skip
    (pod,) = world.api.all("pods", namespace)
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["seal", "ready", "relay", "door", "main", "api"]
    (door,) = [one for one in pod["spec"]["initContainers"] if one["name"] == "door"]
    assert door["command"][-1:] == ["5432"] and pod["status"]["qosClass"] == "Guaranteed"
    # envclone's own commands come as before; others are told the Service
    end = world.branch.endpoints["main"]
    assert end.host == "127.0.0.1" and end.socket is not None
    assert end.public == f"branch.{namespace}.svc:5432"
    assert world.branch.endpoints["api"].public == f"branch.{namespace}.svc:8000"
    told = branch_seen(world.branch, owner="ada", mine=True, login="once")
    assert told.urls["main"] == f"postgresql://envclone@branch.{namespace}.svc:5432/app"
    assert (told.endpoints["main"].host, told.endpoints["main"].port) == (f"branch.{namespace}.svc", 5432)
    world.runtime.stop(world.branch, world.directory)
    world.runtime.start(world.branch, world.directory, LOGIN)
    assert len(world.api.all("services", namespace)) == 1 and set(_policies(world)) == {"deny", "connect"}
    world.runtime.remove(world.branch.name, world.directory)
    assert world.api.all("services") == [] and world.api.all("networkpolicies") == []


def test_nobody_comes_in_before_the_walls_are_proved(world: World) -> None:
    """Not at the first start, and not at a later one."""
    world.make(settings=SERVED)
    world.runtime.stop(world.branch, world.directory)
    world.api.requests.clear()
    world.runtime.start(world.branch, world.directory, LOGIN)
    asked = [f"{method} {path.rpartition('/')[2]}" for method, path in world.api.requests]
    closed, made = asked.index("DELETE connect"), [n for n, one in enumerate(asked) if one == "POST pods"]
    probes = [n for n, one in enumerate(asked) if one.startswith("DELETE probe-")]
    opened = [n for n, one in enumerate(asked) if one == "POST networkpolicies"][-1]
    assert closed < min(made) and opened > max(probes) > max(made)
    world.runtime.stop(world.branch, world.directory)
    world.pretended.enforces = False
    with pytest.raises(UnsafeError, match="does not enforce network policies"):
        world.runtime.start(world.branch, world.directory, LOGIN)
    assert "connect" not in _policies(world)


def test_who_may_connect_is_as_the_stack_file_says(world: World) -> None:
    clients = [{"namespace": {"team": "search"}, "pods": {"app": "notebook"}}, {"cidr": "10.20.0.0/16"}]
    world.api.version = schemas.VERSIONS[0]
    world.make(services=True, settings={**SERVED, "clients": clients})
    (rule,) = _policies(world)["connect"]["ingress"]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"team": "search"}}, "podSelector": {"matchLabels": {"app": "notebook"}}},
        {"ipBlock": {"cidr": "10.20.0.0/16"}},
    ]
    for version in schemas.VERSIONS:
        for document in plan.load(world.directory).manifests:
            assert schemas.flaws(version, document) == [], (version, document["kind"])


@pytest.mark.parametrize(
    "client",
    [{}, {"namespace": {}}, {"pods": {"app": "x"}}, {"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}, {"cidr": "here"},
     {"cidr": "10.0.0.1/8"}, {"namespace": {"team": "x y"}}, {"namespace": {"-": "x"}}, {"namespace": {"a": "x" * 64}},
     {"namespace": {"team": "x"}, "cidr": "10.0.0.0/8"}, {"everybody": True}],
)  # fmt: skip
def test_nobody_is_let_in_by_mistake(client: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KubernetesConfig.model_validate({**SERVED, "clients": [client]})
    assert KubernetesConfig.model_validate({**SERVED, "clients": []}).reached_by[0].namespace == {REACHES: "true"}


def test_without_it_there_is_no_way_in(world: World) -> None:
    world.make()
    assert world.api.all("services") == [] and set(_policies(world)) == {"deny"}
    assert world.branch.endpoints["main"].public == ""


def test_others_are_told_the_service_and_this_machine_its_own_way() -> None:
    end = Endpoint("main", "postgres", "127.0.0.1", 40617, "app", "envclone", Secret("pw"), public="branch.ns.svc:5432")
    assert url(end) == "postgresql://envclone:pw@127.0.0.1:40617/app"
    assert url(public(end)) == "postgresql://envclone:pw@branch.ns.svc:5432/app"
    assert variables({"main": public(end)})["PGHOST"] == "branch.ns.svc"
    plain = Endpoint("main", "postgres", "127.0.0.1", 40617, "app")
    assert public(plain) == plain


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
def test_bytes_come_through_the_door_at_the_same_port(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (door,) = doorway.listening([address], [port])
        threading.Thread(target=doorway.serve, args=(door,), daemon=True).start()

        def echo() -> None:
            one, _ = server.accept()
            with one:
                while data := one.recv(1 << 16):
                    one.sendall(data.upper())

        threading.Thread(target=echo, daemon=True).start()
        with socket.create_connection((address, port), 10) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"HELLO" and client.recv(100) == b""
        door.close()
