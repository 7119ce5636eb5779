"""The bench's own sums: what a process costs, what arrived, what a quantile is."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from config.lab.ledger import content_hash, mark_of
from tests.bench.lab import Arrival
from tests.bench.latency import quantile
from tests.bench.processes import ProcessLostError, Row, cpu_seconds, memory, trees
from tests.bench.proof import Sent, proof_by
from tests.bench.workload import expected_of

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the accounting reads /proc")
_BURN = "import time\nwhile time.process_time() < 0.3: pass"
SENT = Sent("run", 3, 2)


def arrivals() -> dict[str, Arrival]:
    """What a faultless run of `SENT` leaves in the ledger."""
    expected = [expected_of(SENT.run, serial, SENT.population) for serial in range(SENT.total)]
    return {
        f"delivery-{serial}": Arrival(1, token, content_hash(title, body), time.time())
        for serial, (token, title, body) in enumerate(expected)
    }


@linux
def test_a_child_that_has_come_and_gone_still_counts() -> None:
    before = cpu_seconds({"us": os.getpid()})["us"]
    subprocess.run([sys.executable, "-c", _BURN], check=True)
    assert cpu_seconds({"us": os.getpid()})["us"] - before >= 0.2


@linux
def test_a_group_whose_first_process_has_ended_is_refused() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(ProcessLostError):
        cpu_seconds({"gone": ended.pid})


@linux
def test_memory_is_told_of_a_living_group_and_is_nothing_for_an_unknown_one() -> None:
    held = memory({"us": os.getpid(), "nobody": 2**22 + 1})
    assert held["us"].own > 1_000_000
    assert held["nobody"].own == 0


def test_a_process_belongs_to_the_nearest_group_above_it() -> None:
    rows = {1: Row(0, 0.0), 2: Row(1, 0.0), 3: Row(2, 0.0), 4: Row(3, 0.0), 5: Row(1, 0.0)}
    assert trees(rows, {"supervisor": 2, "worker": 3}) == {"supervisor": [2], "worker": [3, 4]}


def faults_of(ledger: dict[str, Arrival]) -> list[str]:
    """What is wrong with a ledger after `SENT`."""
    return proof_by([(mark_of(one.address, one.content_hash), one.times) for one in ledger.values()], [SENT]).faults


def test_a_faultless_run_has_no_faults() -> None:
    assert faults_of(arrivals()) == []


def test_a_missing_a_repeated_and_a_wrong_arrival_are_each_found() -> None:
    ledger = arrivals()
    first, second = ledger["delivery-0"], ledger["delivery-1"]
    assert "did not arrive" in faults_of({"delivery-1": second, "delivery-2": ledger["delivery-2"]})[0]
    assert "more than once" in faults_of({**ledger, "delivery-0": first._replace(times=2)})[0]
    wrong = faults_of({**ledger, "delivery-0": first._replace(content_hash="0" * 16)})
    assert wrong == [
        "run run: 1 of 3 did not arrive with the right words",
        "1 messages arrived that nobody expects, or with wrong words",
    ]


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, value: int) -> None:
    assert quantile([float(number) for number in range(1, 101)], share) == value
