"""Typed readers of environment variables; a missing or wrong one is named in the error, with its cure.

Every reader notes the variable it was asked for in `DECLARED`, from which docs/settings.md is written. Empty
counts as not given. `NAME_FILE` may name a file that holds the value of `NAME`, as container secrets
do. A value is repeated in an error only where it cannot be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


class ConfigurationError(ImproperlyConfigured):
    """A variable of the environment is missing or wrong: says which, what is wrong, and the cure."""

    def __init__(self, variable: str, problem: str, cure: str) -> None:
        super().__init__(f"{variable}: {problem}. {cure}")
        self.variable, self.problem, self.cure = variable, problem, cure


@dataclass(frozen=True, slots=True)
class Variable:
    """What docs/settings.md says of one variable."""

    name: str
    kind: str
    default: str
    about: str


#: Every variable asked for so far, by name.
DECLARED: dict[str, Variable] = {}


def text(name: str, default: str | None = None, *, about: str = "") -> str:
    """The variable as it stands; without a default it is required."""
    return _asked(name, "text", default, about)


def choice(name: str, options: Sequence[str], default: str | None = None, *, about: str = "") -> str:
    """One of a few words."""
    word = _asked(name, " or ".join(options), default, about)
    if word not in options:
        raise ConfigurationError(name, f"'{word}' is not a choice", f"Set it to {' or '.join(options)}")
    return word


def integer(
    name: str, default: int | None = None, *, minimum: int = 0, maximum: int = 2**31 - 1, about: str = ""
) -> int:
    """A whole number within bounds, both included."""
    written = _asked(name, "whole number", None if default is None else str(default), about)
    try:
        number = int(written)
    except ValueError:
        problem = f"'{written}' is not a whole number"
        raise ConfigurationError(name, problem, f"Set it to a number from {minimum} to {maximum}") from None
    if not minimum <= number <= maximum:
        raise ConfigurationError(name, f"{number} is out of bounds", f"Set it to a number from {minimum} to {maximum}")
    return number


def seconds(name: str, default: float | None = None, *, about: str = "") -> float:
    """A duration in seconds, zero or more."""
    written = _asked(name, "seconds", None if default is None else f"{default:g}", about)
    try:
        duration = float(written)
    except ValueError:
        duration = -1.0
    if not 0 <= duration < float("inf"):
        raise ConfigurationError(name, f"'{written}' is not a duration", "Set it to seconds, for example 2.5")
    return duration


def boolean(name: str, default: bool | None = None, *, about: str = "") -> bool:  # noqa: FBT001  reads like the others
    """Yes or no: 1/0, true/false, yes/no, on/off, in any case."""
    written = _asked(name, "true or false", None if default is None else str(default).lower(), about)
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if written.lower() not in words:
        raise ConfigurationError(name, f"'{written}' is neither true nor false", "Set it to true or false")
    return words[written.lower()]


@overload
def path(name: str, default: Path, *, about: str = "") -> Path: ...
@overload
def path(name: str, default: None = None, *, about: str = "") -> Path | None: ...
def path(name: str, default: Path | None = None, *, about: str = "") -> Path | None:
    """A path, made absolute; it need not exist. Without a default it is optional."""
    written = _asked(name, "path", str(default or ""), about)
    return Path(written).expanduser().absolute() if written else None


def url(name: str, default: str | None = None, *, schemes: Sequence[str], about: str = "") -> str:
    """An address with one of the schemes and a host; an empty default makes it optional."""
    address = _asked(name, "url", default, about)
    if not address and default == "":
        return ""
    cure = f"Write it as {schemes[0]}://user:password@host:port/name"
    try:
        parts = urlsplit(address)
        _ = parts.port  # a port that is no number is found only when it is asked for
    except ValueError:
        raise ConfigurationError(name, "this is not a well-formed address", cure) from None
    if parts.scheme not in schemes:
        raise ConfigurationError(name, f"the scheme is not one of {', '.join(schemes)}", cure)
    if not (parts.hostname or parts.path.strip("/")):
        raise ConfigurationError(name, "the address names no host", cure)
    return address


def _asked(name: str, kind: str, default: str | None, about: str) -> str:
    known = DECLARED.get(name)
    shown = "required" if default is None else default
    DECLARED[name] = Variable(name, kind, shown, about or (known.about if known else ""))
    written = os.environ.get(name, "").strip() or _from_file(f"{name}_FILE")
    if written:
        return written
    if default is None:
        raise ConfigurationError(name, "it is not set", f"Set {name} ({kind}){f': {about}' if about else ''}")
    return default


def _from_file(name: str) -> str:
    file = os.environ.get(name, "")
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(name, f"{file} cannot be read", "Name a text file this user can read") from None
