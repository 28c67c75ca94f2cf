"""The rendered compose file: limits in compose's words, nothing a shell or compose would read, the sandbox closed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml

from envclone.config.services import HealthcheckConfig, ServiceConfig
from envclone.errors import ConfigError
from envclone.models import Branch, BranchState, Container, Endpoint, Preview, Secret, StoreSnapshot
from envclone.profiles.profile import Profile
from envclone.runtimes.docker import compose

STORE = StoreSnapshot("main", "postgres", "physical", "18.4", dt.datetime.now(dt.UTC), 0, 0, 0)
BRANCH = Branch("b", "prod", "img-1", BranchState.CREATING, dt.datetime.now(dt.UTC), None, {"main": STORE})
MAIN = Container(
    command=("postgres", "-D", "/p/main/data", "-c", "cluster_name=costs $5"),
    user="999:999",
    endpoint=Endpoint(store="main", kind="postgres", host="main", port=5432),
    mounts=(Path("/p/b/main"),),
    files={"/etc/passwd": Path("/p/b/main.passwd")},
    health=("pg_isready",),
    stop_signal="SIGINT",
)


def _rendered(tmp_path: Path, preview: Preview, profiles: dict[str, Profile]) -> dict[str, dict[str, object]]:
    text = compose.render(
        BRANCH,
        tmp_path,
        {"main": MAIN},
        preview,
        {"sandbox": "s", "main": "m@sha256:1", **{name: f"{name}@sha256:2" for name in preview.services}},
        profiles,
        pool=Path("/p"),
        account="999:999",
        parts=compose.template(None),
    )
    found: dict[str, dict[str, object]] = yaml.safe_load(text)["services"]
    return found


def test_limits_and_escapes(tmp_path: Path) -> None:
    service = ServiceConfig(
        image="acme/api", ports=[8000], read_only=False, capabilities=["CHOWN"], tmpfs=["/var/cache"], user="1:2",
        healthcheck=HealthcheckConfig(command=["true"], interval="1s"), command=["run", "$HOME"],
    )  # fmt: skip
    preview = Preview(
        stores=("main",), services={"api": service}, environment={"api": {"K": Secret("a$b${c}")}}, allow=("x.example",)
    )
    profile = Profile.model_validate(
        {"cpus": 0.5, "memory": "1GiB", "swap": "512MiB", "shm": "32MiB", "pids": 9, "ulimits": {"nofile": 5}}
    )
    found = _rendered(tmp_path, preview, {"api": profile})
    api, main = found["api"], found["main"]
    assert api["mem_limit"] == 1 << 30 and api["memswap_limit"] == (1 << 30) + (512 << 20) and api["cpus"] == 0.5
    assert api["shm_size"] == 32 << 20 and api["pids_limit"] == 9 and api["user"] == "1:2"
    assert api["ulimits"] == {"nofile": {"soft": 5, "hard": 5}}
    assert api["cap_drop"] == ["ALL"] and api["cap_add"] == ["CHOWN"] and api["read_only"] is False
    assert api["tmpfs"] == ["/tmp:mode=1777", "/var/cache"] and api["command"] == ["run", "$$HOME"]
    environment = api["environment"]
    assert isinstance(environment, dict) and environment["K"] == "a$$b$${c}"
    assert environment["https_proxy"] == "http://127.0.0.1:3128" and "main" in environment["NO_PROXY"]
    assert api["healthcheck"] == {"test": ["CMD", "true"], "interval": "1s", "retries": 60}
    assert api["depends_on"] == {
        "sandbox": {"condition": "service_started"}, "main": {"condition": "service_healthy"},
    }  # fmt: skip
    assert main["entrypoint"] == ["postgres", "-D", "/p/main/data", "-c", "cluster_name=costs $$5"]
    assert "mem_limit" not in main and main["read_only"] is True and main["stop_signal"] == "SIGINT"
    assert found["sandbox"]["extra_hosts"] == ["main:127.0.0.1", "api:127.0.0.1"]
    assert {one["network_mode"] for one in found.values()} == {"none", "service:sandbox"}
    assert not any("ports" in one or "networks" in one or "privileged" in one for one in found.values())


def test_a_cassette_is_where_the_usual_clients_look(tmp_path: Path) -> None:
    services = {"api": ServiceConfig(image="a", model="cassette"), "web": ServiceConfig(image="b")}
    preview = Preview(
        stores=("main",), services=services, allow=("x.example",),
        environment={"api": {"OPENAI_BASE_URL": Secret("https://gateway.example/v1")}},
    )  # fmt: skip
    found = _rendered(tmp_path, preview, {})
    api, web = found["api"]["environment"], found["web"]["environment"]
    assert isinstance(api, dict) and isinstance(web, dict)
    assert api["OPENAI_BASE_URL"] == "https://gateway.example/v1"  # what the stack file says stays
    assert api["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:3129"
    assert api["https_proxy"] == api["HTTP_PROXY"] == "http://127.0.0.1:3129" and "main" in api["no_proxy"]
    assert api["SSL_CERT_FILE"] == api["NODE_EXTRA_CA_CERTS"] == "/etc/envclone/cassette-ca.pem"
    assert found["api"]["volumes"] == [
        {"type": "bind", "source": str(tmp_path / "cassette-ca.pem"), "target": "/etc/envclone/cassette-ca.pem",
         "read_only": True}
    ]  # fmt: skip
    assert web["https_proxy"] == "http://127.0.0.1:3128" and "volumes" not in found["web"]


def test_without_allow_there_is_no_proxy(tmp_path: Path) -> None:
    preview = Preview(stores=("main",), services={"api": ServiceConfig(image="a")})
    assert _rendered(tmp_path, preview, {})["api"]["environment"] == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sandbox: {network_mode: bridge}\nstore: {}\nservice: {}\n", "opens the sandbox"),
        ("sandbox: {network_mode: none}\nstore: {network_mode: host}\nservice: {}\n", "opens the sandbox"),
        (
            "sandbox: {network_mode: none}\nstore: {network_mode: 'service:sandbox'}\n"
            "service: {network_mode: 'service:sandbox', privileged: true}\n",
            "opens the sandbox: privileged",
        ),
        ("sandbox: {}\n", "must have the mappings"),
        ("[1, 2", "cannot be read"),
    ],
)
def test_a_template_of_ones_own_is_held_to_the_sandbox(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose" / "preview.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        compose.template(tmp_path)


def test_a_template_of_ones_own_is_taken(tmp_path: Path) -> None:
    own = yaml.safe_load((Path(compose.__file__).parent / "preview.yaml").read_text())
    own["service"]["environment"] = {"TZ": "UTC"}
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose" / "preview.yaml").write_text(yaml.safe_dump(own))
    assert compose.template(tmp_path)["service"]["environment"] == {"TZ": "UTC"}
