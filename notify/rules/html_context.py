"""Where in an HTML template each tag stands: between elements, in a link, in a style.

What a value may do depends on where it lands. Between elements and inside quotes, escaping makes it harmless. At the
start of a link it could bring a scheme of its own (`javascript:`), in a style a function; those places get a filter.
Everywhere else (tag names, attributes without quotes, scripts, event handlers) a template is refused.

Both branches of a condition must leave the HTML in the same place: then one pass in order sees every rendering.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from notify.rules.links import is_safe_start
from notify.rules.template_syntax import STATEMENTS, Kind, Piece, TemplateFlaw


class Context(StrEnum):
    """What a value written at a place has to be made safe for."""

    #: Between elements, in a title, in an ordinary quoted attribute: escaping is enough.
    TEXT = "text"
    #: Inside quotes; like text, but other programs must not find a comment there.
    ATTRIBUTE = "attribute"
    #: The start of a link, where a scheme could stand.
    LINK = "link"
    STYLE = "style"
    #: Inside a comment.
    COMMENT = "comment"
    #: Between the attributes of a tag: for statements only.
    TAG = "tag"


class _Mode(StrEnum):
    DATA = "data"
    TAG = "tag"
    #: After an attribute's name that may go on, or after `=` without a quote: nothing of ours may stand there.
    LOOSE = "loose"
    VALUE = "value"
    #: Inside title, textarea or style, where tags are text.
    RAW = "raw"
    COMMENT = "comment"


class _Place(msgspec.Struct, frozen=True):
    """A position in the HTML as its parser sees it."""

    mode: _Mode = _Mode.DATA
    element: str = ""
    attribute: str = ""
    quote: str = ""
    #: What of the attribute's value is literal so far; tags stand as U+E000.
    value: str = ""

    def agrees(self, other: _Place) -> bool:
        """Whether what follows would mean the same from both; how the value began may differ."""
        mine = (self.mode, self.attribute, self.quote, self.element if self.mode is _Mode.RAW else "")
        return mine == (other.mode, other.attribute, other.quote, other.element if other.mode is _Mode.RAW else "")


_TAG_MARK = "\ue000"
_ELSEWHERE = {_Mode.DATA: Context.TEXT, _Mode.COMMENT: Context.COMMENT}
_LOOSE = (
    "inside an HTML tag, a value stands between the quotes of an attribute; a condition may also stand after a space"
)
_RAW_ELEMENTS = frozenset({"title", "textarea", "style"})
_REFUSED_ELEMENTS = frozenset(
    [
        *("script", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "svg", "math"),
        *("xmp", "noembed", "noframes", "plaintext", "template"),
    ]
)
_LINK_ATTRIBUTES = frozenset(
    [
        *("href", "src", "action", "background", "cite", "poster", "longdesc", "usemap", "xlink:href", "formaction"),
        *("data", "srcset", "lowsrc", "dynsrc", "ping", "manifest", "profile", "classid", "codebase"),
    ]
)

# What starts in text: Outlook's conditional comments hold markup and are read through; other comments are not.
_CONDITIONAL = re.compile(r"<!--\[if[^>]*\]>|<!--+>|<!\[[^>]*>", re.IGNORECASE)
_DECLARATION = re.compile(r"<![^->\[][^>]*>|<\?[^>]*>")
_ELEMENT = re.compile(r"<(/?)([A-Za-z][^\s/>]*)")
_ATTRIBUTE = re.compile(r"""([^\s/>="'][^\s/>=]*)(?:(\s*=\s*)(?:(["'])|([^\s"'>`=<][^\s"'>`=<]*))?)?""")
_SPACE = re.compile(r"[\s/]+")


def contexts_of(pieces: Sequence[Piece]) -> list[Context]:
    """The context of every piece, in order; raises `TemplateFlaw` where no value could be made safe."""
    place = _Place()
    branches: list[_Branches] = []
    contexts: list[Context] = []
    for piece in pieces:
        if piece.kind in (Kind.TEXT, Kind.COMMENT):
            place = _through(place, piece) if piece.kind is Kind.TEXT else place
            contexts.append(Context.TEXT)
            continue
        contexts.append(_context(place, piece))
        if contexts[-1] is Context.LINK and piece.kind is Kind.PRINT:
            _check_link_start(place, piece, branches)
        if piece.kind in STATEMENTS:
            place = _branch(place, piece, branches)
        elif piece.kind is Kind.PRINT and place.mode is _Mode.VALUE:
            place = msgspec.structs.replace(place, value=place.value + _TAG_MARK)
    if place.mode is not _Mode.DATA:
        raise TemplateFlaw("template_html", "the HTML ends inside a tag or a comment; close it")
    return contexts


class _Branches(msgspec.Struct):
    """An open block: where it began and where its branches ended."""

    start: _Place
    ends: list[_Place]
    is_loop: bool
    has_else: bool = False


def _branch(place: _Place, piece: Piece, branches: list[_Branches]) -> _Place:
    """The place after a statement."""
    if piece.kind in (Kind.IF, Kind.FOR):
        branches.append(_Branches(place, [], piece.kind is Kind.FOR))
        return place
    block = branches[-1]
    block.ends.append(place)
    if place.mode is _Mode.VALUE:
        _check_attribute(place.attribute, place.value, piece.line)
    if piece.kind in (Kind.ELSE, Kind.ELIF):
        block.has_else = block.has_else or piece.kind is Kind.ELSE
        return block.start
    branches.pop()
    ends = block.ends if block.has_else and not block.is_loop else [*block.ends, block.start]
    if not all(end.agrees(ends[0]) for end in ends):
        text = "every branch must leave the HTML in the same place: close in it what it opens (tags, quotes)"
        raise TemplateFlaw("template_html", text, piece.line)
    # A link that may have begun in several ways is as uncertain as one that begins with a variable.
    certain = all(_is_settled(end.value) for end in ends) or len({end.value for end in ends}) == 1
    return ends[0] if certain else msgspec.structs.replace(ends[0], value=_TAG_MARK)


def _context(place: _Place, piece: Piece) -> Context:
    if place.mode in _ELSEWHERE:
        return _ELSEWHERE[place.mode]
    if place.mode is _Mode.RAW:
        return Context.STYLE if place.element == "style" else Context.ATTRIBUTE
    if place.mode is _Mode.TAG and piece.kind is not Kind.PRINT:
        return Context.TAG
    if place.mode is not _Mode.VALUE:
        raise TemplateFlaw("template_html", _LOOSE, piece.line)
    if place.attribute == "style":
        return Context.STYLE
    if place.attribute in _LINK_ATTRIBUTES and not _is_settled(place.value):
        return Context.LINK
    return Context.ATTRIBUTE


def _check_link_start(place: _Place, piece: Piece, branches: Sequence[_Branches]) -> None:
    """One value may bring a scheme, and is checked; two, or a value after letters, could put one together."""
    repeats = any(block.is_loop and block.start.mode is _Mode.VALUE for block in branches)
    if place.value.strip() or repeats:
        text = "a link begins with its scheme written out (https://…), or with one variable"
        raise TemplateFlaw("template_unsafe", text, piece.line)


def _is_settled(value: str) -> bool:
    """Whether a link's scheme has been written out, or can no longer come."""
    return any(sign in value for sign in ":/?#")


def _through(place: _Place, piece: Piece) -> _Place:
    """The place after a run of text."""
    text, at = piece.source, 0
    try:
        while at < len(text):
            place, at = _STEPS[place.mode](place, text, at)
    except TemplateFlaw as flaw:
        raise TemplateFlaw(flaw.code, flaw.message, piece.line + text.count("\n", 0, at)) from None
    return place


def _in_data(place: _Place, text: str, at: int) -> tuple[_Place, int]:
    start = text.find("<", at)
    if start < 0:
        return place, len(text)
    if skipped := _CONDITIONAL.match(text, start) or _DECLARATION.match(text, start):
        return place, skipped.end()
    if text.startswith("<!--", start):
        return _Place(_Mode.COMMENT), start + 4
    if match := _ELEMENT.match(text, start):
        return _element(match, text)
    if start + 1 == len(text) or text[start + 1] in "/!?":
        raise TemplateFlaw("template_html", "write &lt; for a < that begins no tag")
    return place, start + 1


def _element(match: re.Match[str], text: str) -> tuple[_Place, int]:
    name = match[2].lower()
    if name.rsplit(":", 1)[-1] in _REFUSED_ELEMENTS:
        raise TemplateFlaw("template_unsafe", f"<{name}> cannot stand in a message; leave it out")
    if match.end() == len(text):
        return _Place(_Mode.LOOSE, name), match.end()
    return _Place(_Mode.TAG, "" if match[1] else name), match.end()


def _in_tag(place: _Place, text: str, at: int) -> tuple[_Place, int]:
    if space := _SPACE.match(text, at):
        return place, space.end()
    if text[at] == ">":
        raw = place.element in _RAW_ELEMENTS
        return _Place(_Mode.RAW, place.element) if raw else _Place(), at + 1
    match = _ATTRIBUTE.match(text, at)
    if match is None:
        raise TemplateFlaw("template_html", "a quote or sign is too many in this tag")
    return _attribute(place, match, text)


def _attribute(place: _Place, match: re.Match[str], text: str) -> tuple[_Place, int]:
    name, equals, quote, bare = match[1].lower(), match[2], match[3], match[4]
    if quote:
        return _Place(_Mode.VALUE, place.element, name, quote), match.end()
    if match.end() == len(text):
        return _Place(_Mode.LOOSE, place.element, name), match.end()
    if equals and bare is None:
        raise TemplateFlaw("template_html", f"the attribute {name[:30]} has no value; put it in quotes")
    _check_attribute(name, bare or "")
    return place, match.end()


def _in_value(place: _Place, text: str, at: int) -> tuple[_Place, int]:
    end = text.find(place.quote, at)
    value = place.value + text[at : end if end >= 0 else len(text)]
    if end < 0:
        return msgspec.structs.replace(place, value=value), len(text)
    _check_attribute(place.attribute, value)
    return _Place(_Mode.TAG, place.element), end + 1


def _check_attribute(name: str, value: str, line: int = 0) -> None:
    """Refuse what runs code or leads the reader's program elsewhere."""
    if name.startswith("on") or name == "srcdoc":
        raise TemplateFlaw("template_unsafe", f"the attribute {name[:30]} runs code; leave it out", line)
    if name == "http-equiv" and value.strip().lower() not in ("content-type", "x-ua-compatible"):
        text = "of http-equiv, only Content-Type and X-UA-Compatible may be set"
        raise TemplateFlaw("template_unsafe", text, line)
    if name in _LINK_ATTRIBUTES:
        link = html.unescape(value)
        scheme, colon, _ = re.split(r"[/?#]", link, maxsplit=1)[0].partition(":")
        if colon and _TAG_MARK in scheme:
            text = "a link's scheme is written out, or the whole link is one variable"
            raise TemplateFlaw("template_unsafe", text, line)
        if not is_safe_start(link):
            raise TemplateFlaw("template_unsafe", f"this kind of link cannot stand in {name}; use https:", line)


def _in_raw(place: _Place, text: str, at: int) -> tuple[_Place, int]:
    end = re.compile(rf"</{place.element}(?=[\s/>])", re.IGNORECASE).search(text, at)
    return (_Place(_Mode.TAG), end.end()) if end else (place, len(text))


def _in_comment(place: _Place, text: str, at: int) -> tuple[_Place, int]:
    end = text.find("-->", at)
    return (_Place(), end + 3) if end >= 0 else (place, len(text))


def _loose(_place: _Place, _text: str, _at: int) -> tuple[_Place, int]:
    raise TemplateFlaw("template_html", _LOOSE)


_STEPS = {
    _Mode.DATA: _in_data,
    _Mode.TAG: _in_tag,
    _Mode.LOOSE: _loose,
    _Mode.VALUE: _in_value,
    _Mode.RAW: _in_raw,
    _Mode.COMMENT: _in_comment,
}
