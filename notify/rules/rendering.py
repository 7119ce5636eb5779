"""Template and variables become the words of one delivery.

A version is compiled once per process. Fields without tags are constants; simple ones run in an engine without
safeguards, where their size is certain beforehand; the others run metered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import minijinja
import msgspec

from channels.vocabulary import Channel
from notify.policy import MAX_HTML, MAX_TEXT, RENDER_SURE_CHARACTERS
from notify.rules.content_limits import CHECK, FIELDS, fit_field
from notify.rules.html_context import Context, contexts_of
from notify.rules.locales import by_lower_case, choose
from notify.rules.rich_fields import content_of
from notify.rules.template_expressions import COLLISIONS, RENAMED
from notify.rules.template_lint import Draft, examine
from notify.rules.template_plain import Plain, plain_of
from notify.rules.template_syntax import Kind, TemplateFlaw
from notify.rules.template_weave import METER, TemplateFault, environment, plain, woven
from notify.rules.tracking import NO_MARKS, Marks, with_edges, with_pixel, with_redirects, without_edges
from notify.vocabulary import Content

__all__ = ["CompiledTemplate", "Rendered", "TemplateFault", "TemplateFlaw", "names_in"]

#: {channel: {locale: {field: source}}}.
Wordings = Mapping[str, Mapping[str, Mapping[str, str]]]

#: Characters a number may be written with.
_NUMBER = 400
#: How often a character is written at most: escaped (6), in capitals (3).
_GROWTH = 18
#: The variables that are ours to fill: where the reader says no, and where they see all they allow.
WAY_OUT, CENTRE = "unsubscribe_url", "preferences_url"
#: Names that need no declaration.
GIVEN = frozenset({"user", WAY_OUT, CENTRE})
#: Languages asked for that are remembered with their answer.
_REMEMBERED = 256
_encode = msgspec.json.Encoder().encode
#: What the engine's kinds of failure mean for the author; its own words may quote values.
_MEANINGS = {
    "OutOfFuel": ("template_too_costly", "it takes more steps than one rendering may"),
    "UndefinedError": ("template_fails", "it uses a value that is missing; add a default"),
    "InvalidOperation": ("template_fails", "it does with a value what cannot be done with it, or with a missing one"),
    "SyntaxError": ("template_syntax", "the engine does not understand it"),
    "TooManyArguments": ("template_syntax", "a filter has arguments it does not take; name them (length=20)"),
    "MissingArgument": ("template_syntax", "a filter lacks an argument"),
}


class Rendered(msgspec.Struct, frozen=True, gc=False):
    """The words of one delivery, and the language they came out in."""

    content: Content
    locale: str


class _Facts(dict[str, Any]):
    """An object of the caller's whose missing keys are empty, also where Python has a method of that name."""

    def __missing__(self, key: object) -> tuple[()]:
        return ()


class _Field(msgspec.Struct, frozen=True):
    """One field of one wording, ready to render."""

    name: str
    #: The whole text, when there is no tag in it.
    constant: str | None
    #: Where its tags only print, it is made without an engine.
    simple: Plain | None
    #: Names under which the engines know it; no `sure` one: always metered.
    sure: str | None
    metered: str
    #: The output is at most `base + slope * bytes of the variables`.
    base: int
    slope: int
    room: int
    #: Of HTML with links, the same with an edge on both sides of each.
    tracked: _Field | None
    needs_user: bool
    #: Addresses of ours that it names.
    ours: tuple[str, ...]
    needs_shield: bool
    #: Variables that the engine knows by another name.
    renamed: tuple[str, ...]

    def is_sure_for(self, variables: Mapping[str, Any]) -> bool:
        """Whether with these it certainly fits, so that nobody need watch."""
        return self.base + self.slope * len(_encode(variables)) <= RENDER_SURE_CHARACTERS


class _Wording(msgspec.Struct, frozen=True):
    """One channel in one language."""

    locale: str
    constants: dict[str, str]
    fields: tuple[_Field, ...]
    #: It has parts that are more than one text.
    is_rich: bool


class CompiledTemplate:
    """A version of a template as this process renders it."""

    def __init__(self, default_locale: str) -> None:
        """Begin an empty one; `of` is the way to a whole one."""
        self.default_locale = default_locale
        self._sure = environment(metered=False)
        self._metered = environment(metered=True)
        self._wordings: dict[str, dict[str, _Wording]] = {}
        self._spellings: dict[str, dict[str, str]] = {}
        self._chosen: dict[tuple[str, str | None], _Wording] = {}
        self._ours: frozenset[str] = frozenset()
        self._refusal: tuple[str, str] | None = None

    @classmethod
    def of(cls, compiled: Wordings, variables: Mapping[str, Any], default_locale: str) -> CompiledTemplate:
        """Compile every field; raises `TemplateFlaw` for one that is not allowed.

        `variables` is the version's schema. What a value must be is checked before, by `variables.check`.
        """
        del variables
        template = cls(default_locale)
        for channel, locales in compiled.items():
            template._spellings[channel] = by_lower_case(locales)
            template._wordings[channel] = {
                locale: template._wording(channel, locale, sources) for locale, sources in locales.items()
            }
        return template

    @classmethod
    def refused(cls, code: str, detail: str) -> CompiledTemplate:
        """One that answers every rendering with the same fault."""
        template = cls("")
        template._refusal = (code, detail)
        return template

    @property
    def ours(self) -> frozenset[str]:
        """The addresses of ours that any of its words name: `WAY_OUT`, `CENTRE`."""
        return self._ours

    def channels(self) -> Sequence[str]:
        """The channels it has words for."""
        return tuple(self._wordings)

    def locales(self, channel: str) -> Sequence[str]:
        """The languages it has words in on a channel."""
        return tuple(self._wordings.get(channel, ()))

    def render(
        self,
        channel: str,
        locale: str | None,
        variables: dict[str, Any],
        user: Mapping[str, Any],
        marks: Marks = NO_MARKS,
    ) -> Rendered:
        """The words for one person; `variables` as `variables.check` returned them. Raises `TemplateFault`."""
        wording = self._chosen.get((channel, locale)) or self._choose(channel, locale)
        values: dict[str, Any] = dict(wording.constants)
        if wording.fields:
            for field in wording.fields:
                values[field.name] = self._filled(field, variables, user, marks)
        if "html_body" in wording.constants:
            values["html_body"] = with_redirects(values["html_body"], marks)
        if "html_body" in values:
            values["html_body"] = with_pixel(values["html_body"], marks)
        content = content_of(values) if wording.is_rich else Content(**values)
        CHECK[Channel(channel)](content)
        return Rendered(content, wording.locale)

    def _filled(self, field: _Field, variables: dict[str, Any], user: Mapping[str, Any], marks: Marks) -> str:
        simple = field.simple.filled(variables, user, field.room) if field.simple is not None else None
        if simple is not None:
            text = simple
        elif marks.redirect is not None and field.tracked is not None:
            text = without_edges(self._made(field.tracked, variables, user, marks), marks.redirect)
        else:
            text = self._made(field, variables, user, marks)
        return fit_field(field.name, text)

    def _made(self, field: _Field, variables: dict[str, Any], user: Mapping[str, Any], marks: Marks) -> str:
        """What an engine makes of a field."""
        context = _context_of(field, variables, user, marks)
        try:
            if field.sure is not None and field.is_sure_for(variables):
                text: str = self._sure.render_template(field.sure, **context)
            else:
                with METER.lock:
                    METER.refill(field.room)
                    text = self._metered.render_template(field.metered, **context)
        except minijinja.TemplateError as error:
            raise _fault_of(error, field.name) from None
        except TemplateFault as fault:
            raise TemplateFault(fault.code, f"{field.name}: {fault.detail}", fault.hint) from None
        return text

    def _choose(self, channel: str, locale: str | None) -> _Wording:
        """Find the wording for a wish, and remember it."""
        if self._refusal is not None:
            raise TemplateFault(*self._refusal)
        if channel not in self._wordings:
            raise TemplateFault("no_content", f"the template has no words for {channel}")
        spelling = choose(locale, self._spellings[channel], self.default_locale)
        if spelling is None:
            raise TemplateFault("no_content", f"the template has no words for {channel} in its default language")
        if len(self._chosen) >= _REMEMBERED:
            self._chosen.clear()
        self._chosen[channel, locale] = self._wordings[channel][spelling]
        return self._chosen[channel, locale]

    def _wording(self, channel: str, locale: str, sources: Mapping[str, str]) -> _Wording:
        constants: dict[str, str] = {}
        fields: list[_Field] = []
        parts = sorted(name for name in sources if "." in name)
        for name in (*FIELDS[Channel(channel)], *parts):
            if source := sources.get(name):
                field = self._compiled(f"{channel}/{locale}/{name}", name, source)
                if field.constant is None:
                    fields.append(field)
                else:
                    constants[name] = field.constant
        return _Wording(locale, constants, tuple(fields), is_rich=bool(parts) or "badge" in sources)

    def _compiled(self, key: str, name: str, source: str) -> _Field:
        draft = examine(source)
        is_html = name == "html_body"
        contexts = contexts_of(draft.pieces) if is_html else None
        if all(piece.kind is Kind.TEXT for piece in draft.pieces):
            return _constant(name, source)
        field = self._field(key, name, draft, contexts)
        edged = with_edges(draft.pieces) if is_html else None
        if edged is None:
            return field
        tracked = self._field(f"tracked/{key}", name, msgspec.structs.replace(draft, pieces=edged), contexts)
        return msgspec.structs.replace(field, tracked=tracked)

    def _field(self, key: str, name: str, draft: Draft, contexts: Sequence[Context] | None) -> _Field:
        """A field whose text the engines make."""
        source = woven(draft, contexts)
        _add(self._metered, key, source)
        names = names_in(draft)
        ours = names & {WAY_OUT, CENTRE}
        self._ours |= ours
        is_sure = not (draft.metered or draft.nested or "user" in names)
        if is_sure:
            _add(self._sure, key, woven(draft, contexts, metered=False))
        return _Field(
            name=name,
            constant=None,
            simple=plain_of(draft, names) if contexts is None and not ours else None,
            sure=key if is_sure else None,
            metered=key,
            base=len(source) + draft.mentions * _NUMBER,
            slope=draft.mentions * _GROWTH,
            room=MAX_HTML if name == "html_body" else MAX_TEXT,
            tracked=None,
            needs_user="user" in names,
            ours=tuple(ours),
            needs_shield=draft.collides,
            renamed=tuple(names & COLLISIONS),
        )


def _context_of(field: _Field, variables: dict[str, Any], user: Mapping[str, Any], marks: Marks) -> Mapping[str, Any]:
    """What the engine is told: the variables, and what of ours the field names."""
    context: dict[str, Any] = variables
    if field.needs_user:
        context = {**context, "user": user}
    if field.ours:
        context = {**context, **{name: getattr(marks, name) for name in field.ours}}
    if field.renamed:
        context = {**context, **{RENAMED + name: context[name] for name in field.renamed if name in context}}
    if field.needs_shield:
        context = {name: _shielded(value) for name, value in context.items()}
    return context


def names_in(draft: Draft) -> set[str]:
    """The variables a template asks for; names that a loop brings are not among them."""
    source = plain(draft.pieces)
    try:
        names: set[str] = _ASKED.undeclared_variables_in_str(source)
    except minijinja.TemplateError as error:
        raise _flaw_of(error) from None
    return {name.removeprefix(RENAMED) for name in names}


_ASKED = environment(metered=False)


def _constant(name: str, source: str) -> _Field:
    """A field without tags: made fit once, and refused at once when it cannot be."""
    try:
        text = fit_field(name, source)
    except TemplateFault as fault:
        raise TemplateFlaw(fault.code, fault.detail) from None
    return _Field(
        name=name,
        constant=text,
        simple=None,
        sure=None,
        metered="",
        base=0,
        slope=0,
        room=0,
        tracked=None,
        needs_user=False,
        ours=(),
        needs_shield=False,
        renamed=(),
    )


def _add(engine: minijinja.Environment, key: str, source: str) -> None:
    try:
        engine.add_template(key, source)
    except minijinja.TemplateError as error:
        raise _flaw_of(error) from None


def _flaw_of(error: minijinja.TemplateError) -> TemplateFlaw:
    return TemplateFlaw("template_syntax", f"the engine does not understand it: {error.detail or error.message}")


def _fault_of(error: minijinja.TemplateError, field: str) -> TemplateFault:
    """The engine's failure without its words, which may quote values."""
    code, meaning = _MEANINGS.get(error.kind, ("template_fails", "the engine cannot render it"))
    return TemplateFault(code, f"{field}: {meaning}", str(error.detail or error.message))


def _shielded(value: Any) -> Any:
    """Objects that answer missing keys with nothing, all the way down."""
    if isinstance(value, dict):
        return _Facts({key: _shielded(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return [_shielded(inner) for inner in value]
    return value
