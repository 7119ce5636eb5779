"""The words of campaigns. Every member is explained in docs/glossary.md, and a test holds the two together."""

from __future__ import annotations

from enum import StrEnum


class CampaignStep(StrEnum):
    """The Celery tasks of campaigns; a member's value is the task's name and part of the wire contract."""

    LAUNCH = "campaigns.launch"
    FREEZE = "campaigns.freeze"
    FAN_OUT = "campaigns.fan_out"
    WATCH = "campaigns.watch"
    IMPORT_PEOPLE = "campaigns.import_people"


class CampaignKind(StrEnum):
    """Where a campaign comes from: all go the same way."""

    #: Written by people, approved, and scheduled.
    CAMPAIGN = "campaign"
    #: One call of an application, created and started at once.
    BULK = "bulk"
    #: What happened to somebody is told to their followers.
    FANOUT = "fanout"


class CampaignStatus(StrEnum):
    """Where a campaign stands; the allowed changes are in rules/transitions.py."""

    DRAFT = "draft"
    PENDING_APPROVAL = "pending_approval"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"


class RunStatus(StrEnum):
    """Where one occurrence of a campaign stands."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"


class Act(StrEnum):
    """What is done to a campaign, by people or by the clock; each is kept with who did it."""

    CREATE = "create"
    CHANGE = "change"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    LAUNCH = "launch"
    COMPLETE = "complete"
    FAIL = "fail"


class PauseReason(StrEnum):
    """Why a campaign stands still."""

    ASKED = "asked"
    ERRORS = "errors"
    COMPLAINTS = "complaints"
    WINDOW_OVER = "window_over"


class ImportMode(StrEnum):
    """What a row of a file does to somebody who is there already."""

    #: As PUT: what the row leaves empty is unknown from then on.
    REPLACE = "replace"
    #: As PATCH: what the row leaves empty stays.
    MERGE = "merge"


class ImportStatus(StrEnum):
    """Where an import stands."""

    #: Its file is coming in.
    UPLOADING = "uploading"
    #: Its rows are being written.
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
