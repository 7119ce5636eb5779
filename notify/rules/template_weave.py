"""A checked template spelled anew for the engine, with its safeguards woven in.

Spelling it anew means that the engine sees only what `template_lint` understood. Woven in are a tick at the head of
every loop's body, a weighing of whatever an operator or filter may take long with, and a check on values in links
and styles. The names of all these begin with an underscore, which no author may write.
"""

from __future__ import annotations

import html
import re
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import minijinja
import msgspec

from notify.policy import RENDER_FUEL, RENDER_WORK
from notify.rules.html_context import Context
from notify.rules.links import is_safe_start
from notify.rules.template_expressions import (
    GROWING_FILTERS,
    LIST_FILTERS,
    MAPPING_FILTERS,
    NUMBER_FILTERS,
    TEXT_FILTERS,
)
from notify.rules.template_lint import Draft
from notify.rules.template_syntax import Kind, Piece, Token

_WEIGHINGS = {
    **dict.fromkeys([*LIST_FILTERS, "join"], "_items"),
    **dict.fromkeys(MAPPING_FILTERS, "_pairs"),
    **dict.fromkeys([*TEXT_FILTERS, *GROWING_FILTERS - {"join"}], "_text"),
    **dict.fromkeys(NUMBER_FILTERS, "_number"),
}
#: What costs as much as one element of a list, some 0.2 us: characters of text, and bytes of JSON in containers.
_CHARACTERS_PER_WORK = 16
_BYTES_PER_WORK = 64
_STYLE_VALUE = re.compile(r"[\w\s#.,%+-]*")
_REMOVED_FILTERS = (
    *("safe", "escape", "e", "attr", "batch", "slice", "indent", "select", "reject", "chain", "zip", "pprint"),
    *("format", "filesizeformat", "striptags", "wordwrap"),
)
_encode = msgspec.json.Encoder().encode


class TemplateFault(Exception):
    """A message that cannot be rendered. Neither code nor detail holds a value, so both may be stored and logged."""

    def __init__(self, code: str, detail: str, hint: str = "") -> None:
        """Keep the stable word, what is wrong, and for the author of a preview the engine's own words."""
        super().__init__(detail)
        self.code = code
        self.detail = detail
        #: May quote values: never stored.
        self.hint = hint


class _Meter:
    """What the metered rendering under way may still spend; one at a time in a process, which the lock sees to."""

    __slots__ = ("lock", "room", "weights", "work")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.room = 0
        self.work = 0
        #: By identity: a container with its weight. Holding it keeps its identity from being given to another.
        self.weights: dict[int, tuple[Any, int]] = {}

    def refill(self, room: int) -> None:
        """Begin a rendering that may write so many characters."""
        self.room = room
        self.work = RENDER_WORK
        self.weights.clear()

    def write(self, characters: int) -> None:
        """Account for output."""
        self.room -= characters
        if self.room < 0:
            raise TemplateFault("template_output_too_long", "it renders to more than a field may hold")

    def walk(self, elements: int) -> None:
        """Account for work."""
        self.work -= elements
        if self.work < 0:
            raise TemplateFault("template_too_costly", "it takes more steps than one rendering may")

    def weigh(self, value: Any, times: int = 1) -> None:
        """Account for walks over a value, all the way down."""
        if isinstance(value, str):
            self.walk(times * (len(value) // _CHARACTERS_PER_WORK))
        elif isinstance(value, (list, dict, tuple)):
            known = self.weights.get(id(value))
            if known is None:
                weight = len(value) + len(_encode(value)) // _BYTES_PER_WORK
                known = self.weights[id(value)] = (value, weight)
            self.walk(times * known[1])


METER = _Meter()


def woven(draft: Draft, contexts: Sequence[Context] | None = None, *, metered: bool = True) -> str:
    """The source the engine compiles; `contexts` of HTML, None for text. Without ticks where its cost is sure."""
    pieces = draft.pieces
    spelled = [_spelled(piece, contexts[at] if contexts else Context.TEXT) for at, piece in enumerate(pieces)]
    for at, piece in enumerate(pieces):
        if piece.kind is Kind.FOR:
            spelled[at] += _tick_for(draft, at + 1)
    return (_tick_for(draft, 0) if metered and any(draft.heavy) else "") + "".join(spelled)


def plain(pieces: Sequence[Piece]) -> str:
    """The same without the safeguards, for questions about the source."""
    return "".join(_wrapped(piece, _joined(piece.tokens)) for piece in pieces)


def environment(*, metered: bool) -> minijinja.Environment:
    """An engine that knows what a template may use and nothing else: no loader, no functions, few filters."""
    engine = minijinja.Environment(
        debug=False,
        fuel=RENDER_FUEL,
        undefined_behavior="chainable",
        keep_trailing_newline=True,
        pycompat=False,
        finalizer=_finished if metered else None,
        auto_escape_callback=_is_html,
    )
    for name in _REMOVED_FILTERS:
        engine.remove_filter(name)
    for name in list(engine.globals):
        engine.remove_global(name)
    for name, call in _FILTERS.items():
        engine.add_filter(name, call)
    engine.add_global("_tick", _tick)
    return engine


def _is_html(name: str) -> bool:
    return name == "html_body" or name.endswith("/html_body")


def _tick_for(draft: Draft, start: int) -> str:
    """The tick of the body that begins here; what the loops inside it do is theirs to tell."""
    depth, length = 0, 0
    named: list[str] = []
    for piece, heavy in zip(draft.pieces[start:], draft.heavy[start:], strict=True):
        if depth == 0:
            named += heavy
            length += len(piece.source) if piece.kind is Kind.TEXT and start else 0
        depth += (piece.kind is Kind.FOR) - (piece.kind is Kind.ENDFOR)
        if depth < 0:
            break
    # Each value once, with how often it is named: passing it on copies it.
    weighed = "".join(f", {times}, {name}" for name, times in Counter(named).items())
    return f"{{% do _tick({length}{weighed}) %}}"


def _spelled(piece: Piece, context: Context) -> str:
    if piece.kind is Kind.TEXT:
        return piece.source
    expression = _joined(_weighed(piece.tokens))
    if piece.kind is Kind.PRINT and context in _CHECKS:
        expression = f"( {expression} ) | {_CHECKS[context]}"
    return _wrapped(piece, expression)


def _wrapped(piece: Piece, expression: str) -> str:
    before, after = "-" * piece.trims_before, "-" * piece.trims_after
    if piece.kind is Kind.TEXT:
        return piece.source
    if piece.kind is Kind.COMMENT:
        return f"{{#{before} {after}#}}"
    if piece.kind is Kind.PRINT:
        return f"{{{{{before} {expression} {after}}}}}"
    return f"{{%{before} {piece.kind} {expression} {after}%}}"


def _joined(tokens: Sequence[Token]) -> str:
    return " ".join(token.text for token in tokens)


def _weighed(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with a weighing before every filter that needs one."""
    out: list[Token] = []
    for at, token in enumerate(tokens):
        following = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if token.text == "|" and token.kind == "op" and following in _WEIGHINGS:
            out += [token, Token("name", _WEIGHINGS[following])]
        out.append(token)
    return out


def _tick(characters: int, *values: Any) -> str:
    """Once per turn of a loop: its text, and what its operators work with: how often, and what."""
    METER.write(characters)
    METER.walk(1)
    for times, value in zip(values[::2], values[1::2], strict=True):
        METER.weigh(value, times)
    return ""


def _weigh_items(value: Any) -> Any:
    """Before a filter on lists; what is missing counts as empty."""
    METER.weigh(value)
    return () if value is None else value


def _weigh_pairs(value: Any) -> Any:
    METER.weigh(value)
    return {} if value is None or value == () else value


def _weigh_text(value: Any) -> Any:
    METER.weigh(value)
    return "" if value is None or value == () else value


def _weigh_number(value: Any) -> Any:
    METER.weigh(value)
    return value


def _finished(value: Any) -> Any:
    """Before a value is written: account for it; nulls, missing ones and whatever is no JSON write nothing."""
    if type(value) is str:
        # Almost every value is text, and a digest has hundreds: the meter's own method would double the cost.
        METER.room -= len(value)
        if METER.room >= 0:
            return value
    elif value is None or value == () or not isinstance(value, (str, int, float, list, tuple, dict)):
        return ""
    METER.write(len(str(value)))
    return value


def _link(value: Any) -> Any:
    """A value at the start of a link: without a dangerous scheme; escaped here, where the slashes may stay."""
    if not isinstance(value, str):
        return value
    if not is_safe_start(value):
        raise TemplateFault("invalid_link", "a variable holds a link of a kind that is not allowed; use https:")
    return minijinja.safe(html.escape(value))


def _style(value: Any) -> Any:
    """A value in a style: colours, sizes and names; no functions, no further declarations."""
    if value is not None and not _STYLE_VALUE.fullmatch(str(value)):
        raise TemplateFault("invalid_style", "a variable inside a style may hold a colour, a number or a name")
    return value


def _tojson(value: Any) -> str:
    # The engine's own marks its result as safe HTML, and its quotes would end an attribute.
    return _encode(None if value == "" else value).decode()


_CHECKS = {Context.LINK: "_link", Context.STYLE: "_style"}
_FILTERS = {
    "_items": _weigh_items,
    "_pairs": _weigh_pairs,
    "_text": _weigh_text,
    "_number": _weigh_number,
    "_link": _link,
    "_style": _style,
    "tojson": _tojson,
}
