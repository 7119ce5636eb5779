"""The bodies this app's part of the API takes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from channels import policy


class ProviderPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may decide about an account at run time; what is left out stays."""

    enabled: bool | UnsetType = UNSET
    #: Share among accounts of equal priority; 0: only when the others failed; null: as the file says.
    weight: Annotated[int, Meta(ge=0, le=policy.MAX_WEIGHT)] | UnsetType | None = UNSET
