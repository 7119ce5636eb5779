"""From what an author wrote to what is rendered: MJML becomes HTML, style sheets become attributes, HTML becomes text.

The programs that do it know nothing of our tags. So each tag is swapped for a mark they carry along untouched, and
comes back afterwards. Hostile input can crash them (all three recurse in native code): only `notify.trial`, in a
process of its own, runs what this module does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import css_inline
import mrml
from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from notify.rules.html_context import Context, contexts_of
from notify.rules.template_lint import examine
from notify.rules.template_syntax import MARK_CLOSE, MARK_OPEN, STATEMENTS, Kind, Piece, TemplateFlaw, pieces_of

#: The fields an author may write for e-mail; MJML is one way of writing HTML.
MJML = "mjml_body"

_MARK = re.compile(rf"(?:<!--)?{MARK_OPEN}(\d+){MARK_CLOSE}(?:-->)?")
_MJML_STEP = re.compile(
    rf"""<!--.*?-->|<(?P<close>/?)(?P<name>[A-Za-z][\w:-]*)(?:"[^"]*"|'[^']*'|[^"'>])*>|{MARK_OPEN}(?P<mark>\d+){MARK_CLOSE}""",
    re.DOTALL,
)
#: Elements of MJML whose content is copied into a title, a style sheet or an attribute: no comment may stand there.
_MJML_BARE = frozenset({"mj-title", "mj-preview", "mj-style"})
_STYLE_SHEET = re.compile(r"<style[\s>]", re.IGNORECASE)
_LAYOUT = re.compile(r"</?(?:table|tbody|thead|tfoot|colgroup|col)(?:\s[^>]*)?>", re.IGNORECASE)
_ROW = re.compile(r"<(/?)tr(?:\s[^>]*)?>", re.IGNORECASE)
_CELL = re.compile(r"<(/?)t[dh](?:\s[^>]*)?>", re.IGNORECASE)
_COMMENTS = re.compile(r"<!--\[if[^>]*\]>(?!<!--).*?<!\[endif\]-->|<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
#: mrml writes what it takes for unprintable in attributes as Rust does (the joiner inside an emoji, say).
_ESCAPED = re.compile(r"\\u\{([0-9a-f]{1,5}|10[0-9a-f]{4})\}")
_MANY_LINES = re.compile(r"\n{3,}")

_INLINER = css_inline.CSSInliner(
    # Media queries and :hover cannot be attributes: what was not inlined stays in the style sheet.
    keep_style_tags=True,
    remove_inlined_selectors=True,
    load_remote_stylesheets=False,
)
# Without this, every mail would load its fonts from Google, and tell Google who read it.
_MJML_OPTIONS = mrml.RenderOptions(fonts={})


def built(sources: dict[str, str]) -> dict[str, str]:
    """The fields of an e-mail in one language, ready to compile; raises `TemplateFlaw`."""
    fields = {name: text for name, text in sources.items() if name != MJML}
    if MJML in sources:
        fields["html_body"] = html_of_mjml(sources[MJML])
    elif "html_body" in fields:
        fields["html_body"] = with_inlined_styles(fields["html_body"])
    if fields.get("html_body") and not fields.get("body"):
        fields["body"] = text_of_html(fields["html_body"])
    return fields


def html_of_mjml(source: str) -> str:
    """MJML as HTML with the same tags in it."""
    pieces = examine(source).pieces
    try:
        made: str = mrml.to_html(_mark_mjml(_marked(pieces, _mark), pieces), None, _MJML_OPTIONS).content
    except OSError as error:
        text = f"this is no MJML: {str(error)[:200]}; write < and & in text as &lt; and &amp;"
        raise TemplateFlaw("invalid_mjml", text) from None
    for at, piece in enumerate(pieces):
        # Between elements it must be there once; in an attribute MJML may have copied it with the attribute.
        if (
            piece.kind in STATEMENTS
            and made.count(_commented(at)) != 1
            and (_commented(at) in made or _mark(at) not in made)
        ):
            text = f"{piece.source} cannot stand here, MJML leaves it out; move it into or around an element"
            raise TemplateFlaw("invalid_mjml", text, piece.line)
    return _restored(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), made), pieces)


def with_inlined_styles(source: str) -> str:
    """HTML whose style sheets have become style attributes, as mail programs need; without one, as it was."""
    if not _STYLE_SHEET.search(source):
        return source
    pieces = examine(source).pieces
    contexts = contexts_of(pieces)
    # The inliner sorts and completes attributes, and a style sheet with conditions is none to it.
    if any(_defeats_inlining(piece, context) for piece, context in zip(pieces, contexts, strict=True)):
        return source
    marked = _marked(pieces, lambda at: _commented(at) if contexts[at] is Context.TEXT else _mark(at))
    try:
        made = _INLINER.inline(marked)
    except css_inline.InlineError as error:
        raise TemplateFlaw("invalid_css", f"its style sheet cannot be read: {str(error)[:200]}") from None
    return _restored(made, pieces)


def text_of_html(source: str) -> str:
    """What the HTML says, for mail programs that show text; links follow their words in parentheses."""
    pieces = pieces_of(_COMMENTS.sub("", source))
    marked = _marked(pieces, _mark)
    # Tables in mails are layout: as rows and words in order they read better, and conditions keep their place.
    flat = _CELL.sub(r"<\1span> ", _ROW.sub(r"<\1div>", _LAYOUT.sub("", marked)))
    text = get_text(flat, ParserConfig(display_links=True, display_images=False))
    text = _LINK.sub(r"\1 (\2)", text)
    # A condition alone on its line would leave an empty line behind.
    lines = [_without_break(line.strip(), pieces) for line in text.splitlines()]
    return _restored(_MANY_LINES.sub("\n\n", "".join(lines)).strip(), pieces)


def _without_break(line: str, pieces: Sequence[Piece]) -> str:
    rest = _MARK.sub(lambda match: "" if pieces[int(match[1])].kind in STATEMENTS else "x", line)
    return line if line and not rest else f"{line}\n"


def _defeats_inlining(piece: Piece, context: Context) -> bool:
    return context is Context.TAG or (context is Context.STYLE and piece.kind in STATEMENTS)


def _mark(at: int) -> str:
    return f"{MARK_OPEN}{at}{MARK_CLOSE}"


def _commented(at: int) -> str:
    return f"<!--{_mark(at)}-->"


def _marked(pieces: Sequence[Piece], mark: Callable[[int], str]) -> str:
    """The source with a mark in the place of every tag; comments are left out."""
    spelled = (piece.source if piece.kind is Kind.TEXT else mark(at) for at, piece in enumerate(pieces))
    return "".join("" if piece.kind is Kind.COMMENT else text for piece, text in zip(pieces, spelled, strict=True))


def _mark_mjml(marked: str, pieces: Sequence[Piece]) -> str:
    """Marks of statements between elements become comments: MJML keeps those, and drops loose words."""
    element = ""
    out: list[str] = []
    matches = list(_MJML_STEP.finditer(marked))
    ends = [0, *(match.end() for match in matches)]
    for match, end in zip(matches, ends, strict=False):
        out.append(marked[end : match.start()])
        if match["name"]:
            element = "" if match["close"] else match["name"].lower()
        mark = match["mark"]
        bare = mark is None or pieces[int(mark)].kind is Kind.PRINT or element in _MJML_BARE
        out.append(match[0] if bare else f"<!--{match[0]}-->")
    out.append(marked[ends[-1] :])
    return "".join(out)


def _restored(made: str, pieces: Sequence[Piece]) -> str:
    return _MARK.sub(lambda match: pieces[int(match[1])].source, made)
