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
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import Any

import certifi
import msgspec
import pycurl

from channels import policy
from channels.conf import Secret
from channels.curl_handle import Handle
from channels.rules.hosts import is_loopback
from channels.rules.tally import GIVEN_UP, PAGE_DEADLINE, PROVIDER_FAILING

#: libcurl's words when it wanted to post a body a second time; over HTTP/2 only a refused stream leads here.
_REWIND_REFUSED = "necessary data rewind was not possible"
_HTTP_2 = 3  # CURLINFO_HTTP_VERSION of an HTTP/2 answer

#: Statuses that show no token has been accepted yet.
_UNPROVEN = frozenset({401, 403})

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
    #: The page's deadline passed before its turn, or the page was given up.
    NOT_STARTED = "not_started"


class Request(msgspec.Struct, frozen=True, gc=False):
    """One POST; what is the same for the whole page is said once, in `send_all`."""

    body: bytes
    #: Appended to the transport's base URL; a whole URL where every message has its own (web push).
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


class AwsSigning(msgspec.Struct, frozen=True, gc=False):
    """Whose key signs requests to which AWS service."""

    region: str
    service: str
    access_key_id: str
    secret_access_key: Secret


class _Watch(msgspec.Struct):
    """How one origin has behaved within a page; clock readings, 0 for never."""

    last_answer: float = 0.0
    #: Start of the oldest request that timed out.
    oldest_timeout: float = 0.0

    @property
    def stalled(self) -> bool:
        """Nothing has come back since a request that timed out was sent: its connection is dead, not slow."""
        return bool(self.oldest_timeout) and self.last_answer < self.oldest_timeout


#: Asked about every answer; True: what has not been started yet is not worth starting.
GiveUp = Callable[[Response], bool]


class _Page:
    """The requests of one call: which wait, which are out, what came back."""

    def __init__(
        self, requests: Sequence[Request], headers: Sequence[str], deadline: float, give_up: GiveUp | None
    ) -> None:
        self.requests, self.headers, self.deadline, self.give_up = requests, headers, deadline, give_up
        self.responses: list[Response | None] = [None] * len(requests)
        self.waiting = deque(range(len(requests)))
        self.out = 0
        self.restarts: dict[int, int] = {}
        self.watches: defaultdict[str, _Watch] = defaultdict(_Watch)
        #: Faults in a row.
        self.run = 0

    def settle(self, index: int, response: Response) -> None:
        """Keep what came back."""
        self.responses[index] = response
        if not self.waiting:
            return
        if self.give_up is not None and self.give_up(response):
            self.settle_waiting(Fate.NOT_STARTED, GIVEN_UP)
        # Only here is it known in which order the answers came. What is out is enough to be lost with a dying provider;
        # but the loss of a connection that hundreds shared is one fault, and of several origins one may fail alone.
        if response.error != "connection_lost" and "://" not in self.requests[index].path:
            is_fault = response.fate is not Fate.ANSWERED or response.status >= 500  # noqa: PLR2004 - HTTP
            self.run = self.run + 1 if is_fault else 0
            if self.run >= policy.BREAKER_FAILURES:
                self.settle_waiting(Fate.NOT_STARTED, PROVIDER_FAILING)

    def settle_waiting(self, fate: Fate, error: str, *, origin: str = "") -> None:
        """Answer all that have not been started, or those to one origin."""
        response = Response(fate=fate, error=error, started_at=time.time())
        mine = [at for at in self.waiting if not origin or _origin(self.requests[at].path) == origin]
        for index in mine:
            self.responses[index] = response
        settled = set(mine)
        self.waiting = deque(at for at in self.waiting if at not in settled)

    def may_restart(self, index: int) -> bool:
        """Count one more start of a request that was certainly not processed; False when it had its share."""
        self.restarts[index] = self.restarts.get(index, 0) + 1
        return self.restarts[index] <= policy.RESTARTS


class Transport:
    """A pool of connections to one base URL, or to many origins. Built after fork, used by one thread at a time."""

    def __init__(
        self,
        base_url: str,
        *,
        ca_file: str = "",
        concurrency: int = 0,
        timeout_seconds: float = policy.REQUEST_TIMEOUT_SECONDS,
        connect_timeout_seconds: float = policy.CONNECT_TIMEOUT_SECONDS,
        keep_headers: Sequence[str] = (),
        aws: AwsSigning | None = None,
        one_connection: bool = False,
        local_hosts: Collection[str] = (),
    ) -> None:
        """`https://` is spoken as HTTP/2 where the peer offers it, `http://` as HTTP/1.1 (concurrency 0: the usual).

        Without a base URL every request brings its own, which a stranger gave us: https only, directly (what a proxy
        connects to cannot be seen), and to public addresses only. The hosts in `local_hosts` may lie elsewhere; they
        are IP addresses and `localhost`, never names, which anybody's DNS may point anywhere.

        With `one_connection` a secure peer gets a single one, kept for an hour without use, and on it one request
        alone until an answer shows that our token is accepted: APNs allows no more streams before that.

        With `aws`, libcurl signs every request (Signature Version 4); each must then carry the header
        `x-amz-content-sha256`, since the body is handed over in parts that libcurl does not read ahead.
        """
        self._base_url = base_url.rstrip("/")
        self._secure = not base_url or base_url.lower().startswith("https:")
        self._ca_file = ca_file or certifi.where()
        self._concurrency = concurrency or (policy.HTTP2_CONCURRENCY if self._secure else policy.HTTP1_CONCURRENCY)
        self._timeout_ms = int(timeout_seconds * 1000)
        self._connect_timeout_ms = int(connect_timeout_seconds * 1000)
        self._keep_headers = frozenset(name.lower() for name in keep_headers)
        self._aws = aws
        self._one_connection = one_connection
        self._local_hosts = frozenset(local_hosts)
        self._spoke_http2: set[str] = set()
        #: Several requests may be out at once.
        self._proven = not one_connection
        self._used_at = 0.0
        self._multi: Any = None
        self._handles: list[Handle] = []
        self._idle: list[Handle] = []

    def send_all(
        self,
        requests: Sequence[Request],
        *,
        headers: Sequence[str] = (),
        deadline: float,
        give_up: GiveUp | None = None,
    ) -> list[Response]:
        """Post all of them, as many at once as the concurrency allows; answers in the order of the requests.

        `headers` (`name: value`) go with every request. After `deadline` (of `time.monotonic()`) nothing new is
        started; what is out is waited for, at most the request time-out. `give_up` may end the page early: what has
        not been started then never is. Raises nothing for anything a peer can do.
        """
        page = _Page(requests, headers, deadline, give_up)
        if self._one_connection and time.monotonic() - self._used_at > policy.PROVEN_SECONDS:
            self._proven = False  # the peer may have closed it meanwhile, and a new one begins anew
        try:
            while page.waiting or page.out:
                self._start(page)
                self._advance(page)
        except BaseException:
            # A time limit struck in the middle: the handles still out belong to no page any more.
            self.close()
            raise
        self._used_at = time.monotonic()
        if any(watch.stalled for watch in page.watches.values()):
            self.close()
        return [response for response in page.responses if response is not None]

    def close(self) -> None:
        """Drop every connection; the next page opens new ones."""
        for handle in self._handles:
            if handle.index >= 0 and handle not in self._idle:
                self._multi.remove_handle(handle.easy)
            handle.easy.close()
        if self._multi is not None:
            self._multi.close()
        self._multi, self._handles, self._idle = None, [], []
        self._proven = not self._one_connection

    def _start(self, page: _Page) -> None:
        if self._multi is None:
            self._multi = self._new_multi()
        while page.waiting and (self._proven or not page.out) and (handle := self._free_handle()) is not None:
            if time.monotonic() >= page.deadline:
                self._idle.append(handle)
                page.settle_waiting(Fate.NOT_STARTED, PAGE_DEADLINE)
                return
            index = page.waiting.popleft()
            request = page.requests[index]
            handle.load(index, self._base_url + request.path, (page.headers, request.headers), request.body)
            self._multi.add_handle(handle.easy)
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
                self._answered(page, easy.handle)
            for easy, code, message in failed:
                self._failed(page, easy.handle, code, message)

    def _origin(self, handle: Handle) -> str:
        """Whose connections a request uses; empty where all go to the base URL."""
        return "" if self._base_url else _origin(handle.url or "")

    def _wait(self) -> None:
        # libcurl may hold data it has already read: 0 means "call me again", and waiting for the socket would hang.
        wait_ms = self._multi.timeout()
        if wait_ms:
            self._multi.select(1.0 if wait_ms < 0 else min(1.0, wait_ms / 1000))

    def _answered(self, page: _Page, handle: Handle) -> None:
        response = _response(handle, Fate.ANSWERED)
        page.settle(handle.index, response)
        watch = page.watches[self._origin(handle)]
        if not watch.last_answer and self._secure and handle.easy.getinfo(pycurl.INFO_HTTP_VERSION) == _HTTP_2:
            self._spoke_http2.add(self._origin(handle))
        watch.last_answer = time.perf_counter()
        if self._one_connection:
            self._proven = response.status not in _UNPROVEN
        self._release(page, handle)

    def _failed(self, page: _Page, handle: Handle, code: int, message: str) -> None:
        if code == pycurl.E_FILESIZE_EXCEEDED:
            self._answered(page, handle)
            return
        fate, error, certain = self._judge(handle, code, message)
        watch = page.watches[self._origin(handle)]
        if code == pycurl.E_OPERATION_TIMEDOUT and fate is Fate.AMBIGUOUS:
            watch.oldest_timeout = min(watch.oldest_timeout or handle.clock, handle.clock)
        if self._one_connection:
            self._proven = False
        if certain and page.may_restart(handle.index):
            page.waiting.append(handle.index)
        else:
            page.settle(handle.index, _response(handle, fate, error))
        self._release(page, handle)
        if fate is Fate.NOT_SENT and not certain and not watch.last_answer:
            # Nobody there, and nobody has been: hundreds more would each wait out the connect time-out.
            page.settle_waiting(fate, error, origin=self._origin(handle))

    def _judge(self, handle: Handle, code: int, message: str) -> tuple[Fate, str, bool]:
        """How far the request came, why, and whether starting it again at once is safe and sensible."""
        if handle.easy.getinfo(pycurl.REQUEST_SIZE) == 0:
            error = "address_refused" if handle.refused_address else _CONNECT_ERRORS.get(code, "connection_lost")
            return Fate.NOT_SENT, error, code not in _CONNECT_ERRORS
        spoke_http2 = self._origin(handle) in self._spoke_http2
        if code == pycurl.E_SEND_FAIL_REWIND and spoke_http2 and message == _REWIND_REFUSED:
            return Fate.NOT_SENT, "stream_refused", True
        return Fate.AMBIGUOUS, "timeout" if code == pycurl.E_OPERATION_TIMEDOUT else "connection_lost", False

    def _release(self, page: _Page, handle: Handle) -> None:
        self._multi.remove_handle(handle.easy)
        self._idle.append(handle)
        page.out -= 1

    def _free_handle(self) -> Handle | None:
        if self._idle:
            return self._idle.pop()
        if len(self._handles) >= self._concurrency:
            return None
        handle = Handle(self._new_easy(), keep_headers=self._keep_headers)
        if not self._base_url:
            handle.vet(self._local_hosts)
        self._handles.append(handle)
        return handle

    def _new_multi(self) -> Any:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, self._concurrency)
        # A peer that allows few streams a connection gets more connections; one that speaks HTTP/1.1, no flood of them.
        most = 1 if self._one_connection and self._secure else min(self._concurrency, policy.HTTP1_CONCURRENCY)
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, most)
        multi.setopt(pycurl.M_MAXCONNECTS, policy.HTTP1_CONCURRENCY)
        return multi

    def _new_easy(self) -> Any:
        easy = pycurl.Curl()
        easy.setopt(pycurl.POST, 1)
        protocols = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS if self._base_url else pycurl.PROTO_HTTPS
        easy.setopt(pycurl.PROTOCOLS, protocols)
        easy.setopt(pycurl.NOSIGNAL, 1)
        easy.setopt(pycurl.TCP_KEEPALIVE, 1)
        easy.setopt(pycurl.CONNECTTIMEOUT_MS, self._connect_timeout_ms)
        easy.setopt(pycurl.TIMEOUT_MS, self._timeout_ms)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, policy.ANSWER_LIMIT_BYTES)
        easy.setopt(pycurl.USERAGENT, "carillon")
        if self._secure:
            easy.setopt(pycurl.CAINFO, self._ca_file)
            easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
            easy.setopt(pycurl.PIPEWAIT, 1)
        else:
            easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        if self._aws is not None:
            easy.setopt(pycurl.AWS_SIGV4, f"aws:amz:{self._aws.region}:{self._aws.service}")
            easy.setopt(pycurl.USERPWD, f"{self._aws.access_key_id}:{self._aws.secret_access_key.reveal()}")
        if self._one_connection:
            easy.setopt(pycurl.MAXAGE_CONN, policy.KEPT_CONNECTION_SECONDS)
        if not self._base_url or is_loopback(self._base_url):
            easy.setopt(pycurl.PROXY, "")
        return easy


def _response(handle: Handle, fate: Fate, error: str = "") -> Response:
    """What came of the handle's request."""
    latency_ms = (time.perf_counter() - handle.clock) * 1000
    if fate is not Fate.ANSWERED:
        return Response(fate=fate, error=error, started_at=handle.started_at, latency_ms=latency_ms)
    status = handle.easy.getinfo(pycurl.RESPONSE_CODE)
    return Response(
        fate=fate,
        status=status,
        body=handle.chunks[0] if len(handle.chunks) == 1 else b"".join(handle.chunks),
        headers=handle.headers,
        retry_after_seconds=(handle.easy.getinfo(pycurl.RETRY_AFTER) or None) if status >= 400 else None,  # noqa: PLR2004 - HTTP
        started_at=handle.started_at,
        latency_ms=latency_ms,
    )


def _origin(url: str) -> str:
    """Scheme, host and port of a whole URL."""
    return "/".join(url.split("/", 3)[:3])
