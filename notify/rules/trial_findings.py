"""What goes into the trial of a template, and what comes out of it."""

from __future__ import annotations

import msgspec

from notify.rules.rich_fields import path_of
from notify.rules.variables import Variable

Wordings = dict[str, dict[str, dict[str, str]]]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What an author wrote."""

    channels: Wordings
    variables: dict[str, Variable]
    default_locale: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with it."""

    code: str
    message: str
    channel: str = ""
    locale: str = ""
    field: str = ""
    #: The variable it is about.
    name: str = ""

    @property
    def pointer(self) -> str:
        """JSON pointer into the request."""
        if not self.channel:
            return f"/variables/{self.name}" if self.name else f"/{self.field}"
        parts = [part for part in (self.channel, self.locale, *path_of(self.field)) if part]
        return "/channels/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)

    def sentence(self) -> str:
        """Where and what, for people."""
        place = ", ".join(part for part in (self.channel, self.locale, self.field) if part)
        return f"{place}: {self.message}" if self.channel else self.message


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: ready to store, unless there are findings."""

    findings: list[Finding]
    #: As written, with languages in their usual spelling.
    channels: Wordings = {}
    compiled: Wordings = {}
