"""The straight line from few recipients of an event to many: what a page costs, and what each notification adds."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from notify.policy import PAGE_SIZE

#: A struct of numbers.
Amounts = TypeVar("Amounts", bound=msgspec.Struct)


class Line(msgspec.Struct, Generic[Amounts], frozen=True, kw_only=True):
    """`page` for each page, however few are on it, and `each` for each notification."""

    page: Amounts
    each: Amounts

    def at(self, recipients: float) -> Amounts:
        """What one notification costs, where an event has so many recipients."""
        page, share = msgspec.structs.asdict(self.page), pages_each(recipients)
        parts = {part: each + share * page[part] for part, each in msgspec.structs.asdict(self.each).items()}
        return type(self.each)(**parts)


def pages_each(recipients: float) -> float:
    """Pages for one notification, where an event has so many recipients: whole pages hold 500."""
    return -(-recipients // PAGE_SIZE) / recipients


def line_through(few: Amounts, few_recipients: float, many: Amounts, many_recipients: float) -> Line[Amounts]:
    """The line through what one notification cost in two runs; no part of it goes below nothing."""
    near, far = pages_each(few_recipients), pages_each(many_recipients)
    low = msgspec.structs.asdict(many)
    page = {part: max(0.0, (high - low[part]) / (near - far)) for part, high in msgspec.structs.asdict(few).items()}
    each = {part: max(0.0, value - page[part] * far) for part, value in low.items()}
    kind = type(few)
    return Line(page=kind(**page), each=kind(**each))
