"""Settings: what a key tells is a secret, and what else stands in a value of them."""

from __future__ import annotations

import pytest

from envclone.errors import ConfigError
from envclone.masking.masks import MaskSet
from envclone.masking.settings import names_secret
from envclone.models import FieldKind, FieldRule
from tests.unit.masking.conftest import KEY

MASKS = MaskSet(KEY, {})


def _masked(*pairs: tuple[str | None, str | None], kind: FieldKind = FieldKind.TEXT) -> list[str | None]:
    rule = FieldRule("public.s.value", kind, "setting", (), "text" if kind is FieldKind.TEXT else "", "public.s.key")
    return list(MASKS.field(rule)(list(pairs)))


@pytest.mark.parametrize(
    "key",
    [
        "smtp_password",
        "mail.smtpPass",
        "STRIPE_SECRET_KEY",
        "ldap_bind_kennwort",
        "ftpContrasena",
        "zoom_geheimnis",
        "jwt_signing_key",
        "influx.dsn",
        "Stripe secret key",
        "twilio/auth-token",
        "backupPassphrase",
        "wifi.psk",
    ],
)
def test_a_plain_password_is_masked_where_its_key_tells(key: str) -> None:
    (masked,) = _masked(("tiger-99 blue", key))
    assert masked is not None and masked != "tiger-99 blue" and len(masked) == len("tiger-99 blue")
    (document,) = _masked(('"tiger-99 blue"', key), kind=FieldKind.JSON)
    assert document == f'"{masked}"', "the same secret has the same pseudonym"


@pytest.mark.parametrize(
    "key",
    [
        "smtp_host",
        "passwordPolicy",
        "token_ttl",
        "max_tokens",
        "password_min_length",
        "secret_rotation_days",
        "theme",
        "token_url",
        "enable_password_login",
        "tokens_per_minute",
        "public_key",
    ],
)
def test_other_settings_stay(key: str) -> None:
    assert not names_secret(key)
    assert _masked(("blue-steel", key), (None, key)) == ["blue-steel", None]


def test_what_only_switches_is_no_secret() -> None:
    assert _masked(("true", "password"), ("", "smtp_pass"), (None, "token")) == ["true", "", None]


def test_persons_in_other_settings_are_found() -> None:
    (masked,) = _masked(("write to jane.doe@corp.example", "footer"))
    assert masked is not None and masked.startswith("write to ") and "jane" not in masked


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("http://influx:s3cr3tpw@influx:8086/db", "s3cr3tpw"),
        ("redis://:p4sswd@cache:6379/0", "p4sswd"),
        ("Server=db;User Id=sa;Password=hunter22;", "hunter22"),
        ("SMTP_PASSWORD=hunter2", "hunter2"),
        ('{"pass": "hunter2", "host": "mail"}', "hunter2"),
        ('[{"name": "api_token", "value": "hunter2"}, {"name": "region", "value": "eu"}]', "hunter2"),
    ],
)
def test_secrets_inside_of_other_settings(value: str, secret: str) -> None:
    (masked,) = _masked((value, "connection"))
    assert masked is not None and secret not in masked and len(masked) == len(value)
    start = value.index(secret)
    assert masked[:start] == value[:start] and masked[start + len(secret) :] == value[start + len(secret) :]


def test_numbers_under_a_key_that_tells() -> None:
    kept = '{"port": 25, "pin": 1000}'
    assert _masked(("4711", "alarm_pin"), ('{"port": 25, "pin": 4711}', "x"), kind=FieldKind.JSON) == ["1000", kept]


@pytest.mark.parametrize(
    "key", ['{"host": "a", "smtp_password": "b"}', "do not give anybody the password of it", "a=token"]
)
def test_documents_and_sentences_are_no_keys(key: str) -> None:
    assert not names_secret(key)


def test_no_key_no_mask() -> None:
    with pytest.raises(ConfigError, match="key beside"):
        MASKS.mask_for("setting")
