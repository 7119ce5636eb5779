"""The links of an HTML mail: where they stand, and where they lead.

Read the way mail programs read it, and only as far as needed: quotes inside tags, comments (but not Outlook's
conditional ones, which hold markup), texts that are no markup. What is malformed ends the search: the links behind it
stay as they are.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.entities import html5

from notify.policy import MAX_URL
from notify.rules.links import encoded, is_web_address
from notify.rules.template_syntax import MARK_CLOSE, MARK_OPEN

#: What a link must carry to be left alone.
NO_TRACK = "data-no-track"

_START = re.compile(r"<!--+>|<!--\[if|<!--|<(a|area|v:[a-z]+|style|title|textarea|script)(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTES = re.compile(r"""(?:"[^"]*"|'[^']*'|[^"'>])*+>""")
# A condition may stand right before an attribute: its mark is no part of the name.
_ATTRIBUTE = re.compile(rf"""([^\s/>="'{MARK_OPEN}{MARK_CLOSE}]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>`=<]+)))?""")
_RAW = frozenset({"style", "title", "textarea", "script"})
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9A-Fa-f]+;?|([A-Za-z][A-Za-z0-9]*)(;?)(?=(=?)))")
#: Almost every link: an address in which nothing needs a second look but `&amp;`.
_PLAIN = re.compile(r"https?://[A-Za-z0-9](?:[A-Za-z0-9%:/?#\[\]@!$'()*+,;=._~-]|&amp;)*")
#: What browsers leave out of an address wherever it stands.
_LEFT_OUT = re.compile(r"[\t\n\r]")


def links_in(source: str) -> Iterator[tuple[int, int]]:
    """Start and end of the value of every `href` whose element may be tracked, in order."""
    at = 0
    while (match := _START.search(source, at)) is not None:
        name = (match[1] or "").lower()
        at = match.end()
        if match[0] == "<!--":
            at = source.find("-->", at)
        elif name in _RAW:
            end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(source, at)
            at = end.end() if end else -1
        elif name:
            tag = _ATTRIBUTES.match(source, at)
            if tag is not None:
                yield from _hrefs(source, at, tag.end() - 1)
            at = tag.end() if tag else -1
        if at < 0:
            return


def destination_of(value: str) -> str:
    """Where the value of an `href` leads, if it is a web address that can be redirected to; else nothing.

    The address is as a browser would ask for it; its query is kept to the letter.
    """
    if _PLAIN.fullmatch(value):
        link = value.replace("&amp;", "&")
    else:
        link = encoded(_LEFT_OUT.sub("", _unescaped(value)).strip("\x00 \x0c"))
    return link if len(link) <= MAX_URL and is_web_address(link) else ""


def _hrefs(source: str, start: int, end: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for match in _ATTRIBUTE.finditer(source, start, end):
        name = match[1].lower()
        if name == NO_TRACK:
            return []
        group = match.lastindex or 1
        if name == "href" and group > 1:
            spans.append(match.span(group))
    return spans


def _unescaped(value: str) -> str:
    """An attribute's value as the parser of HTML reads it: unlike in text, `&copy=1` is no reference there."""
    return _REFERENCE.sub(_referred, value) if "&" in value else value


def _referred(match: re.Match[str]) -> str:
    name, end, following = match[1], match[2], match[3]
    if name is None:
        return html.unescape(match[0])
    if end:
        return html5.get(f"{name};", match[0])
    return match[0] if following else html5.get(name, match[0])
