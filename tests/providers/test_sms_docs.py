"""docs/providers.md and the adapters and stand-ins for text messages and gateways, against each other."""

from __future__ import annotations

from types import ModuleType

import pytest

from channels import registry
from channels.rules.accounts import Account
from channels.rules.opt_out import STOP_WORDS
from channels.vocabulary import Channel
from config.lab import http_sink, sns, twilio, vonage
from tests.providers.conftest import ROOT

DOCS = (ROOT / "docs" / "providers.md").read_text()


@pytest.mark.parametrize("adapter", ["twilio", "vonage", "sns", "http"])
def test_the_docs_have_every_option_and_secret(adapter: str) -> None:
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{adapter}` |"))
    can = registry.adapter_class(Account(name="x", adapter=adapter, channel=Channel.SMS)).capabilities
    assert [name for name in (*can.options, *can.secrets, *can.optional_secrets) if f"`{name}`" not in row] == []


@pytest.mark.parametrize("stand_in", [http_sink, sns, twilio, vonage])
def test_the_docs_have_every_answer_and_magic_address_of_the_lab(stand_in: ModuleType) -> None:
    lab = DOCS.partition("**Text messages and gateways**")[2]
    magic = [f"lab-{word}" if word[0].isalpha() else word for word in stand_in.MAGIC]
    assert [word for word in stand_in.ANSWERS if f"`{word}`" not in lab] == []
    assert [word for word in magic if f"`{word}`" not in lab and f"`+{word}`" not in lab] == []


def test_the_docs_have_every_word_that_is_an_opt_out() -> None:
    section = DOCS.partition("**Opt-outs**")[2].partition("\n\n")[0]
    assert [word for word in sorted(STOP_WORDS) if word not in section] == []


def test_the_docs_have_every_code_the_adapters_know() -> None:
    section = DOCS.partition("## Text messages")[2].partition("## Order")[0]
    for name in ("twilio", "vonage"):
        adapter = registry.adapter_class(Account(name="x", adapter=name, channel=Channel.SMS))
        table = vars(__import__(adapter.__module__, fromlist=["x"]))
        known = table["_BY_CODE"] if name == "twilio" else table["_BY_STATUS"]
        assert [code for code in known if str(code) not in section] == []
