"""The figures of the issue, and whether this run reached them. Pure sums over results."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.bench.facts import WARM
from tests.bench.results import CampaignResult, FlowResult, Goal, Results
from tests.bench.ways import LATENCIES, MAIL, PUSH

#: The same beside a campaign that saturates the machine.
_P99_CAMPAIGN_MS = 100.0
#: What a campaign may cost more for each person than one with fewer.
_GROWTH = 1.15
#: Seconds for a count, or it is an estimate.
_COUNT_SECONDS = 2.0
#: A p99 of one urgent notification, in milliseconds.
_P99_MS = 250.0


def goals_of(results: Results) -> list[Goal]:
    """Every figure that the parts which ran allow."""
    return [
        *_throughput(results),
        *_latency(results),
        *_growth(results),
        *_interface(results),
        *_ways(results),
        *_gate(results),
        *_facts(results),
        *_inbox(results),
        *_campaigns(results),
        *_people(results),
    ]


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


def _ways(results: Results) -> Iterator[Goal]:
    product = {(found.way, found.latency_ms): found.flow.per_second for found in results.ways}
    alone = {(found.way, found.latency_ms): found.per_second for found in results.channels}
    near, far = LATENCIES
    for where, rates in (("the product", product), ("the channel alone", alone)):
        if {(PUSH.title, near), (PUSH.title, far)} <= rates.keys():
            ratio = rates[PUSH.title, far] / rates[PUSH.title, near]
            yield _at_least(f"push, {far} ms away / near, {where}", ratio, 0.7, "times")
        if {(PUSH.title, near), (MAIL.title, near)} <= rates.keys():
            ratio = rates[MAIL.title, near] / rates[PUSH.title, near]
            yield _at_least(f"e-mail / push, {where}", ratio, 2.0, "times")


def _facts(results: Results) -> Iterator[Goal]:
    for found in results.facts:
        name = f"facts and decision, {found.state}, CPU of the process"
        if found.state == WARM:
            yield _at_most(name, found.cpu_us, 15, "µs")
        else:
            yield Goal(name=name, value=found.cpu_us, unit="µs")


def _gate(results: Results) -> Iterator[Goal]:
    gate = results.gate
    if gate is not None:
        yield Goal(name=f"gate, for a page of {gate.page}", value=gate.us_per_page, unit="µs")


def _inbox(results: Results) -> Iterator[Goal]:
    if len(results.inbox) > 1:
        few, many = results.inbox[0], results.inbox[-1]
        times = f"{many.rows / few.rows:.0f} times the rows"
        yield _at_most(f"inbox over HTTP, p99 at {times}", many.http_p99_ms / few.http_p99_ms, 1.5, "times")
        yield _at_most(f"inbox, first page alone, p99 at {times}", many.page_p99_us / few.page_p99_us, 1.5, "times")
        yield _at_most(f"inbox, unread count alone, p99 at {times}", many.count_p99_us / few.count_p99_us, 1.5, "times")
    if (heard := results.listeners) is not None:
        name = f"live, {heard.listeners} listeners and {heard.per_second} messages a second, p99"
        yield Goal(name=name, value=heard.p99_ms, unit="ms")


def _campaigns(results: Results) -> Iterator[Goal]:
    pushes = [one for one in results.campaigns if one.by == "push" and not one.beside]
    for before, after in pairwise(pushes):
        yield from _campaign_growth(before, after)
    if pushes:
        largest = pushes[-1].flow
        yield _at_least("campaign, push", largest.per_second, 15_000, "/s")
        yield _at_most("campaign, push, CPU per notification", largest.cpu_us, 100, "µs")
        if results.naive is not None:
            yield _at_least("campaign / naive, throughput", largest.per_second / results.naive.per_second, 60, "times")
    for mail in results.campaigns:
        if mail.by == "email":
            yield _at_least("campaign, e-mail", mail.flow.per_second, 25_000, "/s")
    if results.latency_campaign is not None:
        yield _below("urgent, p99 beside a campaign", results.latency_campaign.p99_ms, _P99_CAMPAIGN_MS, "ms")


def _campaign_growth(before: CampaignResult, after: CampaignResult) -> Iterator[Goal]:
    what = f"campaign of {after.audience:,} / of {before.audience:,}"
    yield _at_most(f"{what}, CPU per notification", after.flow.cpu_us / before.flow.cpu_us, _GROWTH, "times")
    yield _at_most(f"{what}, memory", own_mb(after.flow) / own_mb(before.flow), _GROWTH, "times")


def _people(results: Results) -> Iterator[Goal]:
    if results.imports is not None:
        yield _at_least("import of people", results.imports.per_second, 20_000, "rows/s")
    for found in results.segments:
        name = f"segment among {found.people:,}, {'estimated' if found.is_estimate else 'counted'} {found.count:,}"
        if found.is_estimate:
            yield Goal(name=name, value=found.seconds, unit="s")
        else:
            yield _below(name, found.seconds, _COUNT_SECONDS, "s")


def own_mb(flow: FlowResult) -> float:
    """Peak memory of the whole product, PostgreSQL's cache apart."""
    return sum(group.peak_mb for group in flow.groups.values())


def _at_least(name: str, value: float, bound: float, unit: str) -> Goal:
    return Goal(name=name, value=value, unit=unit, wanted=f">= {bound:g}", reached=value >= bound)


def _at_most(name: str, value: float, bound: float, unit: str) -> Goal:
    return Goal(name=name, value=value, unit=unit, wanted=f"<= {bound:g}", reached=value <= bound)


def _below(name: str, value: float, bound: float, unit: str) -> Goal:
    return Goal(name=name, value=value, unit=unit, wanted=f"< {bound:g}", reached=value < bound)
