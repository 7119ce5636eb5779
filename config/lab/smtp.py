"""The SMTP stand-in: a sink that offers STARTTLS and AUTH, keeps mails as .eml files, and refuses magic recipients.

A local part that begins with a word of REFUSALS gets that answer: `lab-unknown@example.com` is refused with 550 5.1.1.
`lab-hang@…` and `lab-drop@…` take the mail and then never answer, or cut the connection: an ambiguous end.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from config.lab.ledger import Ledger, content_hash

USERNAME, PASSWORD = "lab", "lab-password"

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own deprecations at every login

REFUSALS = {
    "lab-unknown": "550 5.1.1 The email account that you tried to reach does not exist",
    "lab-disabled": "550 5.2.1 The email account that you tried to reach is disabled",
    "lab-full": "452 4.2.2 The email account that you tried to reach is over quota",
    "lab-later": "451 4.3.0 Temporary server error, please try again later",
    "lab-greylisted": "450 4.2.0 Greylisted, please come back",
    "lab-busy": "421 4.7.0 Too many messages, try again later",
    "lab-policy": "554 5.7.1 Message rejected due to local policy",
    "lab-relay": "550 5.7.1 Relaying denied",
    "lab-large": "552 5.3.4 Message size exceeds fixed limit",
}


class MailSink:
    """Takes every mail and keeps it where a person can read it."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self.ledger = ledger
        self.folder = folder
        self._kept = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Refuse the magic recipients, take the others."""
        del server, session, rcpt_options
        word = next((word for word in REFUSALS if address.startswith(word)), None)
        if word is not None:
            self.ledger.refuse(word)
            return REFUSALS[word]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Keep the mail, then answer, or not."""
        del session
        content = cast("bytes", envelope.original_content or envelope.content or b"")
        mail = message_from_bytes(content)
        for address in envelope.rcpt_tos:
            self._keep(address, mail, content)
        if any(address.startswith("lab-hang") for address in envelope.rcpt_tos):
            await asyncio.Event().wait()
        if any(address.startswith("lab-drop") for address in envelope.rcpt_tos):
            cast("Any", server.transport).abort()
        return "250 2.0.0 OK queued"

    def _keep(self, address: str, mail: Message, content: bytes) -> None:
        delivery_id = str(mail.get("Message-ID", "")).strip("<>").partition("@")[0]
        subject = str(make_header(decode_header(mail.get("Subject", ""))))
        self.ledger.accept(delivery_id, address, content_hash(subject, _words(mail)))
        self._kept += 1
        (self.folder / f"{self._kept:06}-{_file_name(address)}.eml").write_bytes(content)


def _words(mail: Message) -> str:
    """The plain text of a mail, without the line end that mails end in."""
    for part in mail.walk():
        if part.get_content_type() == "text/plain":
            decoded = cast("bytes", part.get_payload(decode=True)).decode("utf-8", "replace")
            return decoded.replace("\r\n", "\n").removesuffix("\n")
    return ""


def mail_server(sink: MailSink, *, certificate: Path, key: Path) -> SMTP:
    """One connection's protocol; STARTTLS is offered, AUTH after it or on request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return SMTP(
        sink,
        hostname="lab.localhost",
        enable_SMTPUTF8=True,
        tls_context=context,
        authenticator=_authenticate,
        auth_require_tls=True,
    )


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: object) -> AuthResult:
    del server, session, envelope, mechanism
    right = auth_data == LoginPassword(USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)  # not handled: aiosmtpd answers 535 itself


def _file_name(address: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "@.-_+" else "_" for letter in address)[:80]
