"""What refers to somebody's row, to a list or to a service's object is nobody's; days of birth are somebody's."""

from __future__ import annotations

import random

import pytest

from envclone.masking.corpus import CorpusBuilder
from envclone.masking.finder import Finder
from envclone.masking.guesses import by_name
from envclone.masking.nobody import Nobody
from envclone.models import Field, FieldKind, Inventory
from envclone.scan.holders import holders_of
from envclone.scan.links import plain_links
from envclone.scan.numbers import series
from envclone.scan.propose import Holder, Sample, propose
from envclone.scan.vocabulary import identifiers

_DRAWN = random.Random(7)
_PLAIN = Holder()
_BESIDE = Holder(personal=True)


def _key() -> str:
    return "c" + "".join(_DRAWN.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))


def _decided(
    name: str, values: list[str], *, base: str = "text", unique: bool = False, holder: Holder = _PLAIN, path: str = ""
) -> str:
    json = bool(path)
    field = Field(
        f"public.things.{name}",
        "jsonb" if json else base,
        FieldKind.JSON if json else FieldKind.TEXT if base == "text" else FieldKind.OTHER,
        base="jsonb" if json else base,
        unique=unique,
        nullable=True,
        group=frozenset((f"public.things.{name}",)),
    )
    numbers = path.endswith("#")
    sample = Sample((), values) if numbers else Sample(values)
    return propose(field, {path.rstrip("#"): sample}, holder=holder)[0].domain


def test_who_made_a_row_is_no_person_when_it_is_a_key() -> None:
    keys = [_key() for _ in range(30)]
    assert _decided("createdBy", keys) == "keep"
    assert _decided("owner", keys, holder=_BESIDE) == "keep"
    assert _decided("createdBy", ["Ann Lee", "Bob Miller", "Carla Rossi"] * 9) == "person"


@pytest.mark.parametrize(
    "name",
    ["geb_dat", "gebdat", "GebDatum", "geboren_am", "fecha_nac", "dt_nasc", "date_naissance", "data_nascita", "ddn",
     "geboortedatum", "fodselsdato", "syntymaaika", "datum_narozeni", "data_urodzenia", "dogum_tarihi", "birthYear",
     "yob"],
)  # fmt: skip
def test_days_of_birth_are_called_so_in_many_languages(name: str) -> None:
    assert by_name(name) == "date"
    assert _decided(name, ["1970-03-04", "1990-01-02"], base="date") == "date"


@pytest.mark.parametrize("name", ["gebiet", "budget_date", "dogma", "geben_am_tag", "natural_date", "fnac_store"])
def test_other_words_are_no_births(name: str) -> None:
    assert by_name(name) != "date"


def test_years_of_birth_are_numbers() -> None:
    assert _decided("birth_year", ["1970", "1985"], base="int4") == "number"


def test_days_of_many_years_beside_persons_are_births_whatever_they_are_called() -> None:
    born = [f"{year}-0{year % 9 + 1}-11" for year in range(1938, 2004, 2)]
    made = [f"{2015 + i % 9}-0{i % 9 + 1}-11" for i in range(40)]
    assert _decided("gd", born, base="date", holder=_BESIDE) == "date"
    assert _decided("gd", born, base="date") == "keep", "nobody stands beside them"
    assert _decided("gd", made, base="date", holder=_BESIDE) == "keep"


def test_names_of_settings_are_a_program_s() -> None:
    assert identifiers(["SITE_NAME", "MAIL_FROM", "BANNER"]) and identifiers(["mail.smtpPassword", "site.title"])
    assert not identifiers(["MUELLER", "SCHMIDT", "A_B"]) and not identifiers(["jane.Doe"])
    assert _decided("schl", ["SITE_NAME", "MAIL_FROM", "MWST", "BANNER", "S3_KEY"], unique=True) == "keep"


def test_a_year_and_a_number_behind_one_letter_are_a_series() -> None:
    assert series([f"R2024-{100000 + 7 * i}" for i in range(9)])
    assert not series([f"M{700000000 + 7919 * i}" for i in range(9)]), "a number of an insurance"


def test_files_in_folders_are_no_secrets() -> None:
    paths = [f"/archiv/2024/03/R2024-{i}.pdf" for i in range(100, 130)]
    assert _decided("pdf_pfad", paths) == "text"
    assert _decided("pdf_pfad", [f"Zk9{_key()[:14]}Qx{i}" for i in range(20)]) == "secret"


def test_numbers_of_a_short_list_of_things_are_no_state_s() -> None:
    listed = [str(101575519 + 13 * i) for i in range(14)]
    fields = {}
    for address, unique in (("public.kk.ik", True), ("public.kk.bez", False), ("public.pat.ik", False)):
        field = Field(address, "text", FieldKind.TEXT, base="text", unique=unique, group=frozenset((address,)))
        fields[address] = field
    insurers = [f"Kasse {i}" for i in range(14)]
    samples = {"public.kk.ik": listed, "public.kk.bez": insurers, "public.pat.ik": listed * 20}

    def decided(address: str) -> str:
        holders = holders_of(Inventory("main", fields, rows={"public.kk": 14, "public.pat": 280}), samples)
        holder = holders[address.rpartition(".")[0]]
        return propose(fields[address], {"": Sample(samples[address])}, holder=holder)[0].domain

    assert decided("public.kk.ik") == decided("public.pat.ik") == "keep"
    samples["public.kk.bez"] = ["Ann Lee", "Bob Miller", "Carla Rossi", "John Smith", "Peter Walker"] * 3
    assert decided("public.pat.ik") == "national_id", "the list is one of persons"


def test_objects_of_a_service_and_placeholders_of_pictures_are_nobody_s() -> None:
    calls = [f"CA{_DRAWN.getrandbits(128):032x}" for _ in range(20)]
    assert _decided("sid", calls, holder=_BESIDE) == "keep"
    assert _decided("response_id", [f"chatcmpl-{_key()}aB3" for _ in range(20)]) == "keep"
    assert _decided("session_id", [f"sess{_key()}aB3" for _ in range(20)]) != "keep"
    assert by_name("blurhash") == by_name("content_hash") == "keep" and by_name("password_hash") == "secret"


def test_pictures_under_drawn_names_lead_to_nobody() -> None:
    assert plain_links([f"https://images.shop.example/l/{_key()}.webp" for _ in range(20)])
    assert not plain_links([f"https://files.shop.example/share/{_key()}" for _ in range(20)]), "who has it is let in"


def test_what_a_column_is_imported_as_is_no_company() -> None:
    assert _decided("mapping", ["company"] * 20, path="$.Firma") != "company"
    assert _decided("data", ["Acme GmbH", "Beta Ltd"] * 9, path="$.company") == "company"


def test_a_weight_of_goods_in_a_document_is_kept() -> None:
    assert _decided("attributes", ["120", "80"], path="$.weightGrams#") == "keep"
    assert _decided("vitals", ["82", "61"], path="$.weight#", holder=_BESIDE) == "number"


@pytest.mark.parametrize("number", ["005-38-05", "0053805", "005 381 05"])
def test_a_number_that_reads_as_abroad_s_is_found_as_it_is_spelled(number: str) -> None:
    builder = CorpusBuilder()
    builder.add("phone", [number])
    assert Finder(builder.build(), Nobody()).spans(f"28391||{number}\r")


def test_keys_that_are_persons_are_masked_and_what_stands_below_is_decided_by_itself() -> None:
    field = Field("public.sheets.present", "jsonb", FieldKind.JSON, base="jsonb", nullable=True)
    people = [
        "Ann Lee",
        "Bob Miller",
        "Carla Rossi",
        "John Smith",
        "Peter Walker",
        "Maria Garcia",
        "Paul Adams",
        "Eve Hill",
    ]
    found = propose(field, {"$.*.note": Sample(["ok"] * 9), "$.*.mark": Sample((), ["1"] * 9)}, None, {"$.*": people})
    assert {one.path: one.domain for one in found if one.path.endswith("~")} == {"$.*~": "person"}
    assert {one.path for one in found} == {"$.*~", "$.*.note", "$.*.mark"} and "null" not in {
        one.domain for one in found
    }
    mails = propose(field, {"$.shares.*.role": Sample(["owner"])}, None, {"$.shares.*": ["a.b@example.org"]})
    assert {one.path: one.domain for one in mails}["$.shares.*~"] == "email"
    days = propose(field, {"$.*": Sample(["ok"])}, None, {"$.*": [f"2024-01-{d:02}" for d in range(1, 20)]})
    assert not [one for one in days if one.path.endswith("~")]


def test_what_programs_trace_their_work_by_is_nobody_s() -> None:
    drawn = [f"{_DRAWN.getrandbits(128):032x}" for _ in range(20)]
    assert _decided("metadata", drawn, path="$.trace_id") == _decided("requestId", drawn) == "keep"
    assert _decided("prompt_sha", drawn) == "keep"
    pictures = ["LEHV6nWB2yk8pyo0adR*.7kCMdnj", "L6PZfSi_.AyE_3t7t7R**0o#DgR4", "LKO2?U%2Tw=w]~RBVZRi};RPxuwH"]
    assert _decided("blurhash", pictures) == "keep"
    assert _decided("session_id", drawn) != "keep" and _decided("device_key", drawn) != "keep"


def test_unique_labels_of_a_short_list_are_kept() -> None:
    field = Field("public.groups.name", "text", FieldKind.TEXT, base="text", unique=True, nullable=False)
    groups = Sample(["Teachers", "Students", "Course admins", "Proctors"], whole=True)
    assert propose(field, {"": groups})[0].domain == "keep"
    for more in ("Ms. Novak", "Team Alice", "jdoe77", "Müller"):
        one = Sample([*groups.texts, more], whole=True)
        assert propose(field, {"": one})[0].domain != "keep", more


def test_a_number_on_somebody_s_card_is_masked_though_it_was_counted_up() -> None:
    assert _decided("student_no", [f"S{20240000 + 7 * i}" for i in range(40)], unique=True) == "key"
    assert _decided("order_no", [f"S{20240000 + 7 * i}" for i in range(40)], unique=True) == "keep"


def test_a_session_that_has_a_token_is_not_opened_by_its_id() -> None:
    field = Field("public.Session.id", "text", FieldKind.TEXT, base="text", unique=True)
    keys = Sample([_key() for _ in range(20)])
    assert propose(field, {"": keys}, holder=Holder(tokened=True))[0].domain == "keep"
    assert propose(field, {"": keys})[0].domain != "keep"


@pytest.mark.parametrize(
    "name", ["steuer_id", "SteuerNr", "ausweis_nr", "codice_fiscale", "rodne_cislo", "personnummer"]
)
def test_numbers_of_states_are_called_so_in_many_languages(name: str) -> None:
    assert by_name(name) == "national_id"


def test_what_rows_of_any_table_are_referred_to_by_is_nobody_s() -> None:
    rows = [str(7 * i % 320 + 1) for i in range(60)]
    assert _decided("subject_id", rows, base="int8") == "keep"
    assert _decided("subject_id", [str(10**15 + 7919 * i) for i in range(60)], base="int8") == "integer"
    models = ["App\\Models\\Customer", "App\\Models\\Supplier"] * 30
    assert {_decided(name, models) for name in ("addressable_type", "tokenable_type", "mailable_type")} == {"keep"}


def test_the_name_of_anything_is_a_person_s_beside_persons_alone() -> None:
    shops = ["Gare Centrale", "Vieux Port", "Zone Nord", "Halle 4", "Quai Ouest", "Place Verte"]
    assert _decided("nom", shops) != "person"
    assert _decided("nom", shops, holder=_BESIDE) == "person"
    assert _decided("nom", ["Ann Lee", "Bob Miller", "Carla Rossi", "John Smith", "Peter Walker"] * 3) == "person"


def test_references_of_goods_are_kept() -> None:
    assert _decided("ref", [f"CH{i:04}-{'ABC'[i % 3]}" for i in range(50)], unique=True) == "keep"


def test_what_a_program_numbers_and_names_in_capitals_inside_words_is_its_own() -> None:
    assert identifiers(["SmtpHost", "VatRate", "Theme", "MaxUploadMb"])
    assert not identifiers(["JohnSmith", "AnnMiller", "PeterWalker"]) and not identifiers(
        ["Martin", "Julia", "VatRate"]
    )
    field = Field("public.__EFMigrationsHistory.MigrationId", "text", FieldKind.TEXT, base="text", unique=True)
    made = Sample([f"2023{m:02}01120000_{what}" for m, what in enumerate(("Initial", "AddClaims", "FixPolicy"), 1)])
    assert propose(field, {"": made})[0].domain == "keep"
    version = Field("public.claims.RowVersion", "bytea", FieldKind.OTHER, base="bytea", nullable=True)
    assert propose(version, {"": Sample(["\\x0001"])})[0].domain == "keep"


def test_where_a_trip_began_is_somebody_s_place() -> None:
    assert by_name("StartLat") == by_name("end_lng") == by_name("lon") == "number" and by_name("flat") != "number"


def test_what_a_provider_is_shown_as_is_no_person() -> None:
    field = Field("public.logins.ProviderDisplayName", "text", FieldKind.TEXT, base="text")
    for names in (["AzureAD", "Google"], ["Keycloak", "Okta", "GitLab"]):
        assert propose(field, {"": Sample(names * 15, whole=True)})[0].domain != "person"
    people = [
        "Ann Lee",
        "Bob Miller",
        "Carla Rossi",
        "John Smith",
        "Peter Walker",
        "Maria Garcia",
        "Paul Adams",
        "Eve Hill",
    ]
    assert propose(field, {"": Sample(people * 5)})[0].domain == "person"


def test_a_line_of_an_address_that_was_copied_is_one() -> None:
    assert by_name("line1", "shippingSnapshot") == by_name("line_2", "billing_to") == "address"
    assert by_name("line1", "invoice_poem") != "address"


def test_links_of_which_none_is_there_are_texts() -> None:
    assert _decided("source_url", [""] * 40) == "text"
    assert _decided("source_url", [f"https://jane-doe{i}.example/me" for i in range(9)] + [""] * 9) == "url"


@pytest.mark.parametrize(
    ("columns", "halves"),
    [
        ({"first": ["Zanna", "Wolf"], "last": ["Quimbya", "von Thorpeb"]}, {"first", "last"}),
        ({"voornaam": ["Sanne"], "achternaam": ["de Vries"], "city": ["Delft"]}, {"voornaam", "achternaam"}),
        ({"fname": ["Zanna"], "lname": ["Quimbya"]}, {"fname", "lname"}),
        ({"first": ["Zanna", "Wolf"]}, set()),
        ({"first": ["12", "13"], "last": ["40", "41"]}, set()),
        ({"first": ["/a/b"], "last": ["/c/d"]}, set()),
        ({"first": ["Zanna"], "last": ["Quimbya"], "surname": ["Marble"]}, set()),
    ],
)
def test_a_first_and_a_last_beside_each_other_are_halves_of_a_name(
    columns: dict[str, list[str]], halves: set[str]
) -> None:
    fields = {
        f"public.t.{name}": Field(f"public.t.{name}", "text", FieldKind.TEXT, base="text", nullable=True)
        for name in columns
    }
    samples = {f"public.t.{name}": values for name, values in columns.items()}
    holder = holders_of(Inventory("main", fields, {"public.t": 400}), samples)["public.t"]
    assert holder.halves == {f"public.t.{name}" for name in halves}
    for address, field in fields.items():
        if address in holder.halves:
            sample = Sample(samples[address] * 100, whole=True)
            assert [one.domain for one in propose(field, {"": sample}, holder=holder)] == ["person"]
