"""A kubelet of the stand-in that runs a pod's containers as processes of this machine; it needs root.

The pod has a network of its own and each container its own view of the mounts, with the pod's volumes where the
manifest says. Images are not: programs are this machine's, as the user id that the manifest names. The container `seal`
and the listener are taken as they should end, for nothing here enforces a policy.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envclone import compiled, process
from envclone.doctor import embedded_postgres
from envclone.runtimes.docker.inside import enter
from tests.support.cluster.controllers import Controllers, Pretended
from tests.support.cluster.store import Key, Object

__all__ = ["Processes", "compiled_for"]

ROOT = Path(__file__).parents[3]
_TAKEN = ("seal", "listener")
_PATIENCE = 60.0
_CHECKED = "ENVCLONE_BOUNDSCHECK"


@dataclass
class _Pod:
    place: Path
    sandbox: int
    running: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    over: bool = False


@dataclass
class Processes(Pretended):
    """Pods as they run; `user` is who `/etc/passwd` of an image has."""

    user: int = 10001
    major: int = 18
    pods: dict[Key, _Pod] = field(default_factory=dict)
    compiled: Path | None = None
    """Loops that are compiled already, as an image of containers holds them: root's, and to be read."""

    def start(self, controllers: Controllers, key: Key, document: Object) -> Object:
        """Run a pod's containers in their order; those of a Job's pod run on when this returns."""
        if document["spec"]["containers"][0]["name"] == "image":
            return self._job(controllers, key, document)
        if key.name != "branch":
            return super().start(controllers, key, document)
        pod = self._made(controllers, key, document)
        place = pod.place
        volumes = {one["name"]: self._volume(controllers, key, place, one) for one in document["spec"]["volumes"]}
        spec = document["spec"]
        for one in [*spec["initContainers"], *spec["containers"]]:
            if one["name"] in _TAKEN or one["name"] in self.fates:
                continue
            log = place / f"{one['name']}.log"
            pid = process.spawn(self._argv(controllers, key, pod, one, volumes), log=log, env=self._env())
            if one["name"] == "ready":
                code = self._ended(pid)
                controllers.api.written[key.namespace, key.name, "ready"] = log.read_text()
                if code is False or "Traceback" in log.read_text() or log.read_text().strip():
                    from tests.support.cluster.controllers import Fate

                    self.fates["ready"] = Fate(code=7, message=log.read_text()[-400:] or "it did not end")
                    return super().start(controllers, key, document)
            else:
                pod.running[one["name"]] = (pid, one)
                self._wait_for(controllers, key, pod, one, volumes, pid)
        return super().start(controllers, key, document)

    def _made(self, controllers: Controllers, key: Key, document: Object) -> _Pod:
        place = controllers.root / f"pod-{document['metadata']['uid']}"
        place.mkdir(mode=0o711)
        holder = ["unshare", "--net", "sh", "-c", "ip link set lo up && exec sleep 86400"]
        pod = _Pod(place, process.spawn(holder, log=place / "sandbox.log"))
        self.pods[key] = pod
        while not self._is_up(pod.sandbox):
            time.sleep(0.01)
        return pod

    def _job(self, controllers: Controllers, key: Key, document: Object) -> Object:
        """Start a Job's one container, and say how it ended when it has."""
        pod = self._made(controllers, key, document)
        (one,) = document["spec"]["containers"]
        volumes = {
            each["name"]: self._volume(controllers, key, pod.place, each) for each in document["spec"]["volumes"]
        }
        group = document["spec"]["securityContext"]["fsGroup"]
        for each in document["spec"]["volumes"]:
            if "persistentVolumeClaim" in each:
                _given(volumes[each["name"]], group)
        log = pod.place / "image.log"
        pid = process.spawn(self._argv(controllers, key, pod, one, volumes), log=log, env=self._env())
        pod.running["image"] = (pid, one)
        status = super().start(controllers, key, document)

        def ended() -> None:
            _, code = os.waitpid(pid, 0)
            controllers.api.written[key.namespace, key.name, "image"] = log.read_text()
            pod.over = True
            process.terminate(pod.sandbox, signal.SIGKILL)
            self._ended(pod.sandbox, 5)
            exit_code = os.waitstatus_to_exitcode(code)

            def over(there: Object) -> None:
                done = {"exitCode": exit_code if exit_code >= 0 else 128 - exit_code, "reason": "Error"}
                there["status"] = {
                    **status, "phase": "Failed" if exit_code else "Succeeded",
                    "containerStatuses": [
                        {**status["containerStatuses"][0], "ready": False, "state": {"terminated": done}}
                    ],
                }  # fmt: skip

            controllers.api.store.edit(key, over)

        threading.Thread(target=ended, daemon=True).start()
        return status

    def tail(self, namespace: str, name: str, container: str) -> str | None:
        """What a container of a running pod has written."""
        for key, pod in list(self.pods.items()):
            if (key.namespace, key.name) == (namespace, name) and container in pod.running and not pod.over:
                return (pod.place / f"{container}.log").read_text(errors="replace")
        return None

    def is_over(self, namespace: str, name: str) -> bool:
        """Whether a pod will write no more."""
        return all(pod.over for key, pod in list(self.pods.items()) if (key.namespace, key.name) == (namespace, name))

    def stop(self, key: Key) -> None:
        """End a pod's processes, as its containers ask for it."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return
        for pid, one in pod.running.values():
            asked = ((one.get("lifecycle") or {}).get("preStop") or {}).get("exec", {}).get("command", [""])[-1]
            name = asked.split()[2] if asked.startswith("kill -s") else "TERM"
            if pod.over:
                continue
            process.terminate(pid, signal.Signals[f"SIG{name}"])
            if not self._ended(pid, 20):
                process.terminate(pid, signal.SIGKILL)
                self._ended(pid, 5)
        process.terminate(pod.sandbox, signal.SIGKILL)
        self._ended(pod.sandbox, 5)
        shutil.rmtree(pod.place, ignore_errors=True)

    def connect(self, namespace: str, name: str, port: int) -> socket.socket:
        """A connection to a port of a pod, made in its network."""
        (pod,) = [one for key, one in self.pods.items() if (key.namespace, key.name) == (namespace, name)]
        found: list[socket.socket | OSError] = []

        def dial() -> None:
            try:
                enter(pod.sandbox)
                found.append(socket.create_connection(("127.0.0.1", port), timeout=5))
            except OSError as exc:
                found.append(exc)

        thread = threading.Thread(target=dial)
        thread.start()
        thread.join()
        if isinstance(found[0], OSError):
            raise found[0]
        found[0].settimeout(None)
        return found[0]

    def _is_up(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net") and bool(
                process.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "link", "show", "up"]).stdout
            )
        return False

    def _ended(self, pid: int, patience: float = _PATIENCE) -> bool:
        until = time.monotonic() + patience
        while process.alive(pid) and time.monotonic() < until:
            time.sleep(0.02)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return not process.alive(pid)

    def _env(self) -> dict[str, str]:
        binaries = embedded_postgres()[self.major]
        given = {} if self.compiled is None else {"ENVCLONE_LOOPS": str(self.compiled)}
        checked = {"ENVCLONE_BOUNDSCHECK": os.environ["ENVCLONE_BOUNDSCHECK"]} if _CHECKED in os.environ else {}
        return {
            **given,
            **checked,
            "PATH": f"{Path(sys.executable).parent}:{binaries}:/usr/bin:/bin:/usr/sbin:/sbin",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _volume(self, controllers: Controllers, key: Key, place: Path, one: dict[str, Any]) -> Path:
        target = place / one["name"]
        if claim := one.get("persistentVolumeClaim"):
            return controllers.volumes[Key("/api/v1", "persistentvolumeclaims", key.namespace, claim["claimName"])]
        target.mkdir()
        if secret := one.get("secret"):
            there = controllers.api.store.get(Key("/api/v1", "secrets", key.namespace, secret["secretName"]))
            for name, value in (there.get("stringData") or {}).items():
                (target / name).write_text(value)
            for name, value in (there.get("data") or {}).items():
                (target / name).write_bytes(base64.b64decode(value))
            for file in target.iterdir():
                os.chown(file, 0, self.user)
                file.chmod(0o440)
            os.chown(target, 0, self.user)
            target.chmod(0o750)
        else:
            target.chmod(0o777)
        return target

    def _argv(
        self, controllers: Controllers, key: Key, pod: _Pod, one: dict[str, Any], volumes: dict[str, Path]
    ) -> list[str | Path]:
        """The command of a container, in the pod's network and with its mounts."""
        lines = ["set -e"]
        base = Path(sys.base_prefix)
        if base.is_relative_to("/root"):  # which nobody else may enter
            top = Path("/root") / base.relative_to("/root").parts[0]
            lines += [
                f"mount --bind {top} /mnt",
                "mount -t tmpfs -o mode=755 tmpfs /root",
                f"mkdir {top}",
                f"mount --bind /mnt {top}",
            ]
        staged = pod.place / f"of-{one['name']}"
        staged.mkdir(exist_ok=True)
        passwd = staged / "passwd"
        passwd.write_text(f"root:x:0:0::/:/bin/sh\nenvclone:x:{self.user}:{self.user}::/tmp:/bin/sh\n")
        lines.append(f"mount --bind {passwd} /etc/passwd")
        # what is below /tmp is staged first: a container has a /tmp of its own
        mounts = sorted(one.get("volumeMounts") or (), key=lambda mount: len(mount["mountPath"]))
        lines += [f"mount -t tmpfs -o mode=755 tmpfs {path}" for path in ("/run", "/var/lib")]
        late = []
        hidden = ROOT.is_relative_to("/tmp")  # the program itself, by a container's own /tmp
        if hidden:
            lines.append(f"mount --bind {shlex.quote(str(ROOT))} /srv")
        for mount in mounts:
            source, target = volumes[mount["name"]], mount["mountPath"]
            if part := mount.get("subPath"):
                source = source / part
                if not source.exists():
                    source.mkdir()
                    source.chmod(0o777)
            make = f"mkdir -p {shlex.quote(target)}" if source.is_dir() else "true"
            line = f"{make} && mount --bind {shlex.quote(str(source))} {shlex.quote(target)}"
            (late if target == "/tmp" else lines).append(line)
            if mount.get("readOnly") and source.is_dir():
                lines.append(f"mount -o remount,bind,ro {shlex.quote(target)}")
            if target == "/tmp" and hidden:
                there = shlex.quote(str(ROOT))
                late.append(f"mkdir -p {there} && mount --bind /srv {there}")
        for each in one.get("env") or ():
            value = each.get("value")
            if value is None:
                ref = each["valueFrom"]["secretKeyRef"]
                value = (volumes["logins"] / ref["key"]).read_text()
            late.append(f"export {each['name']}={shlex.quote(value)}")
        command = " ".join(map(shlex.quote, [*one.get("command", ()), *one.get("args", ())]))
        late.append(
            f"exec setpriv --reuid {self.user} --regid {self.user} --clear-groups --no-new-privs "
            f"--bounding-set=-all --inh-caps=-all {command}"
        )
        net = f"--net=/proc/{pod.sandbox}/ns/net"
        script = "\n".join([*lines, *late])
        return ["nsenter", net, "unshare", "--mount", "--propagation", "private", "sh", "-c", script]

    def _wait_for(
        self,
        controllers: Controllers,
        key: Key,
        pod: _Pod,
        one: dict[str, Any],
        volumes: dict[str, Path],
        pid: int,
    ) -> None:
        """Wait for a container's startup probe."""
        probe = (one.get("startupProbe") or {}).get("exec")
        until = time.monotonic() + _PATIENCE
        while probe and time.monotonic() < until:
            argv = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", f"--net=/proc/{pid}/ns/net", *probe["command"]]
            if process.run(argv, check=False, env=self._env()).returncode == 0:
                return
            if not process.alive(pid):
                from tests.support.cluster.controllers import Fate

                said = (pod.place / f"{one['name']}.log").read_text()[-400:]
                self.fates[one["name"]] = Fate(waiting="CreateContainerConfigError", message=said)
                return
            time.sleep(0.05)


def _given(place: Path, group: int) -> None:
    """A volume's files, let be used by a pod's group, as a kubelet does."""
    for path in [place, *place.rglob("*")]:
        if not path.is_symlink():
            os.chown(path, -1, group)
            mode = path.stat().st_mode & 0o7777
            path.chmod(mode | (0o2770 if path.is_dir() else 0o660))


@contextlib.contextmanager
def compiled_for() -> Iterator[Path]:
    """This process's compiled loops as an image of containers has them: a pod of a test has not the minutes to compile.

    It is where no container has a directory of its own.
    """
    compiled.prepare(lambda text: None)
    with tempfile.TemporaryDirectory(prefix="envclone-test-compiled-", dir="/var/tmp") as folder:
        place = Path(folder)
        for room in compiled._rooms():
            source = compiled._place(room)
            if not (place / source.name).exists():
                shutil.copytree(source, place / source.name)
        process.run(["chmod", "-R", "u=rwX,go=rX", place])
        yield place
