"""Campaign steps on the pipeline's seam to the broker."""

from __future__ import annotations

from uuid import UUID

from campaigns.policy import MESSAGE_LIFE
from campaigns.vocabulary import CampaignStep
from notify import queue

#: Served by a pool of its own: reading an audience and writing it out is work that no urgent message waits behind.
CAMPAIGNS = "campaigns"


def enqueue(step: CampaignStep, run_id: UUID, times: int = 1) -> None:
    """Say after the commit that a run waits for a step, to so many workers; unheard within seconds, it is dropped."""
    for _ in range(times):
        queue.publish(step.value, [str(run_id)], CAMPAIGNS, life=MESSAGE_LIFE)


def call_importer() -> None:
    """Say after the commit that files wait to be imported; the tick says it again."""
    queue.publish(CampaignStep.IMPORT_PEOPLE.value, [], CAMPAIGNS, life=MESSAGE_LIFE)
