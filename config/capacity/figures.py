"""What the bench measured, as the arithmetic needs it: read from docs/performance.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from config.capacity.line import Line, line_through

_CURE = "Run `make bench BENCH_ARGS='--json docs/performance.json'`, which writes it"
#: Its rows are kept for hours and not for the retention.
_SHORT_LIVED = "notify_idempotency_key"


class FiguresFault(ValueError):
    """The bench's file is not there, or does not hold what is needed: says what, and the cure."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds of one notification, by who takes them."""

    web: float
    workers: float
    #: Beat, the pools of housekeeping and receipts, and the supervisor.
    housekeeping: float
    postgres: float
    redis: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.web + self.workers + self.housekeeping + self.postgres + self.redis

    def times(self, factor: float) -> Cost:
        """Each part multiplied."""
        return Cost(**{part: factor * value for part, value in msgspec.structs.asdict(self).items()})


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes one notification with one delivery leaves in PostgreSQL, indexes and long values included."""

    #: For the retention.
    log: float
    #: For the hours in which a call may be repeated.
    answers: float
    #: In the write-ahead log.
    wal: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the arithmetic takes from the bench."""

    measured_on: str
    machine: str
    cost: Line[Cost]
    kept: Line[Kept]
    #: Rows of the log for one notification.
    rows: float
    #: Bytes of a person's row, and of a device's.
    person: float
    device: float
    #: A notification of a campaign, where the bench has measured one.
    campaign: Cost | None


class _Group(msgspec.Struct):
    cpu_us: float


class _Flow(msgspec.Struct):
    groups: dict[str, _Group]


class _Size(msgspec.Struct):
    rows: float
    heap_bytes: float
    index_bytes: float


class _Storage(msgspec.Struct):
    tables: dict[str, _Size]
    people: dict[str, _Size]
    wal_bytes: float


class _Capacity(msgspec.Struct):
    measured_on: str
    tens: _Flow
    thousands: _Flow
    tens_storage: _Storage
    thousands_storage: _Storage


class _File(msgspec.Struct):
    machine: dict[str, str]
    capacity: _Capacity
    campaign: _Flow | None = None


def read_figures(file: Path) -> Figures:
    """The figures in the bench's JSON; a `FiguresFault` names the file and the cure."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=_File)
    except OSError as error:
        raise FiguresFault(f"{file} cannot be read: {error.strerror}. {_CURE}.") from None
    except msgspec.DecodeError as error:
        raise FiguresFault(f"{file} does not hold the bench's figures: {error}. {_CURE}.") from None
    few, many = found.capacity.tens_storage, found.capacity.thousands_storage
    return Figures(
        measured_on=found.capacity.measured_on,
        machine=", ".join(found.machine.values()),
        cost=line_through(_cost(found.capacity.tens), 10, _cost(found.capacity.thousands), 1_000),
        kept=line_through(_kept(few, many), 10, _kept(many, many), 1_000),
        rows=sum(size.rows for name, size in many.tables.items() if name != _SHORT_LIVED),
        person=_bytes_in(many.people, "preferences_recipient"),
        device=_bytes_in(many.people, "preferences_device"),
        campaign=_cost(found.campaign) if found.campaign is not None else None,
    )


def _cost(flow: _Flow) -> Cost:
    """The bench's lines gathered; those who do not belong to any other are housekeeping."""
    sums = {"web": 0.0, "workers": 0.0, "housekeeping": 0.0, "postgres": 0.0, "redis": 0.0}
    for name, group in flow.groups.items():
        sums[_part(name)] += group.cpu_us
    return Cost(**sums)


def _part(group: str) -> str:
    known = {"web": "web", "PostgreSQL": "postgres", "Valkey": "redis"}
    return "workers" if group.startswith("workers") else known.get(group, "housekeeping")


def _kept(storage: _Storage, grown: _Storage) -> Kept:
    """Tables that found room among what earlier runs had left are counted as in the run in which they grew."""
    sizes = {name: max(_bytes_in(run.tables, name) for run in (storage, grown)) for name in storage.tables}
    answers = sizes.pop(_SHORT_LIVED, 0.0)
    return Kept(log=sum(sizes.values()), answers=answers, wal=storage.wal_bytes)


def _bytes_in(tables: Mapping[str, _Size], name: str) -> float:
    return tables[name].heap_bytes + tables[name].index_bytes if name in tables else 0.0
