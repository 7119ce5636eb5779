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
from notify.rules.content_limits import CHECK, FIELDS, FIT
from notify.rules.html_context import contexts_of
from notify.rules.locales import by_lower_case, choose
from notify.rules.template_expressions import COLLISIONS, RENAMED
from notify.rules.template_lint import Draft, examine
from notify.rules.template_syntax import Kind, TemplateFlaw
from notify.rules.template_weave import METER, TemplateFault, environment, plain, woven
from notify.vocabulary import Content

__all__ = ["CompiledTemplate", "Rendered", "TemplateFault", "TemplateFlaw", "names_in"]

#: {channel: {locale: {field: source}}}.
Wordings = Mapping[str, Mapping[str, Mapping[str, str]]]

#: Characters a number may be written with.
_NUMBER = 400
#: How often a character is written at most: escaped (6), in capitals (3).
_GROWTH = 18
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
    #: Names under which the engines know it; no `sure` one: always metered.
    sure: str | None
    metered: str
    #: The output is at most `base + slope * bytes of the variables`.
    base: int
    slope: int
    room: int
    needs_user: bool
    needs_shield: bool
    #: Variables that the engine knows by another name.
    renamed: tuple[str, ...]


class _Wording(msgspec.Struct, frozen=True):
    """One channel in one language."""

    locale: str
    constants: dict[str, str]
    fields: tuple[_Field, ...]


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

    def channels(self) -> Sequence[str]:
        """The channels it has words for."""
        return tuple(self._wordings)

    def locales(self, channel: str) -> Sequence[str]:
        """The languages it has words in on a channel."""
        return tuple(self._wordings.get(channel, ()))

    def render(self, channel: str, locale: str | None, variables: dict[str, Any], user: Mapping[str, Any]) -> Rendered:
        """The words for one person; `variables` as `variables.check` returned them. Raises `TemplateFault`."""
        wording = self._chosen.get((channel, locale)) or self._choose(channel, locale)
        values: dict[str, Any] = dict(wording.constants)
        if wording.fields:
            size = len(_encode(variables))
            for field in wording.fields:
                values[field.name] = self._filled(field, size, variables, user)
        content = Content(**values)
        CHECK[Channel(channel)](content)
        return Rendered(content, wording.locale)

    def _filled(self, field: _Field, size: int, variables: dict[str, Any], user: Mapping[str, Any]) -> str:
        context: Mapping[str, Any] = variables
        if field.needs_user:
            context = {**variables, "user": user}
        if field.renamed:
            context = {**context, **{RENAMED + name: context[name] for name in field.renamed if name in context}}
        if field.needs_shield:
            context = {name: _shielded(value) for name, value in context.items()}
        try:
            if field.sure is not None and field.base + field.slope * size <= RENDER_SURE_CHARACTERS:
                text = self._sure.render_template(field.sure, **context)
            else:
                with METER.lock:
                    METER.refill(field.room)
                    text = self._metered.render_template(field.metered, **context)
        except minijinja.TemplateError as error:
            raise _fault_of(error, field.name) from None
        except TemplateFault as fault:
            raise TemplateFault(fault.code, f"{field.name}: {fault.detail}", fault.hint) from None
        return FIT[field.name](field.name, text)

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
        for name in FIELDS[Channel(channel)]:
            if source := sources.get(name):
                field = self._compiled(f"{channel}/{locale}/{name}", name, source)
                if field.constant is None:
                    fields.append(field)
                else:
                    constants[name] = field.constant
        return _Wording(locale, constants, tuple(fields))

    def _compiled(self, key: str, name: str, source: str) -> _Field:
        draft = examine(source)
        is_html = name == "html_body"
        contexts = contexts_of(draft.pieces) if is_html else None
        if all(piece.kind is Kind.TEXT for piece in draft.pieces):
            return _constant(name, source)
        names = names_in(draft)
        _add(self._metered, key, woven(draft, contexts))
        is_sure = not (draft.metered or draft.nested or "user" in names)
        if is_sure:
            _add(self._sure, key, woven(draft, contexts, metered=False))
        return _Field(
            name=name,
            constant=None,
            sure=key if is_sure else None,
            metered=key,
            base=len(source) + draft.mentions * _NUMBER,
            slope=draft.mentions * _GROWTH,
            room=MAX_HTML if is_html else MAX_TEXT,
            needs_user="user" in names,
            needs_shield=draft.collides,
            renamed=tuple(names & COLLISIONS),
        )


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
        text = FIT[name](name, source)
    except TemplateFault as fault:
        raise TemplateFlaw(fault.code, fault.detail) from None
    return _Field(name, text, None, "", 0, 0, 0, needs_user=False, needs_shield=False, renamed=())


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
