"""When an account that calls tokens dead is to be doubted rather than the tokens."""

from __future__ import annotations

import msgspec

from notify.policy import BAD_TOKEN_MINIMUM, BAD_TOKEN_SHARE


class Window(msgspec.Struct, frozen=True, gc=False):
    """How many tokens an account was asked about since `since`, and how many it called dead."""

    #: Of a clock that never goes back, in seconds.
    since: float
    asked: int = 0
    bad: int = 0

    def after(self, asked: int, bad: int, now: float, length: float) -> Window:
        """The window with a page more; one that is over carries half of what it saw into the next."""
        if now - self.since > length:
            is_recent = now - self.since < 2 * length
            carried = Window(now, self.asked // 2, self.bad // 2) if is_recent else Window(now)
            return carried.after(asked, bad, now, length)
        return Window(self.since, self.asked + asked, self.bad + bad)


def is_suspect(window: Window) -> bool:
    """Whether so many are dead that the fault is more likely ours: the wrong environment, project or sender."""
    return window.bad >= BAD_TOKEN_MINIMUM and window.bad > window.asked * BAD_TOKEN_SHARE
