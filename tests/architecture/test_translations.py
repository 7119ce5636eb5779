"""The words of the pages for people: complete in every language, compiled, and pinned where they ask for consent."""

from __future__ import annotations

import io
import re
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from babel.messages import Catalog, mofile, pofile
from django.utils import translation

from notify import centre
from notify.api.frame import LANGUAGES
from tests.architecture.tree import ROOT

FOLDER = ROOT / "notify" / "locale"
TRANSLATED = LANGUAGES[1:]
SOURCES = [*sorted((ROOT / "notify/templates/pages").glob("*.html")), ROOT / "notify/api/labels.py"]
USED = re.compile(
    r'{% translate "([^"]*)" %}|_\(\s*"([^"]*)"\s*\)|{% blocktranslate %}(.*?){% endblocktranslate %}', re.DOTALL
)
PLACEHOLDER = re.compile(r"%\(\w+\)s")
#: What people read where they give a consent or take it back, in all languages, by the version that names it. A change
#: of these words is a new version: the old one is in the ledger beside what was said.
CONSENTS = {"pages-1": "68673e8dac9e7312"}
ASKED = (
    "Yes, send me news and offers",
    "Only with your consent, which you can take back at any time.",
    "Send me nothing but what must be sent",
    "Stop %(kind)s %(way)s?",
    "Unsubscribe",
    "Undo: get them again",
)


@cache
def used() -> frozenset[str]:
    """Every text the pages say, as a catalogue has it."""
    found = (next(filter(None, one.groups())) for path in SOURCES for one in USED.finditer(path.read_text("utf-8")))
    return frozenset(re.sub(r"{{ (\w+) }}", r"%(\1)s", text) for text in found)


@cache
def catalogue(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        return pofile.read_po(file, locale=language)


def compiled(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / "django.mo"


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(TRANSLATED)


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_that_is_said_is_translated_and_nothing_else(language: str) -> None:
    assert {message.id for message in catalogue(language) if message.id} == used()
    assert [message.id for message in catalogue(language) if not message.string or (message.id and message.fuzzy)] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_keeps_what_is_filled_in(language: str) -> None:
    changed = [
        message.id
        for message in catalogue(language)
        if message.id and sorted(PLACEHOLDER.findall(message.id)) != sorted(PLACEHOLDER.findall(message.string))
    ]
    assert changed == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    fresh = io.BytesIO()
    mofile.write_mo(fresh, catalogue(language))
    assert compiled(language).read_bytes() == fresh.getvalue(), "run make words"


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_package_says_it_otherwise(language: str) -> None:
    """The admin and its packages have catalogues too, with words of the same English."""
    with translation.override(language):
        said = {message.id: translation.gettext(message.id) for message in catalogue(language) if message.id}
    assert said == {message.id: message.string for message in catalogue(language) if message.id}


def test_the_words_of_a_consent_change_with_their_version() -> None:
    words = [*ASKED, *(catalogue(language).get(text).string for language in TRANSLATED for text in ASKED)]
    assert set(ASKED) <= used()
    assert {centre.TEXT_VERSION: sha256("\n".join(words).encode()).hexdigest()[:16]} == CONSENTS
