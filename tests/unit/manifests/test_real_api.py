"""The manifests on a real kube-apiserver: it takes every object, and the fence holds who makes branches.

`KUBEBUILDER_ASSETS` names the directory of the programs; without it nothing here is collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone.manifests.build import objects
from tests.support import envtest
from tests.support.envtest import ASSETS, Real
from tests.unit.manifests.stacks import CLUSTER, VOLUMES, planned

PLURALS = {"NetworkPolicy": "networkpolicies", "ValidatingAdmissionPolicy": "validatingadmissionpolicies"}
MAKER, GC, KEEPER = (
    f"system:serviceaccount:envclone:{name}" for name in ("envclone-serve", "envclone-gc", "keep-prod")
)
OURS = {"app.kubernetes.io/managed-by": "envclone", "pod-security.kubernetes.io/enforce": "restricted"}
POD: dict[str, Any] = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "branch"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "image": "a", "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}],
    },
}  # fmt: skip


def _place(one: dict[str, Any]) -> str:
    root = "/api/v1" if one["apiVersion"] == "v1" else f"/apis/{one['apiVersion']}"
    namespace = one["metadata"].get("namespace")
    plural = PLURALS.get(one["kind"], one["kind"].lower() + ("es" if one["kind"].endswith("s") else "s"))
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def _namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


if ASSETS:

    @pytest.fixture(scope="module")
    def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
        with envtest.running(tmp_path_factory.mktemp("envtest")) as made:
            made_of = planned(tmp_path_factory.mktemp("stack"), VOLUMES, production=["10.20.0.7/32:5432"])
            for name in made_of.sources:
                made.ask("POST", "/api/v1/namespaces", _namespace(name, {}))
            for one in objects(made_of):
                code, said = made.apply(_place(one), one)
                assert code in (200, 201), (one["kind"], one["metadata"]["name"], said.get("message"))
            _until_fenced(made)
            yield made

    def _until_fenced(real: Real) -> None:
        """A policy takes effect a moment after it is made: until then the wrong namespace is one too many."""
        for number in range(200):
            code, _ = real.ask(
                "POST", "/api/v1/namespaces?dryRun=All", _namespace(f"probe-{number}", {}), account=MAKER
            )
            if code != 201:
                return
        raise AssertionError("the fence does not stand")

    def test_who_makes_branches_makes_them_in_their_namespaces_only(real: Real) -> None:
        assert real.ask("POST", "/api/v1/namespaces", _namespace("shop-one", OURS), account=MAKER)[0] == 201
        assert real.ask("POST", "/api/v1/namespaces/shop-one/pods", POD, account=MAKER)[0] == 201
        for elsewhere in ("default", "kube-system", "envclone"):
            code, said = real.ask("POST", f"/api/v1/namespaces/{elsewhere}/pods", POD, account=MAKER)
            assert code in (403, 422) and "in the namespaces of branches only" in said["message"], elsewhere

    def test_where_production_is_nothing_is_changed_but_a_label(real: Real) -> None:
        """A right to make pods anywhere must not reach production, though snapshots are made there."""
        for place in ("shop", "vectors", "shop-images"):
            code, said = real.ask("POST", f"/api/v1/namespaces/{place}/pods", POD, account=MAKER)
            assert code in (403, 422) and "fence" in said["message"], place

    def test_a_namespace_is_labelled_and_restricted(real: Real) -> None:
        for name, labels in {"a": {}, "b": {**OURS, "pod-security.kubernetes.io/enforce": "baseline"},
                             "c": {"pod-security.kubernetes.io/enforce": "restricted"}}.items():  # fmt: skip
            code, said = real.ask("POST", "/api/v1/namespaces", _namespace(name, labels), account=MAKER)
            assert code in (403, 422) and "fence" in said["message"], name

    def test_other_namespaces_are_neither_taken_over_nor_removed(real: Real) -> None:
        patch = {"metadata": {"labels": OURS}}
        code, said = real.ask("PATCH", "/api/v1/namespaces/default", patch, account=MAKER, kind="merge-patch+json")
        assert code in (403, 422) and "labelled as its own" in said["message"]
        for account in (MAKER, GC):
            code, said = real.ask("DELETE", "/api/v1/namespaces/envclone", account=account)
            assert code in (403, 422) and "fence" in said["message"]

    @pytest.mark.parametrize(
        ("account", "method", "path"),
        [
            (MAKER, "GET", "/api/v1/namespaces/kube-system/secrets"), (MAKER, "GET", "/api/v1/secrets"),
            (MAKER, "GET", "/api/v1/namespaces/default/secrets/other"), (MAKER, "GET", "/api/v1/pods"),
            (MAKER, "GET", "/api/v1/namespaces/envclone/configmaps/envclone-stack"),
            (MAKER, "GET", "/api/v1/nodes"), (GC, "POST", "/api/v1/namespaces/default/pods"),
            (GC, "GET", "/api/v1/namespaces/default/secrets/logins"), (KEEPER, "GET", "/api/v1/namespaces"),
        ],
    )  # fmt: skip
    def test_what_nobody_was_given(real: Real, account: str, method: str, path: str) -> None:
        code, said = real.ask(method, path, POD if method == "POST" else None, account=account)
        assert code == 403 and "fence" not in said["message"]

    def test_what_is_known_by_its_name_can_be_waited_for(real: Real) -> None:
        path = "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dlogins"
        assert real.ask("GET", path, account=MAKER)[0] == 200
        assert real.ask("GET", path.replace("logins", "others"), account=MAKER)[0] == 403


def test_every_kind_has_its_place(tmp_path: Path) -> None:
    places = {_place(one) for one in objects(planned(tmp_path, CLUSTER))}
    assert "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies" in places
    assert "/api/v1/namespaces/envclone/services" in places
