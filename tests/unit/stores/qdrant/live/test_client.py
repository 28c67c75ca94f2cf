"""How a server that does not answer as it should is told from another, in one line, and that the key stays here."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.config.schema import StoreConfig
from envclone.errors import ConfigError, EnvcloneError, UnreachableError
from envclone.incidents.bundle import VectorStep
from envclone.incidents.terms import Terms
from envclone.models import Secret
from envclone.stores.qdrant.live.check import obstacles
from envclone.stores.qdrant.live.client import Client, Failed, Waits, path
from envclone.stores.qdrant.live.source import client_of
from envclone.stores.qdrant.store import QdrantStore
from tests.support.qdrant_server import KEY, READER, Fleet, Node, dropped, says, serving, source, whole

QUICK = Waits(connect=2.0, silence=0.3, making=2.0, between=0.01)


@pytest.fixture
def node() -> Iterator[Node]:
    """A single server with everything."""
    with serving(whole()) as (made,):
        yield made


def _store(source: object, **more: object) -> StoreConfig:
    return StoreConfig.model_validate({"kind": "qdrant", "source": source, **more})


def _said(config: StoreConfig) -> list[EnvcloneError]:
    found = list(obstacles(config, waits=QUICK))
    assert all("\n" not in one.message and one.hint for one in found)
    return found


def _one(config: StoreConfig) -> str:
    (found,) = _said(config)
    return found.message


def test_nothing_stands_in_the_way_and_nothing_is_made(node: Node) -> None:
    assert _said(_store(source(node))) == []
    assert node.left == [] and not [line for line in node.asked if line.startswith("POST")]
    assert node.keys == {KEY}


def test_a_wrong_key_no_key_and_one_that_may_only_read(node: Node) -> None:
    assert "does not know the API key" in _one(_store(source(node, key="sk-wrong-and-secret")))
    assert "wants an API key" in _one(_store({"method": "snapshot", "url": node.url}))
    (found,) = _said(_store(source(node, key=READER)))
    assert "refuses the API key" in found.message and "rw" in str(found.hint)
    for key in ("a\nb", "ключ"):
        assert "character that no API key has" in _one(_store(source(node, key=key)))


def test_no_error_holds_the_key(node: Node) -> None:
    key = "verysecretkey"
    for status in (401, 403, 404, 500):
        node.faults = [("GET /collections", says(status, f"no, {key} is wrong"))]
        for found in _said(_store(source(node, key=key))):
            assert key not in f"{found!r} {found.message} {found.hint} {found.__cause__!r}"


def test_a_missing_collection_and_a_pattern_that_none_matches(node: Node) -> None:
    said = _one(_store(source(node), collections=["articles", "nope", "ten?", "a*c"]))
    assert "no collection 'nope', 'ten?', 'a*c'" in said and "articles, plain, tenants" in said
    assert _said(_store(source(node), collections=["art*", "ten??ts"])) == []


def test_a_version_that_is_too_old_and_what_is_no_qdrant(node: Node) -> None:
    node.version = "1.12.6"
    assert "of version 1.12.6, and 1.13 is the oldest" in _one(_store(source(node)))
    node.faults = [("GET /", says(200, {"title": "other", "version": "9.9.9"}))]
    assert "is no Qdrant server" in _one(_store(source(node)))
    node.faults = [("GET /", says(200, "<html>"))]
    assert "is not JSON" in _one(_store(source(node)))
    node.faults = [("GET /", says(200, '{"title": "\\ud800"}'))]
    assert "is not JSON" in _one(_store(source(node)))


def test_a_redirect_is_not_followed(node: Node) -> None:
    with serving(whole()) as (other,):
        node.faults = [("GET /collections", says(307, "", Location=f"{other.url}/collections"))]
        assert "leads to another address" in _one(_store(source(node)))
        assert other.asked == [] and other.keys == set()


def test_a_server_that_hangs_drops_or_is_not_there(node: Node) -> None:
    ended = threading.Event()

    def hanging(handler: object) -> bool:
        ended.wait(10)
        return True

    node.faults = [("GET /", hanging)]
    assert "did not answer within 0.3 s" in _one(_store(source(node)))
    ended.set()
    node.faults = [("GET /", dropped)]
    assert "cut the connection" in _one(_store(source(node)))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert "cannot be reached: Connection refused" in _one(_store({"method": "snapshot", "url": url}))
    assert "its name has no address" in _one(_store({"method": "snapshot", "url": "http://no.such.host.invalid:6333"}))


def test_an_answer_without_end_is_not_read(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envclone.stores.qdrant.live.client._MOST", 1000)
    node.faults = [("GET /collections", says(200, "[" * 100_000))]
    assert "does not end" in _one(_store(source(node)))


@pytest.mark.parametrize(
    "url", ["http://u:p@h:1", "http://h/?x=1", "http://h/#x", "http://h:99999", "http://h h", "http://h:0"]
)
def test_an_address_with_more_or_less_than_an_address(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        client_of(_store({"method": "snapshot", "url": url}).source)
    assert "p@h" not in caught.value.message
    node = _store({"method": "snapshot", "url": "http://h", "peers": {"1": url}})
    assert "source.peers.1" in _one(node)


def test_the_environment_leads_nowhere_else(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert _said(_store(source(node))) == []


def test_a_path_before_the_api_and_names_that_must_be_quoted(node: Node) -> None:
    with pytest.raises(Failed, match="answered 404"):
        Client(f"{node.url}/behind/a/proxy", Secret(KEY)).at(f"{node.url}/p").get(path("collections", "x/.."))
    assert node.asked == ["GET /p/collections/x%2F.."]


def test_tls_by_its_own_certificates(tmp_path: Path) -> None:
    certificate, context = _tls(tmp_path)
    with serving(whole(), tls=context) as (node,):
        (found,) = _said(_store(source(node)))
        assert "certificate is not trusted" in found.message and "source.ca_file" in str(found.hint)
        assert _said(_store(source(node, ca_file=str(certificate)))) == []
        name = node.url.replace("127.0.0.1", "localhost")
        assert "certificate is not trusted" in _one(_store(source(node, ca_file=str(certificate)) | {"url": name}))
        plain = node.url.replace("https", "http")
        (found,) = _said(_store(source(node) | {"url": plain}))
        assert "https://" in str(found.hint)
        empty = tmp_path / "empty.pem"
        empty.write_text("")
        assert "cannot be read" in _one(_store(source(node, ca_file=str(empty))))
        assert "cannot be read" in _one(_store(source(node, ca_file=str(tmp_path / "none.pem"))))
    with serving(whole()) as (node,):
        (found,) = _said(_store(source(node) | {"url": node.url.replace("http", "https")}))
        assert "no TLS connection" in found.message and "http://" in str(found.hint)


def test_telemetry_and_a_recording_go_the_same_way(tmp_path: Path) -> None:
    certificate, context = _tls(tmp_path)
    step = VectorStep(id="a", store="kb", collection="articles", vector=[1.0], limit=1)
    said = {"result": {"app": {"name": "qdrant", "version": "1.18.3", "system": {"cores": 4}}, "collections": {}}}
    point = {"id": 7, "version": 1, "score": 0.5, "payload": {}}
    with serving(whole(), tls=context) as (node,), serving(whole()) as (other,):
        config = _store(source(node, ca_file=str(certificate)))
        node.faults = [
            ("GET /telemetry", says(200, said)),
            ("POST /collections/articles/points/query", says(200, {"result": {"points": [point]}, "status": "ok"})),
        ]
        assert QdrantStore().resources(config)["version"] == "1.18.3"
        with QdrantStore().connect_source("kb", config, config.source, Terms()) as runner:
            assert runner.run(step).ids == (7,)
        without = _store(source(node))
        with pytest.raises(Failed, match="certificate is not trusted"):
            QdrantStore().resources(without)
        with (
            QdrantStore().connect_source("kb", without, without.source, Terms()) as runner,
            pytest.raises(UnreachableError),
        ):
            runner.run(step)
        node.faults = [("GET /telemetry", says(302, "", Location=f"{other.url}/telemetry"))]
        with pytest.raises(Failed, match="leads to another address"):
            QdrantStore().resources(config)
        assert other.asked == []


def _tls(directory: Path) -> tuple[Path, ssl.SSLContext]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = directory / "ca.pem", directory / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return certificate, context


def test_a_collection_whose_name_leads_elsewhere_is_refused() -> None:
    for name in ("../x", "a/b", ".hidden", "..", "a\x1fb", "a\\b", ""):
        with serving(Fleet({name: 1})) as (node,):
            assert "cannot be a directory's" in _one(_store(source(node)))
