"""What a provider's answer makes of a delivery."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel, ReceiptKind, SendOutcome, SendResult
from notify.policy import MAX_AMBIGUOUS, RETRIES
from notify.rules.outcome import EXPIRED, UNKNOWN, Outcome, Tried, ambiguous_in, decide, may_repeat
from notify.vocabulary import DeliveryStatus, Priority, ReasonCode
from preferences.vocabulary import Category

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = RETRIES[Priority.MEDIUM]


def outcome(
    kind: SendOutcome,
    *,
    attempts: int = 1,
    expires_in: float | None = None,
    ambiguous: int = 0,
    may_repeat: bool = False,
    can_turn_aside: bool = False,
    **more: object,
) -> Outcome:
    result = SendResult(id=UUID(int=1), outcome=kind, started_at=0.0, latency_ms=0.0, **more)  # type: ignore[arg-type] # any field of the result
    expires_at = None if expires_in is None else NOW + timedelta(seconds=expires_in)
    tried = Tried(
        attempts=attempts,
        planned_at=NOW - timedelta(hours=1),
        expires_at=expires_at,
        ambiguous=ambiguous,
        may_repeat=may_repeat,
        can_turn_aside=can_turn_aside,
    )
    return decide(result, tried, POLICY, now=NOW, chance=1.0)


def test_an_accepted_message_is_sent_and_a_known_receipt_says_more() -> None:
    assert outcome(SendOutcome.ACCEPTED) == Outcome(DeliveryStatus.SENT)
    assert outcome(SendOutcome.ACCEPTED, receipt=ReceiptKind.DELIVERED).status is DeliveryStatus.DELIVERED
    bounced = outcome(SendOutcome.ACCEPTED, receipt=ReceiptKind.BOUNCED)
    assert bounced == Outcome(DeliveryStatus.BOUNCED, ReasonCode.INVALID_RECIPIENT)


def test_the_fault_of_an_address_or_a_message_is_final() -> None:
    assert outcome(SendOutcome.BAD_RECIPIENT) == Outcome(DeliveryStatus.FAILED, ReasonCode.INVALID_RECIPIENT)
    assert outcome(SendOutcome.BAD_MESSAGE) == Outcome(DeliveryStatus.FAILED, ReasonCode.PROVIDER_REJECTED)


def test_a_transient_fault_waits_for_its_backoff_and_counts() -> None:
    waits = [outcome(SendOutcome.TRANSIENT, attempts=n) for n in (1, 2, 3, 4, 5)]
    assert [(wait.at - NOW).total_seconds() for wait in waits if wait.at] == [1, 5, 25, 125, 300]
    assert not any(wait.free for wait in waits)


def test_after_five_retries_the_delivery_is_dead() -> None:
    assert outcome(SendOutcome.TRANSIENT, attempts=6) == Outcome(DeliveryStatus.DEAD, ReasonCode.RETRIES_EXHAUSTED)
    assert outcome(SendOutcome.AMBIGUOUS, attempts=6).status is DeliveryStatus.DEAD


def test_a_providers_retry_after_is_honoured_when_it_is_longer() -> None:
    assert outcome(SendOutcome.TRANSIENT, retry_after_seconds=90.0).at == NOW + timedelta(seconds=90)


@given(st.integers(1, 10_000), st.one_of(st.none(), st.floats(0, 3600)))
def test_throttling_never_consumes_an_attempt_however_often(attempts: int, wait: float | None) -> None:
    throttled = outcome(SendOutcome.THROTTLED, attempts=attempts, retry_after_seconds=wait)
    assert throttled.status is DeliveryStatus.RETRYING
    assert throttled.free


def test_a_message_that_could_not_start_in_time_goes_on_at_once() -> None:
    assert outcome(SendOutcome.THROTTLED, code="page_deadline").at == NOW


def test_a_configuration_fault_holds_traffic_without_burning_retries() -> None:
    held = outcome(SendOutcome.MISCONFIGURED, attempts=50)
    assert (held.status, held.free) == (DeliveryStatus.RETRYING, True)


def test_a_channel_without_any_provider_ends_with_that_reason() -> None:
    ended = outcome(SendOutcome.MISCONFIGURED, attempts=6, code="no_provider")
    assert ended == Outcome(DeliveryStatus.DEAD, ReasonCode.NO_PROVIDER)


@given(st.sampled_from(list(SendOutcome)), st.integers(1, 8), st.floats(0.001, 400))
def test_nothing_is_ever_retried_past_its_expiry(kind: SendOutcome, attempts: int, expires_in: float) -> None:
    decided = outcome(kind, attempts=attempts, expires_in=expires_in)
    assert decided.at is None or decided.at < NOW + timedelta(seconds=expires_in)
    if decided.status is DeliveryStatus.EXPIRED:
        assert decided == EXPIRED


def test_what_may_not_be_said_twice_rests_until_somebody_knows() -> None:
    assert outcome(SendOutcome.AMBIGUOUS, ambiguous=1) is UNKNOWN
    assert (UNKNOWN.status, UNKNOWN.reason) == (DeliveryStatus.DEAD, ReasonCode.OUTCOME_UNKNOWN)


def test_what_may_be_said_twice_is_repeated_once_after_an_unknown_fate() -> None:
    assert outcome(SendOutcome.AMBIGUOUS, ambiguous=1, may_repeat=True).status is DeliveryStatus.RETRYING
    assert outcome(SendOutcome.AMBIGUOUS, ambiguous=2, may_repeat=True) is UNKNOWN
    assert outcome(SendOutcome.AMBIGUOUS, ambiguous=1, may_repeat=True, attempts=6) is UNKNOWN


@given(st.lists(st.sampled_from(list(SendOutcome)), min_size=1, max_size=12))
def test_no_more_than_one_repeat_ever_follows_an_unknown_fate(answers: list[SendOutcome]) -> None:
    ambiguous, unknown_fates = 0, 0
    for attempt, answer in enumerate(answers, start=1):
        ambiguous += answer is SendOutcome.AMBIGUOUS
        decided = outcome(answer, attempts=attempt, ambiguous=ambiguous, may_repeat=True)
        unknown_fates += answer is SendOutcome.AMBIGUOUS
        if decided.status is not DeliveryStatus.RETRYING:
            break
    assert unknown_fates <= 1 + MAX_AMBIGUOUS


def test_every_account_that_left_us_in_the_dark_is_counted() -> None:
    first = SendResult(id=UUID(int=1), outcome=SendOutcome.AMBIGUOUS)
    last = SendResult(id=UUID(int=1), outcome=SendOutcome.AMBIGUOUS, earlier=(first,))
    assert ambiguous_in(last) == 2
    assert ambiguous_in(SendResult(id=UUID(int=1), outcome=SendOutcome.ACCEPTED)) == 0


def test_a_text_message_is_repeated_for_security_alone_and_marketing_never() -> None:
    def repeats(
        category: Category, channel: Channel, priority: Priority = Priority.MEDIUM, *, must: bool = False
    ) -> bool:
        return may_repeat(category, channel, priority, mandatory=must)

    assert repeats(Category.SECURITY, Channel.SMS)
    assert not repeats(Category.TRANSACTION, Channel.SMS)
    assert repeats(Category.TRANSACTION, Channel.EMAIL)
    assert not any(repeats(Category.MARKETING, channel, must=True) for channel in Channel)
    assert repeats(Category.REMINDER, Channel.SMS, Priority.CRITICAL)
    assert repeats(Category.REMINDER, Channel.SMS, must=True)


def test_an_urgent_message_turns_aside_where_every_account_rests() -> None:
    aside = outcome(SendOutcome.THROTTLED, code="circuit_open", can_turn_aside=True)
    assert aside == Outcome(DeliveryStatus.FAILED, ReasonCode.NO_PROVIDER)
    waits = outcome(SendOutcome.THROTTLED, code="circuit_open")
    assert (waits.status, waits.free) == (DeliveryStatus.RETRYING, True)


def test_an_opted_out_number_is_suppressed_and_not_called_invalid() -> None:
    stopped = outcome(SendOutcome.BAD_RECIPIENT, receipt=ReceiptKind.UNSUBSCRIBED)
    assert stopped == Outcome(DeliveryStatus.SUPPRESSED, ReasonCode.SUPPRESSED_ADDRESS)
