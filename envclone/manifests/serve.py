"""`envclone serve`: one pod with TLS of its own, so that engineers need neither root nor the key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envclone.manifests.plan import Plan, Variable
from envclone.manifests.pods import Names, metadata, pod, selector
from envclone.manifests.text import Of, Why

__all__ = ["serve"]

PORT = 8443
_TLS = "/etc/envclone-tls"


def serve(plan: Plan) -> Iterator[dict[str, Any]]:
    """Deployment, Service and disruption budget."""
    name, component = Names().serve, "serve"
    variables: tuple[Variable, ...] = tuple(one for kept in plan.kept for one in kept.variables)
    probe = {"httpGet": {"path": "/healthz", "port": "https", "scheme": "HTTPS"}, "timeoutSeconds": 5}
    template = pod(
        plan, component, name,
        [
            "serve", "--host", "0.0.0.0", "--port", str(PORT),  # noqa: S104 (a pod's own address; a policy says who)
            "--tls-cert", f"{_TLS}/tls.crt", "--tls-key", f"{_TLS}/tls.key",
        ],
        variables, ("serve",), api=plan.api, restart="Always",
        more={
            "ports": [{"name": "https", "containerPort": PORT, "protocol": "TCP"}],
            "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 60},
            "readinessProbe": {**probe, "periodSeconds": 10},
            "livenessProbe": {**probe, "periodSeconds": 30, "failureThreshold": 5},
        },
        mounts=[{"name": "tls", "mountPath": _TLS, "readOnly": True}],
        volumes=[{"name": "tls", "secret": {"secretName": Of(("secrets", "tls")), "defaultMode": 0o400}}],
    )  # fmt: skip
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(plan, name, component),
        "spec": {
            "replicas": Why(1, "its jobs and its branches are one pool's, which one process looks after"),
            "strategy": Why({"type": "Recreate"}, "the old one lets go of the volume before the new one takes it"),
            "selector": {"matchLabels": selector(plan, component)},
            "template": template,
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(plan, name, component),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(plan, component),
            "ports": [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}],
        },
    }
    yield {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(plan, name, component),
        "spec": {
            "maxUnavailable": Why(1, "of one pod `minAvailable: 1` would hold up the draining of its node for ever"),
            "selector": {"matchLabels": selector(plan, component)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
