"""A campaign whose hour has come becomes a run: once, whoever looks, and however often."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db import transaction

from campaigns import conf, queue
from campaigns.policy import MISSED_AFTER, OURSELVES, RUNS_AT_ONCE, WORKERS_PER_RUN
from campaigns.rules.occurrences import occurrence_after
from campaigns.store import campaigns, runs, slices
from campaigns.store.campaigns import CampaignRow, Variant
from campaigns.store.runs import RunBatch, RunRow
from campaigns.vocabulary import Act, CampaignStatus, CampaignStep, RunStatus
from channels.vocabulary import Channel
from notify import broadcasts
from notify.conf import FANOUT_THRESHOLD
from notify.rules.ids import ENTROPY, new_ids
from notify.rules.ready import batch_place
from notify.store import intake, keys, templates, types
from notify.vocabulary import TypeRow
from preferences.store import audience, topics

log = structlog.get_logger(__name__)

_BEFORE = timedelta(milliseconds=1)


class _Wording(msgspec.Struct, frozen=True):
    """One variant with the template version it is bound to."""

    variant: Variant
    version_id: int | None


class _Topic(msgspec.Struct, frozen=True):
    """A topic too large to write into every inbox."""

    id: int
    size: int


def launch(now: datetime) -> int:
    """Launch what is due, and call workers to every run that has something to do; answers how many were launched.

    Two beats, or one that was killed and comes again, find the campaign's row held, moved on, or its run made.
    """
    with transaction.atomic():
        due = campaigns.due(now, RUNS_AT_ONCE)
        for campaign in due:
            _try(campaign, now)
    _call_workers(now)
    return len(due)


def _try(campaign: CampaignRow, now: datetime) -> None:
    try:
        with transaction.atomic():
            _launch(campaign, now)
    except Exception:  # of one campaign, whatever it is; the others are launched all the same, and this one tried again
        log.exception("campaign.not_launched", campaign=str(campaign.id))


def _launch(campaign: CampaignRow, now: datetime) -> None:
    occurrence = campaign.next_at or now
    following = occurrence_after(campaign, occurrence)
    if campaign.recurrence and now - occurrence > MISSED_AFTER:
        campaigns.move(campaign.id, {"next_at": following})
        _note(campaign, Act.LAUNCH, campaign.status, f"{occurrence.isoformat()} was missed and is not made up for")
        return
    kind = types.type_for(campaign.type_key)
    wordings = _wordings(campaign, kind)
    if kind is None or not wordings:
        _fail(campaign, "its type or a template it names is not there any more, or not published")
        return
    run = _run(campaign, kind, wordings, occurrence, now)
    campaigns.move(campaign.id, {"status": CampaignStatus.RUNNING, "next_at": following, "error": ""})
    if run is not None:
        _note(campaign, Act.LAUNCH, CampaignStatus.RUNNING, occurrence.isoformat())
        queue.enqueue(CampaignStep.FREEZE, run.id)


def _run(
    campaign: CampaignRow, kind: TypeRow, wordings: Sequence[_Wording], occurrence: datetime, now: datetime
) -> RunRow | None:
    """Write the run of an occurrence and a batch for each wording; None: it has one."""
    names = new_ids(len(wordings) + 1, now=now, entropy=os.urandom((len(wordings) + 1) * ENTROPY))
    topic = _shown_topic(campaign, kind)
    run = RunRow(
        id=names[0],
        campaign_id=campaign.id,
        occurrence=occurrence,
        status=RunStatus.RUNNING,
        batches=[
            RunBatch(variant=one.variant.name, batch_id=name, weight=one.variant.weight)
            for name, one in zip(names[1:], wordings, strict=True)
        ],
        frozen_end=audience.last_id() if topic is None or _channels(campaign, kind) != [Channel.IN_APP] else 0,
        shown_to=topic.size if topic is not None else None,
        started_at=now,
    )
    if not runs.insert(run):
        return None
    variables = (
        conf.KEYRING.unseal_blob(campaign.sealed, b"campaign:" + campaign.id.bytes) if campaign.sealed else b"{}"
    )
    application_id = campaign.application_id or keys.application_named(OURSELVES)
    for batch, wording in zip(run.batches, wordings, strict=True):
        intake.insert_batch(_batch(campaign, kind, run, batch, wording, variables, application_id))
        if topic is not None:
            expires_at = now + timedelta(seconds=kind.ttl_seconds) if kind.ttl_seconds else None
            # Its readers' ids begin before the run's: who touches it is nobody that the run counts.
            broadcasts.publish(batch.batch_id, topic.id, expires_at=expires_at, now=now - _BEFORE)
    return run


def _shown_topic(campaign: CampaignRow, kind: TypeRow) -> _Topic | None:
    """The topic in whose many inboxes one row shows it; None: everybody has their own.

    What differs from person to person, or leaves some out, cannot be shown so.
    """
    key = campaign.audience.get("topic")
    differs = campaign.test or campaign.local_time or campaign.holdout_percent or len(campaign.variants) > 1
    if key is None or differs or Channel.IN_APP not in _channels(campaign, kind):
        return None
    topic_id = topics.topic_id_of(key)
    if topic_id is None or topics.size_up_to(topic_id, FANOUT_THRESHOLD + 1) <= FANOUT_THRESHOLD:
        return None
    counted = audience.count(audience.of_topic(topic_id))
    return _Topic(topic_id, counted.number)


def _channels(campaign: CampaignRow, kind: TypeRow) -> list[Channel]:
    return campaign.channels if campaign.channels is not None else [Channel(word) for word in kind.channels]


def _batch(
    campaign: CampaignRow,
    kind: TypeRow,
    run: RunRow,
    batch: RunBatch,
    wording: _Wording,
    variables: bytes,
    application_id: int,
) -> intake.NewBatch:
    metadata: dict[str, Any] = {"campaign_id": str(campaign.id), "run_id": str(run.id)}
    if wording.variant.name:
        metadata["variant"] = wording.variant.name
    return intake.NewBatch(
        id=batch.batch_id,
        application_id=application_id,
        type_key=kind.key,
        priority=campaign.priority,
        template_version_id=wording.version_id,
        channels=_written_out(campaign, kind, run),
        fallback_channels=[],
        collapse_key=None,
        metadata=metadata,
        test=campaign.test,
        trace_id=run.id.hex,
        request_id=str(run.id),
        total=0,
        created_at=run.started_at,
        sealed=conf.KEYRING.seal_blob(variables, batch_place(batch.batch_id)),
    )


def _written_out(campaign: CampaignRow, kind: TypeRow, run: RunRow) -> list[Channel] | None:
    """The channels on which everybody gets a delivery of their own; None: the type's."""
    if run.shown_to is None:
        return campaign.channels
    return [channel for channel in _channels(campaign, kind) if channel is not Channel.IN_APP]


def _wordings(campaign: CampaignRow, kind: TypeRow | None) -> list[_Wording]:
    """The variants with the versions published now: what is edited later changes nothing of this run."""
    usual = campaign.template_id or (kind.template_id if kind is not None else None) or ""
    variants = campaign.variants or [Variant(name="", template_id=usual, weight=1)]
    pinned = [(one, templates.published(one.template_id or usual)) for one in variants]
    if any(version is None for _, version in pinned):
        return []
    return [_Wording(one, version.version_id) for one, version in pinned if version is not None]


def _call_workers(now: datetime) -> None:
    """Every second: runs that are being frozen, or have people who may be told now."""
    running = [run for run in runs.under_way(RUNS_AT_ONCE) if run.status is RunStatus.RUNNING]
    left = slices.remaining([run.id for run in running]) if running else {}
    for run in running:
        if run.frozen_at is None:
            queue.enqueue(CampaignStep.FREEZE, run.id)
        due_at = left[run.id].next_due_at if run.id in left else None
        if due_at is not None and due_at <= now + timedelta(seconds=1):
            queue.enqueue(CampaignStep.FAN_OUT, run.id, times=WORKERS_PER_RUN)


def _fail(campaign: CampaignRow, why: str) -> None:
    campaigns.move(campaign.id, {"status": CampaignStatus.FAILED, "next_at": None, "error": why})
    _note(campaign, Act.FAIL, CampaignStatus.FAILED, why)
    log.error("campaign.failed", campaign=str(campaign.id), why=why)


def _note(campaign: CampaignRow, act: Act, status: CampaignStatus | UUID, note: str) -> None:
    campaigns.note(campaign.id, act, actor="", before=campaign.status, after=str(status), note=note)
