"""Which fields the values in catalogs, indexes and views come from, and who owns the bytes of a table's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from envclone.address import joined
from envclone.models import StorePlan
from envclone.stores.postgres.catalog.holders import VECTOR_TYPES
from envclone.stores.postgres.catalog.layout import FIRST_NORMAL_OID, Database, Layout, Relation
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS
from envclone.stores.postgres.format import claims
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.decoded import decoder, has_no_text

__all__ = ["Source", "Sources"]

_SCALARS = frozenset({"text", "varchar", "bpchar", "citext", "name", "uuid", "int2", "int4", "int8", "numeric", "inet"})


@dataclass(frozen=True, slots=True)
class Source:
    """The addresses of fields, and whether values are copies of theirs."""

    addresses: tuple[str, ...] = ()
    copies: bool = False
    kept: bool = False
    """Whether a rule keeps all of the fields."""


class Sources:
    """What is known of one store's fields; `database` is the name of the one that the rules are of."""

    def __init__(self, known: Layout, database: str, plan: StorePlan) -> None:
        self._plan = plan
        self._database = next((d.oid for d in known.databases if d.name == database), 0)
        self._relations: Mapping[int, Relation] = {
            relation.oid: relation for one in known.databases if one.oid == self._database for relation in one.relations
        }
        self._any = Source(tuple(plan.rules))

    def own(self, database: Database) -> bool:
        """Whether the rules are of this database."""
        return database.oid == self._database

    def compared(self, database: Database, relation: Relation) -> bool:
        """Whether the comparison reads the rows of a relation."""
        return bool(database.oid == self._database and relation.address and relation.kind in "rm")

    def owner(self, database: Database, relation: Relation, column: Attribute) -> int:
        """Who owns the bytes of a column's values; 100 more for a name, which ends at its zero."""
        if column.dropped:
            return claims.NOBODY
        if self.compared(database, relation):
            return self._by_rule(joined(relation.address, column.name), column)
        if relation.kind == "r" and relation.oid >= FIRST_NORMAL_OID:
            return claims.UNDECODED
        if relation.name == "pg_catalog.pg_largeobject" and column.name == "data":
            rule = self._plan.rules.get(LARGE_OBJECTS)
            kept = rule is not None and not rule.masked and database.oid == self._database
            return claims.KEPT if kept else claims.UNDECODED
        if decoder(column) is None:
            return claims.UNDECODED
        if has_no_text(column, of_catalog=relation.oid < FIRST_NORMAL_OID):
            return claims.STRUCTURE
        return claims.DERIVED + (100 if column.type == "name" else 0)

    def _by_rule(self, address: str, column: Attribute) -> int:
        rule = self._plan.rules.get(address)
        if rule is None:
            return claims.UNDECODED
        if rule.derived:
            return claims.DERIVED
        if rule.masked:
            return claims.MASKED
        return claims.STRUCTURE if (column.base or column.type) in VECTOR_TYPES else claims.KEPT

    def of_column(self, database: Database, oid: int, number: int) -> Source:
        """Where the values come from that are like those of a column, by its number in a relation of any kind."""
        if database.oid != self._database or oid not in self._relations:
            return Source()
        relation = self._relations[oid]
        if relation.kind == "i":
            return self.of_key(database, relation, number - 1)
        if not relation.address:
            return self._any if relation.kind == "m" else Source()
        if not 0 < number <= len(relation.attributes):
            return Source()
        column = relation.attributes[number - 1]
        scalar = (column.base or column.type).removesuffix("[]") in _SCALARS
        address = joined(relation.address, column.name)
        return Source((address,), scalar, self._kept([address]))

    def of_name(self, database: Database, oid: int, name: str) -> Source:
        """The same of a column by its name."""
        if database.oid != self._database or oid not in self._relations:
            return Source()
        columns = self._relations[oid].attributes
        number = next((i for i, column in enumerate(columns, 1) if column.name == name), 0)
        return self.of_column(database, oid, number)

    def of_key(self, database: Database, index: Relation, place: int) -> Source:
        """Where the keys of an index come from, by their place (from 0)."""
        if database.oid != self._database or index.table not in self._relations:
            return Source()
        table = self._relations[index.table]
        if not table.address:
            return self._any if table.kind == "m" else Source()
        number = index.keys[place] if place < len(index.keys) else 0
        if number > 0 and index.access == "btree":
            return self.of_column(database, table.oid, number)
        used = (number,) if number > 0 else index.uses
        addresses = [
            joined(table.address, table.attributes[n - 1].name) for n in used if 0 < n <= len(table.attributes)
        ]
        return Source(tuple(addresses), kept=self._kept(addresses))

    def of_statistics(self, database: Database, oid: int) -> Source:
        """Where the values of a statistics object come from, column by column; of expressions nothing is said."""
        if database.oid != self._database:
            return Source()
        table, columns = next(((t, c) for number, t, c in database.statistics if number == oid), (0, ()))
        its = [self.of_column(database, table, number).addresses for number in columns]
        addresses = [address for one in its for address in one]
        return Source(tuple(addresses), kept=len(addresses) == len(columns) and self._kept(addresses))

    def _kept(self, addresses: Sequence[str]) -> bool:
        rules = [self._plan.rules.get(address) for address in addresses]
        return bool(rules) and all(rule is not None and not rule.masked and not rule.derived for rule in rules)

    @property
    def any(self) -> Source:
        """Every field of the store."""
        return self._any
