"""The reference page of the stack file, generated: `python -m envclone.config.docs docs/stack-file.md`."""

from __future__ import annotations

import datetime as dt
import json
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from envclone.config import durations, schema
from envclone.config.base import Model
from envclone.config.checks import DOMAIN_KINDS
from envclone.config.template import starter

__all__ = ["main", "reference"]

_INTRODUCTION = """\
# The stack file

`envclone.yaml` declares what can be branched and what becomes of the people in it. envclone looks for it in the working
directory and above it; `ENVCLONE_FILE` names one elsewhere. `envclone init` writes the starter file below,
`envclone config check` lists everything that is wrong with a file, each with its line, and `envclone config schema`
prints a JSON Schema for editors.

This page is generated from the schema: `python -m envclone.config.docs docs/stack-file.md`.

## A commented example

```yaml
{starter}```

## Rules of reading

- **YAML.** One document, a mapping at its root. A key given twice is an error. Keys are the text as written, dates and
  base-60 numbers (`22:22`) are text, and so is every value below `settings` and `environment`. A key with nothing behind
  it means its default.
- **Variables.** `${{VAR}}` is an environment variable, `${{VAR?reason}}` shows the reason when it is not set or empty,
  `${{VAR:-default}}` has a default, `$$` is a dollar sign; any other dollar sign stands for itself. What a variable holds
  is not expanded again. Variables below a store's `source` and a service's `environment` are read only when they are
  used (`source.method` is read at once): without production's credentials everything works but the reading of
  production.
- **Paths** are relative to the directory of the stack file, and `~` is the home directory.
- **Durations** are a number with a unit (`s`, `m`, `h`, `d`, `w`), joined where wanted: `8h`, `1h30m`, `7d`.
- **Names** of projects, environments, stores and services are lower-case letters, digits and hyphens, 41 at most, with
  a letter or digit first.

## A rule's value

| value | what becomes of the field |
|---|---|
| a domain's name | every value gets its pseudonym in that domain |
| a kind's name: {kinds} | the same, without a declaration: each kind but `constant` is a domain of its own name |
| `null` without quotes | the domain `null`: the value is removed |
| a mapping of JSON path to domain | each leaf that a path matches gets its own domain: `{{"$.user.email": email, "$.contacts[*].phone": phone}}` |
| `{{domain: date, by: customer_id}}` | a domain with options; `by` names a column of the same row whose value decides how far a date is shifted. `{{domain: setting, by: key}}` names the column that says what a setting is |
| `{{vectors: keep}}` | embeddings stay as they are, a decision to write down: see [security](security.md). An array, row, domain or range that holds a vector asks for it too; in a row it stands beside the paths: `{{"$.body": text, vectors: keep}}` |
| `{{words: keep}}` | the same for a `tsvector`, whose words can be read back. `text` makes it again from the masked column, `null` removes it |

Of a Qdrant collection `articles` the address `articles.vectors` stands for its dense vectors. A sparse vector
(`articles.vectors.words`) wants a rule of its own, for its indices are hashes of words, and so do the ids of points
(`articles.point_ids`), which can be somebody's number. Both can only be kept, in writing; to `drop` a sparse vector is not
built yet. A pattern with `*` never keeps a vector, the words of a text search, or ids. A payload's own key of such a name
is declared as a path: `articles: {{"$.vectors": text}}`.

In an address, dots part names. A name that holds a dot, a comma, a quote, a star or a space is written in double quotes,
as in SQL: `"Sales.EU"."Order Items"."e.mail"`; so are the names in `by`, in references and in a hook's `writes` and
`reads`. Without quotes it is understood as long as one field alone can be meant; otherwise the refusal names the
quoted spellings. `*` stands for any part of a name, dots in it included.

A field that no rule names stops everything, and so does a rule that matches nothing.
"""  # noqa: E501

_PLACES: dict[type[Model], str] = {
    schema.StackFile: "The root",
    schema.PoolConfig: "`pool`",
    schema.AuditConfig: "`audit`",
    schema.Environment: "`environments.NAME`",
    schema.StoreConfig: "`environments.NAME.stores.NAME`",
    schema.SourceConfig: "`environments.NAME.stores.NAME.source`",
    schema.ProviderConfig: "`environments.NAME.stores.NAME.source.provider`",
    schema.VolumeConfig: "`environments.NAME.stores.NAME.source.volume`",
    schema.MountedConfig: "`environments.NAME.stores.NAME.source.mounted`",
    schema.ServiceConfig: "`environments.NAME.services.NAME`",
    schema.HealthcheckConfig: "`environments.NAME.services.NAME.healthcheck`",
    schema.ModelConfig: "`environments.NAME.models.NAME`",
    schema.KubernetesConfig: "`environments.NAME.kubernetes`",
    schema.JobConfig: "`environments.NAME.kubernetes.job`",
    schema.ClientConfig: "`environments.NAME.kubernetes.clients[]`",
    schema.KeepConfig: "`environments.NAME.keep`",
    schema.SanitizeConfig: "`sanitize`",
    schema.DomainConfig: "`sanitize.domains.NAME`",
    schema.AcceptConfig: "`sanitize.accept` (a list)",
    schema.FidelityConfig: "`sanitize.fidelity`",
    schema.AcceptedIndex: "`sanitize.fidelity.accept`",
    schema.BranchesConfig: "`branches`",
    schema.TrackConfig: "`environments.NAME.track`",
    schema.QuarantineConfig: "`quarantine`",
}
"""The parts of the file in the order in which a reader meets them, and where each stands."""


def reference() -> str:
    """The whole page, in Markdown: the starter file, the rules of reading, then every key of every part."""
    sections = [_INTRODUCTION.format(starter=starter("acme"), kinds=", ".join(f"`{kind}`" for kind in DOMAIN_KINDS))]
    sections += [_section(model, place) for model, place in _PLACES.items()]
    return "\n".join(sections)


def main(arguments: list[str]) -> int:
    """Write the page to the file that the one argument names; an option is refused."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m envclone.config.docs FILE\n")
        return 2
    Path(arguments[0]).write_text(reference(), encoding="utf-8")
    return 0


def _section(model: type[Model], place: str) -> str:
    lines = [f"## {place}", "", " ".join((model.__doc__ or "").split()), ""]
    lines += ["| key | type | default | description | example |", "|---|---|---|---|---|"]
    for name, field in model.model_fields.items():
        cells = (f"`{name}`", _type(field), _default(field), field.description or "", _example(field))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _type(field: FieldInfo) -> str:
    if any("Duration" in repr(part) for part in field.metadata) or field.annotation is dt.timedelta:
        return "duration"
    return _shape(field.annotation)


def _shape(annotation: Any) -> str:
    if annotation == schema.RuleValue:
        return "rule"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_shape(part) for part in arguments if part is not type(None))
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is dict:
        return f"mapping of name to {_shape(arguments[1])}"
    if origin is list:
        return f"list of {_shape(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return f"[{annotation.__name__.removesuffix('Config').lower()}](#{_anchor(annotation)})"
    names: dict[Any, str] = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        Path: "path",
        SecretStr: "secret text",
        dt.timedelta: "duration",
    }
    return names[annotation]


def _anchor(model: type[Model]) -> str:
    """The anchor that Markdown renderers give the section's heading."""
    heading = _PLACES[model].lower()
    return "".join(letter for letter in heading if letter.isalnum() or letter in "-_ ").replace(" ", "-")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, Model):
        return "–"
    return f"`{_written(value)}`"


def _example(field: FieldInfo) -> str:
    return f"`{_written(field.examples[0])}`" if field.examples else "–"


def _written(value: Any) -> str:
    """A value as it would be written in the file, on one line."""
    if isinstance(value, dt.timedelta):
        return durations.text(value)
    if isinstance(value, Path):
        return f"{value}/" if not value.suffix else f"{value}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
