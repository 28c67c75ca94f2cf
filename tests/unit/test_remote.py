"""The client: where its token comes from, whom it gives it to, and which error it raises."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from envclone import errors, remote
from envclone.errors import UnreachableError, UnsafeError, UsageError
from tests.unit.serve.test_run import _certificate


def test_a_token_comes_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    file = str(tmp_path / "token")
    assert remote.token_from({"ENVCLONE_TOKEN": " x "}) == "x"
    assert remote.token_from({"ENVCLONE_TOKEN_FILE": file}) == "from-a-file"
    assert remote.token_from({"ENVCLONE_TOKEN_COMMAND": f"cat '{file}'"}) == "from-a-file"
    for wrong in ({}, {"ENVCLONE_TOKEN_FILE": str(tmp_path / "none")}):
        with pytest.raises(UsageError):
            remote.token_from(wrong)


def test_a_token_crosses_no_network_as_it_is() -> None:
    for url in ("http://127.0.0.1:8750", "http://localhost", "http://[::1]:1/", "https://envclone.acme.example/"):
        assert remote.connect(url, "x").url == url.rstrip("/")
    with pytest.raises(UnsafeError):
        remote.connect("http://envclone.acme.example", "x")
    for url in ("envclone.acme.example", "ftp://x", "https://u:p@x", "https://x/?y"):
        with pytest.raises(UsageError):
            remote.connect(url, "x")
    assert "secret" not in repr(remote.connect("https://x", "secret"))


def test_an_error_is_the_one_that_the_host_would_raise() -> None:
    told = {"type": "UnsafeError", "message": "no", "hint": "do", "exit_code": 4}
    made = remote._error(told, 409)
    assert type(made) is UnsafeError and (made.message, made.hint) == ("no", "do")
    assert type(remote._error({**told, "type": "Gone"}, 410)) is UnsafeError
    assert type(remote._error({**told, "type": "TooMany", "exit_code": 8}, 429)) is errors.BusyError
    assert remote._error({"type": "CommandError", "message": "x"}, 500).exit_code == 1


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(UnreachableError):
        remote.connect("http://127.0.0.1:1", "x").branches()
    for name in ("", ".", ".."):
        with pytest.raises(UsageError):
            remote.connect("http://127.0.0.1:1", "x").show(name)


class Unsteady(http.server.BaseHTTPRequestHandler):
    """A service that is killed in the middle of a job's events, and started again."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("last-event-id")))
        if self.path.endswith("/events"):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            event = b'id: 1\ndata: {"event": "progress", "said": "one"}\n\n'
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.write(b"ff\r\nid: 2\nda")  # and no more
            self.wfile.flush()
            self.close_connection = True
            return
        failed = {"id": "7", "state": "failed", "error": {"type": "ResourceError", "message": "the service ended",
                                                          "exit_code": 6}}  # fmt: skip
        data = json.dumps(failed).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def _served(handler: Any, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_service_that_is_started_again_says_what_became_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    with _served(Unsteady) as port:
        team = remote.connect(f"http://127.0.0.1:{port}", "x", tell=told.append)
        real, away = remote.Remote.get, [0]

        def get(self: Any, path: str, query: Any = None) -> Any:
            away[0] += 1
            if away[0] <= 4:  # nobody listens for a moment
                raise UnreachableError("the service does not answer", hint="is it up?")
            return real(self, path, query)

        monkeypatch.setattr(remote.Remote, "get", get)
        with pytest.raises(errors.ResourceError, match="the service ended"):
            team.finished({"id": "7"})
    assert told[0]["said"] == "one" and away[0] == 5
    assert Unsteady.asked[-2][0].endswith("/events") and Unsteady.asked[-2][1] == "1"  # behind the last one


def test_a_service_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_AWAY", 0.3)
    with pytest.raises(UnreachableError, match="connection to the service was lost") as caught:
        remote.connect("http://127.0.0.1:1", "x").finished({"id": "7"})
    assert "job 7" in str(caught.value.hint)


class Short(http.server.BaseHTTPRequestHandler):
    """An answer that ends before its end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b"{")

    def log_message(self, *_: Any) -> None:
        pass


def test_an_answer_that_breaks_off_is_one_line() -> None:
    with _served(Short) as port, pytest.raises(UnreachableError, match="does not answer"):
        remote.connect(f"http://127.0.0.1:{port}", "x").branches()


def test_a_certificate_of_nobody_known_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = _certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    with _served(Unsteady, tls=tls) as port:
        team = remote.connect(f"https://localhost:{port}", "x")
        with pytest.raises(UnreachableError, match="cannot prove who it is") as caught:
            team.get("/jobs/7")
        assert "SSL_CERT_FILE" in str(caught.value.hint)
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        assert team.get("/jobs/7")["state"] == "failed"
    with socket.create_server(("127.0.0.1", 0)) as plain:  # what answers without TLS

        def answer() -> None:
            one, _ = plain.accept()
            with one:
                one.recv(1 << 16)
                one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(UnreachableError, match="does not speak TLS"):
            remote.connect(f"https://127.0.0.1:{plain.getsockname()[1]}", "x").branches()


def test_without_tls_no_proxy_is_given_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    class Proxy(Unsteady):
        asked: ClassVar[list[tuple[str, str | None]]] = []

    with _served(Proxy) as proxy, _served(Unsteady) as port:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert remote.connect(f"http://127.0.0.1:{port}", "x").get("/jobs/7")["state"] == "failed"
    assert Proxy.asked == []


@pytest.mark.parametrize("text", ["", " \n", "a b", "a\nb", "se\x00cret", "sécret", "a\r\nx-y: z"])
def test_what_is_no_token_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        remote.token_from({"ENVCLONE_TOKEN_FILE": str(file)})
    said = f"{caught.value.message} {caught.value.hint}"
    assert not text.strip() or text not in said
    with pytest.raises(UsageError):
        remote.connect("https://x", text)
    with pytest.raises(UsageError):
        remote.token_from({"ENVCLONE_TOKEN_COMMAND": "echo 'unfinished"})


@pytest.mark.parametrize(
    "url", ["http://[1", "https://x:99999", "https://x:y", "https://", "", "https://a b", "https://é"]
)
def test_what_is_no_address_is_one_line(url: str) -> None:
    with pytest.raises(UsageError):
        remote.connect(url, "x")


def test_an_address_with_a_password_in_it_is_not_quoted() -> None:
    with pytest.raises(UsageError) as caught:
        remote.connect("https://ann:s3cret@x", "x")
    assert "s3cret" not in caught.value.message
