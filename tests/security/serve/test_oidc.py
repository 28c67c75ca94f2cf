"""Tokens of an identity provider of our own on this machine: right ones, and each way to be wrong."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from envclone.errors import EnvcloneError, UnreachableError
from envclone.serve.oidc import Oidc, Provider
from envclone.serve.refusals import Unauthenticated
from envclone.serve.roles import Role
from tests.support.listening import Handler, listening
from tests.support.served import served

AUDIENCE = "envclone"


@dataclass
class Issuer:
    """An identity provider: keys by id, and how often it was asked for them."""

    url: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    says: str | None = None

    def sign(
        self, kid: str = "one", *, algorithm: str = "RS256", key: Any = None, headers: Any = None, **of: Any
    ) -> str:
        """A token; what is None is left out."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "248289", "iat": now, "exp": now + 300,
                  "preferred_username": "ada", "groups": ["dev", "everybody"]} | of  # fmt: skip
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, key or self.keys[kid], algorithm, headers={"kid": kid, **(headers or {})})

    def document(self, path: str) -> Any:
        """What it answers."""
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.says or self.url, "jwks_uri": f"{self.url}/keys"}
        self.asked += 1
        return {
            "keys": [
                (RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm).to_jwk(
                    key.public_key(), as_dict=True
                )
                | {"kid": kid}
                for kid, key in self.keys.items()
            ]
        }


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer(keys={"one": rsa.generate_private_key(65537, 2048), "two": ec.generate_private_key(ec.SECP256R1())})

    class Answers(Handler):
        def do_GET(self) -> None:
            self.say(200, made.document(self.path))

    with listening(Answers) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


def _oidc(issuer: Issuer, clock: Callable[[], float] = time.monotonic, **of: Any) -> Oidc:
    return Oidc(Provider(issuer.url, AUDIENCE, {"dev": Role.ENGINEER, "sre": Role.OPERATOR}, **of), clock=clock)


def test_a_token_of_the_provider_s_gives_a_role(issuer: Issuer) -> None:
    oidc = _oidc(issuer)
    who, until = oidc.principal(issuer.sign())
    assert (who.subject, who.name, who.role) == ("oidc:248289", "ada", Role.ENGINEER)
    assert time.time() < until <= time.time() + 301
    assert oidc.principal(issuer.sign(groups=["sre", "dev"]))[0].role is Role.OPERATOR
    assert oidc.principal(issuer.sign("two", algorithm="ES256", aud=[AUDIENCE, "x"]))[0].role is Role.ENGINEER
    assert _oidc(issuer, claim="realm.roles").principal(issuer.sign(realm={"roles": "dev"}))[0].role is Role.ENGINEER
    assert issuer.asked == 2  # each once: keys are remembered


def test_each_way_to_be_wrong(issuer: Issuer) -> None:
    oidc, now = _oidc(issuer), int(time.time())
    public = issuer.keys["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    stranger = rsa.generate_private_key(65537, 2048)
    good = issuer.sign()
    head, body, tail = good.split(".")
    wrong = {
        "ended": issuer.sign(exp=now - 60), "not yet": issuer.sign(nbf=now + 300), "no end": issuer.sign(exp=None),
        "of the future": issuer.sign(iat=now + 300), "another audience": issuer.sign(aud="other"),
        "no audience": issuer.sign(aud=None), "another issuer": issuer.sign(iss="https://evil.example"),
        "nobody": issuer.sign(sub=None), "an empty name": issuer.sign(sub=""), "no time": issuer.sign(iat=None),
        "a stranger's": issuer.sign(key=stranger), "an unknown key": issuer.sign(key=stranger, headers={"kid": "x"}),
        "another kind of key": issuer.sign(headers={"kid": "two"}), "changed": f"{head}.{body[:-2]}AA.{tail}",
        "unsigned": f"{head}.{body}.", "no role": issuer.sign(groups=["everybody"]),
        "a role object": issuer.sign(groups={"dev": 1}),
        "critical": issuer.sign(headers={"crit": ["exp"]}), "another id": issuer.sign(headers={"kid": "é"}),
        "none": jwt.encode({"sub": "1", "iss": issuer.url, "aud": AUDIENCE, "iat": now, "exp": now + 60}, None, "none",
                           headers={"kid": "one"}),
        "empty": "", "dots": "..", "no token": "a.b.c",
    }  # fmt: skip
    import hashlib
    import hmac
    from base64 import urlsafe_b64encode

    def part(of: Any) -> bytes:
        return urlsafe_b64encode(json.dumps(of).encode()).rstrip(b"=")

    claims = {"sub": "1", "iss": issuer.url, "aud": AUDIENCE, "iat": now, "exp": now + 60, "groups": ["sre"]}
    unsigned = part({"alg": "HS256", "kid": "one"}) + b"." + part(claims)
    mac = urlsafe_b64encode(hmac.new(public, unsigned, hashlib.sha256).digest()).rstrip(b"=")
    wrong["the public key as a secret"] = (unsigned + b"." + mac).decode()
    for what, text in wrong.items():
        with pytest.raises(Unauthenticated):
            oidc.principal(text)
            pytest.fail(what)
    assert oidc.principal(good)


def test_a_new_key_is_found_and_strangers_make_no_load(issuer: Issuer) -> None:
    now = 0.0
    oidc = _oidc(issuer, clock=lambda: now)
    oidc.principal(issuer.sign())
    issuer.keys["three"] = rsa.generate_private_key(65537, 2048)
    now += 31
    assert oidc.principal(issuer.sign("three"))[0].name == "ada"
    before = issuer.asked
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            oidc.principal(issuer.sign(headers={"kid": "nowhere"}))
    assert issuer.asked <= before + 1
    del issuer.keys["three"]
    kept = issuer.sign()
    now += 601
    assert oidc.principal(kept)
    issuer.says = "https://evil.example"
    now += 700
    assert oidc.principal(kept)  # the provider is ill: what was known holds for a while
    now += 3601
    with pytest.raises(EnvcloneError):
        oidc.principal(kept)


def test_a_provider_that_says_it_is_another_one_is_not_believed(issuer: Issuer) -> None:
    issuer.says = "https://evil.example"
    with pytest.raises(EnvcloneError):
        _oidc(issuer).principal(issuer.sign())


def test_the_service_takes_both_kinds_of_tokens(issuer: Issuer) -> None:
    with served(verifier=_oidc(issuer)) as here:
        here.branch("adas", "ada")
        answer = here.call(issuer.sign(), "GET", "/whoami").json()
        assert (answer["name"], answer["role"]) == ("ada", "engineer")
        assert here.call(issuer.sign(), "GET", "/branches/adas").status_code == 404  # another ada, by her subject
        assert here.call(here.token("ada", Role.ENGINEER), "GET", "/branches/adas").status_code == 200
        assert here.call(issuer.sign(exp=1), "GET", "/whoami").status_code == 401


def test_who_is_known_does_not_wait_for_a_provider_that_is_slow(issuer: Issuer) -> None:
    """An unknown id has the keys looked for again: anybody can send one, and others have threads of their own."""
    entered, free = threading.Event(), threading.Event()
    slow = False

    def fetch(url: str) -> Any:
        if slow:
            entered.set()
            assert free.wait(30)
        return issuer.document(url.removeprefix(issuer.url))

    now = 0.0
    oidc = Oidc(Provider(issuer.url, AUDIENCE, {"dev": Role.ENGINEER}), fetch=fetch, clock=lambda: now)
    assert oidc.principal(issuer.sign())[0].name == "ada"
    slow, now = True, 60.0
    forged = issuer.sign(headers={"kid": "nobody's"})

    def ask() -> None:
        with pytest.raises(Unauthenticated):
            oidc.principal(forged)

    waits = threading.Thread(target=ask)
    waits.start()
    try:
        assert entered.wait(30)
        done: list[str] = []
        known = threading.Thread(target=lambda: done.append(oidc.principal(issuer.sign())[0].name), daemon=True)
        known.start()
        known.join(10)
        assert done == ["ada"]
    finally:
        free.set()
        waits.join()


def test_a_provider_that_does_not_answer_is_left_alone_for_a_while(issuer: Issuer) -> None:
    asked: list[str] = []

    def fetch(url: str) -> Any:
        asked.append(url)
        raise UnreachableError("it does not answer")

    now = 0.0
    oidc = Oidc(Provider(issuer.url, AUDIENCE, {"dev": Role.ENGINEER}), fetch=fetch, clock=lambda: now)
    for _ in range(20):
        with pytest.raises(UnreachableError):
            oidc.described()
    assert len(asked) == 1
    now = 6.0
    with pytest.raises(UnreachableError):
        oidc.described()
    assert len(asked) == 2
