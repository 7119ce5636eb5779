"""One SMTP connection: opened when it is needed, kept, and opened again when it was lost.

How far a mail came is known at every step: until its last dot has been sent nothing was accepted, after it an answer
that does not come leaves it unknown (RFC 5321 4.5.3.2.6).
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time

import msgspec

from channels.conf import Secret
from channels.rules.smtp_replies import Meaning, meaning_of
from channels.vocabulary import SendOutcome

_GO_AHEAD = 354
_CLOSING = 421
_SUCCESS = 2
_REFUSALS = (4, 5)
#: A line that begins with a dot gets another (RFC 5321 4.5.2): a lone dot is the end.
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)

_NOT_SENT = Meaning(SendOutcome.TRANSIENT, "connection_lost")
_UNKNOWN = Meaning(SendOutcome.AMBIGUOUS, "connection_lost")


class Server(msgspec.Struct, frozen=True):
    """Where to connect, and how to prove who we are."""

    host: str
    port: int
    #: The name we greet with: the sender's domain, which a relay knows.
    ehlo: str
    implicit_tls: bool
    starttls: bool
    context: ssl.SSLContext
    timeout_seconds: float
    connect_timeout_seconds: float
    username: str = ""
    password: Secret | None = None


class NoLine(Exception):
    """No connection can be had; nothing was sent."""

    def __init__(self, meaning: Meaning) -> None:
        super().__init__(meaning.code)
        self.meaning = meaning


class Line:
    """One SMTP connection, opened when it is needed and again when it was lost."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None
        #: The server's name for the last accepted mail, where it gave one.
        self.accepted_as = ""

    def deliver(self, sender: str, to: str, content: bytes) -> Meaning:
        """Give the server one mail; raises NoLine when there is no server to give it to."""
        until = time.monotonic() + self._server.timeout_seconds
        kept = self._smtp is not None
        smtp = self._smtp or self._open()
        meaning = self._announce(smtp, sender, to, until)
        if kept and self._smtp is None:
            # The server had closed the kept connection while nobody was looking; nothing was lost with it.
            smtp = self._open()
            meaning = self._announce(smtp, sender, to, until)
        if self._smtp is None and meaning is not None:
            raise NoLine(meaning)
        return meaning or self._address(smtp, to, until) or self._hand_over(smtp, content, until)

    def close(self) -> None:
        """Take leave, as far as there is anybody to take leave of."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError):
                smtp.close()

    def _announce(self, smtp: smtplib.SMTP, sender: str, to: str, until: float) -> Meaning | None:
        """MAIL: None when the server listens, else why it does not."""
        options = () if to.isascii() else ("SMTPUTF8",)
        if options and not smtp.has_extn("smtputf8"):
            return Meaning(SendOutcome.BAD_MESSAGE, "smtputf8_not_offered")
        try:
            _be_patient(smtp, until)
            code, text = smtp.mail(sender, options)
        except (smtplib.SMTPException, OSError):
            self._lose()
            return _NOT_SENT
        if code // 100 == _SUCCESS:
            return None
        meaning = self._refused(code, text)
        about_us = meaning.outcome is SendOutcome.BAD_RECIPIENT  # no recipient has been named yet
        return Meaning(SendOutcome.MISCONFIGURED, meaning.code) if about_us else meaning

    def _address(self, smtp: smtplib.SMTP, to: str, until: float) -> Meaning | None:
        """RCPT: None when the server takes mail for the address, else why not."""
        try:
            _be_patient(smtp, until)
            code, text = smtp.rcpt(to)
        except (smtplib.SMTPException, OSError):
            self._lose()
            return _NOT_SENT
        return None if code // 100 == _SUCCESS else self._refused(code, text)

    def _hand_over(self, smtp: smtplib.SMTP, content: bytes, until: float) -> Meaning:
        """DATA, the mail, and the one answer that counts."""
        meaning = _NOT_SENT
        try:
            _be_patient(smtp, until)
            code, text = smtp.docmd("DATA")
            if code != _GO_AHEAD:
                return self._refused(code, text)
            meaning = _UNKNOWN
            smtp.send(_LEADING_DOT.sub(b"..", content) + b".\r\n")
            _be_patient(smtp, until)
            code, text = smtp.getreply()
        except (smtplib.SMTPException, OSError):
            self._lose()
            timed_out = meaning is _UNKNOWN and time.monotonic() >= until
            return Meaning(SendOutcome.AMBIGUOUS, "timeout") if timed_out else meaning
        if code // 100 != _SUCCESS:
            return self._refused(code, text, unclear=_UNKNOWN)
        self.accepted_as = text.decode("ascii", "replace")[:100]
        return Meaning(SendOutcome.ACCEPTED, "")

    def _refused(self, code: int, text: bytes, *, unclear: Meaning = _NOT_SENT) -> Meaning:
        """What a refusal means (`unclear` when it is none); the connection is made ready for the next mail."""
        meaning = meaning_of(code, text.decode("latin-1")) if code // 100 in _REFUSALS else unclear
        if code == _CLOSING or code < 0:
            self._lose()
        elif self._smtp is not None:
            try:
                self._smtp.rset()
            except (smtplib.SMTPException, OSError):
                self._lose()
        return meaning

    def _open(self) -> smtplib.SMTP:
        try:
            self._smtp = _connect(self._server)
            _greet(self._smtp, self._server)
        except (smtplib.SMTPException, OSError) as fault:
            self._lose()
            raise NoLine(_why_not(fault)) from None
        return self._smtp

    def _lose(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None


def _be_patient(smtp: smtplib.SMTP, until: float) -> None:
    """No command waits longer than what is left of the mail's time."""
    if smtp.sock is not None:
        smtp.sock.settimeout(max(0.05, until - time.monotonic()))


def _connect(server: Server) -> smtplib.SMTP:
    """Raises what smtplib raises, and then leaves no socket behind."""
    wait = server.connect_timeout_seconds
    if server.implicit_tls:
        return smtplib.SMTP_SSL(server.host, server.port, server.ehlo, timeout=wait, context=server.context)
    return smtplib.SMTP(server.host, server.port, server.ehlo, timeout=wait)


def _greet(smtp: smtplib.SMTP, server: Server) -> None:
    """Encrypt and log in, as far as the account says."""
    _be_patient(smtp, time.monotonic() + server.timeout_seconds)
    smtp.ehlo_or_helo_if_needed()
    if server.starttls:
        smtp.starttls(context=server.context)
        smtp.ehlo()
    if server.username and server.password is not None:
        smtp.login(server.username, server.password.reveal())


def _why_not(fault: Exception) -> Meaning:
    """What a failure to connect, encrypt or log in means for mails that were therefore not sent."""
    if isinstance(fault, smtplib.SMTPNotSupportedError):
        # STARTTLS or AUTH is not offered: sending in clear or unknown instead is not ours to decide.
        return Meaning(SendOutcome.MISCONFIGURED, "tls_or_login_not_offered")
    if isinstance(fault, smtplib.SMTPResponseException):
        text = fault.smtp_error
        meaning = meaning_of(fault.smtp_code, text.decode("latin-1") if isinstance(text, bytes) else text)
        definite = {SendOutcome.THROTTLED, SendOutcome.MISCONFIGURED}
        return meaning if meaning.outcome in definite else Meaning(SendOutcome.TRANSIENT, meaning.code)
    if isinstance(fault, ssl.SSLError):
        return Meaning(SendOutcome.TRANSIENT, "tls_failed")
    return Meaning(SendOutcome.TRANSIENT, "connect_timeout" if isinstance(fault, TimeoutError) else "connect_failed")
