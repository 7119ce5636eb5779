"""What a mail carries so that opening it and following its links is noticed, where its type asks for it.

The links of a template are found when it is compiled (`rendering`), those of words given with a call once for each
wording. For one mail there remains a token per link.
"""

from __future__ import annotations

import re
import secrets
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from uuid import UUID

import msgspec

from notify.policy import MAX_TRACKED_LINKS
from notify.rules.html_links import destination_of, links_in
from notify.rules.signed_links import SignedLinks
from notify.rules.template_syntax import MARK_CLOSE, MARK_OPEN, Kind, Piece
from notify.vocabulary import Content

#: From the value of an `href` to the one that takes its place.
Redirect = Callable[[str], str]

#: HTML whose links are remembered: of constant templates, and of the last calls that brought their own words.
_REMEMBERED = 64
#: Stands on both sides of every link of a template while it is rendered. Nobody outside this process knows it, so no
#: value of a variable can pass for a link, and have a redirect made to wherever it likes.
_EDGE = f"\x02{secrets.token_hex(8)}\x02"
_MARK = re.compile(rf"{MARK_OPEN}(\d+){MARK_CLOSE}")
_DEPTHS = {Kind.IF: 1, Kind.FOR: 1, Kind.ENDIF: -1, Kind.ENDFOR: -1}


class Marks(msgspec.Struct, frozen=True, gc=False):
    """What is one mail's own in its words."""

    redirect: Redirect | None = None
    #: Address of the pixel; empty: none.
    pixel: str = ""
    #: Where its reader says no; empty where there is nothing to say no to.
    unsubscribe_url: str = ""
    #: Where they see and change all they allow.
    preferences_url: str = ""


NO_MARKS = Marks()


def redirect_for(links: SignedLinks, delivery_id: UUID) -> Redirect:
    """What replaces the links of a delivery: web addresses by redirects; every other value stays as it is."""
    redirect_to, own = links.clicks_of(delivery_id), links.own

    def redirect(value: str) -> str:
        destination = destination_of(value)
        return redirect_to(destination) if destination and not destination.startswith(own) else value

    return redirect


def marked(content: Content, marks: Marks) -> Content:
    """Words given with a call, with what is one mail's own."""
    if not content.html_body or (marks.redirect is None and not marks.pixel):
        return content
    return msgspec.structs.replace(content, html_body=with_pixel(with_redirects(content.html_body, marks), marks))


def with_redirects(source: str, marks: Marks) -> str:
    """HTML whose links lead through the mail's redirect, and which is otherwise the same to the letter."""
    if marks.redirect is None:
        return source
    parts = list(_parts(source))
    parts[1::2] = map(marks.redirect, parts[1::2])
    return "".join(parts)


def without_edges(rendered: str, redirect: Redirect) -> str:
    """What a template with edges was rendered to, its links leading through `redirect`."""
    parts = rendered.split(_EDGE)
    parts[1::2] = map(redirect, parts[1::2])
    return "".join(parts)


def with_pixel(source: str, marks: Marks) -> str:
    """HTML with the mail's pixel, an invisible image, at the end of its body."""
    if not marks.pixel or not source:
        return source
    at = source.rfind("</body")
    if at < 0:
        at = source.rfind("</BODY")
    image = f'<img src="{marks.pixel}" width="1" height="1" alt="" style="display:block;border:0">'
    return source[:at] + image + source[at:] if at >= 0 else source + image


def with_edges(pieces: Sequence[Piece]) -> tuple[Piece, ...] | None:
    """A template that shows where its links are when it is rendered; None where it has none."""
    texts = [one.source if one.kind is Kind.TEXT else f"{MARK_OPEN}{at}{MARK_CLOSE}" for at, one in enumerate(pieces)]
    starts = [0, *accumulate(map(len, texts))]
    source = "".join(texts)
    spans = [span for span in links_in(source) if _may_lead_out(source[slice(*span)], pieces)][:MAX_TRACKED_LINKS]
    # From the last to the first, so that what is put in moves nothing that is still to be found.
    for start, end in reversed(spans):
        _put_in(texts, starts, end)
        _put_in(texts, starts, start - 1, behind=1)
    if not spans:
        return None
    return tuple(
        msgspec.structs.replace(one, source=text) if one.kind is Kind.TEXT else one
        for one, text in zip(pieces, texts, strict=True)
    )


def _put_in(texts: list[str], starts: Sequence[int], at: int, behind: int = 0) -> None:
    """Put an edge before, or one sign behind, a place of the whole; that place is in a text."""
    piece = bisect_right(starts, at) - 1
    place = at - starts[piece] + behind
    texts[piece] = texts[piece][:place] + _EDGE + texts[piece][place:]


def _may_lead_out(value: str, pieces: Sequence[Piece]) -> bool:
    """Whether a link can be a web address, and closes in itself whatever conditions it opens."""
    first = _MARK.search(value)
    if first is None:
        return bool(destination_of(value))
    scheme, colon, _ = value[: first.start()].strip().partition(":")
    if (colon and scheme.lower() not in ("http", "https")) or scheme.startswith("#"):
        return False
    return _is_balanced([pieces[int(mark[1])].kind for mark in _MARK.finditer(value)])


def _is_balanced(kinds: Sequence[Kind]) -> bool:
    """Whether every condition and loop among these both begins and ends here."""
    depth = 0
    for kind in kinds:
        depth += _DEPTHS.get(kind, 0)
        if depth < 0 or (depth == 0 and kind in (Kind.ELSE, Kind.ELIF)):
            return False
    return depth == 0


@lru_cache(maxsize=_REMEMBERED)
def _parts(source: str) -> tuple[str, ...]:
    """The HTML cut into what is before a link, the link, what is between it and the next, and so on."""
    parts: list[str] = []
    at = 0
    for number, (start, end) in enumerate(links_in(source)):
        if number == MAX_TRACKED_LINKS:
            break
        parts += (source[at:start], source[start:end])
        at = end
    return (*parts, source[at:])
