"""Which links a message may carry: web addresses and the schemes of apps, nothing that runs code."""

from __future__ import annotations

import re
from urllib.parse import quote

#: Schemes that programs interpret themselves; every other one is an app's own (`myapp://orders/1`).
DANGEROUS_SCHEMES = frozenset(
    [
        *("javascript", "vbscript", "livescript", "data", "blob", "file", "filesystem", "about", "jar", "view-source"),
        *("chrome", "resource", "ms-its", "mhtml", "res", "ws", "wss", "ftp"),
    ]
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
#: What browsers leave out or read over before and inside a scheme.
_IGNORED = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060\ufeff]")
#: Everything RFC 3986 allows in a URI; the rest is percent-encoded.
_URI_SIGNS = "%:/?#[]@!$&'()*+,;=-._~"


def is_safe_start(link: str) -> bool:
    """Whether what a link begins with names no dangerous scheme; relative ones and fragments are safe."""
    head = re.split(r"[/?#\\]", _IGNORED.sub("", link), maxsplit=1)[0]
    scheme, colon, _ = head.partition(":")
    return not colon or (bool(_SCHEME.fullmatch(scheme)) and scheme.lower() not in DANGEROUS_SCHEMES)


def is_web_address(link: str) -> bool:
    """An absolute http or https address with a host."""
    return bool(re.match(r"https?://[^/?#@\s]", link, re.IGNORECASE))


def is_absolute(link: str) -> bool:
    """A link with a scheme and something after it; of web addresses, one with a host."""
    scheme, colon, rest = link.partition(":")
    if not colon or not rest or not _SCHEME.fullmatch(scheme):
        return False
    return is_web_address(link) if scheme.lower() in ("http", "https") else True


def encoded(link: str) -> str:
    """The link with white space, quotes and letters beyond ASCII percent-encoded."""
    return quote(link.strip(), safe=_URI_SIGNS)
