"""A compose template beside a stack file says what it may say, and nothing that opens a container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import envclone
from envclone.config import preview
from envclone.errors import ConfigError
from envclone.runtimes.docker import compose
from tests.support.postgres import scratch
from tests.support.stack import Place

SHIPPED = Path(envclone.__file__).parent / "runtimes" / "docker" / "preview.yaml"

OPENING: dict[str, Any] = {
    "annotations": {"a": "b"}, "attach": True, "blkio_config": {"weight": 900}, "build": ".", "cap_add": ["SYS_ADMIN"],
    "cgroup": "host", "cgroup_parent": "/", "command": ["sh"], "configs": ["c"], "container_name": "x",
    "cpu_rt_runtime": 950000, "cpuset": "0", "credential_spec": {"file": "x"}, "depends_on": ["x"], "deploy": {},
    "develop": {}, "device_cgroup_rules": ["a *:* rwm"], "devices": ["/dev/sda"], "dns": ["8.8.8.8"], "domainname": "x",
    "entrypoint": ["sh"], "env_file": "/etc/shadow", "expose": ["80"], "extends": {"file": "/x.yaml", "service": "y"},
    "external_links": ["x"], "extra_hosts": ["a:1.2.3.4"], "gpus": "all", "group_add": ["0"], "healthcheck": {},
    "hostname": "x", "image": "evil", "ipc": "host", "isolation": "x", "label_file": "/x", "labels": {"a": "b"},
    "links": ["x"], "mac_address": "x", "mem_swappiness": 0, "network_mode": "host", "networks": ["host"],
    "oom_kill_disable": True, "oom_score_adj": -1000, "pid": "host", "platform": "x", "ports": ["80:80"],
    "post_start": [{"command": "x", "privileged": True}], "pre_stop": [{"command": "x"}], "privileged": True,
    "profiles": ["x"], "provider": {"type": "x"}, "pull_policy": "always", "restart": "always", "runtime": "x",
    "scale": 9, "secrets": ["s"], "security_opt": ["seccomp:unconfined"], "stdin_open": True,
    "storage_opt": {"size": "1G"}, "sysctls": {"kernel.x": 1}, "tty": True, "use_api_socket": True,
    "userns_mode": "host", "uts": "host", "volumes": ["/:/host"], "volumes_from": ["x"], "x-mine": {"a": 1},
    "cap_drop": [], "read_only": False,
}  # fmt: skip
"""Keys of the compose specification that a template may not have, or not with this value; `x-` extensions too."""

VALUES: dict[str, tuple[str, Any]] = {
    "root": ("user", "0:0"),
    "root by group": ("user", "1000:0"),
    "root by name": ("user", "root"),
    "root as a number": ("user", 0),
    "capabilities back": ("cap_drop", ["NET_RAW"]),
    "a profile more": ("security_opt", ["no-new-privileges:true", "apparmor:unconfined"]),
    "new privileges": ("security_opt", ["no-new-privileges:false"]),
    "another's network": ("network_mode", "container:production"),
    "no name's value": ("environment", {"AWS_SECRET_ACCESS_KEY": None}),
    "names alone": ("environment", ["AWS_SECRET_ACCESS_KEY"]),
    "a variable": ("environment", {"KEY": "${AWS_SECRET_ACCESS_KEY}"}),
    "a plain variable": ("environment", {"KEY": "$AWS_SECRET_ACCESS_KEY"}),
    "a name of another form": ("environment", {"A=B": "c"}),
    "a mount by tmpfs": ("tmpfs", ["/tmp:mode=1777,suid"]),
    "devices in a tmpfs": ("tmpfs", ["/tmp:dev"]),
    "a tmpfs upwards": ("tmpfs", ["/tmp/../etc"]),
    "logs over the network": ("logging", {"driver": "syslog", "options": {"syslog-address": "tcp://1.2.3.4:514"}}),
    "a logger's option": ("logging", {"driver": "json-file", "options": {"env": "KEY"}}),
    "no limit of processes": ("pids_limit", -1),
    "a limit of 0": ("pids_limit", 0),
    "no limit of memory": ("mem_limit", -1),
    "locked memory": ("ulimits", {"memlock": -1}),
    "time without end": ("stop_grace_period", "10h"),
    "a working directory": ("working_dir", "../.."),
}


def _written(folder: Path, text: str) -> Path:
    path = folder / preview.FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def _refused(folder: Path, text: str) -> list[str]:
    path = _written(folder, text)
    with pytest.raises(ConfigError) as caught:
        compose.template(folder)
    assert str(path) in caught.value.message
    return list(caught.value.problems)


def _template() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    return found


@pytest.mark.parametrize("part", preview.PARTS)
@pytest.mark.parametrize("key", OPENING)
def test_every_key_that_opens_is_refused_with_its_line(tmp_path: Path, part: str, key: str) -> None:
    made = _template()
    made[part][key] = OPENING[key]
    text = yaml.safe_dump(made, sort_keys=False)
    lines = text.splitlines()
    (problem,) = _refused(tmp_path, text)
    number, said = problem.removeprefix(f"{tmp_path / preview.FILE}:").split(":", 1)
    assert f"{part}.{key}" in said and lines[int(number) - 1].startswith(f"  {key}:")


@pytest.mark.parametrize("how", VALUES)
def test_a_value_that_opens_is_refused(tmp_path: Path, how: str) -> None:
    key, value = VALUES[how]
    made = _template()
    made["service"][key] = value
    (problem,) = _refused(tmp_path, yaml.safe_dump(made, sort_keys=False))
    assert f"service.{key}" in problem


@pytest.mark.parametrize(
    "text",
    [
        "x: &a {privileged: true}\nsandbox: {}\nstore: *a\nservice: {}\n",
        "sandbox: {}\nstore: {<<: {privileged: true}}\nservice: {}\n",
        "sandbox: {}\nstore: {}\nservice: {}\nservice: {privileged: true}\n",
        "sandbox: {}\nstore: {}\nservice: {mem_limit: 1g, mem_limit: 1g}\n",
        "sandbox: {}\nstore: {}\nservice: !!python/object/apply:os.system [id]\n",
        "sandbox: {}\nstore: {}\nservice: {pids_limit: !!str 5}\n",
        "sandbox: {}\nstore: {}\nservice: {? [a] : b}\n",
        "sandbox: {}\nstore: {}\nservice: {1: b}\n",
        "sandbox: {}\nstore: {}\nservice: {environment: {A: " + "[" * 200 + "]" * 200 + "}}\n",
        *(f"sandbox: {{}}\nstore: {{}}\nservice: {{}}\n{top}: {{}}\n"
          for top in ("include", "networks", "volumes", "services", "x-a", "name", "configs", "secrets", "version")),
    ],
)  # fmt: skip
def test_what_is_read_elsewhere_than_it_stands_is_refused(tmp_path: Path, text: str) -> None:
    assert _refused(tmp_path, text)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = _written(tmp_path, "")
    path.unlink()
    path.symlink_to("/etc/shadow")
    with pytest.raises(ConfigError, match="cannot be read"):
        compose.template(tmp_path)
    path.unlink()
    path.write_text("a: 1\n" + "#" * (1 << 20))
    with pytest.raises(ConfigError, match="cannot be read"):
        compose.template(tmp_path)


def test_what_is_useful_is_taken_and_the_walls_stand_whatever_is_left_out(tmp_path: Path) -> None:
    mine = {
        "sandbox": {},
        "store": {"pids_limit": 900, "shm_size": "2g", "logging": {"driver": "local", "options": {"max-size": "5m"}}},
        "service": {
            "environment": {"TZ": "UTC", "PRICE": "5$", "N": 3}, "tmpfs": ["/tmp:mode=1777,size=64m", "/var/cache"],
            "user": "1000:1000", "stop_signal": "SIGTERM", "stop_grace_period": "5s", "init": True, "cpus": 0.5,
            "mem_limit": 536870912, "ulimits": {"nofile": 65536}, "working_dir": "/srv",
        },
    }  # fmt: skip
    _written(tmp_path, yaml.safe_dump(mine))
    found = compose.template(tmp_path)
    for part in preview.PARTS:
        assert found[part] == {**mine[part], **preview.WALLS[part]}
    assert compose.template(None) == {
        part: {**_template()[part], **preview.WALLS[part]} for part in preview.PARTS
    } and all(
        _template()[part].get(key) == value for part in preview.PARTS for key, value in preview.WALLS[part].items()
    )


ATTACK = """\
sandbox:
  image: envclone/postgres:17.12
  network_mode: none
  entrypoint: ["/bin/sh", "-c", "read x < /host/etc/hostname; echo $x > /host/tmp/pwned"]
  user: "0:0"
  volumes: ["/:/host", "/var/run/docker.sock:/docker.sock"]
  stop_signal: SIGKILL
  restart: "no"
store:
  network_mode: service:sandbox
  restart: "no"
service:
  network_mode: service:sandbox
  restart: "no"
"""
STACK = """\
version: 1
project: acme
environments:
  prod:
    stores:
      kb: {kind: qdrant, source: {method: directory, path: /srv/qdrant}}
    allow: [ALLOW]
"""


def test_config_check_names_every_line() -> None:
    with scratch() as directory:
        place = Place(directory, directory / "pool")
        place.write(STACK.replace("ALLOW", "api.example.com"))
        place.call("config", "check")
        _written(directory, ATTACK)
        done = place.call("config", "check", check=False)
        assert done.returncode == 3
        for line, key in ((2, "image"), (4, "entrypoint"), (5, "user"), (6, "volumes")):
            assert f"preview.yaml:{line}: sandbox.{key}" in done.stderr
        (directory / preview.FILE).unlink()
        place.write(STACK.replace("ALLOW", "'0x7f.1:80'"))
        done = place.call("config", "check", check=False)
        assert done.returncode == 3 and "0x7f.1" in done.stderr
