"""The ASGI application: opens streams, keeps them alive, closes them. It answers one path, and `/livez`."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import unquote

import structlog
from django.http import HttpRequest, HttpResponse, QueryDict
from structlog.contextvars import bound_contextvars

from channels.rules.snapshots import Snapshot, snapshot_of
from config.origins import cors_headers
from config.stream import frames
from config.stream.hub import Hub, Listener
from config.stream.listening import listen
from config.stream.threads import Threads
from notify.api.auth import is_still_good
from notify.api.context import CallContext, give_context
from notify.api.errors import answer_to, not_found
from notify.api.stream import Admitted, StreamFull, TooManyStreams, admit
from notify.policy import STREAM_ALIVE_SECONDS, STREAM_LIFETIME

log = structlog.get_logger(__name__)

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]

_PATH = re.compile(r"/(?:api/)?v1/users/([^/]+)/notifications/stream")
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "private, no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events until it has a buffer full
}
#: Milliseconds after which a browser comes back: spread, so that not all come at once when a process is replaced.
_RETRY = (1_000, 5_000)


class Application:
    """What granian serves: one hub, and a handler for each call."""

    def __init__(self) -> None:
        self._threads = Threads()
        self._hub = Hub(self._threads)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """One call, or the life of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: _Receive, send: _Send) -> None:
        await receive()
        _before_the_end(self._hub.end)
        tasks = [asyncio.create_task(listen(self._hub)), asyncio.create_task(self._hub.run())]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._hub.end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._threads.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        request = _request_of(scope)
        context = give_context(request, CallContext(request_id=os.urandom(16).hex(), trace_id=os.urandom(16).hex()))
        with bound_contextvars(request_id=context.request_id, trace_id=context.trace_id):
            found = _PATH.fullmatch(scope["path"])
            extra = cors_headers(request) | {"X-Request-Id": context.request_id}
            if found is not None and scope["method"] == "GET":
                await self._open(request, unquote(found[1]), receive, send, extra)
            elif found is not None and scope["method"] == "OPTIONS":
                await _respond(send, HttpResponse(status=204, headers={"Allow": "GET, OPTIONS"}), extra)
            elif scope["path"] == "/livez":
                await _respond(send, HttpResponse("ok", content_type="text/plain"), extra)
            else:
                await _respond(send, answer_to(request, not_found()), extra)

    async def _open(
        self, request: HttpRequest, user_id: str, receive: _Receive, send: _Send, extra: dict[str, str]
    ) -> None:
        try:
            if not self._hub.has_room:
                raise StreamFull  # noqa: TRY301 - refused like whatever else is
            admitted = await self._hub.ask(partial(admit, request, user_id))
            if not self._hub.has_room_for(admitted.recipient_id):
                raise TooManyStreams  # noqa: TRY301 - the same
        except Exception as error:  # noqa: BLE001 - as in the web: whatever it is, it is answered, and logged if unforeseen
            await _respond(send, answer_to(request, error), extra)
            return
        listener = self._hub.join(admitted.recipient_id, _seen_by(request))
        log.info("stream.opened", recipient=admitted.recipient_id, listeners=len(self._hub))
        started = time.time()
        watch = asyncio.create_task(_until_gone(receive, listener))
        try:
            await _start(send, 200, _HEADERS | extra)
            await self._tell(listener, admitted, started, send)
        finally:
            watch.cancel()
            self._hub.leave(listener)
            log.info("stream.closed", recipient=admitted.recipient_id, seconds=round(time.time() - started, 1))

    async def _tell(self, listener: Listener, admitted: Admitted, started: float, send: _Send) -> None:
        """Send what is new until the listener goes, may listen no more, or has listened long enough."""
        end = min(started + STREAM_LIFETIME.total_seconds(), admitted.caller.until or float("inf"))
        chunk: bytes | None = frames.retry(random.randint(*_RETRY))  # noqa: S311 - spreads load, guards nothing
        while chunk is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            patience = min(STREAM_ALIVE_SECONDS, end - time.time())
            try:
                chunk = await asyncio.wait_for(listener.waiting.get(), max(0.0, patience))
            except TimeoutError:
                may = time.time() < end and await self._hub.ask(partial(is_still_good, admitted.caller))
                chunk = frames.ALIVE if may else None
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _before_the_end(act: Callable[[], None]) -> None:
    """Servers wait for open calls before they say that it is over, and streams would never end: hear the signal too."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, stop)


async def _until_gone(receive: _Receive, listener: Listener) -> None:
    """A caller who hangs up ends the stream at once, whatever waits."""
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        listener.end()


async def _respond(send: _Send, response: HttpResponse, extra: dict[str, str]) -> None:
    await _start(send, response.status_code, dict(response.items()) | extra)
    await send({"type": "http.response.body", "body": response.content})


async def _start(send: _Send, status: int, headers: dict[str, str]) -> None:
    lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})


def _request_of(scope: _Scope) -> HttpRequest:
    """The call as Django's authentication reads it: method, path, query, headers, address."""
    request = HttpRequest()
    request.method, request.path, request.path_info = scope["method"], scope["path"], scope["path"]
    request.META = {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in scope["headers"]
    }
    request.META["REMOTE_ADDR"] = (scope.get("client") or ("", 0))[0]
    request.GET = QueryDict(scope["query_string"])
    return request


def _seen_by(request: HttpRequest) -> Snapshot | None:
    """What the listener has seen, by the header that browsers send or the parameter that others may."""
    return snapshot_of(request.META.get("HTTP_LAST_EVENT_ID") or request.GET.get("last_event_id", ""))
