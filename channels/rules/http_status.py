"""What an HTTP status means when nothing more is known: no code of a provider outside its table counts for more."""

from __future__ import annotations

from channels.vocabulary import SendOutcome

_BY_STATUS = {
    401: SendOutcome.MISCONFIGURED,
    402: SendOutcome.MISCONFIGURED,
    403: SendOutcome.MISCONFIGURED,
    404: SendOutcome.MISCONFIGURED,
    405: SendOutcome.MISCONFIGURED,
    408: SendOutcome.TRANSIENT,
    429: SendOutcome.THROTTLED,
    # A proxy in front gave up: whether the provider behind it took the message is unknown (reliability.md 2.3, item 7).
    502: SendOutcome.AMBIGUOUS,
    504: SendOutcome.AMBIGUOUS,
}
_SUCCESS, _REDIRECT, _CLIENT_FAULT, _SERVER_FAULT = 2, 3, 4, 5


def outcome_of_status(status: int) -> SendOutcome:
    """The class of an answer by its status alone.

    A success is ambiguous here: who asks could not read the answer, so who knows what gave it.
    """
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    by_class = {
        _SUCCESS: SendOutcome.AMBIGUOUS,
        _REDIRECT: SendOutcome.MISCONFIGURED,
        _CLIENT_FAULT: SendOutcome.BAD_MESSAGE,
        _SERVER_FAULT: SendOutcome.TRANSIENT,
    }
    return by_class.get(status // 100, SendOutcome.AMBIGUOUS)
