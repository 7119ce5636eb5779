"""The table of processes, and how their lines are written."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import pytest

from config.env import ConfigurationError
from config.supervise.command import read_sizes, with_stream_port
from config.supervise.output import LONGEST_LINE, Lines
from config.supervise.plan import Sizes, children


@dataclass(frozen=True)
class Pool:
    name: str
    queues: tuple[str, ...]
    concurrency: int


POOLS = (Pool("critical", ("dispatch.sms.critical", "plan.critical"), 2), Pool("low", ("plan.low",), 4))


def test_there_is_web_the_streams_one_worker_per_pool_and_beat() -> None:
    names = [child.name for child in children(POOLS, Sizes())]
    assert names == ["web", "stream", "worker-critical", "worker-low", "beat"]


def test_the_web_knows_where_the_streams_are() -> None:
    web, stream, *_ = children(POOLS, Sizes(stream_port=8456))
    assert web.environment["CARILLON_STREAM_PORT"] == "8456"
    assert stream.command[stream.command.index("--port") + 1] == "8456"


def test_the_streams_take_any_free_port_unless_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARILLON_STREAM_PORT", raising=False)
    assert with_stream_port(Sizes(port=65_535, stream_port=65_535)).stream_port != 65_535
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        assert with_stream_port(Sizes(stream_port=taken)).stream_port != taken
        monkeypatch.setenv("CARILLON_STREAM_PORT", str(taken))
        with pytest.raises(ConfigurationError, match=f"CARILLON_STREAM_PORT: {taken} cannot be served"):
            with_stream_port(Sizes(stream_port=taken))


def test_a_worker_serves_the_queues_of_its_pool_in_their_order_and_no_others() -> None:
    critical = children(POOLS, Sizes())[2].command
    assert critical[critical.index("-Q") + 1] == "dispatch.sms.critical,plan.critical"
    assert critical[critical.index("-c") + 1] == "2"
    assert critical[critical.index("-n") + 1] == "critical@%h"


def test_a_worker_asked_to_stop_has_time_to_finish_its_pages() -> None:
    worker = children(POOLS, Sizes())[2]
    assert worker.grace >= 20
    assert worker.environment["CARILLON_PROCESS"] == "worker-critical"


def test_sizes_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_POOL_LOW", "9")
    monkeypatch.setenv("CARILLON_WEB_WORKERS", "3")
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.delenv("CARILLON_STREAM_PORT", raising=False)
    web, stream, _, low, _ = (child.command for child in children(POOLS, read_sizes(POOLS)))
    assert low[low.index("-c") + 1] == "9"
    assert (web[web.index("--workers") + 1], web[web.index("--port") + 1]) == ("3", "8123")
    assert stream[stream.index("--port") + 1] == "8124"


def test_a_wrong_size_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_POOL_CRITICAL", "none")
    with pytest.raises(ConfigurationError, match="CARILLON_POOL_CRITICAL: 'none' is not a whole number"):
        read_sizes(POOLS)


class Screen:
    """The other end of what Lines writes."""

    def __init__(self, *, coloured: bool = False) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self.lines = Lines(["web", "beat"], fd=self._writer.fileno(), coloured=coloured)

    def read(self) -> str:
        try:
            return os.read(self._reader.fileno(), 1_000_000).decode()
        except BlockingIOError:
            return ""

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


@pytest.fixture
def screen() -> object:
    screen = Screen()
    yield screen
    screen.close()


def test_a_line_is_written_when_it_is_whole_with_the_name_before_it(screen: Screen) -> None:
    screen.lines.feed("web", b"GET /live")
    assert screen.read() == ""
    screen.lines.feed("beat", b"tick\n")
    screen.lines.feed("web", b"z\nnext\nrest")
    assert screen.read() == "beat | tick\nweb  | GET /livez\nweb  | next\n"
    screen.lines.end("web")
    assert screen.read() == "web  | rest\n"


def test_a_line_without_end_does_not_grow_for_ever(screen: Screen) -> None:
    screen.lines.feed("web", b"x" * (LONGEST_LINE + 1))
    assert len(screen.read()) > LONGEST_LINE


def test_each_name_has_its_colour_on_a_terminal() -> None:
    screen = Screen(coloured=True)
    screen.lines.say("one\ntwo")
    assert screen.read() == "\x1b[36mup   |\x1b[0m one\n\x1b[36mup   |\x1b[0m two\n"
    screen.close()


def test_a_terminal_that_is_gone_stops_nobody(screen: Screen) -> None:
    screen.close()
    screen.lines.say("to nobody")
