"""The SNS stand-in: Publish to phone numbers, with AWS's signature checked and AWS's errors.

Results are in CloudWatch with the real one, so nothing calls back. Numbers in `MAGIC` are refused.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

from config.lab.callbacks import Callbacks
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.sigv4 import Identity
from config.lab.standin import Call, StandIn

REGION = "eu-central-1"
ACCESS_KEY_ID = "AKIALABLABLABLABLAB1"
_XML = [("content-type", "text/xml")]
_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_ATTRIBUTE = re.compile(r"MessageAttributes\.entry\.[1-9]\.(Name|Value\.DataType|Value\.StringValue)\Z")
_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9-]{1,11}\Z")
_PRICE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,5})?\Z")
_TEXT_BYTES = 1600


def _error(status: int, code: str, message: str) -> Answer:
    kind = "Sender" if status < 500 else "Receiver"  # noqa: PLR2004 - HTTP
    body = (
        f'<ErrorResponse xmlns="{_NAMESPACE}">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{code}</Code>\n'
        f"    <Message>{message}</Message>\n  </Error>\n  <RequestId>{uuid.uuid5(_SPACE, code)}</RequestId>\n"
        "</ErrorResponse>\n"
    )
    return Answer(status, _XML, body.encode())


_SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")

ANSWERS: dict[str, Answer] = {
    "MissingAuthenticationToken": _error(403, "MissingAuthenticationToken", "Missing Authentication Token"),
    "InvalidClientTokenId": _error(403, "InvalidClientTokenId", "The security token included is invalid."),
    "SignatureDoesNotMatch": _error(403, "SignatureDoesNotMatch", "The request signature does not match."),
    "RequestExpired": _error(400, "RequestExpired", "Request has expired."),
    "AuthorizationError": _error(403, "AuthorizationError", "Not authorized to perform: SNS:Publish"),
    "KMSDisabled": _error(400, "KMSDisabled", "The key is disabled."),
    "Throttled": _error(429, "Throttled", "Rate exceeded"),
    "Throttling": _error(400, "Throttling", "Rate exceeded"),
    "InternalError": _error(500, "InternalError", "Internal error"),
    "ServiceUnavailable": _error(503, "ServiceUnavailable", "Service is unavailable"),
    "InvalidAction": _error(400, "InvalidAction", "The action is not valid for this endpoint."),
    "NoMessage": _error(400, "InvalidParameter", "Invalid parameter: Empty message"),
    "LongMessage": _error(400, "InvalidParameter", "Invalid parameter: Message too long"),
    "BadNumber": _error(
        400, "InvalidParameter", "Invalid parameter: PhoneNumber Reason: it is not valid to publish to"
    ),
    "BadAttribute": _error(400, "ParameterValueInvalid", "The message attribute value is invalid"),
    "OptedOut": _error(400, "OptedOut", "The number has opted out"),
    "SomethingNew": _error(400, "SomethingNew", "Something new"),
    "html": Answer(200, [("content-type", "text/html")], b"<html>Welcome to the hotel's Wi-Fi</html>"),
}
MAGIC = {"+15005550001": "BadNumber", "+15005550004": "OptedOut"}


class SnsStandIn(StandIn):
    """One account in one region."""

    name = "sns"
    answers = ANSWERS

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._secret = token_hex(20)
        self._identity = Identity(ACCESS_KEY_ID, self._secret, region=REGION, service="sns", prefix="/sns")

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """Region, key id, and the file of the secret key."""
        file = folder / "sns-secret-access-key"
        file.touch(mode=0o600)
        file.write_text(self._secret)
        return {
            "base_url": base_url,
            "plain_url": plain_url,
            "region": REGION,
            "access_key_id": ACCESS_KEY_ID,
            "secret_access_key_file": str(file),
        }

    async def answer(self, call: Call) -> Answer | None:
        """What became of one Publish."""
        wrong = self._identity.refusal(call, now=time.time())
        if wrong:
            return self.refused(wrong)
        form = dict(call.form)
        to, text = form.get("PhoneNumber", ""), form.get("Message", "")
        wrong = _fault_of(form, to, text)
        if wrong:
            return self.refused(wrong)
        # SNS knows no id of ours: the words and the number are what a delivery is told by.
        content = content_hash("", text)
        accept = partial(self.ledger.accept, f"{to} {content}", to, content)
        struck = self.struck(to)
        if struck is not None:
            return self.suffer(struck, call, accept)
        accept()
        return _published()


def _fault_of(form: Mapping[str, str], to: str, text: str) -> str:
    """The word for what SNS refuses about a request; empty when it is taken."""
    if (form.get("Action"), form.get("Version")) != ("Publish", "2010-03-31"):
        return "InvalidAction"
    if to in MAGIC or not _E164.match(to):
        return MAGIC.get(to, "BadNumber")
    if not text:
        return "NoMessage"
    if len(text.encode()) > _TEXT_BYTES:
        return "LongMessage"
    rest = form.keys() - {"Action", "Version", "PhoneNumber", "Message"}
    named = all(_ATTRIBUTE.match(name) for name in rest)
    return "" if named and all(_is_good(form, number) for number in range(1, len(rest) // 3 + 1)) else "BadAttribute"


def _is_good(form: Mapping[str, str], number: int) -> bool:
    entry = f"MessageAttributes.entry.{number}"
    kind, value = form.get(f"{entry}.Value.DataType"), form.get(f"{entry}.Value.StringValue", "")
    match form.get(f"{entry}.Name"):
        case "AWS.SNS.SMS.SMSType":
            return kind == "String" and value in {"Transactional", "Promotional"}
        case "AWS.SNS.SMS.SenderID":
            return kind == "String" and bool(_SENDER.match(value))
        case "AWS.SNS.SMS.MaxPrice":
            return kind == "Number" and bool(_PRICE.match(value))
    return False


def _published() -> Answer:
    message_id, request_id = (str(uuid.UUID(hex=token_hex(16))) for _ in range(2))
    body = (
        f'<PublishResponse xmlns="{_NAMESPACE}">\n  <PublishResult>\n    <MessageId>{message_id}</MessageId>\n'
        f"  </PublishResult>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n"
        "</PublishResponse>\n"
    )
    return Answer(200, _XML, body.encode())
