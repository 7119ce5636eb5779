"""What answers and receipts prove about addresses, and what follows for those who have them.

An address that is dead, or whose owner said no, is closed in the same minute: who goes on sending to it is called a
spammer. Nobody learns anything from a test message.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog

from channels.vocabulary import Channel, ReceiptKind, SendOutcome, SendResult
from notify.policy import BAD_TOKEN_WINDOW
from notify.rules.bad_tokens import Window, is_suspect
from preferences import store as people
from preferences.rules.suppression import bounce_stories
from preferences.vocabulary import ConsentActor, ConsentMeans, Origin, SuppressionReason

log = structlog.get_logger(__name__)

_REASONS = {
    ReceiptKind.BOUNCED: SuppressionReason.HARD_BOUNCE,
    ReceiptKind.COMPLAINED: SuppressionReason.COMPLAINT,
    ReceiptKind.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBE,
}
#: Whoever says this of mail wants no advertising.
_NO_MORE = {
    ReceiptKind.COMPLAINED: Origin(means=ConsentMeans.COMPLAINT, actor=ConsentActor.PROVIDER),
    ReceiptKind.UNSUBSCRIBED: Origin(means=ConsentMeans.UNSUBSCRIBE_LINK, actor=ConsentActor.PROVIDER),
}
_ARRIVALS = frozenset({ReceiptKind.DELIVERED, ReceiptKind.OPENED, ReceiptKind.CLICKED})


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of an address now."""

    channel: Channel
    kind: ReceiptKind
    at: datetime
    #: Blind index of the address; empty: unknown, or a device.
    index: bytes = b""
    device_id: int | None = None
    recipient_id: int | None = None


class PushAnswer(msgspec.Struct, frozen=True, gc=False):
    """What an account said of the token of a device."""

    device_id: int | None
    result: SendResult


#: What this process has seen of each account: a sandbox key shows itself to every process alike.
_windows: dict[str, Window] = {}


def apply(findings: Sequence[Finding]) -> None:
    """Draw the consequences, in a fixed number of statements."""
    closed: dict[tuple[Channel, SuppressionReason], list[bytes]] = {}
    for one in findings:
        if one.index and one.kind in _REASONS:
            closed.setdefault((one.channel, _REASONS[one.kind]), []).append(one.index)
    for (channel, reason), indexes in sorted(closed.items()):
        people.suppress(indexes, channel, reason)
    _count_failures(findings)
    _stop_marketing(findings)
    dead = {one.device_id: one.at for one in findings if one.kind is ReceiptKind.BOUNCED and one.device_id is not None}
    people.deactivate_rejected(dead)


def sort_out_devices(answers: Sequence[PushAnswer]) -> None:
    """Stop using devices whose tokens their provider calls dead, unless an account calls too many so."""
    suspects = _suspects([one.result for one in answers])
    dead = {
        one.device_id: _dead_since(one.result)
        for one in answers
        if one.device_id is not None and _is_dead(one.result) and one.result.provider not in suspects
    }
    people.deactivate_rejected(dead)


def _suspects(results: Sequence[SendResult]) -> set[str]:
    """Accounts that call so many tokens dead that the account itself is in doubt; each is an alert."""
    asked = Counter(one.provider for one in results)
    bad = Counter(one.provider for one in results if _is_dead(one))
    now, found = time.monotonic(), set()
    for account, count in asked.items():
        window = _windows.get(account) or Window(now)
        window = _windows[account] = window.after(count, bad[account], now, BAD_TOKEN_WINDOW.total_seconds())
        if bad[account] and is_suspect(window):
            found.add(account)
            log.error("push.tokens_doubted", provider=account, asked=window.asked, called_dead=window.bad)
    return found


def _is_dead(result: SendResult) -> bool:
    return result.outcome is SendOutcome.BAD_RECIPIENT or result.receipt is ReceiptKind.BOUNCED


def _dead_since(result: SendResult) -> datetime:
    """A device that registered again since then has a new token, of which nothing is known yet."""
    return datetime.fromtimestamp(result.started_at if result.gone_since is None else result.gone_since, UTC)


def _count_failures(findings: Iterable[Finding]) -> None:
    """Temporary failures of mail addresses; the one too many closes the address."""
    kinds = _ARRIVALS | {ReceiptKind.SOFT_BOUNCED}
    mails = (one for one in findings if one.channel is Channel.EMAIL and one.index and one.kind in kinds)
    exhausted = people.note_bounces(bounce_stories((one.index, one.at, one.kind in _ARRIVALS) for one in mails))
    people.suppress(exhausted, Channel.EMAIL, SuppressionReason.SOFT_BOUNCE)


def _stop_marketing(findings: Iterable[Finding]) -> None:
    mails = [one for one in findings if one.channel is Channel.EMAIL]
    for kind, origin in _NO_MORE.items():
        said = [one for one in mails if one.kind is kind]
        people.stop_marketing(
            {one.recipient_id for one in said if one.recipient_id is not None},
            {one.index for one in said if one.index},
            origin,
        )
