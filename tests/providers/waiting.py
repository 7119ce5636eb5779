"""Time that tests let pass: polled where something is awaited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def pause(seconds: float) -> None:
    """Let time pass, where that is what the test is about."""
    threading.Event().wait(seconds)


def eventually(is_so: Callable[[], bool], within_seconds: float = 5.0) -> None:
    """Ask until the answer is yes."""
    ends = time.monotonic() + within_seconds
    while not is_so():
        assert time.monotonic() < ends, "it never became so"
        pause(0.02)
