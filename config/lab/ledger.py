"""What a stand-in was given: every delivery once, how often it came, and whether its words were right."""

from __future__ import annotations

import struct
import time
from collections import Counter, deque
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import orjson

#: Refusals whose instants are kept: more than any outage that is tried out brings.
_INSTANTS = 100_000


#: An entry of the short form: mark, epoch seconds of the first time, how often it came.
SHORT_ENTRY = struct.Struct("<QdI")


def content_hash(title: str, body: str) -> str:
    """By which a checker that renders for itself compares what arrived; 16 hex digits."""
    return blake2b(f"{title}\0{body}".encode(), digest_size=8).hexdigest()


def mark_of(address: str, content: str) -> int:
    """Address and content hash in 8 bytes: what came a million times is compared by these alone."""
    return int.from_bytes(blake2b(f"{address}\0{content}".encode(), digest_size=8).digest(), "little")


class Ledger:
    """In memory, written and read by one thread; optionally also appended to a file that outlives it."""

    def __init__(self, path: Path | None = None) -> None:
        #: Delivery id → [times it came, address, content hash, epoch seconds of the first time].
        self.entries: dict[str, list[Any]] = {}
        self.refusals: Counter[str] = Counter()
        #: When each refused request was answered, in epoch seconds.
        self.refused_at: deque[float] = deque(maxlen=_INSTANTS)
        self.first = self.last = 0.0
        self._file: IO[bytes] | None = path.open("ab") if path else None

    def accept(self, delivery_id: str, address: str, content: str) -> int:
        """Enter one accepted request; the answer is how often this delivery has come by now."""
        now = time.time()
        entry = self.entries.get(delivery_id)
        if entry is None:
            entry = self.entries[delivery_id] = [0, address, content, now]
            self.first = self.first or now
        entry[0] += 1
        self.last = now
        if self._file is not None:
            self._file.write(orjson.dumps([now, delivery_id, address, content]) + b"\n")
        return int(entry[0])

    def refuse(self, reason: str) -> None:
        """Count a request that was not accepted."""
        self.refusals[reason] += 1
        self.refused_at.append(time.time())

    def summary(self) -> dict[str, Any]:
        """Counts; what came more than once is in `repeats`."""
        times = Counter(entry[0] for entry in self.entries.values())
        requests = sum(count * number for count, number in times.items())
        return {
            "deliveries": len(self.entries),
            "requests": requests,
            "repeats": requests - len(self.entries),
            "refusals": dict(self.refusals),
            "first": self.first,
            "last": self.last,
        }

    def dump(self) -> bytes:
        """The whole ledger as one JSON object."""
        return orjson.dumps(self.entries)

    def short(self) -> bytes:
        """Every delivery as a `SHORT_ENTRY`, without its id: a twelfth of the size."""
        return b"".join(
            SHORT_ENTRY.pack(mark_of(address, content), at, times)
            for times, address, content, at in self.entries.values()
        )

    def instants(self) -> bytes:
        """When requests were refused, as a JSON list."""
        return orjson.dumps(list(self.refused_at))

    def reset(self) -> None:
        """Forget everything; the file keeps what it has."""
        self.entries.clear()
        self.refusals.clear()
        self.refused_at.clear()
        self.first = self.last = 0.0

    def flush(self) -> None:
        """Bring the file up to date."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
