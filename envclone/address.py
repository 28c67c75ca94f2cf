"""Addresses of what stands in a store, as people write them: names with dots between them, quoted where need be.

`public.orders.total`, `"Sales.EU"."Order Items"."e.mail"`: in double quotes a name may hold anything, and a double
quote in it is doubled, as in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["written"]

_PLAIN = re.compile(r"""[^\s.,"'*\[\]{}()<>=\\]+""")


def written(parts: Iterable[str]) -> str:
    """The address of these names; a name that could be read otherwise is quoted.

    >>> written(["public", "orders", "e.mail"])
    'public.orders."e.mail"'
    """
    return ".".join(part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in parts)
