"""What callers are refused with: a stable code, a status, and a sentence that names the cure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from channels.errors import FieldError, Refusal
from notify.vocabulary import Scope

#: Seconds after which a caller may ask again while PostgreSQL or another dependency is away.
RETRY_AFTER_SECONDS = 5


class Rejected(Protocol):
    """One recipient of a request who was not accepted."""

    @property
    def user_id(self) -> str:
        """Who."""

    @property
    def code(self) -> str:
        """The stable word."""

    @property
    def detail(self) -> str:
        """Why, for people."""


class InvalidRequest(Refusal):
    """The request cannot be kept as it is; code and pointer say where."""


class InvalidKey(Refusal):
    """Nobody is known by this credential, or no longer."""

    code = "invalid_key"
    status = 401

    def __init__(
        self,
        detail: str = "Send a valid credential: Authorization: Bearer crl_live_…",
        *,
        code: str = "invalid_key",
    ) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": f'Bearer realm="carillon", error="{code}"'})


class ExpiredKey(InvalidKey):
    """The credential was good once."""

    def __init__(self, detail: str = "This credential has expired; make a new one.") -> None:
        super().__init__(detail, code="expired_key")


class MissingScope(Refusal):
    """The credential is good and does not allow this."""

    code = "missing_scope"
    status = 403

    def __init__(self, *scopes: Scope | str) -> None:
        wanted = " or ".join(str(scope) for scope in scopes)
        cure = f"it needs the scope {wanted}." if scopes else "no credential of this kind may."
        super().__init__(f"This credential may not do this: {cure}")


class UnknownNotification(Refusal):
    """No such notification, or not for this caller: the answer does not tell which."""

    code = "unknown_notification"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no notification with this id.")


class UnknownKey(Refusal):
    """No such API key, or one that was revoked before."""

    code = "unknown_key"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no API key with this id that is still good; issue a new one.")


class RateLimited(Refusal):
    """The key's bucket is empty."""

    code = "rate_limited"
    status = 429

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(
            f"Too many requests with this credential; ask again in {wait_seconds} s.",
            headers={"Retry-After": str(wait_seconds)},
        )


class NotAccepting(Refusal):
    """PostgreSQL is away: nothing was kept, and the caller keeps its copy."""

    code = "not_accepting"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            "The service cannot keep anything just now; nothing was kept. Send the same request again.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


class BodyTooLarge(Refusal):
    """More than one request may carry."""

    code = "body_too_large"
    status = 413

    def __init__(self, mebibytes: int = 1) -> None:
        super().__init__(f"The body is over {mebibytes} MiB; split it into several calls.")


class UnknownProvider(Refusal):
    """No provider account of this name, or none that takes callbacks."""

    code = "unknown_provider"
    status = 404

    def __init__(self) -> None:
        super().__init__("No provider account of this name takes receipts.")


class NotGenuineReceipt(Refusal):
    """A callback that its provider did not send: whoever forged it learns nothing."""

    code = "not_genuine"
    status = 403

    def __init__(self) -> None:
        super().__init__("")


class UnclearReceipt(Refusal):
    """A genuine callback that is not understood."""

    code = "unreadable_receipt"
    status = 400

    def __init__(self) -> None:
        super().__init__("The callback is genuine and was not understood; what was expected is in our log.")


class IdempotencyKeyRequired(Refusal):
    """Without a key a repeated request would send twice."""

    code = "idempotency_key_required"
    status = 400

    def __init__(self) -> None:
        super().__init__("Send the header Idempotency-Key or X-Idempotency-Key, or idempotency_key in the body.")


class IdempotencyConflict(Refusal):
    """The key belongs to another request."""

    code = "idempotency_key_reused"
    status = 409

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another body within its window; choose a new key.")


class RequestInProgress(Refusal):
    """The first request with this key has not been answered yet."""

    code = "request_in_progress"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "A request with this idempotency key is still under way; ask again for its answer.",
            headers={"Retry-After": "1"},
        )


class AlreadySent(Refusal):
    """Too late to cancel."""

    code = "already_sent"
    status = 409

    def __init__(self) -> None:
        super().__init__("Every delivery of this notification has been handed over or has ended; nothing to cancel.")


class RecipientsRejected(Refusal):
    """None of the request's recipients can be told."""

    status = 422

    def __init__(self, rejected: Sequence[Rejected]) -> None:
        codes = {one.code for one in rejected}
        code = codes.pop() if len(codes) == 1 else "recipients_rejected"
        errors = [FieldError(f"/recipients/{at}", one.code, one.detail) for at, one in enumerate(rejected)]
        text = rejected[0].detail if len(rejected) == 1 else "None of the recipients can be told; see errors."
        super().__init__(text, code=code, errors=errors)


class UnknownType(Refusal):
    """There is no notification type of this key."""

    code = "unknown_type"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such notification type; create it with PUT /v1/types/{key}.")


class UnknownTemplate(Refusal):
    """There is no template of this id."""

    code = "unknown_template"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no template with this id; create it with POST /v1/templates.")


class UnknownTemplateVersion(Refusal):
    """The template has no version of this number."""

    code = "unknown_version"
    status = 404

    def __init__(self) -> None:
        super().__init__("The template has no such version; GET /v1/templates/{template_id} lists them.")


class TemplateExists(Refusal):
    """The id is taken."""

    code = "template_exists"
    status = 409

    def __init__(self) -> None:
        super().__init__("There is a template with this id; add to it with POST /v1/templates/{template_id}/versions.")


class InvalidTemplate(Refusal):
    """The template is not kept; every fault found is told with its channel, language and field."""

    code = "invalid_template"
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        more = f" ({len(errors) - 1} more in errors)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0].message}{more}", errors=errors)
