"""The objects: what a cluster that enforces `restricted` takes, without a token or a secret too many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from envclone.config.load import load
from envclone.manifests.build import objects, parts, stream, texts
from envclone.manifests.plan import Plan
from envclone.manifests.pods import keys
from tests.support.cluster import schemas
from tests.unit.manifests.stacks import CLUSTER, IMAGE, STACK, VOLUMES, planned
from tests.unit.test_snippets import parse


@pytest.fixture
def made(tmp_path: Path) -> Plan:
    return planned(tmp_path, production=["10.20.0.7/32:5432", "fd00::/64:6333"], masking_key="envclone-key")


def _of(made: Plan, kind: str) -> list[dict[str, Any]]:
    return [one for one in objects(made) if one["kind"] == kind]


def _pods(made: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in objects(made):
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", {}).get("template") or spec.get("template")
        if template:
            yield one["metadata"]["name"], template


def test_the_kinds(made: Plan) -> None:
    counted: dict[str, int] = {}
    for one in objects(made):
        counted[one["kind"]] = counted.get(one["kind"], 0) + 1
    assert counted == {
        "Namespace": 1, "ServiceAccount": 4, "NetworkPolicy": 6, "ConfigMap": 1, "PersistentVolumeClaim": 1,
        "CronJob": 3, "Deployment": 1, "Service": 1, "PodDisruptionBudget": 1,
    }  # fmt: skip


def test_it_is_the_same_each_time(made: Plan, tmp_path: Path) -> None:
    again = planned(tmp_path, production=["10.20.0.7/32:5432", "fd00::/64:6333"], masking_key="envclone-key")
    assert stream(again) == stream(made)
    assert [one for one in yaml.safe_load_all(stream(made)) if one] == objects(made)
    names = list(texts(made))
    assert names == sorted(names) and names[0] == "00-namespaces.yaml"


def test_names_are_labels_and_none_is_twice(made: Plan) -> None:
    named = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects(made)]
    assert len(set(named)) == len(named)
    assert max(len(name) for kind, _, name in named if kind == "CronJob") <= 52


def test_pods_are_restricted(made: Plan) -> None:
    found = dict(_pods(made))
    assert set(found) == {"keep-prod", "keep-pre-prod", "envclone-gc", "envclone-serve"}
    for name, template in found.items():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        for container in [*spec["initContainers"], *spec["containers"]]:
            assert container["image"] == IMAGE
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
            }  # fmt: skip
            resources = container["resources"]
            assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert {next(key for key in volume if key != "name") for volume in spec["volumes"]} <= {
            "persistentVolumeClaim", "configMap", "secret", "emptyDir",
        }  # fmt: skip


def test_nobody_has_a_token_who_asks_the_cluster_nothing(made: Plan) -> None:
    assert all(one["automountServiceAccountToken"] is False for one in _of(made, "ServiceAccount"))
    assert all(template["spec"]["automountServiceAccountToken"] is False for _, template in _pods(made))
    accounts = {one["metadata"]["name"] for one in _of(made, "ServiceAccount")}
    assert {template["spec"]["serviceAccountName"] for _, template in _pods(made)} == accounts


def test_the_clock(made: Plan) -> None:
    for one in _of(made, "CronJob"):
        spec = one["spec"]
        assert spec["concurrencyPolicy"] == "Forbid" and spec["startingDeadlineSeconds"] <= 300
        job = spec["jobTemplate"]["spec"]
        assert job["backoffLimit"] == 0 and 60 <= job["activeDeadlineSeconds"] <= 86400
        assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_secrets_stand_there_by_name(made: Plan) -> None:
    assert not _of(made, "Secret")
    given = {
        entry["name"]: entry for name, template in _pods(made) if name == "keep-prod"
        for entry in template["spec"]["containers"][0]["env"]
    }  # fmt: skip
    assert given.pop("LOGNAME") == {"name": "LOGNAME", "value": "keep-prod"}
    assert given.pop("HOME") == {"name": "HOME", "value": "/home/envclone"}
    assert {name: entry["valueFrom"]["secretKeyRef"] for name, entry in given.items()} == {
        "ENVCLONE_MASKING_KEY": {"name": "envclone-key", "key": "masking.key"},
        "PROD_PG_DSN": {"name": "envclone-production", "key": "PROD_PG_DSN"},
        "PROD_QDRANT_KEY": {"name": "envclone-production", "key": "PROD_QDRANT_KEY", "optional": True},
        "PROD_QDRANT_URL": {"name": "envclone-production", "key": "PROD_QDRANT_URL"},
    }


def test_a_mounted_stack_file_is_the_stack_file(made: Plan, tmp_path: Path) -> None:
    (config,) = _of(made, "ConfigMap")
    root = tmp_path / "container"
    for name, template in _pods(made):
        mounts = template["spec"]["containers"][0]["volumeMounts"]
        files = {mount["mountPath"]: mount["subPath"] for mount in mounts if mount["name"] == "stack"}
        for path, key in files.items():
            (root / name / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (root / name / path.lstrip("/")).write_text(config["data"][key])
        stack = load(root / name / "etc/envclone/envclone.yaml", {}).stack
        assert stack.sanitize.rules == load(tmp_path / "envclone.yaml", {}).stack.sanitize.rules
        assert all(mount["readOnly"] for mount in mounts if mount["name"] == "stack")


def test_every_command_line_can_be_typed(made: Plan) -> None:
    for _, template in _pods(made):
        (container,) = template["spec"]["containers"]
        assert container["command"] == ["envclone"]
        parse(container["args"])


def test_every_mount_has_its_volume(made: Plan) -> None:
    for name, template in _pods(made):
        spec = template["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        used = {mount["name"] for container in [*spec["initContainers"], *spec["containers"]]
                for mount in container["volumeMounts"]}  # fmt: skip
        assert used == volumes, name
        prepared = {
            word.removeprefix("/volume/") for word in spec["initContainers"][0]["command"] if "/volume/" in word
        }
        mounted = {mount["subPath"] for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "pool"}
        assert mounted == prepared, "the kubelet would make a directory that others can read"


@pytest.mark.parametrize("text", [STACK, CLUSTER], ids=["machine", "cluster"])
def test_nobody_reaches_anybody_by_default(tmp_path: Path, text: str) -> None:
    made = planned(tmp_path, text, production=["10.20.0.7/32:5432"])
    policies = _of(made, "NetworkPolicy")
    for one in _of(made, "Namespace"):
        (deny,) = (policy for policy in policies if (policy["metadata"]["name"], policy["metadata"]["namespace"])
                   == ("default-deny", one["metadata"]["name"]))  # fmt: skip
        assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for one in policies:
        for rules, side in ((one["spec"].get("ingress", []), "from"), (one["spec"].get("egress", []), "to")):
            if not one["metadata"]["name"].endswith("-api"):
                assert all(rule.get(side) and rule.get("ports") for rule in rules), "an empty side is everybody"


def test_selectors_find_their_pods_and_no_others(made: Plan) -> None:
    pods = {name: template["metadata"]["labels"] for name, template in _pods(made)}

    def found(selector: dict[str, str]) -> set[str]:
        return {name for name, labels in pods.items() if selector.items() <= labels.items()}

    reached = {one["metadata"]["name"]: found(one["spec"]["podSelector"].get("matchLabels", {}))
               for one in _of(made, "NetworkPolicy") if one["metadata"]["namespace"] == "envclone"}  # fmt: skip
    assert reached == {
        "default-deny": set(pods), "name-servers": set(pods), "serve": {"envclone-serve"},
        "keep-prod-production": {"keep-prod"}, "keep-pre-prod-production": {"keep-pre-prod"},
        "gc-production": {"envclone-gc"},
    }  # fmt: skip
    (service,), (deployment,), (budget,) = (
        _of(made, kind) for kind in ("Service", "Deployment", "PodDisruptionBudget")
    )
    for selector in (service["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"],
                     budget["spec"]["selector"]["matchLabels"]):  # fmt: skip
        assert found(selector) == {"envclone-serve"}


def test_the_service_answers_where_its_probes_ask(made: Plan) -> None:
    (deployment,), (service,) = _of(made, "Deployment"), _of(made, "Service")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {one["name"] for one in container["ports"]} == {service["spec"]["ports"][0]["targetPort"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "https", "scheme": "HTTPS"}
    tls = next(one for one in deployment["spec"]["template"]["spec"]["volumes"] if one["name"] == "tls")
    assert tls["secret"]["secretName"] == "envclone-serve-tls"


def test_a_class_of_snapshots_keeps_what_it_made(tmp_path: Path) -> None:
    (found,) = _of(planned(tmp_path, csi_driver="ebs.csi.aws.com"), "VolumeSnapshotClass")
    assert found["deletionPolicy"] == "Retain" and found["driver"] == "ebs.csi.aws.com"


def test_without_the_service(tmp_path: Path) -> None:
    made = planned(tmp_path, serve=False, environments=["prod"])
    assert not _of(made, "Deployment")
    assert not [one for one in objects(made) if "envclone-serve" in json.dumps(one)]
    assert [part.name for part in parts(made) if part.name.startswith("50-")] == ["50-keep-prod"]


def test_keys_of_files_are_distinct() -> None:
    named = keys(["a/b.yaml", "a-b.yaml", "ä.yaml"])
    assert len(set(named.values())) == 3
    assert all(key.isascii() and "/" not in key for key in named.values())


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_every_object_is_of_its_schema_in_every_version(tmp_path: Path, version: str) -> None:
    made = planned(tmp_path, CLUSTER, csi_driver="ebs.csi.aws.com", production=["10.20.0.7/32:5432"])
    for one in objects(made):
        assert schemas.flaws(version, one) == [], (one["kind"], one["metadata"]["name"])
    broken = {**objects(made)[0], "spec": {"finalizer": []}}
    assert schemas.flaws(version, broken)


def test_branches_in_the_cluster_have_their_rights(tmp_path: Path) -> None:
    made = planned(tmp_path, CLUSTER)
    assert [one["metadata"]["name"] for one in _of(made, "Namespace")] == ["envclone", "shop-images"]
    tokens = {name: template["spec"]["automountServiceAccountToken"] for name, template in _pods(made)}
    assert tokens == {"keep-prod": False, "keep-pre-prod": False, "envclone-gc": True, "envclone-serve": True}
    subjects = {one["metadata"]["name"]: [who["name"] for who in one["subjects"]] for one in
                [*_of(made, "ClusterRoleBinding"), *_of(made, "RoleBinding")]}  # fmt: skip
    assert subjects == {
        "envclone-acme-gc": ["envclone-gc"], "envclone-acme-branch": ["envclone-branch", "envclone-serve"],
    }  # fmt: skip
    for one in (*_of(made, "ClusterRole"), *_of(made, "Role")):
        assert all("*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]] for rule in one["rules"])
    text = texts(made)["15-rights.yaml"]
    assert all(re.search(rf"# {verb}: \w.*\n +- {verb}\n", text) for verb in ("get", "create", "delete", "watch"))


def test_the_fence_names_the_accounts(tmp_path: Path) -> None:
    made = planned(tmp_path, CLUSTER, namespace="tools")
    (fence,), (binding,) = _of(made, "ValidatingAdmissionPolicy"), _of(made, "ValidatingAdmissionPolicyBinding")
    assert fence["spec"]["failurePolicy"] == "Fail" and binding["spec"]["validationActions"] == ["Deny"]
    assert binding["spec"]["policyName"] == fence["metadata"]["name"]
    (who,) = fence["spec"]["matchConditions"]
    assert who["expression"] == (
        "request.userInfo.username in ['system:serviceaccount:tools:envclone-branch', "
        "'system:serviceaccount:tools:envclone-serve', 'system:serviceaccount:tools:envclone-gc']"
    )
    (rules,) = fence["spec"]["matchConstraints"]["resourceRules"]
    granted = {group for role in _of(made, "ClusterRole") for rule in role["rules"] for group in rule["apiGroups"]}
    assert granted == set(rules["apiGroups"]), "what is granted is looked at"


def test_volumes_bring_a_place_for_images_to_be_made_and_rights_there(tmp_path: Path) -> None:
    made = planned(tmp_path, VOLUMES, production=["10.20.0.7/32:5432"])
    assert [one["metadata"]["name"] for one in _of(made, "Namespace")] == ["envclone", "shop-images", "shop-quarantine"]
    roles = {(one["metadata"]["name"], one["metadata"].get("namespace")) for one in _of(made, "Role")}
    image = {place for name, place in roles if name == "envclone-acme-image"}
    assert image == {"shop-images", "shop-quarantine", "shop", "vectors"}
    (bound,) = [one for one in _of(made, "ClusterRoleBinding") if one["metadata"]["name"] == "envclone-acme-image"]
    assert [one["name"] for one in bound["subjects"]] == ["keep-prod", "envclone-serve"]
    pods = dict(_pods(made))
    assert pods["keep-prod"]["spec"]["automountServiceAccountToken"] is True
    assert pods["keep-pre-prod"]["spec"]["automountServiceAccountToken"] is False
    wide = [rule for one in _of(made, "ClusterRole") if one["metadata"]["name"] == "envclone-acme-image"
            for rule in one["rules"]]  # fmt: skip
    assert not {"secrets", "pods", "pods/log", "pods/portforward", "jobs"} & {
        name for rule in wide for name in rule["resources"]
    }
    for version in schemas.VERSIONS:
        for one in objects(made):
            assert schemas.flaws(version, one) == [], (one["kind"], one["metadata"]["name"])


def test_without_volumes_nobody_has_their_rights(tmp_path: Path) -> None:
    made = planned(tmp_path, CLUSTER)
    assert not [one for one in objects(made) if one["metadata"]["name"].endswith("-image")]
    assert "request.namespace in" not in json.dumps(_of(made, "ValidatingAdmissionPolicy"))
