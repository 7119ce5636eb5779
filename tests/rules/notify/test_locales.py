"""Languages as BCP 47 names them."""

import pytest

from notify.rules.locales import by_lower_case, canonical, choose, fallbacks


@pytest.mark.parametrize(
    ("tag", "spelled"),
    [
        ("en", "en"),
        ("PT_br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("sl-rozaj", "sl-rozaj"),
        ("de-ch-1901", "de-CH-1901"),
        ("en-x-ab", "en-x-ab"),
        ("es-419", "es-419"),
        ("", None),
        ("e", None),
        ("english!", None),
        ("en--us", None),
        ("en us", None),
        ("a" * 36, None),
        ("de\n", None),
    ],
)
def test_a_tag_has_one_spelling(tag: str, spelled: str | None) -> None:
    assert canonical(tag) == spelled


def test_a_tag_falls_back_to_its_prefixes_and_skips_singletons() -> None:
    assert fallbacks("zh-Hant-TW") == ["zh-hant-tw", "zh-hant", "zh"]
    assert fallbacks("en-x-ab") == ["en-x-ab", "en"]
    assert fallbacks("PT_BR") == ["pt-br", "pt"]


@pytest.mark.parametrize(
    ("wish", "chosen"), [("pt-PT", "pt"), ("pt-BR", "pt-BR"), ("fr-CA", "en-GB"), (None, "en-GB"), ("x" * 999, "en-GB")]
)
def test_the_nearest_language_is_chosen_and_else_the_default(wish: str | None, chosen: str) -> None:
    assert choose(wish, by_lower_case(["pt", "pt-BR", "en-GB"]), "en-GB") == chosen


def test_nothing_is_chosen_where_even_the_default_is_missing() -> None:
    assert choose("de", by_lower_case(["pt"]), "en") is None
