"""The process's port: TLS, a client that drips, and one service at a time."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from envclone.errors import BusyError, UsageError
from envclone.serve import patience, run
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
    monkeypatch.setattr(patience, "_HEAD_SECONDS", 0.5)
    with served() as here, _serving(here, Address(port=0)) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-drip: ")
            with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
                assert answer.status == 200
            assert slow.recv(100) == b""  # closed, and nothing was answered
        with socket.create_connection(("127.0.0.1", port), 30) as idle:
            assert idle.recv(100) == b""


def test_a_body_that_nobody_reads_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was answered already: the rest may drip as slowly as it likes, and is no use to anybody."""
    monkeypatch.setattr(patience, "_REST_SECONDS", 0.5)
    with served() as here, _serving(here, Address(port=0)) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as slow:
            slow.sendall(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
            assert slow.recv(4096).startswith(b"HTTP/1.1 404")
            slow.settimeout(0.2)
            for _ in range(100):
                with suppress(TimeoutError):
                    if not slow.recv(4096):
                        return
                slow.sendall(b"x")
            pytest.fail("the connection is held by dripping")


def test_who_reads_nothing_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_READ_SECONDS", 0.5)
    asked = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
    with served() as here, _serving(here, Address(port=0)) as url:
        port = int(url.rpartition(":")[2])
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(30)
            deaf.connect(("127.0.0.1", port))
            with pytest.raises((ConnectionError, BrokenPipeError)):
                for _ in range(2000):
                    deaf.sendall(asked)
                    time.sleep(0.01)


def test_one_address_has_a_part_of_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_CONNECTIONS", 12)
    monkeypatch.setattr(patience, "_of_this_machine", lambda host: False)
    with served() as here:
        with _serving(here, Address(port=0)) as url:
            assert sum(_answers(int(url.rpartition(":")[2]), 6)) == 3
        with _serving(here, Address(port=0, behind_proxy=True)) as url:
            assert sum(_answers(int(url.rpartition(":")[2]), 6)) == 6, "a proxy's are everybody's"


def _answers(port: int, count: int) -> list[bool]:
    """Which of so many connections at once are answered."""
    with ExitStack() as all_:
        held = [all_.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(count)]
        said = []
        for one in held:
            try:
                one.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                said.append(one.recv(4096).startswith(b"HTTP/1.1 200"))
            except ConnectionError:
                said.append(False)
        return said


def test_a_request_with_two_lengths_is_the_last_on_its_connection() -> None:
    """What stands behind it a proxy would have read as a part of it, and its sender as an answer to somebody else."""
    with served() as here, _serving(here, Address(port=0)) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as one:
            hidden = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
            both = b"content-length: %d\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" % (len(hidden) + 5)
            one.sendall(b"POST /login HTTP/1.1\r\nhost: x\r\n" + both + hidden)
            said = b"".join(iter(lambda: one.recv(4096), b""))
    assert said.startswith(b"HTTP/1.1 400") and said.count(b"HTTP/1.1") == 1, said


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
