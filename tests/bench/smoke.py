"""The whole bench with small numbers: `pytest tests/bench/smoke.py`. A minute of work, so the name keeps it out of the
default run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.home import REPOSITORY
from tests.bench.facts import STATES
from tests.bench.sizes import QUICK
from tests.bench.ways import LATENCIES, ROUTES


@pytest.mark.timeout(400)
def test_a_quick_run_measures_everything_and_proves_every_arrival(tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(written)]
    done = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(written.read_text())
    assert results["proof"].endswith("arrived exactly once with the right words.")
    assert {"bare", "product", "product_small", "naive", "latency_idle", "latency_loaded", "api"} <= results.keys()
    assert {(one["way"], one["latency_ms"]) for one in results["ways"]} == {
        (route.title, latency_ms) for route in ROUTES for latency_ms in LATENCIES
    }
    assert {(one["way"], one["latency_ms"]) for one in results["channels"]} == {
        (route.title, latency_ms) for route in ROUTES for latency_ms in LATENCIES
    }
    assert results["capacity"]["tens_storage"]["tables"]["notify_delivery"]["rows"] == 1.0
    assert results["gate"]["us_per_page"] > 0
    assert {one["state"] for one in results["facts"]} == set(STATES)
    assert [one["rows"] for one in results["inbox"]] == list(QUICK.inbox_rows)
    mailed = QUICK.campaigns[-1] // 5
    assert [one["audience"] for one in results["campaigns"]] == [*QUICK.campaigns, mailed, mailed]
    assert results["campaign"]["groups"]["workers, campaigns"]["cpu_us"] > 0
    assert results["latency_campaign"]["samples"] >= 20
    assert results["listeners"]["messages"] == QUICK.heard_per_second * QUICK.listening_seconds
