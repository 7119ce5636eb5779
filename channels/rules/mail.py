"""One mail as bytes: RFC 5322 and MIME, with CRLF line ends, and nobody's words able to become a header."""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage as Mime
from email.policy import SMTP
from email.utils import format_datetime
from typing import NamedTuple

from channels.vocabulary import EmailMessage

#: RFC 5322 2.1.1: no line may be longer. Up to that nothing is folded: folding would encode long URLs to death.
_LINE = 990
#: 7bit: no server on the way needs 8BITMIME, and no DKIM signature breaks when one recodes.
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=_LINE)

_HEADER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,75}\Z")
#: Control characters, and what some readers take for a line end.
_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
#: Ours to write, or a relay's.
_RESERVED = re.compile(
    r"(from|sender|to|cc|bcc|subject|date|message-id|mime-version|return-path|received|dkim-signature"
    r"|content-.*|resent-.*|arc-.*)\Z",
    re.IGNORECASE,
)


class BadMail(ValueError):
    """A message that cannot be made a mail of; the text is a code, never a part of the message."""


class Sender(NamedTuple):
    """Whom mails are from."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        """Of the address: DKIM and our Message-IDs are under it."""
        return self.address.rpartition("@")[2]


def compose(message: EmailMessage, *, sender: Sender, now: datetime) -> bytes:
    """The mail; raises BadMail with `header_injection`, `forbidden_header`, `bad_address` or `unencodable`."""
    _check_headers(message)
    mime = Mime(policy=_POLICY)
    try:
        mime["From"] = Address(sender.name, addr_spec=sender.address)
        mime["To"] = Address(addr_spec=message.to)
    except (ValueError, IndexError):
        raise BadMail("bad_address") from None
    mime["Subject"] = message.subject
    mime["Date"] = format_datetime(now)
    # The delivery's id: a repeat of ours is recognised by every mailbox that looks, and by receipts (R086).
    mime["Message-ID"] = f"<{message.id}@{sender.domain}>"
    for name, value in message.headers.items():
        mime[name] = value
    try:
        _fill(mime, message)
        return mime.as_bytes()
    except UnicodeEncodeError:
        raise BadMail("unencodable") from None


def _check_headers(message: EmailMessage) -> None:
    for name, value in message.headers.items():
        if not _HEADER_NAME.match(name) or _RESERVED.match(name):
            raise BadMail("forbidden_header")
        if _BREAKS.search(value) or len(name) + len(value) + 2 > _LINE:
            raise BadMail("header_injection" if _BREAKS.search(value) else "header_too_long")
    if _BREAKS.search(message.subject) or _BREAKS.search(message.to):
        raise BadMail("header_injection")


def _fill(mime: Mime, message: EmailMessage) -> None:
    """Text alone, HTML alone, or both as alternatives, the better one last (RFC 2046 5.1.4)."""
    if message.text or not message.html:
        mime.set_content(message.text)
        if message.html:
            mime.add_alternative(message.html, subtype="html")
    else:
        mime.set_content(message.html, subtype="html")
