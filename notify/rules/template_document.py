"""A whole template as its author hands it in: checked, built and tried out, every fault with its place.

Run by `notify.trial` in a process of its own: hostile MJML or HTML can crash the libraries that read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from channels.vocabulary import Channel
from notify.policy import MAX_FIELD_SOURCE, MAX_LOCALES
from notify.rules.content_limits import FIELDS, RICH
from notify.rules.html_context import contexts_of
from notify.rules.locales import by_lower_case, canonical, choose
from notify.rules.rendering import GIVEN, CompiledTemplate, TemplateFault, names_in
from notify.rules.rich_fields import faults_in
from notify.rules.template_build import MJML, built
from notify.rules.template_lint import examine
from notify.rules.template_syntax import TemplateFlaw
from notify.rules.trial_findings import Document, Finding, Prepared, Wordings
from notify.rules.variables import VariableFault, check, examples, schema_faults
from notify.rules.wordings import schema_of

_ALLOWED = {str(channel): frozenset(fields) for channel, fields in FIELDS.items()}
_ALLOWED["email"] |= {MJML}
_SAYING = {
    "push": ("title", "body"),
    "in_app": ("title", "body"),
    "sms": ("body",),
    "email": ("body", "html_body", MJML),
}
#: Faults of a trial that are the template's own, whatever its variables hold.
_OWN_FAULTS = frozenset({"template_too_costly", "template_output_too_long", "message_too_long", "template_syntax"})
_USER = {"user_id": "u_example", "locale": "en", "timezone": "UTC", "attributes": {}}


def prepared(document: Document) -> Prepared:
    """Check, build and try a document; it stops at the first kind of fault, and tells all of that kind."""
    findings = list(_schema_findings(document)) + list(_shape_findings(document))
    if not findings:
        findings = [finding for place in _fields(document.channels) for finding in _field_findings(document, *place)]
    if findings:
        return Prepared(findings=findings)
    channels = _spelled(document.channels)
    compiled, findings = _built(channels)
    if not findings:
        findings = list(_trial_findings(compiled, document))
    return Prepared(findings=findings, channels=channels, compiled=compiled)


def prepared_json(document: bytes) -> bytes:
    """The same from JSON to JSON."""
    return msgspec.json.encode(prepared(msgspec.json.decode(document, type=Document)))


def _schema_findings(document: Document) -> Iterator[Finding]:
    for fault in schema_faults(document.variables):
        yield Finding(code=fault.code, message=fault.message, name=fault.name)
    if canonical(document.default_locale) is None:
        text = "This is no language tag; write for example en or pt-BR."
        yield Finding(code="invalid_default_locale", message=text, field="default_locale")


def _shape_findings(document: Document) -> Iterator[Finding]:
    if not document.channels:
        yield Finding(code="invalid_channels", message="Write the words of at least one channel.", field="channels")
    for channel, locales in document.channels.items():
        if channel not in _ALLOWED:
            text = f"There is no such channel; give {', '.join(_ALLOWED)}."
            yield Finding(code="invalid_channels", message=text, channel=channel)
            continue
        yield from _locale_findings(channel, list(locales), document.default_locale)
        for locale, sources in locales.items():
            yield from _wording_findings(channel, locale, sources)


def _locale_findings(channel: str, locales: list[str], default_locale: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for locale in locales:
        spelled = canonical(locale)
        if spelled is None or spelled in seen:
            text = "this is no language tag, or stands twice; write for example en or pt-BR"
            yield Finding(code="invalid_locale", message=text, channel=channel, locale=locale)
        seen.add(spelled or "")
    if len(locales) > MAX_LOCALES:
        yield Finding(code="invalid_locale", message=f"a channel may have {MAX_LOCALES} languages", channel=channel)
    elif choose(None, by_lower_case(locales), default_locale) is None:
        text = f"it has no words in the default language {default_locale}, for people of all other languages"
        yield Finding(code="missing_default_locale", message=text, channel=channel)


def _wording_findings(channel: str, locale: str, sources: Mapping[str, str]) -> Iterator[Finding]:
    place = {"channel": channel, "locale": locale}
    parts = {field: source for field, source in sources.items() if "." in field and channel in RICH}
    for field, code, text in faults_in(parts):
        yield Finding(code=code, message=text, field=field, **place)
    for field in sorted(sources.keys() - _ALLOWED[channel] - parts.keys()):
        text = f"{channel} has no such field; it has {', '.join(sorted(_ALLOWED[channel]))}"
        yield Finding(code="unknown_field", message=text, field=field, **place)
    if not any(sources.get(field) for field in _SAYING[channel]) and not (channel == "push" and _has_data(parts)):
        text = f"give at least one of {', '.join(_SAYING[channel])}"
        yield Finding(code="missing_field", message=text, **place)
    if channel == "email" and not sources.get("subject"):
        yield Finding(code="missing_field", message="an e-mail needs a subject", field="subject", **place)
    if sources.get("html_body") and sources.get(MJML):
        text = "MJML becomes the HTML; give html_body or mjml_body, not both"
        yield Finding(code="html_and_mjml", message=text, field=MJML, **place)


def _has_data(parts: Mapping[str, str]) -> bool:
    """A push of nothing but data wakes the app."""
    return any(field.startswith("data.") for field in parts)


def _field_findings(document: Document, channel: str, locale: str, field: str, source: str) -> Iterator[Finding]:
    place = {"channel": channel, "locale": locale, "field": field}
    if len(source) > MAX_FIELD_SOURCE:
        text = f"one field may hold {MAX_FIELD_SOURCE:,} characters; shorten it"
        yield Finding(code="template_too_large", message=text, **place)
        return
    try:
        draft = examine(source)
        if field == "html_body":
            contexts_of(draft.pieces)
        names = names_in(draft)
    except TemplateFlaw as flaw:
        yield Finding(code=flaw.code, message=flaw.message, **place)
        return
    for name in sorted(names - document.variables.keys() - GIVEN):
        text = f'the variable "{name}" is not among the template\'s variables; declare it there'
        yield Finding(code="undeclared_variable", message=text, name=name, **place)


def _spelled(channels: Wordings) -> Wordings:
    """Languages in their usual spelling, empty fields left out."""
    return {
        channel: {
            canonical(locale) or locale: {field: source for field, source in sources.items() if source}
            for locale, sources in locales.items()
        }
        for channel, locales in channels.items()
    }


def _built(channels: Wordings) -> tuple[Wordings, list[Finding]]:
    compiled = {channel: dict(locales) for channel, locales in channels.items()}
    findings: list[Finding] = []
    for locale, sources in channels.get("email", {}).items():
        try:
            compiled["email"][locale] = built(sources)
        except TemplateFlaw as flaw:
            field = MJML if MJML in sources else "html_body"
            findings.append(Finding(code=flaw.code, message=flaw.message, channel="email", locale=locale, field=field))
    return compiled, findings


def _trial_findings(compiled: Wordings, document: Document) -> Iterator[Finding]:
    """Compile each wording as workers will, and render it with all its variables and with as few as may come."""
    schema = schema_of(document.variables)
    for channel, locales in compiled.items():
        for locale, sources in locales.items():
            place = {"channel": channel, "locale": locale}
            try:
                template = CompiledTemplate.of({channel: {locale: sources}}, schema, locale)
            except TemplateFlaw as flaw:
                yield Finding(code=flaw.code, message=flaw.message, **place)
                continue
            whole = _trial(template, channel, schema, complete=True)
            least = _trial(template, channel, schema, complete=False)
            if fault := next((one for one in (whole, least) if one is not None and one.code in _OWN_FAULTS), None):
                yield Finding(code=fault.code, message=f"{fault.detail}; shorten or simplify it", **place)
            elif whole is None and least is not None and least.code == "template_fails":
                text = f"{least.detail}: it fails without its optional variables ({least.hint}); use |default(…)"
                yield Finding(code="template_fails", message=text, **place)


def _trial(
    template: CompiledTemplate, channel: str, schema: dict[str, dict[str, Any]], *, complete: bool
) -> TemplateFault | None:
    """What a rendering with example values fails with."""
    try:
        variables = check(schema, examples(schema, complete=complete))
        template.render(channel, None, variables, _USER)
    except TemplateFault as fault:
        return fault
    except VariableFault:
        # Defaults as large as this are refused when they are used.
        return None
    return None


def _fields(channels: Wordings) -> Iterator[tuple[str, str, str, str]]:
    for channel, locales in channels.items():
        for locale, sources in locales.items():
            for field, source in sources.items():
                if source:
                    yield Channel(channel), locale, field, source
