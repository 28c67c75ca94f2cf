"""Kinds that schemas of public applications taught: settings, sites, migrations, documents in texts."""

from __future__ import annotations

import json
import random
import string

import pytest

from envclone.masking.guesses import by_name, guess
from envclone.masking.masks import MaskSet
from envclone.models import Field, FieldKind, FieldRule, Inventory
from envclone.scan.arrange import arranged, rules_of
from envclone.scan.documents import are_documents
from envclone.scan.echoes import without_copies
from envclone.scan.holders import holders_of
from envclone.scan.links import plain_links, plain_places
from envclone.scan.propose import Holder, Proposal, Sample, propose
from envclone.scan.values import look
from envclone.scan.vocabulary import generated


def _of(
    address: str,
    values: list[str],
    *,
    base: str = "text",
    unique: bool = False,
    holder: Holder | None = None,
    path: str = "",
) -> str:
    kind = FieldKind.JSON if path else FieldKind.TEXT if base == "text" else FieldKind.OTHER
    field = Field(address, base, kind, base=base, unique=unique, nullable=True)
    (one,) = propose(field, {path: Sample(values, whole=True)}, holder=holder or Holder())
    return one.domain


@pytest.mark.parametrize(
    ("address", "values", "soft"),
    [
        (
            "public.applications.redirect_uri",
            ["app2redirect://com.tusk.app/", "urn:ietf:wg:oauth:2.0:oob", "https://elk.example/oauth/https%3A%2F%2Felk"]
            * 7,
            True,
        ),
        ("public.applications.redirect_uri", [f"app://com.tusk/jane.doe{i}/x{i * 7919}z" for i in range(20)], False),
        ("public.chunk.digest", [f"{i * 7919:032x}" for i in range(30)], True),
        ("public.client.management_url", [], True),
        ("public.consent.external_client_id", [], True),
        ("public.session.external_client_id", ["local"] * 40, True),
        ("public.session.external_client_id", [f"U{i * 7919}x{i}" for i in range(40)], False),
        ("public.realm.password_policy", ["hashIterations(27500)", "length(10) and digits(1)"] * 3, True),
        ("public.module.author", ["Odoo S.A.", "Odoo S.A., Akretion"] * 6, True),
        ("public.currency.full_name", ["Euro", "United States dollar", "Pound sterling", "Polish złoty"], True),
        ("public.people.full_name", ["Jane Doe", "Peter Miller", "Anna Schmidt", "Ng Wei"] * 3, False),
        ("public.module.latest_version", ["17.0.1.0", "17.0.1.2"] * 6, True),
        ("public.accounts.avatar_file_name", [f"{i:016x}.png" for i in range(9)], True),
        ("public.databasechangelog.id", [f"1.{i}.0.Final-KEYCLOAK-{4000 + i}" for i in range(30)], True),
        ("public.account_move.inalterable_hash", [f"$3${i:064x}" for i in range(30)], True),
        ("public.warnings.status_ids", [str(110000000000000000 + i * 7919) for i in range(9)], True),
        ("public.federated.federated_user_id", [str(10**20 + i * 7919) for i in range(9)], False),
        ("public.users.identityProviderId", [str(10**20 + i * 7919) for i in range(9)], False),
        ("public.employee.identification_id", [f"L{i * 7919:08X}" for i in range(30)], False),
        ("public.rag_file.thread", [f"file-{i:024x}" for i in range(9)], True),
    ],
)
def test_what_is_called_like_an_identity_is_one_only_when_its_values_are(
    address: str, values: list[str], soft: bool
) -> None:
    assert (_of(address, values) in ("keep", "text")) is soft


def test_what_must_stay_different_and_names_nobody_is_kept() -> None:
    sources = ["Search engine", "Newsletter", "LinkedIn", "Indeed", "Job fair Kiel", "Referral", "Campus", "Radio"]
    assert _of("public.utm_source.name", sources, unique=True) == "keep"
    assert _of("public.utm_source.name", ["Jane Doe", "Peter Miller", "Anna Schmidt"], unique=True) != "keep"
    assert _of("public.tag_entity.name", ["prod", "draft", "crm", "grace", "customer: acme"], unique=True) == "keep"
    packages = ["n8n-nodes-discord-trigger", "n8n-nodes-mcp", "@acme/n8n-nodes-crm"]
    assert _of("public.installed.packageName", packages, unique=True, holder=Holder(personal=True)) == "keep"
    hosts = ["mailinator.com", "trashmail.de", "spam4.me"]
    assert _of("public.email_domain_blocks.domain", hosts, unique=True) == "keep"
    places = ["https://pacs.corp.example/*", "http://localhost:3000/*", "/realms/portal/*", "app:/callback"]
    assert plain_places(places) and not plain_places([*places, "/users/jane"])


def test_measures_are_no_numbers_of_a_register() -> None:
    nines = [str(123450001 + i * 9377) for i in range(30)]
    assert _of("public.space_stats.size", nines, base="int8") == "keep"
    assert _of("public.people.x", nines, base="int8") == "integer"
    assert _of("public.company.purchase_tax_id", ["2", "14"], base="int4") == "keep"


def test_record_names_of_persons_and_of_papers_are_texts() -> None:
    people, papers = ["Jane Doe", "Peter Miller", "Anna Schmidt"], ["S00012", "S00077", "S00191", "S00300"]
    seen = look([*people, *papers, "Roofer", "Electrician"])
    assert seen is None or seen.kind == "text"
    fields = {a: Field(a, "text", FieldKind.TEXT, base="text") for a in ("public.people.name", "public.log.record")}
    samples = {"public.people.name": {"": Sample(people)}, "public.log.record": {"": Sample([*people, *papers[:2]])}}
    proposals = [
        Proposal("public.people.name", "", "text", "person", 0.9, "", ""),
        Proposal("public.log.record", "", "text", "text", 0.9, "", ""),
    ]
    (_, record) = without_copies(proposals, samples, Inventory("main", fields))
    assert record.domain == "text", "what else stands there would be masked wherever it stands"


def test_links_that_differ_in_numbers_and_pictures_of_many_sites_are_nobody_s() -> None:
    assert plain_links([f"https://github.com/mastodon/mastodon/releases/v4.{i}.0" for i in range(3)])
    assert not plain_links(["https://github.com/janedoe", "https://github.com/peterm", "https://github.com/annas"])
    pictures = [f"https://files.{host}.example/images/{i:016x}.png" for i, host in enumerate("abcdef")]
    assert plain_links(pictures, "image_remote_url") and not plain_links(pictures, "shared_with_url")


def test_keys_that_a_program_drew_may_end_in_a_number_and_lack_a_digit() -> None:
    assert generated([f"0b5c2d1e-7a4f-4c1e-9a41-3d2e7f8a{i:04x}_{i}" for i in range(9)])
    drawn = random.Random(3)
    nanoids = ["agent_" + "".join(drawn.choices(string.ascii_letters + string.digits, k=21)) for _ in range(60)]
    assert generated([*nanoids, "agent_aZbkQcxWdbaZbkQcxWdba"])


def test_a_text_of_documents_has_a_rule_for_each_key_that_tells_of_somebody() -> None:
    values = [
        json.dumps({"host": "smtp.corp.example", "port": 587, "smtp_password": one, "email": f"{one}@corp.example"})
        for one in ("bluebird9", "hunter-two", "Sommer2024")
    ]
    assert are_documents(values) and not are_documents([*values, "true"])
    field = Field("public.settings.value", "text", FieldKind.TEXT, base="text")
    found = {one.path: one.domain for one in propose(field, {"": Sample(values, whole=True)}, holder=Holder())}
    assert found == {"$.email": "email", "$.smtp_password": "secret", "$.**": "text"}
    (one,) = propose(field, {"": Sample([*values, "true"], whole=True)}, holder=Holder())
    assert not one.path, "a text that is no document fits no rule with paths"


def test_a_part_of_a_partition_key_is_kept_or_for_a_person_to_decide() -> None:
    field = Field("public.optin.email", "text", FieldKind.TEXT, base="text", partitioning=True)
    (one,) = propose(field, {"": Sample(["jane@example.org", "peter@example.org"])}, holder=Holder())
    assert one.domain == "decide" and "partition key" in one.why
    assert guess(field) == "keep"
    (one,) = propose(field, {"": Sample(["eu", "us"] * 40)}, holder=Holder())
    assert one.domain == "keep"


def test_values_of_settings_are_secrets_where_a_key_tells_of_one() -> None:
    value, by_name_of = frozenset(("public.settings.value",)), {"public.settings.value": "name"}
    assert _settings(["GOOGLE_API_KEY", "mail.smtp.password", "bindCredential"]) == (value, {})
    assert _settings(["web.base.url", "smtp_password", "theme", "locale"]) == (frozenset(), by_name_of)
    harmless = ["web.base.url", "passwordPolicy", "client.secret.creation.time", "token_ttl", "max_tokens", "theme"]
    assert _settings(harmless) == (frozenset(), {})
    field = Field("public.settings.value", "text", FieldKind.TEXT, base="text")
    values = {"": Sample(["true", "Winter2023!", "dark"], whole=True)}
    assert propose(field, values, holder=Holder(secrets=value))[0].domain == "secret"
    (one,) = propose(field, values, holder=Holder(settings=by_name_of))
    assert (one.domain, one.by) == ("setting", "name")
    assert rules_of([one]) == {"public.settings.value": {"domain": "setting", "by": "name"}}
    (block,) = arranged([one])
    assert block.lines == ("public.settings.value: {domain: setting, by: name}",)
    unique = Field("public.settings.value", "text", FieldKind.TEXT, base="text", unique=True)
    assert propose(unique, values, holder=Holder(settings=by_name_of))[0].domain == "secret"
    assert _of("public.keys.value", ["correct horse", "hunter-two"]) == "secret"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schluessel", "wert"),
        ("clave", "valor"),
        ("param_name", "param_value"),
        ("id", "value_text"),
        ("cfgKey", "val"),
    ],
)
def test_settings_are_known_by_other_names(key: str, value: str) -> None:
    found = _settings(["mail_kennwort", "ftpContrasena", "theme"], key, value)
    assert found == (frozenset(), {f"public.settings.{value}": key})


@pytest.mark.parametrize(
    "name",
    [
        "security_pin",
        "pin1",
        "puk1",
        "mail_password",
        "wifi_psk",
        "memorableWord",
        "gate_code",
        "app_key",
        "otp_seed",
        "zwei_faktor_schluessel",
        "contrasena",
        "senha",
        "kennwort",
        "mot_de_passe",
        "cvv",
        "emailVerificationToken",
    ],
)
def test_what_lets_in_is_a_secret_by_its_name(name: str) -> None:
    assert by_name(name) == "secret"


@pytest.mark.parametrize(
    "name", ["gpio_pin", "clave", "key", "public_key", "country_code", "spin", "shopping", "pinned"]
)
def test_what_lets_nobody_in_is_no_secret_by_its_name(name: str) -> None:
    assert by_name(name) != "secret"


def _settings(keys: list[str], key: str = "name", value: str = "value") -> tuple[frozenset[str], dict[str, str]]:
    fields = {
        address: Field(address, "text", FieldKind.TEXT, base="text")
        for address in (f"public.settings.{key}", f"public.settings.{value}", "public.settings.note")
    }
    inventory = Inventory("main", fields, {"public.settings": len(keys)})
    holder = holders_of(inventory, {f"public.settings.{key}": keys})["public.settings"]
    return holder.secrets, dict(holder.settings)


def test_arrays_of_documents_are_masked_element_by_element() -> None:
    field = Field("public.messages.content", "jsonb[]", FieldKind.ARRAY, base="jsonb[]")
    for texts in (['{"text": "Dear Jane"}', '{"text": "x"}'], []):
        (one,) = propose(field, {"": Sample(texts)}, holder=Holder())
        assert one.domain == "json"
    assert guess(field) == "json"
    mask = MaskSet(b"k" * 32, {}).field(FieldRule(field.address, field.kind, "json", base=field.base))
    ((first, none, bare),) = mask([['{"to": "jane.doe@example.org", "n": 5}', None, '"jane.doe@example.org"']])
    assert json.loads(first)["n"] == 5 and none is None
    assert json.loads(first)["to"] == json.loads(bare) != "jane.doe@example.org"


def test_names_tell_papers_and_policies_apart() -> None:
    assert by_name("identification_no") == by_name("visa_no") == "national_id"
    assert by_name("password_policy") == by_name("token_lifespan") == by_name("companySize") == "keep"
