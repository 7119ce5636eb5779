"""E-mail over SMTP, with connections that are kept between pages.

A page is shared by a few connections, one mail at a time on each; a refused recipient costs its own mail and no other.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock
from typing import ClassVar
from urllib.parse import urlsplit

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.provider import Capabilities, Option, misdeclared
from channels.rules.accounts import Account
from channels.rules.hosts import is_loopback
from channels.rules.mail import BadMail, compose, sender_of
from channels.rules.smtp_replies import Meaning
from channels.smtp_line import Line, NoLine, Server
from channels.vocabulary import Channel, EmailMessage, SendOutcome, SendResult

_PORTS = {"smtp": 587, "smtps": 465}
_NO_LINE = Meaning(SendOutcome.TRANSIENT, "connection_lost")
_DEADLINE = Meaning(SendOutcome.THROTTLED, "page_deadline")


class Smtp:
    """One mail server and one sender."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.EMAIL}),
        schemes=frozenset({"smtp", "smtps"}),
        options={
            "from_email": Option("address mails are from, under a domain with SPF, DKIM and DMARC", required=True),
            "from_name": Option("name mails are from"),
            "starttls": Option("demand encryption with STARTTLS (smtp:// only; true unless on loopback)", bool),
            "username": Option("user to log in as; the password is a secret"),
        },
        optional_secrets=frozenset({"password"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._name = account.name
        try:
            self._sender = sender_of(account.options)
        except ValueError as fault:
            raise misdeclared(account, "options.from_email", str(fault)) from None
        self._server = _server_of(account, secrets.get("password"))
        self._concurrency = account.concurrency or policy.SMTP_CONCURRENCY
        self._idle: list[Line] = []
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None

    def send_many(self, messages: Sequence[EmailMessage], *, deadline: float) -> list[SendResult]:
        """Every mail by itself, over as many connections as the page is worth."""
        page = _Page(messages, deadline)
        lines = min(self._concurrency, len(messages))
        if lines > 1:
            self._threads = self._threads or ThreadPoolExecutor(self._concurrency, thread_name_prefix="smtp")
            list(self._threads.map(self._work, [page] * lines))
        else:
            self._work(page)
        # What no connection got round to, because none could be opened any more.
        return [result or self._result(page, at, page.failure) for at, result in enumerate(page.results)]

    def close(self) -> None:
        """Say goodbye on every connection."""
        if self._threads is not None:
            self._threads.shutdown()
        while self._idle:
            self._idle.pop().close()
        self._threads = None

    def _work(self, page: _Page) -> None:
        """Send mails of the page over one connection until none is left or the connection cannot be had."""
        with self._lock:
            line = self._idle.pop() if self._idle else Line(self._server)
        while (at := page.next()) is not None:
            meaning = self._send(line, page, at)
            if meaning is None:
                page.put_back(at)
                break
            page.results[at] = self._result(page, at, meaning, line.accepted_as)
        with self._lock:
            self._idle.append(line)

    def _send(self, line: Line, page: _Page, at: int) -> Meaning | None:
        """What became of one mail; None: there is no connection, and the page knows why."""
        page.starts[at] = time.time(), time.monotonic()
        if time.monotonic() >= page.deadline:
            return _DEADLINE
        message = page.messages[at]
        try:
            content = compose(message, sender=self._sender, now=datetime.now(UTC))
        except BadMail as fault:
            return Meaning(SendOutcome.BAD_MESSAGE, str(fault))
        try:
            return line.deliver(self._sender.address, message.to, content)
        except NoLine as fault:
            page.failure = fault.meaning
            return None
        except Exception:  # noqa: BLE001 - one mail nobody foresaw must not answer for the page; where it was is unknown
            line.close()
            return Meaning(SendOutcome.AMBIGUOUS, "adapter_error")

    def _result(self, page: _Page, at: int, meaning: Meaning, accepted_as: str = "") -> SendResult:
        started_at, clock = page.starts.get(at) or (time.time(), time.monotonic())
        accepted = meaning.outcome is SendOutcome.ACCEPTED
        return SendResult(
            id=page.messages[at].id,
            outcome=meaning.outcome,
            provider=self._name,
            provider_message_id=accepted_as if accepted else "",
            code=meaning.code,
            receipt=meaning.receipt,
            started_at=started_at,
            latency_ms=(time.monotonic() - clock) * 1000,
        )


ADAPTER = Smtp


class _Page:
    """The mails of one call, handed out one by one to the connections."""

    def __init__(self, messages: Sequence[EmailMessage], deadline: float) -> None:
        self.messages, self.deadline = messages, deadline
        self.results: list[SendResult | None] = [None] * len(messages)
        self.starts: dict[int, tuple[float, float]] = {}
        self.failure = _NO_LINE
        self._waiting = list(range(len(messages) - 1, -1, -1))
        self._lock = Lock()

    def next(self) -> int | None:
        """The next mail to send, or None."""
        with self._lock:
            return self._waiting.pop() if self._waiting else None

    def put_back(self, at: int) -> None:
        """Another connection may have more luck."""
        with self._lock:
            self._waiting.append(at)


def _server_of(account: Account, password: Secret | None) -> Server:
    url = urlsplit(account.base_url)
    implicit_tls = url.scheme == "smtps"
    local = is_loopback(account.base_url)
    starttls = account.options.get("starttls", not local) and not implicit_tls
    username = account.options.get("username", "")
    faults = []
    if bool(username) != (password is not None):
        faults.append(("options.username", "give both: options.username and secrets.password, or neither"))
    if username and not (starttls or implicit_tls or local):
        faults.append(("options.starttls", "must be true where a password is sent: it would travel in clear"))
    if faults:
        entry = f'provider "{account.name}"'
        raise ConfigurationFault([Fault(conf.accounts_file(), entry, key, cure) for key, cure in faults])
    return Server(
        host=url.hostname or "",
        port=url.port or _PORTS[url.scheme],
        ehlo=account.options["from_email"].rpartition("@")[2],
        implicit_tls=implicit_tls,
        starttls=starttls,
        context=ssl.create_default_context(cafile=account.ca_file or None),
        timeout_seconds=account.timeout_seconds,
        connect_timeout_seconds=account.connect_timeout_seconds,
        username=username,
        password=password,
    )
