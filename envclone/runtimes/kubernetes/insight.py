"""A look into a branch's pod: what its parts wrote, programs run in them, what they use."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from envclone.errors import EnvcloneError, UsageError
from envclone.runtimes.kubernetes.client import connect
from envclone.runtimes.kubernetes.kinds import path_of
from envclone.runtimes.kubernetes.pod import POD

if TYPE_CHECKING:
    from envclone.models import Branch
    from envclone.runtimes.kubernetes.settings import Kept

__all__ = ["KubernetesInsight", "bytes_of"]

_SETUP = ("seal", "ready", "relay")
_USE = re.compile(
    r"container_(?P<what>memory_working_set_bytes|cpu_usage_seconds_total|processes)"
    r"\{(?P<labels>[^}]*)\} (?P<value>\S+)"
)


class KubernetesInsight:
    """For one branch."""

    def __init__(self, branch: Branch, there: Kept | None) -> None:
        self._branch, self._there = branch, there

    @property
    def _namespace(self) -> str:
        return self._where.namespace

    @property
    def _where(self) -> Kept:
        if self._there is None:
            raise UsageError(f"the branch '{self._branch.name}' was never on a cluster")
        return self._there

    def logs(self, part: str, lines: int) -> str:
        """The last lines of what a part's container wrote."""
        self._known(part)
        with connect(self._where.context) as cluster:
            query = {"container": part, "tailLines": str(lines)}
            return cluster.text(path_of("Pod", self._namespace, POD, "log"), query)

    def following(self, part: str) -> Sequence[str]:
        """`kubectl logs --follow` on it."""
        self._known(part)
        return [*self._kubectl(), "logs", "--follow", "--tail=20", POD, f"--container={part}"]

    def command(self, part: str, argv: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """`kubectl exec` in it."""
        self._known(part)
        ways = ["--stdin", "--tty"] if terminal else []
        return [*self._kubectl(), "exec", *ways, POD, f"--container={part}", "--", *argv]

    def stats(self) -> dict[str, dict[str, float]]:
        """What each part uses now, as the node's kubelet counts it, and its limit."""
        with connect(self._where.context) as cluster:
            document = cluster.get("Pod", POD, self._namespace)
            if document is None:
                return {}
            spec, found = document["spec"], {}
            for one in [*(spec.get("initContainers") or ()), *spec["containers"]]:
                if one["name"] not in _SETUP:
                    found[one["name"]] = {"memory_limit": bytes_of(str(one["resources"]["limits"]["memory"]))}
            node = spec.get("nodeName")
            if node:
                with contextlib.suppress(EnvcloneError):
                    text = cluster.text(path_of("Node", name=node, part="proxy/metrics/cadvisor"))
                    self._use(text, found)
            return found

    def _use(self, text: str, found: dict[str, dict[str, float]]) -> None:
        names = {"memory_working_set_bytes": "memory", "cpu_usage_seconds_total": "cpu_seconds", "processes": "pids"}
        for match in _USE.finditer(text):
            labels = dict(re.findall(r'([a-z_]+)="([^"]*)"', match["labels"]))
            here = (labels.get("namespace"), labels.get("pod")) == (self._namespace, POD)
            part = labels.get("container", "")
            if here and part in found:
                key = names[match["what"]]
                found[part][key] = found[part].get(key, 0.0) + float(match["value"])

    def _kubectl(self) -> list[str]:
        context = [f"--context={self._where.context}"] if self._where.context else []
        return ["kubectl", *context, f"--namespace={self._namespace}"]

    def _known(self, part: str) -> None:
        there = [*self._branch.stores, *self._branch.services]
        if part not in (*there, *_SETUP):
            raise UsageError(
                f"the branch '{self._branch.name}' has no part '{part}'; there are: {', '.join([*there, *_SETUP])}"
            )


def bytes_of(quantity: str) -> float:
    """A quantity as a number."""
    for unit, power in (("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5)):
        if quantity.endswith(unit):
            return float(quantity[:-2]) * float(1024**power)
    for unit, power in (("m", -1), ("k", 1), ("M", 2), ("G", 3), ("T", 4), ("P", 5)):
        if quantity.endswith(unit):
            return float(quantity[:-1]) * float(1000**power)
    return float(quantity)
