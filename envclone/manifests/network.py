"""Who may speak to whom: nobody to nobody, and then each pod to what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envclone.manifests.plan import Plan
from envclone.manifests.pods import SYSTEM, Names, metadata, selector
from envclone.manifests.text import Of

__all__ = ["policies"]


def policies(plan: Plan) -> Iterator[dict[str, Any]]:
    """The policies of its own namespaces; of a branch's the runtime makes its own."""
    for namespace in (SYSTEM, *plan.images, *plan.quarantine):
        yield _policy(plan, "default-deny", {}, namespace, ["Ingress", "Egress"])
    everybody = {"matchLabels": {"app.kubernetes.io/instance": plan.project, "app.kubernetes.io/part-of": "envclone"}}
    names = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    yield _policy(plan, "name-servers", everybody, SYSTEM, ["Egress"], egress=[
        {"to": Of(("network", "nameServers")), "ports": names},
    ])  # fmt: skip
    for one in plan.kept:
        component = Names.keep(one.environment)
        yield _policy(plan, f"{component}-production", _pods(plan, component), SYSTEM, ["Egress"],
                      egress=Of(("network", "production")))  # fmt: skip
    if plan.lent:
        yield _policy(plan, "gc-production", _pods(plan, "gc"), SYSTEM, ["Egress"],
                      egress=Of(("network", "production")))  # fmt: skip
    asking = [] if not plan.api else ["gc", "serve"] if plan.serve else ["gc"]
    asking += [Names.keep(one) for one in plan.volumes]
    for component in asking:
        yield _policy(plan, f"{component}-api", _pods(plan, component), SYSTEM, ["Egress"],
                      egress=Of(("network", "apiServer")))  # fmt: skip
    if plan.serve:
        yield _policy(plan, "serve", _pods(plan, "serve"), SYSTEM, ["Ingress"], ingress=[
            {"from": Of(("serve", "from")), "ports": [{"port": "https"}]},
        ])  # fmt: skip


def _pods(plan: Plan, component: str) -> dict[str, Any]:
    return {"matchLabels": selector(plan, component)}


def _policy(
    plan: Plan, name: str, pods: dict[str, Any], namespace: Any, types: list[str], **rules: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(plan, name, "network", namespace),
        "spec": {"podSelector": pods, "policyTypes": types, **rules},
    }
