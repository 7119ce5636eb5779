"""How much each part does: in full, and in a minute."""

from __future__ import annotations

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of notifications, and seconds where they say so."""

    population: int
    bare: int
    small: int
    large: int
    #: Of these, ten in a call.
    tens: int
    naive: int
    naive_kept: int
    latency_seconds: int
    #: Calls of one recipient, and recipients in calls of 1,000.
    api_single: int
    api_bulk: int
    #: Through each further provider, with each latency.
    ways: int
    #: Pages through the gate.
    gate_pages: int
    #: Pages of facts and decisions.
    facts_pages: int
    #: Rows in the table of inboxes, fewer and many; reads of each kind.
    inbox_rows: tuple[int, int]
    inbox_reads: int
    #: Open streams, messages a second to people among them, and for how long.
    listeners: int
    heard_per_second: int
    listening_seconds: int
    #: Audiences of campaigns, rising.
    campaigns: tuple[int, ...]
    #: People among whom one more campaign finds its own; then none beside urgent ones, and none by e-mail.
    crowd: int = 0
    #: Rows of a file that is imported.
    import_rows: int
    #: People among whom segments are counted.
    segment_people: int


FULL = Sizes(
    population=100_000,
    bare=60_000,
    small=10_000,
    large=100_000,
    tens=20_000,
    naive=3_000,
    naive_kept=2_000,
    latency_seconds=20,
    api_single=4_000,
    api_bulk=40_000,
    ways=100_000,
    gate_pages=400,
    facts_pages=400,
    inbox_rows=(1_000_000, 10_000_000),
    inbox_reads=3_000,
    listeners=500,
    heard_per_second=100,
    listening_seconds=20,
    campaigns=(10_000, 100_000, 1_000_000),
    import_rows=1_000_000,
    segment_people=10_000_000,
)
QUICK = Sizes(
    population=5_000,
    bare=10_000,
    small=1_000,
    large=5_000,
    tens=500,
    naive=100,
    naive_kept=100,
    latency_seconds=3,
    api_single=300,
    api_bulk=5_000,
    ways=2_000,
    gate_pages=40,
    facts_pages=40,
    inbox_rows=(20_000, 60_000),
    inbox_reads=300,
    listeners=50,
    heard_per_second=20,
    listening_seconds=3,
    campaigns=(1_000, 5_000),
    import_rows=5_000,
    segment_people=50_000,
)
