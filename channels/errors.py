"""Errors every app shares: an answer to a caller names the field and the cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Position(NamedTuple):
    """A place inside a text that was sent as one field."""

    #: Both count from 1.
    line: int
    column: int
    #: Characters of the text that stand before it.
    offset: int


class FieldError(NamedTuple):
    """One fault in a request: where it is, its code, and what would be right."""

    #: JSON pointer (RFC 6901) into the body, or the name of a header or query parameter.
    pointer: str
    code: str
    message: str
    #: Where in the field's text; None where the fault is the field as a whole.
    position: Position | None = None


class Refusal(Exception):
    """A request that is answered with an error and leaves nothing behind.

    `code` is the stable word of `api.md`, `status` the HTTP status. `detail` is shown to the caller and may be
    logged, so it never holds personal data.
    """

    code: str = "invalid_request"
    status: int = 422

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what the caller is told; class attributes give the defaults."""
        super().__init__(detail)
        self.detail = detail
        self.code = code if code is not None else self.code
        self.status = status if status is not None else self.status
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class BadAddress(ValueError):
    """An address no channel can carry. The message names the cure and never repeats the address."""

    def __init__(self, code: str, cure: str) -> None:
        """Keep the stable word (`invalid_email` …) and what would be right."""
        super().__init__(cure)
        self.code = code
        self.cure = cure


class Fault(NamedTuple):
    """One thing wrong with the providers file: where it is and what would be right."""

    #: Path of the file; empty for what is built in.
    file: str
    #: The entry as people find it: `provider "apns-main"`, or its number where it has no name.
    entry: str
    #: Dotted key inside the entry; empty when the entry as a whole is wrong.
    key: str
    cure: str

    def __str__(self) -> str:
        """One line: file, entry, key, cure."""
        return ": ".join(part for part in self if part)


class ConfigurationFault(Exception):
    """Provider accounts that cannot be used as declared; carries every fault found, never a secret."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults; the message is one line for each."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class NotGenuine(Exception):
    """A callback that the provider did not send, or that cannot be told from one: nothing of it is kept.

    The message is for our log: which check failed. It never repeats what came in.
    """


class UnreadableReceipt(Exception):
    """A genuine callback whose body nobody understands; the message says what was expected."""
