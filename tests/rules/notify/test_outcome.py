"""What a provider's answer makes of a delivery."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import ReceiptKind, SendOutcome, SendResult
from notify.policy import RETRIES
from notify.rules.outcome import EXPIRED, Outcome, Tried, decide
from notify.vocabulary import DeliveryStatus, Priority, ReasonCode

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = RETRIES[Priority.MEDIUM]


def outcome(kind: SendOutcome, *, attempts: int = 1, expires_in: float | None = None, **more: object) -> Outcome:
    result = SendResult(id=UUID(int=1), outcome=kind, started_at=0.0, latency_ms=0.0, **more)  # type: ignore[arg-type] # any field of the result
    expires_at = None if expires_in is None else NOW + timedelta(seconds=expires_in)
    tried = Tried(attempts=attempts, accepted_at=NOW - timedelta(hours=1), expires_at=expires_at)
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
