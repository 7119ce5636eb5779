"""Tables of campaigns. Private to this app's store and admin."""

from __future__ import annotations

from enum import StrEnum

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from campaigns.vocabulary import Act, CampaignKind, CampaignStatus, ImportMode, ImportStatus, PauseReason, RunStatus
from notify.vocabulary import Priority


def _choices(words: type[StrEnum]) -> list[tuple[str, str]]:
    return [(str(word), str(word).replace("_", " ")) for word in words]


class Campaign(models.Model):
    """What is told to many, in which words, when and how fast."""

    id = models.UUIDField(primary_key=True)
    kind = models.TextField(choices=_choices(CampaignKind), default=CampaignKind.CAMPAIGN.value)
    name = models.TextField()
    #: The application that asked for it; null where it was written in the admin.
    application = models.ForeignKey("notify.Application", null=True, blank=True, on_delete=models.SET_NULL)
    #: Reaches the sandbox only.
    test = models.BooleanField(default=False)
    type_key = models.TextField()
    #: Empty: the type's own, or the variants'.
    template_id = models.TextField(default="", blank=True)
    priority = models.TextField(choices=_choices(Priority), default=Priority.LOW.value)
    #: Shared variables as JSON, sealed under the master key and bound to the row; what a fan-out tells may name people.
    sealed = models.BinaryField(default=b"")
    #: Null: the type's.
    channels = ArrayField(models.TextField(), null=True, blank=True)
    #: {"segment": "…"}, {"topic": "…"} or {"user_ids": how many}; the people of a list are in `Member`.
    audience = models.JSONField(default=dict)
    max_per_second = models.IntegerField(null=True, blank=True)
    window_hours = models.FloatField(null=True, blank=True)
    schedule_at = models.DateTimeField(null=True, blank=True)
    #: "09:00" on each reader's own clock, on the day of `schedule_at` or of the occurrence.
    local_time = models.TextField(default="", blank=True)
    #: Five fields of cron and a zone, for what comes again and again.
    recurrence = models.TextField(default="", blank=True)
    timezone = models.TextField(default="UTC", blank=True)
    #: [{"name", "template_id", "weight"}].
    variants = models.JSONField(default=list, blank=True)
    holdout_percent = models.FloatField(default=0)
    status = models.TextField(choices=_choices(CampaignStatus), default=CampaignStatus.DRAFT.value)
    pause_reason = models.TextField(choices=_choices(PauseReason), default="", blank=True)
    #: What went wrong, for people.
    error = models.TextField(default="", blank=True)
    #: When it is to be launched (again); null: never by itself.
    next_at = models.DateTimeField(null=True, blank=True)
    #: What the last estimate said: the size above which a second pair of eyes is needed.
    estimated = models.BigIntegerField(null=True, blank=True)
    created_by = models.TextField(default="", blank=True)
    submitted_by = models.TextField(default="", blank=True)
    approved_by = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "campaigns_campaign"
        permissions = [("approve_campaign", "Can approve a campaign that somebody else has submitted")]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="campaign_due"),
            models.Index(fields=["-created_at"], name="campaign_newest"),
            # Those of people, among the many of applications.
            models.Index(fields=["id"], condition=models.Q(kind="campaign"), name="campaign_written"),
        ]


class Member(models.Model):
    """Somebody on a campaign's own list."""

    pk = models.CompositePrimaryKey("campaign_id", "recipient_id")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False)
    recipient_id = models.BigIntegerField()

    class Meta:
        db_table = "campaigns_member"


class Run(models.Model):
    """One occurrence of a campaign: its people are frozen, and each is told once."""

    id = models.UUIDField(primary_key=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="runs")
    #: The instant it was due: two beats launch it once.
    occurrence = models.DateTimeField()
    status = models.TextField(choices=_choices(RunStatus), default=RunStatus.RUNNING.value)
    #: [{"variant", "batch_id", "weight"}]: one batch for each wording.
    batches = models.JSONField(default=list)
    #: Up to which recipient the audience has been read, and the last there was at the start.
    frozen_to = models.BigIntegerField(default=0)
    frozen_end = models.BigIntegerField(default=0)
    #: When the whole audience stood; null: it is being read.
    frozen_at = models.DateTimeField(null=True)
    #: People in the slices made so far; and those left out as a control group.
    total = models.BigIntegerField(default=0)
    #: {first millisecond of ids: how many slices, a millisecond each}: where the run's notifications are found.
    spans = models.JSONField(default=dict)
    held_out = models.BigIntegerField(default=0)
    #: When the next one may be taken, by the pace; it moves with every slice.
    next_take_at = models.DateTimeField(null=True)
    #: What became of the people, as counted from the deliveries at that instant, and how long the counting took.
    counts = models.JSONField(default=dict)
    counted_at = models.DateTimeField(null=True)
    count_ms = models.IntegerField(default=0)
    rate_per_second = models.FloatField(default=0)
    #: Subscribers whose inboxes show it by one row (`notify.broadcasts`); null: everybody is written their own.
    shown_to = models.BigIntegerField(null=True)
    error = models.TextField(default="", blank=True)
    #: When it was last let go on, and its counts then: what had failed before is not held against it again.
    resumed_at = models.DateTimeField(null=True)
    judged_from = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "campaigns_run"
        constraints = [models.UniqueConstraint(fields=["campaign", "occurrence"], name="run_once_per_occurrence")]
        indexes = [
            models.Index(fields=["status"], condition=models.Q(ended_at__isnull=True), name="run_under_way"),
        ]


class Slice(models.Model):
    """People of a run who are told together: what remains of its audience. The row goes with the telling."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, db_index=False)
    #: When they are told at the earliest: the run's start, or the reader's local hour.
    due_at = models.DateTimeField()
    #: The millisecond with which their notifications' ids begin: a slice each, so that ids stay families of few.
    stamp = models.BigIntegerField()
    size = models.IntegerField()
    recipient_ids = ArrayField(models.BigIntegerField())
    claims = models.IntegerField(default=0)
    #: Claims from which nobody came back.
    strikes = models.SmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "campaigns_slice"
        indexes = [models.Index(fields=["run", "due_at", "id"], name="slice_next")]


class Doing(models.Model):
    """Who did what to a campaign, when, and what it changed. Append-only."""

    id = models.BigAutoField(primary_key=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="doings")
    at = models.DateTimeField(auto_now_add=True)
    act = models.TextField(choices=_choices(Act))
    #: A member of staff, an application, or empty: the clock.
    actor = models.TextField(default="", blank=True)
    before = models.TextField(default="", blank=True)
    after = models.TextField(default="", blank=True)
    note = models.TextField(default="", blank=True)

    class Meta:
        db_table = "campaigns_doing"


class Import(models.Model):
    """A file of people: what is done with its rows, and how far that is."""

    id = models.BigAutoField(primary_key=True)
    file_name = models.TextField()
    status = models.TextField(choices=_choices(ImportStatus), default=ImportStatus.UPLOADING.value)
    mode = models.TextField(choices=_choices(ImportMode), default=ImportMode.REPLACE.value)
    #: Looks and reports, and writes nothing.
    dry_run = models.BooleanField(default=False)
    #: Whom it imports subscribes to this topic; empty: to none.
    topic_key = models.TextField(default="", blank=True)
    #: `rules.csv_header.Layout`; null until the first line has been read.
    layout = models.JSONField(null=True)
    size = models.BigIntegerField(default=0)
    #: Bytes and physical lines that are done.
    offset = models.BigIntegerField(default=0)
    line = models.BigIntegerField(default=0)
    created = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    #: Rows that were written, of which the report has something to say.
    noted = models.BigIntegerField(default=0)
    #: Pages that failed since the last one that did not.
    strikes = models.SmallIntegerField(default=0)
    #: What went wrong with the file as a whole, for people; it repeats nothing of it.
    error = models.TextField(default="", blank=True)
    #: The member of staff, or who was at the terminal.
    created_by = models.TextField(default="", blank=True)
    staff_id = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    #: When it was last heard of.
    touched_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    #: When the file and its digests were gone.
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "campaigns_import"
        indexes = [
            models.Index(fields=["id"], condition=models.Q(cleared_at__isnull=True), name="import_to_clear"),
            models.Index(fields=["ended_at"], condition=models.Q(ended_at__isnull=False), name="import_ended"),
        ]


class ImportChunk(models.Model):
    """A piece of a file, packed and sealed under the master key and bound to its place; goes when the import ends."""

    pk = models.CompositePrimaryKey("of", "start")
    of = models.ForeignKey(Import, on_delete=models.CASCADE, db_index=False)
    #: Its first byte in the file.
    start = models.BigIntegerField()
    sealed = models.BinaryField()

    class Meta:
        db_table = "campaigns_import_chunk"


class ImportSeen(models.Model):
    """A user id that a row of the file had, as a keyed digest, and the row's line; goes when the import ends."""

    pk = models.CompositePrimaryKey("of", "digest")
    of = models.ForeignKey(Import, on_delete=models.CASCADE, db_index=False, db_constraint=False)
    digest = models.BigIntegerField()
    line = models.BigIntegerField()

    class Meta:
        db_table = "campaigns_import_seen"


class ImportRefusal(models.Model):
    """A line of the report: a row that was not imported, or not wholly, and why."""

    pk = models.CompositePrimaryKey("of", "line")
    of = models.ForeignKey(Import, on_delete=models.CASCADE, db_index=False, db_constraint=False)
    line = models.BigIntegerField()
    code = models.TextField()
    reason = models.TextField()

    class Meta:
        db_table = "campaigns_import_refusal"
