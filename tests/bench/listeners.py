"""(i): open pages that hear of what is sent: from the call to the event, while hundreds of others listen too."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from statistics import quantiles

import orjson

from tests.bench.processes import Meter
from tests.bench.results import ListenersResult
from tests.bench.stack import Stack

_TYPE = "BENCH_LIVE"
#: Seconds for the last event to come.
_PATIENCE = 20.0


def measure_listeners(stack: Stack, listeners: int, per_second: int, seconds: int) -> ListenersResult:
    """So many streams, and so many messages a second to people among them, each to one."""
    _settle(stack, listeners)
    ears = _Ears(stack, listeners)
    thread = threading.Thread(target=ears.run)
    began = time.monotonic()
    thread.start()
    ears.all_open.wait(60)
    opened = time.monotonic() - began
    if not ears.all_open.is_set():
        raise SystemExit(f"bench: {ears.open} of {listeners} streams opened")
    with Meter(stack.roots()) as meter:
        sent = _send(stack, listeners, per_second, seconds)
        end = time.monotonic() + _PATIENCE
        pause = threading.Event()
        while len(ears.heard) < len(sent) and time.monotonic() < end:
            pause.wait(0.05)
    ears.stop()
    thread.join()
    if missing := sent.keys() - ears.heard.keys():
        raise SystemExit(f"bench: {len(missing)} of {len(sent)} messages were not heard")
    cuts = quantiles([(ears.heard[one] - at) * 1e3 for one, at in sent.items()], n=100)
    cost = meter.costs["stream"]
    return ListenersResult(
        listeners=listeners,
        per_second=per_second,
        messages=len(sent),
        open_seconds=opened,
        p50_ms=cuts[49],
        p99_ms=cuts[98],
        cpu_us=cost.cpu_seconds / len(sent) * 1e6,
        peak_mb=cost.peak.own / 1e6,
        strangers=meter.strangers,
    )


def _settle(stack: Stack, listeners: int) -> None:
    with stack.connection() as api:
        users = [{"user_id": f"ear-{number}"} for number in range(listeners)]
        api.call("POST", "/v1/users/bulk", orjson.dumps({"users": users}))
        kind = {"category": "social", "priority": "high", "channels": ["in_app"]}
        api.call("PUT", f"/v1/types/{_TYPE}", orjson.dumps(kind))


def _send(stack: Stack, listeners: int, per_second: int, seconds: int) -> dict[str, float]:
    """When each was called for, by its id."""
    sent: dict[str, float] = {}
    start, pause = time.time() + 0.1, threading.Event()
    with stack.connection() as api:
        for number in range(per_second * seconds):
            due = start + number / per_second
            pause.wait(max(0.0, due - time.time()))
            body = {
                "type": _TYPE,
                "user_id": f"ear-{random.randrange(listeners)}",  # noqa: S311 - chooses whom to tell
                "content": {"title": "Hello", "body": f"Number {number}"},
                "idempotency_key": f"live-{start}-{number}",
            }
            answer = api.call("POST", "/v1/notifications", orjson.dumps(body))
            sent[orjson.loads(answer.body)["notifications"][0]["id"]] = due
    return sent


class _Ears:
    """All listeners, in a thread of their own."""

    def __init__(self, stack: Stack, count: int) -> None:
        self._stack, self._count = stack, count
        self._loop = asyncio.new_event_loop()
        self.open = 0
        self.all_open = threading.Event()
        #: When each notification came, by its id.
        self.heard: dict[str, float] = {}

    def run(self) -> None:
        """Listen until told to stop."""
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._listen())
        self._loop.close()

    def stop(self) -> None:
        """Hang up, all at once."""
        self._loop.call_soon_threadsafe(self._task.cancel)

    async def _listen(self) -> None:
        self._task = asyncio.gather(*(self._one(number) for number in range(self._count)))
        await self._task

    async def _one(self, number: int) -> None:
        port = int(self._stack.environment["CARILLON_STREAM_PORT"])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        path = f"/v1/users/ear-{number}/notifications/stream"
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._stack.key}\r\n\r\n".encode()
        )
        is_open = False
        try:
            while line := await reader.readline():
                if line.startswith(b"event: unread_count") and not is_open:
                    is_open = True
                    self.open += 1
                    if self.open == self._count:
                        self.all_open.set()
                elif line.startswith(b'data: {"id":"') and b'"title"' in line:
                    self.heard.setdefault(line[13:49].decode(), time.time())
        finally:
            writer.close()
