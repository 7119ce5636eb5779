"""Which queue a step of a page waits in."""

from __future__ import annotations

from notify.vocabulary import PageStep, Priority, Step

HOUSEKEEPING = "housekeeping"
RECEIPTS = "receipts"


def queue_for(step: Step, priority: Priority | None = None, channel: str | None = None) -> str:
    """`plan.<priority>`, `render.<priority>` or `dispatch.<channel>.<priority>`; receipts have a queue for all."""
    if step is Step.RECEIVE:
        return RECEIPTS
    if step is Step.PLAN:
        return f"plan.{priority}"
    if step is Step.RENDER:
        return f"render.{priority}"
    if step is Step.DISPATCH:
        return f"dispatch.{channel}.{priority}"
    return HOUSEKEEPING


def step_of(page_step: PageStep) -> Step:
    """The task that takes a waiting page on. A page to send starts at its rendering: content is not stored."""
    return Step.RENDER if page_step is PageStep.SEND else Step.PLAN
