"""A listener to the live stream: calls the ASGI application as a server would, with PostgreSQL behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from asgiref.sync import sync_to_async
from django.db import connections

from config.stream.app import Application

#: Seconds after which what was expected is taken for lost.
_PATIENCE = 15.0


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    data: Any
    id: str


class Ear:
    """One call to the stream."""

    def __init__(self, path: str, method: str = "GET", **headers: str) -> None:
        route, _, query = path.partition("?")
        self._scope = {
            "type": "http",
            "method": method,
            "path": route,
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
        }
        self._hung_up = asyncio.Event()
        self._came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._text = ""
        self.status, self.headers = 0, dict[str, str]()

    async def begin(self, application: Application) -> None:
        """Call, and wait for the status."""
        self._call = asyncio.create_task(application(self._scope, self._receive, self._came.put))
        start = await asyncio.wait_for(self._came.get(), _PATIENCE)
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}

    async def hear(self) -> Event | None:
        """The next event; None: the stream is over."""
        while "\n\n" not in self._text:
            message = await asyncio.wait_for(self._came.get(), _PATIENCE)
            self._text += message["body"].decode()
            if not message.get("more_body"):
                return None
        block, _, self._text = self._text.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "event" not in fields:
            return await self.hear()
        return Event(fields["event"], msgspec.json.decode(fields["data"]), fields.get("id", ""))

    async def hear_group(self) -> list[Event]:
        """Events up to the count that ends a group."""
        group: list[Event] = []
        while not group or group[-1].name != "unread_count":
            event = await self.hear()
            assert event is not None, "the stream has ended"
            group.append(event)
        return group

    async def hear_until(self, name: str) -> Event:
        """The next event of a name; what comes before is passed over."""
        while True:
            event = await self.hear()
            assert event is not None, "the stream has ended"
            if event.name == name:
                return event

    async def hang_up(self) -> None:
        """Go away, as a browser does."""
        self._hung_up.set()
        await asyncio.wait_for(self._call, _PATIENCE)

    async def _receive(self) -> dict[str, Any]:
        await self._hung_up.wait()
        return {"type": "http.disconnect"}


@asynccontextmanager
async def serving() -> AsyncIterator[Application]:
    """The application between its start and its end."""
    application = Application()
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    life = asyncio.create_task(application({"type": "lifespan"}, heard.get, said.put))
    await heard.put({"type": "lifespan.startup"})
    await said.get()
    try:
        yield application
    finally:
        await heard.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(life, _PATIENCE)


def aside(work: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """What asks PostgreSQL by itself, from within a test of the stream; its connection goes with it."""

    def worked(*args: Any, **fields: Any) -> Any:
        try:
            return work(*args, **fields)
        finally:
            connections.close_all()

    return sync_to_async(worked, thread_sensitive=True)
