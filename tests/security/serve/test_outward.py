"""What the service calls by itself: judged addresses alone, and webhooks that are signed and tried again."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envclone import wait
from envclone.errors import EnvcloneError, UnreachableError, UnsafeError, UsageError
from envclone.serve import outward
from envclone.serve.outbox import Delivery, Outbox
from envclone.serve.outward import Answered, call, require_outward
from envclone.serve.run import Address, require_safe
from envclone.serve.webhooks import Webhooks

TRAPS = ("169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]", "100.100.100.200", "0.0.0.0",
         "224.0.0.1", "[64:ff9b::169.254.169.254]", "[2002:a9fe:a9fe::1]", "[::169.254.169.254]", "168.63.129.16",
         "192.0.0.192",
         "[fd20:ce::254]", "[fd00:c1::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[2001::a9fe:a9fe]",
         "2852039166", "0xa9fea9fe", "0251.0376.0251.0376")  # fmt: skip


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


def _named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Have every name lead to these addresses, and nothing be connected to; gives what was tried."""
    tried: list[str] = []

    def connect(address: Any, *_: Any) -> Any:
        tried.append(address[0])
        raise OSError("no way there")

    told = [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, 0)) for one in addresses]
    monkeypatch.setattr(outward.socket, "getaddrinfo", lambda *_, **__: told)
    monkeypatch.setattr(outward.socket, "create_connection", connect)
    return tried


@pytest.mark.parametrize(
    ("within", "may"),
    [("203.0.113.7", True), ("8.8.8.8", True), ("10.20.0.7", True), ("169.254.169.254", False), ("127.0.0.1", False),
     ("100.100.100.200", False), ("168.63.129.16", False), ("0.0.0.0", False), ("224.0.0.1", False),
     ("255.255.255.255", False)],
)  # fmt: skip
def test_a_translated_address_is_judged_by_the_one_within(
    monkeypatch: pytest.MonkeyPatch, within: str, may: bool
) -> None:
    """A network without IPv4 knows everybody by such an address (NAT64)."""
    outer = str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | int(ipaddress.IPv4Address(within))))
    tried = _named(monkeypatch, outer)
    with pytest.raises(UnreachableError if may else UnsafeError):
        call("POST", "https://hooks.example/", body=b"{}")
    assert tried == ([outer] if may else [])
    with pytest.raises(UnsafeError):
        require_outward("http://hooks.example/")


def test_each_address_of_a_name_is_tried_in_the_order_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a way to IPv6 still reaches what has addresses of both kinds."""
    tried = _named(monkeypatch, "2001:db9::7", "198.18.0.7", "2001:db9::7")
    with pytest.raises(UnreachableError):
        call("GET", "https://hooks.example/")
    assert tried == ["2001:db9::7", "198.18.0.7"]


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
    hooks.tell("job", {"job": "1", "state": "done"}, key="1")
    wait.until(lambda: len(got) >= 3 or None, what="the webhook was delivered", timeout=20)
    hooks.close()
    assert len(got) == 3 and len({headers["x-envclone-delivery"] for _, headers in got}) == 1
    for body, headers in got:
        stamp = headers["x-envclone-timestamp"].encode()
        mac = hmac.new(b"a secret of 32 bytes or so", stamp + b"." + body, hashlib.sha256).hexdigest()
        assert headers["x-envclone-signature"] == f"sha256={mac}"
        assert json.loads(body) == {"event": "job", "job": "1", "state": "done"}


def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    """Even when the service was killed between two attempts; the file holds no address."""
    got: list[Mapping[str, str]] = []

    def deaf(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        got.append(headers)
        raise UnreachableError("nobody answers")

    url, gone = "https://hooks.example/a-secret-path", "https://gone.example/"
    hooks = Webhooks([url, gone], b"k" * 32, place=tmp_path, post=deaf, pauses=(3600.0,))
    hooks.tell("job", {"job": "1"}, key="1")
    wait.until(lambda: len(got) >= 2 or None, what="both were tried", timeout=20)
    hooks.close()
    kept = [(one.stat().st_mode & 0o777, one.read_text()) for one in tmp_path.iterdir()]
    assert len(kept) == 2 and all(mode == 0o600 and "example" not in text for mode, text in kept)
    (tmp_path / f"{'0' * 32}.json").write_text("{")

    def heard(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        got.append({**headers, "url": url, "body": body.decode()})
        return Answered(200, b"")

    later = Webhooks([url], b"k" * 32, place=tmp_path, post=heard, clock=lambda: time.time() + 7200)
    assert later.start() == 1  # the other address is told no more, and the damaged one is thrown away
    wait.until(lambda: not list(tmp_path.iterdir()) or None, what="it was delivered", timeout=20)
    later.tell("job", {"job": "1"}, key="1")  # a service that ended before it wrote down that it had told
    wait.until(lambda: len(got) >= 4 or None, what="it is told again", timeout=20)
    later.close()
    assert got[-1]["url"] == url and json.loads(got[-1]["body"]) == {"event": "job", "job": "1"}
    assert got[-1]["x-envclone-delivery"] == got[-2]["x-envclone-delivery"]


def test_what_waits_and_how_often_it_is_tried_has_an_end(tmp_path: Path) -> None:
    got: list[str] = []

    def deaf(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        got.append(headers["x-envclone-delivery"])
        return Answered(503, b"")

    hooks = Webhooks(["https://hooks.example/"], b"k" * 32, place=tmp_path, post=deaf, pauses=(0.0, 0.0))
    hooks.tell("job", {"job": "1"}, key="1")
    wait.until(lambda: not list(tmp_path.iterdir()) or None, what="it was given up", timeout=20)
    hooks.close()
    assert len(got) == 3
    box = Outbox(tmp_path, most=2)
    assert [box.keep(Delivery(f"{number:032x}", "x", "{}")) for number in range(3)] == [True, True, False]
    assert box.keep(Delivery(f"{1:032x}", "x", "{}", attempt=1)) and [one.attempt for one in box.waiting()] == [0, 1]


def test_without_tls_it_listens_on_this_machine_alone() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        require_safe(Address(host))
    for host in ("0.0.0.0", "::", "192.0.2.1", "nowhere.invalid"):
        with pytest.raises(UsageError):
            require_safe(Address(host))
        require_safe(Address(host, behind_proxy=True))
