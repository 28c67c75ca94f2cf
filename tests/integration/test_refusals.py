"""What a mask refuses is named: store, table, column, key and address of the row, and no value."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.postgres import production
from tests.support.stack import place

STACK = """\
version: 1
project: refusals
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  method: {method}
  rules:
    main:
      public.paid.*: keep
      public.paid.number: card
"""


@pytest.mark.parametrize("method", ["in-place", "sql"])
def test_the_row_is_named(method: str) -> None:
    with production(18) as server, place() as here:
        server.create_database("app")
        with psycopg.connect(server.dsn_for("app")) as conn:
            conn.execute("CREATE TABLE paid (id int PRIMARY KEY, day date, number bigint)")
            conn.execute("INSERT INTO paid SELECT g, '2026-01-01', 4111111111111111 FROM generate_series(1, 900) g")
            conn.execute("UPDATE paid SET number = -4111111111111112 WHERE id = 700")
            (address,) = conn.execute("SELECT ctid::text FROM paid WHERE id = 700").fetchone() or ("",)
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.replace("{method}", method))
        refused = here.call("image", "prod", check=False)
        assert refused.returncode == 4, refused.stderr
        key = "id=700, " if method == "in-place" else ""
        assert f"main: public.paid.number, {key}ctid {address}: " in refused.stderr
        assert "4111111111111112" not in refused.stderr
