"""Profiles are read from what production is, a person who wrote it down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from envclone.errors import ConfigError, ResourceError
from envclone.profiles import capture, machine
from envclone.profiles.profile import Profile, bytes_of, load, parse, size_text

INSPECT = [
    {
        "Id": "0b5d",
        "Image": "sha256:9a1f",
        "Args": ["postgres", "-c", "shared_buffers=1GB", "--work-mem=8MB"],
        "HostConfig": {
            "NanoCpus": 1_500_000_000, "Memory": 2 * 1024**3, "MemorySwap": 3 * 1024**3, "ShmSize": 256 * 1024**2,
            "PidsLimit": 400, "Ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 8192}],
            "BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 1000}],
        },
        "Config": {"Image": "pgvector/pgvector:pg18", "Cmd": ["postgres"], "Env": ["POSTGRES_PASSWORD=s3cret"]},
    }
]  # fmt: skip
COMPOSE = """
services:
  db:
    image: pgvector/pgvector:pg18
    command: postgres -c shared_buffers=1GB -c work_mem=8MB
    shm_size: 256m
    ulimits: {nofile: {soft: 4096, hard: 8192}}
    deploy: {resources: {limits: {cpus: "1.5", memory: 2g, pids: 400}}}
  old: {image: acme/api, cpus: 0.5, mem_limit: 512m, memswap_limit: 512m, pids_limit: 50, cpuset: "0,1"}
"""
KUBERNETES = """
apiVersion: apps/v1
kind: StatefulSet
spec:
  template:
    spec:
      containers:
        - name: postgres
          image: pgvector/pgvector@sha256:12
          args: ["-c", "shared_buffers=1GB", "-c", "work_mem=8MB"]
          resources: {requests: {cpu: 1}, limits: {cpu: 1500m, memory: 2Gi}}
          volumeMounts: [{name: shm, mountPath: /dev/shm}]
        - {name: exporter, image: x, resources: {limits: {memory: 64M}}}
      volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 256Mi}}]
"""
TELEMETRY = {
    "result": {
        "app": {"name": "qdrant", "version": "1.17.1", "system": {"cores": 8, "ram_size": 16 * 1024**2}},
        "collections": {"collections": [{"id": "docs", "config": {"hnsw_config": {"m": 16, "ef_construct": 100}}}]},
    }
}


def _read(tmp_path: Path, text: str, name: str = "db", **more: Any) -> Any:
    file = tmp_path / "source"
    file.write_text(text)
    return capture.read_file(file, name, **more)


def _cgroup(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    return folder


def test_the_same_container_is_the_same_profile(tmp_path: Path) -> None:
    inspected = _read(tmp_path, json.dumps(INSPECT))[1]
    composed = _read(tmp_path, COMPOSE)[1]
    for key in ("cpus", "memory", "shm", "pids", "ulimits"):
        assert inspected[key] == composed[key], key
    assert inspected["settings"] == composed["settings"] == {"shared_buffers": "1GB", "work_mem": "8MB"}
    assert (inspected["cpus"], inspected["memory"], inspected["swap"]) == (1.5, 2 * 1024**3, 1024**3)
    assert inspected["image"] == "sha256:9a1f" and inspected["io"] == {"read_bytes": 1000}
    assert "s3cret" not in str(inspected)


def test_kubernetes(tmp_path: Path) -> None:
    kind, found = _read(tmp_path, KUBERNETES, container="postgres")
    assert kind == "Kubernetes"
    assert found == {
        "cpus": 1.5, "memory": 2 * 1024**3, "swap": 0, "shm": 256 * 1024**2, "image": "pgvector/pgvector@sha256:12",
        "settings": {"shared_buffers": "1GB", "work_mem": "8MB"},
    }  # fmt: skip
    listed = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(KUBERNETES)]})
    assert _read(tmp_path, listed, container="exporter")[1]["memory"] == 64_000_000
    with pytest.raises(ConfigError, match="exporter, postgres"):
        _read(tmp_path, KUBERNETES)


def _deployment(name: str, memory: str, **more: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "app", "image": "acme/api", "resources": {"limits": {"cpu": 1, "memory": memory}}}]}
    spec = {"replicas": 4, "template": {"spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec, **more}


def _scaler(target: str, kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target}, "maxReplicas": 10, **more}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}, "spec": spec}


def _listed(*objects: Any) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def test_an_autoscaler_says_how_many_there_are(tmp_path: Path) -> None:
    api = _deployment("api", "1Gi")
    for text in (
        _listed(_scaler("api", minReplicas=2), api),
        yaml.safe_dump_all([api, _scaler("other", minReplicas=5), _scaler("api", minReplicas=2)]),
        yaml.safe_dump_all([_scaler("api", minReplicas=2), api]),
    ):
        kind, found = _read(tmp_path, text, "api")
        assert kind == "Kubernetes" and found["memory"] == 1024**3
        assert found["replicas"] == {"minimum": 2, "maximum": 10}
        profile = capture.merge([(kind, found)])
        assert str(profile.replicas) == "2 to 10"
        assert "replicas:\n  minimum: 2\n  maximum: 10" in capture.text(profile, "prod/api")
    assert _read(tmp_path, _listed(_scaler("api"), api))[1]["replicas"]["minimum"] == 1
    assert _read(tmp_path, _listed(_scaler("api", minReplicas=0), api))[1]["replicas"]["minimum"] == 0
    for other in (_scaler("api", kind="StatefulSet"), _scaler("worker")):
        assert "replicas" not in _read(tmp_path, _listed(other, api))[1]


def test_an_autoscaler_is_found_for_a_pod(tmp_path: Path) -> None:
    meta = {
        "name": "api-5d9c-x", "labels": {"pod-template-hash": "5d9c"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "api-5d9c"}],
    }  # fmt: skip
    pod = {**_deployment("api", "1Gi")["spec"]["template"], "apiVersion": "v1", "kind": "Pod", "metadata": meta}
    assert _read(tmp_path, _listed(_scaler("api"), pod))[1]["replicas"] == {"minimum": 1, "maximum": 10}
    of_set = {**pod, "metadata": {"name": "db-0", "ownerReferences": [{"kind": "StatefulSet", "name": "db"}]}}
    assert _read(tmp_path, _listed(of_set, _scaler("db", "StatefulSet")))[1]["replicas"]["maximum"] == 10


def test_an_autoscaler_alone_says_nothing_of_a_pod(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="autoscaler") as caught:
        _read(tmp_path, yaml.safe_dump(_scaler("api")))
    assert "hpa,deployment" in str(caught.value.hint)


def test_two_pods_that_differ_are_not_one_profile(tmp_path: Path) -> None:
    """A container's name is often the same everywhere: which one is meant has to be said."""
    with pytest.raises(ConfigError, match="several pods") as caught:
        _read(tmp_path, _listed(_deployment("api", "1Gi"), _deployment("worker", "2Gi")), container="app")
    assert "Deployment/api, Deployment/worker" in str(caught.value.hint)
    assert "--only db --from <(kubectl get Deployment/api -o yaml)" in str(caught.value.hint)
    assert "memory 1073741824" in caught.value.message and "image" not in caught.value.message
    same = _listed(_deployment("api", "1Gi"), _deployment("worker", "1Gi"))
    assert _read(tmp_path, same, container="app")[1]["memory"] == 1024**3


def test_parity_shows_the_bounds() -> None:
    from envclone.lifecycle.parity import Parity, _host

    for bounds, said, held in (((2, 10), "2 to 10", Parity.DIFFERS), ((1, 1), "1", Parity.MATCH)):
        given = parse({"replicas": dict(zip(("minimum", "maximum"), bounds, strict=True))}, "api")
        (row,) = [one for one in _host("api", given, limited=False) if one.what == "replicas"]
        assert (row.production, row.branch, row.parity) == (said, "1", held)
    assert "replicas" not in {one.what for one in _host("api", parse({}, "api"), limited=False)}


def test_older_compose_keys(tmp_path: Path) -> None:
    found = _read(tmp_path, COMPOSE, "old")[1]
    assert (found["cpus"], found["memory"], found["swap"], found["pids"]) == (0.5, 512 * 1024**2, 0, 50)
    with pytest.raises(ConfigError, match="has: db, old"):
        _read(tmp_path, COMPOSE, "new")
    assert _read(tmp_path, COMPOSE, "new", several=True)[1] is None


def test_control_groups(tmp_path: Path) -> None:
    two = _cgroup(tmp_path / "v2", {
        "cpu.max": "150000 100000", "memory.max": "2147483648", "memory.swap.max": "0", "pids.max": "max",
        "io.max": "8:0 rbps=1000 wbps=max riops=30 wiops=max\n8:16 rbps=500 wbps=max riops=max wiops=max",
    })  # fmt: skip
    assert capture.read_file(two, "db") == (
        "control group",
        {"cpus": 1.5, "memory": 2 * 1024**3, "swap": 0, "io": {"read_bytes": 500, "read_ops": 30}},
    )
    one = _cgroup(tmp_path / "v1", {
        "cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000", "pids/pids.max": "400",
        "memory/memory.limit_in_bytes": "2147483648", "memory/memory.memsw.limit_in_bytes": "2147483648",
    })  # fmt: skip
    assert capture.read_file(one, "db")[1] == {"cpus": 1.5, "memory": 2 * 1024**3, "swap": 0, "pids": 400}
    free = _cgroup(tmp_path / "free", {
        "cpu.cfs_quota_us": "-1", "pids.max": "7", "memory.limit_in_bytes": "9223372036854771712",
    })  # fmt: skip
    assert capture.read_file(free, "db")[1] == {"pids": 7}
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no limits"):
        capture.read_file(tmp_path / "empty", "db")


def test_telemetry(tmp_path: Path) -> None:
    kind, found = _read(tmp_path, json.dumps(TELEMETRY))
    assert kind == "Qdrant's telemetry"
    assert found["version"] == "1.17.1" and found["host"] == {"cpus": 8, "memory": 16 * 1024**3}
    assert found["settings"] == {"docs.hnsw.m": "16", "docs.hnsw.ef_construct": "100"}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "a: 1", "- 1", "{", "kind: Pod", '[{"HostConfig": 1}]', "services: 3"]
)
def test_what_is_no_source_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        _read(tmp_path, text)


def test_sources_that_contradict_each_other_are_named() -> None:
    one, other = ("compose", {"memory": 1, "cpus": 2.0}), ("control group", {"memory": 2, "cpus": 2.0})
    with pytest.raises(ConfigError) as caught:
        capture.merge([one, other])
    assert caught.value.problems == ("memory: control group says 2, compose says 1",)
    merged = capture.merge([one, ("pg_settings", {"settings": {"jit": "off"}, "version": "18.4"})])
    assert (merged.memory, merged.settings, merged.sources) == (1, {"jit": "off"}, ["compose", "pg_settings"])


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile = capture.merge([("docker inspect", _read(tmp_path, json.dumps(INSPECT))[1])])
    file = tmp_path / "prod-db.yaml"
    file.write_text(capture.text(profile, "prod/db"))
    assert load(file) == profile
    assert "memory: 2GiB" in file.read_text() and "read_bytes: '1000'" in file.read_text()


@pytest.mark.parametrize(
    "document",
    [{"memory": "much"}, {"cpus": 0}, {"memroy": 1}, {"pids": -1}, {"settings": 3}, [], "x", {"memory": True}],
)
def test_mistakes_in_a_profile(document: Any) -> None:
    with pytest.raises(ConfigError):
        parse(document, "p.yaml")


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[3] / "profiles").glob("*.yaml")), ids=lambda f: f.stem)
def test_the_examples_are_profiles(file: Path) -> None:
    profile = load(file)
    assert profile.limits and profile.settings
    assert all(not name.startswith("hnsw") or value.isdigit() for name, value in profile.settings.items())


def test_sizes() -> None:
    assert [bytes_of(v) for v in (7, "7", "1k", "1.5GiB", "512MB")] == [7, 7, 1024, 3 * 1024**3 // 2, 512 * 1024**2]
    for size in (0, 1, 1000, 1024, 3 * 1024**2, 5 * 1024**4):
        assert bytes_of(size_text(size)) == size


def test_a_host_that_is_too_small_says_the_numbers() -> None:
    mine = machine.here()
    fits = {"db": Profile(cpus=mine["cpus"], memory=mine["memory"])}
    assert machine.shortfalls(fits) == []
    machine.require(fits)
    large = {**fits, "api": Profile(cpus=mine["cpus"] + 1, memory=1, host={"architecture": "vax"})}  # type: ignore[arg-type]
    said = machine.shortfalls(large)
    assert [line.split(":")[0] for line in said] == ["memory", "cpus", "architecture"]
    with pytest.raises(ResourceError, match="too small"):
        machine.require(large)


@pytest.mark.parametrize("only", [True, False])
def test_pods_of_one_set_that_differ_are_named_themselves(tmp_path: Path, only: bool) -> None:
    """Also where every store and service is asked for: that nothing says what one may use would be another fault."""
    spec = _deployment("db", "1Gi")["spec"]["template"]["spec"]
    spec["containers"][0]["name"] = "db"
    larger = json.loads(json.dumps(spec).replace("1Gi", "2Gi"))
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "spec": one,
         "metadata": {"name": f"db-{n}", "ownerReferences": [{"kind": "StatefulSet", "name": "db"}]}}
        for n, one in enumerate((spec, larger))
    ]  # fmt: skip
    file = tmp_path / "pods.yaml"
    file.write_text(_listed(*pods))
    with pytest.raises(
        ConfigError, match=r"what they may use differs: Pod/db-0 \(memory 1073741824\), Pod/db-1"
    ) as caught:
        capture.read_file(file, "db", None, several=not only)
    assert "--only db --from <(kubectl get Pod/db-0 -o yaml)" in str(caught.value.hint)
    if not only:  # of what is not in there nothing is said, and that is no fault
        assert capture.read_file(file, "kb", None, several=True) == ("Kubernetes", None)
