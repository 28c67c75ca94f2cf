"""What a pod's status, its events and its node's counters become in the evidence of a replay."""

from __future__ import annotations

from typing import Any

from envclone.models import Counters
from envclone.runtimes.kubernetes.witness import KubernetesWitness, counters_of
from tests.support.cluster.server import Api
from tests.unit.runtimes.kubernetes.conftest import World

LINE = '{name}{{container="{part}",id="/x",namespace="ns",pod="branch"}} {value} 1700000000000\n'


def _metrics(namespace: str, periods: int, seconds: float, peak: int) -> str:
    values = {
        "container_cpu_cfs_throttled_periods_total": periods,
        "container_cpu_cfs_throttled_seconds_total": seconds,
        "container_memory_max_usage_bytes": peak,
    }
    lines = [LINE.format(name=name, part="main", value=value) for name, value in values.items()]
    return "# HELP x y\n" + "".join(lines).replace('"ns"', f'"{namespace}"')


def _status(api: Api, namespace: str, **values: Any) -> None:
    (key,) = [key for key, _ in api.store.each("pods", namespace)]
    api.store.edit(key, lambda one: one["status"].update(values))


def _ended(api: Api, namespace: str, reason: str, code: int, restarts: int) -> None:
    over = {"terminated": {"reason": reason, "exitCode": code}}
    (pod,) = api.all("pods", namespace)
    (one,) = pod["status"]["containerStatuses"]
    _status(api, namespace, containerStatuses=[{**one, "restartCount": restarts, "lastState": over}])


def test_metrics_of_a_kubelet() -> None:
    text = _metrics("ns", 7, 1.25, 4096) + LINE.format(name="container_oom_events_total", part="api", value=1)
    found = counters_of(text, "ns", "branch")
    assert found["main"] == Counters(throttled_periods=7, throttled_seconds=1.25, memory_peak=4096)
    assert found["api"] == Counters(oom_kills=1)
    assert counters_of(text, "another", "branch") == {}


def test_throttling_and_a_kill_for_memory(world: World) -> None:
    world.make()
    namespace = f"envclone-{world.branch.name}"
    world.api.metrics["node-1"] = _metrics(namespace, 10, 2.0, 1 << 20)
    with world.runtime.evidence(world.branch, world.directory) as witness:
        world.api.metrics["node-1"] = _metrics(namespace, 25, 3.5, 2 << 20)
        seen = witness.testify()["main"]
        assert (seen.throttled_periods, seen.throttled_seconds, seen.memory_peak) == (15, 1.5, 2 << 20)
        assert (seen.oom_kills, seen.restarts, seen.exit_code) == (0, 0, None)
        _ended(world.api, namespace, "OOMKilled", 137, 1)
        killed = witness.testify()["main"]
        assert (killed.oom_kills, killed.restarts, killed.exit_code) == (1, 1, 137)


def test_a_login_that_may_not_ask_the_kubelet_sees_the_rest(world: World) -> None:
    world.make()
    world.api.denied.add(("get", "nodes/proxy"))
    with world.runtime.evidence(world.branch, world.directory) as witness:
        _ended(world.api, f"envclone-{world.branch.name}", "Error", 1, 1)
        assert witness.testify()["main"] == Counters(restarts=1, exit_code=1)


def test_an_eviction_for_memory(world: World) -> None:
    world.make()
    with world.runtime.evidence(world.branch, world.directory) as witness:
        said = "The node was low on resource: memory."
        _status(world.api, f"envclone-{world.branch.name}", phase="Failed", reason="Evicted", message=said)
        assert witness.testify()["main"] == Counters(oom_kills=1, exit_code=137)
    assert isinstance(witness, KubernetesWitness)
    assert world.runtime.insight(world.branch, world.directory).stats()["main"]["memory_limit"] == 256 << 20
