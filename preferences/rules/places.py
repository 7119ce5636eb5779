"""Zones, languages and countries: which names exist, and how they are spelt."""

from __future__ import annotations

import re
import zoneinfo
from functools import cache, lru_cache
from importlib import resources

#: ISO 639-1, the two-letter languages. Of three-letter ones only the form is checked: there are thousands.
_LANGUAGES_TEXT = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el
en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu
ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na
nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so
sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_LANGUAGES = frozenset(_LANGUAGES_TEXT.split())
#: Language, then script, region and variants, each at most once but the last (RFC 5646 without extensions).
_LOCALE = re.compile(
    r"(?P<language>[A-Za-z]{2,3})(?:-(?P<script>[A-Za-z]{4}))?(?:-(?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)\Z"
)
_MAX_LOCALE = 35
#: Tags whose spelling is remembered: people share a few.
_KNOWN_LOCALES = 1_000


def is_zone(name: str) -> bool:
    """Whether this is the name of an IANA time zone."""
    return name in _zones()


@cache
def zones_to_choose() -> tuple[str, ...]:
    """The zones of the world's countries by one name each, and UTC: what a list offers, in its order."""
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text("utf-8")
    named = {line.split("\t")[2] for line in table.splitlines() if line and not line.startswith("#")}
    return (*sorted(named & _zones()), "UTC")


def canonical_country(code: str) -> str | None:
    """The ISO 3166-1 alpha-2 code in capitals, or None when there is no such country."""
    capital = code.upper()
    return capital if capital in _countries() else None


@lru_cache(_KNOWN_LOCALES)
def canonical_locale(tag: str) -> str | None:
    """The BCP 47 tag in its usual capitals (`pt-BR`, `zh-Hant-TW`), or None when it is none."""
    parts = _LOCALE.match(tag) if len(tag) <= _MAX_LOCALE else None
    if parts is None or not _is_language(parts["language"].lower()):
        return None
    region = parts["region"]
    if region is not None and region.isalpha() and canonical_country(region) is None:
        return None
    spelt = [parts["language"].lower(), (parts["script"] or "").title(), (region or "").upper()]
    return "-".join(part for part in spelt if part) + parts["variants"].lower()


def _is_language(code: str) -> bool:
    return len(code) > len("en") or code in _LANGUAGES


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - {"Factory"})


@cache
def _countries() -> frozenset[str]:
    """The codes of the list that comes with the zone data, and Kosovo's, which everybody uses."""
    table = resources.files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8")
    return frozenset(line[:2] for line in table.splitlines() if line and not line.startswith("#")) | {"XK"}
