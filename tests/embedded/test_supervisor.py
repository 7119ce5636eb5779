"""The supervisor with children that do next to nothing, and real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from config.embedded.home import REPOSITORY
from tests.embedded.conftest import wait_until

SUPERVISE = """
import json, sys
from pathlib import Path
from config.supervise.output import Lines
from config.supervise.plan import Child
from config.supervise.supervisor import Supervisor
table = [Child(name, (sys.executable, "-c", code), grace=2.0) for name, code in json.loads(sys.argv[1])]
lines = Lines([child.name for child in table], fd=1, coloured=False)
with Supervisor(Path("/"), lines, grace=2.0) as supervisor:
    supervisor.run(table, lambda: None)
    lines.say("stopping")
"""
#: Says its pid and waits to be told to stop.
PATIENT = "import os, signal; os.write(1, b'pid %d\\n' % os.getpid()); signal.pause()"
#: The same with a child of its own, as a worker has its pool.
PARENT = "import os; os.fork(); " + PATIENT
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PATIENT
CRASHING = "print('crash', flush=True); raise SystemExit(3)"


class Up:
    """A supervisor in a process of its own."""

    def __init__(self, **table: str) -> None:
        arguments = [sys.executable, "-c", SUPERVISE, json.dumps(list(table.items()))]
        self.process = subprocess.Popen(arguments, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        self.seen: list[str] = []
        self.family: set[psutil.Process] = set()

    def read_until(self, words: str) -> str:
        """The next line with these words."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.seen.append(line.rstrip("\n"))
            if words in line:
                self.family |= set(psutil.Process(self.process.pid).children(recursive=True))
                return self.seen[-1]
        pytest.fail(f"never said {words!r}: {self.seen}")

    def pid(self) -> int:
        """The next pid that a child says."""
        return int(self.read_until("| pid").split()[-1])

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        rest = self.process.communicate(timeout=20)[0]
        return self.process.returncode, rest

    def is_over(self) -> bool:
        return not self.left()

    def left(self) -> list[psutil.Process]:
        return [each for each in self.family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def started() -> Iterator[list[Up]]:
    """Supervisors to be ended whatever the test did."""
    ups: list[Up] = []
    yield ups
    for up in ups:
        if up.process.poll() is None:
            up.end()
        wait_until(up.is_over)
        assert up.process.stdout
        up.process.stdout.close()


def test_lines_carry_the_name_of_their_process(started: list[Up]) -> None:
    started.append(up := Up(web=PATIENT, beat=PATIENT))
    said = {up.read_until("| pid").split("pid")[0] for _ in range(2)}
    assert said == {"web  | ", "beat | "}


def test_a_killed_child_is_started_again_and_it_says_so(started: list[Up]) -> None:
    started.append(up := Up(web=PATIENT))
    first = up.pid()
    os.kill(first, signal.SIGKILL)
    assert "web was killed by signal 9" in up.read_until("up  |")
    assert up.pid() != first


def test_a_killed_parent_takes_its_children_along(started: list[Up]) -> None:
    started.append(up := Up(pool=PARENT))
    parent, child = sorted([up.pid(), up.pid()])
    os.kill(parent, signal.SIGKILL)
    up.read_until("killed by signal 9")
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_a_child_that_keeps_crashing_is_tried_ever_more_rarely(started: list[Up]) -> None:
    started.append(up := Up(web=CRASHING))
    pauses = [up.read_until("web ended with 3").rpartition("in ")[2] for _ in range(3)]
    assert pauses == ["0.5 s", "1 s", "2 s"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_request_to_stop_leaves_no_process(started: list[Up], number: signal.Signals) -> None:
    started.append(up := Up(web=PATIENT, pool=PARENT))
    for _ in range(3):
        up.pid()
    code, _ = up.end(number)
    assert (code, up.left()) == (0, [])


def test_a_child_that_does_not_stop_is_killed_when_its_time_is_over(started: list[Up]) -> None:
    started.append(up := Up(web=STUBBORN))
    up.pid()
    _, rest = up.end()
    assert "web did not stop in time and was killed" in rest
    assert up.left() == []


def test_a_second_request_ends_the_patience(started: list[Up]) -> None:
    started.append(up := Up(web=STUBBORN))
    up.pid()
    up.process.send_signal(signal.SIGINT)
    up.read_until("stopping")
    _, rest = up.end(signal.SIGINT)
    assert "was killed" in rest


def test_no_process_outlives_a_killed_supervisor(started: list[Up]) -> None:
    started.append(up := Up(web=PATIENT, pool=PARENT))
    for _ in range(3):
        up.pid()
    up.end(signal.SIGKILL)
    wait_until(up.is_over)


def test_no_process_outlives_a_killed_supervisor_whose_guard_was_killed_before(started: list[Up]) -> None:
    started.append(up := Up(web=PATIENT))
    web = up.pid()
    (guard,) = {each.pid for each in psutil.Process(up.process.pid).children()} - {web}
    os.kill(guard, signal.SIGKILL)
    supervisor = psutil.Process(up.process.pid)
    wait_until(lambda: len({each.pid for each in supervisor.children()} - {web, guard}) == 1)
    up.family |= set(supervisor.children())
    up.end(signal.SIGKILL)
    wait_until(up.is_over)
