"""The process's port: TLS, a client that drips, and one service at a time."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from envclone.errors import BusyError, UsageError
from envclone.serve import run
from envclone.serve.run import Address
from tests.support.served import Served, served


@contextmanager
def _serving(here: Served, address: Address) -> Iterator[str]:
    """The service in a thread of this process; its URL."""
    import uvicorn

    up, urls, servers = threading.Event(), [], []
    original = uvicorn.Server.__init__

    def kept(self: uvicorn.Server, *args: object, **more: object) -> None:
        original(self, *args, **more)  # type: ignore[arg-type]
        servers.append(self)

    def ready(url: str) -> None:
        urls.append(url)
        up.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(uvicorn.Server, "__init__", kept)
        thread = threading.Thread(target=run.serve, args=(here.app, here.service, address, ready))
        thread.start()
        assert up.wait(60)
        try:
            yield urls[0]
        finally:
            servers[0].should_exit = True
            thread.join(60)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


def test_it_speaks_tls(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    with served() as here, _serving(here, Address(port=0, certificate=certificate, key=key)) as url:
        assert url.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate))
        port = url.rpartition(":")[2]
        with urllib.request.urlopen(f"https://localhost:{port}/healthz", context=context, timeout=30) as answer:
            assert answer.status == 200 and "server" not in answer.headers


def test_a_client_that_drips_is_let_go_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_HEAD_SECONDS", 0.5)
    with served() as here, _serving(here, Address(port=0)) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-drip: ")
            with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
                assert answer.status == 200
            assert slow.recv(100) == b""  # closed, and nothing was answered
        with socket.create_connection(("127.0.0.1", port), 30) as idle:
            assert idle.recv(100) == b""


def test_two_services_of_one_project_are_one_too_many() -> None:
    with served() as here, _serving(here, Address(port=0)), pytest.raises(BusyError):
        run.serve(here.app, here.service, Address(port=0), lambda url: None)


def test_tls_takes_both_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run.require_safe(Address("0.0.0.0", certificate=tmp_path / "x"))
    with served() as here, pytest.raises(UsageError):
        (tmp_path / "x").write_text("no certificate")
        run.serve(
            here.app, here.service, Address(port=0, certificate=tmp_path / "x", key=tmp_path / "x"), lambda url: None
        )
