"""Many addresses refused at once are our account mixed up, and not so many dead devices.

A sandbox token sent to production, a token of another project: each alone looks like a device that is gone.
Deactivating all of them would be an outage nobody can undo, so beyond a share of what was answered lately they count as
a fault of the configuration (`providers.md` 3.1 and 3.2).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from channels.vocabulary import SendOutcome, SendResult

#: What says whether the provider knew the address.
_TELLING = frozenset({SendOutcome.ACCEPTED, SendOutcome.BAD_RECIPIENT})


class Mismatches(msgspec.Struct, kw_only=True):
    """One account's refused addresses as a share of its answers lately: over this page, and some before it."""

    #: Codes that a mix-up gives, and a dead device too.
    codes: Collection[str]
    #: From so many on, and from this share of the answers on, it is a mix-up.
    least: int
    share: float
    #: Answers after which the past counts half.
    window: int
    answered: float = 0.0
    refused: float = 0.0

    def judged(self, results: list[SendResult]) -> list[SendResult]:
        """The page's results; with a mix-up, its refusals as `misconfigured`."""
        suspects = [at for at, one in enumerate(results) if self._is_suspect(one)]
        self.answered += sum(one.outcome in _TELLING for one in results)
        self.refused += len(suspects)
        mixed_up = self.refused >= self.least and self.refused > self.answered * self.share
        if self.answered > self.window:
            self.answered, self.refused = self.answered / 2, self.refused / 2
        if not mixed_up:
            return results
        judged = list(results)
        for at in suspects:
            judged[at] = msgspec.structs.replace(results[at], outcome=SendOutcome.MISCONFIGURED)
        return judged

    def _is_suspect(self, result: SendResult) -> bool:
        return result.outcome is SendOutcome.BAD_RECIPIENT and result.code in self.codes
