"""Kinds that schemas of public applications taught: settings, sites, migrations, documents in texts."""

from __future__ import annotations

import json
import random
import string
import uuid

import pytest

from envclone.masking.guesses import by_name, guess
from envclone.masking.masks import MaskSet
from envclone.models import Field, FieldKind, FieldRule, Inventory
from envclone.scan.arrange import arranged, rules_of
from envclone.scan.documents import are_documents
from envclone.scan.echoes import without_copies
from envclone.scan.holders import holders_of
from envclone.scan.links import plain_links, plain_places
from envclone.scan.propose import Holder, Proposal, Sample, propose, surest
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


def _looked(
    name: str,
    values: list[str],
    *,
    unique: bool = False,
    path: str = "",
    holder: Holder | None = None,
    whole: bool = True,
) -> str:
    kind = FieldKind.JSON if path else FieldKind.TEXT
    field = Field(f"public.{name}", "text", kind, base="jsonb" if path else "text", unique=unique)
    return propose(field, {path: Sample(values, whole=whole)}, holder=holder or Holder())[0].domain


def test_numbers_of_files_are_no_telephone_numbers() -> None:
    for form in ("{y}/{i:05}", "{i}/{y}", "24H-{i}", "F24-{i:05}", "234-15-{i}-{j}"):
        values = [form.format(y=2019 + i % 6, i=100 + 7 * i, j=i % 30) for i in range(60)]
        assert _looked("cases.caseCode", values, unique=True) == "keep", form
    assert _looked("cases.extra", [f"415-555-{i:04}" for i in range(100, 160)]) == "phone"
    assert _looked("cases.extra", [f"+49 30 {1000 + i}-0" for i in range(100, 160)]) == "phone"


def test_digits_that_begin_alike_are_no_persons() -> None:
    assert _looked("courts.code", [f"28079{10000 + 7919 * i}" for i in range(1, 8)], unique=True) != "national_id"


def test_what_a_provider_calls_a_payment_is_nobody_s() -> None:
    rnd = random.Random(3)
    ids = ["".join(rnd.choices(string.ascii_letters + string.digits, k=18)) for _ in range(40)]
    assert _looked("payment.externalId", [f"inv_{one}" for one in ids]) == "keep"
    assert (
        _looked("payment.externalId", [f"pi_{one}" if i % 2 else str(10**11 + i) for i, one in enumerate(ids)])
        == "keep"
    )
    assert _looked("payment.externalId", [f"sk_{one}" for one in ids]) == "secret"
    assert _looked("payment.accessToken", [f"inv_{one}" for one in ids]) == "secret"


def test_ids_of_calendars_and_places_of_objects_are_nobody_s() -> None:
    rnd = random.Random(4)
    drawn = ["".join(rnd.choices(string.ascii_lowercase + string.digits, k=26)) for _ in range(60)]
    assert _looked("events.iCalUID", [f"{one}@google.com" for one in drawn]) == "keep"
    stored = [f"s3://recordings/2024/{i % 12 + 1:02}/{uuid.UUID(int=rnd.getrandbits(128))}.wav" for i in range(60)]
    personal = Holder(personal=True)
    assert _looked("calls.recording_uri", stored, holder=personal) == "text"


def test_keys_of_settings_and_signs_are_nobody_s() -> None:
    keys = ["smtpHost", "smtpUser", "lexnetCertPassword", "despacho.nombre", "timezone", "facturacion.serie", "logoUrl"]
    assert _looked("configuracion.clave", keys, unique=True) == "keep"
    assert _looked("unit.symbol", ["\u00b0C", "%RH", "ppm", "kWh", "V", "m\u00b3", "dB"], unique=True) == "keep"
    assert _looked("invites.code", ["\u00b0C", "%RH", "ppm", "kWh", "V", "m\u00b3", "dB"], unique=True) != "keep"


def test_a_checksum_of_a_token_is_a_secret() -> None:
    rnd = random.Random(5)
    sums = [f"{rnd.getrandbits(256):064x}" for _ in range(40)]
    assert _looked("api_tokens.token_sha256", sums, unique=True) == "secret"
    assert _looked("user_memories.hash", sums) == "keep"
    assert _looked("alerts.fingerprint", sums) == "keep"
    assert _looked("users.hash", sums) == "secret"


def test_a_few_towns_are_no_persons() -> None:
    assert _looked("courts.district", ["Madrid", "Madrid", "Bilbao", "Hamburg", "Bilbao", "Madrid"]) == "text"


def test_an_account_number_without_a_bank_is_a_key() -> None:
    assert _looked("party.account_no", [f"A{10040000 + 7 * i}" for i in range(60)], unique=True) == "key"
    assert _looked("payer.account_no", [f"{10040000 + 7919 * i}" for i in range(60)]) == "iban"


def test_where_somebody_is_is_personal() -> None:
    spot = Field("public.users.home_location", "point", FieldKind.OTHER, base="point", nullable=True)
    assert propose(spot, {"": Sample(["(52.1,4.2)"])}, holder=Holder(personal=True))[0].domain == "null"
    assert propose(spot, {"": Sample(["(52.1,4.2)"])}, holder=Holder())[0].domain == "keep"


def test_a_key_is_not_masked_as_a_text_for_what_refers_to_it() -> None:
    group = frozenset(("public.users.id", "public.devices.claimed_by"))
    fields = {
        a: Field(a, "text", FieldKind.TEXT, base="text", unique=a.endswith("id"), group=group - {a}) for a in group
    }
    found = [
        Proposal("public.devices.claimed_by", "", "text", "text", 0.4, "", ""),
        Proposal("public.users.id", "", "text", "keep", 0.7, "", ""),
    ]
    (one,) = surest(found, Inventory("main", fields, {"public.users": 3, "public.devices": 3}))
    assert (one.address, one.domain) == ("public.users.id", "keep")


def test_statuses_beside_addresses_leave_a_text() -> None:
    mails = [f"jane{i}.doe@corp.example" for i in range(40)]
    document = Field("public.log.changes", "jsonb", FieldKind.JSON, base="jsonb")
    inventory = Inventory("main", {"public.log.changes": document, **_mail_field()}, {"public.log": 80, "public.u": 40})
    samples = {
        "public.u.email": {"": Sample(mails)},
        "public.log.changes": {"$.before": Sample([*mails, "CLOSED", "OPEN", "PENDING", "DRAFT", "PAID", "VOID"])},
    }
    source = Proposal("public.u.email", "", "text", "email", 0.9, "", "")
    for domain in ("text", "keep"):
        mixed = Proposal("public.log.changes", "$.before", "jsonb", domain, 0.4, "", "")
        assert without_copies([source, mixed], samples, inventory)[1].domain == "text"
    samples["public.log.changes"] = {"$.before": Sample(mails)}
    whole = Proposal("public.log.changes", "$.before", "jsonb", "keep", 0.4, "", "")
    assert without_copies([source, whole], samples, inventory)[1].domain == "email"


def _mail_field() -> dict[str, Field]:
    return {"public.u.email": Field("public.u.email", "text", FieldKind.TEXT, base="text")}


def test_codes_of_sites_and_numbers_between_letters_are_nobody_s() -> None:
    personal = Holder(personal=True)
    assert (
        _looked("shipment.awb", [f"FR{700000000 + i * 11}PL" for i in range(80)], unique=True, holder=personal)
        == "keep"
    )
    group = frozenset(("public.leg.from_hub",))
    hubs = ["WAW1", "POZ2", "KRK1", "BER3", "PRG1", "LWO1", "GDN1", "WRO4"]
    for table, expected in (("hub", "keep"), ("customers", "key")):
        field = Field(f"public.{table}.code", "text", FieldKind.TEXT, base="text", unique=True, group=group)
        assert propose(field, {"": Sample(hubs, whole=True)}, holder=personal)[0].domain == expected
    ids = [f"shp_{i:016x}Q" for i in range(40)]
    assert _looked("shipment.externalRef", ids, holder=personal) == "keep"
    assert _looked("customers.externalRef", ids, holder=personal) == "secret"
