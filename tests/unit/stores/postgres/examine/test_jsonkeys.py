"""What a condition looks at within JSON columns."""

from __future__ import annotations

import pytest

from envclone.stores.postgres.examine.jsonkeys import json_fields


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ("(meta -> 'client') ->> 'tenant_id' = 't-2'", ("meta.client.tenant_id",)),
        ("c.meta @> '{\"client\": {\"tenant_id\": 2}, \"lang\": \"de\"}'::jsonb",
         ("meta.client.tenant_id", "meta.lang")),
        ("meta @> jsonb_build_object('org_id', 3)", ("meta.org_id",)),
        ("meta @? '$.client.org_id ? (@ == 3)'", ("meta.client.org_id",)),
        ("jsonb_path_exists(meta, '$.team')", ("meta.team",)),
        ("meta #>> '{a,org_id}' = 'x'", ("meta.a.org_id",)),
        ("meta #>> ARRAY['a', 'org_id'] = 'x'", ("meta.a.org_id",)),
        ("meta['client']['org'] = '1'", ("meta.client.org",)),
        ("jsonb_extract_path_text(m.meta, 'a', 'b') = 'x'", ("meta.a.b",)),
        ("tags @> ARRAY['a', 'b']", ()),
        ("a = 3 AND b > 2", ()),
        ("meta @> 'no json'", ()),
    ],
)  # fmt: skip
def test_paths_below_columns(condition: str, fields: tuple[str, ...]) -> None:
    assert json_fields(condition) == fields
