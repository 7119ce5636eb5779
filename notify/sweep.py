"""The housekeepers: what is due, stuck or old. Each may run twice, or on two machines, without harm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog
from django.db import transaction
from django.utils import timezone

from notify import conf, queue, record
from notify.policy import COLLECT_DELIVERIES, MAX_STRIKES, PARTITION_WEEKS_AHEAD, SWEEP_PAGES
from notify.rules.routing import step_of
from notify.store import pages, planning, upkeep
from notify.vocabulary import NotificationStatus, PageRef, PageStep, Priority
from preferences import store as people
from preferences.policy import DEVICE_STALE_AFTER

log = structlog.get_logger(__name__)

#: Work younger than this may be between two transactions; older than the second it is an incident, not a leftover.
_FORGOTTEN_AFTER = timedelta(minutes=15)
_FORGOTTEN_UNTIL = timedelta(days=7)
_FORGOTTEN_LIMIT = 50_000
#: Devices cleaned in one run; the next hour goes on.
_DEVICES_AT_ONCE = 50_000


class Upkeep(msgspec.Struct, frozen=True):
    """What one run of the hourly housekeeping did."""

    partitions_made: int
    partitions_dropped: int
    answers_forgotten: int
    rows_found_again: int
    devices_cleaned: int


def sweep() -> int:
    """Publish every page whose time has come; pages that keep killing workers are taken apart, then buried."""
    with transaction.atomic():
        due = pages.sweep(SWEEP_PAGES)
        fatal = [page for page in due if page.strikes >= MAX_STRIKES]
        pages.take_apart([page.id for page in fatal if page.size > 1])
        buried = pages.take_single([page.id for page in fatal if page.size == 1])
        _bury(buried)
        healthy = [page for page in due if page.strikes < MAX_STRIKES]
        for page in healthy:
            ref = PageRef(page_id=page.id, priority=page.priority, channel=page.channel)
            queue.enqueue(step_of(page.step), [ref])
    stuck = [page for page in healthy if page.sweeps > 0]
    if stuck or fatal:
        log.warning("sweep.stuck", pages=len(stuck), taken_apart=len(fatal) - len(buried), buried=len(buried))
    return len(due)


def collect_due() -> int:
    """Put deliveries whose waiting is over on pages, and publish those."""
    with transaction.atomic():
        due = upkeep.take_due(COLLECT_DELIVERIES)
        groups: dict[tuple[PageStep, str | None, Priority], list[UUID]] = {}
        for one in due:
            groups.setdefault((PageStep.SEND, one.channel, one.priority), []).append(one.id)
        _put_on_pages(groups)
    return len(due)


def maintain() -> Upkeep:
    """The hourly housekeeping: partitions ahead, retention behind, and rows that no page names."""
    found = upkeep.forgotten(_FORGOTTEN_AFTER, _FORGOTTEN_UNTIL, _FORGOTTEN_LIMIT)
    groups: dict[tuple[PageStep, str | None, Priority], list[UUID]] = {}
    for one in found:
        groups.setdefault((one.step, one.channel, one.priority), []).append(one.id)
    with transaction.atomic():
        _put_on_pages(groups)
    if found:
        log.error("sweep.forgotten", rows=len(found))
    return Upkeep(
        upkeep.ensure_partitions(PARTITION_WEEKS_AHEAD),
        upkeep.drop_old_partitions(conf.RETENTION_DAYS),
        upkeep.forget_answers(conf.IDEMPOTENCY_HOURS),
        len(found),
        _clean_devices(),
    )


def _clean_devices() -> int:
    """Devices that no app has confirmed for 90 days are sent to no more, and deleted after as long again."""
    unseen_since = timezone.now() - DEVICE_STALE_AFTER
    stale = people.deactivate_stale(unseen_since, _DEVICES_AT_ONCE)
    return stale + people.delete_inactive(unseen_since - DEVICE_STALE_AFTER, _DEVICES_AT_ONCE)


def _put_on_pages(groups: pages.Groups) -> None:
    """Write and publish pages of ids that share step, channel and priority."""
    for page in pages.insert_groups(groups, now=timezone.now()):
        ref = PageRef(page_id=page.id, priority=page.priority, channel=page.channel)
        queue.enqueue(step_of(page.step), [ref])


def _bury(members: Sequence[tuple[PageStep, UUID]]) -> None:
    """Give up what killed its worker again and again, alone on its page."""
    for step, member in members:
        if step is PageStep.SEND:
            record.bury_delivery(member, "processing it ended its worker repeatedly")
        else:
            planning.set_status([member], NotificationStatus.FAILED)
