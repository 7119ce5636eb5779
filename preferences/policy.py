"""The numbers of this app, each with its unit and reason."""

from __future__ import annotations

from datetime import timedelta

#: Users in one `POST /v1/users/bulk` (api.md section 3); pages of notifications are as long.
MAX_BULK_USERS = 1_000
#: Users in each list of one `POST /v1/topics/{key}/subscribers`.
MAX_SUBSCRIBERS = 1_000
#: How far the subscribers of a topic are counted for whoever asks: a scan of an index, some milliseconds long.
SUBSCRIBERS_COUNTED_TO = 100_000
#: Phone, tablet, watch, a few browsers and their forgotten predecessors; a notification goes to each of them.
MAX_ACTIVE_DEVICES = 20
#: Rows per person, inactive ones included: beyond it the longest unseen inactive ones go.
MAX_DEVICE_ROWS = 100
#: A token no app has confirmed for so long is not sent to any more, and its row goes (C32).
DEVICE_STALE_AFTER = timedelta(days=90)
#: Temporary failures of an e-mail address, over at least so long and with no delivery between them, that close it: a
#: mailbox full over a holiday is spared.
SOFT_BOUNCES = 5
SOFT_BOUNCES_OVER = timedelta(days=14)
#: Bytes of JSON: attributes are read with every page of recipients.
MAX_ATTRIBUTES_BYTES = 16_384
#: Levels of nesting in attributes; deeper values are of no use to a template or a segment.
MAX_ATTRIBUTES_DEPTH = 8
#: Notification types a person may have settings for; there are rarely a hundred types.
MAX_TYPE_SETTINGS = 500
#: Data keys re-wrapped in one transaction: short enough that nobody waits for their row.
ROTATION_PAGE = 1_000
#: Seconds Redis remembers who people are, what they allow and where they are reached, and which devices they have
#: (C16). Changes are told at once; this bounds what memory holds.
FACTS_SECONDS = 300
DEVICES_SECONDS = 3_600
#: Seconds from a question to Redis within which what was then read from PostgreSQL may be kept.
FACTS_MARK_SECONDS = 10
#: Changes of more people in one transaction are told as "anybody": an import is one word to each process.
FACTS_NAMED_CHANGES = 50
#: Seconds after which a process asks again whether what Redis holds is of this start of its server and of this epoch.
SEASON_SECONDS = 5.0
#: People of a page up to which a process remembers them by itself, how many of them, and for how many seconds: a few
#: megabytes, for whoever is told several things in a row.
NEARBY_PAGE = 20
NEARBY_PEOPLE = 1_000
NEARBY_SECONDS = 10.0
#: Entries of the consent ledger read at once for an auditor.
LEDGER_PAGE = 5_000
#: How long the link that confirms marketing is good: a mail is found within days, or was not wanted.
CONFIRM_WITHIN = timedelta(days=7)
#: Nobody gets a second such mail sooner, however often an application asks.
CONFIRM_AGAIN_AFTER = timedelta(hours=1)
#: What a segment may hold: a thousand ids in a list and some conditions fit, and PostgreSQL plans it in milliseconds.
MAX_SEGMENT_CHARS = 50_000
MAX_SEGMENT_CONDITIONS = 100
MAX_SEGMENT_VALUES = 1_000
#: Levels of brackets and NOT.
MAX_SEGMENT_DEPTH = 20
#: Digits of a number in a segment.
MAX_SEGMENT_DIGITS = 40
#: How far back or ahead of now a segment may look, in days: a hundred years.
MAX_SEGMENT_DAYS = 36_525
#: Seconds a count may take before it is estimated, and then each try of the estimate.
COUNT_SECONDS = 1.5
ESTIMATE_SECONDS = 1.5
#: Seconds for a look at some people of an audience: it is shown without them rather than late.
SAMPLE_SECONDS = 0.5
#: What is looked at for an estimate: windows spread over all ids, each of so many, or of fewer where time is short. A
#: share of 5 % comes out within 3 % of itself, and within 10 % from the narrow ones.
SAMPLE_WINDOWS = 400
SAMPLE_WIDTHS = (250, 25)
