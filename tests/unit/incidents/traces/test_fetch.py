"""A trace out of the API of the tool that keeps it: real HTTP, pages, TLS, and keys that go nowhere else."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from envclone.cli.main import cli
from envclone.errors import ConfigError, EnvcloneError, UnreachableError, UsageError
from envclone.incidents import files
from envclone.incidents.traces import fetch, read
from tests.unit.incidents.traces.samples import LANGSMITH, PHOENIX

TRACE = json.loads(next((Path(__file__).parents[3] / "data" / "traces").glob("vercel*")).read_text())
KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-s3cret"}
LOGIN = "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-s3cret").decode()
Answer = tuple[int, Any]


class Asked:
    """What a server was asked: targets, headers, bodies."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[Any] = []


@contextmanager
def served(answer: Callable[[str, dict[str, list[str]], Any], Answer], tls: Path | None = None) -> Iterator[Any]:
    """A server with this answer to a path, its query and a body; and what it was asked."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.targets.append(self.path)
            asked.headers.append(dict(self.headers.items()))
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            asked.bodies.append(body)
            parts = urlsplit(self.path)
            status, document = answer(parts.path, parse_qs(parts.query), body)
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/stolen")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def langfuse(path: str, query: dict[str, list[str]], body: Any) -> Answer:
    """The trace with its observations, as versions up to 3 give it."""
    if path == "/api/public/traces/t-1":
        return 200, {**TRACE["trace"], "observations": TRACE["observations"]}
    return 404, {"error": "LangfuseNotFoundError"}


def by_pages(path: str, query: dict[str, list[str]], body: Any) -> Answer:
    """Version 4: no trace, observations by pages of one, long metadata cut at 200 characters."""
    if path != "/api/public/v2/observations" or query["traceId"] != ["t-1"]:
        return 404, {}
    whole = query.get("expandMetadata", [""])[0].split(",")
    start = int(query.get("cursor", ["0"])[0])
    one = {**TRACE["observations"][start], "metadata": {"long": "x" * 300, "short": "y"}}
    if "long" not in whole:
        one["metadata"] = {"long": "x" * 200, "short": "y"}
    following = {"cursor": str(start + 1)} if start + 1 < len(TRACE["observations"]) else {}
    return 200, {"data": [one], "meta": following}


def test_a_trace_of_langfuse_is_its_export(tmp_path: Path) -> None:
    with served(langfuse) as (url, asked):
        documents = fetch.documents_of("langfuse", "t-1", {"LANGFUSE_HOST": url, **KEYS})
    (tmp_path / "trace.json").write_text(json.dumps(TRACE))
    calls, origin = read.calls_of(documents, "langfuse:t-1")
    assert (calls, origin) == read.calls(tmp_path / "trace.json")
    assert asked.targets == ["/api/public/traces/t-1"] and asked.headers[0]["Authorization"] == LOGIN
    with served(langfuse) as (url, _), pytest.raises(UsageError, match="has no trace t-2"):
        fetch.documents_of("langfuse", "t-2", {"LANGFUSE_BASE_URL": f"{url}/", **KEYS})


def test_observations_come_by_pages_and_with_whole_metadata() -> None:
    with served(by_pages) as (url, asked):
        documents = fetch.documents_of("langfuse", "t-1", {"LANGFUSE_HOST": url, **KEYS})
    calls, _ = read.calls_of(documents, "langfuse:t-1")
    assert len(calls) == len(TRACE["observations"])
    assert all(call.other["long"] == "x" * 300 for call in calls)
    assert sum("expandMetadata=long" in one for one in asked.targets) == len(calls)
    assert all("io" in one and "metadata" in one for one in asked.targets[1:])


def test_langsmith_and_phoenix() -> None:
    runs = [*LANGSMITH["post"], *LANGSMITH["patch"]]

    def smith(path: str, query: dict[str, list[str]], body: Any) -> Answer:
        assert (path, body["trace"]) == ("/api/v1/runs/query", "r1")
        return 200, {"runs": runs[2:], "cursors": {}} if body.get("cursor") else {
            "runs": runs[:2], "cursors": {"next": "c"}
        }  # fmt: skip

    with served(smith) as (url, asked):
        documents = fetch.documents_of("langsmith", "r1", {"LANGSMITH_ENDPOINT": url, "LANGSMITH_API_KEY": "k"})
    calls, origin = read.calls_of(documents, "langsmith:r1")
    assert (origin.dialect, [call.kind for call in calls]) == ("langsmith", ["chain", "retrieval", "llm"])
    assert asked.headers[0]["x-api-key"] == "k"

    def phoenix(path: str, query: dict[str, list[str]], body: Any) -> Answer:
        assert path == "/v1/projects/my%20shop/spans" and query["trace_id"] == ["t"]
        other = {**PHOENIX["data"][0], "context": {"trace_id": "another", "span_id": "p9"}}
        page = {"data": [other], "next_cursor": None} if "cursor" in query else {**PHOENIX, "next_cursor": "c"}
        return 200, page

    with served(phoenix) as (url, asked):
        settings = {"PHOENIX_HOST": url, "PHOENIX_PROJECT_NAME": "my shop", "PHOENIX_API_KEY": "k"}
        calls, origin = read.calls_of(fetch.documents_of("phoenix", "t", settings), "phoenix:t")
    assert (origin.dialect, len(calls), asked.headers[0]["Authorization"]) == ("phoenix", 1, "Bearer k")


def test_the_command_asks_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "envclone.yaml").write_text(
        "version: 1\nproject: shop\npool: {path: ./pool}\nenvironments:\n  prod:\n    stores:\n"
        "      main: {kind: postgres, source: {method: physical, dsn: x}}\nincidents: incidents/\n"
    )
    monkeypatch.chdir(tmp_path)
    with served(langfuse) as (url, _):
        for name, value in {"LANGFUSE_HOST": url, **KEYS}.items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(cli, ["incident", "import", "langfuse:t-1", "--id", "1"])
    assert done.exit_code == 0 and "4 calls of a trace (langfuse)" in done.output, done.output
    assert "s3cret" not in done.output + (tmp_path / "incidents" / "1.yaml").read_text()
    assert files.load(tmp_path / "incidents" / "1.yaml").calls
    monkeypatch.delenv("LANGFUSE_SECRET_KEY")
    done = CliRunner().invoke(cli, ["incident", "import", "langfuse:t-1", "--id", "2"])
    assert "LANGFUSE_SECRET_KEY is not set" in str(done.exception)
    assert CliRunner().invoke(cli, ["incident", "import", "langfuse:../x", "--id", "2"]).exit_code == 2


@pytest.mark.parametrize(
    ("answer", "says", "error"),
    [
        ((401, {}), "answered 401", UnreachableError),
        ((302, {}), "answered 302", UnreachableError),
        ((500, {}), "answered 500", UnreachableError),
        ((200, b"<html>"), "is no JSON", UnreachableError),
        ((200, b"[" * 100_000), "is no JSON", UnreachableError),
        ((200, {"id": "t", "observations": [{"id": "x" * 10}] * 20_001}), "more than 20,000 spans", ConfigError),
        ((200, {"data": [1]}), "no list of data", UnreachableError),
    ],
)
def test_an_answer_that_is_none_is_said_in_one_line(answer: Answer, says: str, error: type[EnvcloneError]) -> None:
    with served(lambda *_: answer) as (url, _), pytest.raises(error, match=says) as caught:
        read.calls_of(fetch.documents_of("langfuse", "t", {"LANGFUSE_HOST": url, **KEYS}), "langfuse:t")
    assert "s3cret" not in str(caught.value) + str(caught.value.hint)


def test_pages_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(path: str, query: dict[str, list[str]], body: Any) -> Answer:
        if "traces" in path:
            return 404, {}
        return 200, {"data": TRACE["observations"], "meta": {"cursor": query.get("cursor", ["0"])[0] + "1"}}

    monkeypatch.setattr(fetch, "MOST", 50)
    with served(endless) as (url, asked), pytest.raises(ConfigError, match="more than 50 spans"):
        fetch.documents_of("langfuse", "t-1", {"LANGFUSE_HOST": url, **KEYS})
    assert len(asked.targets) < 60


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://langfuse.example", "in the clear"),
        ("ftp://langfuse.example", "no address"),
        ("langfuse.example", "no address"),
        ("https://user:pw@langfuse.example", "no address"),
        ("https://[::", "no address"),
    ],
)
def test_a_key_goes_to_no_address_that_is_none(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        fetch.documents_of("langfuse", "t", {"LANGFUSE_HOST": url, **KEYS})
    with pytest.raises(UsageError, match="no key has"):
        fetch.documents_of("langsmith", "t", {"LANGSMITH_API_KEY": "k\nHost: x"})


def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _certificate(tmp_path)
    with served(langfuse, tls=tmp_path) as (url, asked):
        with pytest.raises(UnreachableError, match="not trusted"):
            fetch.documents_of("langfuse", "t-1", {"LANGFUSE_HOST": url, **KEYS})
        assert asked.targets == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert fetch.documents_of("langfuse", "t-1", {"LANGFUSE_HOST": url, **KEYS})


def _certificate(place: Path) -> None:
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (place / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (place / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def test_what_names_a_trace() -> None:
    assert fetch.named("langfuse:abc-1") == ("langfuse", "abc-1")
    for text in ("langfuse:", "langfuse:../../x", "langfuse:a b", "langfuse:a/b", "trace.json", "other:1", "C:x"):
        assert fetch.named(text) is None
