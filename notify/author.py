"""What people do with the words: create a template, add a version, publish or roll back, preview, compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.db import transaction

from channels.errors import FieldError
from channels.rules.sms import not_gsm, segments, transliterated
from channels.vocabulary import Channel
from notify import conf
from notify.errors import (
    InvalidRequest,
    InvalidTemplate,
    TemplateExists,
    UnknownTemplate,
    UnknownTemplateVersion,
    UnknownType,
)
from notify.rules.cautions import cautions_for
from notify.rules.content_limits import shaped_sms
from notify.rules.locales import by_lower_case, canonical, choose
from notify.rules.rendering import CompiledTemplate, TemplateFault, TemplateFlaw
from notify.rules.rich_fields import Written, all_flattened, all_gathered
from notify.rules.template_requests import (
    MAX_NUMBER,
    Change,
    Preview,
    PreviewBody,
    PreviewedChannel,
    SmsCount,
    TemplateBody,
    TemplatePatch,
    TemplateView,
    TypeBody,
    VersionBody,
    is_key,
)
from notify.rules.trial_findings import Document, Finding, Prepared
from notify.rules.type_defaults import type_row
from notify.rules.variables import Schema, Variable, VariableFault, check, examples
from notify.rules.wordings import differences, schema_of
from notify.store import authoring, templates, types
from notify.trial import try_out
from notify.vocabulary import Content, TypeRow
from preferences import store as people
from preferences.errors import UnknownUser

#: The words of a channel that a preview shows.
_SHOWN = tuple(Content.__struct_fields__)


def define_type(key: str, body: TypeBody) -> tuple[TypeRow, bool]:
    """Create or replace a notification type; whether it is new. A type names only a template of its own."""
    if body.retention_days is not None and body.retention_days > conf.RETENTION_DAYS:
        text = f"The log is kept for {conf.RETENTION_DAYS} days (CARILLON_RETENTION_DAYS); give as many at most."
        raise _wrong("retention_days", "invalid_retention_days", text)
    if body.template_id is not None:
        head = authoring.head(body.template_id)
        if head is None:
            raise _wrong("template_id", "unknown_template", "There is no template with this id; create it first.")
        if head.type_key != key:
            text = f"This template belongs to type {head.type_key}, not to {key}."
            raise _wrong("template_id", "template_type_mismatch", text)
    row = type_row(key, body)
    return row, types.put_type(row)


def get_type(key: str) -> TypeRow:
    """A type as it is now; raises `UnknownType`."""
    row = types.read_type(key) if is_key(key) else None
    if row is None:
        raise UnknownType
    return row


def create_template(body: TemplateBody, *, by: str) -> TemplateView:
    """A new template with its first version, published unless the author waits."""
    if authoring.head(body.template_id) is not None:
        raise TemplateExists
    kept = _prepare(body.channels, body.variables, body.default_locale)
    with transaction.atomic():
        if not authoring.add_template(body.template_id, body.type, _spelled(body.default_locale)):
            raise TemplateExists
        _keep_version(body.template_id, kept, body.variables, by=by, publish=body.publish)
    templates.forget_published()
    return view_template(body.template_id)


def add_version(template_id: str, body: VersionBody, *, by: str) -> TemplateView:
    """A new wording beside the published one, or in its place."""
    head = _head(template_id)
    if body.default_locale is not None and canonical(body.default_locale) != head.default_locale:
        text = f"The template's default language is {head.default_locale}; change it by PATCH, or leave it out here."
        raise _wrong("default_locale", "invalid_default_locale", text)
    kept = _prepare(body.channels, body.variables, head.default_locale)
    with transaction.atomic():
        _head(template_id, lock=True)
        number = _keep_version(template_id, kept, body.variables, by=by, publish=body.publish)
    templates.forget_published()
    return view_template(template_id, number)


def publish(template_id: str, number: int, *, by: str) -> TemplateView:
    """New notifications pin this version from now on; an older number rolls back. Those under way keep theirs."""
    with transaction.atomic():
        head = _head(template_id, lock=True)
        version = _words(template_id, number)
        _require_default(version, head.default_locale)
        authoring.publish_version(template_id, number, by)
    templates.forget_published()
    return view_template(template_id, number)


def change_template(template_id: str, patch: TemplatePatch) -> TemplateView:
    """Another type or default language; raises when a type or the published words would be left without."""
    with transaction.atomic():
        head = _head(template_id, lock=True)
        type_key = head.type_key if patch.type is msgspec.UNSET else patch.type
        others = [key for key in types.types_naming(template_id) if key != type_key]
        if others:
            text = f"It is the template of type {', '.join(others)}; give that another one first."
            raise _wrong("type", "template_type_mismatch", text)
        locale = head.default_locale if patch.default_locale is msgspec.UNSET else _spelled(patch.default_locale)
        published = authoring.words(template_id, head.published_version)
        if published is not None and locale != head.default_locale:
            _require_default(published, locale)
        authoring.change_head(template_id, type_key, locale)
    templates.forget_templates()
    return view_template(template_id)


def view_template(template_id: str, number: int | None = None) -> TemplateView:
    """A template with the words of one version: the published one unless another is named."""
    head = _head(template_id)
    version = _words(template_id, number)
    kind = types.type_for(head.type_key)
    return TemplateView(
        template_id=template_id,
        type=head.type_key,
        default_locale=head.default_locale,
        published_version=head.published_version,
        version=version.number,
        channels=all_gathered(version.channels),
        variables=version.variables,
        versions=authoring.list_versions(template_id),
        created_at=head.created_at,
        updated_at=head.updated_at,
        warnings=cautions_for(version.channels, kind.category if kind is not None else None),
    )


def preview(template_id: str, body: PreviewBody) -> Preview:
    """A version as one person would get it; variables that are missing and not required are left out."""
    _head(template_id)
    version = _words(template_id, body.version)
    user = _person(body.user_id, body.locale)
    variables = _checked(version.variables, body.variables)
    channels = [str(body.channel)] if body.channel is not None else list(version.compiled)
    template = templates.compiled(version.version_id)
    wish = body.locale or user["locale"]
    rendered = {channel: _rendered(template, channel, wish, variables, user) for channel in channels}
    return Preview(template_id=template_id, version=version.number, channels=rendered)


def preview_draft(
    document: Document, *, locale: str | None = None, variables: dict[str, Any] | None = None
) -> dict[str, PreviewedChannel]:
    """Words nobody has saved yet, for an editor; raises `InvalidTemplate` for what could not be saved.

    Variables that are not given are filled with examples.
    """
    kept = _accepted(try_out(document))
    schema = schema_of(document.variables)
    told = _checked(schema, {**examples(schema, complete=True), **(variables or {})})
    template = CompiledTemplate.of(kept.compiled, schema, document.default_locale)
    user = _person(None, locale)
    return {channel: _rendered(template, channel, locale, told, user) for channel in kept.compiled}


def compare(template_id: str, before: int, after: int) -> list[Change]:
    """What differs between two versions, field by field."""
    _head(template_id)
    one, other = _words(template_id, before), _words(template_id, after)
    return differences(one.channels, one.variables, other.channels, other.variables)


def _prepare(channels: Written, variables: Mapping[str, Variable], default_locale: str) -> Prepared:
    document = Document(channels=all_flattened(channels), variables=dict(variables), default_locale=default_locale)
    return _accepted(try_out(document))


def _accepted(kept: Prepared) -> Prepared:
    if kept.findings:
        raise InvalidTemplate([FieldError(one.pointer, one.code, one.sentence()) for one in kept.findings])
    return kept


def _keep_version(
    template_id: str, kept: Prepared, variables: Mapping[str, Variable], *, by: str, publish: bool
) -> int:
    number = authoring.add_version(
        template_id,
        authoring.NewVersion(
            channels=kept.channels, compiled=kept.compiled, variables=schema_of(variables), created_by=by
        ),
    )
    if publish:
        authoring.publish_version(template_id, number, by)
    return number


def _head(template_id: str, *, lock: bool = False) -> authoring.Head:
    head = authoring.head(template_id, lock=lock) if is_key(template_id) else None
    if head is None:
        raise UnknownTemplate
    return head


def _words(template_id: str, number: int | None) -> authoring.Words:
    version = authoring.words(template_id, number) if number is None or number <= MAX_NUMBER else None
    if version is None:
        raise UnknownTemplateVersion
    return version


def _require_default(version: authoring.Words, default_locale: str) -> None:
    """Refuse a version without words in the default language on one of its channels."""
    for channel, locales in version.channels.items():
        if choose(None, by_lower_case(locales), default_locale) is None:
            text = f"version {version.number} has no words for {channel} in {default_locale}, the default language"
            raise InvalidTemplate([FieldError("/default_locale", "missing_default_locale", text)])


def _spelled(locale: str) -> str:
    spelled = canonical(locale)
    if spelled is None:
        text = "This is no language tag; write for example en or pt-BR."
        raise _wrong("default_locale", "invalid_default_locale", text)
    return spelled


def _person(user_id: str | None, locale: str | None) -> dict[str, Any]:
    """What templates see of a person: of a real one, or of nobody in particular."""
    if user_id is None:
        return {"user_id": "u_example", "locale": locale, "timezone": "UTC", "attributes": {}}
    known = people.resolve([user_id]).get(user_id)
    facts = people.facts_for([known.id]).get(known.id) if known is not None else None
    if facts is None:
        raise UnknownUser
    return {
        "user_id": facts.user_id,
        "locale": facts.preferences.locale or facts.locale,
        "timezone": facts.preferences.timezone or facts.timezone,
        "attributes": facts.attributes,
    }


def _checked(schema: Schema, variables: dict[str, Any]) -> dict[str, Any]:
    try:
        return check(schema, variables)
    except VariableFault as fault:
        raise _wrong(f"variables/{fault.name}" if fault.name else "variables", fault.code, fault.message) from None


def _rendered(
    template: CompiledTemplate, channel: str, locale: str | None, variables: dict[str, Any], user: dict[str, Any]
) -> PreviewedChannel:
    try:
        made = template.render(channel, locale, variables, user)
    except (TemplateFault, TemplateFlaw) as fault:
        # The author sees their own values, so the engine may quote them here.
        hint = f" ({fault.hint})" if isinstance(fault, TemplateFault) and fault.hint else ""
        finding = Finding(code=fault.code, message=f"{fault}{hint}", channel=channel)
        raise InvalidTemplate([FieldError(finding.pointer, finding.code, finding.sentence())]) from None
    if channel == Channel.SMS:
        return _counted(made.locale, made.content.body)
    return PreviewedChannel(locale=made.locale, **{name: getattr(made.content, name) for name in _SHOWN})


def _counted(locale: str, written: str) -> PreviewedChannel:
    """A text message as it would go out, with what it would be billed as."""
    wished = transliterated(written) if conf.SMS_TRANSLITERATE else written
    body = shaped_sms(wished, most=conf.SMS_MAX_SEGMENTS, transliterate=False)
    found = segments(body)
    count = SmsCount(
        encoding=found.encoding,
        characters=len(body),
        units=found.units,
        segments=found.count,
        not_gsm=not_gsm(wished),
        is_cut=body is not wished,
    )
    return PreviewedChannel(locale=locale, body=body, sms=count)


def _wrong(field: str, code: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, code=code, errors=[FieldError(f"/{field}", code, message)])
