"""What this app refuses, each with its stable code and status."""

from __future__ import annotations

from channels.errors import FieldError, Position, Refusal


class UnknownUser(Refusal):
    """No such recipient, or none that this caller may know of: the answer is the same."""

    code = "unknown_user"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no user with this id; create it with PUT /v1/users/{user_id}.")


class UnknownDevice(Refusal):
    """The recipient has no device of this id."""

    code = "unknown_device"
    status = 404

    def __init__(self) -> None:
        super().__init__("This user has no device with this id; GET /v1/users/{user_id}/devices lists them.")


class VersionConflict(Refusal):
    """The document was changed by somebody else since it was read."""

    code = "version_conflict"
    status = 412

    def __init__(self) -> None:
        super().__init__("The preferences have changed meanwhile; read them again and repeat with the new ETag.")


class UserErased(Refusal):
    """An erased recipient takes no data any more."""

    code = "user_erased"
    status = 409

    def __init__(self) -> None:
        super().__init__("This user was erased on request and stays so; use another user_id for another person.")


class TooManyDevices(Refusal):
    """The recipient's active devices are at the limit."""

    code = "too_many_devices"
    status = 422

    def __init__(self, limit: int) -> None:
        super().__init__(f"This user already has {limit} active devices; remove one with DELETE first.")


class UnknownSuppression(Refusal):
    """The address is not on the suppression list of that channel."""

    code = "unknown_suppression"
    status = 404

    def __init__(self) -> None:
        super().__init__("This address is not suppressed on this channel; GET /v1/suppressions lists those that are.")


class UnknownTopic(Refusal):
    """No such topic, or none any more."""

    code = "unknown_topic"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no topic with this key; create it with PUT /v1/topics/{key}.")


class InvalidField(Refusal):
    """One field of the body is not what it must be."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(message, code=code, errors=[FieldError(pointer, code, message)])


class InvalidSegment(Refusal):
    """A segment that is not in its language; says what would be right, and where."""

    code = "invalid_segment"
    status = 422

    def __init__(self, message: str, position: Position, pointer: str = "/segment") -> None:
        """Keep the place; the message never repeats what was written there, which may name people."""
        place = f"line {position.line}, column {position.column}"
        super().__init__(f"{message} ({place})", errors=[FieldError(pointer, self.code, message, position)])


class SegmentTooSlow(Refusal):
    """Even a sample of the segment took too long."""

    code = "segment_too_slow"
    status = 422

    def __init__(self) -> None:
        super().__init__(
            "Even a sample of this segment could not be counted in time. Use fewer conditions, above all fewer dates, "
            "STARTS WITH and CONTAINS on attributes, or ask again when there is less to do.",
        )


def invalid(pointer: str, message: str) -> InvalidField:
    """The refusal `invalid_<field>` of the field at `pointer`, named after the first segment that is a name."""
    field = next((part for part in reversed(pointer.split("/")) if part and not part.isdigit()), "request")
    return InvalidField(pointer, f"invalid_{field}", message)


def duplicate_user() -> InvalidField:
    """The same user stands earlier in the same bulk upsert."""
    return InvalidField("/user_id", "duplicate_user", "This user stands earlier in the same request; send each once.")


def too_many_users(count: int, limit: int) -> InvalidField:
    """More users than one bulk upsert takes."""
    text = f"{count} users; at most {limit} in one call. Split them into several."
    return InvalidField("/users", "too_many_users", text)


def ambiguous_user(at: int) -> InvalidField:
    """The same user is to be added and removed in one call; `at` is their place in the second list."""
    text = "This user stands in `add` too; name them in one of the two lists."
    return InvalidField(f"/remove/{at}", "ambiguous_user", text)
