"""Is this request one that can be kept?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from channels.errors import Refusal
from notify.rules.fingerprint import fingerprint
from notify.rules.intake import Call, Pinned, Rejection, check_request, own_variables, when
from notify.rules.requests import InlineContent, LocalSchedule, RecipientItem, SendRequest
from notify.vocabulary import PinnedVersion, Priority, TypeRow

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KIND = TypeRow(
    key="ORDER_SHIPPED",
    category="transaction",
    priority="medium",
    channels=["push"],
    mandatory=False,
    exempt_from_caps=False,
    caps=[],
    quiet_hours="defer",
    digestible=False,
    ttl_seconds=None,
    template_id="order_shipped",
)
TEMPLATE = PinnedVersion(
    version_id=1,
    template_id="order_shipped",
    number=1,
    type_key="ORDER_SHIPPED",
    default_locale="en",
    variables={"order_id": {"type": "string", "required": True, "default": None}},
)


def call(scopes: frozenset[str] = frozenset({"send"}), **body: Any) -> Call:
    request = msgspec.convert({"type": "ORDER_SHIPPED", "user_id": "u_alice", **body}, SendRequest)
    return Call(
        request=request,
        key="k",
        application_id=1,
        scopes=scopes,
        is_test=False,
        request_id="r",
        trace_id="t",
        now=NOW,
    )


def refusal(one: Call, kind: TypeRow | None = KIND, template: PinnedVersion | None = TEMPLATE) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_request(one, kind, "order_shipped", template)
    return caught.value


def test_a_plain_request_is_bound_to_its_type_template_and_priority() -> None:
    assert check_request(call(), KIND, "order_shipped", TEMPLATE) == Pinned(KIND, TEMPLATE, Priority.MEDIUM)


def test_an_unknown_type_is_422_and_names_the_field() -> None:
    refused = refusal(call(), kind=None)
    assert (refused.status, refused.code, refused.errors[0].pointer) == (422, "unknown_type", "/type")


def test_an_unknown_template_and_one_of_another_type_are_400() -> None:
    assert (refusal(call(), template=None).status, refusal(call(), template=None).code) == (400, "unknown_template")
    other = msgspec.structs.replace(TEMPLATE, type_key="NEW_FOLLOWER")
    assert (refusal(call(), template=other).status, refusal(call(), template=other).code) == (
        400,
        "template_type_mismatch",
    )


def test_template_and_content_together_are_refused() -> None:
    refused = refusal(call(template_id="order_shipped", content={"title": "Hi"}))
    assert (refused.status, refused.errors[0].pointer) == (422, "/content")


def test_inline_content_needs_no_template() -> None:
    assert check_request(call(content={"title": "Hi"}), KIND, None, None).template is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"recipients": [{"user_id": "u"}]}, "invalid_user_id"),
        ({"user_id": None}, "invalid_recipients"),
        ({"user_id": None, "recipients": [{"user_id": f"u{n}"} for n in range(1001)]}, "too_many_recipients"),
        ({"expires_at": "2026-11-21T11:59:59Z"}, "invalid_expires_at"),
        ({"expires_at": "2026-12-01T00:00:00"}, "invalid_expires_at"),
        ({"schedule_at": "2026-12-01T00:00:00"}, "invalid_schedule_at"),
        ({"schedule_at": "2027-03-01T00:00:00Z"}, "invalid_schedule_at"),
        ({"schedule_at": "2026-12-01T00:00:00Z", "expires_at": "2026-11-30T00:00:00Z"}, "invalid_expires_at"),
        ({"schedule_at": {"local_time": "2026-12-01T09:00", "timezone": "Mars/Base"}}, "invalid_timezone"),
        ({"schedule_at": {"local_time": "2026-12-01T09:00:00+01:00"}}, "invalid_local_time"),
        ({"schedule_at": {"local_time": "2027-02-30T09:00"}}, "invalid_local_time"),
        ({"schedule_at": {"local_time": "2028-12-01T09:00:00"}}, "invalid_local_time"),
    ],
)
def test_a_faulty_request_is_422_with_a_word_for_its_fault(body: dict[str, Any], code: str) -> None:
    refused = refusal(call(**body))
    assert (refused.status, refused.code) == (422, code)
    assert refused.errors[0].pointer.startswith("/")


def test_critical_needs_a_scope_of_its_own() -> None:
    assert (refusal(call(priority="critical")).status, refusal(call(priority="critical")).code) == (
        403,
        "missing_scope",
    )
    allowed = call(frozenset({"send", "send:critical"}), priority="critical")
    assert check_request(allowed, KIND, "order_shipped", TEMPLATE).priority is Priority.CRITICAL


def test_a_recipients_own_variables_win_over_the_shared_ones() -> None:
    bob = RecipientItem(user_id="u_bob", variables={"order_id": "B"})
    checked = own_variables(Pinned(KIND, TEMPLATE, Priority.LOW), {"order_id": "A", "carrier": "C"}, bob, 0)
    assert isinstance(checked, dict)
    assert checked["order_id"] == "B"


def test_a_missing_variable_rejects_that_recipient_by_name() -> None:
    rejected = own_variables(Pinned(KIND, TEMPLATE, Priority.LOW), {}, RecipientItem(user_id="u_bob"), 3)
    assert isinstance(rejected, Rejection)
    assert (rejected.user_id, rejected.code) == ("u_bob", "missing_variable")
    assert "order_id" in rejected.detail


def test_a_schedule_in_the_past_means_now() -> None:
    assert when(NOW - timedelta(days=1), "UTC", now=NOW) is None
    assert when(None, "UTC", now=NOW) is None


def test_a_local_schedule_is_an_instant_in_the_recipients_zone() -> None:
    schedule = LocalSchedule(local_time="2026-12-01T09:00")
    assert when(schedule, "Asia/Kathmandu", now=NOW) == datetime(2026, 12, 1, 3, 15, tzinfo=UTC)


def test_equal_meaning_has_an_equal_fingerprint_whatever_the_key_carrier() -> None:
    one = call(variables={"a": 1, "b": 2}, idempotency_key="x").request
    other = call(variables={"b": 2, "a": 1}, notification_id="y").request
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(call(variables={"a": 1, "b": 3}).request)
    assert fingerprint(one) != fingerprint(call(content={"title": "x"}, variables={"a": 1, "b": 2}).request)


def test_inline_content_travels_without_its_empty_fields() -> None:
    assert msgspec.json.encode(InlineContent(title="Hi")) == b'{"title":"Hi"}'
