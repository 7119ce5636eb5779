"""Who gets which wording, and who none: the same person the same, in every run of a campaign."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

from campaigns.policy import BUCKETS


def bucket(campaign_id: UUID, purpose: bytes, recipient_id: int) -> int:
    """Where a person falls, of `BUCKETS`; each purpose deals anew, so a holdout leaves the variants even."""
    digest = blake2b(b"%d" % recipient_id, digest_size=8, key=campaign_id.bytes, person=purpose).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def is_held_out(campaign_id: UUID, percent: float, recipient_id: int) -> bool:
    """Whether somebody belongs to the control group that is told nothing."""
    return percent > 0 and bucket(campaign_id, b"holdout", recipient_id) < percent * BUCKETS / 100


def variant_of(campaign_id: UUID, weights: Sequence[int], recipient_id: int) -> int:
    """Which of the weighted variants somebody gets, as its place among them."""
    if len(weights) == 1:
        return 0
    share = bucket(campaign_id, b"variant", recipient_id) * sum(weights)
    reached = 0
    for place, weight in enumerate(weights):
        reached += weight * BUCKETS
        if share < reached:
            return place
    return len(weights) - 1
