"""A real kube-apiserver with an etcd, on loopback and with nothing else: no controller runs, no pod either.

`KUBEBUILDER_ASSETS` names the directory of `kube-apiserver` and `etcd`, as it does for other projects' tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.ports import unused_port

__all__ = ["ASSETS", "Real", "running"]

ASSETS = os.environ.get("KUBEBUILDER_ASSETS")
_TOKEN = "operator-of-the-test"
_PATIENCE = 120.0


@dataclass(frozen=True)
class Real:
    """The API as its administrator, or as somebody else by impersonation."""

    url: str

    def ask(
        self, method: str, path: str, body: Any = None, *, account: str = "", kind: str = "json"
    ) -> tuple[int, Any]:
        """The status and the document of an answer."""
        heads = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": f"application/{kind}"}
        if account:
            heads["Impersonate-User"] = account
            heads["Impersonate-Group"] = "system:authenticated"
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        asked = urllib.request.Request(f"{self.url}{path}", data, heads, method=method)
        try:
            with urllib.request.urlopen(asked, context=_unverified(), timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as exc:
            return exc.code, json.loads(exc.read() or b"{}")

    def apply(self, path: str, document: Mapping[str, Any]) -> tuple[int, Any]:
        """Server-side apply, unknown fields refused."""
        query = "?fieldManager=test&force=true&fieldValidation=Strict"
        return self.ask("PATCH", f"{path}/{document['metadata']['name']}{query}", yaml.safe_dump(dict(document)),
                        kind="apply-patch+yaml")  # fmt: skip

    def ready(self) -> bool:
        """Whether it takes requests."""
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {_TOKEN}"}),
                context=_unverified(), timeout=5,
            ) as answer:  # fmt: skip
                return answer.status == 200
        except (OSError, urllib.error.HTTPError):
            return False


@contextlib.contextmanager
def running(scratch: Path) -> Iterator[Real]:
    """Start both and wait until they are ready; they end with the context."""
    assets = Path(ASSETS or "")
    peer, client, secure = unused_port(), unused_port(), unused_port()
    (scratch / "tokens.csv").write_text(f'{_TOKEN},operator,operator,"system:masters"\n')
    subprocess.run(["openssl", "genrsa", "-out", scratch / "sa.key", "2048"], check=True, capture_output=True)
    etcd = [
        assets / "etcd", "--data-dir", scratch / "etcd", "--listen-client-urls", f"http://127.0.0.1:{client}",
        "--advertise-client-urls", f"http://127.0.0.1:{client}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
        "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster",
        f"default=http://127.0.0.1:{peer}",
    ]  # fmt: skip
    server = [
        assets / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}", f"--secure-port={secure}",
        "--bind-address=127.0.0.1", f"--cert-dir={scratch / 'certs'}", "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={scratch / 'sa.key'}",
        f"--service-account-signing-key-file={scratch / 'sa.key'}", "--authorization-mode=RBAC",
        f"--token-auth-file={scratch / 'tokens.csv'}", "--disable-admission-plugins=ServiceAccount",
    ]  # fmt: skip
    with contextlib.ExitStack() as held:
        for words in (etcd, server):
            log = held.enter_context((scratch / f"{Path(words[0]).name}.log").open("wb"))
            one = held.enter_context(subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT))
            held.callback(_end, one)
        real = Real(f"https://127.0.0.1:{secure}")
        until = time.monotonic() + _PATIENCE
        while not real.ready():
            assert time.monotonic() < until, (scratch / "kube-apiserver.log").read_text()[-2000:]
            assert one.poll() is None, (scratch / "kube-apiserver.log").read_text()[-2000:]
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(0.2)
        yield real


def _end(one: subprocess.Popen[bytes]) -> None:
    one.terminate()
    try:
        one.wait(10)
    except subprocess.TimeoutExpired:
        one.kill()


def _unverified() -> ssl.SSLContext:
    """Its certificate is made at its start, and it is reached on loopback only."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
