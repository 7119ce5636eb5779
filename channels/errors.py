"""Errors every app shares: an answer to a caller names the field and the cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class FieldError(NamedTuple):
    """One fault in a request: where it is, its code, and what would be right."""

    #: JSON pointer (RFC 6901) into the body, or the name of a header or query parameter.
    pointer: str
    code: str
    message: str


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
