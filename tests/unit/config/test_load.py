from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from pydantic import ValidationError

from envclone.config.load import check, load
from envclone.errors import ConfigError, Problem
from tests.unit.config.stacks import FULL, SMALL, loaded, problems, write


def test_every_part_of_a_full_file_arrives(tmp_path: Path) -> None:
    stack = loaded(tmp_path, FULL).stack
    prod = stack.environments["prod"]
    assert (stack.version, stack.project) == (1, "acme")
    assert stack.pool.path == Path("~/pool").expanduser()
    assert prod.stores["main"].settings == {"jit": "off", "max_connections": "50", "work_mem": "64MB"}
    assert prod.stores["kb"].collections == ["articles"]
    assert prod.services["api"].ports == [8000]
    assert prod.services["api"].environment["PORT"] == "8000"
    assert prod.services["api"].environment["DEBUG"] == "no"
    assert prod.services["api"].healthcheck is not None
    assert prod.services["api"].healthcheck.interval == dt.timedelta(seconds=1)
    assert prod.models["embedding"].dimensions == 1536
    assert stack.sanitize.domains["email"].unique
    assert stack.sanitize.domains["gone"].kind == "null"
    assert stack.branches.ttl == dt.timedelta(minutes=90)
    assert stack.branches.max == 7
    assert stack.quarantine.max_age == dt.timedelta(days=2)


def test_rules_have_one_form(tmp_path: Path) -> None:
    rules = loaded(tmp_path, FULL).stack.sanitize.rules
    assert rules["main"]["public.customers.note"] == "null"
    assert rules["main"]["public.tickets.embedding"] == {"vectors": "keep"}
    assert rules["main"]["public.customers.phone"] == "phone"
    assert rules["main"]["public.events.payload"] == {
        "$.user.email": "email",
        "$.contacts[*].phone": "phone",
        "$.secret": "null",
    }


def test_defaults(tmp_path: Path) -> None:
    stack = loaded(tmp_path, SMALL).stack
    assert stack.branches.ttl == dt.timedelta(hours=8)
    assert (stack.branches.max, stack.quarantine.keep, stack.quarantine.max_age) == (20, 1, dt.timedelta(hours=24))
    assert (stack.pool.path, stack.pool.driver) == (None, "auto")
    assert stack.incidents == tmp_path / "incidents"
    assert stack.sanitize.rules == {}


def test_a_key_with_nothing_behind_it_is_its_default(tmp_path: Path) -> None:
    stack = loaded(
        tmp_path, SMALL + "pool:\nincidents:\nbranches: {ttl: }\nsanitize: {hooks: , rules: {main: }}\n"
    ).stack
    assert stack.pool.driver == "auto"
    assert stack.branches.ttl == dt.timedelta(hours=8)
    assert stack.sanitize.rules == {"main": {}}
    assert stack.incidents == tmp_path / "incidents"


def test_paths_are_relative_to_the_file_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FULL)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    found = load(Path("../envclone.yaml"), {})
    stack = found.stack
    assert stack.incidents.resolve() == tmp_path / "inc"
    assert [str(Path(hook).resolve()) for hook in stack.sanitize.hooks] == [
        str(tmp_path / "hooks/support.py"),
        "/etc/after.sql",
    ]
    path = stack.environments["prod"].stores["old"].source.path
    assert path is not None
    assert path.resolve() == tmp_path / "data/pg"


def test_values_are_frozen(tmp_path: Path) -> None:
    stack = loaded(tmp_path, SMALL).stack
    with pytest.raises(ValidationError):
        stack.project = "other"  # type: ignore[misc]


def test_five_errors_at_once_each_with_path_and_line(tmp_path: Path) -> None:
    text = """\
version: 2
project: Acme Shop
environments:
  prod:
    stores:
      main:
        kind: postgres
        sorce: {method: physical}
      kb:
        kind: qdrant
        source: {method: snapshot}
branches: {ttl: 8 parsecs, max: many}
sanitize:
  rules:
    main:
      public.t.email: emial
    mian:
      public.t.name: person
"""
    assert problems(tmp_path, text) == [
        "envclone.yaml:1: version: must be 1, not '2'",
        "envclone.yaml:2: project: must be lower-case letters, digits and hyphens,"
        " begin with a letter or digit, 41 at most",
        "envclone.yaml:6: environments.prod.stores.main.source: is required",
        "envclone.yaml:8: environments.prod.stores.main.sorce: unknown key 'sorce', did you mean 'source'?",
        "envclone.yaml:11: environments.prod.stores.kb.source.url: is required for a store of kind qdrant"
        " and the method snapshot",
        "envclone.yaml:12: branches.ttl: must be a number with a unit (s, m, h, d or w), such as 8h, 1h30m or 7d",
        "envclone.yaml:12: branches.max: must be a whole number",
        "envclone.yaml:16: sanitize.rules.main.public.t.email: unknown domain 'emial', did you mean 'email'?",
        "envclone.yaml:17: sanitize.rules.mian: no environment has a store 'mian', did you mean 'main'?",
    ]


def test_problems_carry_their_type_and_a_count(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "version: 1\n")
    assert all(isinstance(problem, Problem) for problem in caught.value.problems)
    assert "has 2 problems" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("kind: postgres, source: {method: physical}", "source.dsn: is required for a store of kind postgres"),
        ("kind: postgres, source: {method: logical}", "source.dsn: is required"),
        ("kind: postgres, source: {method: directory}", "source.path: is required"),
        (
            "kind: postgres, source: {method: snapshot}",
            "source.method: must be physical, directory, logical, provider or volume",
        ),
        ("kind: postgres, source: {method: physical, dsn: x, url: http://x}", "source.url: is not used by"),
        ("kind: postgres, source: {method: physical, dsn: x, volume: {namespace: a, pod: b}}", "source.volume: is for"),
        ("kind: postgres, collections: [a], source: {method: physical, dsn: x}", "collections: is not used by"),
        ("kind: qdrant, source: {method: directory}", "source.path: is required"),
        (
            "kind: qdrant, source: {method: physical, url: http://x}",
            "source.method: must be snapshot, directory or volume",
        ),
        ("kind: qdrant, source: {method: snapshot, url: db}", "source.url: must begin with http:// or https://"),
        ("kind: qdrant, source: {method: fast, url: http://x}", "source.method: must be physical, directory"),
        (
            "kind: postgress, source: {method: physical, dsn: x}",
            "kind: unknown kind 'postgress', did you mean 'postgres'?",
        ),
        ("kind: postgres, source: x", "source: must be a mapping of keys to values"),
        ("kind: postgres, source: ", "source: is required"),
        ("kind: 7, source: {method: directory, path: x}", "kind: must be text; put the value in quotes"),
    ],
)
def test_what_a_source_needs(tmp_path: Path, source: str, expected: str) -> None:
    text = f"version: 1\nproject: a\nenvironments:\n  prod:\n    stores:\n      x: {{{source}}}\n"
    found = problems(tmp_path, text)
    assert len(found) == 1, found
    assert found[0].startswith(f"envclone.yaml:6: environments.prod.stores.x.{expected}")


@pytest.mark.parametrize(
    "source",
    [
        "kind: postgres, source: {method: physical, dsn: host=x}",
        "kind: postgres, source: {method: logical, dsn: host=x, database: app}",
        "kind: qdrant, source: {method: snapshot, url: 'https://q:6333'}",
        "kind: qdrant, source: {method: directory, path: /srv/qdrant}",
        "kind: memory, source: {method: directory, path: x}",
    ],
)
def test_sources_that_are_good(tmp_path: Path, source: str) -> None:
    text = f"version: 1\nproject: a\nenvironments:\n  prod:\n    stores:\n      x: {{{source}}}\n"
    assert loaded(tmp_path, text).stack.environments["prod"].stores["x"]


def test_a_kind_that_nobody_registers_is_named_by_check(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("postgres", "memory"))
    assert load(path, {})
    with pytest.raises(ConfigError) as caught:
        check(path, {})
    assert caught.value.problems[0].endswith("kind: unknown kind 'memory'; there are: postgres, qdrant")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("3", ": must be a domain's name, or a mapping of JSON path to domain"),
        ("[email]", ": must be a domain's name, or a mapping of JSON path to domain"),
        ("{}", ": is empty: name a domain, or a domain per JSON path"),
        ("{vectors: rotate}", ".vectors: must be keep: it says that vectors are kept"),
        ("{words: drop}", ".words: must be keep: it says that words are kept"),
        ("{user.email: email}", ": 'user.email' is not a JSON path: it begins with $, such as $.user.email"),
        ("{$.a: [email]}", ".$.a: must be a domain's name"),
        ("{$.a: phne}", ".$.a: unknown domain 'phne', did you mean 'phone'?"),
        ("zebra", ": unknown domain 'zebra'; declare it under sanitize.domains"),
    ],
)
def test_bad_rules(tmp_path: Path, rule: str, expected: str) -> None:
    text = SMALL + f"sanitize:\n  rules:\n    main:\n      p.t.c: {rule}\n"
    assert problems(tmp_path, text) == [f"envclone.yaml:12: sanitize.rules.main.p.t.c{expected}"]


def test_a_bad_shape_does_not_hide_an_undeclared_domain(tmp_path: Path) -> None:
    text = SMALL + "sanitize:\n  domains: {x: {kind: mail}}\n  rules:\n    main:\n      p.t.c: emial\n"
    found = problems(tmp_path, text)
    assert len(found) == 2
    assert "sanitize.domains.x.kind: must be person, email, phone, address," in found[0]
    assert "redact, null or keep, not 'mail', did you mean 'email'?" in found[0]
    assert "unknown domain 'emial'" in found[1]


def test_a_kinds_name_always_means_that_kind(tmp_path: Path) -> None:
    found = problems(tmp_path, SMALL + "sanitize: {domains: {keep: {kind: person}}}\n")
    assert found == [
        "envclone.yaml:9: sanitize.domains.keep.kind: must be keep: the name of a kind always means that kind"
    ]


def test_references_and_services_name_what_is_there(tmp_path: Path) -> None:
    text = (
        SMALL
        + """\
    services:
      api:
        image: x
        environment:
          A: ${stores.mian.url}
          B: ${stores.main.uri}
        depends_on: [maim]
        healthcheck: {interval: 1s}
        model: live
      one: {image: x, depends_on: [two], model: cassette, ports: [3129]}
      two: {image: x, depends_on: [one]}
sanitize:
  references: ["kb.a.b -> main.c.d", "main a b"]
"""
    )
    assert problems(tmp_path, text) == [
        "envclone.yaml:13: environments.prod.services.api.environment.A: there is no store 'mian' in this environment,"
        " did you mean 'main'?",
        "envclone.yaml:14: environments.prod.services.api.environment.B: a store has no 'uri', did you mean 'url'?",
        "envclone.yaml:15: environments.prod.services.api.depends_on[0]: there is no service or store 'maim',"
        " did you mean 'main'?",
        "envclone.yaml:16: environments.prod.services.api.healthcheck: needs either a command or a path",
        "envclone.yaml:17: environments.prod.services.api.model: is live beside a service with a cassette, and they"
        " share one network: have all of them live, or none",
        "envclone.yaml:17: environments.prod.services.api.model: needs the destinations that it asks in `allow` of its"
        " environment",
        "envclone.yaml:18: environments.prod.services.one.ports[0]: 3129 is the cassette's and the guard's own: have"
        " the service listen elsewhere",
        "envclone.yaml:18: environments.prod.services.one.depends_on: goes in a circle: 'one' -> 'two' -> 'one'",
        "envclone.yaml:21: sanitize.references[0]: no environment has a store 'kb'",
        "envclone.yaml:21: sanitize.references[1]: must look like store.collection.key -> store.schema.table.column",
    ]


@pytest.mark.parametrize("name", ["../prod", "Prod", "", "a" * 42, "-a", "a.b"])
def test_names_that_become_directories_are_checked(tmp_path: Path, name: str) -> None:
    assert "must be lower-case letters" in problems(tmp_path, SMALL.replace("prod:", f"'{name}':"))[0]
    assert "must be lower-case letters" in problems(tmp_path, SMALL.replace("main:", f"'{name}':"))[0]


@pytest.mark.parametrize("text", ["'[key]': 1\n", SMALL + "'[key]': 1\n"])
def test_a_key_that_looks_like_pydantics_mark(tmp_path: Path, text: str) -> None:
    assert any("[key]: unknown key; known are: version, project" in problem for problem in problems(tmp_path, text))


def test_a_thousand_problems_are_cut(tmp_path: Path) -> None:
    found = problems(tmp_path, SMALL + "".join(f"k{i}: 1\n" for i in range(1000)))
    assert len(found) == 101
    assert found[-1] == "envclone.yaml: and 900 more"


def test_where_names_the_line_of_a_key_or_of_what_is_above_it(tmp_path: Path) -> None:
    found = loaded(tmp_path, FULL)
    line = FULL.splitlines().index("      public.customers.email: email") + 1
    assert found.where("sanitize", "rules", "main", "public.customers.email") == f"{found.path}:{line}"
    assert found.where("sanitize", "rules", "main", "public.customers.email", "$.x") == f"{found.path}:{line}"
    assert found.problem(("project",), "is odd") == f"{found.path}:2: project: is odd"


def test_includes_are_merged_beneath_the_file(tmp_path: Path) -> None:
    write(tmp_path, "sanitize:\n  rules:\n    main: {p.t.a: email, p.t.b: email}\nbranches: {max: 3}\n", "one.yaml")
    write(tmp_path, "sanitize:\n  rules:\n    main: {p.t.b: phone}\n  hooks: [a.py]\n", "two.yaml")
    stack = loaded(
        tmp_path, SMALL + "include: [one.yaml, two.yaml]\nsanitize: {rules: {main: {p.t.c: keep}}, hooks: [b.py]}\n"
    ).stack
    assert stack.sanitize.rules["main"] == {"p.t.a": "email", "p.t.b": "phone", "p.t.c": "keep"}
    assert stack.sanitize.hooks == [str(tmp_path / "b.py")]
    assert stack.branches.max == 3


def test_a_problem_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    write(tmp_path, "\nbranches: {max: 0}\ninclude: [x.yaml]\n", "one.yaml")
    found = problems(tmp_path, SMALL + "include: [one.yaml]\nproject2: x\n")
    assert found == [
        "envclone.yaml:9: include[0]: 'one.yaml' includes other files, which only this one can",
        "envclone.yaml:10: project2: unknown key 'project2', did you mean 'project'?",
        "one.yaml:2: branches.max: must be at least 1",
    ]
    missing = problems(tmp_path, SMALL + "include: [none.yaml]\n")
    assert missing == ["envclone.yaml:9: include: none.yaml: not found"]


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "envclone.yaml", {})
    assert "envclone init" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="is not a file"):
        load(tmp_path, {})


def test_check_finds_structure_variables_and_hooks_together(tmp_path: Path) -> None:
    path = write(tmp_path, FULL.replace("max: ", "maxx: "))
    with pytest.raises(ConfigError) as caught:
        check(path, {})
    found = "\n".join(caught.value.problems)
    assert "source.dsn: the environment variable PROD_PG_DSN is not set: a DSN with REPLICATION" in found
    assert "source.url: the environment variable PROD_QDRANT_URL is not set" in found
    assert "environment.KEY: the environment variable API_KEY is not set" in found
    assert "PROD_QDRANT_KEY" not in found
    assert f"hooks[0]: there is no file '{tmp_path}/hooks/support.py'" in found
    assert "unknown key 'maxx', did you mean 'max'?" in found


def test_check_passes_when_all_is_there(tmp_path: Path) -> None:
    write(tmp_path, "", "a.py")
    path = write(tmp_path, FULL.replace("[hooks/support.py, /etc/after.sql]", "[a.py]"))
    env = {"PROD_PG_DSN": "host=x", "PROD_QDRANT_URL": "http://q", "API_KEY": "k"}
    assert check(path, env).stack.project == "acme"
    with pytest.raises(ConfigError) as caught:
        check(path, {**env, "PROD_QDRANT_URL": "q:6333"})
    assert [problem.split(": ", 1)[1] for problem in caught.value.problems] == [
        "environments.prod.stores.kb.source.url: must begin with http:// or https:// and a host"
    ]


def test_a_persons_key_in_a_rule_is_shown_as_its_shape(tmp_path: Path) -> None:
    rules = (
        "      p.t.c: {\"$.shares['zq7@corp.example']\": emial, shares.zq7@corp.example: email}\n"
        "      p.t.d.zq7@corp.example: emial\n"
    )
    found = problems(tmp_path, SMALL + f"sanitize:\n  rules:\n    main:\n{rules}")
    assert len(found) == 3
    assert not [problem for problem in found if "zq7" in problem or "corp" in problem]
    assert ":12: sanitize.rules.main.p.t.c.$.shares['xx#@xxxx.xxxxxxx']: unknown domain" in "".join(found)


_VOLUMES = """\
version: 1
project: a
environments:
  prod:
    CLUSTER
    stores:
      x: {kind: postgres, source: {method: volume, volume: {namespace: shop, cluster: db}}}
      y: {kind: qdrant, source: SECOND}
"""
_OF_A_CLUSTER = f"runtime: kubernetes\n    kubernetes: {{image: 'a@sha256:{'0' * 64}'}}"


@pytest.mark.parametrize(
    ("cluster", "second", "expected"),
    [
        ("", "{method: volume, volume: {namespace: a, pod: b}}", "environments.prod.runtime: must be kubernetes"),
        (_OF_A_CLUSTER, "{method: directory, path: x}", "stores.y.source.method: must be volume as well"),
        (_OF_A_CLUSTER, "{method: volume, volume: {namespace: a}}", "volume: must name one of"),
        (_OF_A_CLUSTER, "{method: volume, volume: {namespace: a, pod: b, labels: {c: d}}}", "volume: must name one of"),
    ],
)
def test_volumes_of_a_cluster(tmp_path: Path, cluster: str, second: str, expected: str) -> None:
    found = problems(tmp_path, _VOLUMES.replace("CLUSTER", cluster).replace("SECOND", second))
    assert len(found) == 1 and expected in found[0], found


@pytest.mark.parametrize("written", ["", " {$.a: , $.b: keep}", " !!null ''"])
def test_a_field_with_nothing_behind_it_has_no_rule(tmp_path: Path, written: str) -> None:
    def rule(text: str) -> str:
        return f"{SMALL}sanitize:\n  rules:\n    main:\n      public.t.c:{text}\n"

    [problem] = problems(tmp_path, rule(written))
    assert "has no rule; write what becomes of it" in str(problem)
    for said in (" null", " ~"):
        assert loaded(tmp_path, rule(said)).stack.sanitize.rules["main"]["public.t.c"] == "null"
