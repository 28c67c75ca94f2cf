"""The attestation for people: the verdict and its exceptions, what was checked, and each rule, folded by table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from envclone.address import Address
from envclone.pages.base import document, fold, plain, table
from envclone.pages.referring import referring

__all__ = ["Section", "exceptions", "html", "rendered", "sections"]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: a title, a line of text, and a table; `folded` by the table of the field in each row."""

    title: str
    text: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    folded: bool = False


def sections(statement: Mapping[str, Any]) -> Iterator[Section]:
    """An attestation in parts, as text; for the terminal and for HTML alike."""
    checks = statement["checks"]
    excepted = list(exceptions(statement))
    yield _verdict(statement, len(excepted))
    if excepted:
        yield Section("Exceptions", "What the verdict leaves out, and why.", ("what", "why"), excepted)
    if "stores" in checks["files"]:
        yield _account(checks["files"])
    yield from _checks(checks)
    yield Section("Not guaranteed", "", ("",), [(line,) for line in statement["not_guaranteed"]])
    for name, store in statement["stores"].items():
        yield from _store(name, store, statement.get("strangers", ""))
    yield _image(statement)


def _verdict(statement: Mapping[str, Any], exceptions: int) -> Section:
    image, checks = statement["image"], statement["checks"]
    said = "without an exception"
    if exceptions:
        said = "with one exception, which follows" if exceptions == 1 else f"with {exceptions} exceptions, which follow"
    rules = [rule for store in statement["stores"].values() for rule in store["plan"]["rules"].values()]
    masked = sum(
        rule["domain"] != "keep" or any(p["domain"] != "keep" for p in rule.get("json") or ()) for rule in rules
    )
    return Section(
        "Verdict",
        f"Passed, {said}: every check held before this image of {image['environment']} was published. It is the state "
        f"of {_state(image['raw'])}.",
        ("", ""),
        [
            ("original values left", f"0 of {checks['fields']['originals']:,} that were looked for"),
            ("rows that differ from production's under the masks", f"0 of {_sum(checks['rows']):,}"),
            ("fields", f"{masked} masked, {len(rules) - masked} kept"),
        ],
    )


def _state(raw: Mapping[str, Any]) -> str:
    """When a snapshot's state was production's; one that was recovered is older than its making."""
    moment = raw.get("moment")
    if not moment:
        return _time(raw["created_at"])
    asked = moment["asked"]
    reached = [f"{name} {one['position']} at {_time(one['at'])}" for name, one in sorted(moment["stores"].items())]
    return f"{'' if asked['inclusive'] else 'just before '}{asked['by']} {asked['value']}: {', '.join(reached)}"


def exceptions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What somebody accepted, and what could not be shown."""
    checks = statement["checks"]
    for one in checks.get("accepted") or ():
        yield f"{one['field']}: {one['kind']}, {one['times']:,} times", f"stays by sanitize.accept: {one['reason']}"
    for store, indexes in sorted(checks.get("fidelity", {}).items()):
        for index, one in sorted(indexes.items()):
            if one.get("accepted") or (one["fraction"] is None and not one.get("empty")):
                yield f"vector index {index} of {store}", _answered(one)
    for name, store in sorted(statement["stores"].items()):
        if moved := _moved(store["rewrite"]):
            yield f"rows of {name}", moved.removeprefix("; ")
    if undecoded := checks["files"].get("classes", {}).get("not decoded"):
        yield f"{undecoded:,} bytes that nobody here can decode", "searched as they are"


def _image(statement: Mapping[str, Any]) -> Section:
    image = statement["image"]
    raw = image["raw"]
    return Section(
        f"Image {image['id']}",
        f"of {image['environment']}, the state of {_time(raw['created_at'])}, made {_time(image['created_at'])}",
        ("", ""),
        [
            ("raw snapshot", f"{raw['id']} ({raw['consistency']})"),
            ("rules, references and hooks", image["rules_digest"]),
            ("masking key", image["key_id"]),
            ("files under the signature", f"{statement['files']['count']:,}"),
            ("digest of their list", statement["files"]["manifest"]),
            *_taken(statement.get("taken_from")),
            *(
                (f"engine of {name}", f"{s['kind']} {s['engine_version']}, by {s['method']}")
                for name, s in _stores(raw)
            ),
        ],
    )


def _taken(link: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What is said of an image whose production had not changed since an earlier one."""
    if link is None:
        return []
    size = sum(one["bytes"] for one in link["compared"].values())
    return [
        ("taken from", f"image {link['image']}: {link['raw']} is the same {size:,} bytes, so its proof holds"),
        ("attestation of that image", link["attestation"]),
        ("unchanged snapshots since the proof", f"{link['links']}"),
    ]


def _stores(raw: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(raw["stores"].items())


def _store(name: str, store: Mapping[str, Any], nets: str) -> Iterator[Section]:
    rewrite = store["rewrite"]
    masked, kept = [], []
    for address, rule in sorted(store["plan"]["rules"].items()):
        paths = rule.get("json") or ()
        if paths:
            said = ", ".join(f"{one['path']}: {one['domain']}" for one in paths)
        else:
            said = rule["domain"] + (f" by {rule['by']}" if rule.get("by") else "")
            if rule["domain"] == "text" and nets:
                said = f"text ({nets})"
        if rule["domain"] == "keep" and not any(one["domain"] != "keep" for one in paths):
            if rule.get("derived"):
                masked.append((address, "computed by the server", "made again", ""))
            else:
                kept.append(address)
            continue
        rows, values = rewrite["rows"].get(address), rewrite["values"].get(address)
        counts = ("made again" if rule.get("derived") else "", "") if rows is None else (f"{rows:,}", f"{values:,}")
        masked.append((address, said, *counts))
    yield Section(
        f"Masked in {name}",
        f"{len(masked)} fields, {rewrite['method']}, in {rewrite['seconds']:.1f} s; {len(kept)} fields were kept"
        + _moved(rewrite),
        ("field", "rule", "values", "changed"),
        masked,
        folded=True,
    )
    kept_rows = [(address,) for address in kept]
    yield Section(f"Kept in {name}", "as production has them", ("field",), kept_rows, folded=True)
    if store["cleaned"]:
        yield Section(
            f"Cleaned and disarmed in {name}",
            "",
            ("what", "count", "which"),
            [(item["what"], f"{item['count']:,}", item.get("detail", "") or "") for item in store["cleaned"]],
        )


def _checks(checks: Mapping[str, Any]) -> Iterator[Section]:
    files, fields = checks["files"], checks["fields"]
    rows = [
        ("every row is production's under the masks", f"{_sum(checks['rows']):,} rows compared, 0 differ"),
        *(
            (
                f"references and unique indexes of {store}",
                f"{one['foreign_keys']} foreign keys, {one['orphans']} orphans (production: "
                f"{one['orphans_in_production']}), {one['unique_indexes']} unique indexes hold",
            )
            for store, one in sorted(checks["integrity"].items())
        ),
        *(
            (
                f"questions to {index} of {store}",
                _answered(one),
            )
            for store, indexes in sorted(checks.get("fidelity", {}).items())
            for index, one in sorted(indexes.items())
        ),
        *((f"reference {one['reference']}", referring(one)) for one in checks["references"]),
        *(
            (
                f"files of {store} are whole",
                ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in one.items()),
            )
            for store, one in sorted(checks.get("structure", {}).items())
            if one
        ),
        (
            "original values looked for in every field",
            f"{fields['originals']:,} in {fields['values_searched']:,} values, 0 left",
        ),
        *_files(files),
    ]
    yield Section("Checked before it was published", "", ("check", "result"), rows)
    if fields["coincidences"]:
        yield Section(
            "Coincidences",
            "Pseudonyms, or words of kept fields, that equal the original value of somebody else. They are what the "
            "masks made there, or what production's kept fields say, and no leak.",
            ("field", "times"),
            [(place, f"{count:,}") for place, count in sorted(fields["coincidences"].items())],
        )
    if fields.get("nobody"):
        yield Section(
            "Nobody's",
            "Values that stand for nobody, by the shipped list and `sanitize.nobody`. They stayed as they are and were "
            "not searched for.",
            ("field", "kind", "times", "values"),
            [(one["field"], one["kind"], f"{one['count']:,}", ", ".join(one["values"])) for one in fields["nobody"]],
        )


_CLASSES = {
    "structure": "headers, pointers, transaction ids, graph links, vectors under a written rule: parsed",
    "masked": "each value compared with the mask of its counterpart in production",
    "kept": "each value compared with production's, and searched",
    "derived": "made by the engine from other values, or its definitions: decoded, and searched as values",
    "zero": "is zero",
    "not decoded": "searched as raw bytes",
}


def _files(files: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "stores" not in files:  # made before files were accounted for
        yield (
            "original values looked for in every byte",
            f"{files['originals_searched']:,} in {files['files']:,} files, {files['residue_hits']} left",
        )
        return
    total = max(1, files["bytes"])
    yield (
        "every byte of every file has its class",
        f"{files['bytes']:,} bytes of {files['files']:,} files; not decoded: "
        f"{files['classes']['not decoded'] / total:.2%}",
    )
    yield (
        "original values looked for in what engines derived",
        f"{files['values_searched']:,} values, {files['residue_hits']} left",
    )


def _account(files: Mapping[str, Any]) -> Section:
    """The table of bytes per class and store."""
    stores = sorted(files["stores"])
    return Section(
        "Account of the bytes",
        "Each byte of each file belongs to one class. A file that no class claims enters no image.",
        ("class", *stores, "why it is nobody's"),
        [
            (name, *(f"{files['stores'][store]['classes'][name]:,}" for store in stores), why)
            for name, why in _CLASSES.items()
        ],
    )


def _answered(one: Mapping[str, Any]) -> str:
    """What came of the questions to one vector index."""
    if one["fraction"] is not None:
        said = f"{one['identical']} of {one['queries']} with production's ids, order and scores ({one['fraction']:.1%})"
    elif one.get("empty"):
        said = f"nothing to ask: {one['empty']}"
    else:
        said = f"NOT ASKED: {one.get('unasked') or 'the planner does not use it'}"
    return f"{said}; accepted: {one['accepted']}" if one.get("accepted") else said


def _moved(rewrite: Mapping[str, Any]) -> str:
    moved = ", ".join(f"{count:,} of {table}" for table, count in sorted(rewrite.get("moved", {}).items()))
    return f"; records that are not at production's addresses: {moved}" if moved else ""


def _sum(rows: Mapping[str, Mapping[str, int]]) -> int:
    return sum(count for tables in rows.values() for count in tables.values())


def _time(text: str) -> str:
    return text[:16].replace("T", " ") + " UTC"


def html(statement: Mapping[str, Any]) -> str:
    """The page: one file, no script, nothing fetched."""
    body = rendered(statement)
    title = f"Attestation of {statement['image']['id']}"
    return document(title, f"<main><h1>{plain(title)}</h1>{body}</main>")


def rendered(statement: Mapping[str, Any]) -> str:
    """Every part of it, as markup for a page that has others, too."""
    return "".join(map(_rendered, sections(statement)))


def _rendered(section: Section) -> str:
    text = f"<p>{plain(section.text)}</p>" if section.text else ""
    if section.folded:
        # what a store holds at its top, such as a collection, is held by nothing, and stands under its own name
        groups = groupby(section.rows, lambda row: Address.parse(str(row[0])).holder or str(row[0]))
        body = "".join(_fold(holder, section.columns, list(found)) for holder, found in groups)
    else:
        body = table(section.columns, section.rows) if section.rows else ""
    return f"<section><h2>{plain(section.title)}</h2>{text}{body}</section>"


def _fold(holder: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return fold(holder, table(columns, rows), note=str(len(rows)))
