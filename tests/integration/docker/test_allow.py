"""What a stack file allows by name is reached through the proxy, each connection is logged, and nothing else goes."""

from __future__ import annotations

import json

import pytest

from tests.integration.docker.conftest import World
from tests.support import docker

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.docker]

ASK = """
import http.client, os, sys
host, port, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
proxy = os.environ["HTTPS_PROXY"].removeprefix("http://").split(":")
c = http.client.HTTPConnection(proxy[0], int(proxy[1]), timeout=10)
try:
    if how == "tunnel":
        c.set_tunnel(host, port); c.request("GET", "/")
    else:
        c.request("GET", f"http://{host}:{port}/")
    r = c.getresponse(); print(r.status, r.read().decode()[:60])
except OSError as e:
    print("refused", e)
"""


def _ask(world: World, name: str, host: str, port: int, how: str) -> str:
    done = world.here.call("exec", name, "api", docker.python(), "-c", ASK, host, str(port), how, check=False)
    return (done.stdout + done.stderr).strip()


def test_only_what_is_allowed_is_reached(world: World) -> None:
    here = world.here
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"model")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Endpoint) as endpoint, HTTPServer(("127.0.0.1", 0), Endpoint) as secret:
        for one in (endpoint, secret):
            Thread(target=one.serve_forever, daemon=True).start()
        allowed, hidden = endpoint.server_address[1], secret.server_address[1]
        world.write(allow=f'["localhost:{allowed}", "nowhere.invalid", "*.example.org:80"]')
        branch = here.json("branch", "prod", "--name", "talks")
        assert branch["allow"][0] == f"localhost:{allowed}"
        assert _ask(world, "talks", "localhost", allowed, "tunnel") == "200 model"
        assert _ask(world, "talks", "localhost", allowed, "plain") == "200 model"
        assert "403" in _ask(world, "talks", "localhost", hidden, "tunnel")
        assert _ask(world, "talks", "localhost", hidden, "plain").startswith("403 envclone: localhost")
        assert "403" in _ask(world, "talks", "127.0.0.1", allowed, "tunnel")
        assert "502" in _ask(world, "talks", "nowhere.invalid", 443, "tunnel")
        log = here.pool / "branches" / "talks" / "gate.log"
        events = [json.loads(line) for line in log.read_text().splitlines()]
        assert [event["allowed"] for event in events] == [True, True, False, False, False, False]
        assert events[0]["to"] == f"localhost:{allowed}" and events[0]["received"] > 5
        assert "not among the destinations" in events[2]["why"]
        shown = here.call("logs", "talks", "gate").stdout
        assert f"localhost:{hidden}" in shown
        here.call("rm", "talks")
        for server in (endpoint, secret):
            server.shutdown()
    world.write()
    here.call("branch", "prod", "--name", "sealed")
    said = here.call(
        "exec", "sealed", "api", docker.python(), "-c",
        "import os, socket; print('HTTPS_PROXY' in os.environ); socket.create_connection(('127.0.0.1', 3128), 2)",
        check=False,
    )  # fmt: skip
    assert said.stdout == "False\n" and "refused" in said.stderr
    here.call("rm", "sealed")
