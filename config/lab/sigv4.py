"""Signature Version 4 as AWS checks it, for the stand-ins of its services.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html - the judge of this is
botocore, in the tests.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote

from config.lab.standin import Call

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})\Z"
)
#: Seconds a request's clock may be off.
_SKEW_SECONDS = 900


class Identity:
    """One access key and what it is for."""

    def __init__(self, access_key_id: str, secret_access_key: str, *, region: str, service: str, prefix: str) -> None:
        """`prefix` is the path below which the stand-in lives: clients sign the path as they see it."""
        self.access_key_id, self.secret_access_key = access_key_id, secret_access_key
        self.region, self.service, self._prefix = region, service, prefix

    def refusal(self, call: Call, *, now: float) -> str:
        """AWS's word for what is wrong with a request's signature; empty when it is right."""
        found = _AUTHORIZATION.match(call.headers.get("authorization") or "")
        if found is None:
            return "MissingAuthenticationToken"
        if found["key"] != self.access_key_id:
            return "InvalidClientTokenId"
        stamp = call.headers.get("x-amz-date") or ""
        payload = hashlib.sha256(call.body).hexdigest()
        told = call.headers.get("x-amz-content-sha256") or payload
        scope_is_ours = (found["region"], found["service"]) == (self.region, self.service)
        signed = found["headers"].split(";")
        if not scope_is_ours or told != payload or not stamp.startswith(found["date"]) or "host" not in signed:
            return "SignatureDoesNotMatch"
        if abs(_epoch(stamp) - now) > _SKEW_SECONDS:
            return "RequestExpired"
        right = self._signature(found["date"], stamp, self._canonical(call, signed, payload))
        return "" if hmac.compare_digest(right, found["signature"]) else "SignatureDoesNotMatch"

    def _canonical(self, call: Call, signed: list[str], payload: str) -> str:
        query = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in _pairs(call.query))
        lines = [
            call.method,
            quote(self._prefix + call.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(_header(call, name).split())}" for name in signed),
            "",
            ";".join(signed),
            payload,
        ]
        return "\n".join(lines)

    def _signature(self, date: str, stamp: str, canonical: str) -> str:
        scope = f"{date}/{self.region}/{self.service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = _key(self.secret_access_key, date, self.region, self.service)
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=8)
def _key(secret: str, *parts: str) -> bytes:
    """The key of one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (*parts, "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _header(call: Call, name: str) -> str:
    """HTTP/2 says `:authority` where HTTP/1.1 says Host."""
    value: Any = call.host if name == "host" else call.headers.get(name)
    return value or ""


def _epoch(stamp: str) -> float:
    try:
        return dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        return 0.0
