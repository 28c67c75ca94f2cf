"""Settings in a table of keys and values: passwords never reach a branch, and all else is production's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, bytes_hold, place

pytestmark = pytest.mark.real

PLAIN = {
    "smtp.host": "mail.corp.example", "smtp.pass": "hunter-two 2", "theme": "dark",
    "backupPassphrase": "blue tiger night",
    "max_tokens": "4096", "password_login": "true", "cache": "redis://:swordfish9@cache:6379/0",
    "hlr.shared_secret": "wizard-owl-77", "footer": "Ask Wolfhard Quenzelmann", "ftp_kennwort": "Winter2019#",
}  # fmt: skip
DOCUMENTS = {
    "mail": {"host": "mail.corp.example", "pass": "open-sesame-4"}, "mqtt_password": "broker4ever",
    "hooks": [{"name": "token", "value": "ttn-shh-shh"}, {"name": "env", "value": "prod"}], "pin": "no-one-knows",
    "units": {"temp": "C"}, "chat": True, "retries": 3,
}  # fmt: skip
SECRETS = ["hunter-two 2", "blue tiger night", "swordfish9", "wizard-owl-77", "Winter2019#", "open-sesame-4"]
SECRETS += ["broker4ever", "ttn-shh-shh", "no-one-knows"]


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        with psycopg.connect(server.dsn_for("app")) as conn:
            conn.execute("CREATE TABLE people (id int PRIMARY KEY, name text)")
            conn.execute("INSERT INTO people VALUES (1, 'Wolfhard Quenzelmann')")
            conn.execute("CREATE TABLE sys_param (param_name varchar(60) PRIMARY KEY, param_value varchar(200))")
            conn.execute("CREATE TABLE app_config (key text PRIMARY KEY, value jsonb NOT NULL, at timestamptz)")
            for key, value in PLAIN.items():
                conn.execute("INSERT INTO sys_param VALUES (%s, %s)", [key, value])
            for key, document in DOCUMENTS.items():
                conn.execute("INSERT INTO app_config VALUES (%s, %s, now())", [key, json.dumps(document)])
        yield server


def test_no_plain_password_reaches_a_branch(prod: Production) -> None:
    with place() as here:
        env = {"PROD_PG_DSN": prod.dsn_for("app"), "ENVCLONE_POOL": str(here.pool)}
        here.call("init", "--project", "sets", "--from", "PROD_PG_DSN", env=env)
        text = here.file.read_text()
        assert "public.sys_param.param_value: {domain: setting, by: param_name}" in text
        assert "public.app_config.value: {domain: setting, by: key}" in text
        assert "every field has a rule" in here.call("scan", "prod", "--write", env=env).stdout
        made = json.loads(here.call("branch", "prod", "--name", "b", "--json", env=env).stdout)
        try:
            _check(here, made["urls"]["main"])
        finally:
            here.call("rm", "b", env=env)


def _check(here: Place, url: str) -> None:
    with psycopg.connect(url) as conn:
        plain = dict(conn.execute("SELECT param_name, param_value FROM sys_param").fetchall())
        documents = dict(conn.execute("SELECT key, value FROM app_config").fetchall())
    for key in ("smtp.host", "theme", "max_tokens", "password_login"):
        assert plain[key] == PLAIN[key]
    for key in ("units", "chat", "retries"):
        assert documents[key] == DOCUMENTS[key]
    assert documents["mail"]["host"] == "mail.corp.example" and documents["hooks"][1]["value"] == "prod"
    assert "Quenzelmann" not in plain["footer"] and plain["footer"].startswith("Ask ")
    said = json.dumps([plain, documents])
    assert [secret for secret in SECRETS if secret in said] == []
    assert bytes_hold(here.pool / "branches", [secret.encode() for secret in SECRETS]) == {}
