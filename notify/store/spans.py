"""A page's ids as parameters of a statement, in the cheapest form that lets PostgreSQL prune partitions.

Written out as `ANY(%(ids)s)` by the driver, 500 ids cost the planner 0.6 ms (it prunes partitions once per id) and the
driver as much again. As one text that is cast inside a sub-select, the planner looks at the bounds alone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

#: "The column `id` is one of these": takes the parameters of `span`.
IN_SPAN: Final = "id = ANY((SELECT %(ids)s::uuid[])::uuid[]) AND id BETWEEN %(low)s::uuid AND %(high)s::uuid"


def span(ids: Collection[UUID]) -> dict[str, str]:
    """The parameters `ids`, `low` and `high` of a statement about these ids, of which there is at least one."""
    words = [one.hex for one in ids]
    return {"ids": array(words), "low": min(words), "high": max(words)}


def array(words: Collection[str]) -> str:
    """An array literal of words that need no quotes."""
    return "{" + ",".join(words) + "}"


def id_array(ids: Collection[UUID]) -> str:
    """An array literal of ids."""
    return array([one.hex for one in ids])
