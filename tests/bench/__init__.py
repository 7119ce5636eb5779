"""The benchmark: `python -m tests.bench`. What it measures and what came out stands in docs/performance.md."""
