"""The numbers of this app, each with its unit and reason."""

from __future__ import annotations

from datetime import timedelta

#: Users in one `POST /v1/users/bulk` (api.md section 3); pages of notifications are as long.
MAX_BULK_USERS = 1_000
#: Phone, tablet, watch, a few browsers and their forgotten predecessors; a notification goes to each of them.
MAX_ACTIVE_DEVICES = 20
#: Rows per person, inactive ones included: beyond it the longest unseen inactive ones go.
MAX_DEVICE_ROWS = 100
#: A token no app has confirmed for so long is not sent to any more, and its row goes (C32).
DEVICE_STALE_AFTER = timedelta(days=90)
#: Bytes of JSON: attributes are read with every page of recipients.
MAX_ATTRIBUTES_BYTES = 16_384
#: Levels of nesting in attributes; deeper values are of no use to a template or a segment.
MAX_ATTRIBUTES_DEPTH = 8
#: Notification types a person may have settings for; there are rarely a hundred types.
MAX_TYPE_SETTINGS = 500
#: Data keys re-wrapped in one transaction: short enough that nobody waits for their row.
ROTATION_PAGE = 1_000
