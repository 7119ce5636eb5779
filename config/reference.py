"""Pages of docs/ that are written from the code: the settings, the OpenAPI document, and the tables of capacity."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from celeryconfig import POOLS
from config import env
from config.capacity.figures import read_figures
from config.capacity.page import page_of
from config.embedded.choices import read_choices
from config.supervise.command import read_sizes
from notify.api.docs import document

_SECRET = re.compile(r"_(SECRET_KEY|MASTER_KEYS|HASH_KEY)$")
_HEAD = """# Settings

Written by `make docs` from the readers of the environment; a test holds the two together. A variable that is empty
counts as not given. Instead of `NAME`, `NAME_FILE` may name a file that holds the value, as container secrets do.

| variable | what it is | kind | default |
|---|---|---|---|
"""


def pages() -> dict[str, str]:
    """The generated pages: file name in docs/ → text."""
    # Readers that only some commands call are called here, so that the page does not depend on who writes it.
    read_sizes(POOLS)
    read_choices()
    return {
        "settings.md": settings_page(env.DECLARED.values()),
        "openapi.json": openapi_page(),
        "capacity.md": capacity_page(),
    }


def settings_page(variables: Iterable[env.Variable]) -> str:
    """A table of all variables, in the order of their names; no secret and no path of this machine is in it."""
    rows = [
        f"| `{one.name}` | {one.about} | {one.kind} | {_default(one)} |"
        for one in sorted(variables, key=lambda one: one.name)
    ]
    return _HEAD + "\n".join(rows) + "\n"


def openapi_page() -> str:
    """The OpenAPI document, readable and stable enough to be compared."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def capacity_page() -> str:
    """docs/capacity.md as it stands, its tables computed anew from the bench's figures beside it."""
    docs = settings.BASE_DIR / "docs"
    return page_of((docs / "capacity.md").read_text(encoding="utf-8"), read_figures(docs / "performance.json"))


def write_pages(folder: Path) -> list[Path]:
    """Write the pages that have changed; answers those."""
    changed = []
    for name, text in pages().items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            changed.append(file)
    return changed


def _default(one: env.Variable) -> str:
    if _SECRET.search(one.name):
        return "generated once into `$CARILLON_HOME/secrets.json`; required in production"
    if not one.default or one.default == "required":
        return one.default or "not set"
    return f"`{one.default.replace(str(settings.BASE_DIR), '.')}`"
