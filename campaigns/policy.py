"""The numbers of campaigns, each with its reason. What an operator may change is in `conf`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

#: People of a slice: the page size of the pipeline, where its cost per person has its knee.
SLICE_SIZE: Final = 500
#: Recipient ids looked at in one statement while an audience is read: some 0.1 s, whatever the segment finds.
FREEZE_WINDOW: Final = 100_000
#: How long one freezing or fanning-out task goes on before it lets others have the process.
TASK_BUDGET: Final = timedelta(seconds=5)
#: How long a slice belongs to who took it: as long as a page of the pipeline.
SLICE_LEASE: Final = timedelta(seconds=45)
#: Claims from which nobody came back, after which a slice is told one by one; alone it is given up.
MAX_STRIKES: Final = 3
#: Tasks of one run that work at the same time: published anew every second, dropped when nobody was free.
WORKERS_PER_RUN: Final = 4
#: A message that waited so long is dropped: the next tick has published another.
MESSAGE_LIFE: Final = timedelta(seconds=2)
#: What an idle pace may save up: a run never bursts by more.
PACE_BURST: Final = timedelta(seconds=2)
#: Counting may take a fiftieth of a machine: after a count of 1 s the next is 50 s away, never less than `COUNT_EVERY`.
COUNT_SHARE: Final = 50
COUNT_EVERY: Final = timedelta(seconds=2)
#: A run is watched for complaints and failures from this many answers on: before that one is chance.
JUDGED_FROM: Final = 500
#: Runs looked at by one tick.
RUNS_AT_ONCE: Final = 200
#: Buckets people are dealt into for variants and holdouts: a ten-thousandth each.
BUCKETS: Final = 10_000
#: Bytes of a file of people, some twenty million rows; of one of its rows, four times what attributes may take; and of
#: one cell that is no attribute, as the API has it.
MAX_CSV_BYTES: Final = 2 * 1024**3
MAX_CSV_ROW_BYTES: Final = 65_536
MAX_CSV_CELL: Final = 320
#: Columns of such a file: attributes are read with every page of recipients.
MAX_CSV_COLUMNS: Final = 200
#: Bytes of a file sealed together in PostgreSQL.
CSV_CHUNK_BYTES: Final = 262_144
#: Rows of a file written in one transaction: by the worker, which others wait for, and by the command.
IMPORT_PAGE: Final = 2_000
COMMAND_PAGE: Final = 5_000
#: Pages the command has in hand: two are written while the next is read.
COMMAND_WRITERS: Final = 2
#: How long one task goes on with an import before it lets others have the process.
IMPORT_BUDGET: Final = timedelta(seconds=1)
#: Failures of one page after which an import is given up.
IMPORT_STRIKES: Final = 5
#: Refused rows that are kept with their reason; more are only counted.
MAX_REPORTED: Final = 1_000_000
#: An upload or a command of which nothing was heard for so long is gone.
IMPORT_SILENCE: Final = timedelta(hours=1)
#: How long the report of an import is kept. It holds lines and reasons, nothing of the people.
IMPORT_KEPT: Final = timedelta(days=90)
#: Rows cleared away in one statement.
IMPORT_CLEARED: Final = 50_000
#: A recurring campaign that nobody could launch for so long skips that time: yesterday's news is not told today.
MISSED_AFTER: Final = timedelta(hours=6)
#: Deliveries of a cancelled run that are ended in one statement.
CANCEL_AT_ONCE: Final = 5_000
#: How long an ended run is still counted, since receipts come for days; and how often.
COUNTED_FOR: Final = timedelta(days=3)
COUNT_ENDED_EVERY: Final = timedelta(minutes=5)

#: The application whose name stands on what people send from the admin.
OURSELVES: Final = "carillon"

# --- What is asked of the API.

#: People on a campaign's own list; more are a segment or a topic.
MAX_LISTED: Final = 100_000
#: User ids of such a list that are looked up in one statement.
RESOLVE_PAGE: Final = 10_000
#: People of a list that are not known and are named in the answer; the others are counted.
REJECTED_SHOWN: Final = 1_000
#: Bytes of a body that holds such a list, with ids as long as UUIDs and some room.
MAX_CAMPAIGN_BYTES: Final = 8 * 1024**2
#: Wordings of one campaign: with more, none gets enough readers to be told from chance.
MAX_VARIANTS: Final = 10
#: People who may get a campaign as a test in one call.
MAX_TESTERS: Final = 20
#: How far a fan-out's audience is counted before the answer: some milliseconds, however many they are.
FANOUT_COUNTED_TO: Final = 100_000
#: People of an audience whose decisions an estimate is drawn from: a share of half is then known to 4.4 points.
ESTIMATE_SAMPLE: Final = 500
#: People a second that a small machine tells where nothing holds it back: under half of what was measured on two cores
#: (docs/performance.md), for an estimate that is rather too long than too short.
USUAL_RATE: Final = 3_000
#: A run of which providers take less than half rests so long: what they refuse waits in rows, and not by the million.
REFUSED_REST: Final = timedelta(seconds=5)
