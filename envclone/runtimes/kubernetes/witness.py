"""What limits did to the parts of a branch on a cluster: its pod's status and events, and its node's own counters."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from dataclasses import replace

from envclone.errors import EnvcloneError
from envclone.models import Counters
from envclone.runtimes.kubernetes import diagnosis
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.kinds import path_of
from envclone.runtimes.kubernetes.pod import POD

__all__ = ["KubernetesWitness", "counters_of"]

_LINE = re.compile(r"(?P<name>[a-z_]+)\{(?P<labels>[^}]*)\} (?P<value>[0-9.eE+-]+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_METRICS = {
    "container_cpu_cfs_throttled_periods_total": "throttled_periods",
    "container_cpu_cfs_throttled_seconds_total": "throttled_seconds",
    "container_memory_failcnt": "memory_refused",
    "container_memory_max_usage_bytes": "memory_peak",
    "container_oom_events_total": "oom_kills",
    "container_fs_reads_bytes_total": "read_bytes",
    "container_fs_writes_bytes_total": "written_bytes",
}
_SETUP = ("seal", "ready", "relay")
_GRACE = 3.0
"""Seconds that a kubelet is given to tell of a container that ended a moment ago."""


def counters_of(text: str, namespace: str, pod: str) -> dict[str, Counters]:
    """What a kubelet's `metrics/cadvisor` says of each container of a pod."""
    found: dict[str, dict[str, float]] = {}
    for match in _LINE.finditer(text):
        field = _METRICS.get(match["name"])
        if field is None:
            continue
        labels = dict(_LABEL.findall(match["labels"]))
        if (labels.get("namespace"), labels.get("pod")) != (namespace, pod) or not labels.get("container"):
            continue
        part = found.setdefault(labels["container"], {})
        part[field] = part.get(field, 0.0) + float(match["value"])
    return {
        name: Counters(**{key: value if key == "throttled_seconds" else int(value) for key, value in part.items()})  # type: ignore[arg-type]
        for name, part in found.items()
        if name != "POD"
    }


class KubernetesWitness:
    """Looks at a branch's pod as a replay begins and as it ends; the client is closed then."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._pod: Object | None = None
        self._before: dict[str, Counters] = {}

    def __enter__(self) -> KubernetesWitness:
        self._pod = self._cluster.get("Pod", POD, self._namespace)
        self._before = self._counted(self._pod)
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.close()

    def testify(self) -> dict[str, Counters]:
        """What happened to each part since the beginning; a part that is gone with its pod was ended by the cluster."""
        deadline = time.monotonic() + _GRACE
        while True:
            now = self._cluster.get("Pod", POD, self._namespace)
            states = {one["name"]: one for one in diagnosis.statuses(now or {})}
            settled = all(one.get("state") for one in states.values())
            if settled or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        after, evicted = self._counted(now), self._evicted(now)
        started = {one["name"]: one for one in diagnosis.statuses(self._pod or {})}
        return {
            name: self._of(name, started[name], states.get(name), after, evicted)
            for name in started
            if name not in _SETUP
        }

    def _of(
        self, name: str, before: Object, now: Object | None, after: Mapping[str, Counters], evicted: str
    ) -> Counters:
        old = self._before.get(name, Counters())
        new = after.get(name, old)
        restarts = max(0, _restarts(now) - _restarts(before))
        # a container that was started again counts from zero
        seen = new if restarts else new.since(old)
        ended = diagnosis.last_end(now) if now is not None else None
        fresh = ended is not None and ended != diagnosis.last_end(before)
        killed = fresh and ended is not None and ended.get("reason") == "OOMKilled"
        for_memory = bool(evicted) and "memory" in evicted.lower()
        return replace(
            seen,
            oom_kills=max(seen.oom_kills, restarts if killed and restarts else int(killed), int(for_memory)),
            restarts=restarts,
            exit_code=int(ended["exitCode"]) if fresh and ended is not None else (137 if evicted else None),
        )

    def _evicted(self, now: Object | None) -> str:
        """Why the cluster ended the pod, in its own words; '' when it did not."""
        status = (now or {}).get("status") or {}
        if status.get("reason") in ("Evicted", "NodeLost", "Preempting"):
            return f"{status['reason']}: {status.get('message') or ''}"
        uid = (self._pod or {}).get("metadata", {}).get("uid")
        with contextlib.suppress(EnvcloneError):
            for event in self._cluster.list("Event", self._namespace):
                about = event.get("involvedObject") or {}
                if event.get("reason") in ("Evicted", "Preempted", "NodeNotReady") and about.get("uid") in (None, uid):
                    return f"{event['reason']}: {event.get('message') or ''}"
        return ""

    def _counted(self, document: Object | None) -> dict[str, Counters]:
        """What the node's kubelet counts; nothing when this login may not ask it."""
        node = ((document or {}).get("spec") or {}).get("nodeName")
        if not node:
            return {}
        with contextlib.suppress(EnvcloneError):
            text = self._cluster.text(path_of("Node", name=node, part="proxy/metrics/cadvisor"))
            return counters_of(text, self._namespace, POD)
        return {}


def _restarts(status: Object | None) -> int:
    return int((status or {}).get("restartCount") or 0)
