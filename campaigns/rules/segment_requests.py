"""What callers ask about segments, and what they are told."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from preferences.policy import MAX_SEGMENT_CHARS


class PreviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment to look at."""

    segment: Annotated[str, Meta(max_length=MAX_SEGMENT_CHARS)]


class PersonInSegment(msgspec.Struct, frozen=True):
    """Somebody of the segment, without addresses; what nobody has told is empty."""

    user_id: str
    country_code: str
    locale: str
    timezone: str


class Preview(msgspec.Struct, frozen=True):
    """How many, and some of them."""

    #: Active users whom the segment means.
    count: int
    #: Counting took too long: `count` was made from a sample, and has three digits that mean something.
    is_estimate: bool
    #: Up to five, from the whole range of users.
    sample: list[PersonInSegment]
