"""SMS as carriers count it: GSM-7 or UCS-2, units, segments (GSM 03.38 / 3GPP TS 23.038 and 23.040).

A text that consists of the GSM alphabet alone takes 160 units, or 153 in each of several segments; ten characters of
its extension take two units, which are never parted. Any other character turns the whole text into UCS-2: 70 units,
or 67 in each of several, and a character beyond the basic plane takes two that are never parted either.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from enum import StrEnum

import msgspec
import regex
from anyascii import anyascii


class Encoding(StrEnum):
    """How a text travels: the one decides what it costs."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


class Segments(msgspec.Struct, frozen=True, gc=False):
    """A text as it is billed."""

    encoding: Encoding
    #: Septets of GSM-7 (an extension character counts two), code units of UCS-2.
    units: int
    #: Messages it is sent as; an empty text is one.
    count: int


_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"
#: What is ASCII and takes one unit: most texts consist of nothing else.
_PLAIN = "".join(one for one in _BASIC if one.isascii()).encode()
#: A byte for each character, so that the C code of a codec decides what is GSM-7. Python's codec is quick only where
#: byte 0 means U+0000, which no carrier knows: it is looked for apart. U+FFFE stands for "no such character".
_CODES = codecs.charmap_build(("\0" + _BASIC + _EXTENSION).ljust(256, "\ufffe"))
_FIRST_EXTENDED = 1 + len(_BASIC)
_EXTENDED = bytes(range(_FIRST_EXTENDED, _FIRST_EXTENDED + len(_EXTENSION)))
_ANY_EXTENDED = re.compile(b"[" + re.escape(_EXTENDED) + b"]")
_ESCAPE = 0xFF
#: Units of a message alone, and of each of several, which name their place in the row.
_GSM_ALONE, _GSM_CHAINED = 160, 153
_UCS_ALONE, _UCS_CHAINED = 70, 67
#: Looking a member up in its class costs as much as the encoding.
_GSM, _UCS = Encoding.GSM7, Encoding.UCS2

_GRAPHEME = regex.compile(r"\X")
#: Letters that other letters cannot stand for: Cyrillic in Latin letters is another text, Chinese is none at all.
_FOREIGN = regex.compile(r"[\p{L}--\p{Script=Latin}--\p{Script=Common}--[ΔΦΓΛΩΠΨΣΘΞ]]", regex.V1)
#: Where the closest character is another one than anyascii's.
_CLOSEST = {"\t": " ", "`": "'", "\u2028": "\n", "\u2029": "\n"}
_GAPS = re.compile(r" {2,}")


def segments(text: str) -> Segments:
    """How a text is encoded, and how many messages it is billed as. Plain ASCII takes about 0.4 µs."""
    if text.isascii() and not text.encode().translate(None, _PLAIN):
        units = len(text)
        return Segments(_GSM, units, 1 if units <= _GSM_ALONE else -(-units // _GSM_CHAINED))
    return _counted(text)


def _counted(text: str) -> Segments:
    """The same for a text of any characters."""
    try:
        codes, _ = codecs.charmap_encode(text, "strict", _CODES)
    except UnicodeEncodeError:
        return _in_ucs2(text)
    if b"\0" in codes:
        return _in_ucs2(text)
    plain = len(codes.translate(None, _EXTENDED))
    units = 2 * len(codes) - plain
    if units <= _GSM_ALONE:
        return Segments(_GSM, units, 1)
    if plain == units:
        return Segments(_GSM, units, -(-units // _GSM_CHAINED))
    return Segments(_GSM, units, _cut_septets(_ANY_EXTENDED.sub(b"\xff ", codes)))


def truncated(text: str, most: int) -> str:
    """The text if it fits `most` segments, or as much of it as fits with an ellipsis.

    Cut between characters as people see them, so that no accent or half of an emoji is left; what was GSM-7 stays it,
    and what was UCS-2 too.
    """
    found = segments(text)
    if found.count <= most:
        return text
    is_gsm = found.encoding is _GSM
    ellipsis = "..." if is_gsm else "…"
    room = max(_GSM_ALONE, most * _GSM_CHAINED) if is_gsm else max(_UCS_ALONE, most * _UCS_CHAINED)
    # One character more than could fit: whether a character ends where the room does shows in its neighbour.
    ends = [0, *(match.end() for match in _GRAPHEME.finditer(text[: room + 1]))]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if segments(text[: ends[middle]] + ellipsis).count <= most:
            low = middle
        else:
            high = middle - 1
    return text[: ends[low]].rstrip() + ellipsis


def transliterated(text: str) -> str:
    """The text in GSM-7, where that says the same and costs no more; otherwise the text as it was.

    Typographic quotes, dashes and spaces become plain ones, Latin letters lose the accents that GSM-7 has not (é and ü
    stay), emoji fall away. A text with letters of another script is left alone.
    """
    before = segments(text)
    if before.encoding is _GSM or _FOREIGN.search(text):
        return text
    plain = "".join(_closest(one) for one in unicodedata.normalize("NFC", text))
    plain = _GAPS.sub(" ", plain).strip()
    after = segments(plain)
    is_better = plain and after.encoding is _GSM and after.count <= before.count
    return plain if is_better else text


def not_gsm(text: str) -> list[str]:
    """The characters that keep a text from being GSM-7, each once, in order."""
    return [one for one in dict.fromkeys(text) if one not in _BASIC and one not in _EXTENSION]


def _in_ucs2(text: str) -> Segments:
    units = text.encode("utf-16-le", "surrogatepass")
    count = len(units) // 2
    if count <= _UCS_ALONE:
        return Segments(_UCS, count, 1)
    if count == len(text):
        return Segments(_UCS, count, -(-count // _UCS_CHAINED))
    return Segments(_UCS, count, _cut_pairs(units))


def _cut_septets(septets: bytes) -> int:
    """Segments of septets of which an escape stays with what it escapes."""
    step, count, at = _GSM_CHAINED, 1, 0
    while len(septets) - at > step:
        at += step - (septets[at + step - 1] == _ESCAPE)
        count += 1
    return count


def _cut_pairs(units: bytes) -> int:
    """Segments of UTF-16 in which a surrogate pair stays together."""
    step, count, at = _UCS_CHAINED, 1, 0
    length = len(units) // 2
    while length - at > step:
        at += step - (units[2 * (at + step) - 1] & 0xFC == 0xD8)  # noqa: PLR2004 - high surrogates: D800 to DBFF
        count += 1
    return count


def _closest(one: str) -> str:
    """A character in GSM-7, as near as there is; nothing for an emoji, of which there is only the name."""
    if one in _BASIC or one in _EXTENSION:
        return one
    near = _CLOSEST.get(one)
    if near is None:
        near = str(anyascii(one))
    is_a_name = len(near) > 2 and near.startswith(":") and near.endswith(":")  # noqa: PLR2004 - more than its colons
    return "" if is_a_name else near
