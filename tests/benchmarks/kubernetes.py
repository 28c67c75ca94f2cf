"""Branches on a cluster: python -m tests.benchmarks.kubernetes --branches 100 --json

The stand-in for a cluster's API (`tests/support/cluster`) runs in this process with its controllers: volumes are
reflinked directories of this machine, and no container runs. So what is measured is envclone's own part: the calls of
the API, and the time until a branch is ready less what a cluster itself takes.
- `ready`: seconds of the clock until a branch is ready and its ports are open; `cpu` of processor time, stand-in
  included;
- `clone`: seconds that the same clone takes by `cp --reflink` alone;
- `calls`: requests of the API for one branch by method: made, stopped, started, removed;
- `known`: seconds of processor time to ask of all branches whether they run, and the calls of that;
- `way_pss`: bytes of memory of the process that leads into one branch.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envclone import attestation, process
from envclone.models import Branch, BranchState, Preview
from envclone.runtimes.kubernetes import images
from envclone.runtimes.kubernetes.objects import Volume
from envclone.runtimes.kubernetes.runtime import KubernetesRuntime
from tests.benchmarks.branch import pool_of
from tests.support.cluster.controllers import Pretended, controlling
from tests.support.cluster.server import Api, running
from tests.unit.runtimes.kubernetes.conftest import LOGIN, SETTINGS, STORE

_NAMESPACE = "envclone-images"


def spent() -> float:
    """Processor time of this process and its children so far."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def calls(api: Api, work: Callable[[], Any]) -> dict[str, int]:
    """Requests of the API by method; a watch is one of its own."""
    api.requests.clear()
    work()
    return dict(sorted(collections.Counter(
        "WATCH" if "watch=1" in path else method for method, path in list(api.requests)
    ).items()))  # fmt: skip


def filled(pool: Path, size: int) -> Path:
    """An image's directory with a store of so many bytes in files of 64 MiB."""
    image = pool / "images" / "img-1"
    data = image / "main" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    for number in range(max(1, size >> 26)):
        (data / f"{number}").write_bytes(os.urandom(1 << 20) * min(64, max(1, size >> 20)))
    return image


def summary(values: list[float]) -> dict[str, float]:
    """Median and the largest."""
    return {"median": statistics.median(values), "most": max(values)}


def measure(count: int, size: int) -> dict[str, Any]:
    """Make so many branches, one after the other, of an image of so many bytes."""
    with pool_of(max(4 * size, 4 << 30)) as (pool, driver), running() as api:
        os.environ["KUBECONFIG"] = str(api.kubeconfig(pool.parent / "kubeconfig"))
        folder = pool / "keys"
        folder.mkdir(mode=0o700)
        image = filled(pool, size)
        attestation.seal(image, {"image": "img-1"}, folder)
        (pool / "storage").mkdir()
        with controlling(api, pool / "storage", Pretended()) as controllers:
            api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
            volume = Volume("data", "stand-in", controllers.snapshot_of(image), size, {"main": "main"})
            api.put(images.described("img-1", _NAMESPACE, image, folder, [volume], "bench"))
            report = _branches(api, pool, image, count)
    return {"driver": driver, "bytes": size, **report}


def _branches(api: Api, pool: Path, image: Path, count: int) -> dict[str, Any]:
    runtime, made = KubernetesRuntime(), dict[str, Branch]()
    ready, cpu = [], []
    report: dict[str, Any] = {"branches": count}
    try:
        for number in range(count):
            began, used = time.monotonic(), spent()
            counted = calls(api, lambda number=number: _make(runtime, pool, image, f"b{number}", made))
            ready.append(time.monotonic() - began)
            cpu.append(spent() - used)
            report.setdefault("calls", {"made": counted})
        report["calls_of_the_last"] = counted
        report["ready"], report["cpu"] = summary(ready), summary(cpu)
        began = time.monotonic()
        process.run(["cp", "-a", "--reflink=auto", image, pool / "storage" / "by-hand"])
        report["clone"] = time.monotonic() - began
        used = spent()
        asked = calls(api, lambda: [runtime.running(one, _place(pool, one)) for one in made.values()])
        report["known"] = {"cpu": spent() - used, "calls": sum(asked.values())}
        pids = process.run(["pgrep", "--full", f"kubernetes.forward.*{pool}"], check=False).stdout.split()
        report["ways"] = len(pids)
        report["way_pss"] = statistics.median([_pss(int(pid)) for pid in pids]) if pids else None
        first, place = made["b0"], _place(pool, made["b0"])
        report["calls"]["stopped"] = calls(api, lambda: runtime.stop(first, place))
        report["calls"]["started"] = calls(api, lambda: runtime.start(first, place, LOGIN))
        report["calls"]["removed"] = calls(api, lambda: runtime.remove("b0", place))
    finally:
        for name, one in made.items():
            runtime.remove(name, _place(pool, one))
    return report


def _place(pool: Path, branch: Branch) -> Path:
    return pool / "branches" / branch.name


def _make(runtime: KubernetesRuntime, pool: Path, image: Path, name: str, made: dict[str, Branch]) -> None:
    import datetime as dt

    now = dt.datetime.now(dt.UTC)
    settings: Mapping[str, Any] = {**SETTINGS, "timeout": "2m"}
    branch = Branch(
        name, "prod", "img-1", BranchState.CREATING, now, now + dt.timedelta(hours=8), {"main": STORE},
        runtime="kubernetes", settings=settings, attested=attestation.digest(image), project="bench",
    )  # fmt: skip
    place = _place(pool, branch)
    place.mkdir(parents=True)
    preview = Preview(stores=("main",), services={}, environment={}, allow=())
    branch = replace(branch, images=runtime.prepare(branch, place, LOGIN, preview, lambda _: None))
    made[name] = branch
    made[name] = replace(branch, endpoints=runtime.start(branch, place, LOGIN), state=BranchState.RUNNING)


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


def main(arguments: list[str]) -> int:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--branches", type=int, default=100)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the image")
    parser.add_argument("--json", action="store_true", help="there is no other form; for the sake of all commands")
    given = parser.parse_args(arguments)
    sys.stdout.write(json.dumps(measure(given.branches, given.size << 20), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
