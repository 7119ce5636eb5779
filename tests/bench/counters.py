"""Counters as in an installation that has run for long: `python -m tests.bench.counters` in the product's environment.

Redis is trusted with a counter's whole window once it has been up for that long; before, every person's first counter
is read from PostgreSQL. Nothing was told before these servers were made, so what Redis remembers is complete: this says
so, and with it the bench measures every day but the first.
"""

from __future__ import annotations

import os
import time

_LONG = 2 * 86_400


def main() -> None:
    """Set back since when Redis remembers."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from channels import redis_state

    since, _ = redis_state._COUNTERS
    redis_state.ask(lambda redis: redis.set(since, str(int((time.time() - _LONG) * 1_000))))


if __name__ == "__main__":
    main()
