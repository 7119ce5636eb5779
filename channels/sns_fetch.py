"""The two things SNS asks a subscriber to fetch: its signing certificate, and the confirmation of a subscription.

Both are rare (a certificate lives for a year and is kept), so this is `requests`. Who calls has looked at the host
first (`rules/sns_envelope.is_amazons`); here nothing is followed elsewhere, waited for long, or read beyond a bound.
"""

from __future__ import annotations

import time
from functools import lru_cache
from itertools import islice

import requests
from cryptography import x509

from channels import policy
from channels.rules.hosts import is_loopback

_OK = 200
_PART_BYTES = 8192


class NotFetchedError(Exception):
    """SNS could not be reached, or gave something else; it may do better when it calls again."""


def certificate(url: str, *, ca_file: str = "") -> x509.Certificate:
    """The certificate at a URL, fetched once; raises NotFetchedError, for a moment without asking again."""
    if time.monotonic() - _failed_at.get(url, float("-inf")) < policy.REBUILD_AFTER_SECONDS:
        raise NotFetchedError
    try:
        return _certificate(url, ca_file)
    except NotFetchedError:
        if len(_failed_at) >= policy.SNS_CERTIFICATES:
            _failed_at.clear()
        _failed_at[url] = time.monotonic()
        raise


def confirm(url: str, *, ca_file: str = "") -> None:
    """Confirm a subscription; raises NotFetchedError."""
    _fetch(url, ca_file)


#: When a URL last failed: callbacks that name it need not each wait out the time-out.
_failed_at: dict[str, float] = {}


@lru_cache(maxsize=policy.SNS_CERTIFICATES)
def _certificate(url: str, ca_file: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_fetch(url, ca_file))
    except ValueError:
        raise NotFetchedError from None


def _fetch(url: str, ca_file: str) -> bytes:
    with requests.Session() as session:
        session.trust_env = not is_loopback(url)
        try:
            answer = session.get(
                url, timeout=policy.SNS_TIMEOUT_SECONDS, verify=ca_file or True, allow_redirects=False, stream=True
            )
            content = b"".join(islice(answer.iter_content(_PART_BYTES), policy.ANSWER_LIMIT_BYTES // _PART_BYTES))
        except requests.RequestException as fault:
            raise NotFetchedError from fault
    if answer.status_code != _OK:
        raise NotFetchedError
    return content
