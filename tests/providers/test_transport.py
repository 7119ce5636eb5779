from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest

from channels.transport import Fate, Request, Response, Transport
from tests.providers.conftest import Lab
from tests.providers.peers import Http2Peer, HttpPeer, dead_port, http_answer

OK = http_answer(200)


def send(transport: Transport, count: int = 1, *, seconds: float = 5.0) -> list[Response]:
    """So many small requests."""
    requests = [Request(f"body {number}".encode()) for number in range(count)]
    return transport.send_all(requests, headers=["X-Page: 1"], deadline=time.monotonic() + seconds)


@pytest.fixture
def http_peer() -> Iterator[Callable[..., HttpPeer]]:
    peers: list[HttpPeer] = []

    def start(act: Callable[[int], bytes | str]) -> HttpPeer:
        peers.append(HttpPeer(act))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


@pytest.fixture
def http2_peer(running_lab: Lab) -> Iterator[Callable[..., tuple[Http2Peer, Transport]]]:
    opened: list[Http2Peer | Transport] = []

    def start(act: Callable[[int], str], timeout_seconds: float = 2.0) -> tuple[Http2Peer, Transport]:
        folder = running_lab.folder
        peer = Http2Peer(act, certificate=folder / "leaf.pem", key=folder / "leaf.key")
        transport = Transport(peer.base_url, ca_file=str(folder / "ca.pem"), timeout_seconds=timeout_seconds)
        opened.extend((peer, transport))
        return peer, transport

    yield start
    for one in opened:
        one.close()


def test_answers_come_in_the_order_of_the_requests(http_peer: Callable[..., HttpPeer]) -> None:
    peer = http_peer(lambda _: OK)
    transport = Transport(peer.base_url, concurrency=4)
    responses = send(transport, 100)
    assert [response.fate for response in responses] == [Fate.ANSWERED] * 100
    assert {response.status for response in responses} == {200}
    assert sorted(peer.requests) == sorted(f"body {number}".encode() for number in range(100))
    assert peer.connections <= 4
    transport.close()


def test_connections_are_kept_between_pages(http_peer: Callable[..., HttpPeer]) -> None:
    peer = http_peer(lambda _: OK)
    transport = Transport(peer.base_url, concurrency=1)
    for _ in range(5):
        send(transport, 3)
    assert peer.connections == 1
    transport.close()


def test_a_body_larger_than_any_buffer_arrives_whole(http_peer: Callable[..., HttpPeer]) -> None:
    peer = http_peer(lambda _: OK)
    transport = Transport(peer.base_url)
    body = b"0123456789" * 300_000
    responses = transport.send_all([Request(body), Request(b"")], deadline=time.monotonic() + 5)
    assert [response.status for response in responses] == [200, 200]
    assert sorted(map(len, peer.requests)) == [0, 3_000_000]
    assert max(peer.requests, key=len) == body
    transport.close()


def test_path_and_headers_of_a_request_are_its_own(http_peer: Callable[..., HttpPeer]) -> None:
    peer = http_peer(lambda _: http_answer(200, b"{}", "X-Message-Id: m1", "X-Other: no"))
    transport = Transport(peer.base_url, concurrency=1, keep_headers=["X-Message-Id"])
    requests = [Request(b"a", "/one", ("X-Own: 1",)), Request(b"b", "/two"), Request(b"c", "/one")]
    responses = transport.send_all(requests, deadline=time.monotonic() + 5)
    assert [response.headers for response in responses] == [{"x-message-id": "m1"}] * 3
    transport.close()


def test_nobody_there_is_not_sent_and_the_page_does_not_wait_for_each() -> None:
    transport = Transport(f"http://127.0.0.1:{dead_port()}")
    started = time.monotonic()
    responses = send(transport, 500)
    assert {(response.fate, response.error) for response in responses} == {(Fate.NOT_SENT, "connect_failed")}
    assert time.monotonic() - started < 2
    transport.close()


def test_a_host_that_swallows_connections_is_not_sent_after_the_connect_time_out() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = [socket.socket() for _ in range(8)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    transport = Transport(f"http://127.0.0.1:{listener.getsockname()[1]}", concurrency=16, connect_timeout_seconds=1.0)
    started = time.monotonic()
    responses = send(transport, 200)
    assert {(response.fate, response.error) for response in responses} == {(Fate.NOT_SENT, "connect_timeout")}
    assert 0.7 < time.monotonic() - started < 3
    transport.close()
    for one in (listener, *fillers):
        one.close()


def test_a_foreign_certificate_is_not_sent(lab: Lab) -> None:
    transport = Transport(lab.places["fcm"]["base_url"])
    assert [(one.fate, one.error) for one in send(transport)] == [(Fate.NOT_SENT, "tls_failed")]
    transport.close()


@pytest.mark.parametrize("base_url", ["file:///etc/passwd", "http://host.invalid"])
def test_what_is_no_reachable_http_server_is_not_sent(base_url: str) -> None:
    transport = Transport(base_url)
    assert send(transport)[0].fate is Fate.NOT_SENT
    transport.close()


@pytest.mark.parametrize("ending", ["rst", "eof"])
def test_a_kept_connection_that_dies_after_the_request_is_ambiguous_and_not_posted_again(
    http_peer: Callable[..., HttpPeer], ending: str
) -> None:
    peer = http_peer(lambda number: ending if number == 2 else OK)
    transport = Transport(peer.base_url, concurrency=1)
    fates = [send(transport)[0].fate for _ in range(3)]
    assert fates == [Fate.ANSWERED, Fate.AMBIGUOUS, Fate.ANSWERED]
    assert len(peer.requests) == 3
    transport.close()


def test_silence_is_ambiguous_after_the_time_out(http_peer: Callable[..., HttpPeer]) -> None:
    transport = Transport(http_peer(lambda _: "silent").base_url, timeout_seconds=0.3)
    assert [(one.fate, one.error) for one in send(transport)] == [(Fate.AMBIGUOUS, "timeout")]
    transport.close()


def test_an_answer_that_breaks_off_is_ambiguous(http_peer: Callable[..., HttpPeer]) -> None:
    peer = http_peer(lambda number: b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf" if number == 1 else "eof")
    transport = Transport(peer.base_url, timeout_seconds=0.5)
    assert send(transport)[0].fate is Fate.AMBIGUOUS
    transport.close()


@pytest.mark.parametrize("ending", ["rst", "eof", "error"])
def test_over_http2_a_lost_stream_is_ambiguous_and_not_posted_again(
    http2_peer: Callable[..., tuple[Http2Peer, Transport]], ending: str
) -> None:
    peer, transport = http2_peer(lambda number: ending if number == 2 else "ok")
    fates = [send(transport)[0].fate for _ in range(3)]
    assert fates == [Fate.ANSWERED, Fate.AMBIGUOUS, Fate.ANSWERED]
    assert len(peer.requests) == 3


@pytest.mark.parametrize("ending", ["refuse", "goaway"])
def test_over_http2_a_stream_the_peer_did_not_process_is_sent_again(
    http2_peer: Callable[..., tuple[Http2Peer, Transport]], ending: str
) -> None:
    peer, transport = http2_peer(lambda number: ending if number == 2 else "ok")
    fates = [send(transport)[0].fate for _ in range(3)]
    assert fates == [Fate.ANSWERED] * 3
    assert len(peer.requests) == 4


def test_a_peer_that_refuses_every_stream_is_not_sent_in_the_end(
    http2_peer: Callable[..., tuple[Http2Peer, Transport]],
) -> None:
    peer, transport = http2_peer(lambda number: "ok" if number == 1 else "refuse")
    send(transport)
    assert [(one.fate, one.error) for one in send(transport)] == [(Fate.NOT_SENT, "stream_refused")]
    assert len(peer.requests) == 4


def test_all_streams_of_a_connection_that_is_reset_are_ambiguous_together(
    http2_peer: Callable[..., tuple[Http2Peer, Transport]],
) -> None:
    peer, transport = http2_peer(lambda number: "rst" if number == 11 else "ok" if number == 1 else "silent")
    send(transport)
    assert {response.fate for response in send(transport, 10)} == {Fate.AMBIGUOUS}
    assert len(peer.requests) == 11


def test_a_connection_on_which_nothing_comes_back_is_given_up(
    http2_peer: Callable[..., tuple[Http2Peer, Transport]],
) -> None:
    peer, transport = http2_peer(lambda number: "silent" if number in {2, 3} else "ok", timeout_seconds=0.3)
    send(transport)
    assert {response.fate for response in send(transport, 2)} == {Fate.AMBIGUOUS}
    assert send(transport)[0].fate is Fate.ANSWERED
    assert peer.connections == 2


def test_after_the_deadline_nothing_is_started(http_peer: Callable[..., HttpPeer]) -> None:
    peer = http_peer(lambda _: OK)
    transport = Transport(peer.base_url)
    responses = send(transport, 50, seconds=-1.0)
    assert {(one.fate, one.error) for one in responses} == {(Fate.NOT_STARTED, "page_deadline")}
    assert peer.connections == 0
    transport.close()


def test_a_deadline_in_the_middle_of_a_page_ends_it_there(lab: Lab) -> None:
    lab.script(latency_ms=100)
    transport = Transport(lab.control + "/v1/projects/carillon-lab/messages:send", concurrency=10)
    fates = [response.fate for response in send(transport, 100, seconds=0.35)]
    assert 20 <= fates.count(Fate.ANSWERED) <= 60
    assert fates.count(Fate.NOT_STARTED) == 100 - fates.count(Fate.ANSWERED)
    transport.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("in an hour", 3600.0),
        ("a minute ago", None),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(
    http_peer: Callable[..., HttpPeer], header: str, seconds: float | None
) -> None:
    # Dates are of the moment of the test, not of the moment at which tests were collected.
    dates = {"in an hour": time.time() + 3600, "a minute ago": time.time() - 60}
    said = formatdate(dates[header], usegmt=True) if header in dates else header
    transport = Transport(http_peer(lambda _: http_answer(429, b"{}", f"Retry-After: {said}")).base_url)
    (response,) = send(transport)
    transport.close()
    assert response.retry_after_seconds == (pytest.approx(seconds, abs=60) if seconds else None)


def test_without_retry_after_there_is_none(http_peer: Callable[..., HttpPeer]) -> None:
    transport = Transport(http_peer(lambda _: http_answer(503)).base_url)
    assert send(transport)[0].retry_after_seconds is None
    transport.close()


def test_an_answer_of_ten_megabytes_is_cut_off_and_its_status_kept(http_peer: Callable[..., HttpPeer]) -> None:
    transport = Transport(http_peer(lambda _: http_answer(200, b"x" * 10_000_000)).base_url)
    (response,) = send(transport)
    assert (response.fate, response.status) == (Fate.ANSWERED, 200)
    assert len(response.body) <= 65_536
    transport.close()


def test_closing_twice_is_harmless_and_a_closed_transport_opens_again(http_peer: Callable[..., HttpPeer]) -> None:
    transport = Transport(http_peer(lambda _: OK).base_url)
    for _ in range(2):
        assert send(transport)[0].status == 200
        transport.close()
        transport.close()


def post(transport: Transport, *urls: str, give_up: Any = None) -> list[Response]:
    """One small request to each of these."""
    requests = [Request(b"x", url) for url in urls]
    return transport.send_all(requests, deadline=time.monotonic() + 5, give_up=give_up)


def test_a_whole_url_reaches_no_address_that_is_not_public(lab: Lab) -> None:
    transport = Transport("", ca_file=lab.places["ca_file"])
    port = lab.places["fcm"]["base_url"].rpartition(":")[2]
    responses = post(transport, f"https://127.0.0.1:{port}/x", f"https://localhost:{port}/x", f"https://[::1]:{port}/")
    assert [(one.fate, one.error) for one in responses] == [(Fate.NOT_SENT, "address_refused")] * 3
    transport.close()


def test_a_host_that_is_listed_may_be_this_machine_and_no_other_name_of_it(lab: Lab) -> None:
    transport = Transport("", ca_file=lab.places["ca_file"], local_hosts={"127.0.0.1"})
    port = lab.places["fcm"]["base_url"].rpartition(":")[2]
    listed, other, again = post(transport, *(f"https://{host}:{port}/x" for host in ("127.0.0.1", "localhost") * 2))[:3]
    assert (listed.fate, other.error, again.fate) == (Fate.ANSWERED, "address_refused", Fate.ANSWERED)
    transport.close()


def test_a_whole_url_in_cleartext_is_not_sent(http_peer: Callable[..., HttpPeer]) -> None:
    peer = http_peer(lambda _: OK)
    transport = Transport("", local_hosts={"127.0.0.1"})
    assert post(transport, f"{peer.base_url}/x")[0].fate is Fate.NOT_SENT
    assert peer.connections == 0
    transport.close()


def test_one_dead_origin_does_not_answer_for_the_others(lab: Lab) -> None:
    transport = Transport("", ca_file=lab.places["ca_file"], concurrency=1, local_hosts={"127.0.0.1"})
    dead, alive = f"https://127.0.0.1:{dead_port()}/x", f"{lab.places['fcm']['base_url']}/x"
    fates = [one.fate for one in post(transport, dead, alive, dead, alive)]
    assert fates == [Fate.NOT_SENT, Fate.ANSWERED] * 2
    transport.close()


def lone(peer: Http2Peer, running_lab: Lab) -> Transport:
    """A transport that keeps to one connection."""
    ca_file = str(running_lab.folder / "ca.pem")
    return Transport(peer.base_url, ca_file=ca_file, timeout_seconds=2.0, one_connection=True)


def test_the_first_request_of_a_lone_connection_goes_by_itself(
    http2_peer: Callable[..., tuple[Http2Peer, Transport]], running_lab: Lab
) -> None:
    def act(number: int) -> str:
        threading.Event().wait(0.2 if number == 1 else 0.0)
        return "ok"

    peer, _ = http2_peer(act)
    transport = lone(peer, running_lab)
    first, *others = send(transport, 300)
    assert {one.fate for one in (first, *others)} == {Fate.ANSWERED}
    assert min(one.started_at for one in others) >= first.started_at + 0.2
    assert peer.connections == 1
    again = send(transport, 10)
    assert again[9].started_at < again[0].started_at + again[0].latency_ms / 1000
    transport.close()


def test_a_lone_connection_that_is_lost_begins_again_with_one_request(
    http2_peer: Callable[..., tuple[Http2Peer, Transport]], running_lab: Lab
) -> None:
    peer, _ = http2_peer(lambda number: "rst" if number == 50 else "ok")
    transport = lone(peer, running_lab)
    first, second = send(transport, 20), send(transport, 100)
    assert {one.fate for one in first} == {Fate.ANSWERED}
    assert {one.fate for one in second} <= {Fate.ANSWERED, Fate.AMBIGUOUS}
    assert Fate.ANSWERED in {one.fate for one in send(transport, 5)}
    assert peer.connections == 2
    transport.close()
