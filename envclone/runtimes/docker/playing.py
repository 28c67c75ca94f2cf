"""A cassette in a branch: the variables and the authority that lead services to it, its process, and what left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envclone import process, wait
from envclone.accounts import service_account
from envclone.errors import EnvcloneError, ResourceError, UnsafeError
from envclone.models import Cassette, Egress, Heard
from envclone.private import write_private, write_public
from envclone.runtimes.docker.gatekeeper import LOG, token
from envclone.runtimes.docker.ports import CASSETTE_PORT, PROXY_PORT

__all__ = ["AUTHORITY", "CASSETTE_PORT", "DockerPlaying", "led_out", "make_authority", "played_variables"]

AUTHORITY = Path("/etc/envclone/cassette-ca.pem")
"""Where a service finds the certificate of the branch's own authority."""
_KEY, _CONFIG, _LOG, _OUTPUT = "cassette-ca.json", "cassette.json", "cassette.log", "cassette.out"
_MODULE = "envclone.runtimes.docker.player"
_BASES = {
    "OPENAI_BASE_URL": "/v1",
    "OPENAI_API_BASE": "/v1",
    "ANTHROPIC_BASE_URL": "",
    "OLLAMA_HOST": "",
    "CO_API_URL": "",
    "COHERE_BASE_URL": "",
    "GOOGLE_GEMINI_BASE_URL": "",
}
"""Where the usual clients read the address of their model, and what they expect of its path."""
_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE")


def played_variables(around: str) -> dict[str, str]:
    """What leads a service's clients to the cassette; `around` are the names that are asked directly."""
    address = f"http://127.0.0.1:{CASSETTE_PORT}"
    made = {name: address + path for name, path in _BASES.items()} | dict.fromkeys(_TRUST, str(AUTHORITY))
    for name, value in (("HTTP_PROXY", address), ("HTTPS_PROXY", address), ("NO_PROXY", around)):
        made |= {name: value, name.lower(): value}  # programs read either spelling
    return made


def led_out(around: str) -> dict[str, str]:
    """What leads a service's clients to the guard before its live models; their addresses stay what they are."""
    return {name: value for name, value in played_variables(around).items() if name not in _BASES}


def make_authority(directory: Path) -> None:
    """Make a branch's own authority for certificates, if it has none yet; nobody outside trusts it."""
    if (directory / _KEY).exists() and (directory / AUTHORITY.name).exists():
        return
    from envclone.cassette.certificates import make_authority as make

    certificate, key = make()
    write_public(directory / AUTHORITY.name, certificate.decode())
    write_private(directory / _KEY, json.dumps([certificate.decode(), key.decode()]))


class DockerPlaying:
    """A player in the network of a sandbox, for the time of a block; without a cassette only what leaves is counted."""

    def __init__(
        self, directory: Path, sandbox: int, cassette: Cassette | None, services: Mapping[str, int] | None = None
    ) -> None:
        self._directory = directory
        self._sandbox = sandbox
        self._cassette = cassette
        self._services = dict(services or {})
        self._pid: int | None = None
        self._before = _counted(sandbox)
        self._logged = _size(directory / LOG)

    def __enter__(self) -> DockerPlaying:
        if self._cassette is not None:
            self._start(self._cassette)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid is not None:
            process.terminate(self._pid)
            with contextlib.suppress(EnvcloneError, ChildProcessError):
                os.waitpid(self._pid, 0)
        for name in (_CONFIG, _OUTPUT):
            (self._directory / name).unlink(missing_ok=True)

    def heard(self) -> Heard:
        """What was asked so far, and what left. Raises ResourceError when the player has ended."""
        if self._pid is not None and not process.alive(self._pid):
            raise ResourceError(
                f"the cassette ended during the replay: {self._said() or 'it wrote nothing'}", hint="replay again"
            )
        text = (self._directory / _LOG).read_text() if self._pid is not None else ""
        clocks = {name: told for name, pid in self._services.items() if (told := _clock(pid)) is not None}
        return Heard(tuple(json.loads(line) for line in text.splitlines()), self._left(), clocks)

    def _start(self, cassette: Cassette) -> None:
        directory, account = self._directory, service_account()
        try:
            authority = json.loads((directory / _KEY).read_text())
        except (OSError, ValueError) as exc:
            raise UnsafeError(
                "the branch has no authority of its own for a cassette", hint=f"envclone reset {directory.name}"
            ) from exc
        config = {
            "sandbox": self._sandbox,
            "parent": os.getpid(),
            "port": CASSETTE_PORT,
            "log": str(directory / _LOG),
            "uid": account.uid,
            "gid": account.gid,
            "authority": authority,
            "exchanges": list(cassette.exchanges),
            "changes": dict(cassette.changes),
            "timing": cassette.timing,
            "live": _out(directory, cassette) if cassette.live else None,
        }
        (directory / _LOG).unlink(missing_ok=True)
        (directory / _LOG).touch(mode=0o600)
        (directory / _OUTPUT).unlink(missing_ok=True)
        write_private(directory / _CONFIG, json.dumps(config))
        trust = {"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in os.environ else {}
        self._pid = process.spawn(
            [sys.executable, "-m", _MODULE, directory / _CONFIG],
            log=directory / _OUTPUT,
            env={"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1", **trust},
        )
        try:
            wait.until(self._ready, what="the cassette did not begin to play", timeout=60, error=EnvcloneError)
        except BaseException:
            self.__exit__()
            raise

    def _ready(self) -> bool | None:
        said = self._said()
        if said.startswith('{"ready"'):
            return True
        if self._pid is not None and not process.alive(self._pid):
            raise ResourceError(
                f"the cassette did not begin to play: {said or 'it wrote nothing'}",
                hint=f"a service that listens on port {CASSETTE_PORT} has to listen elsewhere",
            )
        return None

    def _said(self) -> str:
        try:
            lines = (self._directory / _OUTPUT).read_text().strip().splitlines()
        except OSError:
            return ""
        return lines[-1][:500] if lines else ""

    def _left(self) -> Egress:
        """What left the network since the beginning, by the kernel's counters and the gate's log."""
        now = _counted(self._sandbox)
        events = _events(self._directory / LOG, self._logged)
        through = [event for event in events if event.get("allowed")]
        return Egress(
            interfaces=tuple(sorted(now["interfaces"])),
            packets=now["packets"] - self._before["packets"],
            connections=len(through),
            sent=sum(int(event.get("sent") or 0) for event in through),
            refused=len(events) - len(through),
            unrouted=now["unrouted"] - self._before["unrouted"],
        )


def _out(directory: Path, cassette: Cassette) -> dict[str, Any]:
    return {"port": PROXY_PORT, "token": token(directory), "known": list(cassette.known)}


def _clock(pid: int) -> str | None:
    """What a service's process was told to show instead of the time, '' when no library of it does; None if nothing."""
    asked: str | None = None
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    for one in (str(pid), *children[:50]):  # the first may be a program that only starts the service
        try:
            told = re.search(rb"(?:^|\0)FAKETIME=([^\0]*)", Path(f"/proc/{one}/environ").read_bytes())
            if told is not None and b"/libfaketime" in Path(f"/proc/{one}/maps").read_bytes():
                return told[1].decode("utf-8", "replace")
            asked = "" if told is not None else asked
        except OSError:
            continue
    return asked


def _counted(pid: int) -> dict[str, Any]:
    """The kernel's counters of a process's network: packets sent by any interface but `lo`, and those without a way."""
    interfaces, packets, unrouted = [], 0, 0
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() != "lo":
            interfaces.append(name.strip())
            packets += int(numbers.split()[9])
    header: list[str] = []
    for line in Path(f"/proc/{pid}/net/snmp").read_text().splitlines():
        kind, *words = line.split()
        if kind == "Ip:" and header:
            unrouted += int(dict(zip(header, words, strict=False)).get("OutNoRoutes", 0))
        header = words if kind == "Ip:" else header
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/net/snmp6").read_text().splitlines():
            name, _, number = line.partition(" ")
            unrouted += int(number) if name == "Ip6OutNoRoutes" else 0
    return {"interfaces": interfaces, "packets": packets, "unrouted": unrouted}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _events(path: Path, start: int) -> list[dict[str, Any]]:
    """What the gate wrote since a place in its log; it begins again when that has grown too large."""
    try:
        with path.open("rb") as file:
            file.seek(start if _size(path) >= start else 0)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found
