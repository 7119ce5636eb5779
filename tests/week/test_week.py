"""A small week with a fixed seed, lived whenever the tests run; the large one is `python -m tests.week`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: The least there must be for the week to have shown anything; a machine that is busy lives less in so many seconds.
ENOUGH = {"zones": 30, "notifications": 300, "campaigns": 1, "changes of mind": 50, "digests": 10, "erasures": 2}


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the checker found, and how much there was: the week moves the clocks of its process, so it has its own."""
    file = tmp_path_factory.mktemp("week") / "week.json"
    command = [
        sys.executable,
        "-m",
        "tests.week",
        "--people",
        "150",
        "--pace",
        "0.35",
        "--seed",
        "7",
        "--json",
        str(file),
    ]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), check=False, capture_output=True, text=True)
    assert file.exists(), done.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.timeout(400)
def test_a_week_of_simulated_life_breaks_no_promise(week: dict[str, Any]) -> None:
    assert week["violations"] == []


@pytest.mark.timeout(400)
def test_the_week_was_long_enough_to_show_it(week: dict[str, Any]) -> None:
    figures = week["figures"]
    assert {name: figures[name] for name in ENOUGH if figures[name] < ENOUGH[name]} == {}
    assert set(figures["reasons"]) >= {
        "user_opted_out",
        "category_opted_out",
        "user_erased",
        "frequency_cap",
        "quiet_hours",
    }
