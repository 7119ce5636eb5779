"""(j): a segment is told, from the call that starts it to the last acceptance on record; and urgent ones beside it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from threading import Event
from typing import NamedTuple

import msgspec

from tests.bench import driver
from tests.bench.companion import Companion
from tests.bench.database import Database
from tests.bench.flow import APART, DRIVER, grouped, refuse_problems
from tests.bench.lab import Lab
from tests.bench.latency import HEAD_START, latency_of, paced_job
from tests.bench.processes import Meter
from tests.bench.proof import Sent
from tests.bench.readers import Told
from tests.bench.results import CampaignResult, FlowResult, LatencyResult
from tests.bench.stack import Stack

#: One-time passwords a second beside a campaign.
URGENT_RATE = 20.0
_PRIORITY = "low"
#: Seconds until the platform must have noticed that a campaign is over: the larger it is, the more rarely it looks.
_PATIENCE = 600.0
_LOOK_EVERY = 1.0


class Measured(NamedTuple):
    """A campaign, and the urgent ones beside it."""

    campaign: CampaignResult
    urgent: LatencyResult | None


class _Started(msgspec.Struct):
    campaign_id: str


class _Standing(msgspec.Struct):
    """What the platform says of a campaign."""

    status: str
    total_recipients: int
    sent: int
    suppressed: int


class _Times(NamedTuple):
    """Epoch seconds of one campaign."""

    started: float
    answered: float
    ended: float


def measure_campaign(
    stack: Stack, lab: Lab, database: Database, told: Told, fill_seconds: float, urgent: Sent | None
) -> Measured:
    """Start a campaign and wait until everybody is told; with urgent ones, while those come one by one."""
    audience, readers = (sum(1 for _ in people) for people in (told.members(), told.readers()))
    job = paced_job(stack, urgent, URGENT_RATE) if urgent else None
    with Companion(DRIVER, job, driver.Report) if job else nullcontext() as caller:
        database.wait_until_idle()
        with Meter(stack.roots() | {"stand-in": lab.pid}) as meter:
            started = time.time()
            campaign_id = _start(stack, told)
            answered = time.time()
            report = _beside(caller) if caller else None
            database.wait_until_told()
    times = _Times(started, answered, database.last_sent(started, _PRIORITY))
    latency = latency_of(urgent, report, lab.came(), times.ended, meter) if urgent and report else None
    completed = _completed(stack, campaign_id, _Standing("completed", audience, readers, audience - readers))
    flow = _flow(readers, times, meter)
    campaign = CampaignResult(
        by=told.by,
        beside=urgent is not None,
        audience=audience,
        suppressed=audience - readers,
        flow=flow,
        completed_seconds=completed - started,
        fill_seconds=fill_seconds,
    )
    return Measured(campaign, latency)


def urgent_calls(audience: int, before: CampaignResult) -> int:
    """How many urgent calls fit beside a campaign of this size, as fast as the last one was, and a little to spare."""
    seconds = audience / before.flow.per_second * 0.75 - HEAD_START
    return max(20, round(seconds * URGENT_RATE))


def _start(stack: Stack, told: Told) -> str:
    with stack.connection() as api:
        answer = api.call("POST", "/v1/notifications/bulk", told.body())
    if answer.status != 202:
        raise SystemExit(f"bench: the campaign was answered {answer.status} {answer.body[:500]!r}")
    return msgspec.json.decode(answer.body, type=_Started).campaign_id


def _beside(caller: Companion[driver.Report]) -> driver.Report:
    time.sleep(HEAD_START)  # noqa: TID251 - nothing can be asked whether a campaign is well under way
    caller.start()
    report = caller.finish()
    refuse_problems(report)
    return report


def _completed(stack: Stack, campaign_id: str, wanted: _Standing) -> float:
    """Wait until the platform says that it is over, with the right numbers; when that was seen."""
    pause, end = Event(), time.monotonic() + _PATIENCE
    while (found := _standing(stack, campaign_id)) != wanted:
        if found.status not in {"running", "completed"} or time.monotonic() > end:
            raise SystemExit(f"bench: the campaign stands as {found} instead of {wanted}")
        pause.wait(_LOOK_EVERY)
    return time.time()


def _standing(stack: Stack, campaign_id: str) -> _Standing:
    with stack.connection() as api:
        return msgspec.json.decode(api.call("GET", f"/v1/campaigns/{campaign_id}").body, type=_Standing)


def _flow(sent: int, times: _Times, meter: Meter) -> FlowResult:
    groups = grouped(meter.costs, sent)
    apart = {name: groups.pop(name) for name in APART}
    return FlowResult(
        notifications=sent,
        seconds=times.ended - times.started,
        per_second=sent / (times.ended - times.started),
        accept_seconds=times.answered - times.started,
        cpu_us=sum(group.cpu_us for group in groups.values()),
        groups=groups,
        apart=apart,
        strangers=meter.strangers,
    )
