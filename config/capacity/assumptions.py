"""What the arithmetic takes for granted, each with its unit and its reason: none of it was measured by the bench.

A load's own numbers are options of `manage.py capacity`; these are the platform's.
"""

from __future__ import annotations

from channels import policy
from channels.vocabulary import Channel

#: Requests one worker process keeps in flight to one provider; what is more waits for another round.
STREAMS = {
    Channel.PUSH: policy.HTTP2_CONCURRENCY,
    Channel.EMAIL: policy.HTTP2_CONCURRENCY,
    Channel.SMS: policy.SMS_CONCURRENCY,
    # A row of ours, written by the page.
    Channel.IN_APP: policy.HTTP2_CONCURRENCY,
}

#: How long a web process holds a call, in times of its own CPU: it waits for PostgreSQL about half as long (the bench's
#: calls of one recipient: 1.6 ms of its own, 0.9 ms of PostgreSQL's).
WEB_WAITS = 1.5

#: Beat, the streams' listener, housekeeping and receipts keep a connection each.
OTHER_CONNECTIONS = 4

#: Connections up to which PostgreSQL is spoken to directly: `max_connections` of docker/compose.yaml.
DIRECT_CONNECTIONS = 200

#: Memory of one worker process, in bytes: the bench's pools hold 55 to 75 MB for each.
PROCESS_BYTES = 75_000_000

#: Cores one Redis or Valkey uses for commands, whatever its machine has.
REDIS_CORES = 1

#: Write-ahead log of one primary, in bytes a second: what a replica replays in its one process, with room to catch up.
WAL_PER_PRIMARY = 100_000_000

#: Disk of one primary, in bytes: more takes longer than a night to copy back.
DISK_PER_PRIMARY = 10_000_000_000_000

#: Messages a second through the quorum queues of one RabbitMQ cluster: three nodes, confirms, small bodies.
MESSAGES_PER_BROKER = 20_000

#: Of one person's preferences in a cache, as the requirements estimate it (R024), and as Redis held it (decision 0033).
PREFERENCE_BYTES = 1_000
REMEMBERED_BYTES = 712

#: Of one person's counter of a frequency cap with one place in it (decision 0029).
COUNTER_BYTES = 120

#: Of one line of a log that holds no words (R022), and devices of a person and bytes of one (R024).
LINE_BYTES = 100
DEVICES_EACH = 2
TOKEN_BYTES = 64
