"""The housekeepers: what is due, stuck or old. Each may run twice, or on two machines, without harm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog
from django.db import transaction
from django.utils import timezone

from channels import inbox
from notify import conf, forget, queue, record, reschedule
from notify.policy import (
    COLLECT_AHEAD,
    COLLECT_DELIVERIES,
    MAX_STRIKES,
    PAGE_SIZE,
    PARTITION_WEEKS_AHEAD,
    RECEIPTS_KEPT,
    SWEEP_PAGES,
)
from notify.rules.decision import UNTIL_EASED, UNTIL_NORMAL, UNTIL_RESUMED, eased
from notify.rules.routing import step_of
from notify.store import broadcasts, digests, modes, pages, planning, receipts, upkeep
from notify.store.backlog import pages_to_send
from notify.vocabulary import NotificationStatus, PageRef, PageStep, Priority
from preferences import store as people
from preferences.policy import DEVICE_STALE_AFTER
from preferences.store import topics

log = structlog.get_logger(__name__)

#: Work younger than this may be between two transactions; older than the second it is an incident, not a leftover.
_FORGOTTEN_AFTER = timedelta(minutes=15)
_FORGOTTEN_UNTIL = timedelta(days=7)
_FORGOTTEN_LIMIT = 50_000
#: Devices cleaned in one run; the next hour goes on.
_DEVICES_AT_ONCE = 50_000
_RECEIPTS_AT_ONCE = 500_000
#: Inbox entries deleted in one go: an hour brings fewer, but for the largest.
_ENTRIES_AT_ONCE = 50_000
#: Subscriptions of deleted topics: a second or two an hour, some millions a day. Nobody waits for it.
_SUBSCRIPTIONS_AT_ONCE = 200_000
#: The queue's other work waits so long at most.
_FORGETTING = timedelta(seconds=10)


class Upkeep(msgspec.Struct, frozen=True):
    """What one run of the hourly housekeeping did."""

    partitions_made: int
    partitions_dropped: int
    answers_forgotten: int
    rows_found_again: int
    devices_cleaned: int
    receipts_forgotten: int
    digests_forgotten: int
    erasures_finished: int
    schedules_moved: int
    words_cleared: int
    entries_pruned: int
    subscriptions_removed: int
    broadcasts_forgotten: int


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
    """Put deliveries on pages whose instant has come, or that a pause or a mode held back and does no longer.

    What is urgent first. Of the rest no more than the workers have in hand for a while: a night's end may release a
    million at once, which wait in their rows rather than in the broker.
    """
    instants = eased(modes.current_mode())
    with transaction.atomic():
        digests.combine(COLLECT_DELIVERIES)
        due: list[upkeep.DueDelivery] = []
        for priority in Priority:
            due += _collect(priority, instants, min(_room(priority), COLLECT_DELIVERIES - len(due)))
        groups: dict[tuple[PageStep, str | None, Priority], list[UUID]] = {}
        for one in due:
            groups.setdefault((PageStep.SEND, one.channel, one.priority), []).append(one.id)
        _put_on_pages(groups)
    return len(due)


def _room(priority: Priority) -> int:
    """How many deliveries more may be on their way. What is yet to be planned comes after them, and does not count."""
    if priority.is_urgent:
        return COLLECT_DELIVERIES
    return max(0, COLLECT_AHEAD - pages_to_send(priority)) * PAGE_SIZE


def _collect(priority: Priority, instants: Sequence[datetime], most: int) -> list[upkeep.DueDelivery]:
    """Up to so many deliveries of a priority that need wait no longer."""
    if most <= 0:
        return []
    due = upkeep.take_due(priority, most)
    due += upkeep.take_held(priority, instants, most - len(due))
    due += upkeep.take_resumed(priority, UNTIL_RESUMED, most - len(due))
    return due


def maintain() -> Upkeep:
    """The hourly housekeeping: partitions ahead, retention behind, and rows that no page names."""
    found = upkeep.forgotten(_FORGOTTEN_AFTER, _FORGOTTEN_UNTIL, _FORGOTTEN_LIMIT)
    groups: dict[tuple[PageStep, str | None, Priority], list[UUID]] = {}
    for one in found:
        groups.setdefault((one.step, one.channel, one.priority), []).append(one.id)
    with transaction.atomic():
        _put_on_pages(groups)
        upkeep.let_expire([UNTIL_RESUMED, UNTIL_EASED, UNTIL_NORMAL])
    if found:
        log.error("sweep.forgotten", rows=len(found))
    return Upkeep(
        upkeep.ensure_partitions(PARTITION_WEEKS_AHEAD),
        upkeep.drop_old_partitions(conf.RETENTION_DAYS),
        upkeep.forget_answers(conf.IDEMPOTENCY_HOURS),
        len(found),
        _clean_devices(),
        receipts.forget_old(RECEIPTS_KEPT, _RECEIPTS_AT_ONCE),
        digests.forget(RECEIPTS_KEPT, _RECEIPTS_AT_ONCE),
        forget.finish_erasures(now=timezone.now(), budget=_FORGETTING),
        reschedule.follow_the_clocks(now=timezone.now()),
        forget.clear_old_words(now=timezone.now(), budget=_FORGETTING),
        inbox.prune_inbox(timezone.now() - timedelta(days=conf.RETENTION_DAYS), _ENTRIES_AT_ONCE),
        topics.clear_deleted(_SUBSCRIPTIONS_AT_ONCE),
        broadcasts.forget(timezone.now() - timedelta(days=conf.RETENTION_DAYS)),
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
