"""The one HTTP client: many requests at once to one provider, over connections that are kept between pages.

libcurl does the work (`dependencies.md` 0.4: 15 to 50 times cheaper than the Python clients). What this module adds is
honesty about failures, which libcurl hides by default: when a kept connection dies before a byte of the answer came,
libcurl quietly posts the request again on a new one, and the provider may get it twice. Bodies are therefore handed to
libcurl by a callback that cannot rewind: a second try ends with an error here instead, and is then judged.

- *Not sent*: no byte of the request was handed to the connection, or the peer refused the stream by HTTP/2's
  REFUSED_STREAM or GOAWAY, which mean "not processed" (RFC 9113 8.7). Safe to send again, and started again here.
- *Ambiguous*: a time-out or a lost connection after the request was handed over. Never started again here.
- *Answered*: a status came. What it means is the adapter's to say.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import certifi
import msgspec
import pycurl

from channels import policy
from channels.rules.hosts import is_loopback

#: libcurl's words when it wanted to post a body a second time; over HTTP/2 only a refused stream leads here.
_REWIND_REFUSED = "necessary data rewind was not possible"
_HTTP_2 = 3  # CURLINFO_HTTP_VERSION of an HTTP/2 answer

_CONNECT_ERRORS = {
    pycurl.E_COULDNT_RESOLVE_PROXY: "proxy_failed",
    pycurl.E_COULDNT_RESOLVE_HOST: "dns_failed",
    pycurl.E_COULDNT_CONNECT: "connect_failed",
    pycurl.E_SSL_CONNECT_ERROR: "tls_failed",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls_failed",
    pycurl.E_SSL_CACERT_BADFILE: "tls_failed",
    pycurl.E_OPERATION_TIMEDOUT: "connect_timeout",
}


class Fate(StrEnum):
    """How far a request came."""

    ANSWERED = "answered"
    NOT_SENT = "not_sent"
    AMBIGUOUS = "ambiguous"
    #: The page's deadline passed before its turn.
    NOT_STARTED = "not_started"


class Request(msgspec.Struct, frozen=True, gc=False):
    """One POST; what is the same for the whole page is said once, in `send_all`."""

    body: bytes
    #: Appended to the transport's base URL.
    path: str = ""
    #: `name: value` lines beside the page's.
    headers: tuple[str, ...] = ()


class Response(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of one request."""

    fate: Fate
    status: int = 0
    #: At most `policy.ANSWER_LIMIT_BYTES`; a longer answer is cut off there.
    body: bytes = b""
    #: Only those asked for, by lower-case name.
    headers: dict[str, str] = {}
    #: From Retry-After in seconds or as a date; None when missing, past or unreadable.
    retry_after_seconds: float | None = None
    #: Why there is no answer: `connect_failed`, `timeout`, `connection_lost` …
    error: str = ""
    #: Epoch seconds.
    started_at: float = 0.0
    latency_ms: float = 0.0


class _Slot:
    """One reusable easy handle with the request it carries."""

    def __init__(self, easy: Any, *, keep_headers: frozenset[str]) -> None:
        self.easy = easy
        self.index = -1
        self.path: str | None = None
        self.lines: tuple[Sequence[str], Sequence[str]] | None = None
        self.body = b""
        self.read = 0
        self.chunks: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.keep_headers = keep_headers
        self.started_at = self.clock = 0.0
        easy.slot = self
        easy.setopt(pycurl.READFUNCTION, self._next_part)
        easy.setopt(pycurl.WRITEFUNCTION, self.chunks.append)
        if keep_headers:
            easy.setopt(pycurl.HEADERFUNCTION, self._keep_header)

    def load(self, index: int, request: Request, *, base_url: str, headers: Sequence[str]) -> None:
        """Point the handle at a request; of what the last one shared with it, nothing is set again."""
        easy = self.easy
        if request.path != self.path:
            easy.setopt(pycurl.URL, base_url + request.path)
            self.path = request.path
        lines = (headers, request.headers)
        if lines != self.lines:
            # An empty Expect keeps libcurl from waiting for "100 Continue" before large bodies.
            easy.setopt(pycurl.HTTPHEADER, [*headers, *request.headers, "Expect:"])
            self.lines = lines
        if len(request.body) != len(self.body) or self.index < 0:
            easy.setopt(pycurl.POSTFIELDSIZE_LARGE, len(request.body))
        self.index, self.body, self.read = index, request.body, 0
        self.chunks.clear()
        self.headers = {}
        self.started_at, self.clock = time.time(), time.perf_counter()

    def response(self, fate: Fate, error: str = "") -> Response:
        """What came of the request."""
        latency_ms = (time.perf_counter() - self.clock) * 1000
        if fate is not Fate.ANSWERED:
            return Response(fate=fate, error=error, started_at=self.started_at, latency_ms=latency_ms)
        status = self.easy.getinfo(pycurl.RESPONSE_CODE)
        return Response(
            fate=fate,
            status=status,
            body=self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks),
            headers=self.headers,
            retry_after_seconds=(self.easy.getinfo(pycurl.RETRY_AFTER) or None) if status >= 400 else None,  # noqa: PLR2004 - HTTP
            started_at=self.started_at,
            latency_ms=latency_ms,
        )

    def _next_part(self, size: int) -> bytes:
        part = self.body[self.read : self.read + size]
        self.read += len(part)
        return part

    def _keep_header(self, line: bytes) -> None:
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() in self.keep_headers:
            self.headers[name.lower()] = value.strip()


class _Page:
    """The requests of one call: which wait, which are out, what came back."""

    def __init__(self, requests: Sequence[Request], headers: Sequence[str], deadline: float) -> None:
        self.requests, self.headers, self.deadline = requests, headers, deadline
        self.responses: list[Response | None] = [None] * len(requests)
        self.waiting = deque(range(len(requests)))
        self.out = 0
        self.restarts: dict[int, int] = {}
        self.last_answer = self.oldest_timeout = 0.0

    def settle(self, index: int, response: Response) -> None:
        """Keep what came back."""
        self.responses[index] = response

    def settle_waiting(self, fate: Fate, error: str) -> None:
        """Answer all that have not been started."""
        response = Response(fate=fate, error=error, started_at=time.time())
        for index in self.waiting:
            self.responses[index] = response
        self.waiting.clear()

    def may_restart(self, index: int) -> bool:
        """Count one more start of a request that was certainly not processed; False when it had its share."""
        self.restarts[index] = self.restarts.get(index, 0) + 1
        return self.restarts[index] <= policy.RESTARTS

    @property
    def stalled(self) -> bool:
        """Nothing has come back since a request that timed out was sent: its connection is dead, not slow."""
        return bool(self.oldest_timeout) and self.last_answer < self.oldest_timeout


class Transport:
    """A pool of connections to one base URL. Built after fork, used by one thread at a time."""

    def __init__(
        self,
        base_url: str,
        *,
        ca_file: str = "",
        concurrency: int = 0,
        timeout_seconds: float = policy.REQUEST_TIMEOUT_SECONDS,
        keep_headers: Sequence[str] = (),
    ) -> None:
        """`https://` is spoken as HTTP/2 where the peer offers it, `http://` as HTTP/1.1 (concurrency 0: the usual)."""
        self._base_url = base_url.rstrip("/")
        self._secure = base_url.lower().startswith("https:")
        self._ca_file = ca_file or certifi.where()
        self._concurrency = concurrency or (policy.HTTP2_CONCURRENCY if self._secure else policy.HTTP1_CONCURRENCY)
        self._timeout_ms = int(timeout_seconds * 1000)
        self._keep_headers = frozenset(name.lower() for name in keep_headers)
        self._spoke_http2 = False
        self._multi: Any = None
        self._slots: list[_Slot] = []
        self._idle: list[_Slot] = []

    def send_all(self, requests: Sequence[Request], *, headers: Sequence[str] = (), deadline: float) -> list[Response]:
        """Post all of them, as many at once as the concurrency allows; answers in the order of the requests.

        `headers` (`name: value`) go with every request. After `deadline` (of `time.monotonic()`) nothing new is
        started; what is out is waited for, at most the request time-out. Raises nothing for anything a peer can do.
        """
        page = _Page(requests, headers, deadline)
        try:
            while page.waiting or page.out:
                self._start(page)
                self._advance(page)
        except BaseException:
            # A time limit struck in the middle: the handles still out belong to no page any more.
            self.close()
            raise
        if page.stalled:
            self.close()
        return [response for response in page.responses if response is not None]

    def close(self) -> None:
        """Drop every connection; the next page opens new ones."""
        for slot in self._slots:
            if slot.index >= 0 and slot not in self._idle:
                self._multi.remove_handle(slot.easy)
            slot.easy.close()
        if self._multi is not None:
            self._multi.close()
        self._multi, self._slots, self._idle = None, [], []

    def _start(self, page: _Page) -> None:
        if self._multi is None:
            self._multi = self._new_multi()
        while page.waiting and (slot := self._free_slot()) is not None:
            if time.monotonic() >= page.deadline:
                self._idle.append(slot)
                page.settle_waiting(Fate.NOT_STARTED, "page_deadline")
                return
            index = page.waiting.popleft()
            slot.load(index, page.requests[index], base_url=self._base_url, headers=page.headers)
            self._multi.add_handle(slot.easy)
            page.out += 1

    def _advance(self, page: _Page) -> None:
        if not page.out:
            return
        self._wait()
        self._multi.perform()
        more = 1
        while more:
            more, answered, failed = self._multi.info_read(self._concurrency)
            for easy in answered:
                self._answered(page, easy.slot)
            for easy, code, message in failed:
                self._failed(page, easy.slot, code, message)

    def _wait(self) -> None:
        # libcurl may hold data it has already read: 0 means "call me again", and waiting for the socket would hang.
        wait_ms = self._multi.timeout()
        if wait_ms:
            self._multi.select(1.0 if wait_ms < 0 else min(1.0, wait_ms / 1000))

    def _answered(self, page: _Page, slot: _Slot) -> None:
        page.settle(slot.index, slot.response(Fate.ANSWERED))
        if not page.last_answer and self._secure:
            self._spoke_http2 = slot.easy.getinfo(pycurl.INFO_HTTP_VERSION) == _HTTP_2
        page.last_answer = time.perf_counter()
        self._release(page, slot)

    def _failed(self, page: _Page, slot: _Slot, code: int, message: str) -> None:
        if code == pycurl.E_FILESIZE_EXCEEDED:
            self._answered(page, slot)
            return
        fate, error, certain = self._judge(slot, code, message)
        if code == pycurl.E_OPERATION_TIMEDOUT and fate is Fate.AMBIGUOUS:
            page.oldest_timeout = min(page.oldest_timeout or slot.clock, slot.clock)
        if certain and page.may_restart(slot.index):
            page.waiting.append(slot.index)
        else:
            page.settle(slot.index, slot.response(fate, error))
        self._release(page, slot)
        if fate is Fate.NOT_SENT and not certain and not page.last_answer:
            # Nobody there, and nobody has been: hundreds more would each wait out the connect time-out.
            page.settle_waiting(fate, error)

    def _judge(self, slot: _Slot, code: int, message: str) -> tuple[Fate, str, bool]:
        """How far the request came, why, and whether starting it again at once is safe and sensible."""
        if slot.easy.getinfo(pycurl.REQUEST_SIZE) == 0:
            error = _CONNECT_ERRORS.get(code, "connection_lost")
            return Fate.NOT_SENT, error, code not in _CONNECT_ERRORS
        if code == pycurl.E_SEND_FAIL_REWIND and self._spoke_http2 and message == _REWIND_REFUSED:
            return Fate.NOT_SENT, "stream_refused", True
        return Fate.AMBIGUOUS, "timeout" if code == pycurl.E_OPERATION_TIMEDOUT else "connection_lost", False

    def _release(self, page: _Page, slot: _Slot) -> None:
        self._multi.remove_handle(slot.easy)
        self._idle.append(slot)
        page.out -= 1

    def _free_slot(self) -> _Slot | None:
        if self._idle:
            return self._idle.pop()
        if len(self._slots) >= self._concurrency:
            return None
        slot = _Slot(self._new_easy(), keep_headers=self._keep_headers)
        self._slots.append(slot)
        return slot

    def _new_multi(self) -> Any:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, self._concurrency)
        # A peer that allows few streams a connection gets more connections; one that speaks HTTP/1.1, no flood of them.
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, min(self._concurrency, policy.HTTP1_CONCURRENCY))
        multi.setopt(pycurl.M_MAXCONNECTS, policy.HTTP1_CONCURRENCY)
        return multi

    def _new_easy(self) -> Any:
        easy = pycurl.Curl()
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        easy.setopt(pycurl.NOSIGNAL, 1)
        easy.setopt(pycurl.TCP_KEEPALIVE, 1)
        easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(policy.CONNECT_TIMEOUT_SECONDS * 1000))
        easy.setopt(pycurl.TIMEOUT_MS, self._timeout_ms)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, policy.ANSWER_LIMIT_BYTES)
        easy.setopt(pycurl.USERAGENT, "carillon")
        if self._secure:
            easy.setopt(pycurl.CAINFO, self._ca_file)
            easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
            easy.setopt(pycurl.PIPEWAIT, 1)
        else:
            easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        if is_loopback(self._base_url):
            easy.setopt(pycurl.PROXY, "")
        return easy
