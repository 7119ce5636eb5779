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


@pytest.mark.timeout(240)
def test_a_quick_run_measures_everything_and_proves_every_arrival(tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(written)]
    done = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(written.read_text())
    assert results["proof"].endswith("arrived exactly once with the right words.")
    assert {"bare", "product", "product_small", "naive", "latency_idle", "latency_loaded", "api"} <= results.keys()
