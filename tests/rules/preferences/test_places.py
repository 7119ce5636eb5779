"""Names of zones, languages and countries."""

from __future__ import annotations

import pytest

from preferences.rules.places import canonical_country, canonical_locale, is_zone


@pytest.mark.parametrize(
    ("given", "canonical"),
    [("EN-gb", "en-GB"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("de-1996", "de-1996"), ("fil", "fil")],
)
def test_a_language_tag_is_spelt_with_its_usual_capitals(given: str, canonical: str) -> None:
    assert canonical_locale(given) == canonical


@pytest.mark.parametrize("given", ["", "english", "en_GB", "xx", "en-ZZ", "not-a-locale", "en-GB\n", "en-" + "a" * 40])
def test_what_is_no_language_tag_is_none(given: str) -> None:
    assert canonical_locale(given) is None


@pytest.mark.parametrize(("given", "canonical"), [("gb", "GB"), ("XK", "XK"), ("ZZ", None), ("G", None), ("", None)])
def test_a_country_is_one_that_exists(given: str, canonical: str | None) -> None:
    assert canonical_country(given) == canonical


@pytest.mark.parametrize("name", ["Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
def test_a_zone_of_the_pinned_data_is_known(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize("name", ["", "Factory", "localtime", "europe/london", "../Europe/London", "/etc/localtime"])
def test_another_name_is_no_zone(name: str) -> None:
    assert not is_zone(name)
