"""An incident without the people in it: masked with the key and the rules of the image that it is replayed on.

What a step returned is masked field by field, as the image's own data was; what has no field (parameters, literals,
computed columns, notes) is masked as free text, where the people who are in the data and the patterns are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from envclone.address import written
from envclone.errors import UnsafeError
from envclone.incidents.bundle import (
    COMPUTED,
    NO_FIELD,
    UNKNOWN,
    Expected,
    HttpStep,
    Incident,
    SqlStep,
    Step,
    VectorStep,
)
from envclone.incidents.differences import sqlstate
from envclone.incidents.links import linked
from envclone.incidents.maskcalls import mask_call, mask_clock, mask_exchange, mask_origin, masked_ids
from envclone.incidents.maskjson import (
    mask_document,
    mask_documents,
    mask_filter,
    mask_formula,
    mask_leaves,
    mask_payload_rows,
    mask_tree,
)
from envclone.incidents.masksql import is_plain_data, mask_sql
from envclone.incidents.maskurl import mask_path
from envclone.incidents.queries import Order, Prefetch, Query
from envclone.masking.addresses import known_as
from envclone.masking.jsonpaths import PathRules
from envclone.models import FieldKind, FieldRule, JsonRule, StorePlan
from envclone.protocols import FieldMask, Masks

__all__ = ["IncidentMasks", "mask_incident"]

_OF_PRODUCTION = frozenset(("authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"))
"""Headers that let somebody in there: the sandbox has no use for them."""


class IncidentMasks(Masks, Protocol):
    """What an incident needs of an image's masks."""

    @property
    def key_id(self) -> str:
        """The id of the masking key; never the key."""
        ...

    def field(self, rule: FieldRule) -> FieldMask:
        """What masks a field under this rule."""
        ...

    def text(self, values: list[str], /) -> list[str]:
        """Free texts with the pseudonyms of everybody in them."""
        ...

    def value(self, domain: str, value: str, /) -> str | None:
        """One value's pseudonym in a domain."""
        ...


def mask_incident(
    incident: Incident, masks: IncidentMasks, plans: Mapping[str, StorePlan], *, computed: bool = True
) -> Incident:
    """The bundle as the engineer may see it; `plans` are by store.

    Without `computed`, what statements made of fields (a text, a list, bytes) is left out: reversed, cut or encoded it
    can spell a name that no search finds. Numbers and booleans stay.
    A bundle that was masked with the same key is returned as it is. Raises UnsafeError when it was masked with
    another key, or when a step's store has no plan.
    """
    if incident.masked == masks.key_id:
        return incident
    if incident.masked is not None:
        raise UnsafeError(
            f"incident {incident.incident} was masked with the key {incident.masked}, the image with {masks.key_id}",
            hint="take the raw bundle, or the image of the other key",
        )
    incident = linked(incident)
    # an application sees columns, and not of which table they are
    fields = incident.origin is None or incident.origin.dialect != "envclone"
    masker = _Masker(masks, computed=computed, fields=fields)
    ids = masked_ids(_names(incident), masker.data)
    steps: list[Step] = []
    for step in incident.steps:
        if isinstance(step, HttpStep):
            steps.append(masker.http_step(step))
            continue
        plan = plans.get(step.store)
        if plan is None:
            raise UnsafeError(
                f"the step '{step.id}' runs on '{step.store}', and the image has no rules for such a store",
                hint=f"the image holds: {', '.join(sorted(plans)) or 'no store'}",
            )
        steps.append(masker.sql_step(step, plan) if isinstance(step, SqlStep) else masker.vector_step(step, plan))
    return incident.model_copy(
        update={
            "note": masker.text(incident.note),
            "masked": masks.key_id,
            "steps": tuple(_linked(step, ids) for step in steps),
            "calls": tuple(mask_call(call, masker.data, ids, computed=computed) for call in incident.calls),
            "exchanges": tuple(mask_exchange(one, masker.data, ids, computed=computed) for one in incident.exchanges),
            "application": {masker.text(key): masker.text(value) for key, value in incident.application.items()},
            "clock": mask_clock(incident.clock, masker.data),
            "origin": mask_origin(incident.origin, masker.data, computed=computed),
            "signature": None,
        }
    )


def _names(incident: Incident) -> Iterator[str]:
    """The ids by which calls, steps and exchanges name each other."""
    for call in incident.calls:
        yield call.id
    for one in incident.exchanges:
        yield one.id
    for part in (*incident.calls, *incident.steps, *incident.exchanges):
        for name in (getattr(part, "call", None), getattr(part, "parent", None)):
            if name is not None:
                yield name


def _linked(step: Step, ids: Mapping[str, str]) -> Step:
    """A step with the masked ids of what it belongs to."""
    call, parent = (None if one is None else ids[one] for one in (step.call, step.parent))
    return step.model_copy(update={"call": call, "parent": parent})


class _Masker:
    def __init__(self, masks: IncidentMasks, *, computed: bool, fields: bool) -> None:
        self._masks = masks
        self._fields = fields
        self._computed = computed
        self._known: dict[str, str] = {}

    def text(self, value: str) -> str:
        """A text's mask."""
        if not value:
            return value
        if value not in self._known:
            self._known[value] = self._masks.text([value])[0]
        return self._known[value]

    def data(self, value: str) -> str:
        """A text's mask, unless it is a vector, a date or another thing that is not text."""
        return value if is_plain_data(value) else self.text(value)

    def sql_step(self, step: SqlStep, plan: StorePlan) -> SqlStep:
        """A query with its parameters, settings and literals, and what it returned."""
        settings = {**step.settings, **step.local}
        quoting = settings.get("standard_conforming_strings", "on").lower() in ("off", "false", "no", "0")
        sql = mask_sql(step.sql, self.text, placeholders=step.parameters is not None, escapes=quoting)
        return step.model_copy(
            update={
                "note": self.text(step.note),
                "sql": sql,
                "parameters": self._parameters(step),
                "settings": self._settings(step, step.settings),
                "local": self._settings(step, step.local),
                "plan": tuple(map(self.text, step.plan)),
                "domains": {},
                "expect": self._rows(step, step.expect, plan) if step.expect else None,
            }
        )

    def vector_step(self, step: VectorStep, plan: StorePlan) -> VectorStep:
        """A search with its filter, and the payloads that it returned; vectors and ids stay."""
        rule = plan.rules.get(written([step.collection]))
        expect = step.expect
        if expect is not None:
            rows = mask_payload_rows(expect.columns, expect.rows, rule, self._masks, self.text)
            expect = expect.model_copy(update={"rows": tuple(rows), "error": self._error(expect.error)})
        return step.model_copy(
            update={
                "note": self.text(step.note),
                "filter": None if step.filter is None else mask_filter(step.filter, rule, self._masks, self.data),
                "params": self._params(step.params, rule),
                "query": None if step.query is None else self._query(step.query, rule),
                "prefetch": [self._prefetch(one, rule) for one in step.prefetch],
                "order_by": self._order(step.order_by, rule),
                "expect": expect,
            }
        )

    def _prefetch(self, one: Prefetch, rule: FieldRule | None) -> Prefetch:
        """A query whose results another works on: its filter, and those below it."""
        return one.model_copy(
            update={
                "query": self._query(one.query, rule) if isinstance(one.query, Query) else one.query,
                "filter": None if one.filter is None else mask_filter(one.filter, rule, self._masks, self.data),
                "params": self._params(one.params, rule),
                "prefetch": [self._prefetch(below, rule) for below in one.prefetch],
            }
        )

    def _params(self, params: Mapping[str, Any], rule: FieldRule | None) -> dict[str, Any]:
        """The points whose words count for a sparse search are told by a filter."""
        idf = params.get("idf")
        if not isinstance(idf, dict) or not idf.get("corpus"):
            return dict(params)
        corpus = mask_filter(idf["corpus"], rule, self._masks, self.data)
        return {**params, "idf": {**idf, "corpus": corpus}}

    def _query(self, query: Query, rule: FieldRule | None) -> Query:
        return query.model_copy(
            update={
                "order_by": self._order(query.order_by, rule),
                "formula": mask_formula(query.formula, rule, self._masks, self.data),
                "defaults": {
                    key: self._compared(key, value, rule) if isinstance(value, str) else self._parameter(value, None)
                    for key, value in query.defaults.items()
                },
            }
        )

    def _order(self, order: str | Order | None, rule: FieldRule | None) -> str | Order | None:
        """Where an order starts is a value of its key."""
        if not isinstance(order, Order) or order.start_from is None:
            return order
        return order.model_copy(update={"start_from": self._compared(order.key, order.start_from, rule)})

    def _compared(self, key: str, value: Any, rule: FieldRule | None) -> Any:
        """A value that is compared with a payload key."""
        condition = {"key": key, "match": {"value": value}}
        return mask_filter(condition, rule, self._masks, self.data)["match"]["value"]

    def http_step(self, step: HttpStep) -> HttpStep:
        """A request with its query, headers and body, and the answer; a login of production's does not come along."""
        rules = PathRules([JsonRule(path, domain) for path, domain in step.domains.items() if path.startswith("$")])

        def document(value: Any) -> Any:
            return mask_tree(value, rules, self._parameter, self.data)

        def named(name: str, value: str) -> str:
            return str(self._parameter(value, step.domains.get(name)))

        expect = step.expect
        if expect is not None:
            rows = tuple((row[0], *map(document, row[1:])) for row in expect.rows)
            expect = expect.model_copy(update={"rows": rows, "error": self._error(expect.error)})
        headers = {
            self.data(name): self.data(value)
            for name, value in step.headers.items()
            if name.lower() not in _OF_PRODUCTION
        }
        return step.model_copy(
            update={
                "note": self.text(step.note),
                "method": step.method if self.text(step.method) == step.method else "X",
                "path": mask_path(step.path, self.data, named),
                "headers": headers,
                "body": document(step.body),
                "domains": {},
                "expect": expect,
            }
        )

    def _parameters(self, step: SqlStep) -> list[Any] | dict[str, Any] | None:
        if isinstance(step.parameters, dict):
            return {name: self._parameter(value, step.domains.get(name)) for name, value in step.parameters.items()}
        if step.parameters is None:
            return None
        return [self._parameter(value, step.domains.get(str(i))) for i, value in enumerate(step.parameters, 1)]

    def _parameter(self, value: Any, domain: str | Mapping[str, str] | None) -> Any:
        if domain is None:
            return mask_leaves(value, self.data, keys=True)
        if isinstance(domain, Mapping):
            rules = PathRules([JsonRule(path, name) for path, name in domain.items()])
            return mask_document(value, lambda document: mask_tree(document, rules, self._parameter, self.data))
        if isinstance(value, list):
            return [self._parameter(item, domain) for item in value]
        if value is None or domain == "keep" or isinstance(value, dict):
            return value if value is None or domain == "keep" else mask_leaves(value, self.data, keys=True)
        masked = self._masks.value(domain, str(value))
        return _as_before(value, masked)

    def _settings(self, step: SqlStep, settings: Mapping[str, str]) -> dict[str, str]:
        """An application's own settings can say who asks (`app.user`); the server's own settings cannot."""
        done = {}
        for name, value in settings.items():
            if name in step.domains:
                done[name] = str(self._parameter(value, step.domains[name]) or "")
            else:
                own = "." not in name and name.lower() != "application_name"
                done[name] = value if own or re.fullmatch(r"-?[\d.]{1,6}", value) else self.data(value)
        return done

    def _error(self, error: str | None) -> str | None:
        if error is None:
            return None
        cut = len(sqlstate(error))
        return error[:cut] + self.text(error[cut:])

    def _rows(self, step: Step, expect: Expected, plan: StorePlan) -> Expected:
        width = len(expect.rows[0]) if expect.rows else len(expect.columns)
        shown = [known_as(origin, plan.rules) for origin in expect.origins] or [""] * width
        if not expect.origins and not self._fields:
            rows = tuple(tuple(map(self._unplaced, row)) for row in expect.rows)
            ids = tuple(one for one in expect.ids if self._unplaced(one) == one)
            ids = ids if len(ids) == len(expect.ids) else ()
            return expect.model_copy(update={"rows": rows, "ids": ids, "error": self._error(expect.error)})
        columns = [
            self._shifted(i, rule, shown, expect)
            if (rule := plan.rules.get(origin)) is not None and rule.by and not rule.derived
            else self._column([row[i] for row in expect.rows], rule if origin else None)
            for i, origin in enumerate(shown)
        ]
        origins = dict(zip(expect.columns, shown, strict=False))
        key = plan.rules.get(origins.get(getattr(step, "key", None) or "", ""))
        return expect.model_copy(
            update={
                "rows": tuple(zip(*columns, strict=True)) if expect.rows and columns else expect.rows,
                "ids": tuple(self._column(list(expect.ids), key)) if self._computed or key is not None else (),
                "error": self._error(expect.error),
            }
        )

    def _unplaced(self, value: Any) -> Any:
        """A value of an unknown field: as it is when nobody is in it, else nothing that could be compared."""
        if not self._computed and not (value is None or isinstance(value, int | float | Decimal)):
            return COMPUTED
        return value if mask_leaves(value, self.data, keys=True) == value else NO_FIELD

    def _shifted(self, index: int, rule: FieldRule, shown: Sequence[str], expect: Expected) -> list[Any]:
        """Dates that are shifted by another column: known when the result shows it, else no longer comparable."""
        values = [row[index] for row in expect.rows]
        if rule.by not in shown:
            return [None if value is None else UNKNOWN for value in values]
        by = shown.index(rule.by)
        pairs = [
            (value, None if row[by] is None else _engine_text(row[by]))
            for value, row in zip(values, expect.rows, strict=True)
        ]
        return list(self._masks.field(rule)(pairs))

    def _column(self, values: Sequence[Any], rule: FieldRule | None) -> list[Any]:
        """One column's values: by the rule of the field that it shows, or as free text when it was computed."""
        if (rule is None or rule.derived) and not self._computed:
            return [
                value if value is None or isinstance(value, int | float | Decimal) else COMPUTED for value in values
            ]
        if rule is None or rule.derived:
            return [mask_leaves(value, self.data, keys=True) for value in values]
        if not rule.masked:
            return list(values)
        if rule.kind is FieldKind.VECTOR:  # kept or dropped; no mask reads one
            return [None if rule.domain == "null" else value for value in values]
        if rule.kind is FieldKind.JSON:
            return mask_documents(values, rule, self._masks)
        if rule.kind in (FieldKind.OTHER, FieldKind.ARRAY):
            masked = self._masks.field(rule)([_engine_texts(value) for value in values])
            return [_as_before(value, new) for value, new in zip(values, masked, strict=True)]
        return list(self._masks.field(rule)(list(values)))


def _engine_texts(value: Any) -> Any:
    """A value as the engine's text of it, an array's elements one by one."""
    if isinstance(value, list | tuple):
        return [_engine_texts(item) for item in value]
    return value if value is None or isinstance(value, str) else _engine_text(value)


def _engine_text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _as_before(value: Any, masked: Any) -> Any:
    """A number's mask as a number again."""
    if isinstance(value, list | tuple) and isinstance(masked, list):
        return [_as_before(item, new) for item, new in zip(value, masked, strict=True)]
    if isinstance(value, int | float) and not isinstance(value, bool) and isinstance(masked, str):
        try:
            return type(value)(masked)
        except ValueError:
            return masked
    return masked
