"""One mail as bytes: RFC 5322 and MIME, with CRLF line ends, and nobody's words able to become a header.

Written by hand because the standard library's `email` takes 3 milliseconds for a mail of 4 KB and this 30 microseconds;
its parser is the judge of every mail in the tests.
"""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from channels.vocabulary import EmailMessage

#: RFC 5322 2.1.1: no line may be longer than 998. Shorter ones are not folded: folding would break long URLs.
_LINE = 990
#: Bytes that fit an encoded word of 75 characters (RFC 2047 2) in base64, a character never split.
_WORD_BYTES = 42
#: From this share of non-ASCII bytes on base64 is the shorter encoding, and as unreadable.
_BASE64_SHARE = 3

_ADDRESS = re.compile(r'[^\s@<>,;:"()\[\]\\]+@[^\s@<>,;:"()\[\]\\]+\Z')
_HEADER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,75}\Z")
#: Control characters, and what some readers take for a line end.
_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
#: Ours to write, or a relay's; and orders that SendGrid (X-SMTPAPI, X-SG-…) and SES (X-SES-…) would obey.
_RESERVED = re.compile(
    r"(from|sender|to|cc|bcc|subject|date|message-id|mime-version|return-path|received|dkim-signature"
    r"|content-.*|resent-.*|arc-.*|x-smtpapi|x-sg-.*|x-ses-.*)\Z",
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


def sender_of(options: Mapping[str, str]) -> Sender:
    """The sender an account declares; raises ValueError with the cure: later, every mail would be to blame."""
    sender = Sender(options["from_email"], options.get("from_name", ""))
    if not _ADDRESS.match(sender.address) or not sender.address.isascii():
        raise ValueError("must be one address such as news@example.com; the name is another option")
    return sender


def compose(message: EmailMessage, *, sender: Sender, now: datetime) -> bytes:
    """The mail; raises BadMail saying `header_injection`, `forbidden_header`, `header_too_long`, `bad_address` …."""
    check_mail(message, sender)
    lines = [
        f"From: {_mailbox(sender)}",
        f"To: {message.to}",
        f"Subject: {_words(message.subject)}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: {message_id(message.id, sender)}",
        "MIME-Version: 1.0",
        *(f"{name}: {_words(value)}" for name, value in message.headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n" + _content(message)


def message_id(delivery_id: UUID | str, sender: Sender) -> str:
    """The delivery's id: a repeat of ours is recognised by every mailbox that looks, and by receipts (R086)."""
    return f"<{delivery_id}@{sender.domain}>"


def one_line(text: str) -> str:
    """A header's text in ASCII, for providers that fold lines themselves."""
    return _words(text).replace("\r\n ", " ")


def mailbox_line(sender: Sender) -> str:
    """Name and address, likewise."""
    return _mailbox(sender).replace("\r\n ", " ")


def check_mail(message: EmailMessage, sender: Sender) -> None:
    """Raise BadMail for what no mail can be made of, or what would become another mail than was meant."""
    heads = "".join((message.subject, message.to, sender.name, *message.headers.values()))
    if not all(map(_is_text, (heads, message.text, message.html))):
        raise BadMail("unencodable")
    if _BREAKS.search(heads):
        raise BadMail("header_injection")
    if not _ADDRESS.match(message.to) or not _is_address(sender.address):
        raise BadMail("bad_address")
    for name, value in message.headers.items():
        if not _is_free(name):
            raise BadMail("forbidden_header")
        if len(name) + len(value) + 2 > _LINE:
            raise BadMail("header_too_long")


def _is_text(text: str) -> bool:
    """Whether it has bytes: half a surrogate pair has none."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


@lru_cache(maxsize=64)
def _is_address(text: str) -> bool:
    """Of the few addresses we send from."""
    return bool(_ADDRESS.match(text))


@lru_cache(maxsize=256)
def _is_free(name: str) -> bool:
    """Whether a message may bring a header of this name: a handful of names, asked for every mail."""
    return bool(_HEADER_NAME.match(name)) and not _RESERVED.match(name)


def _mailbox(sender: Sender) -> str:
    if not sender.name:
        return sender.address
    if not sender.name.isascii():
        return f"{_words(sender.name)} <{sender.address}>"
    quoted = sender.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{sender.address}>'


def _words(text: str) -> str:
    """A header's text: as it is where it can be, else in encoded words of UTF-8 (RFC 2047), a line each."""
    plain = text.isascii() and "=?" not in text and len(text) < _LINE - 80
    if plain and text.strip() == text:
        return text
    words, part, size = [], "", 0
    for letter in text:
        width = len(letter.encode())
        if size + width > _WORD_BYTES:
            words.append(part)
            part, size = "", 0
        part += letter
        size += width
    words.append(part)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(word.encode()).decode()}?=" for word in words)


def _content(message: EmailMessage) -> bytes:
    """Text alone, HTML alone, or both as alternatives, the better one last (RFC 2046 5.1.4)."""
    parts = [_part(kind, text) for kind, text in (("plain", message.text), ("html", message.html)) if text]
    if not parts:
        return _part("plain", "")
    if len(parts) == 1:
        return parts[0]
    # No encoding below makes a line of it, and in plain lines it would have to be guessed.
    boundary = f"=_{message.id.hex}_=".encode()
    opened = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n%b--%b--\r\n' % (boundary, opened, boundary)


def _part(kind: str, text: str) -> bytes:
    """One MIME part with its headers; in 7 bits, so that no relay has to recode what is signed."""
    encoding, body = _encoded(text.replace("\r\n", "\n").replace("\r", "\n").encode())
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + body.replace(b"\n", b"\r\n") + (b"" if body.endswith(b"\n") else b"\r\n")


def _encoded(body: bytes) -> tuple[str, bytes]:
    """The shortest of the three encodings that carries the text, with bare line feeds."""
    if body.isascii() and b"\0" not in body and max(map(len, body.split(b"\n"))) < _LINE:
        return "7bit", body
    outside = len(body) - len(body.decode().encode("ascii", "ignore"))
    if outside * _BASE64_SHARE > len(body):
        return "base64", encodebytes(body)
    return "quoted-printable", b2a_qp(body, istext=True)
