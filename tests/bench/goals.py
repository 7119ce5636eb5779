"""The figures of the issue, and whether this run reached them. Pure sums over results."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.results import FlowResult, Goal, Results

#: A p99 of one urgent notification, in milliseconds.
_P99_MS = 250.0


def goals_of(results: Results) -> list[Goal]:
    """Every figure that the parts which ran allow."""
    return [*_throughput(results), *_latency(results), *_growth(results), *_interface(results)]


def _throughput(results: Results) -> Iterator[Goal]:
    product = results.product
    if product is None:
        return
    yield _at_most("product, CPU per notification", product.cpu_us, 150, "µs")
    if results.naive is not None:
        yield _at_least("product / naive, throughput", product.per_second / results.naive.per_second, 40, "times")
        yield Goal(name="naive / product, CPU", value=results.naive.cpu_us / product.cpu_us, unit="times")
    if results.naive_kept is not None:
        ratio = product.per_second / results.naive_kept.per_second
        yield Goal(name="product / naive with kept connections", value=ratio, unit="times")
    if results.bare:
        best = max(bare.per_second for bare in results.bare)
        yield Goal(name="product / bare transport, throughput", value=product.per_second / best, unit="times")


def _latency(results: Results) -> Iterator[Goal]:
    if results.latency_idle is not None:
        yield _below("urgent, p99 idle", results.latency_idle.p99_ms, _P99_MS, "ms")
    if results.latency_loaded is not None:
        yield _below("urgent, p99 beside the mass", results.latency_loaded.p99_ms, _P99_MS, "ms")


def _growth(results: Results) -> Iterator[Goal]:
    small, large = results.product_small, results.product
    if small is None or large is None:
        return
    times = large.notifications / small.notifications
    yield _at_most(f"memory at {times:.0f} times as many", own_mb(large) / own_mb(small), 1.1, "times")
    growth = large.cpu_us / small.cpu_us
    yield Goal(name=f"CPU per notification at {times:.0f} times as many", value=growth, unit="times")


def _interface(results: Results) -> Iterator[Goal]:
    for api in results.api:
        if api.recipients_per_call == 1:
            per_core = 1e6 / api.cpu_us_per_recipient
            yield _at_least("API, one recipient, calls per core and second", per_core, 800, "/s")
        else:
            name = f"API, {api.recipients_per_call:,} recipients, CPU each"
            yield _at_most(name, api.cpu_us_per_recipient, 25, "µs")


def own_mb(flow: FlowResult) -> float:
    """Peak memory of the whole product, PostgreSQL's cache apart."""
    return sum(group.peak_mb for group in flow.groups.values())


def _at_least(name: str, value: float, bound: float, unit: str) -> Goal:
    return Goal(name=name, value=value, unit=unit, wanted=f">= {bound:g}", reached=value >= bound)


def _at_most(name: str, value: float, bound: float, unit: str) -> Goal:
    return Goal(name=name, value=value, unit=unit, wanted=f"<= {bound:g}", reached=value <= bound)


def _below(name: str, value: float, bound: float, unit: str) -> Goal:
    return Goal(name=name, value=value, unit=unit, wanted=f"< {bound:g}", reached=value < bound)
