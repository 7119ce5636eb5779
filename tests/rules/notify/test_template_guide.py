"""docs/templates.md says what is so."""

import json
import re
from pathlib import Path

from channels.rules.wire import decode
from notify import policy
from notify.rules.content_limits import FIELDS
from notify.rules.rendering import CompiledTemplate
from notify.rules.template_document import prepared
from notify.rules.template_expressions import FILTERS, TESTS
from notify.rules.template_requests import PreviewBody, TemplateBody
from notify.rules.trial_findings import Document
from notify.rules.variables import check
from notify.rules.wordings import schema_of

GUIDE = (Path(__file__).parents[3] / "docs/templates.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", GUIDE, flags=re.DOTALL)


def listed(heading: str) -> set[str]:
    """The words in the code span after a bold heading."""
    found = re.search(rf"\*\*{heading}\*\*[^`]*`(?:is`: `)?([^`]+)`", GUIDE)
    assert found
    return set(found[1].split())


def test_the_example_is_accepted_and_renders() -> None:
    body = decode(EXAMPLES[0].encode(), TemplateBody)
    document = Document(channels=body.channels, variables=body.variables, default_locale=body.default_locale)
    made = prepared(document)
    assert made.findings == []
    schema = schema_of(body.variables)
    variables = check(schema, {"order_id": "ORD-7", "items": [{"count": 2, "title": "Cups & <Saucers>"}]})
    template = CompiledTemplate.of(made.compiled, schema, "en")
    assert template.render("sms", "de", variables, {}).content.body == "ORD-7 shipped."
    assert template.render("push", "es-MX", variables, {}).content.body == "El pedido ORD-7 salió con our carrier."
    assert template.render("email", "en", variables, {}).content.html_body == (
        "<p>Hello friend,</p><p>2 \u00d7 Cups &amp; &lt;Saucers&gt;</p>"
    )


def test_the_preview_is_one() -> None:
    assert decode(EXAMPLES[2].encode(), PreviewBody).version == 2
    assert len(EXAMPLES) == 3
    assert json.loads(EXAMPLES[0])


def test_the_filters_and_tests_are_those_there_are() -> None:
    assert listed("Filters") == FILTERS - {"d"}
    assert set(re.findall(r"after `is`: `([^`]+)`", GUIDE)[0].split()) == TESTS


def test_the_channels_have_those_fields() -> None:
    for channel, fields in FIELDS.items():
        row = re.search(rf"^\| `{channel}` \| (.*?) \|", GUIDE, flags=re.MULTILINE)
        assert row
        assert set(re.findall(r"`(\w+)`", row[1])) - {"mjml_body", "actions", "data"} == set(fields)


def test_the_limits_are_those_of_the_policy() -> None:
    for limit in (policy.MAX_PUSH_BYTES, policy.MAX_TEXT, policy.MAX_HTML, policy.MAX_FIELD_SOURCE):
        assert f"{limit:,}" in GUIDE
    assert f"{policy.MAX_TAGS} tags" in GUIDE
    assert f"nest {policy.MAX_BLOCK_DEPTH} deep, loops {policy.MAX_LOOP_DEPTH} deep" in GUIDE
    assert f"{policy.MAX_VARIABLES_BYTES // 1024} KiB" in GUIDE
