"""What the service calls by itself: judged addresses alone, and webhooks that are signed and tried again."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import socket
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from envclone import wait
from envclone.errors import EnvcloneError, UnreachableError, UnsafeError, UsageError
from envclone.serve import outward
from envclone.serve.outward import Answered, call, require_outward
from envclone.serve.run import Address, require_safe
from envclone.serve.webhooks import Webhooks

TRAPS = ("169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]", "100.100.100.200", "0.0.0.0",
         "224.0.0.1")  # fmt: skip


@pytest.mark.parametrize("host", TRAPS)
def test_an_address_that_hands_out_credentials_is_never_called(host: str) -> None:
    with pytest.raises(UnsafeError):
        call("POST", f"https://{host}/latest/meta-data", body=b"{}")
    with pytest.raises(EnvcloneError):
        require_outward(f"http://{host}/")


def test_a_name_that_leads_into_a_trap_is_judged_by_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["203.0.113.7", "169.254.169.254"]
    monkeypatch.setattr(
        outward.socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", (one, 0)) for one in found]
    )
    with pytest.raises(UnsafeError):
        call("GET", "https://hooks.example/")
    with pytest.raises(UnsafeError):
        require_outward("http://hooks.example/")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "file:///etc/passwd", "https://u:p@x/", "https://", "x", "http://[1/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        require_outward(url)


def test_nothing_is_followed() -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("location", "http://169.254.169.254/")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert call("GET", f"http://127.0.0.1:{server.server_port}/").status == 302
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_is_signed_and_tried_again() -> None:
    got: list[tuple[bytes, Mapping[str, str]]] = []

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        got.append((body, headers))
        if len(got) == 1:
            raise UnreachableError("nobody answers")
        return Answered(500 if len(got) == 2 else 204, b"")

    hooks = Webhooks(["https://hooks.example/"], b"a secret of 32 bytes or so", post=post, pauses=(0.0, 0.0, 0.0))
    hooks.tell("job", {"job": "1", "state": "done"})
    wait.until(lambda: len(got) >= 3 or None, what="the webhook was delivered", timeout=20)
    hooks.close()
    assert len(got) == 3 and len({headers["x-envclone-delivery"] for _, headers in got}) == 1
    for body, headers in got:
        stamp = headers["x-envclone-timestamp"].encode()
        mac = hmac.new(b"a secret of 32 bytes or so", stamp + b"." + body, hashlib.sha256).hexdigest()
        assert headers["x-envclone-signature"] == f"sha256={mac}"
        assert json.loads(body) == {"event": "job", "job": "1", "state": "done"}


def test_without_tls_it_listens_on_this_machine_alone() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        require_safe(Address(host))
    for host in ("0.0.0.0", "::", "192.0.2.1", "nowhere.invalid"):
        with pytest.raises(UsageError):
            require_safe(Address(host))
        require_safe(Address(host, behind_proxy=True))
