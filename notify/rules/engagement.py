"""Was it a person? Scanners, prefetchers and privacy proxies open mails and follow links that nobody has read.

A doubt counts against the person: an opening too few is a smaller lie than one too many. Whatever a machine did first,
the first thing a person does is still noticed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from channels.vocabulary import ReceiptKind

#: Nobody has found, opened and read a mail this soon after it left; the filters of large mail systems have.
TOO_SOON = timedelta(seconds=2)

#: Apple's Mail Privacy Protection loads every picture of every mail, read or not, and says no more than this.
_APPLE = "Mozilla/5.0"
#: Gmail loads the pictures of mails that arrive while it is open; when one is read, GoogleImageProxy asks for them.
_GMAIL_PREFETCH = "Edge/12.246 Mozilla/5.0"
_PROGRAMS = re.compile(
    r"bot\b|crawl|spider|scan|preview|prefetch|monitor|headless|phantomjs|slurp"
    r"|yahoomailproxy|proofpoint|barracuda|mimecast|symantec|sophos|trendmicro|fireeye|forcepoint|ironport|zscaler"
    r"|safelinks|microsoft office existence|urldefense|skypeuripreview|facebookexternalhit|whatsapp|telegram"
    r"|python|curl|wget|libwww|go-http-client|java/|okhttp|node-fetch|axios|httpclient|ruby|perl",
    re.IGNORECASE,
)
#: Where browsers say that they load a page ahead of its reader.
_PURPOSES = ("sec-purpose", "purpose", "x-purpose", "x-moz")


class Hit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request for a pixel or a redirect."""

    kind: ReceiptKind
    method: str
    #: By lower-case name.
    headers: Mapping[str, str]
    #: Since the mail left; None where that is not known (yet).
    since_sent: timedelta | None = None


def is_by_machine(hit: Hit) -> bool:
    """Whether a program made this request by itself."""
    agent = hit.headers.get("user-agent", "").strip()
    return (
        hit.method != "GET"
        or any("fetch" in hit.headers.get(name, "") or "preview" in hit.headers.get(name, "") for name in _PURPOSES)
        or not agent
        or agent == _APPLE
        or agent.endswith(_GMAIL_PREFETCH)
        or bool(_PROGRAMS.search(agent))
        or (hit.kind is ReceiptKind.CLICKED and "googleimageproxy" in agent.lower())
        or (hit.since_sent is not None and hit.since_sent < TOO_SOON)
    )
